#' Measurements of the timing experiment
#'
#' @description
#' `load_campaigns()` returns the same table as
#' `sidebyside.timing.load_campaigns()` in Python, and checks every row.
#' `load_studies()` loads the campaigns of studies, one for each network.
#' `main_campaigns()` names, for each device, the campaign with the most
#' complete pairs of runs of R and Python. If there are campaigns on
#' photographs, it takes one of them. It warns if that campaign is not finished.
#'
#' @param ... Folders of campaigns or of studies, or folders that contain
#'   campaigns or zip files. By default, these are the folders that the
#'   environment variable `SIDEBYSIDE_TIMINGS` names. If it is not set, they are
#'   your own finished campaigns, or the project's reference measurements if you
#'   have none; contributed measurements are added to both. Without folders,
#'   `load_campaigns()` leaves out studies; `load_studies()` loads only them.
#' @param runs The result of `load_campaigns()`, or some of its rows.
#' @return `load_campaigns()` and `load_studies()`: a data frame with one row
#'   per run, in the order of the runs. Times are in seconds. `epoch_seconds`,
#'   `loss`, `accuracy`, `val_loss` and `val_accuracy` are lists with one
#'   vector per run and one number per epoch. `data/timings/README.md`
#'   explains the columns. Four more are `work`, what was trained; `machine`,
#'   the machine's anonymous name; `planned`, the number of blocks in the
#'   plan; and `ended`, how the campaign ended. `main_campaigns()`: a
#'   character vector with the devices as names.
#' @section Errors:
#' If a row is wrong, the message names file, line and column. If there is
#' nothing to load or to compare, it says what is missing.
#' @examples
#' \dontrun{
#' runs <- load_campaigns()
#' boxplot(fit_seconds ~ arm, runs, subset = block > 0)
#' }
#' @export
load_campaigns <- function(...) load_runs("load_campaigns", ...)

#' @rdname load_campaigns
#' @export
load_studies <- function(...) load_runs("load_studies", ...)

load_runs <- function(loader, ...) {
  # Python would get an NA as TRUE, and several folders as a list.
  for (folder in list(...)) {
    if (!is.character(folder) || length(folder) != 1 || is.na(folder)) {
      stop("found ", deparse(folder, nlines = 1), ", expected the path of a ",
        "folder, such as \"data/timings/me\". Give each ",
        "folder as a separate argument.",
        call. = FALSE
      )
    }
  }
  pairs <- companion("sidebyside.statistics.pairs")
  columns <- in_one_sentence(with_warnings(
    pairs$columns_of(companion("sidebyside.timing", FALSE)[[loader]](...))
  ))
  as_runs(columns)
}

#' @rdname load_campaigns
#' @export
main_campaigns <- function(runs) {
  statistics <- companion("sidebyside.statistics")
  # Without conversion, so that the table stays in Python.
  table <- companion("sidebyside.statistics.pairs", FALSE)$from_columns(
    as_columns(runs)
  )
  unlist(in_one_sentence(with_warnings(statistics$main_campaigns(table))))
}

# Runs Python code and turns its warnings into warnings of R.
with_warnings <- function(code) {
  python <- import("warnings", convert = FALSE)
  caught <- python$catch_warnings(record = TRUE)
  seen <- caught$`__enter__`()
  on.exit(caught$`__exit__`())
  result <- code
  for (text in reticulate::iterate(seen, function(x) as.character(x$message))) {
    warning(text, call. = FALSE)
  }
  result
}

epoch_columns <- c(
  "epoch_seconds", "loss", "accuracy", "val_loss", "val_accuracy"
)

# A list per run stays a list, even if every run has only one epoch.
as_runs <- function(columns) {
  for (name in names(columns)) {
    values <- columns[[name]]
    if (name %in% epoch_columns) {
      columns[[name]] <- I(lapply(values, as.numeric))
    } else {
      values <- unlist(values)
      # A missing number is NaN in Python and NA in R.
      if (is.numeric(values)) values[is.nan(values)] <- NA
      columns[[name]] <- values
    }
  }
  runs <- as.data.frame(columns)
  for (name in intersect(epoch_columns, names(runs))) {
    runs[[name]] <- unclass(runs[[name]])
  }
  runs
}

# The other way: columns for Python's from_columns().
as_columns <- function(runs) {
  if (!is.data.frame(runs)) {
    stop("The runs are of class ", class(runs)[1], ", expected a data frame ",
      "such as load_campaigns() returns.",
      call. = FALSE
    )
  }
  # A named list could keep only one of them.
  if (any(twice <- duplicated(names(runs)))) {
    stop("The table of runs has several columns called ",
      names(runs)[twice][1], ", expected one.",
      call. = FALSE
    )
  }
  if (any(wide <- vapply(runs, function(x) is.matrix(x) && ncol(x) > 1, NA))) {
    stop("The column ", names(runs)[wide][1], " of the table of runs is a ",
      "matrix, expected one value per run.",
      call. = FALSE
    )
  }
  columns <- lapply(as.list(runs), function(values) {
    if (inherits(values, c("factor", "POSIXt"))) values <- as.character(values)
    as.list(if (is.list(values)) lapply(values, as.list) else values)
  })
  # reticulate would turn NA_character_ into the text "NA".
  lapply(columns, lapply, function(x) {
    if (is.character(x) && is.na(x)) "" else if (is_missing(x)) NaN else x
  })
}

is_missing <- function(x) is.atomic(x) && length(x) == 1 && is.na(x)

#' The same random numbers in both languages
#'
#' @description
#' R and Python have different random number generators, so simulations in the
#' two languages would differ by chance. These functions draw the same numbers
#' as the Python functions of the same names. They use Park and Miller's
#' generator with their second multiplier (Communications of the ACM 36, 1993,
#' p. 108).
#'
#' * `resamples()`: which blocks to draw, with replacement.
#' * `standard_normals()`: draws from the standard normal distribution.
#' * `sign_flips()`: ways to exchange the two runs of a block: 1 (not
#'   exchanged) or -1. Up to 12 blocks these are all `2^n` ways. With more
#'   blocks, the first row exchanges nothing and `times` random rows follow.
#'
#' @param n Number of blocks, or numbers per row.
#' @param times Number of rows.
#' @param seed A whole number from 1 to 2147483646.
#' @return A matrix with `n` columns and `times` rows (for `sign_flips()` as
#'   described above).
#' @examples
#' resamples(5, times = 3)
#' @export
resamples <- function(n, times = 9999, seed = 1) {
  drawn <- uniform(n * times, seed)
  matrix(floor(drawn * n) + 1, times, n, byrow = TRUE)
}

#' @rdname resamples
#' @export
standard_normals <- function(n, times = 1000, seed = 1) {
  matrix(stats::qnorm(uniform(n * times, seed)), times, n, byrow = TRUE)
}

#' @rdname resamples
#' @export
sign_flips <- function(n, times = 9999, seed = 1) {
  if (n <= 12) {
    rows <- seq_len(2^n) - 1
    return(1 - 2 * outer(rows, 2^(seq_len(n) - 1), function(x, bit) {
      x %/% bit %% 2
    }))
  }
  drawn <- ifelse(uniform(n * times, seed) < 0.5, 1, -1)
  rbind(rep(1, n), matrix(drawn, times, n, byrow = TRUE))
}

# Numbers between 0 and 1. Products stay below 2^53, so that doubles hold them
# exactly. The first hundred are not used: a small seed makes them small.
uniform <- function(count, seed) {
  modulus <- 2147483647
  if (!is.numeric(seed) || seed < 1 || seed >= modulus) {
    stop("The seed is ", seed, ", expected 1 to 2147483646.", call. = FALSE)
  }
  powers <- 48271
  while (length(powers) < count + 100) {
    powers <- c(powers, multiply(powers, powers[length(powers)], modulus))
  }
  multiply(powers[100 + seq_len(count)], seed, modulus) / modulus
}

# a * b modulo m. No product is above 2^53, because b is split into two parts of
# 16 bits.
multiply <- function(a, b, m) {
  high <- b %/% 65536
  low <- b %% 65536
  ((a * high) %% m * 65536 + a * low) %% m
}

#' What the measurements say
#'
#' @description
#' Does the language change the time? Does it change the accuracy? By how
#' much, how sure is that, and does it matter? Does R need more processor time,
#' or more memory? `verdict()` answers in sentences that are computed from the
#' data. They are the same as those of Python's `verdict()`. Campaigns of the
#' same work are pooled, and each counts once. Campaigns of other work get their
#' own answer.
#'
#' @param runs The result of `load_campaigns()`, or some of its rows.
#' @param margin Ratios of times between `1 / (1 + margin)` and `1 + margin` do
#'   not matter.
#' @param accuracy_margin Differences of test accuracies up to this share do
#'   not matter (0.005 is half a percentage point).
#' @param x A verdict.
#' @param ... Not used.
#' @return A list of class `sidebyside_verdict`: `text`, one paragraph;
#'   `sentences`; `biased`, whether Python differs from itself; and
#'   `findings`, a data frame of ratios. It has their 95 % intervals (`low`,
#'   `high`) and 90 % intervals (`low_90`, `high_90`), the `campaigns` that
#'   they come from, and whether a ratio is the `primary` question. Three
#'   columns are p values, of the hypotheses "the ratio is 1" (`p_different`),
#'   "it is beyond the margin" (`p_apart`) and "it is within the margin"
#'   (`p_beyond`). They are corrected by Holm's method, except those of the
#'   primary question. `p` is `p_different` without the correction.
#' @section Errors:
#' If there are no pairs of runs to compare, or if the runs or a margin are
#' wrong, the message says why.
#' @examples
#' \dontrun{
#' verdict(load_campaigns())
#' }
#' @export
verdict <- function(runs, margin = 0.03, accuracy_margin = 0.005) {
  found <- in_one_sentence(
    companion("sidebyside.statistics.verdict")$from_r(
      as_columns(runs),
      margin = a_share(margin), accuracy_margin = a_share(accuracy_margin)
    )
  )
  found$findings <- as.data.frame(found$findings)
  structure(found, class = "sidebyside_verdict")
}

# Python's message would show the value as Python sees it.
a_share <- function(x) {
  if (!is.numeric(x) || length(x) != 1 || !isTRUE(x > 0 && x < 1)) {
    stop("The ", deparse(substitute(x)), " is ", deparse(x, nlines = 1),
      ", expected a share between 0 and 1, such as 0.03 for 3 %.",
      call. = FALSE
    )
  }
  x
}

#' @rdname verdict
#' @export
print.sidebyside_verdict <- function(x, ...) {
  # As wide as one of two columns on a small screen.
  cat(strwrap(x$text, 58), sep = "\n")
  invisible(x)
}
