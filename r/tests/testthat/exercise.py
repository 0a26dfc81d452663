"""Use an object of Keras, whatever it is, and say what came of it.

For the test that R's 1 gives what Python's 1.0 gives: types that matter show
in what an object computes, not in its configuration.
"""

import keras
import numpy as np

# Errors are part of the search, and cost less without.
keras.config.disable_traceback_filtering()
rng = np.random.default_rng(1)
IMAGES = rng.random((2, 8, 8, 3), "float32")
INPUTS = [
    IMAGES,
    rng.random((2, 8, 3), "float32"),
    rng.random((2, 4), "float32"),
    rng.random((2, 4, 4, 4, 3), "float32"),
    rng.random((2, 3, 8, 8, 3), "float32"),
    rng.random((2, 3, 4, 4, 4, 3), "float32"),
    np.array([[1, 2], [0, 1]], "int32"),
    np.array([["a b"], ["c"]]),
    [IMAGES, IMAGES + 1],
    [IMAGES[:, :, 0], IMAGES[:, :, 1]],
]
TRUTH = [
    np.array([[0, 1], [1, 0], [1, 0], [0, 1]], "float32"),
    np.array([0, 1, 1, 0], "int32"),
]
GUESS = [
    np.array([[0.3, 0.7], [0.6, 0.4], [0.2, 0.8], [0.5, 0.5]], "float32"),
    np.array([1, 1, 0, 0], "int32"),
]


def first_that_works(function, attempts, give_up=lambda: False):
    for attempt in attempts:
        try:
            return function(*attempt)
        except Exception:
            if give_up():
                break
    raise ValueError("nothing works")


def use_layer(layer):
    def call(inputs):
        keras.utils.set_random_seed(2)
        if isinstance(inputs, np.ndarray) and inputs.dtype.kind == "f":
            return layer(inputs, training=True)
        return layer(inputs)

    # A layer that was half built behaves in ways of its own.
    return first_that_works(call, [(x,) for x in INPUTS], lambda: layer.built)


def use_optimizer(optimizer):
    weights = [keras.Variable(np.ones((3, 2))), keras.Variable(np.ones(2))]
    optimizer.build(weights)
    for step in range(2):
        gradients = [0.3 * (step + 1) * keras.ops.ones_like(w) for w in weights]
        optimizer.apply(gradients)
    return weights


def use_schedule(schedule):
    return [schedule(step) for step in (0, 1, 5, 7, 150)]


def use_measure(measure):
    pairs = [(t, g) for t in TRUTH for g in GUESS]
    return first_that_works(measure, pairs)


def use_callback(callback):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    callback.set_model(model)
    callback.set_params({"epochs": 4, "steps": 1, "verbose": 0})
    callback.on_train_begin()
    seen = []
    for epoch, loss in enumerate([3.0, 1.5, 1.25, 1.25]):
        logs = {"loss": loss, "val_loss": loss}
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch, logs)
        seen += [model.optimizer.learning_rate, bool(model.stop_training)]
    return seen


def use(thing):
    """What comes of it: a list of arrays."""
    if isinstance(thing, keras.layers.Layer):
        result = use_layer(thing)
    elif isinstance(thing, keras.optimizers.Optimizer):
        result = use_optimizer(thing)
    elif isinstance(thing, keras.optimizers.schedules.LearningRateSchedule):
        result = use_schedule(thing)
    elif isinstance(thing, (keras.losses.Loss, keras.metrics.Metric)):
        result = use_measure(thing)
    elif isinstance(thing, keras.callbacks.Callback):
        result = use_callback(thing)
    elif isinstance(thing, keras.initializers.Initializer):
        keras.utils.set_random_seed(2)
        result = thing((3, 3))
    elif isinstance(thing, (keras.Regularizer, keras.constraints.Constraint)):
        result = thing(keras.ops.reshape(keras.ops.arange(9.0), (3, 3)))
    else:
        result = thing
    return [np.asarray(part) for part in keras.tree.flatten(result)]


def same(one, other):
    return len(one) == len(other) and all(
        a.dtype == b.dtype
        and a.shape == b.shape
        and (
            np.allclose(a, b, rtol=1e-5, atol=1e-6, equal_nan=True)
            if a.dtype.kind in "biufc"
            else bool(np.all(a == b))
        )
        for a, b in zip(one, other, strict=True)
    )


def as_float(value):
    return [float(v) for v in value] if isinstance(value, list) else float(value)


def reference(target, arguments, name, value):
    """What Python makes of 1.0, or of 1 where it refuses 1.0; else None."""
    for attempt in (as_float(value), value):
        keras.utils.set_random_seed(1)
        try:
            return use(target(**arguments, **{name: attempt}))
        except Exception:
            continue
    return None
