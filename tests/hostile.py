"""Make files that an attacker could send, and read them in a watched process.

`archives()` makes zip files by hand, because `zipfile` writes no false sizes.
`files()` adds files that are not zip files. `watched()` runs a function on each of
them in a process that may use 500 MB more than at its start.
"""

import bz2
import json
import lzma
import os
import random
import resource
import socket
import struct
import subprocess
import sys
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

STORED, DEFLATED, DEFLATE64, BZIP2, LZMA, ZSTD = 0, 8, 9, 12, 14, 93
MOST_MEMORY = 500_000_000  # bytes
MOST_SECONDS = 10

FILE, LINK, PIPE, DEVICE = 0o100644, 0o120777, 0o010644, 0o020644


@dataclass
class Entry:
    """An entry of a zip file, whose stated sizes can be false."""

    name: bytes
    data: bytes = b""
    method: int = STORED
    mode: int = FILE
    flags: int = 0
    size: int | None = None  # stated
    packed_size: int | None = None  # stated
    crc: int | None = None
    local_name: bytes | None = None
    packed: bytes | None = None

    def __post_init__(self):
        if self.packed is None:
            self.packed = PACK.get(self.method, bytes)(self.data)
        if self.crc is None:
            self.crc = zlib.crc32(self.data)
        if self.size is None:
            self.size = len(self.data)
        if self.packed_size is None:
            self.packed_size = len(self.packed)
        if self.local_name is None:
            self.local_name = self.name


def _deflated(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def _lzma(data):
    name, properties = lzma.FILTER_LZMA1, b"\x5d\x00\x00\x80\x00"
    filters = [{"id": name, "dict_size": 1 << 23}]
    raw = lzma.compress(data, lzma.FORMAT_RAW, filters=filters)
    return struct.pack("<BBH", 9, 4, 5) + properties + raw


PACK = {DEFLATED: _deflated, BZIP2: bz2.compress, LZMA: _lzma}


def zipped(entries, *, entry_count=None, directory_size=None, zip64=False):
    """Return the bytes of a zip file; the last arguments are false statements in it."""
    body, directory = bytearray(), bytearray()
    for x in entries:
        at = len(body)
        sizes = (x.crc, x.packed_size, min(x.size, 2**32 - 1))
        common = (x.flags, x.method, 0, 0x21, *sizes)
        body += struct.pack("<4s5H3L2H", b"PK\3\4", 20, *common, len(x.local_name), 0)
        body += x.local_name + x.packed
        directory += struct.pack(
            "<4s6H3L5H2L",
            *(b"PK\1\2", 0x0314, 20, *common, len(x.name)),
            *(0, 0, 0, 0, x.mode << 16, at),
        )
        directory += x.name
    count = len(entries) if entry_count is None else entry_count
    size = len(directory) if directory_size is None else directory_size
    end = b""
    if zip64:
        end += struct.pack(
            *("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0),
            *(count, count, size, len(body)),
        )
        end += struct.pack("<4sLQL", b"PK\6\7", 0, len(body) + len(directory), 1)
        end += struct.pack(
            "<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, 2**32 - 1, 2**32 - 1, 0
        )
    else:
        count = min(count, 65535)
        end += struct.pack(
            "<4s4H2LH", b"PK\5\6", 0, 0, count, count, size, len(body), 0
        )
    return bytes(body + directory + end)


NAMES = {
    "absolute": b"/etc/x.jpg",
    "up": b"../../x.jpg",
    "up inside": b"a/../../x.jpg",
    "up of Windows": b"..\\..\\x.jpg",
    "drive": b"C:\\x.jpg",
    "server": b"\\\\host\\x.jpg",
    "none": b"",
    "dots": b"./.",
    "ends early": b"x.jpg\0.txt",
    "escape": b"\x1b]0;owned\x07\x1b[31mx.jpg",
    "lines": b"a\r\nb\x0b.jpg",
    "direction": "\u202egpj.exe".encode(),
    "no text": b"\xff\xfe\x80.jpg",
    "long": b"n" * 60_000,
    "deep": b"d/" * 20_000 + b"x.jpg",
}
"""Every one of them is refused, or is harmless and must not be printed raw."""


def archives(good, place=b""):
    """Yield (what is wrong, bytes) for many zip files.

    `good` are the entries of a correct archive, and `place` is the folder in it to
    which the bad entries are added.
    """
    many = 1 << 30
    one = good[-1].data or b"x"
    blank = [bz2.compress(bytes(1 << 24)) * 64, _deflated(bytes(1 << 28))]
    bombs = {BZIP2: blank[0], DEFLATED: blank[1], LZMA: _lzma(bytes(1 << 28))}
    for method in (STORED, DEFLATED, DEFLATE64, BZIP2, LZMA, ZSTD, 255):
        for stated in (0, len(one), 50_000, many, 2**32 - 2):
            bad = Entry(place + b"bomb.jpg", one, method, size=stated)
            bad.packed = bombs.get(method, one)
            bad.packed_size = len(bad.packed)
            yield f"method {method}, states {stated}", zipped([*good, bad])
        bad = Entry(place + b"one.jpg", one, method)
        yield f"method {method}, honest", zipped([*good, bad])
        bad = Entry(place + b"one.jpg", one, method, packed_size=2**32 - 2)
        yield f"method {method}, packed size", zipped([*good, bad])
        bad = Entry(place + b"one.jpg", one, method, crc=1)
        yield f"method {method}, checksum", zipped([*good, bad])
        for flags in (1, 0x41, 0x2000, 8):
            bad = Entry(place + b"one.jpg", one, method, flags=flags)
            yield f"method {method}, flags {flags:x}", zipped([*good, bad])
    for said, name in NAMES.items():
        for mode in (FILE, LINK, PIPE, DEVICE):
            for flags in (0, 0x800):
                bad = Entry(name, one, mode=mode, flags=flags)
                yield f"name {said}, {mode:o}, {flags}", zipped([*good, bad])
        bad = Entry(place + name, one)
        yield f"name {said} in its place", zipped([*good, bad])
        bad = Entry(place + b"x.jpg", one, local_name=name)
        yield f"name {said} in one of two places", zipped([*good, bad])
    yield "twice", zipped([*good, *good])
    yield (
        "twice, by case of slash",
        zipped([*good, Entry(good[-1].name.replace(b"/", b"\\"), one)]),
    )
    yield "link to itself", zipped([*good, Entry(place + b"l.jpg", b".", mode=LINK)])
    yield (
        "another zip file in it",
        zipped(
            [
                *good,
                Entry(place + b"in.zip", zipped(good)),
                Entry(b"in.zip", zipped(good)),
            ]
        ),
    )
    for zip64 in (False, True):
        for size in (1, 45, 10**9, 2**32 - 2, 2**63):
            if zip64 or size < 2**32:
                lie = zipped(good, directory_size=size, zip64=zip64)
                yield f"directory of {size}, {zip64}", lie
        yield f"count, {zip64}", zipped(good, entry_count=10**6, zip64=zip64)
        yield f"fine, {zip64}", zipped(good, zip64=zip64)
    whole = zipped(good)
    for part in range(10):
        yield f"cut at {part} of 10", whole[: len(whole) * part // 10]
        yield f"last {part} of 10", whole[len(whole) - len(whole) * part // 10 :]
    chance = random.Random(1)
    for number in range(60):
        changed = bytearray(whole)
        for _ in range(chance.choice((1, 3, 20))):
            # Most errors are possible in the list of contents, at the end.
            at = chance.choice((len(whole), min(300, len(whole))))
            changed[-chance.randrange(1, at + 1)] = chance.randrange(256)
        yield f"changed, {number}", bytes(changed)
    yield "a million entries", _million(good)
    yield "entries that overlap", _overlapping(good, place, one)


def _million(good):
    names = [b"%x" % number for number in range(1_000_000)]
    entry = struct.pack("<4s6H3L", b"PK\1\2", 0x0314, 20, 0, 0, 0, 0x21, 0, 0, 0)
    rest = struct.pack("<4H2L", 0, 0, 0, 0, FILE << 16, 0)
    directory = b"".join(
        entry + struct.pack("<H", len(name)) + rest + name for name in names
    )
    size, count = len(directory), len(names)
    end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, 0)
    end += struct.pack("<4sLQL", b"PK\6\7", 0, size, 1)
    return (
        directory
        + end
        + struct.pack(
            "<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, 2**32 - 1, 2**32 - 1, 0
        )
    )


def _overlapping(good, place, one):
    """Make ten thousand entries that share the bytes of one."""
    kernel = _deflated(bytes(1_000_000))
    bad = Entry(place + b"k.jpg", bytes(1_000_000), DEFLATED, packed=kernel)
    whole = zipped([*good, bad])
    at = whole.rindex(b"PK\1\2")
    entry = bytearray(whole[at : at + 46])
    end = bytearray(whole[whole.rindex(b"PK\5\6") :])
    names = [place + b"%05d.jpg" % number for number in range(10_000)]
    entry[28:30] = struct.pack("<H", len(names[0]))
    begin = whole.index(b"PK\1\2")
    directory = whole[begin:at] + b"".join(bytes(entry) + name for name in names)
    count = len(good) + len(names)
    end[8:16] = struct.pack("<2HL", count, count, len(directory))
    return whole[:begin] + directory + bytes(end)


def files(folder, good, place=b""):
    """Yield (what is wrong, path): the archives, and paths that are not files."""
    for number, (wrong, data) in enumerate(archives(good, place)):
        path = folder / f"{number}.zip"
        path.write_bytes(data)
        yield wrong, path
    pipe = folder / "pipe.zip"
    os.mkfifo(pipe)
    yield "a pipe", pipe
    for device in ("zero", "random", "null"):
        link = folder / f"{device}.zip"
        link.symlink_to(f"/dev/{device}")
        yield f"/dev/{device}", link
    heard = folder / "socket.zip"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(heard))
    yield "a socket", heard
    loop = folder / "loop.zip"
    loop.symlink_to(loop)
    yield "a link to itself", loop
    (folder / "folder.zip").mkdir()
    (folder / "folder.zip" / "again").symlink_to(".")
    yield "a folder", folder / "folder.zip"
    yield "nothing", folder / "nothing.zip"
    sparse = folder / "sparse.zip"
    with sparse.open("wb") as file:
        file.truncate(1 << 36)
    yield "64 GB of zeros", sparse
    web = folder / "web.zip"
    web.write_text("<html>404</html>")
    yield "a web page", web


def watched(module, paths):
    """Return the result of `module.read(path)` for each path, in a limited process.

    `read()` returns a text or raises an error. The result is a list of (text or type
    of the error, seconds). If the process reaches its limit and dies, the result
    says so for the file that it read.
    """
    program = "import sys; sys.path[:0] = %r; import hostile; hostile._read_all(%r)"
    child = subprocess.run(
        [sys.executable, "-c", program % (sys.path, module)],
        input=json.dumps([str(path) for path in paths]),
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert child.returncode == 0, child.stderr[-2000:]
    return [json.loads(line) for line in child.stdout.splitlines() if line[:1] == "["]


def _read_all(module):
    read = __import__(module).read
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MOST_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for path in json.load(sys.stdin):
        begin = time.monotonic()
        try:
            said = read(Path(path))
        except Exception as problem:
            said = f"{type(problem).__name__}: {problem}"
            said = f"TRACEBACK {said}" if not is_sentence(problem) else said
        print(json.dumps([said, time.monotonic() - begin]), flush=True)


def is_sentence(problem):
    """Return whether the program would show this error as a clear message."""
    from sidebyside.common.errors import Sentence

    return isinstance(problem, Sentence) or (
        isinstance(problem, OSError) and problem.errno is not None
    )


def check(results, wrongs):
    """Check that there is no traceback or raw text, and no limit was reached."""
    assert len(results) == len(wrongs)
    for (said, seconds), wrong in zip(results, wrongs, strict=True):
        assert not said.startswith("TRACEBACK"), (wrong, said)
        assert "MemoryError" not in said and "emory" not in said, (wrong, said)
        assert seconds < MOST_SECONDS, (wrong, seconds)
        assert said.replace("\n", "").isprintable(), (wrong, said)
        assert said.count("\n") < 3 and len(said) < 1500, (wrong, said)
