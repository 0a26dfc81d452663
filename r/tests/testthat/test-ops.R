tf <- reticulate::import("tensorflow")
values <- matrix(as.double(1:6), 2)
x <- tf$constant(values)

test_that("keras.ops and keras.random are there, under keras3's names", {
  names <- sidebyside:::describer()$tensor_functions()
  expect_gt(length(names), 290)
  for (name in c(
    "op_add", "op_convert_to_tensor", "op_matmul", "op_image_resize",
    "op_softmax", "random_normal", "random_seed_generator"
  )) {
    expect_true(is.function(get0(name)), label = name)
    expect_true(name %in% names, label = name)
  }
})

test_that("every one can be made from its signature", {
  skip_with_keras3("keras3 has its own")
  for (name in sidebyside:::describer()$tensor_functions()) {
    made <- sidebyside:::generated_operation(name)
    arguments <- as.list(formals(made))
    arguments <- arguments[vapply(arguments, function(x) !is.name(x), NA)]
    expect_error(lapply(arguments, eval, baseenv()), NA, label = name)
  }
})

test_that("they are made when they are first used", {
  skip_with_keras3("keras3 has its own")
  place <- as.environment("sidebyside:dialect")
  made <- get("op_arccosh", place)
  expect_identical(environment(made)$.dialect_row$path, "keras.ops.arccosh")
  expect_identical(get("op_arccosh", place), made)
})

test_that("axes count from one", {
  expect_equal(as.numeric(op_sum(x, axis = 1)), colSums(values))
  expect_equal(as.numeric(op_sum(x, axis = 2)), rowSums(values))
  expect_equal(as.numeric(op_mean(x, axis = -1)), rowMeans(values))
  expect_equal(as.numeric(op_mean(x, axis = c(1, 2))), mean(values))
  expect_error(op_sum(x, axis = 0), "0")
  expect_identical(dim(op_expand_dims(x, 1)), c(1L, 2L, 3L))
  expect_identical(dim(op_stack(list(x, x), axis = -1)), c(2L, 3L, 2L))
  expect_equal(as.array(op_transpose(x, c(2, 1))), t(values))
  expect_length(op_unstack(x), 2)
  expect_length(op_split(x, 3, axis = 2), 3)
  expect_equal(as.array(op_concatenate(list(x, x))), rbind(values, values))
})

test_that("positions count from one, and from zero on request", {
  expect_equal(as.integer(op_argmax(x, axis = 2)), c(3, 3))
  expect_equal(as.integer(op_argmax(x, axis = 2, zero_indexed = TRUE)), c(2, 2))
  expect_equal(as.array(op_take(x, c(1, 3), axis = 2)), values[, c(1, 3)])
  expect_equal(
    as.array(op_take(x, c(0, 2), axis = 2, zero_indexed = TRUE)),
    values[, c(1, 3)]
  )
  expect_equal(as.array(op_one_hot(c(1, 3), 3)), diag(3)[c(1, 3), ])
  top <- op_top_k(c(3, 1, 2), 2)
  expect_equal(as.numeric(top$values), c(3, 2))
  expect_equal(as.integer(top$indices), c(1, 3))
  expect_equal(as.array(op_nonzero(x > 4)), rbind(c(1, 3), c(2, 3)))
  expect_equal(as.integer(op_searchsorted(c(1, 3, 5), c(2, 6))), c(2, 4))
  expect_equal(as.integer(op_argsort(c(3, 1, 2))), order(c(3, 1, 2)))
  expect_equal(
    as.array(op_slice(x, c(1, 2), c(2, 2))), values[, 2:3]
  )
})

test_that("op_one_hot() and op_take() take what keras3's take", {
  rows <- diag(3)[c(1, 3), ]
  for (at in list(
    c(1, 3), c(1L, 3L), array(c(1, 3)), list(1, 3),
    op_convert_to_tensor(c(1L, 3L))
  )) {
    expect_equal(as.array(op_one_hot(at, 3)), rows)
    expect_equal(as.array(op_take(x, at, axis = 2)), values[, c(1, 3)])
  }
  expect_equal(as.array(op_one_hot(c(TRUE, TRUE), 2)), cbind(c(1, 1), 0))
  expect_equal(as.array(suppressWarnings(op_one_hot(NA, 2))), array(0, 2))
  expect_equal(
    as.array(op_one_hot(matrix(c(0, 1), 1), 2, zero_indexed = TRUE)),
    array(diag(2), c(1, 2, 2))
  )
  expect_equal(as.numeric(op_take(x, -1)), 6)
  expect_equal(as.array(op_take(x, 1.7, axis = 1)), array(values[1, ]))
  expect_identical(dim(op_take(x, 0, axis = 1, zero_indexed = TRUE)), c(1L, 3L))
  expect_identical(dim(suppressWarnings(op_take(x, c(0, 1), axis = 1))), 2:3)
})

test_that("a position 0 is pointed out", {
  skip_with_keras3("keras3 says nothing")
  expect_warning(op_one_hot(c(0, 1), 2), "zero_indexed = TRUE")
  expect_error(op_take(x, "a"), "of class character: a")
})

test_that("whole numbers become integers, data stays what it is", {
  expect_identical(dim(op_ones(c(2, 3))), c(2L, 3L))
  expect_identical(dim(op_eye(2)), c(2L, 2L))
  expect_equal(as.numeric(op_full(2, 3)), c(3, 3))
  expect_identical(op_full(2, 3)$dtype$name, "float32")
  expect_identical(op_convert_to_tensor(1:3)$dtype$name, "int32")
  expect_identical(op_convert_to_tensor(c(1, 2))$dtype$name, "float64")
  whole <- op_convert_to_tensor(c(1, 2), dtype = "int32")
  expect_identical(whole$dtype$name, "int32")
  expect_equal(as.numeric(op_arange(3)), 1:3)
  expect_equal(as.integer(op_arange(2L, 6L, 2L)), c(2, 4, 6))
  expect_equal(
    as.array(op_reshape(x, c(3, NA))), matrix(c(1, 5, 4, 3, 2, 6), 3)
  )
  expect_equal(as.array(op_round(x / 3, 2)), round(values / 3, 2))
  expect_equal(as.numeric(op_roll(c(1, 2, 3), 1)), c(3, 1, 2))
})

test_that("they compute what R computes", {
  expect_equal(as.array(op_matmul(x, t(values))), values %*% t(values))
  expect_equal(as.array(op_add(x, 1)), values + 1)
  expect_equal(as.array(op_where(x > 3, x, 0)), ifelse(values > 3, values, 0))
  expect_equal(as.array(op_einsum("ij->ji", x)), t(values))
  expect_equal(as.array(op_convert_to_array(x)), values)
  expect_equal(as.array(op_vstack(list(x, x))), rbind(values, values))
  expect_equal(
    as.numeric(op_softmax(array(c(1, 2, 3)))), exp(1:3) / sum(exp(1:3)),
    tolerance = 1e-6
  )
  expect_equal(as.array(op_solve(diag(2) * 2, matrix(1, 2))), matrix(0.5, 2))
  factors <- op_qr(op_cast(x, "float32"))
  expect_named(factors, c("q", "r"))
  expect_equal(
    as.array(op_matmul(factors$q, factors$r)), values,
    tolerance = 1e-5
  )
  expect_true(op_is_tensor(x))
  expect_equal(as.array(op_subset(x, 1, 2:3)), array(c(3, 5)))
})

test_that("R functions can be given", {
  expect_equal(
    as.array(op_map(values, function(row) row * 2)), values * 2
  )
  expect_equal(
    as.numeric(op_cond(TRUE, function() x[1, 1], function() x[1, 2])), 1
  )
  expect_equal(
    as.numeric(op_fori_loop(0L, 3L, function(i, v) v + 1, tf$constant(0))), 3
  )
})

test_that("the same seed draws the same numbers as in Python", {
  theirs <- python(
    "result = keras.random.normal((2, 3), mean=1.0, seed=7).numpy()"
  )
  expect_equal(
    as.array(random_normal(c(2, 3), mean = 1, seed = 7)), theirs
  )
  theirs <- python("result = keras.random.randint((4,), 1, 10, seed=7).numpy()")
  expect_equal(as.array(random_integer(4, 1, 10, seed = 7)), theirs)
  drawn <- as.integer(random_categorical(matrix(0, 1, 3), 50, seed = 1))
  expect_setequal(drawn, 1:3)
  generator <- random_seed_generator(1)
  draw <- function() as.numeric(random_uniform(2, seed = generator))
  expect_false(identical(draw(), draw()))
})

test_that("shapes print, compare and have elements", {
  expect_output(print(shape(2, NA, 3)), "shape(2, NA, 3)", fixed = TRUE)
  expect_true(shape(2, 3) == c(2, 3))
  expect_true(shape(2, 3) != shape(2, NA))
  expect_true(shape(x) == shape(2, 3))
  expect_identical(op_shape(x)[[2]], 3L)
  expect_equal(prod(shape(2, 3)), 6)
  expect_true(shape(2, c(3, 4)) == shape(2, 3, 4))
  expect_identical(dim(op_zeros(shape(1, 2))), c(1L, 2L))
  expect_identical(shape_of(keras_input(shape(4, 5))), list(NULL, 4L, 5L))
})

test_that("as_tensor() and keras_variable() make what is asked for", {
  tensor <- as_tensor(1:4, "float32", shape = c(2, 2))
  expect_identical(tensor$dtype$name, "float32")
  expect_equal(as.array(tensor), matrix(c(1, 3, 2, 4), 2))
  expect_equal(as.array(as_tensor(7, shape = c(1, 2))), matrix(7, 1, 2))
  variable <- keras_variable(c(1, 2), name = "two")
  variable$assign_add(c(1, 1))
  expect_equal(as.numeric(variable), c(2, 3))
  expect_identical(variable$name, "two")
})

test_that("lists are zipped by name or position", {
  expect_identical(
    zip_lists(list(a = 1, b = 2), list(b = 3, a = 4)),
    list(a = list(1, 4), b = list(2, 3))
  )
  expect_identical(zip_lists(list(1, 2), list(3, 4)), list(
    list(1, 3), list(2, 4)
  ))
  expect_error(zip_lists(list(a = 1), list(b = 1)), "names")
})

test_that("op_subset() takes positions in any order, and fewer indices", {
  expect_equal(as.array(op_subset(x, , c(1, 3, 2))), values[, c(1, 3, 2)])
  expect_equal(
    as.array(op_subset(x, c(1, 2, 1), c(3, 1, 2))),
    values[c(1, 2, 1), c(3, 1, 2)]
  )
  expect_silent(row <- op_subset(x, 2))
  expect_equal(as.numeric(row), values[2, ])
  expect_silent(last <- op_subset(x, -1, 1))
  expect_equal(as.numeric(last), 2)
  expect_equal(as.array(op_subset(x, all_dims(), 2)), array(values[, 2]))
  expect_identical(dim(op_subset(x, NULL)), c(1L, 2L, 3L))
  counts <- tf$constant(1:4)
  expect_equal(as.numeric(op_subset(counts, 2:-1)), 2:4)
  expect_equal(as.numeric(op_subset(counts, 1:4:2)), c(1, 3))
  expect_identical(
    shape_of(op_subset(keras_input(3), , 1:2)), list(NULL, 2L)
  )
  expect_error(op_subset(x, 0))
  expect_error(op_subset(x, 3, 1))
})

test_that("op_subset() takes TRUE and FALSE, tensors and matrices", {
  chosen <- c(TRUE, FALSE, TRUE)
  expect_equal(as.array(op_subset(x, , chosen)), values[, chosen])
  expect_equal(as.array(op_subset(x, 2, chosen)), array(values[2, chosen]))
  # Row by row; R itself goes column by column.
  expect_equal(as.numeric(op_subset(x, x > 2)), c(3, 5, 4, 6))
  expect_equal(as.numeric(op_subset(x, values > 2)), c(3, 5, 4, 6))
  numbers <- tf$constant(c(3L, 1L))
  expect_equal(as.array(op_subset(x, , numbers)), values[, c(3, 1)])
  expect_equal(as.numeric(op_subset(x, tf$constant(2L), 1)), 2)
  pairs <- rbind(c(1, 1), c(2, 3))
  expect_equal(as.numeric(op_subset(x, pairs)), values[pairs])
  expect_equal(as.numeric(op_subset(x, tf$constant(pairs, "int32"))), c(1, 6))
})

test_that("what op_subset() does not take is refused", {
  skip_with_keras3("keras3 cuts and goes on")
  expect_error(op_subset(x, 1.5, 1), "found numeric 1.5")
  expect_error(op_subset(x, "a", 1), "found character a")
  expect_error(op_subset(x, NA), "found logical NA")
  expect_error(op_subset(x, 0:1, 1), "indexed from 1 in R; found 0")
})

test_that("a number that is a tensor is a size", {
  expect_length(shape(tf$constant(3L), 4), 2)
  expect_identical(
    dim(op_reshape(op_zeros(c(2, 6)), list(tf$constant(3L), -1))), c(3L, 4L)
  )
  traced <- function(f) {
    any_number <- tf$TensorSpec(list(NULL, 2L, 2L), "float32")
    tf$`function`(reticulate::py_func(f), input_signature = list(any_number))
  }
  flat <- traced(function(z) op_reshape(z, shape(op_shape(z)[[1]], -1)))
  expect_identical(dim(flat(tf$zeros(c(3L, 2L, 2L)))), c(3L, 4L))
  flat <- traced(function(z) op_reshape(z, c(shape(z)[1], -1)))
  expect_identical(dim(flat(tf$zeros(c(3L, 2L, 2L)))), c(3L, 4L))
})

test_that("as_tensor() does not wrap what a type does not hold", {
  expect_identical(as.integer(as_tensor(300L, "uint8")), 255L)
  expect_identical(as.integer(as_tensor(-1, "uint8")), 0L)
  expect_identical(as.logical(as_tensor(c(0, 2), "bool")), c(FALSE, TRUE))
})
