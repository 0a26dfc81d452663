# One JPEG for each class and split, written by Python.
small_fruits <- function(classes = c("Kiwi", "Lemon", "Walnut")) {
  folder <- tempfile("fruits")
  python(
    "
import pathlib
from PIL import Image
for split in ('Training', 'Test'):
    for name in classes:
        place = pathlib.Path(folder, split, name)
        place.mkdir(parents=True)
        Image.new('RGB', (100, 100), 'green').save(place / '0_100.jpg')
result = 0
",
    folder = folder, classes = as.list(classes)
  )
  normalizePath(folder)
}

# NA means that the variable is not set.
set_variables <- function(values) {
  for (name in names(values)) {
    if (is.na(values[[name]])) {
      Sys.unsetenv(name)
    } else {
      do.call(Sys.setenv, as.list(values[name]))
    }
  }
}

with_variables <- function(values, code) {
  before <- Sys.getenv(names(values), unset = NA, names = TRUE)
  on.exit(set_variables(before))
  set_variables(values)
  force(code)
}

with_fruits <- function(folder, code, choice = NA) {
  data <- tempfile("data")
  dir.create(data)
  on.exit(unlink(c(folder, data), recursive = TRUE))
  with_variables(
    c(
      FRUITS360_DIR = folder, FRUITS360_CLASSES = choice,
      SIDEBYSIDE_DATA = data
    ),
    code
  )
}

classes_of <- function(fruits, split = "Training") {
  list.files(file.path(fruits, split))
}

test_that("fruits_directory() is a path with the classes of the list", {
  folder <- small_fruits()
  with_fruits(folder, {
    said <- reticulate::py_capture_output(fruits <- fruits_directory())
    expect_type(fruits, "character")
    expect_length(fruits, 1)
    expect_identical(classes_of(fruits), c("Kiwi", "Lemon"))
    expect_identical(classes_of(fruits, "Test"), c("Kiwi", "Lemon"))
    expect_length(strsplit(trimws(said), "\n")[[1]], 1)
    expect_match(said, "photographs, from FRUITS360_DIR", fixed = TRUE)
    again <- NULL
    reticulate::py_capture_output(
      again <- reticulate::import("sidebyside")$fruits_directory()
    )
    expect_identical(fruits, again)
  })
})

test_that("classes are chosen by names, by \"all\", or by the environment", {
  folder <- small_fruits()
  with_fruits(folder, {
    reticulate::py_capture_output({
      named <- fruits_directory(c("Walnut", "Kiwi"))
      all <- fruits_directory("all")
    })
    expect_identical(classes_of(named), c("Kiwi", "Walnut"))
    expect_identical(all, folder)
  })
  folder <- small_fruits()
  with_fruits(folder, choice = "all", {
    reticulate::py_capture_output(fruits <- fruits_directory())
    expect_identical(fruits, folder)
  })
})

test_that("its errors are Python's sentences, and nothing else", {
  folder <- small_fruits()
  with_fruits(folder, {
    expect_error(
      fruits_directory(c("Kiwi", "Lemmon")),
      "^There is no class 'Lemmon' in FRUITS360_DIR .* Kiwi, Lemon, Walnut\\.$"
    )
    expect_error(
      fruits_directory("Kiwi"), "has 1 of the classes that you asked for"
    )
    file <- file.path(folder, "Test", "Kiwi", "0_100.jpg")
    writeLines("no image", file)
    expect_error(
      fruits_directory(),
      paste0("^", file, " is damaged, or is not an image")
    )
  })
})
