"""Check a reader's answers to the exercises of a notebook.

An exercise has a task, a cell to fill in, a check and a hidden solution. The
check is a function. Its arguments are the variables that the reader has to make,
and each `yield` is a question about them::

    @exercise
    def asked(weights):
        yield "a whole number", weights == int(weights)
        yield "the right one", hashed(weights) == "1f0c3a52"

The check is called at once. It raises no error, so that a notebook whose exercises
nobody has answered runs to its end.
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
# The value that the variable has in a cell that is not filled in.
_EMPTY = {"python": "None", "r": "NULL"}
_CHANGE_LANGUAGE = {
    "python": "Remove the line `%%R`",
    "r": "Write `%%R` as the first line",
}


class NotAnswered(Exception):
    """There is no answer to check. The message says why and what to do."""


@stoppable
def exercise(
    function: Callable[..., Iterable[tuple]] | None = None,
    *,
    language: str = "python",
) -> Callable[..., None] | None:
    """Check the reader's answer with a function's questions, and print the results.

    Parameters
    ----------
    function
        A generator. Its arguments are the names of the reader's variables. It
        yields pairs (question, whether it is met), or triples with a hint that is
        shown if the question is not met.
    language
        The language of the variables: "python" or "r". reticulate converts R's
        to numbers, arrays, lists and callables.

    Prints a line for each question and then `Right.` or `Not yet.`. If a question
    raises an error (the answer has another type), it counts as not met. Prints
    `Not answered yet` and the reason if a variable is missing, None or NULL, or if
    the reader's last cell is in the wrong language or stopped with an error.

    Raises
    ------
    WrongUse
        If `function` is not a function, or if there is no such language.
    """
    if language not in _LANGUAGES:
        raise WrongUse(
            f"The language of an exercise is {language!r}; expected 'python' or 'r'."
        )
    if function is None:
        return lambda later: exercise(later, language=language)
    if not callable(function):
        raise WrongUse(
            f"exercise() got a value of type {type(function).__name__}; expected a "
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
    """Check whether a cell and its translation have the same results.

    Parameters
    ----------
    names
        Variables that both cells make. `compare()` lists the types that are allowed.
    into
        The language that the reader writes, "python" or "r".
    tolerance
        Largest absolute difference between two numbers that counts as the same.
    """
    require_names("translation", names)
    if into not in ("", *_LANGUAGES):
        raise WrongUse(f"into is {into!r}; expected 'python' or 'r'.")
    try:
        if into:
            _require_translation(names, into)
        in_r = _answers(names, "r", described_in_r, "the R half")
        in_python = _answers(names, "python", value_in_python, "the Python half")
        _say(_translated(names, in_r, in_python, tolerance))
    except NotAnswered as problem:
        print(UNANSWERED, problem)
    except WrongUse as problem:  # a function instead of a number, for example
        print(f"{problem}\n{WRONG}")


def hashed(value: Any) -> str:
    """Return eight letters by which a check recognises an answer without showing it.

    Numbers are rounded to six digits. Capitals and extra spaces in texts are
    ignored. Lists and arrays (of any shape) count by their elements in order.
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
    """Return the reader's values, if their last run of `cell` made them."""
    runs = [run for run in _runs_that_assign(names) if run.language == language]
    last = runs[-1] if runs else record.Cell("")
    if language == "python" and any(last.has(name, "<-") for name in names):
        raise NotAnswered(
            f"{cell} has `<-`, which assigns only in R. Write `=` and run it again."
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
                f"{cell} no longer assigns a value to {name}. Its value now comes from "
                "an earlier run. Assign it in the cell and run it again."
            )
        values.append(value)
    return values


def _runs_that_assign(names: Iterable[str]) -> list[record.Cell]:
    return [run for run in _runs() if any(map(run.assigns, names))]


def _runs() -> list[record.Cell]:
    """Return the cells that have run, without checks, which use the same names."""
    check = re.compile(r"^(@exercise|translation\()", re.MULTILINE)
    return [run for run in record.ran if not check.search(run.source)]


def _is_left_over(name: str, language: str) -> bool:
    """Return whether the cell that assigned the value has run again without it."""
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
    """Raise `NotAnswered` if the last answer is in the other language."""
    runs = _runs_that_assign(names)
    if runs and runs[-1].language != language:
        raise _wrong_language(runs[-1].language, language)


def _require_translation(names: Iterable[str], into: str) -> None:
    """Raise `NotAnswered` if the reader's half is in the language of the given half.

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
        f"the answer is in {_TITLES[found]}; expected {_TITLES[expected]}. "
        f"{_CHANGE_LANGUAGE[expected]} of the cell and run it again."
    )


def _asked(
    questions: Iterable[tuple], answers: dict[str, Any]
) -> Iterator[tuple[str, bool, str]]:
    """Yield each question with its result, up to the first that raises an error."""
    questions = iter(questions)
    while True:
        try:
            what, met, *hint = next(questions)
            yield what, bool(met), " ".join(hint)
        except StopIteration:
            return
        # The answer may be the reader's own function, so any error is possible.
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
        raise TypeError("The check of an exercise has no question: it must yield one.")
    for what, met, hint in answered:
        print(f"{'yes' if met else 'no ':<4}{what}", end="")
        print(f" ({hint})" if hint and not met else "")
    print(RIGHT if all(met for _, met, _ in answered) else WRONG)
