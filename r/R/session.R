# What the Python companion asks of R.

#' Versions as R sees them
#' @noRd
r_facts <- function() {
  version <- function(package) {
    if (nzchar(system.file(package = package))) {
      as.character(utils::packageVersion(package))
    } else {
      ""
    }
  }
  packages <- c("reticulate", "keras3", "ggplot2", "testthat")
  c(
    R = as.character(getRversion()),
    dialect = dialect(),
    sidebyside = version("sidebyside"),
    vapply(packages, version, "")
  )
}

# The session of a notebook: lines as wide as half a screen, figures that look
# like Python's, help and other texts in the cell.
prepare_session <- function() {
  utils::rc.settings(ipck = TRUE, dots = FALSE)
  utils::rc.options(function.suffix = "", funarg.suffix = " = ")
  options(
    width = 60,
    pager = show_files,
    browser = function(url) cat("Open in a browser:", url, "\n"),
    pdfviewer = "echo", # a command: it says where the file is
    help_type = "text",
    keras.plot.history.smooth = FALSE,
    ggplot2.discrete.colour = list(other_colours),
    ggplot2.discrete.fill = list(other_colours)
  )
  help_as_wide_as_text()
  # ggplot2 takes half a second to load, and is not in every notebook.
  if (isNamespaceLoaded("ggplot2")) {
    set_theme()
  } else {
    setHook(packageEvent("ggplot2", "onLoad"), set_theme)
  }
}

# R's pager: file.show() gives it the files that help() and others write.
show_files <- function(files, header, title, delete.file) { # nolint
  for (i in seq_along(files)) {
    lines <- readLines(files[i], warn = FALSE)
    # Overstriking, which a terminal shows as underlined or bold.
    writeLines(c(if (nzchar(header[i])) header[i], gsub(".\b", "", lines)))
  }
  if (delete.file) unlink(files)
}

# R and Python are one process: the end of R would end Python as well.
refuse_to_quit <- function() {
  refuse <- function(save = "default", status = 0, runLast = TRUE) { # nolint
    stop(
      "R and Python are one process, so ending R would end Python as well. ",
      "To start again, use Kernel > Restart.",
      call. = FALSE
    )
  }
  environment(refuse) <- baseenv()
  for (name in c("q", "quit")) {
    unlockBinding(name, baseenv())
    assign(name, refuse, envir = baseenv())
    lockBinding(name, baseenv())
  }
}

# A variable on its way to Python: a history as its metrics, all else as
# reticulate translates it.
send_to_python <- function(name) {
  receive(name, metrics_of(get(name, envir = globalenv())))
}

# A variable on its way to compare(), with what reticulate's translation loses.
describe_to_python <- function(name) {
  receive(name, describe(get(name, envir = globalenv())))
}

receive <- function(name, value) {
  companion("sidebyside.lesson.compare", convert = FALSE)$receive(name, value)
  invisible()
}

metrics_of <- function(x) {
  if (inherits(x, "keras_training_history")) x$metrics else x
}

# A value with its names and where it is missing: reticulate makes TRUE of a
# logical NA, a number of an integer NA and "NA" of a text.
# sidebyside.lesson.values reads this.
describe <- function(x) {
  x <- metrics_of(x)
  if (is.null(x)) {
    list(kind = "null")
  } else if (is_python(x)) {
    list(kind = "python", values = x)
  } else if (inherits(x, c("integer64", "difftime"))) {
    # Their numbers say nothing without the class.
    list(kind = "other", class = class(x)[1])
  } else if (is.atomic(x) || inherits(x, "POSIXlt")) {
    describe_vector(x)
  } else if (is.list(x) || is.pairlist(x)) {
    describe_list(x)
  } else {
    list(kind = "other", class = class(x)[1])
  }
}

describe_vector <- function(x) {
  time <- inherits(x, c("Date", "POSIXt"))
  values <- if (time) {
    as.double(as.POSIXct(x))
  } else if (is.factor(x)) {
    as.character(x)
  } else if (is.raw(x)) {
    as.integer(x)
  } else {
    x
  }
  shape <- if (is.null(dim(x))) length(values) else dim(x)
  labels <- dimnames(x)
  marks <- names(x)
  # An array of numbers without other attributes is not copied.
  if (!identical(attributes(values), list(dim = shape))) {
    attributes(values) <- list(dim = shape)
  }
  list(
    kind = if (time) "time" else "vector", values = values,
    missing = if (anyNA(values)) array(which(is_na(values)) - 1) else FALSE,
    labels = if (length(shape) == 1) {
      list(as_names(marks))
    } else if (length(labels) == 2) {
      unname(lapply(labels, as_names))
    } else {
      list()
    }
  )
}

# NaN is a number of both languages, and not missing.
is_na <- function(x) {
  is.na(x) & !((is.double(x) || is.complex(x)) & is.nan(x))
}

# Not a vector: reticulate would make one name a text.
as_names <- function(x) if (is.null(x)) FALSE else as.list(x)

describe_list <- function(x) {
  frame <- is.data.frame(x)
  rows <- if (frame) attr(x, "row.names")
  items <- unname(as.list(unclass(x)))
  alone <- !frame && length(items) > 0 && is.null(names(x)) &&
    all(vapply(items, is_plain_value, NA)) &&
    length(unique(vapply(items, typeof, ""))) == 1
  if (alone) {
    # Each of a thousand numbers would cross by itself.
    return(describe_vector(unlist(items)))
  }
  list(
    kind = if (frame) "frame" else "list",
    items = lapply(items, describe),
    labels = list(
      as_names(if (is.character(rows)) rows),
      as_names(names(x))
    )
  )
}

is_plain_value <- function(x) {
  is.atomic(x) && length(x) == 1 && is.null(attributes(x))
}
