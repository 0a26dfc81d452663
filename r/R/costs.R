# A stop-watch for small things: the twin of python/sidebyside/lesson/costs.py.

# Seconds that one measurement of a quick function lasts at least. Sys.time()
# is good to a few microseconds.
at_least <- 0.01

#' How long does a call take?
#'
#' @description
#' Calls a function often enough for R's clock, and several times over. Python
#' has the same (`sidebyside.lesson.costs.cost()`).
#'
#' @param f A function that can be called without arguments, many times.
#' @param times How often it is measured.
#' @param calls Calls per measurement, of which the mean is taken. If `NULL`,
#'   as many as take a hundredth of a second; finding that out is the warm-up.
#'
#' @return Seconds per call, `times` of them.
#' @section Errors:
#' If `f` is no function, or `times` or `calls` is below 1.
#' @examples
#' median(cost(function() sqrt(2)))
#' @export
cost <- function(f, times = 5, calls = NULL) {
  if (!is.function(f)) {
    stop("cost() measures a function; found ", class(f)[1], ".",
      call. = FALSE
    )
  }
  if (is.null(calls)) {
    calls <- enough_calls(f)
  }
  if (times < 1 || calls < 1) {
    stop("times is ", times, ", calls is ", calls, ", expected 1 or more.",
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
      # Once more: another program may have had its turn.
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
