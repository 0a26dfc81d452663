"""A reader's own picture: any format, any shape, or a clear message."""

import os
import subprocess
import tracemalloc

import numpy as np
import pytest
from PIL import Image
from sidebyside.lesson.pictures import NoPicture, read_picture

RED = (200, 30, 40)


@pytest.fixture
def save(tmp_path):
    def save(name="fruit.png", mode="RGB", size=(100, 100), colour=RED, **options):
        path = tmp_path / name
        Image.new(mode, size, colour).save(path, **options)
        return path

    return save


@pytest.mark.parametrize("size", [20, 32])
def test_a_batch_of_one_in_keras_s_order(save, size):
    picture = read_picture(save(), size=size)
    assert picture.shape == (1, size, size, 3)
    assert picture.dtype == np.float32
    assert np.array_equal(picture[0, 7, 7], RED)


def test_it_is_resized_as_a_training_picture_is(tmp_path):
    from keras.utils import image_dataset_from_directory

    pixels = np.random.default_rng(1).integers(0, 256, (100, 100, 3), "uint8")
    for kind in ("a", "b"):
        (tmp_path / kind).mkdir()
        Image.fromarray(pixels).save(tmp_path / kind / "1.png")
    batch = image_dataset_from_directory(
        tmp_path, image_size=(20, 20), verbose=False, shuffle=False
    )
    expected = next(iter(batch))[0].numpy()[:1]
    assert np.array_equal(read_picture(tmp_path / "a" / "1.png"), expected)


def test_transparent_parts_and_borders_become_white(save):
    transparent = save(mode="RGBA", colour=(0, 0, 0, 0))
    assert (read_picture(transparent) == 255).all()
    picture = read_picture(save(size=(100, 50)))[0]
    assert (picture[0] == 255).all()
    assert np.array_equal(picture[10, 10], RED)


@pytest.mark.parametrize(("mode", "colour"), [("L", 9), ("P", 0), ("1", 0)])
def test_other_kinds_of_colour(save, mode, colour):
    assert read_picture(save(mode=mode, colour=colour)).max() < 10


@pytest.mark.parametrize("name", ["large.jpg", "large.png"])
def test_a_large_one_takes_little_memory(save, name):
    path = save(name, size=(4000, 2500))
    read_picture(save("small.png"))  # loads Keras
    tracemalloc.start()  # sees NumPy's arrays, not Pillow's pictures
    try:
        picture = read_picture(path)[0]
        assert tracemalloc.get_traced_memory()[1] < 60e6
    finally:
        tracemalloc.stop()
    assert np.abs(picture[10, 10] - RED).max() < 2
    assert (picture[[0, -1]] == 255).all()
    assert (np.abs(picture[4:16] - RED) < 2).all()


@pytest.mark.parametrize(("mode", "colour"), [("I;16", 40_000), ("F", 0.5)])
def test_more_than_eight_bits_are_refused(save, mode, colour):
    with pytest.raises(NoPicture, match=r"more than 8 bits .*Save the picture again"):
        read_picture(save("deep.tif", mode=mode, colour=colour))


def test_a_picture_without_permission_is_reported(save, monkeypatch):
    path = save()

    def locked(*_):
        raise PermissionError(13, "Permission denied", str(path))

    # Tests may run as root, who may read everything.
    monkeypatch.setattr(Image, "open", locked)
    with pytest.raises(NoPicture, match=r"permission denied.*chmod u\+r"):
        read_picture(path)


def test_the_picture_is_turned_as_the_camera_noted(save):
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn by 90 degrees"
    path = save("a.jpg", size=(100, 50), exif=exif)
    turned = read_picture(path)[0]
    assert (turned[:, 0] > 250).all()
    assert turned[0, 10, 1] < 60


def test_each_mistake_has_a_clear_message(tmp_path, save):
    (tmp_path / "text.jpg").write_text("text")
    damaged = save("a.jpg", size=(300, 300))
    damaged.write_bytes(damaged.read_bytes()[:700])
    for name, said in {
        "gone.jpg": r"There is no file .*gone\.jpg\. Give the",
        ".": r"is a folder\. Give the path of one",
        "text.jpg": r"text\.jpg is not a picture that can be read",
        "a.jpg": r"cannot be read .*Save the picture again",
    }.items():
        with pytest.raises(NoPicture, match=said):
            read_picture(tmp_path / name)


def test_r_has_the_same_message_and_nothing_else(tmp_path):
    code = (
        "library(sidebyside); "
        'cat(tryCatch(read_picture("gone.jpg"), error = conditionMessage))'
    )
    done = subprocess.run(
        ["Rscript", "--vanilla", "-e", code],
        cwd=tmp_path,
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    expected = "There is no file gone.jpg. Give the path of a picture, "
    assert done.stdout.startswith(expected)
