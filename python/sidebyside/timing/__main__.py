"""`python -m sidebyside.timing`: measure, resume, show and share campaigns."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import NoReturn

import psutil

from ..common.errors import Sentence, printable
from . import progress
from .campaign import resume_campaign, run_campaign
from .collecting import ON_REQUEST, collect, collected_text
from .format import ARMS, BACKENDS, DEVICES, LEAST_BLOCKS, MORE_BLOCKS
from .loader import NoTimings, as_path
from .networks import NETWORKS
from .plan import BLOCKS, SEED, SHORT, TIMEOUT, Settings, WrongPlan
from .reading import is_study
from .remote import run_on
from .report import show_study_text, show_text, status_text
from .sharing import contribute, hand_in, hand_in_instructions, instructions
from .study import BLOCKS as BLOCKS_OF_STUDY
from .study import SHORT as SHORT_STUDY
from .study import resume_study, run_study, study_at


# int() and float() take the digits of all scripts, but of bytes only these ten.
def whole_number(text: str) -> int:
    return int(text.encode("ascii"))


def number(text: str) -> float:
    return float(text.encode("ascii"))


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(
        prog="python -m sidebyside.timing",
        description="The timing experiment: run the timed cells of a notebook again "
        "and again, each time in a new process, and measure them.",
    )
    commands = top.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="start a campaign")
    short = (
        f"for a class: {SHORT.blocks} blocks of {', '.join(SHORT.arms)}, in a few "
        f"minutes; of all networks {SHORT_STUDY.blocks} blocks of "
        f"{', '.join(SHORT_STUDY.arms)}, in about a quarter of an hour"
    )
    narrow = (
        "run blocks until the 95 %% interval of the ratio is this narrow (for example "
        f"0.02), but at least {LEAST_BLOCKS}; then run {MORE_BLOCKS} more blocks"
    )
    add = run.add_argument
    add("--short", action="store_true", help=short)
    add("--name", help="name of the campaign (default: device, date and time)")
    networks = (
        "measure several networks, with their blocks in turn: all, or some of "
        f"{', '.join(NETWORKS)}, joined by commas"
    )
    add("--networks", type=_names, help=networks)
    add("--notebook", help="notebook with the timed cells (default: notebook 03)")
    blocks = f"number of blocks (default: {BLOCKS}; with networks: {BLOCKS_OF_STUDY})"
    add("--blocks", type=whole_number, help=blocks)
    add("--epochs", type=whole_number, help="epochs of a run (default: the notebook's)")
    arms = f"what to run, joined by commas (default: {','.join(ARMS)})"
    add("--arms", type=_names, help=arms)
    add("--device", choices=DEVICES, default="cpu", help="default: cpu")
    backend = "Keras's backend (default: KERAS_BACKEND, or else tensorflow)"
    add("--backend", choices=BACKENDS, help=backend)
    add("--seed", type=whole_number, default=SEED, help="seed of the random order")
    add("--precision", type=number, metavar="SHARE", help=narrow)
    budget = "minutes after which no new block starts"
    add("--budget", type=number, metavar="MINUTES", help=budget)
    most = f"seconds after which a run is stopped (default: {TIMEOUT:g})"
    add("--timeout", type=number, default=TIMEOUT, metavar="SECONDS", help=most)
    add("--directory", help="folder for campaigns (default: data/timings)")
    workers = "measure on all workers of a Dask scheduler, such as tcp://scheduler:8786"
    add("--on", metavar="ADDRESS", help=workers)
    resume = commands.add_parser(
        "resume", help="continue a campaign that was interrupted"
    )
    resume.add_argument("campaign", help="folder of the campaign or study")
    for command in (run, resume):
        shown = "how to show the progress (default: what suits the output)"
        command.add_argument("--progress", choices=progress.KINDS, help=shown)
    status = commands.add_parser("status", help="list your campaigns")
    status.add_argument("--directory", help="folder with campaigns")
    show = commands.add_parser("show", help="show the numbers of a campaign or study")
    show.add_argument("campaign", help="folder of the campaign or study")
    share = commands.add_parser(
        "contribute", help="make a copy without names, for a pull request"
    )
    share.add_argument("campaign", help="folder of the campaign")
    share.add_argument("--to", help="folder for the copy (default: data/timings)")
    share.add_argument("--name", help="name of the copy (default: contributed-...)")
    hand = commands.add_parser(
        "hand-in", help="make a copy without names, as one zip file, for a class"
    )
    add = hand.add_argument
    last = "folder of the campaign (default: your last finished one)"
    add("campaign", nargs="?", help=last)
    add("--to", default=".", help="folder for the zip file (default: this folder)")
    add("--name", help="beginning of the file's name (default: hand-in)")
    gather = commands.add_parser(
        "collect", help="check the files of a class, and copy the good ones"
    )
    add = gather.add_argument
    add("folder", help="folder with everybody's zip file")
    add("--to", help="folder for the good files (default: FOLDER-good)")
    also = "also use campaigns of this kind"
    add("--also", action="append", choices=ON_REQUEST, default=[], help=also)
    return top


def _stop(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit status: 0, 1 after an error, 130 after an interrupt."""
    # Print every name of a file, even if the terminal lacks some characters.
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")
    options = parser().parse_args(arguments)
    # These act as Ctrl-C does: the current run is ended and recorded.
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _stop)
    try:
        _do(options)
    except Sentence as problem:
        print(problem, file=sys.stderr)
        return 1
    except OSError as problem:
        # Such as a folder without permission, or a disk that is full or missing.
        place = problem.filename2 or problem.filename or "A file"
        what = f"{place} cannot be read or written: {problem.strerror or problem}"
        print(printable(what, 1000), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):
            told = "`python -m sidebyside.timing status` lists what can be resumed."
            print(f"\nInterrupted.\n{told}", file=sys.stderr)
        return 130
    return 0


def _do(options: argparse.Namespace) -> None:
    match options.command:
        case "run":
            _run(options)
        case "resume":
            study = study_at(options.campaign)
            resume = resume_study if study else resume_campaign
            place = study or options.campaign
            resume(place, progress=options.progress, began=_began())
        case "status":
            print(status_text(options.directory))
        case "show":
            place = as_path(options.campaign)
            print(show_study_text(place) if is_study(place) else show_text(place))
        case "contribute":
            target = contribute(options.campaign, options.to, name=options.name)
            print(instructions(target))
        case "hand-in":
            target = hand_in(options.campaign, options.to, name=options.name)
            print(hand_in_instructions(target))
        case "collect":
            collected = collect(options.folder, options.to, also=options.also)
            print(collected_text(collected))
            if not collected.good:
                raise NoTimings("No campaign can be pooled: see the list above.")


def _run(options: argparse.Namespace) -> None:
    several = options.networks is not None
    if several and options.notebook is not None:
        raise WrongPlan(
            "--networks and --notebook cannot be combined, because each network has "
            "its own notebook. Leave one of them out."
        )
    if options.short:
        _make_short(options, SHORT_STUDY if several else SHORT)
    chosen = {x.name: getattr(options, x.name) for x in fields(Settings)}
    chosen["arms"] = ARMS if options.arms is None else options.arms
    chosen |= {x: getattr(options, x) for x in ("directory", "progress")}
    kind = "short-" if options.short else ""
    kind += "networks" if several else options.device
    name = options.name or f"{kind}-{datetime.now():%Y-%m-%d-%H%M%S}"
    if options.on is not None:
        own = _for_workers(options)
        run_on(options.on, name, own, options.directory, options.progress)
        return
    if several:
        networks = None if options.networks == ("all",) else options.networks
        run_study(name, networks, began=_began(), **chosen)
    else:
        run_campaign(name, notebook=options.notebook, began=_began(), **chosen)
    if options.short:
        print(
            "To hand it in: `python -m sidebyside.timing hand-in` (or `make handin`)."
        )


def _for_workers(options: argparse.Namespace) -> list[str]:
    """Return the options that each machine gets."""
    options.backend = Settings(backend=options.backend).chosen_backend()
    ours = ("command", "on", "name", "directory", "progress", "short")
    own = {x: y for x, y in vars(options).items() if x not in ours and y is not None}
    return [
        f"--{x}={','.join(y) if x in ('arms', 'networks') else y}"
        for x, y in own.items()
    ]


def _make_short(options: argparse.Namespace, short: Settings) -> None:
    """Apply `--short`, which allows no other choice of what is measured."""
    chosen = ("blocks", "epochs", "arms", "precision", "notebook")
    told = [x for x in chosen if getattr(options, x) is not None]
    if told:
        raise WrongPlan(
            f"--short and --{told[0]} cannot be combined, because everybody in a class "
            "must measure the same. Leave one of them out."
        )
    options.blocks, options.arms = short.blocks, short.arms


def _began() -> float:
    """Return when this process was started, by the monotonic clock."""
    age = time.time() - psutil.Process().create_time()
    return time.monotonic() - max(age, 0.0)


if __name__ == "__main__":
    sys.exit(main())
