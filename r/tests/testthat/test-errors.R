test_that("an argument that Keras does not know is named", {
  expect_error(layer_dense(units = 1, colour = 2), "colour")
  expect_error(optimizer_sgd(lr = 0.1), "lr")
  expect_error(activation_relu(1, colour = 2), "colour")
})

test_that("an argument that a sequential model does not have is named", {
  skip_with_keras3("keras3 takes it and does not look at it")
  expect_error(
    keras_model_sequential(3, colour = 2),
    "keras_model_sequential\\(\\) has no argument colour"
  )
})

test_that("a missing argument is Keras's error", {
  expect_error(layer_dense(), "units")
})

test_that("errors of Keras come through", {
  expect_error(compile(small_model(), optimizer = "nonsense"), "nonsense")
  expect_error(
    fit(compiled_model(), matrix(1, 2, 7), diag(2), verbose = 0), "shape"
  )
})

test_that("an argument without a name that is not in the signature", {
  expect_error(
    fit(compiled_model(), matrix(1, 3, 4), diag(3), 5, verbose = 0)
  )
  skip_with_keras3("keras3 has its own message")
  expect_error(
    fit(compiled_model(), matrix(1, 3, 4), diag(3), 5, verbose = 0),
    "fit() got an argument without a name",
    fixed = TRUE
  )
  expect_error(
    loss_huber(1, 2, 3, 4, 5), "loss_huber\\(\\) got an argument without"
  )
})

test_that("functions that only keras3 has stop with an error that says so", {
  skip_with_keras3("keras3 has them")
  for (name in c(
    "feature_cross", "flags", "layer_feature_space", "op_subset_set",
    "serialize_keras_object", "use_backend"
  )) {
    error <- tryCatch(get(name)(1), error = conditionMessage)
    expect_match(error, paste0(name, "()"), fixed = TRUE)
    expect_match(error, "the R package keras3", fixed = TRUE)
    expect_match(error, "install.packages(\"keras3\")", fixed = TRUE)
  }
})

test_that("arguments and methods that only keras3 has say so", {
  skip_with_keras3("keras3 has it")
  model <- compiled_model()
  expect_error(
    fit(model, matrix(1, 3, 4), diag(3), view_metrics = TRUE), "needs keras3"
  )
  expect_error(fit(model, function() NULL), "Only keras3")
  expect_error(plot(model), "needs keras3")
})

test_that("a dataset and a size of batches do not go together", {
  skip_with_keras3("keras3 has its own message")
  tf <- reticulate::import("tensorflow")
  numbers <- tf$data$Dataset$range(4L)
  expect_error(
    fit(compiled_model(), numbers, batch_size = 2),
    "batch_size cannot be given with a dataset"
  )
})
