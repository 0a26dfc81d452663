data <- clusters()

losses_of <- function(..., run_eagerly = TRUE) {
  set_random_seed(1)
  model <- small_model()
  model |> compile(..., run_eagerly = run_eagerly)
  history <- model |> fit(data$x, data$onehot, epochs = 2, verbose = 0)
  history$metrics
}

test_that("compile() changes the model in place and returns it", {
  model <- small_model()
  returned <- compile(model, loss = "mse")
  expect_identical(reticulate::py_id(returned), reticulate::py_id(model))
  expect_true(model$compiled)
  expect_match(class(model$optimizer)[1], "RMSprop$")
})

test_that("a loss by its name, its object or its function is the same", {
  by_name <- losses_of(loss = "categorical_crossentropy", optimizer = "sgd")
  by_object <- losses_of(
    loss = loss_categorical_crossentropy(), optimizer = "sgd"
  )
  by_function <- losses_of(
    loss = loss_categorical_crossentropy, optimizer = "sgd"
  )
  expect_identical(by_object, by_name)
  expect_identical(by_function, by_name)
  expect_length(by_name$loss, 2)
})

test_that("an optimizer by its name or its object is the same", {
  expect_identical(
    losses_of(loss = "mse", optimizer = "rmsprop"),
    losses_of(loss = "mse", optimizer = optimizer_rmsprop())
  )
  slow <- losses_of(
    loss = "mse", optimizer = optimizer_sgd(learning_rate = 0)
  )
  expect_equal(slow$loss[1], slow$loss[2], tolerance = 1e-5)
})

test_that("an R function is a loss and a metric", {
  squared <- function(y_true, y_pred) {
    difference <- keras$ops$subtract(y_true, y_pred)
    keras$ops$mean(keras$ops$square(difference), axis = -1L)
  }
  own <- losses_of(
    loss = squared, optimizer = "sgd",
    metrics = list(custom_metric("own", squared), "mse"),
    run_eagerly = FALSE
  )
  theirs <- losses_of(loss = "mse", optimizer = "sgd")
  expect_equal(own$loss, theirs$loss, tolerance = 1e-6)
  expect_setequal(names(own), c("loss", "mse", "own"))
  expect_equal(own$own, own$mse, tolerance = 1e-6)
})

test_that("metrics come as a name, names, objects, functions and lists", {
  names_of <- function(metrics) {
    sort(names(losses_of(loss = "mse", metrics = metrics)))
  }
  expect_identical(names_of("accuracy"), c("accuracy", "loss"))
  expect_identical(names_of(c("accuracy", "mae")), c("accuracy", "loss", "mae"))
  expect_identical(
    names_of(list("accuracy", metric_mean_absolute_error(name = "away"))),
    c("accuracy", "away", "loss")
  )
  expect_identical(
    names_of(metric_mean_absolute_error(name = "away")), c("away", "loss")
  )
  expect_identical(
    names_of(list(metric_mean_absolute_error)), c("loss", "mean_absolute_error")
  )
})

test_that("weighted metrics and weights of losses", {
  input <- keras_input(shape = 4)
  model <- keras_model(input, list(
    layer_dense(input, 1, name = "a"), layer_dense(input, 1, name = "b")
  ))
  model |> compile(
    loss = list("mse", "mae"), loss_weights = c(1, 0.5),
    optimizer = "sgd", weighted_metrics = list(list("mae"), list("mae"))
  )
  history <- model |> fit(
    data$x, list(data$class, data$class),
    epochs = 1, verbose = 0
  )
  expect_true(all(c("a_mae", "b_mae", "loss") %in% names(history$metrics)))
})

test_that("arguments that are only passed on reach Keras", {
  model <- small_model()
  model |> compile(loss = "mse", jit_compile = FALSE, run_eagerly = TRUE)
  expect_true(model$run_eagerly)
  expect_false(model$jit_compile)
})

test_that("a function without a name is reported under keras3's name", {
  away <- function(y_true, y_pred) op_mean(op_abs(y_true - y_pred))
  names_of <- function(metrics) {
    names(losses_of(loss = "mse", metrics = metrics))
  }
  expect_setequal(names_of(away), c("custom_metric", "loss"))
  expect_setequal(
    names_of(list("mae", away)), c("mae", "custom_metric_2", "loss")
  )
})
