# All functions of keras3 that R cells of the notebooks use, with keras3's first
# arguments and their defaults, written as in the head of a function. The
# attached dialect, keras3 or the companion, must have the same. If a notebook
# uses another function, add a line here; the last test says which.
functions_of_keras3 <- list(
  `%<-%` = "x, value",
  `%>%` = "lhs, rhs",
  `%as%` = "object, name",
  active_property = "fn",
  adapt = "object, data, ..., batch_size = NULL, steps = NULL",
  application_preprocess_inputs = "model, x, ..., data_format = NULL",
  application_vgg16 = "
    include_top = TRUE, weights = 'imagenet', input_tensor = NULL,
    input_shape = NULL, pooling = NULL, classes = 1000L",
  all_dims = "",
  array_reshape = "x, dim, order = c('C', 'F')",
  as_iterator = "x",
  as_tensor = "x, dtype = NULL, ..., name = NULL",
  Callback = "
    classname, on_epoch_begin = NULL, on_epoch_end = NULL,
    on_train_begin = NULL, on_train_end = NULL",
  callback_early_stopping = "
    monitor = 'val_loss', min_delta = 0L, patience = 0L",
  callback_lambda = "on_epoch_begin = NULL, on_epoch_end = NULL",
  callback_model_checkpoint = "
    filepath, monitor = 'val_loss', verbose = 0L, save_best_only = FALSE,
    save_weights_only = FALSE",
  clear_session = "free_memory = TRUE",
  clone_model = "
    model, input_tensors = NULL, clone_function = NULL, call_function = NULL,
    recursive = FALSE, ...",
  Constraint = "classname, call = NULL, get_config = NULL, ...",
  count_params = "object",
  freeze_weights = "object, from = NULL, to = NULL, which = NULL",
  from_config = "config, custom_objects = NULL",
  get_config = "object",
  get_layer = "object, name = NULL, index = NULL",
  get_vocabulary = "object, include_special_tokens = TRUE",
  dataset_imdb_word_index = "path = 'imdb_word_index.json'",
  dataset_reuters_word_index = "path = 'reuters_word_index.pkl'",
  get_weights = "object, trainable = NA",
  image_dataset_from_directory = "
    directory, labels = 'inferred', label_mode = 'int', class_names = NULL,
    color_mode = 'rgb', batch_size = 32L, image_size = c(256L, 256L),
    shuffle = TRUE, seed = NULL, validation_split = NULL, subset = NULL,
    interpolation = 'bilinear'",
  image_load = "
    path, color_mode = 'rgb', target_size = NULL, interpolation = 'nearest',
    keep_aspect_ratio = FALSE",
  image_to_array = "img, data_format = NULL, dtype = NULL",
  imagenet_preprocess_input = "x, data_format = NULL, mode = 'caffe'",
  import = "module, as = NULL, convert = TRUE, delay_load = FALSE",
  iter_next = "it, completed = NULL",
  keras_input = "shape = NULL, batch_size = NULL, dtype = NULL",
  keras_model = "inputs = NULL, outputs = NULL, ...",
  keras_model_sequential = "
    input_shape = NULL, name = NULL, ..., input_dtype = NULL,
    input_batch_size = NULL, input_sparse = NULL, input_ragged = NULL,
    input_batch_shape = NULL, input_name = NULL, input_tensor = NULL,
    input_optional = FALSE, trainable = TRUE, layers = list()",
  keras_variable = "
    initializer, shape = NULL, dtype = NULL, trainable = TRUE, autocast = TRUE,
    aggregation = 'none', synchronization = 'auto', name = NULL",
  Layer = "
    classname, initialize = NULL, call = NULL, build = NULL, get_config = NULL,
    ..., public = list(), private = list(), inherit = NULL",
  layer_activation = "object, activation",
  layer_activation_leaky_relu = "object, negative_slope = 0.3",
  layer_activation_relu = "
    object, max_value = NULL, negative_slope = 0, threshold = 0",
  layer_add = "inputs, ...",
  layer_average_pooling_2d = "
    object, pool_size, strides = NULL, padding = 'valid'",
  layer_batch_normalization = "
    object, axis = -1L, momentum = 0.99, epsilon = 0.001, center = TRUE,
    scale = TRUE, beta_initializer = 'zeros', gamma_initializer = 'ones',
    moving_mean_initializer = 'zeros', moving_variance_initializer = 'ones',
    beta_regularizer = NULL, gamma_regularizer = NULL, beta_constraint = NULL,
    gamma_constraint = NULL, synchronized = FALSE",
  layer_bidirectional = "object, layer, merge_mode = 'concat'",
  layer_category_encoding = "
    object, num_tokens = NULL, output_mode = 'multi_hot', sparse = FALSE",
  layer_concatenate = "inputs, ..., axis = -1L",
  layer_conv_1d = "
    object, filters, kernel_size, strides = 1L, padding = 'valid',
    data_format = NULL, dilation_rate = 1L, groups = 1L, activation = NULL",
  layer_conv_2d = "
    object, filters, kernel_size, strides = list(1L, 1L), padding = 'valid',
    data_format = NULL, dilation_rate = list(1L, 1L), groups = 1L,
    activation = NULL, use_bias = TRUE",
  layer_conv_2d_transpose = "
    object, filters, kernel_size, strides = list(1L, 1L), padding = 'valid',
    output_padding = NULL, data_format = NULL",
  layer_conv_3d = "
    object, filters, kernel_size, strides = list(1L, 1L, 1L),
    padding = 'valid', data_format = NULL, dilation_rate = list(1L, 1L, 1L),
    groups = 1L, activation = NULL, use_bias = TRUE",
  layer_conv_lstm_2d = "
    object, filters, kernel_size, strides = 1L, padding = 'valid',
    data_format = NULL, dilation_rate = 1L, activation = 'tanh',
    recurrent_activation = 'sigmoid', use_bias = TRUE",
  layer_dense = "
    object, units, activation = NULL, use_bias = TRUE,
    kernel_initializer = 'glorot_uniform', bias_initializer = 'zeros'",
  layer_dot = "inputs, ..., axes, normalize = FALSE",
  layer_dropout = "object, rate, noise_shape = NULL, seed = NULL",
  layer_embedding = "
    object, input_dim, output_dim, embeddings_initializer = 'uniform',
    embeddings_regularizer = NULL, embeddings_constraint = NULL,
    mask_zero = FALSE",
  layer_flatten = "object, data_format = NULL",
  layer_global_average_pooling_1d =
    "object, data_format = NULL, keepdims = FALSE",
  layer_global_max_pooling_1d = "object, data_format = NULL, keepdims = FALSE",
  layer_gru = "
    object, units, activation = 'tanh', recurrent_activation = 'sigmoid',
    use_bias = TRUE, kernel_initializer = 'glorot_uniform',
    recurrent_initializer = 'orthogonal'",
  layer_integer_lookup = "
    object, max_tokens = NULL, num_oov_indices = 1L, mask_token = NULL,
    oov_token = -1L, vocabulary = NULL, vocabulary_dtype = 'int64',
    idf_weights = NULL, invert = FALSE, output_mode = 'int', sparse = FALSE,
    pad_to_max_tokens = FALSE, name = NULL",
  layer_lambda = "
    object, f, output_shape = NULL, mask = NULL, arguments = NULL",
  layer_lstm = "
    object, units, activation = 'tanh', recurrent_activation = 'sigmoid',
    use_bias = TRUE, kernel_initializer = 'glorot_uniform',
    recurrent_initializer = 'orthogonal'",
  layer_max_pooling_1d = "
    object, pool_size = 2L, strides = NULL, padding = 'valid',
    data_format = NULL",
  layer_max_pooling_2d = "
    object, pool_size = list(2L, 2L), strides = NULL, padding = 'valid',
    data_format = NULL",
  layer_multiply = "inputs, ...",
  layer_permute = "object, dims",
  layer_random_brightness = "
    object, factor, value_range = list(0L, 255L), seed = NULL",
  layer_random_flip = "
    object, mode = 'horizontal_and_vertical', seed = NULL, data_format = NULL",
  layer_random_rotation = "
    object, factor, fill_mode = 'reflect', interpolation = 'bilinear',
    seed = NULL, fill_value = 0, data_format = NULL",
  layer_random_translation = "
    object, height_factor, width_factor, fill_mode = 'reflect',
    interpolation = 'bilinear', seed = NULL, fill_value = 0",
  layer_random_zoom = "
    object, height_factor, width_factor = NULL, fill_mode = 'reflect',
    interpolation = 'bilinear', seed = NULL, fill_value = 0",
  layer_repeat_vector = "object, n",
  layer_rescaling = "object, scale, offset = 0",
  layer_reshape = "object, target_shape, ...",
  layer_simple_rnn = "
    object, units, activation = 'tanh', use_bias = TRUE,
    kernel_initializer = 'glorot_uniform',
    recurrent_initializer = 'orthogonal'",
  layer_subtract = "inputs, ...",
  layer_text_vectorization = "
    object, max_tokens = NULL, standardize = 'lower_and_strip_punctuation',
    split = 'whitespace', ngrams = NULL, output_mode = 'int',
    output_sequence_length = NULL",
  layer_time_distributed = "object, layer, ...",
  learning_rate_schedule_cosine_decay = "
    initial_learning_rate, decay_steps, alpha = 0",
  learning_rate_schedule_inverse_time_decay = "
    initial_learning_rate, decay_steps, decay_rate, staircase = FALSE",
  load_model = "model, custom_objects = NULL, compile = TRUE, safe_mode = TRUE",
  load_model_weights = "model, filepath, skip_mismatch = FALSE, ...",
  Loss = "classname, call = NULL, ..., public = list(), private = list()",
  loss_binary_crossentropy = "
    y_true, y_pred, from_logits = FALSE, label_smoothing = 0, axis = -1L",
  loss_sparse_categorical_crossentropy = "
    y_true, y_pred, from_logits = FALSE, ignore_class = NULL, axis = -1L",
  Metric = "
    classname, initialize = NULL, update_state = NULL, result = NULL, ...,
    public = list(), private = list(), inherit = NULL",
  metric_mean = "..., name = 'mean', dtype = NULL",
  Model = "
    classname, initialize = NULL, call = NULL, train_step = NULL,
    predict_step = NULL, test_step = NULL, compute_loss = NULL,
    compute_metrics = NULL, ..., public = list(), private = list(),
    inherit = NULL",
  new_callback_class = "
    classname, on_epoch_begin = NULL, on_epoch_end = NULL,
    on_train_begin = NULL, on_train_end = NULL",
  new_layer_class = "
    classname, initialize = NULL, call = NULL, build = NULL, get_config = NULL,
    ..., public = list(), private = list(), inherit = NULL",
  new_learning_rate_schedule_class = "
    classname, call = NULL, initialize = NULL, get_config = NULL, ...,
    public = list(), private = list(), inherit = NULL",
  new_loss_class = "
    classname, call = NULL, ..., public = list(), private = list()",
  new_metric_class = "
    classname, initialize = NULL, update_state = NULL, result = NULL, ...,
    public = list(), private = list(), inherit = NULL",
  new_model_class = "
    classname, initialize = NULL, call = NULL, train_step = NULL,
    predict_step = NULL, test_step = NULL, compute_loss = NULL,
    compute_metrics = NULL, ..., public = list(), private = list(),
    inherit = NULL",
  np_array = "data, dtype = NULL, order = 'C'",
  op_abs = "x",
  op_add = "x1, x2",
  op_arange = "start, end, step = 1L, dtype = NULL",
  op_argmax = "x, axis = NULL, keepdims = FALSE, zero_indexed = FALSE",
  op_argsort = "x, axis = -1L, zero_indexed = FALSE",
  op_array = "x, dtype = NULL",
  op_binary_crossentropy = "target, output, from_logits = FALSE",
  op_cast = "x, dtype",
  op_clip = "x, x_min, x_max",
  op_concatenate = "xs, axis = 1L",
  op_conv = "
    inputs, kernel, strides = 1L, padding = 'valid', data_format = NULL,
    dilation_rate = 1L",
  op_convert_to_array = "x",
  op_convert_to_numpy = "x",
  op_convert_to_tensor = "x, dtype = NULL, sparse = NULL, ragged = NULL",
  op_divide = "x1, x2",
  op_equal = "x1, x2",
  op_exp = "x",
  op_expand_dims = "x, axis",
  op_flip = "x, axis = NULL",
  op_image_resize = "
    images, size, interpolation = 'bilinear', antialias = FALSE",
  op_full_like = "x, fill_value, dtype = NULL",
  op_matmul = "x1, x2",
  op_max = "x, axis = NULL, keepdims = FALSE, initial = NULL",
  op_max_pool = "
    inputs, pool_size, strides = NULL, padding = 'valid', data_format = NULL",
  op_maximum = "x1, x2",
  op_mean = "x, axis = NULL, keepdims = FALSE",
  op_min = "x, axis = NULL, keepdims = FALSE, initial = NULL",
  op_multiply = "x1, x2",
  op_normalize = "x, axis = -1L, order = 2L, epsilon = NULL",
  op_ones = "shape, dtype = NULL",
  op_ones_like = "x, dtype = NULL",
  op_power = "x1, x2",
  op_relu = "x",
  op_reshape = "x, newshape",
  op_shape = "x",
  op_softmax = "x, axis = -1L",
  op_split = "x, indices_or_sections, axis = 1L",
  op_sqrt = "x",
  op_square = "x",
  op_stack = "x, axis = 1L",
  op_subset = "x, ...",
  op_subtract = "x1, x2",
  op_sum = "x, axis = NULL, keepdims = FALSE",
  op_take = "x, indices, axis = NULL, zero_indexed = FALSE",
  op_take_along_axis = "x, indices, axis = NULL, zero_indexed = FALSE",
  op_top_k = "x, k, sorted = TRUE, zero_indexed = FALSE",
  op_transpose = "x, axes = NULL",
  op_where = "condition, x1 = NULL, x2 = NULL",
  op_zeros = "shape, dtype = NULL",
  optimizer_adadelta = "learning_rate = 0.001, rho = 0.95, epsilon = 1e-07",
  optimizer_adam = "
    learning_rate = 0.001, beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-07",
  optimizer_rmsprop = "
    learning_rate = 0.001, rho = 0.9, momentum = 0, epsilon = 1e-07,
    centered = FALSE, weight_decay = NULL",
  optimizer_sgd = "learning_rate = 0.01, momentum = 0, nesterov = FALSE",
  pad_sequences = "
    sequences, maxlen = NULL, dtype = 'int32', padding = 'pre',
    truncating = 'pre', value = 0",
  pop_layer = "object, rebuild = TRUE",
  py_to_r = "x",
  random_seed_generator = "seed = NULL, name = NULL",
  r_to_py = "x, convert = FALSE",
  random_integer = "shape, minval, maxval, dtype = 'int32', seed = NULL",
  random_normal = "shape, mean = 0, stddev = 1, dtype = NULL, seed = NULL",
  random_shuffle = "x, axis = 1L, seed = NULL",
  predict_on_batch = "object, x",
  random_uniform = "shape, minval = 0, maxval = 1, dtype = NULL, seed = NULL",
  reset_state = "object",
  save_model = "model, filepath = NULL, overwrite = FALSE, zipped = NULL",
  save_model_weights = "
    model, filepath, overwrite = FALSE, max_shard_size = NULL",
  set_random_seed = "seed",
  set_vocabulary = "object, vocabulary, idf_weights = NULL, ...",
  set_weights = "object, weights",
  shape = "...",
  to_categorical = "x, num_classes = NULL",
  train_on_batch = "
    object, x, y = NULL, sample_weight = NULL, class_weight = NULL",
  tuple = "..., convert = FALSE",
  zip_lists = "..."
)

# The methods of generic functions, for models and for histories.
methods_for_models <- list(
  compile = "
    object, optimizer = 'rmsprop', loss = NULL, metrics = NULL, ...,
    loss_weights = NULL, weighted_metrics = NULL, run_eagerly = FALSE,
    steps_per_execution = 1L, jit_compile = 'auto', auto_scale_loss = TRUE",
  evaluate = "
    object, x = NULL, y = NULL, ..., batch_size = NULL,
    verbose = getOption('keras.verbose', default = 'auto'),
    sample_weight = NULL, steps = NULL, callbacks = NULL",
  fit = "
    object, x = NULL, y = NULL, ..., batch_size = NULL, epochs = 1L,
    callbacks = NULL, validation_split = 0, validation_data = NULL,
    shuffle = TRUE, class_weight = NULL, sample_weight = NULL,
    initial_epoch = 1L, steps_per_epoch = NULL, validation_steps = NULL,
    validation_batch_size = NULL, validation_freq = 1L,
    verbose = getOption('keras.verbose', default = 'auto'),
    view_metrics = getOption('keras.view_metrics', default = 'auto')",
  format = "
    x, line_length = min(getOption('width'), 180), positions = NULL,
    expand_nested = FALSE, show_trainable = NA",
  plot = "x",
  predict = "
    object, x, ..., batch_size = NULL,
    verbose = getOption('keras.verbose', default = 'auto'), steps = NULL,
    callbacks = NULL",
  print = "x, ...",
  summary = "object, ..."
)
methods_for_histories <- list(
  as.data.frame = "x, ...",
  plot = "
    x, y, metrics = NULL, method = c('auto', 'ggplot2', 'base'),
    smooth = getOption('keras.plot.history.smooth', TRUE),
    theme_bw = getOption('keras.plot.history.theme_bw', FALSE)",
  print = "x, ..."
)

# Compares the values of defaults: list(1L, 1L) and c(1L, 1L) are the same
# window to Keras.
expect_leading_arguments <- function(found, wanted, name) {
  wanted <- formals(eval(parse(text = sprintf("function(%s) NULL", wanted))))
  leading <- utils::head(formals(args(found)), length(wanted))
  expect_identical(names(leading), names(wanted), label = name)
  for (argument in names(leading)) {
    value <- function(default) {
      if (is.name(default)) default else unlist(eval(default, baseenv()))
    }
    expect_equal(
      value(leading[[argument]]), value(wanted[[argument]]),
      label = paste0(name, "(", argument, " = )")
    )
  }
}

test_that("the dialect has the functions, with keras3's leading arguments", {
  for (name in names(functions_of_keras3)) {
    found <- get0(name, mode = "function")
    expect_true(is.function(found), label = name)
    expect_leading_arguments(found, functions_of_keras3[[name]], name)
  }
})

test_that("it has the methods, with keras3's leading arguments", {
  method_of <- function(name, class) {
    generic <- get(name, mode = "function")
    utils::getS3method(name, class, envir = environment(generic))
  }
  for (name in names(methods_for_models)) {
    expect_leading_arguments(
      method_of(name, "keras.src.models.model.Model"),
      methods_for_models[[name]], paste(name, "of a model")
    )
  }
  for (name in names(methods_for_histories)) {
    expect_leading_arguments(
      method_of(name, "keras_training_history"),
      methods_for_histories[[name]], paste(name, "of a history")
    )
  }
})

# ---- what the notebooks call ------------------------------------------------

# The code of each R cell of a notebook.
r_cells <- function(notebook) {
  cells <- jsonlite::read_json(notebook)$cells
  code <- vapply(cells, function(cell) {
    if (cell$cell_type != "code") {
      return("")
    }
    paste(unlist(cell$source), collapse = "")
  }, "")
  code <- code[startsWith(code, "%%R")]
  sub("^%%R[^\n]*\n?", "", code)
}

# The functions that a piece of R code calls, without those of R itself, of this
# package, and of packages that the code attaches or names, and without those
# that the code defines.
foreign_calls <- function(code) {
  tokens <- utils::getParseData(parse(text = code, keep.source = TRUE))
  tokens <- tokens[tokens$terminal & tokens$token != "COMMENT", ]
  before <- c("", utils::head(tokens$token, -1))
  after <- c(utils::tail(tokens$token, -1), "")
  is_call <- tokens$token %in% c("SYMBOL_FUNCTION_CALL", "SPECIAL")
  is_member <- before %in% c("'$'", "'@'")
  package <- c("", "", utils::head(tokens$text, -2))
  is_elsewhere <- before == "NS_GET" & package != "keras3"
  # The dialect's functions also occur as values: activation_relu.
  families <- c(
    "activation", "application", "callback", "constraint", "dataset",
    "initializer", "layer", "loss", "metric", "op", "optimizer",
    "regularizer"
  )
  pattern <- paste0("^(", paste(families, collapse = "|"), ")_")
  is_value <- tokens$token == "SYMBOL" & grepl(pattern, tokens$text) &
    vapply(tokens$text, exists, NA, mode = "function")
  used <- tokens$text[(is_call | is_value) & !is_member & !is_elsewhere]
  defined <- tokens$text[
    tokens$token == "SYMBOL_FORMALS" |
      tokens$token == "SYMBOL" & after %in% c("LEFT_ASSIGN", "EQ_ASSIGN", "IN")
  ]
  at_library <- which(tokens$text %in% c("library", "requireNamespace"))
  attached <- gsub("[\"']", "", tokens$text[at_library + 2])
  known <- c(
    "base", "datasets", "graphics", "grDevices", "methods", "sidebyside",
    "stats", "utils", attached
  )
  known <- setdiff(known, "keras3")
  known <- known[vapply(known, requireNamespace, NA, quietly = TRUE)]
  setdiff(used, c(defined, unlist(lapply(known, getNamespaceExports)),
    ls(baseenv(), all.names = TRUE)))
}

notebook_folder <- function() {
  folders <- c(
    Sys.getenv("SIDEBYSIDE_NOTEBOOKS"),
    test_path("..", "..", "..", "notebooks")
  )
  folders <- folders[nzchar(folders) & dir.exists(folders)]
  if (length(folders)) folders[1] else NA
}

test_that("calls are found in code", {
  expect_identical(foreign_calls("x <- sum(1)\nplot(x)"), character())
  expect_identical(
    foreign_calls("model |> layer_dense(units = 1) |> compile(loss = 'mse')"),
    c("layer_dense", "compile")
  )
  expect_identical(
    foreign_calls("c(a, b) %<-% load_mnist()\nh <- function() 1\nh()"), "%<-%"
  )
  expect_identical(foreign_calls("function(f, x) f(x)"), character())
  expect_identical(foreign_calls("model$fit(x)\nreticulate::import('a')"),
    character()
  )
  expect_identical(
    foreign_calls("keras3::op_add(1, 2)\n# layer_dense()"), "op_add"
  )
  expect_identical(
    foreign_calls("f(loss = loss_huber, metric_own = 1)"), c("f", "loss_huber")
  )
})

test_that("the table names every function of keras3 in the notebooks", {
  skip_if(is.na(notebook_folder()), "the notebooks are not here")
  notebooks <- list.files(notebook_folder(), "[.]ipynb$", full.names = TRUE)
  expect_gt(length(notebooks), 0)
  named <- c(
    names(functions_of_keras3), names(methods_for_models),
    names(methods_for_histories)
  )
  for (notebook in notebooks) {
    cells <- r_cells(notebook)
    used <- foreign_calls(paste(cells, collapse = "\n"))
    expect_identical(
      setdiff(used, named), character(),
      label = paste("what", basename(notebook), "calls beyond the table")
    )
  }
})
