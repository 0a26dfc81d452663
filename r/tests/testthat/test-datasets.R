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
  # A small file in place of the download.
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

test_that("dataset_imdb_word_index() gives the ranks that Keras loads", {
  file <- temporary_file(".json")
  writeLines('{"film": 2, "the": 1}', file)
  python("
import keras.src.datasets.imdb as imdb, keras.src.datasets.reuters as reuters
files = [(module, module.get_file) for module in (imdb, reuters)]
for module, _ in files:
    module.get_file = lambda *a, **k: file
result = 0
", file = file)
  on.exit({
    python("
for module, get_file in files:
    module.get_file = get_file
result = 0
")
    unlink(file)
  })
  expect_identical(dataset_imdb_word_index(), list(film = 2L, the = 1L))
  expect_identical(dataset_reuters_word_index()[["the"]], 1L)
})

# ---- texts ------------------------------------------------------------------

# Small data sets in the folder of the real ones.
with_texts <- function(code) {
  folder <- tempfile("texts")
  where <- c("SIDEBYSIDE_DATA", "SIDEBYSIDE_TEXTS", "KERAS_HOME")
  before <- Sys.getenv(where, unset = NA)
  Sys.setenv(SIDEBYSIDE_DATA = folder, KERAS_HOME = folder)
  Sys.unsetenv("SIDEBYSIDE_TEXTS")
  on.exit({
    Sys.unsetenv(names(before))
    set <- as.list(before[!is.na(before)])
    if (length(set)) do.call(Sys.setenv, set)
    unlink(folder, recursive = TRUE)
  })
  python("
import os
from pathlib import Path
from sidebyside.data import kept, novels, words
os.makedirs(Path(folder) / 'texts')
small = words._packed(
    [[[1, 2], [3], [2, 2, 1]], [[1]]], [[0, 1, 2], [1]],
    ['caf\u00e9', \"don't\", 'film'], ['earn', 'acq', 'wheat'])
small['source'] = kept.letters('here')
texts = novels._as_novels({'One': 'a\\n\u00e9', 'Two & Three': ' b'}, 'here')
x, y = np.arange(6 * 3072).reshape(6, 32, 32, 3) % 256, [[0], [1], [1]]
parts = {'x_train': x[:5], 'y_train': (y + y)[:5]}
parts |= {'x_test': x[5:], 'y_test': y[:1]}
parts = {name: np.array(part, 'uint8') for name, part in parts.items()}
parts |= {'classes': kept.letters('cat\\ndog'), 'source': kept.letters('here')}
made = dict(imdb=small, reuters=small, novels=texts, cifar10=parts)
for name, arrays in made.items():
    arrays |= {'format': np.array(kept.FORMAT), 'origin': kept.letters('')}
    np.savez(Path(folder) / 'texts' / f'{name}.npz', **arrays)
result = 0
", folder = folder)
  force(code)
}

test_that("reviews, news and novels are the same in R and in Python", {
  with_texts({
    output <- reticulate::py_capture_output({
      imdb <- load_imdb()
      short <- load_imdb(num_words = 6)
      index <- imdb_word_index()
      reuters <- load_reuters()
      novels <- load_novels()
    })
    known <- python("
import contextlib, io, sidebyside
with contextlib.redirect_stdout(io.StringIO()):
    (x, y), (x_test, _) = sidebyside.load_imdb()
    (short, _), _ = sidebyside.load_imdb(num_words=6)
    result = dict(
        x=list(x), y=y.tolist(), x_test=list(x_test), short=list(short),
        index=sidebyside.imdb_word_index(), novels=sidebyside.load_novels(),
        said=sidebyside.decode_words(x[0], sidebyside.imdb_word_index()))
")
  })
  expect_identical(strsplit(trimws(output), "\n")[[1]], c(
    "IMDB reviews from here", "IMDB reviews from here",
    "Reuters news from here", "Novels from here"
  ))
  long <- c(1L, 5L, 5L, 4L)
  expect_identical(imdb$train$x, list(c(1L, 4L, 5L), c(1L, 6L), long))
  expect_identical(imdb$train$x, known$x)
  expect_identical(imdb$test$x, known$x_test)
  expect_identical(as.vector(imdb$train$y), known$y)
  expect_identical(short$train$x, list(c(1L, 4L, 5L), c(1L, 2L), long))
  expect_identical(short$train$x, known$short)
  expect_identical(as.list(index), known$index)
  expect_identical(decode_words(imdb$train$x[[1]], index), "caf\u00e9 don't")
  expect_identical(known$said, "caf\u00e9 don't")
  expect_identical(decode_words(c(1, 2, 6, 99, 0), as.list(index)), "? film ?")
  expect_identical(reuters, imdb)
  expect_identical(as.list(novels), known$novels)
  expect_identical(novels[["Two & Three"]], " b")
})

test_that("topics and stories are the same in R and in Python", {
  with_texts({
    topics <- reuters_topics()
    reticulate::py_capture_output(stories <- load_stories())
    known <- python("
with contextlib.redirect_stdout(io.StringIO()):
    train, test = sidebyside.load_stories()
result = [story._asdict() for story in (*train[:20], *test[-20:])]
")
  })
  expect_identical(topics, c("earn", "acq", "wheat"))
  expect_named(stories, c("train", "test"))
  expect_identical(lengths(stories), c(train = 10000L, test = 1000L))
  expect_identical(c(head(stories$train, 20), tail(stories$test, 20)), known)
})

test_that("photograph and painting are the same files in R and in Python", {
  with_texts({
    output <- reticulate::py_capture_output({
      found <- c(photograph(), painting(), painting(seed = 3))
    })
    known <- python("
with contextlib.redirect_stdout(io.StringIO()):
    result = [sidebyside.photograph(), *map(sidebyside.painting, (18, 3))]
")
    expect_identical(found, known)
    expect_true(all(file.exists(found)))
  })
  expect_match(output, "Photograph from .*Painting by a program, seed 3")
})

test_that("pictures are the same in R and in Python", {
  with_texts({
    reticulate::py_capture_output(pictures <- load_cifar10())
    reticulate::py_capture_output(few <- load_cifar10(most = 3))
    classes <- cifar10_classes()
  })
  x <- aperm(array(seq_len(6 * 3072) - 1, c(3, 32, 32, 6)), 4:1) %% 256
  expect_equal(pictures$train$x, x[1:5, , , ])
  expect_identical(pictures$train$y, matrix(c(0L, 1L, 1L, 0L, 1L)))
  expect_equal(pictures$test$x, x[6, , , , drop = FALSE])
  expect_identical(dim(few$train$x), c(3L, 32L, 32L, 3L))
  expect_length(few$test$y, 0)
  expect_identical(classes, c("cat", "dog"))
})
