"""Plan what a campaign will measure, before its first run."""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import os
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from ..common.errors import Sentence
from ..common.files import project_directory
from ..common.python import interpreter
from . import format as layout
from . import gpu
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
VARIED = (
    "the numbers of epochs and the batch sizes vary by block: each combination once, "
    "in random order, then each once again; the warm-up has the shortest"
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
        "cpu" or "gpu": then the first GPU that CUDA_VISIBLE_DEVICES leaves visible.
    backend
        Keras's backend: "tensorflow", "jax" or "torch". None: the one that
        KERAS_BACKEND names, or else TensorFlow.
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
    backend: str | None = None
    seed: int = SEED
    precision: float | None = None
    budget: float | None = None
    timeout: float = TIMEOUT

    def chosen_backend(self) -> str:
        """Return the backend that was asked for, or else the environment's."""
        return self.backend or os.environ.get("KERAS_BACKEND") or layout.BACKENDS[0]

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
        _check_backend(self.chosen_backend(), self.device)
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


def _check_backend(backend: object, device: str) -> None:
    known = layout.BACKENDS
    if backend not in known:
        raise WrongPlan(
            f"The backend is {backend!r}; expected {', '.join(known[:-1])} or "
            f"{known[-1]} (from --backend, or from the variable KERAS_BACKEND)."
        )
    if importlib.util.find_spec(backend) is None:
        how = (
            f"`{interpreter()} -m pip install {backend} numpy=={version('numpy')}` (R "
            "needs this version of NumPy)"
        )
        if backend == "jax":
            how = "`make setup BACKEND=jax` in the project's folder"
        raise WrongPlan(
            f"The backend {backend} is not installed for {interpreter()}. To install "
            f"it: {how}."
        )
    if device == "gpu" and backend not in gpu.BUILDS:
        raise WrongPlan(
            f"On a GPU only {' and '.join(gpu.BUILDS)} can be measured so far, not "
            f"{backend}."
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
    name: str,
    notebook: Path,
    programs: dict[str, TimedProgram],
    settings: Settings,
    *,
    network: str = "",
    lengths: tuple[int, ...] = (),
    batch_sizes: tuple[int, ...] = (),
) -> Plan:
    """Make a plan from the settings.

    With `lengths` (numbers of epochs) and perhaps `batch_sizes`, each block has one of
    their combinations. These are for a network of a study.

    Raises `WrongPlan` if it is not possible, and `NoProgram` if the notebook has no
    parameters for the number of epochs and the seed.
    """
    check_name(name)
    settings.check()
    # The shortest training comes first.
    combinations = [
        (length, size)
        for length in sorted(lengths)
        for size in sorted(batch_sizes, reverse=True) or [None]
    ]
    epochs, size = settings.epochs, None
    if combinations:
        epochs, size = combinations[0]
    elif "batch_size" in programs["python"].parameters():
        size = _own(programs["python"], "batch_size")
    if epochs is None:
        epochs = _own(programs["python"], "epochs")
    rule = settings.precision
    blocks = settings.blocks or (BLOCKS if rule is None else MOST_BLOCKS)
    design = [DESIGN, *([VARIED] if combinations else [])]
    if rule is not None:
        design.append(SEQUENTIAL)
    plan = Plan(
        campaign=name,
        created=layout.now(),
        design="; ".join(design),
        device=settings.device,
        network=network,
        backend=settings.chosen_backend(),
        arms=settings.arms,
        epochs=epochs,
        batch_size=size,
        seed=settings.seed,
        blocks=blocks,
        precision=None,
        budget_minutes=settings.budget,
        timeout_seconds=settings.timeout,
        notebook=_in_project(notebook),
        notebook_sha256=hashlib.sha256(notebook.read_bytes()).hexdigest(),
        programs={name: x.sha256() for name, x in programs.items()},
        order=_order(settings.arms, blocks, settings.seed, combinations),
    )
    for program in programs.values():
        program.with_parameters(**plan.parameters(plan.order[0]))
    if rule is None:
        return plan
    quantity = "fit_seconds, {} over {}".format(*plan.pair())
    counts = {"least_blocks": LEAST_BLOCKS, "more_blocks": MORE_BLOCKS}
    return replace(plan, precision=Precision(rule, quantity, **counts))


def check_name(name: object) -> None:
    """Raise `WrongPlan` if this cannot be the name of a campaign's folder."""
    if not (isinstance(name, str) and layout.NAME.fullmatch(name)):
        raise WrongPlan(
            f"The campaign's name is {name!r}, but it becomes a folder: use only "
            "letters, digits, '.', '_' and '-', and at most 100 of them."
        )


def _order(
    arms: tuple[str, ...],
    blocks: int,
    seed: int,
    combinations: list[tuple[int, int | None]],
) -> tuple[Block, ...]:
    chance = random.Random(seed)
    varied = itertools.chain(combinations[:1], _in_turn(combinations, seed))
    order = []
    for number in range(blocks + 1):
        shuffled = list(arms)
        chance.shuffle(shuffled)
        epochs, size = next(varied, (None, None))
        block = Block(number, chance.choice(SEEDS), tuple(shuffled), epochs, size)
        order.append(block)
    return tuple(order)


def _in_turn(values: list[Any], seed: int) -> Iterator[Any]:
    """Yield all values in random order, then again in another order, and so on."""
    chance = random.Random(f"in turn {seed}")
    while values:
        yield from chance.sample(values, len(values))


def _own(program: TimedProgram, name: str) -> int:
    """Return the value of a parameter in the notebook's parameters cell."""
    value = program.parameters().get(name, "")
    if not (value.isascii() and value.isdecimal()):
        what = " Choose the number of epochs with --epochs." if name == "epochs" else ""
        raise WrongPlan(
            f"{program.notebook.name}: the parameters cell sets no whole number "
            f"`{name}`.{what}"
        )
    return int(value)


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
