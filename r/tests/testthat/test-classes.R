tf <- reticulate::import("tensorflow")
set.seed(1)
points <- matrix(rnorm(60), 20)
targets <- points %*% c(1, -1, 0.5)

linear_model <- function(optimizer = "sgd", ...) {
  model <- keras_model_sequential(input_shape = 3)
  model |> layer_dense(units = 1)
  model |> compile(optimizer = optimizer, loss = "mse", ...)
  model
}

train <- function(model, ..., epochs = 2) {
  fit(model, points, targets,
    ...,
    batch_size = 10, epochs = epochs, verbose = 0, shuffle = FALSE
  )
}

class_of <- function(object) object[["__class__"]]

# ---- callbacks --------------------------------------------------------------

test_that("a callback is called, counted from one", {
  seen <- character()
  note <- function(what) {
    force(what)
    function(...) {
      first <- list(...)[[1]]
      number <- if (is.numeric(first)) first
      seen <<- c(seen, paste0(what, number))
    }
  }
  Noting <- Callback("Noting", # nolint: object_name_linter.
    on_train_begin = function(logs = NULL) note("train begins")(logs),
    on_epoch_begin = function(epoch, logs = NULL) note("epoch ")(epoch),
    on_train_batch_end = function(batch, logs = NULL) note("batch ")(batch),
    on_train_end = function(logs = NULL) note("train ends")(logs)
  )
  train(linear_model(), callbacks = list(Noting()))
  expect_identical(seen, c(
    "train begins", "epoch 1", "batch 1", "batch 2", "epoch 2", "batch 1",
    "batch 2", "train ends"
  ))
})

test_that("a callback has fields, private ones and the model", {
  Stopping <- Callback("Stopping", # nolint: object_name_linter.
    initialize = function(after = 1L) {
      super$initialize()
      self$after <- after
      private$losses <- NULL
    },
    on_epoch_end = function(epoch, logs = NULL) {
      private$keep(logs$loss)
      if (epoch == self$after) {
        self$model$stop_training <- TRUE
      }
    },
    kept = function() private$losses,
    private = list(
      keep = function(loss) private$losses <- c(private$losses, loss)
    )
  )
  callback <- Stopping(after = 3L)
  other <- Stopping()
  history <- train(linear_model(), callbacks = callback, epochs = 5)
  expect_length(history$metrics$loss, 3)
  expect_equal(callback$kept(), history$metrics$loss)
  expect_null(other$kept())
  expect_error(callback$private, "private")
})

test_that("only the methods that are written are called from Python", {
  OnlyEpochs <- Callback("OnlyEpochs", # nolint: object_name_linter.
    on_epoch_end = function(epoch, logs = NULL) NULL
  )
  base <- reticulate::import("keras")$callbacks$Callback
  own <- function(name) {
    differ <- reticulate::py_eval(
      "lambda a, b, name: getattr(a, name) != getattr(b, name)"
    )
    differ(class_of(OnlyEpochs()), base, name)
  }
  expect_true(own("on_epoch_end"))
  expect_false(own("on_train_batch_end"))
  expect_false(own("on_train_batch_begin"))
})

test_that("what a callback returns by name goes into the logs", {
  Adding <- Callback("Adding", # nolint: object_name_linter.
    on_epoch_end = function(epoch, logs = NULL) list(added = epoch * 10)
  )
  history <- train(linear_model(), callbacks = list(Adding()))
  expect_equal(history$metrics$added, c(10, 20))
})

test_that("a callback's model cannot be replaced", {
  Setting <- Callback("Setting", # nolint: object_name_linter.
    set = function(model) self$model <- model
  )
  model <- linear_model()
  expect_error(Setting()$set(model), "model")
})

test_that("a method that is NULL is not called", {
  Maybe <- Callback("Maybe", on_batch_end = NULL) # nolint: object_name_linter.
  expect_length(train(linear_model(), callbacks = Maybe())$metrics$loss, 2)
})

test_that("an argument called private is the caller's", {
  Taking <- Callback("Taking", # nolint: object_name_linter.
    take = function(private) private,
    private = list(own = 1)
  )
  expect_identical(Taking()$take(5), 5)
})

test_that("an error in a method is seen in R, in R's words", {
  deeper <- function() stop("no more of this")
  Failing <- Callback("Failing", # nolint: object_name_linter.
    on_epoch_end = function(epoch, logs = NULL) deeper()
  )
  expect_error(
    train(linear_model(), callbacks = Failing()), "no more of this"
  )
  skip_with_keras3("reticulate tells where it was in its own way")
  error <- tryCatch(
    train(linear_model(), callbacks = Failing()),
    error = identity
  )
  expect_s3_class(error, "method_error")
  expect_match(
    conditionMessage(error), "(in the R method Failing$on_epoch_end()",
    fixed = TRUE
  )
  expect_identical(conditionCall(error), quote(deeper()))
  called <- vapply(error$calls, function(x) deparse(x[[1]])[1], "")
  expect_true("deeper" %in% called)
  expect_true("Failing$on_epoch_end" %in% called)
})

test_that("an error of Python's stays what it was", {
  skip_with_keras3("keras3 has no other errors")
  error <- tryCatch(
    fit(linear_model(), matrix(1, 2, 7), 1:2, verbose = 0),
    error = identity
  )
  expect_false(inherits(error, "method_error"))
})

test_that("an R6 object that inherits KerasCallback is a callback", {
  skip_if_not_installed("R6")
  Losses <- R6::R6Class("Losses", # nolint: object_name_linter.
    inherit = KerasCallback,
    public = list(
      losses = NULL, epochs = NULL, batches = 0,
      on_epoch_end = function(epoch, logs = NULL) {
        self$epochs <- c(self$epochs, epoch)
        self$losses <- c(self$losses, logs$loss)
      },
      on_batch_end = function(batch, logs = NULL) {
        self$batches <- self$batches + 1
      }
    )
  )
  callback <- Losses$new()
  history <- train(linear_model(), callbacks = list(callback))
  expect_equal(callback$losses, history$metrics$loss)
  expect_equal(callback$epochs, c(0, 1))
  expect_equal(callback$batches, 4)
  expect_identical(as.integer(callback$params$epochs), 2L)
  expect_match(class(callback$model)[1], "Sequential")
})

# ---- layers -----------------------------------------------------------------

Scaling <- Layer("Scaling", # nolint: object_name_linter.
  initialize = function(units = 2L, ...) {
    super$initialize(...)
    self$units <- as.integer(units)
  },
  build = function(input_shape) {
    self$kernel <- self$add_weight(
      shape = list(input_shape[[2]], self$units),
      initializer = "ones", name = "kernel"
    )
  },
  call = function(inputs, training = FALSE) {
    op_matmul(inputs, self$kernel)
  },
  get_config = function() {
    config <- super$get_config()
    config$units <- self$units
    config
  }
)

test_that("a layer is made, called and composed", {
  expect_identical(
    names(formals(Scaling)), c("object", "units", "...")
  )
  layer <- Scaling(units = 3, name = "thrice")
  expect_identical(class(layer)[1], "<r-globalenv>.Scaling")
  expect_identical(layer$name, "thrice")
  expect_equal(
    as.array(layer(points))[, 2], rowSums(points),
    tolerance = 1e-6
  )
  expect_identical(shape_of(Scaling(keras_input(3), 4)), list(NULL, 4L))
  model <- keras_model_sequential(input_shape = 3)
  model |> Scaling(2)
  expect_equal(count_params(model), 6)
})

test_that("a layer's configuration makes it again, and saves it", {
  layer <- Scaling(units = 3)
  expect_identical(get_config(layer)$units, 3L)
  expect_identical(from_config(get_config(layer))$units, 3L)
  model <- keras_model_sequential(input_shape = 3)
  model |> Scaling(2)
  path <- temporary_file(".keras")
  on.exit(unlink(path))
  save_model(model, path)
  again <- load_model(path, custom_objects = list(Scaling = Scaling))
  expect_equal(
    predict(again, points, verbose = 0), predict(model, points, verbose = 0)
  )
  expect_error(load_model(path), "Scaling")
  unnamed <- load_model(path, custom_objects = list(Scaling))
  expect_identical(unnamed$layers[[1]]$units, 2L)
})

test_that("a class inherits from a class written in R", {
  Doubling <- Layer("Doubling", # nolint: object_name_linter.
    inherit = Scaling,
    call = function(inputs) 2 * super$call(inputs)
  )
  expect_equal(
    as.array(Doubling(units = 1L)(points))[, 1], 2 * rowSums(points),
    tolerance = 1e-6
  )
  WiderDense <- Layer("WiderDense", # nolint: object_name_linter.
    inherit = layer_dense,
    initialize = function(units, ...) {
      super()$initialize(as.integer(units * 2), ...)
    }
  )
  expect_identical(WiderDense(units = 2)$units, 4L)
})

test_that("an active property is read without a call", {
  Answering <- Layer("Answering", # nolint: object_name_linter.
    answer = active_property(function() 42),
    call = function(x) x
  )
  expect_equal(Answering()$answer, 42)
})

test_that("a default that depends on another argument is R's to compute", {
  skip_with_keras3("keras3 wants defaults that stand by themselves")
  Sized <- Layer("Sized", # nolint: object_name_linter.
    initialize = function(units, twice = units * 2, ...) {
      super$initialize(...)
      self$twice <- twice
    },
    call = function(x) x
  )
  expect_equal(Sized(units = 3)$twice, 6)
  expect_equal(Sized(units = 3, twice = 1)$twice, 1)
})

# ---- models -----------------------------------------------------------------

test_that("a model's own training step computes what Keras's does", {
  Stepping <- Model("Stepping", # nolint: object_name_linter.
    initialize = function(units, ...) {
      super$initialize(...)
      self$hidden <- layer_dense(units = units, activation = "relu")
      self$last <- layer_dense(units = 1)
    },
    call = function(inputs, training = FALSE) {
      inputs |>
        self$hidden() |>
        self$last()
    },
    train_step = function(data) {
      x <- data[[1]]
      y <- data[[2]]
      with(tf$GradientTape() %as% tape, {
        y_pred <- self(x, training = TRUE)
        loss <- self$compute_loss(y = y, y_pred = y_pred)
      })
      weights <- self$trainable_variables
      gradients <- tape$gradient(loss, weights)
      self$optimizer$apply(gradients, weights)
      for (metric in self$metrics) {
        if (metric$name == "loss") {
          metric$update_state(loss)
        }
      }
      list(loss = self$metrics[[1]]$result())
    }
  )
  set_random_seed(1)
  ours <- Stepping(4)
  ours |> compile(optimizer = "sgd", loss = "mse")
  history <- train(ours)
  set_random_seed(1)
  keras <- keras_model_sequential(input_shape = 3)
  keras |>
    layer_dense(units = 4, activation = "relu") |>
    layer_dense(units = 1)
  keras |> compile(optimizer = "sgd", loss = "mse")
  expect_equal(history$metrics$loss, train(keras)$metrics$loss,
    tolerance = 1e-6
  )
})

test_that("the second names are the same functions", {
  expect_identical(new_layer_class, Layer)
  expect_identical(new_model_class, Model)
  expect_identical(new_callback_class, Callback)
  expect_identical(new_metric_class, Metric)
  expect_identical(new_loss_class, Loss)
})

test_that("keras_model_custom() names its successor", {
  expect_error(keras_model_custom(function(self) NULL), "Model()",
    fixed = TRUE
  )
  expect_error(keras_model_custom(), "new_model_class()", fixed = TRUE)
})

# ---- metrics, losses and the others -----------------------------------------

test_that("metrics, losses, constraints and schedules are classes, too", {
  Largest <- Metric("Largest", # nolint: object_name_linter.
    initialize = function(name = "largest", ...) {
      super$initialize(name = name, ...)
      self$most <- self$add_variable(
        shape = list(), initializer = "zeros", name = "most"
      )
    },
    update_state = function(y_true, y_pred, sample_weight = NULL) {
      self$most$assign(op_maximum(self$most, op_max(y_true)))
    },
    result = function() self$most
  )
  Twice <- Loss("Twice", # nolint: object_name_linter.
    call = function(y_true, y_pred) 2 * op_square(y_true - y_pred)
  )
  Halving <- new_learning_rate_schedule_class( # nolint: object_name_linter.
    "Halving",
    initialize = function(rate) {
      super$initialize()
      self$rate <- rate
    },
    call = function(step) self$rate / (op_cast(step, "float32") + 1)
  )
  expect_equal(as.numeric(Halving(0.5)(1)), 0.25)
  AllOnes <- Constraint("AllOnes", # nolint: object_name_linter.
    call = function(w) op_ones_like(w)
  )
  model <- keras_model_sequential(input_shape = 3)
  model |> layer_dense(units = 1, kernel_constraint = AllOnes())
  model |> compile(
    optimizer = optimizer_sgd(Halving(0.01)), loss = Twice(),
    metrics = list(Largest())
  )
  before <- evaluate(model, points, targets, verbose = 0)
  error <- (predict(model, points, verbose = 0) - targets)^2
  expect_equal(before$loss, 2 * mean(error), tolerance = 1e-5)
  history <- train(model)
  expect_equal(history$metrics$largest[2], max(targets), tolerance = 1e-6)
  expect_equal(c(get_weights(model)[[1]]), c(1, 1, 1))
})

test_that("members without a name and methods with two names are refused", {
  expect_error(
    Layer("A", initialize = function() NULL, `__init__` = function() NULL),
    "__init__"
  )
  expect_error(
    Layer("A", finalize = function() NULL, `__del__` = function() NULL),
    "finalize"
  )
  skip_with_keras3("keras3 has its own messages")
  expect_error(Layer("A", function() NULL, NULL, NULL, NULL, 1), "no name")
  expect_error(Layer("A", inherit = 3), "of class numeric")
  expect_error(active_property(3), "class numeric, expected a function")
})

test_that("private environments go with their objects", {
  skip_with_keras3("keras3 keeps them elsewhere")
  kept <- sidebyside:::privates
  Keeping <- Callback("Keeping", # nolint: object_name_linter.
    keep = function(x) private$x <- x,
    private = list(other = function() self)
  )
  collect <- function() {
    gc()
    reticulate::import("gc")$collect()
    gc()
  }
  last <- Keeping()
  last$keep(0)
  collect()
  last$keep(0)
  before <- length(kept)
  for (i in 1:5) Keeping()$keep(i)
  collect()
  another <- Keeping()
  another$keep(1)
  expect_lte(length(kept), before + 2)
})
