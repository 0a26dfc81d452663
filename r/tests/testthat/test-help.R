# The text of a help page as the pager shows it.
shown <- function(help) {
  lines <- NULL
  pager <- function(files, ...) {
    lines <<- c(lines, unlist(lapply(files, readLines)))
  }
  before <- options(pager = pager, width = 72)
  on.exit(options(before))
  # The dialect's functions are on the search path, not in this package.
  print(eval(substitute(help), globalenv()))
  lines
}

skip_if_keras3 <- function() {
  skip_if(dialect() == "keras3", "keras3 has its own help")
}

dialect_names <- function() {
  names <- ls("sidebyside:dialect", all.names = TRUE)
  Filter(sidebyside:::has_help, names)
}

test_that("every function of the dialect has a page", {
  skip_if_keras3()
  from_elsewhere <- c(
    names(sidebyside:::help_functions()), "%*%", "%<-%", "%<>%", "%>%", "%as%",
    "as_iterator", "import", "iter_next", "iterate", "np_array", "py_help",
    "py_to_r", "r_to_py", "tuple", "use_python", "use_virtualenv"
  )
  names <- ls("sidebyside:dialect", all.names = TRUE)
  without <- setdiff(names, c(dialect_names(), from_elsewhere))
  expect_identical(without, character())
})

test_that("a page looks as R lays it out, and nothing is underlined", {
  skip_if_keras3()
  # The step is a prime, so that all families are included.
  names <- dialect_names()
  for (name in names[seq(1, length(names), by = 17)]) {
    lines <- sidebyside:::help_lines(name)
    expect_match(lines[1], paste0("^", name, " +package:sidebyside +R Doc"))
    expect_false(any(grepl("\b|\\\\[a-z]+\\{", lines)), label = name)
    expect_true(all(c("Description:", "See Also:") %in% lines), label = name)
  }
})

test_that("the usage is a call with all of the function's arguments", {
  skip_if_keras3()
  for (name in setdiff(dialect_names(), sidebyside:::keras3_only)) {
    definition <- get(name, "sidebyside:dialect")
    if (is.function(definition)) {
      given <- as.list(str2lang(sidebyside:::usage(name, definition)))[-1]
      names <- sidebyside:::names_or_blank(given)
      written <- ifelse(nzchar(names), names, as.character(given))
      wanted <- as.character(names(formals(args(definition))))
      expect_identical(as.character(written), wanted, label = name)
    }
  }
})

test_that("arguments and values are R's", {
  skip_if_keras3()
  page <- shown(?op_concatenate)
  expect_match(page, "op_concatenate(xs, axis = 1L)", fixed = TRUE, all = FALSE)
  expect_match(page, "axes count from one", all = FALSE)
  page <- shown(help(op_map))
  expect_match(page, "^ +f: ", all = FALSE)
  page <- paste(shown(help("layer_dense")), collapse = " ")
  expect_match(page, "object: A sequential model")
  expect_match(page, "if .use_bias. is .TRUE.")
  expect_false(grepl("None|True|False|`", page))
})

test_that("help is found under each way of asking for it", {
  skip_if_keras3()
  topic <- "layer_dense"
  assign("topic_of_test", topic, globalenv())
  on.exit(rm("topic_of_test", envir = globalenv()))
  pages <- list(
    shown(?layer_dense), shown(?"layer_dense"), shown(?keras3::layer_dense),
    shown(?layer_dense(units = 1)), shown(help(layer_dense)),
    shown(help("layer_dense", package = "keras3")),
    shown(help(layer_dense, package = keras3)), shown(help(topic_of_test))
  )
  for (page in pages) {
    expect_match(page[1], "^layer_dense +package:sidebyside")
  }
  expect_match(shown(??densely), "layer_dense", all = FALSE)
  expect_match(shown(??"memory layer"), "layer_lstm", all = FALSE)
  expect_match(shown(help.search("densely")), "layer_dense", all = FALSE)
  expect_match(shown(?layer_feature_space), "keras3", all = FALSE)
  expect_match(shown(help(package = "keras3")), "^layer_dense ", all = FALSE)
})

test_that("what is R's own is R's", {
  expect_match(shown(?mean)[1], "^mean +package:base")
  expect_match(shown(?"if")[1], "^Control +package:base")
  expect_match(shown(?stats::lm)[1], "^lm +package:stats")
  expect_match(shown(help(predict, package = stats))[1], "package:stats")
  expect_match(shown(help(package = "stats")), "lm  ", all = FALSE)
  expect_length(eval(quote(help(nobody_knows_this)), globalenv()), 0)
  expect_output(
    eval(quote(example(mean, ask = FALSE)), globalenv()), "mean> x <- c(0:10",
    fixed = TRUE
  )
})

test_that("an example in Python is said to be one", {
  skip_if_keras3()
  said <- capture.output(eval(quote(example(op_relu)), globalenv()))
  expect_match(said[1], "Python")
  expect_match(said, "keras.ops.relu(x1)", fixed = TRUE, all = FALSE)
})

test_that("library(keras3) without keras3 says who answers", {
  skip_if_keras3()
  skip_if(nzchar(system.file(package = "keras3")), "keras3 is installed")
  asked <- function(call) eval(substitute(call), globalenv())
  expect_message(asked(library(keras3)), "companion")
  expect_message(asked(library("keras3", quietly = TRUE)), "companion")
  expect_message(expect_true(asked(require(keras3))), "companion")
  expect_silent(asked(suppressPackageStartupMessages(library(keras3))))
  expect_identical(
    asked(keras3::layer_dense), get("layer_dense", "sidebyside:dialect")
  )
  expect_error(asked(library(nobody_has_this)), "no package called")
  expect_error(asked(keras3::nobody_has_this), "not found")
  expect_identical(asked(stats::sd), stats::sd)
  expect_true(asked(require(stats4, quietly = TRUE)))
})
