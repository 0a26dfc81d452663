#' Draw a network
#'
#' Draws a box for each layer, and arrows from the inputs down. A box says what
#' the layer is (and its name, if it was given one), the shape of its output for
#' one example, and how many parameters it has. Green boxes have parameters,
#' grey ones have none. A layer that is used several times is one box, and so is
#' a model inside the model. The alternative text says the same in words, unless
#' you call [alt_text()] before.
#'
#' In a notebook, the figure has the size of the drawing. The drawing is scaled
#' to fit if you opened a device or divided the page yourself, and outside a
#' notebook.
#'
#' @param model A sequential or functional model whose input shape is known.
#' @return Nothing, invisibly.
#' @section Errors:
#' If `model` is not a Keras model, or if its layers are not known because it
#' has no input shape or is a class with its own `call()`.
#' @examples
#' \dontrun{
#' model <- keras_model_sequential(input_shape = 784)
#' model |>
#'   layer_dense(256, activation = "relu") |>
#'   layer_dense(10, activation = "softmax")
#' draw_network(model)
#' }
#' @export
draw_network <- function(model) {
  if (!is_python(model)) {
    stop("draw_network() found ", class(model)[1], ", expected a Keras model. ",
      "Give it the model itself: draw_network(model).",
      call. = FALSE
    )
  }
  drawing <- in_one_sentence(
    companion("sidebyside.lesson.drawing")$drawing_of(model)
  )
  opened <- open_page(drawing$width, drawing$height)
  before <- graphics::par(mar = c(0, 0, 0, 0))
  on.exit(if (opened) grDevices::dev.off() else graphics::par(before))
  graphics::plot.new()
  if (in_notebook()) {
    # The earlier figures of the cell are shown by now, with their texts.
    companion("sidebyside.kernel.figures")$describe(drawing$in_words)
  }
  graphics::plot.window(
    c(0, drawing$width), c(-drawing$height, 0),
    asp = 1, xaxs = "i", yaxs = "i"
  )
  # On a smaller or larger page all becomes as much smaller or larger.
  scale <- graphics::par("pin")[1] / diff(graphics::par("usr")[1:2])
  size <- scale * drawing$font / graphics::par("ps") / graphics::par("cex")
  right <- drawing$box_width / 2
  up <- drawing$box_height / 2
  for (box in drawing$boxes) {
    graphics::rect(
      box$x - right, box$y - up, box$x + right, box$y + up,
      border = if (box$learns) other_colours[1] else "grey60", lwd = 2
    )
    words <- c(box$title, box$details)
    graphics::text(box$x, box$y + c(0.09, -0.09), words, cex = size, font = 2:1)
  }
  for (corners in drawing$arrows) {
    corners <- do.call(rbind, lapply(corners, unlist))
    last <- nrow(corners) - 1:0
    graphics::lines(corners, col = "grey30")
    graphics::arrows(
      corners[last[1], 1], corners[last[1], 2],
      corners[last[2], 1], corners[last[2], 2],
      length = 0.06 * scale, col = "grey30"
    )
  }
  invisible()
}

# In a notebook, open a device of this size, in inches, unless the reader has
# opened one, or divided its page. Was one opened?
open_page <- function(width, height) {
  current <- grDevices::dev.cur()
  ours <- in_notebook() && (current == 1 || current %in% names(own_devices()))
  divided <- current > 1 && prod(graphics::par("mfrow")) > 1
  if (ours && !divided) {
    close_devices() # completes the figures before this one
    open_device(width, height)
  }
  ours && !divided
}

in_notebook <- function() identical(getOption("device"), open_device)
