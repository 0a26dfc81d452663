"""binder/Dockerfile and `make image`, as far as that can be checked without building.

`make test-image` builds the image and works in it.
"""

import fnmatch
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from string import Template

import pytest

ROOT = Path(__file__).resolve().parents[2]
BINDER = ROOT / "binder"
HOME = "/home/jovyan"

sys.path.insert(0, str(ROOT / "tools"))
import image  # noqa: E402
import setup_decisions as decide  # noqa: E402

# Other packages have a module `setup`, too.
spec = importlib.util.spec_from_file_location("set_up", ROOT / "tools" / "setup.py")
set_up = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(set_up)


def instructions():
    """Return the instructions of the Dockerfile as pairs of a word and a text."""
    text = re.sub(r"(?m)^#.*\n", "", (BINDER / "Dockerfile").read_text())
    lines = text.replace("\\\n", " ").splitlines()
    return [tuple(line.split(None, 1)) for line in lines if line.strip()]


def texts(word):
    return [text for found, text in instructions() if found == word]


def variables():
    """Return the variables that the image sets, as a session sees them."""
    known = dict(text.split("=", 1) for text in texts("ARG"))
    known["PATH"] = "/usr/bin"
    found = {}
    for text in texts("ENV"):
        for name, value in re.findall(r"(\w+)=(\S+)", text):
            value = Template(value).substitute(known)
            known[name] = found[name] = value
    return found


# --- the environment


def test_a_session_has_the_environment_that_set_up_gives_to_a_command(monkeypatch):
    monkeypatch.setattr(set_up, "locale_is_utf8", lambda: False)
    venv = Path(HOME) / ".venv"
    expected = set_up.child_environment(
        {"PATH": "/usr/bin"}, venv, set_up.AptEnvironment().r_library
    )
    library = Path(expected.pop("R_LIBS").rstrip(":")).relative_to(set_up.VENV)
    found = variables()
    assert found["R_LIBS"] == str(venv / library)
    assert {name: found.get(name) for name in expected} == expected
    # BinderHub starts a server with `python3`, so it must be this one.
    assert found["PATH"].startswith(f"{HOME}/.venv/bin:")
    assert found["HOME"] == HOME


@pytest.mark.parametrize(
    "name",
    [
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "TF_NUM_INTRAOP_THREADS",
        "TF_NUM_INTEROP_THREADS",
    ],
)
def test_a_session_has_one_thread(name):
    assert variables()[name] == "1"


def test_a_session_has_painted_fruits_and_tensorflow():
    found = variables()
    assert found["FRUITS360_DIR"] == "painted"
    assert found["KERAS_BACKEND"] == "tensorflow"


# --- what Binder expects


def test_the_base_has_a_tag_that_binder_accepts():
    [base] = [text for text in texts("ARG") if text.startswith("BASE=")]
    tag = base.rpartition(":")[2]
    assert re.match(r"[\w.-]+$", tag)
    assert tag != "latest"
    assert texts("FROM")[0] == "${BASE} AS system"
    assert texts("FROM")[-1] == "system"


def test_the_user_is_binders_and_not_root():
    assert {"NB_USER=jovyan", "NB_UID=1000"} <= set(texts("ARG"))
    assert texts("USER")[-1] == "${NB_UID}"
    assert texts("WORKDIR") == ["${HOME}"]
    assert texts("COPY")[-1] == "--chown=${NB_UID} . ."
    # Nothing is prepared when a session starts.
    assert not texts("ENTRYPOINT")
    assert json.loads(texts("CMD")[0])[:2] == ["jupyter", "lab"]


def test_jupyterlab_opens_a_notebook_that_is_there():
    settings = json.loads((BINDER / "jupyter_config.json").read_text())
    lab = subprocess.run(
        ["make", "--dry-run", "lab", "ARGS="], cwd=ROOT, capture_output=True, text=True
    )
    assert "binder/jupyter_config.json /etc/jupyter/" in texts("COPY")
    for application in ("LabApp", "ServerApp"):
        opened = settings[application]["default_url"]
        assert (ROOT / opened.removeprefix("/lab/tree/")).is_file()
        assert f"--LabApp.default_url={opened} " in lab.stdout


# --- what is in it


def test_what_is_copied_exists():
    for text in [text for text in texts("COPY") if "--from=" not in text]:
        for name in [word for word in text.split()[:-1] if not word.startswith("--")]:
            assert name == "." or list(ROOT.glob(name)), name


@pytest.mark.parametrize(("stage", "mark"), [(0, ""), (1, "build")])
def test_each_stage_installs_the_packages_that_set_up_looks_for(stage, mark):
    run = [text for text in texts("RUN") if "apt-get" in text][stage]
    choose = re.search(r"(grep|sed) .*?(?= /tmp/apt-packages)", run)[0]
    lists = ROOT / "apt-packages.txt"
    chosen = subprocess.run(
        f"{choose} {lists}", shell=True, capture_output=True, text=True, check=True
    )
    assert chosen.stdout.split() == decide.package_list(lists.read_text(), mark)


@pytest.mark.parametrize("word", ["--tests", "requirements-tests", "chromium"])
def test_no_tools_for_tests_are_installed(word):
    assert word not in " ".join(texts("RUN"))


def test_an_image_without_its_data_is_not_made():
    """Set-up goes on without data sets, so the build asks for each and may fail."""
    [run] = [text for text in texts("RUN") if "make setup" in text]
    parts = [part.strip() for part in run.split("&&")]
    assert "||" not in run
    for needed in ("data.fetch", "data.texts", "fruits_directory()"):
        assert any(needed in part for part in parts)


@pytest.mark.parametrize("works", [True, False])
def test_keras3_may_be_missing_and_is_then_removed(tmp_path, works):
    """An Rscript that fails is one without CRAN, or a keras3 without a model."""
    [run] = [text for text in texts("RUN") if "keras3" in text]
    rscript = tmp_path / "Rscript"
    rscript.write_text(f"#!/bin/sh\necho $CRAN\nexit {int(not works)}\n")
    rscript.chmod(0o755)
    (tmp_path / "library" / "reticulate").mkdir(parents=True)
    result = subprocess.run(
        ["sh", "-c", run.replace("/usr/local/lib/R/site-library", "library")],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "CRAN": "https://cran.example"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert list((tmp_path / "library").iterdir()) == (
        [tmp_path / "library" / "reticulate"] if works else []
    )
    assert ("use keras3" in result.stdout) == works
    assert ("companion's dialect" in result.stdout) != works


def ignored(path):
    """Say whether .dockerignore leaves a path out (its last line that fits decides)."""
    answer = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.lstrip("!")
        if not line or line.startswith("#"):
            continue
        names = [path, *map(str, Path(path).parents)]
        anywhere = pattern.removeprefix("**/")
        if any(
            fnmatch.fnmatch(name, pattern)
            or (
                pattern.startswith("**/") and fnmatch.fnmatch(Path(name).name, anywhere)
            )
            for name in names
        ):
            answer = not line.startswith("!")
    return answer


def test_what_git_ignores_is_not_copied():
    lines = (ROOT / ".gitignore").read_text().splitlines()
    assert ignored(".git/config")
    for line in lines:
        if line.startswith("!"):
            assert not ignored(line.strip("!/").replace("*", "x")), line
        else:
            path = line.strip("/").replace("*", "x")
            assert ignored(f"{path}/a" if line.endswith("/") else path), line


def test_what_git_keeps_is_copied():
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("this is not a clone")
    kept = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert [path for path in kept.stdout.splitlines() if ignored(path)] == []


# --- make image


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        ({"docker", "podman", "buildah"}, "docker"),
        ({"podman", "buildah"}, "podman"),
        ({"buildah"}, "buildah"),
        (set(), None),
    ],
)
def test_the_first_program_that_works_builds_the_image(there, chosen):
    assert image.choose(lambda command: command[0] in there) == chosen


def test_a_docker_without_a_server_does_not_work(tmp_path, monkeypatch):
    for name, code in (("docker", 1), ("buildah", 0)):
        (tmp_path / name).write_text(f"#!/bin/sh\nexit {code}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert image.choose() == "buildah"
    (tmp_path / "buildah").unlink()
    assert image.choose() is None


def test_without_a_program_one_sentence_says_what_to_install(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert image.main([]) == 1
    assert "apt-get install podman" in capsys.readouterr().err


@pytest.mark.parametrize("program", image.WORKS)
def test_the_command_builds_this_dockerfile(program):
    command = image.build_command(program, ["--build-arg", "NB_UID=1001"])
    assert command[0] == program
    assert (ROOT / command[command.index("--file") + 1]).is_file()
    assert "NB_UID=1001" in command
    assert command[-1] == "."
