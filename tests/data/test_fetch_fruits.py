"""`make fruits`: what it puts in place, what it refuses, and what it says.

Kaggle is played by a server on this machine, which the real kaggle package
talks to: its requests, its resuming and its exceptions are the real ones.
"""

import base64
import errno
import io
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import traceback
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import filelock
import hostile
import pytest
from PIL import Image
from sidebyside import fruits_directory
from sidebyside.common.archives import BadArchive
from sidebyside.common.errors import NoData, WrongData
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
    assert "FRUITS360_DIR is set: the notebooks read" in capsys.readouterr().out
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


@pytest.mark.parametrize("spoil", ["version", "name"])
def test_an_archive_whose_list_is_damaged(tmp_path, data, spoil, capsys):
    path = pack(tmp_path / "a.zip", members("", classes=["Kiwi", "Limón"]))
    content = bytearray(path.read_bytes())
    listed = content.index(b"PK\x01\x02")
    if spoil == "version":
        content[listed + 6] = 99  # of zip, that a reader needs
    else:
        content[content.index("ó".encode(), listed)] = 0xFF
    path.write_bytes(content)
    assert main(["--from", str(path)]) == 1
    assert "is damaged, or not a zip file" in capsys.readouterr().err
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


def test_a_class_that_may_not_be_read_is_not_left_out(
    archive, data, tmp_path, monkeypatch
):
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(tmp_path / "unpacked")
    really_list, really_scan = os.listdir, os.scandir

    def locked(really):
        def look(path):
            if Path(path).name == "Lemon":
                raise PermissionError(13, "Permission denied", str(path))
            return really(path)

        return look

    monkeypatch.setattr(os, "listdir", locked(really_list))
    monkeypatch.setattr(os, "scandir", locked(really_scan))
    refused(
        r"Training/Lemon cannot be read \(permission denied\)",
        origin=tmp_path / "unpacked",
    )


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


def read(path):
    """For the watched process: the folder that is made is beside the archive."""
    place = path.parent / f"made of {path.name}"
    fetch(place / "fruits", path, "all")
    made = sorted(x.relative_to(place).as_posix() for x in place.rglob("*.jpg"))
    shutil.rmtree(place)
    return f"made {made}"


def test_hostile_archives_are_answered_and_nothing_is_written_elsewhere(
    tmp_path, monkeypatch
):
    good = [
        hostile.Entry(name.encode(), JPEG, hostile.DEFLATED)
        for name in members("", classes=THREE[:2])
    ]
    folder = tmp_path / "hostile"
    folder.mkdir()
    found = list(hostile.files(folder, good, b"Training/Kiwi/"))
    wrongs, paths = zip(*found, strict=True)
    before = set(folder.rglob("*"))
    results = hostile.watched(__name__, paths)
    hostile.check(results, wrongs)
    answers = {wrong: said for wrong, (said, _) in zip(wrongs, results, strict=True)}
    assert answers["fine, False"].count(".jpg") == 6
    made = [said for said in answers.values() if "made" in said.split()[:1]]
    assert made
    assert not [said for said in made if ".." in said or "\\" in said]
    # What is left beside the archives: empty folders of refused runs, and locks.
    left = {x for x in set(folder.rglob("*")) - before if x.is_file()}
    assert {x.suffix for x in left} <= {".lock"}


@pytest.mark.parametrize(
    "make",
    [
        os.mkfifo,
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: path.symlink_to(path),
        lambda path: path.symlink_to("nowhere"),
        lambda path: path.mkdir(),
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
    said = refused("cannot be the name", origin=path)
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
        "has it already: 2 classes, 6 images. To get it again: "
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
    fetch(origin=archive)
    fetch(origin=archive, classes=["Kiwi", "Walnut"])
    assert (data / "fruits-360").stat().st_ino == number


def test_folders_of_others_are_left_alone(archive, data, tmp_path):
    (data / "fruits-360").mkdir()
    fetch(origin=archive)  # an empty one may be filled
    mine = tmp_path / "mine"
    (mine / "letters").mkdir(parents=True)
    for force in (False, True):
        refused(
            r"holds something else \(letters\)",
            NoData,
            to=mine,
            origin=archive,
            force=force,
        )
    shutil.copytree(
        data / "fruits-360", tmp_path / "copy", ignore=shutil.ignore_patterns("*.json")
    )
    refused(
        "images that this command did not put there",
        NoData,
        to=tmp_path / "copy",
        origin=archive,
    )
    fetch(tmp_path / "copy", archive, force=True)
    (tmp_path / "file").touch()
    refused("is a file", NoData, to=tmp_path / "file", origin=archive)


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


@pytest.mark.parametrize("moment", ["_write", "_chosen"])
def test_ctrl_c_leaves_what_was_there(archive, data, monkeypatch, capsys, moment):
    fetch(origin=archive)
    before = sorted((data / "fruits-360").rglob("*"))
    monkeypatch.setattr(fetch_fruits, moment, interrupt)
    assert main(["--from", str(archive), "--force"]) == 130
    assert "Stopped." in capsys.readouterr().err
    assert sorted((data / "fruits-360").rglob("*")) == before
    assert left_in(data) == ["fruits-360"]


def test_what_a_killed_run_left_goes(archive, data):
    (data / "fruits-360.part-abc_1234" / "Training").mkdir(parents=True)
    fetch(origin=archive)
    assert left_in(data) == ["fruits-360"]
    # Killed between the two renames: the old folder is put back.
    (data / "fruits-360" / "mine").write_text("kept")
    (data / "fruits-360").rename(data / ".fruits-360.old-0123abcd")
    fetch(origin=archive)
    assert left_in(data) == ["fruits-360"]
    assert (data / "fruits-360" / "mine").read_text() == "kept"
    # Killed after both: the old folder goes, the new one stays.
    (data / ".fruits-360.old-0123abcd").mkdir()
    fetch(origin=archive)
    assert left_in(data) == ["fruits-360"]
    assert (data / "fruits-360" / "mine").read_text() == "kept"


def test_a_neighbour_is_not_taken_for_what_a_killed_run_left(archive, data):
    (data / "fruits-360.part-one" / "letters").mkdir(parents=True)
    fetch(origin=archive)
    assert left_in(data) == ["fruits-360", "fruits-360.part-one"]


def test_what_is_left_is_found_beside_a_folder_of_any_name(archive, tmp_path):
    to = tmp_path / "[new] fruits*"
    fetch(to, archive)
    (to / "mine").write_text("kept")
    to.rename(tmp_path / f".{to.name}.old-0123abcd")
    (tmp_path / f"{to.name}.part-abc_1234").mkdir()
    fetch(to, archive)
    assert (to / "mine").read_text() == "kept"
    assert not (tmp_path / f"{to.name}.part-abc_1234").exists()


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
    [(errno.ENOSPC, "The disk became full"), (errno.EROFS, "cannot be written to")],
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
    assert expected in capsys.readouterr().err
    assert left_in(data) == []


# ---- From Kaggle


class Kaggle(ThreadingHTTPServer):
    """What of Kaggle's programming interface `make fruits` uses."""

    daemon_threads = True

    def handle_error(self, *_):
        """Not said on the screen: the client may hang up in the middle."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.archive = b""
        self.status = 200  # of the answer to the request for the data set
        self.breaks_after = None  # bytes, of each answer with the archive
        self.version = '"1"'
        self.silent = threading.Event()
        self.requests = []

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append(self.path)
        if self.server.silent.is_set():
            self.server.silent.wait()
            threading.Event().wait(3)
            return None
        if self.path.endswith("/IntrospectToken"):
            good = f'"{SECRET}"'.encode() in asked
            return self.json(
                200,
                b'{"active": true, "username": "me"}' if good else b'{"active": false}',
            )
        basic = base64.b64encode(f"me:{SECRET}".encode()).decode()
        if self.headers["Authorization"] not in (f"Bearer {SECRET}", f"Basic {basic}"):
            return self.json(401, b'{"code": 401, "message": "Unauthenticated"}')
        if self.server.status != 200:
            text = f'{{"code": {self.server.status}, "message": "no, {SECRET}"}}'
            return self.json(self.server.status, text.encode())
        self.send_response(302)
        self.send_header("Location", f"{self.server.address}/signed?key={SECRET}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def json(self, status, text):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        content, start = self.server.archive, 0
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if wanted and self.headers.get("If-Range") in (None, self.server.version):
            start = int(wanted[1])
        self.server.requests.append(f"GET from {start}")
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("Content-Type", "application/zip")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", self.server.version)
        self.send_header("Last-Modified", "Sun, 09 Mar 2025 10:00:00 GMT")
        self.end_headers()
        end = (
            len(content)
            if self.server.breaks_after is None
            else start + self.server.breaks_after
        )
        self.wfile.write(content[start:end])
        self.close_connection = True


@pytest.fixture
def kaggle(data, monkeypatch, archive):
    """The server, an account there, and no waiting between attempts."""
    from kaggle.api import kaggle_api_extended
    from kagglesdk import kaggle_env

    server = Kaggle()
    server.archive = archive.read_bytes()
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}
    )
    thread.start()
    monkeypatch.setitem(
        kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, server.address
    )
    # Decided when the package is imported, from the home of that time.
    monkeypatch.setattr(
        kaggle_api_extended.KaggleApi,
        "config",
        str(data.parent / "home/.kaggle/kaggle.json"),
    )
    monkeypatch.setattr(kaggle_api_extended.time, "sleep", lambda _: None)
    monkeypatch.setenv("KAGGLE_API_TOKEN", SECRET)
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def says(capfd, status, expected):
    """What `make fruits` says, which is a sentence and no traceback."""
    assert main([]) == status
    said = capfd.readouterr()
    assert SECRET not in said.out + said.err
    assert "Traceback" not in said.err
    # Of the kaggle package's own messages; they may hold signed addresses.
    assert "Retrying" not in said.out + said.err
    assert re.search(expected, said.err), said.err
    return said.err


def file_in_home(name, text):
    def give(monkeypatch):
        monkeypatch.delenv("KAGGLE_API_TOKEN")
        path = Path.home() / ".kaggle" / name
        path.parent.mkdir()
        path.write_text(text)
        path.chmod(0o600)

    return give


def two_variables(monkeypatch):
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    monkeypatch.setenv("KAGGLE_USERNAME", "me")
    monkeypatch.setenv("KAGGLE_KEY", SECRET)


CREDENTIALS = {
    "variable": lambda monkeypatch: None,
    "variables": two_variables,
    "access_token": file_in_home("access_token", SECRET + "\n"),
    "access_token.txt": file_in_home("access_token.txt", SECRET),
    "kaggle.json": file_in_home(
        "kaggle.json", f'{{"username": "me", "key": "{SECRET}"}}'
    ),
}


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_from_kaggle(kaggle, data, monkeypatch, capfd, kind):
    CREDENTIALS[kind](monkeypatch)
    assert main([]) == 0
    said = capfd.readouterr()
    assert SECRET not in said.out + said.err
    assert classes_of(data / "fruits-360") == ["Kiwi", "Lemon"]
    assert left_in(data) == ["fruits-360"]
    assert "100%" in said.err
    assert "https://www.kaggle.com/datasets/moltean/fruits" in said.out
    assert not any(
        SECRET in path.read_text(errors="replace") for path in data.rglob("*.json")
    )


# A process of its own: the kaggle package looks at VERBOSE when it is imported.
WITH_ITS_OWN_KAGGLE = """
import sys
from kagglesdk import kaggle_env
kaggle_env._env_to_endpoint[kaggle_env.KaggleEnv.PROD] = sys.argv[1]
from sidebyside.data.fetch_fruits import main
sys.exit(main([]))
"""


def test_a_talkative_kaggle_package_is_kept_quiet(kaggle, data, monkeypatch):
    # With this it shows every request, credentials and all.
    monkeypatch.setenv("VERBOSE", "true")
    done = subprocess.run(
        [sys.executable, "-c", WITH_ITS_OWN_KAGGLE, kaggle.address],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert classes_of(data / "fruits-360") == ["Kiwi", "Lemon"]
    assert SECRET not in done.stdout + done.stderr


def test_the_archive_is_kept_on_request(kaggle, data, capfd):
    assert main(["--keep-archive"]) == 0
    assert (data / "fruits-360-download" / "fruits.zip").read_bytes() == kaggle.archive
    assert main(["--classes", "all"]) == 0
    assert classes_of(data / "fruits-360") == sorted(THREE)
    assert sum("GET" in request for request in kaggle.requests) <= 2


def large(kaggle, data):
    """More than the kaggle package reads at once, which is 1 MB."""
    kaggle.archive = pack(
        data.parent / "large.zip", members(), padding=os.urandom(6_000_000)
    ).read_bytes()


def test_a_download_goes_on_where_it_stopped(kaggle, data, capfd):
    large(kaggle, data)
    kaggle.breaks_after = 1_500_000
    says(
        capfd,
        1,
        "the connection broke off .* What has come is kept: run `make fruits` again",
    )
    assert left_in(data) == ["fruits-360-download"]
    had = (data / "fruits-360-download" / "fruits.zip").stat().st_size
    assert 1_000_000 < had < len(kaggle.archive)
    kaggle.breaks_after = None
    kaggle.requests.clear()
    assert main([]) == 0
    assert f"GET from {had}" in kaggle.requests
    assert classes_of(data / "fruits-360") == ["Kiwi", "Lemon"]
    assert left_in(data) == ["fruits-360"]


def test_a_resumed_download_needs_room_for_the_rest_only(
    kaggle, data, monkeypatch, capfd
):
    large(kaggle, data)
    kaggle.breaks_after = 1_500_000
    assert main([]) == 1
    had = (data / "fruits-360-download" / "fruits.zip").stat().st_size
    rest = len(kaggle.archive) - had
    kaggle.breaks_after = None
    usage = shutil.disk_usage(data)
    margin = fetch_fruits.MARGIN

    def free(number):
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=number))

    free(margin + rest - 1)
    says(capfd, 1, "too full")
    # Enough for the rest (in blocks), but not for all of it.
    free(margin + rest + 2 * fetch_fruits.BLOCK)
    assert main([]) == 0


def test_pieces_of_two_versions_are_not_put_together(kaggle, data, capfd):
    large(kaggle, data)
    kaggle.breaks_after = 1_500_000
    assert main([]) == 1
    assert kaggle.requests[-1] != "GET from 0"
    kaggle.requests.clear()
    kaggle.breaks_after, kaggle.version = None, '"2"'
    assert main([]) == 0
    assert kaggle.requests[-1] == "GET from 0"


def test_no_credentials(kaggle, data, monkeypatch, capfd):
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    said = says(capfd, 1, "no credentials of one were found")
    assert "https://www.kaggle.com/settings/api" in said
    assert "~/.kaggle/access_token" in said
    assert kaggle.requests == []
    assert left_in(data) == []


def wrong_token(monkeypatch):
    monkeypatch.setenv("KAGGLE_API_TOKEN", "KGAT_wrong")


def wrong_key(monkeypatch):
    two_variables(monkeypatch)
    monkeypatch.setenv("KAGGLE_KEY", "wrong")


def unreadable_json(monkeypatch):
    file_in_home("kaggle.json", "{")(monkeypatch)


@pytest.mark.parametrize(
    ("give", "where"),
    [
        (wrong_token, "KAGGLE_API_TOKEN"),
        (wrong_key, "KAGGLE_KEY"),
        (unreadable_json, r"kaggle\.json"),
    ],
)
def test_credentials_that_are_refused(kaggle, monkeypatch, capfd, give, where):
    give(monkeypatch)
    said = says(
        capfd, 1, f"Kaggle refused the credentials in .*{where}: they are wrong"
    )
    assert "Create a new API token" in said
    assert "wrong" not in said.replace("are wrong", "")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (403, r"accept the licence"),
        (404, r"no data set moltean/fruits any more"),
        (429, r"answered with an error \(429\)"),
        (500, r"answered with an error \(500\)"),
    ],
)
def test_what_kaggle_refuses(kaggle, data, capfd, status, expected):
    kaggle.status = status
    says(capfd, 1, expected)
    assert not (data / "fruits-360").exists()


def test_no_network(kaggle, data, monkeypatch, capfd):
    from kagglesdk import kaggle_env

    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
        monkeypatch.setitem(
            kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, nobody
        )
        said = says(capfd, 1, "Kaggle cannot be reached")
    assert left_in(data) == []
    assert 'make fruits ARGS="--from archive.zip"' in said


def test_a_network_that_swallows_everything(kaggle, monkeypatch, capfd):
    kaggle.silent.set()
    monkeypatch.setattr(fetch_fruits, "TIMEOUT", 0.3)
    says(capfd, 1, "Kaggle cannot be reached")


def test_an_archive_that_came_damaged_is_not_kept(kaggle, data, capfd):
    kaggle.archive = b"PK" + bytes(5000)
    says(capfd, 1, "Kaggle's archive is damaged")
    assert left_in(data) == []


def test_an_archive_that_is_whole_is_kept_when_the_choice_was_wrong(
    kaggle, data, capfd
):
    assert main(["--classes", "Kiwi,Lemmon"]) == 1
    said = capfd.readouterr()
    assert "Did you mean Lemon?" in said.err
    assert f"The archive is kept: {data}/fruits-360-download/fruits.zip" in said.out
    kaggle.requests.clear()
    assert main(["--classes", "Kiwi,Lemon"]) == 0
    assert classes_of(data / "fruits-360") == ["Kiwi", "Lemon"]
    assert left_in(data) == ["fruits-360"]


def test_a_disk_too_full_for_the_download(kaggle, data, monkeypatch, capfd):
    usage = shutil.disk_usage(data)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=0))
    says(capfd, 1, "too full")
    assert not (data / "fruits-360-download" / "fruits.zip").exists()


def raising(problem):
    class Api:
        def authenticate(self):
            raise problem

    return Api


def exceptions():
    import requests

    secret = f"https://storage.example/fruits.zip?signature={SECRET}"
    return [
        (requests.exceptions.ProxyError(secret), "HTTPS_PROXY"),
        (requests.exceptions.ConnectionError(secret), "cannot be reached"),
        (requests.exceptions.HTTPError(secret), r"answered with an error \(unknown\)"),
        (
            OSError(errno.ENOSPC, "No space left on device", secret),
            "The disk became full during the download",
        ),
        (ImportError(secret), "`make setup` installs it"),
        (SystemExit(1), "refused the credentials"),
        (RuntimeError(secret), r"\(RuntimeError\)"),
    ]


@pytest.mark.parametrize(
    ("problem", "expected"), exceptions(), ids=lambda x: type(x).__name__
)
def test_no_exception_carries_a_secret(data, monkeypatch, problem, expected):
    monkeypatch.setenv("KAGGLE_API_TOKEN", SECRET)
    monkeypatch.setattr(fetch_fruits, "_kaggle_api", raising(problem))
    with pytest.raises(NoData, match=expected) as caught:
        fetch()
    # Neither in its text nor in what a traceback would show.
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None


def test_ctrl_c_during_the_download(data, monkeypatch, capfd):
    monkeypatch.setenv("KAGGLE_API_TOKEN", SECRET)
    monkeypatch.setattr(fetch_fruits, "_kaggle_api", raising(KeyboardInterrupt()))
    assert main([]) == 130
    assert "resume" in capfd.readouterr().err


def test_every_request_has_an_end_and_only_here():
    from requests.adapters import HTTPAdapter

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
        timeout=60,
        check=True,
    )
    assert (
        'tools/setup.py --exec python -m sidebyside.data.fetch_fruits --from "a b.zip"'
        in shown.stdout
    )


def test_the_command_ends_with_a_sentence(tmp_path):
    command = [
        sys.executable,
        "-m",
        "sidebyside.data.fetch_fruits",
        "--from",
        str(tmp_path / "none.zip"),
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert (
        done.stderr
        == f"{tmp_path / 'none.zip'} does not exist. Name an archive or a folder.\n"
    )


# ---- The real photographs


@pytest.mark.skipif(not REAL_ZIP.exists(), reason=f"there is no {REAL_ZIP}")
def test_the_real_archive(data, capsys):
    assert main(["--from", str(REAL_ZIP), "--classes", "all"]) == 0
    made = data / "fruits-360"
    assert len(classes_of(made)) == len(classes_of(made, "Test")) == 16
    assert "16 classes, 9,645 images" in capsys.readouterr().out
    assert set(classes_of(fruits_directory())) < set(CLASSES)
    line = capsys.readouterr().out
    assert "9 classes, 3,787 Training and 1,266 Test images" in line
