"""A campaign for others to read: cleaned of who measured and where."""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import socket
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..common.errors import Sentence
from ..common.files import project_directory, write_whole, written_whole
from .format import (
    END,
    NAME,
    RUNS,
    SHARED,
    is_finished,
    read_end,
    read_machine,
    read_plan,
    read_rows,
    write_end,
    write_machine,
    write_plan,
    write_rows,
)
from .loader import (
    CONTRIBUTED,
    REFERENCE,
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
    path: str | Path,
    to: str | Path | None = None,
    *,
    name: str | None = None,
) -> Path:
    """Write a cleaned copy of a campaign, ready for a pull request.

    User names, host names and paths are removed from every text; what was
    measured stays as it is.

    Parameters
    ----------
    path
        A finished campaign.
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
        If the campaign is not finished, or there is a copy already.
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
    machine = read_machine(source)
    secrets = _secrets(machine)
    if name is None:
        name = _name(read_plan(source).campaign, machine["id"], secrets)
    elif not NAME.fullmatch(name):
        raise WrongPlan(f"{name!r} is no name for a folder")
    target = Path(to) / name
    if target.exists():
        raise WrongPlan(f"{target} is there already; remove it first")
    with _cleaned_copy(source, name, secrets) as copy:
        target.mkdir(parents=True)
        for file in (copy / x for x in SHARED):
            if file.is_file():
                write_whole(target / file.name, file.read_bytes())
    return target


def _check_finished(source: Path) -> None:
    if not is_finished(source):
        raise WrongPlan(
            f"{source} is not finished; `python -m sidebyside.timing resume "
            f"{source}` resumes it"
        )


@contextlib.contextmanager
def _cleaned_copy(source: Path, name: str, secrets: list[str]) -> Iterator[Path]:
    """A folder with the cleaned campaign, there as long as the block."""
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / name
        copy_campaign(source, copy, secrets)
        _check_clean(copy, secrets)
        read_campaign(copy)
        yield copy


def copy_campaign(source: Path, copy: Path, secrets: list[str] = ()) -> None:
    """Write a campaign again, called as its new folder, without the secrets.

    `source` is a folder or a zip file. Only what a campaign has is written.
    Texts are cleaned even of paths if there are secrets.
    """
    plan, rows, end = read_plan(source), read_rows(source), read_end(source)
    for row in rows:
        row["campaign"] = copy.name
        row["message"] = _cleaned(row["message"], secrets)
    plan = replace(plan, campaign=copy.name, design=_cleaned(plan.design, secrets))
    copy.mkdir(parents=True)
    write_plan(copy, plan)
    write_machine(copy, _cleaned(read_machine(source), secrets))
    write_rows(copy, rows)
    if end is not None:
        write_end(copy, _cleaned(end, secrets))


def pack(folder: Path, file: Path) -> None:
    """Write a campaign's folder as a zip file, which is whole or as it was.

    The same files give the same bytes.
    """
    with (
        written_whole(file) as written,
        zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in SHARED:
            if (folder / name).is_file():
                entry = zipfile.ZipInfo(f"{folder.name}/{name}")
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, (folder / name).read_bytes())


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
        given. Eight digits follow that depend on what was measured, so that
        no two files of a class have the same name.

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
    secrets = _secrets(read_machine(source))
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
    with _cleaned_copy(source, whole, secrets) as copy:
        folder = Path(to)
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"{whole}.zip"
        pack(copy, target)
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
        for x in place.glob(f"*/{RUNS}")
        if not x.parent.name.startswith((REFERENCE, CONTRIBUTED))
    ]
    finished = [x for x in own if is_finished(x)]
    if finished:
        return max(finished, key=lambda x: (x / END).stat().st_mtime)
    if own:
        newest = max(own, key=lambda x: (x / RUNS).stat().st_mtime)
        raise WrongPlan(
            f"no campaign in {place} is finished; `python -m "
            f"sidebyside.timing resume {newest}` resumes the newest"
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


def _cleaned(value: Any, secrets: list[str]) -> Any:
    """The same with every text in it cleaned; as it was without secrets."""
    if isinstance(value, dict):
        return {k: _cleaned(v, secrets) for k, v in value.items()}
    if isinstance(value, list):
        return [_cleaned(item, secrets) for item in value]
    return clean(value, secrets) if secrets and isinstance(value, str) else value


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
