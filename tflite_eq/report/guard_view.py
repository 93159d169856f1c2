"""The accuracy guard's section of the page: its figures ready to print."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from tflite_eq.report.guard_record import GuardRecord, Sensitivity, Step
from tflite_eq.report.model import Report
from tflite_eq.report.table import short_names
from tflite_eq.targets import Target

# Names in one cell of the table of models; the rest is counted.
_NAMES_SHOWN = 3
# Entries of a ranking that are shown at once; the rest is folded.
_ENTRIES_SHOWN = 12


@dataclasses.dataclass(frozen=True)
class KeptNames:
    """What one model keeps, for one cell.

    Attributes:
        count: How many.
        shown: The first names.
        more: How many others there are.
    """

    count: int
    shown: tuple[str, ...]
    more: int


@dataclasses.dataclass(frozen=True)
class StepView:
    """One model tried.

    Attributes:
        number: From 1, in the order in which they were tried.
        step: The figures.
        chosen: Whether it was taken.
        int8: What keeps 8 bits.
        in_float: What is in float.
        dot: Where the loss lies on the chart's axis, in [0, 100].
        bar: Left end and width of its 95 % interval, on the same axis.
        speedups: One per target shown.
    """

    number: int
    step: Step
    chosen: bool
    int8: KeptNames
    in_float: KeptNames
    dot: float
    bar: tuple[float, float]
    speedups: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Entry:
    """One entry of a ranking.

    Attributes:
        names: Short names.
        noise: Share of the logits' energy.
        part: The same by the largest one, for a bar.
        kept: Whether it is kept.
    """

    names: str
    noise: float
    part: float
    kept: bool


@dataclasses.dataclass(frozen=True)
class RankingView:
    """One ranking.

    Attributes:
        title: What would be kept how.
        kept_as: What the kept ones are, in a word.
        top: The entries shown.
        rest: The entries folded away.
    """

    title: str
    kept_as: str
    top: tuple[Entry, ...]
    rest: tuple[Entry, ...]


@dataclasses.dataclass(frozen=True)
class GuardView:
    """The whole section.

    Attributes:
        record: The figures.
        steps: All models tried.
        bound: Where the bound lies on the axis of the losses, in [0, 100].
        zero: Where no loss lies.
        targets: Names of the CPU families whose speed-ups are shown.
        rankings: Those that were asked for.
    """

    record: GuardRecord
    steps: tuple[StepView, ...]
    bound: float
    zero: float
    targets: tuple[str, ...]
    rankings: tuple[RankingView, ...]


def guard_view(report: Report) -> GuardView | None:
    """The section of a report; ``None`` without a guard."""
    record = report.guard
    if record is None:
        return None
    names = _short([report.layers[i].name for i in range(len(report.layers))], record)
    low = min(0.0, *(_interval(s)[0] for s in record.steps))
    high = max(record.bound, *(_interval(s)[1] for s in record.steps))
    span = max(high - low, 1e-9) * 1.04
    targets = _targets(record, report.summary["config"]["target"])

    def position(points: float) -> float:
        return 100 * (points - low + 0.02 * (high - low)) / span

    steps = tuple(
        StepView(
            number=number,
            step=step,
            chosen=number - 1 == record.chosen,
            int8=_kept(step.kept_int8, names),
            in_float=_kept(step.kept_float, names),
            dot=position(step.drop),
            bar=(position(_interval(step)[0]), 100 * _length(_interval(step)) / span),
            speedups=tuple(t.speedup for t in step.price.targets if t.target in targets),
        )
        for number, step in enumerate(record.steps, start=1)
    )
    rankings = (
        _ranking("What the eighth bit would save", "INT8", record.int8_ranking, names),
        _ranking("What 8 bits cost", "float", record.float_ranking, names),
    )
    return GuardView(
        record=record,
        steps=steps,
        bound=position(record.bound),
        zero=position(0.0),
        targets=targets,
        rankings=tuple(ranking for ranking in rankings if ranking.top),
    )


def _interval(step: Step) -> tuple[float, float]:
    """Ends of what is drawn of one loss, the loss itself always between them."""
    ends = (step.drop, step.loss.low, step.loss.high)
    known = [end for end in ends if end is not None]
    return min(known), max(known)


def _length(interval: tuple[float, float]) -> float:
    return interval[1] - interval[0]


def _short(layers: Sequence[str], record: GuardRecord) -> dict[str, str]:
    """Short names of everything that the record names, scopes cut as in the table of layers."""
    every = dict.fromkeys(layers)
    for step in record.steps:
        every.update(dict.fromkeys((*step.kept_int8, *step.kept_float)))
    for entry in (*record.int8_ranking, *record.float_ranking):
        every.update(dict.fromkeys(entry.names))
    return dict(zip(every, short_names(list(every), length=48)))


def _targets(record: GuardRecord, wanted: str) -> tuple[str, ...]:
    """The model's target, or all that the delegate knows."""
    known = [t.target for t in record.final.price.targets if t.supported]
    if wanted != Target.GENERIC.value:
        known = [name for name in known if name == wanted]
    return tuple(known)


def _kept(names: tuple[str, ...], short: dict[str, str]) -> KeptNames:
    shown = tuple(short[name] for name in names[:_NAMES_SHOWN])
    return KeptNames(len(names), shown, len(names) - len(shown))


def _ranking(
    title: str, kept_as: str, ranking: Sequence[Sensitivity], short: dict[str, str]
) -> RankingView:
    largest = max((entry.noise for entry in ranking), default=0.0)
    entries = tuple(
        Entry(
            ", ".join(short[name] for name in entry.names),
            entry.noise,
            max(entry.noise, 0.0) / max(largest, 1e-300),
            entry.kept,
        )
        for entry in ranking
    )
    return RankingView(title, kept_as, entries[:_ENTRIES_SHOWN], entries[_ENTRIES_SHOWN:])
