"""Binder's scripts, with fake commands that only record how they were called.

Also whether conda's pins work together and agree with pip's. No image is built, and no
environment is solved: Docker and conda-forge are not used.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
BINDER = ROOT / "binder"
SCRIPTS = ("postBuild", "start")

sys.path.insert(0, str(ROOT / "tools"))
import setup_decisions as decide  # noqa: E402

# --- the files


def test_conda_and_binder_have_one_environment():
    assert os.readlink(BINDER / "environment.yml") == "../environment.yml"
    assert not (ROOT / "environment.yml").is_symlink()


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_can_be_run(name):
    assert os.access(BINDER / name, os.X_OK)
    subprocess.run(["bash", "-n", BINDER / name], check=True)


def test_jupyterlab_opens_a_notebook_that_is_there():
    settings = json.loads((BINDER / "jupyter_config.json").read_text())
    lab = subprocess.run(
        ["make", "--dry-run", "lab", "ARGS="], cwd=ROOT, capture_output=True, text=True
    )
    for application in ("LabApp", "ServerApp"):
        opened = settings[application]["default_url"]
        assert (ROOT / opened.removeprefix("/lab/tree/")).is_file()
        assert f"--LabApp.default_url={opened} " in lab.stdout


# --- start


def run_start(command, **variables):
    environment = {
        "PATH": os.environ["PATH"],
        "CONDA_PREFIX": "/srv/conda/envs/notebook",
        **variables,
    }
    return subprocess.run(
        [BINDER / "start", *command], env=environment, capture_output=True, text=True
    )


def test_start_fixes_the_threads_and_becomes_the_command():
    result = run_start(["env"])
    found = dict(line.split("=", 1) for line in result.stdout.splitlines())
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        assert found[name] == "1"
    assert found["RETICULATE_PYTHON"] == "/srv/conda/envs/notebook/bin/python"
    assert found["FRUITS360_DIR"] == "painted"


def test_start_keeps_what_was_chosen_before():
    assert "OMP_NUM_THREADS=4\n" in run_start(["env"], OMP_NUM_THREADS="4").stdout


def test_start_passes_arguments_and_the_exit_status_on():
    code = "import sys; print(sys.argv[1:]); sys.exit(7)"
    result = run_start([sys.executable, "-c", code, "a b", "*"])
    assert result.stdout == "['a b', '*']\n"
    assert result.returncode == 7


# --- postBuild

COMMAND = """#!/bin/bash
echo "$(basename "$0") $*" >> "$CALLS"
case "$(basename "$0") $*" in
{fails}) echo "that went wrong" >&2; exit 1 ;;
esac
exit 0
"""


@pytest.fixture
def post_build(tmp_path):
    """Return a function that runs binder/postBuild; commands like `fails` fail."""

    def run(fails="nothing", conda=True):
        commands = tmp_path / "commands"
        commands.mkdir()
        for name in ("Rscript", "python", "python3"):
            (commands / name).write_text(COMMAND.format(fails=fails))
            (commands / name).chmod(0o755)
        environment = {"PATH": f"{commands}:/usr/bin:/bin", "HOME": str(tmp_path)}
        environment["CALLS"] = str(tmp_path / "calls")
        if conda:
            environment["CONDA_PREFIX"] = str(tmp_path / "conda")
        # Not a login shell, which would put this machine's programs first.
        result = subprocess.run(
            ["bash", BINDER / "postBuild"],
            env=environment,
            cwd="/",
            capture_output=True,
            text=True,
        )
        calls = tmp_path / "calls"
        return result, calls.read_text().splitlines() if calls.exists() else []

    return run


def test_a_build_without_trouble_prepares_everything(post_build, tmp_path):
    result, calls = post_build()
    assert result.returncode == 0, result.stderr
    assert "The R cells use keras3" in result.stdout
    assert calls[0] == "python3 tools/setup.py"
    assert "python -m sidebyside.data.fetch" in calls
    assert any("fruits_directory()" in call for call in calls)
    assert not any("remove.packages" in call for call in calls)
    assert json.loads(
        (tmp_path / "conda" / "etc" / "jupyter" / "jupyter_config.json").read_text()
    )["LabApp"]


@pytest.mark.parametrize("fails", ["*keras3?,*", "*keras_model_sequential*"])
def test_without_keras3_the_build_continues_with_a_message(post_build, fails):
    result, calls = post_build(fails)
    assert result.returncode == 0
    assert (
        "keras3 could not be installed from https://packagemanager.posit.co/cran/"
        in result.stdout
    )
    assert "use the companion's own dialect" in result.stdout
    assert "The R cells use keras3" not in result.stdout
    removal = next(i for i, call in enumerate(calls) if "remove.packages" in call)
    assert "python -m sidebyside.data.fetch" in calls[removal:]


@pytest.mark.parametrize(
    "fails",
    [
        "*tools/setup.py*",
        "*sidebyside.data.fetch*",
        "*sidebyside.data.texts*",
        "*fruits_directory*",
    ],
)
def test_without_companions_or_data_there_is_no_image(post_build, fails, tmp_path):
    result, calls = post_build(fails)
    assert result.returncode != 0
    assert "that went wrong" in result.stderr
    assert re.search(fails.replace("*", ".*"), calls[-1])
    assert not (tmp_path / "conda").exists()


def test_without_an_environment_nothing_is_done(post_build):
    result, calls = post_build(conda=False)
    assert result.returncode == 1
    assert "no conda environment is active" in result.stderr
    assert calls == []


# --- conda's list


def listed_for_conda():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    plain = [entry.split("::")[-1] for entry in listed if isinstance(entry, str)]
    from_pypi = next(entry["pip"] for entry in listed if isinstance(entry, dict))
    found = {re.split(r"[=<>]", entry)[0]: entry for entry in plain}
    return found | {Requirement(entry).name: entry for entry in from_pypi}


def pinned_for_conda(name):
    return re.search(r"=+([\d.]+)", listed_for_conda()[name])[1]


@pytest.mark.parametrize("name", ["jupyterlab", "nbval", "rpy2", "numpy"])
def test_conda_and_pip_have_the_same_releases_where_both_pin(name):
    lines = "\n".join(
        (ROOT / file).read_text()
        for file in ("requirements.txt", "requirements-numpy2.txt")
    )
    package = {"rpy2": "rpy2-rinterface"}.get(name, name)
    locked = re.search(rf"(?m)^{package}==([\d.]+)", lines)[1]
    assert f"{locked}.".startswith(f"{pinned_for_conda(name)}.")


def test_the_pins_are_of_a_set_that_works_together():
    """The limits come from the packages' own requirements."""
    r, reticulate = (
        Version(pinned_for_conda("r-base")),
        Version(pinned_for_conda("r-reticulate")),
    )
    python = Version(pinned_for_conda("python"))
    assert r.release >= decide.R_MIN
    assert reticulate >= Version("1.42")  # keras3 1.5.1
    assert reticulate.release >= decide.RETICULATE_FOR_NUMPY_2
    assert reticulate.release >= decide.RETICULATE_FOR_PYTHON[python.release]
    assert decide.PYTHON_MIN <= python.release <= decide.PYTHON_MAX
    assert Version(pinned_for_conda("numpy")) >= Version("2")
    assert Version(pinned_for_conda("rpy2")) < Version("3.6.6") or r >= Version("4.5")
