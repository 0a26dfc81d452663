# Runs of a study, made by the project's own test data generator: for R, and the
# result of Python's model.
made_up_study <- function(..., outcome = "process_seconds") {
  tests <- normalizePath("../../../tests", mustWork = FALSE)
  skip_if_not(file.exists(file.path(tests, "made_up.py")), "not in the project")
  skip_if_not_installed("lme4")
  maker <- reticulate::import_from_path("made_up", tests, convert = FALSE)
  runs <- maker$made_up_study(...)
  statistics <- reticulate::import("sidebyside.statistics.cost_model")
  pairs <- reticulate::import("sidebyside.statistics.pairs")
  list(
    runs = sidebyside:::as_runs(pairs$columns_of(runs)),
    python = statistics$cost_model(runs, outcome = outcome)
  )
}

test_that("lme4 and statsmodels say the same", {
  # Both stop when they are near enough.
  close <- function(own, python, scale = abs(own)) {
    if (inherits(python, "python.builtin.object")) {
      python <- reticulate::iterate(python)
    }
    python <- as.numeric(unlist(python))
    expect_identical(is.finite(unname(own)), is.finite(python))
    apart <- abs(own - python)[is.finite(own)] / scale[is.finite(own)]
    expect_lt(max(apart, 0), 1e-6)
  }
  cases <- list(
    list(),
    # Networks do not differ: variances are 0.
    list(seed = 3L, spread = list(
      start = 0, per_mb = 0, per_epoch = 0, per_batch = 0
    )),
    list(networks = 5L, machines = 3L, between_machines = 1, noise = 0.1),
    list(per_call = 0.01),
    list(outcome = "cpu_seconds"),
    list(outcome = "peak_memory_mb")
  )
  for (case in cases) {
    study <- do.call(made_up_study, case)
    outcome <- c(case$outcome, "process_seconds")[1]
    model <- cost_model(study$runs, outcome = outcome)
    theirs <- study$python$coefficients
    expect_identical(model$coefficients$cost, unlist(theirs$cost))
    width <- model$coefficients$high - model$coefficients$low
    for (name in c("estimate", "low", "high", "new_low", "new_high")) {
      close(model$coefficients[[name]], theirs[[name]], width)
    }
    several <- !is.null(case$machines)
    for (name in c("networks", "machines")) {
      variances <- as.numeric(unlist(theirs[[name]]))^2
      close(model$coefficients[[name]]^2, variances, width^2)
    }
    for (new in unique(c(FALSE, several))) {
      job <- list(
        epochs = 20, batches = 300, python = 60, array_mb = 50,
        calls = if (is.null(case$per_call)) 0 else 301, new_machine = new
      )
      own <- do.call(predict, c(list(model), job))
      python <- do.call(study$python$predict, job)
      close(own$ratio, python$ratio)
      close(own$difference, python$difference)
      close(own$beyond, python$beyond)
    }
    if (outcome == "process_seconds") {
      close(length_for_share(model, 0.05), study$python$length_for_share(0.05))
    }
    expect_identical(model$text, study$python$text)
  }
  expect_output(print(model), "^Beyond Python")
})

test_that("what has no answer is an error in a sentence", {
  study <- made_up_study(blocks = 4L)
  model <- cost_model(study$runs)
  expect_error(
    predict(model, 10, 100, 60, new_machine = TRUE),
    "^The measurements come from 1 machine, expected at least 3"
  )
  for (x in list(0, -1, NA, "x", c(1, 2), Inf, NULL)) {
    expect_error(predict(model, 10, x, 60), "^batches is .* number above 0")
    expect_error(length_for_share(model, x), "^share is .* number above 0")
  }
  without <- cost_model(transform(study$runs, array_mb = 0))
  expect_error(
    predict(without, 10, 100, 60, array_mb = 5), "no cost for each megabyte"
  )
  two <- subset(study$runs, network %in% c("network-1", "network-2"))
  expect_error(cost_model(two), "^There are pairs of 2 networks")
  expect_error(cost_model(list()), "^The runs are of class list")
  memory <- cost_model(study$runs, outcome = "peak_memory_mb")
  expect_error(length_for_share(memory), "a model of peak_memory_mb, and only")
  expect_error(
    cost_model(study$runs, outcome = "memory"), "^The outcome is 'memory'"
  )
})
