"""What the measurements say: a list of statements, computed from the data.

R's `verdict()` calls the one here, so that both languages say the same.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from ..common.errors import printable
from ..timing.format import COMPLETE, DEVICES, LEAST_BLOCKS, MORE_BLOCKS
from .estimates import ACCURACY_MARGIN, MARGIN, CannotSay, Mean, pool
from .figure import draw
from .pairs import (
    CONTROL,
    NAMES,
    PHASES,
    RESOURCES,
    TEST_ACCURACY,
    checked,
    complete_pairs,
    from_columns,
    log_ratios,
)
from .statements import (
    MOST_NAMES,
    AccuracyGap,
    Campaigns,
    Control,
    Ended,
    Failures,
    LeftOut,
    OtherTraining,
    Part,
    Resource,
    ResourceRatio,
    Statement,
    TimeRatio,
    Unknown,
    as_ratio,
    listed,
)

LEAST_MARGIN = 1e-4
"""No experiment of this kind could show that a difference is smaller."""


@dataclass(frozen=True)
class Verdict:
    """The answer, statement by statement.

    The CPU comes before the GPU. On each device the kinds of work are in this
    order: photographs, then the work of most machines, then the work with most
    blocks. The primary question is R's training on the first of them, whatever the
    results are. `print(verdict)` shows everything as a paragraph, `figure()` draws
    it on a page, and `write_report()` writes a report.
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
        """Each statement in words. Warnings come first."""
        return tuple(statement.words() for statement in self.warnings_first)

    @property
    def text(self) -> str:
        """All sentences as one paragraph."""
        return " ".join(self.sentences)

    def __str__(self) -> str:
        return self.text

    @property
    def times(self) -> tuple[TimeRatio, ...]:
        """The ratios of times."""
        return tuple(s for s in self.statements if isinstance(s, TimeRatio))

    @property
    def resources(self) -> tuple[Resource, ...]:
        """R's processor time and peak memory."""
        return tuple(s for s in self.statements if isinstance(s, Resource))

    @property
    def findings(self) -> tuple[TimeRatio, ...]:
        """All ratios: those of times, then those of processor time and memory."""
        return (*self.times, *(f for s in self.resources for f in s.ratios))

    @property
    def primary(self) -> TimeRatio | Unknown:
        """The answer to the primary question, or why there is none."""
        return next(s for s in self.statements if getattr(s, "primary", False))

    @property
    def biased(self) -> bool:
        """Whether Python differs from itself, which it should not."""
        return any(f.biased for f in self.times if isinstance(f, Control))

    def finding(
        self,
        arm: str = "r",
        column: str = "fit_seconds",
        device: str = "cpu",
        campaign: str | None = None,
    ) -> TimeRatio:
        """The first finding for these arguments.

        `column` is one of `PHASES` or `RESOURCES`, such as "peak_memory_mb".
        `device` is "cpu" or "gpu", in small or in capital letters.

        Raises
        ------
        CannotSay
            If no finding fits.
        """
        wanted = arm, column, str(device).lower()
        for f in self.findings:
            campaigns = [None, *(part.campaign for part in f.parts)]
            if (f.arm, f.column, f.device) == wanted and campaign in campaigns:
                return f
        raise CannotSay(
            f"There is no result for {arm}, {column}, {device}, "
            f"{campaign or 'any campaign'}; `findings` lists what there is."
        )

    @property
    def table(self) -> pd.DataFrame:
        """One row for each finding, for R and for the report."""
        return pd.DataFrame(
            {
                "arm": f.arm,
                "device": f.device,
                "campaigns": ", ".join(part.campaign for part in f.parts),
                "phase": (PHASES | RESOURCES)[f.column],
                "blocks": f.blocks,
                "ratio": f.interval.estimate,
                "low": f.interval.low,
                "high": f.interval.high,
                "low_90": f.narrower.low,
                "high_90": f.narrower.high,
                "primary": f.primary,
                "p": f.pool.p_different,
                "p_different": f.p_different,
                "p_apart": f.p_apart,
                "p_beyond": f.p_beyond,
                "outcome": f.outcome,
            }
            for f in self.findings
        )

    @property
    def answer(self) -> str:
        """The text above the figure: warnings, R's times, accuracies.

        If there are many questions, the page has room only for the primary one.
        """
        of_r = [f for f in self.times if f.arm == "r"]
        told = [
            *of_r,
            *(s for s in self.statements if isinstance(s, AccuracyGap | Unknown)),
        ]
        if len(of_r) > MOST_NAMES:
            told = [self.primary]
        return " ".join(
            s.words() for s in self.warnings_first if s.warning or s in told
        )

    @property
    def alt_text(self) -> str:
        """What the figure shows, for people who cannot see it."""
        drawn = "; ".join(
            f"{NAMES[f.arm]}, {f.phase}{', ' + f.of if f.of else ''}: "
            f"{as_ratio(f.interval)}"
            for f in self.times
        )
        return (
            "The upper part shows intervals of the time divided by Python's, and the "
            "margin of differences that do not matter. The lower part shows every run "
            f"as a point. {drawn}."
        )

    def figure(self, width: float = 8.27, height: float = 11.69):
        """One page: the answer, the intervals and every run.

        Returns
        -------
        A matplotlib figure, made with pyplot. Sizes are in inches; A4 by default.
        """
        return draw(self, width, height)


def verdict(
    runs: pd.DataFrame,
    margin: float = MARGIN,
    accuracy_margin: float = ACCURACY_MARGIN,
) -> Verdict:
    """Does the language change the time? The accuracy? Does it matter?

    Campaigns of the same `work` are pooled, and each counts once. Campaigns of
    other work are another question, with its own answer.

    Parameters
    ----------
    runs
        One row per run, of one campaign or of several, as returned by
        `sidebyside.timing.load_campaigns()`.
    margin
        Ratios of times between 1 / (1 + margin) and 1 + margin do not matter.
    accuracy_margin
        Differences of test accuracies up to this share do not matter.

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
    found: list[Statement] = []
    for about, part in _questions(runs):
        ratios = list(_times(part, margin, about))
        accuracy = _accuracy(part, accuracy_margin, about)
        found += ratios
        # Without a ratio, the times already say what is missing.
        if isinstance(accuracy, AccuracyGap) or isinstance(ratios[0], TimeRatio):
            found.append(accuracy)
    times = [s for s in found if isinstance(s, TimeRatio)]
    if not times:
        raise _no_answer(runs, [s.problem for s in found if isinstance(s, Unknown)])
    found = _together(corrected(found))
    if "gpu" not in set(runs["device"]):
        problem = "nothing was measured there."
        found.append(Unknown(device="gpu", what="R", problem=problem))
    found += _campaigns(times, runs)
    # A crash in the warm-up block counts as well.
    bad = runs[~runs["state"].isin(COMPLETE)].groupby(["arm", "state"]).size()
    if len(bad):
        counts = tuple((arm, state, int(n)) for (arm, state), n in bad.items())
        found.append(Failures(counts=counts, runs=len(runs)))
    # Both clocks may lack the same blocks: say so once.
    found = dict.fromkeys([*_other_training(runs), *found, *_endings(runs)])
    return Verdict(tuple(found), margin, accuracy_margin, runs)


def _no_answer(runs: pd.DataFrame, problems: Sequence[str]) -> CannotSay:
    """The error for runs without any ratio: possible reasons, and what is missing."""
    known = [*_other_training(runs), *_endings(runs)]
    told = [s.plain() for s in known if s.warning]
    return CannotSay(" ".join(dict.fromkeys([*told, *problems])))


def _questions(rows: pd.DataFrame) -> Iterator[tuple[dict[str, str], pd.DataFrame]]:
    """For each kind of work, in order: device and campaigns, and the runs."""
    for device in DEVICES:
        kinds = [x for _, x in rows[rows["device"] == device].groupby("work")]
        kinds.sort(key=_rank, reverse=True)
        for part in kinds:
            of = listed(sorted(set(part["campaign"]))) if len(kinds) > 1 else ""
            yield {"device": device, "of": of}, part


def _rank(rows: pd.DataFrame) -> tuple[bool, int, int, str]:
    """Photographs, then the work of most machines, then that with most blocks."""
    blocks = rows.groupby(["campaign", "block"]).ngroups
    machines = rows["machine"].nunique()
    return _on_photographs(rows), machines, blocks, rows["campaign"].max()


def _on_photographs(rows: pd.DataFrame) -> bool:
    """Whether this is the kind of work that the primary question is about."""
    return "photographs" in rows["work"].iloc[0]


def _times(
    rows: pd.DataFrame, margin: float, about: Mapping[str, str]
) -> Iterator[Statement]:
    """R, the control and R inside Python, each by both clocks, and R's resources.

    Without a ratio for R's training, nothing else follows.
    """
    present = set(rows["arm"])
    for arm in ("r", CONTROL, "rpy2"):
        if arm == CONTROL and arm not in present:
            problem = (
                "Python was not measured against itself, so nothing shows whether the "
                "experiment is fair."
            )
            yield Unknown(what="the control", problem=problem, **about)
        if arm != "r" and arm not in present:
            continue
        for column, name in (PHASES | (RESOURCES if arm == "r" else {})).items():
            try:
                yield from _time_ratio(rows, arm, column, margin, about)
            except CannotSay as problem:
                what = f"{NAMES[arm]}, {name}"
                yield Unknown(what=what, problem=str(problem), **about)
                if (arm, column) == ("r", "fit_seconds"):
                    return


def _time_ratio(
    rows: pd.DataFrame, arm: str, column: str, margin: float, about: Mapping[str, str]
) -> Iterator[TimeRatio | LeftOut]:
    """A ratio, and the blocks or campaigns that were not used for it."""
    pairs, left_out = complete_pairs(rows, column, arm)
    samples, parts = [], []
    problems: dict[str, list[str]] = {}
    for campaign, table in pairs.groupby("campaign"):
        logs = log_ratios(table)
        try:
            parts.append(Part(campaign, Mean.of(logs), len(logs)))
            samples.append(logs)
        except CannotSay as problem:
            problems.setdefault(str(problem), []).append(campaign)
    if not samples:
        raise CannotSay(" ".join(problems))
    left_out += [f"{', '.join(x)} ({problem})" for problem, x in problems.items()]
    machine = rows.drop_duplicates("campaign").set_index("campaign")["machine"]
    pooled = pool(samples, [machine[part.campaign] for part in parts])
    kind = Control if arm == CONTROL else TimeRatio
    kind = ResourceRatio if column in RESOURCES else kind
    known = {"arm": arm, "column": column, "parts": tuple(parts), **about}
    yield kind.of_pool(pooled, margin, **known)
    for what in left_out:
        yield LeftOut(what=what, **about)


def corrected(found: Sequence[Statement]) -> list[Statement]:
    """The statements: the first is the primary question, all others are corrected.

    Holm's method corrects three kinds of families: the ratios of one arm; for all
    of R's ratios, whether the campaigns agree; the accuracies.
    """
    found = [replace(found[0], primary=True), *found[1:]]
    ratios = [i for i, s in enumerate(found) if isinstance(s, TimeRatio)]
    gaps = [i for i, s in enumerate(found) if isinstance(s, AccuracyGap) and s.gap]
    pools = [i for i in ratios if found[i].arm == "r" and len(found[i].parts) > 1]
    families = [(["p_alike"], pools), (["p_apart", "p_beyond"], gaps)]
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


def _together(found: Sequence[Statement]) -> list[Statement]:
    """The statements, with one for all ratios of a resource on a device, at the end."""
    rest, by_resource = [], {}
    for s in found:
        if isinstance(s, ResourceRatio):
            by_resource.setdefault((s.device, s.column), []).append(s)
        else:
            rest.append(s)
    for (device, _), ratios in by_resource.items():
        rest.append(Resource(device=device, ratios=tuple(ratios)))
    return rest


def _holm(p: Sequence[float]) -> list[float]:
    """P values corrected by Holm's method (Scandinavian Journal of Statistics 6,
    1979, 65-70). The function of statsmodels takes a second, as it collects garbage.
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
        tried = rows[rows["block"] > 0].groupby(["campaign", "block"]).ngroups
        known = {"blocks": len(gaps), "tried": tried, "margin": margin, **about}
        if not gaps.any():
            return AccuracyGap(gap=None, **known)
        # As with times: the blocks of one campaign, or campaigns that count once.
        means = gaps.groupby(pairs["campaign"]).mean()
        gaps, what = (means, "campaign") if len(means) > 1 else (gaps, "block")
        if len(gaps) > 1 and np.ptp(gaps) < 1e-12:
            # Accuracies count pictures, so all gaps may be the same.
            gap = Mean(float(gaps.mean()), 1e-12, len(gaps) - 1)
        else:
            gap = Mean.of(gaps, what)
    except CannotSay as problem:
        return Unknown(what=TEST_ACCURACY, problem=str(problem), **about)
    p_values = {"p_apart": gap.p_apart(margin), "p_beyond": gap.p_beyond(margin)}
    return AccuracyGap(gap=gap, **p_values, **known)


def _campaigns(times: Sequence[TimeRatio], rows: pd.DataFrame) -> Iterator[Campaigns]:
    """The campaigns and machines that R's training times come from."""
    for f in times:
        if (f.arm, f.column) == ("r", "fit_seconds"):
            names = tuple(part.campaign for part in f.parts)
            of_f = rows[rows["campaign"].isin(names)]
            yield Campaigns(
                device=f.device,
                of=f.of,
                names=names,
                machines=of_f["machine"].nunique(),
                work=of_f["work"].iloc[0] if f.of else "",
            )


def _endings(runs: pd.DataFrame) -> Iterator[Ended]:
    """Campaigns that did not end with the last block of their plan."""
    told: dict[str, list[tuple[str, int, int]]] = {}
    for campaign, part in runs.groupby("campaign", sort=False):
        done = part[(part["block"] > 0) & (part["state"] != "interrupted")]
        arms = done.groupby("block")["arm"].nunique()
        blocks = int((arms == part["arm"].nunique()).sum())
        planned = int(np.nan_to_num(part["planned"].max()))
        planned = planned if planned >= blocks else 0
        how = part["ended"].iloc[-1]
        if how == "precision" and blocks < LEAST_BLOCKS + MORE_BLOCKS:
            how = "early precision"
        told.setdefault(how, []).append((campaign, blocks, planned))
    for how, campaigns in told.items():
        if how and how != "planned":
            yield Ended(how=how, campaigns=tuple(campaigns))


def _other_training(runs: pd.DataFrame) -> Iterator[OtherTraining]:
    for (device, arm), part in runs.groupby(["device", "arm"]):
        other = part[part["state"] == "wrong-loss"]
        if len(other):
            names = tuple(other["campaign"].unique())
            about = {"device": device, "arm": arm, "campaigns": names}
            yield OtherTraining(count=len(other), runs=len(part), **about)


def main_campaigns(runs: pd.DataFrame) -> dict[str, str]:
    """For each device, the campaign with the most complete pairs of R and Python.

    Campaigns on photographs come before all others, because the primary question is
    about them. If two have equally many pairs, the last in alphabetical order is
    taken. Notebook 06 uses these campaigns wherever it looks at one campaign. A
    warning says if one of them is not finished.

    Raises
    ------
    CannotSay
        If no campaign has two pairs.
    """
    runs = checked(runs)
    found: dict[str, tuple[bool, int, str]] = {}
    problems = []
    for (device, name), part in runs.groupby(["device", "campaign"]):
        try:
            pairs = complete_pairs(part).table
            Mean.of(log_ratios(pairs))
        except CannotSay as problem:
            problems.append(str(problem))
            continue
        this = _on_photographs(part), len(pairs), name
        found[device] = max(found.get(device, this), this)
    if not found:
        raise _no_answer(runs, problems)
    names = {device: name for device, (*_, name) in found.items()}
    for ended in _endings(runs[runs["campaign"].isin(names.values())]):
        if ended.warning:
            warnings.warn(ended.plain(), stacklevel=2)
    return names


def from_r(columns: Mapping[str, Any], **margins: float) -> dict[str, Any]:
    """Python's part of R's `verdict()`: takes columns, returns plain values."""
    found = verdict(from_columns(columns), **margins)
    return {
        "text": found.text,
        "sentences": list(found.sentences),
        "biased": found.biased,
        "findings": found.table.to_dict("list"),
    }
