"""What the measurements say: a list of statements that changes with the data.

R's `verdict()` calls this one, so that both languages say the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from .estimates import ACCURACY_MARGIN, LEVEL, MARGIN, CannotSay, Mean, pool
from .figure import draw
from .pairs import (
    PHASES,
    TEST_ACCURACY,
    complete_pairs,
    from_columns,
    log_ratios,
    measured,
    plain_words,
)
from .statements import (
    CONTROL,
    NAMES,
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
    listed,
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
    def warnings_first(self) -> list[Statement]:
        return sorted(self.statements, key=lambda s: not s.warning)

    @property
    def sentences(self) -> tuple[str, ...]:
        """Each statement in words, the warnings first."""
        return tuple(statement.words() for statement in self.warnings_first)

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
            If there is none.
        """
        for found in self.findings:
            campaigns = [None, *(part.campaign for part in found.parts)]
            wanted = (found.arm, found.column, found.device) == (arm, column, device)
            if wanted and campaign in campaigns:
                return found
        raise CannotSay(
            f"There is no result for {arm}, {column}, {device}, {campaign or 'any'}; "
            "`findings` lists what there is."
        )

    @property
    def answer(self) -> str:
        """The warnings, R's times and the accuracy: what a figure cannot show."""
        return " ".join(
            s.words()
            for s in self.warnings_first
            if s.warning
            or isinstance(s, AccuracyGap | NotMeasured)
            or (isinstance(s, TimeRatio) and s.arm == "r")
        )

    @property
    def alt_text(self) -> str:
        """What the figure shows, in words."""
        drawn = "; ".join(
            f"{NAMES[f.arm]}, {f.phase}{', ' + f.of if f.of else ''}: "
            f"{as_ratio(f.interval)}"
            for f in self.findings
        )
        return (
            "Intervals of the ratio to Python's time beside the margin that does "
            f"not matter, and every run as a point. {drawn}."
        )

    def figure(self, width: float = 8.27, height: float = 11.69):
        """One page: the answer, the intervals and every run.

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

    Campaigns of the same `work` are pooled, each counting once. Those of
    other work are another question, and get an answer of their own.

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
            of_device = rows[rows["device"] == device]
            found += _of_device(of_device, device, margin, accuracy_margin)
        elif device == "gpu":
            found.append(NotMeasured(device=device))
    times = [s for s in found if isinstance(s, TimeRatio)]
    if not times:
        problems = [s.problem for s in found if isinstance(s, Unknown)]
        raise CannotSay(" ".join(problems))
    found += _on_campaigns([f for f in times if f.arm == "r"], rows)
    # A crash is a crash, in the warm-up block too.
    lost = runs[runs["state"] != "ok"].groupby(["arm", "state"]).size()
    if len(lost):
        counts = tuple((arm, state, int(n)) for (arm, state), n in lost.items())
        found.append(Failures(counts=counts, runs=len(runs)))
    left_out = [
        LeftOut(device=f.device, of=f.of, what=what)
        for f in times
        for what in f.left_out
    ]
    found += dict.fromkeys(left_out)
    return Verdict(tuple(found), margin, accuracy_margin, runs)


def _of_device(
    rows: pd.DataFrame, device: str, margin: float, accuracy_margin: float
) -> Iterator[Statement]:
    """Times of each kind of work, then the accuracies."""
    kinds = _kinds(rows)
    accuracies: list[AccuracyGap | Unknown] = []
    for of, part in kinds:
        about = {"device": device, "of": of}
        times = list(_times(part, margin, about))
        yield from times
        if isinstance(times[0], TimeRatio):
            accuracies.append(_accuracy(part, accuracy_margin, about))
    same = [a for a in accuracies if isinstance(a, AccuracyGap) and a.gap is None]
    if len(same) == len(kinds):
        # What is true of each kind of work is said once.
        accuracies = [replace(same[0], blocks=sum(a.blocks for a in same), of="")]
    yield from accuracies


def _kinds(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The runs of each kind of work, with the names of its campaigns.

    The names are "" if there is only one kind. First comes the work of most
    machines; if level, that of most blocks.
    """
    kinds = []
    for _, part in rows.groupby("work"):
        names = sorted(set(part["campaign"]))
        done = (part["state"] == "ok") & (part["arm"] == "r")
        size = (part["machine"].nunique(), done.sum(), names[-1])
        kinds.append((size, listed(names), part))
    kinds.sort(key=lambda kind: kind[0], reverse=True)
    return [(names if len(kinds) > 1 else "", part) for _, names, part in kinds]


def _times(
    rows: pd.DataFrame, margin: float, about: Mapping[str, str]
) -> Iterator[Statement]:
    """R by both clocks, the control, R inside Python.

    Without a ratio for R's training there is nothing else.
    """
    present = set(rows["arm"])
    for arm in ("r", CONTROL, "rpy2"):
        if arm == CONTROL and arm not in present:
            yield NotMeasured(control=True, **about)
        if arm != "r" and arm not in present:
            continue
        for column in PHASES:
            try:
                yield _time_ratio(rows, arm, column, margin, about)
            except CannotSay as problem:
                what = f"{NAMES[arm]}, {PHASES[column]}"
                yield Unknown(what=what, problem=str(problem), **about)
                if (arm, column) == ("r", "fit_seconds"):
                    return


def _time_ratio(
    rows: pd.DataFrame, arm: str, column: str, margin: float, about: Mapping[str, str]
) -> TimeRatio:
    pairs, tried = complete_pairs(rows, column, arm)
    samples, parts, problems, left_out = [], [], [], []
    if lost := tried - len(pairs):
        left_out.append(
            f"{lost} of {tried} blocks without a complete pair of {arm} and python"
        )
    for campaign, table in pairs.groupby("campaign"):
        logs = log_ratios(table)
        try:
            parts.append(Part(campaign, Mean.of(logs)))
        except CannotSay as problem:
            problems.append(problem)
            left_out.append(f"campaign {campaign} ({problem})")
        else:
            samples.append(logs)
    if not samples:
        raise problems[0]
    kind = Control if arm == CONTROL else TimeRatio
    return kind(
        arm=arm,
        column=column,
        pool=pool(samples),
        margin=margin,
        parts=tuple(parts),
        left_out=tuple(left_out),
        **about,
    )


def _accuracy(
    rows: pd.DataFrame, margin: float, about: Mapping[str, str]
) -> AccuracyGap | Unknown:
    try:
        pairs, _ = complete_pairs(rows, TEST_ACCURACY)
        gaps = pairs["value"] - pairs["against"]
        gap = None
        if gaps.any():
            # As with times: blocks of one campaign, or campaigns that count once.
            means = gaps.groupby(pairs["campaign"]).mean()
            many = len(means) > 1
            gap = Mean.of(means, "campaign") if many else Mean.of(gaps)
    except CannotSay as problem:
        return Unknown(what=TEST_ACCURACY, problem=str(problem), **about)
    return AccuracyGap(blocks=len(gaps), margin=margin, gap=gap, **about)


def _on_campaigns(of_r: list[TimeRatio], rows: pd.DataFrame) -> Iterator[Statement]:
    """How many campaigns and machines there are, and whether they agree."""
    heads = [f for f in of_r if f.column == "fit_seconds"]
    if any(f.of for f in heads):
        yield KindsOfWork(kinds=tuple(_works(heads, rows)))
    for f in heads:
        names = tuple(part.campaign for part in f.parts)
        machines = rows.loc[rows["campaign"].isin(names), "machine"].nunique()
        yield Campaigns(device=f.device, of=f.of, names=names, machines=machines)
    for f in of_r:
        differ = f.pool.p < 1 - LEVEL
        if differ or f.pool.narrow:
            yield Agreement(
                device=f.device,
                of=f.of,
                column=f.column,
                count=len(f.parts),
                low=min(f.ratios),
                high=max(f.ratios),
                differ=differ,
            )


def _works(heads: list[TimeRatio], rows: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Campaigns, and what sets their work apart from that of the others."""
    found: dict[str, str] = {}
    for f in heads:
        work = rows.loc[rows["campaign"] == f.parts[0].campaign, "work"].iloc[0]
        # Two devices may have done the same work.
        found.setdefault(work, f.of or listed([part.campaign for part in f.parts]))
    shared = set.intersection(*(set(work.split("; ")) for work in found))
    for work, names in found.items():
        yield names, ", ".join(x for x in work.split("; ") if x not in shared)


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
