"""Say what to do about an error in R if its message does not say so."""

from __future__ import annotations

import re

_FIXED_BATCH = (
    "A stateful layer needs a fixed batch size. Use "
    "keras_model_sequential(input_batch_shape = c(32, ...)) or "
    "layer_input(batch_shape = c(32, ...))."
)

_OTHER_PLACES = "Keras's download failed. This also tries other sources: "

# Parts of messages. They are the same with keras3 and with the dialect.
_ERRORS = {
    r"the batch size must be static": _FIXED_BATCH,
    r"Unrecognized keyword arguments.*'batch_(input_shape|size)'": _FIXED_BATCH,
    r"not recognized: \{'lr'|unused argument \(lr =": (
        "`lr` is now called learning_rate. Use that name."
    ),
    r"URL fetch failure on .*/(mnist|imdb|reuters)\.npz": _OTHER_PLACES + r"load_\1()",
    r"URL fetch failure on .*/cifar-10": _OTHER_PLACES + "load_cifar10()",
    r"URL fetch failure on .*/vgg16_.*_notop": (
        _OTHER_PLACES
        + "application_vgg16(weights = vgg16_weights(), include_top = FALSE)"
    ),
}

# Functions of the R package keras from before keras3, and what to use now. Any other
# k_*() is now an op_*() or random_*() of the same name.
_SUCCESSORS = {
    r"(fit_|load_|save_)?text_tokenizer|texts_to_\w+|sequences_to_matrix": (
        "layer_text_vectorization(), which learns the words of your texts by adapt()"
    ),
    r"(fit|evaluate|predict)_generator": r"\1(), which takes data sets",
    r"image_data_generator|flow_images_from_\w+": (
        "image_dataset_from_directory(), and layers such as layer_random_flip()"
    ),
    r"predict_(classes|proba)": "predict(), then op_argmax() for the classes",
    r"(load|save)_(model|model_weights)_(hdf5|tf)": r"\1_\2()",
    r"layer_cudnn_(gru|lstm)": r"layer_\1()",
    r"reset_states": "reset_state(), called for each stateful layer",
    r"\w+_preprocess_input": "application_preprocess_inputs(model, x)",
    r"(create_layer|KerasLayer|create_wrapper)": "Layer()",
    r"model_to_(json|yaml)": "save_model_config()",
    r"model_from_(json|yaml)": "load_model_config()",
    r"use_session_with_seed": "set_random_seed()",
    r"backend": "op_*(), or the module keras$ops",
    r"k_gradients": "with(tf$GradientTape() %as% tape, ...) and tape$gradient()",
    r"k_function": "keras_model(inputs, outputs)",
    r"k_placeholder": "keras_input()",
    r"k_variable": "keras_variable()",
    r"k_constant": "op_convert_to_tensor()",
    r"k_(eval|get_value)": "as.array()",
    r"k_(set_learning_phase|in_train_phase|learning_phase)": (
        "the argument `training` of a layer or model when it is called"
    ),
    r"k_(batch_)?dot": "op_matmul()",
    r"k_gather": "op_take()",
    r"k_int_shape": "op_shape()",
    r"k_permute_dimensions": "op_transpose()",
    r"k_pow": "op_power()",
    r"k_(batch_)?flatten": "op_reshape()",
    r"k_(clear_session)": r"\1()",
    r"k_(set_)?(epsilon|floatx|image_data_format)": r"config_\1\2()",
}


def advice(message: str) -> str:
    """Return a sentence that says what to do; "" if we know none."""
    for pattern, sentence in _ERRORS.items():
        if found := re.search(pattern, message):
            return found.expand(sentence)
    # In every language, R puts the name of a function that it could not find
    # between these quotes.
    for name in re.findall(r'"(\w+)"', message):
        if successor := _successor(name):
            return (
                f"{name}() was a function of the R package keras, before keras3. "
                f"Its successor is {successor}."
            )
    return ""


def _successor(name: str) -> str:
    for pattern, successor in _SUCCESSORS.items():
        if found := re.fullmatch(pattern, name):
            return found.expand(successor)
    if not name.startswith("k_"):
        return ""
    from keras import ops, random

    short = name.removeprefix("k_")
    if hasattr(ops, short):
        return f"op_{short}()"
    is_random = hasattr(random, short.removeprefix("random_"))
    return f"{short}()" if is_random and short.startswith("random_") else ""
