# Making, training and showing models. These functions are written in R, because
# keras3 designed them and no Keras class has their form.

# ---- making -----------------------------------------------------------------

keras_input <- function(shape = NULL, batch_size = NULL, dtype = NULL,
                        sparse = NULL, ragged = NULL, batch_shape = NULL,
                        name = NULL, tensor = NULL, optional = FALSE) {
  given <- given_arguments()
  shapes <- intersect(names(given), c("shape", "batch_shape"))
  given[shapes] <- lapply(given[shapes], as_shape)
  do.call(keras_module()$Input, lapply(given, as_whole))
}

keras_model <- function(inputs = NULL, outputs = NULL, ...) {
  # A list of one tensor means this tensor.
  single <- function(x) {
    if (is.list(x) && !is.object(x) && length(x) == 1 && is.null(names(x))) {
      x[[1]]
    } else {
      x
    }
  }
  do.call(
    keras_module()$Model,
    c(list(inputs = single(inputs), outputs = single(outputs)), listed(...))
  )
}

keras_model_sequential <- function(input_shape = NULL, name = NULL, ...,
                                   input_dtype = NULL,
                                   input_batch_size = NULL,
                                   input_sparse = NULL,
                                   input_ragged = NULL,
                                   input_batch_shape = NULL,
                                   input_name = NULL,
                                   input_tensor = NULL,
                                   input_optional = FALSE,
                                   trainable = TRUE,
                                   layers = list()) {
  given <- check_all_named(given_arguments(), "keras_model_sequential")
  if (any(vapply(as_plain_list(input_shape), is_layer, NA))) {
    stop("The first argument of keras_model_sequential() is a layer, expected ",
      "the input's shape. For layers, write layers = list(...).",
      call. = FALSE
    )
  }
  of_model <- given[names(given) %in% c("name", "trainable")]
  of_input <- given[startsWith(names_or_blank(given), "input_")]
  known <- c(names(of_model), names(of_input), "layers")
  unknown <- setdiff(names(given), known)
  if (length(unknown)) {
    stop("keras_model_sequential() has no argument ", toString(unknown), ".",
      call. = FALSE
    )
  }
  layers <- as_plain_list(layers)
  if (length(of_input)) {
    names(of_input) <- sub("^input_", "", names(of_input))
    layers <- c(list(do.call(keras_input, of_input)), layers)
  }
  if (length(layers)) {
    of_model$layers <- layers
  }
  do.call(keras_module()$Sequential, of_model)
}

is_layer <- function(x) {
  inherits(x, "keras.src.layers.layer.Layer")
}

clone_model <- function(model, input_tensors = NULL, clone_function = NULL,
                        call_function = NULL, recursive = FALSE, ...) {
  do.call(keras_module()$models$clone_model, given_arguments())
}

get_layer <- function(object, name = NULL, index = NULL) {
  object$get_layer(name = name, index = as_axis(index, "A layer's index"))
}

pop_layer <- function(object, rebuild = TRUE) {
  object$pop(rebuild = rebuild)
}

# ---- training ---------------------------------------------------------------

evaluate <- function(object, ...) {
  UseMethod("evaluate")
}

as_verbose <- function(verbose) {
  if (!identical(verbose, "auto")) {
    as.integer(verbose)
  } else if (isTRUE(getOption("knitr.in.progress"))) {
    2L
  } else if (identical(Sys.getenv("TESTTHAT"), "true")) {
    0L
  } else {
    verbose
  }
}

as_class_weight <- function(class_weight) {
  if (is.null(class_weight) ||
        is_python(class_weight)) {
    return(class_weight)
  }
  classes <- suppressWarnings(as.integer(names(class_weight)))
  if (length(classes) != length(class_weight) || anyNA(classes)) {
    found <- if (is.null(names(class_weight))) "none" else names(class_weight)
    stop("class_weight must have the classes, counted from 0, as names, but ",
      "its names are: ", toString(found), ". Write, for example, ",
      "list(\"0\" = 1, \"1\" = 5).",
      call. = FALSE
    )
  }
  reticulate::py_dict(as.list(classes), unname(as.list(class_weight)))
}

# Translates the arguments that fit(), evaluate() and predict() share.
translate_run <- function(given, verbose) {
  data <- intersect(names(given), data_arguments)
  given[data] <- Map(as_model_data, given[data], data)
  if (!is.null(given$callbacks)) {
    given$callbacks <- as_plain_list(given$callbacks)
  }
  given$verbose <- as_verbose(verbose)
  whole <- intersect(names(given), whole_in_a_run)
  given[whole] <- lapply(given[whole], as_whole)
  if (!is.null(given$batch_size) && is_dataset(given$x)) {
    stop("batch_size cannot be given with a dataset, which has batches ",
      "already. Leave it out, and use the dataset's $batch().",
      call. = FALSE
    )
  }
  given
}

whole_in_a_run <- c(
  "batch_size", "epochs", "initial_epoch", "steps_per_epoch", "steps",
  "validation_steps", "validation_batch_size", "validation_freq"
)

is_dataset <- function(x) {
  inherits(x, "tensorflow.python.data.ops.dataset_ops.DatasetV2")
}

compile_model <- function(object, optimizer = "rmsprop", loss = NULL,
                          metrics = NULL, ..., loss_weights = NULL,
                          weighted_metrics = NULL, run_eagerly = FALSE,
                          steps_per_execution = 1L, jit_compile = "auto",
                          auto_scale_loss = TRUE) {
  given <- check_all_named(given_arguments(but = "object"), "compile")
  measures <- intersect(names(given), c("loss", "metrics", "weighted_metrics"))
  given[measures] <- Map(
    as_measure, given[measures],
    ifelse(measures == "loss", "custom_loss", "custom_metric")
  )
  lists <- intersect(
    names(given), c("metrics", "weighted_metrics", "loss_weights")
  )
  given[lists] <- lapply(given[lists], function(x) {
    if (is.null(x)) x else as_plain_list(if (is.numeric(x)) as.list(x) else x)
  })
  given$optimizer <- as_keras(given$optimizer)
  given$steps_per_execution <- as_whole(given$steps_per_execution)
  do.call(object$compile, given)
  invisible(object)
}

fit_model <- function(object, x = NULL, y = NULL, ..., batch_size = NULL,
                      epochs = 1L, callbacks = NULL, validation_split = 0,
                      validation_data = NULL, shuffle = TRUE,
                      class_weight = NULL, sample_weight = NULL,
                      initial_epoch = 1L, steps_per_epoch = NULL,
                      validation_steps = NULL, validation_batch_size = NULL,
                      validation_freq = 1L,
                      verbose = getOption("keras.verbose", default = "auto"),
                      view_metrics = getOption(
                        "keras.view_metrics",
                        default = "auto"
                      )) {
  if (isTRUE(view_metrics)) {
    stop("view_metrics = TRUE, which draws in RStudio's viewer, needs keras3. ",
      "Leave it out, and plot the history.",
      call. = FALSE
    )
  }
  given <- given_arguments(but = c("object", "view_metrics"))
  given <- translate_run(check_all_named(given, "fit"), verbose)
  if (is.list(given$validation_data)) {
    given$validation_data <- reticulate::tuple(unname(given$validation_data))
  }
  if (!is.null(given$class_weight)) {
    given$class_weight <- as_class_weight(given$class_weight)
  }
  if (!is.null(given$initial_epoch)) {
    given$initial_epoch <- as_axis(given$initial_epoch, "initial_epoch")
  }
  history <- training_history(call_with_data(object$fit, given))
  history$params$validation_freq <- given$validation_freq
  invisible(history)
}

evaluate_model <- function(object, x = NULL, y = NULL, ..., batch_size = NULL,
                           verbose = getOption(
                             "keras.verbose",
                             default = "auto"
                           ),
                           sample_weight = NULL, steps = NULL,
                           callbacks = NULL) {
  given <- check_all_named(given_arguments(but = "object"), "evaluate")
  given <- translate_run(given, verbose)
  given$return_dict <- TRUE
  call_with_data(object$evaluate, given)
}

predict_model <- function(object, x, ..., batch_size = NULL,
                          verbose = getOption(
                            "keras.verbose",
                            default = "auto"
                          ),
                          steps = NULL, callbacks = NULL) {
  given <- check_all_named(given_arguments(but = "object"), "predict")
  call_with_data(object$predict, translate_run(given, verbose))
}

predict_on_batch <- function(object, x) {
  object$predict_on_batch(as_numpy(x, "x"))
}

# As in keras3, a single number (the loss) is returned as a number, not as a
# list of one.
on_batch <- function(method, x, y, sample_weight, ...) {
  results <- method(
    as_numpy(x, "x"), as_numpy(y, "y"),
    as_numpy(sample_weight, "sample_weight"), ...,
    return_dict = TRUE
  )
  if (length(results) == 1) results[[1]] else results
}

train_on_batch <- function(object, x, y = NULL, sample_weight = NULL,
                           class_weight = NULL) {
  class_weight <- as_class_weight(class_weight)
  on_batch(
    object$train_on_batch, x, y, sample_weight, class_weight = class_weight
  )
}

test_on_batch <- function(object, x, y = NULL, sample_weight = NULL, ...) {
  on_batch(object$test_on_batch, x, y, sample_weight, ...)
}

custom_metric <- function(name, metric_fn) {
  structure(metric_fn, py_function_name = name)
}

# ---- showing ----------------------------------------------------------------

#' The summary table as text
#'
#' Keras prints the table from Python, where `capture.output()` of R cannot see
#' it. So we collect the text in Python, and R prints it.
#' @noRd
format_model <- function(x, line_length = min(getOption("width"), 180),
                         positions = NULL, expand_nested = FALSE,
                         show_trainable = NA, ..., layer_range = NULL,
                         compact = TRUE) {
  given <- given_arguments(but = c("x", "compact", "show_trainable"))
  given$line_length <- as.integer(line_length)
  if (is.na(show_trainable)) {
    show_trainable <- isTRUE(x$built) && length(x$non_trainable_weights) > 0
  }
  given$show_trainable <- show_trainable
  text <- trimws(describer()$summary_text(x, given))
  if (compact) gsub("\n\\s*\n", "\n", text) else text
}

print_model <- function(x, ...) {
  writeLines(format_model(x, ...))
  invisible(x)
}

summary_model <- function(object, ...) {
  text <- format_model(object, ...)
  writeLines(text)
  invisible(text)
}

plot_model <- function(x, ...) {
  stop("plot() of a model needs keras3 and pydot. Use draw_network() or ",
    "summary() instead.",
    call. = FALSE
  )
}

# ---- weights and configuration -----------------------------------------------

get_weights <- function(object, trainable = NA) {
  if (!is.logical(trainable) || length(trainable) != 1) {
    stop("trainable is ", toString(trainable), ", expected TRUE, FALSE or NA ",
      "(all weights).",
      call. = FALSE
    )
  }
  if (is.na(trainable)) {
    return(object$get_weights())
  }
  weights <- if (trainable) {
    object$trainable_weights
  } else {
    object$non_trainable_weights
  }
  lapply(weights, function(weight) weight$numpy())
}

set_weights <- function(object, weights) {
  object$set_weights(lapply(weights, as_numpy))
  invisible(object)
}

count_params <- function(object) {
  object$count_params()
}

freeze_weights <- function(object, from = NULL, to = NULL, which = NULL) {
  set_trainable(object, from, to, which, FALSE)
}

unfreeze_weights <- function(object, from = NULL, to = NULL, which = NULL) {
  set_trainable(object, from, to, which, TRUE)
}

# As in keras3, the layers that are not chosen get the opposite value.
set_trainable <- function(object, from, to, which, trainable) {
  if (is.null(from) && is.null(to) && is.null(which)) {
    object$trainable <- trainable
    return(invisible(object))
  }
  chosen <- if (is.null(which)) {
    first <- if (is.null(from)) 1L else layer_position(object, from)
    end <- length(object$layers)
    last <- if (is.null(to)) end else layer_position(object, to)
    # Not seq(), which counts down if `last` is before `first`.
    seq_along(object$layers) >= first & seq_along(object$layers) <= last
  } else {
    seq_along(object$layers) %in% layer_position(object, which)
  }
  # While a whole model is frozen, the values of its layers have no effect.
  object$trainable <- TRUE
  Map(
    function(layer, is_chosen) layer$trainable <- is_chosen == trainable,
    object$layers, chosen
  )
  invisible(object)
}

# The positions of layers in a model. A layer is given by its name, by its
# number (a negative one counts from the end) or by the layer itself. Several
# layers are given by a vector or list of these, by TRUE and FALSE, or by a
# function that returns TRUE or FALSE for a layer, also written ~ .x$trainable.
layer_position <- function(object, x) {
  layers <- object$layers
  names <- vapply(layers, function(layer) layer$name, "")
  if (inherits(x, "formula")) {
    x <- as_predicate(x)
  }
  if (is_layer(x)) {
    x <- x$name
  } else if (is.function(x)) {
    x <- vapply(layers, x, NA)
  } else if (is.list(x)) {
    return(unlist(lapply(x, function(one) layer_position(object, one))))
  }
  if (is.logical(x)) {
    return(base::which(x))
  }
  at <- if (is.character(x)) match(x, names) else as.integer(x)
  if (anyNA(at) || any(abs(at) > length(layers)) || any(at == 0L)) {
    stop("This model has no layer ", toString(x), ". Choose from ",
      toString(names), ".",
      call. = FALSE
    )
  }
  ifelse(at < 0L, length(layers) + 1L + at, at)
}

as_predicate <- function(formula) {
  body <- formula[[length(formula)]]
  function(layer) {
    eval(body, list(. = layer, .x = layer), environment(formula))
  }
}

get_config <- function(object) {
  structure(object$get_config(), `__class__` = object[["__class__"]])
}

from_config <- function(config, custom_objects = NULL) {
  class <- attr(config, "__class__")
  if (is.null(class)) {
    stop("from_config() got an object of class ", class(config)[1], " that ",
      "does not name its Keras class, expected the result of get_config().",
      call. = FALSE
    )
  }
  attr(config, "__class__") <- NULL # nolint: object_name_linter.
  arguments <- list(config)
  if (!is.null(custom_objects)) {
    arguments$custom_objects <- as_custom_objects(custom_objects)
  }
  do.call(class$from_config, arguments)
}
