"""Exercises: what a notebook says to a reader's answer.

An exercise is a task, a cell to fill in, a check and a hidden solution. The
check is a function, whose arguments are the variables that the reader was
asked for, and whose `yield`s are the questions asked of them::

    @exercise
    def asked(weights):
        yield "a whole number", weights == int(weights)
        yield "the right one", hashed(weights) == "1f0c3a52"

It is called at once. Nothing is raised, so that a notebook with an exercise
that nobody has answered runs to its end.
"""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from ..common.errors import stoppable
from ..kernel import record
from .compare import (
    NoVariable,
    WrongUse,
    agreement,
    described_in_r,
    require_names,
    value_in_python,
    value_in_r,
)

UNANSWERED = "Not answered yet:"
RIGHT = "Right."
WRONG = "Not yet."

_LANGUAGES = {"python": value_in_python, "r": value_in_r}
_TITLES = {"python": "Python", "r": "R"}
# The value in a cell that nobody has filled in.
_EMPTY = {"python": "None", "r": "NULL"}
_CHANGE_LANGUAGE = {
    "python": "Take the line `%%R` out",
    "r": "Write `%%R` as the first line",
}


class NotAnswered(Exception):
    """There is no answer to judge; the message says why and what to do."""


@stoppable
def exercise(
    function: Callable[..., Iterable[tuple]] | None = None,
    *,
    language: str = "python",
) -> Callable[..., None] | None:
    """Ask a function's questions of the reader's answer, and say what came.

    Parameters
    ----------
    function
        A generator. Its arguments are the names of the reader's variables;
        it yields pairs (what is asked, whether it is so) or, with a hint for
        those for whom it is not, triples.
    language
        Where the variables are: "python" or "r". R's arrive as reticulate
        converts them: numbers, arrays, lists, callables.

    Prints a line for each question and then `Right.` or `Not yet.`. A question
    that cannot be asked (the answer is of another kind) counts as not met. Prints
    `Not answered yet` and the reason if a variable is missing, None or NULL, or if
    the reader's last cell is in the wrong language or stopped with an error.

    Raises
    ------
    WrongUse
        If something else than a function is given, or another language.
    """
    if language not in _LANGUAGES:
        raise WrongUse(
            f"The language of an exercise is {language!r}, expected 'python' or 'r'."
        )
    if function is None:
        return lambda later: exercise(later, language=language)
    if not callable(function):
        raise WrongUse(
            f"exercise() got a value of type {type(function).__name__}, expected a "
            "function. Write @exercise on the line above a function."
        )
    names = list(inspect.signature(function).parameters)
    try:
        _require_one_language(names, language)
        values = _answers(names, language, _LANGUAGES[language], "the cell above")
    except NotAnswered as problem:
        print(UNANSWERED, problem)
    else:
        _say(_asked(function(*values), dict(zip(names, values, strict=True))))
    return None


@stoppable
def translation(*names: str, into: str = "", tolerance: float = 0.0) -> None:
    """Whether a cell and its translation give the same.

    Parameters
    ----------
    names
        Variables that both cells make; `compare()` says what can be.
    into
        The language that the reader writes, "python" or "r".
    tolerance
        Largest absolute difference of two numbers that counts as the same.
    """
    require_names("translation", names)
    if into not in ("", *_LANGUAGES):
        raise WrongUse(f"into is {into!r}, expected 'python' or 'r'.")
    try:
        if into:
            _require_translation(names, into)
        in_r = _answers(names, "r", described_in_r, "the R half")
        in_python = _answers(names, "python", value_in_python, "the Python half")
        _say(_translated(names, in_r, in_python, tolerance))
    except NotAnswered as problem:
        print(UNANSWERED, problem)
    except WrongUse as problem:  # a function, say, where a number is asked for
        print(f"{problem}\n{WRONG}")


def hashed(value: Any) -> str:
    """Eight letters by which a check recognises an answer without naming it.

    Numbers count to six digits, texts without capitals and extra spaces, lists
    and arrays (of any shape) by their elements in order.
    """
    return hashlib.sha256(_plain(value).encode()).hexdigest()[:8]


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return " ".join(value.lower().split())
    if isinstance(value, (list, tuple, np.ndarray)):
        return ";".join(map(_plain, np.asarray(value).ravel().tolist()))
    if value is None:
        return "none"
    return f"{float(value) + 0.0:.6g}"  # -0.0 is 0


def _answers(
    names: Iterable[str], language: str, look_up: Callable[[str], Any], cell: str
) -> list[Any]:
    """The reader's values, which their last run of `cell` has made."""
    runs = [run for run in _runs_that_assign(names) if run.language == language]
    last = runs[-1] if runs else record.Cell("")
    if language == "python" and any(last.has(name, "<-") for name in names):
        raise NotAnswered(
            f"{cell} has `<-`, which assigns in R only. Write `=` and run it again."
        )
    if last.failed:
        raise NotAnswered(f"{cell} stopped with an error. Correct it and run it again.")
    values = []
    for name in names:
        try:
            value = look_up(name)
        except NoVariable:
            raise NotAnswered(
                f"{_TITLES[language]} has no {name}. Run {cell}."
            ) from None
        if value is None:
            raise NotAnswered(
                f"{name} is {_EMPTY[language]}. Write your answer into {cell} and "
                "run it."
            )
        if _is_left_over(name, language):
            raise NotAnswered(
                f"{cell} no longer gives {name} a value. What {name} is now comes "
                "from an earlier run."
            )
        values.append(value)
    return values


def _runs_that_assign(names: Iterable[str]) -> list[record.Cell]:
    return [run for run in _runs() if any(map(run.assigns, names))]


def _runs() -> list[record.Cell]:
    """What has run, without the checks, which use the same names."""
    check = re.compile(r"^(@exercise|translation\()", re.MULTILINE)
    return [run for run in record.ran if not check.search(run.source)]


def _is_left_over(name: str, language: str) -> bool:
    """Whether the cell that gave it a value has run again without doing so."""
    runs = _runs()
    gave = [
        i
        for i, run in enumerate(runs)
        if run.language == language and run.assigns(name)
    ]
    if not gave or runs[gave[-1]].id is None:
        return False
    return runs[gave[-1]].id in {run.id for run in runs[gave[-1] + 1 :]}


def _require_one_language(names: Iterable[str], language: str) -> None:
    """Raises `NotAnswered` if the last answer is in the other language."""
    runs = _runs_that_assign(names)
    if runs and runs[-1].language != language:
        raise _wrong_language(runs[-1].language, language)


def _require_translation(names: Iterable[str], into: str) -> None:
    """The same if the half that is given is in the other language, as it must be.

    Then two different cells of that language have run since the answer's
    last run, or the answer's own cell was one of them.
    """
    runs = _runs_that_assign(names)
    last = max((i for i, run in enumerate(runs) if run.language == into), default=-1)
    answered = {run.id for run in runs[: last + 1] if run.language == into} - {None}
    since = {run.id or run.source for run in runs[last + 1 :]}
    if len(since) > 1 or since & answered:
        raise _wrong_language(runs[-1].language, into)


def _wrong_language(found: str, expected: str) -> NotAnswered:
    return NotAnswered(
        f"the answer is in {_TITLES[found]}, expected {_TITLES[expected]}. "
        f"{_CHANGE_LANGUAGE[expected]} of the cell and run it again."
    )


def _asked(
    questions: Iterable[tuple], answers: dict[str, Any]
) -> Iterator[tuple[str, bool, str]]:
    """Each question with its answer; the last one is the one that failed."""
    questions = iter(questions)
    while True:
        try:
            what, met, *hint = next(questions)
            yield what, bool(met), " ".join(hint)
        except StopIteration:
            return
        # The code is the reader's: any error of it is an answer that is not
        # as expected.
        except Exception as problem:
            reason = str(problem).strip().split("\n")[0]
            found = [f"{type(problem).__name__}: {reason}"]
            found += [
                f"{name} is of type {type(value).__name__}"
                for name, value in answers.items()
                if not callable(value)
            ]
            yield "an answer that can be checked", False, "; ".join(found)
            return


def _translated(names, in_r, in_python, tolerance):
    for name, mine, theirs in zip(names, in_r, in_python, strict=True):
        found = agreement(name, mine, theirs, tolerance)
        yield f"{name}: the same in both", found.agrees, found.verdict


def _say(answered: Iterable[tuple[str, bool, str]]) -> None:
    answered = list(answered)
    if not answered:
        raise TypeError("The check of an exercise asked nothing.")
    for what, met, hint in answered:
        print(f"{'yes' if met else 'no ':<4}{what}", end="")
        print(f" ({hint})" if hint and not met else "")
    print(RIGHT if all(met for _, met, _ in answered) else WRONG)
