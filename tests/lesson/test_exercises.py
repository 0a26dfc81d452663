"""The exercises of the notebooks: solutions are right, and wrong answers are wrong.

Each exercise is followed by its solution, which the reader unfolds. The tests put the
solution, wrong answers and no answer into the answer's cell, and run the notebook's
own check.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import nbformat
import numpy as np
import pytest
from sidebyside import exercise, hashed, translation
from sidebyside.kernel.record import Cell
from sidebyside.lesson import exercises
from sidebyside.lesson.compare import NoVariable
from sidebyside.lesson.exercises import RIGHT, UNANSWERED, WRONG
from wrong_answers import WRONG_ANSWERS

ROOT = Path(__file__).resolve().parents[2]
PATHS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))

LEVELS = ("easy", "medium", "hard")
HEADING = re.compile(r"### Exercise (\d), (\w+): (.+)")
SOLUTION = re.compile(
    r"<details><summary>Solution</summary>\n\n```(r|python)\n(.*?)\n```\n(.*)\n</details>",
    re.DOTALL,
)


@dataclass
class Exercise:
    number: int
    level: str
    title: str
    given: list  # the given half of a translation
    answer: dict  # the cell to fill in
    check: dict
    language: str  # language of the solution
    solution: str
    why: str

    def answered(self, code):
        """Return the answer's cell with other code in it."""
        return f"%%R\n{code}" if "r" in tags(self.answer) else code


def tags(cell):
    return set(cell.metadata.get("tags", []))


def section(cells):
    """Return the section `## Exercises`, with its heading."""
    heads = [cell.source.startswith("## Exercises") for cell in cells]
    assert heads.count(True) == 1
    return cells[heads.index(True) :]


def preparation(cells):
    """Return what an exercise needs: the first cell, and the section's first cells."""
    first = next(cell for cell in cells if cell.cell_type == "code")
    found = [first.source]
    for cell in section(cells):
        if "exercise" in tags(cell):
            break
        if cell.cell_type == "code":
            found.append(cell.source)
    return found


def exercises_of(cells):
    cells = section(cells)
    starts = [
        i
        for i, cell in enumerate(cells)
        if cell.cell_type == "markdown" and "exercise" in tags(cell)
    ]
    return [
        read_exercise(cells[start:end])
        for start, end in zip(starts, [*starts[1:], len(cells)], strict=True)
    ]


def read_exercise(cells):
    task, *rest = cells
    heading = HEADING.match(task.source)
    assert heading, f"not '### Exercise 1, easy: ...': {task.source[:40]!r}"
    number, level, title = heading.groups()
    count = next((i for i, c in enumerate(rest) if "check" in tags(c)), len(rest))
    work, after = rest[:count], rest[count : count + 2]
    answers = [cell for cell in work if "answer" in tags(cell)]
    assert len(answers) == 1, f"exercise {number}: {len(answers)} cells to fill in"
    assert all("exercise" in tags(cell) for cell in work)
    kinds = [tags(cell) & {"check", "exercise", "solution"} for cell in after]
    assert kinds == [{"check", "exercise"}, {"solution"}], f"exercise {number}"
    found = SOLUTION.fullmatch(after[1].source)
    assert found, f"exercise {number}: the solution is not hidden"
    given = [cell for cell in work if "answer" not in tags(cell)]
    return Exercise(
        int(number), level, title, given, answers[0], after[0], *found.groups()
    )


# --- the notebooks


@pytest.fixture(scope="module", params=PATHS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture(scope="module")
def cells(path):
    return nbformat.read(path, as_version=4).cells


def test_three_at_three_levels(cells):
    found = [(e.number, e.level) for e in exercises_of(cells)]
    assert found == list(enumerate(LEVELS, 1))


def test_one_is_a_translation(cells):
    (found,) = (e for e in exercises_of(cells) if e.given)
    assert "translate" in found.title
    (given,) = found.given
    assert {"pair", "r", "python"} <= tags(found.answer) | tags(given)


def test_answers_are_empty_and_solutions_in_their_language(cells):
    """An answer's cell has something to replace, and no part of the solution."""
    for e in exercises_of(cells):
        assert e.language in tags(e.answer), e.number
        empty = "NULL" if e.language == "r" else "None"
        assert re.search(rf"(<-|=) {empty}\b", e.answer.source), e.number


def test_nothing_is_given_away(cells):
    """No line of the solution is visible before the reader unfolds it."""
    for e in exercises_of(cells):
        seen = "\n".join([e.answer.source, e.check.source])
        own = {line.strip() for line in e.answer.source.split("\n")}
        for line in map(str.strip, e.solution.split("\n")):
            value = re.split(r"<-|(?<![=!<>])=(?!=)", line, maxsplit=1)[-1].strip()
            assert line in own or len(value) <= 3 or value not in seen, e.number


def test_names_of_answers_are_used_nowhere_else(cells):
    """The name of an answer is used nowhere else in the notebook."""
    lesson = [c for c in cells if c.cell_type == "code" and "exercise" not in tags(c)]
    for e in exercises_of(cells):
        asked = re.findall(r"(?m)^(\w+).*?(?:<-|=) N(?:one|ULL)\b", e.answer.source)
        assert asked, e.number
        for name in asked:
            found = [c.source for c in lesson if Cell(c.source).assigns(name)]
            assert found == [], name


def test_the_graders_code_is_folded(cells):
    """It is folded in JupyterLab and in the book."""
    for e in exercises_of(cells):
        code = "@exercise" in e.check.source
        folded = e.check.metadata.get("jupyter", {}).get("source_hidden", False)
        assert (folded, "hide-input" in tags(e.check)) == (code, code), e.number


def test_exercises_are_saved_unanswered(cells):
    for e in exercises_of(cells):
        text = "".join(output.get("text", "") for output in e.check.outputs)
        assert text.startswith(UNANSWERED), e.number


# Makes the kernel as it was at its start. A new kernel for each notebook would take
# longer than all answers together.
FORGET = ["from sidebyside.kernel import record\nrecord.ran.clear()", "%reset -f"]
DETACH = """
if (is.null(getOption("attached.first"))) options(attached.first = search())
for (name in setdiff(search(), getOption("attached.first"))) {
  detach(name, character.only = TRUE)
}
rm(list = ls(globalenv(), all.names = TRUE), envir = globalenv())
"""


@pytest.fixture(scope="module")
def said(path, cells, kernel):
    """Return what each check prints, in a kernel without the rest of the notebook.

    {exercise: {"none": text, "solution": text, wrong answer: text}}
    """
    assert kernel.r(DETACH).ok
    for source in [*FORGET, *preparation(cells)]:
        ran = kernel.run(source)
        assert ran.ok, ran.shown
    return {e.number: replies(kernel, path, e) for e in exercises_of(cells)}


def replies(kernel, path, exercise):
    for cell in exercise.given:
        given = kernel.run(cell.source)
        assert given.ok, given.shown
    answers = {"none": exercise.answer.source}
    for wrong in WRONG_ANSWERS.get((path.stem, exercise.number), []):
        answers[wrong] = exercise.answered(wrong)
    answers["solution"] = exercise.answered(exercise.solution)
    found = {}
    for name, source in answers.items():
        ran = kernel.run(source)
        assert ran.ok, f"{name}: {ran.shown}"
        found[name] = checked(kernel, exercise)
    # Then no answer again, after the solution.
    variable = re.search(r"(?m)^(\w+).*(?:<-|=) N", exercise.answer.source)[1]
    other = f"{variable} = 1"  # means the same in both languages
    failed = kernel.run(exercise.answered(f"{variable} = no_such_thing"))
    assert not failed.ok
    found["failed"] = checked(kernel, exercise)
    kernel.run(other if "r" in tags(exercise.answer) else f"%%R\n{other}")
    for cell in exercise.given:
        kernel.run(cell.source)
    found["other language"] = checked(kernel, exercise)
    return found


def checked(kernel, exercise):
    reply = kernel.run(exercise.check.source)
    assert reply.ok, reply.shown
    assert not reply.stderr, reply.stderr
    return reply.stdout


@pytest.mark.parametrize("number", range(1, len(LEVELS) + 1))
def test_no_answer_is_not_a_wrong_one(said, number):
    assert said[number]["none"].startswith(UNANSWERED)
    assert said[number]["none"].count("\n") == 1


@pytest.mark.parametrize("number", range(1, len(LEVELS) + 1))
def test_the_solution_is_right(said, number):
    text = said[number]["solution"]
    assert text.endswith(f"{RIGHT}\n"), text
    assert "no " not in {line[:3] for line in text.split("\n")}


@pytest.mark.parametrize("number", range(1, len(LEVELS) + 1))
@pytest.mark.parametrize(
    ("last", "reason"), [("failed", "stopped with an error"), ("other language", "%%R")]
)
def test_an_earlier_answer_is_not_checked(said, number, last, reason):
    text = said[number][last]
    assert text.startswith(UNANSWERED)
    assert reason in text


@pytest.mark.parametrize("number", range(1, len(LEVELS) + 1))
def test_wrong_answers_are_wrong(path, said, number):
    wrong = WRONG_ANSWERS.get((path.stem, number), [])
    assert len(wrong) >= 2, f"wrong_answers.py has {len(wrong)} for this exercise"
    for answer in wrong:
        text = said[number][answer]
        assert text.endswith(f"{WRONG}\n"), f"{answer!r} is taken for right:\n{text}"


def test_every_wrong_answer_has_its_exercise():
    stems = {path.stem for path in PATHS}
    assert {stem for stem, _ in WRONG_ANSWERS} <= stems
    assert {number for _, number in WRONG_ANSWERS} <= {1, 2, 3}


# --- a reader at work, in a program that says which cell it runs

INTO_R = 'translation("x", into="r")'
ONE = "@exercise\ndef asked(x):\n    yield 'three', x == 3"
ONE_R = ONE.replace("@exercise", '@exercise(language="r")')
STOPPED = "stopped with an error"

# Cells as (its id, its code), then the check and what it has to say.
AT_WORK = [
    ([("a", "x = 3")], ONE, RIGHT),
    ([("a", "x = 3"), ("b", "y = x + 1\nprint(x, end='')")], ONE, RIGHT),
    ([("a", "%%R\nx <- 3")], ONE, "in R; expected Python. Remove the line `%%R`"),
    ([("a", "x = 3")], ONE_R, "in Python; expected R. Write `%%R`"),
    ([("a", "x <- 3")], ONE_R, "in Python; expected R. Write `%%R`"),
    ([("a", "x = 5"), ("a", "x <- 3")], ONE, "`<-`, which assigns only in R"),
    ([("a", "x = 3"), ("a", "x = 1 / 0")], ONE, STOPPED),
    ([("a", "x = 3"), ("a", "x = (")], ONE, STOPPED),
    ([("a", "%%R\nx <- 3"), ("a", "%%R\nx <- stop()")], ONE_R, STOPPED),
    ([("a", "x = 3"), ("a", "X = 4")], ONE, "no longer assigns a value to x"),
    ([("a", "x = 1 / 0"), ("a", "x = 4")], ONE, WRONG),
    ([("a", "x = 3"), ("b", "del x")], ONE, "Python has no x"),
    # A translation: "r" is the reader's half, "p" is the given one.
    ([("r", "%%R\nx <- 3"), ("p", "x = 3")], INTO_R, RIGHT),
    ([("p", "x = 3"), ("r", "%%R\nx <- 3"), ("p", "x = 3")], INTO_R, RIGHT),
    ([("p", "x = 3")], INTO_R, "R has no x. Run the R half"),
    ([("r", "%%R\nx <- 3")], INTO_R, "Python has no x. Run the Python half"),
    ([("r", "x = 3"), ("p", "x = 3")], INTO_R, "in Python; expected R"),
    (
        [("r", "%%R\nx <- 3"), ("p", "x = 3"), ("r", "x = 3")],
        INTO_R,
        "in Python; expected R",
    ),
    (
        [("r", "%%R\nx <- 3"), ("p", "x = 3"), ("r", "%%R\nx <- y")],
        INTO_R,
        f"the R half {STOPPED}",
    ),
    (
        [("r", "%%R\nx <- 3"), ("p", "x = 3"), ("r", "%%R\ny <- 3")],
        INTO_R,
        "the R half no longer assigns a value to x",
    ),
    # Both halves of an answer that the reader corrects.
    ([("r", "x = 3"), ("r", "%%R\nx <- 3"), ("p", "x = 3")], INTO_R, RIGHT),
]


def test_an_interrupted_check_shows_no_frames(kernel):
    kernel.run("import os, signal\nfrom sidebyside import exercise\nx = 1")
    reply = kernel.run(
        "@exercise\ndef asked(x):\n"
        "    yield 'never', os.kill(os.getpid(), signal.SIGINT) or list(range(10**8))"
    )
    assert reply.shown == "Stopped: exercise() was interrupted."


def test_only_the_last_answer_is_checked(kernel):
    kernel.run("from sidebyside.kernel import record\nfrom sidebyside import *")
    wrong = []
    for cells, check, said in AT_WORK:
        kernel.run("record.ran.clear()\nglobals().pop('x', None)")
        kernel.r("suppressWarnings(rm(x))")
        kernel.run("record.ran.clear()")
        for cell_id, code in cells:
            kernel.run(code, cell_id)
        # Twice, because the check is also a cell.
        replies = {kernel.run(check, "c").stdout for _ in range(2)}
        if len(replies) > 1 or said not in min(replies):
            wrong.append((cells, check, said, replies))
    assert wrong == []


# --- the functions behind the checks


@pytest.fixture
def variables(monkeypatch):
    """The variables of a fake notebook: {"python": {...}, "r": {...}}."""
    found = {"python": {}, "r": {}}

    def look_in(language):
        def value(name):
            if name not in found[language]:
                raise NoVariable(name)
            return found[language][name]

        return value

    monkeypatch.setattr(
        exercises, "_LANGUAGES", {name: look_in(name) for name in found}
    )
    monkeypatch.setattr(exercises, "described_in_r", look_in("r"))
    monkeypatch.setattr(exercises, "value_in_python", look_in("python"))
    return found


@pytest.mark.parametrize("language", ["python", "r"])
@pytest.mark.parametrize("there", [{}, {"x": None}])
def test_an_empty_cell_is_unanswered_and_nothing_is_asked(
    variables, capsys, language, there
):
    variables[language] |= there

    @exercise(language=language)
    def asked(x):
        yield "never", 1 / 0

    empty = {"python": "x is None", "r": "x is NULL"}[language]
    text = capsys.readouterr().out
    assert text.startswith(UNANSWERED)
    assert (empty if there else "has no x") in text


def test_each_question_gets_a_line_and_a_hint_only_where_it_helps(variables, capsys):
    variables["python"] |= {"x": 3}

    @exercise
    def asked(x):
        yield "a number", x == 3, "not seen"
        yield "even", x % 2 == 0, "halve it"
        yield "positive", np.True_

    assert asked is None
    assert (
        capsys.readouterr().out
        == f"yes a number\nno  even (halve it)\nyes positive\n{WRONG}\n"
    )


def test_an_answer_that_makes_a_question_fail_is_wrong(variables, capsys):
    variables["python"] |= {"x": "three"}

    @exercise
    def asked(x):
        yield "there", True
        yield "small", x < 5

    said = capsys.readouterr().out
    assert said.startswith("yes there\nno  an answer that can be checked (TypeError: ")
    assert "x is of type str" in said
    assert said.endswith(f"{WRONG}\n")


def test_a_translation_says_which_variable_differs(variables, capsys):
    variables["r"] |= {"x": np.array([1.0, 2.0]), "y": 3.0}
    variables["python"] |= {"x": np.array([1, 2]), "y": 3.5}
    translation("x", "y")
    said = capsys.readouterr().out
    lines = [
        "yes x: the same in both",
        "no  y: the same in both (differ, by up to 0.5)",
    ]
    assert said.splitlines() == [*lines, WRONG]
    translation("x", "y", tolerance=0.5)
    assert capsys.readouterr().out.endswith(f"{RIGHT}\n")


@pytest.mark.parametrize("missing", ["r", "python"])
def test_a_translation_waits_for_both_halves(variables, capsys, missing):
    variables["r"] |= {"x": 1.0}
    variables["python"] |= {"x": 1}
    variables[missing]["x"] = None
    translation("x")
    assert capsys.readouterr().out.startswith(UNANSWERED)


@pytest.mark.parametrize(
    ("mistake", "error", "said"),
    [
        (lambda: exercise(lambda x: iter(())), TypeError, "has no question"),
        (lambda: exercise(language="julia"), ValueError, "'julia'; expected 'python'"),
        (lambda: exercise("x"), TypeError, "type str; expected a function"),
        (translation, TypeError, "name of a variable"),
        (lambda: translation("x", into="S"), ValueError, "into is 'S'"),
    ],
)
def test_a_mistake_of_the_notebooks_author_is_an_error(variables, mistake, error, said):
    variables["python"] |= {"x": 1}
    with pytest.raises(error, match=said):
        mistake()


def test_a_translation_that_is_a_function_is_not_an_error(variables, capsys):
    variables["r"]["x"], variables["python"]["x"] = 1.0, print
    translation("x")
    assert capsys.readouterr().out.endswith(f"{WRONG}\n")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (3, 3.0),
        (np.int64(3), 3),
        (1 / 3, 0.33333333),
        ("Two  Words ", "two words"),
        ([1, 2], np.array([[1.0], [2.0]])),
        ((True, False), [1, 0]),
        (-0.0, 0),
    ],
)
def test_equal_answers_have_the_same_hash(one, other):
    assert hashed(one) == hashed(other)
    assert re.fullmatch("[0-9a-f]{8}", hashed(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [(3, 3.001), ("a", "b"), ([1, 2], [2, 1]), ([12], [1, 2]), (None, 0)],
)
def test_other_answers_have_another_hash(one, other):
    assert hashed(one) != hashed(other)
