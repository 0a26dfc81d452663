# Functions that the Python companion calls.

#' The versions of R and of its packages
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

# Prepares R for a notebook: lines for half a screen, figures that look like
# Python's, and help and other texts as output of the cell.
prepare_session <- function() {
  utils::rc.settings(ipck = TRUE, dots = FALSE)
  utils::rc.options(function.suffix = "", funarg.suffix = " = ")
  options(
    width = 60,
    pager = show_files,
    browser = function(url) cat("Open in a browser:", url, "\n"),
    pdfviewer = "echo", # a shell command: prints where the file is
    help_type = "text",
    keras.plot.history.smooth = FALSE,
    ggplot2.discrete.colour = list(other_colours),
    ggplot2.discrete.fill = list(other_colours)
  )
  help_as_wide_as_text()
  # Loading ggplot2 takes half a second, and not every notebook needs it.
  if (isNamespaceLoaded("ggplot2")) {
    set_theme()
  } else {
    setHook(packageEvent("ggplot2", "onLoad"), set_theme)
  }
}

# R's pager. file.show() calls it with the files that help() and others write.
show_files <- function(files, header, title, delete.file) { # nolint
  for (i in seq_along(files)) {
    lines <- readLines(files[i], warn = FALSE)
    # Remove overstriking, which a terminal shows as underlined or bold.
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

# Sends a variable to Python. A history is sent as its metrics; reticulate
# translates everything else.
send_to_python <- function(name) {
  receive(name, metrics_of(get(name, envir = globalenv())))
}

# Sends a variable to compare(), with the information that reticulate loses.
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

# Describes a value with its names and the positions of NA. reticulate turns a
# logical NA into True, an integer NA into a number, and a missing text into
# "NA". sidebyside.lesson.values reads this description.
describe <- function(x) {
  x <- metrics_of(x)
  if (is.null(x)) {
    list(kind = "null")
  } else if (is_python(x)) {
    list(kind = "python", values = x)
  } else if (inherits(x, c("integer64", "difftime"))) {
    # Without the class their numbers would have no meaning.
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
  # Assigning attributes copies the array, so we do it only if necessary.
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

# NaN is a number in both languages and not a missing value.
is_na <- function(x) {
  is.na(x) & !((is.double(x) || is.complex(x)) & is.nan(x))
}

# A list, because reticulate would turn a vector with one name into a string.
as_names <- function(x) if (is.null(x)) FALSE else as.list(x)

describe_list <- function(x) {
  frame <- is.data.frame(x)
  rows <- if (frame) attr(x, "row.names")
  items <- unname(as.list(unclass(x)))
  alone <- !frame && length(items) > 0 && is.null(names(x)) &&
    all(vapply(items, is_plain_value, NA)) &&
    length(unique(vapply(items, typeof, ""))) == 1
  if (alone) {
    # One vector crosses to Python faster than a thousand single numbers.
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
