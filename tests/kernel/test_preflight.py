"""The table of `sidebyside.check()`, and the messages if something is missing."""

import ast
import os
import subprocess
import sys
import tomllib
import types
from contextlib import nullcontext
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version
from sidebyside.common import python as which
from sidebyside.common import versions
from sidebyside.kernel import preflight, rsession
from sidebyside.kernel.preflight import Preflight, Row
from sidebyside.kernel.rsession import RUnavailable

ROOT = Path(__file__).resolve().parents[2]

GOOD = Row("numpy", "1.26.4", "1.26 or later", True, "make setup")
WRONG = Row("keras", "3.10", "3.15 or later", False, "make setup")
MISSING = Row("rpy2-robjects", "", "3.6.4 or later", False, "make setup")


# --- versions


@pytest.mark.parametrize(
    ("version", "needed", "expected"),
    [
        ("1.28", "1.28", True),
        ("1.41.0.1", "1.38", True),
        ("1.100", "1.28", True),  # compared as texts, it would be smaller
        ("2.21.0rc1", "2.21", False),
        ("4.2.2-1", "4.2.2", True),  # R may write it like this
        ("", "1.0", False),
        ("unknown", "1.0", False),
    ],
)
def test_versions_are_compared_as_numbers(version, needed, expected):
    assert preflight.at_least(version, needed) is expected


def requirements():
    """Return the version specifiers of pyproject.toml and requirements.in."""
    project = tomllib.loads((ROOT / "python" / "pyproject.toml").read_text())["project"]
    lines = (ROOT / "requirements.in").read_text().splitlines()
    wanted = [line.split("#")[0].strip() for line in lines]
    pinned = [Requirement(line) for line in wanted if line]
    return project, pinned


def test_the_required_versions_agree_with_pips_files():
    """pip reads its own files, so they repeat the versions in common/versions.py."""
    project, pinned = requirements()
    named = {
        r.name: str(r.specifier) for r in map(Requirement, project["dependencies"])
    }
    oldest, newest = versions.PYTHON
    end = f"{newest.split('.')[0]}.{int(newest.split('.')[1]) + 1}"
    assert SpecifierSet(project["requires-python"]) == SpecifierSet(
        f">={oldest},<{end}"
    )
    for name, needed in versions.PACKAGES.items():
        if name != "tensorflow":  # its CPU build has another name
            assert named[name] == f">={needed}"
        for requirement in pinned:
            if requirement.name in (name, f"{name}-cpu"):
                (exact,) = requirement.specifier
                assert Version(exact.version) >= Version(needed)


def test_the_constants_can_be_read_by_an_old_python_without_the_package():
    """tools/setup_decisions.py reads them before anything is installed."""
    source = Path(versions.__file__).read_text("utf-8")
    tree = ast.parse(source, feature_version=(3, 8))
    assert all(isinstance(node, ast.Assign | ast.Expr) for node in tree.body)


# --- the table


def test_the_table_is_true_only_if_every_row_is_good():
    assert [r.verdict for r in (GOOD, MISSING, WRONG)] == ["ok", "missing", "wrong"]
    assert Preflight((GOOD, GOOD))
    assert not Preflight((GOOD, WRONG))
    assert not Preflight((MISSING, GOOD))


def test_the_printed_table_is_aligned_and_only_bad_rows_have_a_fix():
    lines = repr(Preflight((GOOD, MISSING))).splitlines()
    assert lines == [
        "component      found   needed          verdict  fix",
        "numpy          1.26.4  1.26 or later   ok",
        "rpy2-robjects  -       3.6.4 or later  missing  make setup",
    ]


def test_the_displayed_table_has_escaped_cells():
    shown = Preflight((GOOD, Row("R", "<4>", "4", False, "x & y")))._repr_html_()
    assert [shown.count(f"<{tag}>") for tag in ("tr", "th", "td")] == [3, 5, 10]
    assert "<td>&lt;4&gt;</td>" in shown
    assert "<td>x &amp; y</td>" in shown


# --- Python's packages


@pytest.fixture
def installed(monkeypatch):
    """Versions of Python packages that a test can change."""
    found = dict(versions.PACKAGES)
    monkeypatch.setattr(preflight, "_installed", lambda n: found.get(n, ""))
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    return found


@pytest.mark.parametrize("name", list(versions.PACKAGES))
def test_a_package_that_is_missing_or_old_is_named_with_its_fix(installed, name):
    needed = versions.PACKAGES[name]
    for found in ("", "0.9"):
        installed[name] = found
        wrong = [row.component for row in preflight._package_rows() if not row.good]
        assert wrong == [name]
        with pytest.raises(RUnavailable) as raised:
            preflight.require_python_packages()
        named = f"{name} (found {found or 'none'}, needed {needed} or later)"
        assert named in str(raised.value)
        assert "`make setup`" in str(raised.value)


def test_another_backend_is_wrong_and_another_build_of_tensorflow_is_not(
    installed, monkeypatch
):
    installed["tensorflow-cpu"] = installed.pop("tensorflow")
    preflight.require_python_packages()
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(RUnavailable, match=r"Keras backend .*unset KERAS_BACKEND"):
        preflight.require_python_packages()


@pytest.mark.parametrize(
    ("version", "good"),
    [("3.10.9", False), ("3.11.2", True), ("3.13.5", True), ("3.14.0", False)],
)
def test_pythons_outside_the_range_are_wrong(monkeypatch, version, good):
    monkeypatch.setattr("platform.python_version", lambda: version)
    assert preflight._python_row().good is good


# --- R


class Session:
    """A fake R with the versions that a test sets."""

    def __init__(self, r="4.2.2", reticulate="1.28", keras3=""):
        self.versions = {"R": r, "reticulate": reticulate, "keras3": keras3}

    def text(self, code):
        return self.versions["R" if "getRversion" in code else "reticulate"]

    def facts(self):
        dialect = "keras3" if self.versions["keras3"] else "companion"
        return {**self.versions, "dialect": dialect, "sidebyside": "0.1.0"}


@pytest.mark.parametrize(
    ("r", "reticulate", "numpy", "said"),
    [
        ("4.2.0", "1.28", "1.26", ""),
        ("4.2.0", "1.38", "2.3.1", ""),
        ("4.2.0", "", "2.3.1", ""),  # attach_companion() reports this
        ("4.1.2", "1.28", "1.26", r"R 4.1.2 was found, but 4.2 or later"),
        ("4.2.0", "1.28", "2.3.1", r"reticulate 1.28 cannot use NumPy 2.3.1"),
    ],
)
def test_an_r_or_reticulate_that_is_too_old_is_named(
    installed, r, reticulate, numpy, said
):
    installed["numpy"] = numpy
    with pytest.raises(RUnavailable, match=said) if said else nullcontext():
        preflight.require_r(Session(r, reticulate))


@pytest.mark.parametrize(
    ("r", "reticulate", "wrong"),
    [("4.2.2", "1.28", []), ("4.1.2", "1.28", ["R"]), ("4.2", "1.20", ["reticulate"])],
)
def test_the_rows_of_r_have_its_versions(monkeypatch, r, reticulate, wrong):
    monkeypatch.setattr(rsession, "current", lambda: Session(r, reticulate))
    rows = preflight._r_rows()
    assert [row.found for row in rows[:2]] == [r, reticulate]
    assert [row.component for row in rows if not row.good] == wrong


@pytest.mark.parametrize(
    ("problem", "component", "fix"),
    [
        (RUnavailable("R was not found: ..."), "R", "R was not found"),
        (RuntimeError("no package called 'sidebyside'"), "R companion", "make setup"),
    ],
)
def test_no_r_or_no_companion_is_a_row_and_not_an_error(
    monkeypatch, problem, component, fix
):
    def nowhere():
        raise problem

    monkeypatch.setattr(rsession, "current", nowhere)
    (row,) = preflight._r_rows()
    assert (row.component, row.verdict) == (component, "missing")
    assert row.fix.startswith(fix)


@pytest.mark.parametrize(
    ("keras3", "named"),
    [("", "the companion's dialect 0.1.0"), ("1.5.1", "keras3 1.5.1")],
)
def test_the_one_line_says_who_answers_keras3s_calls(
    installed, monkeypatch, keras3, named
):
    monkeypatch.setattr(preflight, "devices", lambda: ["CPU", "GPU:0", "GPU:1"])
    line = preflight.one_line(Session(keras3=keras3))
    assert line.startswith(f"R 4.2.2, reticulate 1.28, {named} | Python 3.")
    assert "TensorFlow 2.21, Keras 3.15 on tensorflow" in line
    assert line.endswith("| CPU, GPU:0, GPU:1")


# --- data and machine


def test_mnist_is_found_in_both_places(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("SIDEBYSIDE_DATA", str(tmp_path))
    row = preflight._data_row()
    assert row.verdict == "missing"
    assert "-m sidebyside.data.fetch" in row.fix
    kept = tmp_path / "mnist" / "mnist.npz"
    kept.parent.mkdir()
    kept.touch()
    assert preflight._data_row().found == "data folder"


@pytest.mark.parametrize(
    ("memory", "disk", "verdicts"),
    [
        (1.99e9, 1e9, ["wrong", "ok", "ok"]),
        (2e9, 0.99e9, ["ok", "wrong", "ok"]),
    ],
)
def test_too_little_memory_or_disk_is_wrong(monkeypatch, memory, disk, verdicts):
    monkeypatch.setattr(
        "psutil.virtual_memory", lambda: types.SimpleNamespace(available=memory)
    )
    usage = types.SimpleNamespace(free=disk)
    monkeypatch.setattr(preflight.shutil, "disk_usage", lambda path: usage)
    monkeypatch.setattr(preflight, "devices", list)
    assert [row.verdict for row in preflight._machine_rows()] == verdicts


# --- a process that lacks something


def python(code, **variables):
    """Run Python code in a process with only these environment variables."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("R_")}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**kept, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_without_r_on_the_path_the_sentence_says_so(tmp_path):
    done = python(
        "from sidebyside.kernel import rsession\n"
        "try: rsession.current()\n"
        "except rsession.RUnavailable as problem: print(problem)",
        PATH=str(tmp_path),
    )
    assert "R was not found" in done.stdout, done.stderr
    assert "make setup" in done.stdout


def test_importing_the_package_loads_neither_r_nor_keras():
    done = python(
        "import sys, sidebyside\n"
        "heavy = {'rpy2', 'keras', 'tensorflow', 'IPython', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert done.stdout == "[]\n", done.stderr


def test_nothing_is_loaded_in_another_thread_while_r_starts():
    """R changes the environment, which C code in another thread may be reading."""
    done = python(
        "import sys, threading\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell, threads = InteractiveShell.instance(), {}\n"
        "def note(event, details):\n"
        "    if event == 'import':\n"
        "        package = details[0].partition('.')[0]\n"
        "        threads.setdefault(package, set()).add(threading.get_ident())\n"
        "sys.addaudithook(note)\n"
        "shell.run_line_magic('load_ext', 'sidebyside')\n"
        "names = ('rpy2', 'keras', 'tensorflow', 'h5py')\n"
        "print(set.union(*map(threads.get, names)) == {threading.get_ident()})"
    )
    assert done.stdout.splitlines()[-1:] == ["True"], done.stderr


# --- settings


def test_the_python_is_found_although_another_program_claims_to_be_it(monkeypatch):
    """reticulate changes sys.executable, and inside R it is R."""
    assert Path(which.interpreter()).samefile(sys.executable)
    monkeypatch.setattr(sys, "executable", "/usr/lib/R/bin/exec/R")
    assert Path(which.interpreter()).parent == Path(sys.prefix) / "bin"


def test_without_a_folder_of_programs_python_itself_is_asked(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert which.interpreter() == sys.executable


@pytest.fixture
def environment(monkeypatch):
    """A copy of the environment variables, which may be changed."""
    copy = dict(os.environ)
    monkeypatch.setattr(os, "environ", copy)
    return copy


def test_the_readers_variables_are_not_changed(environment):
    environment["TF_CPP_MIN_LOG_LEVEL"] = "0"
    environment.pop("RETICULATE_PYTHON", None)
    environment.pop("MATPLOTLIBRC", None)
    rsession.prepare_environment()
    assert Path(environment["MATPLOTLIBRC"]).is_file()
    assert environment["TF_CPP_MIN_LOG_LEVEL"] == "0"
    assert environment["RETICULATE_PYTHON"] == sys.executable


def test_the_companions_r_library_is_added_once(environment, monkeypatch, tmp_path):
    monkeypatch.setattr(rsession, "r_library", lambda: tmp_path)
    environment["R_LIBS"] = "/home/me/R"
    rsession.prepare_environment()
    rsession.prepare_environment()
    assert environment["R_LIBS"] == f"/home/me/R:{tmp_path}"


def test_a_reticulate_with_a_safe_finalizer_is_left_alone():
    asked = []
    session = types.SimpleNamespace(text=lambda code: asked.append(code) or "1.31")
    rsession.RSession.make_finalizer_safe(session)
    assert len(asked) == 1  # its version, and nothing of R's library
