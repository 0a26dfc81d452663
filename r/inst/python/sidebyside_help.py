"""Keras's docstrings as the parts of an R help page.

Keras writes Markdown with Google's headings ("Args:", "Returns:"). `page()`
gives the parts in Rd, R's own markup, and `R/help.R` makes a page of them.
Code and examples stay Python's; values in the text are written as in R.
"""

from __future__ import annotations

import importlib
import inspect
import re
import textwrap

_ARGUMENTS = ("Args", "Arguments")
# Headings that have a standard section in R.
_STANDARD = {
    "Details": "details",
    "Note": "note",
    "Notes": "note",
    "Output": "value",
    "Reference": "references",
    "References": "references",
    "Return": "value",
    "Returns": "value",
}
_HEADINGS = re.compile(
    r"(?P<name>Args|Arguments|Attributes|Call arguments|Returns?|Output|Raises"
    r"|References?|(Input|Output) shape|Notes?|License|Initialization|Formula"
    r"|(Standalone |Example )?[Uu]sage( (with|in) .*)?|Examples?( [\w ]+)?"
    r"|(As a|With) .*(function|API)):|\*\*(?P<bold>[^*]+?):?\*\*:?"
    r"|#+ (?P<hash>.*)"
)
_EXAMPLES = re.compile(r"Example|.*[Uu]sage|As a |With ")
_ITEM = re.compile(r"[`*]*(?P<name>\w+(, *[`*]*\w+)*)`?( *\([^)]*\))?: *(?P<rest>.*)")
_BULLET = re.compile(r" *([-*]|\d+[.)]) +")
_LINK = re.compile(r"\[([^\]]+)\]\s*\(\s*(\S+?)\s*\)")
_VALUES = {"None": "NULL", "True": "TRUE", "False": "FALSE"}


def find(path: str) -> object:
    """The object of a path like `keras.layers.Dense`, or of a method."""
    try:
        return importlib.import_module(path)
    except ImportError:
        parent, _, name = path.rpartition(".")
        return getattr(find(parent), name)


def docstring(path: str) -> str:
    """Keras's docstring of an object, or of the method that it overrides."""
    found = find(path)
    if inspect.ismodule(found):  # keras.datasets.mnist
        found = found.load_data
    first, *lines = (inspect.getdoc(found) or "").expandtabs().split("\n")
    # getdoc() fails if an example is indented less than the rest.
    margin, fenced = 80, False
    for line in lines:
        fenced ^= line.lstrip().startswith("```")
        if line.strip() and not fenced and "```" not in line:
            margin = min(margin, len(line) - len(line.lstrip()))
    cut = (re.sub(f"^ {{0,{margin}}}", "", line) for line in lines)
    return "\n".join([first, *cut])


def title(path: str) -> str:
    """The first sentence, without markup."""
    first = docstring(path).split("\n\n")[0].replace("\n", " ")
    return re.sub(r"[`*]", "", re.split(r"(?<=[a-z)])\. ", first)[0]).rstrip(".: ")


def titles(paths: dict[str, str]) -> dict[str, str]:
    """The titles of many functions, by their R names."""
    return {name: title(path) for name, path in paths.items()}


def page(path: str, r_names: dict[str, str]) -> dict:
    """The parts of the help page of one Python object.

    `r_names` has the dialect's names of Python's objects. Sections are lists of a
    heading and a text in Rd. Arguments have Python's names.
    """
    first, *others = _sections(docstring(path))
    title_, _, description = first[1].partition("\n\n")
    parts = {
        "title": _inline(title_.replace("\n", " ").rstrip(".: "), r_names),
        "description": _blocks(description, r_names) or _inline(title_, r_names),
        "arguments": {},
        "standard": {},
        "sections": [],
        "examples": "",
    }
    standard = parts["standard"]
    for heading, body in others:
        if heading in _ARGUMENTS:
            for names, text in (_items(body, r_names) or {}).items():
                parts["arguments"] |= dict.fromkeys(re.split(", *[*]*", names), text)
        elif heading in _STANDARD:
            macro = _STANDARD[heading]
            text = _described(body, r_names)
            standard[macro] = f"{standard.get(macro, '')}\n\n{text}"
        elif _EXAMPLES.match(heading):
            own = "" if heading.startswith("Example") else _inline(heading, {}) + ":"
            parts["examples"] += f"\n\n{own}\n\n{_blocks(body, r_names)}"
        else:
            parts["sections"].append(
                [_inline(heading, r_names), _described(body, r_names)]
            )
    return parts


def example(path: str) -> str:
    """The code of the examples, unchanged from the docstring."""
    bodies = [b for h, b in _sections(docstring(path))[1:] if _EXAMPLES.match(h)]
    return "\n\n".join(bodies)


def _sections(text: str) -> list[tuple[str, str]]:
    """(heading, text) of each section; the first section has no heading.

    An indented section ends where the indentation ends; the text after it belongs
    to the details. A section without indentation ends where the next one begins.
    """
    found, fenced, indented = [("", [])], False, False
    for line in text.split("\n"):
        fenced ^= line.lstrip().startswith("```")
        match = None if fenced else _HEADINGS.fullmatch(line.rstrip())
        if match:
            found.append((next(filter(None, match.group("name", "bold", "hash"))), []))
            continue
        heading, body = found[-1]
        if line.strip() and heading and not fenced and "```" not in line:
            indented = line[0] == " " if not any(body) else indented
            if indented and line[0] != " ":
                found.append(("Details", []))
                indented = False
        found[-1][1].append(line)
    return [(h, textwrap.dedent("\n".join(b)).strip("\n")) for h, b in found]


def _described(body: str, r_names: dict) -> str:
    """A section in Rd: a list of names, or otherwise paragraphs."""
    items = _items(body, r_names)
    if not items:
        return _blocks(body, r_names)
    rows = (f"\\item{{{_escape(name)}:}}{{{text}}}" for name, text in items.items())
    return "\\describe{\n" + "\n".join(rows) + "\n}"


def _items(body: str, r_names: dict) -> dict[str, str] | None:
    """The rows `name: text` by name, or None if there is other text as well."""
    found: dict[str, list[str]] = {}
    current = None
    for line in body.split("\n"):
        match = _ITEM.fullmatch(line)
        if match:
            current = found.setdefault(match["name"].replace("`", ""), [])
            current.append(match["rest"])
        elif current is None:
            return None
        else:
            current.append(line)
    return {
        name: _blocks(
            f"{lines[0]}\n{textwrap.dedent(chr(10).join(lines[1:]))}", r_names
        )
        for name, lines in found.items()
    }


def _blocks(text: str, r_names: dict) -> str:
    """Paragraphs, lists and code as Rd."""
    rd, paragraph, bullets = [], [], []

    def close():
        if paragraph:
            rd.append(_inline(" ".join(paragraph), r_names) + "\n")
        if bullets:
            rows = "\n".join("\\item " + _inline(b, r_names) for b in bullets)
            rd.append(f"\\itemize{{\n{rows}\n}}\n")
        paragraph.clear()
        bullets.clear()

    def code(lines):
        close()
        verbatim = _escape(textwrap.dedent("\n".join(lines)).strip("\n"))
        rd.append(f"\\preformatted{{{verbatim}\n}}\n")

    lines = text.split("\n")
    while lines:
        line = lines.pop(0)
        if line.lstrip().startswith("```"):
            code(_take(lines, lambda following: "```" not in following))
            del lines[:1]
        elif line.lstrip().startswith((">>>", "|", "$$")):
            code([line, *_take(lines, str.strip)])
        elif not line.strip():
            close()
        elif _BULLET.match(line):
            if paragraph:
                close()
            bullets.append(_BULLET.sub("", line, count=1))
        elif bullets:
            bullets[-1] += " " + line.strip()
        else:
            paragraph.append(line.strip())
    close()
    return "\n".join(rd)


def _take(lines: list[str], wanted) -> list[str]:
    taken = []
    while lines and wanted(lines[0]):
        taken.append(lines.pop(0))
    return taken


def _inline(text: str, r_names: dict) -> str:
    """Code in R's quotation marks, and links and emphasis as plain text."""
    text = _LINK.sub(lambda m: m[2] if m[1] == m[2] else f"{m[1]} ({m[2]})", text)
    text = re.sub(r"(?<![\w)])\*\*(?=\S)(.+?)(?<=\S)\*\*", r"\1", text)
    pieces = re.split(r"`+([^`]+)`+", text)
    for i, piece in enumerate(pieces):
        if i % 2:
            piece = _in_r(piece, r_names)
        else:
            piece = piece.replace("**kwargs", "...")
            piece = re.sub(r"(?<![\w*])\*(\S[^*]*)\*(?![\w*])", r"\1", piece)
        piece = re.sub(r"\b(None|True|False)\b", lambda m: _VALUES[m[0]], piece)
        pieces[i] = f"\\sQuote{{{_escape(piece)}}}" if i % 2 else _escape(piece)
    return "".join(pieces)


def _in_r(code: str, r_names: dict) -> str:
    path, _, call = code.partition("(")
    name = r_names.get(path)
    return f"{name}({call or ')'}" if name else code


def _escape(text: str) -> str:
    return re.sub(r"([\\%{}])", r"\\\1", text)
