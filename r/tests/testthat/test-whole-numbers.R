# R writes 1 for both 1 and 1.0 of Python. These tests give a whole number to
# each numeric argument of Keras's classes and functions and use the object.
# Python does the same with 1.0, or with 1 if it refuses 1.0. Each day a third
# of the arguments is tried, and the difficult ones are tried every day.
exercise <- reticulate::import_from_path("exercise", ".", convert = FALSE)
rows <- sidebyside:::describer()$describe()
names(rows) <- vapply(rows, `[[`, "", "name")

# Arguments that a class or a function needs.
enough <- list(
  units = 2L, filters = 2L, kernel_size = 2L, rate = 0.5, stddev = 0.1,
  factor = 0.5, height = 4L, width = 4L, scale = 2.5, num_heads = 2L,
  key_dim = 2L, head_dim = 2L, num_query_heads = 2L, num_key_value_heads = 1L,
  input_dim = 4L, output_dim = 3L, n = 2L, dims = list(2L, 1L),
  target_shape = list(-1L, 2L), activation = "relu", num_bins = 3L,
  num_tokens = 4L, output_shape = list(NULL, 2L), equation = "ab,bc->ac",
  initial_learning_rate = 0.1, decay_steps = 10L, decay_rate = 0.5,
  boundaries = list(1L, 6L), values = list(0.1, 0.2, 0.3), num_classes = 2L,
  target_class_ids = list(0L), precision = 0.5, recall = 0.5,
  sensitivity = 0.5, specificity = 0.5, mean = 0.5, value = 1.5,
  output_size = 2L, height_factor = 0.2, width_factor = 0.2, max_number = 3L,
  x = exercise$GUESS[[0]], y_true = exercise$TRUTH[[0]],
  y_pred = exercise$GUESS[[0]]
)
also <- list(
  layer_category_encoding = enough["num_tokens"],
  layer_discretization = enough["num_bins"]
)

is_empty <- function(x) is.name(x) && !nzchar(x)

# The arguments to try. One that all layers or optimizers share, such as
# `clipnorm`, is tried once.
candidates <- function() {
  families <- paste0(
    "^(activation|callback_(early|reduce)|constraint|initializer|layer|",
    "learning_rate_schedule|loss|metric|optimizer|regularizer|rnn_cell)_"
  )
  tried <- character()
  found <- list()
  for (row in rows[grepl(families, names(rows))]) {
    for (at in which(row$kinds %in% c("number", "float"))) {
      name <- row$r_names[at]
      default <- as.list(formals(get(row$name)))[name]
      key <- paste(sub("_.*", "", row$name), deparse1(default))
      numeric <- !any(vapply(default, is.character, NA)) &&
        !any(vapply(default, is.logical, NA)) &&
        !grepl("(regularizer|constraint|initializer|dtype|name)$", name)
      shared <- key %in% tried && grepl("^(layer|optimizer)", key)
      if (numeric && !shared) {
        if (!is_empty(default[[1]])) tried <- c(tried, key)
        found <- c(found, list(list(
          row = row, r = name, python = row$py_names[at]
        )))
      }
    }
  }
  found
}

# The other arguments that are needed to make an object, or with `data` to call
# a function; NULL if more is needed than `enough` contains.
others <- function(row, name, data) {
  header <- formals(get(row$name))
  required <- names(header)[vapply(header, is_empty, NA)]
  no_data <- if (!data) c("y_true", "y_pred")
  required <- setdiff(required, c("...", "object", "inputs", no_data, name))
  if (all(required %in% names(enough))) c(enough[required], also[[row$name]])
}

is_none <- function(x) inherits(x, "python.builtin.NoneType")

expect_the_same <- function(row, target, name, python_name) {
  computes <- target == row$`function` || startsWith(row$name, "activation")
  given <- others(row, name, computes)
  if (is.null(given)) {
    return(FALSE)
  }
  given[[name]] <- NULL
  for (value in list(1, c(0, 1))) {
    expected <- exercise$reference(
      sidebyside:::python_object(target), sidebyside:::as_dictionary(given),
      python_name, value
    )
    if (!is_none(expected)) break
  }
  if (is_none(expected)) {
    return(FALSE)
  }
  exercise$keras$utils$set_random_seed(1L)
  given[[name]] <- value
  found <- tryCatch(
    exercise$use(do.call(row$name, given)),
    error = conditionMessage
  )
  is_same <- !is.character(found) &&
    reticulate::py_to_r(exercise$same(found, expected))
  expect_true(is_same, label = sprintf(
    "%s(%s = %s) %s", row$name, name, deparse1(value),
    if (is.character(found)) found else ""
  ))
  TRUE
}

# Arguments whose type is clear neither from Keras's signatures nor from its
# docstrings.
hard_to_tell <- paste0(
  "^(num|max|ignore|query|value)_|_(axes|dim|steps)$|",
  "^(boundaries|mask_value|ngrams|target_class_ids|value_range)$"
)

of_today <- function(all, day = as.integer(Sys.Date())) {
  tried_daily <- grepl(hard_to_tell, vapply(all, `[[`, "", "r"))
  all[tried_daily | seq_along(all) %% 3 == day %% 3]
}

test_that("a whole number is what Keras makes of it", {
  skip_with_keras3("keras3 has tables of its own")
  all <- candidates()
  expect_setequal(c(of_today(all, 1), of_today(all, 2), of_today(all, 3)), all)
  compared <- 0
  for (one in of_today(all)) {
    for (target in setdiff(c(one$row$path, one$row$`function`), "")) {
      compared <- compared +
        expect_the_same(one$row, target, one$r, one$python)
    }
  }
  expect_gt(compared, 100)
})

test_that("training goes on with a schedule of whole numbers", {
  schedule <- learning_rate_schedule_exponential_decay(1, 10, 0.5)
  expect_equal(as.numeric(schedule(5)), sqrt(0.5), tolerance = 1e-6)
  model <- compiled_model(optimizer = optimizer_sgd(schedule))
  before <- get_weights(model)[[1]]
  data <- clusters()
  model |> fit(data$x, data$onehot, epochs = 2, verbose = 0)
  expect_gt(max(abs(get_weights(model)[[1]] - before)), 0.01)
})

test_that("compile(), fit() and attributes take whole real numbers", {
  data <- clusters()
  losses <- function(weight) {
    set_random_seed(1)
    model <- compiled_model(loss_weights = weight)
    model |> train_on_batch(data$x, data$onehot)
  }
  expect_equal(losses(2), 2 * losses(1), tolerance = 1e-5)
  model <- compiled_model(optimizer = optimizer_sgd(1, momentum = 1))
  model$optimizer$learning_rate <- 1
  expect_equal(as.numeric(model$optimizer$learning_rate), 1)
  fitted <- model |> fit(
    data$x, data$onehot,
    epochs = 1, batch_size = 30, verbose = 0,
    class_weight = list("0" = 1, "1" = 0, "2" = 0.5)
  )
  expect_true(is.finite(fitted$metrics$loss))
})

test_that("data is made of Keras's own numbers", {
  batches <- timeseries_dataset_from_array(
    c(1, 2, 3, 4), c(1, 2, 3),
    sequence_length = 2, batch_size = 2
  )
  first <- reticulate::iter_next(reticulate::as_iterator(batches))
  expect_identical(first[[1]]$dtype$name, "float32")
  expect_equal(as.array(first[[1]]), rbind(c(1, 2), c(2, 3)))
  sizes <- split_dataset(matrix(1:10, 10), left_size = 8)
  expect_identical(as.integer(sizes[[1]]$cardinality()), 8L)
})
