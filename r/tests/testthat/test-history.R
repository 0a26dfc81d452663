# A result of fit() made by hand, so that its numbers do not depend on the
# machine.
history <- structure(
  list(
    params = list(verbose = 0L, epochs = 4L, steps = 10L),
    metrics = list(
      accuracy = c(0.5, 0.75, 0.875, 0.9375),
      loss = c(1.5, 1, 0.5, 0.25),
      val_accuracy = c(0.4, 0.5, 0.6, 0.7),
      val_loss = c(1234.5, 100, 10, 1.23456789)
    )
  ),
  class = "keras_training_history"
)
stopped <- history
stopped$metrics <- lapply(history$metrics, `[`, 1:2)

test_that("print() shows the last epoch", {
  expect_identical(capture.output(print(history)), c(
    "",
    "Final epoch (plot to see history):",
    "    accuracy: 0.9375",
    "        loss: 0.25",
    "val_accuracy: 0.7",
    "    val_loss: 1.235 "
  ))
  expect_match(
    paste(capture.output(print(stopped)), collapse = " "),
    "accuracy: 0.75 .* loss: 1 "
  )
  expect_identical(
    withVisible(drawn(capture.output(print(history))))$visible, TRUE
  )
})

test_that("as.data.frame() has a row for each epoch, metric and part", {
  rows <- as.data.frame(history)
  expect_s3_class(rows, "data.frame")
  expect_named(rows, c("epoch", "value", "metric", "data"))
  expect_identical(nrow(rows), 16L)
  expect_identical(levels(rows$metric), c("accuracy", "loss"))
  expect_identical(levels(rows$data), c("training", "validation"))
  loss <- rows$value[rows$metric == "loss" & rows$data == "validation"]
  expect_identical(loss, history$metrics$val_loss)
  expect_equal(rows$epoch[1:4], 1:4)
})

test_that("epochs that were not reached have rows without values", {
  rows <- as.data.frame(stopped)
  expect_identical(nrow(rows), 16L)
  loss <- rows$value[rows$metric == "loss" & rows$data == "training"]
  expect_identical(loss, c(1.5, 1, NA, NA))
})

test_that("values of validation belong to the epochs that were validated", {
  skip_with_keras3("keras3 makes no data frame of it")
  data <- clusters()
  model <- compiled_model()
  validate <- function(freq) {
    history <- model |> fit(
      data$x, data$onehot,
      epochs = 5, validation_freq = freq,
      validation_data = list(data$x, data$onehot), verbose = 0
    )
    rows <- as.data.frame(history)
    expect_match(capture.output(print(history))[4], "val_loss")
    rows$epoch[rows$data == "validation" & !is.na(rows$value)]
  }
  expect_identical(validate(2), c(2L, 4L))
  expect_identical(validate(list(1, 5)), c(1L, 5L))
})

test_that("a history without validation has no validation in it", {
  plain <- history
  plain$metrics <- plain$metrics["loss"]
  rows <- as.data.frame(plain)
  expect_identical(nrow(rows), 4L)
  expect_true(all(rows$data == "training"))
})

test_that("plot() draws with ggplot2", {
  skip_if_not_installed("ggplot2")
  figure <- drawn(plot(history))
  expect_s3_class(figure, "ggplot")
  expect_no_error(drawn(print(figure)))
  expect_no_warning(drawn(print(plot(stopped))))
  only_loss <- drawn(plot(history, metrics = "loss"))
  expect_identical(unique(as.character(only_loss$data$metric)), "loss")
  # From ten epochs on, the plot has a smooth line.
  long <- history
  long$params$epochs <- 12L
  long$metrics <- lapply(1:2, function(i) i + sin(1:12))
  names(long$metrics) <- c("loss", "val_loss")
  expect_gt(length(plot(long)$layers), length(plot(history)$layers))
  expect_equal(
    length(plot(long, smooth = FALSE)$layers), length(plot(history)$layers)
  )
  expect_no_error(drawn(print(plot(long, theme_bw = TRUE))))
})

test_that("plot() draws with R's own graphics", {
  expect_no_error(drawn(plot(history, method = "base")))
  expect_no_error(drawn(plot(stopped, method = "base")))
  expect_no_error(drawn(plot(history, metrics = "loss", method = "base")))
})

test_that("plot() leaves R's own graphics as they were", {
  skip_with_keras3("keras3 leaves two panels behind")
  drawn({
    plot(history, method = "base")
    expect_identical(graphics::par("mfrow"), c(1L, 1L))
  })
})

test_that("a metric that was not measured is named", {
  skip_with_keras3("keras3 draws an empty figure")
  expect_error(
    plot(history, metrics = "precision"),
    "This history has no metric precision. Choose from accuracy, loss."
  )
})
