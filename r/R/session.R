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

# The session of a notebook: lines as wide as half a screen, R's colours in
# every figure that does not choose its own.
prepare_session <- function() {
  options(
    width = 72,
    ggplot2.discrete.colour = list(c(r_colour, r_light)),
    ggplot2.discrete.fill = list(c(r_colour, r_light))
  )
}

# A variable on its way to compare(): a history as its metrics, all else as
# reticulate translates it.
send_to_python <- function(name) {
  value <- get(name, envir = globalenv())
  if (inherits(value, "keras_training_history")) {
    value <- value$metrics
  }
  companion("sidebyside.lesson.compare", convert = FALSE)$receive(name, value)
  invisible()
}

# Why code cannot be parsed, in R's words.
parse_problem <- function(code) {
  tryCatch(
    {
      parse(text = code)
      "R could not parse this cell."
    },
    error = function(e) {
      paste0("Error in parsing this cell: ", conditionMessage(e))
    }
  )
}
