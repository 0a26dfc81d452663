"""The decisions of tools/setup.py on fake machines, without a network or root."""

import fcntl
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "tools"


def load(name):
    """Import a file of tools/ under another name; other packages have a `setup`."""
    sys.path.insert(0, str(TOOLS))
    try:
        spec = importlib.util.spec_from_file_location(
            f"sidebyside_tools_{name}", TOOLS / f"{name}.py"
        )
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(TOOLS))


setup = load("setup")
decide = sys.modules["setup_decisions"]
Stop = decide.Stop


@pytest.fixture
def log(monkeypatch, tmp_path):
    monkeypatch.setattr(setup, "LOG", tmp_path / "build" / "setup.log")
    return setup.LOG


def lines_of(path):
    """The lines of a list of packages, without comments, hashes and empty ones."""
    text = (ROOT / path).read_text()
    lines = [re.split(r"#|--hash| \\", line)[0].strip() for line in text.split("\n")]
    return [line for line in lines if line]


# --- versions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4.2.2.20221110-2", (4, 2, 2, 20221110)),
        ("1.28+dfsg-1", (1, 28)),
        ("1.41.0.1+dfsg-1", (1, 41, 0, 1)),
        ("1:3.11.2-1+b1", (3, 11, 2)),
    ],
)
def test_versions_of_debian_and_cran_are_read(text, expected):
    assert decide.version(text) == expected


# --- Python


def python_facts(*numbers, shared=True):
    return decide.PythonFacts("/opt/python", numbers, shared)


@pytest.mark.parametrize("good", [(3, 11, 0), (3, 12, 3), (3, 13, 5)])
def test_supported_pythons_pass(good):
    decide.judge_python("/opt/python", python_facts(*good))


@pytest.mark.parametrize(
    ("bad", "word"),
    [((3, 10, 12), "too old"), ((3, 9, 2), "too old"), ((3, 14, 0), "too new")],
)
def test_other_pythons_stop_with_what_was_found_and_what_to_type(bad, word):
    with pytest.raises(Stop) as stopped:
        decide.judge_python("/opt/python", python_facts(*bad))
    for part in (word, decide.dotted(bad), "Python 3.11 to 3.13", "make setup PYTHON="):
        assert part in str(stopped.value)


def test_a_python_without_shared_library_stops_unless_it_is_the_distributions():
    facts = python_facts(3, 12, 1, shared=False)
    with pytest.raises(Stop, match="no shared library"):
        decide.judge_python("/opt/python", facts)
    decide.judge_python("/usr/bin/python3", facts)


def test_which_python_is_taken(tmp_path):
    """It is PYTHON, else that of .venv, else the distribution's; never that of PATH."""
    here, default = sys.executable, "/usr/bin/python3"
    assert decide.python_command({"PATH": str(tmp_path)}, None) == default
    assert decide.python_command({}, here) == here
    assert decide.python_command({}, str(tmp_path / "gone")) == default
    assert decide.python_command({"PYTHON": here}, default) == here


def test_this_python_answers_the_probe():
    facts = setup.ask_python(sys.executable)
    assert facts.version == sys.version_info[:3]


@pytest.mark.parametrize("program", ["/bin/false", "/no/such/python"])
def test_a_program_that_is_not_a_python_stops(monkeypatch, program):
    monkeypatch.setenv("PYTHON", program)
    with pytest.raises(Stop, match="does not start as a Python"):
        setup.AptEnvironment()


# --- reticulate and NumPy


@pytest.mark.parametrize(
    ("reticulate", "python", "expected"),
    [
        ((1, 28), (3, 11, 2), "requirements-numpy1.txt"),  # Debian 12
        ((1, 37, 1), (3, 12, 3), "requirements-numpy1.txt"),
        ((1, 38), (3, 12, 3), "requirements-numpy2.txt"),
        ((1, 40), (3, 13, 0), "requirements-numpy2.txt"),
        ((1, 41, 0, 1), (3, 13, 5), "requirements-numpy2.txt"),  # Debian 13
    ],
)
def test_numpy_follows_reticulate(reticulate, python, expected):
    assert decide.requirements_for(reticulate, python) == expected
    assert (ROOT / expected).exists()


@pytest.mark.parametrize(
    ("reticulate", "python", "needed"),
    [
        ((1, 28), (3, 12, 1), "reticulate 1.33"),  # "No module named 'imp'"
        ((1, 34, 0), (3, 13, 0), "reticulate 1.40"),
    ],
)
def test_an_old_reticulate_and_a_new_python_stop(reticulate, python, needed):
    with pytest.raises(Stop, match=needed):
        decide.requirements_for(reticulate, python)


# --- R


def r_facts(**changes):
    found = dict.fromkeys(decide.R_PACKAGES, (1, 0))
    found |= {"R": (4, 5, 0), "reticulate": (1, 41)}
    found |= changes
    return {name: version for name, version in found.items() if version}


def test_a_complete_r_returns_reticulates_version():
    assert decide.judge_r("/usr/bin/R", r_facts()) == (1, 41)
    oldest = r_facts(R=decide.R_MIN, reticulate=(1, 28))
    assert decide.judge_r("/usr/bin/R", oldest) == decide.RETICULATE_MIN


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (r_facts(R=(4, 1, 2)), "R 4.1.2, which is too old"),
        (r_facts(reticulate=(1, 24)), "reticulate 1.24, which is too old"),
        (r_facts(zeallot=None), 'install.packages(c("zeallot"))'),
        (None, "does not run"),
    ],
)
def test_an_unsuitable_r_stops(facts, words):
    with pytest.raises(Stop) as stopped:
        decide.judge_r("/usr/local/bin/R", facts)
    assert words in str(stopped.value)


def test_only_tests_need_the_tools_for_tests():
    tools = decide.R_TEST_PACKAGES
    with pytest.raises(Stop, match='"testthat", "lintr", "roxygen2"'):
        decide.judge_r("/usr/local/bin/R", r_facts(), decide.R_PACKAGES + tools)


def test_output_of_a_profile_does_not_disturb_the_question_to_r(tmp_path):
    rscript = tmp_path / "Rscript"
    rscript.write_text(
        "#!/bin/sh\necho Welcome; echo sidebyside R6 2.5.1\n"
        "echo sidebyside zeallot -; echo sidebyside R 4.5.0\n"
    )
    rscript.chmod(0o755)
    found = setup.ask_r(str(tmp_path / "R"), {})
    assert found == {"R6": (2, 5, 1), "R": (4, 5, 0)}
    rscript.write_text("#!/bin/sh\necho Welcome\n")
    assert setup.ask_r(str(tmp_path / "R"), {}) is None


# --- the route


IN_CONDA = """bin/R bin/python lib/R/library/reticulate/DESCRIPTION
    lib/python3.12/site-packages/tensorflow/__init__.py
    lib/python3.12/site-packages/keras/__init__.py
    lib/python3.12/site-packages/rpy2/rinterface.py"""


def make_conda(prefix, *without):
    """A folder that looks like a conda environment made from environment.yml."""
    for file in IN_CONDA.split():
        if file not in without:
            (prefix / file).parent.mkdir(parents=True, exist_ok=True)
            (prefix / file).touch()
    return {"CONDA_PREFIX": str(prefix), "CONDA_DEFAULT_ENV": "some"}


def test_with_apt_and_without_conda_apt_is_the_route():
    assert decide.choose_route({}, "Linux", has_apt=True) == "apt"


@pytest.mark.parametrize("has_apt", [True, False])
def test_a_complete_conda_environment_is_used_on_every_system(tmp_path, has_apt):
    environ = make_conda(tmp_path)
    assert decide.choose_route(environ, "Darwin", has_apt) == "conda"


@pytest.mark.parametrize("has_apt", [True, False])
def test_a_foreign_conda_environment_stops_and_names_the_ways(tmp_path, has_apt):
    environ = make_conda(tmp_path, "bin/R", IN_CONDA.split()[-1])
    with pytest.raises(Stop) as stopped:
        decide.choose_route(environ, "Linux", has_apt)
    message = str(stopped.value)
    assert "'some' is active, without R, rpy2" in message
    assert "conda env create -f environment.yml" in message
    assert ("conda deactivate && make setup" in message) == has_apt


def test_every_other_system_stops_and_names_conda():
    with pytest.raises(Stop) as stopped:
        decide.choose_route({}, "Darwin", has_apt=False)
    message = str(stopped.value)
    assert message.startswith("Set-up stopped.")
    assert "Darwin" in message
    assert "to do:   conda env create -f environment.yml" in message


# --- Debian's packages


def test_only_packages_that_are_fully_installed_count(monkeypatch):
    output = (
        "gcc\t4:12.2.0-3\tinstalled\n"
        "r-base-core\t4.2.2\tconfig-files\n"
        "python3-venv\t\tnot-installed\n"
    )
    monkeypatch.setattr(setup, "output_of", lambda command: output)
    assert setup.query_dpkg(["gcc"]) == {"gcc": "4:12.2.0-3"}


class Apt:
    """An AptEnvironment on a machine with `present`; commands are only recorded."""

    def __init__(
        self, monkeypatch, present=(), uid=0, sudo=False, fails=(), tests=False
    ):
        self.present, self.commands = dict.fromkeys(present, "1"), []

        def run(command, env, show_failure=True):
            words = [str(word) for word in command]
            self.commands.append(words)
            code = 100 if set(words) & set(fails) else 0
            if "install" in words and not code:
                self.present |= dict.fromkeys(words[words.index("install") + 3 :], "1")
            return code

        monkeypatch.setattr(setup, "run", run)
        monkeypatch.setattr(setup, "query_dpkg", lambda names: dict(self.present))
        monkeypatch.setattr(setup.os, "geteuid", lambda: uid)
        monkeypatch.delenv("PYTHON", raising=False)
        which = {"sudo": "/usr/bin/sudo"} if sudo else {}
        monkeypatch.setattr(setup.shutil, "which", which.get)
        self.environment = setup.AptEnvironment(tests)


def test_root_installs_what_is_missing_and_nothing_else(monkeypatch):
    apt = Apt(monkeypatch, present=["gcc", "r-base-core"])
    apt.environment.apt_install(["gcc", "r-base-core", "python3-venv", "zlib1g-dev"])
    update, install = apt.commands
    assert update[-1] == "update"
    assert install[-2:] == ["python3-venv", "zlib1g-dev"]
    assert "--no-install-recommends" in install
    assert "sudo" not in install
    apt.environment.apt_install(["python3-venv"])
    assert len(apt.commands) == 2


def test_other_users_than_root_use_sudo(monkeypatch):
    apt = Apt(monkeypatch, uid=1000, sudo=True)
    apt.environment.apt_install(["gcc"])
    assert [words[0] for words in apt.commands] == ["sudo", "sudo"]


@pytest.mark.parametrize("tests", [False, True])
def test_without_rights_the_line_for_an_administrator_names_everything(
    monkeypatch, tests
):
    """Everything that the command needs: no more, so that it is asked for once."""
    apt = Apt(monkeypatch, present=["gcc"], uid=1000, tests=tests)
    with pytest.raises(Stop) as stopped:
        apt.environment.apt_install(["python3-venv"])
    message = str(stopped.value)
    assert "to do:   su -c 'apt-get update && apt-get install -y" in message
    assert " r-cran-reticulate " in message
    assert " gcc" not in message
    assert (" r-cran-testthat " in message) == tests
    # Ubuntu has no such package, and apt-get would then install nothing.
    alone = "; apt-get install -y --no-install-recommends chromium'"
    assert (alone in message) == ("chromium" in message) == tests
    assert apt.commands == []


@pytest.mark.parametrize("tests", [False, True])
def test_what_an_administrator_installed_needs_no_rights(monkeypatch, tests):
    present = everything() if tests else decide.package_list(APT) + BUILD
    apt = Apt(monkeypatch, present=present, uid=1000, tests=tests)
    for step in apt.environment.steps():
        if step.name in ("apt tests", "apt browser"):
            step.work()
    apt.environment.apt_install(apt.environment.for_r)
    apt.environment.apt_install(apt.environment.for_build)
    assert apt.commands == []
    if not tests:
        with pytest.raises(Stop, match="r-cran-lintr, r-cran-roxygen2"):
            more = Apt(monkeypatch, present=present, uid=1000, tests=True).environment
            more.apt_install(more.for_tests)


def test_packages_that_apt_cannot_install_stop(monkeypatch):
    apt = Apt(monkeypatch, fails=["r-cran-metafor"])
    with pytest.raises(Stop, match=r"(?s)code 100.*su -c"):
        apt.environment.install_for_r()


APT = (ROOT / "apt-packages.txt").read_text()


BUILD = decide.package_list(APT, "build")


def everything():
    return lines_of("apt-packages.txt")


def test_the_packages_for_python_come_first_and_all_are_installed(monkeypatch):
    environment = Apt(monkeypatch, tests=True).environment
    assert environment.for_python == ["python3-venv", "python3-dev"]
    assert environment.optional == ["chromium"]
    assert "r-base-core" in environment.for_r
    assert "gcc" in environment.for_build
    parts = ("for_python", "for_r", "for_build", "for_tests", "optional")
    found = [name for part in parts for name in getattr(environment, part)]
    assert sorted(found) == sorted(everything())


def test_readers_do_not_install_what_only_tests_need(monkeypatch):
    reader = Apt(monkeypatch).environment
    maintainer = Apt(monkeypatch, tests=True).environment
    assert set(maintainer.everything) - set(reader.everything) == {
        "r-cran-testthat",
        "r-cran-lintr",
        "r-cran-roxygen2",
        "chromium",
    }
    steps = [step.name for step in reader.steps()]
    assert [step.name for step in maintainer.steps()] == [
        *steps,
        "apt tests",
        "apt browser",
        "requirements for tests",
    ]
    # The tools for tests do not make anything else run again.
    assert maintainer.base() == reader.base()


OLD_R = {"R": (4, 1, 2), "reticulate": (1, 28)}


@pytest.mark.parametrize(
    ("found", "stops"),
    [
        ({}, None),
        ({"r": None}, None),  # apt will install one
        ({"r": OLD_R}, None),  # apt will install a newer one
        ({"r": OLD_R, "own_r": True}, "R 4.1.2, which is too old"),
        ({"version": (3, 10, 1)}, "too old"),
        ({"library": False}, "no shared library"),
        ({"version": (3, 12, 1)}, "do not work together"),
    ],
)
def test_a_known_problem_stops_before_the_first_change(monkeypatch, found, stops):
    environment = Apt(monkeypatch).environment
    environment.own_r = found.get("own_r", False)
    environment.command = "/opt/python"
    environment.facts = python_facts(
        *found.get("version", (3, 11, 2)), shared=found.get("library", True)
    )
    here = found.get("r", r_facts(reticulate=(1, 28)))
    monkeypatch.setattr(setup, "ask_r", lambda r, env: here)
    if stops is None:
        environment.judge_before()
    else:
        with pytest.raises(Stop, match=stops):
            environment.judge_before()


def test_a_removed_package_is_noticed_if_it_is_needed_later(monkeypatch):
    present = ["r-base-core", "gcc", "chromium"]
    environment = Apt(monkeypatch, present=present, tests=True).environment
    before = [environment.base(), *(step.result() for step in environment.steps())]
    # The compiler may go when everything is set up, as in the image.
    del environment.present["chromium"], environment.present["gcc"]
    results = [step.result() for step in environment.steps()]
    assert [environment.base(), *results] == before
    del environment.present["r-base-core"]
    assert environment.base() != before[0]


@pytest.mark.parametrize("machine", [{"fails": ["chromium"]}, {"uid": 1000}])
def test_set_up_continues_without_a_browser(monkeypatch, capsys, machine):
    Apt(monkeypatch, tests=True, **machine).environment.install_optional()
    assert "cannot install chromium" in capsys.readouterr().out


# --- Python's packages


def test_uv_asks_where_pip_would_and_pips_variables_win_over_its_files():
    found = decide.uv_variables(
        "global.index-url='https://one.example/simple'\n"
        "global.find-links='/a\\n/b'\n"
        "global.extra-index-url='https://x.example https://y.example'\n"
        "global.cert='/etc/ca.crt'\n"
        "global.disable-pip-version-check='1'\n"
        "download.index-url='https://other.example'\n"
    )
    assert found == {
        "UV_DEFAULT_INDEX": "https://one.example/simple",
        "UV_FIND_LINKS": "/a,/b",
        "UV_EXTRA_INDEX_URL": "https://x.example https://y.example",
        "SSL_CERT_FILE": "/etc/ca.crt",
    }
    lines = [":env:.index-url='e'", "install.index-url='i'", "global.index-url='g'"]
    for first in range(3):
        found = decide.uv_variables("\n".join(lines[first:]))
        assert found == {"UV_DEFAULT_INDEX": "eig"[first]}


class Installer:
    """An AptEnvironment with a .venv that only records its calls."""

    def __init__(self, monkeypatch, folder, uv=True, fails=()):
        self.calls, self.env = [], []
        monkeypatch.setattr(setup, "VENV", folder)
        (folder / "bin").mkdir(parents=True)
        if uv:
            (folder / "bin" / "uv").touch()

        def run(command, env, show_failure=True):
            words = [
                str(word).replace(str(folder / "bin") + "/", "") for word in command
            ]
            self.calls.append(words)
            self.env.append(env)
            return int(words[0] in fails)

        monkeypatch.setattr(setup, "run", run)
        pip_says = "global.index-url='https://pip.example/simple'\n"
        monkeypatch.setattr(setup, "output_of", lambda command, env=None: pip_says)
        monkeypatch.setattr(setup, "ask_python", lambda command: None)
        monkeypatch.setattr(setup, "query_dpkg", lambda names: {})
        monkeypatch.setattr(setup.os, "geteuid", lambda: 0)
        self.environment = setup.AptEnvironment()


def test_uv_installs_and_requires_the_hashes(monkeypatch, tmp_path):
    installer = Installer(monkeypatch, tmp_path)
    installer.environment.install_requirements()
    pip, uv = installer.calls
    assert pip[:4] == ["python", "-m", "pip", "install"]
    assert pip[-3:] == ["--only-binary=:all:", "-r", "requirements-uv.txt"]
    assert uv[:3] == ["uv", "pip", "install"]
    assert uv[-2:] == ["-r", "requirements.txt"]
    for call in installer.calls:
        assert {"--require-hashes", "--no-deps"} <= set(call)
    assert installer.env[1]["UV_DEFAULT_INDEX"] == "https://pip.example/simple"


def test_variables_for_uv_itself_win(monkeypatch, tmp_path):
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://uv.example/simple")
    installer = Installer(monkeypatch, tmp_path)
    installer.environment.install("requirements.txt")
    assert installer.env[0]["UV_DEFAULT_INDEX"] == "https://uv.example/simple"


@pytest.mark.parametrize("trouble", [{"uv": False}, {"fails": ["uv"]}])
def test_pip_takes_over_with_the_same_hashes(monkeypatch, tmp_path, trouble):
    installer = Installer(monkeypatch, tmp_path, **trouble)
    installer.environment.install("requirements.txt")
    assert installer.calls[-1][:4] == ["python", "-m", "pip", "install"]
    assert {"--require-hashes", "--no-deps"} <= set(installer.calls[-1])
    assert installer.calls[-1][-2:] == ["-r", "requirements.txt"]


def test_if_uv_and_pip_fail_set_up_stops(monkeypatch, tmp_path):
    installer = Installer(monkeypatch, tmp_path, fails=["uv", "python"])
    with pytest.raises(Stop, match=r"requirements\.txt"):
        installer.environment.install("requirements.txt")


@pytest.mark.parametrize(
    ("uv", "again"),
    [
        (True, ["--refresh-package=rpy2-r", "--reinstall-package=rpy2-r"]),
        (False, ["--no-cache-dir", "--force-reinstall"]),
    ],
)
def test_rpy2_is_compiled_again_with_the_locked_packages(
    monkeypatch, tmp_path, uv, again
):
    """A cached package may have been compiled against another R."""
    installer = Installer(monkeypatch, tmp_path, uv=uv)
    installer.environment.install("requirements-numpy1.txt", "rpy2-r")
    assert {"--no-build-isolation", *again} <= set(installer.calls[-1])


def test_numpy_and_rpy2_are_those_for_this_reticulate(monkeypatch, tmp_path, capsys):
    installer = Installer(monkeypatch, tmp_path)
    installer.environment.facts = python_facts(3, 11, 2)
    monkeypatch.setattr(setup, "ask_r", lambda r, env: r_facts(reticulate=(1, 28)))
    installer.environment.install_rpy2()
    assert installer.calls[-1][-1] == "requirements-numpy1.txt"
    assert any({"install", "gcc"} <= set(call) for call in installer.calls)
    assert "--reinstall-package=rpy2-rinterface" in installer.calls[-1]


# --- JAX


def test_jax_is_for_those_who_asked_for_it_once(monkeypatch, tmp_path):
    monkeypatch.setattr(setup, "VENV", tmp_path)

    def has_jax(*options):
        steps = setup.AptEnvironment(*options).steps()
        return "JAX" in [step.name for step in steps]

    assert [has_jax(), has_jax(False, "tensorflow")] == [False, False]
    assert has_jax(False, "jax")
    setup.AptEnvironment().stamp.set("JAX", "of an older list")
    assert has_jax()
    conda = setup.Environment(tmp_path, "jax").steps()
    assert conda[-1].name == "JAX"
    before = conda[-1].result()
    (tmp_path / "lib/python3.11/site-packages/jax").mkdir(parents=True)
    (tmp_path / "lib/python3.11/site-packages/jax/version.py").touch()
    assert conda[-1].result() != before


def test_jax_is_installed_with_hashes_and_started(monkeypatch, tmp_path):
    installer = Installer(monkeypatch, tmp_path)
    installer.environment.install_jax()
    pip, check = installer.calls
    assert {"--require-hashes", "--no-deps"} <= set(pip)
    assert pip[-2:] == ["-r", "requirements-jax.txt"]
    assert check[:2] == ["python", "-c"]
    assert installer.env[1]["KERAS_BACKEND"] == "jax"
    again = Installer(monkeypatch, tmp_path / "again", fails=["python"])
    with pytest.raises(Stop, match="to do:   make setup BACKEND=jax"):
        again.environment.install_jax()


@pytest.mark.parametrize(
    ("name", "todo"), [("torch", "pip install torch"), ("theano", "BACKEND=jax")]
)
def test_another_backend_stops(capsys, name, todo):
    assert setup.main(["--backend", name]) == 1
    found, _, to_do = capsys.readouterr().err.partition("to do:")
    assert f"found:   BACKEND={name}" in found
    assert todo in to_do


@pytest.mark.parametrize(("given", "options"), [([], ""), (["BACKEND=jax"], "'jax'")])
def test_make_names_the_backend(given, options):
    environ = {k: v for k, v in os.environ.items() if k not in ("BACKEND", "MAKEFLAGS")}
    command = ["make", "--dry-run", "-C", str(ROOT), "setup", *given]
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert ("--backend" in done.stdout) == bool(options)
    assert "tools/setup.py" in done.stdout and options in done.stdout


# --- the virtual environment, and whether each language finds the other


def test_a_venv_made_again_is_empty(monkeypatch, tmp_path):
    monkeypatch.setattr(setup, "VENV", tmp_path / ".venv")
    made = []
    monkeypatch.setattr(setup, "must_run", lambda command, *rest: made.append(command))
    environment = setup.AptEnvironment()
    environment.facts = python_facts(3, 11, 2)
    environment.make_venv()
    assert made == [[environment.command, "-m", "venv", "--clear", setup.VENV]]
    kept = setup.Stamp(environment.stamp.path).values
    assert kept == {"base python": environment.command}


@pytest.mark.parametrize("change", ["nothing", "place", "python", "made anew", "lost"])
def test_a_venv_of_another_python_or_place_is_not_done(monkeypatch, tmp_path, change):
    folder = tmp_path / ".venv"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    config = folder / "pyvenv.cfg"
    config.touch()
    monkeypatch.setattr(setup, "VENV", folder)
    environment = setup.AptEnvironment()
    environment.facts = python_facts(3, 11, 2)
    step = next(step for step in environment.steps() if step.name == "venv")
    replace(step, work=lambda: None).carry_out(environment.stamp)
    environment.facts = replace(environment.facts, version=(3, 11, 9))
    # An image keeps whole seconds only.
    os.utime(config, (0, int(config.stat().st_mtime)))
    assert step.is_done(environment.stamp)
    if change == "nothing":
        return
    if change == "place":
        monkeypatch.setattr(setup, "ROOT", tmp_path)
    elif change == "python":
        environment.facts = replace(environment.facts, version=(3, 13, 1))
    elif change == "made anew":
        os.utime(config, (1, 1))
    else:
        (folder / "bin" / "python").unlink()
    assert not step.is_done(environment.stamp)


def test_a_language_must_end_without_error_and_its_answer_is_shown(
    log, tmp_path, capsys
):
    environment = setup.Environment(tmp_path)
    environment.check("sh", "-c", "echo noise; echo answer: $KERAS_BACKEND")
    assert capsys.readouterr().out == "  tensorflow\n"
    with pytest.raises(Stop, match=r"(?s)exit code 3.*conda env create"):
        environment.check("sh", "-c", "echo noise; exit 3")
    assert "noise" in capsys.readouterr().out
    environment.r_library = tmp_path
    with pytest.raises(Stop, match=r"rm -rf \.venv && make setup"):
        environment.check("false")


# --- environment variables


def test_the_commands_see_the_environments_python_and_r_library(tmp_path):
    before = {"PATH": "/usr/bin", "R_LIBS": "/home/me/R", "PYTHONPATH": "/opt/ros"}
    library = tmp_path / "r-library"
    env = setup.child_environment(before, tmp_path, library)
    assert env["PATH"] == f"{tmp_path}/bin:/usr/bin"
    assert env["R_LIBS"] == f"{library}:/home/me/R"
    assert env["RETICULATE_PYTHON"] == f"{tmp_path}/bin/python"
    assert "PYTHONPATH" not in env
    # Set-up may call set-up.
    again = setup.child_environment(env, tmp_path, library)
    assert again["R_LIBS"] == env["R_LIBS"]
    # conda's R has its own library.
    env = setup.child_environment(before, tmp_path, None)
    assert env["R_LIBS"] == "/home/me/R"
    assert "VIRTUAL_ENV" not in env


@pytest.mark.parametrize(("has_it", "set_to"), [(True, None), (False, "C.UTF-8")])
def test_r_gets_a_locale_with_every_letter(monkeypatch, tmp_path, has_it, set_to):
    monkeypatch.setattr(setup, "locale_is_utf8", lambda: has_it)
    assert setup.child_environment({}, tmp_path, None).get("LC_ALL") == set_to


# --- steps and the stamp


class Recorder:
    """A step whose inputs, result and success a test can change."""

    def __init__(self, name, after=()):
        self.name = name
        self.after = after
        self.inputs = "inputs"
        self.result = "result"
        self.runs = 0
        self.error = None
        self.answer = None

    def work(self):
        self.runs += 1
        if self.error:
            raise self.error
        return self.answer

    def step(self):
        inputs, result = lambda: self.inputs, lambda: self.result
        return setup.Step(self.name, self.after, inputs, self.work, result)


def carry_out(recorders, stamp_path):
    setup.carry_out(
        [recorder.step() for recorder in recorders], setup.Stamp(stamp_path)
    )


def test_a_step_runs_once_and_again_when_its_inputs_or_its_result_change(tmp_path):
    recorder = Recorder("r")
    stamp = tmp_path / "new" / "stamp.json"
    carry_out([recorder], stamp)
    carry_out([recorder], stamp)
    assert recorder.runs == 1
    recorder.inputs = "edited"
    carry_out([recorder], stamp)
    assert recorder.runs == 2
    recorder.result = "deleted"
    carry_out([recorder], stamp)
    assert recorder.runs == 3


def test_a_file_edited_during_a_step_counts_as_changed(tmp_path):
    recorder = Recorder("r")
    recorder.work = lambda: setattr(recorder, "inputs", "edited meanwhile")
    carry_out([recorder], tmp_path / "stamp.json")
    assert not recorder.step().is_done(setup.Stamp(tmp_path / "stamp.json"))


def test_steps_run_side_by_side_and_wait_for_those_they_need(tmp_path):
    """Two steps run at the same time; the third starts when both are done."""
    meeting = threading.Barrier(2, timeout=20)
    ended = []
    first, second = Recorder("first"), Recorder("second")
    third = Recorder("third", after=("first", "second"))
    for recorder in (first, second):
        recorder.work = lambda name=recorder.name: (meeting.wait(), ended.append(name))
    third.work = lambda: ended.append("third")
    carry_out([third, first, second], tmp_path / "stamp.json")
    assert sorted(ended[:2]) == ["first", "second"]
    assert ended[2:] == ["third"]


def test_after_a_failure_no_step_starts_and_running_ones_finish(tmp_path):
    failed = threading.Event()
    bad, beside = Recorder("bad"), Recorder("beside")
    last = Recorder("last", after=("beside",))

    def fail():
        failed.set()
        raise Stop("no network", "PyPI", ["make setup"])

    bad.work = fail
    beside.work = lambda: failed.wait(20)
    with pytest.raises(Stop, match="no network"):
        carry_out([bad, beside, last], tmp_path / "stamp.json")
    assert last.runs == 0
    # The next set-up resumes at this step.
    ran = []
    bad.work, beside.work = lambda: ran.append("bad"), lambda: ran.append("beside")
    carry_out([bad, beside, last], tmp_path / "stamp.json")
    assert ran == ["bad"]
    assert last.runs == 1


def test_an_interrupt_ends_the_running_command_and_no_other_starts(
    monkeypatch, tmp_path
):
    monkeypatch.setattr(setup, "LOG", tmp_path / "setup.log")
    monkeypatch.setattr(setup, "interrupted", threading.Event())
    begun, codes = threading.Event(), []

    def work():
        begun.set()
        codes.append(setup.run(["sleep", "60"], os.environ))
        codes.append(setup.run(["true"], os.environ))

    def interrupt(running, return_when):
        assert begun.wait(20)
        while not setup.at_work:
            pass
        raise KeyboardInterrupt

    recorder = Recorder("slow")
    recorder.work = work
    monkeypatch.setattr(setup, "wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        carry_out([recorder], tmp_path / "stamp.json")
    assert codes == [-15]
    assert not recorder.step().is_done(setup.Stamp(tmp_path / "stamp.json"))


def test_a_finished_step_starts_those_that_wait_for_it(tmp_path):
    first, second = Recorder("first"), Recorder("second", after=("first",))
    carry_out([first], tmp_path / "stamp.json")
    carry_out([second, first], tmp_path / "stamp.json")
    assert (first.runs, second.runs) == (1, 1)


def test_every_step_waits_for_what_it_needs(monkeypatch):
    steps = Apt(monkeypatch, tests=True).environment.steps()
    after = {step.name: set(step.after) for step in steps}
    assert after["rpy2"] == {"requirements", "apt R"}
    assert after["python companion"] == {"rpy2"}
    assert after["R companion"] == {"apt R", "venv"}
    assert after["check R"] == {"python companion", "R companion"}
    before = set()
    for name, names in after.items():
        assert before.issuperset(names), name
        before.add(name)


FOR_TESTS = "requirements for tests"
COMPANIONS = {"python companion", "R companion", "check Python", "check R", "JAX"}


@pytest.mark.parametrize(
    ("file", "again"),
    [
        ("requirements.txt", {"requirements", "rpy2", *COMPANIONS, FOR_TESTS}),
        ("requirements-tests.txt", {FOR_TESTS}),
        ("requirements-jax.txt", {"JAX"}),
        ("requirements-numpy1.txt", {"rpy2", *COMPANIONS}),
        ("python/a.py", {"python companion"}),
        ("r/R/a.R", {"R companion"}),
        ("r/tests/a.R", set()),
        ("conda/conda-meta/a.json", COMPANIONS),
    ],
)
def test_a_change_makes_the_right_steps_run_again(monkeypatch, tmp_path, file, again):
    for path in (*ROOT.glob("requirements*.txt"), ROOT / "apt-packages.txt"):
        shutil.copy(path, tmp_path)
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    environment = Apt(monkeypatch, tests=True).environment
    if file.startswith("conda"):
        environment = setup.Environment(tmp_path / "conda")
    environment.backend = "jax"
    before = {step.name: step.inputs() for step in environment.steps()}
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as changed:
        changed.write("# more")
    after = {step.name: step.inputs() for step in environment.steps()}
    assert {name for name in before if before[name] != after[name]} == again


def test_leftovers_of_an_installation_are_removed(monkeypatch, tmp_path):
    """They come from an R installation that was killed, or from setuptools."""
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    monkeypatch.setattr(setup, "must_run", lambda *arguments: None)
    environment = setup.Environment(tmp_path)
    environment.r_library = tmp_path / "r-library"
    for name in ("r-library/00LOCK-r", "python/build", "python/x.egg-info"):
        (tmp_path / name).mkdir(parents=True)
    environment.install_r_companion()
    environment.install_python_companion()
    left = {path.name for path in tmp_path.rglob("*")}
    assert left == {"r-library", "python"}


def test_an_optional_step_that_fails_is_tried_again_later(tmp_path):
    data, after = Recorder("data"), Recorder("after", after=("data",))
    data.answer = False
    carry_out([data, after], tmp_path / "stamp.json")
    carry_out([data, after], tmp_path / "stamp.json")
    assert (data.runs, after.runs) == (2, 1)


@pytest.mark.parametrize(("command", "done"), [("true", True), ("false", False)])
def test_without_the_data_the_rest_works(log, tmp_path, capsys, command, done):
    environment = setup.Environment(tmp_path)
    environment.python = command
    assert environment.fetch_data() is done
    assert ("MNIST" in capsys.readouterr().out) != done


def test_the_stamp_is_json_and_a_damaged_one_counts_as_empty(tmp_path):
    path = tmp_path / "stamp.json"
    setup.Stamp(path).set("venv", "abc")
    assert json.loads(path.read_text()) == {"venv": "abc"}
    assert [path.name for path in tmp_path.iterdir()] == ["stamp.json"]
    path.write_text('{"packages": "abc')
    assert setup.Stamp(path).values == {}


def test_compiled_files_and_tests_are_not_sources(tmp_path):
    """`make book` imports r/inst/python; that does not make the R companion stale."""
    kept = ["DESCRIPTION", "inst/python/a.py", "src/rebuild/tests.c"]
    made = ["tests/a.R", "inst/python/a.pyc", "a.so", "build/lib/a.py", ".Rhistory"]
    made += ["src/.cache/a.py", "src/__pycache__/a.py", "x.egg-info/PKG-INFO"]
    for name in kept + made:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in setup.sources(tmp_path)]
    assert sorted(found) == kept


def test_deleted_and_damaged_files_are_noticed(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("1")
    second.write_text("2")
    before = setup.listing([first, second])
    assert setup.listing([second, first]) == before
    assert setup.listing([first]) != before
    second.write_text("")
    assert setup.listing([first, second]) != before


def test_a_set_up_waits_for_the_one_that_holds_the_lock(tmp_path, monkeypatch, capsys):
    path = tmp_path / "new" / "setup.lock"
    with setup.only_one(path), path.open() as lock, pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    asked = []

    def flock(lock, how):
        asked.append(how)
        if how & fcntl.LOCK_NB:
            raise BlockingIOError

    monkeypatch.setattr(fcntl, "flock", flock)
    with setup.only_one(path):
        assert "Waiting" in capsys.readouterr().out
        assert asked == [fcntl.LOCK_EX | fcntl.LOCK_NB, fcntl.LOCK_EX]


# --- output


COUNT = "for i in $(seq 60); do echo line $i; done; exit {}"


def test_a_command_that_works_prints_only_to_the_log(log, capfd):
    assert setup.run(["bash", "-c", COUNT.format(0)], os.environ) == 0
    assert capfd.readouterr() == ("", "")
    lines = log.read_text().splitlines()
    assert lines[0].startswith("$ bash -c ")
    assert lines[1:] == [f"line {i}" for i in range(1, 61)]
    setup.run(["echo", "more"], os.environ)
    assert len(log.read_text().splitlines()) == 63


def test_a_failure_shows_the_last_lines_and_names_the_log(log, capfd):
    assert setup.run(["bash", "-c", COUNT.format(3)], os.environ) == 3
    shown = capfd.readouterr().out.splitlines()
    assert shown[1:-1] == [f"line {i}" for i in range(36, 61)]
    assert str(log) in shown[-1]
    with pytest.raises(Stop, match="exit code 3"):
        setup.must_run(["bash", "-c", COUNT.format(3)], os.environ, "a bash")


class OneStep:
    """An environment with one step and a separate folder."""

    def __init__(self, folder, work):
        folder.mkdir()
        self.stamp = setup.Stamp(folder / "stamp.json")
        self.lock_path = folder / "setup.lock"
        self.first_time = "a minute"
        self.judge_before = lambda: None
        self.steps = lambda: [setup.Step("one", [], str, work)]


def test_a_set_up_that_is_complete_does_nothing(log, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    done = OneStep(tmp_path / "done", lambda: None)
    monkeypatch.setattr(setup, "find_environment", lambda *options: done)
    log.parent.mkdir()
    log.write_text("old")
    setup.set_up(quiet=True)
    assert log.read_text() == ""
    assert "a minute" in capsys.readouterr().out  # the first time
    done.judge_before = pytest.fail
    setup.set_up(quiet=True)
    assert capsys.readouterr().out == ""
    setup.set_up(quiet=False)
    assert "nothing to do" in capsys.readouterr().out


def test_steps_of_another_set_up_are_not_done_again(log, monkeypatch, tmp_path):
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    stale = OneStep(tmp_path / "stale", pytest.fail)
    found = iter([stale, OneStep(tmp_path / "done", lambda: None)])
    monkeypatch.setattr(setup, "find_environment", lambda *options: next(found))
    assert setup.set_up(quiet=True) is not stale


@pytest.mark.parametrize(
    ("problem", "code", "words"),
    [
        (
            PermissionError(13, "Permission denied", "/srv/x"),
            1,
            ["/srv/x, where", "to do"],
        ),
        (Stop("a", "b", ["c", "d"]), 1, ["found:   a", "to do:   c", "or:  d"]),
        (KeyboardInterrupt(), 130, ["Interrupted"]),
    ],
)
def test_every_failure_has_a_message(monkeypatch, capsys, problem, code, words):
    def refuse(*options):
        raise problem

    monkeypatch.setattr(setup, "set_up", refuse)
    assert setup.main([]) == code
    complaint = capsys.readouterr().err
    for word in words:
        assert word in complaint


@pytest.mark.parametrize(
    ("arguments", "tests", "backend", "command"),
    [
        ([], False, "", None),
        (["--tests"], True, "", None),
        (["--backend", "jax", "--tests"], True, "jax", None),
        (["--exec", "a", "--backend", "jax"], False, "", ["a", "--backend", "jax"]),
        (["--tests", "--exec", "a", "-h", "--"], True, "", ["a", "-h", "--"]),
    ],
)
def test_a_command_says_what_more_it_needs(
    monkeypatch, tmp_path, arguments, tests, backend, command
):
    seen = {}
    environment = setup.Environment(tmp_path)

    def set_up(quiet, tests, backend):
        seen.update(quiet=quiet, tests=tests, backend=backend)
        return environment

    monkeypatch.setattr(setup, "set_up", set_up)
    monkeypatch.setattr(
        setup.os, "execvpe", lambda name, words, env: seen.update(command=words)
    )
    assert setup.main(arguments) == 0
    assert seen.pop("command", None) == command
    assert seen == {"quiet": command is not None, "tests": tests, "backend": backend}
    with pytest.raises(SystemExit):
        setup.main(["--other"])


# --- the program as a whole


@pytest.mark.skipif(
    not shutil.which("apt-get"),
    reason="elsewhere set-up stops for want of apt, before it asks Python",
)
def test_a_python_that_is_too_old_ends_with_one_message_and_code_1(tmp_path):
    """A fake Python answers as Python 3.9 would."""
    stub = tmp_path / "python3.9"
    stub.write_text("#!/bin/sh\necho '[\"/opt/python3.9\", [3, 9, 2], true]'\n")
    stub.chmod(0o755)
    environ = {k: v for k, v in os.environ.items() if k != "CONDA_PREFIX"}
    result = subprocess.run(
        [sys.executable, str(TOOLS / "setup.py")],
        env={**environ, "PYTHON": str(stub)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 1
    assert "is Python 3.9.2, which is too old" in result.stderr
    assert "Traceback" not in result.stderr


# --- the lists agree with each other


def requirements(file):
    return {x.name: x for x in map(Requirement, lines_of(file))}


WANTED = requirements("requirements.in")
BIG = requirements("requirements.txt")
TESTS, IMAGE, JAX = (
    requirements(f"requirements-{name}.txt") for name in ("tests", "image", "jax")
)
SMALL = {n: requirements(f"requirements-numpy{n}.txt") for n in (1, 2)}
LISTS = sorted(path.name for path in ROOT.glob("requirements*.txt"))


@pytest.mark.parametrize("file", LISTS)
def test_every_package_is_pinned_with_hashes_and_no_address(file):
    text = (ROOT / file).read_text()
    entries = re.split(r"(?m)^(?=[\w.-]+==)", text)[1:]
    assert len(entries) == len(lines_of(file))
    for entry in entries:
        assert re.match(r"[\w.-]+==[\w.]+( ; .*)? \\\n +--hash=sha256:\w{64}", entry)
    assert "/" not in text.replace("make lock", "")


@pytest.mark.parametrize(
    ("list_", "locked"),
    [
        ("requirements.in", BIG | SMALL[2]),
        ("requirements-tests.in", TESTS),
        ("requirements-image.in", IMAGE),
        ("requirements-jax.in", JAX),
    ],
)
def test_everything_in_a_list_is_locked_in_an_allowed_version(list_, locked):
    for name, wanted in requirements(list_).items():
        pin = str(locked[name].specifier).removeprefix("==")
        assert wanted.specifier.contains(pin), f"{name}: run `make lock`"


def test_no_package_is_in_two_lists():
    for more in (TESTS, IMAGE, JAX):
        assert not set(more) & set(BIG | SMALL[2])
    both = set(TESTS) & set(IMAGE)
    assert all(TESTS[name].specifier == IMAGE[name].specifier for name in both)


def test_one_tensorflow_for_each_processor():
    for name, machine in (("tensorflow-cpu", "x86_64"), ("tensorflow", "aarch64")):
        assert str(BIG[name].marker) == f'platform_machine == "{machine}"'


@pytest.mark.parametrize("number", SMALL)
def test_the_small_lists_have_the_packages_that_depend_on_r(number):
    assert set(SMALL[number]) == {"numpy", "rpy2-rinterface"}
    assert str(SMALL[number]["numpy"].specifier).startswith(f"=={number}.")
    assert not set(SMALL[number]) & set(BIG)


CONDA = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
FROM_CONDA = [entry for entry in CONDA if isinstance(entry, str)]
FROM_PYPI = [Requirement(x) for y in CONDA if isinstance(y, dict) for x in y["pip"]]


def test_conda_and_apt_install_the_same_r_packages():
    from_conda = set(re.findall(r"\br-([\w.]+)", " ".join(FROM_CONDA)))
    from_apt = re.findall(r"(?m)^r-cran-(\S+)", APT)
    # keras3 depends on these; Debian has neither.
    assert from_conda - {"base", "tensorflow"} == set(from_apt)


def test_conda_and_pip_install_the_same_python_packages():
    from_pypi = {entry.name: entry.specifier for entry in FROM_PYPI}
    names = {re.split(r"[=<>]", entry)[0] for entry in FROM_CONDA} | set(from_pypi)
    # conda has rpy2 in one piece, matplotlib without a window system, other names.
    other = dict.fromkeys(["rpy2-rinterface", "rpy2-robjects"], "rpy2")
    other["matplotlib"] = "matplotlib-base"
    other["fastjsonschema"] = "python-fastjsonschema"
    wanted = WANTED | requirements("requirements-tests.in")
    assert {other.get(name, name) for name in wanted} <= names
    for name, specifier in from_pypi.items():
        assert specifier == wanted[name].specifier


def pinned_for_conda(name):
    [found] = [x for x in FROM_CONDA if re.match(rf"{name}=", x)]
    return found.partition("=")[2]


@pytest.mark.parametrize("name", ["jupyterlab", "nbval", "rpy2", "numpy"])
def test_conda_and_pip_have_the_same_releases_where_both_pin(name):
    locked = (BIG | SMALL[2] | TESTS)[{"rpy2": "rpy2-rinterface"}.get(name, name)]
    pin = str(locked.specifier).removeprefix("==")
    assert f"{pin}.".startswith(f"{pinned_for_conda(name)}.")


def test_condas_pins_are_of_a_set_that_works_together():
    """The limits come from the packages' own requirements."""
    names = ("r-base", "r-reticulate", "python", "numpy", "rpy2")
    found = (decide.version(pinned_for_conda(name)) for name in names)
    r, reticulate, python, numpy, rpy2 = found
    assert r >= decide.R_MIN
    assert reticulate >= (1, 42)  # keras3 1.5.1
    assert reticulate >= decide.RETICULATE_FOR_NUMPY_2
    assert reticulate >= decide.RETICULATE_FOR_PYTHON[python]
    assert decide.PYTHON_MIN <= python <= decide.PYTHON_MAX
    assert numpy >= (2,)
    assert rpy2 < (3, 6, 6) or r >= (4, 5)
