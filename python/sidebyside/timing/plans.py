"""What a campaign is going to measure, decided before its first run."""

from __future__ import annotations

import ast
import json
import random
import re
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..common.errors import Sentence
from ..common.files import project_directory
from . import schema
from .cells import NoProgram, TimedProgram, read_programs

BLOCKS = 10
# With a precision instead of a number: how many blocks there are before the
# interval is looked at for the first time, and at most.
LEAST_BLOCKS = 10
MOST_BLOCKS = 200
SEED = 42


@dataclass(frozen=True)
class Short:
    """The short campaign: what a class can measure in a few minutes.

    The epochs are the notebook's own, so that what is trained is what a
    standard campaign trains, and the two can be pooled. Three blocks are the
    fewest whose scatter can be seen; what one such campaign cannot tell a
    class of them can.
    """

    blocks: int = 3
    arms: tuple[str, ...] = ("python", "r", "python-again")


SHORT = Short()
# Block seeds are short, for people; both languages take them as integers.
SEEDS = range(1, 1_000_000)
TIMEOUT = 3600.0

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

DESIGN = (
    "randomised complete blocks: every block has one run of each arm, in "
    "random order, all with the seed of the block; each run is a fresh "
    "process; block 0 is the warm-up, measured and left out of analyses"
)
SEQUENTIAL = "fixed-width sequential design"
INTERVAL = "95 % interval of the mean log ratio of the blocks (paired log-t)"


class WrongPlan(Sentence, ValueError):
    """A campaign that cannot be; the message says what to do."""


@dataclass(frozen=True)
class Block:
    """One run of every arm.

    `arms` stand in the order in which they run.
    """

    block: int
    seed: int
    arms: tuple[str, ...]


@dataclass(frozen=True)
class Precision:
    """When a sequential campaign has seen enough.

    Attributes
    ----------
    half_width
        The campaign ends after the first block at which the interval's upper
        limit is at most this much above its estimate, relatively: for 0.02
        and a ratio of 1.10, at 1.122.
    quantity
        Of what the interval is.
    """

    half_width: float
    quantity: str
    interval: str = INTERVAL
    rule: str = SEQUENTIAL
    least_blocks: int = LEAST_BLOCKS


@dataclass(frozen=True)
class Plan:
    """`plan.json`; its keys are described in data/timings/README.md."""

    campaign: str
    created: str
    design: str
    device: str
    arms: tuple[str, ...]
    epochs: int
    seed: int
    blocks: int
    precision: Precision | None
    budget_minutes: float | None
    timeout_seconds: float
    notebook: str
    notebook_sha256: str
    programs: dict[str, str]
    order: tuple[Block, ...]
    schema: int = 1

    def places(self) -> list[tuple[Block, int]]:
        """Every place of the plan, in order: its block and its position."""
        return [
            (block, position)
            for block in self.order
            for position in range(1, len(block.arms) + 1)
        ]

    def pair(self) -> tuple[str, str]:
        """The two arms whose ratio is shown while the campaign runs."""
        if "r" in self.arms and "python" in self.arms:
            return "r", "python"
        return self.arms[-1], self.arms[0]

    def as_text(self) -> str:
        """JSON, with a line for each block."""
        content = asdict(self)
        order = content.pop("order")
        head = json.dumps(content, indent=1, ensure_ascii=False)
        blocks = ",\n  ".join(json.dumps(block) for block in order)
        return head[:-2] + f',\n "order": [\n  {blocks}\n ]\n}}\n'


def default_notebook() -> Path:
    """Notebook 03, whose timed cells are the fruit CNN."""
    project = project_directory()
    if project is None:
        raise WrongPlan("this installation knows no project folder; name the notebook")
    return project / "notebooks" / "03_fruits_cnn.ipynb"


def programs_of(notebook: Path) -> dict[str, TimedProgram]:
    """The notebook's two programs; `WrongPlan` if it has none."""
    try:
        return read_programs(notebook)
    except NoProgram as problem:
        raise WrongPlan(str(problem)) from problem


def make_plan(
    name: str,
    notebook: Path,
    programs: dict[str, TimedProgram],
    *,
    blocks: int | None,
    epochs: int | None,
    arms: tuple[str, ...],
    device: str,
    seed: int,
    precision: float | None,
    budget: float | None,
    timeout: float,
    notebook_sha256: str,
) -> Plan:
    """A plan out of what was asked for; `WrongPlan` if it makes no sense."""
    if not NAME.fullmatch(name):
        raise WrongPlan(
            f"the campaign's name {name!r} becomes a folder: letters, "
            "digits, '.', '_' and '-', please"
        )
    unknown = [arm for arm in arms if arm not in schema.ARMS]
    if unknown or len(set(arms)) != len(arms) or not arms:
        raise WrongPlan(
            f"arms {', '.join(arms) or '(none)'}; expected some of "
            f"{', '.join(schema.ARMS)}, each once"
        )
    if device not in schema.DEVICES:
        raise WrongPlan(f"device {device!r}; expected {' or '.join(schema.DEVICES)}")
    if epochs is None:
        epochs = _own_epochs(programs["python"])
    for what, value in (("blocks", blocks), ("epochs", epochs)):
        if value is not None and value < 1:
            raise WrongPlan(f"{what} is {value}; expected at least 1")
    for what, value in (
        ("precision", precision),
        ("budget", budget),
        ("timeout", timeout),
    ):
        if value is not None and not value > 0:
            raise WrongPlan(f"{what} is {value}; expected more than 0")
    for program in programs.values():
        try:
            program.with_parameters(epochs=epochs, seed=1)
        except NoProgram as problem:
            raise WrongPlan(str(problem)) from problem
    if precision is not None and len(arms) < 2:
        raise WrongPlan("a precision is that of a ratio, which needs two arms")
    number = blocks or (BLOCKS if precision is None else MOST_BLOCKS)
    plan = Plan(
        campaign=name,
        created=now(),
        design=DESIGN,
        device=device,
        arms=arms,
        epochs=epochs,
        seed=seed,
        blocks=number,
        precision=None,
        budget_minutes=budget,
        timeout_seconds=timeout,
        notebook=_in_project(notebook),
        notebook_sha256=notebook_sha256,
        programs={name: x.sha256() for name, x in programs.items()},
        order=_order(arms, number, seed),
    )
    if precision is None:
        return plan
    quantity = "fit_seconds, {} over {}".format(*plan.pair())
    rule = Precision(precision, quantity)
    design = f"{DESIGN}; {SEQUENTIAL}"
    return replace(plan, precision=rule, design=design)


def read_plan(folder: Path) -> Plan:
    """`plan.json` as a Plan; `WrongRuns` if it is damaged."""
    from .loader import read_plan as checked

    content = checked(folder)
    try:
        order = tuple(
            Block(x["block"], x["seed"], tuple(x["arms"])) for x in content["order"]
        )
        rule = content["precision"]
        content["precision"] = Precision(**rule) if rule else None
        content["arms"] = tuple(content["arms"])
        return Plan(**{**content, "order": order})
    except (KeyError, TypeError) as problem:
        what = f"not a plan of this version ({problem})"
        path = folder / schema.PLAN
        raise schema.WrongRuns([schema.Problem(path, None, "", what)]) from problem


def now() -> str:
    """The time in UTC, ISO 8601, to the millisecond."""
    return as_time(datetime.now(UTC).timestamp())


def as_time(seconds: float) -> str:
    """Seconds since 1970 as a time in UTC, ISO 8601."""
    time = datetime.fromtimestamp(seconds, UTC)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _order(arms: tuple[str, ...], blocks: int, seed: int) -> tuple[Block, ...]:
    chance = random.Random(seed)
    order = []
    for number in range(blocks + 1):
        shuffled = list(arms)
        chance.shuffle(shuffled)
        order.append(Block(number, chance.choice(SEEDS), tuple(shuffled)))
    return tuple(order)


def _own_epochs(program: TimedProgram) -> int:
    """What the notebook's parameters cell sets."""
    for line in ast.parse(program.stages["parameters"]).body:
        match line:
            case ast.Assign(
                targets=[ast.Name(id="epochs")],
                value=ast.Constant(value=int() as epochs),
            ):
                return epochs
    raise WrongPlan(
        f"{program.notebook.name}: the parameters cell sets no whole number "
        "`epochs`; say how many"
    )


def _in_project(notebook: Path) -> str:
    """The notebook's path in the project; only its name if it is elsewhere."""
    project: Any = project_directory()
    path = notebook.resolve()
    if project is not None and path.is_relative_to(project.resolve()):
        return path.relative_to(project.resolve()).as_posix()
    return path.name
