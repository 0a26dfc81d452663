#' sidebyside: R and Python side by side
#'
#' `library(sidebyside)` attaches keras3 when it is installed. Where it is
#' not, the package answers keras3's calls itself (see [dialect()]). Either
#' way the R cells of the notebooks run unchanged.
#'
#' @keywords internal
#' @importFrom reticulate import
"_PACKAGE"

# What is found once and asked for often: the Keras module, the objects that
# generated functions stand for, the attached dialect.
state <- new.env(parent = emptyenv())
