#' sidebyside: R and Python side by side
#'
#' `library(sidebyside)` attaches keras3 if it is installed. Otherwise this
#' package supplies keras3's functions itself (see [dialect()]). The R cells of
#' the notebooks run unchanged in both cases.
#'
#' @keywords internal
#' @importFrom reticulate import
"_PACKAGE"

# Objects that we look up once and use often: the Keras module, the Python
# objects behind generated functions, and others.
state <- new.env(parent = emptyenv())
