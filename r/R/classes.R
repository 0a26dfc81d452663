# Classes written in R: Callback(), Layer(), Model() and their like, as keras3
# has them.
#
# The R functions become methods of a Python class that inherits from Keras's.
# Within a method there are, beside its arguments,
# - `self`, the Python object;
# - `super`, for the methods of the class above: `super$initialize(...)`;
# - `private`, an environment of R that belongs to the object and that Python
#   does not see.

# ---- the families -----------------------------------------------------------

callback_methods <- paste0(
  "on_",
  c(
    "epoch_begin", "epoch_end", "train_begin", "train_end",
    "train_batch_begin", "train_batch_end", "test_begin", "test_end",
    "test_batch_begin", "test_batch_end", "predict_begin", "predict_end",
    "predict_batch_begin", "predict_batch_end"
  )
)

# A function that makes classes of a family. Its first arguments are the methods
# that are written most; `prepare` is for all members.
family <- function(above, methods, prepare = identity, composing = FALSE) {
  made <- function() NULL
  formals(made) <- c(
    formals(function(classname) NULL),
    stats::setNames(rep(list(NULL), length(methods)), methods),
    formals(function(..., public = list(), private = list(), inherit = NULL,
                     parent_env = parent.frame()) {
    })
  )
  body(made) <- quote({
    members <- join_members(mget(methods), listed(...), public)
    class_function(
      classname, prepare(members), private, inherit, above, parent_env,
      composing
    )
  })
  made
}

# Epochs and batches count from one in R, and the others get `logs`. Keras would
# call a method that is None.
prepare_callback <- function(members) {
  is_none <- startsWith(names(members), "on_") & vapply(members, is.null, NA)
  members <- members[!is_none]
  counted <- grepl("^on_(.*_)?(epoch|batch)_(begin|end)$", names(members))
  logged <- names(members) %in% callback_methods & !counted
  members[counted] <- lapply(members[counted], decorate, "counted")
  members[logged] <- lapply(members[logged], decorate, "logged")
  members
}

# Constraints and schedules are called themselves, not their method `call`.
called_itself <- function(members) {
  if (!"__call__" %in% names(members)) {
    names(members)[names(members) == "call"] <- "__call__"
  }
  members
}

Callback <- family( # nolint: object_name_linter.
  "callbacks.Callback", callback_methods, prepare_callback
)
Layer <- family( # nolint: object_name_linter.
  "Layer", c("initialize", "call", "build", "get_config"),
  composing = TRUE
)
Model <- family("Model", c( # nolint: object_name_linter.
  "initialize", "call", "train_step", "predict_step", "test_step",
  "compute_loss", "compute_metrics"
))
Metric <- family( # nolint: object_name_linter.
  "Metric", c("initialize", "update_state", "result")
)
Loss <- family("Loss", "call") # nolint: object_name_linter.
Constraint <- family( # nolint: object_name_linter.
  "constraints.Constraint", c("call", "get_config"), called_itself
)
new_learning_rate_schedule_class <- family( # nolint: object_length_linter.
  "optimizers.schedules.LearningRateSchedule",
  c("call", "initialize", "get_config"), called_itself
)

#' The old way to a custom model
#'
#' `keras_model_custom()` was a function of the R package keras. It is here,
#' with either dialect, to say what to write today.
#'
#' @param model_fn,name What it once took.
#' @return Nothing: an error that names the successor, `Model()`.
#' @examples
#' try(keras_model_custom(function(self) NULL))
#' @export
keras_model_custom <- function(model_fn, name = NULL) {
  stop("keras_model_custom() was a function of the R package keras, before ",
    "keras3. Its successor is Model(), also called new_model_class():\n",
    "  MyModel <- Model(\"MyModel\", initialize = function() { ... },\n",
    "    call = function(inputs) { ... })\n",
    "  model <- MyModel()",
    call. = FALSE
  )
}

active_property <- function(fn) {
  if (!is.function(fn)) {
    stop("active_property() takes a function; found ", class(fn)[1], ".",
      call. = FALSE
    )
  }
  decorate(fn, "property")
}

# ---- making a class ---------------------------------------------------------

# The arguments with names of their own, then `...`, then `public`: who comes
# later wins. NULL is "not given" for the first.
join_members <- function(named, others, public) {
  members <- Filter(Negate(is.null), named)
  more <- c(others, public)
  unnamed <- !nzchar(names_or_blank(more))
  if (any(unnamed)) {
    stop("The members of a class must be named; found one without a name.",
      call. = FALSE
    )
  }
  for (name in names(more)) {
    members[name] <- more[name]
  }
  members
}

decorate <- function(f, decorator) {
  if (is.function(f) && !is_python(f)) {
    attr(f, "py_decorators") <- c(attr(f, "py_decorators"), decorator)
  }
  f
}

# A function that makes objects of the new class. A composing one first takes
# what the layer is added to.
class_function <- function(classname, members, private, inherit, above,
                           parent_env, composing = FALSE) {
  if (is.null(inherit)) {
    inherit <- python_object(paste0("keras.", above))
  }
  made <- python_class(classname, members, private, inherit, parent_env)
  initialize <- members$initialize
  if (is.null(initialize)) {
    initialize <- members$`__init__`
  }
  header <- if (is.null(initialize)) {
    formals(eval(str2lang(sprintf(
      "function(%s) NULL", describer()$initializer_arguments(made)
    ))))
  } else {
    formals(initialize)
  }
  header$self <- NULL
  enclosure <- new.env(parent = topenv())
  enclosure$.dialect_class <- made
  if (composing) {
    body <- quote({
      if (!missing(object)) force(object)
      layer <- instance_of(.dialect_class, given_arguments(but = "object"))
      compose(if (missing(object)) NULL else object, layer)
    })
    first <- formals(function(object) NULL)
    header <- c(first, header[names(header) != "object"])
  } else {
    body <- quote(instance_of(.dialect_class, given_arguments()))
  }
  as.function(c(header, list(body)), envir = enclosure)
}

instance_of <- function(class, given) {
  with_method_errors(do.call(class, lapply(given, as_keras)))
}

# Methods that R6 and Python call differently.
python_names <- c(initialize = "__init__", finalize = "__del__")

python_class <- function(classname, members, private, inherit, parent_env) {
  bases <- lapply(as_plain_list(inherit), as_python_class)
  space <- method_space(classname, private, parent_env)
  for (r_name in names(python_names)) {
    name <- python_names[[r_name]]
    if (all(c(r_name, name) %in% names(members))) {
      stop("A class has either `", r_name, "` or `", name, "`; found both.",
        call. = FALSE
      )
    }
    names(members)[names(members) == r_name] <- name
  }
  members <- Map(
    function(member, name) {
      if (is.function(member) && !is_python(member)) {
        python_method(member, name, space, classname)
      } else {
        member
      }
    },
    members, names(members)
  )
  made <- describer()$new_class(
    classname, bases, as_dictionary(members), module_name(parent_env)
  )
  space$`__class__` <- made
  space[[classname]] <- made
  made
}

# An empty list of R is a list in Python, and no dictionary.
as_dictionary <- function(x) {
  if (length(x)) x else reticulate::dict()
}

as_python_class <- function(x) {
  x <- as_keras(x)
  if (inherits(x, "R6ClassGenerator")) {
    x <- generator_to_python(x)
  }
  if (!inherits(x, "python.builtin.type")) {
    stop("A class inherits from a Python class, or from a function that makes ",
      "objects of one (layer_dense); found ", class(x)[1], ".",
      call. = FALSE
    )
  }
  x
}

# keras3 calls it so, and R shows it as the class of the object.
module_name <- function(env) {
  top <- topenv(env)
  name <- if (isNamespace(top)) paste0("namespace:", getNamespaceName(top))
  sprintf("<r-%s>", if (is.null(name)) "globalenv" else name)
}

# ---- methods ----------------------------------------------------------------

# Where the methods of a class find what is not theirs: between the functions
# and the environment in which the class was written.
method_space <- function(classname, private, parent_env) {
  space <- new.env(parent = parent_env)
  space$super <- structure(
    function(type = NULL, object_or_type = NULL) {
      super_object(
        if (is.null(type)) space$`__class__` else type,
        if (is.null(object_or_type)) {
          get("self", envir = parent.frame())
        } else {
          object_or_type
        }
      )
    },
    class = "sidebyside_super"
  )
  space$.private_of <- function(self) {
    private_environment(self, private, space)
  }
  space
}

super_object <- function(type, object) {
  structure(list(type = type, object = object), class = "sidebyside_super_of")
}

# `super$initialize` is looked up for the `self` of the method it stands in.
super_getter <- function(x, name) {
  super_member(do.call(unclass(x), list(), envir = parent.frame()), name)
}

super_member <- function(x, name) {
  x <- unclass(x)
  if (name %in% names(python_names)) {
    name <- python_names[[name]]
  }
  describer()$super_attribute(x$type, x$object, name)
}

private_environment <- function(self, members, space) {
  number <- describer()$private_number(self)
  if (!is.null(number)) {
    return(privates[[as.character(number)]])
  }
  private <- new.env(parent = emptyenv())
  inside <- new.env(parent = space)
  inside$private <- private
  # Not the object itself, which would then live as long as R.
  makeActiveBinding("self", caller_of(import("weakref")$ref(self)), inside)
  for (name in names(members)) {
    member <- members[[name]]
    if (is.function(member) && !is_python(member)) {
      environment(member) <- inside
    }
    if ("property" %in% attr(member, "py_decorators")) {
      makeActiveBinding(name, member, private)
    } else {
      private[[name]] <- member
    }
  }
  keep_private(self, private)
  private
}

caller_of <- function(f) {
  force(f)
  function() f()
}

# An environment of R has no place in a Python object: the object has a number,
# by which the environment is found here.
privates <- new.env(parent = emptyenv())

keep_private <- function(self, private) {
  state$last_private <- c(state$last_private, 0L)[1] + 1L
  number <- state$last_private
  gone <- describer()$keep_private(self, number)
  rm(list = as.character(unlist(gone)), envir = privates)
  privates[[as.character(number)]] <- private
}

python_method <- function(f, name, space, classname) {
  decorators <- attr(f, "py_decorators")
  if (name == "from_config" && !length(decorators)) {
    decorators <- "classmethod"
  }
  doc <- docstring(f)
  f <- in_space(f, space, decorators)
  header <- formals(f)
  label <- sprintf("%s$%s", classname, name)
  called <- reporting_function(f, label, returns = name != "__init__")
  defaults <- python_defaults(header, space)
  python <- describer()$method(
    called, name, as.list(names(header)), as_dictionary(defaults$known),
    as.list(defaults$lazy), doc
  )
  if ("counted" %in% decorators) {
    python <- describer()$counted_method(python, 1L)
  } else if ("logged" %in% decorators) {
    python <- describer()$log_method(python)
  }
  decorators <- setdiff(decorators, c("counted", "logged"))
  if (length(decorators)) {
    python <- describer()$decorated(python, as.list(decorators))
  }
  python
}

docstring <- function(f) {
  first <- if (is.call(body(f)) && identical(body(f)[[1]], quote(`{`)) &&
                 length(body(f)) > 2) {
    body(f)[[2]]
  }
  if (is.character(first)) first
}

in_space <- function(f, space, decorators) {
  first <- if ("classmethod" %in% decorators) {
    formals(function(cls) NULL)
  } else if (!"staticmethod" %in% decorators) {
    formals(function(self) NULL)
  }
  if (!is.null(first) && !identical(names(formals(f))[1], names(first))) {
    formals(f) <- c(first, formals(f))
  }
  # An argument called `private` is the caller's.
  arguments <- names(formals(f))
  if ("private" %in% all.names(body(f)) && "self" %in% arguments &&
        !"private" %in% arguments) {
    body(f) <- bquote({
      private <- .private_of(self)
      .(body(f))
    })
  }
  attributes(f) <- NULL
  environment(f) <- space
  f
}

# The defaults that Python can know, because they are the same in every call;
# the others are left to R.
python_defaults <- function(header, space) {
  is_required <- vapply(
    header, function(x) is.name(x) && !nzchar(as.character(x)), NA
  )
  header <- as.list(header)[!is_required]
  lazy <- character()
  known <- list()
  for (name in names(header)) {
    value <- tryCatch(
      list(eval(header[[name]], space)),
      error = function(e) NULL
    )
    if (is.null(value)) lazy <- c(lazy, name) else known[name] <- value
  }
  list(known = known, lazy = lazy)
}

# ---- errors -----------------------------------------------------------------

# A method as Python calls it. Within R it goes by its label, so that errors and
# warnings name it: "Error in `Counter$on_epoch_end`(...)".
reporting_function <- function(f, label, returns = TRUE) {
  here <- new.env(parent = topenv())
  here[[label]] <- f
  here$label <- label
  call <- as.call(list(as.name(label), quote(...)))
  as.function(
    c(formals(function(...) NULL), list(bquote({
      value <- withCallingHandlers(
        .(call),
        error = function(e) remember_error(e, label)
      )
      .(if (returns) quote(value))
    }))),
    envir = here
  )
}

# An error in a method goes to Python as an exception, and what comes back to R
# is Python's. What R knew, and Python does not, is kept for that moment.
remember_error <- function(error, label) {
  state$method_error <- list(
    error = error, label = label, calls = sys.calls()
  )
}

with_method_errors <- function(code) {
  state$method_error <- NULL
  tryCatch(code, error = function(problem) {
    inner <- state$method_error
    state$method_error <- NULL
    said <- if (!is.null(inner)) conditionMessage(inner$error)
    if (is.null(inner) ||
          !grepl(said, conditionMessage(problem), fixed = TRUE)) {
      stop(problem)
    }
    call <- conditionCall(inner$error)
    stop(structure(
      class = c("method_error", "error", "condition"),
      list(
        message = paste0(
          said, "\n(in the R method ", inner$label, "(), called from Python)"
        ),
        call = call, error = inner$error, calls = inner$calls,
        python = problem
      )
    ))
  })
}

# ---- R6 ---------------------------------------------------------------------

#' Callbacks as R6 classes
#'
#' @description
#' The class from which a callback inherits that is written with
#' [R6::R6Class()], as in the old R package keras: an object of a class that
#' inherits from it can stand in `fit(callbacks = )`. keras3 has `Callback()`
#' instead and this class no longer, so it is the companion's with either
#' dialect.
#'
#' @details
#' Methods that can be overridden: `on_train_begin(logs)`,
#' `on_train_end(logs)`, `on_epoch_begin(epoch, logs)`,
#' `on_epoch_end(epoch, logs)`, `on_train_batch_begin(batch, logs)` and
#' `on_train_batch_end(batch, logs)` (also under their older names
#' `on_batch_begin` and `on_batch_end`), and the same for `test` and `predict`.
#' `logs` is a named list, or `NULL`. Epochs and batches count from zero, as
#' they did in keras and do in Python; those of keras3's `Callback()` count
#' from one. A method that is not overridden is never called. The fields
#' `params` (a list: epochs, steps, verbose) and `model` are set when
#' training, evaluation or prediction begins.
#'
#' @examples
#' \dontrun{
#' LossHistory <- R6::R6Class("LossHistory",
#'   inherit = KerasCallback,
#'   public = list(
#'     losses = NULL,
#'     on_epoch_end = function(epoch, logs = NULL) {
#'       self$losses <- c(self$losses, logs$loss)
#'     }
#'   )
#' )
#' history <- LossHistory$new()
#' model |> fit(x, y, callbacks = list(history))
#' history$losses
#' }
#' @name KerasCallback
#' @export KerasCallback
NULL

r6_callback_methods <- c(callback_methods, "on_batch_begin", "on_batch_end")

KerasCallback <- R6::R6Class( # nolint: object_name_linter.
  "KerasCallback",
  public = c(
    list(
      params = NULL,
      model = NULL,
      set_context = function(params = NULL, model = NULL) {
        self$params <- params
        self$model <- model
      }
    ),
    lapply(
      stats::setNames(r6_callback_methods, r6_callback_methods),
      function(name) {
        if (grepl("epoch|batch", name)) {
          function(index, logs = NULL) NULL
        } else {
          function(logs = NULL) NULL
        }
      }
    )
  )
)

# Registered for good, so that keras3's fit() takes these objects, too.
#' @importFrom reticulate r_to_py
#' @method r_to_py KerasCallback
#' @export
r_to_py.KerasCallback <- function(x, convert = FALSE) {
  written <- Filter(
    function(name) !is.null(body(x[[name]])), r6_callback_methods
  )
  methods <- lapply(stats::setNames(written, written), function(name) {
    label <- sprintf("%s$%s", class(x)[1], name)
    reporting_function(x[[name]], label, returns = FALSE)
  })
  names(methods) <- sub("^on_batch_", "on_train_batch_", names(methods))
  set_context <- function(params, model) {
    x$set_context(params, model)
    NULL
  }
  describer()$r6_callback(as_dictionary(methods), set_context)
}

# An R6 class that inherits from a Python class becomes one.
generator_to_python <- function(x, convert = TRUE) {
  methods <- x$public_methods[names(x$public_methods) != "clone"]
  python_class(
    x$classname,
    c(x$public_fields, methods, lapply(x$active, active_property)),
    c(x$private_fields, x$private_methods),
    x$get_inherit(),
    x$parent_env
  )
}

# ---- registration -----------------------------------------------------------

register_class_methods <- function() {
  callback <- "keras.src.callbacks.callback.Callback"
  registerS3method("$<-", callback, callback_assign, baseenv())
  for (generic in c("$", "[[")) {
    registerS3method(generic, "sidebyside_super", super_getter, baseenv())
    registerS3method(generic, "sidebyside_super_of", super_member, baseenv())
  }
  reticulate <- asNamespace("reticulate")
  registerS3method(
    "r_to_py", "R6ClassGenerator", generator_to_python, reticulate
  )
  registerS3method(
    "py_to_r_wrapper", "keras.src.layers.layer.Layer", layer_to_r, reticulate
  )
  registerS3method(
    "py_to_r_wrapper", "keras.src.initializers.initializer.Initializer",
    initializer_to_r, reticulate
  )
  tracked <- c(TrackedDict = "dict", TrackedList = "list", TrackedSet = "list")
  for (name in names(tracked)) {
    local({
      type <- tracked[[name]]
      registerS3method(
        "py_to_r", paste0("keras.src.utils.tracking.", name),
        function(x) reticulate::import_builtins()[[type]](x),
        reticulate
      )
    })
  }
}

# `self$model$stop_training <- TRUE` ends with R setting self$model to what it
# already is, which Python does not allow.
callback_assign <- function(x, name, value) {
  if (name == "model" && is_same_object(value, x$model)) {
    return(x)
  }
  NextMethod()
}

is_same_object <- function(x, y) {
  is_python(x) && is_python(y) &&
    identical(reticulate::py_id(x), reticulate::py_id(y))
}

# A layer or a model that is called with a sequential model is added to it, as
# in keras3: model |> base().
layer_to_r <- function(x) {
  force(x)
  function(object, ...) {
    if (missing(object) || is.null(object)) {
      do.call(x, listed(...))
    } else {
      compose(object, x, ...)
    }
  }
}

# A shape of R's numbers.
initializer_to_r <- function(x) {
  force(x)
  function(shape, ...) do.call(x, c(list(as_shape(shape)), listed(...)))
}
