"""Campaigns from files to one table, every row checked."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..common.collector import paused
from ..common.errors import Sentence
from ..common.files import data_directory, project_directory
from . import schema
from .archives import is_archive, read_bytes
from .distinct import Seen, machine_names, work_in_words, work_of
from .schema import Problem, WrongRuns

ENVIRONMENT = "SIDEBYSIDE_TIMINGS"
# How a folder is named whose measurements everybody has, and one that a
# reader sent in.
REFERENCE = "reference-"
CONTRIBUTED = "contributed-"

STARTED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")


class CutOff(UserWarning):
    """The last line of a file was not written to its end; it is left out."""


class NoTimings(Sentence, RuntimeError):
    """There are no measurements where they were looked for."""


def load_campaigns(*folders: str | Path) -> pd.DataFrame:
    """Measurements of one campaign or several, as one table.

    Parameters
    ----------
    folders
        Campaigns (folders with `runs.csv`, `plan.json` and `machine.json`,
        or zip files of such a folder, which are not unpacked) or folders
        that hold such. Without any: those that the environment
        variable SIDEBYSIDE_TIMINGS names (separated as in PATH); else the
        reader's own campaigns that came to their end, under
        `data_directory()/timings`; else the reference measurements of the
        project. What readers have contributed comes along with either.

    Returns
    -------
    pandas.DataFrame
        A row per run, in the order in which they ran, with the columns of
        `runs.csv` (data/timings/README.md) and two more: `work`, what was
        trained, in words, so that campaigns with other words are another
        question; and `machine`, the anonymous name of the machine
        (containers of one server are one machine, as far as can be known:
        `sidebyside.timing.distinct` has both). Lists are tuples of
        float, one number per epoch, `()` where nothing was measured; numbers
        that were not measured are NaN, `exit_code` is Int64; `started` is a
        time in UTC; words are categories. `attrs["folders"]` says where each
        campaign lies.

    Raises
    ------
    WrongRuns
        With file, line and column of everything that is not as it should be.
    NoTimings
        If nothing was found, with what to do.
    """
    found = list(campaign_folders(*folders))
    with paused():  # a million numbers stay
        tables = [read_campaign(folder) for folder in found]
    seen: dict[str, Path] = {}
    measured: dict[str, Path] = {}
    for folder, table in zip(found, tables, strict=True):
        name = table.attrs["campaign"]
        if name in seen:
            what = (
                f"campaign {name!r} stands in {seen[name]} too; load one of "
                "the two, or rename one"
            )
            problem = Problem(folder / schema.PLAN, None, "campaign", what)
            raise WrongRuns([problem])
        seen[name] = folder
        other = measured.setdefault(fingerprint(table), folder)
        if other != folder and len(table):
            what = (
                f"these are the runs that stand in {other} too, under another "
                "name; load one of the two"
            )
            raise WrongRuns([Problem(folder / schema.RUNS, None, "", what)])
    _name_machines(tables)
    whole = _joined(tables)
    whole.attrs = {"folders": {k: str(v) for k, v in seen.items()}}
    return whole


def campaign_folders(*folders: str | Path) -> Iterator[Path]:
    """The campaigns that `load_campaigns()` would load, in its order."""
    if folders:
        for folder in folders:
            yield from _campaigns_in(Path(folder))
        return
    named = os.environ.get(ENVIRONMENT, "")
    if named:
        for folder in named.split(os.pathsep):
            yield from _campaigns_in(Path(folder).expanduser())
        return
    own, shared = [], []
    places = [timings_directory()]
    if (project := project_directory()) is not None:
        places.append(project / "data" / "timings")
    for place in dict.fromkeys(places):
        for folder in _below(place):
            if folder.name.startswith((REFERENCE, CONTRIBUTED)):
                shared.append(folder)
            elif is_finished(folder):
                own.append(folder)
    contributed = [x for x in shared if x.name.startswith(CONTRIBUTED)]
    reference = [x for x in shared if x.name.startswith(REFERENCE)]
    chosen = own or reference
    if not chosen:
        raise NoTimings(
            f"no measurements in {' or '.join(map(str, places))}; `make "
            "timings` makes some"
        )
    yield from chosen
    yield from contributed


def fingerprint(table: pd.DataFrame) -> str:
    """Of what was measured: the same for a copy, whatever its name.

    Eight hexadecimal digits of a SHA-256 of the runs' seconds and states.
    Clocks count microseconds, so no two measurements agree in all of them.
    """
    digest = hashlib.sha256()
    for name in ("block", "position", "process_seconds", "fit_seconds"):
        digest.update(table[name].to_numpy(float).tobytes())
    for name in ("state", "arm"):
        digest.update(",".join(table[name].astype(str)).encode())
    return digest.hexdigest()[:8]


def timings_directory() -> Path:
    """Where the reader's own campaigns are kept."""
    return data_directory() / "timings"


def is_finished(folder: Path) -> bool:
    """Whether a campaign came to the end that its plan set."""
    try:
        end = json.loads(read_bytes(folder / schema.END))
        return bool(end["complete"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _below(place: Path) -> list[Path]:
    """Folders only: a zip file beside them is one of them, packed."""
    if not place.is_dir():
        return []
    return sorted(x.parent for x in place.glob(f"*/{schema.RUNS}"))


def _campaigns_in(folder: Path) -> list[Path]:
    if is_archive(folder) or (folder / schema.RUNS).is_file():
        return [folder]
    below = _below(folder)
    if folder.is_dir():
        below = sorted([*below, *filter(is_archive, folder.iterdir())])
    if below:
        return below
    what = "a folder" if folder.is_dir() else "not there"
    # Whoever named it from elsewhere sees where it was looked for.
    raise NoTimings(
        f"{folder.absolute()} is {what}, expected a campaign (a folder with "
        f"{schema.RUNS}, or such a folder as a zip file) or a folder of "
        "campaigns"
    )


def _name_machines(tables: list[pd.DataFrame]) -> None:
    """The column `machine`, the same name for the same machine."""
    places = [x.attrs["place"] for x in tables]
    for table, name in zip(tables, machine_names(places), strict=True):
        table["machine"] = table["machine"].cat.rename_categories([name])


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    if len(tables) == 1:
        return tables[0].copy(deep=False)
    for table in tables:
        table.attrs = {}
    # Of categories that differ pandas would make plain strings.
    for column in ("campaign", "work", "machine"):
        names = [x for t in tables for x in t[column].cat.categories]
        for table in tables:
            table[column] = table[column].cat.set_categories(list(dict.fromkeys(names)))
    return pd.concat(tables, ignore_index=True)


# --- one campaign


def read_plan(folder: Path) -> dict[str, Any]:
    """`plan.json` of a campaign, with what the rows are checked against.

    Raises `WrongRuns` if it is not there or is no plan.
    """
    path = folder / schema.PLAN
    plan = _read_json(path)
    problems = []
    kinds = {
        "campaign": str,
        "device": str,
        "arms": list,
        "epochs": int,
        "order": list,
    }
    for name, kind in kinds.items():
        if not isinstance(plan.get(name), kind):
            found = repr(plan.get(name, "nothing"))[:60]
            what = f"{found}, expected a {kind.__name__}"
            problems.append(Problem(path, None, name, what))
    if not problems:
        for number, block in enumerate(plan["order"]):
            try:
                good = (
                    block["block"] == number
                    and isinstance(block["seed"], int)
                    and sorted(block["arms"]) == sorted(plan["arms"])
                )
            except (KeyError, TypeError):
                good = False
            if not good:
                what = (
                    f"{str(block)[:80]}, expected block {number} with a seed "
                    f"and the arms {', '.join(plan['arms'])}"
                )
                problems.append(Problem(path, None, "order", what))
    if problems:
        raise WrongRuns(problems)
    return plan


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(read_bytes(path))
    except WrongRuns:
        raise
    except FileNotFoundError:
        what = "the file is not there"
    except (OSError, ValueError, RecursionError) as problem:
        what = f"the file cannot be read as JSON ({problem})"
    else:
        if isinstance(found, dict):
            return found
        what = f"a {type(found).__name__}, expected an object"
    raise WrongRuns([Problem(path, None, "", what)])


def read_machine(folder: Path) -> dict[str, Any]:
    """`machine.json` of a campaign, which names the machine.

    Raises `WrongRuns` if it is not there or has no such name. The rest is as
    it was written, and may lack anything.
    """
    path = folder / schema.MACHINE
    described = _read_json(path)
    machine = described.get("id")
    if not isinstance(machine, str) or not machine:
        found = repr(machine)[:60]
        what = f"{found}, expected the machine's anonymous name"
        raise WrongRuns([Problem(path, None, "id", what)])
    return described


def read_campaign(folder: str | Path) -> pd.DataFrame:
    """One campaign, checked; as `load_campaigns()`.

    `attrs["campaign"]` is its name, `attrs["place"]` where and when it was
    measured.
    """
    folder = Path(folder)
    plan = read_plan(folder)
    described = read_machine(folder)
    machine = described["id"]
    table = _Check(folder / schema.RUNS, plan).table()
    work = work_in_words(work_of(plan, described))
    for column, word in (("work", work), ("machine", machine)):
        table[column] = pd.Categorical.from_codes(
            np.zeros(len(table), dtype=np.int8), [word]
        )
    times = table["started"]
    seconds = pd.to_timedelta(table["process_seconds"].fillna(0), unit="s")
    boot = described.get("boot")
    place = Seen(
        machine,
        boot if isinstance(boot, str) else "",
        times.min(),
        (times + seconds).max(),
    )
    table.attrs = {"campaign": plan["campaign"], "place": place}
    return table


def whole_lines(path: Path) -> bytes:
    """A file up to its last whole line.

    A line without its end was being written when the machine or the program
    stopped, and after a power cut a file may end in zeros.
    """
    return _whole(read_bytes(path))


def _whole(data: bytes) -> bytes:
    whole = data.rstrip(b"\0")
    return whole[: whole.rfind(b"\n") + 1]


class _Check:
    """Reads the rows of one file and collects what is wrong with them."""

    def __init__(self, path: Path, plan: dict[str, Any]) -> None:
        self.path = path
        self.plan = plan
        self.problems: list[Problem] = []
        try:
            data = read_bytes(path)
        except OSError as problem:
            what = f"the file cannot be read ({problem.strerror})"
            raise WrongRuns([Problem(path, None, "", what)]) from problem
        whole = _whole(data)
        if len(whole) < len(data):
            warnings.warn(
                f"{path}: the last line was not written to its end and is "
                "left out; `python -m sidebyside.timing resume` mends it",
                CutOff,
                stacklevel=6,
            )
        self.columns, self.text = self._read(whole)

    def table(self) -> pd.DataFrame:
        """The rows, or `WrongRuns`."""
        columns: dict[str, Any] = {}
        for name in self.columns:
            if name in schema.EPOCH_COLUMNS:
                columns[name] = self._lists(name)
            elif name in schema.WHOLE:
                columns[name] = self._whole_numbers(name)
            elif name in schema.REAL:
                columns[name] = self._reals(name)
            else:
                columns[name] = self._words(name)
        self._raise()
        # The plan first: a wrong number of epochs makes all lists wrong.
        self._check_plan(columns)
        self._check_states(columns)
        self._raise()
        self._check_partners(columns)
        self._raise()
        for name in schema.COLUMNS:
            if name not in columns:
                columns[name] = np.full(len(columns["run"]), np.nan)
        return pd.DataFrame(columns)

    def _raise(self) -> None:
        if self.problems:
            order = sorted(self.problems, key=lambda x: x.line or 0)
            raise WrongRuns(order)

    def _wrong(self, bad: Any, column: str, expected: str) -> None:
        """Note the rows in which `bad` is true, with what stands there."""
        for row in np.flatnonzero(bad):
            found = self.text[column][row]
            found = found if len(found) <= 40 else found[:37] + "..."
            what = f"found {found!r}, expected {expected}"
            self.problems.append(Problem(self.path, row + 2, column, what))

    # --- the text

    def _read(self, data: bytes) -> tuple[list[str], dict[str, tuple[str, ...]]]:
        header = data.split(b"\n", 1)[0].decode("utf-8", "replace")
        columns = header.lstrip("\ufeff").strip().split(",")
        expected = list(schema.REQUIRED)
        if columns[: len(expected)] != expected:
            missing = [name for name in expected if name not in columns]
            if len(missing) == len(expected):
                what = f"found {header[:40]!r}, expected a header"
            elif missing:
                what = f"no column {', '.join(missing)}"
            else:
                what = "the columns stand in another order"
            what += f"; the columns are {','.join(expected)}"
            raise WrongRuns([Problem(self.path, 1, "", what)])
        rows = self._rows(data)
        width = len(columns)
        if any(len(fields) != width for fields in rows):
            for number, fields in enumerate(rows, 2):
                if len(fields) != width:
                    what = f"found {len(fields)} fields, expected {width}"
                    self.problems.append(Problem(self.path, number, "", what))
            self._raise()
        # A row is a line, so row and line numbers go together.
        text = dict(zip(columns, zip(*rows, strict=True), strict=False))
        return columns, text or dict.fromkeys(columns, ())

    def _rows(self, data: bytes) -> list[list[str]]:
        """The fields of each line but the first."""
        try:
            lines = data.decode().replace("\r\n", "\n").split("\n")[1:-1]
        except UnicodeDecodeError as problem:
            line = data.count(b"\n", 0, problem.start) + 1
            what = f"the line cannot be read ({problem})"
            raise WrongRuns([Problem(self.path, line, "", what)]) from problem
        # Most lines have no quotes, and a split takes a third of the time.
        rows = [line.split(",") for line in lines]
        for number, line in enumerate(lines, 2):
            if '"' not in line:
                continue
            try:
                rows[number - 2] = next(csv.reader([line], strict=True))
            except csv.Error as problem:
                what = f"the line cannot be read ({problem})"
                self.problems.append(Problem(self.path, number, "", what))
        self._raise()
        return rows

    # --- columns by kind

    def _whole_numbers(self, name: str) -> np.ndarray:
        low, high = schema.WHOLE[name]
        values = _numbers(self.text[name])
        with np.errstate(invalid="ignore"):
            good = (values >= low) & (values <= high)
            good &= values == np.trunc(values)
        self._wrong(~good, name, f"a whole number from {low} to {high}")
        return np.where(good, values, 0).astype(np.int64)

    def _reals(self, name: str) -> np.ndarray:
        low, high = schema.REAL[name]
        values = _numbers(self.text[name])
        empty = _is_empty(self.text[name])
        with np.errstate(invalid="ignore"):
            good = empty | ((values >= low) & (values <= high))
        self._wrong(~good, name, f"a number from {low:g} to {high:g}, or ''")
        return values

    def _words(self, name: str) -> Any:
        text = self.text[name]
        if name == "exit_code":
            return self._exit_codes(text)
        if name == "started":
            return self._times(text)
        if name in ("arm", "device", "state", "campaign"):
            known: tuple[str, ...] = {
                "arm": schema.ARMS,
                "device": schema.DEVICES,
                "state": schema.STATES,
                "campaign": (self.plan["campaign"],),
            }[name]
            words = pd.Categorical(text, categories=known)
            self._wrong(words.codes < 0, name, f"one of {', '.join(known)}")
            return words
        # The message, and columns that a later version has added.
        return np.array(text, dtype=object)

    def _exit_codes(self, text: tuple[str, ...]) -> pd.Series:
        numbers = pd.Series(_numbers(text))
        good = numbers.between(-64, 255) & (numbers % 1 == 0)
        bad = ~_is_empty(text) & ~good.to_numpy()
        self._wrong(bad, "exit_code", "a whole number from -64 to 255, or ''")
        return numbers.where(~bad).astype("Int64")

    def _times(self, text: tuple[str, ...]) -> pd.Series:
        bad = np.array([STARTED.fullmatch(x) is None for x in text], bool)
        times = pd.to_datetime(
            pd.Series(text, dtype=object).where(~bad),
            format="ISO8601",
            utc=True,
            errors="coerce",
        )
        self._wrong(
            bad | times.isna().to_numpy(),
            "started",
            "a time in UTC such as 2026-11-22T09:30:00.000Z",
        )
        return times

    def _lists(self, name: str) -> np.ndarray:
        """Tuples of float, all lists of a column converted in one go.

        The runs of a block have the same losses, so each text is read once.
        """
        texts = self.text[name]
        unique = list(dict.fromkeys(texts))
        # One number more than separators, none where there is nothing.
        counts = [x.count(";") + 1 if x else 0 for x in unique]
        try:
            joined = ";".join(filter(None, unique))
            numbers = list(map(float, joined.split(";"))) if joined else []
        except ValueError:
            bad = np.array([not _is_list(x) for x in texts], dtype=bool)
            self._wrong(bad, name, "numbers joined by ';'")
            return np.full(len(texts), None)
        if name == "epoch_seconds":
            self._check_range(name, unique, numbers, schema.MOST_SECONDS)
        elif name.endswith("accuracy"):
            self._check_range(name, unique, numbers, 1.0)
        lists, start = {}, 0
        for text, count in zip(unique, counts, strict=True):
            lists[text] = tuple(numbers[start : start + count])
            start += count
        found = map(lists.__getitem__, texts)
        return np.fromiter(found, dtype=object, count=len(texts))

    def _check_range(
        self, name: str, unique: list[str], numbers: list[float], high: float
    ) -> None:
        values = np.array(numbers, dtype=float)
        with np.errstate(invalid="ignore"):
            good = (values >= 0) & (values <= high)
        if good.all():
            return
        outside = {
            text
            for text in unique
            if text and not all(0 <= float(x) <= high for x in text.split(";"))
        }
        bad = np.array([x in outside for x in self.text[name]], dtype=bool)
        self._wrong(bad, name, f"numbers from 0 to {high:g}")

    # --- rows

    def _check_states(self, columns: dict[str, Any]) -> None:
        complete = np.isin(np.asarray(columns["state"]), schema.COMPLETE)
        for name in ("process_seconds", *schema.STAGE_COLUMNS):
            bad = complete & np.isnan(columns[name])
            self._wrong(bad, name, "a number in a run that came to its end")
        code = columns["exit_code"].to_numpy(dtype=float, na_value=np.nan)
        self._wrong(
            complete & (code != 0),
            "exit_code",
            "0 in a run that came to its end",
        )
        epochs = columns["epochs"]
        for name in schema.EPOCH_COLUMNS:
            counts = np.fromiter(map(len, columns[name]), np.int64)
            allowed = counts == epochs
            # Not every program has an accuracy, data to validate with, or
            # Keras, which stamps the epochs.
            if name != "loss":
                allowed |= counts == 0
            allowed |= ~complete & (counts <= epochs)
            for row in np.flatnonzero(~allowed):
                what = (
                    f"found {counts[row]} numbers, expected {epochs[row]}, "
                    "one per epoch"
                )
                self.problems.append(Problem(self.path, row + 2, name, what))
        stages = np.sum([columns[x] for x in schema.STAGE_COLUMNS], axis=0)
        with np.errstate(invalid="ignore"):
            # By two clocks, which may drift apart so far (drift_allowed()).
            bad = stages > columns["process_seconds"] * 1.001 + 0.06
        self._wrong(
            complete & bad,
            "process_seconds",
            "at least the sum of the stages",
        )

    def _check_plan(self, columns: dict[str, Any]) -> None:
        run = columns["run"]
        again = np.zeros(len(run), dtype=bool)
        if len(run):
            _, first = np.unique(run, return_index=True)
            again = np.ones(len(run), dtype=bool)
            again[first] = False
        self._wrong(again, "run", "a number that no other run has")
        order = np.zeros(len(run), dtype=bool)
        order[1:] = (np.diff(run) < 0) & ~again[1:]
        self._wrong(order, "run", "a number above that of the run before")
        for name in ("device", "epochs"):
            planned = self.plan[name]
            bad = np.asarray(columns[name]) != planned
            self._wrong(bad, name, f"{planned}, as in {schema.PLAN}")
        plan = self.plan["order"]
        width = len(self.plan["arms"])
        block, position = columns["block"], columns["position"]
        unplanned = block >= len(plan)
        self._wrong(unplanned, "block", f"one of the {len(plan)} planned")
        wide = position > width
        self._wrong(wide, "position", f"a position from 1 to {width}")
        known = ~unplanned & ~wide
        arms = np.array([x["arms"] for x in plan]).reshape(len(plan), width)
        seeds = np.array([x["seed"] for x in plan], dtype=np.int64)
        b = np.where(known, block, 0)
        p = np.where(known, position - 1, 0)
        if len(plan):
            arm = np.asarray(columns["arm"]).astype(str)
            for row in np.flatnonzero(known & (arm != arms[b, p])):
                self._disagrees(row, "arm", arm[row], arms[b[row], p[row]])
            seed = columns["seed"]
            for row in np.flatnonzero(known & (seed != seeds[b])):
                self._disagrees(row, "seed", seed[row], seeds[b[row]])
        # What was interrupted is run again; everything else runs once.
        counts = np.asarray(columns["state"]) != "interrupted"
        place = np.where(known & counts, block * (width + 1) + position, -1)
        repeated = known & counts & pd.Series(place).duplicated().to_numpy()
        self._wrong(
            repeated,
            "position",
            "a place of its block that was not run before",
        )

    def _check_partners(self, columns: dict[str, Any]) -> None:
        """Whether each run is judged as its losses are (`_judge()`)."""
        state = np.asarray(columns["state"])
        complete = np.flatnonzero(np.isin(state, schema.COMPLETE))
        block = columns["block"][complete]
        arm = np.asarray(columns["arm"])[complete]
        # The yardstick of a block: its run of the first arm, else its first.
        order = np.lexsort((complete, arm != schema.FIRST_ARM, block))
        blocks, first = np.unique(block[order], return_index=True)
        yardstick = complete[order][first][np.searchsorted(blocks, block)]
        same = np.ones(len(complete), dtype=bool)
        for name in ("loss", "val_loss"):
            same &= _same_bits(columns[name], complete, yardstick)
        for number in np.flatnonzero(same != (state[complete] == "ok")):
            row, other = int(complete[number]), int(yardstick[number])
            what = (
                f"found {state[row]}, but its losses are "
                f"{'' if same[number] else 'not '}those of run "
                f"{columns['run'][other]}, line {other + 2}"
            )
            self.problems.append(Problem(self.path, row + 2, "state", what))

    def _disagrees(self, row: int, name: str, found: Any, plan: Any) -> None:
        what = f"found {found}, but {schema.PLAN} has {plan} at this place"
        self.problems.append(Problem(self.path, int(row) + 2, name, what))


def _same_bits(lists: np.ndarray, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Whether the lists of some rows are those of others, bit for bit."""
    # Lists of the same text are one object.
    objects = np.fromiter(map(id, lists), dtype=np.int64, count=len(lists))
    same = objects[rows] == objects[others]
    for number in np.flatnonzero(~same):
        # By its text NaN equals itself.
        a, b = lists[rows[number]], lists[others[number]]
        same[number] = repr(a) == repr(b)
    return same


def _numbers(texts: tuple[str, ...]) -> np.ndarray:
    """Floats, NaN for what is none."""
    try:
        return np.fromiter(map(float, texts), dtype=float, count=len(texts))
    except ValueError:
        numbers = pd.Series(texts, dtype=object)
        return pd.to_numeric(numbers, errors="coerce").to_numpy(dtype=float)


def _is_empty(texts: tuple[str, ...]) -> np.ndarray:
    return np.array([not text for text in texts], dtype=bool)


def _is_list(text: str) -> bool:
    if not text:
        return True
    try:
        list(map(float, text.split(";")))
    except ValueError:
        return False
    return True
