"""What every notebook of the collection has to look like.

Each rule is a function that takes a notebook and gives sentences, one for
each thing that is wrong; every rule is tried on a notebook that breaks it.
Whether the outputs are what the code gives is asked by nbval, see pytest.ini.
"""

import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from nbval.plugin import get_sanitize_patterns
from sidebyside.timing.cells import STAGES, NoProgram, programs_of

ROOT = Path(__file__).resolve().parents[2]
SANITIZE = ROOT / "tests" / "nbval-sanitize.cfg"
PATHS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))

COLUMNS = 60  # of a half of a pair, which has half a screen
WIDE_COLUMNS = 72  # of the other cells, as the text around them
LARGEST = 1_000_000  # bytes
LARGEST_SHARE = 1 / 4  # of code cells whose output is not compared

EXEMPT = {"nbval-ignore-output", "nbval-skip"}
TAGS = EXEMPT | {"pair", "r", "python", "check", "raises-exception"}
TAGS |= {"hide-input", "hide-output", "remove-input"}  # for the book
TAGS |= {"crosses"}  # an R cell in which -i and -o are the lesson
TAGS |= {"exercise", "answer", "solution"}  # test_exercises.py
TAGS |= {f"timed-{stage}" for stage in STAGES}  # the programs of 03

# Rows of the table that a notebook opens with.
OPENING = ("You will learn", "You need", "Minutes on two cores", "Memory")


def tags(cell):
    return set(cell.metadata.get("tags", []))


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def is_r(cell):
    return cell.source.startswith("%%R")


def first_line(cell):
    return cell.source.split("\n")[0]


# --- rules about execution


def executed_once_in_order(notebook):
    """From a fresh kernel: 1, 2, 3 and so on, empty cells among them."""
    found = [cell.execution_count for cell in code_cells(notebook)]
    if found == list(range(1, len(found) + 1)):
        return []
    return [f"execution counts are {found}"]


def no_errors_but_intended_ones(notebook):
    wrong = []
    for cell in code_cells(notebook):
        kinds = {output.output_type for output in cell.outputs}
        if "error" in kinds and "raises-exception" not in tags(cell):
            wrong.append(f"error in {first_line(cell)!r}")
        if "error" not in kinds and "raises-exception" in tags(cell):
            wrong.append(f"no error, but the tag for one: {first_line(cell)!r}")
    return wrong


def no_stray_warnings(notebook):
    """Python's warnings go to standard error: they are not the lesson."""
    return [
        f"standard error of {first_line(cell)!r}: {output.text[:60]!r}"
        for cell in code_cells(notebook)
        for output in cell.outputs
        if output.output_type == "stream" and output.name == "stderr"
    ]


# --- rules about pairs


def pairs_have_two_halves(notebook):
    """R first, and nothing between it and Python."""
    wrong, expected = [], "r"
    for cell in notebook.cells:
        half = tags(cell) & {"pair", "r", "python"}
        if "answer" in tags(cell) and "pair" not in half:
            half = set()  # an exercise in one language
        if half == {"pair", expected} and cell.cell_type == "code":
            expected = "python" if expected == "r" else "r"
            continue
        if expected == "python":
            wrong.append(f"no Python half before {first_line(cell)!r}")
        elif half:
            wrong.append(f"tags {sorted(half)} at {first_line(cell)!r}")
        expected = "python" if half == {"pair", "r"} else "r"
    if expected == "python":
        wrong.append("no Python half at the end")
    return wrong


def halves_are_in_their_language(notebook):
    return [
        f"tag and language differ: {first_line(cell)!r}"
        for cell in code_cells(notebook)
        if ("r" in tags(cell)) != is_r(cell)
    ]


def r_cells_stand_by_themselves(notebook):
    """No variable comes in by -i or out by -o: the code runs in RStudio."""
    return [
        f"{first_line(cell)!r} takes or gives variables"
        for cell in code_cells(notebook)
        if "crosses" not in tags(cell)
        and re.search(r"%%?R\b.*\s(-i|-o|--input|--output)\b", cell.source)
    ]


def timed_cells_are_programs(notebook):
    """Whoever tags one cell for the experiment has to tag them all."""
    timed = any(tag.startswith("timed-") for c in notebook.cells for tag in tags(c))
    if not timed:
        return []
    wrong = [
        f"timed, but no half of a pair: {first_line(cell)!r}"
        for cell in notebook.cells
        if any(tag.startswith("timed-") for tag in tags(cell))
        and "pair" not in tags(cell)
    ]
    try:
        programs_of(notebook.cells, Path("this.ipynb"))
    except NoProgram as problem:
        wrong.append(str(problem))
    return wrong


def code_is_narrow(notebook):
    return [
        f"{len(line)} columns: {line!r}"
        for cell in code_cells(notebook)
        for line in cell.source.split("\n")
        if len(line) > (COLUMNS if "pair" in tags(cell) else WIDE_COLUMNS)
    ]


def pairs_are_checked(notebook):
    """Somewhere after the last pair there is a check, and so after each."""
    last = [cell for cell in code_cells(notebook) if tags(cell) & {"pair", "check"}]
    checked = last and "check" in tags(last[-1])
    return [] if checked else ["no check after the last pair"]


def tags_are_known(notebook):
    """A misspelt tag would be passed over without a word."""
    return [
        f"unknown tag {tag!r}"
        for cell in notebook.cells
        for tag in sorted(tags(cell) - TAGS)
    ]


def exempt_by_tag_only(notebook):
    return [
        f"nbval is told in a comment: {first_line(cell)!r}"
        for cell in code_cells(notebook)
        if re.search(r"#\s*(NBVAL|PYTEST_VALIDATE)_", cell.source)
    ]


# --- rules about the text


def opens_as_agreed(notebook):
    first = notebook.cells[0]
    if first.cell_type != "markdown" or not first.source.startswith("# "):
        return ["does not open with a title"]
    paragraphs = re.split(r"\n\s*\n", first.source)
    wrong = []
    if len(paragraphs) < 3 or paragraphs[1].startswith("|"):
        wrong.append("no paragraph between the title and the table")
    for row in OPENING:
        if not re.search(rf"^\| *{row} *\| *\S", first.source, re.MULTILINE):
            wrong.append(f"no row {row!r} in the opening table")
    return wrong


def titled_once(notebook):
    return [
        f"a second title: {title!r}"
        for cell in notebook.cells[1:]
        if cell.cell_type == "markdown"
        for title in re.findall(r"(?m)^# .*", without_code(cell.source))
    ]


def closes_as_agreed(notebook):
    """What was found (computed), a dictionary, a link to another notebook."""
    wrong, heading, computed = [], "", set()
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            heading = "\n".join([heading, *re.findall(r"(?m)^#+ .*", cell.source)])
        elif cell.outputs:
            computed.add(heading.rpartition("\n")[2])
    if not any("What we found" in line for line in computed):
        wrong.append("no heading 'What we found' that computes something")
    if "dictionary" not in heading:
        wrong.append("no heading with a 'dictionary'")
    last = notebook.cells[-1]
    linked = re.search(r"\]\(\d\d_\w+\.ipynb[)#]", last.source)
    if last.cell_type != "markdown" or not linked:
        wrong.append("the last cell links to no other notebook")
    return wrong


def without_code(markdown):
    return re.sub(r"```.*?```|`[^`\n]*`", "", markdown, flags=re.DOTALL)


# --- rules about figures


def figures_have_a_text(notebook):
    wrong = []
    for cell in code_cells(notebook):
        for output in cell.outputs:
            for mime in output.get("data", {}):
                about = output.get("metadata", {}).get(mime, {})
                if mime.startswith("image/") and not about.get("alt", "").strip():
                    wrong.append(f"a figure of {cell.source[:40]!r} has no text")
    return wrong


def figures_lie_in_outputs(notebook):
    """A pasted picture is one that nobody can compute again."""
    return ["a picture is attached" for c in notebook.cells if c.get("attachments")]


RULES = [
    executed_once_in_order,
    no_errors_but_intended_ones,
    no_stray_warnings,
    pairs_have_two_halves,
    halves_are_in_their_language,
    r_cells_stand_by_themselves,
    timed_cells_are_programs,
    code_is_narrow,
    pairs_are_checked,
    tags_are_known,
    exempt_by_tag_only,
    opens_as_agreed,
    titled_once,
    closes_as_agreed,
    figures_have_a_text,
    figures_lie_in_outputs,
]


# --- the collection


@pytest.fixture(scope="module", params=PATHS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture(scope="module")
def notebook(path):
    """Read, which also says whether it is a valid one."""
    found = nbformat.read(path, as_version=4)
    nbformat.validate(found)
    return found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_notebook(notebook, rule):
    found = rule(notebook)
    assert not found, "\n" + "\n".join(found)


def test_size(path):
    assert path.stat().st_size < LARGEST


def test_numbers_are_not_given_twice_and_have_no_gaps():
    assert [int(path.name[:2]) for path in PATHS] == list(range(len(PATHS)))


def test_no_other_file_of_the_folder_is_a_notebook():
    """It would be executed by nobody."""
    assert sorted((ROOT / "notebooks").rglob("[!.]*.ipynb")) == PATHS


def test_every_notebook_can_be_reached_from_the_first():
    """By its links, and from there by theirs."""
    reached, new = set(), {PATHS[0].name}
    while new:
        name = new.pop()
        reached.add(name)
        cells = nbformat.read(PATHS[0].with_name(name), 4).cells
        text = "\n".join(c.source for c in cells if c.cell_type == "markdown")
        new |= set(re.findall(r"\((\d\d_\w+\.ipynb)", text)) - reached
    assert reached == {path.name for path in PATHS}


def test_the_first_code_cell_is_introduced_by_what_to_do_if_it_fails():
    """In the same words everywhere: R is missing, or the whole project."""
    introductions = set()
    for path in PATHS:
        cells = nbformat.read(path, 4).cells
        first = next(i for i, c in enumerate(cells) if c.cell_type == "code")
        assert cells[first].source == "%load_ext sidebyside"
        introductions.add(cells[first - 1].source.split("\n\n")[-1])
    (text,) = introductions
    for message in ("`%%R` not found*", "*No module named 'sidebyside'*"):
        assert message in text


def exempt(cells):
    return [cell for cell in cells if tags(cell) & EXEMPT]


def test_most_outputs_are_compared():
    """At most one code cell in four is exempt from nbval's comparison."""
    cells = [c for p in PATHS for c in code_cells(nbformat.read(p, 4))]
    assert len(exempt(cells)) / len(cells) <= LARGEST_SHARE


# Two runs, or two machines. One pair for each pattern of the file, in order.
SANITIZED = [
    (
        "R 4.2.2, reticulate 1.28, the companion's dialect 0.1.0 | Python "
        "3.11.2, TensorFlow 2.21.0, Keras 3.15.1 on tensorflow | CPU\n",
        "R 4.5.0, reticulate 1.46, keras3 1.5.1 | Python 3.13.5, TensorFlow "
        "2.22.0, Keras 3.16.0 on tensorflow | CPU, GPU\n",
    ),
    ("<style>.pair{width:49%}</style>", "<style>.pair{width:50%}</style>"),
    ("Hello from R, in process 21212 \n", "Hello from R, in process 7 \n"),
    (
        "Fruits: painted by this project, from data/painted-fruits: 16 classes",
        "Fruits: painted by this project, from /root/a/painted-fruits: 16 classes",
    ),
    ("MNIST from Keras's cache\n", "MNIST from the project's data folder\n"),
    ("15 components checked; all ok", "16 components checked; all ok"),
    ("196 of 10,000 digits misread by both.", "201 of 10,000 digits misread by both."),
    ("wrong  196 int64  equal", "wrong  201 int64  equal"),
    (
        "mine  3 float64  differ, by up to 0.0126",
        "mine  3 float64  differ, by up to 2e-05",
    ),
]


def sanitized(text):
    """As nbval does it."""
    patterns = get_sanitize_patterns(SANITIZE.read_text())
    for pattern, replacement in patterns:
        text = re.sub(pattern, replacement, text)
    return text


@pytest.mark.parametrize(("one", "other"), SANITIZED)
def test_what_may_differ_from_run_to_run_is_evened_out(one, other):
    assert sanitized(one) == sanitized(other)


def test_each_pattern_of_the_file_is_tried_above():
    patterns = get_sanitize_patterns(SANITIZE.read_text())
    assert len(patterns) == len(SANITIZED)
    for (pattern, _), (one, _) in zip(patterns, SANITIZED, strict=True):
        assert re.search(pattern, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x  3 float64  equal to the last digit", "x  3 float64  equal within 0.1"),
        ("Hello from R, in process 7", "Hello from Python, in process 7"),
        ("MNIST from a\n60000", "MNIST from a\n10000"),
        ("196 of 10000 misread", "196 of 9999 misread"),
    ],
)
def test_what_is_the_lesson_is_still_compared(one, other):
    assert sanitized(one) != sanitized(other)


def test_checks_are_compared_or_print_something_else(notebook):
    """A check raises when it fails, so only its wording may be exempt."""
    skipped = [
        first_line(cell)
        for cell in code_cells(notebook)
        if "nbval-skip" in tags(cell) and "check" in tags(cell)
    ]
    assert skipped == []


# --- the rules themselves, tried on notebooks that break them


def opening(rows=OPENING, title="# A title", paragraph="What is asked?"):
    table = "\n".join(f"| {row} | something |" for row in rows)
    text = f"{title}\n\n{paragraph}\n\n| | |\n|---|---|\n{table}"
    return new_markdown_cell(text)


def markdown(text):
    return new_markdown_cell(text)


def code(source, *tags, outputs=(), count=None):
    metadata = {"tags": list(tags)} if tags else {}
    return new_code_cell(
        source, metadata=metadata, outputs=list(outputs), execution_count=count
    )


def prints(text="1\n", name="stdout"):
    return new_output("stream", name=name, text=text)


def shows(mime="image/png", **metadata):
    return new_output("display_data", {mime: "AAAA"}, metadata={mime: metadata})


def fails():
    return new_output("error", ename="E", evalue="e", traceback=[])


R_HALF = code("%%R\nx <- 1", "pair", "r")
PYTHON_HALF = code("x = 1", "pair", "python")
CHECK = code('compare("x")', "check", outputs=[prints()])
FOUND = markdown("## What we found")
COMPUTED = code("print(x)", outputs=[prints()])
CLOSING = markdown(
    "## R and Python, a small dictionary\n\n**Next:** [01](01_mnist.ipynb)"
)


def build(*cells):
    """A notebook of copies of these cells, executed in order."""
    copies = nbformat.from_dict([dict(cell) for cell in cells])
    number = 0
    for i, cell in enumerate(copies):
        cell["id"] = f"cell-{i}"
        if cell.cell_type == "code":
            number += 1
            cell.execution_count = number
    return new_notebook(cells=copies)


GOOD = [opening(), R_HALF, PYTHON_HALF, CHECK, FOUND, COMPUTED, CLOSING]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_good_notebook_breaks_no_rule(rule):
    assert rule(build(*GOOD)) == []


BAD = [
    (pairs_have_two_halves, [R_HALF], "no Python half at the end"),
    (pairs_have_two_halves, [R_HALF, CHECK], "no Python half before"),
    (pairs_have_two_halves, [R_HALF, markdown("text"), PYTHON_HALF], "before 'te"),
    (pairs_have_two_halves, [PYTHON_HALF], "tags ['pair', 'python']"),
    (
        pairs_have_two_halves,
        [R_HALF, code("x = None", "answer", "python")],
        "before 'x = None'",
    ),
    (halves_are_in_their_language, [code("x = 1", "pair", "r")], "'x = 1'"),
    (halves_are_in_their_language, [code("%%R\n1", "pair", "python")], "'%%R'"),
    (r_cells_stand_by_themselves, [code("%%R -i x\nx")], "-i x"),
    (r_cells_stand_by_themselves, [code("%%R -w 5 -o x,y\nx")], "-o x,y"),
    (r_cells_stand_by_themselves, [code("%R -i x x")], "-i x"),
    (
        timed_cells_are_programs,
        [code("x = 1", "python", "timed-fit")],
        "no half of a pair",
    ),
    (
        timed_cells_are_programs,
        [code("%%R\nx <- 1", "pair", "r", "timed-fit")],
        "r: no cell is tagged timed-parameters or timed-import",
    ),
    (code_is_narrow, [code("%%R\n" + "x" * 61, "pair", "r")], "61 columns"),
    (code_is_narrow, [code("1\n" + "x" * 75, "pair", "python")], "75 columns"),
    (code_is_narrow, [code("1\n" + "x" * 73, "check")], "73 columns"),
    (pairs_are_checked, [CHECK, R_HALF, PYTHON_HALF], "after the last pair"),
    (tags_are_known, [code("1", "chek")], "chek"),
    (exempt_by_tag_only, [code("# NBVAL_IGNORE_OUTPUT\n1")], "in a comment"),
    (opens_as_agreed, [markdown("## Second level")], "title"),
    (opens_as_agreed, [opening(paragraph="")], "no paragraph"),
    (opens_as_agreed, [opening(rows=OPENING[1:])], "'You will learn'"),
    (titled_once, [opening(), markdown("text\n# Another")], "'# Another'"),
    (closes_as_agreed, [COMPUTED, CLOSING], "'What we found'"),
    (closes_as_agreed, [FOUND, code("x = 1"), CLOSING], "'What we found'"),
    (closes_as_agreed, [FOUND, CLOSING, COMPUTED], "'What we found'"),
    (
        closes_as_agreed,
        [FOUND, COMPUTED, markdown("[01](01_mnist.ipynb)")],
        "'dictionary'",
    ),
    (
        closes_as_agreed,
        [FOUND, COMPUTED, markdown("## A dictionary\n[web](https://x.org)")],
        "links to no other notebook",
    ),
    (closes_as_agreed, [FOUND, COMPUTED, CLOSING, COMPUTED], "links to no other"),
    (no_errors_but_intended_ones, [code("1 / 0", outputs=[fails()])], "error in"),
    (no_errors_but_intended_ones, [code("1", "raises-exception")], "the tag for one"),
    (no_stray_warnings, [code("f()", outputs=[prints("W", "stderr")])], "'W'"),
    (figures_have_a_text, [code("plot(x)", outputs=[shows()])], "'plot(x)'"),
    (figures_have_a_text, [code("p", outputs=[shows(alt=" ")])], "no text"),
    (
        figures_have_a_text,
        [code("p", outputs=[shows(alt="A line."), shows("image/svg+xml")])],
        "no text",
    ),
]


@pytest.mark.parametrize(("rule", "cells", "said"), BAD)
def test_a_rule_finds_what_breaks_it(rule, cells, said):
    found = rule(build(*cells))
    assert len(found) >= 1
    assert said in found[0]


def test_what_is_meant_breaks_no_rule():
    error = code("1 / 0", "raises-exception", outputs=[fails()])
    assert no_errors_but_intended_ones(build(error)) == []
    figure = code("p", outputs=[shows(alt="A line."), shows("text/html")])
    assert figures_have_a_text(build(figure)) == []
    # An answer is asked for in one language or in both.
    alone = code("%%R\nx <- NULL", "exercise", "answer", "r")
    half = code("x = None", "pair", "python", "exercise", "answer")
    assert pairs_have_two_halves(build(alone, R_HALF, half)) == []


@pytest.mark.parametrize("counts", [[None, None], [1, 3], [5, 6]])
def test_other_orders_of_execution_are_found(counts):
    notebook = build(COMPUTED, COMPUTED)
    for cell, count in zip(notebook.cells, counts, strict=True):
        cell.execution_count = count
    assert executed_once_in_order(notebook) == [f"execution counts are {counts}"]


def test_an_attached_picture_is_found():
    notebook = build(opening())
    notebook.cells[0]["attachments"] = {"a.png": {"image/png": "AAAA"}}
    assert figures_lie_in_outputs(notebook)


def test_exempt_cells_are_counted():
    cells = [
        code("1"),
        code("1", "nbval-ignore-output"),
        code("1", "pair", "nbval-skip"),
        code("1", "raises-exception"),
    ]
    assert len(exempt(cells)) == 2
