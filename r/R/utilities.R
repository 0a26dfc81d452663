# Small utility functions of keras3.

set_random_seed <- function(seed) {
  seed <- as.integer(seed)
  set.seed(seed)
  keras_module()$utils$set_random_seed(seed)
  invisible(NULL)
}

to_categorical <- function(x, num_classes = NULL) {
  warn_of_missing(x, "x")
  if (is.factor(x)) {
    x <- array(as.integer(x) - 1L, if (is.null(dim(x))) length(x) else dim(x))
  }
  x <- if (is.double(x)) as_array(as_codes(x)) else as_one_array(x)
  keras_module()$utils$to_categorical(x, as_whole(num_classes))
}

# reticulate's function of this name sends the array to NumPy and back. This
# makes three copies, and R keeps them long, because it does not know of them.
# R's own aperm() can reverse the order of an array's elements.
array_reshape <- function(x, dim, order = c("C", "F")) {
  order <- match.arg(order)
  if (is_python(x)) {
    return(reticulate::array_reshape(x, dim, order))
  }
  from <- if (is.null(base::dim(x))) length(x) else base::dim(x)
  to <- as.integer(unlist(dim))
  if (sum(to == -1L) == 1) {
    to[to == -1L] <- as.integer(length(x) / prod(to[to != -1L]))
  }
  if (prod(to) != length(x)) {
    stop("An array of ", paste(from, collapse = " x "), " (", length(x),
      " values) cannot be reshaped to ", paste(unlist(dim), collapse = " x "),
      ". Choose dimensions whose product is ", length(x), ".",
      call. = FALSE
    )
  }
  if (order == "F") {
    return(array(x, to))
  }
  # Reading rows first is the same as reversing the dimensions and reading as R
  # does. If the first dimension (the samples) does not change, it can stay
  # where it is, which saves a copy.
  fixed <- if (length(from) > 1 && length(to) > 1 && from[1] == to[1]) 1L
  turned <- function(n) c(fixed, rev(seq_len(n)[seq_len(n) > length(fixed)]))
  if (length(from) > 1) {
    x <- aperm(x, turned(length(from)))
  }
  base::dim(x) <- to[turned(length(to))]
  if (length(to) - length(fixed) > 1) aperm(x, turned(length(to))) else x
}

named_list <- function(...) {
  values <- listed(...)
  given <- names_or_blank(values)
  written <- as.list(substitute(alist(...)))[seq_along(values) + 1]
  written <- vapply(written, deparse1, "")
  stats::setNames(values, ifelse(nzchar(given), given, written))
}

reset_state <- function(object) {
  object$reset_state()
  invisible(object)
}

# Layers that prepare data, such as layer_text_vectorization() or
# layer_normalization(), first learn from the data.
adapt <- function(object, data, ..., batch_size = NULL, steps = NULL) {
  options <- given_arguments(but = c("object", "data"))
  do.call(object$adapt, c(list(as_numpy(data)), as_whole(options)))
  invisible(object)
}

get_vocabulary <- function(object, include_special_tokens = TRUE) {
  object$get_vocabulary(include_special_tokens = include_special_tokens)
}

set_vocabulary <- function(object, vocabulary, idf_weights = NULL, ...) {
  do.call(object$set_vocabulary, given_arguments(but = "object"))
  invisible(object)
}

# Each application needs its pictures in another form. As in keras3, an
# attribute of the model holds the application.
application_preprocess_inputs <- function(model, x, ..., data_format = NULL) {
  path <- attr(model, "application")
  if (is.null(path)) {
    stop("This model does not come directly from a function ",
      "application_...(), so the way to prepare its inputs is not known. ",
      "Give the model that such a function returns.",
      call. = FALSE
    )
  }
  home <- import("inspect", convert = FALSE)$getmodule(python_object(path))
  prepare <- function(x, ...) {
    x <- as_pixels(x, float_type())
    home$preprocess_input(x, data_format = data_format, ...)
  }
  if (missing(x)) prepare else prepare(x, ...)
}

imagenet_preprocess_input <- function(x, data_format = NULL, mode = "caffe") {
  utils <- import("keras.applications.imagenet_utils", convert = FALSE)
  utils$preprocess_input(as_pixels(x), data_format = data_format, mode = mode)
}

# Keras changes the array in place, but R's arrays are read-only in Python. So
# we pass a copy.
as_pixels <- function(x, type = NULL) {
  if (is_python(x) && !inherits(x, "numpy.ndarray")) {
    return(x)
  }
  if (!is.double(x)) type <- NULL
  import("numpy", convert = FALSE)$array(x, type, order = "C")
}
