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
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from .compare import agreement, described_in_r, value_in_python, value_in_r

UNANSWERED = "Not answered yet:"
RIGHT = "Right."
WRONG = "Not yet."

_LANGUAGES = {"python": value_in_python, "r": value_in_r}
# The value in a cell that nobody has filled in.
_EMPTY = {"python": "None", "r": "NULL"}


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

    Prints a line for each question and then `Right.` or `Not yet.`; or
    `Not answered yet` while a variable is missing, None or NULL. A question
    that cannot be asked (the answer is of another kind) counts as not met.

    Raises
    ------
    ValueError
        If the language is another one.
    """
    if language not in _LANGUAGES:
        raise ValueError(
            f"The language of an exercise is {language!r}, expected 'python' or 'r'."
        )
    if function is None:
        return lambda later: exercise(later, language=language)
    names = list(inspect.signature(function).parameters)
    values = _answers(names, language)
    if values is not None:
        _say(_asked(function(*values)))
    return None


def translation(*names: str, tolerance: float = 0.0) -> None:
    """Whether a cell and its translation give the same.

    Parameters
    ----------
    names
        Variables that both cells make; `compare()` says what can be.
    tolerance
        Largest absolute difference of two numbers that counts as the same.
    """
    if not names:
        raise ValueError("translation() needs the name of a variable.")
    try:
        in_r = _answers(names, "r", described_in_r)
        in_python = _answers(names, "python") if in_r is not None else None
        if in_r is not None and in_python is not None:
            _say(_translated(names, in_r, in_python, tolerance))
    except TypeError as problem:  # a function, say, where a number is asked for
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
    names: Iterable[str], language: str, look_up: Callable[[str], Any] | None = None
) -> list[Any] | None:
    """The reader's values; None, and a sentence, where one is not there."""
    look_up = look_up or _LANGUAGES[language]
    values = []
    for name in names:
        try:
            value = look_up(name)
        except NameError:
            value = None
        if value is None:
            print(
                f"{UNANSWERED} give {name} a value in the cell above "
                f"(it is {_EMPTY[language]} now)."
            )
            return None
        values.append(value)
    return values


def _asked(questions: Iterable[tuple]) -> Iterator[tuple[str, bool, str]]:
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
            kind = type(problem).__name__
            yield "what was asked for", False, f"{kind}: {reason}"
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
