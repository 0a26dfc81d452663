# Models on disk, in Keras's own format: what one language saves the other
# loads.

refuse_overwrite <- function(path, overwrite) {
  if (!overwrite && file.exists(path)) {
    stop("The file ", path, " exists already. Give overwrite = TRUE to ",
      "replace it, or another name.",
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

# What Keras does not know by itself, by name; a class has one of its own.
as_custom_objects <- function(objects) {
  if (!length(objects)) {
    return(NULL)
  }
  objects <- lapply(as_plain_list(objects), as_keras)
  names <- names_or_blank(objects)
  for (at in which(!nzchar(names))) {
    if (!is_python(objects[[at]])) {
      stop("custom_objects have to be named, unless they are classes; found ",
        class(objects[[at]])[1], " without a name.",
        call. = FALSE
      )
    }
    names[at] <- objects[[at]]$`__name__`
  }
  stats::setNames(objects, names)
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
      stop("There is no file ", filepath, " to load a model from (working ",
        "folder: ", getwd(), ").",
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
