"""Files that are never half written, untrusted files, and where data is kept."""

import errno
import fcntl
import json
import os
import resource
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pooch
import pytest
from sidebyside.common import files
from sidebyside.common.errors import printable
from sidebyside.common.files import (
    DiskFull,
    NotAFile,
    TooLarge,
    open_regular,
    read_at_most,
    restore_folder,
    write_whole,
    written_folder,
    written_whole,
)

# --- files that are never half written


@pytest.mark.parametrize(
    ("content", "expected"),
    [("é\r\n\n", "é\r\n\n".encode()), (b"\xff\0", b"\xff\0"), ("", b"")],
)
def test_the_written_file_has_the_given_content(tmp_path, content, expected):
    path = tmp_path / "x"
    path.write_text("a longer text that was there before")
    write_whole(path, content)
    assert path.read_bytes() == expected
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def steps(monkeypatch):
    """Record the calls of the operating system in order, and make them."""
    done = []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(handle):
        # The file behind the handle, and its size.
        what = Path(os.readlink(f"/proc/self/fd/{handle}"))
        size = what.stat().st_size if what.is_file() else None
        done.append(("fsync", what, size))
        fsync(handle)

    def noted_replace(old, new):
        done.append(("replace", Path(old), Path(new)))
        replace(old, new)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    return done


def test_bytes_are_on_the_disk_before_the_name_and_the_name_at_the_end(tmp_path, steps):
    path = tmp_path / "x"
    write_whole(path, "12345")
    (_, draft, size), renamed, folder = steps
    assert size == 5
    assert draft != path
    assert draft.parent == tmp_path
    assert renamed == ("replace", draft, path)
    assert folder == ("fsync", tmp_path, None)


def test_the_draft_of_a_killed_process_is_reused(tmp_path):
    kill = (
        "import os, sys; from pathlib import Path;"
        "from sidebyside.common.files import written_whole\n"
        "with written_whole(Path(sys.argv[1])) as file:\n"
        "    file.write(b'much more than the next one'); file.flush()\n"
        "    os.kill(os.getpid(), 9)"
    )
    path = tmp_path / "x"
    subprocess.run([sys.executable, "-c", kill, str(path)], check=False)
    assert [x.name for x in tmp_path.iterdir()] == ["x.part"]
    write_whole(path, "new")
    assert [x.read_text() for x in tmp_path.iterdir()] == ["new"]


@pytest.mark.parametrize("first_fails", [False, True])
def test_a_second_writer_waits_for_the_first(tmp_path, monkeypatch, first_fails):
    path = tmp_path / "x"
    waits, really_lock = threading.Event(), fcntl.flock

    def lock(file, how):
        waits.set()
        really_lock(file, how)

    second = threading.Thread(target=write_whole, args=(path, "second"))
    with suppress(ZeroDivisionError), written_whole(path) as file:
        file.write(b"the first one, which is longer")
        monkeypatch.setattr(fcntl, "flock", lock)
        second.start()
        assert waits.wait(10)
        assert not path.exists()
        if first_fails:
            1 / 0  # noqa: B018
    second.join(10)
    assert [x.read_text() for x in tmp_path.iterdir()] == ["second"]


@pytest.mark.parametrize(
    ("failure", "raised"),
    [
        (ValueError(), ValueError),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (OSError(errno.EIO, "broken"), "not DiskFull"),
        (OSError(errno.ENOSPC, "no room"), DiskFull),
        (OSError(errno.EDQUOT, "no room"), DiskFull),
        (OSError(errno.EFBIG, "no room"), DiskFull),
    ],
)
@pytest.mark.parametrize("moment", ["block", "fsync", "replace"])
@pytest.mark.parametrize("before", ["old", None])
def test_a_failure_keeps_the_old_file_and_leaves_no_draft(
    tmp_path, monkeypatch, failure, raised, moment, before
):
    def fails(*_):
        raise failure

    if before:
        (tmp_path / "x").write_text(before)
    if moment != "block":
        monkeypatch.setattr(os, moment, fails)
    with pytest.raises(BaseException) as caught, written_whole(tmp_path / "x") as file:
        file.write(b"half")
        if moment == "block":
            raise failure
    assert type(caught.value) is (OSError if raised == "not DiskFull" else raised)
    assert [x.read_text() for x in tmp_path.iterdir()] == ([before] if before else [])


def test_a_full_disk_is_reported(tmp_path):
    """A limit of 100 bytes for files plays the part of a full disk."""
    path = tmp_path / "x"
    path.write_text("old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(DiskFull, match="disk is full"):
            write_whole(path, "x" * 200)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [x.read_text() for x in tmp_path.iterdir()] == ["old"]


# --- folders that are replaced as a whole


@pytest.fixture
def place(tmp_path):
    """An existing folder with one file."""
    (tmp_path / "place").mkdir()
    (tmp_path / "place" / "old").touch()
    return tmp_path / "place"


def beside(place):
    return sorted(x.name for x in place.parent.iterdir())


@pytest.mark.parametrize("before", ["folder", "link", "dead link", "nothing"])
def test_a_folder_is_replaced_as_a_whole(place, before):
    if before != "folder":
        elsewhere = place.rename(place.with_name("elsewhere"))
        if before != "nothing":
            place.symlink_to("elsewhere" if before == "link" else "nowhere")
    # Leftovers of a killed writer do not matter.
    (place.parent / ".place.sidebyside-new" / "half").mkdir(parents=True)
    with written_folder(place) as new:
        (new / "new").touch()
        assert not (place / "new").exists()
    assert os.listdir(place) == ["new"]
    assert not place.is_symlink()
    if before == "folder":
        assert beside(place) == ["place"]
    else:  # the target of a link stays
        assert os.listdir(elsewhere) == ["old"]
        assert beside(place) == ["elsewhere", "place"]


@pytest.mark.parametrize("moment", ["in the block", "at the second rename"])
def test_after_a_failure_the_old_folder_is_kept(place, monkeypatch, moment):
    really, calls = os.rename, []

    def rename(old, new):
        calls.append(new)
        if len(calls) == 2:
            raise KeyboardInterrupt
        really(old, new)

    with pytest.raises(KeyboardInterrupt), written_folder(place) as new:
        (new / "new").touch()
        if moment == "in the block":
            raise KeyboardInterrupt
        monkeypatch.setattr(os, "rename", rename)
    assert os.listdir(place) == ["old"]
    assert beside(place) == ["place"]


@pytest.mark.parametrize("old", ["folder", "link", "dead link"])
@pytest.mark.parametrize("there", ["nothing", "folder", "dead link"])
def test_restoring_keeps_a_new_folder_and_brings_back_the_old_one_otherwise(
    tmp_path, old, there
):
    (tmp_path / "elsewhere").mkdir()
    for name, kind in ((".place.sidebyside-old", old), ("place", there)):
        if kind == "folder":
            (tmp_path / name).mkdir()
        elif kind != "nothing":
            target = "elsewhere" if kind == "link" else "nowhere"
            (tmp_path / name).symlink_to(target)
    restore_folder(tmp_path / "place")
    assert beside(tmp_path / "place") == ["elsewhere", "place"]
    dead_link = (old if there == "nothing" else there) == "dead link"
    assert (tmp_path / "place").exists() != dead_link


# --- untrusted files


@pytest.fixture
def special(tmp_path):
    """Paths that are not files, by their kind."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "device").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "socket"))
    return tmp_path


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "socket"])
def test_anything_but_a_file_is_refused_at_once(special, kind):
    with pytest.raises(NotAFile, match="expected a file"):
        read_at_most(special / kind, 9)


def test_a_file_that_becomes_a_pipe_is_refused_too(special, monkeypatch):
    regular = os.stat(__file__)
    before = os.listdir("/proc/self/fd")
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", lambda path: regular)
        with pytest.raises(NotAFile, match="expected a file"):
            open_regular(special / "pipe")
    assert os.listdir("/proc/self/fd") == before


def test_a_file_is_read_up_to_its_limit(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"12345")
    assert read_at_most(path, 5) == b"12345"
    with pytest.raises(TooLarge):
        read_at_most(path, 4)
    with pytest.raises(FileNotFoundError):
        read_at_most(tmp_path / "y", 4)


# --- untrusted text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zoë's Äpfel 1.jpg", "Zoë's Äpfel 1.jpg"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("a\r\nb\tc", "a\\r\\nb\\tc"),
        ("\u202egpj.exe\u2028", "\\u202egpj.exe\\u2028"),
        ("\x9b31m", "\\x9b31m"),
        (b"\xff.jpg".decode("utf-8", "surrogateescape"), "\\udcff.jpg"),
        (Path("a/b"), "a/b"),
    ],
)
def test_untrusted_text_is_made_safe_to_print(text, shown):
    assert printable(text) == shown
    printable(text).encode()


def test_long_text_keeps_its_ends():
    assert printable("x" * 10, most=10) == "x" * 10
    shown = printable("begin" + "x" * 10_000 + "end", most=50)
    assert len(shown) <= 50
    assert shown.startswith("begin")
    assert shown.endswith("end")


# --- where downloads are kept


def install_from(monkeypatch, url):
    """Set the address from which pip installed the package, or none."""
    noted = url and json.dumps({"dir_info": {}, "url": url})
    package = SimpleNamespace(read_text={"direct_url.json": noted}.get)
    monkeypatch.setattr(files.importlib.metadata, "distribution", lambda _: package)


def test_SIDEBYSIDE_DATA_wins_and_may_name_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SIDEBYSIDE_DATA", "~/data")
    assert files.data_directory() == tmp_path / "data"


def test_the_project_it_was_installed_from_is_found(monkeypatch, tmp_path):
    project = tmp_path / "a project"
    (project / "data").mkdir(parents=True)
    url = (project / "python").as_uri()
    assert "%20" in url
    install_from(monkeypatch, url)
    monkeypatch.delenv("SIDEBYSIDE_DATA", raising=False)
    assert files.project_directory() == project
    assert files.data_directory() == project / "data"


def test_a_deleted_project_is_not_created_again(monkeypatch, tmp_path):
    install_from(monkeypatch, (tmp_path / "python").as_uri())
    assert files.project_directory() is None


def test_otherwise_the_users_cache_is_used(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    install_from(monkeypatch, None)  # installed from an index
    monkeypatch.delenv("SIDEBYSIDE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert files.project_directory() is None
    assert files.data_directory() == Path(pooch.os_cache("sidebyside"))
    assert tmp_path in files.data_directory().parents


def test_keras_keeps_its_downloads_below_its_home(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert files.keras_cache() == tmp_path / "datasets"
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert files.keras_cache() == tmp_path / ".keras" / "datasets"
