"""Run one session of a campaign: start it, or resume it after an interruption."""

from __future__ import annotations

import contextlib
import errno
import functools
import json
import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..common import files
from ..common.errors import Sentence
from . import format as layout
from . import gpu, reading
from . import machine as machine_module
from .cells import TimedProgram, read_programs
from .format import Block, Plan
from .loader import (
    UNFINISHED,
    as_path,
    campaign_at,
    read_campaign,
    timings_directory,
)
from .locks import machine_lock
from .outcome import finished, judge
from .plan import Settings, WrongPlan, default_notebook, make_plan, why_enough
from .progress import Progress, choose
from .run import arms as arms_module
from .run.arms import CannotRun, Surroundings
from .run.processes import run_process

# How many times in a row one place of the plan may be interrupted.
MOST_ATTEMPTS = 3
# Bytes that must be free before a run: for the run, its row, and R's and
# TensorFlow's temporary files.
LEAST_FREE = 50_000_000

CURRENT = "current"


class Stopped(Sentence, RuntimeError):
    """The campaign cannot continue. The message says why and what to do."""


def run_campaign(
    name: str,
    *,
    notebook: str | Path | None = None,
    directory: str | Path | None = None,
    progress: str | Progress | None = None,
    began: float | None = None,
    **settings: Any,
) -> Path:
    """Measure the timed cells of a notebook.

    Parameters
    ----------
    name
        Name of the campaign and of its folder.
    notebook
        Notebook with the timed cells. The default is notebook 03.
    directory
        Where the campaign's folder goes. The default is
        `data_directory()/timings`.
    progress
        "live", "lines", "compact" or "none". The default depends on where the
        output goes.
    began
        Start of the process by `time.monotonic()`, to report the time that the
        experiment itself takes.
    settings
        Those of `Settings`: blocks, epochs, arms, device, backend, seed,
        precision, budget (minutes), timeout (seconds).

    Returns
    -------
    Path
        The campaign's folder.

    Raises
    ------
    WrongPlan, NoProgram, CannotRun, AnotherCampaign, Stopped
        If the campaign cannot start or continue. The message says what to do.
        Completed runs are kept, and `resume_campaign()` continues.
    """
    clock, shown = Clock(began), choose(progress)
    if "arms" in settings:
        settings["arms"] = tuple(settings["arms"])
    path = default_notebook() if notebook is None else as_path(notebook)
    programs = read_programs(path)
    plan = make_plan(name, path, programs, Settings(**settings))
    folder = new_folder(name, directory)
    with machine_lock(name):
        folder.mkdir(parents=True, exist_ok=True)
        place = path.resolve().parent
        campaign = Campaign(folder, plan, programs, place, [], shown, clock, folder)
        with said_if_full(folder):
            try:
                campaign.prepare()
            except BaseException:
                # Nothing was measured; the folder goes if it is empty.
                shutil.rmtree(campaign.current, ignore_errors=True)
                with contextlib.suppress(OSError):
                    folder.rmdir()
                raise
            go_on([campaign])
    return folder


def new_folder(name: str, directory: str | Path | None) -> Path:
    """Return the folder for a new campaign; `WrongPlan` if the name is taken."""
    place = timings_directory() if directory is None else as_path(directory)
    # The programs run in their notebook's folder, and write into this one.
    folder = place.resolve() / name
    if (folder / layout.RUNS).exists():
        what = "is finished" if reading.is_finished(folder) else "is not finished"
    elif (folder / layout.STUDY).exists():
        what = "is a study of several networks"
    else:
        return folder
    raise WrongPlan(
        f"There is already a campaign {name!r} in {folder}, which {what}. Choose "
        f"another name, or type `python -m sidebyside.timing resume {folder}`."
    )


def resume_campaign(
    path: str | Path,
    *,
    progress: str | Progress | None = None,
    began: float | None = None,
) -> Path:
    """Resume a campaign that was interrupted, where it stopped.

    Prints which run was lost, and removes a line that was not written completely.
    It uses the programs that the campaign started with, even if the notebook has
    changed.

    Raises the errors of `run_campaign()`, `NoTimings` if there is no campaign, and
    `WrongRuns` if a file is damaged.
    """
    clock, shown = Clock(began), choose(progress)
    folder = campaign_at(path).resolve()
    if (folder.parent / layout.STUDY).is_file():
        raise Stopped(
            f"{folder.name} is one network of a study, whose blocks run together. "
            f"Resume the study: `python -m sidebyside.timing resume {folder.parent}`"
        )
    if not is_unfinished(folder):
        shown.say(f"{folder.name} is finished; there is nothing to do.")
        return folder
    with machine_lock(folder.name), said_if_full(folder):
        campaign = Campaign.reopened(folder, shown, clock, folder)
        campaign.prepare_again()
        go_on([campaign])
    return folder


def is_unfinished(folder: Path) -> bool:
    """Return whether runs of a campaign are missing."""
    return read_campaign(folder).attrs["ended"] in UNFINISHED


@contextlib.contextmanager
def said_if_full(folder: Path) -> Iterator[None]:
    try:
        yield
    except files.DiskFull as problem:
        raise Stopped(
            f"{problem.strerror}. The completed runs are safe. Make room and resume "
            f"with `python -m sidebyside.timing resume {folder}`."
        ) from problem


def _check_room(folder: Path) -> None:
    """Raise `DiskFull` if there is too little room for a run."""
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE:
        raise files.DiskFull(
            errno.ENOSPC,
            f"{free / 1e6:.0f} MB are free on the disk of {folder}, but a run needs "
            f"{LEAST_FREE / 1e6:.0f} MB",
        )


def _read_programs(folder: Path, plan: Plan) -> tuple[dict[str, TimedProgram], Path]:
    """Return the programs that a campaign started with, and where they run."""
    path = folder / layout.PROGRAMS
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        programs = {
            name: TimedProgram(name, Path(plan.notebook), content[name])
            for name in plan.programs
        }
        found = {name: x.sha256() for name, x in programs.items()}
        if found == plan.programs:
            return programs, Path(content["directory"])
        problem = f"its programs' SHA-256 are not those in {layout.PLAN}"
    except (FileNotFoundError, NotADirectoryError):
        problem = (
            "it is missing, as in every copy; only the original folder can be resumed"
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        problem = f"it cannot be read: {error}"
    raise Stopped(
        f"{path} is not what the campaign started with ({problem}). Start a new "
        "campaign."
    )


class Clock:
    """The time of a session, of which events.jsonl records every part once.

    `began` is its start by `time.monotonic()`; None is now.
    """

    def __init__(self, began: float | None = None) -> None:
        self.began = self._noted = time.monotonic() if began is None else began

    def running(self) -> float:
        """Return the seconds since the last lap."""
        return time.monotonic() - self._noted

    def lap(self) -> float:
        """Return the seconds since the last lap, and start a new one."""
        seconds = self.running()
        self._noted += seconds
        return seconds


@dataclass
class Campaign:
    """One session of a campaign.

    Attributes
    ----------
    folder
        The campaign's folder.
    directory
        The notebook's folder, where its programs run.
    rows
        The runs so far.
    clock
        The clock of the session, which the campaigns of a study share.
    whole
        The folder to resume: the campaign's, or that of the study it belongs to.
    """

    folder: Path
    plan: Plan
    programs: dict[str, TimedProgram]
    directory: Path
    rows: list[dict[str, Any]]
    progress: Progress
    clock: Clock
    whole: Path

    def __post_init__(self) -> None:
        self.children_seconds = 0.0
        self.current = self.folder / CURRENT
        self.counters = machine_module.counters()

    @functools.cached_property
    def card(self) -> gpu.Card | None:
        """The card of a campaign on a GPU; None if there is none, or on the CPU."""
        return gpu.first_card() if self.plan.device == "gpu" else None

    @classmethod
    def reopened(
        cls, folder: Path, progress: Progress, clock: Clock, whole: Path
    ) -> Campaign:
        """Return a campaign from its files, after their repair."""
        plan = reading.read_plan(folder)
        programs, directory = _read_programs(folder, plan)
        if reading.repair(folder):
            progress.say(
                f"The last line of {layout.RUNS} was not written completely and is "
                "removed."
            )
        rows = reading.read_rows(folder)
        campaign = cls(folder, plan, programs, directory, rows, progress, clock, whole)
        campaign.record_lost_run()
        return campaign

    # --- before the first run

    def prepare(self, machine: dict[str, Any] | None = None) -> dict[str, Any]:
        """Check the machine, check that the arms are alike, write the plan.

        `machine` is what an earlier call returned, on the same machine: its
        description. Without it, the machine is described and checked now.
        """
        _check_room(self.folder)
        with ThreadPoolExecutor(1) as beside:
            # Takes a second.
            described = beside.submit(
                lambda: machine or machine_module.describe_machine()
            )
            busy = machine["busy"] if machine else self.look_around()
            asked = self._ask_arms()
            machine = described.result()
        machine |= {
            "arms": {arm: _facts(x) for arm, x in asked.items()},
            "data": asked[self.plan.arms[0]].said,
            "busy": busy,
        }
        programs = {name: x.stages for name, x in self.programs.items()}
        programs |= {"directory": str(self.directory)}
        text = json.dumps(programs, indent=1) + "\n"
        files.write_whole(self.folder / layout.PROGRAMS, text)
        layout.write_json(self.folder, layout.MACHINE, machine)
        layout.write_plan(self.folder, self.plan)
        # Written last, because this file makes the folder a campaign.
        layout.write_rows(self.folder, ())
        self._note("began")
        return machine

    def prepare_again(self, busy: list[str] | None = None) -> list[str]:
        """Check that the machine and the installed packages have not changed.

        `busy` is what an earlier call returned: what could disturb.
        """
        machine = reading.read_machine(self.folder)
        found = machine_module.machine_id()
        if found != machine["id"]:
            raise Stopped(
                f"The campaign started on the machine {machine['id']}, but this is "
                f"{found}. Start a new campaign here."
            )
        busy = self.look_around() if busy is None else busy
        asked = self._ask_arms()
        changed = []
        for arm, surroundings in asked.items():
            before, now = machine.get("arms", {}).get(arm, {}), _facts(surroundings)
            changed += arms_module.differing(before, now, "then", "now")
        if changed:
            raise Stopped(
                "Something has changed since the campaign started ("
                f"{'; '.join(dict.fromkeys(changed))}). Start a new campaign."
            )
        self._note("resumed", busy=busy)
        return busy

    def look_around(self) -> list[str]:
        """Return what could disturb the measurements, and print it."""
        busy = machine_module.busy_findings()
        if self.card:
            self.progress.say(f"The runs use the GPU {self.card.name}.")
            if others := gpu.measured(self.card, "before")["gpu_others"]:
                busy.append(f"other processes use the GPU: {others}")
        for finding in busy:
            self.progress.say(f"Not a quiet machine: {finding}.")
        return busy

    def _ask_arms(self) -> dict[str, Surroundings]:
        """Return each arm's surroundings, which must agree."""
        of = f" of {self.plan.network}" if self.plan.network else ""
        self.progress.say(
            f"Checking that all arms{of} run in the same surroundings ..."
        )
        start = time.monotonic()
        self._clear()
        same = arms_module.SAME_AS
        found = {
            arm: arms_module.ask(
                arm,
                self._program(arm, self.plan.order[0]),
                self.current / arm,
                device=self.plan.device,
                backend=self.plan.backend,
                directory=self.directory,
                timeout=self.plan.timeout_seconds,
            )
            for arm in dict.fromkeys(same.get(x, x) for x in self.plan.arms)
        }
        self.children_seconds += time.monotonic() - start
        asked = {x: found[same.get(x, x)] for x in self.plan.arms}
        if problems := arms_module.differences(asked):
            raise CannotRun(
                "The arms would not measure the same thing: "
                f"{'; '.join(problems)}. `make setup` in the project's "
                "folder installs one Python for both languages."
            )
        used = {x.keras.get("backend", self.plan.backend) for x in found.values()}
        if used != {self.plan.backend}:
            raise CannotRun(
                f"{self.plan.notebook}: the program chooses the backend "
                f"{', '.join(used)}, but {self.plan.backend} was asked for."
            )
        return asked

    def _program(self, arm: str, block: Block) -> TimedProgram:
        program = self.programs[arms_module.LANGUAGE[arm]]
        return program.with_parameters(**self.plan.parameters(block))

    def _clear(self) -> None:
        """Make an empty folder for the next run."""
        shutil.rmtree(self.current, ignore_errors=True)
        self.current.mkdir(parents=True, exist_ok=True)

    # --- the runs

    def run_block(self, number: int) -> None:
        """Do the remaining runs of a block."""
        done = self._done(number)
        block = self.plan.order[number]
        for position in range(1, len(block.arms) + 1):
            if position not in done:
                self._measure_place(block, position)

    def has_run(self, number: int) -> bool:
        """Return whether a run of a block was measured."""
        return bool(self._done(number))

    def _done(self, number: int) -> set[int]:
        return {
            x["position"]
            for x in self.rows
            if x["block"] == number and x["state"] != "interrupted"
        }

    def stopped(self) -> None:
        """Record that the session stopped."""
        self._note("stopped")

    def _note(self, what: str, **facts: Any) -> None:
        """Record the time since the last note.

        This is done after every run, so that no time is lost however a session ends.
        """
        layout.note(
            self.folder,
            what,
            seconds=round(self.clock.lap(), 3),
            children_seconds=round(self.children_seconds, 3),
            **facts,
        )
        self.children_seconds = 0.0

    def noted(self, name: str = "seconds") -> float:
        """Return the seconds in events.jsonl: the campaign's, in all its sessions."""
        return sum(x.get(name, 0.0) for x in reading.events(self.folder))

    def _measure_place(self, block: Block, position: int) -> None:
        for _ in range(MOST_ATTEMPTS):
            _check_room(self.folder)
            self.progress.begin_run(block.block, block.arms[position - 1])
            row = self._measure(block, position)
            self._keep(row)
            self.progress.end_run(row)
            if row["state"] != "interrupted":
                return
        raise Stopped(
            f"The {row['arm']} run of block {block.block} was interrupted "
            f"{MOST_ATTEMPTS} times in a row (the last time: "
            f"{row['message']}). Fix that, then resume with `python -m "
            f"sidebyside.timing resume {self.whole}`."
        )

    def _measure(self, block: Block, position: int) -> dict[str, Any]:
        arm = block.arms[position - 1]
        self._clear()
        row: dict[str, Any] = {
            "campaign": self.plan.campaign,
            "run": 1 + max((x["run"] for x in self.rows), default=0),
            "block": block.block,
            "position": position,
            "arm": arm,
            "device": self.plan.device,
            "network": self.plan.network,
            "backend": self.plan.backend,
            **self.plan.parameters(block),
            "state": "interrupted",
            "started": layout.now(),
            "load_before": round(machine_module.load_average(), 2),
            "message": "",
        }
        row |= dict.fromkeys(layout.EPOCH_COLUMNS, ())
        if self.card:
            row |= gpu.measured(self.card, "before")
        # If this process is killed, `record_lost_run()` reads this.
        files.write_whole(self.current / "run.json", json.dumps(row) + "\n")
        program = self._program(arm, block)
        command = arms_module.write_script(arm, program, self.current)
        start = time.monotonic()
        try:
            outcome = run_process(
                command,
                environment=arms_module.environment(
                    self.current,
                    self.plan.device,
                    probe=False,
                    backend=self.plan.backend,
                ),
                folder=self.current,
                directory=self.directory,
                timeout=self.plan.timeout_seconds,
                tick=self.progress.tick,
            )
        except KeyboardInterrupt:
            seconds = time.monotonic() - start
            self.children_seconds += seconds
            row["process_seconds"] = round(seconds, 6)
            row["message"] = "the campaign was interrupted by its user"
            self._keep(row)
            raise
        if self.card:
            row |= gpu.measured(self.card, "after", row["gpu_others"])
        # If its keeper was killed, a run has no measurements.
        self.children_seconds += outcome.seconds or time.monotonic() - start
        return finished(row, outcome, self.current)

    def _keep(self, row: dict[str, Any]) -> None:
        """Write a row, and update the states of other rows in its block."""
        rows = [*self.rows, row]
        changed = judge([x for x in rows if x["block"] == row["block"]])
        others = [x for x in changed if x is not row]
        # A changed state of an earlier row must be in the file together with this
        # row.
        if others:
            layout.write_rows(self.folder, rows)
        else:
            layout.append_row(self.folder, row)
        self.rows.append(row)
        for other in others:
            self.progress.say(f"run {other['run']}, {other['arm']}: {other['message']}")
        self._note(f"run {row['run']}: {row['state']}")

    def record_lost_run(self) -> None:
        """Record the run that was in progress when the campaign was killed."""
        path = self.current / "run.json"
        try:
            row = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        if row["run"] in {x["run"] for x in self.rows}:
            # The run had ended, and its row was written.
            return
        row["message"] = "the campaign was killed during this run"
        row |= dict.fromkeys(layout.EPOCH_COLUMNS, ())
        self._keep(row)
        self.progress.say(
            f"Run {row['run']} ({row['arm']}, block {row['block']}) was in progress "
            "when the campaign was killed. It is recorded as interrupted, and is run "
            "again."
        )

    # --- the end

    def end(self, reason: str, disturbed: list[str]) -> None:
        """Write how the campaign ended, and what has disturbed it."""
        shutil.rmtree(self.current, ignore_errors=True)
        self._note("ended")
        total, children = self.noted(), self.noted("children_seconds")
        end = {
            "complete": True,
            "reason": reason,
            "ended": layout.now(),
            "blocks": max((x["block"] for x in self.rows), default=0),
            "overhead": {
                "seconds": round(total, 3),
                "children_seconds": round(children, 3),
                "share": round(1 - children / total, 5),
            },
            "disturbed": disturbed,
        }
        layout.write_json(self.folder, layout.END, end)


# --- one campaign, or several


def go_on(campaigns: list[Campaign], order: list[list[Campaign]] | None = None) -> None:
    """Do all remaining runs of campaigns, and end them.

    The campaigns of a study share a clock and a display. `order` has, for each block,
    the campaigns in the order in which they run it.
    """
    current = campaigns[0]
    plan, rows, shown = current.plan, current.rows, current.progress

    def enough() -> str:
        return why_enough(plan, rows, spent())

    def spent() -> float:
        return sum(x.noted() for x in campaigns) + current.clock.running()

    reason = ""
    shown.begin([(x.plan, x.rows) for x in campaigns], spent())
    try:
        for number in range(len(plan.order)):
            turns = order[number] if order else campaigns
            begun = any(x.has_run(number) for x in turns)
            if not begun and (reason := enough()):
                break
            for current in turns:
                shown.turn(current.plan, current.rows)
                current.run_block(number)
        reason = reason or enough() or "all blocks were run"
    except BaseException:
        with contextlib.suppress(OSError):
            current.stopped()
        raise
    finally:
        shown.close()
    seconds = time.monotonic() - current.clock.began
    disturbed = machine_module.disturbances(current.counters, seconds)
    for x in campaigns:
        if not reading.is_finished(x.folder):
            x.end(reason, disturbed)
    for finding in disturbed:
        shown.say(f"During the campaign {finding}.")
    share = 1 - sum(x.noted("children_seconds") for x in campaigns) / spent()
    # Print the path relative to this folder if that is shorter.
    whole = current.whole
    near = min(os.path.relpath(whole), str(whole), key=len)
    shown.say(
        f"{whole.name}: {reason}. {sum(len(x.rows) for x in campaigns)} runs in "
        f"{near}; {share:.2%} of the time was spent outside the runs."
    )


def _facts(surroundings: Surroundings) -> dict[str, Any]:
    return {**surroundings.keras, **surroundings.r}
