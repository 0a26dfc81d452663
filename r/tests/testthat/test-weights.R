test_that("weights are read and set as R arrays", {
  model <- small_model()
  weights <- get_weights(model)
  expect_identical(
    lapply(weights, dim), list(c(4L, 5L), 5L, c(5L, 3L), 3L)
  )
  new <- lapply(weights, function(weight) weight * 0 + 0.5)
  expect_false(withVisible(set_weights(model, new))$visible)
  expect_identical(get_weights(model), new)
  kernel <- matrix(as.numeric(1:20), 4)
  layer <- get_layer(model, "hidden")
  set_weights(layer, list(kernel, array(0, 5)))
  expect_identical(get_weights(layer)[[1]], kernel)
  x <- matrix(c(1, 0, 0, 0), 1)
  expect_equal(as.array(layer(x)), kernel[1, , drop = FALSE])
})

test_that("parameters are counted", {
  expect_equal(count_params(small_model()), 43)
  expect_equal(count_params(get_layer(small_model(), "last")), 18)
})

trainable <- function(model) {
  vapply(model$layers, function(layer) layer$trainable, NA)
}

four_layers <- function() {
  model <- keras_model_sequential(input_shape = 2)
  model |>
    layer_dense(units = 2, name = "a") |>
    layer_dense(units = 2, name = "b") |>
    layer_dense(units = 2, name = "c") |>
    layer_dense(units = 2, name = "d")
  model
}

test_that("all weights are frozen and unfrozen", {
  model <- four_layers()
  freeze_weights(model)
  expect_false(model$trainable)
  expect_length(get_weights(model, trainable = TRUE), 0)
  expect_length(get_weights(model, trainable = FALSE), 8)
  unfreeze_weights(model)
  expect_true(model$trainable)
  expect_length(get_weights(model, trainable = TRUE), 8)
})

test_that("layers are chosen by a function, also a formula", {
  model <- four_layers()
  freeze_weights(model, which = function(layer) layer$name %in% c("a", "d"))
  expect_identical(trainable(model), c(FALSE, TRUE, TRUE, FALSE))
  wanted <- "b"
  freeze_weights(model, which = ~ .x$name == wanted)
  expect_identical(trainable(model), c(TRUE, FALSE, TRUE, TRUE))
})

test_that("which weights are wanted is TRUE, FALSE or NA", {
  expect_error(get_weights(four_layers(), "all"), "TRUE, (or )?FALSE")
})

test_that("what is not frozen is unfrozen, and the other way round", {
  model <- four_layers()
  freeze_weights(model, to = "b")
  expect_identical(trainable(model), c(FALSE, FALSE, TRUE, TRUE))
  expect_length(get_weights(model, trainable = TRUE), 4)
  freeze_weights(model, from = "d")
  expect_identical(trainable(model), c(TRUE, TRUE, TRUE, FALSE))
  freeze_weights(model)
  unfreeze_weights(model, from = "c")
  expect_identical(trainable(model), c(FALSE, FALSE, TRUE, TRUE))
  freeze_weights(model, from = -2)
  expect_identical(trainable(model), c(TRUE, TRUE, FALSE, FALSE))
  unfreeze_weights(model, from = 2, to = 3)
  expect_identical(trainable(model), c(FALSE, TRUE, TRUE, FALSE))
})

test_that("layers are chosen by name, number, condition and function", {
  model <- four_layers()
  freeze_weights(model, which = c("a", "d"))
  expect_identical(trainable(model), c(FALSE, TRUE, TRUE, FALSE))
  freeze_weights(model, which = c(2, -1))
  expect_identical(trainable(model), c(TRUE, FALSE, TRUE, FALSE))
  freeze_weights(model, which = c(FALSE, FALSE, TRUE, FALSE))
  expect_identical(trainable(model), c(TRUE, TRUE, FALSE, TRUE))
  unfreeze_weights(model, which = function(layer) layer$name == "b")
  expect_identical(trainable(model), c(FALSE, TRUE, FALSE, FALSE))
})

test_that("a layer that is not there is named", {
  skip_with_keras3("keras3 has its own message")
  expect_error(
    freeze_weights(four_layers(), from = "z"),
    "This model has no layer z. Choose from a, b, c, d."
  )
})

test_that("a configuration makes the object again", {
  layer <- layer_dense(units = 3, activation = "tanh", name = "again")
  config <- get_config(layer)
  expect_identical(config$units, 3L)
  again <- from_config(config)
  expect_identical(again$name, "again")
  expect_identical(again$get_config()$activation, "tanh")
  model <- small_model()
  copy <- from_config(get_config(model))
  expect_identical(format(copy), format(model))
})

test_that("a configuration without its class is refused", {
  skip_with_keras3("keras3 has its own message")
  expect_error(
    from_config(list(units = 3)), "expected the result of get_config\\(\\)"
  )
})
