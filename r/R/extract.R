# `[` of tensors and op_subset(); both count from one. The rules of `[` are
# those of the R package tensorflow:
#
# - An index is a number, `from:to` (both ends included), `from:to:by`, nothing
#   (all), a vector of evenly spaced positive numbers, NULL (a new dimension of
#   size one), or `all_dims()` (all dimensions that are left).
# - Negative numbers count from the end, as in Python. They do not drop elements
#   as in R; a warning says so once.
# - A tensor as an index goes to Python unchanged and counts from zero.

tensor_extract <- function(x, ..., drop = TRUE) {
  arguments <- eval(substitute(alist(...)))
  indices <- lapply(unname(arguments), as_index, parent.frame())
  extent <- dim(x)
  if (length(indices) == 1 && is_all(indices[[1]])) {
    return(x)
  }
  indices <- check_count(indices, length(extent))
  check_range(indices, extent)
  warn_of_negative(indices)
  key <- lapply(indices, as_python_index, drop)
  if (length(key) == 1) {
    x$`__getitem__`(key[[1]])
  } else {
    x$`__getitem__`(reticulate::tuple(key))
  }
}

# With keras3, reticulate handles these brackets, and 1 means the second
# element. We cannot know what the reader means, so we stop.
symbolic_extract <- function(x, ...) {
  stop("`[` of a symbolic tensor does not count from 1, not even in keras3. ",
    "Use op_subset(x, ...), which counts from 1.",
    call. = FALSE
  )
}

# A tensor cannot be changed in any language. Without this method R would treat
# it as an environment.
tensor_assign <- function(x, ..., value) {
  stop("TypeError: '", class(x)[1], "' object does not support item ",
    "assignment: a tensor cannot be changed. Make a new one with op_where() ",
    "or tf$tensor_scatter_nd_update(), or use tf$Variable() and its $assign().",
    call. = FALSE
  )
}

all_dims <- function() {
  reticulate::import_builtins(convert = FALSE)$Ellipsis
}

# ---- reading what is between the brackets -----------------------------------

range_index <- function(from = NULL, to = NULL, by = NULL) {
  structure(list(from = from, to = to, by = by), class = "range_index")
}

is_range <- function(index) {
  inherits(index, "range_index")
}

is_all <- function(index) {
  is_range(index) && length(unlist(unclass(index))) == 0
}

as_index <- function(expression, frame) {
  index <- read_index(expression, frame)
  if (is_range(index)) index else check_index(index)
}

# `1:5` is read as an expression and not computed, because its ends may be NULL
# or negative.
read_index <- function(expression, frame) {
  if (is.name(expression) && !nzchar(as.character(expression))) {
    return(range_index())
  }
  parts <- colon_parts(expression)
  if (!is.null(parts)) {
    values <- lapply(parts, eval, frame)
    return(do.call(range_index, lapply(values, check_end)))
  }
  eval(expression, frame)
}

colon_parts <- function(expression) {
  if (is.call(expression) && identical(expression[[1]], quote(`:`))) {
    parts <- as.list(expression)[-1]
    return(c(if (is_colon(parts[[1]])) {
      as.list(parts[[1]])[-1]
    } else {
      parts[1]
    }, parts[2]))
  }
  # R reads `::2` in backquotes as a name.
  if (is.name(expression) && grepl(":", expression, fixed = TRUE)) {
    texts <- strsplit(paste0(expression, " "), ":", fixed = TRUE)[[1]]
    texts <- trimws(texts)
    texts[!nzchar(texts)] <- "NULL"
    return(lapply(texts, str2lang))
  }
  NULL
}

is_colon <- function(expression) {
  is.call(expression) && identical(expression[[1]], quote(`:`))
}

is_one_whole <- function(x) {
  is.numeric(x) && length(x) == 1 && is_whole(as.double(x))
}

check_end <- function(end) {
  if (is.null(end) || is_python(end)) {
    end
  } else if (length(end) == 1 && is.na(end)) {
    NULL
  } else if (is_one_whole(end)) {
    as.integer(end)
  } else {
    stop("The ends and the step of a range have to be whole numbers, but ",
      "one is ", toString(end), ".",
      call. = FALSE
    )
  }
}

check_numbers <- function(index) {
  if (!is.numeric(index) || !length(index) || !is_whole(as.double(index))) {
    stop("The index of a tensor has to be a whole number or a range of them; ",
      "found ", class(index)[1], " ", toString(utils::head(index, 5)), ".",
      call. = FALSE
    )
  }
}

check_index <- function(index) {
  if (is.null(index) || is_python(index)) {
    return(index)
  }
  if (length(dim(index)) > 1) {
    stop("A tensor cannot be indexed by a matrix or an array. Use ",
      "op_subset(x, ...), or one index for each dimension.",
      call. = FALSE
    )
  }
  check_numbers(index)
  index <- as.integer(index)
  if (length(index) == 1) {
    return(index)
  }
  steps <- diff(index)
  if (any(steps != steps[1]) || steps[1] == 0 || any(index < 0)) {
    stop("Several numbers in one index have to be positive and in even steps, ",
      "such as c(1, 3, 5); found ", toString(utils::head(index, 8)), ". For ",
      "other numbers use op_take(x, numbers, axis).",
      call. = FALSE
    )
  }
  range_index(index[1], index[length(index)], steps[1])
}

# ---- checks -----------------------------------------------------------------

is_ellipsis <- function(index) {
  inherits(index, "python.builtin.ellipsis")
}

# Returns one index for each dimension. Dimensions that are left out at the end
# are taken whole.
check_count <- function(indices, dimensions) {
  new <- vapply(indices, is.null, NA)
  rest <- vapply(indices, is_ellipsis, NA)
  given <- sum(!new & !rest)
  if (given > dimensions || sum(rest) > 1) {
    stop("Incorrect number of dimensions: this tensor has ", dimensions,
      ", and ", given, " were given",
      if (sum(rest) > 1) ", with more than one all_dims()", ".",
      call. = FALSE
    )
  }
  missing <- rep(list(range_index()), dimensions - given)
  if (any(rest)) {
    at <- which(rest)
    return(c(indices[seq_len(at - 1)], missing, indices[-seq_len(at)]))
  }
  if (length(missing)) {
    warning("Incorrect number of dimensions: this tensor has ", dimensions,
      ", and ", given, " were given. The other dimensions are taken ",
      "completely. To avoid this warning, write x[1, ] or x[1, all_dims()].",
      call. = FALSE
    )
  }
  c(indices, missing)
}

whole_parts <- function(index) {
  ends <- if (is_range(index)) unclass(index)[c("from", "to")] else list(index)
  as.integer(unlist(Filter(is.numeric, ends)))
}

check_range <- function(indices, extent) {
  indices <- Filter(Negate(is.null), indices)
  for (at in seq_along(indices)) {
    numbers <- whole_parts(indices[[at]])
    if (any(numbers == 0)) {
      stop("Tensors are indexed from 1 in R; found 0.", call. = FALSE)
    }
    beyond <- abs(numbers) > extent[at]
    if (isTRUE(any(beyond, na.rm = TRUE))) {
      stop("Index ", numbers[which(beyond)[1]], " is out of bounds: dimension ",
        at, " has ", extent[at], " elements.",
        call. = FALSE
      )
    }
  }
}

warn_of_negative <- function(indices) {
  numbers <- unlist(lapply(indices, whole_parts))
  if (any(numbers < 0) && !isTRUE(state$warned_of_negative)) {
    state$warned_of_negative <- TRUE
    warning("Negative numbers are interpreted python-style when a tensor is ",
      "indexed: -1 is the last one. This warning appears only once.",
      call. = FALSE
    )
  }
}

# ---- to Python --------------------------------------------------------------

as_python_index <- function(index, drop) {
  if (is.null(index)) {
    return(NULL)
  }
  if (is_range(index)) {
    return(as_slice(index))
  }
  if (is_python(index)) {
    return(index)
  }
  at <- if (index > 0) index - 1L else index
  if (drop) {
    at
  } else {
    py_slice(at, if (at != -1L) at + 1L, NULL)
  }
}

py_slice <- function(from, to, by) {
  reticulate::import_builtins(convert = FALSE)$slice(from, to, by)
}

# Python excludes the end of a range, R includes it. A range that goes down gets
# the step -1.
as_slice <- function(index) {
  ends <- Filter(is.numeric, unclass(index)[c("from", "to")])
  if (length(ends) == 2 && is.null(index$by) && ends$from > ends$to &&
        sign(ends$from) == sign(ends$to)) {
    index$by <- -1L
  }
  from <- index$from
  if (is.numeric(from) && from > 0) {
    from <- from - 1L
  }
  down <- is.numeric(index$by) && index$by < 0
  py_slice(from, beyond_last(index$to, down), index$by)
}

# The position at which Python stops: one after the last element, or one before
# it if the range goes down. NULL if that is beyond the end of the tensor.
beyond_last <- function(to, down) {
  if (!is.numeric(to)) {
    return(to)
  }
  after <- (if (to > 0) to - 1L else to) + (if (down) -1L else 1L)
  if (to < 0 && after == 0L || down && after == -1L) NULL else after
}

# ---- op_subset() ------------------------------------------------------------

# This function of keras3 accepts more than `[`: positions in any order, TRUE
# and FALSE, tensors of positions (also counted from one) or of TRUE and FALSE,
# a matrix with one row for each element, and fewer indices than dimensions.
op_subset <- function(x, ...) {
  expressions <- unname(eval(substitute(alist(...))))
  indices <- lapply(expressions, read_index, parent.frame())
  if (!is_symbolic(x)) {
    x <- keras_module()$ops$convert_to_tensor(as_one_array(x))
  }
  key <- whole_key(x, indices)
  if (is.null(key)) {
    key <- reticulate::tuple(side_by_side(lapply(indices, as_subset)))
  }
  # TensorFlow's usual Python `[` does not accept vectors of positions.
  as_numpy_does <- "_numpy_style_getitem"
  method <- if (reticulate::py_has_attr(x, as_numpy_does)) {
    as_numpy_does
  } else {
    "__getitem__"
  }
  as_r(reticulate::py_get_attr(x, method))(key)
}

# Handles a single index for all dimensions: TRUE or FALSE for each element, or
# a column of positions for each dimension. Returns NULL for other indices.
whole_key <- function(x, indices) {
  if (length(indices) != 1) {
    return(NULL)
  }
  index <- from_numpy(indices[[1]])
  if (is.logical(index) && !anyNA(index)) {
    return(as.array(index))
  }
  if (is_python(index) && is_tensor(index) && type_name(index) == "bool") {
    return(index)
  }
  extent <- unclass(if (is_python(index)) try_shape(index) else dim(index))
  if (length(extent) != 2 || !identical(extent[[2]], length(op_shape(x)))) {
    return(NULL)
  }
  if (!is_python(index)) check_numbers(index)
  positions <- as_position(index, strict = TRUE)
  columns <- keras_module()$ops$unstack(positions, axis = 1L)
  reticulate::tuple(columns)
}

from_numpy <- function(x) {
  if (inherits(x, "numpy.ndarray")) as_r(x) else x
}

is_tensor <- function(x) {
  keras_module()$ops$is_tensor(x)
}

try_shape <- function(x) {
  if (is_tensor(x)) op_shape(x)
}

# Converts the index of one dimension to a slice, a number, or a vector of
# positions that count from zero.
as_subset <- function(index) {
  index <- from_numpy(index)
  if (is.null(index)) {
    return(NULL)
  }
  if (is_range(index)) {
    check_range(list(index), NA)
    if (is_python(index$from)) index$from <- as_position(index$from)
    return(as_slice(index))
  }
  if (is_python(index)) {
    return(python_subset(index))
  }
  if (is.logical(index) && !anyNA(index) && length(dim(index)) < 2) {
    index <- which(index)
    # If no element is TRUE, this is a vector of length 0.
    return(array(as.integer(index - 1L), length(index)))
  }
  check_numbers(index)
  as_position(index, strict = TRUE)
}

# all_dims() and Python's slices stay as they are.
python_subset <- function(index) {
  if (!is_tensor(index)) {
    index
  } else if (type_name(index) == "bool") {
    as_r(keras_module()$ops$nonzero(index))[[1]]
  } else {
    as_position(index, strict = TRUE)
  }
}

# Several vectors of positions select rows and columns, as in R. In Python they
# would select pairs, so we give each vector its own dimension.
side_by_side <- function(key) {
  is_vector <- vapply(key, function(index) {
    is.array(index) ||
      is_python(index) && is_tensor(index) && length(op_shape(index)) > 0
  }, NA)
  several <- sum(is_vector)
  if (several > 1) {
    key[is_vector] <- Map(
      function(index, at) {
        extent <- replace(rep(1L, several), at, -1L)
        keras_module()$ops$reshape(index, as.list(extent))
      },
      key[is_vector], seq_len(several)
    )
  }
  key
}
