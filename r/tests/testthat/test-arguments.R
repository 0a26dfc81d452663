test_that("whole doubles become integers where Keras wants them", {
  layer <- layer_dense(units = 32)
  expect_identical(layer$units, 32L)
  pool <- layer_max_pooling_2d(pool_size = c(2, 2), strides = 2)
  expect_identical(unlist(pool$pool_size), c(2L, 2L))
  stop <- callback_early_stopping(patience = 4)
  expect_identical(stop$patience, 4L)
})

test_that("fractions and Keras's float arguments stay floats", {
  expect_identical(layer_dropout(rate = 0.4)$rate, 0.4)
  # 1 and 1.0 have the same value but different types.
  config <- python(
    "result = type(x.get_config()['scale']).__name__",
    x = layer_rescaling(scale = 0.5)
  )
  expect_identical(config, "float")
  expect_identical(callback_reduce_lr_on_plateau(factor = 0.25)$factor, 0.25)
})

test_that("axes count from one", {
  expect_identical(layer_batch_normalization(axis = 2)$axis, 1L)
  expect_identical(layer_batch_normalization()$axis, -1L)
  expect_identical(layer_activation_softmax(axis = 3)$axis, 2L)
  expect_error(layer_batch_normalization(axis = 0))
  joined <- layer_concatenate(
    keras_input(c(2, 3)), keras_input(c(4, 3)),
    axis = 2
  )
  expect_identical(shape_of(joined), list(NULL, 6L, 3L))
  last <- layer_concatenate(keras_input(2), keras_input(3))
  expect_identical(shape_of(last), list(NULL, 5L))
})

test_that("axis 0 is refused", {
  skip_with_keras3("keras3 has its own message")
  expect_error(
    layer_batch_normalization(axis = 0),
    "An axis is 0, but in R it counts from 1 (-1 is the last one).",
    fixed = TRUE
  )
  expect_error(get_layer(small_model(), index = 0), "A layer's index is 0")
})

test_that("shapes know NA and NULL", {
  expect_identical(
    shape_of(keras_input(shape = c(NA, 3))), list(NULL, NULL, 3L)
  )
  expect_identical(
    shape_of(keras_input(shape = list(NULL, 3))), list(NULL, NULL, 3L)
  )
  expect_identical(shape_of(keras_input(shape = 784)), list(NULL, 784L))
  expect_identical(
    shape_of(keras_input(batch_shape = c(5, NA))), list(5L, NULL)
  )
  expect_identical(
    shape_of(keras_input(shape = 3, batch_size = 7)), list(7L, 3L)
  )
  reshaped <- layer_reshape(keras_input(12), target_shape = c(NA, 3))
  expect_identical(shape_of(reshaped)[[3]], 3L)
})

test_that("one translation for each kind of argument", {
  as_whole <- sidebyside:::as_whole
  expect_identical(as_whole(3), 3L)
  expect_identical(as_whole(c(3, 4)), c(3L, 4L))
  expect_identical(as_whole(3.5), 3.5)
  expect_identical(as_whole(NA_real_), NA_real_)
  expect_identical(as_whole(Inf), Inf)
  expect_identical(as_whole(2^31), 2^31)
  expect_identical(as_whole(matrix(1, 1)), matrix(1, 1))
  expect_identical(as_whole("3"), "3")
  expect_identical(as_whole(list(1, "a", 0.5)), list(1L, "a", 0.5))
  as_axis <- sidebyside:::as_axis
  expect_identical(as_axis(NULL), NULL)
  expect_identical(as_axis(1), 0L)
  expect_identical(as_axis(-1), -1L)
  expect_identical(as_axis(c(1, -1)), list(0L, -1L))
})

test_that("a function of the dialect as an argument means its Python object", {
  as_name <- layer_dense(units = 1, activation = "relu")
  as_function <- layer_dense(units = 1, activation = activation_relu)
  expect_identical(
    as_function$get_config()$activation, as_name$get_config()$activation
  )
})

test_that("a comma may end a call, as in keras3", {
  data <- clusters()
  model <- keras_model_sequential(4, "small", )
  model |> layer_dense(units = 3, activation = "softmax", )
  model |> compile("sgd", loss = "categorical_crossentropy", )
  history <- model |> fit(data$x, data$onehot, epochs = 1, verbose = 0, )
  expect_length(history$metrics$loss, 1)
  expect_named(evaluate(model, data$x, data$onehot, verbose = 0, ), "loss")
  expect_identical(dim(predict(model, data$x, verbose = 0, )), c(90L, 3L))
  expect_identical(dim(model(data$x, )), c(90L, 3L))
  expect_identical(metric_mean(name = "a", )$name, "a")
  joined <- layer_concatenate(keras_input(2), keras_input(3), )
  expect_identical(shape_of(joined), list(NULL, 5L))
  expect_equal(as.numeric(op_hstack(1, c(2, 3), )), 1:3)
  b <- 2
  expect_identical(named_list(a = 1, b, ), list(a = 1, b = 2))
  twice <- Layer("Twice", call = function(x) x * 2, more = function() 1, )
  expect_equal(as.numeric(twice()(array(3), )), 6)
})
