test_that("dialect() says which package supplies the functions", {
  expect_true(dialect() %in% c("keras3", "companion"))
  answers <- environmentName(parent.env(environment(layer_dense)))
  if (dialect() == "keras3") {
    expect_true("package:keras3" %in% search())
    expect_false("sidebyside:dialect" %in% search())
    expect_identical(environmentName(environment(layer_dense)), "keras3")
  } else {
    expect_true("sidebyside:dialect" %in% search())
    expect_false("package:keras3" %in% search())
    expect_identical(answers, "sidebyside")
  }
})

test_that("the dialect is detached and attached with the package", {
  skip_with_keras3("keras3 stays attached by itself")
  detach("package:sidebyside")
  on.exit(library(sidebyside))
  expect_false("sidebyside:dialect" %in% search())
  expect_false(exists("layer_dense"))
  library(sidebyside)
  expect_true("sidebyside:dialect" %in% search())
  expect_equal(sum(search() == "sidebyside:dialect"), 1)
  expect_equal(sidebyside:::attach_problem(), "")
})

test_that("a dialect that does not exist is refused", {
  before <- Sys.getenv("SIDEBYSIDE_DIALECT", NA)
  on.exit(
    if (is.na(before)) {
      Sys.unsetenv("SIDEBYSIDE_DIALECT")
    } else {
      Sys.setenv(SIDEBYSIDE_DIALECT = before)
    }
  )
  Sys.setenv(SIDEBYSIDE_DIALECT = "keras2")
  expect_error(
    dialect(),
    "\"keras2\", but must be \"keras3\", \"companion\" or unset",
    fixed = TRUE
  )
  Sys.setenv(SIDEBYSIDE_DIALECT = "companion")
  expect_identical(dialect(), "companion")
  Sys.setenv(SIDEBYSIDE_DIALECT = "keras3")
  expect_identical(dialect(), "keras3")
})

test_that("a message names a Python without Keras, and R continues", {
  bare <- tempfile("bare-python")
  on.exit(unlink(bare, recursive = TRUE))
  python <- Sys.getenv("RETICULATE_PYTHON", reticulate::py_config()$python)
  made <- system2(python, c("-m", "venv", "--without-pip", shQuote(bare)))
  skip_if(made != 0, "this Python makes no virtual environments")
  said <- suppressWarnings(system2(
    file.path(R.home("bin"), "Rscript"),
    c("-e", shQuote("library(sidebyside); cat(\"still\", \"here\")")),
    stdout = TRUE, stderr = TRUE,
    env = c(
      paste0("RETICULATE_PYTHON=", file.path(bare, "bin", "python")),
      "SIDEBYSIDE_DIALECT=companion",
      "PYTHONPATH=",
      paste0("R_LIBS=", paste(.libPaths(), collapse = ":"))
    )
  ))
  said <- paste(said, collapse = "\n")
  expect_match(said, "Keras could not be loaded in .*bare-python")
  expect_match(said, "make setup", fixed = TRUE)
  expect_match(said, "still here", fixed = TRUE)
})

test_that("the Python beside an environment's r-library is found", {
  folder <- tempfile("environment")
  dir.create(file.path(folder, "bin"), recursive = TRUE)
  on.exit(unlink(folder, recursive = TRUE))
  library_path <- file.path(folder, "r-library")
  expect_null(sidebyside:::python_beside(library_path))
  file.create(file.path(folder, "bin", "python"))
  expect_identical(
    sidebyside:::python_beside(library_path),
    file.path(folder, "bin", "python")
  )
  expect_null(sidebyside:::python_beside(file.path(folder, "site-library")))
})

test_that("with keras3, our array_reshape() and fit() return the same", {
  skip_if(dialect() != "keras3", "keras3 is not installed")
  x <- array(0:59, c(10, 2, 3))
  expect_identical(
    array_reshape(x, c(10, 6)), keras3::array_reshape(x, c(10, 6))
  )
  data <- clusters()
  whole <- data$x
  storage.mode(whole) <- "integer"
  trained <- function(fit, x, ...) {
    set_random_seed(1)
    model <- small_model()
    model |> compile(optimizer = "sgd", loss = "categorical_crossentropy")
    fit(model, x, ..., validation_split = 0.2, epochs = 2, verbose = 0)$metrics
  }
  for (x in list(whole, data$x)) {
    expect_identical(
      trained(fit, x, data$onehot), trained(keras3::fit, x, data$onehot)
    )
    expect_identical(
      trained(fit, y = data$onehot, x = x), trained(fit, x, data$onehot)
    )
  }
})
