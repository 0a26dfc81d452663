"""The graphics card (GPU) that the runs use, as `nvidia-smi` describes it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..common.python import interpreter
from .format import POWER_STATES
from .machine import answer_of

# Keras's backends that can be measured on a GPU, and pip's names of their GPU builds.
BUILDS = {"tensorflow": "tensorflow[and-cuda]", "jax": "jax[cuda12]"}

# `nvidia-smi -L` prints a line for each card. Some cards can be divided into parts
# (MIG): then there is a line for each part, below that of its card.
#
#     GPU 0: NVIDIA H200 (UUID: GPU-5d5ba0d6-...)
#       MIG 1g.18gb     Device  0: (UUID: MIG-2a3c58fa-...)
_LINE = re.compile(
    r"^(?:GPU (\d+): (.+)|\s+MIG (\S+)\s+Device\s+\d+:) \(UUID: ([^)\s]+)\)", re.M
)


@dataclass(frozen=True)
class Card:
    """A card, or a part of one.

    Attributes
    ----------
    index
        The number of the card, as `nvidia-smi` counts.
    name
        For example "NVIDIA H200", or "NVIDIA H200, MIG 1g.18gb".
    ids
        The unique ids (UUIDs) of the card, and of the part.
    """

    index: str
    name: str
    ids: tuple[str, ...]


def cards() -> list[Card]:
    """Return all cards, with the parts instead of a divided card.

    The list is empty if `nvidia-smi` is missing or fails.
    """
    found: list[Card] = []
    for index, name, part, uuid in _LINE.findall(answer_of("nvidia-smi", "-L") or ""):
        if not part:
            whole = Card(index, name, (uuid,))
            found.append(whole)
        elif found:
            # The first part replaces its card.
            found = [x for x in found if x is not whole]
            name = f"{whole.name}, MIG {part}"
            found.append(Card(whole.index, name, (*whole.ids, uuid)))
    return found


def visible() -> str:
    """Return the first entry of CUDA_VISIBLE_DEVICES: a number, or how an id begins.

    Without this variable it is "0", the first card. "" and "-1" hide all cards.
    """
    return os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()


def first_card() -> Card | None:
    """Return the card that a program uses: the first visible one, if there is one."""
    wanted = visible()
    for card in cards() if wanted else []:
        if wanted == card.index or any(x.startswith(wanted) for x in card.ids):
            return card
    return None


def measured(card: Card, when: str, others: int | None = None) -> dict[str, Any]:
    """Return the columns of a row that are measured "before" or "after" a run.

    `others` is the number of other processes that was found before the run. What
    `nvidia-smi` does not say is None, or "" for the power state.
    """
    of_card = ("nvidia-smi", f"--id={card.index}", "--format=csv,noheader,nounits")
    text = answer_of(*of_card, "--query-gpu=clocks.sm,pstate") or ""
    clock, state = map(str.strip, text.partition(",")[::2])
    pids = answer_of(*of_card, "--query-compute-apps=pid")
    # Where nvidia-smi may not tell, it prints a remark, such as [N/A].
    known = pids is not None and all(x.strip().isdigit() for x in pids.splitlines())
    counts = [others, len(pids.splitlines()) if known else None]
    return {
        "gpu": card.name,
        "gpu_others": max((x for x in counts if x is not None), default=None),
        f"gpu_mhz_{when}": float(clock) if clock.isdigit() else None,
        f"gpu_state_{when}": state if state in POWER_STATES else "",
    }


def why_unused(backend: str, facts: Mapping[str, Any]) -> str:
    """Say why Keras's backend found no GPU, and what to do.

    `facts` is what a program reported about itself, with the backend's version.
    """
    here, card = cards(), first_card()
    if not here:
        return (
            "No GPU was found: nvidia-smi is missing, or lists none. Use a machine "
            "with an NVIDIA GPU and its driver, or measure the CPU: --device cpu"
        )
    if card is None:
        return (
            f"CUDA_VISIBLE_DEVICES={os.environ.get('CUDA_VISIBLE_DEVICES')} hides the "
            f"GPU ({', '.join(x.name for x in here)}). Unset this variable, or measure "
            "the CPU: --device cpu"
        )
    build = f"{BUILDS[backend]}=={facts[backend]}" if backend in facts else ""
    return (
        f"nvidia-smi lists the GPU {card.name}, but {backend} does not find it: the "
        "build for GPUs is missing, or does not fit the driver. To install it: "
        f'`{interpreter()} -m pip install "{build or BUILDS[backend]}"`. Or measure '
        "the CPU: --device cpu"
    )
