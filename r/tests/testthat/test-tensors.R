# Tensors used like R's arrays. With keras3 the methods come from the R package
# tensorflow and from reticulate.
tf <- reticulate::import("tensorflow")
values <- matrix(as.double(1:6), 2)
x <- tf$constant(values)
counts <- tf$constant(1:4)

expect_tensor <- function(tensor, wanted) {
  expect_match(class(tensor)[1], "tensor", ignore.case = TRUE)
  expect_equal(as.array(tensor), wanted, tolerance = 1e-6)
}

test_that("a tensor says what it is", {
  expect_identical(dim(x), c(2L, 3L))
  expect_identical(length(x), 6L)
  expect_identical(dim(tf$constant(3)), integer())
  expect_identical(length(tf$constant(3)), 1L)
  expect_output(print(x), "[[1. 3. 5.]", fixed = TRUE)
  expect_output(print(x), "shape=(2, 3), dtype=float64", fixed = TRUE)
  expect_output(print(counts), "shape=(4), dtype=int32", fixed = TRUE)
  expect_output(str(x), "<tf.Tensor: shape=(2, 3)", fixed = TRUE)
  expect_output(str(counts), "<tf.Tensor: shape=(4), dtype", fixed = TRUE)
})

test_that("a tensor becomes an R value", {
  expect_identical(as.array(x), values)
  expect_identical(as.matrix(x), values)
  expect_identical(as.numeric(x), as.numeric(values))
  expect_identical(as.integer(counts), 1:4)
  expect_identical(as.logical(tf$constant(c(0, 2))), c(FALSE, TRUE))
  expect_identical(as.character(tf$constant(c("a", "b"))), c("a", "b"))
  variable <- tf$Variable(c(1, 2))
  expect_equal(as.numeric(variable), c(1, 2))
  grey <- matrix(c(0, 51, 102, 255), 2)
  from_bytes <- as.raster(as_tensor(grey, "uint8"))
  expect_identical(from_bytes, as.raster(grey, max = 255))
  expect_identical(as.raster(tf$constant(grey / 255)), from_bytes)
})

test_that("one element, rows, columns and ranges, counted from one", {
  expect_equal(as.numeric(x[2, 3]), 6)
  expect_tensor(x[1, ], array(c(1, 3, 5)))
  expect_tensor(x[, 2], array(c(3, 4)))
  expect_tensor(x[, 2, drop = FALSE], values[, 2, drop = FALSE])
  expect_tensor(x[1, , drop = FALSE], values[1, , drop = FALSE])
  expect_tensor(x[, 2:3], values[, 2:3])
  last <- 3
  expect_tensor(x[, 2:last], values[, 2:3])
  expect_tensor(x[, c(1, 3)], values[, c(1, 3)])
  expect_tensor(x[, seq(1, 3, by = 2)], values[, c(1, 3)])
  expect_tensor(x[, 1:3:2], values[, c(1, 3)])
  expect_tensor(x[, `::2`], values[, c(1, 3)])
  expect_tensor(x[, `2:`], values[, 2:3])
  expect_tensor(x[all_dims(), 2], array(c(3, 4)))
  expect_identical(dim(x[, NULL, 1]), c(2L, 1L))
  expect_identical(dim(x[tf$newaxis, , ]), c(1L, 2L, 3L))
})

test_that("negative numbers count from the end", {
  suppressWarnings(last <- x[, -1]) # which comes once
  expect_tensor(last, array(c(5, 6)))
  expect_tensor(x[, -2:-1], values[, 2:3])
  expect_tensor(x[, -1, drop = FALSE], values[, 3, drop = FALSE])
})

test_that("a warning tells of negative numbers, once", {
  skip_with_keras3("another test may have had the warning before")
  known <- sidebyside:::state
  known$warned_of_negative <- NULL
  expect_warning(x[-1, ], "python-style")
  expect_silent(x[-1, ])
})

test_that("a range can go down", {
  skip_with_keras3("tensorflow's range to the first element is empty")
  expect_tensor(x[, 3:1], values[, 3:1])
  expect_tensor(x[, 3:2], values[, 3:2])
})

test_that("variables and weights have elements", {
  expect_equal(as.numeric(tf$Variable(c(4, 5))[2]), 5)
  layer <- layer_dense(units = 2, kernel_initializer = "ones")
  layer$build(reticulate::tuple(NULL, 3L))
  expect_identical(dim(layer$kernel), c(3L, 2L))
  expect_tensor(layer$kernel[1, ] + 1, array(c(2, 2)))
})

test_that("what cannot be an index is refused", {
  # keras3 has messages of the package tensorflow or of TensorFlow itself.
  expect_error(x[3, ], "out of bounds|out bounds")
  expect_error(x[1, 1, 1], "Incorrect number of dimensions")
  expect_error(x[0, 1], "0")
  expect_error(x["a", ])
  expect_error(x[, c(TRUE, FALSE, TRUE)])
  expect_error(x[, c(1, 3, 2)])
  expect_error(x[1.5, ])
  expect_error(x[NA, ])
  expect_warning(x[1], "Incorrect number of dimensions")
})

test_that("errors of `[` say what was wrong", {
  skip_with_keras3("keras3 has its own messages")
  expect_error(x[3, ], "Index 3 is out of bounds: dimension 1 has 2 elements.")
  expect_error(x[, 2:4], "Index 4 is out of bounds: dimension 2 has 3")
  expect_error(x[, -4], "Index -4 is out of bounds")
  expect_error(x[1, 1, 1], "has 2, and 3 were given")
  expect_error(x[0, 1], "indexed from 1 in R; found 0")
  expect_error(x["a", ], "found character a")
  expect_error(x[, c(1, 3, 2)], "in even steps, .* found 1, 3, 2")
  expect_error(x[matrix(1:2, 1), ], "cannot be indexed by a matrix")
  expect_error(x[1.5, ], "found numeric 1.5")
})

test_that("a tensor cannot be changed, and says so", {
  y <- tf$constant(values)
  expect_error(y[1, 1] <- 0, "does not support item assignment")
  expect_identical(as.array(y), values)
})

test_that("arithmetic is R's, and the type the tensor's", {
  float <- op_cast(x, "float32")
  expect_identical((float + 1)$dtype$name, "float32")
  expect_identical((1 + float)$dtype$name, "float32")
  expect_identical((counts + 1)$dtype$name, "int32")
  expect_tensor(x + 1, values + 1)
  expect_tensor(2 - x, 2 - values)
  expect_tensor(x * x, values * values)
  expect_tensor(x / 2L, values / 2)
  expect_tensor(x^2, values^2)
  expect_tensor(x %/% 2, values %/% 2)
  expect_tensor((x - 4) %% 3, (values - 4) %% 3)
  expect_tensor(-x, -values)
  expect_tensor(+x, values)
  expect_tensor(x + values, values + values)
})

test_that("comparisons and logic are R's", {
  expect_identical(as.array(x > 3), values > 3)
  expect_identical(as.array(3 >= x), 3 >= values)
  expect_identical(as.array(x == 2), values == 2)
  expect_identical(as.array(x != x), values != values)
  expect_identical(as.array(x > 1 & x < 3), values > 1 & values < 3)
  expect_identical(as.array(x < 2 | x > 5), values < 2 | values > 5)
  expect_identical(as.array(!(x > 3)), !(values > 3))
  expect_identical(as.array(is.nan(x / 0 * 0)), values < 0 | TRUE)
  expect_identical(as.array(is.finite(x)), values > 0)
})

test_that("a fraction combined with a whole tensor is refused", {
  skip_with_keras3("tensorflow cuts it")
  expect_error(counts + 0.5, "type is int32, but 0.5 is not a whole number")
  expect_error(counts + 3e9, "3e\\+09 is not a whole number up to 2147483647")
  expect_error(counts > c(1.5, 2, 3, 4), "int32")
})

test_that("symbolic tensors compute in a model", {
  input <- keras_input(shape = 3)
  output <- (2 * input + 1) / 4 - input
  model <- keras_model(input, output)
  point <- matrix(c(1, 2, 3), 1)
  expect_equal(
    as.array(model(point)), (2 * point + 1) / 4 - point,
    tolerance = 1e-6
  )
  expect_match(class(input > 1)[1], "KerasTensor")
})

test_that("R's mathematics is TensorFlow's", {
  for (name in c(
    "abs", "sign", "sqrt", "floor", "ceiling", "exp", "expm1", "log", "log2",
    "log10", "log1p", "cos", "sin", "tan", "cospi", "sinpi", "atan", "lgamma",
    "digamma"
  )) {
    f <- get(name)
    expect_equal(as.array(f(x)), f(values), tolerance = 1e-6, label = name)
  }
  expect_equal(as.array(acos(x / 6)), acos(values / 6), tolerance = 1e-6)
  expect_equal(as.array(asin(x / 6)), asin(values / 6), tolerance = 1e-6)
  expect_equal(as.array(log(x, 3)), log(values, 3), tolerance = 1e-6)
  expect_equal(as.array(round(x / 4)), round(values / 4))
  expect_error(round(x, 2), "only supports rounding to integers")
})

test_that("what TensorFlow does not have says so", {
  skip_with_keras3("keras3 has R's own message")
  expect_error(trunc(x), "no function like R's trunc()", fixed = TRUE)
  expect_error(cummax(x), "cummax(as.array(x))", fixed = TRUE)
  expect_equal(as.numeric(cumsum(counts)), cumsum(1:4))
  expect_equal(as.array(tanh(x)), tanh(values))
})

test_that("many numbers become one, or one for each row or column", {
  expect_equal(as.numeric(sum(x)), 21)
  expect_equal(as.numeric(prod(x)), 720)
  expect_equal(as.numeric(max(x)), 6)
  expect_equal(as.numeric(min(x)), 1)
  expect_equal(as.numeric(mean(x)), 3.5)
  expect_equal(as.numeric(range(x)), c(1, 6))
  expect_true(as.logical(all(x > 0)))
  expect_false(as.logical(any(x > 6)))
  expect_equal(as.numeric(sum(x, axis = 1)), colSums(values))
  expect_equal(as.numeric(mean(x, axis = 2)), rowMeans(values))
  expect_equal(as.numeric(max(x, axis = -1)), c(5, 6))
  expect_identical(dim(sum(x, axis = 1, keepdims = TRUE)), c(1L, 3L))
  expect_equal(as.numeric(sum(x, x)), 42)
  expect_warning(sum(x, na.rm = TRUE), "na.rm")
  expect_error(sum(x, axis = 0), "0")
  expect_error(mean(x, trim = 0.5))
  expect_error(mean(x, 2))
  skip_with_keras3("tensorflow stops at na.rm, and has its own messages")
  expect_warning(average <- mean(x, na.rm = TRUE), "na.rm")
  expect_equal(as.numeric(average), 3.5)
  expect_error(mean(x, trim = 0.5), "axis and keepdims; found trim")
  expect_error(mean(x, 2), "and keepdims; found an argument without a name")
})

test_that("tensors turn and bind", {
  expect_tensor(t(x), t(values))
  expect_identical(dim(t(counts)), 4L)
  expect_tensor(aperm(x, c(2, 1)), t(values))
  expect_tensor(rbind(x, x), rbind(values, values))
  expect_tensor(cbind(x, x), cbind(values, values))
})

test_that("%*% multiplies matrices", {
  skip_if(
    dialect() == "keras3" && getRversion() < "4.3.0",
    "this R has no methods for it"
  )
  expect_tensor(x %*% t(x), values %*% t(values))
  expect_tensor(x %*% t(values), values %*% t(values))
  expect_tensor(t(values) %*% x, t(values) %*% values)
  expect_identical(values %*% t(values), tcrossprod(values))
})

test_that("a real number makes whole symbolic tensors real", {
  counts <- keras_input(shape = 2, dtype = "int32")
  expect_identical((counts * 0.5)$dtype, "float32")
  expect_identical((counts + 1)$dtype, "float32")
  expect_identical((counts + 1L)$dtype, "int32")
  halves <- keras_model(counts, 1 - counts * 0.5)
  expect_equal(as.array(halves(matrix(1:2, 1))), matrix(c(0.5, 0), 1))
})
