#' Colours of the two languages
#'
#' One colour for R and one for Python, the same in every figure of the
#' collection and in the Python companion (`sidebyside.R`,
#' `sidebyside.PYTHON`); the light ones are for the second line of the same
#' language. From the palette of Okabe and Ito
#' (<https://jfly.uni-koeln.de/color/>), which people with any kind of colour
#' vision can tell apart.
#'
#' @format Strings such as `"#0072B2"`.
#' @name colours
NULL

#' @rdname colours
#' @export
r_colour <- "#0072B2"

#' @rdname colours
#' @export
r_light <- "#56B4E9"

#' @rdname colours
#' @export
python_colour <- "#D55E00"

#' @rdname colours
#' @export
python_light <- "#E69F00"

#' Say in words what the next figure of this cell shows
#'
#' For readers who cannot see it. In a notebook the text is stored with the
#' picture; anywhere else nothing happens. Call it before the figure is drawn.
#'
#' @param text A sentence or two.
#' @return Nothing, invisibly.
#' @export
alt_text <- function(text) {
  stopifnot(is.character(text), length(text) == 1)
  companion("sidebyside.kernel.figures")$alt_text(text)
  invisible()
}
