# Completion and help for the word at the cursor, which the Python companion
# asks for (sidebyside.kernel.completion).

# The word that the code ends in, and what it could become: one of the names of
# an object, if one is given, or what R knows. The functions of utils are those
# that ?rc.options names for front ends.
complete_code <- function(code, object) {
  word <- ""
  found <- in_the_background({
    utils:::.assignLinebuffer(code)
    utils:::.assignEnd(nchar(code))
    token <- utils:::.guessTokenFromLine()
    utils:::.completeToken()
    # It may be `]]$name`.
    word <- if (nzchar(object)) sub("^\\].*[$]", "", token) else token
    ours <- c(names_within(object, word), dialect_completions(word))
    theirs <- utils:::.retrieveCompletions()
    # R 4.5 has what follows :: in no order.
    if (grepl("::", word, fixed = TRUE)) theirs <- sort(theirs)
    # Where R finds nothing, it may offer the word itself.
    c(ours, if (length(ours)) setdiff(theirs, token) else theirs)
  })
  c(word, unique(enc2utf8(as.character(found))))
}

# Evaluated for a second at most, and without a word: the reader is typing.
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

# What R's own completion does not see: ?layer_den and keras3::layer_den.
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

# Help for the word at the cursor, or else for the function whose call the
# cursor is in.
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

# What is known of a name: of the reader's own variable its structure, else the
# help page.
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

# A help page with the usage right after the title: a tooltip is small.
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
