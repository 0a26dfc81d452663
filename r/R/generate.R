# Functions made from Keras's own classes and signatures.
#
# inst/python/sidebyside_dialect.py describes the functions of the installed
# Keras: R name, R arguments, the Python object, and how to translate each
# argument. Each row becomes an R function here.

describer <- function(convert = TRUE) {
  name <- if (convert) "describer" else "describer_unconverted"
  if (is.null(state[[name]])) {
    path <- system.file("python", package = "sidebyside")
    state[[name]] <- reticulate::import_from_path(
      "sidebyside_dialect",
      path = path, convert = convert
    )
  }
  state[[name]]
}

generated_functions <- function() {
  rows <- describer()$describe()
  headers <- vapply(rows, `[[`, "", "formals")
  # Parse all of them at once: four hundred single calls take a second.
  parsed <- parse(
    text = sprintf("function(%s) NULL", headers),
    keep.source = FALSE
  )
  functions <- Map(generated_function, rows, parsed)
  names(functions) <- vapply(rows, `[[`, "", "name")
  functions
}

bodies <- list(
  call = quote(make_object(.dialect_row, given_arguments())),
  application = quote({
    model <- make_object(.dialect_row, given_arguments())
    attr(model, "application") <- .dialect_row$path
    model
  }),
  layer = quote({
    # Evaluate `object` first, so that a pipe makes its layers from left to
    # right.
    if (!missing(object)) force(object)
    layer <- make_object(.dialect_row, given_arguments(but = "object"))
    compose(if (missing(object)) NULL else object, layer)
  }),
  merge = quote({
    # Arguments without a name are the tensors to merge; arguments with a name
    # describe the layer.
    given <- given_arguments(but = "inputs")
    is_tensor <- !nzchar(names_or_blank(given))
    tensors <- c(if (!missing(inputs)) as_plain_list(inputs), given[is_tensor])
    layer <- make_object(.dialect_row, given[!is_tensor])
    if (length(tensors)) layer(unname(tensors)) else layer
  }),
  attention = quote({
    if (!missing(inputs)) force(inputs)
    layer <- make_object(.dialect_row, given_arguments(but = "inputs"))
    if (missing(inputs) || is.null(inputs)) {
      layer
    } else {
      do.call(layer, as_plain_list(inputs))
    }
  }),
  measure = quote(measure(.dialect_row, given_arguments())),
  operation = quote(run_operation(.dialect_row, given_arguments())),
  dataset = quote({
    load_dataset(.dialect_row, given_arguments(but = "convert"), convert)
  })
)

generated_function <- function(row, header) {
  row$kinds <- stats::setNames(as.character(row$kinds), row$r_names)
  row$py_names <- stats::setNames(as.character(row$py_names), row$r_names)
  enclosure <- new.env(parent = topenv())
  enclosure$.dialect_row <- row
  made <- eval(header, enclosure)
  body(made) <- bodies[[row$style]]
  made
}

names_or_blank <- function(x) {
  if (is.null(names(x))) rep("", length(x)) else names(x)
}

as_plain_list <- function(x) {
  if (is.list(x) && !is.object(x)) x else list(x)
}

python_object <- function(path) {
  known <- state$objects[[path]]
  if (is.null(known)) {
    parts <- strsplit(path, ".", fixed = TRUE)[[1]]
    known <- import(paste(parts[-length(parts)], collapse = "."))
    known <- known[[parts[length(parts)]]]
    state$objects[[path]] <- known
  }
  known
}

translate_arguments <- function(row, given) {
  check_all_named(given, row$name)
  # In other shapes NA means any size; in this one, the size that is left over.
  if (!is.null(given$target_shape) && !is_python(given$target_shape)) {
    given$target_shape <- as_full_shape(given$target_shape)
  }
  kinds <- row$kinds[names(given)]
  # An argument from `...` is not in the signature, so we judge it by its name.
  unknown <- is.na(kinds)
  kinds[unknown] <- "number"
  kinds[unknown & grepl("(^|_)shape$", names(given))] <- "shape"
  counted <- "^on_(.*_)?(epoch|batch)_(begin|end)$"
  kinds[unknown & grepl(counted, names(given))] <- "counted"
  doubtful <- kinds == "number" & vapply(given, has_whole, NA)
  kinds[doubtful] <- number_kinds(row, names(given)[doubtful])
  is_data <- kinds %in% c("array", "data", "index", "positions", "codes")
  Map(warn_of_missing, given[is_data], names(given)[is_data], kinds[is_data])
  translated <- Map(as_argument, given, kinds)
  python <- row$py_names[names(given)]
  names(translated) <- ifelse(unknown, names(given), python)
  translated
}

# R writes 2 for both 2 and 2.0 of Python. Keras's docstrings and signatures
# tell which one an argument needs.
number_kinds <- function(row, r_names) {
  if (!length(r_names)) {
    return(character())
  }
  py_names <- row$py_names[r_names]
  py_names[is.na(py_names)] <- r_names[is.na(py_names)]
  whole <- describer()$whole_arguments(
    row$path, do.call(reticulate::tuple, as.list(unname(py_names)))
  )
  ifelse(py_names %in% whole, "whole", "number")
}

make_object <- function(row, given) {
  do.call(python_object(row$path), translate_arguments(row, given))
}

# Adds a layer to a sequential model, which changes in place, or calls the layer
# with a tensor.
compose <- function(object, layer, ...) {
  if (is.null(object)) {
    layer
  } else if (inherits(object, "keras.src.models.sequential.Sequential")) {
    object$add(layer)
    invisible(object)
  } else {
    do.call(layer, c(list(object), listed(...)))
  }
}

# loss_*() and metric_*(): with data they compute the value, without data they
# make the object for compile().
measure <- function(row, given) {
  has_class <- nzchar(row$path)
  if (has_class && is.null(given$y_true) && is.null(given$y_pred)) {
    return(make_object(row, given))
  }
  given$y_true <- as_numpy(given$y_true, "y_true")
  given$y_pred <- as_numpy(given$y_pred, "y_pred")
  row$path <- row[["function"]]
  make_object(row, given)
}

# dataset_*(): the arrays of keras.datasets as a list of two, as in keras3.
load_dataset <- function(row, given, convert) {
  loader <- import(row$path, convert = convert)$load_data
  loaded <- do.call(loader, translate_arguments(row, given))
  # Without conversion, Python's tuples stay tuples, which count from zero.
  if (!convert) {
    loaded <- lapply(reticulate::iterate(loaded), reticulate::iterate)
  }
  as_sets(loaded)
}

as_sets <- function(loaded) {
  pair <- function(set) list(x = set[[1]], y = set[[2]])
  list(train = pair(loaded[[1]]), test = pair(loaded[[2]]))
}
