"""Make copies of campaigns for others, without the names of people and machines."""

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
from . import reading
from .loader import (
    CONTRIBUTED,
    REFERENCE,
    UNFINISHED,
    as_path,
    campaign_at,
    fingerprint,
    is_done,
    parts_of,
    read_campaign,
    timings_directory,
)
from .plan import WrongPlan

# Unix and Windows paths, of which only the last part is kept. The // of a web address
# does not count.
_PATHS = re.compile(
    r"(?<![\w.~:/])~?/(?:[^\s/:'\"|,;()]+/)+([^\s/:'\"|,;()]*)"
    r"|\b[A-Za-z]:[\\/](?:[^\s\\/:'\"|,;]+[\\/])*([^\s\\/:'\"|,;]*)"
)
# Words that are too common to be replaced everywhere. Inside a path they are removed.
_COMMON = frozenset(
    ["root", "user", "home", "python", "data", "localhost", "linux", "r"]
)


class NotClean(Sentence, RuntimeError):
    """The name of a person or a machine could not be removed."""


def contribute(
    path: str | Path, to: str | Path | None = None, *, name: str | None = None
) -> Path:
    """Write a cleaned copy of a finished campaign or study, for a pull request.

    User names, host names and paths are removed from every text. The measurements
    stay unchanged.

    Parameters
    ----------
    path
        The folder of the campaign or study.
    to
        The folder for the copy. The default is `data/timings` of the project.
    name
        Name of the copy. The default is `contributed-<name>-<machine>`.

    Raises
    ------
    WrongPlan
        If the campaign is not finished, or if the copy cannot have that name.
    NoTimings, WrongRuns
        If there is no campaign, or if one of its files is wrong.
    NotClean
        If a name could not be removed. Nothing is written then.
    """
    source = _shareable(path)
    tables, secrets = _finished(source)
    if to is None:
        project = project_directory()
        if project is None:
            raise WrongPlan(
                "This installation has no project folder. Name a folder with --to."
            )
        to = project / "data" / "timings"
    if name is None:
        own = tables[0].attrs["campaign"]
        if reading.is_study(source):
            own = reading.read_study(source)[0].study
        name = _name(own, tables[0].attrs["place"].id, secrets)
    target = as_path(to) / name
    with _cleaned_copy(source, name, secrets) as copy:
        try:
            shutil.copytree(copy, target)
        except FileExistsError:
            raise WrongPlan(f"{target} already exists. Remove it first.") from None
    return target


def _shareable(path: str | Path) -> Path:
    """Return the path of a study or a campaign; `NoTimings` if it is neither."""
    given = as_path(path)
    return given if reading.is_study(given) else campaign_at(given)


def _finished(source: Path) -> tuple[list[pd.DataFrame], list[str]]:
    """Return the runs of finished campaigns, and the names that must be removed."""
    places = parts_of(source)
    tables = [read_campaign(x) for x in places]
    if any(x.attrs["ended"] in UNFINISHED for x in tables):
        raise WrongPlan(
            f"{source} is not finished. To finish it: `python -m sidebyside.timing "
            f"resume {source}`"
        )
    return tables, _secrets(reading.read_machine(places[0]))


@contextlib.contextmanager
def _cleaned_copy(source: Path, name: str, secrets: list[str]) -> Iterator[Path]:
    """Yield a folder with the cleaned copy, which exists during the block."""
    if not layout.NAME.fullmatch(name) or clean(name, secrets) != name:
        raise WrongPlan(
            f"The copy cannot have the name {name!r}. Use letters, digits, '.', '_' "
            "and '-', but not the name of your account or computer."
        )
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / name
        if reading.is_study(source):
            _copy_study(source, copy, secrets)
        else:
            copy_campaign(source, copy, secrets)
        _check_clean(copy, secrets)
        for x in parts_of(copy):
            read_campaign(x)
        yield copy


def _copy_study(source: Path, copy: Path, secrets: list[str]) -> None:
    """Copy a study to a new folder, whose name it gets."""
    study, places = reading.read_study(source)
    for network, place in places.items():
        copy_campaign(place, copy / layout.campaign_of(copy.name, network), secrets)
    layout.write_study(copy, replace(study, study=copy.name))


def copy_campaign(source: Path, copy: Path, secrets: list[str] | None = None) -> None:
    """Copy a campaign to a new folder, whose name it gets.

    `source` is a folder or a zip file. Only files of a campaign are copied. If
    there are `secrets`, they are removed from every text, and so are paths.
    """
    plan, rows = reading.read_plan(source), reading.read_rows(source)
    machine, end = reading.read_machine(source), reading.read_end(source)
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
    """Write the folder of a campaign or study as a zip file, never half written.

    The same files always make the same bytes.
    """
    with (
        written_whole(file) as written,
        zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for path in sorted(folder.rglob("*")):
            if path.name in (*layout.SHARED, layout.STUDY):
                entry = zipfile.ZipInfo(path.relative_to(folder.parent).as_posix())
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, path.read_bytes())


# --- one file for a class


def hand_in(
    path: str | Path | None = None, to: str | Path = ".", *, name: str | None = None
) -> Path:
    """Write a cleaned copy of a campaign or study as one zip file, for a class.

    Put everybody's files into one folder; `collect()` or `load_campaigns()` reads
    them there. The same campaign always makes the same file.

    Parameters
    ----------
    path
        A finished campaign or study. The default is the reader's own that ended
        last.
    to
        The folder for the file.
    name
        Beginning of the names of the file and of the campaign. The default is
        "hand-in". Eight digits follow that depend on the measurements, so that no
        two files of a class have the same name.

    Raises
    ------
    WrongPlan, NoTimings, WrongRuns, NotClean
        As in `contribute()`. `WrongPlan` also if there is no finished campaign.
    """
    source = last_finished() if path is None else _shareable(path)
    tables, secrets = _finished(source)
    digits = fingerprint(tables[0] if len(tables) == 1 else pd.concat(tables))
    whole = f"{name or 'hand-in'}-{digits}"
    with _cleaned_copy(source, whole, secrets) as copy:
        folder = as_path(to)
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"{whole}.zip"
        pack(copy, target)
    return target


def last_finished() -> Path:
    """Return the reader's own campaign or study that ended last."""
    place = timings_directory()
    own = [
        x.parent
        for name in layout.MAIN
        for x in place.glob(f"*/{name}")
        if not x.parent.name.startswith((REFERENCE, CONTRIBUTED))
    ]
    ends = {}
    for x in own:
        if is_done(x):
            ends[x] = max((y / layout.END).stat().st_mtime for y in parts_of(x))
    if ends:
        return max(ends, key=ends.get)
    raise WrongPlan(
        f"There is no finished campaign in {place}. `python -m sidebyside.timing "
        "status` lists campaigns that can be resumed; `make timings ARGS=--short` "
        "measures a short one."
    )


def hand_in_instructions(target: Path) -> str:
    """Say what to do with the file."""
    place = printable(target.absolute(), 4096)
    return (
        f"{place}\ncontains your measurements, without user names, host names "
        "and paths. Give this file\nto your teacher. (In JupyterLab: right click on it "
        f"in the list of files, Download.)\nIn the picture of the class, your line is "
        f"called {target.stem}."
    )


def instructions(target: Path) -> str:
    """Say what to do with the copy."""
    name, place = target.name, printable(target, 4096)
    return (
        f"{place} is a copy without user names, host names and paths. Check its files."
        "\nThen type in your fork of the project:\n"
        f"  git add data/timings/{name}\n"
        f'  git commit -m "Timings: {name}"\n'
        "  git push\nand open a pull request."
    )


def clean(text: str, secrets: list[str]) -> str:
    """Remove names and paths from a text."""
    text = _PATHS.sub(lambda found: found[1] or found[2] or "...", text)
    for secret in secrets:
        text = _word(secret).sub("...", text)
    return text


def _word(secret: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z0-9]){re.escape(secret)}(?![A-Za-z0-9])")


def _secrets(machine: dict[str, Any]) -> list[str]:
    """Return the names of this user and this machine, the longest first."""
    host = socket.gethostname()
    found = {host, host.split(".")[0], socket.getfqdn(), Path.home().name}
    found |= {os.environ.get(x, "") for x in ("USER", "LOGNAME", "HOSTNAME")}
    # A container's user may have no name.
    with contextlib.suppress(KeyError, OSError):
        found.add(getpass.getuser())
    # Keep the processor's name, even if the machine is called Xeon, too.
    own = str(machine.get("cpu", {}).get("name", "")).lower().split()
    found = {x for x in found if len(x) > 1 and x.lower() not in _COMMON.union(own)}
    return sorted(found, key=lambda x: (-len(x), x))


def _name(campaign: str, machine: str, secrets: list[str]) -> str:
    own = re.sub(r"\.{2,}", "x", clean(campaign, secrets))
    name = f"{CONTRIBUTED}{own}-{machine}"
    return name if layout.NAME.fullmatch(name) else f"{CONTRIBUTED}{machine}"


def _cleaned(value: Any, secrets: list[str] | None) -> Any:
    """Clean every text in a value; without secrets the value stays as it is."""
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
        for file in sorted(folder.rglob("*.*"))
        if file.is_file()
        for word in words
        if (found := word.search(file.read_text(encoding="utf-8")))
    ]
    if left:
        raise NotClean(
            f"The copy still contains {', '.join(left)}. Remove this from the campaign "
            "by hand."
        )
