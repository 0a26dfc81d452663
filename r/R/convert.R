# Converts R values to what Keras expects, by the kind of argument.

#' Is every value of a double vector a whole number that fits an integer?
#' @noRd
is_whole <- function(x) {
  is.double(x) && length(x) > 0 && all(is.finite(x)) &&
    all(x == trunc(x)) && all(abs(x) <= .Machine$integer.max)
}

# In R people write 32 where Python needs 32 and refuses 32.0. Arrays are data
# and keep their type.
as_whole <- function(x) {
  if (is.list(x) && !is.object(x)) {
    return(lapply(x, as_whole))
  }
  if (is_whole(x) && is.null(dim(x))) {
    stats::setNames(as.integer(x), names(x))
  } else {
    x
  }
}

# Does `x` contain a number that as_whole() would change?
has_whole <- function(x) {
  if (is.list(x) && !is.object(x)) {
    any(vapply(x, has_whole, NA))
  } else {
    is_whole(x) && is.null(dim(x))
  }
}

# Axes count from one in R and from zero in Python. Negative axes count from the
# end in both. A few other arguments (`what`) are counted in the same way.
as_axis <- function(axis, what = "An axis") {
  if (is.null(axis) || is_python(axis)) {
    return(axis)
  }
  axis <- as.integer(unlist(axis))
  if (any(axis == 0L)) {
    stop(what, " is 0, but in R it counts from 1 (-1 is the last one).",
      call. = FALSE
    )
  }
  axis <- ifelse(axis > 0L, axis - 1L, axis)
  if (length(axis) == 1) axis else as.list(axis)
}

# A shape becomes a tuple of whole numbers; NA or NULL means "any size". If a
# part is itself a shape (several inputs), it becomes a tuple inside the tuple.
as_shape <- function(shape) {
  if (is.null(shape) || is_python(shape)) {
    return(shape)
  }
  parts <- lapply(as.list(shape), function(part) {
    if (is_python(part)) {
      part
    } else if (length(part) > 1) {
      as_shape(part)
    } else if (is.null(part) || is.na(part)) {
      NULL
    } else {
      as.integer(part)
    }
  })
  reticulate::tuple(unname(parts))
}

# A function of the dialect as an argument means the Python object behind it:
# `activation = activation_relu`. The same holds for a function that Layer() or
# a similar function has made.
as_keras <- function(x, prefer = "path") {
  if (identical(class(x), "function")) {
    made <- environment(x)$.dialect_class
    if (!is.null(made)) {
      return(made)
    }
    row <- environment(x)$.dialect_row
    if (!is.null(row)) {
      preferred <- row[[prefer]]
      return(python_object(if (nzchar(preferred)) preferred else row$path))
    }
    for (name in c("py_function_name", "__name__", "name")) {
      if (!is.null(attr(x, name, TRUE))) {
        return(named_function(x, attr(x, name, TRUE)))
      }
    }
  }
  x
}

named_function <- function(f, name) {
  python <- reticulate::py_func(unclass(f))
  reticulate::py_set_attr(python, "__name__", name)
  python
}

# For the functions of callback_lambda(): epochs and batches count from one.
as_counted <- function(f) {
  if (is.null(f) || is_python(f)) {
    return(f)
  }
  function(position, logs = NULL) {
    f(position + 1L, logs)
    NULL
  }
}

# Positions in data count from one in R and from zero in Python. Negative
# positions are the same in both. In keras3, 0 also means the first, except
# between brackets (`strict`).
as_position <- function(x, strict = FALSE) {
  if (is.list(x)) {
    return(lapply(x, as_position, strict))
  }
  if (is.null(x)) {
    return(x)
  }
  if (is_python(x)) {
    ops <- keras_module()$ops
    x <- ops$convert_to_tensor(x)
    return(ops$where(ops$greater(x, 0L), ops$subtract(x, 1L), x))
  }
  x <- as_codes(x)
  if (any(x == 0L, na.rm = TRUE)) {
    found <- paste(
      "A position is 0, but in R positions count from 1 (-1 is the last one)."
    )
    if (strict) stop(found, call. = FALSE)
    warning(found, " Here 0 is taken as 1, the first. If your positions count ",
      "from 0, add zero_indexed = TRUE if the function has this argument.",
      call. = FALSE
    )
  }
  after_zero <- which(x > 0L)
  x[after_zero] <- x[after_zero] - 1L
  as_one_array(x)
}

# Converts numbers, TRUE and FALSE, or a factor to integers of the same shape.
as_codes <- function(x) {
  if (is.factor(x)) {
    return(as.integer(x))
  }
  if (!is.numeric(x) && !is.logical(x)) {
    stop("Positions have to be numbers, but they are of class ", class(x)[1],
      ": ", toString(utils::head(x, 3)), ".",
      call. = FALSE
    )
  }
  storage.mode(x) <- "integer"
  x
}

# Converts whole numbers to integers, also in an array. A factor becomes its
# codes.
as_integers <- function(x) {
  if (is.list(x) && !is.object(x)) {
    return(lapply(x, as_integers))
  }
  if (is.factor(x)) {
    return(as.integer(x))
  }
  if (is_whole(x)) {
    storage.mode(x) <- "integer"
  }
  x
}

# Turns a vector of several values into an array of one dimension. reticulate
# then sends one array with its type, and not a list of numbers.
as_one_array <- function(x) {
  if (is.atomic(x) && length(x) > 1 && is.null(dim(x))) {
    array(x, length(x))
  } else {
    x
  }
}

# Does the same for a single number, too.
as_array <- function(x) {
  is_vector <- is.atomic(x) && !is.null(x) && is.null(dim(x))
  if (is_vector) array(x, length(x)) else x
}

# Does the same for a vector of doubles, in the type that Keras computes with.
as_vector_data <- function(x) {
  if (is.double(x) && length(x) > 1 && is.null(dim(x)) && !is.object(x)) {
    reticulate::np_array(x, float_type())
  } else {
    as_one_array(x)
  }
}

# One sequence for pad_sequences(). An array of one dimension crosses to Python
# twenty times as fast as a list.
as_sequence <- function(x) {
  if (length(x)) as_array(as_whole(unlist(x))) else list()
}

# The number of parts, or the positions at which to cut.
as_sections <- function(x) {
  if (is.atomic(x) && length(x) == 1 && is.null(dim(x))) {
    as.integer(x)
  } else {
    as_position(x)
  }
}

as_argument <- function(value, kind) {
  switch(kind,
    axis = as_axis(value),
    shape = as_shape(value),
    counted = as_counted(value),
    index = as_position(value),
    mask = suppressWarnings(as_position(value)),
    integer = as_integers(value),
    array = as_array(value),
    positions = if (is.double(value)) as_array(as_codes(value)) else value,
    rows = as_numpy(value),
    codes = as_one_array(as_integers(value)),
    data = as_vector_data(value),
    sections = as_sections(value),
    sequences = lapply(value, as_sequence),
    whole = as_whole(value),
    as_keras(value)
  )
}

# The losses and metrics of compile(): names, objects, functions of the dialect,
# the reader's own functions, or a list of these. `name` is what keras3 calls a
# function without a name; results are reported under it.
as_measure <- function(x, name) {
  if (is.null(x) || is_python(x)) {
    return(x)
  }
  if (is.character(x)) {
    return(if (length(x) == 1) unname(x) else as.list(x))
  }
  if (is.list(x)) {
    own <- if (is.null(names(x))) seq_along(x) else names(x)
    measures <- Map(as_measure, unname(x), paste(name, own, sep = "_"))
    return(stats::setNames(measures, names(x)))
  }
  known <- as_keras(x, "function")
  if (is.function(known) && !is_python(known)) {
    named_function(of_data(known), name)
  } else {
    known
  }
}

# Wraps a loss or metric of the reader. If it uses a tensor of the network, we
# say so: Keras's own message does not.
of_data <- function(f) {
  function(y_true, y_pred) {
    value <- f(y_true, y_pred)
    if (is_symbolic(value)) {
      stop("This loss or metric uses a symbolic tensor of the network, such ",
        "as the result of layer_dense(x, 2). It may only use its arguments, ",
        "y_true and y_pred. If your loss needs other tensors, compute it in a ",
        "layer of your own, made with Layer(), and call self$add_loss() there.",
        call. = FALSE
      )
    }
    value
  }
}

#' R data on its way to Keras
#'
#' Python sees an array of R as a view of R's memory. `in_rows()` of the
#' describer then converts it to `config_floatx()` and C order (rows first),
#' once for each call and not for each batch. A vector becomes an array of one
#' dimension, and a factor its codes, counted from zero. The elements of a list
#' are converted one by one; so are the columns of a data frame, which become a
#' model's inputs by name. A sparse matrix of the package Matrix is filled up in
#' Python, where its numbers take half the memory. Python objects stay as they
#' are.
#' @noRd
as_model_data <- function(x, name = "The data") {
  if (is.null(x) || is_python(x)) {
    return(x)
  }
  if (is.list(x)) {
    return(lapply(x, as_model_data, name))
  }
  if (is.function(x)) {
    stop("The data are an R function (a generator). Only keras3 accepts one. ",
      "Give arrays or a tf.data dataset instead.",
      call. = FALSE
    )
  }
  if (inherits(x, "sparseMatrix")) {
    return(describer(convert = FALSE)$dense(
      reticulate::r_to_py(x), float_type()
    ))
  }
  if (inherits(x, "Matrix")) {
    x <- as.matrix(x)
  }
  warn_of_missing(x, name)
  if (is.factor(x)) {
    extent <- if (is.null(dim(x))) length(x) else dim(x)
    x <- array(as.integer(x) - 1L, dim = extent)
  }
  if (is.null(dim(x))) {
    x <- array(x, dim = length(x))
  }
  reticulate::r_to_py(x)
}

# Python's integers and booleans have no NA.
warn_of_missing <- function(x, name, kind = "data") {
  if (typeof(x) %in% c("integer", "logical") && anyNA(x)) {
    is_truth <- is.logical(x) && kind %in% c("data", "array")
    becomes <- if (is_truth) "True" else "-2147483648"
    warning(name, " has ", sum(is.na(x)), " NA, and Python gets ", becomes,
      " for each. Remove or replace them, or use doubles (as.double(), or ",
      "storage.mode() for a matrix): then NA becomes NaN.",
      call. = FALSE
    )
  }
}

# Does the same for a single array that is not an argument of a model's method.
as_numpy <- function(x, name = "The data") {
  if (is_python(x)) {
    return(x)
  }
  describer(convert = FALSE)$in_rows(as_model_data(x, name), float_type())
}

float_type <- function() {
  keras_module()$config$floatx()
}

# Calls a model's method that takes data. For an argument that is NULL, Python
# uses its own default, None.
call_with_data <- function(method, given) {
  given <- given[!vapply(given, is.null, NA)]
  is_data <- names(given) %in% data_arguments
  with_method_errors(describer()$call_with_data(
    method, given[is_data], given[!is_data], float_type()
  ))
}

data_arguments <- c("x", "y", "sample_weight", "validation_data")

# The arguments that were given to the calling function, by name, each evaluated
# once. For the others Python uses its own defaults.
given_arguments <- function(frame = parent.frame(), but = character()) {
  caller <- sys.function(sys.parent())
  # as.character(), because the names are NULL if there are no arguments.
  named <- setdiff(as.character(names(formals(caller))), c("...", but))
  left_out <- vapply(
    named,
    function(name) eval(call("missing", as.name(name)), frame),
    NA
  )
  given <- mget(named[!left_out], envir = frame)
  if ("..." %in% names(formals(caller))) {
    given <- c(given, eval(bquote(.(listed)(...)), frame))
  }
  given
}

# list(...), also if the call ends with a comma: f(x, ).
listed <- function(...) {
  count <- ...length()
  if (count == 0 || !eval(call("missing", as.name(paste0("..", count))))) {
    return(list(...))
  }
  count <- seq_len(count - 1)
  values <- lapply(count, function(at) ...elt(at))
  stats::setNames(values, names(substitute(list(...)))[count + 1])
}

check_all_named <- function(arguments, what) {
  unnamed <- !nzchar(names(arguments))
  if (length(arguments) && (is.null(names(arguments)) || any(unnamed))) {
    stop(what, "() got an argument without a name that is not in its ",
      "signature. Write name = value.",
      call. = FALSE
    )
  }
  arguments
}
