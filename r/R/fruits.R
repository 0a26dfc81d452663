#' A folder of fruit images
#'
#' @description
#' The same folder as `sidebyside.fruits_directory()` gives in Python, with
#' `Training/<class>/*.jpg` and `Test/<class>/*.jpg`. One line on the screen
#' says which of three sources it is, first found wins: the folder that the
#' environment variable `FRUITS360_DIR` names (the word "painted" there asks for
#' painted fruits); `data/fruits-360/`, which `make fruits` writes; fruits
#' painted by this project. The images of the last two were checked when they
#' were made; of a folder of your own, the first image of each class is opened.
#'
#' @param classes Names of classes, or `"all"` for all that are there. If
#'   `NULL`, the environment variable `FRUITS360_CLASSES` (`"all"`, or names
#'   with commas between them); if that is not set, the sixteen fruits of the
#'   comparison of 2018, as far as they are there. The numbered names of later
#'   versions are found by the name of the list: Strawberry is "Strawberry 1".
#' @return The path of the folder, a character string. Images in it are 100 by
#'   100 pixels.
#' @section Errors:
#' If the source is not a folder of fruits, if Training and Test have different
#' classes, if a class is empty, if a file is no image of 100 by 100 pixels, or
#' if `classes` names what is not there. The message names the file and what
#' to do.
#' @examples
#' \dontrun{
#' fruits <- fruits_directory()
#' list.files(file.path(fruits, "Training"))
#' }
#' @export
fruits_directory <- function(classes = NULL) {
  if (!is.null(classes)) {
    classes <- as.list(as.character(classes))
  }
  fruits <- companion("sidebyside.data.fruits")
  share_environment("FRUITS360_DIR", "FRUITS360_CLASSES", "SIDEBYSIDE_DATA")
  in_one_sentence(fruits$fruits_directory(classes))
}

# Python looks at its environment variables once, when it starts; what
# Sys.setenv() changed later it has to be told.
share_environment <- function(...) {
  environ <- import("os", convert = FALSE)$environ
  for (name in c(...)) {
    value <- Sys.getenv(name, unset = NA)
    if (is.na(value)) {
      environ$pop(name, NULL)
    } else {
      environ$update(reticulate::py_dict(name, value))
    }
  }
}

# What a Python error says, without the name of its class before it, and
# reticulate's advice or Python's call stack after it.
in_one_sentence <- function(code) {
  tryCatch(code, error = function(e) {
    after <- "\n(Run `reticulate::|Detailed traceback|Traceback).*"
    said <- trimws(sub(after, "", conditionMessage(e)))
    stop(sub("^[[:alnum:]_.]+: ", "", said), call. = FALSE)
  })
}
