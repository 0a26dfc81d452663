# Runs a cell of R code, finds the line of an error, and shows values and
# pictures, all as R's own console does.

# The state of the cell that is running.
cell <- new.env(parent = emptyenv())

# --- reading, and where an error is

# Returns the cell's expressions, ready to run, or R's message if it cannot
# parse them. They run at top level, where sys.calls() is empty, as at R's
# prompt. A call of withVisible() would be listed there; its .Internal() is not.
read_cell <- function(code) {
  lines <- strsplit(code, "\n", fixed = TRUE)[[1]]
  cell$file <- srcfilecopy("cell", lines)
  read <- tryCatch(
    parse(text = lines, srcfile = cell$file, keep.source = TRUE),
    error = conditionMessage
  )
  if (is.character(read)) {
    place <- "line \\1, column \\2"
    read <- sub("\n1: ?\n", "\n", read) # The line of `%%R`.
    read <- sub("^cell:(\\d+):(\\d+)", paste("Error in", place), read)
    read <- sub("cell:(\\d+):(\\d+)", place, read)
    return(sub("^(?!Error)", "Error: ", read, perl = TRUE))
  }
  cell$places <- attr(read, "srcref")
  cell$calls <- NULL
  if (is.null(getOption("error"))) {
    options(error = as.call(list(note_calls)))
  }
  lapply(read, function(each) {
    if (!"globalCallingHandlers" %in% all.names(each)) each <- heard(each)
    as.call(list(.Internal, call("withVisible", each)))
  })
}

# Wraps a call so that errors of rlang look like R's own errors. (rlang prints
# its errors itself, and then stops without a message.) withCallingHandlers()
# would be listed in sys.calls(), and globalCallingHandlers() cannot be called
# inside it.
heard <- function(call) {
  hear <- as.call(list(.Internal, call(
    ".addCondHands", "rlang_error", list(tell_as_r), globalenv(), NULL, TRUE
  )))
  as.call(list(`{`, hear, call))
}

tell_as_r <- function(condition) {
  remember <- get0("poke_last_error", asNamespace("rlang"))
  if (is.function(remember)) remember(condition) # for rlang::last_error()
  stop(simpleError(conditionMessage(condition), conditionCall(condition)))
}

# R's option "error". The calls carry the lines from which they were made.
note_calls <- function() {
  cell$calls <- sys.calls()
  # TRUE for errors that have printed themselves.
  cell$silent <- isFALSE(getOption("show.error.messages"))
}

# Was Sys.sleep() interrupted? It has its own signal handler, so Python may not
# receive the signal, and R keeps the message of an earlier error.
left_sleep <- function(message) {
  call <- utils::head(utils::tail(cell$calls, 2), 1)[[1]]
  identical(name_of(call), "Sys.sleep") &&
    !grepl(deparse(call)[1], message, fixed = TRUE)
}

# The first Python error in the chain that led to the last one. Keras replaces
# an error in a lambda layer's function by its own error.
first_error <- function() {
  error <- attr(reticulate::py_last_error(), "exception")
  repeat {
    before <- reticulate::py_get_attr(error, "__context__")
    if (is.null(reticulate::py_to_r(before))) {
      return(reticulate::py_str(error))
    }
    error <- before
  }
}

was_silent <- function() isTRUE(cell$silent)

# The line of the cell in which an error of the nth expression occurred.
error_line <- function(n, message) {
  # The last call is note_calls() itself.
  calls <- cell$calls
  cell$calls <- NULL
  places <- lapply(calls, attr, "srcref")
  within <- vapply(places, NA, FUN = function(place) {
    identical(attr(place, "srcfile"), cell$file)
  })
  # The innermost statement of this cell, and the calls that were made in it.
  innermost <- max(which(within), 0)
  place <- if (innermost) places[[innermost]] else cell$places[[n]]
  made <- utils::head(calls, -1)
  made <- made[seq_along(made) >= innermost]
  line <- tryCatch(failed_at(place, made, message), error = function(e) NULL)
  stats::na.omit(c(line, place[1]))[1]
}

# Finds the line that failed within a statement of several lines; NA if it is
# unclear. We look for the missing object, then for the innermost call that is
# written in the cell, then for the only line that names the function that
# failed or was called.
failed_at <- function(place, made, message) {
  data <- utils::getParseData(cell$file)
  within <- data$line1 >= place[1] & data$line2 <= place[3]
  tokens <- data[data$terminal & within, ]
  the_line_of <- function(name) {
    lines <- unique(tokens$line1[tokens$text %in% name])
    if (length(lines) == 1) lines
  }
  line_of_call <- function(call) {
    found <- tokens[tokens$text %in% name_of(call), ]
    text <- if (nrow(found) > 0) deparse(call, nlines = 20)
    depths <- vapply(found$parent, depth_in, 0, data = data, call = text)
    if (any(is.finite(depths))) found$line1[which.min(depths)]
  }
  missing <- regmatches(message, regexec("object '(.+)' not found", message))
  blamed <- call_in(message)
  c(
    the_line_of(missing[[1]][2]),
    unlist(lapply(c(blamed, rev(made)), line_of_call)),
    the_line_of(name_of(blamed)),
    the_line_of(name_of(made[1][[1]]))
  )[1]
}

# How many levels is an expression of the cell below a call (given as text)? Inf
# if it is not part of the call. With a pipe, the left side belongs to the call.
depth_in <- function(id, data, call) {
  depth <- 0
  while (id > 0) {
    text <- utils::getParseText(data, id)
    if (identical(deparse(str2lang(text), nlines = 20), call)) {
      return(depth)
    }
    id <- data$parent[data$id == id]
    depth <- depth + 1
  }
  Inf
}

name_of <- function(call) {
  if (is.call(call) && is.symbol(call[[1]])) as.character(call[[1]])
}

# R's message names the call that failed.
call_in <- function(message) {
  pattern <- "^Error in (.*?) : .*"
  if (grepl(pattern, message)) {
    tryCatch(str2lang(sub(pattern, "\\1", message)), error = function(e) NULL)
  }
}

# --- values

# Returns the call that shows a value as R's prompt does (PrintValueEnv() in R's
# print.c), and the environment for it. `answer` comes from withVisible().
showing <- function(answer) {
  place <- new.env(parent = globalenv())
  place$x <- answer$value
  # The empty symbol, which quote(expr = ) returns, cannot be an argument.
  show <- if (identical(answer$value, formals(identity)$x)) {
    function(x) cat("\n")
  } else if (isS4(place$x)) {
    methods::show
  } else if (inherits(place$x, "help_files_with_topic")) {
    function(x) print(without_reexports(x))
  } else if (is.object(place$x) || is.function(place$x)) {
    print
  } else {
    print.default
  }
  list(heard(as.call(list(show, quote(x)))), place)
}

keep_last_value <- function(answer) {
  unlockBinding(".Last.value", baseenv())
  assign(".Last.value", answer$value, envir = baseenv())
}

# --- pictures

# A device opens when something is drawn, as at R's prompt. Each page is a file
# in the cell's folder, "<device>-<page>.png".
prepare_pictures <- function() {
  # If Python called R before, R has drawn here; begin_pictures() closes this.
  cell$folder <- "Rplots.pdf"
  begin_pictures("grDevices", "png", "png")
  options(device = open_device)
  # A page is complete when the next one begins. Then we show it.
  show <- function(...) {
    pages <- drawn_pages()
    companion("sidebyside.kernel.console")$current()$begin_page(
      as.list(names(pages)), as.list(unname(pages))
    )
  }
  setHook("plot.new", show)
  setHook("grid.newpage", show)
}

# `draw` names a function such as png(); `...` are its arguments.
begin_pictures <- function(package, draw, extension, ...) {
  # Python may have called R between two cells, and R may have drawn. Such a
  # device belongs to no cell and must not receive the pictures of this one.
  close_devices()
  cell$package <- asNamespace(package)
  cell$draw <- draw
  # Each page becomes its own file. For png() this is the default.
  wanted <- list(..., onefile = FALSE)
  known <- names(formals(get(draw, cell$package)))
  cell$arguments <- wanted[names(wanted) %in% known]
  cell$folder <- tempfile("pictures")
  cell$extension <- extension
  cell$devices <- 0
  cell$finished <- character()
  cell$lengths <- list()
}

end_pictures <- function() {
  if (!identical(getOption("device"), open_device)) {
    # The reader chose another device. It is valid for this cell only.
    grDevices::graphics.off()
    options(device = open_device)
  }
  unlink(cell$folder, recursive = TRUE)
}

# R's option "device". dev.new() can pass another size.
open_device <- function(width = cell$arguments$width,
                        height = cell$arguments$height) {
  dir.create(cell$folder, showWarnings = FALSE)
  cell$devices <- cell$devices + 1
  start_device(sprintf("%03d-%%03d", cell$devices), width, height)
  graphics::par(figure_settings)
  grDevices::dev.control("enable")
}

start_device <- function(name, width, height) {
  file <- file.path(cell$folder, paste0(name, ".", cell$extension))
  arguments <- cell$arguments
  arguments[c("width", "height")] <- list(width, height)
  do.call(cell$draw, c(list(file), arguments), envir = cell$package)
}

# Returns the files of the pages that are newly complete, and with `now` also
# what the unfinished pages show at present. The names are the pages.
drawn_pages <- function(now = FALSE) {
  if (cell$devices == 0) {
    return(character())
  }
  files <- sort(list.files(cell$folder, "^[0-9]+-[0-9]+[.]", full.names = TRUE))
  open <- own_devices()
  last <- vapply(open, NA_character_, FUN = function(prefix) {
    utils::tail(c(NA, files[startsWith(files, prefix)]), 1)
  })
  complete <- setdiff(files, c(last, cell$finished))
  cell$finished <- c(cell$finished, complete)
  names(complete) <- complete
  unfinished <- if (now) Map(snapshot, names(last), last, USE.NAMES = FALSE)
  c(complete, unlist(unfinished))
}

close_devices <- function() {
  lapply(as.integer(names(own_devices())), grDevices::dev.off)
  invisible()
}

# For each device that open_device() opened: its number (the name) and the
# beginning of its file names (the value).
own_devices <- function() {
  numbers <- grDevices::dev.list()
  paths <- vapply(numbers, "", FUN = function(number) {
    path <- attr(.Devices[[number]], "filepath")
    if (is.null(path)) "" else path
  })
  names(paths) <- numbers
  paths <- paths[startsWith(paths, cell$folder)]
  sub("%03d[.][a-z]+$", "", paths)
}

# Writes what an unfinished page shows to a file, if it has changed.
snapshot <- function(device, page) {
  if (is.na(page)) {
    return(NULL)
  }
  current <- grDevices::dev.cur()
  on.exit(grDevices::dev.set(current))
  grDevices::dev.set(as.integer(device))
  size <- grDevices::dev.size() + 1e-6 # png() cuts off what is no whole pixel.
  plot <- grDevices::recordPlot()
  length <- length(plot[[1]])
  if (length == 0 || identical(length, cell$lengths[[page]])) {
    return(NULL)
  }
  cell$lengths[[page]] <- length
  file <- file.path(cell$folder, paste0("now.", cell$extension))
  unlink(file)
  start_device("now", size[1], size[2])
  grDevices::replayPlot(plot)
  grDevices::dev.off()
  # grid draws a new page only when something is on it.
  if (file.exists(file)) structure(file, names = page)
}
