"""Describes the installed Keras for the R companion.

`describe()` walks through Keras's public modules. For each class and function
that keras3 has in R, it returns the R name and the R arguments. `R/generate.R`
turns each row into an R function. So the dialect always has the layers, losses
and so on of the installed Keras, and nothing is written twice.

The conventions are keras3's (https://keras3.posit.co/reference/): names in snake
case with a prefix for the family, `object` as the first argument of layers, axes
that count from one, and NULL for None.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import importlib
import inspect
import math
import re
import sys
import types
import weakref

import numpy as np

# Addresses of TensorFlow's memory are multiples of this number of bytes
# (EIGEN_MAX_ALIGN_BYTES with AVX-512).
_ALIGNMENT = 64

# Names that do not follow from snake case. Left: family and Python name. Right:
# keras3's name, or None if keras3 has no such function.
_EXCEPTIONS = {
    ("layer", "ELU"): "activation_elu",
    ("layer", "LeakyReLU"): "activation_leaky_relu",
    ("layer", "PReLU"): "activation_parametric_relu",
    ("layer", "ReLU"): "activation_relu",
    ("layer", "Softmax"): "activation_softmax",
    ("layer", "TFSMLayer"): "tfsm",
    ("layer", "FlaxLayer"): "flax_module_wrapper",
    ("layer", "JaxLayer"): "jax_model_wrapper",
    ("layer", "InputLayer"): None,
    ("layer", "Layer"): None,
    ("layer", "Wrapper"): None,
    ("activation", "swish"): None,
    ("rnn_cell", "LSTMCell"): "lstm",
    ("rnn_cell", "GRUCell"): "gru",
    ("rnn_cell", "SimpleRNNCell"): "simple",
    ("optimizer", "Optimizer"): None,
    ("optimizer", "LossScaleOptimizer"): "loss_scale",
    ("optimizer", "RMSprop"): "rmsprop",
    ("loss", "Loss"): None,
    ("metric", "Metric"): None,
    ("metric", "FBetaScore"): "fbeta_score",
    ("metric", "MeanMetricWrapper"): "mean_wrapper",
    ("callback", "Callback"): None,
    ("callback", "CallbackList"): None,
    ("callback", "History"): None,
    ("callback", "ProgbarLogger"): None,
    ("callback", "LambdaCallback"): "lambda",
    ("callback", "TensorBoard"): "tensorboard",
    ("callback", "TerminateOnNaN"): "terminate_on_nan",
    ("constraint", "Constraint"): None,
    ("constraint", "MaxNorm"): "maxnorm",
    ("constraint", "MinMaxNorm"): "minmaxnorm",
    ("constraint", "NonNeg"): "nonneg",
    ("constraint", "UnitNorm"): "unitnorm",
    ("initializer", "Initializer"): None,
    ("regularizer", "Regularizer"): None,
    ("regularizer", "L1L2"): "l1_l2",
    ("regularizer", "OrthogonalRegularizer"): "orthogonal",
    ("learning_rate_schedule", "LearningRateSchedule"): None,
}

# Functions of keras.utils that have the same name in keras3.
_UTILITIES = (
    "audio_dataset_from_directory",
    "clear_session",
    "get_file",
    "get_source_inputs",
    "image_dataset_from_directory",
    "normalize",
    "pad_sequences",
    "split_dataset",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
)

# Functions of keras.utils that have another name in keras3.
_RENAMED_UTILITIES = {
    "image_array_save": "save_img",
    "image_from_array": "array_to_img",
    "image_load": "load_img",
    "image_to_array": "img_to_array",
}

# Arguments whose order in keras3 differs from Python's: the first one of each
# pair comes before the second one.
_BEFORE = {
    "layer_conv_3d_transpose": ("output_padding", "data_format"),
    "layer_integer_lookup": ("name", "salt"),
    "layer_torch_module_wrapper": ("output_shape", "name"),
    "image_array_save": ("x", "path"),
}

# Arguments of all optimizers that keras3 puts after `...`.
_AFTER_DOTS = ("loss_scale_factor", "gradient_accumulation_steps")

# Arguments that Keras has inserted between older ones since keras3 was written.
# In R the older ones keep their places.
_NEWER = (
    "renorm",
    "renorm_clipping",
    "renorm_momentum",
    "sliding_window",
    "use_gate",
    "antialias",
    "adam_weight_decay",
    "oov_method",
    "format",
)

# Optimizers whose arguments keras3 leaves in Python's order.
_PYTHONS_ORDER = ("Lamb", "Muon")

# keras3's names for functions of keras.ops.image and keras.random.
_OP_IMAGE = {"crop_images": "crop", "pad_images": "pad"}
_RANDOM = {"randint": "integer", "SeedGenerator": "seed_generator"}

# Reserved words of R, which cannot be argument names, and keras3's replacements.
_R_ARGUMENT = {"function": "f"}

# Names in every module of Keras that are not members.
_GENERAL = ("deserialize", "get", "serialize")

_REQUIRED = inspect.Parameter.empty
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def snake_case(name: str) -> str:
    """`MaxPooling2D` -> `max_pooling_2d`, `CSVLogger` -> `csv_logger`."""
    name = name.replace("UpSampling", "Upsampling").replace("IoU", "Iou")
    name = re.sub(r"(?<=[A-Za-z])(?=\d+D(?![a-z]))", "_", name)
    name = re.sub(r"(?<=\dD)(?=[A-Z])", "_", name)
    name = re.sub(r"(?<=[A-Z])(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])", "_", name)
    name = re.sub(r"(?<=\d)(?=[A-Z][a-z])", "_", name)
    return name.lower()


def application_name(name: str) -> str:
    """`EfficientNetV2B0` -> `efficientnet_v2b0`: the family in one word."""
    name = re.sub(r"(Efficient|Mobile|Dense|Res)Net", r"\1net", name)
    name = name.replace("ConvNeXt", "Convnext_").replace("NASNet", "Nasnet_")
    name = name.replace("Convnext_XL", "Convnext_Xl")
    name = re.sub(r"^Inception(?=[A-Z])", "Inception_", name)
    name = re.sub(r"(?<=[a-z0-9])(?=V\d|B\d$)", "_", name)
    name = re.sub(r"(V\d)_(B\d)", r"\1\2", name)
    return re.sub(r"(?<=\d)(?=[LMS][a-z])", "_", name).lower()


def _r_value(value: object, *, one_based: bool = False) -> str:
    """R source for a Python default."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return f"{value + 1 if one_based and value >= 0 else value}L"
    if isinstance(value, float):
        return repr(value).replace("inf", "Inf").replace("nan", "NaN")
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, (list, tuple)):
        inner = ", ".join(_r_value(v, one_based=one_based) for v in value)
        return f"list({inner})"
    # An object made by Keras. R only prints it and never sends it to Python.
    return "NULL"


def _kind(name: str, default: object) -> str:
    """How to translate an R value for this argument.

    - `axis`: counts from one in R.
    - `sequences`: a list of vectors. (R does not distinguish a number from a
      vector of one number.)
    - `rows`: an array in Keras's own type.
    - `shape`: becomes a tuple; NA becomes None.
    - `float`: stays as it is.
    - `counted`: a function of the number of an epoch or a batch, which counts
      from one in R.
    - `number`: R writes 32 for both 32 and 32.0 of Python; `whole_arguments()`
      says which one is needed.
    """
    if name in ("axis", "axes", "shared_axes"):
        return "axis"
    if name == "sequences":
        return "sequences"
    if name in ("data", "targets"):
        return "rows"
    if name == "shape" or name.endswith("_shape"):
        return "shape"
    if re.fullmatch(r"on_(\w+_)?(epoch|batch)_(begin|end)", name):
        return "counted"
    parts = default if isinstance(default, tuple) else (default,)
    if any(isinstance(part, float) for part in parts):
        return "float"
    return "number"


# The beginning of an argument's description in a docstring.
_DESCRIBED = re.compile(r"^ *[`*]*(\w+(?:, ?\w+)*)[`*]* ?: +(\S.*)", re.M)
_SAYS_WHOLE = re.compile(r"\b(int|integer)s?\b", re.I)
_SAYS_REAL = re.compile(r"\b(floats?|floating|scalar)\b", re.I)

# Counts, sizes and positions for which Keras's docstring has no type.
_SOUNDS_WHOLE = re.compile(
    r"""(num|max|top|ignore|lora)_(?!freq|value)\w+
    | salt | mask_value | boundaries | vocabulary | ngrams | sampling_rate
    | (\w+_)?(seed|dim|size|steps|frequency|padding|class_ids|axes|height|width
    | length)""",
    re.X,
)


@functools.cache
def whole_arguments(path: str, names: tuple[str, ...]) -> list[str]:
    """Which arguments of a function need 32 and not 32.0.

    Called only when a whole number is given, because reading all of Keras's
    docstrings takes longer than the rest of `library(sidebyside)`.
    """
    module_name, _, name = path.rpartition(".")
    target = getattr(importlib.import_module(module_name), name)
    target = getattr(target, "load_data", target)
    described: dict[str, str] = {}
    for arguments, words in _DESCRIBED.findall(inspect.getdoc(target) or ""):
        for argument in re.split(", ?", arguments):
            described.setdefault(argument, words)
    parameters = inspect.signature(target).parameters
    return [
        name
        for name in names
        if _is_whole(name, described.get(name, ""), parameters.get(name))
    ]


def _is_whole(name: str, words: str, parameter) -> bool:
    if name in ("left_size", "right_size"):
        # Either a number of samples or a fraction.
        return True
    if name == "value_range" or _SAYS_REAL.search(words):
        return False
    default = getattr(parameter, "default", None)
    parts = default if isinstance(default, tuple) and default else (default,)
    return (
        all(type(part) is int for part in parts)
        or bool(_SAYS_WHOLE.search(words))
        or bool(_SOUNDS_WHOLE.fullmatch(name))
    )


def _arguments(target: object) -> list[tuple[str, str, str, str]]:
    """(R name, Python name, R default or "", kind) of each argument."""
    rows = []
    for parameter in inspect.signature(target).parameters.values():
        if parameter.kind in _VARIADIC or parameter.name == "self":
            continue
        kind = _kind(parameter.name, parameter.default)
        default = ""
        if parameter.default is not _REQUIRED:
            default = _r_value(parameter.default, one_based=kind == "axis")
        r_name = _R_ARGUMENT.get(parameter.name, parameter.name)
        rows.append((r_name, parameter.name, default, kind))
    return rows


def _takes_more(target: object) -> bool:
    parameters = inspect.signature(target).parameters.values()
    return any(p.kind in _VARIADIC for p in parameters)


def _row(name, style, path, arguments, lead=(), dots="end", function=""):
    """One function of the dialect, in a form that R can read.

    `dots` is the place of `...`: "end", "start" (right after `lead`), "" for
    none, or the name of the argument that follows it.
    """
    newer = () if name.startswith("op_") else _NEWER
    arguments = sorted(arguments, key=lambda row: row[0] in newer)
    names = [r for r, _, _, _ in arguments]
    if name in _BEFORE:
        first, second = (names.index(a) for a in _BEFORE[name])
        if first > second:
            arguments.insert(second, arguments.pop(first))
            names = [r for r, _, _, _ in arguments]
    written = [f"{r} = {d}" if d else r for r, _, d, _ in arguments]
    if dots:
        at = {"end": len(written), "start": 0}.get(dots)
        written.insert(names.index(dots) if at is None else at, "...")
    return {
        "name": name,
        "style": style,
        "path": path,
        "function": function,
        "formals": ", ".join([*lead, *written]),
        "r_names": names,
        "py_names": [p for _, p, _, _ in arguments],
        "kinds": [k for _, _, _, k in arguments],
    }


def _members(module_name: str, *, aliases: bool = False):
    """The public names of a module. Without aliases, each object occurs once."""
    module = importlib.import_module(module_name)
    for name in sorted(dir(module)):
        member = getattr(module, name)
        own_name = getattr(member, "__name__", None)
        if name.startswith("_") or inspect.ismodule(member):
            continue
        if aliases or own_name == name or not hasattr(module, own_name or ""):
            yield name, member


def _r_name(family: str, name: str, convert=snake_case) -> str | None:
    suffix = _EXCEPTIONS.get((family, name), convert(name))
    return None if suffix is None else f"{family}_{suffix}"


def _layers():
    from keras import layers
    from keras.src.layers.merging.base_merge import Merge

    for name, member in _members("keras.layers"):
        if not (inspect.isclass(member) and issubclass(member, layers.Layer)):
            continue
        path = f"keras.layers.{name}"
        if name.endswith("Cell"):
            r_name = _r_name("rnn_cell", name)
            yield _row(r_name, "call", path, _arguments(member))
            continue
        if name == "StackedRNNCells":
            yield _row("rnn_cells_stack", "call", path, _arguments(member))
            continue
        r_name = _r_name("layer", name)
        if r_name is None:
            continue
        arguments = _arguments(member)
        if issubclass(member, Merge):
            yield _row(r_name, "merge", path, arguments, ["inputs"], "start")
        elif name == "Pipeline":
            yield _row(r_name, "call", path, arguments, dots="")
        elif name == "MultiHeadAttention":
            yield _row(r_name, "attention", path, arguments, ["inputs"])
        else:
            yield _row(r_name, "layer", path, arguments, ["object"])


def _classes(family: str, module_name: str):
    for name, member in _members(module_name):
        r_name = _r_name(family, name)
        if inspect.isclass(member) and r_name is not None:
            path = f"{module_name}.{name}"
            arguments = _arguments(member)
            dots = "end" if _takes_more(member) else ""
            if family == "optimizer" and name not in _PYTHONS_ORDER:
                late = [a for a in arguments if a[0] in _AFTER_DOTS]
                early = [a for a in arguments if a[0] not in _AFTER_DOTS]
                arguments = early + late
                dots = late[0][0] if late else dots
            yield _row(r_name, "call", path, arguments, dots=dots)


def _activations():
    module_name = "keras.activations"
    for name, member in _members(module_name, aliases=True):
        r_name = _r_name("activation", name, str)
        if inspect.isfunction(member) and r_name and name not in _GENERAL:
            path = f"{module_name}.{name}"
            arguments = [
                # These are data: R's doubles stay fractions, even whole ones.
                (*row[:3], "float") if row[0] == "x" else row
                for row in _arguments(member)
            ]
            yield _row(r_name, "call", path, arguments, dots="")


def _measures(family: str, module_name: str):
    """Losses and metrics: a class and often also a function of the same name.

    keras3 has one R function for both. With `y_true` and `y_pred` it computes the
    value; without them it makes the object for `compile()`.
    """
    functions, classes = {}, {}
    for name, member in _members(module_name):
        if inspect.isclass(member):
            r_name = _r_name(family, name)
            if r_name is not None:
                classes[r_name] = (name, member)
        elif name not in _GENERAL:
            functions[f"{family}_{name}"] = (name, member)
    for r_name in sorted({*classes, *functions}):
        class_name, class_ = classes.get(r_name, ("", None))
        own = _arguments(class_) if class_ else []
        path = f"{module_name}.{class_name}" if class_ else ""
        if r_name not in functions:
            yield _row(r_name, "call", path, own, dots="start")
            continue
        function_name, function = functions[r_name]
        defaults = {row[0]: row for row in own if row[2]}
        arguments = [
            row if row[2] else defaults.get(row[0], row) for row in _arguments(function)
        ]
        known = {row[0] for row in arguments}
        extra = [row for row in own if row[0] not in known]
        yield _row(
            r_name,
            "measure",
            path,
            arguments + extra,
            dots=extra[0][0] if extra else "end",
            function=f"{module_name}.{function_name}",
        )


def _applications():
    module_name = "keras.applications"
    for name, member in _members(module_name):
        if inspect.isfunction(member) and name != "ConvNeXt":
            path = f"{module_name}.{name}"
            r_name = _r_name("application", name, application_name)
            dots = "end" if _takes_more(member) else ""
            yield _row(r_name, "application", path, _arguments(member), dots=dots)


def _configuration():
    module_name = "keras.config"
    for name, member in _members(module_name):
        path = f"{module_name}.{name}"
        arguments = _arguments(member)
        yield _row(f"config_{name}", "call", path, arguments, dots="")


def _utilities():
    from keras import utils

    with_dots = ("get_file", "pad_sequences", "image_array_save")
    names = {name: name for name in _UTILITIES} | _RENAMED_UTILITIES
    for name, python_name in names.items():
        path = f"keras.utils.{python_name}"
        arguments = _arguments(getattr(utils, python_name))
        dots = "end" if name in with_dots else ""
        yield _row(name, "call", path, arguments, dots=dots)


def _datasets():
    """keras3 adds `convert`: return R's arrays or NumPy's?"""
    convert = ("convert", "convert", "TRUE", "number")
    for name in dir(importlib.import_module("keras.datasets")):
        path = f"keras.datasets.{name}"
        if not name.startswith("_"):
            loader = importlib.import_module(path).load_data
            arguments = [*_arguments(loader), convert]
            yield _row(f"dataset_{name}", "dataset", path, arguments, dots="")
            yield from _word_index(name, path)


def _word_index(name: str, path: str):
    if find := getattr(importlib.import_module(path), "get_word_index", None):
        r_name, path = f"dataset_{name}_word_index", f"{path}.get_word_index"
        # Keras's file used to be a pickle; keras3 still has that name for Reuters.
        default = {"reuters": "'reuters_word_index.pkl'"}
        ((r_path, py_path, json, kind),) = _arguments(find)
        arguments = [(r_path, py_path, default.get(name, json), kind)]
        yield _row(r_name, "call", path, arguments, dots="")


def describe() -> list[dict]:
    """One row for each function of the dialect that is made from a Keras class."""
    rows = [*_layers(), *_activations(), *_applications()]
    for family in (
        "optimizer",
        "callback",
        "initializer",
        "regularizer",
        "constraint",
    ):
        rows += _classes(family, f"keras.{family}s")
    rows += _classes("learning_rate_schedule", "keras.optimizers.schedules")
    rows += _measures("loss", "keras.losses")
    rows += _measures("metric", "keras.metrics")
    rows += [*_configuration(), *_utilities(), *_datasets()]
    return rows


# The tensor functions of keras3: module, prefix, other names.
_TENSOR_MODULES = (
    ("keras.ops", "op_", {}),
    ("keras.ops.image", "op_image_", _OP_IMAGE),
    ("keras.random", "random_", _RANDOM),
)

# Second names in keras.ops that keras3 also has.
_TWICE = {
    "op_hard_swish": "keras.ops.hard_swish",
    "op_pmax": "keras.ops.maximum",
    "op_pmin": "keras.ops.minimum",
}

# How the arguments of tensor functions are translated, as in keras3. Positions
# count from one (but 0 may mean a mask). Whole numbers become integers. Vectors
# become arrays of one dimension, with R's doubles (`array`) or with Keras's floats
# (`data`). For the latter keras3 sends a list, but not all of Keras's functions
# accept lists. reticulate translates everything else.
_TENSOR_KINDS = {
    "axis": "axis axes axis1 axis2 source destination",
    "shape": "shape noise_shape",
    "index": "start_indices segment_ids kth",
    "mask": "mask_index",
    "integer": """N M k n num num_classes num_segments num_samples decimals
        strides pool_size dilation_rate output_padding pad_width shift offset
        sequence_length sequence_stride fft_length length order base minlength
        axisa axisb axisc unroll seed size top_cropping left_cropping
        bottom_cropping right_cropping target_height target_width top_padding
        left_padding bottom_padding right_padding kernel_size beam_width
        top_paths sequence_lengths repeats maximum_iterations""",
    "array": "updates mean variance gamma beta",
    "data": """x x1 x2 y a b inputs data values condition target output logits
        predictions targets""",
}
_KIND_OF = {
    name: kind for kind, names in _TENSOR_KINDS.items() for name in names.split()
}

# The same for single functions in which an argument differs from the rule above.
_KIND_IN = {
    ("op_one_hot", "x"): "index",
    ("op_take", "indices"): "index",
    ("op_take_along_axis", "indices"): "index",
    ("op_scatter", "indices"): "index",
    ("op_scatter", "values"): "array",
    ("op_scatter_update", "indices"): "index",
    ("op_unravel_index", "indices"): "index",
    ("op_split", "indices_or_sections"): "sections",
    ("op_array_split", "indices_or_sections"): "sections",
    ("op_correlate", "x1"): "array",
    ("op_correlate", "x2"): "array",
    ("op_argmax", "x"): "array",
    ("op_argmin", "x"): "array",
    ("op_argpartition", "x"): "array",
    ("op_searchsorted", "sorted_sequence"): "rows",
    ("op_searchsorted", "values"): "rows",
    ("op_top_k", "x"): "array",
    ("op_slice", "inputs"): "array",
    ("op_slice_update", "inputs"): "array",
    ("op_digitize", "bins"): "array",
    ("op_histogram", "bins"): "integer",
    ("op_bincount", "x"): "codes",
    ("op_multi_hot", "inputs"): "codes",
    ("random_integer", "minval"): "integer",
    ("random_integer", "maxval"): "integer",
    ("random_beta", "beta"): "float",
    ("random_normal", "mean"): "float",
    ("random_truncated_normal", "mean"): "float",
    ("op_kaiser", "beta"): "float",
    **{
        (f"op_{name}", "x"): "integer"
        for name in ("bartlett", "blackman", "hamming", "hanning", "kaiser")
    },
    **{
        (f"op_{name}", argument): "integer"
        for name in (
            "bitwise_and",
            "bitwise_invert",
            "bitwise_left_shift",
            "bitwise_not",
            "bitwise_or",
            "bitwise_right_shift",
            "bitwise_xor",
            "left_shift",
            "right_shift",
        )
        for argument in ("x", "y")
    },
}

# Functions that return or take positions. R counts them from one, unless the
# caller gives `zero_indexed = TRUE`.
_ZERO_INDEXED = {
    "op_argmax": "result",
    "op_argmin": "result",
    "op_argpartition": "result",
    "op_argsort": "result",
    "op_digitize": "result",
    "op_searchsorted": "result",
    "random_categorical": "result",
    "op_one_hot": "x",
    "op_take": "indices",
    "op_take_along_axis": "indices",
}


@functools.cache
def _tensor_paths() -> dict[str, str]:
    paths = dict(_TWICE)
    for module_name, prefix, renamed in _TENSOR_MODULES:
        for name, _ in _members(module_name):
            r_name = prefix + renamed.get(name, name)
            paths[r_name] = f"{module_name}.{name}"
    return paths


def tensor_functions() -> list[str]:
    """keras3's names of the functions of keras.ops and keras.random."""
    return list(_tensor_paths())


def python_paths() -> dict[str, str]:
    """The Python object behind each function of the dialect, by R name."""
    described = {row["name"]: row["path"] or row["function"] for row in describe()}
    return described | _tensor_paths()


def describe_tensor_function(r_name: str) -> dict:
    """The row of a tensor function, in the form of `describe()`.

    There are more than three hundred, and a reader uses a few. So each one is
    described when it is first used.
    """
    path = _tensor_paths()[r_name]
    module_name, _, name = path.rpartition(".")
    member = getattr(importlib.import_module(module_name), name)
    arguments = []
    for r, python, default, _ in _arguments(member):
        kind = _KIND_IN.get((r_name, python)) or _KIND_OF.get(python, "float")
        if kind == "axis":
            one_based = inspect.signature(member).parameters[python].default
            if one_based is not _REQUIRED:
                default = _r_value(one_based, one_based=True)
        arguments.append((r, python, default, kind))
    dots = "end" if _takes_more(member) else ""
    row = _row(r_name, "operation", path, arguments, dots=dots)
    row["positions"] = _ZERO_INDEXED.get(r_name, "")
    if row["positions"]:
        row["formals"] += ", zero_indexed = FALSE"
    return row


def as_list(values) -> list:
    """A backend's named tuple as a list, because R does not know named tuples."""
    return list(values)


def in_rows(value: object, float_type: str) -> object:
    """R's data in the order and the type that Keras computes with.

    R stores an array column by column, and fractions in 64 bits. `value` is a view
    of R's memory, or contains such views. Floats become `float_type`, whole numbers stay whole, and
    both are written row by row. The elements of lists, tuples and dictionaries
    are converted one by one; other objects stay as they are.
    """
    if isinstance(value, dict):
        return {k: in_rows(v, float_type) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(in_rows(v, float_type) for v in value)
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "biuf":
        return value
    wanted = np.dtype(float_type) if value.dtype.kind == "f" else value.dtype
    rows = _aligned(value.shape, wanted)
    rows[...] = value
    return rows


def dense(value: object, float_type: str) -> np.ndarray:
    """A dense array with all numbers of a sparse matrix (R's arrive as SciPy's)."""
    return value.astype(float_type).toarray(order="C")


def bytes_by_columns(value: np.ndarray) -> bytearray | None:
    """The bytes of an array in R's order, column by column; None if it is not uint8."""
    if value.dtype != np.uint8:
        return None
    found = bytearray(value.size)
    np.frombuffer(found, np.uint8).reshape(value.shape, order="F")[...] = value
    return found


def _aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An empty array whose memory TensorFlow can use without a copy."""
    size = int(np.prod(shape)) * dtype.itemsize
    room = np.empty(size + _ALIGNMENT, np.uint8)
    start = -room.ctypes.data % _ALIGNMENT
    return room[start : start + size].view(dtype).reshape(shape)


def _in_keras(value: object, float_type: str) -> object:
    """Like `in_rows()`, but returns tensors of Keras's backend.

    TensorFlow copies NumPy's arrays into its own memory, which it never gives
    back. With DLPack it uses our memory directly; for this, the memory has to be
    aligned.
    """
    import keras

    if isinstance(value, (list, tuple)):
        return type(value)(_in_keras(v, float_type) for v in value)
    rows = in_rows(value, float_type)
    if not _is_data(value):
        return rows
    if keras.backend.backend() == "tensorflow" and rows.dtype.kind != "b":
        from tensorflow.experimental import dlpack

        return dlpack.from_dlpack(rows.__dlpack__())
    return keras.ops.convert_to_tensor(rows)


def _is_data(value: object) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "biuf"


def _hold_back(data: dict, others: dict) -> tuple[dict, dict]:
    """Apply `validation_split` to views of R's memory.

    As in Keras (`train_validation_split()`), the validation data are the last
    samples, before any shuffling. Keras would copy both parts. If the data are
    not all arrays, or if one part would be empty, we leave the split to Keras.
    """
    fraction = others.get("validation_split") or 0
    samples = {len(v) for v in data.values() if _is_data(v) and v.ndim}
    arrays_only = all(map(_is_data, data.values()))
    if not fraction or not arrays_only or len(samples) != 1:
        return data, others
    at = math.floor(samples.pop() * (1.0 - fraction))
    kept = {name: value[:at] for name, value in data.items()}
    held = {name: value[at:] for name, value in data.items()}
    if not all(len(v) for v in [*kept.values(), *held.values()]):
        return data, others
    order = ("x", "y", "sample_weight")
    kept["validation_data"] = tuple(held[n] for n in order if n in held)
    others = {k: v for k, v in others.items() if k != "validation_split"}
    return kept, others


def call_with_data(method, data: dict, others: dict, float_type: str):
    """Call fit(), evaluate() or predict() of a model with data from R.

    The converted copies belong to this call and are freed when it ends. R would
    keep them until its next garbage collection.
    """
    data, others = _hold_back(data, others)
    ready = {name: _in_keras(v, float_type) for name, v in data.items()}
    return method(**ready, **others)


def summary_text(model, arguments: dict) -> str:
    """The text that `model.summary()` prints."""
    pieces: list[str] = []

    def keep(text: str, line_break: object = None) -> None:
        pieces.append(text)

    with _nothing_displayed():
        model.summary(print_fn=keep, **arguments)
    return "\n".join(pieces)


def _nothing_displayed():
    """Without this, rich also displays an empty frame in a notebook."""
    if "IPython" in sys.modules:
        from IPython import get_ipython
        from IPython.utils.capture import capture_output

        if get_ipython() is not None:
            return capture_output(stdout=False, stderr=False, display=True)
    return contextlib.nullcontext()


# ---- classes written in R ----------------------------------------------------

# Marks an argument whose default only R can compute.
_LEFT_OUT = type("LeftOut", (), {"__repr__": lambda self: "<R's default>"})()


def method(function, name, parameters, defaults, lazy, doc=None):
    """A Python function with an R function's name and arguments.

    Keras reads signatures, for example to see whether `call()` has the argument
    `training`. R's `...` becomes `*args, **more`. A parameter has a default if it
    is in `defaults`; R computes the defaults of those in `lazy`.
    """
    defaults = {**defaults, **dict.fromkeys(lazy, _LEFT_OUT)}
    written, in_order, by_name = [], [], []
    for parameter in parameters:
        if parameter == "...":
            written.append("*_args")
            in_order.append("*_args")
            continue
        default = f"=_defaults[{parameter!r}]" if parameter in defaults else ""
        written.append(parameter + default)
        if parameter in lazy:
            one = f"{{{parameter!r}: {parameter}}}"
            by_name.append(f"**({{}} if {parameter} is _LEFT_OUT else {one})")
        elif by_name or "*_args" in in_order:
            by_name.append(f"{parameter}={parameter}")
        else:
            in_order.append(parameter)
    if "..." in parameters:
        written.append("**_more")
        by_name.append("**_more")
    passed = [*in_order, *by_name]
    source = (
        f"def {name}({', '.join(written)}):\n"
        f"    return _function({', '.join(passed)})\n"
    )
    space = {
        "_defaults": defaults,
        "_function": function,
        "_LEFT_OUT": _LEFT_OUT,
    }
    exec(source, space)
    space[name].__doc__ = doc
    return space[name]


def counted_method(function, first: int):
    """A callback's method for R, in which epochs and batches count from `first`.

    If R returns a dict, it is merged into the logs, as in keras3.
    """

    @functools.wraps(function)
    def of_epoch_or_batch(self, index, logs=None):
        _merge(logs, function(self, index + first, logs))

    return of_epoch_or_batch


def log_method(function):
    """The same for methods without the number of an epoch or a batch."""

    @functools.wraps(function)
    def of_run(self, logs=None):
        _merge(logs, function(self, logs))

    return of_run


def _merge(logs, result) -> None:
    if isinstance(logs, dict) and isinstance(result, dict):
        logs.update(result)


def new_class(name: str, bases: list, members: dict, module: str):
    """A Python class with R's methods. The module has the same name in keras3."""
    members = {"__module__": module, **members}
    return types.new_class(
        name, tuple(bases), exec_body=lambda space: space.update(members)
    )


def decorated(function, decorators: list):
    """A method with `property`, `classmethod` or similar decorators, by name."""
    for name in decorators:
        arguments = inspect.signature(function).parameters
        if name == "property" and len(arguments) > 1:
            # A single R function reads (without a value) and writes.
            function = property(function, function)
        else:
            function = getattr(builtins, name)(function)
    return function


def super_attribute(class_: type, instance: object, name: str):
    """The value of R's `super$name` in a method of `class_`."""
    return getattr(super(class_, instance), name)


# Numbers of R's environments whose Python objects are gone.
_gone: list[int] = []


def keep_private(instance: object, number: int) -> list[int]:
    """Store the number of an object's R environment, without Keras's tracking.

    Returns the numbers of environments that R can remove. Python cannot tell R
    directly, because it may collect garbage at any time and in any thread.
    """
    vars(instance)["_r_private"] = number
    weakref.finalize(instance, _gone.append, number).atexit = False
    gone = _gone[:]
    del _gone[: len(gone)]
    return gone


def private_number(instance: object) -> int | None:
    return vars(instance).get("_r_private")


def initializer_arguments(class_: type) -> str:
    """The arguments of an R function that makes objects of a class, as R code."""
    row = _row("", "call", "", _arguments(class_), dots="end")
    return row["formals"] if _takes_more(class_) else row["formals"][:-5]


def r6_callback(methods: dict, set_context):
    """A Keras callback that calls the methods of an R6 object.

    It has only the methods that are written in R.
    """
    import keras

    def with_context(method):
        def of_run(self, logs=None):
            set_context(self.params, self.model)
            if method is not None:
                method(logs)

        return of_run

    def with_index(method):
        def of_epoch_or_batch(self, index, logs=None):
            method(index, logs)

        return of_epoch_or_batch

    def with_logs(method):
        def of_run(self, logs=None):
            method(logs)

        return of_run

    members = {}
    for run in ("train", "test", "predict"):
        begin = f"on_{run}_begin"
        members[begin] = with_context(methods.pop(begin, None))
    for name, function in methods.items():
        counted = "epoch" in name or "batch" in name
        members[name] = (with_index if counted else with_logs)(function)
    return type("KerasCallback", (keras.callbacks.Callback,), members)()
