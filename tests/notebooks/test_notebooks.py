"""Rules for every notebook of the collection.

Each rule is a function that takes a notebook and yields a sentence for each fault.
Every rule is also tried on a notebook that breaks it. Some rules are only for the
gallery, and some differ there from the course. nbval compares the outputs with the
code's, see pytest.ini.
"""

import ast
import re
import sys
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from nbval.plugin import get_sanitize_patterns
from sidebyside.timing.cells import STAGES, NoProgram, programs_of

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from gallery import examples_of  # noqa: E402
from run import notebooks_of  # noqa: E402

SANITIZE = ROOT / "tests" / "nbval-sanitize.cfg"
COURSE, GALLERY = notebooks_of("course"), notebooks_of("gallery")
PATHS = [*COURSE, *GALLERY]

COLUMNS = 60  # width of a half of a pair, which has half a screen
WIDE_COLUMNS = 72  # width of the other cells, as wide as the text
LARGEST = 1_000_000  # bytes
LARGEST_SHARE = 1 / 4  # share of code cells whose output is not compared

EXEMPT = {"nbval-ignore-output", "nbval-skip"}
TAGS = EXEMPT | {"pair", "r", "python", "check", "raises-exception"}
TAGS |= {"hide-input", "hide-output", "remove-input"}  # for the book
TAGS |= {"crosses"}  # an R cell that teaches -i and -o
TAGS |= {"exercise", "answer", "solution"}  # test_exercises.py
TAGS |= {f"timed-{stage}" for stage in STAGES}  # the programs of a study

# Rows of the table at the beginning of a notebook.
OPENING = ("After this you can", "You need", "Minutes on two cores", "Memory")

# The notebooks of the gallery, and the examples of 2017 that each one has.
EXAMPLES = {
    "10_digits": {
        "mnist_mlp",
        "mnist_cnn",
        "mnist_transfer_cnn",
        "mnist_antirectifier",
    },
    "11_sequences_and_memory": {
        "mnist_irnn",
        "mnist_hierarchical_rnn",
        "stateful_lstm",
        "addition_rnn",
    },
    "12_words": {"imdb_fasttext", "imdb_cnn", "reuters_mlp"},
    "13_word_order": {"imdb_lstm", "imdb_bidirectional_lstm", "imdb_cnn_lstm"},
    "14_stories_and_answers": {"babi_rnn", "babi_memnn"},
    "15_letter_by_letter": {"lstm_text_generation"},
    "16_pictures_and_films": {"cifar10_cnn", "conv_lstm"},
    "17_inventing_digits": {
        "variational_autoencoder",
        "variational_autoencoder_deconv",
        "mnist_acgan",
    },
    "18_dreams_and_styles": {"deep_dream", "neural_style_transfer"},
}
# Rows of the table at the beginning of an example's section.
ABOUT_EXAMPLE = ["2017", "What broke", "Now"]


def tags(cell):
    return set(cell.metadata.get("tags", []))


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def is_r(cell):
    return cell.source.startswith("%%R")


def first_line(cell):
    return cell.source.split("\n")[0]


def texts(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


# --- rules about execution


def executed_once_in_order(notebook):
    """The numbers are 1, 2, 3 and so on, from a new kernel, also in empty cells."""
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
    """Python's warnings on standard error are not part of the lesson."""
    return [
        f"standard error of {first_line(cell)!r}: {output.text[:60]!r}"
        for cell in code_cells(notebook)
        for output in cell.outputs
        if output.output_type == "stream" and output.name == "stderr"
    ]


# --- rules about pairs


def pairs_have_two_halves(notebook):
    """R comes first, and no cell is between the halves."""
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
    """No cell uses -i or -o, so that its code also runs in RStudio."""
    return [
        f"{first_line(cell)!r} takes or gives variables"
        for cell in code_cells(notebook)
        if "crosses" not in tags(cell)
        and re.search(r"%%?R\b.*\s(-i|-o|--input|--output)\b", cell.source)
    ]


def timed_cells_are_programs(notebook):
    """If one cell is tagged for the experiment, all of them must be."""
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
    """There is a check after the last pair, and so after each pair."""
    last = [cell for cell in code_cells(notebook) if tags(cell) & {"pair", "check"}]
    checked = last and "check" in tags(last[-1])
    return [] if checked else ["no check after the last pair"]


def tags_are_known(notebook):
    """A misspelt tag would be ignored without a message."""
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


# --- rules about the code


def layers_are_added_one_per_line(notebook):
    """Dropout()(Dense()(x)) draws its seeds in another order than R's pipe."""
    return [
        f"several layers in one call: {ast.unparse(node)!r}"
        for cell in code_cells(notebook)
        if not is_r(cell)
        for node in ast.walk(
            ast.parse(TransformerManager().transform_cell(cell.source))
        )
        if isinstance(node, ast.Call) and (nests_layers(node) or lists_layers(node))
    ]


def class_called(node):
    """Return the class that a call constructs: Dense in layers.Dense(3)."""
    name = ""
    if isinstance(node, ast.Call):
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    return name if name[:1].isupper() else ""


def nests_layers(call):
    """Return whether a layer is made and called in the arguments of another."""
    inside = [x for value in arguments(call) for x in ast.walk(value)]
    return made_and_called(call) and any(map(made_and_called, inside))


def made_and_called(node):
    return isinstance(node, ast.Call) and bool(class_called(node.func))


def arguments(call):
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def lists_layers(call):
    """Return whether Sequential() gets more than its input."""
    return class_called(call) == "Sequential" and any(
        class_called(node) not in ("", "Input")
        for value in arguments(call)
        for node in ast.walk(value)
    )


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
    """It ends with computed results, take-aways, a dictionary and a link."""
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
    if "### Take-aways" not in heading:
        wrong.append("no heading '### Take-aways'")
    return wrong


def examples_open_as_agreed(notebook):
    """An example begins with a table: what it was, what broke, what it is now."""
    sections = re.split(r"(?m)^## (.*)$", "\n\n".join(texts(notebook)))
    wrong, missing = [], set(EXAMPLES.get(notebook.stem, ()))
    for heading, text in zip(sections[1::2], sections[2::2], strict=True):
        named = missing & set(re.findall("`(.*?)`", heading))
        missing -= named
        table = text.strip().split("\n\n")[0]
        rows = re.findall(r"(?m)^\| *(\w[\w ]*?) *\| *\S", table)
        if named and rows != ABOUT_EXAMPLE:
            wrong.append(f"{heading!r} opens with rows {rows}, not {ABOUT_EXAMPLE}")
    return wrong + [f"no section for the example {name}" for name in sorted(missing)]


def asks_three_questions(notebook):
    """Each cell has the number, the question and the folded answer."""
    asked = [text for text in texts(notebook) if "<summary>Answer<" in text]
    expected = [f"**Question {number}.**" for number in (1, 2, 3)]
    begin = [text[: len("**Question 1.**")] for text in asked]
    wrong = [] if begin == expected else [f"questions {begin}, not {expected}"]
    form = r"\?\s+<details><summary>Answer</summary>\n\n.+\n\n</details>"
    return wrong + [
        f"not a question and one folded answer: {text[:60]!r}"
        for text in asked
        if not re.search(form, text, re.DOTALL) or text.count("<summary>") > 1
    ]


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
    """Nobody could compute a pasted picture again."""
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
    layers_are_added_one_per_line,
    opens_as_agreed,
    titled_once,
    closes_as_agreed,
    examples_open_as_agreed,
    asks_three_questions,
    figures_have_a_text,
    figures_lie_in_outputs,
]


# --- the collection


@pytest.fixture(scope="module", params=PATHS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture(scope="module")
def notebook(path):
    """Read the notebook, which also checks that it is valid."""
    found = nbformat.read(path, as_version=4)
    nbformat.validate(found)
    found.stem = path.stem
    return found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_notebook(notebook, rule):
    found = rule(notebook)
    assert not found, "\n" + "\n".join(found)


def test_size(path):
    assert path.stat().st_size < LARGEST


def test_the_notebooks_numbers_are_unique_and_without_gaps():
    assert [int(path.name[:2]) for path in COURSE] == list(range(len(COURSE)))


def test_the_notebooks_of_the_gallery_are_those_of_the_table():
    assert {path.stem for path in GALLERY} == set(EXAMPLES)


def test_the_metadata_say_what_the_examples_are(path):
    """They have all that the gallery's index needs, also for examples of the course."""
    found = {example.name for example in examples_of(path)}
    assert found == EXAMPLES.get(path.stem, found)


def test_no_other_file_of_the_folder_is_a_notebook():
    """Nothing would execute it."""
    found = (ROOT / "notebooks").rglob("[!.]*.ipynb")
    # JupyterLab keeps copies in this folder.
    found = [path for path in found if path.parent.name != ".ipynb_checkpoints"]
    assert sorted(found) == PATHS


GALLERY_LIST = "gallery.md"
LINK = re.compile(rf"\]\((\d\d_\w+\.ipynb|{re.escape(GALLERY_LIST)})")


def links_of(page):
    path = PATHS[0].with_name(page)
    if page == GALLERY_LIST:
        return set(LINK.findall(path.read_text(encoding="utf-8")))
    return set(LINK.findall("\n".join(texts(nbformat.read(path, 4)))))


def test_every_notebook_can_be_reached_from_the_first():
    """Follow its links, and then their links."""
    reached, new = set(), {PATHS[0].name}
    while new:
        page = new.pop()
        reached.add(page)
        new |= links_of(page) - reached
    assert reached == {GALLERY_LIST, *(path.name for path in PATHS)}


def test_the_first_code_cell_is_introduced_by_what_to_do_if_it_fails():
    """The words are the same everywhere: R is missing, or the whole project."""
    introductions = set()
    for path in PATHS:
        cells = nbformat.read(path, 4).cells
        first = next(i for i, c in enumerate(cells) if c.cell_type == "code")
        assert cells[first].source == "%load_ext sidebyside"
        introductions.add(cells[first - 1].source.split("\n\n")[-1])
    (text,) = introductions
    for message in (
        "`%%R` not found*",
        "*NameError*",
        "*No module named 'sidebyside'*",
    ):
        assert message in text


def exempt(cells):
    return [cell for cell in cells if tags(cell) & EXEMPT]


def test_most_outputs_are_compared():
    """At most one code cell in four is exempt from nbval's comparison."""
    cells = [c for p in PATHS for c in code_cells(nbformat.read(p, 4))]
    assert len(exempt(cells)) / len(cells) <= LARGEST_SHARE


# Outputs of two runs or two machines: a pair for each pattern of the file, in order.
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
    ("['[UNK]', np.str_('the'), np.int64(-2)]", "['[UNK]', 'the', -2]"),
    (
        "use Loss() there. Run\n`reticulate::py_last_error()` for details.\n",
        "use Loss() there.\n",
    ),
]


def sanitized(text):
    """Sanitize a text as nbval does."""
    patterns = get_sanitize_patterns(SANITIZE.read_text())
    for pattern, replacement in patterns:
        text = re.sub(pattern, replacement, text)
    return text


@pytest.mark.parametrize(("one", "other"), SANITIZED)
def test_differences_between_runs_are_evened_out(one, other):
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
        ("np.int64(1)", "np.int64(0)"),
    ],
)
def test_important_differences_are_still_compared(one, other):
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
TAKE_AWAYS = markdown("### Take-aways\n\n- It is the same.")
COMPUTED = code("print(x)", outputs=[prints()])
CLOSING = markdown(
    "## R and Python, a small dictionary\n\n**Next:** [01](01_mnist.ipynb)"
)


def build(*cells, stem="01_mnist"):
    """Make a notebook from copies of these cells, executed in order."""
    copies = nbformat.from_dict([dict(cell) for cell in cells])
    number = 0
    for i, cell in enumerate(copies):
        cell["id"] = f"cell-{i}"
        if cell.cell_type == "code":
            number += 1
            cell.execution_count = number
    notebook = new_notebook(cells=copies)
    notebook.stem = stem
    return notebook


def example(heading="## Letters: `lstm_text_generation`", rows=ABOUT_EXAMPLE):
    table = "\n".join(f"| {row} | something |" for row in rows)
    return markdown(f"{heading}\n\n| | |\n|---|---|\n{table}\n\nText.")


def question(number, asked="Why?", answer="Because."):
    hidden = f"<details><summary>Answer</summary>\n\n{answer}\n\n</details>"
    return markdown(f"**Question {number}.** {asked}\n\n{hidden}")


LESSON = [R_HALF, PYTHON_HALF, CHECK, FOUND, COMPUTED, TAKE_AWAYS, CLOSING]
QUESTIONS = [question(number) for number in (1, 2, 3)]
GOOD = {
    "01_mnist": [opening(), *QUESTIONS, *LESSON],
    "15_letter_by_letter": [opening(), example(), *QUESTIONS, *LESSON],
}


@pytest.mark.parametrize("stem", GOOD)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_good_notebook_breaks_no_rule(rule, stem):
    assert rule(build(*GOOD[stem], stem=stem)) == []


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
    *(
        (layers_are_added_one_per_line, [code(source)], said)
        for source, said in [
            ("%load_ext a\ny = Dropout(0.1)(Dense(2)(x))", "Dropout(0.1)(Dense(2)(x))"),
            ("y = a.Add()([Dense(2)(x), (x)])", "a.Add()"),
            ("def f(x):\n    return Dense(1)(inputs=keras.layers.GRU(2)(x)[0])", "GRU"),
            ("m = keras.Sequential([Dense(2), Dropout(0.1)])", "Sequential"),
            ("m = Sequential(layers=[keras.Input((2,)), Dense(2)])", "Sequential"),
        ]
    ),
    (opens_as_agreed, [markdown("## Second level")], "title"),
    (opens_as_agreed, [opening(paragraph="")], "no paragraph"),
    (opens_as_agreed, [opening(rows=OPENING[1:])], "'After this you can'"),
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
    (closes_as_agreed, [FOUND, COMPUTED, CLOSING], "'### Take-aways'"),
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


BAD_IN_GALLERY = [
    (examples_open_as_agreed, [example("## Letters")], "lstm_text_generation"),
    (examples_open_as_agreed, [example("### `lstm_text_generation`")], "no section"),
    (examples_open_as_agreed, [example(rows=ABOUT_EXAMPLE[:2])], "opens with rows"),
    (examples_open_as_agreed, [example(rows=ABOUT_EXAMPLE[::-1])], "opens with rows"),
    (
        examples_open_as_agreed,
        [markdown("## `lstm_text_generation`\n\nText."), example("### More")],
        "opens with rows []",
    ),
    (asks_three_questions, QUESTIONS[:2], "'**Question 2.**'], not"),
    (asks_three_questions, [*QUESTIONS, question(4)], "'**Question 4.**'], not"),
    (asks_three_questions, QUESTIONS[::-1], "questions"),
    (asks_three_questions, [*QUESTIONS[:2], question(3, "Tell.")], "not a question"),
    (asks_three_questions, [*QUESTIONS[:2], question(3, answer="")], "not a question"),
]


@pytest.mark.parametrize(
    ("stem", "rule", "cells", "said"),
    [
        *(("01_mnist", *row) for row in BAD),
        *(("15_letter_by_letter", *row) for row in BAD_IN_GALLERY),
    ],
)
def test_a_rule_finds_what_breaks_it(stem, rule, cells, said):
    found = rule(build(*cells, stem=stem))
    assert len(found) >= 1
    assert said in found[0]


def test_allowed_exceptions_break_no_rule():
    error = code("1 / 0", "raises-exception", outputs=[fails()])
    assert no_errors_but_intended_ones(build(error)) == []
    figure = code("p", outputs=[shows(alt="A line."), shows("text/html")])
    assert figures_have_a_text(build(figure)) == []
    # A layer that wraps another, and a layer that was made before.
    wrapped = code("y = Bidirectional(LSTM(2))(first(x))")
    begun = code("m = Sequential([keras.Input((2,))])\nm.add(Dense(2))")
    assert layers_are_added_one_per_line(build(wrapped, begun)) == []
    # An exercise needs an answer in one language or in both.
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
