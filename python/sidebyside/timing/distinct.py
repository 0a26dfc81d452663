"""Which campaigns were measured on one and the same machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


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
