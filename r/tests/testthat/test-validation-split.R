# The companion splits off the last samples itself, without the copies that
# Keras would make. The result must be Keras's own split, to the last bit.

in_python <- "
keras.utils.set_random_seed(1)
model = keras.Sequential([keras.Input((4,))])
model.add(keras.layers.Dense(5, activation='relu', name='hidden'))
model.add(keras.layers.Dense(3, activation='softmax', name='last'))
model.compile(loss=loss, optimizer='sgd', metrics=['accuracy'],
              run_eagerly=True)
x = np.ascontiguousarray(x, 'float32')
y = np.ascontiguousarray(y)
y = y.astype('float32') if y.ndim == 2 else y.astype('int32')
weight = None if weight is None else np.ascontiguousarray(weight, 'float32')
history = model.fit(x, y, epochs=2, batch_size=16, verbose=0,
                    validation_split=fraction, sample_weight=weight)
result = [history.history, model.get_weights()]
"

in_r <- function(x, y, loss, fraction, weight) {
  set_random_seed(1)
  model <- compiled_model(loss = loss, metrics = "accuracy")
  history <- model |> fit(
    x, y,
    epochs = 2, batch_size = 16, validation_split = fraction,
    sample_weight = weight, verbose = 0
  )
  list(history$metrics, get_weights(model))
}

# In floating point, 100 * (1 - 0.29) is not exactly 71.
cases <- list(c(97, 1 / 3), c(50, 0.07), c(100, 0.29))
for (case in cases) {
  test_that(paste("of", case[1], "samples the last", case[2]), {
    data <- clusters(case[1])
    ours <- in_r(
      data$x, data$onehot, "categorical_crossentropy", case[2], NULL
    )
    theirs <- python(
      in_python,
      x = data$x, y = data$onehot, loss = "categorical_crossentropy",
      fraction = case[2], weight = NULL
    )
    expect_identical(ours[[1]][names(theirs[[1]])], theirs[[1]])
    expect_identical(ours[[2]], theirs[[2]])
    expect_true("val_loss" %in% names(ours[[1]]))
  })
}

test_that("whole labels and weights are split with the rest", {
  data <- clusters(71)
  weight <- seq(0.5, 1.5, length.out = 71)
  loss <- "sparse_categorical_crossentropy"
  y <- array(as.integer(data$class), 71)
  ours <- in_r(data$x, y, loss, 0.3, weight)
  theirs <- python(
    in_python,
    x = data$x, y = y, loss = loss, fraction = 0.3, weight = array(weight, 71)
  )
  expect_identical(ours[[1]][names(theirs[[1]])], theirs[[1]])
  expect_identical(ours[[2]], theirs[[2]])
})

test_that("several inputs are split as Keras does it", {
  data <- clusters(40)
  input <- list(keras_input(shape = 4), keras_input(shape = 4))
  output <- layer_dense(layer_add(input), 3, activation = "softmax")
  model <- keras_model(input, output)
  model |> compile(loss = "categorical_crossentropy", optimizer = "sgd")
  history <- model |> fit(
    list(data$x, data$x), data$onehot,
    validation_split = 0.25, verbose = 0
  )
  expect_length(history$metrics$val_loss, 1)
})

test_that("validation data win over a split", {
  data <- clusters(40)
  model <- compiled_model()
  history <- model |> fit(
    data$x, data$onehot,
    validation_split = 0.5,
    validation_data = list(data$x, data$onehot), verbose = 0
  )
  scores <- evaluate(model, data$x, data$onehot, verbose = 0)
  expect_equal(history$metrics$val_loss, scores$loss, tolerance = 1e-6)
})

test_that("a split that leaves nothing to train on is Keras's error", {
  data <- clusters(3)
  expect_error(
    fit(compiled_model(), data$x, data$onehot, validation_split = 0.9999),
    "not sufficient to split"
  )
})
