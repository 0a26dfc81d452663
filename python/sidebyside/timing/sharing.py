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

from ..common.errors import Sentence
from ..common.files import project_directory, write_whole
from . import archives, records, schema
from .format import NAME
from .loader import (
    CONTRIBUTED,
    REFERENCE,
    fingerprint,
    is_finished,
    read_campaign,
    timings_directory,
)
from .plan import WrongPlan

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


class NotClean(Sentence, RuntimeError):
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
    _check_finished(source)
    if to is None:
        project = project_directory()
        if project is None:
            raise WrongPlan("this installation knows no project folder; say where to")
        to = project / "data" / "timings"
    machine = _read(source / schema.MACHINE)
    secrets = _secrets(machine)
    if name is None:
        plan = _read(source / schema.PLAN)
        name = _name(plan["campaign"], machine["id"], secrets)
    elif not NAME.fullmatch(name):
        raise WrongPlan(f"{name!r} is no name for a folder")
    target = Path(to) / name
    if target.exists():
        raise WrongPlan(f"{target} is there already; remove it first")
    files = _copy(source, name, secrets)
    _check_clean(files, secrets)
    target.mkdir(parents=True)
    for file, text in files.items():
        write_whole(target / file, text)
    read_campaign(target)
    return target


def _check_finished(source: Path) -> None:
    if not is_finished(source):
        raise WrongPlan(
            f"{source} is not finished; `python -m sidebyside.timing resume "
            f"{source}` goes on with it"
        )


def _copy(
    source: Path, name: str, secrets: list[str], *, cleaned: bool = True
) -> dict[str, str]:
    """The files of a campaign under another name, cleaned."""
    tidy = _cleaned if cleaned else lambda value, _: value
    plan = _read(source / schema.PLAN)
    rows = records.read_rows(source)
    for row in rows:
        row["campaign"] = name
        row["message"] = tidy(row["message"], secrets)
    plan = {**tidy(plan, secrets), "campaign": name}
    order = plan.pop("order")
    head = json.dumps(plan, indent=1, ensure_ascii=False)[:-2]
    blocks = ",\n  ".join(json.dumps(block) for block in order)
    files = {
        schema.PLAN: f'{head},\n "order": [\n  {blocks}\n ]\n}}\n',
        schema.MACHINE: _text(tidy(_read(source / schema.MACHINE), secrets)),
        schema.RUNS: records.table_text(rows),
    }
    if is_finished(source):
        end = tidy(_read(source / schema.END), secrets)
        files[schema.END] = _text(end)
    return files


def renamed(source: Path, name: str) -> dict[str, bytes]:
    """The files of a campaign as they are, but for its name."""
    if _read(source / schema.PLAN)["campaign"] != name:
        copy = _copy(source, name, [], cleaned=False)
        return {file: text.encode() for file, text in copy.items()}
    files = {}
    for file in archives.SHARED:
        try:
            files[file] = archives.read_bytes(source / file)
        except FileNotFoundError:
            continue
    return files


# --- one file for a class


def hand_in(
    path: str | Path | None = None,
    to: str | Path = ".",
    *,
    name: str | None = None,
) -> Path:
    """Write a cleaned copy of a campaign as one zip file.

    As `contribute()`, but for a class: what everybody hands in is put into
    one folder, and `collect()` or `load_campaigns()` reads them there.

    Parameters
    ----------
    path
        A campaign that is finished; the reader's own one that ended last if
        it is not given.
    to
        The folder that gets the file.
    name
        How the file and the campaign in it begin; "hand-in" if it is not
        given. After it stand eight digits that depend on what was measured,
        so that no two files of a class have the same name.

    Returns
    -------
    Path
        The file. The same campaign gives the same file again.

    Raises
    ------
    WrongPlan
        If there is no finished campaign, or the name cannot be.
    WrongRuns
        If a file of the campaign is not as it should be.
    NotClean
        If a name is left; nothing is written then.
    """
    source = last_finished() if path is None else Path(path)
    table = read_campaign(source)
    _check_finished(source)
    secrets = _secrets(_read(source / schema.MACHINE))
    whole = f"{name or 'hand-in'}-{fingerprint(table)}"
    if not NAME.fullmatch(whole):
        raise WrongPlan(
            f"the name {name!r} becomes part of a file's: letters, digits, "
            "'.', '_' and '-', please"
        )
    if clean(whole, secrets) != whole:
        raise WrongPlan(
            f"the name {name!r} has the name of your account or of your "
            "computer in it, which are kept out of what is handed in; choose "
            "another"
        )
    files = _copy(source, whole, secrets)
    _check_clean(files, secrets)
    folder = Path(to)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{whole}.zip"
    packed = {file: text.encode() for file, text in files.items()}
    archives.pack(target, whole, packed)
    read_campaign(target)
    return target


def last_finished() -> Path:
    """The reader's own campaign that ended last.

    Raises
    ------
    WrongPlan
        If there is none, with what to do.
    """
    place = timings_directory()
    own = [
        x.parent
        for x in place.glob(f"*/{schema.RUNS}")
        if not x.parent.name.startswith((REFERENCE, CONTRIBUTED))
    ]
    finished = [x for x in own if is_finished(x)]
    if finished:
        return max(finished, key=lambda x: (x / schema.END).stat().st_mtime)
    if own:
        newest = max(own, key=lambda x: (x / schema.RUNS).stat().st_mtime)
        raise WrongPlan(
            f"no campaign in {place} is finished; `python -m "
            f"sidebyside.timing resume {newest}` goes on with the newest"
        )
    raise WrongPlan(
        f"there is no campaign in {place}; `python -m sidebyside.timing run "
        "--short` makes one"
    )


def hand_in_instructions(target: Path) -> str:
    """What to do with the file, in words."""
    return (
        f"{target.absolute()}\nis what you measured, without user names, "
        "host names and paths. Give this one file to\nyour teacher. (In "
        "JupyterLab: right click on it in the list of files, Download.) In "
        f"the\nclass's picture your line is called {target.stem}."
    )


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
    return json.loads(archives.read_bytes(path))


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
