data <- clusters()

fitted_losses <- function(x, y, ..., loss = "categorical_crossentropy",
                          model = NULL) {
  set_random_seed(1)
  if (is.null(model)) {
    model <- compiled_model(loss = loss)
  }
  history <- model |> fit(x, y, epochs = 2, ..., verbose = 0)
  unlist(history$metrics)
}

test_that("a network learns", {
  set_random_seed(1)
  model <- compiled_model(
    metrics = "accuracy", optimizer = optimizer_adam(learning_rate = 0.05),
    run_eagerly = FALSE
  )
  history <- model |> fit(data$x, data$onehot, epochs = 20, verbose = 0)
  expect_s3_class(history, "keras_training_history")
  expect_named(history, c("params", "metrics"))
  expect_length(history$metrics$loss, 20)
  expect_lt(history$metrics$loss[20], history$metrics$loss[1])
  scores <- model |> evaluate(data$x, data$onehot, verbose = 0)
  expect_setequal(names(scores), c("accuracy", "loss"))
  expect_gt(scores$accuracy, 0.6)
  probability <- model |> predict(data$x, verbose = 0)
  expect_identical(dim(probability), c(90L, 3L))
  expect_equal(rowSums(probability), rep(1, 90), tolerance = 1e-5)
  predicted <- apply(probability, 1, which.max) - 1
  expect_equal(mean(predicted == data$class), scores$accuracy, tolerance = 1e-6)
})

test_that("fit() is silent about its value, evaluate() and predict() are not", {
  model <- compiled_model()
  expect_false(
    withVisible(fit(model, data$x, data$onehot, verbose = 0))$visible
  )
  expect_true(
    withVisible(evaluate(model, data$x, data$onehot, verbose = 0))$visible
  )
  expect_true(withVisible(predict(model, data$x, verbose = 0))$visible)
})

test_that("R and Python compute the same from the same data and seed", {
  ours <- fitted_losses(
    data$x, data$onehot, model = compiled_model(run_eagerly = FALSE)
  )
  theirs <- python("
keras.utils.set_random_seed(1)
model = keras.Sequential([keras.Input((4,))])
model.add(keras.layers.Dense(5, activation='relu', name='hidden'))
model.add(keras.layers.Dense(3, activation='softmax', name='last'))
model.compile(loss='categorical_crossentropy', optimizer='sgd')
history = model.fit(np.ascontiguousarray(x, 'float32'),
                    np.ascontiguousarray(y, 'float32'), epochs=2, verbose=0)
result = history.history['loss']
", x = data$x, y = data$onehot)
  expect_identical(unname(ours), theirs)
})

test_that("labels come as numbers, whole numbers, factors or columns", {
  sparse <- "sparse_categorical_crossentropy"
  from_integers <- fitted_losses(data$x, as.integer(data$class), loss = sparse)
  expect_equal(
    fitted_losses(data$x, as.numeric(data$class), loss = sparse),
    from_integers,
    tolerance = 1e-6
  )
  expect_equal(
    fitted_losses(data$x, matrix(as.integer(data$class)), loss = sparse),
    from_integers,
    tolerance = 1e-6
  )
  expect_equal(
    fitted_losses(data$x, data$onehot), from_integers,
    tolerance = 1e-5
  )
  labels <- factor(c("apple", "pear", "plum")[data$class + 1])
  expect_equal(
    fitted_losses(data$x, labels, loss = sparse), from_integers,
    tolerance = 1e-6
  )
})

test_that("whole numbers are data like any other", {
  whole <- round(data$x * 10)
  as_integers <- whole
  storage.mode(as_integers) <- "integer"
  expect_equal(
    fitted_losses(as_integers, data$onehot), fitted_losses(whole, data$onehot),
    tolerance = 1e-6
  )
})

test_that("an array keeps its dimensions in order", {
  x <- array(as.numeric(1:24), c(2, 3, 4))
  model <- keras_model_sequential(input_shape = c(3, 4)) |> layer_flatten()
  expect_equal(
    predict(model, x, verbose = 0), array_reshape(x, c(2, 12)),
    ignore_attr = TRUE
  )
})

test_that("several inputs come in a list, by place or by name", {
  left <- keras_input(shape = 4, name = "left")
  right <- keras_input(shape = 4, name = "right")
  two_inputs <- function() {
    set_random_seed(1)
    output <- layer_concatenate(left, right) |>
      layer_dense(3, activation = "softmax")
    model <- keras_model(list(left, right), output)
    model |> compile(
      loss = "categorical_crossentropy", optimizer = "sgd", run_eagerly = TRUE
    )
    model
  }
  by_place <- fitted_losses(
    list(data$x, -data$x), data$onehot,
    model = two_inputs()
  )
  by_name <- fitted_losses(
    list(right = -data$x, left = data$x), data$onehot,
    model = two_inputs()
  )
  expect_length(by_place, 2)
  expect_identical(by_name, by_place)
})

test_that("the columns of a data frame are inputs by name", {
  frame <- data.frame(b = data$x[, 2], a = data$x[, 1])
  input <- list(
    a = keras_input(shape = 1, name = "a"),
    b = keras_input(shape = 1, name = "b")
  )
  output <- layer_subtract(input$a, input$b)
  model <- keras_model(input, output)
  expect_equal(
    predict(model, frame, verbose = 0), matrix(frame$a - frame$b),
    tolerance = 1e-6
  )
  model |> compile(loss = "mse")
  expect_named(
    evaluate(model, frame, data$class, verbose = 0), "loss"
  )
})

test_that("a tf.data dataset brings its own batches", {
  tf <- reticulate::import("tensorflow")
  np <- reticulate::import("numpy", convert = FALSE)
  slices <- tf$data$Dataset$from_tensor_slices(reticulate::tuple(
    np$array(data$x, dtype = "float32"),
    np$array(data$onehot, dtype = "float32")
  ))
  from_dataset <- fitted_losses(slices$batch(32L), NULL, shuffle = FALSE)
  from_arrays <- fitted_losses(data$x, data$onehot, shuffle = FALSE)
  expect_equal(from_dataset, from_arrays, tolerance = 1e-5)
  model <- compiled_model()
  expect_identical(
    dim(predict(model, slices$batch(32L), verbose = 0)), c(90L, 3L)
  )
  expect_named(evaluate(model, slices$batch(32L), verbose = 0), "loss")
})

test_that("images come from a directory", {
  folder <- tempfile("images")
  on.exit(unlink(folder, recursive = TRUE))
  for (class in c("green", "red")) {
    dir.create(file.path(folder, class), recursive = TRUE)
    for (i in 1:4) {
      python(
        "
keras.utils.save_img(path, np.random.rand(20, 20, 3))
result = 0
",
        path = file.path(folder, class, paste0(i, ".png"))
      )
    }
  }
  capture.output(images <- image_dataset_from_directory(
    folder,
    image_size = c(10, 10), batch_size = 4, label_mode = "categorical",
    seed = 1, verbose = FALSE
  ))
  batch <- reticulate::iter_next(reticulate::as_iterator(images))
  expect_identical(dim(as.array(batch[[1]])), c(4L, 10L, 10L, 3L))
  expect_identical(dim(as.array(batch[[2]])), c(4L, 2L))
})

test_that("validation data are a list of x and y, and perhaps of weights", {
  model <- compiled_model()
  history <- model |> fit(
    data$x, data$onehot,
    validation_data = list(data$x, data$onehot), verbose = 0
  )
  expect_named(history$metrics, c("loss", "val_loss"), ignore.order = TRUE)
  scores <- evaluate(model, data$x, data$onehot, verbose = 0)
  expect_equal(history$metrics$val_loss, scores$loss, tolerance = 1e-6)
  weight <- rep(c(0, 1), length.out = 90)
  history <- model |> fit(
    data$x, data$onehot,
    validation_data = list(data$x, data$onehot, weight), verbose = 0
  )
  scores <- evaluate(
    model, data$x, data$onehot,
    sample_weight = weight, verbose = 0
  )
  expect_equal(history$metrics$val_loss, scores$loss, tolerance = 1e-5)
})

test_that("weights of classes and of samples count", {
  sparse <- "sparse_categorical_crossentropy"
  by_class <- fitted_losses(
    data$x, as.integer(data$class),
    loss = sparse, class_weight = list("0" = 1, "1" = 5, "2" = 0)
  )
  by_sample <- fitted_losses(
    data$x, as.integer(data$class),
    loss = sparse, sample_weight = c(1, 5, 0)[data$class + 1]
  )
  plain <- fitted_losses(data$x, as.integer(data$class), loss = sparse)
  expect_equal(by_class, by_sample, tolerance = 1e-6)
  expect_false(isTRUE(all.equal(by_class, plain)))
  as_vector <- fitted_losses(
    data$x, as.integer(data$class),
    loss = sparse, class_weight = c("0" = 1, "1" = 5, "2" = 0)
  )
  expect_identical(as_vector, by_class)
})

test_that("class weights without classes are refused with a sentence", {
  skip_with_keras3("keras3 has its own sentence")
  expect_error(
    fit(compiled_model(), data$x, data$onehot, class_weight = list(1, 2)),
    "class_weight must have the classes, counted from 0, as names"
  )
})

test_that("callbacks: one, several, and R functions", {
  model <- compiled_model()
  history <- model |> fit(
    data$x, data$onehot,
    epochs = 10, verbose = 0,
    callbacks = callback_early_stopping(
      monitor = "loss", patience = 1, min_delta = 100
    )
  )
  expect_length(history$metrics$loss, 2)
  expect_equal(history$params$epochs, 10)
  seen <- integer()
  file <- temporary_file(".csv")
  on.exit(unlink(file))
  model |> fit(
    data$x, data$onehot,
    epochs = 3, verbose = 0,
    callbacks = list(
      callback_lambda(on_epoch_end = function(epoch, logs) {
        seen <<- c(seen, as.integer(epoch))
        NULL
      }),
      callback_csv_logger(file)
    )
  )
  # Batches count from one.
  expect_identical(seen, 1:3)
  expect_identical(nrow(utils::read.csv(file)), 3L)
})

test_that("functions of a batch count from one, too", {
  seen <- list()
  note <- function(batch, logs) {
    seen <<- c(seen, list(batch))
  }
  callback <- callback_lambda(
    on_train_batch_end = note, on_predict_batch_end = note,
    on_train_begin = function(logs) NULL
  )
  model <- compiled_model()
  model |> fit(
    data$x, data$onehot,
    batch_size = 45, callbacks = callback, verbose = 0
  )
  model |> predict(
    data$x,
    batch_size = 90, callbacks = callback, verbose = 0
  )
  expect_equal(unlist(seen), c(1, 2, 1))
})

test_that("initial_epoch counts from one", {
  model <- compiled_model()
  epochs_of <- function(initial_epoch) {
    history <- model |> fit(
      data$x, data$onehot,
      epochs = 3, initial_epoch = initial_epoch, verbose = 0
    )
    length(history$metrics$loss)
  }
  expect_identical(epochs_of(1), 3L)
  expect_identical(epochs_of(3), 1L)
})

test_that("verbose says how much is printed", {
  model <- compiled_model()
  printed <- function(...) {
    reticulate::py_capture_output(
      fit(model, data$x, data$onehot, epochs = 2, ...)
    )
  }
  expect_identical(printed(verbose = 0), "")
  expect_match(printed(verbose = 2), "Epoch 2/2", fixed = TRUE)
  # Under testthat nothing is printed by default, as in keras3.
  expect_identical(printed(), "")
  before <- options(keras.verbose = 2)
  on.exit(options(before))
  expect_match(printed(), "Epoch 2/2", fixed = TRUE)
})

test_that("whole doubles will do for numbers of epochs, batches and steps", {
  model <- compiled_model()
  history <- model |> fit(
    data$x, data$onehot,
    batch_size = 45, epochs = 2, steps_per_epoch = 2,
    validation_data = list(data$x, data$onehot), validation_batch_size = 30,
    validation_steps = 1, validation_freq = 2, verbose = 0
  )
  expect_length(history$metrics$loss, 2)
  expect_length(history$metrics$val_loss, 1)
  expect_identical(
    dim(predict(model, data$x, batch_size = 7, verbose = 0)), c(90L, 3L)
  )
})

test_that("one batch at a time", {
  model <- compiled_model()
  before <- test_on_batch(model, data$x, data$onehot)
  train_on_batch(model, data$x, data$onehot)
  after <- test_on_batch(model, data$x, data$onehot)
  expect_false(identical(before, after))
  # The result is one number, or a list with names.
  expect_type(before, "double")
  expect_length(before, 1)
  several <- compiled_model(metrics = "accuracy")
  expect_setequal(
    names(test_on_batch(several, data$x, data$onehot)), c("accuracy", "loss")
  )
  expect_equal(
    as.array(predict_on_batch(model, data$x)),
    predict(model, data$x, verbose = 0),
    tolerance = 1e-6
  )
})

test_that("R's data stay as they were", {
  x <- data$x + 0
  copy <- data$x + 0
  model <- compiled_model()
  model |> fit(x, data$onehot, epochs = 1, verbose = 0)
  predict(model, x, verbose = 0)
  expect_identical(x, copy)
})

test_that("sparse matrices are data", {
  skip_if_not_installed("Matrix")
  data <- clusters()
  dense <- ifelse(data$x > 1, data$x, 0)
  sparse <- as(dense, "CsparseMatrix")
  train <- function(x, y) {
    set_random_seed(1)
    model <- compiled_model()
    history <- model |> fit(
      x, y,
      epochs = 2, verbose = 0, validation_data = list(x, y)
    )
    list(history$metrics, model |> evaluate(x, y, verbose = 0))
  }
  expect_equal(
    train(sparse, as(data$onehot, "CsparseMatrix")), train(dense, data$onehot),
    tolerance = 1e-5
  )
  model <- compiled_model()
  expected <- predict(model, dense, verbose = 0)
  kinds <- list(
    sparse, as(sparse, "RsparseMatrix"), as(sparse, "TsparseMatrix"),
    Matrix::Matrix(dense, sparse = FALSE)
  )
  for (x in kinds) {
    found <- predict(model, x, verbose = 0)
    expect_equal(found, expected, tolerance = 1e-5, label = class(x))
  }
  expect_equal(
    predict(model, as(sparse, "lMatrix"), verbose = 0),
    predict(model, (dense > 0) + 0, verbose = 0),
    tolerance = 1e-5
  )
})

test_that("a warning says what becomes of NA among whole numbers", {
  skip_with_keras3("keras3 says nothing")
  model <- compiled_model()
  x <- matrix(1:8, 2)
  y <- diag(3)[1:2, ]
  x[2, 1:3] <- NA
  expect_warning(predict(model, x), "^x has 3 NA.* -2147483648")
  expect_warning(evaluate(model, x, y), "^x has 3 NA")
  expect_warning(fit(model, x > 1, y, verbose = 0), "^x has 3 NA.* True")
  expect_warning(train_on_batch(model, x, y), "^x has 3 NA")
  expect_warning(
    fit(model, 1 * diag(4)[1:2, ], y, validation_data = list(x, y)),
    "^validation_data has 3 NA"
  )
  expect_warning(
    expect_error(to_categorical(factor(c("a", NA)), 2)), "^x has 1 NA"
  )
  expect_warning(op_add(c(1L, NA), 1L), "^x1 has 1 NA")
  expect_warning(loss_mean_squared_error(c(1L, NA), c(1, 2)), "^y_true has 1")
  expect_silent(predict(model, x + 0.5, verbose = 0))
})
