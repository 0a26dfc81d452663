"""The index of the gallery: made from a small notebook, and as it is committed."""

import base64
import io
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image
from sidebyside.common.errors import Sentence

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import gallery  # noqa: E402
import readme  # noqa: E402
import run  # noqa: E402


def png(width=480, height=480, colour="red"):
    stream = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def stream(text):
    return new_output("stream", text=text)


def half(name, language):
    return new_code_cell("1", id=name, metadata={"tags": ["pair", language]})


def about(**changed):
    return {
        "level": "first steps",
        "data": "stand-in",
        "question": "Is `x |> f()` it?",
        "claim": "99 %",
        "picture": "figure",
        "result": "check",
    } | changed


CHECKED = (
    "history  accuracy, loss, 4 each  equal to the last digit\n"
    "model    model, 10 parameters    equal to the last digit\n"
    "mean     2 float64               equal within 1e-08\n"
    "sum      2 float64               equal within 1e-08\n"
    "old      2 float64               differ, by up to 0.1\n"
)


def notebook():
    """A notebook with data, two examples, and the sections after them."""
    table = "| | |\n|---|---|\n| 2017 | x |\n| What broke | `f(n = 1.5)` fails, and "
    table += "`a \\| b` too. The rest runs. |\n| Now | y |"
    figure = new_output(
        "display_data",
        data={"image/png": png()},
        metadata={"image/png": {"alt": 'A "red": square'}},
    )
    cells = [
        new_markdown_cell("# Words: which?\n\n| Memory | about 1.2 GB (measured) |"),
        half("data-r", "r"),
        half("data-python", "python"),
        new_markdown_cell(f"## One, two: `b_cnn`\n\n{table}"),
        half("r-1", "r"),
        half("python-1", "python"),
        new_code_cell("1", id="figure", outputs=[figure]),
        new_markdown_cell("## More of it: `fit()`"),
        half("r-2", "r"),
        half("python-2", "python"),
        new_code_cell(
            "compare()",
            id="check",
            outputs=[stream(f"{CHECKED}Right: 0.93.\nControl 0.5\nExpected: 0.9.\n")],
        ),
        new_markdown_cell(f"## The second: `a_lstm`\n\n{table}"),
        half("r-3", "r"),
        half("python-3", "python"),
        new_code_cell("compare()", id="other", outputs=[stream(f"{CHECKED}0.7\n")]),
        new_markdown_cell("## What we found"),
        half("r-4", "r"),
    ]
    found = new_notebook(cells=cells)
    found.metadata["sidebyside"] = {
        "examples": {"b_cnn": about(), "a_lstm": about(result="other")},
        "seconds": {name: {"r": 2.5, "python": 1.2} for name in ("b_cnn", "a_lstm")},
    }
    return found


@pytest.fixture
def read(tmp_path):
    """Return a function that reads the examples of a notebook."""

    def examples(made):
        nbformat.write(made, tmp_path / "12_words.ipynb")
        return gallery.all_examples([tmp_path / "12_words.ipynb"])

    return examples


def test_a_card_and_a_row_of_each_example(read):
    examples = read(notebook())
    shown = gallery.cards(examples).replace("\N{NO-BREAK SPACE}", "_").splitlines()
    assert shown[0] == "### [12 Words](12_words.ipynb)"
    assert shown[4:] == [
        f'| ![A "red": square](../book/static/gallery/{name}.png) '
        f"| [`{name}`](12_words.ipynb#{anchor})<br>Is `x \\|> f()` it? "
        "| first_steps<br>4_s<br>1.2_GB<br>stand-in |"
        for name, anchor in (
            ("b_cnn", "One,-two:-b_cnn"),
            ("a_lstm", "The-second:-a_lstm"),
        )
    ]
    same = "yes; `mean`, `sum` within 1e-08 | 2.5 | 1.2"
    broke = "`f(n = 1.5)` fails, and `a \\| b` too."
    assert gallery.results(examples).splitlines()[2:] == [
        f"| `b_cnn` | 99 % | Right: 0.93. Control 0.5 | {same} | {broke} |",
        f"| `a_lstm` | 99 % | 0.7 | {same} | {broke} |",
    ]
    assert "2 examples" in gallery.in_one_line(examples)


def test_the_books_cards_have_the_books_anchors(read):
    text = gallery.cards_in_book(read(notebook()), str.upper)
    assert "[`b_cnn`](12_words.ipynb#ONE, TWO: `B_CNN`)\n\nIs `x |> f()` it?" in text
    assert ':img-alt: "A \\"red\\": square"\n' in text


@pytest.mark.parametrize(
    ("compared", "said", "count"),
    [
        ("x  3 float32  equal to the last digit\ny  2 text  equal\n", "yes", 2),
        ("x  3 float32  equal within 1e-06\n", "no; `x` within 1e-06", 1),
        (
            "x  9 float32  equal to the last digit\ny  3 float64  equal within 1e-06\n",
            "yes; `y` within 1e-06",
            2,
        ),
        ("m  model, 9 parameters  equal within 0.1\n", "no; `m` within 0.1", 1),
    ],
)
def test_what_equal_means(read, compared, said, count):
    made = notebook()
    made.cells[14].outputs = [stream(f"{compared}0.7\n")]
    examples = read(made)
    assert gallery.agreement(examples[1]) == said
    assert f"in {count} of them" in gallery.in_one_line(examples)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda x: x.metadata.pop("sidebyside"), r"sidebyside\.examples"),
        (lambda x: x.metadata.sidebyside.pop("seconds"), "b_cnn.*seconds"),
        (
            lambda x: x.metadata.sidebyside.examples.b_cnn.pop("claim"),
            "b_cnn.*'claim'",
        ),
        (
            lambda x: x.metadata.sidebyside.examples.b_cnn.update(level="easy"),
            "b_cnn.*'level'",
        ),
        (
            lambda x: x.metadata.sidebyside.examples.update(c_gan=about()),
            "c_gan.*heading",
        ),
        (
            lambda x: x.metadata.sidebyside.examples.b_cnn.update(result="none"),
            "b_cnn.*'result'",
        ),
        (
            lambda x: x.metadata.sidebyside.examples.b_cnn.update(result="other"),
            "b_cnn.*'result'",
        ),
        (
            lambda x: x.metadata.sidebyside.examples.b_cnn.update(picture="none"),
            "b_cnn.*PNG",
        ),
        (lambda x: x.cells[6].update(outputs=[]), "b_cnn.*PNG"),
        (lambda x: x.cells[3].update(source="## `b_cnn`"), "b_cnn.*'What broke'"),
        (
            lambda x: x.cells[10].update(outputs=[stream("0.9\n")]),
            r"b_cnn.*compare\(\)",
        ),
        (lambda x: x.cells[10].update(outputs=[stream(CHECKED)]), "b_cnn.*'result'"),
        (lambda x: x.cells[0].update(source="# Words"), "b_cnn.*'Memory'"),
    ],
)
def test_a_missing_part_raises_a_clear_error(read, damage, words):
    made = notebook()
    damage(made)
    with pytest.raises(Sentence, match=rf"12_words\.ipynb, .*{words}"):
        read(made)


def test_seconds_are_those_of_the_pairs_of_a_section():
    made = notebook()
    sections = gallery.sections(made, "12_words.ipynb")
    times = {cell.id: 2.0**i / 10 for i, cell in enumerate(made.cells)}
    found = {name: run.seconds(cells, times) for name, cells in sections.items()}
    assert found == {
        "b_cnn": {"r": 27.2, "python": 54.4},
        "a_lstm": {"r": 409.6, "python": 819.2},
    }


def test_a_thumbnail_is_drawn_again_only_if_its_figure_has_changed(
    read, tmp_path, monkeypatch
):
    monkeypatch.setattr(gallery, "THUMBNAILS", tmp_path)
    made = notebook()
    path = tmp_path / "b_cnn.png"

    def drawn(figure):
        made.cells[6].outputs[0].data["image/png"] = figure
        gallery.draw_thumbnails(read(made)[:1])
        with Image.open(path) as image:
            return image.size, image.convert("RGB").getpixel((0, 0))

    assert drawn(png(480, 240)) == ((240, 120), (255, 0, 0))
    before = path.stat().st_mtime_ns
    drawn(png(480, 240))
    assert path.stat().st_mtime_ns == before
    # Of a long drawing, the upper part.
    assert drawn(png(240, 900, "blue")) == ((240, 180), (0, 0, 255))


# --- as it is committed


def test_the_thumbnails_are_those_of_the_notebooks_today():
    examples = readme.examples_2017()
    drawn = {x.stem: gallery.source_of(x) for x in gallery.THUMBNAILS.iterdir()}
    assert drawn == {x.name: gallery.digest(x) for x in examples}, "run `make readme`"
