"""Untrusted archives: a clear error, in bounded memory and time."""

import io
import zipfile

import hostile
import pytest
from hostile import DEFLATED, Entry, zipped
from sidebyside.common.archives import BadArchive, is_archive, open_archive

GOOD = [
    Entry(b"a/", b""),
    Entry(b"a/one", b"1" * 5000, DEFLATED),
    Entry(b"a/two", b"2"),
]


def read(path):
    """Read everything in an archive; the watched process calls this."""
    with open_archive(path) as archive:
        sizes = [len(archive.read(name, 1_000_000)) for name in archive.members]
    return f"read {len(sizes)} members, {sum(sizes)} bytes"


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    wrongs, paths = zip(*hostile.files(folder, GOOD, b"a/"), strict=True)
    results = hostile.watched(__name__, paths)
    hostile.check(results, wrongs)
    return {wrong: said for wrong, (said, _) in zip(wrongs, results, strict=True)}


def test_every_hostile_file_raises_a_clear_error_in_bounded_memory(answers):
    refused = [said for said in answers.values() if not said.startswith("read")]
    assert len(answers) > 250
    assert len(refused) > 180


@pytest.mark.parametrize(
    "wrong", ["fine, False", "fine, True", "method 0, honest", "method 8, honest"]
)
def test_good_archives_are_read(answers, wrong):
    extra = 1 if "honest" in wrong else 0
    assert answers[wrong] == f"read {2 + extra} members, {5001 + extra} bytes"


@pytest.mark.parametrize(
    "wrong",
    [
        *(f"method {x}, honest" for x in (9, 12, 14, 93, 255)),
        *(f"method {x}, states 50000" for x in (0, 8, 9, 12, 14)),
        *(f"method {x}, states 0" for x in (8, 12, 14)),
        *(f"method {x}, checksum" for x in (0, 8)),
        *(f"method {x}, packed size" for x in (0, 8)),
        *(f"method {x}, flags {y}" for x in (0, 8) for y in (1, 41)),
        *(f"name {x}, 100644, 0" for x in ("absolute", "up", "up inside")),
        *(f"name {x}, 100644, 0" for x in ("up of Windows", "drive", "server")),
        *(f"name {x}, 100644, 0" for x in ("none", "dots", "ends early")),
        *(f"name escape, {x}, 0" for x in ("120777", "10644", "20644")),
        *("name absolute in one of two places", "link to itself"),
        *("twice", "twice, by case of slash"),
        *("a million entries", "entries that overlap", "64 GB of zeros"),
        *("cut at 9 of 10", "last 1 of 10"),
        *("a pipe", "a socket", "a folder", "/dev/zero", "a web page"),
    ],
)
def test_bad_archives_are_refused(answers, wrong):
    assert answers[wrong].startswith(("BadArchive: ", "NotAFile: ")), answers[wrong]


@pytest.mark.parametrize("method", [0, 8])
@pytest.mark.parametrize("flags", ["1", "41"])
def test_an_encrypted_archive_is_reported_as_encrypted(answers, method, flags):
    said = answers[f"method {method}, flags {flags}"]
    assert "password" in said
    assert "damaged" not in said


@pytest.fixture
def opened(tmp_path):
    """Return a function that opens an archive with the given entries."""

    def open_it(entries, **options):
        path = tmp_path / "x.zip"
        path.write_bytes(zipped(entries))
        return open_archive(path, **options)

    return open_it


def test_names_are_normalised_and_folders_left_out(opened):
    entries = [
        Entry(b"./a\\b//c.txt", b"c"),
        Entry(b"a/b/"),
        Entry(b"./"),
        Entry(b"d\\"),
    ]
    with opened(entries) as archive:
        assert list(archive.members) == ["a/b/c.txt"]
        assert archive.read("a/b/c.txt", 1) == b"c"
        with pytest.raises(KeyError):
            archive.read("a/b", 1)


def test_a_member_up_to_the_limit_is_read_and_a_larger_one_is_not(opened):
    with opened([Entry(b"a", b"12345")]) as archive:
        assert archive.read("a", 5) == b"12345"
        with pytest.raises(BadArchive, match="a would unpack to 5 bytes"):
            archive.read("a", 4)


@pytest.mark.parametrize("promised", [7, 1])
def test_entries_up_to_the_limit_are_allowed_and_no_more(tmp_path, promised):
    """zipfile trusts the size of the directory, not the number of entries in it."""
    path = tmp_path / "x.zip"
    entries = [Entry(b"%d" % number, b"x") for number in range(7)]
    path.write_bytes(zipped(entries, entry_count=promised))
    with open_archive(path, most_entries=7) as archive:
        assert len(archive.members) == 7
    with pytest.raises(BadArchive, match="6 files"), open_archive(path, most_entries=6):
        pass


def test_a_list_of_contents_is_not_read_if_it_is_too_long(opened):
    entries = [Entry(letter * 60_000) for letter in (b"a", b"b")]
    with pytest.raises(BadArchive, match="list of contents is too long"):
        opened(entries, most_entries=9).__enter__()
    with opened(entries, most_entries=900) as archive:
        assert len(archive.members) == 2


def test_the_signature_of_an_entry_in_the_data_does_not_count(opened):
    with opened([Entry(b"a", b"PK\1\2" * 100)], most_entries=1) as archive:
        assert archive.read("a", 400) == b"PK\1\2" * 100


def test_archives_written_by_zipfile_are_read(tmp_path):
    """Its sizes come after the data, as in archives that are written to a pipe."""
    whole = io.BytesIO()
    whole.seekable = lambda: False
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", b"a" * 100)
        archive.writestr("b", b"")
    (tmp_path / "x.zip").write_bytes(whole.getvalue())
    with open_archive(tmp_path / "x.zip") as archive:
        assert [archive.read(x, 100) for x in archive.members] == [b"a" * 100, b""]


def test_the_caller_chooses_what_an_archive_is_called(opened):
    with pytest.raises(BadArchive, match="Kaggle's archive is refused"):
        opened([Entry(b"../x")], name="Kaggle's archive").__enter__()


def test_is_archive(tmp_path):
    (tmp_path / "a.ZIP").write_bytes(b"")
    (tmp_path / "a.csv").write_bytes(b"")
    (tmp_path / "b.zip").mkdir()
    there = [x.name for x in tmp_path.iterdir() if is_archive(x)]
    assert there == ["a.ZIP"]
