# The result of fit(), an object of keras3's class "keras_training_history".

training_history <- function(history) {
  structure(
    list(params = history$params, metrics = history$history),
    class = "keras_training_history"
  )
}

epochs_done <- function(history) {
  min(history$params$epochs, length(history$metrics[[1]]))
}

# The argument `validation_freq` of fit() is a number n (validate after each n
# epochs) or a vector of epochs.
validated_epochs <- function(history) {
  every <- unlist(history$params$validation_freq)
  epochs <- seq_len(history$params$epochs)
  if (is.null(every)) {
    epochs
  } else if (length(every) > 1) {
    every
  } else {
    epochs[epochs %% every == 0]
  }
}

history_as_data_frame <- function(x, ...) {
  epochs <- x$params$epochs
  metrics <- names(x$metrics)
  plain <- sub("^val_", "", metrics)
  validation <- startsWith(metrics, "val_")
  # Some rows have no value: if training stopped early, or if not each epoch was
  # validated.
  values <- Map(function(metric, is_validation) {
    measured <- seq_along(metric)
    if (is_validation) {
      measured <- validated_epochs(x)[measured]
    }
    replace(rep(NA_real_, epochs), measured, as.numeric(metric))
  }, x$metrics, validation)
  data.frame(
    epoch = rep(seq_len(epochs), length(metrics)),
    value = unlist(values, use.names = FALSE),
    metric = factor(rep(plain, each = epochs), unique(plain)),
    data = factor(
      rep(ifelse(validation, "validation", "training"), each = epochs),
      c("training", "validation")
    )
  )
}

print_history <- function(x, ...) {
  last <- epochs_done(x)
  values <- vapply(x$metrics, function(metric) {
    as.numeric(metric[[min(last, length(metric))]])
  }, 0)
  shown <- prettyNum(values, big.mark = ",", digits = 4, scientific = FALSE)
  cat("\nFinal epoch (plot to see history):\n")
  cat(paste0(formatC(names(values), width = max(nchar(names(values)))), ": ",
             shown, collapse = "\n"), "\n")
  invisible(x)
}

plot_history <- function(x, y, metrics = NULL,
                         method = c("auto", "ggplot2", "base"),
                         smooth = getOption("keras.plot.history.smooth", TRUE),
                         theme_bw = getOption(
                           "keras.plot.history.theme_bw",
                           FALSE
                         ), ...) {
  method <- match.arg(method)
  if (method == "auto") {
    has_ggplot2 <- requireNamespace("ggplot2", quietly = TRUE)
    method <- if (has_ggplot2) "ggplot2" else "base"
  }
  values <- history_as_data_frame(x)
  if (is.null(metrics)) {
    metrics <- levels(values$metric)
  }
  unknown <- setdiff(metrics, levels(values$metric))
  if (length(unknown)) {
    stop("This history has no metric ", toString(unknown), ". Choose from ",
      toString(levels(values$metric)), ".",
      call. = FALSE
    )
  }
  values <- values[values$metric %in% metrics, ]
  if (method == "base") {
    plot_history_base(values, metrics, ...)
  } else {
    smooth <- smooth && x$params$epochs >= 10
    plot_history_ggplot2(values, smooth, theme_bw)
  }
}

whole_breaks <- function(limits) {
  breaks <- pretty(limits)
  breaks[breaks == round(breaks)]
}

plot_history_ggplot2 <- function(values, smooth, theme_bw) {
  # as.name(), because the names are columns of the data, not our variables.
  columns <- list(x = as.name("epoch"), y = as.name("value"))
  if ("validation" %in% values$data) {
    columns$colour <- as.name("data")
    columns$fill <- as.name("data")
  }
  drawn <- ggplot2::ggplot(values, do.call(ggplot2::aes, columns))
  if (theme_bw) {
    drawn <- drawn + ggplot2::theme_bw()
  }
  drawn <- drawn + ggplot2::geom_point(
    shape = 21, colour = "black", na.rm = TRUE
  )
  if (smooth) {
    drawn <- drawn + ggplot2::geom_smooth(
      formula = y ~ x, method = "loess", se = FALSE, na.rm = TRUE
    )
  }
  drawn +
    ggplot2::facet_grid(metric ~ ., switch = "y", scales = "free_y") +
    ggplot2::scale_x_continuous(breaks = whole_breaks) +
    ggplot2::theme(
      axis.title.y = ggplot2::element_blank(),
      strip.background = ggplot2::element_rect(fill = NA, colour = NA),
      strip.placement = "outside",
      strip.text = ggplot2::element_text(colour = "black", size = 11)
    )
}

plot_history_base <- function(values, metrics, ...) {
  before <- graphics::par(mfrow = c(length(metrics), 1), mar = c(4, 4, 1, 1))
  on.exit(graphics::par(before))
  for (metric in metrics) {
    shown <- values[values$metric == metric, ]
    sets <- unique(as.character(shown$data))
    plot(shown$epoch, shown$value,
      pch = match(shown$data, sets), xlab = "epoch", ylab = metric, ...
    )
    graphics::legend("right", legend = sets, pch = seq_along(sets), bty = "n")
  }
  invisible(NULL)
}
