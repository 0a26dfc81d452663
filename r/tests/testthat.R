# R CMD check runs this; in the project, tests/test_r_package.py runs the same
# files and shows each as a test of its own.
#
# The tests see what a reader sees: the search path, with keras3 or with the
# companion's dialect on it. test_check() would put this package's namespace
# first, where functions of the same names are.
library(testthat)
library(sidebyside)

test_dir(
  "testthat",
  env = new.env(parent = globalenv()),
  reporter = check_reporter(),
  load_package = "none",
  stop_on_failure = TRUE
)
