test_that("to_categorical() takes whole numbers, doubles and factors", {
  expected <- rbind(c(1, 0, 0), c(0, 0, 1), c(0, 1, 0))
  expect_equal(to_categorical(c(0L, 2L, 1L)), expected)
  expect_equal(to_categorical(c(0, 2, 1)), expected)
  expect_equal(to_categorical(factor(c("a", "c", "b"))), expected)
  expect_equal(to_categorical(matrix(c(0, 2, 1))), expected)
  expect_equal(to_categorical(array(c(0L, 2L, 1L))), expected)
  expect_type(to_categorical(0:2), "double")
})

test_that("to_categorical() is told of classes that do not occur", {
  expect_identical(dim(to_categorical(c(0, 1), 10)), c(2L, 10L))
  expect_identical(dim(to_categorical(c(0, 1), num_classes = 3L)), c(2L, 3L))
  # If some levels do not occur, num_classes has to be given.
  levels <- factor(c("b", "a"), levels = c("a", "b", "c"))
  expect_equal(to_categorical(levels), rbind(c(0, 1), c(1, 0)))
  expect_equal(to_categorical(levels, 3), rbind(c(0, 1, 0), c(1, 0, 0)))
})

test_that("to_categorical() is Keras's", {
  labels <- c(3, 0, 9, 5, 5)
  theirs <- python(
    "result = keras.utils.to_categorical(labels.astype(int), 10)",
    labels = array(labels)
  )
  expect_identical(to_categorical(labels, 10), theirs)
})

shapes <- list(
  list(24, c(2, 3, 4)), list(24, c(4, 6)), list(c(2, 12), c(2, 3, 4)),
  list(c(2, 3, 4), c(2, 12)), list(c(2, 3, 4), c(6, 4)),
  list(c(2, 3, 4), 24), list(c(2, 3, 4), c(4, 3, 2)),
  list(c(4, 6), c(6, 4)), list(c(4, 6), c(4, 1, 6)),
  list(c(4, 2, 3), c(4, 3, 2)), list(c(1, 24), c(1, 2, 3, 4)),
  list(c(2, 3, 4), c(2, 3, 4)), list(c(3, 2, 2, 2), c(3, 8)),
  list(c(3, 8), c(3, 2, 2, 2)), list(c(24, 1), c(24, 1, 1))
)

test_that("array_reshape() is reticulate's, whatever the shapes", {
  for (shape in shapes) {
    for (type in c("integer", "double")) {
      x <- array(seq_len(24), shape[[1]])
      storage.mode(x) <- type
      for (order in c("C", "F")) {
        label <- paste(
          toString(shape[[1]]), "to", toString(shape[[2]]), order, type
        )
        expect_identical(
          array_reshape(x, shape[[2]], order = order),
          reticulate::array_reshape(x, shape[[2]], order = order),
          label = label
        )
        # One of the sizes may be -1.
        open <- shape[[2]]
        open[length(open)] <- -1
        expect_identical(
          array_reshape(x, open, order = order),
          reticulate::array_reshape(x, open, order = order),
          label = paste(label, "with -1")
        )
      }
    }
  }
})

test_that("array_reshape() takes vectors, lists of dimensions and logicals", {
  expect_equal(array_reshape(1:6, c(2, 3)), matrix(1:6, 2, byrow = TRUE))
  expect_identical(array_reshape(1:6, list(2, 3)), array_reshape(1:6, c(2, 3)))
  expect_identical(
    array_reshape(c(TRUE, FALSE), c(2, 1)), matrix(c(TRUE, FALSE))
  )
})

test_that("array_reshape() says what does not fit", {
  expect_error(array_reshape(1:6, c(4, 4)), "reshape")
  expect_error(array_reshape(1:6, c(4, -1)), "reshape")
  skip_with_keras3("keras3 shows NumPy's message")
  expect_error(
    array_reshape(matrix(1:6, 2), c(4, 4)),
    "An array of 2 x 3 (6 values) cannot be reshaped to 4 x 4.",
    fixed = TRUE
  )
})

test_that("set_random_seed() sets R's, NumPy's, Python's and Keras's", {
  draw <- function() {
    list(
      runif(2),
      python("import random; result = [random.random(), np.random.rand()]"),
      get_weights(small_model())
    )
  }
  set_random_seed(42)
  first <- draw()
  second <- draw()
  set_random_seed(42L)
  expect_identical(draw(), first)
  expect_false(identical(first, second))
})

test_that("the pipe and the multiple assignment are there", {
  model <- keras_model_sequential(input_shape = 2) %>%
    layer_dense(units = 1)
  expect_length(model$layers, 1)
  c(c(a, b), d) %<-% list(list(1, 2), 3)
  expect_identical(c(a, b, d), c(1, 2, 3))
  values <- 1:3
  values %<>% rev() # nolint: assignment_linter.
  expect_identical(values, 3:1)
})

test_that("clear_session() starts the names again", {
  clear_session()
  first <- layer_dense(units = 1)$name
  layer_dense(units = 1)
  clear_session()
  expect_identical(layer_dense(units = 1)$name, first)
})

test_that("tensors and variables become R's own", {
  layer <- layer_dense(units = 2, kernel_initializer = "ones")
  answer <- layer(matrix(1, 1, 3))
  expect_identical(as.array(answer), matrix(3, 1, 2))
  expect_identical(as.numeric(answer), c(3, 3))
  expect_identical(as.integer(answer), c(3L, 3L))
  expect_identical(as.array(layer$kernel), matrix(1, 3, 2))
  expect_identical(as.numeric(layer$bias), c(0, 0))
})

test_that("keras is Keras itself", {
  expect_identical(keras$config$floatx(), "float32")
  expect_match(keras$`__version__`, "^3\\.")
})

test_that("a named list, also of nothing", {
  expect_identical(named_list(a = 1), list(a = 1))
  expect_identical(names(named_list()), character())
})

test_that("a named list names what has no name after what was written", {
  a <- 1
  expect_identical(named_list(a, b = 2), list(a = 1, b = 2))
  expect_named(named_list(a, a + 1), c("a", "a + 1"))
})

test_that("sequences may have one element, and R's numbers stay whole", {
  skip_with_keras3("its result is the same; its type is not")
  padded <- pad_sequences(list(c(1, 2), 3, numeric(), list(4, 5L)))
  expect_equal(padded, rbind(c(1, 2), c(0, 3), c(0, 0), c(4, 5)))
})

test_that("a layer adapts to texts, and tells its vocabulary", {
  vectorize <- layer_text_vectorization(max_tokens = 4)
  expect_identical(vectorize |> adapt(c("a B a", "b a c d")), vectorize)
  expect_identical(get_vocabulary(vectorize), c("", "[UNK]", "a", "b"))
  expect_identical(get_vocabulary(vectorize, FALSE), c("a", "b"))
  expect_equal(as.array(vectorize("b z a")), array(c(3, 1, 2)))
  set_vocabulary(vectorize, c("z", "b"))
  expect_equal(as.array(vectorize(c("b z", "a"))), rbind(3:2, 1:0))
})

test_that("a layer adapts to numbers, batch by batch", {
  normalize <- layer_normalization()
  x <- matrix(c(1, 3, 10, 30), 2)
  adapt(normalize, x)
  expect_equal(as.array(normalize(x)), rbind(c(-1, -1), c(1, 1)))
  lookup <- layer_text_vectorization(output_mode = "multi_hot")
  adapt(lookup, c("a a", "b"), batch_size = 1)
  expect_identical(get_vocabulary(lookup), c("[UNK]", "a", "b"))
})

test_that("the state of a metric is reset", {
  metric <- metric_mean()
  metric$update_state(5)
  expect_equal(as.numeric(metric$result()), 5)
  reset_state(metric)
  expect_equal(as.numeric(metric$result()), 0)
})

test_that("a picture's pixels are an array", {
  pixels <- array(c(0, 50, 100, 150, 200, 255), c(1, 2, 3))
  picture <- image_from_array(pixels, scale = FALSE)
  expect_equal(as.array(picture), pixels)
})

# One picture whose red, green and blue have different values in mid-range.
pixels <- array(c(10, 200, 30, 40, 250, 60), c(1, 1, 2, 3))

test_that("pictures are prepared as ImageNet's networks want them", {
  means <- c(103.939, 116.779, 123.68)
  expected <- sweep(pixels[, , , 3:1, drop = FALSE], 4, means)
  close <- function(found) {
    expect_equal(as.array(found), expected, tolerance = 1e-6)
  }
  close(imagenet_preprocess_input(pixels))
  close(imagenet_preprocess_input(as_tensor(pixels, "float32")))
  whole <- array(as.integer(pixels), dim(pixels))
  close(imagenet_preprocess_input(whole))
  scaled <- imagenet_preprocess_input(pixels, mode = "tf")
  expect_equal(as.array(scaled), pixels / 127.5 - 1)
  expect_identical(pixels[1], 10)
})

test_that("an application knows how its pictures are prepared", {
  small <- function(application) {
    application(weights = NULL, input_shape = c(32, 32, 3), include_top = FALSE)
  }
  vgg <- small(application_vgg16)
  caffe <- as.array(imagenet_preprocess_input(pixels))
  found <- as.array(application_preprocess_inputs(vgg, pixels))
  expect_equal(found, caffe, tolerance = 1e-6)
  expect_equal(as.array(application_preprocess_inputs(vgg)(pixels)), found)
  mobile <- small(application_mobilenet_v2)
  expect_equal(
    as.array(application_preprocess_inputs(mobile, pixels)),
    pixels / 127.5 - 1,
    tolerance = 1e-6
  )
  expect_error(application_preprocess_inputs(
    keras_model_sequential(input_shape = 1), pixels
  ))
})
