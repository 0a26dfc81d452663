"""A campaign for others to read: cleaned of who measured and where."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import re
import socket
from pathlib import Path
from typing import Any

from ..datasets import project_directory
from . import records, schema
from .loader import CONTRIBUTED, is_finished, read_campaign
from .plans import NAME, WrongPlan

# Unix and Windows paths that say more than a name; what is left is the last
# part. Not the // of a web address.
_PATHS = re.compile(
    r"(?<![\w.~:/])~?/(?:[^\s/:'\"|,;()]+/)+([^\s/:'\"|,;()]*)"
    r"|\b[A-Za-z]:[\\/](?:[^\s\\/:'\"|,;]+[\\/])*([^\s\\/:'\"|,;]*)"
)
# Words too common to be replaced wherever they stand; as part of a path they
# go with it.
_COMMON = frozenset(
    ["root", "user", "home", "python", "data", "localhost", "linux", "r"]
)


class NotClean(RuntimeError):
    """Something that names a person or a machine could not be taken out."""


def contribute(
    path: str | Path,
    to: str | Path | None = None,
    *,
    name: str | None = None,
) -> Path:
    """Write a cleaned copy of a campaign, ready for a pull request.

    User names, host names and paths are taken out of every text; what was
    measured stays as it is. The copy is read and checked like any other.

    Parameters
    ----------
    path
        A campaign that is finished.
    to
        The folder that gets it; `data/timings` of the project if it is not
        given.
    name
        Of the copy; `contributed-<name>-<machine>` if it is not given.

    Returns
    -------
    Path
        The copy.

    Raises
    ------
    WrongPlan
        If the campaign is not finished, or the copy is there already.
    WrongRuns
        If a file of the campaign is not as it should be.
    NotClean
        If a name is left; nothing is written then.
    """
    source = Path(path)
    read_campaign(source)
    if not is_finished(source):
        raise WrongPlan(
            f"{source} is not finished; `python -m sidebyside.timing resume "
            f"{source}` goes on with it"
        )
    if to is None:
        project = project_directory()
        if project is None:
            raise WrongPlan(
                "this installation knows no project folder; say where to"
            )
        to = project / "data" / "timings"
    plan = _read(source / schema.PLAN)
    machine = _read(source / schema.MACHINE)
    end = _read(source / schema.END)
    secrets = _secrets(machine)
    if name is None:
        name = _name(plan["campaign"], machine["id"], secrets)
    elif not NAME.fullmatch(name):
        raise WrongPlan(f"{name!r} is no name for a folder")
    target = Path(to) / name
    if target.exists():
        raise WrongPlan(f"{target} is there already; remove it first")
    rows = records.read_rows(source)
    for row in rows:
        row["campaign"] = name
        row["message"] = clean(row["message"], secrets)
    plan = {**_cleaned(plan, secrets), "campaign": name}
    order = plan.pop("order")
    head = json.dumps(plan, indent=1, ensure_ascii=False)[:-2]
    blocks = ",\n  ".join(json.dumps(block) for block in order)
    files = {
        schema.PLAN: f'{head},\n "order": [\n  {blocks}\n ]\n}}\n',
        schema.MACHINE: _text(_cleaned(machine, secrets)),
        schema.END: _text(_cleaned(end, secrets)),
        schema.RUNS: records.table_text(rows),
    }
    _check_clean(files, secrets)
    target.mkdir(parents=True)
    for file, text in files.items():
        records.write_whole(target / file, text)
    read_campaign(target)
    return target


def instructions(target: Path) -> str:
    """What to do with the copy, in words."""
    name = target.name
    return (
        f"{target} is a copy without user names, host names and paths.\n"
        "Look it through (plan.json, machine.json, runs.csv, end.json); "
        "then, in your fork of the project:\n"
        f"  git switch -c {name}\n"
        f"  git add data/timings/{name}\n"
        f'  git commit -m "Timings: {name}"\n'
        "  git push, and open a pull request."
    )


def clean(text: str, secrets: list[str]) -> str:
    """A text without names and paths."""
    text = _PATHS.sub(lambda found: found[1] or found[2] or "...", text)
    for secret in secrets:
        text = _word(secret).sub("...", text)
    return text


def _word(secret: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z0-9]){re.escape(secret)}(?![A-Za-z0-9])")


def _secrets(machine: dict[str, Any]) -> list[str]:
    """The names of this user and this machine, the longest first."""
    found = {socket.gethostname(), socket.getfqdn(), Path.home().name}
    found.add(socket.gethostname().split(".")[0])
    found |= {os.environ.get(x, "") for x in ("USER", "LOGNAME", "HOSTNAME")}
    # A container's user may have no name.
    with contextlib.suppress(KeyError, OSError):
        found.add(getpass.getuser())
    # The processor's own name is no secret, even on a machine called Xeon.
    own = str(machine.get("cpu", {}).get("name", "")).lower().split()
    return sorted(
        (
            x
            for x in found
            if len(x) > 1 and x.lower() not in _COMMON and x.lower() not in own
        ),
        key=lambda x: (-len(x), x),
    )


def _name(campaign: str, machine: str, secrets: list[str]) -> str:
    own = re.sub(r"\.{2,}", "x", clean(campaign, secrets))
    name = f"{CONTRIBUTED}{own}-{machine}"
    return name if NAME.fullmatch(name) else f"{CONTRIBUTED}{machine}"


def _cleaned(value: Any, secrets: list[str], key: str = "") -> Any:
    if isinstance(value, dict):
        return {k: _cleaned(v, secrets, k) for k, v in value.items()}
    if isinstance(value, list):
        return [_cleaned(item, secrets, key) for item in value]
    # A path in the project, which everybody has.
    if isinstance(value, str) and key != "notebook":
        return clean(value, secrets)
    return value


def _check_clean(files: dict[str, str], secrets: list[str]) -> None:
    left = [
        f"{secret!r} in {file}"
        for file, text in files.items()
        for secret in secrets
        if _word(secret).search(text)
    ]
    left += [
        f"{found[0]!r} in {file}"
        for file, text in files.items()
        for found in re.finditer(r"/(?:home|Users)/\w+", text)
    ]
    if left:
        raise NotClean(
            f"these are left: {', '.join(left)}; take them out of the "
            "campaign by hand, please"
        )


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
