# Lists the functions of the dialect that are not generated, and the functions
# of keras3 that the dialect does not have.

written_functions <- function() {
  here <- topenv()
  names <- c(
    "active_property", "adapt", "all_dims", "application_preprocess_inputs",
    "array_reshape", "as_tensor", "Callback", "clone_model", "Constraint",
    "count_params", "custom_metric", "evaluate", "freeze_weights",
    "from_config", "get_config", "get_custom_objects", "get_layer",
    "get_vocabulary", "get_weights", "imagenet_preprocess_input", "keras_input",
    "keras_model", "keras_model_sequential", "keras_variable", "Layer",
    "load_model", "load_model_config", "load_model_weights", "Loss", "Metric",
    "Model", "named_list", "new_learning_rate_schedule_class", "op_arange",
    "op_convert_to_array", "op_convert_to_numpy", "op_convert_to_tensor",
    "op_einsum", "op_hstack", "op_map", "op_matmul", "op_nonzero", "op_reshape",
    "op_shape", "op_subset", "op_top_k", "op_vstack", "pop_layer",
    "predict_on_batch", "register_keras_serializable", "reset_state",
    "save_model", "save_model_config", "save_model_weights", "set_random_seed",
    "set_vocabulary", "set_weights", "shape", "test_on_batch", "to_categorical",
    "train_on_batch", "unfreeze_weights", "with_custom_object_scope",
    "zip_lists"
  )
  # Functions of other packages that keras3 exports, too.
  passed_on <- list(
    `%<-%` = zeallot::`%<-%`,
    `%<>%` = magrittr::`%<>%`,
    `%>%` = magrittr::`%>%`,
    `%as%` = reticulate::`%as%`,
    as_iterator = reticulate::as_iterator,
    compile = generics::compile,
    fit = generics::fit,
    import = reticulate::import,
    iter_next = reticulate::iter_next,
    iterate = reticulate::iterate,
    np_array = reticulate::np_array,
    py_help = reticulate::py_help,
    py_to_r = reticulate::py_to_r,
    r_to_py = reticulate::r_to_py,
    tuple = reticulate::tuple,
    use_python = reticulate::use_python,
    use_virtualenv = reticulate::use_virtualenv
  )
  c(
    mget(names, envir = here), passed_on,
    list(keras = keras_module(), newaxis = NULL),
    # From R 4.3 on, `%*%` has S3 methods.
    if (getRversion() < "4.3.0") list(`%*%` = matmul_before_r_4_3)
  )
}

# Functions of keras3 that the dialect does not have.
keras3_only <- c(
  "%<-active%", "%py_class%", "application_decode_predictions",
  "deserialize_keras_object", "export_savedmodel", "feature_cross",
  "feature_custom", "feature_float", "feature_float_discretized",
  "feature_float_normalized", "feature_float_rescaled",
  "feature_integer_categorical", "feature_integer_hashed",
  "feature_string_categorical", "feature_string_hashed", "flag_boolean",
  "flag_integer", "flag_numeric", "flag_string", "flags", "generate",
  "get_registered_name", "get_registered_object", "get_state_tree",
  "image_smart_resize", "imagenet_decode_predictions", "install_keras",
  "layer_feature_space", "op_meshgrid", "op_rearrange", "op_subset<-",
  "op_subset_set", "op_switch", "op_vectorize", "op_vectorized_map",
  "py_require", "quantize_weights", "run_dir", "serialize_keras_object",
  "set_custom_objects", "set_state_tree", "tensorboard", "use_backend"
)

# Second names of functions, as in keras3.
second_names <- c(
  application_nasnetlarge = "application_nasnet_large",
  application_nasnetmobile = "application_nasnet_mobile",
  bidirectional = "layer_bidirectional",
  layer_input = "keras_input",
  mark_active = "active_property",
  new_callback_class = "Callback",
  new_layer_class = "Layer",
  new_loss_class = "Loss",
  new_metric_class = "Metric",
  new_model_class = "Model",
  time_distributed = "layer_time_distributed"
)

missing_functions <- function(known) {
  names <- setdiff(keras3_only, known)
  functions <- lapply(names, function(name) {
    force(name)
    function(...) {
      stop(name, "() is a function of the R package keras3, which is not ",
        "attached, and the companion does not have it. If you can reach CRAN, ",
        "install keras3: install.packages(\"keras3\").",
        call. = FALSE
      )
    }
  })
  stats::setNames(functions, names)
}

# These methods are registered when the dialect is attached. In NAMESPACE they
# would replace the methods of an installed keras3.
register_methods <- function() {
  model <- "keras.src.models.model.Model"
  history <- "keras_training_history"
  here <- topenv()
  method <- function(generic, class, definition, from) {
    registerS3method(generic, class, definition, envir = asNamespace(from))
  }
  method("compile", model, compile_model, "generics")
  method("fit", model, fit_model, "generics")
  registerS3method("evaluate", model, evaluate_model, envir = here)
  method("predict", model, predict_model, "stats")
  method("format", model, format_model, "base")
  method("print", model, print_model, "base")
  method("summary", model, summary_model, "base")
  method("plot", model, plot_model, "base")
  method("print", history, print_history, "base")
  method("plot", history, plot_history, "base")
  method("as.data.frame", history, history_as_data_frame, "base")
  method("as.array", "PIL.Image.Image", function(x, ...) {
    as.array(keras_module()$utils$img_to_array(x, ...))
  }, "base")
  register_tensor_methods()
  register_class_methods()
  register_shape_methods()
}
