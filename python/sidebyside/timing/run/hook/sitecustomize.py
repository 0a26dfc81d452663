"""Record the time of each epoch of `keras.Model.fit()`, in all arms.

Python imports a module of this name when it starts: by itself, inside R, and
together with R. The experiment puts this folder on PYTHONPATH only for the
processes that it runs. So every arm has the same clock, written in the same
language, and the timed cells stay unchanged.

Nothing is imported here before the program does it: the hook waits until
`keras` has been imported. One callback is added to each `fit()`. Keras calls
it twice per epoch and never per batch: that would slow down the training.
"""

import os
import sys

FOLDER = os.environ.get("SIDEBYSIDE_TIMING_FOLDER", "")
# The names of two pipes, if two arms train by turns (see interleaved.py).
TURNS = os.environ.get("SIDEBYSIDE_TIMING_TURNS", "")


def _call_hidden_sitecustomize():
    """Run another module of this name, which this one hides, if there is one."""
    here = os.path.dirname(os.path.abspath(__file__))
    others = [x for x in sys.path if os.path.abspath(x or ".") != here]
    spec = _spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        module = type(sys)("sitecustomize")
        module.__file__ = spec.origin
        spec.loader.exec_module(module)


def _spec(name, path):
    """Do the same as importlib's find_spec(), whose import would take 3 ms."""
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)
        spec = None if find is None else find(name, path)
        if spec is not None:
            return spec
    return None


class _Finder:
    """Finds keras as usual, and calls `then()` when it is loaded.

    TensorFlow also looks for keras without loading it.
    """

    def __init__(self, then):
        self.then = then
        self.looking = False

    def find_spec(self, name, _path=None, _target=None):
        if name != "keras" or self.looking:
            return None
        self.looking = True
        spec = _spec(name, None)
        self.looking = False
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def exec_module(module):
            sys.meta_path.remove(self)
            load(module)
            self.then(module)

        spec.loader.exec_module = exec_module
        return spec


def _write(name, content):
    """Write a file that is never half written."""
    import json

    path = os.path.join(FOLDER, name)
    with open(path + ".part", "w", encoding="utf-8") as file:
        json.dump(content, file)
    os.replace(path + ".part", path)


def _stamp_fits(keras):
    import functools
    import inspect
    import time

    fits = []
    wait, pass_on = _turns()
    original = keras.Model.fit
    signature = inspect.signature(original)
    place = list(signature.parameters).index("callbacks")
    clock = time.perf_counter

    class Stamps(keras.callbacks.Callback):
        """Records the seconds and logs of each epoch."""

        def __init__(self):
            super().__init__()
            self.seconds = []
            self.logs = []

        def on_epoch_begin(self, epoch, logs=None):
            wait()
            self.began = clock()

        def on_epoch_end(self, epoch, logs=None):
            self.seconds.append(clock() - self.began)
            self.logs.append({k: float(v) for k, v in (logs or {}).items()})
            pass_on()

    @functools.wraps(original)
    def fit(*arguments, **named):
        stamps = Stamps()
        data = signature.bind(*arguments, **named).arguments
        bytes_ = sum(_bytes(data.get(x)) for x in ("x", "y", "validation_data"))
        given = list(arguments)
        if len(given) > place:
            given[place] = _with(given[place], stamps)
        else:
            named["callbacks"] = _with(named.get("callbacks"), stamps)
        history = original(*given, **named)
        fits.append(
            {
                "seconds": stamps.seconds,
                "logs": stamps.logs,
                "devices": _devices(given[0]),
                "batches": _batches(stamps),
                "array_bytes": bytes_,
            }
        )
        _write("fits.json", fits)
        return history

    keras.Model.fit = fit


def _turns():
    """Wait for this arm's turn before an epoch, and report the end of the epoch."""
    if not TURNS:
        return (lambda: None), (lambda: None)
    go = os.open(os.path.join(TURNS, "go"), os.O_RDONLY)
    done = os.open(os.path.join(TURNS, "done"), os.O_WRONLY)

    def wait():
        os.write(done, b"r")
        os.read(go, 1)

    return wait, lambda: os.write(done, b"e")


def _with(callbacks, stamps):
    if callbacks is None:
        return [stamps]
    if isinstance(callbacks, (list, tuple)):
        return [*callbacks, stamps]
    # This may be Keras's own list of callbacks, which already knows its model.
    if hasattr(callbacks, "append"):
        callbacks.append(stamps)
        return callbacks
    return [callbacks, stamps]


def _bytes(data):
    """Return the size of arrays, alone or in lists; 0 for a data set."""
    if isinstance(data, dict):
        data = list(data.values())
    if isinstance(data, (list, tuple)):
        return sum(map(_bytes, data))
    if hasattr(data, "nbytes"):
        return int(data.nbytes)
    # A tensor of TensorFlow.
    return getattr(getattr(data, "dtype", None), "size", 0) * _count(data)


def _count(tensor):
    count = 1
    for length in getattr(tensor, "shape", ()):
        count *= length
    return count


def _batches(stamps):
    """Return the number of training batches of an epoch; None if Keras knows none."""
    params = getattr(stamps, "params", None) or {}
    return params.get("steps")


def _devices(model):
    """Return the devices that have the model's variables, as the backend names them."""
    found = set()
    for variable in getattr(model, "variables", []):
        value = getattr(variable, "value", None)
        found.add(str(getattr(value, "device", "")))
    return sorted(found)


def _gpus_of_jax():
    import jax

    try:
        return [x.device_kind for x in jax.devices() if x.platform != "cpu"]
    except (RuntimeError, AssertionError):
        # JAX has no build for GPUs, or no GPU.
        return []


def _describe(keras):
    """Return the facts that the experiment compares between arms before it starts."""
    import platform

    import numpy

    facts = {
        "executable": sys.executable,
        "prefix": sys.prefix,
        "python": platform.python_version(),
        "keras": getattr(keras, "__version__", ""),
        "keras_file": keras.__file__,
        "numpy": numpy.__version__,
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
    }
    config = getattr(keras, "config", None)
    if config is not None:
        facts["backend"] = config.backend()
        facts["floatx"] = config.floatx()
    if "tensorflow" in sys.modules:
        tensorflow = sys.modules["tensorflow"]
        threads = tensorflow.config.threading
        gpus = tensorflow.config.list_physical_devices("GPU")
        details = tensorflow.config.experimental.get_device_details
        facts["tensorflow"] = tensorflow.__version__
        facts["gpus"] = [str(details(gpu).get("device_name", gpu.name)) for gpu in gpus]
        facts["threads_within_operations"] = threads.get_intra_op_parallelism_threads()
        facts["threads_between_operations"] = threads.get_inter_op_parallelism_threads()
    for name in {"jax", "torch"} & sys.modules.keys():
        facts[name] = sys.modules[name].__version__
    if facts.get("backend") == "jax" and (gpus := _gpus_of_jax()):
        facts["gpus"] = gpus
    _write("facts.json", facts)


_call_hidden_sitecustomize()
if FOLDER:
    probing = os.environ.get("SIDEBYSIDE_TIMING_PROBE")
    sys.meta_path.insert(0, _Finder(_describe if probing else _stamp_fits))
