# Methods that make tensors behave like R's arrays, as the R package tensorflow
# does.
#
# They are registered when the companion's dialect is attached
# (`register_tensor_methods()`), for the class that all tensors and variables of
# TensorFlow have. If the package tensorflow is loaded, its own methods are
# used, because it puts its class, "tensorflow.tensor", first.

# R defines `.Generic` in each method of a group.
utils::globalVariables(".Generic")

tensor_class <- "tensorflow.python.types.core.Tensor"
symbolic_class <- "keras.src.backend.common.keras_tensor.KerasTensor"

tensorflow_module <- function() {
  if (is.null(state$tensorflow)) {
    state$tensorflow <- import("tensorflow")
  }
  state$tensorflow
}

# A function of TensorFlow ("math$tanh" is in tf$math) or, for Keras's symbolic
# tensors, of keras.ops. Each is looked up only once.
tensor_function <- function(name, symbolic = FALSE) {
  key <- paste(if (symbolic) "keras.ops" else "tensorflow", name)
  known <- state$objects[[key]]
  if (is.null(known)) {
    known <- if (symbolic) keras_module()$ops else tensorflow_module()
    for (part in strsplit(name, "$", fixed = TRUE)[[1]]) {
      known <- known[[part]]
    }
    state$objects[[key]] <- known
  }
  known
}

is_python <- function(x) {
  inherits(x, "python.builtin.object")
}

is_symbolic <- function(x) {
  inherits(x, symbolic_class)
}

# Converts an object that came from a module imported with convert = FALSE.
as_r <- function(x) {
  if (is_python(x)) reticulate::py_to_r(x) else x
}

# The sizes of a shape as numbers, with NA for any size.
known_sizes <- function(shape) {
  vapply(
    as.list(shape),
    function(n) if (is.null(n)) NA_integer_ else as.integer(n), 1L
  )
}

# ---- what a tensor is -------------------------------------------------------

tensor_dim <- function(x) {
  shape <- x$shape
  if (is.null(as_r(shape$rank))) {
    return(NULL)
  }
  known_sizes(as_r(shape$as_list()))
}

tensor_length <- function(x) {
  count <- as_r(x$shape$num_elements())
  if (is.null(count)) NA_integer_ else as.integer(count)
}

# Python prints a shape of one number as (3,).
without_comma <- function(text) {
  gsub("shape=\\((None|[0-9]+),\\), dtype=", "shape=(\\1), dtype=", text)
}

tensor_print <- function(x, ...) {
  writeLines(without_comma(reticulate::py_str(x)))
  invisible(x)
}

tensor_str <- function(object, ...) {
  shown <- strsplit(reticulate::py_repr(object), "\n", fixed = TRUE)[[1]]
  more <- if (length(shown) > 1) "\u2026>"
  writeLines(paste0(without_comma(shown[1]), more))
}

# ---- from a tensor to R -----------------------------------------------------

# TensorFlow stores text as bytes.
is_text <- function(x) {
  identical(type_name(x), "string")
}

tensor_as_array <- function(x, ...) {
  if (inherits(x, tensor_class) && is_text(x)) {
    extent <- if (length(dim(x))) dim(x) else 1L
    return(array(tensor_as_character(x), extent))
  }
  as.array(as_r(x$numpy()))
}

tensor_as_character <- function(x, ...) {
  values <- as_r(x$numpy())
  if (is.list(values) || is_python(values)) {
    as_text <- function(value) value$decode("utf-8")
    vapply(as_plain_list(values), as_text, "", USE.NAMES = FALSE)
  } else {
    as.character(values)
  }
}

through_array <- function(convert) {
  force(convert)
  function(x, ...) convert(as.array(x))
}

tensor_as_vector <- function(x, mode = "any") {
  as.vector(as.array(x), mode)
}

# Brightest is the largest number of the type for whole numbers, else 1.
tensor_as_raster <- function(x, max = NULL, ...) {
  if (is.null(max)) {
    max <- if (as_r(x$dtype$is_integer)) as_r(x$dtype$max) else 1
  }
  grDevices::as.raster(as.array(x), max = max, ...)
}

# ---- arithmetic -------------------------------------------------------------

# For each operator of R: TensorFlow's function, and Keras's if its name is
# another one.
tensor_operators <- list(
  `+` = "add",
  `-` = "subtract",
  `*` = "multiply",
  `/` = c("truediv", "true_divide"),
  `%/%` = c("math$floordiv", "floor_divide"),
  `%%` = c("math$mod", "mod"),
  `^` = c("pow", "power"),
  `==` = "equal",
  `!=` = "not_equal",
  `<` = "less",
  `<=` = "less_equal",
  `>` = "greater",
  `>=` = "greater_equal",
  `&` = "logical_and",
  `|` = "logical_or"
)

tensor_ops <- function(e1, e2) {
  if (missing(e2)) {
    return(tensor_unary(.Generic, e1))
  }
  symbolic <- is_symbolic(e1) || is_symbolic(e2)
  e1 <- as_operand(e1, e2)
  e2 <- as_operand(e2, e1)
  if (.Generic %in% c("&", "|")) {
    e1 <- as_truth(e1, symbolic)
    e2 <- as_truth(e2, symbolic)
  }
  named <- tensor_operators[[.Generic]]
  tensor_function(if (symbolic) named[length(named)] else named[1], symbolic)(
    e1, e2
  )
}

tensor_unary <- function(generic, x) {
  symbolic <- is_symbolic(x)
  switch(generic,
    `+` = x,
    `-` = tensor_function("negative", symbolic)(x),
    `!` = tensor_function("logical_not", symbolic)(as_truth(x, symbolic))
  )
}

as_truth <- function(x, symbolic) {
  tensor_function("cast", symbolic)(x, "bool")
}

# An R value gets the type of the tensor that it is combined with, so `x + 1`
# has the type of x. (The package tensorflow turns 0.5 into 0 if the tensor has
# whole numbers.)
as_operand <- function(x, other) {
  if (is_python(x) || is.null(x) || !is_python(other)) {
    return(x)
  }
  type <- type_name(other)
  if (is_symbolic(other) && is.double(x) && !grepl("float", type)) {
    # As in Keras: whole numbers combined with a fraction become fractions.
    return(as_vector_data(x))
  }
  x <- as_one_array(as_stored(x, type))
  if (!is_symbolic(other)) {
    tensorflow_module()$convert_to_tensor(x, dtype = other$dtype)
  } else if (length(x) > 1) {
    reticulate::np_array(x, type)
  } else {
    x
  }
}

# Stores R's numbers as integers or doubles, whichever suits the tensor's type.
as_stored <- function(x, type) {
  whole <- grepl("^u?int", type)
  if (whole && is.double(x)) {
    if (!is_whole(x)) {
      stop("The tensor's type is ", type, ", but ",
        toString(utils::head(as.vector(x), 3)), " is not a whole number ",
        "up to ", .Machine$integer.max, ". Convert the tensor first: ",
        "op_cast(x, \"float32\").",
        call. = FALSE
      )
    }
    storage.mode(x) <- "integer"
  } else if (is.logical(x) && type != "bool") {
    storage.mode(x) <- if (whole) "integer" else "double"
  }
  x
}

# The type is an object with a name in TensorFlow, and a string in Keras.
type_name <- function(x) {
  type <- as_r(x$dtype)
  if (is.character(type)) type else as_r(type$name)
}

tensor_matmul <- function(x, y) {
  x <- as_operand(x, y)
  y <- as_operand(y, x)
  tensor_function("matmul", symbolic = TRUE)(x, y)
}

# Before R 4.3, `%*%` has no S3 methods. There the dialect masks it by this
# function, which calls R's own `%*%` for everything but tensors.
matmul_before_r_4_3 <- function(x, y) {
  if (is_python(x) || is_python(y)) {
    tensor_matmul(x, y)
  } else {
    base::`%*%`(x, y)
  }
}

# ---- mathematics ------------------------------------------------------------

# Functions that need more than TensorFlow's function of the same name. NULL
# means that TensorFlow has no such function.
tensor_mathematics <- list(
  ceiling = function(x) tensor_function("math$ceil")(x),
  cospi = function(x) tensor_function("cos")(times_pi(x)),
  cummax = NULL,
  cummin = NULL,
  gamma = NULL,
  log = function(x, base = exp(1)) tensor_log(x, base),
  log10 = function(x) tensor_log(x, 10),
  log2 = function(x) tensor_log(x, 2),
  round = function(x, digits = 0) tensor_round(x, digits),
  signif = NULL,
  sinpi = function(x) tensor_function("sin")(times_pi(x)),
  tanpi = function(x) tensor_function("tan")(times_pi(x)),
  trigamma = NULL,
  trunc = NULL
)

tensor_math <- function(x, ...) {
  if (!.Generic %in% names(tensor_mathematics)) {
    return(tensor_function(paste0("math$", .Generic))(x))
  }
  f <- tensor_mathematics[[.Generic]]
  if (is.null(f)) {
    stop("TensorFlow has no function like R's ", .Generic, "(). Convert the ",
      "tensor to an array first: ", .Generic, "(as.array(x)).",
      call. = FALSE
    )
  }
  f(x, ...)
}

times_pi <- function(x) {
  tf <- tensorflow_module()
  tf$multiply(x, tf$constant(pi, x$dtype))
}

tensor_round <- function(x, digits) {
  if (digits != 0) {
    stop("TensorFlow's round only supports rounding to integers; found ",
      "digits = ", digits, ". Convert the tensor to an array first: ",
      "round(as.array(x), ", digits, ").",
      call. = FALSE
    )
  }
  tensor_function("round")(x)
}

tensor_log <- function(x, base) {
  tf <- tensorflow_module()
  if (identical(base, exp(1))) {
    return(tf$math$log(x))
  }
  tf$truediv(tf$math$log(x), tf$math$log(as_operand(base, x)))
}

tensor_test <- function(name) {
  force(name)
  function(x) tensor_function(paste0("math$", name))(x)
}

# ---- sums and other reductions ----------------------------------------------

tensor_reduce <- function(generic, x, axis, keepdims) {
  tensor_function(paste0("reduce_", generic))(
    x,
    axis = as_axis(axis), keepdims = keepdims
  )
}

warn_of_na <- function(na_rm) {
  if (!isFALSE(na_rm)) {
    warning("Tensors have no NA, so na.rm is ignored.", call. = FALSE)
  }
}

tensor_summary <- function(x, ..., axis = NULL, keepdims = FALSE,
                           na.rm = FALSE) { # nolint: object_name_linter.
  warn_of_na(na.rm)
  others <- list(...)
  if (length(others) && !(is.null(axis) && isFALSE(keepdims))) {
    stop("axis and keepdims need a single tensor, but there are ",
      length(others) + 1, ". Call the function for one tensor at a time.",
      call. = FALSE
    )
  }
  reduce <- function(generic) {
    if (length(others)) {
      one_by_one <- lapply(c(list(x), others), get(generic))
      x <- tensorflow_module()$stack(one_by_one)
    }
    tensor_reduce(generic, x, axis, keepdims)
  }
  if (.Generic == "range") {
    tensorflow_module()$stack(list(reduce("min"), reduce("max")))
  } else {
    reduce(.Generic)
  }
}

tensor_mean <- function(x, ..., axis = NULL, keepdims = FALSE,
                        na.rm = FALSE) { # nolint: object_name_linter.
  warn_of_na(na.rm)
  if (...length()) {
    stop("mean() of a tensor has only the arguments axis and keepdims; found ",
      toString(ifelse(
        nzchar(names_or_blank(list(...))), names(list(...)),
        "an argument without a name"
      )), ".",
      call. = FALSE
    )
  }
  tensor_reduce("mean", x, axis, keepdims)
}

# ---- shape ------------------------------------------------------------------

# As in keras3, for any number of dimensions.
tensor_t <- function(x) {
  tensorflow_module()$transpose(x)
}

tensor_aperm <- function(a, perm = NULL, ...) {
  tensorflow_module()$transpose(
    a, if (!is.null(perm)) as.integer(perm) - 1L
  )
}

# rbind() and cbind() of tensors and R's values. As in R, a vector is a row for
# rbind() and a column for cbind().
tensor_bind <- function(axis) {
  function(..., deparse.level = 0) { # nolint: object_name_linter.
    tf <- tensorflow_module()
    parts <- list(...)
    tensor <- Find(is_python, parts)
    parts <- lapply(unname(parts), as_operand, other = tensor)
    parts <- lapply(parts, function(part) {
      if (length(dim(part)) < 2) tf$expand_dims(part, axis) else part
    })
    tf$concat(parts, axis = axis)
  }
}

# ---- registration -----------------------------------------------------------

register_tensor_methods <- function() {
  base <- list(
    Ops = tensor_ops, Math = tensor_math, Summary = tensor_summary,
    `[` = tensor_extract, `[<-` = tensor_assign,
    aperm = tensor_aperm, as.array = tensor_as_array,
    as.character = tensor_as_character, as.double = through_array(as.double),
    as.integer = through_array(as.integer),
    as.logical = through_array(as.logical),
    as.matrix = through_array(as.matrix),
    as.vector = tensor_as_vector,
    cbind = tensor_bind(1L), dim = tensor_dim,
    is.finite = tensor_test("is_finite"), is.infinite = tensor_test("is_inf"),
    is.nan = tensor_test("is_nan"), length = tensor_length,
    mean = tensor_mean, print = tensor_print, rbind = tensor_bind(0L),
    t = tensor_t
  )
  if (getRversion() >= "4.3.0") {
    base$`%*%` <- tensor_matmul
    registerS3method("%*%", symbolic_class, tensor_matmul, baseenv())
  }
  for (generic in names(base)) {
    registerS3method(generic, tensor_class, base[[generic]], baseenv())
  }
  registerS3method("str", tensor_class, tensor_str, asNamespace("utils"))
  registerS3method(
    "as.raster", tensor_class, tensor_as_raster, asNamespace("grDevices")
  )
  registerS3method("Ops", symbolic_class, tensor_ops, baseenv())
  registerS3method("[", symbolic_class, symbolic_extract, baseenv())
  # R asks for the length in many places; a symbolic tensor's is not known.
  registerS3method(
    "length", symbolic_class, function(x) NA_integer_, baseenv()
  )
  # Keras's variables on backends other than TensorFlow.
  variable <- "keras.src.backend.common.variables.Variable"
  for (generic in c("as.array", "as.double", "as.integer")) {
    registerS3method(generic, variable, base[[generic]], baseenv())
  }
}
