#' Measurements of the timing experiment
#'
#' @description
#' The same table as `sidebyside.timing.load_campaigns()` gives in Python,
#' checked row by row. `main_campaigns()` names, for each device, the campaign
#' with the most complete pairs of runs of R and Python, of those on photographs
#' if there are any, and warns if that one is not finished.
#'
#' @param ... Folders: campaigns, or folders that hold some, as folders or as
#'   zip files that were handed in. Without any, the folders that
#'   `SIDEBYSIDE_TIMINGS` names; else the reader's own finished campaigns; else
#'   the project's reference measurements. Measurements that were contributed
#'   come along with the last two.
#' @param runs What `load_campaigns()` gives, or some of its rows.
#' @return `load_campaigns()`: a data frame with one row per run, in the order
#'   in which they ran; times in seconds; `epoch_seconds`, `loss`, `accuracy`,
#'   `val_loss` and `val_accuracy` are lists with one vector per run, one
#'   number per epoch. What the columns are: `data/timings/README.md`; and
#'   `work`, what was trained; `machine`, the machine's anonymous name;
#'   `planned`, the blocks of the plan; `ended`, how the campaign ended.
#'   `main_campaigns()`: a vector of text with the devices as names.
#' @section Errors:
#' If a row is not what it should be: file, line and column. If there is
#' nothing to load or to compare: one sentence that says what is missing.
#' @examples
#' \dontrun{
#' runs <- load_campaigns()
#' boxplot(fit_seconds ~ arm, runs, subset = block > 0)
#' }
#' @export
load_campaigns <- function(...) {
  # Python would see an NA as TRUE, and several folders as a list.
  for (folder in list(...)) {
    if (!is.character(folder) || length(folder) != 1 || is.na(folder)) {
      stop("found ", deparse(folder, nlines = 1), ", expected the path of a ",
        "folder, such as \"data/timings/me\"; several are given one by one.",
        call. = FALSE
      )
    }
  }
  pairs <- companion("sidebyside.statistics.pairs")
  columns <- in_one_sentence(with_warnings(
    pairs$columns_of(companion("sidebyside.timing", FALSE)$load_campaigns(
      ...
    ))
  ))
  as_runs(columns)
}

#' @rdname load_campaigns
#' @export
main_campaigns <- function(runs) {
  statistics <- companion("sidebyside.statistics")
  # Converted once only: a table of Python's is not turned into one of R's.
  table <- companion("sidebyside.statistics.pairs", FALSE)$from_columns(
    as_columns(runs)
  )
  unlist(in_one_sentence(with_warnings(statistics$main_campaigns(table))))
}

# What Python warns of while it runs, as warnings of R.
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

# What is a list per run stays one, also where all runs have one epoch.
as_runs <- function(columns) {
  for (name in names(columns)) {
    values <- columns[[name]]
    if (name %in% epoch_columns) {
      columns[[name]] <- I(lapply(values, as.numeric))
    } else {
      values <- unlist(values)
      # Python's missing number is NaN; in R a value that is missing is NA.
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

# The other way: what Python's from_columns() makes a table of.
as_columns <- function(runs) {
  if (!is.data.frame(runs)) {
    stop("The runs are of class ", class(runs)[1], ", expected a data frame ",
      "such as load_campaigns() gives.",
      call. = FALSE
    )
  }
  # A list by names has room for one of two.
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
  # reticulate makes NA_character_ a text; there are none but empty ones.
  lapply(columns, lapply, function(x) {
    if (is.character(x) && is.na(x)) "" else if (is_missing(x)) NaN else x
  })
}

is_missing <- function(x) is.atomic(x) && length(x) == 1 && is.na(x)

#' Random numbers that both languages draw alike
#'
#' @description
#' R and Python have other random number generators, so a bootstrap in each
#' would differ by chance. These draw the same numbers as the Python functions
#' of the same names, from the generator of Park and Miller with their second
#' multiplier (Communications of the ACM 36, 1993, p. 108).
#'
#' * `resamples()`: which blocks to draw, with return.
#' * `standard_normals()`: draws from the standard normal distribution.
#' * `sign_flips()`: ways to exchange the two runs of a block. All `2^n` up to
#'   12 blocks; with more, `times` that are drawn, after the one in which
#'   nothing is exchanged.
#'
#' @param n Number of blocks, or of numbers in a row.
#' @param times Number of rows.
#' @param seed A whole number from 1 to 2147483646.
#' @return A matrix with `times` rows and `n` columns (`sign_flips()`: see
#'   above): places from 1 to `n`; numbers; +1 and -1.
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
# exactly. The first hundred are thrown away: a small seed makes them small.
uniform <- function(count, seed) {
  modulus <- 2147483647
  if (!is.numeric(seed) || seed < 1 || seed >= modulus) {
    stop("seed is ", seed, "; 1 to 2147483646 is possible.", call. = FALSE)
  }
  powers <- 48271
  while (length(powers) < count + 100) {
    powers <- c(powers, multiply(powers, powers[length(powers)], modulus))
  }
  multiply(powers[100 + seq_len(count)], seed, modulus) / modulus
}

# a * b modulo m, with no product above 2^53: b in two parts of 16 bits.
multiply <- function(a, b, m) {
  high <- b %/% 65536
  low <- b %% 65536
  ((a * high) %% m * 65536 + a * low) %% m
}

#' What the measurements say
#'
#' @description
#' Does the language change the time? Does it change the accuracy? By how
#' much, how sure is that, and does it matter? In sentences that are computed
#' from the data, the same ones as Python's `verdict()` gives. Campaigns of the
#' same work are pooled, each counting once; those of other work get an answer
#' of their own.
#'
#' @param runs What `load_campaigns()` gives, or some of its rows.
#' @param margin A ratio of times between `1 / (1 + margin)` and `1 + margin`
#'   does not matter.
#' @param accuracy_margin Nor does a difference of test accuracies up to this
#'   (a share: 0.005 is half a point).
#' @param x A verdict.
#' @param ... Not used.
#' @return A list of class `sidebyside_verdict`: `text`, one paragraph;
#'   `sentences`; `biased`, whether Python differs from itself; `findings`, a
#'   data frame of ratios with their 95 % intervals (`low`, `high`) and 90 %
#'   intervals (`low_90`, `high_90`), the `campaigns` that they come from,
#'   whether a ratio is the `primary` question, and the p values of "the ratio
#'   is 1" (`p_different`), "it is beyond the margin" (`p_apart`) and "it is
#'   within the margin" (`p_beyond`). Those of all but the primary question are
#'   corrected for their number by Holm's method; `p` is `p_different` without
#'   the correction.
#' @section Errors:
#' If there are no pairs of runs to compare, or the runs or a margin are not
#' what they should be: one sentence that says why.
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

# Python would name what it got in words of its own.
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
  # A column of two, on a small screen, holds so much.
  cat(strwrap(x$text, 58), sep = "\n")
  invisible(x)
}
