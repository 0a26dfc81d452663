"""What the R companion needs to know of the Keras that is installed.

`describe()` walks Keras's public modules and returns, for every class and
function that has a place in keras3's vocabulary, its R name and its R
arguments. The R side (`R/generate.R`) turns each row into an R function, so
the dialect always has the layers, losses, ... of the Keras at hand, and
nothing is typed out twice.

The conventions are keras3's (https://keras3.posit.co/reference/): snake case
with a prefix for the family, `object` first where a layer can be piped,
one-based axes, NULL for None.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import math
import re
import sys

import numpy as np

# Bytes that TensorFlow's memory has to start at a multiple of
# (EIGEN_MAX_ALIGN_BYTES with AVX-512).
_ALIGNMENT = 64

# Names that snake case alone does not give. Left: family and Python name,
# right: what keras3 calls it. None: keras3 has no such function.
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

# Functions of keras.utils that keras3 has under their own names.
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

# Where keras3's order of two arguments is not Python's: the first of each
# pair comes before the second.
_BEFORE = {
    "layer_conv_3d_transpose": ("output_padding", "data_format"),
    "layer_torch_module_wrapper": ("output_shape", "name"),
}

# Arguments that every optimizer has and keras3 puts after `...`.
_AFTER_DOTS = ("loss_scale_factor", "gradient_accumulation_steps")

# Optimizers whose arguments keras3 leaves in Python's order.
_PYTHONS_ORDER = ("Lamb", "Muon")

# keras.ops.image and keras.random: what keras3 calls it.
_OP_IMAGE = {"crop_images": "crop", "pad_images": "pad"}
_RANDOM = {"randint": "integer", "SeedGenerator": "seed_generator"}

# R words that cannot be argument names, and what keras3 writes instead.
_R_ARGUMENT = {"function": "f"}

# What every module of Keras has beside its members.
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
    # An object made by Keras. R only shows it: it is never sent.
    return "NULL"


def _kind(name: str, default: object) -> str:
    """How an R value for this argument has to be translated.

    `axis`: one-based in R. `shape`: becomes a tuple, NA is None. `float`:
    stays as it is. `counted`: a function of the number of an epoch or a batch,
    from one in R. `number`: a whole double becomes an integer, because R
    writes 32 where Python wants 32 and not 32.0.
    """
    if name in ("axis", "axes"):
        return "axis"
    if name == "shape" or name.endswith("_shape"):
        return "shape"
    if re.fullmatch(r"on_(\w+_)?(epoch|batch)_(begin|end)", name):
        return "counted"
    if isinstance(default, float):
        return "float"
    return "number"


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

    `dots` says where `...` stands: "end", "start" (right after `lead`), ""
    for nowhere, or the name of the argument that follows it.
    """
    arguments = list(arguments)
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
    """Public names of a module; without aliases, each object only once."""
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
                # Data: R's doubles are fractions here, whatever their value.
                (*row[:3], "float") if row[0] == "x" else row
                for row in _arguments(member)
            ]
            yield _row(r_name, "call", path, arguments, dots="")


def _measures(family: str, module_name: str):
    """Losses and metrics: a class, and often a function of the same name.

    keras3 joins the two: called with `y_true` and `y_pred` the R function
    computes, called without it makes the object that `compile()` takes.
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
            row if row[2] else defaults.get(row[0], row)
            for row in _arguments(function)
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
            yield _row(r_name, "call", path, _arguments(member), dots=dots)


def _configuration():
    module_name = "keras.config"
    for name, member in _members(module_name):
        path = f"{module_name}.{name}"
        arguments = _arguments(member)
        yield _row(f"config_{name}", "call", path, arguments, dots="")


def _utilities():
    from keras import utils

    for name in _UTILITIES:
        path = f"keras.utils.{name}"
        dots = "end" if name in ("get_file", "pad_sequences") else ""
        yield _row(name, "call", path, _arguments(getattr(utils, name)), dots=dots)


def _datasets():
    """keras3 adds `convert`: whether R arrays or NumPy's are wanted."""
    convert = ("convert", "convert", "TRUE", "number")
    for name in dir(importlib.import_module("keras.datasets")):
        path = f"keras.datasets.{name}"
        if not name.startswith("_"):
            loader = importlib.import_module(path).load_data
            arguments = [*_arguments(loader), convert]
            yield _row(f"dataset_{name}", "dataset", path, arguments, dots="")


def describe() -> list[dict]:
    """One row for each function of the dialect that Keras's classes give."""
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


def tensor_functions() -> list[str]:
    """R names of keras.ops and keras.random, which only keras3 has."""
    names = [f"op_{name}" for name, _ in _members("keras.ops")]
    for name, _ in _members("keras.ops.image"):
        names.append(f"op_image_{_OP_IMAGE.get(name, name)}")
    for name, _ in _members("keras.random"):
        names.append(f"random_{_RANDOM.get(name, name)}")
    return names


def in_rows(value: object, float_type: str) -> object:
    """R's data in the order and the type that Keras computes with.

    R keeps an array column by column and every number in 64 bits; what
    arrives here is a view of R's memory. Floats become `float_type`, whole
    numbers stay whole, and both are written row by row, once. Containers are
    gone through, everything else passes.
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


def _aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An empty array that TensorFlow can use as it lies in memory."""
    size = int(np.prod(shape)) * dtype.itemsize
    room = np.empty(size + _ALIGNMENT, np.uint8)
    start = -room.ctypes.data % _ALIGNMENT
    return room[start : start + size].view(dtype).reshape(shape)


def _in_keras(value: object, float_type: str) -> object:
    """Like `in_rows()`, but tensors of Keras's backend.

    Given NumPy's arrays, TensorFlow copies them into memory of its own, which
    it never gives back. By DLPack it takes ours as it is, which is why that
    has to be aligned.
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
    """Do what `validation_split` asks for on views of R's memory.

    As Keras does it (`train_validation_split()`): the last part of the
    samples, before any shuffling. Keras would copy both parts. What is not
    all arrays, or leaves one part empty, is left to Keras.
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

    The turned copies live here, for as long as the call, and not in R, which
    would keep them until it next collects garbage.
    """
    data, others = _hold_back(data, others)
    ready = {name: _in_keras(v, float_type) for name, v in data.items()}
    return method(**ready, **others)


def summary_text(model, arguments: dict) -> str:
    """What `model.summary()` prints, as text."""
    pieces: list[str] = []

    def keep(text: str, line_break: object = None) -> None:
        pieces.append(text)

    with _nothing_displayed():
        model.summary(print_fn=keep, **arguments)
    return "\n".join(pieces)


def _nothing_displayed():
    """In a notebook rich also displays an empty frame, even into a string."""
    if "IPython" in sys.modules:
        from IPython import get_ipython
        from IPython.utils.capture import capture_output

        if get_ipython() is not None:
            return capture_output(stdout=False, stderr=False, display=True)
    return contextlib.nullcontext()
