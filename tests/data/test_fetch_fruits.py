"""`make fruits`: what it puts in place, what it refuses, and what it says."""

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
from requests.adapters import HTTPAdapter
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
ROOT_2025 = "fruits-360_100x100/fruits-360"


def jpeg(size=(100, 100)):
    data = io.BytesIO()
    Image.effect_noise(size, 40).convert("RGB").save(data, "JPEG")
    return data.getvalue()


JPEG = jpeg()


def members(
    root="fruits-360_dataset/fruits-360", classes=THREE, test="Test", image=JPEG
):
    """Names and contents: two images a class to learn from, one to be tested on."""
    prefix = f"{root}/" if root else ""
    return {
        f"{prefix}{split}/{name}/{file}": image
        for name in classes
        for split, file in (
            ("Training", "0_100.jpg"),
            ("Training", "r_0_100.jpg"),
            (test, "7_100.jpg"),
        )
    }


def pack(path, contents, **extra):
    """A zip; a key may be a ZipInfo."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {**contents, **extra}.items():
            archive.writestr(name, data)
    return path


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    """A home and a data folder of the test's own, and no account at Kaggle."""
    for name in list(os.environ):
        if name.startswith(("KAGGLE_", "FRUITS360_")) or name in (
            "VERBOSE",
            "VERBOSE_OUTPUT",
            "XDG_CONFIG_HOME",
        ):
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


def classes_of(folder, split="Training"):
    return sorted(os.listdir(Path(folder) / split))


def left_in(folder):
    """What stands there, but for the lock's file, which may stay."""
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
    assert "2 classes, 6 images; not in it: Banana, Apricot" in said.out
    assert 'Pomegranate; 1 more with ARGS="--classes all"' in said.out
    assert "CC BY-SA 4.0" in said.out
    assert "To cite:" in said.out
    assert "6/6" in said.err
    assert fruits_directory() == str(made)
    assert "`make fruits`" in capsys.readouterr().out


def test_all_classes_or_named_ones_on_request(archive, data, tmp_path):
    assert main(["--from", str(archive), "--classes", "all"]) == 0
    assert classes_of(data / "fruits-360") == sorted(THREE)
    assert (
        main(
            [
                "--from",
                str(archive),
                "--classes",
                "Walnut, Kiwi",
                "--to",
                str(tmp_path / "two"),
            ]
        )
        == 0
    )
    assert classes_of(tmp_path / "two") == ["Kiwi", "Walnut"]


def test_an_unknown_class(archive, data, capsys):
    assert main(["--from", str(archive), "--classes", "Kiwi,Lemmon"]) == 1
    assert "Did you mean Lemon?" in capsys.readouterr().err
    assert left_in(data) == []


def test_a_folder_on_disk(archive, data, tmp_path):
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(tmp_path / "unpacked")
    assert main(["--from", str(tmp_path / "unpacked")]) == 0
    assert classes_of(data / "fruits-360") == ["Kiwi", "Lemon"]
    assert (tmp_path / "unpacked" / "fruits-360_dataset").is_dir()


def test_elsewhere(archive, data, tmp_path, capsys, monkeypatch):
    assert main(["--from", str(archive), "--to", str(tmp_path / "else where")]) == 0
    assert (
        f"export FRUITS360_DIR='{tmp_path / 'else where'}'" in capsys.readouterr().out
    )
    assert left_in(data) == []
    monkeypatch.setenv("FRUITS360_DIR", str(tmp_path / "else where"))
    fetch(origin=archive)
    assert f"read {tmp_path / 'else where'}" in capsys.readouterr().out
    assert fruits_directory() == str(tmp_path / "else where")


def test_a_data_folder_named_from_here(archive, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIDEBYSIDE_DATA", "here")
    assert fetch(origin=archive) == tmp_path / "here" / "fruits-360"
    # It is where the notebooks look.
    assert "FRUITS360_DIR" not in capsys.readouterr().out


def test_layouts_and_names_of_other_versions(data, tmp_path):
    original = members(
        "fruits-360_original-size/fruits-360-original-size",
        ["kiwi_1"],
        image=jpeg((150, 90)),
    )
    names = ["Kiwi 1", "Strawberry 1", "Strawberry 2", "Walnut 1"]
    today = members(ROOT_2025, names)
    fetch(origin=pack(tmp_path / "2025.zip", {**original, **today}))
    made = data / "fruits-360"
    assert classes_of(made) == ["Kiwi 1", "Strawberry 1"]
    assert classes_of(fruits_directory()) == ["Kiwi", "Strawberry"]
    old = members("", test="Validation")
    fetch(tmp_path / "old", pack(tmp_path / "2018.zip", old))
    assert classes_of(tmp_path / "old", "Test") == ["Kiwi", "Lemon"]
    two = {**members("one"), **members("two")}
    refused(
        "one, two. Name one", to=tmp_path / "2", origin=pack(tmp_path / "2.zip", two)
    )


def test_what_is_no_image_is_not_unpacked(tmp_path, data):
    others = [
        "Training/Kiwi/Thumbs.db",
        "Training/Kiwi/.DS_Store",
        "Training/Kiwi/._0_100.jpg",
        "LICENSE",
    ]
    junk = dict.fromkeys(others, b"x")
    mac = dict.fromkeys((f"__MACOSX/{name}" for name in members("")), b"x")
    fetch(origin=pack(tmp_path / "a.zip", {**members(""), **junk, **mac}))
    made = data / "fruits-360"
    assert {path.name for path in made.rglob("*.*")} == {
        "0_100.jpg",
        "r_0_100.jpg",
        "7_100.jpg",
        "sidebyside.json",
    }


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        (
            {"cats/1.jpg": JPEG, "dogs/1.jpg": JPEG},
            "no archive of Fruits-360.*It holds: cats, dogs",
        ),
        ({}, "It holds: nothing"),
        (
            {"Training/Kiwi/1.jpg": JPEG, "Training/Lemon/1.jpg": JPEG},
            "no archive of Fruits-360",
        ),
        (
            members(classes=["Cherry", "Grape"]),
            "has none of the 16 classes of the list.*Cherry, Grape",
        ),
    ],
)
def test_an_archive_of_something_else(tmp_path, data, contents, expected):
    refused(expected, origin=pack(tmp_path / "a.zip", contents))
    assert left_in(data) == []


def test_what_is_not_there(tmp_path, data):
    refused("does not exist", NoData, origin=tmp_path / "b.zip")
    assert left_in(data) == []


@pytest.mark.parametrize("moment", ["stat", "open"])
def test_an_archive_that_may_not_be_read(archive, data, monkeypatch, capsys, moment):
    def locked(really):
        def look(path, *arguments, **others):
            if str(path) == str(archive):
                raise PermissionError(13, "Permission denied", str(path))
            return really(path, *arguments, **others)

        return look

    # Tests may run as root, who may read everything.
    if moment == "stat":
        monkeypatch.setattr(os, "stat", locked(os.stat))
    else:
        monkeypatch.setattr(os, "open", locked(os.open))
    assert main(["--from", str(archive)]) == 1
    said = capsys.readouterr().err
    assert f"{archive} cannot be read (permission denied). As its owner: chmod" in said
    assert "written" not in said


def test_a_damaged_archive_leaves_what_was_there(archive, data, tmp_path):
    fetch(origin=archive)
    before = sorted((data / "fruits-360").rglob("*"))
    damaged = tmp_path / "damaged.zip"
    content = bytearray(archive.read_bytes())
    content[content.index(b"Training/Lemon/0_100.jpg") + 200] ^= 0xFF
    damaged.write_bytes(content)
    said = refused(
        "is damaged: .*Training/Lemon/0_100.jpg", BadArchive, origin=damaged, force=True
    )
    assert "Get the archive again" in said
    damaged.write_bytes(archive.read_bytes()[:-300])
    refused("is damaged, or not a zip file", BadArchive, origin=damaged, force=True)
    assert sorted((data / "fruits-360").rglob("*")) == before
    assert left_in(data) == ["fruits-360"]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (b"text", "is not an image"),
        (b"", "is empty"),
        (JPEG[:-60], "is damaged"),
        (jpeg((50, 40)), "50x40 pixels"),
    ],
)
def test_images_are_checked_before_they_are_in_place(tmp_path, data, image, expected):
    spoilt = {**members(), "fruits-360_dataset/fruits-360/Test/Kiwi/8_100.jpg": image}
    said = refused(expected, origin=pack(tmp_path / "a.zip", spoilt))
    assert "nothing was kept" in said
    assert left_in(data) == []


@pytest.mark.parametrize("name", hostile.NAMES)
@pytest.mark.parametrize("place", ["", "Training/", "Training/Kiwi/"])
def test_nothing_is_written_where_an_archive_would_have_it(tmp_path, data, name, place):
    good = [hostile.Entry(x.encode(), JPEG) for x in members("", classes=THREE[:2])]
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
        images = {
            x.relative_to(data / "fruits-360") for x in made if x.suffix == ".jpg"
        }
        assert {x.parts[1] for x in images} == {"Kiwi", "Lemon"}


@pytest.mark.parametrize(
    "make",
    [
        os.mkfifo,
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: path.symlink_to(path),
        lambda path: path.symlink_to("nowhere"),
        lambda path: path.write_bytes(bytes(fruits.MOST_BYTES + 1)),
        lambda path: path.with_name("\x1b[31m.jpg").write_bytes(JPEG),
    ],
)
def test_a_hostile_folder_gets_a_sentence(archive, data, tmp_path, make):
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(tmp_path / "unpacked")
    [place] = (tmp_path / "unpacked").glob("*/*/Training/Kiwi")
    make(place / "8_100.jpg")
    said = refused("unpacked", origin=tmp_path / "unpacked")
    assert said.isprintable()
    assert left_in(data) == []


@pytest.mark.parametrize("lacks", ["Test", "Training"])
def test_a_class_in_one_part_only_is_named_by_its_archive(tmp_path, data, lacks):
    path = pack(
        tmp_path / "a.zip",
        {
            name: image
            for name, image in members("").items()
            if not name.startswith(f"{lacks}/Lemon")
        },
    )
    said = refused(f"the class 'Lemon', {lacks} does not", origin=path)
    assert said.startswith(str(path))
    assert ".part-" not in said
    assert left_in(data) == []


def test_a_name_that_no_image_has_is_not_written(tmp_path, data):
    path = pack(tmp_path / "a.zip", {**members(""), "Test/Kiwi/\x1b[31m.jpg": JPEG})
    said = refused("is refused", origin=path)
    assert said.isprintable()
    assert left_in(data) == []


def test_where_nothing_can_be_written_it_is_said(archive, data, capsys):
    """/proc, where not even root can make a folder or a file."""
    for place in ("/proc/fruits", "/proc/new/fruits"):
        assert main(["--from", str(archive), "--to", place]) == 1
        said = capsys.readouterr().err
        assert "Another" not in said
        assert "/proc/" in said


# ---- What is in place is whole, or what was there before


def test_what_is_there_is_not_fetched_again(archive, data, capsys, monkeypatch):
    fetch(origin=archive)
    capsys.readouterr()
    first = (data / "fruits-360").stat().st_ino
    assert main(["--from", str(archive)]) == 0
    assert (
        "has it already: 6 images. To get it again: "
        'make fruits ARGS="--force"' in capsys.readouterr().out
    )
    assert main([]) == 0  # nor is Kaggle asked
    assert (data / "fruits-360").stat().st_ino == first
    assert main(["--from", str(archive), "--force"]) == 0
    assert (data / "fruits-360").stat().st_ino != first


def test_what_is_not_there_any_more_is_fetched_again(archive, data):
    fetch(origin=archive)
    gone = data / "fruits-360" / "Test" / "Kiwi" / "7_100.jpg"
    gone.unlink()
    fetch(origin=archive)
    assert gone.exists()
    shutil.rmtree(data / "fruits-360" / "Test")
    fetch(origin=archive)
    assert gone.exists()


def test_more_classes_are_fetched_fewer_are_there(archive, data):
    fetch(origin=archive)
    fetch(origin=archive, classes="all")
    assert classes_of(data / "fruits-360") == sorted(THREE)
    number = (data / "fruits-360").stat().st_ino
    for fewer in (None, ["Kiwi", "Walnut"], "all"):
        fetch(origin=archive, classes=fewer)
        assert (data / "fruits-360").stat().st_ino == number


def test_folders_of_others_are_left_alone(archive, data, tmp_path):
    (data / "fruits-360").mkdir()
    fetch(origin=archive)  # an empty one may be filled
    mine = tmp_path / "mine"
    (mine / "letters").mkdir(parents=True)
    (tmp_path / "file").touch()
    for force in (False, True):
        for place in (mine, tmp_path / "file"):
            refused("Move it away", NoData, to=place, origin=archive, force=force)
    assert left_in(mine) == ["letters"]


def test_a_folder_is_not_fetched_into_itself(archive, data):
    made = fetch(origin=archive)
    for origin in (made, made / "Training", data):
        refused("lie inside each other", NoData, origin=origin, force=True)
    assert classes_of(made) == ["Kiwi", "Lemon"]


def test_painted_fruits_are_not_taken_for_photographs(archive, tmp_path, data):
    fetch(tmp_path / "made", archive)
    (tmp_path / "made" / "painted.json").write_text("{}")
    refused("this project painted", origin=tmp_path / "made")
    assert left_in(data) == []


def interrupt(*_, **__):
    raise KeyboardInterrupt


@pytest.mark.parametrize("moment", ["_write", "_room_for"])
def test_ctrl_c_leaves_what_was_there(archive, data, monkeypatch, capsys, moment):
    fetch(origin=archive)
    before = sorted((data / "fruits-360").rglob("*"))
    monkeypatch.setattr(fetch_fruits, moment, interrupt)
    assert main(["--from", str(archive), "--force"]) == 130
    assert "Stopped." in capsys.readouterr().err
    assert sorted((data / "fruits-360").rglob("*")) == before
    assert left_in(data) == ["fruits-360"]


def test_what_a_killed_run_left_goes(archive, data):
    made = fetch(origin=archive)
    (made / "mine").write_text("kept")
    # Killed between the two renames: the old folder is put back.
    made.rename(data / ".fruits-360.sidebyside-old")
    (data / ".fruits-360.sidebyside-new" / "Training").mkdir(parents=True)
    fetch(origin=archive)
    assert left_in(data) == ["fruits-360"]
    assert (made / "mine").read_text() == "kept"


def test_only_one_at_a_time(archive, data):
    with filelock.FileLock(data / "fruits-360.lock"):
        refused("Another `make fruits`", NoData, origin=archive)


def test_a_disk_that_is_too_full(archive, data, monkeypatch):
    usage = shutil.disk_usage(data)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000_000))
    said = refused("too full: 50 MB are needed, 1 MB are free", NoData, origin=archive)
    assert "--to" in said
    assert left_in(data) == []


@pytest.mark.parametrize(
    ("number", "expected"),
    [(errno.ENOSPC, "No space left"), (errno.EROFS, "Read-only")],
)
def test_a_disk_that_becomes_full(archive, data, monkeypatch, capsys, number, expected):
    count = iter(range(100))
    really_write = Path.write_bytes

    def write(path, content):
        if next(count) == 3:
            raise OSError(number, os.strerror(number), str(path))
        return really_write(path, content)

    monkeypatch.setattr(Path, "write_bytes", write)
    assert main(["--from", str(archive)]) == 1
    said = capsys.readouterr().err
    assert expected in said
    assert f"{data} cannot be written to" in said
    assert left_in(data) == []


# ---- From Kaggle


class Kaggle:
    """What takes the place of the kaggle package's own requests."""

    def __init__(self, archive):
        self.archive = archive
        self.comes = None  # bytes, before the connection breaks off
        self.problem = None  # raised when the data set is asked for
        self.asked = []

    def authenticate(self, api):
        if os.environ.get("KAGGLE_API_TOKEN") != SECRET:
            raise SystemExit(1)

    def files(self, api, dataset, path, **_):
        """As `dataset_download_files()`: asks, then downloads or resumes."""
        print(f"https://storage.example/fruits.zip?signature={SECRET}")
        self.asked.append(dataset)
        if self.problem is not None:
            raise self.problem
        answer = SimpleNamespace(headers={"Content-Length": str(len(self.archive))})
        api.download_file(answer, f"{path}/fruits.zip", None, False, True)

    def download(self, api, response, outfile, client, quiet, resume, **limits):
        assert resume
        assert limits == {
            "max_retries": fetch_fruits.RETRIES,
            "timeout": fetch_fruits.TIMEOUT,
        }
        content, self.comes = self.archive[: self.comes], None
        Path(outfile).write_bytes(content)
        if len(content) < len(self.archive):
            raise requests.exceptions.ConnectionError(SECRET)


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
        monkeypatch.setattr(KaggleApi, name, as_method(play))
    return played


def as_method(play):
    return lambda api, *arguments, **named: play(api, *arguments, **named)


def says(capfd, expected):
    """What `make fruits` says, which is a sentence and holds no secret."""
    assert main([]) == 1
    said = capfd.readouterr()
    assert SECRET not in said.out + said.err
    assert "Traceback" not in said.err
    assert re.search(expected, said.err), said.err


def test_from_kaggle(kaggle, data, capfd):
    assert main([]) == 0
    said = capfd.readouterr()
    assert SECRET not in said.out + said.err
    assert "https://www.kaggle.com/datasets/moltean/fruits" in said.out
    assert kaggle.asked == ["moltean/fruits"]
    assert classes_of(data / "fruits-360") == ["Kiwi", "Lemon"]
    assert left_in(data) == ["fruits-360"]


def test_the_archive_is_kept_on_request(kaggle, data):
    assert main(["--keep-archive"]) == 0
    assert (data / "fruits-360-download" / "fruits.zip").read_bytes() == kaggle.archive
    assert main(["--classes", "all"]) == 0
    assert left_in(data) == ["fruits-360"]


def test_what_came_is_kept_for_the_next_run(kaggle, data, capfd):
    kaggle.comes = 500
    says(capfd, "the connection broke off .*resumes")
    assert (data / "fruits-360-download" / "fruits.zip").stat().st_size == 500
    assert main([]) == 0
    assert left_in(data) == ["fruits-360"]


def test_a_download_needs_room_for_the_rest_only(kaggle, data, monkeypatch, capfd):
    usage = shutil.disk_usage(data)
    rest = len(kaggle.archive)
    blocks = -(-rest // fetch_fruits.BLOCK) * fetch_fruits.BLOCK

    def free(number):
        number += fetch_fruits.MARGIN
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=number))

    free(blocks - 1)
    says(capfd, "too full")
    assert left_in(data) == []
    # All but 10 bytes are there: one block more is enough.
    (data / "fruits-360-download").mkdir()
    (data / "fruits-360-download" / "fruits.zip").write_bytes(kaggle.archive[:-10])
    free(fetch_fruits.BLOCK - 1)
    says(capfd, "too full: 50 MB")
    free(fetch_fruits.BLOCK)
    assert fetch_fruits._download(data / "fruits-360-download") is None


def test_an_archive_that_came_damaged_is_not_kept(kaggle, data, capfd):
    kaggle.archive = b"PK" + bytes(5000)
    says(capfd, "Kaggle's archive is damaged")
    assert left_in(data) == []


def test_a_whole_archive_is_kept_when_the_choice_was_wrong(kaggle, data, capfd):
    assert main(["--classes", "Kiwi,Lemmon"]) == 1
    said = capfd.readouterr()
    assert "Did you mean Lemon?" in said.err
    assert f"{data}/fruits-360-download/fruits.zip" in said.out
    assert main(["--classes", "Kiwi,Lemon"]) == 0
    assert left_in(data) == ["fruits-360"]


def test_without_valid_credentials(kaggle, data, monkeypatch, capfd):
    monkeypatch.setenv("KAGGLE_API_TOKEN", "KGAT_wrong")
    says(capfd, "kaggle.com/settings/api.*~/.kaggle/access_token")
    assert left_in(data) == []


def refusal(status):
    answer = requests.Response()
    answer.status_code = status
    return requests.exceptions.HTTPError(SECRET, response=answer)


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        (refusal(401), "settings/api"),
        (refusal(403), "accept the licence"),
        (refusal(404), r"answered with an error \(404\)"),
        (requests.exceptions.HTTPError(SECRET), r"\(unknown\)"),
        (requests.exceptions.ProxyError(SECRET), "HTTPS_PROXY"),
        (OSError(errno.ENOSPC, "No space left on device", SECRET), "No space.*room"),
        (RuntimeError(SECRET), r"\(RuntimeError\)"),
    ],
)
def test_no_exception_carries_a_secret(kaggle, data, problem, expected):
    kaggle.problem = problem
    with pytest.raises(NoData, match=expected) as caught:
        fetch()
    # Neither in its text nor in what a traceback would show.
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None
    assert left_in(data) == []


def test_ctrl_c_during_the_download(kaggle, capfd):
    kaggle.problem = KeyboardInterrupt()
    assert main([]) == 130
    assert "resume" in capfd.readouterr().err


# A process of its own: the kaggle package looks at the account and at VERBOSE
# when it is imported.
ALONE = """
import sys
from kagglesdk import kaggle_env
kaggle_env._env_to_endpoint[kaggle_env.KaggleEnv.PROD] = sys.argv[1]
from sidebyside.data import fetch_fruits
fetch_fruits.TIMEOUT = 0.3
sys.exit(fetch_fruits.main([]))
"""


@pytest.mark.parametrize("credentials", [True, False])
def test_the_real_kaggle_package_in_a_network_that_swallows_everything(
    data, monkeypatch, credentials
):
    if credentials:
        monkeypatch.setenv("KAGGLE_API_TOKEN", SECRET)
    monkeypatch.setenv("VERBOSE", "true")  # shows every request, with the account
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                ALONE,
                f"http://127.0.0.1:{silent.getsockname()[1]}",
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    expected = "Kaggle cannot be reached" if credentials else "settings/api"
    assert expected in done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert "DEBUG" not in done.stderr  # which would show signed addresses, too
    assert "Traceback" not in done.stderr
    assert left_in(data) == []


def test_requests_have_a_limit_only_here():
    before = HTTPAdapter.send
    with fetch_fruits._impatient():
        assert HTTPAdapter.send is not before
    assert HTTPAdapter.send is before


# ---- As a command


def test_make_fruits_calls_it():
    shown = subprocess.run(
        ["make", "--dry-run", "fruits", 'ARGS=--from "a b.zip"'],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert '-m sidebyside.data.fetch_fruits --from "a b.zip"' in shown.stdout


# ---- The real photographs


@pytest.mark.skipif(not REAL_ZIP.exists(), reason=f"there is no {REAL_ZIP}")
def test_the_real_archive(data, capsys):
    assert main(["--from", str(REAL_ZIP)]) == 0
    assert "9 classes, 5,053 images" in capsys.readouterr().out
    assert set(classes_of(fruits_directory())) < set(CLASSES)
    line = capsys.readouterr().out
    assert "9 classes, 3,787 Training and 1,266 Test images" in line
