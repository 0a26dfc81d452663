# library(sidebyside): keras3 if it is there, the companion's dialect if not.

search_name <- "sidebyside:dialect"

#' Which dialect answers keras3's calls?
#'
#' @description
#' The notebooks' R cells are written in keras3's language. `dialect()` says
#' who answers: `"keras3"`, the R package, when it is installed, or
#' `"companion"`, this package's own functions on reticulate alone, generated
#' from the classes and signatures of the Keras that Python has.
#'
#' The environment variable `SIDEBYSIDE_DIALECT`, set to `"keras3"` or
#' `"companion"` before `library(sidebyside)`, chooses one of the two.
#'
#' @details
#' The companion has sequential and functional models, every `layer_*()`,
#' `optimizer_*()`, `loss_*()`, `metric_*()`, `callback_*()`, `activation_*()`,
#' `initializer_*()`, `regularizer_*()`, `constraint_*()`, `application_*()`,
#' `learning_rate_schedule_*()`, `config_*()`, `op_*()` and `random_*()`
#' function that has a Python class or function behind it, `compile()`,
#' `fit()`, `evaluate()`, `predict()`, `summary()`, `plot()` of a history,
#' saving, loading, weights and the small utilities, and classes written in R:
#' `Callback()`, `Layer()`, `Model()`, `Metric()`, `Loss()`, `Constraint()`,
#' `new_learning_rate_schedule_class()`. Names, argument names, order and
#' defaults are keras3's, whole numbers become integers where Keras wants them,
#' and axes count from one. `?layer_dense`, `help("fit")` and `??dense` show
#' what Keras itself says of a function, with R's arguments; keras3's reference
#' is at <https://keras3.posit.co/reference/>. What only keras3 has gives an
#' error that names the function. `library(keras3)` says who answers, and
#' `keras3::layer_dense()` is answered as well.
#'
#' TensorFlow's tensors and variables behave like R's arrays, as with the R
#' package tensorflow: arithmetic, comparison and mathematics, `sum()` and its
#' like with `axis =`, `[` counted from one (negative numbers from the end),
#' `dim()`, `length()`, `as.array()` and its like, `t()`, `aperm()`, `rbind()`,
#' `cbind()`. Beside a tensor an R number takes the tensor's type. R has S3
#' methods for `%*%` since 4.3; before, the dialect's own `%*%` stands before
#' R's and passes to it what is no tensor. (With keras3, `%*%` of tensors needs
#' R 4.3; `op_matmul()` always works.)
#'
#' @return A string, `"keras3"` or `"companion"`.
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
  # Loading, not looking: a keras3 that is installed but cannot be loaded
  # (its reticulate is too old, say) is of no use.
  if (requireNamespace("keras3", quietly = TRUE)) "keras3" else "companion"
}

# `make setup` puts this package into <environment>/r-library. The Python of
# that environment is then the one that is meant, unless the reader chose.
python_beside <- function(library_path) {
  beside <- file.path(dirname(library_path), "bin", "python")
  if (basename(library_path) == "r-library" && file.exists(beside)) beside
}

.onLoad <- function(libname, pkgname) {
  beside <- python_beside(libname)
  if (!is.null(beside) && !nzchar(Sys.getenv("RETICULATE_PYTHON"))) {
    Sys.setenv(RETICULATE_PYTHON = beside)
  }
  # TensorFlow's remarks would stand in every first cell; at "2" one is left
  # that sounds like a failure and is none (see rsession.py).
  if (!nzchar(Sys.getenv("TF_CPP_MIN_LOG_LEVEL"))) {
    Sys.setenv(TF_CPP_MIN_LOG_LEVEL = "3")
  }
}

.onAttach <- function(libname, pkgname) {
  if (dialect() == "keras3") {
    suppressPackageStartupMessages(
      library("keras3", character.only = TRUE, warn.conflicts = FALSE)
    )
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

# Why the dialect could not be attached; "" if it was.
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

# The dialect stands on the search path in an environment of its own, as
# keras3 would, and not among this package's exports: with keras3 installed
# it must not hide keras3's functions.
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
  # Behind the package and not before it: detach() notes the package's place
  # on the search path before it calls .onDetach().
  package <- match("package:sidebyside", search(), nomatch = 1L)
  place <- attach(
    functions,
    pos = package + 1L, name = name, warn.conflicts = FALSE
  )
  promise_operations(
    setdiff(describer()$tensor_functions(), names(functions)), place
  )
}

# The Python companion, where it is, loads Keras without TensorFlow's remarks
# on the screen.
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
