# Completion and help for the word at the cursor. The Python companion calls
# these functions (sidebyside.kernel.completion).

# Returns the word at the end of the code, then its possible completions: names
# within `object`, if one is given, and what R itself offers. ?rc.options lists
# the functions of utils that front ends use for this.
complete_code <- function(code, object) {
  word <- ""
  found <- in_the_background({
    utils:::.assignLinebuffer(code)
    utils:::.assignEnd(nchar(code))
    token <- utils:::.guessTokenFromLine()
    utils:::.completeToken()
    # The token may be `]]$name`.
    word <- if (nzchar(object)) sub("^\\].*[$]", "", token) else token
    ours <- c(names_within(object, word), dialect_completions(word))
    theirs <- utils:::.retrieveCompletions()
    # R 4.5 does not sort the names after `::`.
    if (grepl("::", word, fixed = TRUE)) theirs <- sort(theirs)
    # If R finds nothing, it may offer the word itself.
    c(ours, if (length(ours)) setdiff(theirs, token) else theirs)
  })
  c(word, unique(enc2utf8(as.character(found))))
}

# Evaluates for at most a second and prints nothing: the reader is typing.
in_the_background <- function(expression) {
  setTimeLimit(elapsed = 1, transient = TRUE)
  on.exit(setTimeLimit())
  value <- NULL
  utils::capture.output(
    value <- tryCatch(
      suppressMessages(suppressWarnings(expression)),
      error = function(e) NULL
    )
  )
  value
}

names_within <- function(object, word) {
  if (!nzchar(object)) {
    return(NULL)
  }
  value <- eval(str2lang(object), globalenv())
  names <- c(names(value), if (is.array(value)) unlist(rev(dimnames(value))))
  names[startsWith(names, word)]
}

# Completions that R itself does not offer: ?layer_den and keras3::layer_den.
dialect_completions <- function(word) {
  if (!search_name %in% search()) {
    return(NULL)
  }
  prefix <- regmatches(word, regexpr("^([?]|keras3::)", word))
  if (!length(prefix) || prefix != "?" && has_keras3()) {
    return(NULL)
  }
  names <- paste0(prefix, sort(names(python_paths())))
  names[startsWith(names, word)]
}

# Help for the word at the cursor, or otherwise for the function in whose call
# the cursor is.
explain_code <- function(word, code) {
  text <- in_the_background({
    utils:::.assignLinebuffer(code)
    utils:::.assignEnd(nchar(code))
    utils:::.guessTokenFromLine()
    for (name in Filter(nzchar, c(word, utils:::inFunction()))) {
      text <- explanation(name)
      if (length(text)) break
    }
    text
  })
  paste(enc2utf8(as.character(text)), collapse = "\n")
}

# The structure of the reader's own variable, or the help page of a name.
explanation <- function(name) {
  own <- get0(name, envir = globalenv(), inherits = FALSE)
  if (is.function(own)) {
    return(usage(name, own))
  }
  if (!is.null(own)) {
    return(utils::capture.output(utils::str(own, max.level = 1)))
  }
  if (search_name %in% search() && has_help(name)) {
    return(usage_first(help_lines(name)))
  }
  pages <- without_reexports(utils::help((name)))
  if (length(pages)) {
    usage_first(utils::capture.output(
      tools::Rd2txt(utils:::.getHelpFile(pages[1]),
        package = basename(dirname(dirname(pages[1])))
      )
    ))
  }
}

# Moves the usage of a help page right below its title, because a tooltip is
# small.
usage_first <- function(page) {
  headings <- grep("^\\S.*:$", page)
  from <- match("Usage:", page)
  if (is.na(from)) {
    return(page)
  }
  usage <- seq(from, min(headings[headings > from], length(page) + 1) - 1)
  title <- seq_len(headings[1] - 1)
  c(page[title], page[usage], page[-c(title, usage)])
}
