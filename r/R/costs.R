# Measures how long quick functions take, as python/sidebyside/lesson/costs.py
# does.

# One measurement lasts at least this many seconds. Sys.time() is accurate to a
# few microseconds.
at_least <- 0.01

#' How long does a call take?
#'
#' @description
#' Measures how long a call takes, and repeats the measurement. In each
#' measurement the function is called so often that R's clock is accurate
#' enough. Python has the same function (`sidebyside.lesson.costs.cost()`).
#'
#' @param f A function that can be called many times without arguments.
#' @param times Number of measurements, 1 or more.
#' @param calls Number of calls in each measurement, 1 or more. If `NULL`, as
#'   many as take a hundredth of a second, because `Sys.time()` is accurate to a
#'   few microseconds. Finding this number also warms the function up.
#'
#' @return A numeric vector of length `times`: the seconds of one call, each the
#'   mean of a measurement.
#' @section Errors:
#' If `f` is not a function, or if `times` or `calls` is below 1.
#' @examples
#' median(cost(function() sqrt(2)))
#' @export
cost <- function(f, times = 5, calls = NULL) {
  if (!is.function(f)) {
    stop("cost() got an object of class ", class(f)[1], ", expected a ",
      "function.",
      call. = FALSE
    )
  }
  if (is.null(calls)) {
    calls <- enough_calls(f)
  }
  if (times < 1 || calls < 1) {
    stop("times is ", times, " and calls is ", calls, ", expected 1 or more.",
      call. = FALSE
    )
  }
  vapply(seq_len(times), function(i) seconds_of(f, calls) / calls, 0)
}

# How many calls of `f` take `at_least` seconds or more.
enough_calls <- function(f) {
  calls <- 1
  repeat {
    taken <- seconds_of(f, calls)
    if (taken >= at_least && taken < 10 * at_least) {
      # Measure again: another program may have slowed the first one down.
      taken <- min(taken, seconds_of(f, calls))
    }
    if (taken >= at_least) {
      return(calls)
    }
    calls <- calls * 3
  }
}

seconds_of <- function(f, calls) {
  start <- Sys.time()
  for (i in seq_len(calls)) {
    f()
  }
  as.numeric(Sys.time() - start, units = "secs")
}
