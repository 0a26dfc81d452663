"""The drawing of a network: its boxes, its arrows, and the same in words."""

import re

import matplotlib

matplotlib.use("agg")

import keras
import pytest
from keras import layers
from matplotlib import pyplot as plt
from matplotlib.text import Annotation
from sidebyside import draw_network
from sidebyside.kernel import figures


def stack():
    model = keras.Sequential([keras.Input((28, 28))])
    model.add(layers.LSTM(16, name="reader"))
    model.add(layers.Dropout(0.5))
    model.add(layers.Dense(10))
    return model


def two_inputs():
    story, question = keras.Input((9,), name="story"), keras.Input((3,))
    inner = keras.Sequential([keras.Input((9,)), layers.Dense(4)], name="inner")
    joined = layers.Concatenate()([inner(story), question])
    answer = layers.Dense(2)(joined)
    return keras.Model([story, question], [answer, layers.Add()([answer, answer])])


def shared():
    one, other = keras.Input((5,), name="one"), keras.Input((5,), name="other")
    words = layers.Embedding(30, 8)
    average = layers.GlobalAveragePooling1D()
    return keras.Model([one, other], average(words(one)) - average(words(other)))


def skipped():
    given = keras.Input((8,))
    x = layers.Dense(8)(given)
    again = layers.Dense(8)
    return keras.Model(given, again(again(x)) + given)


NETWORKS = [
    (
        stack,
        {
            "Input": "28 x 28: no parameters",
            "LSTM 'reader'": "16: 2,880 parameters",
            "Dropout": "16: no parameters",
            "Dense": "10: 170 parameters",
        },
        ["LSTM 'reader'", "Dropout", "Dense"],
    ),
    (
        two_inputs,
        {
            "Input 'story'": "9: no parameters",
            "Model 'inner'": "4: 40 parameters",
            "Input": "3: no parameters",
            "Concatenate": "7: no parameters",
            "Dense": "2: 16 parameters",
            "Add": "2: no parameters",
        },
        ["Model 'inner'", "Concatenate", "Concatenate", "Dense", "Add"],
    ),
    (
        shared,
        {
            "Input 'one'": "5: no parameters",
            "Input 'other'": "5: no parameters",
            "Embedding, used 2 times": "5 x 8: 240 parameters",
            "GlobalAveragePooling1D, used 2 times": "8: no parameters",
            "Subtract": "8: no parameters",
        },
        [
            *["Embedding, used 2 times"] * 2,
            *["GlobalAveragePooling1D, used 2 times", "Subtract"],
        ],
    ),
    (
        skipped,
        {
            "Input": "8: no parameters",
            "Dense": "8: 72 parameters",
            "Dense, used 2 times": "8: 72 parameters",
            "Add": "8: no parameters",
        },
        ["Dense", "Dense, used 2 times", "Add", "Add"],
    ),
]


@pytest.mark.parametrize(
    ("network", "boxes", "ends"),
    NETWORKS,
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_boxes_and_arrows(network, boxes, ends):
    figures.forget_pending()
    draw_network(network())
    [said] = figures._pending
    figures.forget_pending()
    ax = plt.gca()
    plt.close()
    titles = {t.get_text(): t for t in ax.texts if t.get_weight() == "bold"}
    assert titles.keys() == boxes.keys()
    in_words = "; ".join(", ".join(box) for box in boxes.items())
    assert said == f"A network, from input to output: {in_words}."

    def ends_at(arrow):
        """The box whose upper edge is nearest to the tip."""
        x, y = arrow.xy
        return min(
            titles,
            key=lambda t: (
                abs(titles[t].get_position()[0] - x)
                + abs(titles[t].get_position()[1] - y)
            ),
        )

    arrows = [text for text in ax.texts if isinstance(text, Annotation)]
    assert sorted(map(ends_at, arrows)) == sorted(ends)

    ax.figure.canvas.draw()
    inside = [patch.get_window_extent() for patch in ax.patches]
    assert len(inside) == len(boxes)
    for text in set(ax.texts) - set(arrows):
        area = text.get_window_extent()
        assert any(
            box.containsx(area.x0)
            and box.containsx(area.x1)
            and box.containsy(area.y0)
            and box.containsy(area.y1)
            for box in inside
        )


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (
            keras.Sequential([layers.Dense(3)]),
            "this Sequential are not known yet. Give",
        ),
        (None, "found NoneType, expected a Keras model"),
        (keras.callbacks.History(), "found History, expected a Keras model"),
        (layers.Dense(3), "found Dense, expected a Keras model"),
    ],
)
def test_what_cannot_be_drawn_is_a_sentence(model, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        draw_network(model)
