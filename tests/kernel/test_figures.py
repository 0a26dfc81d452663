"""Each alternative text goes to the next picture of its cell, in order."""

import base64
import copy
import io

import numpy as np
import pytest
from PIL import Image
from sidebyside import alt_text
from sidebyside.kernel import figures


@pytest.fixture(autouse=True)
def nothing_pending():
    figures.forget_pending()
    yield
    figures.forget_pending()


def picture(*mimes, kind="display_data"):
    """Make a message of the kernel that shows something."""
    data = dict.fromkeys(mimes or ["image/png", "text/plain"], "...")
    return {"msg_type": kind, "content": {"data": data, "metadata": {}}}


def metadata(message):
    return figures.add_alt_text(message)["content"]["metadata"]


def test_every_format_of_a_picture_gets_its_text_in_one_line():
    alt_text("""A line
        that  rises.""")
    found = metadata(picture("image/svg+xml", "image/png", "text/plain"))
    alt = {"alt": "A line that rises."}
    assert found == {"image/svg+xml": alt, "image/png": alt}


def test_texts_go_to_pictures_in_order():
    alt_text("First.")
    alt_text("Second.")
    assert metadata(picture()) == {"image/png": {"alt": "First."}}
    assert metadata(picture()) == {"image/png": {"alt": "Second."}}
    assert metadata(picture()) == {}


@pytest.mark.parametrize(
    "message",
    [
        picture("text/html", "text/plain"),
        picture(kind="execute_result"),
        {"msg_type": "stream", "content": {"text": "image/png"}},
    ],
)
def test_only_pictures_get_a_text(message):
    alt_text("A line.")
    before = copy.deepcopy(message)
    assert figures.add_alt_text(message) == before
    assert metadata(picture()) == {"image/png": {"alt": "A line."}}


def test_other_metadata_of_a_picture_stays():
    alt_text("A line.")
    message = picture("image/png")
    message["content"]["metadata"] = {"image/png": {"width": 300}}
    assert metadata(message) == {"image/png": {"width": 300, "alt": "A line."}}


def test_a_large_picture_is_stored_in_fewer_colours():
    ramp = np.add.outer(np.arange(200), np.arange(200))
    noise = np.random.default_rng(1).integers(0, 30, (200, 200, 3))
    pixels = (ramp[..., None] // 2 + noise).astype("uint8")

    def stored(pixels):
        Image.fromarray(pixels).save(file := io.BytesIO(), "png")
        before = base64.b64encode(file.getvalue()).decode()
        message = picture("image/png")
        message["content"]["data"]["image/png"] = before
        after = figures.add_alt_text(message)["content"]["data"]["image/png"]
        shown = Image.open(io.BytesIO(base64.b64decode(after))).convert("RGB")
        return len(after) / len(before), np.asarray(shown)

    share, shown = stored(pixels)
    assert share < 0.5
    assert np.abs(shown - pixels.astype(int)).mean() < 8
    # Small and transparent pictures are unchanged.
    see_through = np.dstack([pixels, ramp.astype("uint8")])
    for other in (pixels[:50], see_through):
        share, shown = stored(other)
        assert share == 1


def test_a_text_never_crosses_into_the_next_cell():
    alt_text("Of a figure that was never drawn.")
    figures.forget_pending()  # what the extension does when a cell starts
    assert metadata(picture()) == {}


@pytest.mark.parametrize("empty", ["", "  ", "\n"])
def test_an_empty_text_is_refused(empty):
    with pytest.raises(ValueError, match="Say in a sentence"):
        alt_text(empty)
    assert metadata(picture()) == {}
