"""The folder of fruits: its source, its classes, and what is refused.

The folders here have tiny classes. The tests of `make fruits` use the real
photographs, if they are available.
"""

import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from PIL import Image
from sidebyside import fruits_directory
from sidebyside.common.errors import WrongData
from sidebyside.data import fruits
from sidebyside.data.fruits import CLASSES
from sidebyside.data.painted import painter as painted

THREE = ("Kiwi", "Lemon", "Plum")
# The sixteen classes under their names in the version of 2025, and similar classes.
NUMBERED = (
    *(f"{name} 1" for name in CLASSES),
    *("Strawberry 2", "Strawberry Wedge 1", "Avocado ripe 1", "Peach 2", "Walnut 1"),
)


def make_image(path, size=(100, 100), colour="green"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def make_fruits(folder, classes=THREE, test="Test", **settings):
    """Make two training images and one test image for each class."""
    for name in classes:
        for number in range(2):
            make_image(folder / "Training" / name / f"{number}_100.jpg", **settings)
        make_image(folder / test / name / "7_100.jpg", **settings)
    return folder


def classes_of(folder, split="Training"):
    return sorted(os.listdir(Path(folder) / split))


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    """A new data folder without fruits."""
    for name in ("FRUITS360_DIR", "FRUITS360_CLASSES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SIDEBYSIDE_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The folder that FRUITS360_DIR names; it does not exist yet."""
    monkeypatch.setenv("FRUITS360_DIR", str(tmp_path / "given"))
    return tmp_path / "given"


@pytest.fixture
def given(place):
    """A good folder that FRUITS360_DIR names."""
    return make_fruits(place)


@pytest.fixture(scope="module")
def three_a_class(tmp_path_factory):
    """Painted fruits from `paint_fruits()`, which takes seconds."""
    return painted.paint_fruits(
        tmp_path_factory.mktemp("painted") / "fruits", training=2, test=1
    )


@pytest.fixture
def few_painted(three_a_class, data, monkeypatch):
    """Make fruits_directory() paint only three pictures per class."""
    few = partial(painted.paint_fruits, training=2, test=1)
    monkeypatch.setattr(painted, "paint_fruits", few)
    shutil.copytree(three_a_class, data / "painted-fruits")


def refused(match, classes=None):
    with pytest.raises(WrongData, match=match) as caught:
        fruits_directory(classes)
    return str(caught.value)


# ---- Which source


def test_the_first_source_is_the_folder_that_the_reader_names(given, data, capsys):
    make_fruits(data / "fruits-360", ("Orange", "Plum"))
    assert fruits_directory() == str(given)
    assert capsys.readouterr().out == (
        f"Fruits: photographs, from FRUITS360_DIR ({given}): "
        "3 classes, 6 Training and 3 Test images; missing: Banana, Apricot, Avocado, "
        "Cocos, Clementine, Mandarine, Orange, Limes, Peach, Raspberry, Strawberry, "
        "Pineapple, Pomegranate\n"
    )


def test_the_second_source_is_the_folder_from_make_fruits(data, capsys):
    made = make_fruits(data / "fruits-360")
    assert fruits_directory() == str(made)
    line = capsys.readouterr().out
    assert line.startswith("Fruits: photographs, from `make fruits` (")
    # If its disk is missing, no other source is used instead.
    made.rename(data / "away")
    made.symlink_to("nowhere")
    refused("`make fruits` .* is not a folder")


def test_the_third_source_is_painted(few_painted, data, capsys):
    folder = Path(fruits_directory())
    assert folder == data / "painted-fruits"
    assert classes_of(folder) == classes_of(folder, "Test") == sorted(CLASSES)
    assert capsys.readouterr().out == (
        f"Fruits: painted by this project, from {folder}: "
        "16 classes, 32 Training and 16 Test images\n"
    )


def test_painted_fruits_are_called_painted_in_every_folder(
    few_painted, tmp_path, monkeypatch, capsys
):
    shutil.copytree(fruits_directory(), tmp_path / "copy")
    monkeypatch.setenv("FRUITS360_DIR", str(tmp_path / "copy"))
    links = fruits_directory(["Kiwi", "Plum", "Orange"])
    monkeypatch.setenv("FRUITS360_DIR", links)
    fruits_directory()
    for line in capsys.readouterr().out.splitlines():
        assert line.startswith("Fruits: painted by this project, from ")
        assert "photo" not in line
    assert f"FRUITS360_DIR ({links}): 3 classes" in line
    assert fruits.is_painted(links)


def test_painted_fruits_can_be_asked_for(few_painted, data, monkeypatch):
    made = make_fruits(data / "fruits-360")
    assert fruits_directory() == str(made)
    assert not fruits.is_painted(made)
    monkeypatch.setenv("FRUITS360_DIR", "painted")
    assert fruits_directory() == str(data / "painted-fruits")
    assert fruits.is_painted(data / "painted-fruits")


def test_an_empty_variable_counts_as_not_set(few_painted, monkeypatch, capsys):
    monkeypatch.setenv("FRUITS360_DIR", "")
    monkeypatch.setenv("FRUITS360_CLASSES", " ")
    fruits_directory()
    assert "painted" in capsys.readouterr().out


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The user's cache."""
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / "cache" / name)
    return tmp_path / "cache" / "sidebyside"


def test_without_write_permission_the_cache_is_used(
    given, cache, tmp_path, monkeypatch
):
    (tmp_path / "file").touch()  # a file where a folder should be
    monkeypatch.setenv("SIDEBYSIDE_DATA", str(tmp_path / "file" / "data"))
    assert Path(fruits_directory(["Kiwi", "Plum"])).is_relative_to(cache)


def test_painted_fruits_of_another_user_are_used(few_painted, cache, data, monkeypatch):
    # Tests may run as root, who may write everywhere.
    monkeypatch.setattr(fruits, "_writable", lambda folder: folder != data)
    assert fruits_directory() == str(data / "painted-fruits")
    next((data / "painted-fruits" / "Test" / "Kiwi").iterdir()).unlink()
    monkeypatch.setattr(painted, "paint_fruits", str)
    assert fruits.painted_fruits() == cache / "painted-fruits"


def test_painted_fruits_of_another_seed_are_painted_again(few_painted, data):
    marker = data / "painted-fruits" / "painted.json"
    as_it_was = marker.read_text()
    marker.write_text(as_it_was.replace('"seed": 42', '"seed": 7'))
    fruits_directory()
    assert marker.read_text() == as_it_was


# ---- Which classes


def test_the_default_classes_are_the_list_and_missing_ones_are_named(place, capsys):
    make_fruits(place, ("Kiwi", "Orange", "Walnut", "Grape"))
    make_image(place / "Test" / "Kiwi" / "8_100.JPG")
    assert classes_of(fruits_directory()) == ["Kiwi", "Orange"]
    line = capsys.readouterr().out
    assert "3 Test images; missing: Banana, Apricot, Avocado, Cocos, " in line
    assert "; 2 more (" in line


def test_classes_are_chosen(given):
    assert fruits_directory() == str(given)
    assert classes_of(fruits_directory(["Plum", "Kiwi", "Plum"])) == ["Kiwi", "Plum"]
    assert fruits_directory("all") == str(given)
    assert fruits_directory(["all"]) == str(given)


def test_the_variable_counts_if_there_is_no_argument(given, monkeypatch):
    monkeypatch.setenv("FRUITS360_CLASSES", "Lemon, Plum")
    assert classes_of(fruits_directory()) == ["Lemon", "Plum"]
    assert classes_of(fruits_directory(["Kiwi", "Plum"])) == ["Kiwi", "Plum"]
    monkeypatch.setenv("FRUITS360_CLASSES", "all")
    assert fruits_directory() == str(given)


def test_an_unknown_class_is_named_together_with_the_existing_ones(given):
    refused("There is no class '7'", ["Kiwi", 7])
    said = refused("There is no class 'lemmon'", ["Kiwi", "lemmon"])
    assert said.endswith("There are: Kiwi, Lemon, Plum.")


@pytest.mark.parametrize("classes", ["Kiwi", ["Kiwi", "Kiwi"], ["Kiwi", ""]])
def test_fewer_than_two_classes_are_refused(given, classes):
    refused("at least 2 are needed", classes)


def test_without_any_class_of_the_list_the_message_names_the_folders_classes(place):
    make_fruits(place, ("Kiwi", "Walnut", "Grape"))
    refused("1 of the classes .* There are: Grape, Kiwi, Walnut")


# ---- Layouts and names of other versions


@pytest.mark.parametrize(
    ("below", "test"),
    [
        ("", "Test"),
        ("fruits-360", "Validation"),
        ("fruits-360_dataset/fruits-360", "Test"),
        ("fruits-360_dataset_100x100/fruits-360", "Test"),
        ("archive/fruits-360_100x100/fruits-360", "Test"),
    ],
)
def test_layouts_of_all_versions_are_found(place, below, test):
    make_fruits(place / below, test=test)
    found = Path(fruits_directory())
    assert classes_of(found) == classes_of(found, "Test") == sorted(THREE)
    assert len(list(found.glob("Training/Kiwi/*.jpg"))) == 2
    assert len(list(found.glob("Test/Kiwi/*.jpg"))) == 1


def test_test_is_used_if_there_is_also_validation(given):
    make_fruits(given, test="Validation")
    assert fruits_directory() == str(given)


def test_the_size_of_100_pixels_is_chosen(place):
    large = place / "fruits-360_original-size" / "fruits-360-original-size"
    make_fruits(large, size=(258, 322))
    make_fruits(large, test="Validation", size=(258, 322))
    small = make_fruits(place / "fruits-360_100x100" / "fruits-360")
    assert fruits_directory() == str(small)
    make_fruits(small.with_name("other"))
    refused("contains more than one data set")
    shutil.rmtree(small.with_name("other"))
    small.rename(large.with_name("other"))
    refused(f"contains more than one data set: {large}, {large.parent}/other. Name one")


def test_numbered_names_are_found_by_the_names_of_the_list(place, capsys):
    make_fruits(place, NUMBERED)
    make_image(place / "Training" / "Strawberry 1" / "mine.jpg")
    found = Path(fruits_directory())
    assert classes_of(found) == classes_of(found, "Test") == sorted(CLASSES)
    assert (found / "Training" / "Strawberry" / "mine.jpg").exists()
    assert capsys.readouterr().out.endswith(
        "; Kiwi is 'Kiwi 1' there, Banana is 'Banana 1' there, Apricot is 'Apricot 1' "
        'there, 13 more like these; 5 more (classes="all" uses them)\n'
    )
    assert fruits_directory("all") == str(place)
    chosen = fruits_directory(["Strawberry 2", "Strawberry"])
    assert classes_of(chosen) == ["Strawberry", "Strawberry 2"]


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        (["Plum", "Plum 1"], "Plum"),
        (["Plum 1", "Plum 2"], "Plum 1"),
        (["Plum 10", "Plum 3", "Plum hole 1"], "Plum 3"),
        (["Plum hole 1", "Plump 1"], None),
    ],
)
def test_a_numbered_name_replaces_the_old_one(there, expected):
    there = {*there, "Kiwi", "Lemon"}
    choice = fruits.choose({"Training": there, "Test": there}, [], "here")
    assert choice.folders.get("Plum") == expected


# ---- What is refused before the training starts


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda x: None, r"\) is not a folder.* make fruits ARGS=\"--from '{}'\""),
        (lambda x: x.write_bytes(b"PK"), "is not a folder"),
        (lambda x: x.mkdir(), "found: nothing"),
        (lambda x: (x / "Training").mkdir(parents=True), "found: Training"),
        (
            lambda x: [make_fruits(x), shutil.rmtree(x / "Test")],
            "not a folder of Fruits",
        ),
        (lambda x: make_fruits(x / "1" / "2" / "3" / "4"), "not a folder of Fruits"),
        (lambda x: [os.makedirs(x / y) for y in ("Training", "Test")], "are: none"),
    ],
)
def test_a_folder_without_training_and_test_is_refused(place, make, expected):
    make(place)
    refused(expected.format(place))


def test_a_folder_may_be_a_relative_path(given, monkeypatch):
    monkeypatch.chdir(given.parent)
    monkeypatch.setenv("FRUITS360_DIR", given.name)
    assert fruits_directory() == str(given)


@pytest.mark.parametrize("missing", ["Training", "Test"])
def test_a_class_in_only_one_part_is_refused(given, missing):
    shutil.rmtree(given / missing / "Lemon")
    refused(f"the class 'Lemon' is not in {missing}")
    assert classes_of(fruits_directory(["Kiwi", "Plum"])) == ["Kiwi", "Plum"]


def test_an_empty_class(given):
    (given / "Test" / "Lemon" / "7_100.jpg").rename(given / "Test" / "Lemon" / "x.txt")
    refused(f"{given}/Test/Lemon contains no image.*choose other")


def cut(path):
    Image.effect_noise((100, 100), 50).save(path)
    path.write_bytes(path.read_bytes()[:-400])


def webp(path):
    Image.new("RGB", (100, 100)).save(path, format="WEBP")


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda path: path.write_text("text"), "is damaged, or is not an image"),
        (lambda path: path.write_bytes(b""), "is damaged"),
        (cut, "is damaged"),
        (webp, "is damaged, or is not an image"),
        (
            lambda path: os.truncate(path, fruits.MOST_BYTES + 1),
            "is too large: expected 1 MB",
        ),
        (lambda path: make_image(path, (100, 48)), "is 100x48 pixels, expected 100x"),
        (lambda path: [path.unlink(), path.symlink_to("nowhere")], "is not a file"),
        (lambda path: [path.unlink(), os.mkfifo(path)], "is not a file"),
    ],
)
@pytest.mark.parametrize("file", ["Training/Plum/0_100.jpg", "Test/Kiwi/7_100.jpg"])
def test_a_bad_image_is_refused(given, spoil, expected, file):
    assert fruits_directory() == str(given)  # which is not remembered
    spoil(given / file)
    refused(f"{given / file} {expected}")


@pytest.mark.parametrize(
    ("call", "below"),
    [("open", "Test/Plum/7_100.jpg"), ("stat", ""), ("scandir", "Test/Plum")],
)
def test_files_without_permission_are_reported(given, monkeypatch, call, below):
    secret = given / below
    really = getattr(os, call)

    def locked(path, *arguments, **others):
        if not isinstance(path, int) and os.fspath(path) == str(secret):
            raise PermissionError(13, "Permission denied", str(path))
        return really(path, *arguments, **others)

    # Tests may run as root, who may read everything.
    monkeypatch.setattr(os, call, locked)
    refused(rf"{secret} cannot be read or written \(Permission denied\)")


def test_other_files_do_not_matter(given):
    before = fruits_directory()
    for name in ("Thumbs.db", ".DS_Store", "notes.txt"):
        (given / "Training" / "Kiwi" / name).write_bytes(b"x")
        (given / "Training" / name).write_bytes(b"x")
    (given / "Training" / ".hidden").mkdir()
    (given / "Training" / "Kiwi" / "empty").mkdir()
    assert fruits_directory() == before == str(given)


# ---- Which files are opened, which takes time in the timed stage


@pytest.fixture
def opened(monkeypatch):
    """Record the files that are opened for reading from now on."""
    paths, really = [], fruits.read_at_most
    monkeypatch.setattr(
        fruits,
        "read_at_most",
        lambda path, most: paths.append(path) or really(path, most),
    )
    return paths


def test_in_a_readers_own_folder_one_image_of_each_class_is_opened(given, opened):
    fruits_directory()
    expected = [
        given / split / name / file
        for split, file in (("Training", "0_100.jpg"), ("Test", "7_100.jpg"))
        for name in THREE
    ]
    assert sorted(opened) == sorted(expected)


def test_no_image_of_a_checked_folder_is_opened(few_painted, data, opened):
    fruits_directory()  # painted
    made = make_fruits(data / "fruits-360")
    (made / "sidebyside.json").write_text("{}")
    fruits_directory()  # fetched
    assert opened == []


def test_links_in_a_circle_are_reported(given):
    for number in range(5):
        (given / f"again {number}").symlink_to(".")
    assert fruits_directory() == str(given)
    (given / "Test").rename(given / "Tests")
    refused("is not a folder of Fruits-360")


def test_untrusted_names_are_not_printed_raw(given):
    for split in ("Training", "Test"):
        (given / split / "Kiwi").rename(given / split / "Kiwi\x1b[31m")
    assert refused(r"Kiwi\\x1b\[31m", classes=["Kiwi", "Plum"]).isprintable()
    (given / "Test" / "Kiwi\x1b[31m" / "7_100.jpg").write_bytes(b"")
    assert refused("is damaged", classes="all").isprintable()


# ---- Views


def test_a_view_is_made_once_and_again_after_it_was_deleted(given, data, monkeypatch):
    view = Path(fruits_directory(["Kiwi", "Plum"]))
    assert view.parent == data / "fruits-360-views"
    (view / "kept").touch()
    assert fruits_directory(["Plum", "Kiwi"]) == str(view)
    assert (view / "kept").exists()
    shutil.rmtree(view)
    assert fruits_directory(["Kiwi", "Plum"]) == str(view)
    assert classes_of(view) == classes_of(view, "Test") == ["Kiwi", "Plum"]
    for part in ("Training", "Test"):
        assert (view / part / "Kiwi").resolve() == given / part / "Kiwi"
    left = {path.name for path in view.parent.iterdir()}
    assert left == {view.name, f".{view.name}.lock"}
    # Other folders with the same names make another view.
    other = make_fruits(given.parent / "other")
    monkeypatch.setenv("FRUITS360_DIR", str(other))
    assert fruits_directory(["Kiwi", "Plum"]) != str(view)


def test_a_disk_without_links_is_reported(given, data, monkeypatch):
    def no_links(*_, **__):
        raise OSError(1, "no links here")

    monkeypatch.setattr(Path, "symlink_to", no_links)
    refused("no links here", classes=["Kiwi", "Plum"])
    assert {x.suffix for x in (data / "fruits-360-views").iterdir()} == {".lock"}


def test_keras_reads_a_view(place):
    import keras

    make_fruits(place, NUMBERED, test="Validation")
    folder = fruits_directory()
    for split, count in (("Training", 32), ("Test", 16)):
        images = keras.utils.image_dataset_from_directory(
            f"{folder}/{split}", image_size=(20, 20), batch_size=64, verbose=False
        )
        assert images.class_names == sorted(CLASSES)
        [(x, y)] = list(images)
        assert tuple(x.shape) == (count, 20, 20, 3)
        assert sorted(set(y.numpy().tolist())) == list(range(16))


def test_importing_it_brings_no_picture_library():
    code = (
        "import sys, sidebyside.data.fruits;"
        "print([x for x in ('PIL', 'keras', 'pooch', 'kaggle') if x in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == "[]"
