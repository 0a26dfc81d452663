test_that("r_facts() says which versions answer", {
  facts <- sidebyside:::r_facts()
  expect_type(facts, "character")
  expect_identical(facts[["R"]], as.character(getRversion()))
  expect_identical(facts[["dialect"]], dialect())
  expect_identical(
    facts[["reticulate"]], as.character(packageVersion("reticulate"))
  )
  expect_identical(
    facts[["keras3"]] != "", nzchar(system.file(package = "keras3"))
  )
})

test_that("send_to_python() gives compare() a variable by its name", {
  received <- function() {
    reticulate::import("sidebyside.lesson.compare", convert = FALSE)$`_received`
  }
  sent <- function(value) {
    assign("sent_by_test", value, envir = globalenv())
    on.exit(rm("sent_by_test", envir = globalenv()))
    expect_false(withVisible(
      sidebyside:::send_to_python("sent_by_test")
    )$visible)
    reticulate::py_to_r(
      reticulate::py_get_item(received(), "sent_by_test")
    )
  }
  expect_identical(sent(matrix(1:6, 2)), matrix(1:6, 2))
  expect_identical(sent(list(a = 1, b = "x")), list(a = 1, b = "x"))
  history <- structure(
    list(params = list(epochs = 2), metrics = list(loss = c(2, 1))),
    class = "keras_training_history"
  )
  expect_identical(sent(history), list(loss = c(2, 1)))
  expect_match(class(sent(small_model()))[1], "Sequential$")
})

test_that("describe() says where a value of any type is missing", {
  for (x in list(c(TRUE, NA), c(1L, NA), c(1, NA), c("a", NA), c(1i, NA))) {
    found <- sidebyside:::describe(x)
    expect_identical(found$missing, array(1))
  }
  expect_length(sidebyside:::describe(c(1, NaN))$missing, 0)
  expect_identical(sidebyside:::describe(1)$missing, FALSE)
  row <- matrix(c(1, 2, NA), 1)
  expect_identical(sidebyside:::describe(row)$missing, array(2))
  frame <- sidebyside:::describe(data.frame(x = 1, y = factor("b")))
  expect_identical(frame$labels[[2]], list("x", "y"))
  expect_identical(frame$items[[2]]$values, array("b"))
  expect_identical(frame$labels[[1]], FALSE)
  second_day <- sidebyside:::describe(as.Date("1970-01-02"))
  expect_identical(second_day$values, array(86400))
  apart <- as.difftime(1, units = "mins")
  expect_identical(sidebyside:::describe(apart)$kind, "other")
})

test_that("alt_text() leaves its words to the next figure", {
  figures <- reticulate::import("sidebyside.kernel.figures")
  figures$forget_pending()
  on.exit(figures$forget_pending())
  expect_invisible(alt_text("Ten digits,\n  drawn by R."))
  expect_identical(unlist(figures$`_pending`), "Ten digits, drawn by R.")
  expect_error(alt_text(c("one", "two")))
  expect_error(alt_text(" "), "empty")
})

test_that("the colours are the Python companion's", {
  theirs <- reticulate::import("sidebyside")
  expect_identical(r_colour, theirs$R)
  expect_identical(r_light, theirs$R_LIGHT)
  expect_identical(python_colour, theirs$PYTHON)
  expect_identical(python_light, theirs$PYTHON_LIGHT)
})

test_that("a notebook's session has narrow lines and R's colours", {
  before <- options(
    "width", "ggplot2.discrete.colour", "ggplot2.discrete.fill"
  )
  on.exit(options(before))
  sidebyside:::prepare_session()
  expect_equal(getOption("width"), 60)
  expect_identical(
    getOption("ggplot2.discrete.colour"), list(sidebyside:::other_colours)
  )
})
