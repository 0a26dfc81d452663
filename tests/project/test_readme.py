"""What `make readme` writes, from the committed campaigns and from made-up ones."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_up import made_up_campaign, write_campaign
from sidebyside.statistics import verdict
from sidebyside.timing import load_campaigns

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import readme  # noqa: E402
from setup_decisions import FIRST_SET_UP  # noqa: E402

README = (ROOT / "README.md").read_text(encoding="utf-8")


def reference(folder, name="one", **truth):
    """A made-up reference campaign in a folder of such."""
    campaign = f"reference-{name}"
    write_campaign(made_up_campaign(campaign=campaign, **truth), folder / campaign)
    return folder


def meaning(place):
    """What the verdict finds of R's training in a folder of campaigns."""
    return verdict(load_campaigns(place)).finding()


def table_of(text):
    """Rows of a Markdown table, each a list of cells."""
    rows = [
        line.strip("| ").split(" | ")
        for line in text.splitlines()
        if line.startswith("| ")
    ]
    return [row for row in rows if not row[0].startswith("---")]


# --- README.md as it is


def test_the_readme_is_what_its_sources_make_today():
    assert readme.renewed(README) == README, "run `make readme`"


def test_the_table_is_what_the_rows_of_the_campaigns_give():
    """Computed here once more, from the files alone."""
    rows = {
        row[0]: row
        for row in table_of(readme.timings(readme.reference_campaigns(readme.TIMINGS)))
    }
    for name in ("photographs", "painted"):
        runs = pd.read_csv(readme.TIMINGS / f"reference-{name}" / "runs.csv")
        runs = runs[(runs["block"] > 0) & (runs["state"] == "ok")]
        for column, what in (
            ("fit_seconds", "training"),
            ("process_seconds", "whole process"),
        ):
            seconds = runs.pivot(index="block", columns="arm", values=column)
            _, r, python, ratio, control, blocks = rows[f"{name}: {what}"]
            assert r == f"{seconds['r'].median():.1f}"
            assert python == f"{seconds['python'].median():.1f}"
            assert ratio.startswith(
                f"{np.exp(np.log(seconds['r'] / seconds['python']).mean()):.3f} ("
            )
            again = np.exp(np.log(seconds["python-again"] / seconds["python"]).mean())
            assert control.startswith(f"{again:.3f} (")
            assert blocks == str(len(seconds))


def test_the_verdict_on_all_of_them_says_the_same_of_each():
    """What notebook 06 says is what the README says."""
    folders = readme.reference_campaigns(readme.TIMINGS)
    together = verdict(load_campaigns(*folders))
    region = README.partition("<!-- timings")[2]
    compared = [f for f in together.findings if f.arm == "r"]
    assert len(compared) == 2 * len(folders)
    for f in compared:
        name = readme.plain_name(f.parts[0].campaign)
        assert len(f.parts) == 1
        what = f"{name}: {readme.phase(f, False)}"
        (row,) = [row for row in table_of(region) if row[0] == what]
        assert row[3] == readme.ratio(f.interval)
        assert f.meaning() in region


def test_it_says_what_a_first_set_up_takes_as_set_up_itself_does():
    assert FIRST_SET_UP in " ".join(README.split())


def test_the_commands_it_names_exist():
    targets = set(
        re.findall(
            r"^(\w+):.*##",
            (ROOT / "Makefile").read_text(encoding="utf-8"),
            re.MULTILINE,
        )
    )
    named = set(re.findall(r"`make (\w+)|^make (\w+)", README, re.MULTILINE))
    named = {target for pair in named for target in pair if target}
    assert {"lab", "run", "timings", "fruits"} <= named <= targets


# --- other measurements, another text


def test_a_slow_r_is_called_slow_and_an_equal_one_equal(tmp_path):
    slow = readme.timings(
        readme.reference_campaigns(reference(tmp_path / "slow", ratio=1.2))
    )
    equal = readme.timings(
        readme.reference_campaigns(reference(tmp_path / "equal", sd=0.001))
    )
    assert meaning(tmp_path / "slow").outcome == "slower"
    assert f"Training. {meaning(tmp_path / 'slow').meaning()}" in slow
    assert meaning(tmp_path / "equal").outcome == "same"
    assert f"Training. {meaning(tmp_path / 'equal').meaning()}" in equal
    assert table_of(slow)[1][3].startswith("1.200 (")
    assert table_of(equal)[1][3].startswith("1.000 (")


def test_what_is_not_training_is_the_rest_of_the_process(tmp_path):
    text = readme.timings([reference(tmp_path, start_r=5.0) / "reference-one"])
    r, python = map(
        float,
        re.search(
            r"training took ([\d.]+) s in R, ([\d.]+) s in Python", text
        ).groups(),
    )
    assert r - python == pytest.approx(5.0, abs=0.15)


def test_a_biased_experiment_is_a_warning_in_the_readme(tmp_path):
    folder = reference(tmp_path, again=1.1) / "reference-one"
    control = verdict(load_campaigns(folder)).finding("python-again")
    assert control.warning
    assert control.words() in readme.timings([folder])


def test_only_completed_runs_are_in_the_medians(tmp_path):
    """A run with a wrong loss came to its end, and its clocks were read."""
    runs = made_up_campaign(campaign="reference-one", blocks=3)
    of_r = (runs["arm"] == "r") & (runs["block"] > 0)
    slowest = runs[of_r]["fit_seconds"].max()
    runs.loc[of_r & (runs["fit_seconds"] < slowest), "state"] = "wrong-loss"
    assert f"{runs[of_r]['fit_seconds'].median():.1f}" != f"{slowest:.1f}"
    assert readme.seconds(runs, "r", "cpu", "fit_seconds") == f"{slowest:.1f}"


def test_without_a_control_the_table_says_so(tmp_path):
    text = readme.timings([reference(tmp_path, arms=("python", "r")) / "reference-one"])
    assert [row[4] for row in table_of(text)[1:]] == ["not measured", "not measured"]


def test_that_no_gpu_was_measured_is_said_only_where_it_is_true(tmp_path):
    place = reference(tmp_path)
    assert "CPU only" in readme.timings(readme.reference_campaigns(place))
    reference(place, name="two", device="gpu", ratio=1.3)
    text = readme.timings(readme.reference_campaigns(place))
    assert "CPU only" not in text
    assert [row[0] for row in table_of(text)[1:]] == [
        "one: training, CPU",
        "one: whole process, CPU",
        "two: training, GPU",
        "two: whole process, GPU",
    ]
    gpu = verdict(load_campaigns(place)).finding(device="gpu")
    assert f"Training, GPU. {gpu.meaning()}" in text


def test_the_machine_is_that_of_the_campaign(tmp_path):
    folder = reference(tmp_path) / "reference-one"
    machine = {
        "id": "m",
        "cpu": {"name": "A processor", "usable": 8},
        "memory_gb": 15.6,
        "gpu": [{"name": "A card"}],
        "system": {"os": "Some system"},
        "arms": {
            "python": {"python": "3.12.1", "tensorflow": "2.20.0", "keras": "3.12.0"},
            "r": {
                "r": "4.5.1",
                "reticulate": "1.46",
                "dialect": "keras3",
                "keras3": "1.5.1",
            },
        },
    }
    (folder / "machine.json").write_text(json.dumps(machine), encoding="utf-8")
    assert readme.timings([folder]).endswith(
        "from one: A processor, 8 cores, 16 GB, GPU: A card, Some system, "
        "Python 3.12.1, TensorFlow 2.20.0, Keras 3.12.0, "
        "R 4.5.1, reticulate 1.46, keras3 1.5.1, 22 November 2026."
    )


def test_how_long_a_campaign_took_is_that_of_its_end(tmp_path):
    folder = reference(tmp_path) / "reference-one"
    assert "all runs together" not in readme.timings([folder])
    (folder / "end.json").write_text(
        json.dumps({"complete": True, "overhead": {"seconds": 200.0, "share": 0.1}}),
        encoding="utf-8",
    )
    assert (
        "**One**, 4 epochs (all runs together: 3 minutes). Training"
        in readme.timings([folder])
    )


# --- the minutes


TABLE = (
    "| [A](notebooks/00_a.ipynb) | Why? | 9 |\n"
    "| [B](notebooks/01_b.ipynb) | When? | 9 |\n"
)


def test_minutes_come_from_the_notebooks_opening_tables(tmp_path):
    for name, minutes in (
        ("00_a", "3 on painted fruits, 5 on photographs"),
        ("01_b", "12"),
    ):
        cell = {
            "cell_type": "markdown",
            "source": ["# Title\n", f"| Minutes on two cores | {minutes} |\n"],
        }
        (tmp_path / f"{name}.ipynb").write_text(
            json.dumps({"cells": [cell]}), encoding="utf-8"
        )
    found = readme.minutes_of(tmp_path)
    assert found == {"00_a": "3", "01_b": "12"}
    table = readme.reading_order(TABLE, found)
    assert table == TABLE.replace("Why? | 9", "Why? | 3").replace(
        "When? | 9", "When? | 12"
    )


def test_a_notebook_without_minutes_is_named(tmp_path):
    (tmp_path / "00_a.ipynb").write_text(
        json.dumps({"cells": [{"source": "# Title"}]}), encoding="utf-8"
    )
    with pytest.raises(readme.CannotWrite, match="does not say its minutes"):
        readme.minutes_of(tmp_path)


@pytest.mark.parametrize(
    "minutes", [{"00_a": "1"}, {"00_a": "1", "01_b": "1", "02_c": "1"}]
)
def test_a_notebook_too_few_or_too_many_is_an_error(minutes):
    with pytest.raises(
        readme.CannotWrite, match="lists the notebooks 00_a, 01_b; there are 00_a"
    ):
        readme.reading_order(TABLE, minutes)


# --- the program


@pytest.fixture
def write_readme(monkeypatch, capsys, tmp_path):
    """The program on a README and campaigns of ours: exit status, stdout, stderr."""

    def run(text, campaigns):
        monkeypatch.setattr(readme, "README", tmp_path / "README.md")
        monkeypatch.setattr(readme, "TIMINGS", campaigns)
        readme.README.write_text(text, encoding="utf-8")
        status = readme.main()
        after = readme.README.read_text(encoding="utf-8")
        return status, after, capsys.readouterr()

    return run


def test_running_it_twice_changes_nothing_more(tmp_path, write_readme):
    place = reference(tmp_path / "campaigns", ratio=1.5)
    status, text, said = write_readme(README, place)
    assert (status, said) == (0, ("README.md: timings and minutes updated\n", ""))
    assert "| 1.500 (" in text
    assert text.partition("<!-- timings")[0] == README.partition("<!-- timings")[0]
    assert (
        text.partition("<!-- end of timings")[2]
        == README.partition("<!-- end of timings")[2]
    )
    status, again, said = write_readme(text, place)
    assert (status, said) == (0, ("README.md: timings and minutes unchanged\n", ""))
    assert again == text


@pytest.mark.parametrize(
    "broken",
    [
        README.replace(readme.BEGIN.format("timings"), ""),
        README.replace(readme.END.format("reading order"), ""),
        README + readme.BEGIN.format("timings"),
    ],
)
def test_without_its_regions_it_stays_as_it_was(write_readme, broken):
    status, after, said = write_readme(broken, readme.TIMINGS)
    assert status == 1
    assert said.err.startswith("The README stays as it was: the README has no region")
    assert after == broken


def test_without_reference_campaigns_it_stays_as_it_was(tmp_path, write_readme):
    status, after, said = write_readme(README, tmp_path)
    assert status == 1
    assert "there are no reference campaigns: expected " in said.err
    assert after == README


def test_a_campaign_with_nothing_to_compare_or_damaged_is_a_sentence(
    tmp_path, write_readme
):
    alone = reference(tmp_path / "alone", arms=("python", "python-again"))
    damaged = reference(tmp_path / "damaged")
    runs = damaged / "reference-one" / "runs.csv"
    runs.write_text(
        runs.read_text(encoding="utf-8").replace(",ok,", ",fine,", 1), encoding="utf-8"
    )
    for place, words in ((alone, "have nothing to compare: "), (damaged, "'fine'")):
        status, after, said = write_readme(README, place)
        assert (status, after) == (1, README)
        assert said.err.startswith("The README stays as it was: ")
        assert words in said.err
