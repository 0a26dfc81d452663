"""R's own completion (Tab) and help (Shift-Tab) in R cells.

IPython's completer calls matchers (`IPython.core.completer`). The matcher here
calls the functions for front ends in R's `utils` package (see ?rc.options).
"""

from __future__ import annotations

import functools
import re

from IPython.core.completer import SimpleCompletion, context_matcher

from . import rsession

R_CELL = re.compile(r"\s*%%R\b.*\n")
R_LINE = re.compile(r"\s*([\w, ]+=)?\s*%R ")

# An object whose names R may look up: `model`, `model$layers`, `l[["a"]][[1]]`.
_OBJECT = r"""([\w.]+(?:[$@][\w.]+|\[\[(?:"[^"]*"|'[^']*'|\d+)\]\])*)"""
OBJECT = re.compile(rf"{_OBJECT}\[?$")
OBJECT_AND_NAME = re.compile(rf"""{_OBJECT}(?<=["']\]\])\$[\w.]*$""")

_TOKENS = re.compile(
    r"""(?P<comment>\#.*)
    |(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
    |(?P<unfinished>["'](?s:.*))
    |(?P<open>[(\[{])
    |(?P<close>[)\]}])
    |(?P<end>[\n;])
    |(?s:.)""",
    re.VERBOSE,
)


def register(shell) -> None:
    """Complete and explain R code in the cells of this shell."""
    unregister(shell)
    shell.Completer.custom_matchers.append(complete)
    kernel = getattr(shell, "kernel", None)  # None in a terminal
    if kernel is not None:
        # IPython's own hook (`object_inspect_mime`) does not get the cell's text.
        kernel.do_inspect = functools.partial(inspect, kernel.do_inspect)


def unregister(shell) -> None:
    """Use only Python's completion and help again."""
    matchers = shell.Completer.custom_matchers
    matchers[:] = [matcher for matcher in matchers if matcher is not complete]
    vars(getattr(shell, "kernel", shell)).pop("do_inspect", None)


@context_matcher(identifier="sidebyside.complete", priority=1000)
def complete(context):
    """Return R's names that begin with the word before the cursor."""
    lines = context.full_text.split("\n")[: context.cursor_line + 1]
    lines[-1] = lines[-1][: context.cursor_position]
    before = "\n".join(lines)
    code = r_code(before)
    if code is None:
        return {"completions": [], "suppress": False}
    code, object = statement(code)
    word, *found = ask("complete_code", code, object) or [""]
    if not before.endswith(word):
        word, found = "", []
    return {
        # If there were none, IPython would go on to complete Python's names.
        "completions": [
            SimpleCompletion(text, type=kind(text)) for text in found or [word]
        ],
        "matched_fragment": word,
        "ordered": True,
        "suppress": True,
    }


def kind(text: str) -> str:
    """Return the word that JupyterLab shows beside a completion."""
    if text.endswith(" = "):
        return "argument"
    return "member" if re.search(r"[$@]", text) else "R"


def inspect(of_python, code: str, cursor_pos: int, *arguments, **options):
    """Return R's help for the word at the cursor, or for the call around it."""
    before = r_code(code[:cursor_pos])
    if before is None:
        return of_python(code, cursor_pos, *arguments, **options)
    word = re.search(r"[\w.]*$", before)[0] + re.match(r"[\w.]*", code[cursor_pos:])[0]
    text = "".join(ask("explain_code", word, statement(before)[0]))
    data = {"text/plain": text} if text else {}
    return {"status": "ok", "found": bool(text), "data": data, "metadata": {}}


def r_code(before: str) -> str | None:
    """Return the R code in the text before the cursor; None if that is Python."""
    if cell := R_CELL.match(before):
        return before[cell.end() :]
    line = before.rpartition("\n")[2]
    magic = R_LINE.match(line)
    return line[magic.end() :] if magic else None


def statement(code: str) -> tuple[str, str]:
    """Return the last statement of the code, and the object whose names it needs.

    R's completion is made for one line of a console. It counts quotation marks and
    parentheses even in comments and strings. It completes names after `model$`, but
    not in `d[["` and `d[, "`, and not after `d[["a"]]$`.
    """
    kept, start, outer, object = "", 0, [], None
    for token in _TOKENS.finditer(code):
        kind, text = token.lastgroup, token[0]
        if kind == "comment":
            # Inside a comment there is nothing to complete.
            text = "" if token.end() < len(code) else " "
        elif kind == "string":
            text = text[0] + re.sub(r"[^\w. ]", "_", text[1:-1]) + text[-1]
        elif kind == "unfinished":
            brackets = [opened for text, opened, _ in outer if text == "["]
            object = OBJECT.search(kept[start : brackets[-1]] if brackets else "")
        elif kind == "open":
            outer.append((text, len(kept), start))
            if text == "{":
                start = len(kept) + 1
        elif kind == "close" and outer:
            bracket, opened, start = outer.pop()
            if bracket == "{":
                kept, text = kept[:opened], "{}"
        kept += text
        if kind == "end" and (not outer or outer[-1][0] == "{"):
            start = len(kept)
    kept = kept[start:]
    object = object or OBJECT_AND_NAME.search(kept)
    return kept, object[1] if object else ""


def ask(function: str, *arguments: str) -> list[str]:
    """Return what a function of the R companion says, or [] if R is busy.

    A reader who is typing should not wait for another thread that uses R, and
    should not see an error.
    """
    from rpy2.rinterface_lib import openrlib

    if not openrlib.rlock.acquire(blocking=False):
        return []
    try:
        return [str(text) for text in rsession.current().call(function, *arguments)]
    except Exception:
        return []
    finally:
        openrlib.rlock.release()
