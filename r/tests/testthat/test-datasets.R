sha256 <- function(x) {
  python("
import hashlib
result = hashlib.sha256(np.ascontiguousarray(x).astype('uint8').tobytes())
result = result.hexdigest()
", x = x)
}

test_that("load_mnist() is MNIST, and what Python's gives", {
  skip_on_cran()
  source <- reticulate::py_capture_output(mnist <- load_mnist())
  expect_lte(length(strsplit(trimws(source), "\n")[[1]]), 1)
  expect_named(mnist, c("train", "test"))
  expect_named(mnist$train, c("x", "y"))
  expect_identical(dim(mnist$train$x), c(60000L, 28L, 28L))
  expect_identical(dim(mnist$train$y), 60000L)
  expect_identical(dim(mnist$test$x), c(10000L, 28L, 28L))
  expect_identical(dim(mnist$test$y), 10000L)
  expect_type(mnist$train$x, "integer")
  expect_identical(range(mnist$test$x), c(0L, 255L))
  expect_identical(as.vector(head(mnist$train$y, 5)), c(5L, 0L, 4L, 1L, 9L))
  known <- reticulate::import("sidebyside.data.mnist")$MNIST_SHA256
  expect_identical(sha256(mnist$train$x), known$x_train)
  expect_identical(sha256(mnist$train$y), known$y_train)
  expect_identical(sha256(mnist$test$x), known$x_test)
  expect_identical(sha256(mnist$test$y), known$y_test)
})

test_that("a list of two lists is taken apart as keras3's readers do", {
  mnist <- list(
    train = list(x = array(1, c(2, 2, 2)), y = 1),
    test = list(x = array(2, c(1, 2, 2)), y = 2)
  )
  c(c(x_train, y_train), c(x_test, y_test)) %<-% mnist
  expect_identical(dim(x_train), c(2L, 2L, 2L))
  expect_identical(y_test, 2)
})

test_that("Keras's own data sets are functions", {
  for (name in c("mnist", "fashion_mnist", "cifar10", "cifar100", "imdb")) {
    expect_true(is.function(get0(paste0("dataset_", name))), label = name)
  }
  expect_identical(names(formals(dataset_mnist)), c("path", "convert"))
})

test_that("dataset_mnist() gives the arrays that Keras loads", {
  # A small file in the place of the download.
  file <- temporary_file(".npz")
  python(
    "
import keras.src.datasets.mnist as module
pixels = np.arange(8, dtype='uint8').reshape(2, 2, 2)
np.savez(file, x_train=pixels, y_train=np.array([7, 8], 'uint8'),
         x_test=pixels[:1], y_test=np.array([9], 'uint8'))
keras_get_file, module.get_file = module.get_file, lambda *a, **k: file
result = 0
",
    file = file
  )
  on.exit({
    python("module.get_file = keras_get_file; result = 0")
    unlink(file)
  })
  loaded <- dataset_mnist()
  expect_identical(dim(loaded$train$x), c(2L, 2L, 2L))
  expect_identical(loaded$train$x[1, 1, ], c(0L, 1L))
  expect_equal(as.vector(loaded$test$y), 9)
  as_numpy <- dataset_mnist(convert = FALSE)
  expect_s3_class(as_numpy$train$x, "numpy.ndarray")
  expect_s3_class(as_numpy$test$y, "numpy.ndarray")
})
