# library(sidebyside) attaches keras3 if it is installed, otherwise the dialect.

search_name <- "sidebyside:dialect"

#' Which dialect answers keras3's calls?
#'
#' @description
#' The R cells of the notebooks call functions of the R package keras3.
#' `dialect()` tells you where these functions come from: `"keras3"` if that
#' package is installed, otherwise `"companion"`. The companion's functions need
#' only reticulate. They are generated from the classes and signatures of the
#' Keras that Python has.
#'
#' To choose one of the two yourself, set the environment variable
#' `SIDEBYSIDE_DIALECT` to `"keras3"` or `"companion"` before
#' `library(sidebyside)`.
#'
#' @details
#' If keras3 is installed, all its functions are its own, with two exceptions
#' that save memory and return the same: `array_reshape()`, and `fit()`, which
#' hands an integer array to `keras3::fit()` without copying it.
#'
#' The companion's dialect has
#' - sequential and functional models;
#' - each `layer_*()`, `optimizer_*()`, `loss_*()`, `metric_*()`,
#'   `callback_*()`, `activation_*()`, `initializer_*()`, `regularizer_*()`,
#'   `constraint_*()`, `application_*()`, `learning_rate_schedule_*()`,
#'   `config_*()`, `op_*()` and `random_*()` function that calls a Python class
#'   or function;
#' - `compile()`, `fit()`, `evaluate()`, `predict()`, `summary()`, and `plot()`
#'   for a history;
#' - functions that save and load models and weights, and small utilities;
#' - classes written in R: `Callback()`, `Layer()`, `Model()`, `Metric()`,
#'   `Loss()`, `Constraint()`, `new_learning_rate_schedule_class()`.
#'
#' Names, argument names, order and defaults are those of keras3
#' (<https://keras3.posit.co/reference/>). Whole numbers become integers where
#' Keras needs integers, and axes count from one. `?layer_dense`, `help("fit")`
#' and `??dense` show Keras's own help with R's arguments.
#' `keras3::layer_dense()` and `library(keras3)` also work.
#'
#' TensorFlow's tensors and variables behave like R's arrays, as with the R
#' package tensorflow. You can use arithmetic, comparison and mathematics,
#' `sum()` and similar functions with `axis =`, `[`, `dim()`, `length()`,
#' `as.array()`, `t()`, `aperm()`, `rbind()` and `cbind()`. `[` counts from one,
#' and negative numbers count from the end. An R number takes the type of the
#' tensor that it is combined with. `%*%` works too; keras3 needs R 4.3 for it,
#' and `op_matmul()` always works.
#'
#' @return A string, `"keras3"` or `"companion"`.
#' @section Errors:
#' If `SIDEBYSIDE_DIALECT` has another value. A function that only keras3 has
#' stops with an error that names it.
#' @export
dialect <- function() {
  wanted <- Sys.getenv("SIDEBYSIDE_DIALECT", "auto")
  if (!wanted %in% c("auto", "keras3", "companion")) {
    stop(
      "SIDEBYSIDE_DIALECT is \"", wanted, "\", but must be \"keras3\", ",
      "\"companion\" or unset. Correct it and restart R.",
      call. = FALSE
    )
  }
  if (wanted != "auto") {
    return(wanted)
  }
  # An installed keras3 may fail to load, for example because reticulate is too
  # old. So we load it instead of looking for its folder.
  if (requireNamespace("keras3", quietly = TRUE)) "keras3" else "companion"
}

# `make setup` puts this package into <environment>/r-library. Then we use the
# Python of that environment, unless the reader has chosen another one.
python_beside <- function(library_path) {
  beside <- file.path(dirname(library_path), "bin", "python")
  if (basename(library_path) == "r-library" && file.exists(beside)) beside
}

.onLoad <- function(libname, pkgname) {
  beside <- python_beside(libname)
  if (!is.null(beside) && !nzchar(Sys.getenv("RETICULATE_PYTHON"))) {
    Sys.setenv(RETICULATE_PYTHON = beside)
  }
  # TensorFlow would print remarks in every first cell. Level "2" still shows
  # one that sounds like a failure but is none (see rsession.py).
  if (!nzchar(Sys.getenv("TF_CPP_MIN_LOG_LEVEL"))) {
    Sys.setenv(TF_CPP_MIN_LOG_LEVEL = "3")
  }
}

.onAttach <- function(libname, pkgname) {
  if (dialect() == "keras3") {
    suppressPackageStartupMessages(
      library("keras3", character.only = TRUE, warn.conflicts = FALSE)
    )
    attach_sparing()
    return(invisible())
  }
  problem <- tryCatch(
    {
      attach_dialect()
      NULL
    },
    error = conditionMessage
  )
  if (!is.null(problem)) {
    state$problem <- sub("\n.*", "", problem)
    packageStartupMessage(
      "sidebyside: Keras could not be loaded in ", python_name(), ".\n",
      "  ", state$problem, "\n",
      "  `make setup` in the project's folder installs it; or set ",
      "RETICULATE_PYTHON to a Python that has it and restart R."
    )
  }
}

# The reason why the dialect could not be attached; "" if it was attached.
attach_problem <- function() {
  if (is.null(state$problem)) "" else state$problem
}

.onDetach <- function(libpath) {
  if (search_name %in% search()) {
    detach(search_name, character.only = TRUE)
  }
}

python_name <- function() {
  found <- tryCatch(reticulate::py_config()$python, error = function(e) NULL)
  if (is.null(found)) "any Python that reticulate found" else found
}

# Two functions go before keras3's and return the same in less memory. On Binder
# the notebook about MNIST would otherwise end the kernel.
attach_sparing <- function() {
  name <- "sidebyside:sparing"
  if (!name %in% search()) {
    attach(list(array_reshape = array_reshape, fit = sparing_fit),
      name = name, warn.conflicts = FALSE
    )
  }
}

# keras3 makes a copy of whole numbers with the rows first. TensorFlow makes
# another copy, whatever the order, so a view of R's memory is enough.
sparing_fit <- function(object, x, ...) {
  fit <- getExportedValue("keras3", "fit")
  if (missing(x)) {
    return(fit(object, ...))
  }
  if (is.integer(x) && is.array(x)) {
    x <- reticulate::r_to_py(x)
  }
  fit(object, x, ...)
}

# The dialect has its own environment on the search path, as keras3 would. This
# package does not export its functions: they would hide those of an installed
# keras3.
attach_dialect <- function() {
  state$keras <- load_keras()
  functions <- new.env()
  list2env(generated_functions(), functions)
  list2env(written_functions(), functions)
  also <- mget(second_names, functions)
  list2env(stats::setNames(also, names(second_names)), functions)
  list2env(missing_functions(names(functions)), functions)
  list2env(help_functions(), functions)
  register_methods()
  name <- search_name
  if (name %in% search()) {
    detach(name, character.only = TRUE)
  }
  # After the package: detach() notes the package's place on the search path
  # before it calls .onDetach(), so this place must not move.
  package <- match("package:sidebyside", search(), nomatch = 1L)
  place <- attach(
    functions,
    pos = package + 1L, name = name, warn.conflicts = FALSE
  )
  promise_operations(
    setdiff(describer()$tensor_functions(), names(functions)), place
  )
}

# If the Python companion is installed, it loads Keras and hides TensorFlow's
# remarks.
load_keras <- function() {
  if (reticulate::py_module_available("sidebyside")) {
    companion("sidebyside.kernel.quiet")$load_keras()
  } else {
    import("keras")
  }
}

keras_module <- function() {
  if (is.null(state$keras)) {
    state$keras <- load_keras()
  }
  state$keras
}
