#' Colours of the two languages
#'
#' There is one colour for R and one for Python, the same in all figures and in
#' the Python companion (`sidebyside.R`, `sidebyside.PYTHON`). The light colours
#' are for a second line of the same language. All of them are from the palette
#' of Okabe and Ito (<https://jfly.uni-koeln.de/color/>). People with any kind
#' of colour vision can tell these colours apart.
#'
#' @format A character string such as `"#0072B2"`.
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

# The colours of training and validation, which belong to no language.
other_colours <- c("#009E73", "#CC79A7")

# The figures of a pair should look alike. These settings give R's own graphics
# and ggplot2 the look of matplotlib with the companion's matplotlibrc.
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

#' Describe the next figure of this cell in words
#'
#' The text is for readers who cannot see the figure. In a notebook it is stored
#' with the picture; elsewhere nothing happens. Call the function before you
#' draw the figure.
#'
#' @param text A character string of one or two sentences.
#' @return Nothing, invisibly.
#' @section Errors:
#' If `text` is not one character string, or is empty.
#' @examples
#' \dontrun{
#' alt_text("The loss falls over 30 epochs.")
#' plot(history)
#' }
#' @export
alt_text <- function(text) {
  stopifnot(is.character(text), length(text) == 1)
  companion("sidebyside.kernel.figures")$alt_text(text)
  invisible()
}
