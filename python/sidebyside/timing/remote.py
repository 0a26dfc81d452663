"""Run a campaign on several machines at once, each of which has a Dask worker.

Dask's scheduler knows the machines. A worker with the resource `campaign` does one
campaign at a time: the ordinary command, in a process of its own. Its files come home
whenever they change, so that everything at home can be loaded at any time.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..common import files
from ..common.python import interpreter
from . import format as layout
from . import reading
from .campaign import Stopped, new_folder
from .collecting import keep_apart
from .loader import is_done, timings_directory
from .locks import holder
from .machine import machine_id
from .plan import WrongPlan, check_name
from .progress import Progress, choose
from .report import runs_text
from .run.processes import TICK, run_leashed

# Seconds in which a scheduler must answer, and in which campaigns must stop.
TO_ANSWER, TO_STOP = 5, 20
WORKING = ("running", "paused")
_machine = functools.cache(machine_id)
AGAIN = "The same command with --name {} resumes what is not finished."
START = "dask worker {} --no-nanny --nthreads 1 --resources campaign=1"


def measure(campaign: str, arguments: Sequence[str]) -> str:
    """Run or resume a campaign; return why it is not finished, or "".

    Dask calls this in a thread of the worker. If the task is cancelled (also when the
    client is gone) or the worker ends, the campaign records its run and ends.
    """
    from distributed import get_worker

    logging.getLogger("distributed.worker").setLevel("WARNING")  # not each look()
    worker, folder = get_worker(), timings_directory() / campaign
    task = worker.state.tasks[worker.get_current_task()]
    command = ["run", f"--name={campaign}", *arguments]
    if reading.is_begun(folder):
        command = ["resume", str(folder)]
    code, said = run_leashed(
        [*command, "--progress=none"],
        files.project_directory(),
        lambda: worker.status.name in WORKING and task.state == "executing",
    )
    said = " ".join(said.split()) or f"It ended with the exit status {code}."
    return said if code else ""


def look(name: str, known: dict[str, Any], dask_worker: Any) -> dict[str, Any]:
    """Return what home wants to know of a worker, with the files that have changed.

    `known` has what is at home: for each campaign the times and sizes of its files.
    """
    campaign, busy = f"{name}-{_machine()}", holder() is not None
    folder, old, changed = timings_directory() / campaign, known.get(campaign, {}), {}
    # In this order: runs.csv makes a folder a campaign, and study.json a study.
    for file in (*layout.SHARED, layout.STUDY) if reading.is_begun(folder) else ():
        for path in (folder / file, *sorted(folder.glob(f"*/{file}"))):
            with contextlib.suppress(FileNotFoundError):
                found, inner = path.stat(), str(path.relative_to(folder))
                stamp = found.st_mtime_ns, found.st_size
                if old.get(inner) != stamp:
                    # The last line of runs.csv may be half written.
                    content = path.read_bytes()
                    changed[inner] = stamp, content[: content.rfind(b"\n") + 1]
    # A nanny would set the number of threads, also that of the timed programs.
    usable = "campaign" in dask_worker.state.total_resources and not dask_worker.nanny
    found = {"campaign": campaign, "busy": busy, "changed": changed, "usable": usable}
    return found | {"distributed": version("distributed")}


# --- at home


@dataclass
class Machine:
    """A machine that measures. `said` is None until its task ends or is lost."""

    address: str
    task: Any
    stamps: dict[str, Any] = field(default_factory=dict)
    busy: bool = True
    said: str | None = None


@dataclass
class Campaigns:
    """The campaigns of one name, on all machines of a Dask scheduler."""

    client: Any
    arguments: Sequence[str]
    home: Path
    apart: Path
    say: Callable[[str], None]  # each sentence once
    quiet: bool
    machines: dict[str, Machine] = field(default_factory=dict)

    def follow(self) -> None:
        """Bring everything home until all campaigns have ended, or stop them all."""
        try:
            self.look()
            while running := self._running():
                time.sleep(TICK)
                done = [x for x in running if x.task.done()]
                # Look after that: a task has written its last files when it ends.
                self.look()
                for x in done:
                    x.said = x.said or _result(x.task)
        except BaseException:
            self.say(f"Stopping. {AGAIN.format(self.home.name)}")
            with contextlib.suppress(Stopped, OSError):
                for x in self._running():
                    x.task.cancel()
                for _ in range(TO_STOP):
                    if any(x.busy for x in self._running()):
                        time.sleep(1)
                        self.look(start=False)
            raise

    def _running(self) -> list[Machine]:
        return [x for x in self.machines.values() if x.said is None]

    def look(self, start: bool = True) -> None:
        """Bring home what is new, and start the workers that are new."""
        known = {name: x.stamps for name, x in self.machines.items()}
        try:
            answers = self.client.run(look, self.home.name, known, on_error="return")
        except Exception as problem:  # of any kind, if there is no scheduler
            raise Stopped("The scheduler no longer answers.") from problem
        for x in self._running():
            if x.address not in answers:
                x.said = f"The worker {x.address} has gone. Start it again."
                x.task.cancel()
                self.say(x.said)
        for address, answer in sorted(answers.items()):
            # An OSError without a file is the network's: the worker may answer later.
            if not (isinstance(answer, OSError) and answer.filename is None):
                self._hear(address, answer, start)

    def _hear(self, address: str, answer: Any, start: bool) -> None:
        x = self.machines.get(answer["campaign"]) if isinstance(answer, dict) else None
        why = ""
        if isinstance(answer, Exception):
            why = f"{answer}; it needs a copy of this project"
        elif (theirs := answer["distributed"]) != (ours := version("distributed")):
            why = f"it has distributed {theirs}, but here is {ours}"
        elif not answer["usable"]:
            why = f"it was not started with `{START.format('ADDRESS')}`"
        elif x and x.said is None and x.address != address:
            why = f"{x.address} is on the same machine, and one is enough"
        if why:
            self.say(f"The worker {address} is left out: {why}.")
        elif x:
            x.busy = answer["busy"]
            self._bring_home(answer["campaign"], x, answer["changed"])
        elif start:
            name, options = answer["campaign"], {"pure": False, "workers": [address]}
            options |= {"resources": {"campaign": 1}, "allow_other_workers": False}
            task = self.client.submit(measure, name, self.arguments, **options)
            self.machines[name] = Machine(address, task)
            self.say(f"{name}: on the worker {address}")

    def _bring_home(self, name: str, x: Machine, changed: dict[str, Any]) -> None:
        for inner, (stamp, content) in changed.items():
            path = self._place(name) / inner
            path.parent.mkdir(parents=True, exist_ok=True)
            files.write_whole(path, content)
            x.stamps[inner] = stamp
        if any(inner.endswith(layout.MACHINE) for inner in changed):
            for text in keep_apart(self.home, self.apart):
                self.say(text)
        if changed and not self.quiet:
            self.say(f"{name}: {runs_text(self._place(name))}")

    def _place(self, name: str) -> Path:
        apart = self.apart / name
        return apart if apart.exists() else self.home / name

    def missing(self, name: str) -> str:
        whole = is_done(self._place(name))
        return self.machines[name].said or ("" if whole else "its end is not here")


def _result(task: Any) -> str:
    try:
        return task.result(TO_ANSWER)
    except Exception as problem:  # of any kind: Dask's, or the worker's
        return f"{type(problem).__name__}: {problem}"


def run_on(
    address: str, name: str, arguments: Sequence[str], directory: Any, progress: Any
) -> Path:
    """Run a campaign on each machine with a worker of a Dask scheduler.

    `arguments` are options of `python -m sidebyside.timing run`; `directory` and
    `progress` are those of `run_campaign()`. Returns the folder, which can be loaded.
    Raises `WrongPlan` if no machine can start, `Stopped` if one does not finish.
    """
    check_name(name)
    home, apart = (new_folder(x, directory) for x in (name, f"{name}-apart"))
    shown = choose(progress)
    say, quiet = functools.cache(shown.say), type(shown) is Progress
    with _connected(address) as client:
        found = Campaigns(client, tuple(arguments), home, apart, say, quiet)
        try:
            found.follow()
        except files.DiskFull as problem:
            raise Stopped(f"{problem.strerror}. Make room.") from problem
    if not found.machines:
        raise WrongPlan(
            f"The scheduler {address} has no worker that can measure. On each machine, "
            f"in a copy of the project, type `{START.format(address)}`."
        )
    if bad := [f"{x}: {y}" for x in found.machines if (y := found.missing(x))]:
        raise Stopped("\n".join([*bad, AGAIN.format(name)]))
    say(f"{name}: all campaigns are finished. They are in {home}.")
    return home


def _connected(address: str) -> Any:
    try:
        from distributed import Client

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about versions; _hear() compares them
            return Client(address, timeout=TO_ANSWER, set_as_default=False)
    except ImportError as problem:
        how = f"`{interpreter()} -m pip install distributed`"
        raise WrongPlan(f"--on needs Dask ({problem}). To install it: {how}") from None
    except (OSError, ValueError) as problem:
        what = f"No Dask scheduler answered at {address} ({problem})"
        how = "Start one with `dask scheduler`, or correct the address"
        raise WrongPlan(f"{what}. {how}.") from problem
