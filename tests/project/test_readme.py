"""What `make readme` writes, from the committed campaigns and from made-up ones."""

import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_up import (
    COSTS,
    made_up_campaign,
    made_up_study,
    with_state,
    write_campaign,
)
from scipy import stats
from sidebyside.common.errors import Sentence
from sidebyside.statistics import cost_model, verdict
from sidebyside.statistics.cost_model import OUTCOMES
from sidebyside.statistics.pairs import PHASES, RESOURCES
from sidebyside.timing import load_campaigns

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import readme  # noqa: E402
from regions import BEGIN, END  # noqa: E402
from setup_decisions import FIRST_SET_UP  # noqa: E402

README = (ROOT / "README.md").read_text(encoding="utf-8")


def reference(folder, name="one", **truth):
    """A made-up reference campaign in a folder of such; the campaign's folder."""
    campaign = f"reference-{name}"
    runs = made_up_campaign(campaign=campaign, **truth)
    return write_campaign(runs, folder / campaign)


def table_of(text):
    """Rows of a Markdown table, each a list of cells."""
    rows = [
        line.strip("| ").split(" | ")
        for line in text.splitlines()
        if line.startswith("| ")
    ]
    return [row for row in rows if not row[0].startswith("---")]


# --- README.md as it is


def test_the_pages_are_what_their_sources_make_today():
    for path, text in readme.renewed().items():
        assert path.read_text(encoding="utf-8") == text, f"{path}: run `make readme`"


def test_the_table_is_what_the_rows_of_the_campaigns_give():
    """Computed here once more, from the files alone."""
    rows = {row[0]: row for row in table_of(README.partition("<!-- timings")[2])}
    for name in ("photographs", "painted"):
        runs = pd.read_csv(readme.TIMINGS / f"reference-{name}" / "runs.csv")
        runs = runs[(runs["block"] > 0) & (runs["state"] == "ok")]
        for column, what in (
            ("fit_seconds", "training"),
            ("process_seconds", "whole process"),
        ):
            seconds = runs.pivot(index="block", columns="arm", values=column)
            _, r, python, ratio, control, blocks = rows[f"{name}: {what}, CPU"]
            for shown, arm in ((r, "r"), (python, "python")):
                assert float(shown) == pytest.approx(stats.gmean(seconds[arm]), 5e-4)
            for found, arm in ((ratio, "r"), (control, "python-again")):
                logs = np.log(seconds[arm] / seconds["python"])
                assert found.startswith(f"{np.exp(logs.mean()):.3f} (")
            assert blocks == str(len(seconds))


def quotient_and_ratio(row):
    _, r, python, shown, *_ = row
    return float(r) / float(python), float(shown.partition(" ")[0])


@pytest.mark.parametrize("fit", [1.2, 9.99, 23.2, 4321.0])
def test_the_seconds_divided_are_the_ratio(tmp_path, fit):
    """Of complete pairs only: a run without its partner would spoil the quotient."""
    runs = made_up_campaign(1.02, campaign="reference-one", fit=fit, sd=0.2)
    runs = with_state(runs, "python", [2], "crashed")
    text = readme.timings([write_campaign(runs, tmp_path / "reference-one")])
    for row in table_of(text)[1:] + table_of(README.partition("<!-- timings")[2])[1:5]:
        quotient, ratio = quotient_and_ratio(row)
        assert quotient == pytest.approx(ratio, abs=0.0012)


def test_the_verdict_on_all_of_them_says_the_same_of_each():
    """What notebook 06 says is what the README says."""
    folders = readme.reference_campaigns(readme.TIMINGS)
    together = verdict(load_campaigns(*folders))
    compared = [f for f in together.findings if f.arm == "r"]
    assert len(compared) == len(PHASES | RESOURCES) * len(folders)
    for f in compared:
        assert readme.ratio(f.interval) in README
        assert f.meaning() in README


def test_it_says_what_a_first_set_up_takes_as_set_up_itself_does():
    assert FIRST_SET_UP in " ".join(README.split())


def test_the_release_it_names_is_that_of_set_up():
    """TensorFlow's, for notebooks outside the project's environment."""
    [named] = re.findall(r"tensorflow==[\d.]+", README)
    assert named in (ROOT / "requirements.in").read_text(encoding="utf-8")


def test_the_commands_it_names_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^(\w+):.*##", makefile, re.MULTILINE))
    named = set(re.findall(r"`make (\w+)|^make (\w+)", README, re.MULTILINE))
    named = {target for pair in named for target in pair if target}
    assert {"lab", "run", "timings", "fruits"} <= named <= targets


LINK = re.compile(r"\]\(([\w./-]+\.(?:md|ipynb))")


def links_of(page):
    text = readme.modules.text_of(page) if page.suffix == ".ipynb" else page.read_text()
    links = LINK.findall(re.sub("`.*?`", "", text))
    return {(page.parent / link).resolve() for link in links}


def test_every_page_of_the_notebooks_can_be_reached_from_the_readme():
    reached, new = set(), {ROOT / "README.md"}
    while new:
        page = new.pop()
        reached.add(page)
        new |= links_of(page) - reached
    assert set((ROOT / "notebooks").glob("*.md")) <= reached


# --- other measurements, another text


@pytest.mark.parametrize(
    "truth, outcome, ratio",
    [
        ({"ratio": 1.2}, "slower", "1.200 ("),
        ({"sd": 0.001}, "same", "1.000 ("),
        ({"ratio": 1.3, "device": "gpu"}, "slower", "1.300 ("),
    ],
)
def test_the_text_follows_the_data(tmp_path, truth, outcome, ratio):
    folder = reference(tmp_path, start_r=5.0, **truth)
    text = readme.timings([folder])
    device = truth.get("device", "cpu")
    found = verdict(load_campaigns(folder)).finding(device=device)
    assert found.outcome == outcome
    title = f"**Training, {device.upper()}** (the primary question)"
    assert f"{title}. {found.meaning()}" in text
    assert table_of(text)[1][3].startswith(ratio)
    assert ("CPU only" in text) == (device == "cpu")


def test_campaigns_are_in_the_order_in_which_they_were_measured(tmp_path):
    first = reference(tmp_path, "z")
    runs = (reference(tmp_path, "a", seed=2) / "runs.csv").read_text(encoding="utf-8")
    later = runs.replace("2026-11-22", "2026-11-23")
    (tmp_path / "reference-a" / "runs.csv").write_text(later, encoding="utf-8")
    found = readme.reference_campaigns(tmp_path)
    assert found == [first, tmp_path / "reference-a"]
    assert table_of(readme.timings(found))[1][0].startswith("z: training")


def test_a_biased_experiment_is_a_warning_in_the_readme(tmp_path):
    folder = reference(tmp_path, again=1.1)
    control = verdict(load_campaigns(folder)).finding("python-again")
    assert control.warning
    text = readme.timings([folder])
    assert text.index(control.words()) < text.index("**Training, CPU**")


def test_without_a_control_the_table_says_so(tmp_path):
    text = readme.timings([reference(tmp_path, arms=("python", "r"))])
    assert [row[4] for row in table_of(text)[1:]] == ["not measured", "not measured"]


def test_the_machine_and_the_time_are_those_of_the_campaign(tmp_path):
    folder = reference(tmp_path)
    assert "for all runs" not in readme.timings([folder])
    end = {"complete": True, "overhead": {"seconds": 200.0, "share": 0.1}}
    (folder / "end.json").write_text(json.dumps(end), encoding="utf-8")
    machine = {"id": "m", "cpu": {"name": "A processor", "usable": 8}}
    (folder / "machine.json").write_text(json.dumps(machine), encoding="utf-8")
    # The last run started a day later.
    before, _, after = (folder / "runs.csv").read_text("utf-8").rpartition("2026-11-22")
    (folder / "runs.csv").write_text(f"{before}2026-11-23{after}", encoding="utf-8")
    text = readme.timings([folder])
    assert text.endswith("one, 4 epochs in each run and 3 minutes for all runs.")
    assert "/reference-one/runs.csv), measured on A processor, 8 cores" in text
    assert ", 22 November 2026. " in text


# --- the minutes


TABLE = (
    "| [A](notebooks/00_a.ipynb) | Why? | 9 |\n"
    "| [B](notebooks/01_b.ipynb) | When? | 9 |\n"
)


def write_notebook(path, *texts):
    """A notebook of Markdown cells."""
    cells = [{"cell_type": "markdown", "source": [text]} for text in texts]
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    return path


OPENING = """# Words: which ones?

| After this you can | count \\| sum |
| Minutes on two cores | 2 on painted fruits, 5 on others |
"""


def test_what_a_notebook_says_comes_from_its_opening_table(tmp_path):
    parts = ("## Pairs: `imdb_fasttext`", "## `fit()`", "## Windows: `imdb_cnn`\n\nx")
    path = write_notebook(tmp_path / "12_words.ipynb", OPENING, *parts)
    assert table_of(readme.gallery([path])) == [
        ["notebook", "examples", "minutes"],
        ["[12 Words](notebooks/12_words.ipynb)", "`imdb_fasttext`, `imdb_cnn`", "2"],
    ]
    assert table_of(readme.modules.table_of_module([path, path])) == [
        ["notebook", "after it you can", "minutes"],
        *[["[12 Words](12_words.ipynb)", r"count \| sum", "2"]] * 2,
        ["together", "", "4"],
    ]
    untold = write_notebook(tmp_path / "02_c.ipynb", "# Title")
    with pytest.raises(Sentence, match="no row 'Minutes on two cores'"):
        readme.modules.minutes_of(untold)


def test_the_minutes_of_the_table_are_replaced():
    expected = TABLE.replace("Why? | 9", "Why? | 3").replace("When? | 9", "When? | 12")
    assert readme.reading_order(TABLE, {"00_a": "3", "01_b": "12"}) == expected


def test_each_notebook_of_the_course_is_in_one_module():
    pages = readme.modules.MODULES
    found = [x for page in pages for x in readme.modules.notebooks_of_module(page)]
    assert found == readme.notebooks_of("course")


@pytest.mark.parametrize(
    "minutes", [{"00_a": "1"}, {"00_a": "1", "01_b": "1", "02_c": "1"}]
)
def test_a_notebook_too_few_or_too_many_is_an_error(minutes):
    with pytest.raises(Sentence, match="lists the notebooks 00_a, 01_b; there are"):
        readme.reading_order(TABLE, minutes)


# --- the program


@pytest.fixture
def write_readme(monkeypatch, capsys, tmp_path):
    """The program on a README and campaigns of ours: exit status, stdout, stderr."""

    def run(text, campaigns):
        (tmp_path / "notebooks").mkdir(exist_ok=True)
        for page in readme.PAGES:
            shutil.copy(ROOT / page, tmp_path / page)
        (tmp_path / "README.md").write_text(text, encoding="utf-8")
        monkeypatch.setattr(readme, "ROOT", tmp_path)
        monkeypatch.setattr(readme.index, "THUMBNAILS", tmp_path)
        monkeypatch.setattr(readme, "TIMINGS", campaigns)
        status = readme.main()
        after = (tmp_path / "README.md").read_text(encoding="utf-8")
        return status, after, capsys.readouterr()

    return run


def test_running_it_twice_changes_nothing_more(tmp_path, write_readme):
    place = tmp_path / "campaigns"
    reference(place, ratio=1.5)
    study = "reference-networks"
    shutil.copytree(readme.TIMINGS / study, place / study)
    status, text, said = write_readme(README, place)
    assert (status, said.err) == (0, "")
    assert said.out.startswith("README.md: updated\ngallery.md: unchanged\n")
    assert "| 1.500 (" in text
    for before, after in zip(around(README), around(text), strict=True):
        assert before == after
    status, again, said = write_readme(text, place)
    assert (status, said.err) == (0, "")
    assert re.findall(r"(?m): (\w+)$", said.out) == ["unchanged"] * len(readme.PAGES)
    assert again == text


def around(text):
    """What is around the computed answer and timings."""
    regions = r"(?s)(?<=<!-- )(answer|timings).*?(?= -->\s+[!#])"
    return re.split(regions, text)[::2]


NONE = dict.fromkeys(COSTS, 0.0)


@pytest.mark.parametrize(
    ("costs", "said"),
    [
        (NONE | {"start": 1.5}, "R takes 1.5"),
        (NONE | {"start": 1.5}, "is predicted to take 1.000 times as long"),
        (COSTS | {"per_epoch": 2.0}, "is predicted to take 2."),
    ],
)
def test_the_answer_is_one_line_that_follows_the_data(costs, said):
    study = made_up_study(costs=costs, spread=NONE, noise=0.001, outside=0.01)
    text = readme.answer(cost_model(study), [])
    assert "In 0 of 0 examples, to the last digit." in text
    assert said in text
    assert len(text.splitlines()) == 1


def test_the_costs_are_those_of_the_studies_rows():
    """The mean of an average pair is computed here once more, from the files alone."""
    told = README.partition("<!-- costs")[2].partition("<!-- end")[0]
    lines = [x for x in told.splitlines() if x.startswith("- ")]
    assert [x.split(",")[0] for x in lines] == [
        "- Beyond Python",
        "- Beyond Python's processor time",
        "- Beyond Python's peak memory",
    ]
    for outcome, line in zip(OUTCOMES, lines, strict=True):
        model = cost_model(readme.reference_studies(readme.TIMINGS), outcome=outcome)
        assert model.text.startswith(line[2:].rstrip(".") + ".")
        pairs = model.pairs
        costs = model.coefficients.set_index("cost")["estimate"]
        amounts = {
            "start": 1.0,
            "per_mb": pairs["array_mb"],
            "per_epoch": pairs["epochs"],
            "per_batch": pairs["epochs"] * pairs["batches"],
            "per_call": pairs["calls"],
        }
        predicted = sum(costs[name] * amounts[name] for name in costs.index)
        assert predicted.mean() == pytest.approx(pairs["difference"].mean(), rel=0.3)


@pytest.mark.parametrize(
    "broken",
    [
        README.replace(BEGIN.format("timings"), ""),
        README.replace(END.format("reading order"), ""),
    ],
)
def test_without_its_regions_it_stays_as_it_was(write_readme, broken):
    status, after, said = write_readme(broken, readme.TIMINGS)
    assert (status, after) == (1, broken)
    assert said.err.startswith("Nothing was written: there is no region")


def test_without_good_campaigns_it_stays_as_it_was(tmp_path, write_readme):
    damaged = reference(tmp_path / "damaged") / "runs.csv"
    text = damaged.read_text(encoding="utf-8")
    damaged.write_text(text.replace(",ok,", ",fine,", 1), encoding="utf-8")
    reference(tmp_path / "alone", arms=("python", "python-again"))
    reference(tmp_path / "campaign")
    for place, words in (
        ("none", "there are no reference campaigns: expected "),
        ("alone", "'r' has no completed run"),
        ("damaged", "'fine'"),
        ("campaign", "there is no reference study: expected "),
    ):
        status, after, said = write_readme(README, tmp_path / place)
        assert (status, after) == (1, README)
        assert said.err.startswith("Nothing was written: ")
        assert words in said.err
