"""A campaign from its plan to its end, through whatever happens to it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..common import files
from ..common.errors import Sentence
from . import machine as machine_module
from . import plans, records, schema
from .cells import TimedProgram
from .loader import is_finished, timings_directory
from .locks import machine_lock
from .plans import Block, Plan, WrongPlan
from .progress import Progress, choose
from .ratio import paired_ratio
from .run import arms as arms_module
from .run.arms import CannotRun, Surroundings
from .run.processes import Outcome, run_process

# How often in a row one place of the plan may be interrupted.
MOST_ATTEMPTS = 3
# How many arms are asked for their surroundings at a time: each takes half a
# gigabyte.
ASKED_AT_A_TIME = 2

PROGRAMS = "programs.json"
CURRENT = "current"


class Stopped(Sentence, RuntimeError):
    """The campaign could not go on; the message says why and what to do."""


def run_campaign(
    name: str,
    *,
    notebook: str | Path | None = None,
    blocks: int | None = None,
    epochs: int | None = None,
    arms: Sequence[str] = schema.ARMS,
    device: str = "cpu",
    seed: int = plans.SEED,
    precision: float | None = None,
    budget: float | None = None,
    timeout: float = plans.TIMEOUT,
    directory: str | Path | None = None,
    progress: str | Progress | None = None,
    began: float | None = None,
) -> Path:
    """Measure the timed cells of a notebook.

    Parameters
    ----------
    name
        The campaign's, and its folder's.
    notebook
        Whose timed cells; notebook 03 if it is not given.
    blocks
        How many, after the warm-up: 10, or with a precision at most 200.
    epochs
        In each run; what the notebook says if it is not given.
    arms
        Some of "python", "r", "python-again", "rpy2".
    device
        "cpu" or "gpu". Without a GPU the campaign says so and uses the CPU.
    seed
        Of the order of the arms and the seeds of the blocks.
    precision
        Go on until the 95 % interval of the ratio of the fit phases is this
        narrow (0.02: its upper limit is 2 % above the estimate or less). A
        fixed-width sequential design.
    budget
        Minutes after which no new block begins.
    timeout
        Seconds after which a run is stopped.
    directory
        Where the campaign's folder goes; `data_directory()/timings` if it is
        not given.
    progress
        "live", "lines", "compact" or "none"; chosen by where the output goes
        if it is not given.
    began
        When it all began, by `time.monotonic()`, for the account of what the
        experiment itself takes.

    Returns
    -------
    Path
        The campaign's folder.

    Raises
    ------
    WrongPlan, CannotRun, AnotherCampaign, Stopped
        With a sentence that says what to do. Nothing that was measured is
        lost: `resume_campaign()` goes on.
    """
    began = time.monotonic() if began is None else began
    shown = choose(progress)
    path = plans.default_notebook() if notebook is None else Path(notebook)
    programs = plans.programs_of(path)
    plan = plans.make_plan(
        name,
        path,
        programs,
        blocks=blocks,
        epochs=epochs,
        arms=tuple(arms),
        device=device,
        seed=seed,
        precision=precision,
        budget=budget,
        timeout=timeout,
        notebook_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )
    place = timings_directory() if directory is None else Path(directory)
    # The programs run in their notebook's folder, and write into this one.
    folder = place.resolve() / name
    if (folder / schema.RUNS).exists():
        what = "is finished" if is_finished(folder) else "is not finished"
        raise WrongPlan(
            f"a campaign {name!r} stands in {folder} and {what}; choose "
            f"another name, or `python -m sidebyside.timing resume {folder}`"
        )
    with machine_lock(name, plan.created):
        folder.mkdir(parents=True, exist_ok=True)
        campaign = Campaign(
            folder, plan, programs, path.resolve().parent, [], shown, began
        )
        with _said_if_full(folder):
            try:
                campaign.prepare()
            except BaseException:
                campaign.leave_no_trace()
                raise
            campaign.go_on()
    return folder


def resume_campaign(
    path: str | Path,
    *,
    progress: str | Progress | None = None,
    began: float | None = None,
) -> Path:
    """Go on with a campaign that was interrupted, where it was.

    Says which run was lost, and mends a line that was not written to its end.
    The programs are those that it began with, whatever the notebook says now.

    Raises as `run_campaign()` does, and `WrongRuns` if a file is damaged.
    """
    began = time.monotonic() if began is None else began
    folder = Path(path).resolve()
    shown = choose(progress)
    if not (folder / schema.RUNS).is_file():
        raise WrongPlan(f"{folder} is no campaign: there is no {schema.RUNS} in it")
    plan = plans.read_plan(folder)
    if is_finished(folder):
        shown.say(f"{plan.campaign} is finished; there is nothing to do.")
        return folder
    programs, directory = _read_programs(folder, plan)
    with machine_lock(plan.campaign, plans.now()), _said_if_full(folder):
        lost = records.repair(folder / schema.RUNS)
        rows = records.read_rows(folder)
        campaign = Campaign(folder, plan, programs, directory, rows, shown, began)
        if lost:
            shown.say(
                f"The last line of {schema.RUNS} was not written to its "
                f"end; {lost} bytes are cut off."
            )
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
            f"{problem.strerror}. What was measured is safe; make room and "
            f"go on with `python -m sidebyside.timing resume {folder}`"
        ) from problem


def _read_programs(folder: Path, plan: Plan) -> tuple[dict[str, TimedProgram], Path]:
    path = folder / PROGRAMS
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        programs = {
            name: TimedProgram(name, Path(plan.notebook), content[name])
            for name in plan.programs
        }
        directory = Path(content["directory"])
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise Stopped(
            f"{path} cannot be read ({problem}), and without the programs "
            "the campaign cannot go on; start another"
        ) from problem
    found = {name: x.sha256() for name, x in programs.items()}
    if found != plan.programs:
        raise Stopped(
            f"{path} is not what the campaign began with (its SHA-256 "
            f"differs from {schema.PLAN}); start another"
        )
    return programs, directory


def _near(folder: Path) -> str:
    """The folder as one would write it from here, if that is shorter."""
    return min(os.path.relpath(folder), str(folder), key=len)


def drift_allowed(seconds: float) -> float:
    """How far the system's clock may go astray in a run of so many seconds.

    Clocks that are kept in time are slewed by at most half a thousandth.
    """
    return 0.05 + 0.001 * seconds


class Campaign:
    """One session of a campaign: from its start, or where it was left."""

    def __init__(
        self,
        folder: Path,
        plan: Plan,
        programs: dict[str, TimedProgram],
        directory: Path,
        rows: list[dict[str, Any]],
        progress: Progress,
        began: float,
    ) -> None:
        self.folder = folder
        self.plan = plan
        self.programs = programs
        self.directory = directory
        self.rows = rows
        self.progress = progress
        self.began = began
        self.children_seconds = 0.0
        self.current = folder / CURRENT
        self.counters = machine_module.counters()

    # --- before the first run

    def prepare(self) -> None:
        """Look around, check that the arms are alike, write the plan."""
        records.check_room(self.folder)
        busy = machine_module.busy_findings()
        self._say_busy(busy)
        asked, machine = self._ask_arms()
        if self.plan.device == "gpu":
            gpus = asked[self.plan.arms[0]].keras.get("gpus")
            if not gpus:
                self.progress.say(
                    "TensorFlow sees no GPU here; the CPU is measured instead."
                )
                self.plan = replace(self.plan, device="cpu")
                asked, machine = self._ask_arms()
        self._check_alike(asked)
        said = next(iter(asked.values())).said
        machine |= {
            "arms": {arm: _facts(x) for arm, x in asked.items()},
            "data": said,
            "busy": busy,
        }
        programs = {name: x.stages for name, x in self.programs.items()}
        programs |= {"directory": str(self.directory)}
        write = files.write_whole
        write(self.folder / schema.MACHINE, machine_module.as_text(machine))
        write(self.folder / PROGRAMS, json.dumps(programs, indent=1) + "\n")
        write(self.folder / schema.PLAN, self.plan.as_text())
        # Last: it is this file that makes the folder a campaign.
        write(self.folder / schema.RUNS, records.header())
        records.note(self.folder, "began")

    def prepare_again(self) -> None:
        """The same machine, and nothing else installed meanwhile?"""
        path = self.folder / schema.MACHINE
        machine = json.loads(path.read_text(encoding="utf-8"))
        found = machine_module.machine_id()
        if found != machine["id"]:
            raise Stopped(
                f"the campaign was begun on the machine {machine['id']}, and "
                f"this is {found}; start another here"
            )
        busy = machine_module.busy_findings()
        self._say_busy(busy)
        asked, _ = self._ask_arms(describe=False)
        self._check_alike(asked)
        changed = []
        for arm, surroundings in asked.items():
            before, now = machine["arms"].get(arm, {}), _facts(surroundings)
            changed += [
                f"{key}: {before.get(key, 'none')}, now {now.get(key, 'none')}"
                for key in sorted(before.keys() | now.keys())
                if before.get(key) != now.get(key)
            ]
        if changed:
            raise Stopped(
                "this is not what the campaign was begun with ("
                f"{'; '.join(dict.fromkeys(changed))}); start another"
            )
        records.note(self.folder, "resumed", busy=busy)

    def leave_no_trace(self) -> None:
        """Nothing was measured: remove what was made for it."""
        if (self.folder / schema.RUNS).exists():
            return
        shutil.rmtree(self.current, ignore_errors=True)
        with contextlib.suppress(OSError):
            # Only if it is empty.
            self.folder.rmdir()

    def _say_busy(self, busy: list[str]) -> None:
        for finding in busy:
            self.progress.say(f"Not a quiet machine: {finding}.")

    def _ask_arms(
        self, *, describe: bool = True
    ) -> tuple[dict[str, Surroundings], dict[str, Any]]:
        """What surrounds each arm, and meanwhile what the machine is."""
        self.progress.say("Looking whether all arms run alike ...")
        start = time.monotonic()
        self._clear()
        stop = threading.Event()

        def tick() -> None:
            if stop.is_set():
                raise InterruptedError

        first, *others = dict.fromkeys(
            arms_module.SAME_AS.get(arm, arm) for arm in self.plan.arms
        )
        found: dict[str, Surroundings] = {}
        pool = ThreadPoolExecutor(ASKED_AT_A_TIME + 1)
        try:
            machine = pool.submit(machine_module.describe_machine if describe else dict)
            # By itself: data that is not there yet is made only once.
            found[first] = pool.submit(self._ask, first, tick).result()
            rest = ThreadPoolExecutor(ASKED_AT_A_TIME)
            try:
                asked = [rest.submit(self._ask, x, tick) for x in others]
                for arm, answer in zip(others, asked, strict=True):
                    found[arm] = answer.result()
            except BaseException:
                stop.set()
                raise
            finally:
                rest.shutdown(cancel_futures=True)
            described = machine.result()
        except BaseException:
            stop.set()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
        self.children_seconds += time.monotonic() - start
        same = arms_module.SAME_AS
        return {x: found[same.get(x, x)] for x in self.plan.arms}, described

    def _ask(self, arm: str, tick: Callable[[], None]) -> Surroundings:
        program = self._program(arm, self.plan.order[0].seed)
        return arms_module.ask(
            arm,
            program,
            self.current / arm,
            device=self.plan.device,
            directory=self.directory,
            timeout=self.plan.timeout_seconds,
            tick=tick,
        )

    def _check_alike(self, asked: dict[str, Surroundings]) -> None:
        if problems := arms_module.differences(asked):
            raise CannotRun(
                "the arms would not measure the same thing: "
                f"{'; '.join(problems)}. `make setup` in the project's "
                "folder installs one Python for both languages"
            )

    def _program(self, arm: str, seed: int) -> TimedProgram:
        program = self.programs[arms_module.LANGUAGE[arm]]
        return program.with_parameters(epochs=self.plan.epochs, seed=seed)

    def _clear(self) -> None:
        """Make the folder of the run that is under way, empty."""
        shutil.rmtree(self.current, ignore_errors=True)
        self.current.mkdir(parents=True, exist_ok=True)

    # --- the runs

    def go_on(self) -> None:
        """All runs that are still to do, and the end."""
        reason = None
        self.progress.begin(self.plan, self.rows)
        try:
            for block, position in self.plan.places():
                if self._is_done(block, position):
                    continue
                if position == 1 and (reason := self._enough()):
                    break
                self._measure_place(block, position)
            reason = reason or self._enough() or "all blocks were run"
        except KeyboardInterrupt:
            self._note_session("stopped")
            raise
        finally:
            self.progress.close()
        self._end(reason)

    def _is_done(self, block: Block, position: int) -> bool:
        return any(
            row["block"] == block.block
            and row["position"] == position
            and row["state"] != "interrupted"
            for row in self.rows
        )

    def _enough(self) -> str:
        """Why no further block is needed, if none is; asked between blocks."""
        rule = self.plan.precision
        budget = self.plan.budget_minutes
        ratio = paired_ratio(self.rows, self.plan.pair())
        if (
            rule is not None
            and ratio is not None
            and ratio.blocks >= rule.least_blocks
            and ratio.half_width <= rule.half_width
        ):
            return (
                f"after {ratio.blocks} blocks the interval's half-width is "
                f"{ratio.half_width:.4f}, at most {rule.half_width:g}"
            )
        if budget is not None and self._spent() >= budget * 60:
            return f"the budget of {budget:g} minutes is spent"
        return ""

    def _spent(self) -> float:
        """Seconds that the campaign took, in all its sessions."""
        before = records.events(self.folder)
        past = sum(x.get("seconds", 0.0) for x in before)
        return past + time.monotonic() - self.began

    def _measure_place(self, block: Block, position: int) -> None:
        for _ in range(MOST_ATTEMPTS):
            records.check_room(self.folder)
            self.progress.begin_run(block.block, block.arms[position - 1])
            row = self._measure(block, position)
            self._keep(row)
            self.progress.end_run(row)
            if row["state"] != "interrupted":
                return
        raise Stopped(
            f"the {row['arm']} run of block {block.block} was interrupted "
            f"{MOST_ATTEMPTS} times in a row (the last time: "
            f"{row['message']}). When that is mended, go on with `python -m "
            f"sidebyside.timing resume {self.folder}`"
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
            "started": plans.now(),
            "load_before": round(machine_module.load_average(), 2),
            "message": "",
        }
        row |= dict.fromkeys(schema.EPOCH_COLUMNS, ())
        # Should this process be killed, this is what is known of the run.
        files.write_whole(self.current / "run.json", json.dumps(row) + "\n")
        program = self._program(arm, block.seed)
        written = arms_module.write_script(arm, program, self.current)
        start = time.monotonic()
        try:
            outcome = run_process(
                written.command,
                environment=arms_module.environment(
                    self.current, self.plan.device, probe=False
                ),
                folder=self.current,
                directory=self.directory,
                timeout=self.plan.timeout_seconds,
                tick=self.progress.tick,
            )
        except KeyboardInterrupt:
            row["process_seconds"] = round(time.monotonic() - start, 6)
            row["message"] = "the campaign was stopped by its user"
            self._keep(row)
            raise
        self.children_seconds += outcome.seconds
        return _finished(row, outcome, self.current)

    def _keep(self, row: dict[str, Any]) -> None:
        """Write a row, and what it says about the others of its block."""
        path = self.folder / schema.RUNS
        rows = [*self.rows, row]
        changed = _judge([x for x in rows if x["block"] == row["block"]])
        # The row's own judgement is in it; one that an earlier row gets now
        # has to be in the file at the same moment.
        if any(x is not row for x in changed):
            files.write_whole(path, records.table_text(rows))
        else:
            records.append_line(path, records.row_text(row))
        self.rows.append(row)
        for other in changed:
            if other is not row:
                self.progress.say(
                    f"run {other['run']}, {other['arm']}: {other['message']}"
                )
        (self.current / "run.json").unlink(missing_ok=True)

    def record_lost_run(self) -> None:
        """The run that was under way when the campaign was killed."""
        path = self.current / "run.json"
        try:
            row = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        if row["run"] in {x["run"] for x in self.rows}:
            return
        row["message"] = "the campaign was killed during this run"
        row |= dict.fromkeys(schema.EPOCH_COLUMNS, ())
        self._keep(row)
        self.progress.say(
            f"Run {row['run']} ({row['arm']}, block {row['block']}) was under "
            "way when the campaign was killed; it is recorded as interrupted "
            "and run again."
        )

    # --- the end

    def _note_session(self, what: str) -> dict[str, float]:
        seconds = time.monotonic() - self.began
        share = 1 - self.children_seconds / seconds
        account = {
            "seconds": round(seconds, 3),
            "children_seconds": round(self.children_seconds, 3),
        }
        records.note(self.folder, what, **account)
        return {**account, "share": share}

    def _end(self, reason: str) -> None:
        seconds = time.monotonic() - self.began
        disturbed = machine_module.disturbances(
            self.counters, machine_module.counters(), seconds
        )
        shutil.rmtree(self.current, ignore_errors=True)
        account = self._note_session("ended")
        sessions = [x for x in records.events(self.folder) if "seconds" in x]
        total = sum(x["seconds"] for x in sessions)
        children = sum(x["children_seconds"] for x in sessions)
        end = {
            "complete": True,
            "reason": reason,
            "ended": plans.now(),
            "blocks": max((x["block"] for x in self.rows), default=0),
            "overhead": {
                "seconds": round(total, 3),
                "children_seconds": round(children, 3),
                "share": round(1 - children / total, 5),
            },
            "disturbed": disturbed,
        }
        text = json.dumps(end, indent=1) + "\n"
        files.write_whole(self.folder / schema.END, text)
        for finding in disturbed:
            self.progress.say(f"Meanwhile {finding}.")
        self.progress.say(
            f"{self.plan.campaign}: {reason}. {len(self.rows)} runs in "
            f"{_near(self.folder)}; the experiment itself took "
            f"{account['share']:.2%} of the time."
        )


def _facts(surroundings: Surroundings) -> dict[str, Any]:
    return {**surroundings.keras, **surroundings.r}


# --- from a process to a row


def _finished(row: dict[str, Any], outcome: Outcome, folder: Path) -> dict[str, Any]:
    """The row of a run that has ended."""
    if outcome.reason == "lost":
        message = "the process that kept the program was killed"
        return {**row, "message": message}
    row = {
        **row,
        "exit_code": outcome.exit_code,
        "started": plans.as_time(outcome.started),
        "process_seconds": round(outcome.seconds, 6),
        "cpu_seconds": round(outcome.cpu_seconds, 6),
        "peak_memory_mb": round(outcome.peak_bytes / 1e6, 3),
        "clock_drift_seconds": round(outcome.drift, 6),
    }
    ended = arms_module.how_it_ended(outcome)
    if outcome.reason == "timeout" or outcome.exit_code != 0:
        state = "timeout" if outcome.reason == "timeout" else "crashed"
        words = arms_module.last_words(folder)
        row |= _what_is_known(folder, row["epochs"])
        return {
            **row,
            "state": state,
            "message": f"{ended}; {words}" if words else ended,
        }
    if abs(outcome.drift) > drift_allowed(outcome.seconds):
        message = (
            f"the system's clock was set by {outcome.drift:+.3f} s, or the "
            "machine slept"
        )
        return {**row, "message": message}
    try:
        row |= _stages(folder, outcome.started)
        row |= _epochs(folder, row["epochs"])
        if row["device"] == "gpu":
            _check_gpu(folder)
    except (_NoResult, OSError, ValueError, KeyError, TypeError) as problem:
        return {**row, "state": "crashed", "message": f"{problem}"}
    return {**row, "state": "ok"}


class _NoResult(Exception):
    """A program ended in good order without having done its work."""


def _stages(folder: Path, started: float) -> dict[str, float]:
    path = folder / "stages.json"
    if not path.exists():
        raise _NoResult("it ended before its last line")
    stamps = json.loads(path.read_text(encoding="utf-8"))["stamps"]
    if len(stamps) != len(schema.STAGE_COLUMNS):
        raise _NoResult(f"{len(stamps)} stamps, expected one per stage")
    begin = [started, *stamps[:-1]]
    # Within what a clock may drift a stage could end before it began.
    return {
        name: round(max(0.0, end - start), 6)
        for name, start, end in zip(schema.STAGE_COLUMNS, begin, stamps, strict=True)
    }


def _fits(folder: Path) -> list[dict[str, Any]]:
    path = folder / "fits.json"
    if not path.exists():
        return []
    return json.loads(path.read_text(encoding="utf-8"))


def _epochs(folder: Path, epochs: int) -> dict[str, tuple[float, ...]]:
    """The lists of a run: from Keras's callback, else the program's own."""
    fits = _fits(folder)
    if fits:
        logs: dict[str, list[float]] = {}
        for fit in fits:
            for epoch in fit["logs"]:
                for name, value in epoch.items():
                    logs.setdefault(name, []).append(value)
        seconds = [x for fit in fits for x in fit["seconds"]]
    else:
        text = (folder / "stages.json").read_text(encoding="utf-8")
        logs = json.loads(text)["history"]
        seconds = logs.get("epoch_seconds", [])
    found = {"epoch_seconds": tuple(round(x, 6) for x in seconds)}
    for name in schema.EPOCH_COLUMNS[1:]:
        found[name] = tuple(float(x) for x in _named(logs, name))
    if not found["loss"]:
        raise _NoResult(
            "no loss was seen: neither in a fit() of Keras nor in the "
            "program's variable `history`"
        )
    for name, values in found.items():
        if len(values) not in ((epochs,) if name == "loss" else (0, epochs)):
            raise _NoResult(
                f"{name} has {len(values)} values, expected one for each of "
                f"{epochs} epochs"
            )
    return found


def _named(logs: dict[str, list[float]], name: str) -> list[float]:
    """A metric's values; Keras names an accuracy after how it is computed."""
    if name in logs:
        return logs[name]
    prefix = "val_" if name.startswith("val_") else ""
    if name.endswith("accuracy"):
        for other, values in logs.items():
            validation = other.startswith("val_")
            if validation == bool(prefix) and other.endswith(("accuracy", "acc")):
                return values
    return []


def _what_is_known(folder: Path, epochs: int) -> dict[str, Any]:
    """What a run that did not come to its end has left; often nothing."""
    with contextlib.suppress(_NoResult, OSError, ValueError, KeyError, TypeError):
        return _epochs(folder, epochs)
    return {}


def _check_gpu(folder: Path) -> None:
    devices = sorted({x for fit in _fits(folder) for x in fit["devices"]})
    if not devices or not all("GPU" in x for x in devices):
        raise _NoResult(
            "the model was not on the GPU: its variables lie on "
            f"{', '.join(devices) or 'no known device'}"
        )


def _judge(block: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Compare losses within a block; the rows whose judgement changed.

    The yardstick is the `python` run; if that one did not come to its end,
    the first that did.
    """
    complete = [x for x in block if x["state"] in schema.COMPLETE]
    if not complete:
        return []
    yardstick = next((x for x in complete if x["arm"] == schema.FIRST_ARM), complete[0])
    changed = []
    for row in complete:
        message = _other_losses(row, yardstick)
        state = "wrong-loss" if message else "ok"
        if state != row["state"]:
            row["state"], row["message"] = state, message
            changed.append(row)
    return changed


def _other_losses(row: dict[str, Any], yardstick: dict[str, Any]) -> str:
    for name in ("loss", "val_loss"):
        own, other = row[name], yardstick[name]
        if len(own) != len(other):
            return f"{len(own)} values of {name}, {len(other)} in the other"
        pairs = zip(own, other, strict=True)
        for epoch, (a, b) in enumerate(pairs, 1):
            # By their text, in which NaN equals itself.
            if repr(a) != repr(b):
                return (
                    f"epoch {epoch}: {name} {a!r}, but {b!r} in run "
                    f"{yardstick['run']} ({yardstick['arm']})"
                )
    return ""
