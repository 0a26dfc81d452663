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

# What stands for no language: training and validation.
other_colours <- c("#009E73", "#CC79A7")

# The two figures of a pair look alike: what matplotlib and the companion's
# matplotlibrc do by themselves, for R's own graphics and for ggplot2.
figure_settings <- list(
  bty = "l", las = 1, tcl = -0.25, mgp = c(2.4, 0.5, 0),
  mar = c(3.6, 4.1, 2.1, 0.6), font.main = 1, cex.main = 1, cex.axis = 0.83,
  cex.lab = 0.83
)

set_theme <- function(...) {
  text <- function(size) ggplot2::element_text(size = size, colour = "black")
  ggplot2::theme_set(
    ggplot2::theme_classic(10) + ggplot2::theme(
      axis.text = text(10),
      plot.title = ggplot2::element_text(size = 12, hjust = 0.5),
      strip.background = ggplot2::element_blank(),
      strip.text = text(12)
    )
  )
}

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
