test_that("cost() measures as often as it is told, per call", {
  calls <- 0
  f <- function() {
    calls <<- calls + 1
    Sys.sleep(0.002)
  }
  seconds <- cost(f, times = 3, calls = 4)
  expect_length(seconds, 3)
  expect_identical(calls, 12)
  expect_true(all(seconds >= 0.002))
})

test_that("by default there are enough calls for the clock", {
  calls <- 0
  f <- function() calls <<- calls + 1
  cost(f, times = 1)
  expect_gt(calls, 10)
  calls <- 0
  slow <- function() {
    calls <<- calls + 1
    Sys.sleep(0.11)
  }
  expect_identical(sidebyside:::enough_calls(slow), 1)
  expect_identical(calls, 1)
})

test_that("a pause of the machine does not pass for a slow function", {
  paused <- FALSE
  f <- function() {
    if (!paused) {
      paused <<- TRUE
      Sys.sleep(0.02)
    }
  }
  expect_gt(sidebyside:::enough_calls(f), 10)
})

test_that("cost() refuses what it cannot measure", {
  expect_error(cost(1), "class numeric, expected a function")
  expect_error(cost(function() 1, times = 0), "times is 0")
  expect_error(cost(function() 1, calls = 0), "calls is 0")
})
