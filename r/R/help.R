# Help for the dialect's functions: Keras's docstrings as R help pages,
# formatted by R's own tools. R's own help() answers for everything else.

# The Python object behind each function that is written in R. Functions that
# are made from Keras's signatures know theirs.
keras_sources <- c(
  adapt = "keras.layers.TextVectorization.adapt",
  application_preprocess_inputs = "keras.applications.vgg16.preprocess_input",
  Callback = "keras.callbacks.Callback",
  clone_model = "keras.models.clone_model",
  compile = "keras.Model.compile",
  Constraint = "keras.constraints.Constraint",
  count_params = "keras.Model.count_params",
  evaluate = "keras.Model.evaluate",
  fit = "keras.Model.fit",
  from_config = "keras.Model.from_config",
  get_config = "keras.Layer.get_config",
  get_custom_objects = "keras.saving.get_custom_objects",
  get_layer = "keras.Model.get_layer",
  get_vocabulary = "keras.layers.TextVectorization.get_vocabulary",
  get_weights = "keras.Layer.get_weights",
  imagenet_preprocess_input =
    "keras.applications.imagenet_utils.preprocess_input",
  keras_input = "keras.Input",
  keras_model = "keras.Model",
  keras_model_sequential = "keras.Sequential",
  keras_variable = "keras.Variable",
  Layer = "keras.layers.Layer",
  load_model = "keras.saving.load_model",
  load_model_config = "keras.models.model_from_json",
  load_model_weights = "keras.Model.load_weights",
  Loss = "keras.losses.Loss",
  Metric = "keras.metrics.Metric",
  Model = "keras.Model",
  new_learning_rate_schedule_class =
    "keras.optimizers.schedules.LearningRateSchedule",
  op_convert_to_array = "keras.ops.convert_to_numpy",
  pop_layer = "keras.Sequential.pop",
  predict = "keras.Model.predict",
  predict_on_batch = "keras.Model.predict_on_batch",
  register_keras_serializable = "keras.saving.register_keras_serializable",
  reset_state = "keras.metrics.Metric.reset_state",
  save_model = "keras.saving.save_model",
  save_model_config = "keras.Model.to_json",
  save_model_weights = "keras.Model.save_weights",
  set_random_seed = "keras.utils.set_random_seed",
  set_vocabulary = "keras.layers.TextVectorization.set_vocabulary",
  set_weights = "keras.Layer.set_weights",
  summary = "keras.Model.summary",
  test_on_batch = "keras.Model.test_on_batch",
  to_categorical = "keras.utils.to_categorical",
  train_on_batch = "keras.Model.train_on_batch",
  with_custom_object_scope = "keras.saving.CustomObjectScope"
)

# Our own descriptions, where Keras has none or where Keras's is not true in R.
own_words <- c(
  active_property = paste(
    "Makes a property of a method of a class written in R: you read and set",
    "it like a value, without calling it."
  ),
  all_dims = paste(
    "Stands for all dimensions that are left, between the brackets of a",
    "tensor: x[all_dims(), 1] takes the first element of the last dimension."
  ),
  array_reshape = paste(
    "Changes the dimensions of an array. The elements are read row by row, as",
    "in Python, and not column by column as with dim<-."
  ),
  as_tensor = "Makes a tensor from numbers, an array or another tensor.",
  custom_metric = paste(
    "Gives a name to an R function of y_true and y_pred. The metric is",
    "reported under this name."
  ),
  freeze_weights = paste(
    "Keeps the weights of a model, or of some of its layers, unchanged during",
    "training. Compile the model afterwards."
  ),
  keras = "The Python module keras: keras$layers$Dense is Keras's own class.",
  mark_active = "Another name of active_property().",
  named_list = paste(
    "Makes a list as list() does. A value without a name gets the name of its",
    "variable."
  ),
  newaxis = "A new dimension of size one, between the brackets of a tensor.",
  op_subset = paste(
    "Takes elements of a tensor, like x[...]. Positions count from one;",
    "negative positions count from the end."
  ),
  random_dropout = paste(
    "Sets some elements of a tensor to zero at random, and divides the others",
    "by 1 - rate."
  ),
  shape = paste(
    "Returns the shape of a tensor or of an array, or makes a shape from",
    "sizes. NA or NULL means any size."
  ),
  unfreeze_weights = paste(
    "Allows training to change the weights of a model, or of some of its",
    "layers, again. Compile the model afterwards."
  ),
  zip_lists = paste(
    "Joins several lists element by element: the first elements of all lists,",
    "then the second, and so on. Elements are matched by their names."
  )
)

layer_object <- paste(
  "A sequential model or a tensor. The layer is added to the model, or called",
  "with the tensor. If missing, the function returns the layer itself."
)

makes_a_class <- paste(
  "The function makes a class that inherits from the Keras class. Its methods",
  "are written in R. In a method, self, super and private work as in R6."
)

# Arguments that keras3 has in addition to those of Python.
argument_words <- c(
  classname = "A string, the name of the class.",
  convert = "TRUE to return R's arrays, FALSE to return NumPy's.",
  object = "A model or a layer of Keras.",
  parent_env = "The environment in which the methods look up other names.",
  private = "A list of methods and values that only the class's methods see.",
  public = "A list of further methods and values.",
  dtype = "A string, the type of the numbers.",
  inherit = "The class to inherit from, in place of Keras's own.",
  inputs = "The tensors that the layer is called with.",
  name = "A string, a name.",
  seed = "A whole number from which random numbers start.",
  y_pred = "The predictions of the model.",
  y_true = "The true values.",
  zero_indexed = "If TRUE, positions count from zero, as in Python.",
  ... = "Further arguments, by name, as in Python."
)

method_definitions <- function() {
  list(
    compile = compile_model, evaluate = evaluate_model, fit = fit_model,
    predict = predict_model, summary = format_model
  )
}

docstrings <- function() {
  reticulate::import_from_path(
    "sidebyside_help",
    path = system.file("python", package = "sidebyside")
  )
}

# The Python object behind each function of the dialect, by R name.
python_paths <- function() {
  if (is.null(state$paths)) {
    paths <- c(unlist(describer()$python_paths()), keras_sources)
    paths[names(second_names)] <- paths[second_names]
    state$paths <- paths[!is.na(paths)]
  }
  state$paths
}

has_help <- function(name) {
  known <- c(names(python_paths()), names(own_words), keras3_only)
  length(name) == 1 && name %in% known
}

# ---- a page -----------------------------------------------------------------

help_rd <- function(name) {
  paths <- python_paths()
  path <- if (!name %in% c(names(own_words), keras3_only)) paths[name]
  parts <- if (is.null(path) || is.na(path)) {
    described_here(name)
  } else {
    r_names <- paths[!duplicated(paths)]
    docstrings()$page(
      unname(path), as.list(stats::setNames(names(r_names), r_names))
    )
  }
  definition <- method_definitions()[[name]]
  if (is.null(definition) && !name %in% keras3_only) {
    definition <- get(name, envir = as.environment(search_name))
  }
  if (is.function(definition) && "classname" %in% names(formals(definition))) {
    parts$description <- paste(parts$description, makes_a_class, sep = "\n\n")
  }
  section <- function(heading, text) {
    if (nzchar(text)) sprintf("\\section{%s}{\n%s\n}", heading, text)
  }
  paste(c(
    # From R 4.5 on, the heading of the page is an alias.
    sprintf("\\name{%1$s}\\alias{%1$s}\\title{%2$s}", as_rd(name), parts$title),
    sprintf("\\description{\n%s\n}", parts$description),
    if (is.function(definition)) {
      c(
        sprintf("\\usage{\n%s\n}", as_rd(usage(name, definition))),
        described_arguments(definition, parts$arguments)
      )
    },
    sprintf("\\%s{%s\n}", names(parts$standard), parts$standard),
    lapply(parts$sections, function(x) section(x[[1]], x[[2]])),
    section("Examples, in Python", parts$examples),
    sprintf("\\seealso{\n%s\n}", as_rd(see_also(name, path)))
  ), collapse = "\n")
}

as_rd <- function(text) gsub("([\\%{}])", "\\\\\\1", text)

described_here <- function(name) {
  text <- own_words[name]
  if (is.na(text)) {
    text <- paste0(
      "The companion's dialect does not have ", name, "(), which is a ",
      "function of the R package keras3."
    )
  }
  title <- sub("[.:] .*|[.]$", "", text)
  list(
    title = as_rd(title), description = as_rd(text), arguments = list(),
    standard = list(), sections = list(), examples = ""
  )
}

usage <- function(name, definition) {
  defaults <- formals(args(definition))
  written <- vapply(defaults, deparse1, "")
  written <- paste0(
    names(defaults), ifelse(nzchar(written), " = ", ""), written
  )
  # No line break between an argument and its default.
  joined <- gsub(" ", "\u00a0", written)
  call <- if (make.names(name) == name) name else paste0("`", name, "`")
  lines <- strwrap(
    paste0(call, "(", paste(joined, collapse = ", "), ")"),
    width = getOption("width") - 5, exdent = nchar(call) + 1
  )
  paste(c(
    if (name %in% names(method_definitions())) "## For a model of Keras",
    gsub("\u00a0", " ", lines)
  ), collapse = "\n")
}

described_arguments <- function(definition, described) {
  row <- environment(definition)$.dialect_row
  names <- names(formals(args(definition)))
  python <- names
  known <- match(names, row$r_names)
  python[!is.na(known)] <- row$py_names[known[!is.na(known)]]
  python[names == "..."] <- "kwargs"
  items <- Map(function(name, python) {
    text <- described[[python]]
    if (name == "object" && identical(row$style, "layer")) {
      text <- layer_object
    } else if (is.null(text) && name %in% names(argument_words)) {
      text <- argument_words[[name]]
    } else if (is.null(text) && "classname" %in% names) {
      text <- "An R function: the method of this name."
    }
    if (!is.null(text) && isTRUE(row$kinds[name] == "axis")) {
      text <- paste(
        text, "(In R axes count from one: axis 1 of Python is axis 2.)"
      )
    }
    if (!is.null(text)) {
      sprintf("\\item{%s}{%s}", if (name == "...") "\\dots" else name, text)
    }
  }, names, python)
  items <- unlist(items)
  if (length(items)) {
    sprintf("\\arguments{\n%s\n}", paste(items, collapse = "\n"))
  }
}

see_also <- function(name, path) {
  page <- paste0("https://keras3.posit.co/reference/", name, ".html")
  elsewhere <- names(Filter(
    function(package) name %in% getNamespaceExports(package),
    c(base = "base", stats = "stats")
  ))
  paste0(
    if (!is.null(path) && !is.na(path)) paste0(path, " in Python; "),
    "keras3's page ", page,
    if (length(elsewhere)) {
      sprintf("; R's own help: help(%s, package = \"%s\")", name, elsewhere[1])
    },
    "."
  )
}

# ---- showing it -------------------------------------------------------------

help_lines <- function(name) {
  before <- help_as_wide_as_text()
  source <- textConnection(enc2utf8(help_rd(name)), encoding = "UTF-8")
  on.exit({
    close(source)
    do.call(tools::Rd2txt_options, before)
  })
  page <- tools::parse_Rd(source, encoding = "UTF-8")
  utils::capture.output(tools::Rd2txt(page, package = "sidebyside"))
}

# By default help pages are for 80 columns, of which Rd2txt() fills nine tenths,
# and titles are underlined as for a terminal.
help_as_wide_as_text <- function() {
  tools::Rd2txt_options(
    underline_titles = FALSE, width = round(getOption("width") / 0.9)
  )
}

#' @export
print.sidebyside_help <- function(x, ...) {
  lines <- x$lines()
  if (length(lines)) show_text(lines, x$title)
  if (!is.null(x$further)) print(x$further)
  invisible(x)
}

# Shows lines in R's pager, whichever it is.
show_text <- function(lines, title) {
  file <- tempfile("Rtxt")
  writeLines(lines, file)
  file.show(file, title = title, delete.file = TRUE)
}

dialect_help <- function(name) {
  structure(
    list(
      lines = function() help_lines(name),
      title = paste("R Help on", sQuote(name))
    ),
    class = "sidebyside_help"
  )
}

# Lists the functions whose name or title matches, as help(package = ) does.
dialect_index <- function(pattern = "") {
  paths <- python_paths()
  titles <- c(unlist(docstrings()$titles(as.list(paths))), own_words)
  titles <- titles[!duplicated(names(titles))]
  titles <- titles[order(names(titles))]
  found <- grepl(pattern, names(titles), ignore.case = TRUE) |
    grepl(pattern, titles, ignore.case = TRUE)
  formatDL(names(titles)[found], titles[found], indent = 28)
}

dialect_search <- function(pattern, further = NULL) {
  lines <- dialect_index(pattern)
  heading <- if (nzchar(pattern)) paste(" that match", dQuote(pattern))
  heading <- paste0("Functions of the companion's dialect", heading)
  structure(
    list(
      lines = function() if (length(lines)) c(heading, "", lines, ""),
      title = "Search results",
      further = further
    ),
    class = "sidebyside_help"
  )
}

# ---- R's own functions, extended to the dialect's names ---------------------

# They are on the search path only together with the dialect: if keras3 is
# installed, R's help shows keras3's own pages.
help_functions <- function() {
  list(
    `?` = question_mark, `::` = member_of_package, example = dialect_example,
    help = help_on, help.search = search_help, library = library_or_dialect,
    require = require_or_dialect
  )
}

# Repeats the call with R's own function, under its own name, because errors
# show this name.
pass_on <- function(name, original, call, frame) {
  call[[1]] <- as.name(name)
  eval(call, stats::setNames(list(original), name), frame)
}

# Reads a topic as help() does: a name, a string, or a variable with a string.
topic_of <- function(expression, frame) {
  value <- tryCatch(eval(expression, frame), error = function(e) NULL)
  if (is.character(value) && length(value) == 1) value else named(expression)
}

# The name of the function in f, "f", f(x), keras3::f or keras3::f(x).
named <- function(expression) {
  if (is.call(expression)) {
    head <- expression[[1]]
    ours <- is_name(head, c("::", ":::")) &&
      as.character(expression[[2]]) %in% c("keras3", "sidebyside")
    if (ours) {
      as.character(expression[[3]])
    } else if (is.name(head) && has_help(as.character(head))) {
      as.character(head)
    } else if (is.call(head)) {
      named(head)
    }
  } else if (is.name(expression) || is.character(expression)) {
    as.character(expression)
  }
}

is_name <- function(x, among) is.name(x) && as.character(x) %in% among

question_mark <- function(e1, e2) {
  asked <- substitute(e1)
  name <- named(asked)
  if (missing(e2) && !is.null(name) && has_help(name)) {
    return(dialect_help(name))
  }
  searched <- if (is.call(asked) && is_name(asked[[1]], "?")) asked[[2]]
  pattern <- if (missing(e2)) named(searched)
  if (!is.null(pattern)) {
    return(search_help(pattern))
  }
  pass_on("?", utils::`?`, sys.call(), parent.frame())
}

help_on <- function(topic, package = NULL, ...) {
  if (!missing(package)) {
    package <- topic_of(substitute(package), parent.frame())
  }
  here <- is.null(package) || package %in% c("keras3", "sidebyside")
  if (missing(topic) && identical(package, "keras3") && !has_keras3()) {
    return(dialect_search(""))
  }
  name <- if (!missing(topic)) topic_of(substitute(topic), parent.frame())
  if (here && !is.null(name) && has_help(name)) {
    return(dialect_help(name))
  }
  pass_on("help", utils::help, sys.call(), parent.frame())
}

search_help <- function(pattern, ...) {
  further <- utils::help.search(pattern, ...)
  if (missing(pattern)) further else dialect_search(pattern, further)
}

dialect_example <- function(topic, ...) {
  name <- if (!missing(topic)) topic_of(substitute(topic), parent.frame())
  if (is.null(name) || !has_help(name)) {
    return(pass_on("example", utils::example, sys.call(), parent.frame()))
  }
  path <- python_paths()[name]
  code <- if (!is.na(path)) docstrings()$example(unname(path)) else ""
  if (nzchar(code)) {
    writeLines(c(
      paste0("The example of ", name, "() is written in Python, so R does not ",
        "run it."
      ), "", code
    ))
  } else {
    writeLines(paste0("There is no example of ", name, "(). See ?", name, "."))
  }
  invisible()
}

# Removes pages that only say that a package re-exports a function from what R's
# help() found. For fit() and similar functions keras3 has a page for its
# method, which R does not find under the function's name.
without_reexports <- function(found) {
  is_own <- basename(found) != "reexports"
  if ("keras3" %in% basename(dirname(dirname(found[!is_own])))) {
    method <- paste0(attr(found, "topic"), ".keras.src.models.model.Model")
    page <- utils::help((method), package = "keras3")
    if (length(page)) {
      return(page)
    }
  }
  if (all(is_own) || !any(is_own)) {
    return(found)
  }
  do.call(structure, c(list(found[is_own]), attributes(found)))
}

# ---- library(keras3) without keras3 -----------------------------------------

has_keras3 <- function() nzchar(system.file(package = "keras3"))

# Does a call of library() or require() ask for keras3, which is not installed?
asks_for_keras3 <- function(call, frame) {
  matched <- match.call(base::library, call)
  package <- matched$package
  if (isTRUE(eval(matched$character.only, frame))) {
    package <- eval(package, frame)
  }
  identical(as.character(package), "keras3") && !has_keras3()
}

say_who_answers <- function() {
  packageStartupMessage(
    "keras3 is not installed. The companion's dialect takes its place, see ",
    "?dialect."
  )
}

library_or_dialect <- function(package, help, ...) {
  if (!missing(package) && asks_for_keras3(sys.call(), parent.frame())) {
    say_who_answers()
    return(invisible(.packages()))
  }
  pass_on("library", base::library, sys.call(), parent.frame())
}

require_or_dialect <- function(package, ...) {
  if (asks_for_keras3(sys.call(), parent.frame())) {
    say_who_answers()
    return(invisible(TRUE))
  }
  pass_on("require", base::require, sys.call(), parent.frame())
}

# Makes keras3::layer_dense() work in code that was written for keras3.
member_of_package <- function(pkg, name) {
  package <- as.character(substitute(pkg))
  name <- as.character(substitute(name))
  if (package == "keras3" && !has_keras3()) {
    get(name, envir = as.environment(search_name))
  } else {
    getExportedValue(package, name)
  }
}
