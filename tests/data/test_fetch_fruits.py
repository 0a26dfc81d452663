"""`make fruits`: the folder that it writes, what it refuses, and its messages."""

import errno
import io
import os
import re
import shutil
import socket
import subprocess
import sys
import traceback
import zipfile
from pathlib import Path
from types import SimpleNamespace

import filelock
import hostile
import pytest
import requests
from PIL import Image
from sidebyside import fruits_directory
from sidebyside.common.archives import BadArchive
from sidebyside.common.errors import NoData, Sentence, WrongData
from sidebyside.data import fetch_fruits, fruits
from sidebyside.data.fetch_fruits import fetch, main
from sidebyside.data.fruits import CLASSES

ROOT = Path(__file__).resolve().parents[2]
REAL_ZIP = ROOT.parent / "shared" / "data" / "fruits-360-16-classes.zip"
THREE = ("Kiwi", "Lemon", "Walnut")
SECRET = "KGAT_0123456789secret"


def jpeg(size=(100, 100)):
    data = io.BytesIO()
    Image.effect_noise(size, 40).convert("RGB").save(data, "JPEG")
    return data.getvalue()


JPEG = jpeg()


def members(root="fruits-360_dataset/fruits-360/", classes=THREE, test="Test"):
    """Return names and contents: for each class two training images and one test."""
    files = (
        *("Training/{}/0_100.jpg", "Training/{}/r_0_100.jpg"),
        f"{test}/{{}}/7_100.jpg",
    )
    return {root + file.format(name): JPEG for name in classes for file in files}


def pack(path, contents):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    return path


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    """A new home and data folder, and no account at Kaggle."""
    for name in list(os.environ):
        if name.startswith(("KAGGLE_", "FRUITS360_", "XDG_CONFIG", "VERBOSE")):
            monkeypatch.delenv(name)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("SIDEBYSIDE_DATA", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def archive(tmp_path):
    return pack(tmp_path / "fruits.zip", members())


@pytest.fixture
def unpacked(archive, tmp_path):
    """A folder with the contents of the archive."""
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(tmp_path / "unpacked")
    return tmp_path / "unpacked"


def classes_of(folder, split="Training"):
    return sorted(os.listdir(Path(folder) / split))


def left_in(folder):
    """List a folder without the lock's file, which may stay."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def refused(match, error=WrongData, **settings):
    with pytest.raises(error, match=match) as caught:
        fetch(**settings)
    return str(caught.value)


# ---- From an archive or a folder on disk


def test_an_archive_on_disk(archive, data, capsys):
    before = archive.read_bytes()
    assert main(["--from", str(archive)]) == 0
    made = data / "fruits-360"
    assert classes_of(made) == classes_of(made, "Test") == ["Kiwi", "Lemon"]
    assert (made / "Training" / "Kiwi" / "r_0_100.jpg").read_bytes() == JPEG
    assert left_in(data) == ["fruits-360"]
    assert archive.read_bytes() == before
    said = capsys.readouterr()
    assert "2 classes, 6 images; missing: Banana, Apricot" in said.out
    assert "Pomegranate; to get 1 more: make fruits ARGS=" in said.out
    assert "CC BY-SA 4.0" in said.out
    assert "To cite:" in said.out
    assert "6/6" in said.err
    assert fruits_directory() == str(made)
    assert "`make fruits`" in capsys.readouterr().out


def test_all_classes_or_named_ones_on_request(archive, data, monkeypatch):
    monkeypatch.setenv("FRUITS360_CLASSES", "Kiwi,Plum")  # for the notebook only
    assert main(["--from", str(archive), "--classes", "all"]) == 0
    assert classes_of(data / "fruits-360") == sorted(THREE)
    asked = ["--classes", "Walnut, Kiwi", "--force"]
    assert main(["--from", str(archive), *asked]) == 0
    assert classes_of(data / "fruits-360") == ["Kiwi", "Walnut"]
    assert main(["--from", str(archive), "--force"]) == 0
    assert classes_of(data / "fruits-360") == ["Kiwi", "Lemon"]


def test_a_folder_on_disk(unpacked, data):
    assert main(["--from", str(unpacked)]) == 0
    assert classes_of(data / "fruits-360") == ["Kiwi", "Lemon"]
    assert (unpacked / "fruits-360_dataset").is_dir()


def test_another_folder_can_be_chosen(archive, data, tmp_path, capsys, monkeypatch):
    place = str(tmp_path / "else where")
    assert main(["--from", str(archive), "--to", place]) == 0
    assert f"export FRUITS360_DIR='{place}'" in capsys.readouterr().out
    assert left_in(data) == []
    monkeypatch.setenv("FRUITS360_DIR", place)
    fetch(origin=archive)
    assert f"The notebooks read {place}" in capsys.readouterr().out
    assert fruits_directory() == place


def test_a_data_folder_may_be_a_relative_path(archive, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIDEBYSIDE_DATA", "here")
    assert fetch(origin=archive) == tmp_path / "here" / "fruits-360"
    # This is the folder in which the notebooks look.
    assert "FRUITS360_DIR" not in capsys.readouterr().out


def test_layouts_and_names_of_other_versions(data, tmp_path):
    original = members("fruits-360_original-size/fruits-360-original-size/", ["kiwi"])
    names = ["Kiwi 1", "Strawberry 1", "Strawberry 2", "Walnut 1"]
    today = members("fruits-360_100x100/fruits-360/", names)
    fetch(origin=pack(tmp_path / "2025.zip", {**original, **today}))
    assert classes_of(data / "fruits-360") == ["Kiwi 1", "Strawberry 1"]
    assert classes_of(fruits_directory()) == ["Kiwi", "Strawberry"]
    old = pack(tmp_path / "2018.zip", members("", test="Validation"))
    fetch(tmp_path / "old", old)
    assert classes_of(tmp_path / "old", "Test") == ["Kiwi", "Lemon"]
    two = pack(tmp_path / "2.zip", {**members("one/"), **members("two/")})
    refused("one, two. Name one", to=tmp_path / "2", origin=two)


def test_only_images_are_unpacked(tmp_path, data):
    junk = dict.fromkeys(
        [
            *("Training/Kiwi/Thumbs.db", "Training/Kiwi/._0_100.jpg", "LICENSE"),
            *("Validation/Kiwi/1.jpg", "Training/.x/1.jpg", "Test/.x/1.jpg"),
            *("__MACOSX/Training/Kiwi/._0.jpg", "__MACOSX/Test/Kiwi/._0.jpg"),
            # Not names of images; they contain commands for a terminal.
            *("Test/Kiwi/\x1b[31m.jpg", "Test/Kiwi\x1b/1.jpg"),
        ],
        b"x",
    )
    path = pack(tmp_path / "a.zip", {**members(""), **junk})
    made = fetch(origin=path, classes="all")
    files = {x.relative_to(made).as_posix() for x in made.rglob("*") if x.is_file()}
    assert files == {*members(""), "sidebyside.json"}


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        ({"cats/1.jpg": JPEG, "dogs/1.jpg": JPEG}, "Fruits-360.* found: cats, dogs"),
        ({}, "found: nothing"),
        ({f"Training/{x}/1.jpg": JPEG for x in THREE}, "is not Fruits-360"),
        ({f"{x}/Kiwi/1.jpg": JPEG for x in ("Test", "Validation")}, "not Fruits-360"),
        (members(classes=["Cherry", "Grape"]), "has 0 of the classes.*Cherry, Grape"),
        # A class in only one of the parts.
        (
            {x: JPEG for x in members("") if x[:7] != "Test/Le"},
            "'Lemon' .* not in Test",
        ),
        ({x: JPEG for x in members("") if "ing/Le" not in x}, "'Lemon' .* in Training"),
    ],
)
def test_an_archive_of_something_else(tmp_path, data, contents, expected):
    path = pack(tmp_path / "a.zip", contents)
    assert str(path) in refused(expected, origin=path)
    assert left_in(data) == []


def test_a_damaged_archive_changes_nothing(archive, data, tmp_path):
    fetch(origin=archive)
    before = sorted((data / "fruits-360").rglob("*"))
    content = archive.read_bytes()
    damaged = tmp_path / "damaged.zip"
    at = content.index(b"Training/Lemon/0_100.jpg") + 200
    for spoilt, why in (
        (content[:at] + b"bytes" + content[at + 5 :], ": .*Training/Lemon/0_100.jpg"),
        (content[:-300], ", or not a zip file"),
    ):
        damaged.write_bytes(spoilt)
        refused(f"is damaged{why}", BadArchive, origin=damaged, force=True)
        assert sorted((data / "fruits-360").rglob("*")) == before
        assert left_in(data) == ["fruits-360"]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (b"text", "is not an image"),
        (JPEG[:-60], "is damaged"),
        (jpeg((50, 40)), "50x40 pixels"),
        (JPEG + bytes(fruits.MOST_BYTES), "would unpack to"),
    ],
)
def test_images_are_checked_before_they_are_in_place(tmp_path, data, image, expected):
    spoilt = {**members(), "fruits-360_dataset/fruits-360/Test/Kiwi/8_100.jpg": image}
    refused(expected, Sentence, origin=pack(tmp_path / "a.zip", spoilt))
    assert left_in(data) == []


@pytest.mark.parametrize("name", hostile.NAMES)
@pytest.mark.parametrize("place", ["", "Training/", "Training/Kiwi/"])
def test_an_archive_does_not_choose_where_its_files_are_written(
    tmp_path, data, name, place
):
    good = [hostile.Entry(x.encode(), JPEG) for x in members("", THREE[:2])]
    bad = hostile.Entry(place.encode() + hostile.NAMES[name], JPEG)
    path = tmp_path / "a.zip"
    path.write_bytes(hostile.zipped([*good, bad]))
    before = set(tmp_path.rglob("*"))
    try:
        fetch(origin=path)
    except Sentence as problem:
        assert str(problem).isprintable()
        assert left_in(data) == []
    else:
        made = {x for x in set(tmp_path.rglob("*")) - before if x.is_file()}
        outside = {x for x in made if not x.is_relative_to(data / "fruits-360")}
        assert outside == {data / "fruits-360.lock"}
        images = {x for x in made if x.suffix == ".jpg"}
        assert {x.parent.name for x in images} == {"Kiwi", "Lemon"}


@pytest.mark.parametrize(
    "make",
    [
        os.mkfifo,
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: path.symlink_to(path),
        lambda path: path.symlink_to("nowhere"),  # No such file
        lambda path: path.write_bytes(bytes(fruits.MOST_BYTES + 1)),
    ],
)
def test_a_hostile_folder_raises_a_clear_error(unpacked, data, make):
    [place] = unpacked.glob("*/*/Training/Kiwi")
    make(place / "8_100.jpg")
    assert refused("8_100.jpg", origin=unpacked).isprintable()
    assert left_in(data) == []


def test_a_folder_with_links_in_a_circle(unpacked, data):
    for number in range(5):
        (unpacked / f"again {number}").symlink_to(".")
    fetch(origin=unpacked)
    assert classes_of(data / "fruits-360") == ["Kiwi", "Lemon"]


def test_a_folder_without_write_permission_is_reported(archive, data, capsys):
    """In /proc not even root can make a folder or a file."""
    for place in ("/proc/fruits", "/proc/new/fruits"):
        assert main(["--from", str(archive), "--to", place]) == 1
        said = capsys.readouterr().err
        assert "Another" not in said
        assert "/proc/" in said


# ---- The folder is complete, or as it was before


def test_existing_photographs_are_not_fetched_again(archive, data, capsys):
    fetch(origin=archive)
    (data / "fruits-360" / "mine").touch()
    capsys.readouterr()
    assert main([]) == 0  # without a request to Kaggle
    assert (
        "is there already. To get it again, or to get other classes: "
        'make fruits ARGS="--force"' in capsys.readouterr().out
    )
    assert (data / "fruits-360" / "mine").exists()
    assert main(["--from", str(archive), "--force"]) == 0
    assert not (data / "fruits-360" / "mine").exists()


def test_folders_from_elsewhere_are_not_changed(archive, data, tmp_path):
    (data / "fruits-360").mkdir()
    fetch(origin=archive)  # an empty folder may be filled
    mine = tmp_path / "mine"
    (mine / "letters").mkdir(parents=True)
    (tmp_path / "file").touch()
    for force in (False, True):
        refused("Move them away", NoData, to=mine, origin=archive, force=force)
        refused("Not a dir", to=tmp_path / "file", origin=archive, force=force)
    assert left_in(mine) == ["letters"]
    assert (tmp_path / "file").exists()


def test_the_source_may_not_be_inside_the_target(archive, data):
    made = fetch(origin=archive)
    inside = archive.rename(made / "fruits.zip")
    for origin in (made, inside):
        refused("which is replaced as a whole", NoData, origin=origin, force=True)
    assert inside.exists()


def test_painted_fruits_are_refused_as_photographs(unpacked, data):
    for root in unpacked.glob("*/*"):
        (root / "painted.json").write_text("{}")
    refused("this project painted", origin=unpacked)
    assert left_in(data) == []


@pytest.mark.parametrize("moment", ["_write", "_download"])
def test_ctrl_c_keeps_the_old_photographs(archive, data, monkeypatch, capsys, moment):
    def interrupt(*_):
        raise KeyboardInterrupt

    fetch(origin=archive)
    before = sorted((data / "fruits-360").rglob("*"))
    monkeypatch.setattr(fetch_fruits, moment, interrupt)
    origin = ["--from", str(archive)] if moment == "_write" else []
    assert main([*origin, "--force"]) == 130
    assert "again to resume a download" in capsys.readouterr().err
    assert sorted((data / "fruits-360").rglob("*")) == before
    assert left_in(data) == ["fruits-360"]


def test_leftovers_of_a_killed_run_are_removed(archive, data):
    made = fetch(origin=archive)
    (made / "mine").write_text("kept")
    # Killed between the two renames: the old folder is put back.
    made.rename(data / ".fruits-360.sidebyside-old")
    (data / ".fruits-360.sidebyside-new" / "Training").mkdir(parents=True)
    fetch(origin=archive)
    assert left_in(data) == ["fruits-360"]
    assert (made / "mine").read_text() == "kept"


def test_two_commands_do_not_write_at_once(archive, data):
    with filelock.FileLock(data / "fruits-360.lock"):
        refused("Another `make fruits`", NoData, origin=archive)


def test_a_disk_that_is_too_full(archive, data, monkeypatch):
    usage = shutil.disk_usage(data)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000_000))
    said = refused("1 MB free, but 50 MB are needed", NoData, origin=archive)
    assert "--to" in said
    assert left_in(data) == []


def test_a_disk_that_becomes_full(archive, data, monkeypatch):
    count = iter(range(100))
    really_write = Path.write_bytes

    def write(path, content):
        if next(count) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return really_write(path, content)

    monkeypatch.setattr(Path, "write_bytes", write)
    refused(r"written \(No space left on device\)", origin=archive)
    assert left_in(data) == []


# ---- From Kaggle


class Kaggle:
    """Replaces the kaggle package's own requests."""

    def __init__(self, archive):
        self.archive = archive
        self.comes = None  # bytes that arrive before the connection breaks
        self.problem = None  # raised when the data set is requested
        self.asked = []

    def authenticate(self, api):
        print(SECRET)

    def files(self, api, dataset, path, **_):
        """Do what `dataset_download_files()` does: request, download or resume."""
        print(f"https://storage.example/fruits.zip?signature={SECRET}")
        self.asked.append(dataset)
        if self.problem is not None:
            raise self.problem
        answer = SimpleNamespace(headers={"Content-Length": str(len(self.archive))})
        api.download_file(answer, f"{path}/fruits.zip", None, False, True)

    def download(self, api, response, outfile, client, quiet, resume, timeout):
        assert resume
        assert timeout == fetch_fruits.TIMEOUT
        content, self.comes = self.archive[: self.comes], None
        Path(outfile).write_bytes(content)
        if len(content) < len(self.archive):
            raise requests.ConnectionError(SECRET)


@pytest.fixture
def kaggle(monkeypatch, archive):
    monkeypatch.setenv("KAGGLE_API_TOKEN", SECRET)
    from kaggle.api.kaggle_api_extended import KaggleApi

    played = Kaggle(archive.read_bytes())
    for name, play in (
        ("authenticate", played.authenticate),
        ("dataset_download_files", played.files),
        ("download_file", played.download),
    ):
        # It must be a function, to become a method of the class.
        monkeypatch.setattr(KaggleApi, name, lambda *x, play=play, **y: play(*x, **y))
    return played


def test_from_kaggle(kaggle, data, capfd):
    assert main([]) == 0
    said = capfd.readouterr()
    assert SECRET not in said.out + said.err
    assert "https://www.kaggle.com/datasets/moltean/fruits" in said.out
    assert kaggle.asked == ["moltean/fruits"]
    assert classes_of(data / "fruits-360") == ["Kiwi", "Lemon"]
    assert left_in(data) == ["fruits-360"]


def test_an_incomplete_download_is_kept_for_the_next_run(kaggle, data, capfd):
    kaggle.comes = 500
    kept = data / "fruits-360-download" / "fruits.zip"
    assert main([]) == 1
    said = capfd.readouterr()
    assert re.search(r"\(ConnectionError\).*resume", said.err)
    assert f"is kept in {kept}" in said.out
    assert kept.stat().st_size == 500
    assert main([]) == 0
    assert left_in(data) == ["fruits-360"]


def test_a_resumed_download_needs_room_only_for_the_rest(kaggle, data, monkeypatch):
    usage = shutil.disk_usage(data)
    folder = data / "fruits-360-download"

    def free(number):
        number += fetch_fruits.MARGIN
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=number))

    free(len(kaggle.archive) - 1)
    refused("MB are needed", NoData)
    assert left_in(data) == []
    # All but 10 bytes are there.
    folder.mkdir()
    (folder / "fruits.zip").write_bytes(kaggle.archive[:-10])
    free(9)
    refused("50 MB are needed", NoData)
    free(10)
    assert fetch_fruits._download(folder) is None


def test_a_damaged_download_is_not_kept(kaggle, data):
    kaggle.archive = b"PK" + bytes(5000)
    refused("fruits.zip is damaged", BadArchive)
    assert left_in(data) == []


REFUSAL = requests.Response()
REFUSAL.status_code = 403


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        (requests.HTTPError(SECRET, response=REFUSAL), r"\(403\).*in a browser"),
        (requests.HTTPError(SECRET), r"\(HTTPError\)"),
        (OSError(errno.ENOSPC, "No space left on device", SECRET), r"\(No space left"),
        (SystemExit(SECRET), r"\(no valid cred.*settings/api.*~/.kaggle/access_token"),
    ],
)
def test_no_exception_shows_a_secret(kaggle, data, problem, expected):
    kaggle.problem = problem
    with pytest.raises(NoData, match=expected) as caught:
        fetch()
    # Neither in its text nor in its traceback.
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None
    assert left_in(data) == []


# Run in a new process, because the kaggle package reads the account and VERBOSE when
# it is imported.
ALONE = """
import sys
from kagglesdk import kaggle_env
kaggle_env._env_to_endpoint[kaggle_env.KaggleEnv.PROD] = sys.argv[1]
from sidebyside.data import fetch_fruits
fetch_fruits.TIMEOUT = 0.3
sys.exit(fetch_fruits.main([]))
"""


@pytest.mark.parametrize("credentials", [True, False])
def test_the_real_kaggle_package_in_a_network_that_never_answers(
    data, monkeypatch, credentials
):
    if credentials:
        monkeypatch.setenv("KAGGLE_API_TOKEN", SECRET)
    monkeypatch.setenv("VERBOSE", "true")  # shows every request, with the account
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        done = subprocess.run(
            [sys.executable, "-c", ALONE, address],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    expected = "(ReadTimeout)" if credentials else "(no valid credentials)"
    assert expected in done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert "DEBUG" not in done.stderr  # which would show signed addresses, too
    assert "Traceback" not in done.stderr
    assert left_in(data) == []


def test_make_fruits_calls_it():
    calls = "-m sidebyside.data.fetch_fruits $(ARGS)"
    assert calls in (ROOT / "Makefile").read_text()


# ---- The real photographs


@pytest.mark.skipif(not REAL_ZIP.exists(), reason=f"there is no {REAL_ZIP}")
def test_the_real_archive(data, capsys):
    assert main(["--from", str(REAL_ZIP)]) == 0
    assert "9 classes, 5,053 images" in capsys.readouterr().out
    assert set(classes_of(fruits_directory())) < set(CLASSES)
    line = capsys.readouterr().out
    assert "9 classes, 3,787 Training and 1,266 Test images" in line
