#' A reader's own picture, made ready for a network
#'
#' Transparent parts become white, what is not square gets white borders, and
#' the picture is turned as the camera says. It is resized as
#' `image_dataset_from_directory()` does it (bilinear, no antialiasing); one of
#' more than 2,000 pixels a side is first made smaller, by means.
#'
#' @param path JPEG, PNG, or any other format that Python's Pillow reads.
#' @param size Side of the square, in pixels.
#' @return An array of 1 by `size` by `size` by 3 (red, green, blue), values 0
#'   to 255: a batch of one for `predict()`.
#' @section Errors:
#' If there is no file, or the file is no picture, is damaged, or has more than
#' 8 bits a colour: a sentence with the path and what to do.
#' @examples
#' \dontrun{
#' model |> predict(read_picture("my_fruit.jpg"))
#' }
#' @export
read_picture <- function(path, size = 20) {
  stopifnot(is.character(path), length(path) == 1)
  pictures <- companion("sidebyside.lesson.pictures")
  in_one_sentence(pictures$read_picture(path, as.integer(size)))
}
