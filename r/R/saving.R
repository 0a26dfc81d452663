# Models on disk, in Keras's own format: each language can load what the other
# one has saved.

refuse_overwrite <- function(path, overwrite) {
  if (!overwrite && file.exists(path)) {
    stop("The file ", path, " exists already. To replace it, use ",
      "overwrite = TRUE; otherwise choose another name.",
      call. = FALSE
    )
  }
}

save_model <- function(model, filepath = NULL, overwrite = FALSE,
                       zipped = NULL, ...) {
  as_raw <- is.null(filepath)
  if (as_raw) {
    filepath <- tempfile(fileext = ".keras")
    on.exit(unlink(filepath))
  }
  filepath <- path.expand(filepath)
  refuse_overwrite(filepath, overwrite)
  arguments <- list(model, filepath, overwrite = TRUE)
  if (!is.null(zipped)) {
    arguments$zipped <- zipped
  }
  do.call(keras_module()$saving$save_model, arguments)
  if (as_raw) {
    readBin(filepath, "raw", file.size(filepath))
  } else {
    invisible(model)
  }
}

# Returns custom objects by name. A class has its own name; a function may have
# one.
as_custom_objects <- function(objects) {
  if (!length(objects)) {
    return(NULL)
  }
  objects <- as_plain_list(objects)
  objects <- Map(as_named_object, objects, names_or_blank(objects))
  names <- names_or_blank(objects)
  unnamed <- !nzchar(names)
  names[unnamed] <- vapply(objects[unnamed], function(x) x$`__name__`, "")
  stats::setNames(objects, names)
}

as_named_object <- function(object, name) {
  object <- as_keras(object)
  if (inherits(object, "R6ClassGenerator")) {
    object <- reticulate::r_to_py(object)
  }
  if (!is_python(object) && !nzchar(name)) {
    stop("custom_objects contains a ", class(object)[1], " without a name. ",
      "Everything but a class needs a name: list(name = object).",
      call. = FALSE
    )
  }
  if (is_python(object)) object else named_function(object, name)
}

with_custom_object_scope <- function(objects, expr) {
  scope <- keras_module()$saving$CustomObjectScope
  with(scope(as_custom_objects(objects)), expr)
}

get_custom_objects <- function() {
  keras_module()$saving$get_custom_objects()
}

register_keras_serializable <- function(object, name = NULL, package = NULL) {
  known <- if (is.null(name)) deparse1(substitute(object)) else name
  package <- if (is.null(package)) "Custom" else package
  keras_module()$saving$register_keras_serializable(package, name)(
    as_named_object(object, known)
  )
}

load_model <- function(model, custom_objects = NULL, compile = TRUE,
                       safe_mode = TRUE) {
  if (is.raw(model)) {
    filepath <- tempfile(fileext = ".keras")
    on.exit(unlink(filepath))
    writeBin(model, filepath)
  } else {
    filepath <- path.expand(model)
    if (!file.exists(filepath)) {
      stop("There is no file ", filepath, ", so no model can be loaded. The ",
        "working folder is ", getwd(), ".",
        call. = FALSE
      )
    }
  }
  keras_module()$saving$load_model(
    filepath,
    custom_objects = as_custom_objects(custom_objects),
    compile = compile, safe_mode = safe_mode
  )
}

save_model_weights <- function(model, filepath, overwrite = FALSE,
                               max_shard_size = NULL) {
  filepath <- path.expand(filepath)
  refuse_overwrite(filepath, overwrite)
  model$save_weights(
    filepath,
    overwrite = TRUE, max_shard_size = max_shard_size
  )
  invisible(model)
}

load_model_weights <- function(model, filepath, skip_mismatch = FALSE, ...) {
  model$load_weights(
    path.expand(filepath),
    skip_mismatch = skip_mismatch, ...
  )
  invisible(model)
}

save_model_config <- function(model, filepath = NULL, overwrite = FALSE) {
  filepath <- path.expand(filepath)
  refuse_overwrite(filepath, overwrite)
  writeLines(model$to_json(), filepath)
  invisible(model)
}

load_model_config <- function(filepath, custom_objects = NULL) {
  json <- paste(readLines(path.expand(filepath)), collapse = "\n")
  keras_module()$models$model_from_json(
    json, as_custom_objects(custom_objects)
  )
}
