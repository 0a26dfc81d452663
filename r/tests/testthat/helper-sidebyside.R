# The tests are for both dialects, keras3's and the companion's, unless they
# call skip_with_keras3().
library(sidebyside)

# TensorFlow would warn about the many small functions that it traces here.
reticulate::import("tensorflow")$get_logger()$setLevel("ERROR")

skip_with_keras3 <- function(because) {
  skip_if(dialect() == "keras3", because)
}

# Runs Python code with R's values under their names and returns the variable
# `result`. Matrices and arrays arrive as Keras needs them: float32, rows first.
python <- function(code, ...) {
  main <- reticulate::import_main(convert = FALSE)
  values <- list(...)
  for (name in names(values)) {
    main[[name]] <- reticulate::r_to_py(values[[name]])
  }
  reticulate::py_run_string("import keras, numpy as np")
  reticulate::py_run_string(code)
  reticulate::py_to_r(main[["result"]])
}

# Three clusters of points that a small network tells apart.
clusters <- function(n = 90, seed = 1) {
  set.seed(seed)
  class <- rep_len(0:2, n)
  x <- matrix(rnorm(n * 4), n) + class
  list(x = x, class = class, onehot = diag(3)[class + 1, ])
}

small_model <- function(units = 3L, features = 4L, activation = "softmax") {
  model <- keras_model_sequential(input_shape = features)
  model |>
    layer_dense(units = 5, activation = "relu", name = "hidden") |>
    layer_dense(units = units, activation = activation, name = "last")
  model
}

# Runs eagerly, because building TensorFlow's graph takes longer than the rest.
compiled_model <- function(..., loss = "categorical_crossentropy",
                           optimizer = "sgd", run_eagerly = TRUE) {
  model <- small_model()
  model |> compile(
    loss = loss, optimizer = optimizer, run_eagerly = run_eagerly, ...
  )
  model
}

# The printed output of a plot that is drawn on a null device.
drawn <- function(code) {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  force(code)
}

temporary_file <- function(extension) {
  tempfile("sidebyside", fileext = extension)
}

shape_of <- function(tensor) {
  shape <- tensor$shape
  if (inherits(shape, "python.builtin.object")) shape$as_list() else shape
}

is_a <- function(x, class) {
  reticulate::py_to_r(
    reticulate::import_builtins()$isinstance(
      x, reticulate::py_eval(class, convert = FALSE)
    )
  )
}
