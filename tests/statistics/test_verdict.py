"""The verdict changes sides when the data do, and its report shows it."""

import html.parser
import math
import re

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from made_up import ARMS, made_up_campaign, with_state, write_campaign
from scipy import stats
from sidebyside.statistics.estimates import CannotSay, columns_of, pool
from sidebyside.statistics.report import _method, flat, machines_of, write_report
from sidebyside.statistics.verdict import OUTCOMES, _judge, from_r, verdict
from sidebyside.timing import load_campaigns


@pytest.fixture(autouse=True)
def no_window():
    matplotlib.use("agg")
    yield
    plt.close("all")


def said(found, part):
    """The one sentence with this in it."""
    sentences = [s for s in found.sentences if part in s]
    assert len(sentences) == 1, found.text
    return sentences[0]


# --- what it says of the time


CASES = {
    # ratio, scatter, blocks: outcome, surely, words
    "slower": (1.15, 0.02, 10, "slower", True, "R is slower by 1\\d %, by"),
    "faster": (0.88, 0.02, 10, "faster", True, "R is faster by 1\\d %, by"),
    "equal": (1, 0.01, 10, "same", False, "R and Python are equally fast"),
    "noisy": (1, 0.15, 10, "unclear", False, "too noisy to say"),
    "small": (1.015, 0.01, 20, "small", False, "R is slower by 1.\\d %: a d"),
    "small, faster": (0.985, 0.01, 20, "small", False, "R is faster by 1.\\d %: a"),
    "open": (1.035, 0.02, 10, "slower", False, "R is slower .* is open"),
}


@pytest.mark.parametrize("case", CASES)
def test_it_takes_the_side_of_the_data(case):
    ratio, sd, blocks, outcome, surely, words = CASES[case]
    found = verdict(made_up_campaign(ratio, sd=sd, blocks=blocks))
    training = found.finding()
    assert (training.outcome, training.surely) == (outcome, surely)
    assert re.search(words, found.sentences[1]), found.sentences[1]
    interval = training.interval
    assert interval.low <= interval.estimate <= interval.high
    assert f"{interval.estimate:.3f}" in found.sentences[0]
    assert training.outcome in OUTCOMES


def test_outcomes_agree_with_their_numbers():
    """Over many campaigns: words and intervals never contradict each other."""
    seen = set()
    rng = np.random.default_rng(1)
    margin = math.log(1.03)
    for _ in range(500):
        sd = rng.choice([0.005, 0.02, 0.06])
        found = pool([rng.normal(rng.normal(0, 0.03), sd, 8)])
        outcome, surely, p, _ = _judge(found.mean, found.error, 7, margin)
        interval = found.interval()
        outcome = {1: "slower", -1: "faster"}.get(outcome, outcome)
        seen.add(outcome)
        covers = interval.low <= 1 <= interval.high
        assert covers == (p >= 0.05)
        assert covers == (outcome in ("same", "unclear"))
        if interval.low > 1 / 1.03 and interval.high < 1.03:
            assert outcome in ("same", "small")
        if outcome in ("same", "small"):
            assert 1 / 1.03 < interval.estimate < 1.03
        assert surely == (interval.low > 1.03 or interval.high < 1 / 1.03)
        if surely:
            assert outcome in ("slower", "faster")
    assert seen == set(OUTCOMES)


def test_the_margin_decides_what_matters():
    runs = made_up_campaign(1.05, sd=0.01)
    assert verdict(runs).finding().outcome == "slower"
    wide = verdict(runs, margin=0.1)
    assert wide.finding().outcome == "small"
    assert "the margin is 10 %; TOST, p below 0.001)" in wide.text
    with pytest.raises(ValueError, match="margin is 3"):
        verdict(runs, margin=3)


def test_noise_asks_for_more_blocks():
    few = made_up_campaign(1, sd=0.06)
    wanted = re.search(r"this scatter (\d+) blocks", verdict(few).text)
    more = made_up_campaign(1, sd=0.06, blocks=2 * int(wanted[1]))
    assert verdict(more).finding().outcome == "same"


def test_the_whole_process_is_judged_apart():
    found = verdict(made_up_campaign(1, sd=0.005, start_r=6))
    assert found.finding().outcome == "same"
    assert found.finding(column="process_seconds").outcome == "slower"
    assert "For the whole process on the CPU R takes 1.2" in found.text


# --- the experiment against itself


def test_python_against_itself_covers_one():
    found = verdict(made_up_campaign())
    assert not found.biased
    assert "covers 1, as it should" in said(found, "Python against itself")
    assert "Warning" not in found.text


@pytest.mark.parametrize("again", [1.155, 0.855])
def test_a_biased_experiment_is_warned_of_first(again):
    found = verdict(made_up_campaign(again=again))
    assert found.biased
    assert found.sentences[0].startswith("Warning: the experiment itself")
    assert f"gives {again:.2f}"[:-1] in found.sentences[0]
    assert "does not cover 1" in found.sentences[0]


def test_campaigns_biased_in_opposite_directions():
    """Their mean covers 1; each of them does not."""
    runs = pd.concat(
        [
            made_up_campaign(again=1.06, campaign="up"),
            made_up_campaign(again=0.94, campaign="down", seed=2),
        ]
    )
    found = verdict(runs)
    assert not found.biased
    assert "Warning: in down, up Python against itself, training" in found.text


def test_without_a_control_that_is_said():
    found = verdict(made_up_campaign(arms=("python", "r")))
    assert "not measured against itself" in found.text
    assert not found.biased


# --- runs that failed, partners that are missing


def test_failed_runs_are_counted_and_said():
    runs = with_state(made_up_campaign(), "r", [2, 3], "crashed")
    runs = with_state(runs, "python-again", [4], "timeout")
    runs = with_state(runs, "r", [5], "wrong-loss")
    found = verdict(runs)
    sentence = said(found, "did not count")
    assert sentence.startswith("4 of 44 runs did not count")
    for part in ("R 2 crashed", "R 1 wrong-loss", "Python again 1 timeout"):
        assert part in sentence
    assert "did not fail equally often" in found.text
    assert found.finding().blocks == 7
    assert "from 7 pairs" in found.sentences[0]
    assert "3 blocks of 10 have no complete pair of r and python" in found.text


def test_interrupted_runs_are_nobodys_failure():
    runs = made_up_campaign()
    extra = runs[(runs["arm"] == "r") & (runs["block"] == 2)].copy()
    extra["state"] = "interrupted"
    found = verdict(pd.concat([runs, extra]))
    assert "1 of 45 runs did not count: R 1 interrupted" in found.text
    assert "equally often" not in found.text
    assert found.finding().blocks == 10


def test_a_whole_campaign_that_failed():
    runs = made_up_campaign().assign(state="crashed")
    with pytest.raises(CannotSay, match=r"None of the 40 runs .*40 crashed"):
        verdict(runs)


def test_a_side_arm_that_failed_stops_nothing():
    runs = with_state(made_up_campaign(), "rpy2", range(11), "crashed")
    found = verdict(runs)
    assert found.finding().blocks == 10
    assert "On R inside Python (rpy2) in training nothing can be said" in (found.text)


@pytest.mark.parametrize(
    "spoil, words",
    [
        (lambda runs: runs[:0], "There is no run"),
        (lambda runs: runs[runs["block"] == 0], "warm-up block"),
        (lambda runs: runs[runs["block"] <= 1], "There is 1 block"),
        (lambda runs: runs[runs["arm"] != "r"], "The arm 'r' has no completed"),
        (lambda runs: runs[runs["arm"] != "python"], "The arm 'python' has no"),
        (lambda runs: runs.assign(fit_seconds=10.0), "The ratio is the same"),
        (lambda runs: runs.assign(fit_seconds=np.nan), "with a fit_seconds"),
        (lambda runs: runs.drop(columns="arm"), "lacks the column arm"),
    ],
)
def test_bad_input_gets_a_sentence(spoil, words):
    with pytest.raises(CannotSay) as problem:
        verdict(spoil(made_up_campaign()))
    assert words in str(problem.value)
    assert "\n" not in str(problem.value)


def test_one_epoch_is_enough():
    found = verdict(made_up_campaign(epochs=1))
    assert found.accuracies[0].identical


# --- the accuracy


def test_the_same_accuracy_to_the_last_digit():
    found = verdict(made_up_campaign())
    assert found.accuracies[0].identical
    sentence = said(found, "Test accuracy")
    assert "the same to the last digit in all 10 pairs" in sentence


@pytest.mark.parametrize(
    "gap, sd, outcome, words",
    [
        (0, 0.002, "same", "a difference of 0.5 points is excluded"),
        (0.003, 0.0005, "small", "there is a difference, but it is below 0.5"),
        (-0.02, 0.002, "lower", "R's is lower, by more than 0.5 points"),
        (0.02, 0.002, "higher", "R's is higher, by more than 0.5 points"),
        (0, 0.02, "unclear", "too noisy to say whether it stays below 0.5"),
    ],
)
def test_another_accuracy(gap, sd, outcome, words):
    found = verdict(made_up_campaign(accuracy_gap=gap, accuracy_sd=sd))
    assert found.accuracies[0].outcome == outcome
    assert words in said(found, "Test accuracy")


def test_an_accuracy_that_differs_without_scatter():
    runs = made_up_campaign(arms=("python", "r"))
    last = {"python": (0.5,), "r": (0.75,)}
    runs["val_accuracy"] = [last[arm] for arm in runs["arm"]]
    text = verdict(runs).text
    assert "On test accuracy nothing can be said: the difference is 0.25" in text


def test_without_accuracy():
    runs = made_up_campaign()
    runs["val_accuracy"] = [()] * len(runs)
    assert "On test accuracy nothing can be said" in verdict(runs).text


# --- several campaigns, both devices


def test_both_devices():
    runs = pd.concat(
        [
            made_up_campaign(1, campaign="a"),
            made_up_campaign(1.3, campaign="b", device="gpu", seed=2),
        ]
    )
    found = verdict(runs)
    assert found.finding(device="cpu").outcome == "same"
    assert found.finding(device="gpu").outcome == "slower"
    assert "On a GPU nothing" not in found.text
    assert "On a GPU nothing was measured." in verdict(made_up_campaign()).text


def test_one_device_without_pairs_is_said():
    gpu = made_up_campaign(device="gpu", campaign="b", arms=("python",))
    found = verdict(pd.concat([made_up_campaign(), gpu]))
    assert "The arm 'r' has no completed run on the GPU" in found.text
    assert found.finding().blocks == 10


def test_campaigns_that_agree():
    runs = pd.concat(
        [
            made_up_campaign(
                1.1 + i / 1000, campaign=f"c{i}", machine=f"m{i}", seed=i + 1
            )
            for i in range(3)
        ]
    )
    found = verdict(runs)
    assert found.finding().outcome == "slower"
    assert found.finding().blocks == 30
    assert "This pools 3 campaigns (c0, c1, c2), of 3 machines." in found.text
    assert "do not agree" not in found.text
    # By making their ratios are the same but for a thousandth.
    assert found.sentences[0].startswith(
        "Warning: the 3 campaigns agree on training on the CPU better than"
    )
    one = verdict(runs[runs["campaign"] == "c0"]).finding().interval
    pooled = found.finding().interval
    assert pooled.high - pooled.low < one.high - one.low


def test_campaigns_that_do_not_agree():
    runs = pd.concat(
        [
            made_up_campaign(1, campaign="a"),
            made_up_campaign(1.2, campaign="b", seed=2),
        ]
    )
    found = verdict(runs)
    assert found.finding().outcome == "unclear"
    assert "The campaigns do not agree on training (CPU)" in found.text
    assert "more blocks would not" in found.text
    assert "all of one machine" in found.text


def test_a_campaign_of_one_block_is_left_out_and_said():
    small = made_up_campaign(blocks=1, campaign="tiny")
    found = verdict(pd.concat([made_up_campaign(), small]))
    assert "Campaign tiny is left out: There is 1 block" in found.text
    assert len(found.finding().parts) == 1


def test_campaigns_of_few_blocks_count_once_each():
    runs = pd.concat(
        [
            made_up_campaign(
                ratio, sd=0.02, blocks=blocks, campaign=f"c{ratio}", seed=blocks
            )
            for ratio, blocks in ((1.1, 3), (1.2, 10), (1.15, 2))
        ]
    )
    found = verdict(runs)
    expected = (1.1 * 1.2 * 1.15) ** (1 / 3)
    assert found.finding().interval.estimate == pytest.approx(expected)
    assert "Each campaign counts once" in found.text
    assert "counts once" not in verdict(made_up_campaign()).text
    two = runs[runs["campaign"] != "c1.2"]
    assert "The ratios of the 2 campaigns go from 1.100 to 1.150" in (verdict(two).text)


def test_two_campaigns_that_differ_are_not_judged_by_their_blocks():
    """Each for itself is sure, and wrong of what both are said to tell of."""
    runs = pd.concat(
        [
            made_up_campaign(1.05, sd=0.004, campaign="a"),
            made_up_campaign(1.15, sd=0.004, campaign="b", machine="2", seed=2),
        ]
    )
    found = verdict(runs).finding()
    assert found.outcome == "unclear"
    assert "better than" not in verdict(runs).text
    logs = np.log([1.05, 1.15])
    ends = stats.ttest_1samp(logs, 0).confidence_interval()
    assert found.interval.low == pytest.approx(math.exp(ends.low))
    assert found.interval.high == pytest.approx(math.exp(ends.high))


def test_many_campaigns_are_counted_and_not_named():
    runs = [
        made_up_campaign(1 + i / 100, campaign=f"c{i}", machine=f"m{i // 2}", seed=i)
        for i in range(10)
    ]
    text = verdict(pd.concat(runs)).text
    assert "This pools 10 campaigns, of 5 machines." in text
    assert "Campaigns of one machine are not independent" in text
    text = verdict(pd.concat(runs[:8:2])).text
    assert "This pools 4 campaigns (c0, c2, c4, c6), of 4 machines." in text
    assert "not independent" not in text
    assert "epochs" not in text
    assert "kinds of work" not in text


# --- campaigns of different work


def painted_and_photographs(**truth):
    """Two campaigns of one machine, each of its own work."""
    painted = made_up_campaign(1.0, sd=0.004, campaign="painted", **truth)
    photographs = made_up_campaign(1.2, seed=2, campaign="photos", **truth)
    return pd.concat(
        [
            painted.assign(work="4 epochs; 16 painted fruits"),
            photographs.assign(work="4 epochs; 16 photographs"),
        ]
    )


def test_different_work_is_not_pooled():
    runs = painted_and_photographs()
    found = verdict(runs)
    assert found.finding(campaign="painted").outcome == "same"
    assert found.finding(campaign="photos").outcome == "slower"
    # Level in machines and blocks: the last name, as main_campaign() has it.
    assert found.finding() is found.finding(campaign="photos")
    assert found.sentences[0].startswith("For training on the CPU in photos R")
    assert "judged each by itself and not pooled (photos: 16 photographs; " in (
        found.text
    )
    assert "painted: 16 painted fruits)" in found.text
    assert "painted and photos are one campaign each, of one machine" in (found.text)
    with pytest.raises(CannotSay, match=r"Nothing was found on r, .*, other;"):
        found.finding(campaign="other")


@pytest.mark.parametrize("name", ["painted", "photos"])
def test_each_work_is_judged_as_if_it_were_alone(name):
    runs = painted_and_photographs(accuracy_sd=0.002)
    both = verdict(runs)
    alone = verdict(runs[runs["campaign"] == name])
    of_it = [f for f in both.findings if f.of == name]
    assert [(f.arm, f.column, f.interval, f.outcome) for f in of_it] == [
        (f.arm, f.column, f.interval, f.outcome) for f in alone.findings
    ]
    place = f"on the CPU in {name}"
    for sentence in alone.sentences:
        if sentence.startswith(("For ", "Test ", "Python against", "R and")):
            assert sentence.replace("on the CPU", place) in both.sentences
        if sentence.startswith("R inside"):
            assert f"{sentence[:-1]} {place}." in both.sentences


def test_what_most_machines_did_comes_first():
    runs = [painted_and_photographs()]
    for number in range(2):
        more = made_up_campaign(
            1.0 + number / 1000,
            campaign=f"more-{number}",
            machine=f"m{number}",
            blocks=3,
            seed=number,
        )
        runs.append(more.assign(work="4 epochs; 16 painted fruits"))
    found = verdict(pd.concat(runs))
    assert len(found.finding().parts) == 3
    first = next(s for s in found.sentences if s.startswith("For "))
    assert "on the CPU in more-0 and 2 others R takes 1.000 (95" in first
    assert (
        "The ratio on the CPU in more-0 and 2 others pools 3 campaigns "
        "(more-0, more-1, painted), of 3 machines." in found.sentences
    )
    assert "photos is one campaign, of one machine" in found.text


def test_other_epochs_are_other_work_in_a_plain_table():
    runs = [made_up_campaign(1.1, epochs=n, campaign=f"e{n}", seed=n) for n in (4, 5)]
    assert "pooled (e5: 5 epochs; e4: 4 epochs)" in (verdict(pd.concat(runs)).text)


def test_one_work_without_pairs_does_not_stop_the_other():
    runs = painted_and_photographs()
    runs = runs[(runs["arm"] != "r") | (runs["campaign"] == "painted")]
    text = verdict(runs).text
    assert "In photos: The arm 'r' has no completed run on the CPU" in text
    assert "in painted R and Python are" not in text
    assert verdict(runs).finding().outcome == "same"
    lost = painted_and_photographs()
    lost = with_state(lost, "r", [2], "crashed")
    text = verdict(lost).text
    for name in ("painted", "photos"):
        assert f"In {name}: 1 block of 10 has no complete pair of r" in text


def test_the_accuracies_of_several_campaigns_count_once_each():
    runs = pd.concat(
        [
            made_up_campaign(
                1 + seed / 1000,
                campaign=f"c{seed}",
                seed=seed,
                blocks=5 * seed,
                accuracy_gap=0.01 * seed,
                accuracy_sd=0.001,
            )
            for seed in (1, 2, 3)
        ]
    )
    found = verdict(runs).accuracies[0]
    assert found.blocks == 30
    ends = stats.ttest_1samp([0.01, 0.02, 0.03], 0).confidence_interval()
    assert found.interval == pytest.approx((0.02, ends.low, ends.high))
    assert found.outcome == "unclear"


def test_an_accuracy_without_scatter_but_for_the_last_bits():
    runs = made_up_campaign(arms=("python", "r"))
    shift = {"python": 0.0, "r": 0.1}
    runs["val_accuracy"] = [
        (0.5 + block / 100 + shift[arm],)
        for arm, block in zip(runs["arm"], runs["block"], strict=True)
    ]
    text = verdict(runs).text
    assert "On test accuracy nothing can be said: the difference is 0.1" in text


# --- without R, from R, from files


def test_r_gets_the_same_text():
    runs = made_up_campaign(1.1)
    plain = from_r(columns_of(runs), margin=0.05)
    assert plain["text"] == verdict(runs, margin=0.05).text
    assert plain["findings"][0]["outcome"] == "slower"


def test_loaded_campaigns_are_judged_alike(tmp_path):
    made = made_up_campaign(1.04, sd=0.03)
    loaded = load_campaigns(write_campaign(made, tmp_path / "made-up"))
    assert verdict(loaded).text == verdict(made).text
    found = machines_of(loaded)
    assert found["made-up"]["cpu"]["name"] == "Made up"


def test_no_sentence_has_a_fixed_number():
    """But for the level, the power and the rate of chance warnings."""
    texts = [
        verdict(made_up_campaign(1, sd=0.004), margin=0.05).text,
        verdict(made_up_campaign(1.4, again=1.02, sd=0.02, seed=5, blocks=9)).text,
    ]
    numbers = [set(re.findall(r"\d+(?:\.\d+)?", text)) for text in texts]
    # Level of the intervals, "covers 1", the digit in "rpy2", p below 0.001.
    assert numbers[0] & numbers[1] <= {"95", "1", "2", "0.001"}


# --- figure and report


@pytest.fixture
def judged():
    runs = pd.concat(
        [
            made_up_campaign(1.02, accuracy_sd=0.002),
            made_up_campaign(1.05, campaign='<b>"$x$" & co</b>', seed=2),
        ]
    )
    return verdict(with_state(runs, "rpy2", [3], "crashed"))


def test_the_figure_shows_every_run_and_every_interval(judged):
    figure = judged.figure()
    figure.draw_without_rendering()
    text, below = figure.subfigs
    intervals, runs, ratios, accuracy = below.axes
    labels = [t.get_text() for t in intervals.get_yticklabels()]
    assert labels[:3] == ["R, training, CPU", '<b>"$x$" & co</b>', "made-up"]
    assert len(labels) == 3 * len(judged.findings)
    points = sum(line.get_xdata().size for line in runs.get_lines())
    assert points == 2 * 10 * len(ARMS) - 2
    assert ratios.get_lines()[1].get_xdata().size == 20
    assert accuracy.get_lines()[0].get_xdata().size == 20
    shown = " ".join(text.texts[1].get_text().split())
    assert shown == judged.text
    assert figure.get_size_inches().tolist() == [8.27, 11.69]
    assert judged.finding().title in judged.alt_text


class Page(html.parser.HTMLParser):
    """Collects tags, texts and what is loaded from elsewhere."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.texts, self.loaded = [], [], []
        self.label = ""
        self.feed(source)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        found = dict(attributes)
        if tag == "svg":
            self.label = found.get("aria-label", "")
        names = ("src", "href", "xlink:href")
        self.loaded += [found[n] for n in names if n in found]

    def handle_data(self, data):
        self.texts.append(data)


def test_report(judged, tmp_path):
    machines = {"made-up": {"cpu": {"name": "<i>Fast</i>"}, "gpu": None}}
    page, pdf = write_report(judged, tmp_path / "new" / "folder", machines)
    assert [page.name, pdf.name] == ["report.html", "report.pdf"]
    assert len(list(page.parent.iterdir())) == 2
    read = Page(page.read_text(encoding="utf-8"))
    text = " ".join(" ".join(read.texts).split())
    assert read.tags.count("svg") == 1
    assert read.label == judged.alt_text
    for sentence in judged.sentences:
        assert sentence in text
    # Names that are code are shown, not run.
    assert '<b>"$x$" & co</b>' in text
    assert "b" not in read.tags
    assert "i" not in read.tags
    assert "cpu.name <i>Fast</i> gpu unknown" in text
    assert "machine.json was not found" in text
    assert "1 crashed" in text
    # It stands by itself.
    assert all(target.startswith("#") for target in read.loaded)
    assert "script" not in read.tags
    content = pdf.read_bytes()
    assert content.startswith(b"%PDF")
    assert len(re.findall(rb"/Type /Page\b", content)) == 2


def test_the_method_is_that_which_was_used(judged):
    assert "each counts once" in _method(judged)
    assert "different work" not in _method(judged)
    alone = verdict(made_up_campaign())
    assert "campaigns" not in _method(alone)
    apart = verdict(painted_and_photographs())
    assert "Campaigns of different work are not pooled." in _method(apart)
    assert "counts once" not in _method(apart)


def test_the_figure_has_a_heading_for_each_kind_of_work():
    found = verdict(painted_and_photographs())
    intervals = found.figure().subfigs[1].axes[0]
    labels = [t.get_text() for t in intervals.get_yticklabels()]
    assert labels[:2] == ["photos:", "R, training, CPU"]
    assert labels.index("painted:") == len(labels) / 2


def test_a_report_is_not_half_written(judged, tmp_path, monkeypatch):
    def broken(*_):
        raise MemoryError("no room for the PDF")

    monkeypatch.setattr("sidebyside.statistics.report._pdf", broken)
    with pytest.raises(MemoryError):
        write_report(judged, tmp_path, {})
    assert list(tmp_path.iterdir()) == []


def test_a_report_is_replaced_whole(judged, tmp_path):
    (tmp_path / "report.html").write_text("old")
    write_report(judged, tmp_path, {})
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert page.endswith("</html>")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError):
        write_report(judged, tmp_path / "file", {})


def test_a_description_becomes_rows():
    machine = {"cpu": {"cores": 2, "turbo": True}, "gpu": [], "notes": ["a", 1]}
    assert flat(machine) == [
        ("cpu.cores", "2"),
        ("cpu.turbo", "yes"),
        ("gpu", ""),
        ("notes", "a, 1"),
    ]
