"""The folder of fruits: which source it is, which classes, and what is refused.

The folders are made here, of tiny classes. The real photographs, where they
are at hand, are in the tests of `make fruits`.
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
# The sixteen of the list as the version of 2025 calls them, and neighbours.
NUMBERED = (
    *(f"{name} 1" for name in CLASSES),
    *("Strawberry 2", "Strawberry Wedge 1", "Avocado ripe 1", "Peach 2", "Walnut 1"),
)


def make_image(path, size=(100, 100), colour="green"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def make_fruits(folder, classes=THREE, test="Test", **settings):
    """Two images a class to learn from, one to be tested on."""
    for name in classes:
        for number in range(2):
            make_image(folder / "Training" / name / f"{number}_100.jpg", **settings)
        make_image(folder / test / name / "7_100.jpg", **settings)
    return folder


def classes_of(folder, split="Training"):
    return sorted(os.listdir(Path(folder) / split))


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    """A data folder of the test's own; no fruits are there yet."""
    for name in ("FRUITS360_DIR", "FRUITS360_CLASSES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SIDEBYSIDE_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def given(tmp_path, monkeypatch):
    """A good folder that FRUITS360_DIR names."""
    folder = make_fruits(tmp_path / "given")
    monkeypatch.setenv("FRUITS360_DIR", str(folder))
    return folder


@pytest.fixture(scope="module")
def three_a_class(tmp_path_factory):
    """Painted fruits, as `paint_fruits()` writes them; that takes seconds."""
    return painted.paint_fruits(
        tmp_path_factory.mktemp("painted") / "fruits", training=2, test=1
    )


@pytest.fixture
def few_painted(three_a_class, data, monkeypatch):
    """What fruits_directory() paints if there is nothing else: three a class."""
    few = partial(painted.paint_fruits, training=2, test=1)
    monkeypatch.setattr(painted, "paint_fruits", few)
    shutil.copytree(three_a_class, data / "painted-fruits")


def refused(match, error=WrongData, classes=None):
    with pytest.raises(error, match=match) as caught:
        fruits_directory(classes)
    return str(caught.value)


# ---- Which source


def test_the_first_source_is_what_the_reader_names(given, data, capsys):
    make_fruits(data / "fruits-360", ("Orange", "Plum"))
    assert fruits_directory() == str(fruits_directory()) != ""
    line = capsys.readouterr().out.splitlines()[0]
    assert line.startswith(f"Fruits: photographs, from FRUITS360_DIR ({given}): ")
    assert "3 classes, 6 Training and 3 Test images" in line


def test_the_second_source_is_what_make_fruits_got(data, capsys):
    made = make_fruits(data / "fruits-360")
    assert fruits_directory() == str(made)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("Fruits: photographs, from `make fruits` (")


def test_the_third_source_is_painted(few_painted, data, capsys):
    folder = Path(fruits_directory())
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("Fruits: painted by this project, from ")
    assert "photo" not in lines[0].lower()
    assert "16 classes, 32 Training and 16 Test images" in lines[0]
    assert classes_of(folder) == classes_of(folder, "Test") == sorted(CLASSES)
    assert folder.parent == data
    chosen = fruits_directory(["Kiwi", "Plum"])
    assert classes_of(chosen) == ["Kiwi", "Plum"]


def test_painted_fruits_are_called_painted_wherever_they_stand(
    few_painted, tmp_path, monkeypatch, capsys
):
    shutil.copytree(fruits_directory(), tmp_path / "copy")
    monkeypatch.setenv("FRUITS360_DIR", str(tmp_path / "copy"))
    monkeypatch.setenv("FRUITS360_DIR", fruits_directory(["Kiwi", "Plum", "Orange"]))
    fruits_directory()
    for line in capsys.readouterr().out.splitlines():
        assert line.startswith("Fruits: painted by this project, from ")
        assert "photo" not in line
    assert "FRUITS360_DIR" in line
    assert "3 classes" in line


def test_painted_fruits_can_be_asked_for(few_painted, data, monkeypatch, capsys):
    made = make_fruits(data / "fruits-360")
    assert fruits_directory() == str(made)
    assert not fruits.is_painted(made)
    monkeypatch.setenv("FRUITS360_DIR", "painted")
    assert fruits_directory() == str(data / "painted-fruits")
    assert "painted by this project" in capsys.readouterr().out.splitlines()[1]
    assert fruits.is_painted(data / "painted-fruits")
    assert fruits.is_painted(fruits_directory(["Kiwi", "Plum"]))


def test_a_variable_that_is_empty_is_not_set(few_painted, monkeypatch, capsys):
    monkeypatch.setenv("FRUITS360_DIR", "")
    monkeypatch.setenv("FRUITS360_CLASSES", " ")
    fruits_directory()
    assert "painted" in capsys.readouterr().out


def test_what_cannot_be_written_beside_the_data_goes_to_the_cache(
    given, data, tmp_path, monkeypatch
):
    import pooch

    data.parent.joinpath("file").write_text("in the way")
    monkeypatch.setenv("SIDEBYSIDE_DATA", str(tmp_path / "file" / "data"))
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache" / name)
    folder = Path(fruits_directory(["Kiwi", "Plum"]))
    assert folder.is_relative_to(tmp_path / "cache" / "sidebyside")


def test_painted_fruits_of_somebody_else_are_taken_as_they_are(
    few_painted, data, tmp_path, monkeypatch
):
    import pooch

    # Tests may run as root, who may write everywhere.
    monkeypatch.setattr(fruits, "_writable", lambda folder: folder != data)
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache" / name)
    assert fruits_directory() == str(data / "painted-fruits")
    assert not (tmp_path / "cache" / "sidebyside" / "painted-fruits").exists()
    next((data / "painted-fruits" / "Test" / "Kiwi").iterdir()).unlink()
    monkeypatch.setattr(painted, "paint_fruits", str)
    assert (
        fruits.painted_fruits() == tmp_path / "cache" / "sidebyside" / "painted-fruits"
    )


# ---- Which classes


def test_the_list_is_the_default_and_what_it_lacks_is_named(
    tmp_path, monkeypatch, capsys
):
    make_fruits(tmp_path / "given", ("Kiwi", "Orange", "Walnut", "Grape"))
    monkeypatch.setenv("FRUITS360_DIR", str(tmp_path / "given"))
    assert classes_of(fruits_directory()) == ["Kiwi", "Orange"]
    line = capsys.readouterr().out
    assert (
        "not there: Banana, Apricot, Avocado, Cocos, Clementine, Mandarine, Limes, "
        in line
    )
    assert "others there: 2" in line


def test_classes_are_chosen(given):
    assert fruits_directory() == str(given)
    assert classes_of(fruits_directory(["Plum", "Kiwi", "Plum"])) == ["Kiwi", "Plum"]
    assert fruits_directory("all") == str(given)
    assert fruits_directory(["all"]) == str(given)


def test_a_variable_chooses_where_no_argument_does(given, monkeypatch):
    monkeypatch.setenv("FRUITS360_CLASSES", "Lemon, Plum")
    assert classes_of(fruits_directory()) == ["Lemon", "Plum"]
    assert classes_of(fruits_directory(["Kiwi", "Plum"])) == ["Kiwi", "Plum"]
    monkeypatch.setenv("FRUITS360_CLASSES", "all")
    assert fruits_directory() == str(given)


def test_an_unknown_class_gets_its_neighbours_named(given):
    said = refused("There is no class 'lemmon'", ValueError, ["Kiwi", "lemmon"])
    assert "Did you mean Lemon?" in said
    assert "There are: Kiwi, Lemon, Plum." in said
    assert "Did you mean" not in refused("no class 'Xyz'", ValueError, ["Kiwi", "Xyz"])


@pytest.mark.parametrize("classes", [[], "Kiwi", ["Kiwi", "Kiwi"], ["Kiwi", ""]])
def test_fewer_than_two_classes_are_refused(given, classes):
    refused("at least 2 to tell apart", ValueError, classes)


def test_names_must_be_names(given):
    refused("expected names of fruits", ValueError, [1, 2])


def test_a_folder_with_none_of_the_list_says_what_it_has(tmp_path, monkeypatch):
    make_fruits(tmp_path / "given", ("Kiwi", "Walnut", "Grape"))
    monkeypatch.setenv("FRUITS360_DIR", str(tmp_path / "given"))
    refused("has Kiwi of the 16 classes of the list.*There are: Grape, Kiwi, Walnut")


# ---- Layouts and names of other versions


@pytest.mark.parametrize(
    ("below", "test"),
    [
        ("", "Test"),
        ("fruits-360", "Validation"),
        ("fruits-360_dataset/fruits-360", "Test"),
        ("fruits-360_dataset_100x100/fruits-360", "Test"),
        ("archive/one/fruits-360_100x100/fruits-360", "Test"),
    ],
)
def test_layouts_of_all_versions_are_found(tmp_path, monkeypatch, below, test):
    make_fruits(tmp_path / "given" / below, test=test)
    monkeypatch.setenv("FRUITS360_DIR", str(tmp_path / "given"))
    found = Path(fruits_directory())
    assert classes_of(found) == classes_of(found, "Test") == sorted(THREE)
    assert len(list(found.glob("Training/Kiwi/*.jpg"))) == 2
    assert len(list(found.glob("Test/Kiwi/*.jpg"))) == 1


def test_of_several_sizes_the_small_one_is_taken(tmp_path, monkeypatch, capsys):
    given = tmp_path / "given"
    make_fruits(
        given / "fruits-360_original-size" / "fruits-360-original-size", size=(258, 322)
    )
    make_fruits(
        given / "fruits-360_original-size" / "fruits-360-original-size",
        test="Validation",
        size=(258, 322),
    )
    small = make_fruits(given / "fruits-360_100x100" / "fruits-360")
    (given / "fruits-360_multi" / "Papers").mkdir(parents=True)
    monkeypatch.setenv("FRUITS360_DIR", str(given))
    assert fruits_directory() == str(small)


def test_two_data_sets_are_one_too_many(tmp_path, monkeypatch):
    one = make_fruits(tmp_path / "given" / "one")
    two = make_fruits(tmp_path / "given" / "two")
    monkeypatch.setenv("FRUITS360_DIR", str(tmp_path / "given"))
    assert f"{one}, {two}. Name one" in refused("holds more than one data set")


def test_numbered_names_are_found_by_the_names_of_the_list(
    tmp_path, monkeypatch, capsys
):
    make_fruits(tmp_path / "given", NUMBERED)
    make_image(tmp_path / "given" / "Training" / "Strawberry 1" / "mine.jpg")
    monkeypatch.setenv("FRUITS360_DIR", str(tmp_path / "given"))
    found = Path(fruits_directory())
    assert classes_of(found) == classes_of(found, "Test") == sorted(CLASSES)
    assert (found / "Training" / "Strawberry" / "mine.jpg").exists()
    line = capsys.readouterr().out
    assert (
        "Kiwi is its 'Kiwi 1', Banana is its 'Banana 1', Apricot is its 'Apricot 1', "
        "13 more like these" in line
    )
    assert "not there" not in line
    assert "others there: 5" in line
    assert classes_of(fruits_directory(["Strawberry 2", "Strawberry"])) == [
        "Strawberry",
        "Strawberry 2",
    ]
    assert fruits_directory("all") == str(tmp_path / "given")
    refused("same class, 'Kiwi 1'", ValueError, ["Kiwi", "Kiwi 1"])


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        (["Plum", "Plum 1"], "Plum"),
        (["Plum 1", "Plum 2"], "Plum 1"),
        (["Plum 10", "Plum 3", "Plum hole 1"], "Plum 3"),
        (["plum"], "plum"),
        (["Plum hole 1", "Plump 1"], None),
    ],
)
def test_the_nearest_name_stands_for_the_old_one(there, expected):
    there = [*there, "Kiwi", "Lemon"]
    assert fruits.choose(there, None, "here").folders.get("Plum") == expected


# ---- What is refused before the training starts


def test_a_folder_that_is_none(tmp_path, monkeypatch):
    def variable(path):
        monkeypatch.setenv("FRUITS360_DIR", str(path))

    variable(tmp_path / "nowhere")
    refused(
        r"nowhere\) does not exist\. Expected: a folder that holds Training and Test"
    )
    packed = tmp_path / "fruits.zip"
    packed.write_bytes(b"PK")
    variable(packed)
    assert f"make fruits ARGS=\"--from '{packed}'\"" in refused("is a file")
    (tmp_path / "empty").mkdir()
    variable(tmp_path / "empty")
    refused("It holds: nothing")
    (tmp_path / "half" / "Training").mkdir(parents=True)
    variable(tmp_path / "half")
    refused("It holds: Training")
    (tmp_path / "half" / "Test").mkdir()
    refused("Training and Test hold no folder")


def test_a_folder_named_from_here(given, monkeypatch):
    monkeypatch.chdir(given.parent)
    monkeypatch.setenv("FRUITS360_DIR", given.name)
    assert fruits_directory() == str(given)


def test_a_neighbour_that_may_not_be_read_does_not_matter(tmp_path, monkeypatch):
    inside = make_fruits(tmp_path / "disk" / "fruits-360")
    (tmp_path / "disk" / "lost+found").mkdir()
    monkeypatch.setenv("FRUITS360_DIR", str(tmp_path / "disk"))
    really_scan = os.scandir
    secret = ["lost+found"]

    def locked(path):
        if Path(path).name in secret:
            raise PermissionError(13, "Permission denied", str(path))
        return really_scan(path)

    monkeypatch.setattr(os, "scandir", locked)
    assert fruits_directory() == str(inside)
    secret.append("disk")
    refused("disk cannot be read")


def test_a_folder_too_deep_is_not_searched_for(tmp_path, monkeypatch):
    make_fruits(tmp_path / "given" / "1" / "2" / "3" / "4" / "5")
    monkeypatch.setenv("FRUITS360_DIR", str(tmp_path / "given"))
    refused("no folder of Fruits-360")
    monkeypatch.setenv("FRUITS360_DIR", str(tmp_path / "given" / "1"))
    assert fruits_directory().endswith("5")


def test_thousands_of_folders_are_not_searched(tmp_path, monkeypatch):
    for number in range(9):
        (tmp_path / "given" / str(number)).mkdir(parents=True)
    monkeypatch.setenv("FRUITS360_DIR", str(tmp_path / "given"))
    monkeypatch.setattr(fruits, "MOST_FOLDERS", 8)
    refused("thousands of folders")


@pytest.mark.parametrize(
    ("missing", "other"), [("Training", "Test"), ("Test", "Training")]
)
def test_a_class_on_one_side_only(given, missing, other):
    shutil.rmtree(given / missing / "Lemon")
    refused(f"{other} has the class 'Lemon', {missing} does not")
    assert classes_of(fruits_directory(["Kiwi", "Plum"])) == ["Kiwi", "Plum"]


def test_an_empty_class(given):
    folder = given / "Test" / "Lemon"
    (folder / "7_100.jpg").unlink()
    (folder / "Thumbs.db").write_bytes(b"x")
    said = refused("the class Lemon is empty")
    assert str(folder) in said
    assert "choose other classes" in said


def cut(path):
    Image.effect_noise((100, 100), 50).save(path)
    path.write_bytes(path.read_bytes()[:-400])


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (
            lambda path: path.write_text("not an image"),
            "is not an image, whatever its name says",
        ),
        (lambda path: path.write_bytes(b""), r"is empty \(0 bytes\)"),
        (cut, "is damaged"),
        (lambda path: os.truncate(path, fruits.MOST_BYTES + 1), "has more than 1 MB"),
        (lambda path: make_image(path, (64, 48)), "is 64x48 pixels, expected 100x100"),
        (
            lambda path: Image.new("RGB", (100, 100)).save(path, format="WEBP"),
            "is not an image",
        ),
        (
            lambda path: (path.unlink(), path.symlink_to("nowhere")),
            "is a link to one that is missing",
        ),
        (
            lambda path: make_image(path.parent / "more" / "1.jpg"),
            "in a folder inside a class's folder",
        ),
    ],
    ids=["text", "empty", "cut", "large", "size", "webp", "link", "nested"],
)
@pytest.mark.parametrize("place", ["Training/Plum/0_100.jpg", "Test/Kiwi/7_100.jpg"])
def test_a_file_that_is_no_such_image(given, spoil, expected, place):
    spoil(given / place)
    said = refused(expected)
    assert str((given / place).parent) in said
    # What was good before does not count any more, and what was mended does.
    good = make_fruits(given.parent / "good")
    shutil.rmtree(given)
    good.rename(given)
    assert fruits_directory() == str(given)


def test_the_advice_fits_the_source(given, data, monkeypatch):
    fruits_directory()
    (given / "Test" / "Kiwi" / "7_100.jpg").write_text("spoilt")
    assert "unset FRUITS360_DIR" in refused("is not an image")
    shutil.move(given, data / "fruits-360")
    monkeypatch.delenv("FRUITS360_DIR")
    refused('make fruits ARGS="--force"')


@pytest.mark.parametrize(
    ("call", "below"),
    [("open", "Test/Plum/7_100.jpg"), ("stat", ""), ("scandir", "Test/Plum")],
)
def test_what_may_not_be_read(given, monkeypatch, call, below):
    secret = given / below
    really = getattr(os, call)

    def locked(path, *arguments, **others):
        if not isinstance(path, int) and os.fspath(path) == str(secret):
            raise PermissionError(13, "Permission denied", str(path))
        return really(path, *arguments, **others)

    # Tests may run as root, who may read everything.
    monkeypatch.setattr(os, call, locked)
    assert f"chmod -R u+rX '{secret}'" in refused("permission denied")


def test_other_files_do_not_matter(given):
    before = fruits_directory()
    for name in ("Thumbs.db", ".DS_Store", "notes.txt"):
        (given / "Training" / "Kiwi" / name).write_bytes(b"x")
        (given / "Training" / name).write_bytes(b"x")
    (given / "Training" / ".hidden").mkdir()
    (given / "Training" / "Kiwi" / "empty").mkdir()
    assert fruits_directory() == before == str(given)


# ---- What is opened, which counts in the timed stage


@pytest.fixture
def opened(monkeypatch):
    """The files that are opened from now on to be read."""
    paths = []
    really = fruits.read_at_most

    def read(path, most):
        paths.append(path)
        return really(path, most)

    def never(path, *_):
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr(fruits, "read_at_most", read)
    monkeypatch.setattr(Path, "read_bytes", never)
    return paths


def test_of_a_readers_own_folder_one_image_of_each_class_is_opened(given, opened):
    fruits_directory()
    expected = [
        given / split / name / file
        for split, file in (("Training", "0_100.jpg"), ("Test", "7_100.jpg"))
        for name in THREE
    ]
    assert sorted(opened) == sorted(expected)


def test_of_what_was_checked_before_no_image_is_opened(few_painted, data, opened):
    fruits_directory()  # painted
    made = make_fruits(data / "fruits-360")
    (made / "sidebyside.json").write_text("{}")
    fruits_directory()  # fetched
    assert opened == []


@pytest.mark.parametrize("make", [os.mkfifo, lambda x: x.symlink_to("/dev/zero")])
def test_an_image_that_is_a_pipe_or_a_device_is_refused(given, make):
    """Keras would wait for it for ever."""
    make(given / "Test" / "Kiwi" / "8_100.jpg")
    refused("Test/Kiwi/8_100.jpg is not a file")


def test_links_in_a_circle_end(given):
    for number in range(5):
        (given / f"again {number}").symlink_to(".")
        (given / "Training" / "Kiwi" / f"again {number}").symlink_to(".")
    (given / "Test").rename(given / "Tests")
    refused("is no folder of Fruits-360")


def test_a_link_back_is_not_another_data_set(tmp_path, monkeypatch):
    make_fruits(tmp_path / "given" / "below" / "fruits")
    (tmp_path / "given" / "again").symlink_to(".")
    (tmp_path / "given" / "same").symlink_to("below/fruits")
    monkeypatch.setenv("FRUITS360_DIR", str(tmp_path / "given"))
    folder = Path(fruits_directory())
    assert folder.resolve() == tmp_path / "given" / "below" / "fruits"


def test_names_of_strangers_are_not_printed_raw(given, capsys):
    for split in ("Training", "Test"):
        (given / split / "Kiwi").rename(given / split / "Kiwi\x1b[31m")
    said = refused("no class 'Kiwi'", ValueError, classes=["Kiwi", "Plum"])
    assert said.isprintable()
    assert "Kiwi\\x1b[31m" in said
    (given / "Test" / "Kiwi\x1b[31m" / "7_100.jpg").write_bytes(b"")
    assert refused("is empty", classes="all").isprintable()


# ---- Views


def test_a_view_is_made_once_and_repaired(given, data, monkeypatch):
    view = Path(fruits_directory(["Kiwi", "Plum"]))
    assert view.parent == data / "fruits-360-views"
    (view / "kept").touch()
    assert Path(fruits_directory(["Plum", "Kiwi"])) == view
    assert (view / "kept").exists()
    for spoil in (
        lambda: (view / "Test" / "Kiwi").unlink(),
        lambda: (view / "Test" / "Lemon").symlink_to(given / "Test" / "Lemon"),
        lambda: (
            (view / "Test" / "Kiwi").unlink(),
            (view / "Test" / "Kiwi").symlink_to(given / "Test" / "Lemon"),
        ),
        lambda: shutil.rmtree(view / "Training"),
    ):
        spoil()
        assert Path(fruits_directory(["Kiwi", "Plum"])) == view
        assert classes_of(view) == classes_of(view, "Test") == ["Kiwi", "Plum"]
        assert (view / "Test" / "Kiwi").resolve() == given / "Test" / "Kiwi"
    left = {path.name for path in view.parent.iterdir()}
    assert left == {view.name, f".{view.name}.lock"}


def test_where_links_are_impossible_it_is_said(given, data, monkeypatch):
    def no_links(*_, **__):
        raise OSError(1, "no links here")

    monkeypatch.setattr(Path, "symlink_to", no_links)
    refused("no links here.*SIDEBYSIDE_DATA", classes=["Kiwi", "Plum"])
    left = (data / "fruits-360-views").iterdir()
    assert [x for x in left if x.suffix != ".lock"] == []


def test_keras_reads_a_view(tmp_path, monkeypatch):
    import keras

    make_fruits(tmp_path / "given", NUMBERED, test="Validation")
    monkeypatch.setenv("FRUITS360_DIR", str(tmp_path / "given"))
    folder = fruits_directory()
    for split, count in (("Training", 32), ("Test", 16)):
        images = keras.utils.image_dataset_from_directory(
            f"{folder}/{split}", image_size=(20, 20), batch_size=64, verbose=False
        )
        assert images.class_names == sorted(CLASSES)
        [(x, y)] = list(images)
        assert tuple(x.shape) == (count, 20, 20, 3)
        assert sorted(set(y.numpy().tolist())) == list(range(16))


# ---- Outside of this process


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


def test_r_gives_the_same_folder_the_same_line_and_the_same_error(given, capsys):
    folder = fruits_directory(["Kiwi", "Plum"])
    line = capsys.readouterr().out.strip()
    sentence = refused("no class", ValueError, ["Kiwi", "Lemmon"])
    code = (
        'folder <- sidebyside::fruits_directory(c("Kiwi", "Plum"));'
        "said <- tryCatch("
        'sidebyside::fruits_directory(c("Kiwi", "Lemmon")), error = conditionMessage);'
        'cat("\\n", folder, "\\n", said, "\\n", sep = "")'
    )
    environment = {"RETICULATE_PYTHON": sys.executable, **os.environ}
    library = Path(sys.prefix) / "r-library"
    if library.is_dir():
        environment.setdefault("R_LIBS", str(library))
    done = subprocess.run(
        [shutil.which("Rscript"), "-e", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [x for x in done.stdout.splitlines() if x] == [line, folder, sentence]
