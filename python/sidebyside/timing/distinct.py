"""Which campaigns are of one machine, and which did the same work."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_PICTURES = re.compile(r"(Fruits: \w+)[^:]*?(?:, from .*)?(: \d+ classes.*)")


@dataclass(frozen=True)
class Seen:
    """Where and when a campaign was measured.

    `id` is the name that `machine.json` gives the machine; `boot` stands for
    the system that ran since it was last started, "" if that is not known;
    `start` and `end` are times of any one kind.
    """

    id: str
    boot: str
    start: Any
    end: Any

    def overlaps(self, other: Seen) -> bool:
        """Whether they were measured at the same time."""
        return self.start < other.end and other.start < self.end


def machine_names(seen: Sequence[Seen]) -> list[str]:
    """A name for the machine of each campaign, the same for the same one.

    Containers on one server have ids of their own but one running system:
    they are one machine, and get the first's id. Computers that were set up
    from one copy of a disk have the same id; where two of them measured at
    the same time with different systems running, they are several, and their
    names end in "/1", "/2" and so on. What cannot be known: two virtual
    machines on one server look like two machines, and copies that measured
    one after the other like one.
    """
    first: dict[str, str] = {}
    names = [first.setdefault(x.boot or x.id, x.id) for x in seen]
    for name in dict.fromkeys(names):
        mine = [x for i, x in enumerate(seen) if names[i] == name]
        boots = list(dict.fromkeys(x.boot for x in mine if x.boot))
        if len(boots) > 1 and _together(mine):
            for place, x in enumerate(seen):
                if names[place] == name and x.boot:
                    names[place] = f"{name}/{boots.index(x.boot) + 1}"
    return names


def _together(seen: Sequence[Seen]) -> bool:
    """Whether two systems ran at the same time."""
    return any(
        a.boot != b.boot and a.boot and b.boot and a.overlaps(b)
        for i, a in enumerate(seen)
        for b in seen[:i]
    )


Work = tuple[tuple[str, str], ...]
"""Pairs of name and value: device, epochs, programs, pictures."""


def work_of(plan: Mapping[str, Any], machine: Mapping[str, Any]) -> Work:
    """What was trained: two campaigns that differ in it are not alike."""
    pictures = str(machine.get("data", ""))
    if known := _PICTURES.search(pictures):
        pictures = known[1] + known[2]
    programs = plan.get("programs")
    programs = programs if isinstance(programs, dict) else {}
    hashes = [str(programs.get(x, ""))[:6] for x in ("python", "r")]
    return (
        ("device", plan["device"]),
        ("epochs", str(plan["epochs"])),
        ("programs", "/".join(filter(None, hashes))),
        ("pictures", pictures[:100]),
    )


def work_in_words(work: Work) -> str:
    """The same as a text, without the device, which has its own column.

    Parts are joined by "; ", as in "10 epochs; Fruits: painted: 16 classes,
    1,920 Training and 640 Test images; programs 0123ab/4567cd".
    """
    known = dict(work)
    epochs = known["epochs"]
    parts = [
        f"{epochs} epoch{'' if epochs == '1' else 's'}",
        " ".join(known["pictures"].replace(";", ",").split()),
        f"programs {known['programs']}" if known["programs"] else "",
    ]
    return "; ".join(filter(None, parts))
