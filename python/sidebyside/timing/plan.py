"""Plan what a campaign will measure, before its first run."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from ..common.errors import Sentence
from ..common.files import project_directory
from . import format as layout
from .cells import TimedProgram
from .format import LEAST_BLOCKS, MORE_BLOCKS, SEQUENTIAL, Block, Plan, Precision
from .ratio import Ratio, paired_ratio

BLOCKS = 10
# The most blocks of a campaign with a precision instead of a number of blocks.
MOST_BLOCKS = 200
SEED = 42
# Seeds of blocks are short numbers for people, and integers in both languages.
SEEDS = range(1, 1_000_000)
TIMEOUT = 3600.0

DESIGN = (
    "randomised complete blocks: every block has one run of each arm, in "
    "random order, all with the seed of the block; each run is a fresh "
    "process; block 0 is the warm-up, measured and left out of analyses"
)


class WrongPlan(Sentence, ValueError):
    """The campaign is not possible. The message says what to do."""


@dataclass(frozen=True)
class Settings:
    """The settings of a campaign that a reader may choose.

    Attributes
    ----------
    blocks
        Number of blocks after the warm-up: by default 10, or with a precision at
        most 200.
    epochs
        Number of epochs in each run. None: as in the notebook.
    arms
        Some of "python", "r", "python-again", "rpy2".
    device
        "cpu" or "gpu". Without a GPU the campaign says so and uses the CPU.
    seed
        Seed for the order of the arms and for the seeds of the blocks.
    precision
        Continue until the 95 % interval of the ratio of the fit stages is this
        narrow (0.02: its upper limit is at most 2 % above the estimate), for at
        least `LEAST_BLOCKS` blocks, and then for `MORE_BLOCKS` more. This is a
        fixed-width sequential design.
    budget
        Minutes after which no new block starts.
    timeout
        Seconds after which a run is stopped.
    """

    blocks: int | None = None
    epochs: int | None = None
    arms: tuple[str, ...] = layout.ARMS
    device: str = "cpu"
    seed: int = SEED
    precision: float | None = None
    budget: float | None = None
    timeout: float = TIMEOUT

    def check(self) -> None:
        """Raise `WrongPlan` if the settings are not possible."""
        arms = self.arms if isinstance(self.arms, tuple | list) else (self.arms,)
        if not arms or not set(arms) <= set(layout.ARMS) or len(set(arms)) < len(arms):
            raise WrongPlan(
                f"The arms are {', '.join(map(str, arms)) or '(none)'}; expected some "
                f"of {', '.join(layout.ARMS)}, each at most once."
            )
        if self.device not in layout.DEVICES:
            raise WrongPlan(
                f"The device is {self.device!r}; expected "
                f"{' or '.join(layout.DEVICES)}."
            )
        for kind, what, limits in (
            (Integral, "a whole number", layout.WHOLE_SETTINGS),
            (Real, "a number", layout.SETTINGS),
        ):
            for name, (low, high) in limits.items():
                value = getattr(self, name)
                good = isinstance(value, kind) and not isinstance(value, bool)
                # NaN is outside every range.
                if value is not None and not (good and low <= value <= high):
                    raise WrongPlan(
                        f"{name} is {value!r}; expected {what} from {low:g} to "
                        f"{high:g}."
                    )
        if self.precision is not None and len(arms) < 2:
            raise WrongPlan(
                "There is only one arm, but a precision needs the ratio of two. "
                "Choose two arms."
            )
        least = LEAST_BLOCKS + MORE_BLOCKS
        if None not in (self.precision, self.blocks) and self.blocks < least:
            raise WrongPlan(
                f"blocks is {self.blocks}; expected at least {least}, because a "
                "campaign with a precision never ends earlier."
            )


# The short campaign, which a class can measure in a few minutes. It has the
# notebook's own number of epochs, so that it can be pooled with standard campaigns.
# Three blocks are the fewest that show any scatter. One such campaign tells little,
# but those of a whole class tell enough.
SHORT = Settings(blocks=3, arms=("python", "r", "python-again"))


def default_notebook() -> Path:
    """Return notebook 03, whose timed cells are the network for fruits."""
    project = project_directory()
    if project is None:
        raise WrongPlan(
            "This installation has no project folder. Name a notebook with --notebook."
        )
    return project / "notebooks" / "03_fruits_cnn.ipynb"


def make_plan(
    name: str, notebook: Path, programs: dict[str, TimedProgram], settings: Settings
) -> Plan:
    """Make a plan from the settings.

    Raises `WrongPlan` if it is not possible, and `NoProgram` if the notebook has no
    parameters for the number of epochs and the seed.
    """
    if not (isinstance(name, str) and layout.NAME.fullmatch(name)):
        raise WrongPlan(
            f"The campaign's name is {name!r}, but it becomes a folder: use only "
            "letters, digits, '.', '_' and '-'."
        )
    settings.check()
    epochs = settings.epochs
    if epochs is None:
        epochs = _own_epochs(programs["python"])
    for program in programs.values():
        program.with_parameters(epochs=epochs, seed=1)
    rule = settings.precision
    blocks = settings.blocks or (BLOCKS if rule is None else MOST_BLOCKS)
    plan = Plan(
        campaign=name,
        created=layout.now(),
        design=DESIGN if rule is None else f"{DESIGN}; {SEQUENTIAL}",
        device=settings.device,
        arms=settings.arms,
        epochs=epochs,
        seed=settings.seed,
        blocks=blocks,
        precision=None,
        budget_minutes=settings.budget,
        timeout_seconds=settings.timeout,
        notebook=_in_project(notebook),
        notebook_sha256=hashlib.sha256(notebook.read_bytes()).hexdigest(),
        programs={name: x.sha256() for name, x in programs.items()},
        order=_order(settings.arms, blocks, settings.seed),
    )
    if rule is None:
        return plan
    quantity = "fit_seconds, {} over {}".format(*plan.pair())
    counts = {"least_blocks": LEAST_BLOCKS, "more_blocks": MORE_BLOCKS}
    return replace(plan, precision=Precision(rule, quantity, **counts))


def _order(arms: tuple[str, ...], blocks: int, seed: int) -> tuple[Block, ...]:
    chance = random.Random(seed)
    order = []
    for number in range(blocks + 1):
        shuffled = list(arms)
        chance.shuffle(shuffled)
        order.append(Block(number, chance.choice(SEEDS), tuple(shuffled)))
    return tuple(order)


def _own_epochs(program: TimedProgram) -> int:
    """Return the number of epochs in the notebook's parameters cell."""
    epochs = program.parameters().get("epochs", "")
    if not (epochs.isascii() and epochs.isdecimal()):
        raise WrongPlan(
            f"{program.notebook.name}: the parameters cell sets no whole number "
            "`epochs`. Choose the number of epochs with --epochs."
        )
    return int(epochs)


def _in_project(notebook: Path) -> str:
    """Return the notebook's path in the project, or only its name if elsewhere."""
    project = project_directory()
    path = notebook.resolve()
    if project is not None and path.is_relative_to(project.resolve()):
        return path.relative_to(project.resolve()).as_posix()
    return path.name


def why_enough(plan: Plan, rows: Iterable[Mapping[str, Any]], spent: float) -> str:
    """Say why no further block is needed; "" if one is.

    Parameters
    ----------
    rows
        The runs so far, up to the end of a block.
    spent
        Seconds that the campaign has taken, in all its sessions.
    """
    if ratio := precise_enough(plan, rows):
        rule = plan.precision
        reason = (
            f"after {ratio.blocks} blocks the interval's half-width was "
            f"{ratio.half_width:.4f} ({rule.half_width:g} or less was wanted)"
        )
        if rule.more_blocks:
            reason += f"; {rule.more_blocks} more blocks were run, as planned"
        return reason
    budget = plan.budget_minutes
    if budget is not None and spent >= budget * 60:
        return f"the budget of {budget:g} minutes is used up"
    return ""


def precise_enough(plan: Plan, rows: Iterable[Mapping[str, Any]]) -> Ratio | None:
    """Return the ratio if its interval was narrow and the extra blocks were run."""
    rule, pair = plan.precision, plan.pair()
    if rule is None or pair is None:
        return None
    ratio = paired_ratio(rows, pair, without_last=rule.more_blocks)
    if ratio is None or ratio.blocks < rule.least_blocks:
        return None
    return ratio if ratio.half_width <= rule.half_width else None
