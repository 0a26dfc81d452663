"""Campaigns on several machines: a real scheduler of Dask, and real workers."""

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
import types

import pytest
from sidebyside.timing import (
    NoTimings,
    WrongPlan,
    load_campaigns,
    load_studies,
    run_study,
    study,
)
from sidebyside.timing import __main__ as command
from sidebyside.timing import format as layout
from sidebyside.timing.__main__ import main
from sidebyside.timing.machine import machine_id
from sidebyside.timing.networks import Network
from timing_fakes import has_ended

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None,
    reason="the package distributed is not installed",
)

HANG = (
    "import signal\nopen(f'{folder}/pid', 'w').write(str(os.getpid()))\nsignal.pause()"
)
# Code that a worker and its programs run at their start.
OTHER_VERSION = """
import importlib.metadata as metadata
version = metadata.version
metadata.version = lambda name: "0.1" if name == %r else version(name)
"""
FULL_DISK = """
import shutil, types
shutil.disk_usage = lambda path: types.SimpleNamespace(free=1e6)
"""


def wait(condition, seconds=60):
    """Return what a function returns as soon as that is true."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.1)
    return found


def start(log, module, *arguments, **variables):
    """Start a program of Dask."""
    with log.open("w") as file:
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{module}", *map(str, arguments)],
            env=os.environ | variables,
            stdout=file,
            stderr=file,
        )


class Worker:
    """A worker in a process of its own, as if it were another machine.

    `processors` is a part of the machine's identity.
    """

    def __init__(self, folder, address, processors, options, code="", **variables):
        self.folder, self.log, stub = folder, folder / "log", folder / "stub"
        for x in (stub, folder / "done"):
            x.mkdir(parents=True, exist_ok=True)
        same = f"import os\nos.cpu_count = lambda: {processors}\n"
        (stub / "sitecustomize.py").write_text(same + code)
        # The real one takes a second.
        (stub / "cpuinfo.py").write_text("get_cpu_info = dict")
        paths = [str(stub), os.environ.get("PYTHONPATH", "")]
        own = {
            "SIDEBYSIDE_TIMING_LOCK": str(folder / "lock"),
            "SIDEBYSIDE_DATA": str(folder),
            "SIDEBYSIDE_FAKE": str(folder),
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        }
        self.process = start(
            self.log,
            "dask_worker",
            *(address, "--host", "127.0.0.1", "--no-dashboard", "--nthreads", 1),
            *("--local-directory", folder, *options),
            **own | variables,
        )

    def is_ready(self):
        assert self.process.poll() is None, self.log.read_text()
        return "Registered to" in self.log.read_text()

    def hang(self, number):
        """Let the n-th training never end."""
        (self.folder / str(number)).write_text(HANG)

    def pid(self):
        """Return the process of the training that hangs."""
        path = self.folder / "pid"
        return int(wait(lambda: path.exists() and path.read_text()))

    def campaign(self):
        """Return the campaign's folder on this worker."""
        [folder] = (self.folder / "timings").iterdir()
        return folder

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The address of a scheduler."""
    folder = tmp_path_factory.mktemp("scheduler")
    file = folder / "scheduler.json"
    process = start(
        folder / "log",
        "dask_scheduler",
        *("--host", "127.0.0.1", "--port", 0, "--no-dashboard"),
        *("--scheduler-file", file),
    )

    def found():
        assert process.poll() is None, (folder / "log").read_text()
        with contextlib.suppress(OSError, ValueError):
            return json.loads(file.read_text())["address"]

    try:
        yield wait(found)
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def worker(fakes, address):
    """Returns a function that starts a worker."""
    workers = []

    def worker(name, processors, *options, **more):
        options = options or ("--no-nanny", "--resources", "campaign=1")
        folder = fakes.folder / name
        workers.append(Worker(folder, address, processors, options, **more))
        return workers[-1]

    yield worker
    for x in workers:
        x.kill()


@pytest.fixture
def arguments(fakes, address):
    """The arguments of a short campaign."""
    return (
        *("run", "--on", address, "--name", "lab", "--notebook", fakes.notebook),
        *("--directory", fakes.campaigns, "--progress", "lines"),
        *("--blocks", "2", "--arms", "python,python-again"),
    )


def ready(*workers):
    wait(lambda: all(x.is_ready() for x in workers))


def states(place):
    """Return the states of the runs at home, which can be loaded at any time."""
    try:
        return load_campaigns(place)["state"].tolist()
    except NoTimings:
        return []


def test_a_worker_that_dies_loses_its_run_and_nothing_else(fakes, worker, arguments):
    """A third machine joins later. It has another version, and is kept apart."""
    home, apart = fakes.campaigns / "lab", fakes.campaigns / "lab-apart"
    first, dying = worker("first", 101), worker("dying", 102)
    ready(first, dying)
    dying.hang(4)
    process = fakes.command(*arguments)
    pid, name = dying.pid(), dying.campaign().name
    other = worker("other", 103, code=OTHER_VERSION % "h5py")
    wait(lambda: len(states(home / name)) == 3)
    wait(lambda: len(states(apart)) == 6)
    dying.kill()
    # The campaign ends with its worker, and records the run.
    assert has_ended(pid, 30)
    wait(lambda: states(dying.campaign())[3:] == ["interrupted"])
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 1, told
    assert f"{name}: The worker tcp://127.0.0.1:" in told
    assert f"{first.campaign().name}: 6 of 6 runs" in told
    assert "The same command with --name lab resumes" in told
    assert f"{other.campaign().name} differs and is in {apart}: h5py" in told
    table = load_campaigns(home)
    assert set(table["state"]) == {"ok"}
    assert len(table) == 6 + 3
    assert dict(zip(table["campaign"], table["ended"], strict=True)) == {
        first.campaign().name: "planned",
        name: "unfinished",
    }
    assert set(load_campaigns(apart)["campaign"]) == {other.campaign().name}

    (dying.folder / "4").unlink()
    before = (first.campaign() / "runs.csv").read_bytes()
    dying = worker("dying", 102)
    ready(dying)
    process = fakes.command(*arguments)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 0, told
    assert "lab: all campaigns are finished" in told
    assert states(home / name) == ["ok"] * 3 + ["interrupted"] + ["ok"] * 3
    assert (first.campaign() / "runs.csv").read_bytes() == before
    assert set(load_campaigns(home)["ended"]) == {"planned"}
    for x in layout.SHARED:
        assert (home / name / x).read_bytes() == (dying.campaign() / x).read_bytes()


def test_campaigns_stop_with_the_command(fakes, worker, arguments):
    """It is killed; then the disk at home is full; then Ctrl-C is pressed."""
    one, home = worker("one", 101), fakes.campaigns / "lab"
    ready(one)
    for number in range(2, 6):
        one.hang(number)
    process = fakes.command(*arguments)
    pid = one.pid()
    wait(lambda: states(home) == ["ok"])
    process.kill()
    process.communicate()
    assert has_ended(pid, 30)
    wait(lambda: states(one.campaign()) == ["ok", "interrupted"])

    # No file may have more than 1024 bytes.
    limited = ["bash", "-c", 'ulimit -f 1; exec "$@"', *map(str, process.args[:1])]
    done = subprocess.run(
        limited + process.args, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "disk is full" in done.stderr and "Make room" in done.stderr
    assert states(home) == ["ok"]

    (one.folder / "pid").unlink(missing_ok=True)
    process = fakes.command(*arguments)
    pid = one.pid()
    process.send_signal(signal.SIGINT)
    told, _ = process.communicate(timeout=30)
    assert process.returncode == 130, told
    assert "The same command with --name lab resumes" in told
    assert has_ended(pid)
    assert states(home) == states(one.campaign())
    assert states(home)[-1] == "interrupted"


def test_every_worker_that_cannot_measure_is_named(
    fakes, worker, arguments, monkeypatch
):
    monkeypatch.delenv("R_HOME", raising=False)
    package = fakes.folder / "old" / "stub" / "sidebyside"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    ready(
        worker("full", 101, code=FULL_DISK),
        worker("without-r", 102, PATH=str(fakes.folder)),
        worker("twin", 102, PATH=str(fakes.folder)),
        worker("old", 103),
        worker("mixed", 104, code=OTHER_VERSION % "distributed"),
        worker("plain", 105, "--no-nanny"),
    )
    process = fakes.command(*arguments, "--arms", "python,r")
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 1, told
    for words in (
        "No module named 'sidebyside.timing'",
        "it has distributed 0.1, but here is",
        "it was not started with `dask worker",
        "is on the same machine",
        "1 MB are free on the disk of",
        "There is no Rscript on PATH",
    ):
        assert sum(words in line for line in told.splitlines()) == 1, (words, told)
    assert not list(fakes.campaigns.glob("lab*/*"))


def test_without_a_worker_or_a_scheduler_a_sentence_says_what_to_do(fakes, arguments):
    address = arguments[2]
    wrong = fakes.command("run", "--on", "tcp://127.0.0.1:9")
    lonely = fakes.command(*arguments)
    for process, words in (
        (wrong, "No Dask scheduler answered at tcp://127.0.0.1:9"),
        (lonely, f"type `dask worker {address} --no-nanny"),
    ):
        told, _ = process.communicate(timeout=60)
        assert process.returncode == 1
        assert words in told and told.count("\n") == 1


# --- without processes


def test_without_dask_a_sentence_says_what_to_install(monkeypatch, capfd):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main(["run", "--on", "tcp://x:8786"]) == 1
    told = capfd.readouterr().err
    assert "-m pip install distributed`" in told and told.count("\n") == 1


def test_the_workers_get_all_other_options(monkeypatch):
    asked = []
    monkeypatch.setattr(command, "run_on", lambda *given: asked.append(given))
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    chosen = ["--networks", "mnist,fruits", "--short", "--timeout", "9.5"]
    assert main(["run", "--on", "tcp://x:1", "--name", "lab", *chosen]) == 0
    [(address, name, own, *_)] = asked
    assert (address, name) == ("tcp://x:1", "lab")
    options = command.parser().parse_args(["run", *own])
    assert options.networks == ("mnist", "fruits")
    assert (options.blocks, options.arms) == (4, ("python", "r"))
    assert (options.backend, options.timeout) == ("jax", 9.5)
    assert (options.name, options.on, options.short) == (None, None, False)


def test_a_study_comes_home_whole(fakes, monkeypatch):
    """A row that is half written stays on the worker."""
    from sidebyside.timing import remote

    there, home = fakes.folder / "there", fakes.campaigns / "lab"
    known = {x: Network(str(fakes.notebook), (2, 3)) for x in ("a", "b")}
    monkeypatch.setattr(study, "NETWORKS", known)
    monkeypatch.setattr(remote, "timings_directory", lambda: there)
    name = f"lab-{machine_id()}"
    run_study(
        name,
        ("a", "b"),
        blocks=1,
        arms=("python", "python-again"),
        directory=there,
        progress="none",
    )
    worker = types.SimpleNamespace(
        state=types.SimpleNamespace(total_resources={"campaign": 1.0}), nanny=None
    )
    with (there / name / f"{name}-a" / "runs.csv").open("a") as file:
        file.write(f"{name}-a,9,1,")
    found = remote.look("lab", {}, worker)
    assert (found["campaign"], found["usable"]) == (name, True)
    said = []
    machine = remote.Machine("tcp://x:1", None)
    campaigns = remote.Campaigns(
        None, (), home, home.with_name("lab-apart"), said.append, False, {name: machine}
    )
    campaigns._bring_home(name, machine, found["changed"])
    assert said == [f"{name}: 8 of 8 runs"]
    assert load_studies(home)["state"].tolist() == ["ok"] * 8
    assert remote.look("lab", {name: machine.stamps}, worker)["changed"] == {}
    with pytest.raises(WrongPlan, match="is a study"):
        remote.run_on("tcp://x:1", name, [], home, "none")
