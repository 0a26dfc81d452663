"""What the measurements say, in sentences that change with the data.

No sentence here has a fixed number in it, and none is there whatever the data
are. The same text comes out in R, whose `verdict()` calls this one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from ..common.colours import PYTHON, PYTHON_LIGHT, R_LIGHT, R
from .estimates import (
    ACCURACY_MARGIN,
    LEVEL,
    MARGIN,
    REFERENCE,
    TEST_ACCURACY,
    CannotSay,
    Interval,
    Pairs,
    Pool,
    blocks_needed,
    complete_pairs,
    failed,
    log_ratios,
    mean_interval,
    measured,
    plain_words,
    pool,
    power_tost,
    without_scatter,
)

NAMES = {
    "python": "Python",
    "r": "R",
    "python-again": "Python again",
    "rpy2": "R inside Python (rpy2)",
}
COLOURS = {
    "python": PYTHON,
    "r": R,
    "python-again": PYTHON_LIGHT,
    "rpy2": R_LIGHT,
}
PHASES = {"fit_seconds": "training", "process_seconds": "the whole process"}
CONTROL = "python-again"

# More names than this make no sentence, and in many sentences fewer yet.
MOST_NAMED = 8
MOST_REPEATED = 2

# The words for what was found. "small" is a difference that is there, but
# within the margin; "open" is one that is there, and may be within it.
SAME, SMALL, UNCLEAR = "same", "small", "unclear"
SLOWER, FASTER = "slower", "faster"
OUTCOMES = (SAME, SMALL, SLOWER, FASTER, UNCLEAR)


@dataclass(frozen=True)
class Part:
    """One campaign's share of a finding."""

    campaign: str
    blocks: int
    interval: Interval


@dataclass(frozen=True)
class Finding:
    """One arm against Python, on one device, in one phase, for one work.

    `interval` is the 95 % interval of the ratio of times, `parts` the same
    for each campaign, `p_different` the p value of "the ratio is 1" and
    `p_apart` that of "it is beyond the margin" (TOST). `surely` says that
    the interval lies beyond the margin as a whole. `of` names the campaigns
    where the device has campaigns of other work, too, and is "" otherwise.
    """

    arm: str
    device: str
    column: str
    blocks: int
    pool: Pool
    interval: Interval
    parts: tuple[Part, ...]
    p_different: float
    p_apart: float
    outcome: str
    surely: bool
    left_out: tuple[str, ...]
    of: str = ""

    @property
    def where(self) -> str:
        """As in "on the CPU" and "on the CPU in my-campaign"."""
        return _where(self.device, self.of)

    @property
    def title(self) -> str:
        """As in "R / Python, training, CPU"."""
        return (
            f"{NAMES.get(self.arm, self.arm)} / {NAMES[REFERENCE]}, "
            f"{PHASES[self.column]}, {self.device.upper()}"
            + (f", {self.of}" if self.of else "")
        )

    @property
    def label(self) -> str:
        """The same for an axis that says the rest: over Python, of what."""
        name = "rpy2" if self.arm == "rpy2" else NAMES.get(self.arm, self.arm)
        phase = PHASES[self.column].removeprefix("the ")
        return f"{name}, {phase}, {self.device.upper()}"


@dataclass(frozen=True)
class Accuracy:
    """R's test accuracy minus Python's, as a share from -1 to 1.

    `identical` if every pair has the same accuracy to the last digit; there
    is no interval then, and none is needed. Of several campaigns each counts
    once. `of` as in `Finding`.
    """

    device: str
    blocks: int
    identical: bool
    interval: Interval
    outcome: str
    surely: bool
    of: str = ""


@dataclass(frozen=True)
class Verdict:
    """The answer, sentence by sentence.

    `findings` are in the order of devices and, for each, of the kinds of
    work: the one of most machines comes first, then the one of most blocks.
    `print(verdict)` shows the paragraph, `figure()` draws it on a page,
    `sidebyside.statistics.report.write_report()` makes a report of it.
    """

    sentences: tuple[str, ...]
    findings: tuple[Finding, ...]
    accuracies: tuple[Accuracy, ...]
    biased: bool
    margin: float
    accuracy_margin: float
    runs: pd.DataFrame = field(repr=False)

    @property
    def text(self) -> str:
        """The paragraph."""
        return " ".join(self.sentences)

    def __str__(self) -> str:
        return self.text

    def finding(
        self,
        arm: str = "r",
        column: str = "fit_seconds",
        device: str = "cpu",
        campaign: str | None = None,
    ) -> Finding:
        """One of the findings: the first one, of those with that campaign.

        Raises
        ------
        CannotSay
            If there is none, with those that there are.
        """
        for found in self.findings:
            if (found.arm, found.column, found.device) != (arm, column, device):
                continue
            if campaign in (None, *(part.campaign for part in found.parts)):
                return found
        wanted = filter(None, [arm, column, device, campaign])
        raise CannotSay(
            f"Nothing was found on {', '.join(wanted)}; there is "
            + "; ".join(
                ", ".join(filter(None, [f.arm, f.column, f.device, f.of]))
                for f in self.findings
            )
        )

    @property
    def alt_text(self) -> str:
        """What the figure shows, in words."""
        drawn = "; ".join(f"{f.title}: {_ratio(f.interval)}" for f in self.findings)
        return (
            "Intervals of the ratio of times beside the margin that does not "
            f"matter, and every run as a point. {drawn}. {self.text}"
        )

    def figure(self, width: float = 8.27, height: float = 11.69):
        """One page: the answer, the intervals, every run, the accuracy.

        Returns
        -------
        A matplotlib figure, made with pyplot; inches, A4 by default.
        """
        from .report import draw

        return draw(self, width, height)


def verdict(
    runs: pd.DataFrame,
    margin: float = MARGIN,
    accuracy_margin: float = ACCURACY_MARGIN,
) -> Verdict:
    """Does the language change the time? The accuracy? Does it matter?

    Campaigns of the same work are pooled, each counting once. Those of other
    work (`work`, or in a table without this column `epochs`) are another
    question, and get an answer of their own.

    Parameters
    ----------
    runs
        One row per run, of one campaign or of several, as
        `sidebyside.timing.load_campaigns()` gives it.
    margin
        A ratio of times between 1 / (1 + margin) and 1 + margin does not
        matter.
    accuracy_margin
        Nor does a difference of test accuracies up to this (a share).

    Raises
    ------
    CannotSay
        If no device has got pairs of runs of R and Python to compare.
    """
    if not 0 < margin < 1 or not 0 < accuracy_margin < 1:
        raise ValueError(
            f"margin is {margin}, accuracy_margin {accuracy_margin}; both are "
            "shares, between 0 and 1 (0.03 is 3 %)."
        )
    runs = plain_words(runs)
    rows = measured(runs)
    findings: list[Finding] = []
    accuracies: list[Accuracy] = []
    said: list[str] = []
    cannot: list[CannotSay] = []
    warnings: list[str] = []
    for device in ("cpu", "gpu"):
        if device not in set(rows["device"]):
            if device == "gpu":
                said.append("On a GPU nothing was measured.")
            continue
        kinds = _kinds(runs[runs["device"] == device])
        judged: list[Accuracy] = []
        for of, part in kinds:
            try:
                training = _finding(part, "r", device, "fit_seconds", margin, of)
            except CannotSay as problem:
                cannot.append(problem)
                said.append(f"In {of}: {problem}" if of else str(problem))
                continue
            found = [training, *_others(part, device, margin, of, said)]
            findings += found
            warnings += _control_sentences(found, device, of)
            said += _time_sentences(found, margin)
            try:
                judged.append(_accuracy(part, device, accuracy_margin, of))
            except CannotSay as problem:
                place = f" {_where(device, of)}" if of else ""
                said.append(f"On test accuracy{place} nothing can be said: {problem}")
        if len(judged) == len(kinds) and all(a.identical for a in judged):
            # What is true of each kind of work is said once.
            blocks = sum(a.blocks for a in judged)
            judged = [replace(judged[0], blocks=blocks, of="")]
        accuracies += judged
        said += [_accuracy_sentence(a, accuracy_margin) for a in judged]
    if not findings:
        raise CannotSay(" ".join(str(problem) for problem in cannot))
    biased = any(_excludes_one(f.interval) for f in findings if f.arm == CONTROL)
    # What casts doubt on the rest is read first.
    said += [*warnings, *_pool_sentences(findings, rows)]
    said += _lost_sentences(findings, runs)
    order = sorted(said, key=lambda x: not x.startswith("Warning"))
    return Verdict(
        tuple(order),
        tuple(findings),
        tuple(accuracies),
        biased,
        margin,
        accuracy_margin,
        runs,
    )


# --- what is found


def _kinds(runs: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The runs of each kind of work, with the names of its campaigns.

    The names are "" where there is one kind only. First comes what most
    machines did; of those that are level, what has most blocks.
    """
    work = _work(runs)
    if work.nunique() < 2:
        return [("", runs)]
    kinds = []
    for _, part in runs.groupby(work):
        names = sorted(set(part["campaign"]))
        done = part[(part["state"] == "ok") & (part["block"] > 0)]
        blocks = done.loc[done["arm"] == "r", ["campaign", "block"]]
        machines = part.get("machine", part["campaign"]).nunique()
        size = (machines, len(blocks.drop_duplicates()), names[-1])
        kinds.append((size, _listed(names), part))
    return [kind[1:] for kind in sorted(kinds, key=lambda kind: kind[0])[::-1]]


def _work(runs: pd.DataFrame) -> pd.Series:
    """What was trained, for each run."""
    if "work" in runs:
        return runs["work"].astype(str)
    if "epochs" in runs:
        return runs["epochs"].astype(str) + " epochs"
    return pd.Series("", index=runs.index)


def _others(runs, device, margin, of, said) -> list[Finding]:
    """All but R's training: what cannot be said there stops nothing."""
    found = []
    present = set(runs["arm"])
    wanted = [("r", "process_seconds")]
    for arm in (CONTROL, "rpy2"):
        if arm in present:
            wanted += [(arm, column) for column in PHASES]
    for arm, column in wanted:
        try:
            found.append(_finding(runs, arm, device, column, margin, of))
        except CannotSay as problem:
            place = f" {_where(device, of)}" if of else ""
            said.append(
                f"On {NAMES[arm]} in {PHASES[column]}{place} nothing can be "
                f"said: {problem}"
            )
    return found


def _finding(runs, arm, device, column, margin, of) -> Finding:
    pairs = complete_pairs(runs, column, arm, device=device)
    samples, parts, left_out = _by_campaign(pairs)
    pooled = pool(samples)
    interval = pooled.interval()
    outcome, surely, p_different, p_apart = _judge(
        pooled.mean, pooled.error, pooled.df, math.log1p(margin)
    )
    words = {1: SLOWER, -1: FASTER}
    return Finding(
        arm,
        device,
        column,
        sum(part.blocks for part in parts),
        pooled,
        interval,
        tuple(parts),
        p_different,
        p_apart,
        words.get(outcome, outcome),
        surely,
        pairs.left_out + tuple(left_out),
        of,
    )


def _by_campaign(pairs: Pairs):
    """Log ratios and interval of each campaign; those that cannot be used."""
    samples, parts, left_out, problems = [], [], [], []
    for campaign, table in pairs.table.groupby("campaign"):
        try:
            d = log_ratios(table["value"], table["against"])
        except CannotSay as problem:
            problems.append(problem)
            left_out.append(f"Campaign {campaign} is left out: {problem}")
            continue
        samples.append(d)
        own = Interval(*(np.exp(x).item() for x in mean_interval(d)))
        parts.append(Part(str(campaign), len(d), own))
    if not samples:
        raise problems[0]
    return samples, parts, left_out


def _judge(mean, error, df, margin):
    """The outcome, from a mean that is about normal, and its p values.

    +1 and -1 stand for a difference that may matter, with its sign.
    """
    p_different = 2 * float(stats.t.sf(abs(mean) / error, df))
    p_apart = float(stats.t.sf((margin - abs(mean)) / error, df))
    reach = error * float(stats.t.ppf((1 + LEVEL) / 2, df))
    different, within = p_different < 1 - LEVEL, p_apart < 1 - LEVEL
    surely = abs(mean) - reach > margin
    if within:
        outcome: Any = SMALL if different else SAME
    elif different:
        outcome = 1 if mean > 0 else -1
    else:
        outcome = UNCLEAR
    return outcome, surely, p_different, p_apart


def _accuracy(runs, device, margin, of) -> Accuracy:
    pairs = complete_pairs(runs, TEST_ACCURACY, "r", device=device)
    d = pairs.value - pairs.against
    n = len(d)
    if not d.any():
        nothing = Interval(0.0, 0.0, 0.0)
        return Accuracy(device, n, True, nothing, SAME, False, of)
    # As with times: blocks of one campaign, or campaigns that count once.
    means = pd.Series(d).groupby(pairs.table["campaign"]).mean().to_numpy()
    what, k = ("campaign", len(means)) if len(means) > 1 else ("pair", n)
    if len(means) > 1:
        d = means
    if k < 2:
        raise CannotSay("there is one pair of runs, and its two halves differ.")
    if without_scatter(d):
        raise CannotSay(
            f"the difference is {d[0]:g} in each of {k} {what}s, without any scatter."
        )
    outcome, surely, _, _ = _judge(d.mean(), d.std(ddof=1) / k**0.5, k - 1, margin)
    interval = Interval(*(float(x) for x in mean_interval(d)))
    words = {1: "higher", -1: "lower"}
    outcome = words.get(outcome, outcome)
    return Accuracy(device, n, False, interval, outcome, surely, of)


def _excludes_one(interval: Interval) -> bool:
    return interval.low > 1 or interval.high < 1


# --- how it is said


def _where(device: str, of: str) -> str:
    return f"on the {device.upper()}" + (f" in {of}" if of else "")


def _listed(names: list[str]) -> str:
    """As in "a", "a and b", "a and 29 others"."""
    if len(names) > MOST_REPEATED:
        names = [names[0], f"{len(names) - 1} others"]
    return " and ".join(names)


def _percent(share: float) -> str:
    """With two digits that count: 12 %, 1.2 %, 0.12 %."""
    percent = abs(share) * 100
    if percent >= 9.95:
        return f"{percent:.0f} %"
    return f"{percent:.1f} %" if percent >= 0.095 else f"{percent:.2f} %"


def _margin(share: float) -> str:
    return f"{100 * share:g} %"


def _p(value: float) -> str:
    return f"p = {value:.2g}" if value >= 0.001 else "p below 0.001"


def _ratio(interval: Interval) -> str:
    return (
        f"{interval.estimate:.3f} (95 % interval {interval.low:.3f} to "
        f"{interval.high:.3f})"
    )


def _change(ratio: float) -> str:
    """As in "4.1 % less" and "2 % more"."""
    return f"{_percent(ratio - 1)} {'more' if ratio >= 1 else 'less'}"


def _time_sentences(found: list[Finding], margin: float) -> list[str]:
    """R's phases one by one; R inside Python, the side arm, in one go."""
    sentences = []
    for f in found:
        if f.arm == "r":
            sentences += [
                f"For {PHASES[f.column]} {f.where} R takes "
                f"{_ratio(f.interval)} times as long as Python, from "
                f"{f.blocks} pairs of runs.",
                _meaning(f, NAMES[f.arm], margin),
            ]
    side = [f for f in found if f.arm == "rpy2"]
    if side:
        phases = " and ".join(
            f"{_ratio(f.interval)} for {PHASES[f.column]}" for f in side
        )
        place = f" {side[0].where}" if side[0].of else ""
        sentences.append(f"{NAMES['rpy2']} over Python is {phases}{place}.")
    return sentences


def _meaning(f: Finding, who: str, margin: float) -> str:
    matters = f"the {_margin(margin)} that matter"
    size = _percent(f.interval.estimate - 1)
    if f.outcome == SAME:
        return (
            f"{who} and Python are equally fast: a difference of more than "
            f"{_margin(margin)} is excluded (TOST, {_p(f.p_apart)})."
        )
    if f.outcome == SMALL:
        side = SLOWER if f.interval.estimate > 1 else FASTER
        return (
            f"{who} is {side} by {size}: a difference that is there, but too "
            f"small to matter (the margin is {_margin(margin)}; TOST, "
            f"{_p(f.p_apart)})."
        )
    if f.outcome in (SLOWER, FASTER):
        bound = (
            f"by more than {matters}"
            if f.surely
            else f"whether by more than {matters} is open"
        )
        return f"{who} is {f.outcome} by {size}, {bound}."
    return (
        f"That is too noisy to say: anything from "
        f"{_change(f.interval.low)} to {_change(f.interval.high)} time than "
        f"Python's is possible. {_wish(f, margin)}"
    )


def _wish(f: Finding, margin: float) -> str:
    if len(f.parts) > 1:
        low, high = _range(f)
        more = (
            "they differ from each other, so that more campaigns would narrow "
            "that down, and more blocks would not."
            if f.pool.tau > 0
            else "more campaigns would narrow that down."
        )
        return (
            f"The ratios of the {len(f.parts)} campaigns go from {low:.3f} to "
            f"{high:.3f}; {more}"
        )
    sd = f.pool.error * f.blocks**0.5
    try:
        n = blocks_needed(lambda blocks: power_tost(blocks, sd, margin))
    except CannotSay as problem:
        return str(problem)
    return (
        f"With this scatter {n} blocks would probably show it (power "
        "80 %), if there is no difference."
    )


def _range(f: Finding) -> tuple[float, float]:
    """The smallest and the largest ratio of its campaigns."""
    ratios = [part.interval.estimate for part in f.parts]
    return min(ratios), max(ratios)


def _points(share: float) -> str:
    return f"{100 * share:.2f}"


def _accuracy_sentence(a: Accuracy, margin: float) -> str:
    start = f"Test accuracy {_where(a.device, a.of)}: "
    if a.identical:
        return (
            f"{start}the same to the last digit in all {a.blocks} pairs, "
            "because the same seed gives the same numbers in both languages."
        )
    i = a.interval
    start += (
        f"R minus Python is {_points(i.estimate)} points (95 % interval "
        f"{_points(i.low)} to {_points(i.high)}, {a.blocks} pairs); "
    )
    limit = f"{100 * margin:g} points"
    if a.outcome == SAME:
        return f"{start}a difference of {limit} is excluded."
    if a.outcome == SMALL:
        return f"{start}there is a difference, but it is below {limit}."
    if a.outcome == UNCLEAR:
        return f"{start}too noisy to say whether it stays below {limit}."
    sure = (
        f"by more than {limit}" if a.surely else f"whether by more than {limit} is open"
    )
    return f"{start}R's is {a.outcome}, {sure}."


def _control_sentences(found, device, of) -> list[str]:
    control = [f for f in found if f.arm == CONTROL]
    if not control:
        return [
            f"Python was not measured against itself {_where(device, of)}, "
            "so the experiment itself is not checked."
        ]
    sentences, good = [], []
    for f in control:
        what = f"{_ratio(f.interval)} for {PHASES[f.column]}"
        if _excludes_one(f.interval):
            sentences.append(
                "Warning: the experiment itself looks biased. Python against "
                f"itself {f.where} gives {what}, which does not cover 1. "
                "Either this is the one time in twenty in which chance does "
                "that, or the two arms are not treated alike; a difference "
                "between the languages of about "
                f"{_percent(f.interval.estimate - 1)} is not to be believed."
            )
        else:
            good.append(what)
        sentences += _deviating_parts(f)
    if good:
        sentences.append(
            f"Python against itself {_where(device, of)} gives "
            f"{' and '.join(good)}, which covers 1, as it should."
        )
    return sentences


def _deviating_parts(f: Finding) -> list[str]:
    """Campaigns biased each in its own direction would hide in a mean."""
    if len(f.parts) < 2:
        return []
    bad = []
    for part in f.parts:
        # Wider the more campaigns are looked at (Bonferroni).
        df = part.blocks - 1
        wider = stats.t.ppf(1 - (1 - LEVEL) / 2 / len(f.parts), df)
        wider /= stats.t.ppf((1 + LEVEL) / 2, df)
        log = np.log(part.interval)
        if abs(log[0]) > wider * (log[2] - log[0]):
            bad.append(part.campaign)
    if not bad:
        return []
    return [
        f"Warning: in {', '.join(bad)} Python against itself, "
        f"{PHASES[f.column]}, is off by more than chance explains."
    ]


def _pool_sentences(findings: list[Finding], rows: pd.DataFrame) -> list[str]:
    """What stands together and what by itself, and of how many machines."""
    heads = [f for f in findings if (f.arm, f.column) == ("r", "fit_seconds")]
    sentences = [*_kinds_sentences(heads, rows), *_alone_sentences(heads, rows)]
    for f in heads:
        if len(f.parts) < 2:
            continue
        used = sorted({part.campaign for part in f.parts})
        machines = _machines(used, rows)
        where = (
            "all of one machine, so that how much machines differ cannot be estimated"
            if machines == 1
            else f"of {machines} machines"
        )
        named = f" ({', '.join(used)})" if len(used) <= MOST_NAMED else ""
        what = "This" if len(heads) == 1 else f"The ratio {f.where}"
        sentences += [
            f"{what} pools {len(used)} campaigns{named}, {where}.",
            "Each campaign counts once, whatever its number of blocks.",
        ]
        if 1 < machines < len(used):
            sentences.append(
                "Campaigns of one machine are not independent of each other, "
                "so the intervals are narrower than they should be."
            )
    for f in findings:
        if f.arm != "r" or len(f.parts) < 2:
            continue
        low, high = _range(f)
        if f.pool.narrow:
            sentences.append(
                f"Warning: the {len(f.parts)} campaigns agree on "
                f"{PHASES[f.column]} {f.where} better than the scatter of "
                "their blocks lets one expect. That is chance, and makes the "
                "interval of their ratio narrower than it should be."
            )
        if f.pool.p < 1 - LEVEL:
            sentences.append(
                f"The campaigns do not agree on {PHASES[f.column]} "
                f"({f.device.upper()}{', ' + f.of if f.of else ''}): their "
                f"ratios go from {low:.3f} to {high:.3f}, more than chance "
                "explains; what the ratio is depends on the machine or on "
                "the circumstances."
            )
    return list(dict.fromkeys(sentences))


def _kinds_sentences(heads: list[Finding], rows: pd.DataFrame) -> list[str]:
    """That the campaigns are not alike, and in what."""
    found = {}
    for f in heads:
        one = rows[rows["campaign"] == f.parts[0].campaign]
        # With two devices the same work may stand twice.
        names = f.of or _listed([part.campaign for part in f.parts])
        found.setdefault(_work(one).iloc[0], names)
    if not any(f.of for f in heads):
        return []
    parts = {work: work.split("; ") for work in found}
    shared = set.intersection(*map(set, parts.values()))
    told = "; ".join(
        f"{of}: {', '.join(x for x in parts[work] if x not in shared)}"
        for work, of in found.items()
    )
    return [
        f"The campaigns are of {len(found)} kinds of work, which are judged "
        f"each by itself and not pooled ({told})."
    ]


def _alone_sentences(heads: list[Finding], rows: pd.DataFrame) -> list[str]:
    alone = sorted({f.parts[0].campaign for f in heads if len(f.parts) == 1})
    if not alone:
        return []
    if len(heads) == 1:
        return [
            f"All this comes from one campaign, {alone[0]}: one machine, one "
            "data set. How much machines differ cannot be estimated from it."
        ]
    machines = _machines(alone, rows)
    where = "one machine" if machines == 1 else f"{machines} machines"
    one = len(alone) == 1
    return [
        f"{_listed(alone)} {'is' if one else 'are'} one campaign"
        f"{'' if one else ' each'}, of {where}: how much machines differ "
        f"cannot be estimated from {'it' if one else 'them'}."
    ]


def _machines(campaigns: list[str], rows: pd.DataFrame) -> int:
    if "machine" not in rows:
        return len(campaigns)
    return rows["machine"][rows["campaign"].isin(campaigns)].nunique()


def _lost_sentences(findings: list[Finding], runs: pd.DataFrame) -> list[str]:
    sentences = []
    lost = failed(runs)
    if len(lost):
        listed = ", ".join(
            f"{NAMES.get(arm, arm)} {count} {state}"
            for (arm, state), count in lost.items()
        )
        sentences.append(f"{lost.sum()} of {len(runs)} runs did not count: {listed}.")
        hard = lost[lost.index.get_level_values("state") != "interrupted"]
        by_arm = hard.groupby("arm").sum()
        if by_arm.get("r", 0) != by_arm.get(REFERENCE, 0):
            sentences.append(
                "R and Python did not fail equally often; what is compared "
                "are the runs that survived."
            )
    for f in findings:
        for sentence in f.left_out:
            if f.of and not sentence.startswith("Campaign "):
                sentence = f"In {f.of}: {sentence}"
            if sentence not in sentences:
                sentences.append(sentence)
    return sentences


def from_r(columns: Mapping[str, Any], **margins: float) -> dict[str, Any]:
    """R's `verdict()`: the table as a dict of columns, plain values back."""
    from .estimates import from_columns

    found = verdict(from_columns(columns), **margins)
    return {
        "text": found.text,
        "sentences": list(found.sentences),
        "biased": found.biased,
        "findings": [
            {
                "arm": f.arm,
                "device": f.device,
                "campaigns": ", ".join(part.campaign for part in f.parts),
                "phase": PHASES[f.column],
                "blocks": f.blocks,
                "ratio": float(f.interval.estimate),
                "low": float(f.interval.low),
                "high": float(f.interval.high),
                "outcome": f.outcome,
            }
            for f in found.findings
        ],
    }
