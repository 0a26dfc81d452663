#' A folder of fruit images
#'
#' @description
#' Returns the same folder as `sidebyside.fruits_directory()` in Python. It
#' contains `Training/<class>/*.jpg` and `Test/<class>/*.jpg`. It comes from the
#' first of these sources that exists, and a printed line says which one it was:
#' 1. the folder that the environment variable `FRUITS360_DIR` names (the value
#'    `painted` asks for painted fruits);
#' 2. `data/fruits-360/`, which `make fruits` writes;
#' 3. fruits painted by this project.
#'
#' The images of the last two were checked when they were made. In a folder of
#' your own, the function opens the first image of each class.
#'
#' @param classes Names of classes, or `"all"` for all classes. If `NULL`, the
#'   environment variable `FRUITS360_CLASSES` is used (`"all"`, or names
#'   separated by commas). If that is not set, you get the sixteen fruits of the
#'   comparison of 2018, or those of them that are there. Later versions of
#'   Fruits-360 number the names; "Strawberry" finds "Strawberry 1".
#' @return A character string, the path of the folder. Its images have 100 by
#'   100 pixels.
#' @section Errors:
#' If the source is not a folder of fruits, if Training and Test have different
#' classes, if a class is empty, if a file is not an image of 100 by 100 pixels,
#' or if a name in `classes` does not exist. The message names the file and says
#' what to do.
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

# Python reads the environment variables once, when it starts. This function
# passes on what Sys.setenv() has changed since then.
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

# Reports a Python error by its message alone, without the name of its class,
# reticulate's advice and Python's call stack.
in_one_sentence <- function(code) {
  tryCatch(code, error = function(e) {
    after <- "\n(Run `reticulate::|Detailed traceback|Traceback).*"
    said <- trimws(sub(after, "", conditionMessage(e)))
    stop(sub("^[[:alnum:]_.]+: ", "", said), call. = FALSE)
  })
}
