# Classes written in R, as in keras3: Callback(), Layer(), Model() and others.
#
# The R functions become methods of a Python class that inherits from a class of
# Keras. A method sees its arguments and
# - `self`, the Python object;
# - `super`, the methods of the parent class: `super$initialize(...)`;
# - `private`, an R environment that belongs to the object. Python does not see
#   it.

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

# Makes a function such as Layer(). Its first arguments are the methods that are
# used most often. `prepare` is applied to the list of all members.
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

# In R, epochs and batches count from one. Methods that do not count receive
# only `logs`. We drop methods that are NULL, because Keras would call them.
prepare_callback <- function(members) {
  is_none <- startsWith(names(members), "on_") & vapply(members, is.null, NA)
  members <- members[!is_none]
  counted <- grepl("^on_(.*_)?(epoch|batch)_(begin|end)$", names(members))
  logged <- names(members) %in% callback_methods & !counted
  members[counted] <- lapply(members[counted], decorate, "counted")
  members[logged] <- lapply(members[logged], decorate, "logged")
  members
}

# Keras calls a constraint or a schedule directly, not its method `call`.
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

#' The old way to write a custom model
#'
#' `keras_model_custom()` was a function of the old R package keras; keras3 does
#' not have it. Here it stops with an error that shows what to write today.
#'
#' @param model_fn,name The arguments of the old function; they are ignored.
#' @return Nothing, because it always stops.
#' @section Errors:
#' Always: the message names the successor, `Model()`, with an example.
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
    stop("active_property() got an object of class ", class(fn)[1], ", ",
      "expected a function.",
      call. = FALSE
    )
  }
  decorate(fn, "property")
}

# ---- making a class ---------------------------------------------------------

# Joins the named arguments, `...` and `public`. If a name occurs twice, the
# later one wins. Among the named arguments NULL means "not given".
join_members <- function(named, others, public) {
  members <- Filter(Negate(is.null), named)
  more <- c(others, public)
  unnamed <- !nzchar(names_or_blank(more))
  if (any(unnamed)) {
    stop("A member of the class has no name. Write name = value.",
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

# Makes the function that creates objects of the new class. With `composing`,
# its first argument is the model or the tensor to which the layer is added.
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

# Methods that have different names in R6 and in Python.
python_names <- c(initialize = "__init__", finalize = "__del__")

python_class <- function(classname, members, private, inherit, parent_env) {
  bases <- lapply(as_plain_list(inherit), as_python_class)
  space <- method_space(classname, private, parent_env)
  for (r_name in names(python_names)) {
    name <- python_names[[r_name]]
    if (all(c(r_name, name) %in% names(members))) {
      stop("The class has both `", r_name, "` and `", name, "`. Keep one of ",
        "them.",
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

# reticulate would turn an empty R list into a Python list, not a dictionary.
as_dictionary <- function(x) {
  if (length(x)) x else reticulate::dict()
}

as_python_class <- function(x) {
  x <- as_keras(x)
  if (inherits(x, "R6ClassGenerator")) {
    x <- generator_to_python(x)
  }
  if (!inherits(x, "python.builtin.type")) {
    stop("A class cannot inherit from an object of class ", class(x)[1], ". ",
      "Give a Python class, or a function that makes objects of one, such as ",
      "layer_dense.",
      call. = FALSE
    )
  }
  x
}

# The same name as in keras3. R shows it as the class of the object.
module_name <- function(env) {
  top <- topenv(env)
  name <- if (isNamespace(top)) paste0("namespace:", getNamespaceName(top))
  sprintf("<r-%s>", if (is.null(name)) "globalenv" else name)
}

# ---- methods ----------------------------------------------------------------

# The enclosing environment of a class's methods. It holds `super` and the like;
# its parent is the environment in which the class was written.
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

# `super$initialize` refers to the `self` of the method in which it is written.
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
  # A weak reference: otherwise the object would stay in memory until R ends.
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

# A Python object cannot hold an R environment. It holds a number instead, and
# this table has the environment for each number.
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
  # An argument called `private` belongs to the method and stays as it is.
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

# Defaults that can be computed now are passed to Python. The others (`lazy`)
# depend on the call, so R computes them.
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

# The function that Python calls for a method. In R its name is the label, so
# that errors and warnings show it: "Error in `Counter$on_epoch_end`(...)".
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

# An error in a method goes to Python as an exception and comes back to R as a
# Python error. Python does not know R's condition and calls, so we keep them.
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
#' With this class you write a callback as an R6 class, as in the old R package
#' keras: make a class with [R6::R6Class()] that inherits from `KerasCallback`,
#' and give an object of it to `fit(callbacks = )`. keras3 has `Callback()`
#' instead. `KerasCallback` also works together with keras3.
#'
#' @details
#' You can write these methods: `on_train_begin(logs)`, `on_train_end(logs)`,
#' `on_epoch_begin(epoch, logs)`, `on_epoch_end(epoch, logs)`,
#' `on_train_batch_begin(batch, logs)` and `on_train_batch_end(batch, logs)`
#' (older names: `on_batch_begin` and `on_batch_end`), and the same with `test`
#' or `predict` in place of `train`. `logs` is a named list of numbers (the loss
#' and the metrics), or `NULL`. Methods that you do not write are never called.
#'
#' Epochs and batches count from zero, as in the old package and in Python. In
#' keras3's `Callback()` they count from one. The fields `params` (a list:
#' `epochs`, `steps`, `verbose`) and `model` are set when training, evaluation
#' or prediction begins.
#'
#' @section Errors:
#' An error in a method stops the training; the message names the method.
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

# Always registered, so that keras3's fit() accepts these objects, too.
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

# Turns an R6 class that inherits from a Python class into a Python class.
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

# After `self$model$stop_training <- TRUE` R also assigns self$model to itself.
# Python does not allow this, so we skip it.
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

# Calling a layer or a model with a sequential model adds it to that model, as
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

# An initializer that accepts a shape of R numbers.
initializer_to_r <- function(x) {
  force(x)
  function(shape, ...) do.call(x, c(list(as_shape(shape)), listed(...)))
}
