# op_*() and random_*(): the functions of keras.ops and keras.random, for
# tensors, variables and R's arrays. Most are made from Keras's signatures when
# they are first used. Those that differ in keras3 are written in this file.

generated_operation <- function(name) {
  row <- describer()$describe_tensor_function(name)
  header <- str2lang(sprintf("function(%s) NULL", row$formals))
  # An unevaluated call of `function`, as in generated_functions().
  generated_function(row, header)
}

# These functions are promises on the search path. Making all of them at once
# would take longer than the rest of library(sidebyside).
promise_operations <- function(names, place) {
  lapply(names, function(name) {
    force(name)
    delayedAssign(name, generated_operation(name), assign.env = place)
  })
}

run_operation <- function(row, given) {
  from_zero <- isTRUE(given$zero_indexed)
  given$zero_indexed <- NULL
  if (from_zero && row$positions %in% names(row$kinds)) {
    codes <- row$name == "op_one_hot"
    row$kinds[row$positions] <- if (codes) "integer" else "positions"
  }
  result <- make_object(row, given)
  if (row$positions == "result" && !from_zero) {
    keras_module()$ops$add(result, 1L)
  } else {
    result
  }
}

# ---- making tensors ---------------------------------------------------------

op_convert_to_tensor <- function(x, dtype = NULL, sparse = NULL,
                                 ragged = NULL) {
  if (is.character(dtype) && grepl("int", dtype, fixed = TRUE)) {
    x <- as_integers(x)
  }
  keras_module()$ops$convert_to_tensor(as_one_array(x), dtype, sparse)
}

op_convert_to_numpy <- function(x) {
  import("keras.ops", convert = FALSE)$convert_to_numpy(x)
}

op_convert_to_array <- function(x) {
  keras_module()$ops$convert_to_numpy(x)
}

as_tensor <- function(x, dtype = NULL, ..., name = NULL, shape = NULL) {
  tf <- tensorflow_module()
  if (is.character(dtype) && grepl("int", dtype, fixed = TRUE)) {
    if (anyNA(if (is.numeric(x)) x)) {
      stop("x contains NA, which a tensor of whole numbers cannot hold. ",
        "Remove or replace it, or choose a float type.",
        call. = FALSE
      )
    }
    x <- as_integers(x)
  }
  # A single double gets the same type as a vector of doubles.
  x <- tf$convert_to_tensor(
    as_one_array(x),
    dtype = if (is.double(x)) "float64"
  )
  if (!is.null(dtype)) {
    x <- cast(x, tf$as_dtype(dtype))
  }
  if (!is.null(shape)) {
    shape <- as_full_shape(shape)
    whole <- !any(vapply(shape, identical, NA, -1L))
    x <- if (length(dim(x)) == 0 && whole) {
      tf$fill(shape, x)
    } else {
      tf$reshape(x, shape)
    }
  }
  x
}

# A number that is too large or too small for the type becomes the type's
# largest or smallest number.
cast <- function(x, type) {
  is_number <- function(type) type$is_floating || type$is_integer
  if (is_number(x$dtype) && is_number(type)) {
    tensorflow_module()$saturate_cast(x, type)
  } else {
    tensorflow_module()$cast(x, type)
  }
}

# Replaces NA in a shape by -1, which means the size that is left over.
as_full_shape <- function(sizes) {
  lapply(unclass(shape(sizes)), function(n) if (is.null(n)) -1L else n)
}

# The numbers from `start` to `end`, with both ends, as in R.
op_arange <- function(start, end, step = 1L, dtype = NULL,
                      include_end = TRUE) {
  if (missing(end)) {
    end <- start
    start <- if (is.double(end)) 1 else 1L
  }
  if (is.character(dtype) && grepl("int", dtype, fixed = TRUE)) {
    start <- as_integers(start)
    end <- as_integers(end)
    step <- as_integers(step)
  }
  if (include_end) {
    end <- end + step
  }
  keras_module()$ops$arange(start, end, step, dtype = dtype)
}

keras_variable <- function(initializer, shape = NULL, dtype = NULL,
                           trainable = TRUE, autocast = TRUE,
                           aggregation = "none", synchronization = "auto",
                           name = NULL, ...) {
  given <- check_all_named(given_arguments(), "keras_variable")
  given$shape <- as_shape(given$shape)
  given$initializer <- as_vector_data(as_keras(given$initializer))
  do.call(keras_module()$Variable, given)
}

# ---- shape ------------------------------------------------------------------

shape <- function(...) {
  as_keras_shape(sizes_of(listed(...)))
}

as_keras_shape <- function(sizes) {
  structure(as.list(sizes), class = "keras_shape")
}

# A list of sizes, with NULL for any size. `x` is a size, a tensor or an array
# (then its shape is taken), or a list of these. A whole number in a tensor is
# also a size: in a traced function the batch size is known only as a tensor.
sizes_of <- function(x) {
  if (inherits(x, "tensorflow.python.framework.tensor_shape.TensorShape")) {
    as.list(as_r(x$as_list()))
  } else if (is_python(x)) {
    sizes <- unclass(op_shape(x))
    is_size <- !length(sizes) && grepl("int", type_name(x), fixed = TRUE)
    if (is_size) list(x) else sizes
  } else if (is.array(x)) {
    as.list(dim(x))
  } else if (is.null(x)) {
    list(NULL)
  } else if (is.list(x) || length(x) != 1) {
    do.call(c, c(list(list()), lapply(unname(as.list(x)), sizes_of)))
  } else {
    size <- as.integer(x)
    list(if (!is.na(size) && size != -1L) size)
  }
}

op_shape <- function(x) {
  sizes <- keras_module()$ops$shape(as_one_array(x))
  if (is_python(sizes)) {
    sizes <- as_r(sizes$as_list())
  }
  as_keras_shape(sizes)
}

format_shape <- function(x, ..., prefix = TRUE) {
  sizes <- vapply(
    unclass(x), function(n) if (is.null(n)) "NA" else format(n), ""
  )
  before <- if (isTRUE(prefix)) "shape" else if (is.character(prefix)) prefix
  paste0(before, "(", paste(sizes, collapse = ", "), ")")
}

print_shape <- function(x, ...) {
  writeLines(format_shape(x, ...))
  invisible(x)
}

extract_shape <- function(x, ...) {
  as_keras_shape(unclass(x)[...])
}

shape_as_integer <- function(x, ...) {
  known_sizes(unclass(x))
}

shape_as_list <- function(x, ...) {
  unclass(x)
}

shape_summary <- function(..., na.rm = FALSE) { # nolint: object_name_linter.
  do.call(.Generic, list(known_sizes(sizes_of(listed(...))), na.rm = na.rm))
}

same_shape <- function(e1, e2) {
  same <- identical(unclass(shape(e1)), unclass(shape(e2)))
  switch(.Generic,
    `==` = same,
    `!=` = !same,
    stop("Shapes cannot be used with ", .Generic, ", only with == and !=.",
      call. = FALSE
    )
  )
}

op_reshape <- function(x, newshape) {
  keras_module()$ops$reshape(
    as_numpy(x), reticulate::tuple(as_full_shape(newshape))
  )
}

# ---- functions of several tensors -------------------------------------------

op_matmul <- function(x1, x2) {
  tensor_matmul(as_vector_data(x1), as_vector_data(x2))
}

op_einsum <- function(subscripts, ...) {
  keras_module()$ops$einsum(subscripts, ...)
}

op_hstack <- function(xs, ...) {
  stacked("hstack", xs, ...)
}

op_vstack <- function(xs, ...) {
  stacked("vstack", xs, ...)
}

stacked <- function(name, xs, ...) {
  parts <- unname(c(as_plain_list(xs), listed(...)))
  keras_module()$ops[[name]](lapply(parts, as_array))
}

op_map <- function(xs, f) {
  keras_module()$ops$map(f, xs)
}

# ---- positions --------------------------------------------------------------

# Returns a row for each position; positions count from one.
op_nonzero <- function(x) {
  ops <- keras_module()$ops
  found <- lapply(as_r(ops$nonzero(x)), ops$add, 1L)
  ops$stack(found, axis = -1L)
}

op_top_k <- function(x, k, sorted = TRUE, zero_indexed = FALSE) {
  ops <- keras_module()$ops
  found <- ops$top_k(as_one_array(x), as.integer(k), sorted)
  if (!zero_indexed) {
    found$indices <- ops$add(found$indices, 1L)
  }
  found
}

# ---- lists ------------------------------------------------------------------

# Turns list(a = 1, b = 2) and list(a = 3, b = 4) into list(a = list(1, 3),
# b = list(2, 4)). Elements are matched by name, or by position if they have no
# names.
zip_lists <- function(...) {
  lists <- listed(...)
  if (length(lists) == 1) {
    lists <- lists[[1]]
  }
  names <- names(lists[[1]])
  lists <- lapply(lists, function(x) {
    if (identical(names(x), names)) {
      x
    } else if (!is.null(names) && setequal(names(x), names)) {
      x[names]
    } else {
      stop("The lists of zip_lists() must have the same names, but one has ",
        toString(names), " and another one has ", toString(names(x)), ". To ",
        "match them by position, remove the names with unname().",
        call. = FALSE
      )
    }
  })
  stats::setNames(.mapply(list, lists, NULL), names)
}

# ---- registration -----------------------------------------------------------

# Results of Python with named parts. In R they become lists.
named_results <- list(
  tensorflow.python.ops.gen_linalg_ops.Qr = c("q", "r"),
  tensorflow.python.ops.gen_nn_ops.TopKV2 = c("values", "indices")
)

register_shape_methods <- function() {
  Map(
    function(class, parts) {
      registerS3method(
        "py_to_r", class,
        function(x) stats::setNames(describer()$as_list(x), parts),
        asNamespace("reticulate")
      )
    },
    names(named_results), named_results
  )
  methods <- list(
    `[` = extract_shape, Ops = same_shape, Summary = shape_summary,
    as.integer = shape_as_integer, as.list = shape_as_list,
    format = format_shape, print = print_shape
  )
  for (generic in names(methods)) {
    registerS3method(generic, "keras_shape", methods[[generic]], baseenv())
  }
  registerS3method(
    "r_to_py", "keras_shape",
    function(x, convert = FALSE) {
      reticulate::tuple(unclass(x), convert = convert)
    },
    asNamespace("reticulate")
  )
}
