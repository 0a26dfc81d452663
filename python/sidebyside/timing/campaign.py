"""Run one session of a campaign: start it, or resume it after an interruption."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..common import files
from ..common.errors import Sentence
from . import format as layout
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
        Those of `Settings`: blocks, epochs, arms, device, seed, precision,
        budget (minutes), timeout (seconds).

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
    began = time.monotonic() if began is None else began
    shown = choose(progress)
    if "arms" in settings:
        settings["arms"] = tuple(settings["arms"])
    path = default_notebook() if notebook is None else as_path(notebook)
    programs = read_programs(path)
    plan = make_plan(name, path, programs, Settings(**settings))
    place = timings_directory() if directory is None else as_path(directory)
    # The programs run in their notebook's folder, and write into this one.
    folder = place.resolve() / name
    if (folder / layout.RUNS).exists():
        what = "is finished" if layout.is_finished(folder) else "is not finished"
        raise WrongPlan(
            f"There is already a campaign {name!r} in {folder}, which {what}. Choose "
            f"another name, or type `python -m sidebyside.timing resume {folder}`."
        )
    with machine_lock(name):
        folder.mkdir(parents=True, exist_ok=True)
        campaign = Campaign(
            folder, plan, programs, path.resolve().parent, [], shown, began
        )
        with _said_if_full(folder):
            try:
                campaign.prepare()
            except BaseException:
                # Nothing was measured; the folder goes if it is empty.
                shutil.rmtree(campaign.current, ignore_errors=True)
                with contextlib.suppress(OSError):
                    folder.rmdir()
                raise
            campaign.go_on()
    return folder


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
    began = time.monotonic() if began is None else began
    folder = campaign_at(path).resolve()
    shown = choose(progress)
    plan = layout.read_plan(folder)
    if read_campaign(folder).attrs["ended"] not in UNFINISHED:
        shown.say(f"{plan.campaign} is finished; there is nothing to do.")
        return folder
    programs, directory = _read_programs(folder, plan)
    with machine_lock(plan.campaign), _said_if_full(folder):
        if layout.repair(folder):
            shown.say(
                f"The last line of {layout.RUNS} was not written completely and is "
                "removed."
            )
        rows = layout.read_rows(folder)
        campaign = Campaign(folder, plan, programs, directory, rows, shown, began)
        campaign.record_lost_run()
        campaign.prepare_again()
        campaign.go_on()
    return folder


@contextlib.contextmanager
def _said_if_full(folder: Path) -> Iterator[None]:
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


@dataclass
class Campaign:
    """One session of a campaign.

    Attributes
    ----------
    directory
        The notebook's folder, where its programs run.
    rows
        The runs so far.
    noted
        Time by `time.monotonic()` up to which events.jsonl records the time that
        the campaign took. At first it is the start of the session.
    """

    folder: Path
    plan: Plan
    programs: dict[str, TimedProgram]
    directory: Path
    rows: list[dict[str, Any]]
    progress: Progress
    noted: float

    def __post_init__(self) -> None:
        self.began = self.noted
        self.children_seconds = 0.0
        self.current = self.folder / CURRENT
        self.counters = machine_module.counters()

    # --- before the first run

    def prepare(self) -> None:
        """Check the machine, check that the arms are alike, write the plan."""
        _check_room(self.folder)
        with ThreadPoolExecutor(1) as beside:
            # Takes a second.
            described = beside.submit(machine_module.describe_machine)
            busy, asked = self._look_around()
            machine = described.result()
        first = asked[self.plan.arms[0]]
        if self.plan.device == "gpu" and not first.keras.get("gpus"):
            self.progress.say(
                "TensorFlow sees no GPU here, so the CPU is measured instead."
            )
            self.plan = replace(self.plan, device="cpu")
        machine |= {
            "arms": {arm: _facts(x) for arm, x in asked.items()},
            "data": first.said,
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

    def prepare_again(self) -> None:
        """Check that the machine and the installed packages have not changed."""
        machine = layout.read_machine(self.folder)
        found = machine_module.machine_id()
        if found != machine["id"]:
            raise Stopped(
                f"The campaign started on the machine {machine['id']}, but this is "
                f"{found}. Start a new campaign here."
            )
        busy, asked = self._look_around()
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

    def _look_around(self) -> tuple[list[str], dict[str, Surroundings]]:
        """Return what could disturb, and each arm's surroundings, which must agree."""
        busy = machine_module.busy_findings()
        for finding in busy:
            self.progress.say(f"Not a quiet machine: {finding}.")
        self.progress.say("Checking that all arms run in the same surroundings ...")
        start = time.monotonic()
        self._clear()
        same = arms_module.SAME_AS
        found = {
            arm: arms_module.ask(
                arm,
                self._program(arm, self.plan.order[0].seed),
                self.current / arm,
                device=self.plan.device,
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
        return busy, asked

    def _program(self, arm: str, seed: int) -> TimedProgram:
        program = self.programs[arms_module.LANGUAGE[arm]]
        return program.with_parameters(epochs=self.plan.epochs, seed=seed)

    def _clear(self) -> None:
        """Make an empty folder for the next run."""
        shutil.rmtree(self.current, ignore_errors=True)
        self.current.mkdir(parents=True, exist_ok=True)

    # --- the runs

    def go_on(self) -> None:
        """Do all remaining runs, and end the campaign."""
        done = {
            (x["block"], x["position"])
            for x in self.rows
            if x["state"] != "interrupted"
        }
        reason = ""
        self.progress.begin(self.plan, self.rows, self._spent())
        try:
            for block, position in self.plan.places():
                if (block.block, position) in done:
                    continue
                if position == 1 and (reason := self._enough()):
                    break
                self._measure_place(block, position)
            reason = reason or self._enough() or "all blocks were run"
        except BaseException:
            with contextlib.suppress(OSError):
                self._note("stopped")
            raise
        finally:
            self.progress.close()
        self._end(reason)

    def _enough(self) -> str:
        return why_enough(self.plan, self.rows, self._spent())

    def _note(self, what: str, **facts: Any) -> None:
        """Record the time since the last note.

        This is done after every run, so that no time is lost however a session ends.
        """
        now = time.monotonic()
        layout.note(
            self.folder,
            what,
            seconds=round(now - self.noted, 3),
            children_seconds=round(self.children_seconds, 3),
            **facts,
        )
        self.noted, self.children_seconds = now, 0.0

    def _noted(self, name: str = "seconds") -> float:
        return sum(x.get(name, 0.0) for x in layout.events(self.folder))

    def _spent(self) -> float:
        """Return the seconds that the campaign has taken, in all its sessions."""
        return self._noted() + time.monotonic() - self.noted

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
            f"sidebyside.timing resume {self.folder}`."
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
            "seed": block.seed,
            "epochs": self.plan.epochs,
            "state": "interrupted",
            "started": layout.now(),
            "load_before": round(machine_module.load_average(), 2),
            "message": "",
        }
        row |= dict.fromkeys(layout.EPOCH_COLUMNS, ())
        # If this process is killed, `record_lost_run()` reads this.
        files.write_whole(self.current / "run.json", json.dumps(row) + "\n")
        program = self._program(arm, block.seed)
        command = arms_module.write_script(arm, program, self.current)
        start = time.monotonic()
        try:
            outcome = run_process(
                command,
                environment=arms_module.environment(
                    self.current, self.plan.device, probe=False
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

    def _end(self, reason: str) -> None:
        seconds = time.monotonic() - self.began
        disturbed = machine_module.disturbances(self.counters, seconds)
        shutil.rmtree(self.current, ignore_errors=True)
        self._note("ended")
        total, children = self._noted(), self._noted("children_seconds")
        share = 1 - children / total
        end = {
            "complete": True,
            "reason": reason,
            "ended": layout.now(),
            "blocks": max((x["block"] for x in self.rows), default=0),
            "overhead": {
                "seconds": round(total, 3),
                "children_seconds": round(children, 3),
                "share": round(share, 5),
            },
            "disturbed": disturbed,
        }
        layout.write_json(self.folder, layout.END, end)
        for finding in disturbed:
            self.progress.say(f"During the campaign {finding}.")
        # Print the path relative to this folder if that is shorter.
        near = min(os.path.relpath(self.folder), str(self.folder), key=len)
        self.progress.say(
            f"{self.plan.campaign}: {reason}. {len(self.rows)} runs in {near}; "
            f"{share:.2%} of the time was spent outside the runs."
        )


def _facts(surroundings: Surroundings) -> dict[str, Any]:
    return {**surroundings.keras, **surroundings.r}
