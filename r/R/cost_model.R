#' What R costs beyond Python
#'
#' @description
#' A ratio such as "R takes 1.05 times as long" says as much about the length
#' of a training as about the language. `cost_model()` takes the difference of
#' two processes apart, with the runs of several networks: the seconds for the
#' start, for each megabyte of arrays, for each epoch and for each batch. It
#' does the same with processor time, and with peak memory, which has a start
#' and a cost of a megabyte only. Networks differ, and so do machines: their
#' costs are random effects. The mixed models are fitted by lme4, and the
#' results are those of Python's `sidebyside.statistics.cost_model()`, whose
#' module describes the model and what its intervals assume.
#'
#' `predict()` says what R costs for a network that was not measured, and, of
#' times, `length_for_share()` how long a process has to be in Python until R
#' costs less than a share of its time.
#'
#' @param runs The runs of several networks, of one backend and one device: the
#'   result of `load_studies()`.
#' @param arm What is compared with Python: `"r"`, `"rpy2"`, or
#'   `"python-again"` as a control.
#' @param outcome `"process_seconds"`, `"cpu_seconds"` (processor time) or
#'   `"peak_memory_mb"`.
#' @param object,model A cost model.
#' @param epochs,batches The number of epochs, and of batches in each.
#' @param python What the whole process takes in Python: seconds, or MB of peak
#'   memory.
#' @param array_mb The size of the arrays that `fit()` gets in R, in megabytes
#'   (10^6 bytes; a number of R has 8 bytes); 0 for a data set.
#' @param calls How often, in each epoch, a callback is called that is written
#'   in R.
#' @param margin The share for `beyond`, see below.
#' @param new_machine Whether it is another machine than those of the
#'   measurements. That needs measurements of at least three machines.
#' @param share The share of Python's time.
#' @param epoch_seconds Python's seconds for an epoch. By default, `batches`
#'   and this are those of the median network.
#' @param x A cost model.
#' @param ... Not used.
#' @return `cost_model()`: a list of class `sidebyside_cost_model`. Its `text`
#'   says the result in sentences. Its data frame `coefficients` has a row for
#'   each cost, in seconds (of peak memory: in MB): the mean of networks with
#'   its 95 % interval (`low`, `high`), the 95 % prediction interval for a new
#'   network (`new_low`, `new_high`), and the standard deviations between
#'   `networks` and between `machines`. `predict()`: a list. `ratio` is R's
#'   value divided by Python's, `difference` is R's minus Python's, both with
#'   95 % prediction intervals, and `beyond` is the probability that the ratio
#'   is above `1 + margin`. `length_for_share()`: seconds of the process in
#'   Python, with a 95 % prediction interval. `Inf` means: however long it
#'   trains.
#' @section Errors:
#' If the runs are not enough for a model, or the model not enough for an
#' answer, the message says what is missing.
#' @examples
#' \dontrun{
#' model <- cost_model(load_studies())
#' model
#' predict(model, epochs = 20, batches = 500, python = 120)
#' length_for_share(model, 0.01)
#' }
#' @export
cost_model <- function(runs, arm = "r", outcome = "process_seconds") {
  if (!requireNamespace("lme4", quietly = TRUE)) {
    stop("cost_model() needs the package lme4: install.packages(\"lme4\").",
      call. = FALSE
    )
  }
  python <- companion("sidebyside.statistics.cost_model")
  found <- in_one_sentence(python$from_r(as_columns(runs), arm, outcome))
  pairs <- as.data.frame(lapply(found$pairs, unlist))
  several <- length(unique(pairs$machine)) > 1
  groups <- pairs[c("network", if (several) "machine")]
  fits <- lapply(found$parts, function(part) {
    x <- as.data.frame(lapply(part$x, unlist))
    fit_costs(unlist(part$y), x, groups, unlist(part$varying))
  })
  table <- do.call(rbind, lapply(fits, cost_table))
  model <- structure(
    list(
      arm = arm, outcome = outcome, fits = fits, pairs = pairs,
      notes = as.character(unlist(found$notes)), coefficients = table
    ),
    class = "sidebyside_cost_model"
  )
  costs <- lapply(
    split(table, factor(table$cost, table$cost)),
    function(x) c(x$estimate, x$low, x$high)
  )
  unlike <- lengths(lapply(pairs[c("network", "machine")], unique))
  later <- length <- NULL
  if (outcome == "process_seconds") {
    # So many epochs that the start does not count.
    usual <- usual_epoch(model)
    later <- predict(model, 1e9, usual$batches, 1e9 * usual$seconds)$ratio
    length <- length_for_share(model)
  }
  model$text <- python$words(
    arm, outcome, costs, as.list(unname(c(nrow(pairs), unlike))),
    as.list(unname(later)), as.list(unname(length)), as.list(model$notes)
  )
  model
}

# REML estimates of y = x b + noise, where each group has its own `varying` b.
fit_costs <- function(y, x, groups, varying) {
  size <- sqrt(mean(y^2))
  sizes <- sqrt(colMeans(x^2))
  effects <- outer(varying, names(groups), sprintf, fmt = "(0 + %s | %s)")
  # Until no digit changes; then it warns that it cannot get nearer.
  control <- lme4::lmerControl(
    optimizer = "nloptwrap", calc.derivs = FALSE, optCtrl = list(
      xtol_abs = 1e-13, xtol_rel = 0, ftol_abs = 0, ftol_rel = 0,
      maxeval = 20000
    )
  )
  # There may be two maxima.
  models <- lapply(c(0.1, 1, 10), function(sd) {
    suppressWarnings(suppressMessages(lme4::lmer(
      stats::reformulate(c("0", names(x), effects), "y"),
      cbind(sweep(x, 2, sizes, "/"), groups, y = y / size),
      control = control, start = rep(sd, length(effects))
    )))
  })
  model <- models[[which.min(vapply(models, lme4::REMLcrit, 0))]]
  scale <- size / sizes
  parts <- as.data.frame(lme4::VarCorr(model))
  counts <- lengths(lapply(groups, unique))
  list(
    estimates = lme4::fixef(model) * scale,
    covariance = as.matrix(stats::vcov(model)) * outer(scale, scale),
    spread = lapply(stats::setNames(nm = names(groups)), function(by) {
      # lme4 numbers the groups: network, network.1.
      of_group <- sub("\\.[0-9]+$", "", parts$grp) == by
      variances <- parts$vcov[of_group][match(names(x), parts$var1[of_group])]
      ifelse(is.na(variances), 0, variances) * scale^2
    }),
    df = min(counts["network"] - ncol(x), counts["machine"] - 1, na.rm = TRUE)
  )
}

# The costs of so many starts, epochs ..., by name, with the error of a new
# network or machine, if there is one.
costs_at <- function(fit, amounts, new = NULL) {
  known <- names(fit$estimates) %in% names(amounts)
  amounts <- amounts[names(fit$estimates)]
  amounts[!known] <- 0
  own <- vapply(new, function(by) sum(amounts^2 * fit$spread[[by]]), 0)
  error <- sqrt(drop(amounts %*% fit$covariance %*% amounts) + sum(own))
  list(value = sum(amounts * fit$estimates), error = error, df = fit$df)
}

cost_interval <- function(cost) {
  reach <- cost$error * stats::qt(0.975, cost$df)
  c(
    estimate = cost$value, low = cost$value - reach, high = cost$value + reach
  )
}

cost_table <- function(fit) {
  rows <- lapply(seq_along(fit$estimates), function(k) {
    name <- names(fit$estimates)[k]
    one <- stats::setNames(1, name)
    shared <- name %in% c("per_mb", "per_call")
    between <- lapply(c("network", "machine"), function(by) {
      found <- fit$spread[[by]]
      if (is.null(found) || shared) NA_real_ else sqrt(found[k])
    })
    new <- cost_interval(costs_at(fit, one, "network"))
    data.frame(
      cost = name, as.list(cost_interval(costs_at(fit, one))),
      new_low = new[["low"]], new_high = new[["high"]],
      networks = between[[1]], machines = between[[2]], row.names = NULL
    )
  })
  do.call(rbind, rows)
}

#' @rdname cost_model
#' @exportS3Method stats::predict sidebyside_cost_model
predict.sidebyside_cost_model <- function(object, epochs, batches,
                                          python, array_mb = 0, calls = 0,
                                          margin = 0.03, new_machine = FALSE,
                                          ...) {
  above_zero(epochs)
  above_zero(batches)
  above_zero(python)
  cost <- cost_of(object, epochs, batches, array_mb, calls, new_machine)
  difference <- cost_interval(cost)
  far <- (cost$value - margin * python) / cost$error
  list(
    ratio = pmax(0, 1 + difference / python), difference = difference,
    beyond = stats::pt(far, cost$df)
  )
}

#' @rdname cost_model
#' @export
length_for_share <- function(model, share = 0.01, epoch_seconds = NULL,
                             batches = NULL, array_mb = 0, calls = 0,
                             new_machine = FALSE) {
  if (model$outcome != "process_seconds") {
    stop("This is a model of ", model$outcome, ", and only a model of ",
      "process_seconds knows how long a process has to be.",
      call. = FALSE
    )
  }
  above_zero(share)
  usual <- usual_epoch(model)
  if (is.null(epoch_seconds)) epoch_seconds <- usual$seconds
  if (is.null(batches)) batches <- usual$batches
  above_zero(epoch_seconds)
  above_zero(batches)
  start <- usual$outside
  long <- function(epochs) start + epochs * epoch_seconds
  vapply(c(estimate = 1, low = 2, high = 3), function(end) {
    too_much <- function(log) {
      cost <- cost_of(
        model, exp(log), batches, array_mb, calls, new_machine
      )
      cost_interval(cost)[[end]] / long(exp(log)) - share
    }
    most <- log(1e9)
    if (too_much(most) > 0) {
      return(Inf)
    }
    if (too_much(0) <= 0) {
      return(long(1))
    }
    long(exp(stats::uniroot(too_much, c(0, most), tol = 1e-12)$root))
  }, 0)
}

# Of the median network: Python's seconds of an epoch and its batches. Of the
# mean network: Python's seconds outside the epochs.
usual_epoch <- function(model) {
  of_network <- function(column) {
    tapply(model$pairs[[column]], model$pairs$network, mean)
  }
  list(
    seconds = stats::median(of_network("python_epoch")),
    batches = stats::median(of_network("batches")),
    outside = mean(of_network("python_outside"))
  )
}

cost_of <- function(model, epochs, batches, array_mb, calls, new_machine) {
  machines <- length(unique(model$pairs$machine))
  if (new_machine && machines < 3) {
    stop("The measurements come from ", machines,
      if (machines == 1) " machine" else " machines", ", expected at least 3 ",
      "to predict costs on another one.",
      call. = FALSE
    )
  }
  if (!identical(as.numeric(array_mb), 0)) above_zero(array_mb)
  if (!identical(as.numeric(calls), 0)) above_zero(calls)
  amounts <- c(
    start = 1, per_mb = array_mb, per_epoch = epochs,
    per_batch = epochs * batches, per_call = epochs * calls
  )
  named <- unlist(lapply(model$fits, function(fit) names(fit$estimates)))
  wanted <- c(per_mb = "megabyte of arrays", per_call = "call of a callback")
  # Memory has no cost of a call.
  if (model$outcome == "peak_memory_mb") wanted <- wanted[1]
  for (name in setdiff(names(wanted), named)) {
    if (amounts[[name]] != 0) {
      stop("The model has no cost for each ", wanted[[name]],
        ", so it cannot say what ", amounts[[name]], " of them cost. ",
        paste(model$notes, collapse = " "),
        call. = FALSE
      )
    }
  }
  new <- c("network", if (new_machine) "machine")
  parts <- lapply(model$fits, costs_at, amounts, new)
  of_each <- function(what) vapply(parts, `[[`, 0, what)
  list(
    value = sum(of_each("value")), error = sqrt(sum(of_each("error")^2)),
    df = min(of_each("df"))
  )
}

above_zero <- function(x) {
  if (!is.numeric(x) || length(x) != 1 || !isTRUE(x > 0 && x < Inf)) {
    stop(deparse(substitute(x)), " is ", deparse(x, nlines = 1),
      ", expected a number above 0.",
      call. = FALSE
    )
  }
}

#' @rdname cost_model
#' @export
print.sidebyside_cost_model <- function(x, ...) {
  # As wide as one of two columns on a small screen.
  cat(strwrap(x$text, 58), sep = "\n")
  invisible(x)
}
