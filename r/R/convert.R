# From R values to what Keras expects, by the kind of argument.

#' Is every value of a double vector a whole number that fits an integer?
#' @noRd
is_whole <- function(x) {
  is.double(x) && length(x) > 0 && all(is.finite(x)) &&
    all(x == trunc(x)) && all(abs(x) <= .Machine$integer.max)
}

# R writes 32 for what Python wants as 32 and not as 32.0. Arrays are data and
# keep their type.
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

# Is there a number in it that as_whole() would change?
has_whole <- function(x) {
  if (is.list(x) && !is.object(x)) {
    any(vapply(x, has_whole, NA))
  } else {
    is_whole(x) && is.null(dim(x))
  }
}

# Axes count from one in R and from zero in Python; negative ones count from
# the end in both. So do the other positions (`what`) of a few arguments.
as_axis <- function(axis, what = "An axis") {
  if (is.null(axis) || is_python(axis)) {
    return(axis)
  }
  axis <- as.integer(unlist(axis))
  if (any(axis == 0L)) {
    stop(what, " counts from 1 in R (or from the end, -1); found 0.",
      call. = FALSE
    )
  }
  axis <- ifelse(axis > 0L, axis - 1L, axis)
  if (length(axis) == 1) axis else as.list(axis)
}

# A shape is a tuple of whole numbers; NA or NULL stands for "any size". A
# part that is a shape itself (several inputs) becomes a tuple of its own.
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

# A function of the dialect, given as an argument, stands for the Python
# object behind it: `activation = activation_relu`. So does one that Layer() and
# its like have made.
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

# callback_lambda()'s functions: epochs and batches count from one.
as_counted <- function(f) {
  if (is.null(f) || is_python(f)) {
    return(f)
  }
  function(position, logs = NULL) {
    f(position + 1L, logs)
    NULL
  }
}

# Positions in data: from one in R, from zero in Python. Negative ones are the
# same in both. In keras3 0 is another name of the first, except between
# brackets (`strict`).
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
    found <- "Positions count from 1 in R (or from the end, -1); found 0"
    if (strict) stop(found, ".", call. = FALSE)
    warning(found, ", which stands for the first, as 1 does. If they count ",
      "from 0, give zero_indexed = TRUE, where the function has it.",
      call. = FALSE
    )
  }
  after_zero <- which(x > 0L)
  x[after_zero] <- x[after_zero] - 1L
  as_one_array(x)
}

# Numbers, TRUE and FALSE, or a factor as integers of the same shape.
as_codes <- function(x) {
  if (is.factor(x)) {
    return(as.integer(x))
  }
  if (!is.numeric(x) && !is.logical(x)) {
    stop("Positions are numbers; found ", class(x)[1], " ",
      toString(utils::head(x, 3)), ".",
      call. = FALSE
    )
  }
  storage.mode(x) <- "integer"
  x
}

# Whole numbers as integers, also in an array. A factor gives its codes.
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

# A vector of several values as an array of one dimension, which crosses whole
# and with its type, and not as a list of numbers.
as_one_array <- function(x) {
  if (is.atomic(x) && length(x) > 1 && is.null(dim(x))) {
    array(x, length(x))
  } else {
    x
  }
}

# The same, also for a single number.
as_array <- function(x) {
  is_vector <- is.atomic(x) && !is.null(x) && is.null(dim(x))
  if (is_vector) array(x, length(x)) else x
}

# The same in Keras's own type, for a vector that has no dimensions.
as_vector_data <- function(x) {
  if (is.double(x) && length(x) > 1 && is.null(dim(x)) && !is.object(x)) {
    reticulate::np_array(x, float_type())
  } else {
    as_one_array(x)
  }
}

# Words or numbers in a row, for pad_sequences(): an array of one dimension
# crosses twenty times as fast as a list.
as_sequence <- function(x) {
  if (length(x)) as_array(as_whole(unlist(x))) else list()
}

# Into how many parts, or where to cut.
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

# Losses and metrics of compile(): names, objects, the dialect's functions,
# the reader's own functions, or a list of any of these. `name` is keras3's for
# a function without one; the results of metrics stand under it.
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

# A loss or metric of the reader's own. It must not compute with a tensor of the
# network; Keras has a message for it that does not say so.
of_data <- function(f) {
  function(y_true, y_pred) {
    value <- f(y_true, y_pred)
    if (is_symbolic(value)) {
      stop("This loss or metric uses a symbolic tensor of the network, as ",
        "layer_dense(x, 2) returns it. It can only use its arguments, y_true ",
        "and y_pred. Compute what needs other tensors in a layer of your own, ",
        "made with Layer(), and pass it to self$add_loss() there.",
        call. = FALSE
      )
    }
    value
  }
}

#' R data on its way to Keras
#'
#' An array crosses as a view of R's memory; `in_rows()` of the describer then
#' turns it, once per call and not per batch, into `config_floatx()` and C
#' order (rows first). A vector becomes an array of one dimension, a factor
#' its codes from zero, a list a list of such, and so does a data frame: its
#' columns are a model's inputs by name. A matrix of the package Matrix becomes
#' one of all its numbers, in Python, where they take half the memory. Python
#' objects pass.
#' @noRd
as_model_data <- function(x, name = "The data") {
  if (is.null(x) || is_python(x)) {
    return(x)
  }
  if (is.list(x)) {
    return(lapply(x, as_model_data, name))
  }
  if (is.function(x)) {
    stop("Data from an R function (a generator) needs keras3, which has it. ",
      "Pass arrays or a tf.data dataset here.",
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

# Python's whole numbers and truth values know no NA.
warn_of_missing <- function(x, name, kind = "data") {
  if (typeof(x) %in% c("integer", "logical") && anyNA(x)) {
    is_truth <- is.logical(x) && kind %in% c("data", "array")
    becomes <- if (is_truth) "True" else "-2147483648"
    warning(name, " has ", sum(is.na(x)), " NA among its whole numbers, and ",
      "Python gets ", becomes, " for each. Replace or remove them first, or ",
      "use doubles (as.double(), or storage.mode() for a matrix), where NA ",
      "becomes NaN.",
      call. = FALSE
    )
  }
}

# The same for a single array, where it is not an argument of a model's
# method.
as_numpy <- function(x, name = "The data") {
  if (is_python(x)) {
    return(x)
  }
  describer(convert = FALSE)$in_rows(as_model_data(x, name), float_type())
}

float_type <- function() {
  keras_module()$config$floatx()
}

# Call a method of a model with data among its arguments. An argument that is
# NULL is left to Python's own default, which is None.
call_with_data <- function(method, given) {
  given <- given[!vapply(given, is.null, NA)]
  is_data <- names(given) %in% data_arguments
  with_method_errors(describer()$call_with_data(
    method, given[is_data], given[!is_data], float_type()
  ))
}

data_arguments <- c("x", "y", "sample_weight", "validation_data")

# The arguments that the caller of the calling function gave, by name, each
# evaluated once. Those left out are left to Python's own defaults.
given_arguments <- function(frame = parent.frame(), but = character()) {
  caller <- sys.function(sys.parent())
  # as.character(): a function without arguments has NULL for their names.
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

# list(...), where f(x, ) ends with a comma.
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
    stop("Arguments of ", what, "() beyond those in its signature must be ",
      "named; found one without a name.",
      call. = FALSE
    )
  }
  arguments
}
