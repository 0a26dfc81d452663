# A campaign on the disk, made by the project's own test data generator.
made_up <- function(...) {
  tests <- normalizePath("../../../tests", mustWork = FALSE)
  skip_if_not(file.exists(file.path(tests, "made_up.py")), "not in the project")
  maker <- reticulate::import_from_path("made_up", tests, convert = FALSE)
  folder <- tempfile("campaign")
  path <- reticulate::import("pathlib", convert = FALSE)$Path(folder)
  maker$write_campaign(maker$made_up_campaign(...), path)
  folder
}

statistics <- reticulate::import("sidebyside.statistics.estimates")

test_that("both languages draw the same numbers", {
  for (n in c(2L, 7L, 10L)) {
    expect_identical(
      resamples(n, 200, seed = 3),
      statistics$resamples(n, 200L, 3L) + 1
    )
    expect_equal(
      standard_normals(n, 200, seed = 2147483646),
      statistics$standard_normals(n, 200L, 2147483646L),
      tolerance = 1e-13
    )
  }
  for (n in c(3L, 14L)) {
    expect_identical(
      sign_flips(n, 50) + 0,
      array(as.numeric(statistics$sign_flips(n, 50L)), dim(sign_flips(n, 50)))
    )
  }
})

test_that("what is drawn has the right range and shape", {
  drawn <- resamples(10, 2000)
  expect_identical(dim(drawn), c(2000L, 10L))
  expect_setequal(drawn, 1:10)
  expect_lt(max(abs(table(drawn) / 2000 - 1)), 0.1)
  normals <- standard_normals(20, 2000)
  expect_lt(abs(mean(normals)), 0.02)
  expect_lt(abs(sd(normals) - 1), 0.02)
  expect_false(identical(resamples(10, 20), resamples(10, 20, seed = 2)))
  expect_identical(nrow(unique(sign_flips(5))), 32L)
  expect_error(resamples(3, seed = 0), "seed is 0, expected 1")
})

test_that("load_campaigns() gives a plain data frame", {
  runs <- load_campaigns(made_up(blocks = 3L))
  expect_s3_class(runs, "data.frame", exact = TRUE)
  expect_identical(nrow(runs), 16L)
  expect_type(runs$arm, "character")
  expect_type(runs$fit_seconds, "double")
  expect_type(runs$epoch_seconds, "list")
  expect_identical(lengths(runs$epoch_seconds), rep(4L, 16))
  one <- load_campaigns(made_up(blocks = 3L, epochs = 1L))
  expect_type(one$epoch_seconds, "list")
  expect_identical(lengths(one$val_accuracy), rep(1L, 16))
})

test_that("what cannot be loaded is an error in a sentence", {
  expect_error(load_campaigns("/nowhere"), "^/nowhere is not there, expected")
  for (none in list(NA, NULL, 7, c("a", "b"), list("a"))) {
    expect_error(
      load_campaigns(none), "^found .*, expected the path of a folder"
    )
  }
})

test_that("verdict() says in R what it says in Python", {
  folder <- made_up(ratio = 1.15)
  found <- verdict(load_campaigns(folder))
  loaded <- reticulate::import("sidebyside.timing", convert = FALSE)
  judged <- reticulate::import("sidebyside.statistics.verdict")
  expect_identical(
    found$text, judged$verdict(loaded$load_campaigns(folder))$text
  )
  expect_false(found$biased)
  expect_identical(found$findings$outcome[1], "slower")
  expect_equal(found$findings$ratio[1], 1.15)
  expect_identical(which(found$findings$primary), 1L)
  of_r <- subset(found$findings, arm == "r")
  expect_true(all(of_r$p_different < 0.05 & of_r$p_beyond < 0.05))
  expect_true(all(of_r$p_apart > 0.05))
  expect_output(print(found), "R is slower")
})

test_that("verdict() goes by the rows and the margins it is given", {
  runs <- load_campaigns(made_up(ratio = 1.15))
  expect_identical(verdict(runs, margin = 0.5)$findings$outcome[1], "small")
  runs$state[runs$arm == "r" & runs$block == 2] <- "crashed"
  runs$fit_seconds[runs$state == "crashed"] <- NA
  found <- verdict(runs)
  expect_identical(found$findings$blocks[1], 9L)
  expect_match(found$text, "R \\(1 crashed\\)")
})

test_that("a table may be of the reader's own making", {
  runs <- load_campaigns(made_up(ratio = 1.15))
  own <- runs
  own$arm <- factor(own$arm)
  own$device <- "CPU"
  own$started <- as.POSIXct(own$started, tz = "UTC")
  class(own) <- c("tbl_df", "tbl", "data.frame")
  expect_identical(verdict(own)$text, verdict(runs)$text)
})

test_that("a table that is none is an error in a sentence", {
  runs <- load_campaigns(made_up(blocks = 3L))
  for (none in list(as.list(runs), NULL, "runs", runs$arm, mean)) {
    expect_error(verdict(none), "^The runs are of class .* a data frame")
    expect_error(main_campaigns(none), "^The runs are of class ")
  }
  for (x in list(NULL, "x", c(0.1, 0.2), NA, 0, 1L, TRUE, list(0.1), mean)) {
    expect_error(verdict(runs, x), "^The margin is .*between 0 and 1")
    expect_error(verdict(runs, 0.03, x), "^The accuracy_margin is")
  }
  spoilt <- list(
    list("block", factor(runs$block), "Row 1 .* '0' as its block, expected"),
    list("block", replace(runs$block, 5, -1), "Row 5 .* -1.0 as its block"),
    list("block", replace(runs$block, 5, NA), "Row 5 .* nothing as its block"),
    list("arm", replace(runs$arm, 5, NA), "Row 5 .* as its arm, expected one"),
    list("arm", replace(runs$arm, 5, "julia"), "'julia' as its arm"),
    list("state", replace(runs$state, 5, "done"), "'done' as its state"),
    list("device", "tpu", "'tpu' as its device, expected one of cpu"),
    list("fit_seconds", paste(runs$fit_seconds), "as its fit_seconds")
  )
  for (case in spoilt) {
    expect_error(verdict(replace(runs, case[[1]], case[[2]])), case[[3]])
  }
  expect_error(verdict(cbind(runs, runs["block"])), "several columns")
  wide <- replace(runs, "more", list(diag(nrow(runs))))
  expect_error(verdict(wide), "column more .* is a matrix")
  expect_error(verdict(runs[names(runs) != "arm"]), "no columns called arm")
  copy <- transform(runs, campaign = "renamed")
  expect_error(verdict(rbind(runs, copy)), "made-up and renamed have 16 runs")
})

test_that("runs that allow no verdict are an error", {
  runs <- load_campaigns(made_up(blocks = 3L))
  expect_error(
    verdict(subset(runs, arm != "r")), "^The arm 'r' has no completed run"
  )
  expect_error(verdict(subset(runs, block == 1)), "^There is 1 block")
  expect_error(verdict(runs[0, ]), "The table of runs is empty")
  expect_error(main_campaigns(subset(runs, block == 0)), "warm-up block")
  expect_identical(main_campaigns(runs), c(cpu = "made-up"))
  stopped <- transform(runs, ended = "unfinished")
  expect_warning(
    expect_identical(main_campaigns(stopped), c(cpu = "made-up")),
    "Unfinished: made-up"
  )
})
