test_that("layers are piped into a sequential model in place", {
  model <- keras_model_sequential(input_shape = 4)
  returned <- model |> layer_dense(units = 5)
  expect_length(model$layers, 1)
  expect_identical(reticulate::py_id(returned), reticulate::py_id(model))
  returned |>
    layer_dropout(rate = 0.5) |>
    layer_dense(units = 2)
  expect_length(model$layers, 3)
  expect_equal(count_params(model), 4 * 5 + 5 + 5 * 2 + 2)
})

test_that("a sequential model takes its input's description in many ways", {
  # A model without layers does not know its input.
  input_of <- function(model) {
    model |> layer_activation("relu")
    shape_of(model$inputs[[1]])
  }
  expect_identical(
    input_of(keras_model_sequential(c(28, 28, 1))), list(NULL, 28L, 28L, 1L)
  )
  expect_identical(
    input_of(keras_model_sequential(input_shape = c(NA, 3))),
    list(NULL, NULL, 3L)
  )
  sized <- keras_model_sequential(
    input_shape = 3, input_batch_size = 5, input_name = "here",
    input_dtype = "int32", name = "sized"
  )
  expect_identical(input_of(sized), list(5L, 3L))
  expect_identical(sized$name, "sized")
  expect_identical(sized$inputs[[1]]$dtype, "int32")
  from_layers <- keras_model_sequential(
    layers = list(layer_dense(units = 2), layer_dense(units = 1))
  )
  expect_length(from_layers$layers, 2)
  empty <- keras_model_sequential()
  expect_false(empty$built)
})

test_that("a functional model is made from tensors", {
  input <- keras_input(shape = 4, name = "numbers")
  output <- input |>
    layer_dense(units = 3, activation = "relu") |>
    layer_dense(units = 1)
  model <- keras_model(input, output)
  expect_equal(count_params(model), 4 * 3 + 3 + 3 + 1)
  expect_identical(model$output_shape, list(NULL, 1L))
  named <- keras_model(input, output, name = "functional")
  expect_identical(named$name, "functional")
  expect_identical(keras_model(list(input), list(output))$count_params(), 19L)
})

test_that("several inputs, outputs and shared layers", {
  left <- keras_input(shape = 3, name = "left")
  right <- keras_input(shape = 3, name = "right")
  shared <- layer_dense(units = 2, name = "shared")
  both <- layer_concatenate(shared(left), shared(right))
  model <- keras_model(
    inputs = list(left, right),
    outputs = list(layer_dense(both, 1, name = "a"), layer_dense(both, 2))
  )
  # The shared layer is counted once.
  expect_equal(count_params(model), (3 * 2 + 2) + (4 + 1) + (8 + 2))
  expect_length(model$outputs, 2)
  x <- matrix(1, 2, 3)
  answers <- predict(model, list(x, x), verbose = 0)
  expect_identical(lapply(answers, dim), list(c(2L, 1L), c(2L, 2L)))
})

test_that("layers are objects and can be called", {
  layer <- layer_dense(units = 2, kernel_initializer = "ones")
  answer <- layer(matrix(1:6, 2))
  expect_equal(as.array(answer), matrix(c(9, 12, 9, 12), 2))
  expect_length(layer$weights, 2)
})

test_that("a layer and a model are added to a sequential model", {
  layer <- layer_dense(units = 2)
  base <- keras_model_sequential(input_shape = 4)
  base |> layer_dense(units = 3)
  model <- keras_model_sequential(input_shape = 4)
  returned <- model |>
    base() |>
    layer()
  expect_identical(reticulate::py_id(returned), reticulate::py_id(model))
  expect_length(model$layers, 2)
  expect_identical(
    reticulate::py_id(model$layers[[1]]), reticulate::py_id(base)
  )
  expect_equal(count_params(model), 4 * 3 + 3 + 3 * 2 + 2)
  tensor <- keras_input(4) |> model(training = FALSE)
  expect_identical(shape_of(tensor), list(NULL, 2L))
  expect_identical(dim(base(inputs = matrix(0, 5, 4))), c(5L, 3L))
})

test_that("a layer in the place of the input's shape is refused", {
  expect_error(keras_model_sequential(list(layer_dense(units = 1))), "layers")
  skip_with_keras3("keras3 has its own message")
  expect_error(
    keras_model_sequential(layer_dense(units = 1)),
    "is a layer, expected the input's shape. For layers, write",
    fixed = TRUE
  )
})

test_that("merging layers take tensors one by one, in a list, or later", {
  a <- keras_input(shape = 3)
  b <- keras_input(shape = 3)
  for (merge in list(
    layer_add, layer_subtract, layer_multiply, layer_average, layer_maximum,
    layer_minimum
  )) {
    expect_identical(shape_of(merge(a, b)), list(NULL, 3L))
    expect_identical(shape_of(merge(list(a, b))), list(NULL, 3L))
  }
  later <- layer_add()
  expect_identical(shape_of(later(list(a, b))), list(NULL, 3L))
  expect_identical(
    shape_of(layer_concatenate(a, b, layer_add(a, b))), list(NULL, 9L)
  )
  expect_identical(shape_of(layer_dot(a, b, axes = 2)), list(NULL, 1L))
  named <- layer_concatenate(a, b, name = "joined")
  expect_identical(keras_model(list(a, b), named)$layers[[3]]$name, "joined")
})

test_that("multi-head attention takes query and value", {
  query <- keras_input(shape = c(5, 8))
  value <- keras_input(shape = c(7, 8))
  attended <- layer_multi_head_attention(
    list(query, value),
    num_heads = 2, key_dim = 4
  )
  expect_identical(shape_of(attended), list(NULL, 5L, 8L))
  layer <- layer_multi_head_attention(num_heads = 2, key_dim = 4)
  expect_identical(shape_of(layer(query, value)), list(NULL, 5L, 8L))
})

test_that("wrapping layers take layers", {
  x <- keras_input(shape = c(5, 8))
  expect_identical(
    shape_of(x |> layer_bidirectional(layer_lstm(units = 3))), list(NULL, 6L)
  )
  expect_identical(
    shape_of(x |> layer_time_distributed(layer_dense(units = 2))),
    list(NULL, 5L, 2L)
  )
  expect_identical(
    shape_of(layer_rnn(x, cell = rnn_cell_gru(units = 4))), list(NULL, 4L)
  )
})

test_that("a pipe makes its layers from left to right", {
  # The layers draw their seeds in this order.
  set_random_seed(7)
  piped <- keras_model_sequential(input_shape = 4) |>
    layer_dense(units = 3) |>
    layer_dense(units = 2)
  theirs <- python("
keras.utils.set_random_seed(7)
model = keras.Sequential([keras.Input((4,))])
model.add(keras.layers.Dense(3))
model.add(keras.layers.Dense(2))
result = model.get_weights()
")
  expect_identical(get_weights(piped), theirs)
})

test_that("layers are found, taken off and the model copied", {
  model <- small_model()
  expect_identical(get_layer(model, "last")$name, "last")
  expect_identical(get_layer(model, name = "hidden")$name, "hidden")
  expect_identical(get_layer(model, index = 2)$name, "last")
  expect_identical(get_layer(model, index = -1)$name, "last")
  copy <- clone_model(model)
  expect_identical(count_params(copy), count_params(model))
  pop_layer(model)
  expect_length(model$layers, 1)
  expect_length(copy$layers, 2)
})

test_that("summary, print and format show the table through R", {
  model <- small_model()
  table <- format(model)
  expect_match(table, "Total params: 43", fixed = TRUE)
  expect_match(table, "hidden (Dense)", fixed = TRUE)
  expect_match(table, "(None, 5)", fixed = TRUE)
  shown <- paste(capture.output(summary(model)), collapse = "\n")
  expect_identical(shown, table)
  printed <- paste(capture.output(print(model)), collapse = "\n")
  expect_match(printed, "Total params: 43", fixed = TRUE)
  capture.output(visible <- withVisible(summary(model))$visible)
  expect_false(visible)
  before <- options(width = 60)
  on.exit(options(before))
  expect_lte(max(nchar(strsplit(format(model), "\n")[[1]])), 60)
})

test_that("the table shows what is frozen, when something is", {
  model <- small_model()
  expect_no_match(format(model), "┃ Trai", fixed = TRUE)
  freeze_weights(model, to = "hidden")
  expect_match(format(model), "Non-trainable params: 25", fixed = TRUE)
  expect_match(format(model), "┃ Trai", fixed = TRUE)
})
