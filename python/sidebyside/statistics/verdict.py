"""What the measurements say: a list of statements that changes with the data.

R's `verdict()` calls this one, so that both languages say the same.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from ..common.errors import printable
from ..timing.format import COMPLETE, DEVICES
from .estimates import ACCURACY_MARGIN, MARGIN, CannotSay, Mean, pool
from .figure import draw
from .pairs import (
    CONTROL,
    NAMES,
    PHASES,
    TEST_ACCURACY,
    checked,
    complete_pairs,
    from_columns,
    log_ratios,
    measured,
)
from .statements import (
    ALPHA,
    AccuracyGap,
    Agreement,
    Campaigns,
    Control,
    Ended,
    Failures,
    KindsOfWork,
    LeftOut,
    Neighbours,
    NotMeasured,
    OtherTraining,
    Part,
    Statement,
    TimeRatio,
    Unknown,
    as_ratio,
    listed,
)

LEAST_MARGIN = 1e-4
"""Nobody can show that a difference is smaller."""


@dataclass(frozen=True)
class Verdict:
    """The answer, statement by statement.

    Devices are in order, and on each device the kinds of work: photographs
    first, then what most machines did, or else what has most blocks. The first
    ratio of R's training is the primary question, whatever the results are.
    `print(verdict)` shows all of it as a paragraph, `figure()` draws it on a
    page, and `write_report()` makes a report of it.
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
    def primary(self) -> TimeRatio:
        """The ratio that answers the primary question."""
        return next(f for f in self.findings if f.primary)

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

        `device` is "cpu" or "gpu", in small or in capital letters.

        Raises
        ------
        CannotSay
            If there is none.
        """
        for found in self.findings:
            campaigns = [None, *(part.campaign for part in found.parts)]
            wanted = (found.arm, found.column, found.device) == (
                arm,
                column,
                str(device).lower(),
            )
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
    for name, share in (("margin", margin), ("accuracy_margin", accuracy_margin)):
        if not isinstance(share, Real) or not LEAST_MARGIN <= share < 1:
            raise CannotSay(
                f"The {name} is {printable(repr(share), 60)}, expected a share between "
                f"0 and 1 (and at least {LEAST_MARGIN:g}), such as 0.03 for 3 %."
            )
    runs = checked(runs)
    rows = measured(runs)
    found: list[Statement] = []
    for device in DEVICES:
        of_device = rows[rows["device"] == device]
        if len(of_device):
            found += _of_device(of_device, device, margin, accuracy_margin)
        elif device == "gpu":
            found.append(NotMeasured(device=device))
    found = _corrected(found)
    times = [s for s in found if isinstance(s, TimeRatio)]
    if not times:
        problems = [s.problem for s in found if isinstance(s, Unknown)]
        raise CannotSay(" ".join(dict.fromkeys(problems)))
    found += _on_campaigns(times, rows)
    # A crash is a crash, in the warm-up block too.
    bad = runs[~runs["state"].isin(COMPLETE)].groupby(["arm", "state"]).size()
    if len(bad):
        counts = tuple((arm, state, int(n)) for (arm, state), n in bad.items())
        found.append(Failures(counts=counts, runs=len(runs)))
    left_out = [
        LeftOut(device=f.device, of=f.of, what=what)
        for f in times
        for what in f.left_out
    ]
    found += [*_endings(runs), *dict.fromkeys(left_out)]
    return Verdict((*_other_training(runs), *found), margin, accuracy_margin, runs)


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
        accuracy = _accuracy(part, accuracy_margin, about)
        # What it lacks, the times lack too.
        if isinstance(accuracy, AccuracyGap) or isinstance(times[0], TimeRatio):
            accuracies.append(accuracy)
    same = [a for a in accuracies if isinstance(a, AccuracyGap) and a.gap is None]
    if len(same) == len(kinds):
        # What is true of each kind of work is said once.
        accuracies = [replace(same[0], blocks=sum(a.blocks for a in same), of="")]
    yield from accuracies


def _kinds(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The runs of each kind of work, with the names of its campaigns.

    The names are "" if there is only one kind. First come photographs, then
    the work of most machines; if level, that of most blocks.
    """
    kinds = []
    for work, part in rows.groupby("work"):
        names = sorted(set(part["campaign"]))
        blocks = len(part[["campaign", "block"]].drop_duplicates())
        size = (part["machine"].nunique(), blocks, names[-1])
        kinds.append((("photographs" in work, *size), listed(names), part))
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
    pairs, tried, unusable = complete_pairs(rows, column, arm)
    samples, parts, problems, left_out = [], [], [], [*unusable.values()]
    if lost := tried - len(pairs) - len(unusable):
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
    machine = rows.drop_duplicates("campaign").set_index("campaign")["machine"]
    pooled = pool(samples, [machine[part.campaign] for part in parts])
    edge = math.log1p(margin)
    kind = Control if arm == CONTROL else TimeRatio
    return kind(
        arm=arm,
        column=column,
        pool=pooled,
        margin=margin,
        parts=tuple(parts),
        left_out=tuple(left_out),
        p_different=pooled.p_different,
        p_apart=pooled.p_apart(edge),
        p_beyond=pooled.p_beyond(edge),
        p_alike=pooled.p,
        **about,
    )


def _corrected(found: Sequence[Statement]) -> list[Statement]:
    """The same with R's first ratio as the primary question, all else corrected.

    By Holm's method, in families: the ratios of one arm; whether the campaigns
    agree, for all of R's ratios; the accuracies.
    """
    found = list(found)
    ratios = [i for i, s in enumerate(found) if isinstance(s, TimeRatio)]
    of_r = [i for i in ratios if found[i].arm == "r"]
    for i in of_r[:1]:
        found[i] = replace(found[i], primary=True)
    gaps = [i for i, s in enumerate(found) if isinstance(s, AccuracyGap) and s.gap]
    families = [
        (["p_alike"], [i for i in of_r if len(found[i].parts) > 1]),
        (["p_apart"], gaps),
    ]
    for arm in NAMES:
        others = [i for i in ratios if found[i].arm == arm and not found[i].primary]
        families.append((["p_different", "p_apart", "p_beyond"], others))
    for names, family in families:
        for name in names:
            raw = [getattr(found[i], name) for i in family]
            count = {"compared": len(raw)} if name == "p_apart" else {}
            for i, p in zip(family, _holm(raw), strict=True):
                found[i] = replace(found[i], **{name: p}, **count)
    return found


def _holm(p: Sequence[float]) -> list[float]:
    """P values corrected by Holm's method (Scandinavian Journal of Statistics 6,
    1979, 65-70). That of statsmodels collects garbage each time, for a second.
    """
    order = np.argsort(p)
    steps = np.maximum.accumulate(np.arange(len(p), 0, -1) * np.take(p, order))
    return np.minimum(steps, 1)[np.argsort(order)].tolist()


def _accuracy(
    rows: pd.DataFrame, margin: float, about: Mapping[str, str]
) -> AccuracyGap | Unknown:
    try:
        pairs = complete_pairs(rows, TEST_ACCURACY).table
        gaps = pairs["value"] - pairs["against"]
        gap = None
        if gaps.any():
            # As with times: blocks of one campaign, or campaigns that count once.
            means = gaps.groupby(pairs["campaign"]).mean()
            many = len(means) > 1
            gap = Mean.of(means, "campaign") if many else Mean.of(gaps)
    except CannotSay as problem:
        return Unknown(what=TEST_ACCURACY, problem=str(problem), **about)
    p_apart = gap.p_apart(margin) if gap else 0.0
    return AccuracyGap(
        blocks=len(gaps), margin=margin, gap=gap, p_apart=p_apart, **about
    )


def _on_campaigns(times: list[TimeRatio], rows: pd.DataFrame) -> Iterator[Statement]:
    """How many campaigns and machines there are, and whether they agree."""
    of_r = [f for f in times if f.arm == "r"]
    heads = [f for f in of_r if f.column == "fit_seconds"]
    if any(f.of for f in heads):
        yield KindsOfWork(kinds=tuple(_works(heads, rows)))
    for f in heads:
        names = tuple(part.campaign for part in f.parts)
        machines = rows.loc[rows["campaign"].isin(names), "machine"].nunique()
        yield Campaigns(device=f.device, of=f.of, names=names, machines=machines)
    for f in of_r:
        differ = f.p_alike < ALPHA
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
    alike: dict[tuple[str, str], list[tuple[str, str, float]]] = {}
    for f in times:
        # A pool's interval is not that of its blocks.
        if len(f.parts) == 1 and f.pool.widened:
            found = (f.arm, f.column, f.pool.correlation)
            alike.setdefault((f.device, f.of), []).append(found)
    for (device, of), found in alike.items():
        yield Neighbours(device=device, of=of, found=tuple(found))


def _endings(runs: pd.DataFrame) -> Iterator[Ended]:
    """Campaigns that did not end with the last block of their plan."""
    if "ended" not in runs:
        return
    known = "planned" in runs
    for campaign, part in runs.groupby("campaign", sort=False):
        how = part["ended"].iloc[-1]
        if how in ("unfinished", "cut off", "precision"):
            done = part[(part["block"] > 0) & (part["state"] != "interrupted")]
            arms = done.groupby("block")["arm"].nunique()
            yield Ended(
                campaign=campaign,
                how=how,
                blocks=int((arms == part["arm"].nunique()).sum()),
                planned=int(np.nan_to_num(part["planned"].max())) if known else 0,
            )


def _other_training(runs: pd.DataFrame) -> Iterator[OtherTraining]:
    for (device, arm), part in runs.groupby(["device", "arm"]):
        count = int((part["state"] == "wrong-loss").sum())
        if count:
            yield OtherTraining(device=device, arm=arm, count=count, runs=len(part))


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


def main_campaigns(runs: pd.DataFrame) -> dict[str, str]:
    """Device to the campaign with the most complete pairs of R and Python.

    The sections of notebook 06 that look at one campaign look at these. Of
    campaigns with as many pairs it is the last in name.

    Of a campaign that is not finished a warning says so.

    Raises
    ------
    CannotSay
        If no campaign has two pairs.
    """
    found: dict[str, tuple[int, str]] = {}
    problems = []
    rows = measured(runs)
    for (device, name), part in rows.groupby(["device", "campaign"]):
        try:
            pairs = complete_pairs(part).table
            Mean.of(log_ratios(pairs))
        except CannotSay as problem:
            problems.append(problem)
            continue
        found[device] = max(found.get(device, (0, "")), (len(pairs), name))
    if not found:
        raise problems[0]
    names = {device: name for device, (_, name) in found.items()}
    for ended in _endings(rows[rows["campaign"].isin(names.values())]):
        if ended.warning:
            warnings.warn(ended.words().removeprefix("Warning: "), stacklevel=2)
    return names


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
                "primary": f.primary,
                "p": f.pool.p_different,
                "p_different": f.p_different,
                "p_apart": f.p_apart,
                "p_beyond": f.p_beyond,
                "outcome": f.outcome,
            }
            for f in found.findings
        ],
    }
