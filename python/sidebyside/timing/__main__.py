"""`python -m sidebyside.timing`: measure, resume, look, share."""

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
from .format import ARMS, DEVICES, LEAST_BLOCKS, MORE_BLOCKS
from .loader import NoTimings
from .plan import BLOCKS, SEED, SHORT, TIMEOUT, Settings, WrongPlan
from .report import show_text, status_text
from .sharing import contribute, hand_in, hand_in_instructions, instructions


# int() and float() take the digits of all scripts, but of bytes only these ten.
def whole_number(text: str) -> int:
    return int(text.encode("ascii"))


def number(text: str) -> float:
    return float(text.encode("ascii"))


def _arms(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="python -m sidebyside.timing",
        description="The timing experiment: the timed cells of a notebook, "
        "each run a fresh process.",
    )
    commands = top.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="begin a campaign")
    short = f"{SHORT.blocks} blocks of {', '.join(SHORT.arms)}"
    narrow = (
        "continue until the 95 %% interval of the ratio is this narrow (0.02), at "
        f"least {LEAST_BLOCKS} blocks, and {MORE_BLOCKS} more after that"
    )
    add = run.add_argument
    add("--short", action="store_true", help=f"for a class, a few minutes: {short}")
    add("--name", help="of the campaign (default: device, date and time)")
    add("--notebook", help="default: notebook 03")
    add("--blocks", type=whole_number, help=f"default: {BLOCKS}")
    add("--epochs", type=whole_number, help="default: what the notebook says")
    add("--arms", type=_arms, help=f"joined by commas (default: {','.join(ARMS)})")
    add("--device", choices=DEVICES, default="cpu")
    add("--seed", type=whole_number, default=SEED)
    add("--precision", type=number, metavar="SHARE", help=narrow)
    add("--budget", type=number, metavar="MINUTES")
    most = f"for one run (default: {TIMEOUT:g})"
    add("--timeout", type=number, default=TIMEOUT, metavar="SECONDS", help=most)
    add("--directory", help="where campaigns go")
    resume = commands.add_parser(
        "resume", help="continue a campaign that was interrupted"
    )
    resume.add_argument("campaign", help="its folder")
    for command in (run, resume):
        command.add_argument("--progress", choices=progress.KINDS)
    status = commands.add_parser("status", help="which campaigns there are")
    status.add_argument("--directory")
    show = commands.add_parser("show", help="one campaign in numbers")
    show.add_argument("campaign", help="its folder")
    share = commands.add_parser(
        "contribute", help="a cleaned copy, ready for a pull request"
    )
    share.add_argument("campaign", help="its folder")
    share.add_argument("--to", help="default: data/timings")
    share.add_argument("--name", help="of the copy (default: contributed-...)")
    hand = commands.add_parser(
        "hand-in", help="a cleaned copy as one zip file, for a class"
    )
    add = hand.add_argument
    last = "its folder (default: your finished one that ended last)"
    add("campaign", nargs="?", help=last)
    add("--to", default=".", help="default: this folder")
    add("--name", help="how the file's name begins")
    gather = commands.add_parser(
        "collect", help="check what a class handed in, and copy what is good"
    )
    add = gather.add_argument
    add("folder", help="with everybody's zip file")
    add("--to", help="for the good ones (default: FOLDER-good)")
    also = "take these in, too"
    add("--also", action="append", choices=ON_REQUEST, default=[], help=also)
    return top


def _stop(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 if all went well, 1 with a sentence, 130 if stopped."""
    # Whatever a file is called, and whatever a terminal can show.
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")
    options = parser().parse_args(arguments)
    # As Ctrl-C: the run that is under way is ended and recorded.
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _stop)
    try:
        _do(options)
    except Sentence as problem:
        print(problem, file=sys.stderr)
        return 1
    except OSError as problem:
        # A folder that may not be written, a disk that is full or gone.
        place = problem.filename2 or problem.filename or "A file"
        what = f"{place} cannot be read or written: {problem.strerror or problem}"
        print(printable(what, 1000), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):
            told = "`python -m sidebyside.timing status` lists what can be resumed."
            print(f"\nStopped.\n{told}", file=sys.stderr)
        return 130
    return 0


def _do(options: argparse.Namespace) -> None:
    match options.command:
        case "run":
            stamp = f"{datetime.now():%Y-%m-%d-%H%M%S}"
            kind = "short-" if options.short else ""
            if options.short:
                _make_short(options)
            chosen = {x.name: getattr(options, x.name) for x in fields(Settings)}
            chosen["arms"] = ARMS if options.arms is None else options.arms
            run_campaign(
                options.name or f"{kind}{options.device}-{stamp}",
                notebook=options.notebook,
                directory=options.directory,
                progress=options.progress,
                began=_began(),
                **chosen,
            )
            if options.short:
                print(
                    "To hand it in: `python -m sidebyside.timing hand-in` "
                    "(or `make handin`)."
                )
        case "resume":
            resume_campaign(options.campaign, progress=options.progress, began=_began())
        case "status":
            print(status_text(options.directory))
        case "show":
            print(show_text(options.campaign))
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
                raise NoTimings("there is nothing to pool")


def _make_short(options: argparse.Namespace) -> None:
    """Set what `--short` means, which leaves nothing to choose."""
    chosen = ("blocks", "epochs", "arms", "precision", "notebook")
    told = [x for x in chosen if getattr(options, x) is not None]
    if told:
        raise WrongPlan(
            f"--short sets how much is measured, so that everybody in a class "
            f"measures the same; leave it out, or --{told[0]}"
        )
    options.blocks, options.arms = SHORT.blocks, SHORT.arms


def _began() -> float:
    """When this process was started, by the monotonic clock."""
    age = time.time() - psutil.Process().create_time()
    return time.monotonic() - max(age, 0.0)


if __name__ == "__main__":
    sys.exit(main())
