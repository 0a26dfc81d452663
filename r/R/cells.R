# A cell of R code, read, placed and drawn as R's own console would.

# What is known of the cell that runs.
cell <- new.env(parent = emptyenv())

# --- reading, and where an error is

# The cell's expressions, ready to be run, or R's message why it cannot read
# them. They are run at top level, where R's calls are empty, as at its prompt:
# withVisible() would stand among them, and its .Internal() does not.
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

# A call whose errors of rlang are told as R tells its own. rlang prints them
# itself, and stops with no message. withCallingHandlers() would be seen among
# the calls, and globalCallingHandlers() does not want to be called within it.
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

# R's option "error": with the calls R knows the places that they were made.
note_calls <- function() {
  cell$calls <- sys.calls()
  # As of those that print themselves.
  cell$silent <- isFALSE(getOption("show.error.messages"))
}

# Whether Sys.sleep() was interrupted. It has a handler of its own, so Python
# may not hear of the signal, and R leaves the message of an earlier error.
left_sleep <- function(message) {
  call <- utils::head(utils::tail(cell$calls, 2), 1)[[1]]
  identical(name_of(call), "Sys.sleep") &&
    !grepl(deparse(call)[1], message, fixed = TRUE)
}

# The first of the errors of Python that led to its last one. Keras hides that
# of a lambda layer's function behind one of its own.
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

# The line of the cell that an error of its nth expression comes from.
error_line <- function(n, message) {
  # The last of the calls is that of note_calls().
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

# Of a statement of several lines the line of what failed, or NA: of the object
# that is missing, of the innermost call that stands there as it was made, or of
# the one place where the function is named that failed or that was called.
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

# How deep an expression of the cell is in a call, which is given as text: with
# a pipe, what stands before it belongs to the call. Inf if it is not in it.
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

# R names the call that failed in its message.
call_in <- function(message) {
  pattern <- "^Error in (.*?) : .*"
  if (grepl(pattern, message)) {
    tryCatch(str2lang(sub(pattern, "\\1", message)), error = function(e) NULL)
  }
}

# --- values

# How R shows a value at its prompt (PrintValueEnv() in R's print.c), as a call
# and where to evaluate it. `answer` is withVisible()'s.
showing <- function(answer) {
  place <- new.env(parent = globalenv())
  place$x <- answer$value
  # The empty symbol, as quote(expr = ) gives it, is no argument of a call.
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

# A device opens when something is drawn, as at R's prompt. Each of its pages is
# a file of the cell's folder, "<device>-<page>.png".
prepare_pictures <- function() {
  # Where R has drawn if Python called it before, which begin_pictures() closes.
  cell$folder <- "Rplots.pdf"
  begin_pictures("grDevices", "png", "png")
  options(device = open_device)
  # A page is complete, and shown, when the next one begins.
  show <- function(...) {
    pages <- drawn_pages()
    companion("sidebyside.kernel.console")$current()$begin_page(
      as.list(names(pages)), as.list(unname(pages))
    )
  }
  setHook("plot.new", show)
  setHook("grid.newpage", show)
}

# `...` are arguments of `draw`, one of grDevices' functions such as png().
begin_pictures <- function(package, draw, extension, ...) {
  # What is drawn by R that Python calls, after a cell of R, is of no cell, and
  # its device must not take the pictures of this one.
  close_devices()
  cell$package <- asNamespace(package)
  cell$draw <- draw
  # Every page to a file of its own, which png() does anyway.
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
    # A device of the reader's counts for one cell, and is the current one.
    grDevices::graphics.off()
    options(device = open_device)
  }
  unlink(cell$folder, recursive = TRUE)
}

# R's option "device". dev.new() may ask for another size.
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

# The pages that became complete, and with `now` what the others show by now.
# Files, named by their page.
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

# The numbers of the devices that open_device() opened, with how the names of
# their files begin.
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

# A file with what an unfinished page shows, if that is new.
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
  # grid's new page is only drawn with what stands on it.
  if (file.exists(file)) structure(file, names = page)
}
