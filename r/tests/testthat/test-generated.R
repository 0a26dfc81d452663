# Generated functions exist under both dialects, so we test them under both.
rows <- sidebyside:::describer()$describe()
names(rows) <- vapply(rows, `[[`, "", "name")
functions <- sidebyside:::generated_functions()

families <- list(
  layer_ = c("layer_dense", "layer_max_pooling_2d", "layer_lstm"),
  rnn_cell_ = "rnn_cell_lstm",
  optimizer_ = c("optimizer_adam", "optimizer_rmsprop", "optimizer_sgd"),
  loss_ = c("loss_mean_squared_error", "loss_categorical_crossentropy"),
  metric_ = c("metric_mean", "metric_auc", "metric_f1_score"),
  callback_ = c("callback_early_stopping", "callback_csv_logger"),
  activation_ = c("activation_relu", "activation_softmax"),
  initializer_ = c("initializer_he_normal", "initializer_constant"),
  regularizer_ = c("regularizer_l1", "regularizer_l1_l2"),
  constraint_ = c("constraint_maxnorm", "constraint_nonneg"),
  application_ = c("application_mobilenet_v2", "application_resnet50"),
  learning_rate_schedule_ = "learning_rate_schedule_inverse_time_decay",
  config_ = c("config_floatx", "config_backend"),
  dataset_ = c("dataset_mnist", "dataset_cifar10")
)

test_that("every family is there", {
  for (family in names(families)) {
    expect_gt(sum(startsWith(names(rows), family)), 0)
  }
  members <- unlist(families, use.names = FALSE)
  expect_identical(setdiff(members, names(functions)), character())
  for (name in members) {
    expect_true(is.function(get0(name)), label = name)
  }
})

test_that("every row makes a function with a Python object behind it", {
  expect_gt(length(rows), 350)
  expect_identical(anyDuplicated(names(rows)), 0L)
  expect_identical(setdiff(names(rows), names(functions)), character())
  expect_true(all(vapply(functions, is.function, NA)))
  # The row of a dataset names a module; all other rows name an object.
  is_dataset <- vapply(rows, `[[`, "", "style") == "dataset"
  paths <- c(
    vapply(rows[!is_dataset], `[[`, "", "path"),
    unlist(lapply(rows, `[[`, "function")),
    paste0(vapply(rows[is_dataset], `[[`, "", "path"), ".load_data")
  )
  for (path in unique(paths[nzchar(paths)])) {
    expect_true(
      inherits(sidebyside:::python_object(path), "python.builtin.object"),
      label = path
    )
  }
})

test_that("every default is one that R can evaluate", {
  for (name in names(functions)) {
    arguments <- as.list(formals(functions[[name]]))
    arguments <- arguments[vapply(arguments, function(x) !is.name(x), NA)]
    expect_error(lapply(arguments, eval, baseenv()), NA, label = name)
  }
})

test_that("what needs little or nothing to be made can be made", {
  enough <- list(
    units = 2, filters = 2, kernel_size = 3, rate = 0.5, stddev = 0.1,
    factor = 1, height = 8, width = 8, scale = 2, l1 = 0.1, l2 = 0.1,
    num_heads = 2, key_dim = 2, head_dim = 2, num_query_heads = 2,
    num_key_value_heads = 1, input_dim = 4, output_dim = 3, n = 2,
    dims = c(2, 1), target_shape = c(2, NA), activation = "relu",
    num_bins = 3, num_tokens = 4, output_shape = c(NA, 2), size = 2,
    equation = "ab,bc->ac", initial_learning_rate = 0.1, decay_steps = 10,
    decay_rate = 0.5, boundaries = c(1, 2), values = c(0.1, 0.2, 0.3),
    filename = "log.csv", filepath = "model.keras", num_classes = 2,
    target_class_ids = list(0), precision = 0.5, recall = 0.5,
    sensitivity = 0.5, specificity = 0.5, mean = 0, value = 1,
    schedule = function(epoch, rate) rate, output_size = 2, pool_size = 2
  )
  # They have a default, but cannot be used with it.
  also <- list(
    layer_category_encoding = list(num_tokens = 4),
    layer_discretization = list(num_bins = 3)
  )
  # These change Keras's own state, load weights or need other packages.
  left_out <- paste0(
    "^(config|application|dataset)_|_dataset_from_|^get_|",
    "^(clear_session|callback_orbax_checkpoint|layer_tfsm)$"
  )
  made <- 0
  tried <- 0
  for (name in grep(left_out, names(rows), value = TRUE, invert = TRUE)) {
    wanted <- formals(functions[[name]])
    required <- names(wanted)[vapply(wanted, function(x) {
      is.name(x) && !nzchar(x)
    }, NA)]
    required <- setdiff(required, c("...", "object", "inputs"))
    # Some losses and metrics have no class and only compute.
    if (rows[[name]]$style == "measure" && nzchar(rows[[name]]$path)) {
      required <- setdiff(required, c("y_true", "y_pred"))
    }
    tried <- tried + 1
    if (all(required %in% names(enough))) {
      given <- c(enough[required], also[[name]])
      object <- tryCatch(
        do.call(functions[[name]], given),
        error = conditionMessage
      )
      expect_true(
        inherits(object, "python.builtin.object"),
        label = paste0(name, "(): ", object)
      )
      made <- made + 1
    }
  }
  expect_gt(made / tried, 0.7)
})

test_that("a function of each family makes what its name says", {
  x <- keras_input(shape = c(8, 8, 3))
  expect_identical(
    shape_of(layer_conv_2d(x, 4, c(3, 3), padding = "same")),
    list(NULL, 8L, 8L, 4L)
  )
  expect_identical(
    shape_of(layer_max_pooling_2d(x, pool_size = c(2, 2))),
    list(NULL, 4L, 4L, 3L)
  )
  expect_equal(optimizer_adam(learning_rate = 1)$get_config()$learning_rate, 1)
  expect_identical(class(loss_huber())[1], "keras.src.losses.losses.Huber")
  expect_match(class(metric_auc())[1], "AUC$")
  expect_match(
    class(callback_early_stopping(patience = 3))[1], "EarlyStopping$"
  )
  expect_equal(as.numeric(activation_relu(c(-1, 0.5))), c(0, 0.5))
  expect_match(class(initializer_he_normal(seed = 1))[1], "HeNormal$")
  expect_match(class(regularizer_l1_l2(0.1, 0.2))[1], "L1L2$")
  expect_match(class(constraint_maxnorm(max_value = 3))[1], "MaxNorm$")
  schedule <- learning_rate_schedule_inverse_time_decay(
    initial_learning_rate = 1, decay_steps = 1, decay_rate = 1
  )
  expect_equal(as.numeric(schedule(1)), 0.5)
  expect_identical(config_floatx(), "float32")
  expect_identical(config_backend(), "tensorflow")
})

test_that("an application is a model", {
  model <- application_mobilenet_v2(
    input_shape = c(32, 32, 3), alpha = 0.35, weights = NULL, classes = 5
  )
  expect_identical(model$output_shape, list(NULL, 5L))
})

test_that("losses and metrics with data compute, without make an object", {
  truth <- c(1, 2, 3)
  guess <- c(1, 2, 5)
  expect_equal(
    as.numeric(loss_mean_squared_error(truth, guess)), 4 / 3,
    tolerance = 1e-6
  )
  expect_equal(
    as.numeric(metric_mean_absolute_error(truth, guess)), 2 / 3,
    tolerance = 1e-6
  )
  expect_match(class(loss_mean_squared_error())[1], "MeanSquaredError$")
  named <- metric_mean_absolute_error(name = "distance")
  expect_identical(named$name, "distance")
})

test_that("the layers compute what Keras's own compute", {
  set_random_seed(1)
  x <- array(runif(2 * 6 * 6 * 3), c(2, 6, 6, 3))
  ours <- layer_conv_2d(
    filters = 2, kernel_size = c(3, 3), strides = 2,
    kernel_initializer = initializer_constant(0.1)
  )
  theirs <- python(
    "
layer = keras.layers.Conv2D(2, (3, 3), strides=2,
    kernel_initializer=keras.initializers.Constant(0.1))
result = layer(np.ascontiguousarray(x, 'float32')).numpy()
",
    x = x
  )
  expect_equal(as.array(ours(x)), theirs, tolerance = 1e-6)
})

test_that("an initializer takes a shape of R's numbers", {
  expect_identical(dim(initializer_ones()(c(2, 3))), c(2L, 3L))
  expect_identical(
    initializer_zeros()(shape(2), dtype = "int32")$dtype$name, "int32"
  )
})

test_that("layer_reshape() computes one missing size", {
  layer <- layer_reshape(target_shape = c(6, NA))
  expect_identical(dim(layer(array(0, c(5, 4, 3)))), c(5L, 6L, 2L))
  left <- layer_reshape(keras_input(c(4, 3)), list(NULL, 4))
  expect_identical(shape_of(left), list(NULL, 3L, 4L))
  given <- layer_reshape(keras_input(c(4, 3)), reticulate::tuple(2L, 6L))
  expect_identical(shape_of(given), list(NULL, 2L, 6L))
})

test_that("axes that are shared count from one", {
  # The first axis is that of the samples.
  layer <- layer_activation_parametric_relu(shared_axes = c(2, 3))
  invisible(layer(array(0, c(1, 4, 5, 3))))
  expect_identical(dim(as.array(layer$alpha)), c(1L, 1L, 3L))
})
