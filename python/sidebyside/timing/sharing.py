"""A campaign for others to read: cleaned of who measured and where."""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import shutil
import socket
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from ..common.errors import Sentence, printable
from ..common.files import project_directory, written_whole
from . import format as layout
from .loader import (
    CONTRIBUTED,
    REFERENCE,
    UNFINISHED,
    as_path,
    campaign_at,
    fingerprint,
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
# Words too common to be replaced wherever they are; in a path they go with it.
_COMMON = frozenset(
    ["root", "user", "home", "python", "data", "localhost", "linux", "r"]
)


class NotClean(Sentence, RuntimeError):
    """Something that names a person or a machine could not be taken out."""


def contribute(
    path: str | Path, to: str | Path | None = None, *, name: str | None = None
) -> Path:
    """Write a cleaned copy of a finished campaign, ready for a pull request.

    User names, host names and paths are removed from every text; what was
    measured stays as it is.

    Parameters
    ----------
    path
        The campaign's folder.
    to
        The folder that gets the copy; by default `data/timings` of the project.
    name
        Of the copy; by default `contributed-<name>-<machine>`.

    Raises
    ------
    WrongPlan
        If the campaign is not finished, or there cannot be a copy of that name.
    NoTimings, WrongRuns
        If there is no campaign, or a file of it is not as it should be.
    NotClean
        If a name is left; nothing is written then.
    """
    source = campaign_at(path)
    table, secrets = _finished(source)
    if to is None:
        project = project_directory()
        if project is None:
            raise WrongPlan("this installation knows no project folder; say where to")
        to = project / "data" / "timings"
    if name is None:
        name = _name(table.attrs["campaign"], table.attrs["place"].id, secrets)
    target = as_path(to) / name
    with _cleaned_copy(source, name, secrets) as copy:
        try:
            shutil.copytree(copy, target)
        except FileExistsError:
            raise WrongPlan(f"{target} is there already; remove it first") from None
    return target


def _finished(source: Path) -> tuple[pd.DataFrame, list[str]]:
    """The runs of a finished campaign, and what must not be shared of it."""
    table = read_campaign(source)
    if table.attrs["ended"] in UNFINISHED:
        raise WrongPlan(
            f"{source} is not finished; `python -m sidebyside.timing resume "
            f"{source}` does the rest"
        )
    return table, _secrets(layout.read_machine(source))


@contextlib.contextmanager
def _cleaned_copy(source: Path, name: str, secrets: list[str]) -> Iterator[Path]:
    """A folder with the cleaned campaign, there as long as the block."""
    if not layout.NAME.fullmatch(name) or clean(name, secrets) != name:
        raise WrongPlan(
            f"{name!r} cannot be the name; choose one of letters, digits, '.', '_' and "
            "'-' without the name of your account or computer"
        )
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / name
        copy_campaign(source, copy, secrets)
        _check_clean(copy, secrets)
        read_campaign(copy)
        yield copy


def copy_campaign(source: Path, copy: Path, secrets: list[str] | None = None) -> None:
    """Write a campaign again, called as its new folder.

    `source` is a folder or a zip file. Only what a campaign has is written.
    With `secrets` every text is cleaned of them, and of paths.
    """
    plan, rows = layout.read_plan(source), layout.read_rows(source)
    machine, end = layout.read_machine(source), layout.read_end(source)
    for row in rows:
        row["campaign"] = copy.name
        row["message"] = _cleaned(row["message"], secrets)
    plan = replace(plan, campaign=copy.name, design=_cleaned(plan.design, secrets))
    copy.mkdir(parents=True)
    layout.write_plan(copy, plan)
    layout.write_json(copy, layout.MACHINE, _cleaned(machine, secrets))
    layout.write_rows(copy, rows)
    if end is not None:
        layout.write_json(copy, layout.END, _cleaned(end, secrets))


def pack(folder: Path, file: Path) -> None:
    """Write a campaign's folder as a zip file, which is whole or as it was.

    The same files give the same bytes.
    """
    with (
        written_whole(file) as written,
        zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in layout.SHARED:
            if (folder / name).is_file():
                entry = zipfile.ZipInfo(f"{folder.name}/{name}")
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, (folder / name).read_bytes())


# --- one file for a class


def hand_in(
    path: str | Path | None = None, to: str | Path = ".", *, name: str | None = None
) -> Path:
    """Write a cleaned copy of a campaign as one zip file, for a class.

    Everybody's file is put into one folder, and `collect()` or
    `load_campaigns()` reads them there. The same campaign gives the same file.

    Parameters
    ----------
    path
        A finished campaign; by default the reader's own one that ended last.
    to
        The folder that gets the file.
    name
        How the file and the campaign in it begin; by default "hand-in". Eight
        digits follow that depend on what was measured, so that no two files of
        a class have the same name.

    Raises
    ------
    WrongPlan, NoTimings, WrongRuns, NotClean
        As `contribute()`; `WrongPlan` also if there is no finished campaign.
    """
    source = last_finished() if path is None else campaign_at(path)
    table, secrets = _finished(source)
    whole = f"{name or 'hand-in'}-{fingerprint(table)}"
    with _cleaned_copy(source, whole, secrets) as copy:
        folder = as_path(to)
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"{whole}.zip"
        pack(copy, target)
    return target


def last_finished() -> Path:
    """The reader's own campaign that ended last; `WrongPlan` if there is none."""
    place = timings_directory()
    own = [
        x.parent
        for x in place.glob(f"*/{layout.RUNS}")
        if not x.parent.name.startswith((REFERENCE, CONTRIBUTED))
    ]
    if finished := [x for x in own if layout.is_finished(x)]:
        return max(finished, key=lambda x: (x / layout.END).stat().st_mtime)
    raise WrongPlan(
        f"there is no finished campaign in {place}; `python -m sidebyside.timing "
        "status` lists what can be resumed, and `make timings ARGS=--short` makes one"
    )


def hand_in_instructions(target: Path) -> str:
    """What to do with the file, in words."""
    place = printable(target.absolute(), 4096)
    return (
        f"{place}\nis what you measured, without user names, host names "
        "and paths. Give this one file to\nyour teacher. (In JupyterLab: right click "
        f"on it in the list of files, Download.) In the\nclass's picture your line is "
        f"called {target.stem}."
    )


def instructions(target: Path) -> str:
    """What to do with the copy, in words."""
    name, place = target.name, printable(target, 4096)
    return (
        f"{place} is a copy without user names, host names and paths. Look through "
        "its files;\nthen, in your fork of the project,\n"
        f"  git add data/timings/{name}\n"
        f'  git commit -m "Timings: {name}"\n'
        "  git push\nand open a pull request."
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
    host = socket.gethostname()
    found = {host, host.split(".")[0], socket.getfqdn(), Path.home().name}
    found |= {os.environ.get(x, "") for x in ("USER", "LOGNAME", "HOSTNAME")}
    # A container's user may have no name.
    with contextlib.suppress(KeyError, OSError):
        found.add(getpass.getuser())
    # The processor's own name is no secret, even on a machine called Xeon.
    own = str(machine.get("cpu", {}).get("name", "")).lower().split()
    found = {x for x in found if len(x) > 1 and x.lower() not in _COMMON.union(own)}
    return sorted(found, key=lambda x: (-len(x), x))


def _name(campaign: str, machine: str, secrets: list[str]) -> str:
    own = re.sub(r"\.{2,}", "x", clean(campaign, secrets))
    name = f"{CONTRIBUTED}{own}-{machine}"
    return name if layout.NAME.fullmatch(name) else f"{CONTRIBUTED}{machine}"


def _cleaned(value: Any, secrets: list[str] | None) -> Any:
    """The same with every text in it cleaned; as it was without secrets."""
    if secrets is None:
        return value
    if isinstance(value, dict):
        return {k: _cleaned(v, secrets) for k, v in value.items()}
    if isinstance(value, list):
        return [_cleaned(item, secrets) for item in value]
    return clean(value, secrets) if isinstance(value, str) else value


def _check_clean(folder: Path, secrets: list[str]) -> None:
    words = [*map(_word, secrets), re.compile(r"/(?:home|Users)/\w+")]
    left = [
        f"{found[0]!r} in {file.name}"
        for file in sorted(folder.iterdir())
        for word in words
        if (found := word.search(file.read_text(encoding="utf-8")))
    ]
    if left:
        raise NotClean(
            f"these are left: {', '.join(left)}; remove them from the campaign by hand"
        )
