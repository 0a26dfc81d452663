"""The networks that a study measures, and the notebooks with their timed cells."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Network:
    """A network of the collection.

    Attributes
    ----------
    notebook
        The name of the file in `notebooks/` that has its timed cells.
    epochs
        The two lengths of its runs. They are chosen for the experiment: a run takes
        5 to 15 seconds on two cores. The notebook may train for longer.
    batch_sizes
        The numbers of examples in a batch. There are none if the program does not
        have this parameter.
    only_tensorflow
        Whether the program calls TensorFlow itself, so that Keras can have no other
        backend.
    callback
        Whether it has a callback that is written in the program's language, and is
        called after each batch and after each epoch.
    tensorflow_data
        Whether its data set is one of TensorFlow. Other backends can use it, too, if
        TensorFlow is installed.
    """

    notebook: str
    epochs: tuple[int, int]
    batch_sizes: tuple[int, ...] = ()
    only_tensorflow: bool = False
    callback: bool = False
    tensorflow_data: bool = False


# In the order of the course and the gallery. The names of the gallery are those of
# its examples.
#
# Notebook 03 sets the size of its batches in its data set. Its program stays as it
# is, because the reference campaigns measured it.
NETWORKS = {
    "mnist": Network("01_mnist.ipynb", (1, 4), (128, 512)),
    "callback": Network(
        "02_how_r_drives_tensorflow.ipynb", (20, 60), (25, 100), callback=True
    ),
    "fruits": Network("03_fruits_cnn.ipynb", (2, 10), tensorflow_data=True),
    "mnist_cnn": Network("10_digits.ipynb", (1, 2), (64, 256)),
    "babi_rnn": Network("14_stories_and_answers.ipynb", (2, 8), (32, 128)),
    "lstm_text_generation": Network("15_letter_by_letter.ipynb", (1, 3), (32, 128)),
    "mnist_acgan": Network(
        "17_inventing_digits.ipynb", (1, 2), (100, 250), only_tensorflow=True
    ),
}
