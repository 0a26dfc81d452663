#' Read a picture of your own for a network
#'
#' Transparent parts become white, and a picture that is not square gets white
#' borders. The picture is turned as its camera data say. Then it is resized as
#' in `image_dataset_from_directory()` (bilinear, no antialiasing). If a side
#' has more than 2,000 pixels, the picture is first made smaller by averaging.
#'
#' @param path A character string, the path of a file. JPEG, PNG, and all other
#'   formats that Python's Pillow can open are possible.
#' @param size A whole number, the side of the square in pixels. The default is
#'   the size that the fruit network of notebook 03 takes.
#' @return An array with the dimensions 1 by `size` by `size` by 3 (red, green,
#'   blue) and values from 0 to 255: a batch of one picture for `predict()`.
#' @section Errors:
#' If there is no such file, or if it is not a picture, is damaged, or has more
#' than 8 bits for each colour. The message has the path and says what to do.
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
