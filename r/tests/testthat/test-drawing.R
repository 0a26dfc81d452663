# What stands in a figure, read from a PDF, on a page of any size.
words_drawn <- function(model, width = 7, height = 7) {
  file <- temporary_file(".pdf")
  grDevices::pdf(file, width, height, compress = FALSE, useKerning = FALSE)
  draw_network(model)
  grDevices::dev.off()
  lines <- readLines(file, warn = FALSE)
  lines <- grep(" Tj$", lines, value = TRUE, useBytes = TRUE)
  gsub("^.*?\\(|\\) Tj$", "", lines, perl = TRUE)
}

test_that("draw_network() draws a box for each layer, on a page of any size", {
  expected <- c(
    "Input", "4: no parameters", "Dense 'hidden'", "5: 25 parameters",
    "Dense 'last'", "3: 18 parameters"
  )
  expect_identical(words_drawn(small_model()), expected)
  expect_identical(words_drawn(small_model(), 2, 12), expected)
})

test_that("several inputs are drawn, too", {
  one <- keras_input(4, name = "one")
  other <- keras_input(4, name = "other")
  both <- layer_concatenate(one, other)
  found <- words_drawn(keras_model(list(one, other), both))
  expect_setequal(
    found[c(TRUE, FALSE)], c("Input 'one'", "Input 'other'", "Concatenate")
  )
})

test_that("what cannot be drawn is a sentence that says what it is", {
  without_shape <- keras_model_sequential()
  without_shape |> layer_dense(3)
  custom <- Model("Custom", call = function(x) x)
  wrong <- list(
    NULL, "found NULL, expected a Keras model",
    list(loss = 1), "found list, expected a Keras model",
    layer_dense(units = 2), "found Dense, expected a Keras model",
    without_shape, "layers of this Sequential are not known yet. Give",
    custom(), "layers of this Custom are not known yet"
  )
  for (i in seq(1, length(wrong), 2)) {
    expect_error(drawn(draw_network(wrong[[i]])), wrong[[i + 1]], fixed = TRUE)
  }
})
