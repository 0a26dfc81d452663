"""What the measurements say: a list of statements that changes with the data.

R's `verdict()` calls this one, so that both languages say the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from .estimates import (
    ACCURACY_MARGIN,
    LEVEL,
    MARGIN,
    SAME,
    Interval,
    Mean,
    pool,
)
from .figure import draw
from .pairs import (
    TEST_ACCURACY,
    CannotSay,
    complete_pairs,
    failed,
    from_columns,
    log_ratios,
    measured,
    plain_words,
    without_scatter,
)
from .statements import (
    CONTROL,
    FASTER,
    HIGHER,
    LOWER,
    PHASES,
    SLOWER,
    AccuracyGap,
    Agreement,
    Campaigns,
    Control,
    Failures,
    KindsOfWork,
    LeftOut,
    NotMeasured,
    Part,
    Statement,
    TimeRatio,
    Unknown,
    as_ratio,
    deviating,
    listed,
    named,
)


@dataclass(frozen=True)
class Verdict:
    """The answer, statement by statement.

    Devices are in order, and on each device the kinds of work: first the one
    of most machines, or else of most blocks. `print(verdict)` shows all of it
    as a paragraph, `figure()` draws it on a page, and `write_report()` makes
    a report of it.
    """

    statements: tuple[Statement, ...]
    margin: float
    accuracy_margin: float
    runs: pd.DataFrame = field(repr=False)

    @property
    def sentences(self) -> tuple[str, ...]:
        """Each statement in words, the warnings first."""
        order = sorted(self.statements, key=lambda s: not s.warning)
        return tuple(statement.words() for statement in order)

    @property
    def text(self) -> str:
        """The paragraph."""
        return " ".join(self.sentences)

    def __str__(self) -> str:
        return self.text

    @property
    def findings(self) -> tuple[TimeRatio, ...]:
        """The ratios of times."""
        return tuple(s for s in self.statements if isinstance(s, TimeRatio))

    @property
    def accuracies(self) -> tuple[AccuracyGap, ...]:
        """The differences of test accuracy."""
        return tuple(s for s in self.statements if isinstance(s, AccuracyGap))

    @property
    def biased(self) -> bool:
        """Whether Python differs from itself."""
        return any(f.biased for f in self.findings if isinstance(f, Control))

    def finding(
        self,
        arm: str = "r",
        column: str = "fit_seconds",
        device: str = "cpu",
        campaign: str | None = None,
    ) -> TimeRatio:
        """One of the findings: the first, or the one with that campaign.

        Raises
        ------
        CannotSay
            If there is none, with the ones that there are.
        """
        for found in self.findings:
            if (found.arm, found.column, found.device) != (arm, column, device):
                continue
            if campaign in (None, *(part.campaign for part in found.parts)):
                return found
        wanted = filter(None, [arm, column, device, campaign])
        raise CannotSay(
            f"There is no result for {', '.join(wanted)}, only for "
            + "; ".join(
                ", ".join(filter(None, [f.arm, f.column, f.device, f.of]))
                for f in self.findings
            )
        )

    @property
    def answer(self) -> str:
        """The warnings, R's times and the accuracy: what a figure cannot show."""
        told = [
            s.words()
            for s in sorted(self.statements, key=lambda s: not s.warning)
            if s.warning
            or isinstance(s, AccuracyGap | NotMeasured)
            or (isinstance(s, TimeRatio) and s.arm == "r")
        ]
        return " ".join(told)

    @property
    def alt_text(self) -> str:
        """What the figure shows, in words."""
        drawn = "; ".join(f"{f.title}: {as_ratio(f.interval)}" for f in self.findings)
        return (
            "Intervals of the ratio of times beside the margin that does not "
            f"matter, and every run as a point. {drawn}. {self.answer}"
        )

    def figure(self, width: float = 8.27, height: float = 11.69):
        """One page: the answer, the intervals, every run, the accuracy.

        Returns
        -------
        A matplotlib figure, made with pyplot; inches, A4 by default.
        """
        return draw(self.findings, self.answer, self.runs, self.margin, width, height)


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
        If no device has pairs of runs of R and Python to compare.
    """
    if not 0 < margin < 1 or not 0 < accuracy_margin < 1:
        raise ValueError(
            f"margin is {margin}, accuracy_margin {accuracy_margin}; both are "
            "shares, between 0 and 1 (0.03 is 3 %)."
        )
    runs = plain_words(runs)
    rows = measured(runs)
    found: list[Statement] = []
    for device in ("cpu", "gpu"):
        if device in set(rows["device"]):
            found += _of_device(runs, device, margin, accuracy_margin)
        elif device == "gpu":
            found.append(NotMeasured(subject="device", device=device))
    times = [s for s in found if isinstance(s, TimeRatio)]
    if not times:
        problems = [s for s in found if isinstance(s, Unknown)]
        raise CannotSay(" ".join(s.problem for s in problems))
    found += _on_campaigns(times, rows)
    found += _on_losses(times, runs)
    return Verdict(tuple(found), margin, accuracy_margin, runs)


def _of_device(
    runs: pd.DataFrame, device: str, margin: float, accuracy_margin: float
) -> Iterator[Statement]:
    """Times of each kind of work, then the accuracies."""
    kinds = _kinds(runs[runs["device"] == device])
    accuracies: list[AccuracyGap | Unknown] = []
    for of, part in kinds:
        about = {"device": device, "of": of}
        times = list(_times(part, margin, about))
        yield from times
        if not isinstance(times[0], TimeRatio):
            continue
        try:
            accuracies.append(_accuracy(part, accuracy_margin, about))
        except CannotSay as problem:
            unknown = Unknown(subject="accuracy", problem=str(problem), **about)
            accuracies.append(unknown)
    known = [a for a in accuracies if isinstance(a, AccuracyGap) and a.identical]
    if len(known) == len(kinds):
        # What is true of each kind of work is said once.
        blocks = sum(a.blocks for a in known)
        accuracies = [replace(known[0], blocks=blocks, of="")]
    yield from accuracies


def _times(
    runs: pd.DataFrame, margin: float, about: Mapping[str, str]
) -> Iterator[Statement]:
    """R by both clocks, the control, R inside Python.

    Without a ratio for R's training there is nothing else.
    """
    present = set(runs["arm"])
    for arm in ("r", CONTROL, "rpy2"):
        if arm == CONTROL and arm not in present:
            yield NotMeasured(subject="control", **about)
        if arm != "r" and arm not in present:
            continue
        for column in PHASES:
            try:
                yield _time_ratio(runs, arm, column, margin, about)
            except CannotSay as problem:
                subject = PHASES[column]
                yield Unknown(subject=subject, arm=arm, problem=str(problem), **about)
                if (arm, column) == ("r", "fit_seconds"):
                    return


def _time_ratio(
    runs: pd.DataFrame, arm: str, column: str, margin: float, about: Mapping[str, str]
) -> TimeRatio:
    pairs = complete_pairs(runs, column, arm, device=about["device"])
    samples, parts, problems = [], [], []
    left_out = list(pairs.left_out)
    for campaign, table in pairs.table.groupby("campaign"):
        try:
            logs = log_ratios(table["value"], table["against"])
        except CannotSay as problem:
            problems.append(problem)
            left_out.append(f"campaign {campaign}, because t{str(problem)[1:-1]}")
            continue
        samples.append(logs)
        parts.append(Part(str(campaign), len(logs), Mean.of(logs).ratio()))
    if not samples:
        raise problems[0]
    pooled = pool(samples)
    log_margin = math.log1p(margin)
    values = {
        **about,
        "arm": arm,
        "column": column,
        "pool": pooled,
        "margin": margin,
        "interval": pooled.ratio(),
        "parts": tuple(parts),
        "p_different": pooled.p_different,
        "p_apart": pooled.p_apart(log_margin),
        "outcome": named(pooled.outcome(log_margin), SLOWER, FASTER),
        "surely": pooled.beyond(log_margin),
        "left_out": tuple(left_out),
    }
    if arm == CONTROL:
        biased = deviating(parts) if len(parts) > 1 else ()
        return Control(subject="control", deviating=biased, **values)
    return TimeRatio(subject=PHASES[column], **values)


def _accuracy(
    runs: pd.DataFrame, margin: float, about: Mapping[str, str]
) -> AccuracyGap:
    pairs = complete_pairs(runs, TEST_ACCURACY, "r", device=about["device"])
    gaps = pd.Series(pairs.value - pairs.against)
    values = {"subject": "accuracy", "margin": margin, "blocks": len(gaps), **about}
    if not gaps.any():
        nothing = Interval(0.0, 0.0, 0.0)
        return AccuracyGap(
            identical=True, interval=nothing, outcome=SAME, surely=False, **values
        )
    # As with times: blocks of one campaign, or campaigns that count once.
    means = gaps.groupby(pairs.table["campaign"]).mean()
    of, what = (means, "campaigns") if len(means) > 1 else (gaps, "pairs of runs")
    if len(of) < 2:
        raise CannotSay("There is one pair of runs, and its two halves differ.")
    if without_scatter(of):
        raise CannotSay(
            f"The difference is {of.iloc[0]:g} in all {len(of)} {what}, without any "
            "scatter."
        )
    mean = Mean.of(of)
    return AccuracyGap(
        identical=False,
        interval=mean.interval(),
        outcome=named(mean.outcome(margin), HIGHER, LOWER),
        surely=mean.beyond(margin),
        **values,
    )


# --- kinds of work, campaigns, failures


def _kinds(runs: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The runs of each kind of work, with the names of its campaigns.

    The names are "" if there is only one kind. First comes the work of most
    machines; if level, that of most blocks.
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
        kinds.append((size, listed(names), part))
    return [kind[1:] for kind in sorted(kinds, key=lambda kind: kind[0])[::-1]]


def _work(runs: pd.DataFrame) -> pd.Series:
    """What was trained, for each run."""
    if "work" in runs:
        return runs["work"].astype(str)
    if "epochs" in runs:
        return runs["epochs"].astype(str) + " epochs"
    return pd.Series("", index=runs.index)


def _on_campaigns(times: list[TimeRatio], rows: pd.DataFrame) -> Iterator[Statement]:
    """How many campaigns and machines there are, and whether they agree."""
    of_r = [f for f in times if f.arm == "r"]
    heads = [f for f in of_r if f.column == "fit_seconds"]
    if any(f.of for f in heads):
        yield KindsOfWork(subject="campaigns", kinds=tuple(_works(heads, rows)))
    machine = rows["machine"] if "machine" in rows else rows["campaign"]
    for f in heads:
        names = tuple(part.campaign for part in f.parts)
        yield Campaigns(
            subject="campaigns",
            device=f.device,
            of=f.of,
            names=names,
            machines=machine[rows["campaign"].isin(names)].nunique(),
        )
    for f in of_r:
        differ = f.pool.p < 1 - LEVEL
        if differ or f.pool.narrow:
            ratios = [part.interval.estimate for part in f.parts]
            yield Agreement(
                subject=PHASES[f.column],
                device=f.device,
                of=f.of,
                count=len(ratios),
                low=min(ratios),
                high=max(ratios),
                differ=differ,
            )


def _works(heads: list[TimeRatio], rows: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Campaigns, and what sets their work apart from that of the others."""
    found: dict[str, str] = {}
    for f in heads:
        one = rows[rows["campaign"] == f.parts[0].campaign]
        # Two devices may have done the same work.
        names = f.of or listed([part.campaign for part in f.parts])
        found.setdefault(_work(one).iloc[0], names)
    shared = set.intersection(*(set(work.split("; ")) for work in found))
    for work, names in found.items():
        yield names, ", ".join(x for x in work.split("; ") if x not in shared)


def _on_losses(times: list[TimeRatio], runs: pd.DataFrame) -> Iterator[Statement]:
    lost = failed(runs)
    if len(lost):
        counts = tuple((arm, state, int(n)) for (arm, state), n in lost.items())
        yield Failures(subject="runs", counts=counts, runs=len(runs))
    left_out = [
        LeftOut(subject="runs", device=f.device, of=f.of, what=what)
        for f in times
        for what in f.left_out
    ]
    yield from dict.fromkeys(left_out)


def from_r(columns: Mapping[str, Any], **margins: float) -> dict[str, Any]:
    """R's `verdict()`: the table as a dict of columns, plain values back."""
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
                "ratio": f.interval.estimate,
                "low": f.interval.low,
                "high": f.interval.high,
                "outcome": f.outcome,
            }
            for f in found.findings
        ],
    }
