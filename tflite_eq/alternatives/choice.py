"""The calibration that is kept: the one asked for, unless something less of it is closer.

The model asked for is measured beside that of min-max scales and beside itself without corrections,
which cost no calibration. Samples that have corrected it flatter it: where that could decide, it is
measured as others of them correct it. Only if one of these is to be preferred, stand-ins that cost
none either tell what should be left out, and the network is calibrated again that way. What it
comes to is measured like the first one, and min-max scales are there if it falls short.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Set

import numpy as np
import numpy.typing as npt

from tflite_eq.alternatives.judges import Judged, Judges
from tflite_eq.alternatives.min_max import is_tflite_default, min_max_config, min_max_record
from tflite_eq.alternatives.options import (
    NEITHER,
    NO_BIAS,
    NO_EQUALIZATION,
    WITH_MIN_MAX,
    less_of,
    may_leave_out_bias,
)
from tflite_eq.alternatives.stand_ins import uncorrected, unequalized
from tflite_eq.alternatives.verdict import Energies, best, falls_below, gains_db, lead_db
from tflite_eq.config import BiasCorrection, Config
from tflite_eq.errors import BackendError
from tflite_eq.graph.model import Graph
from tflite_eq.progress import note
from tflite_eq.record.calibration import Calibration
from tflite_eq.record.comparison import ASKED, MIN_MAX, Comparison
from tflite_eq.statistics.ranges import Interval

# What loses more decibels than this to min-max scales has had scales searched behind the part that
# does harm. Stand-ins, which keep these, tell nothing then.
_GROSS_DB = 3.0


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A finished calibration.

    Attributes:
        record: What it found on all samples.
        observed: Smallest and largest FP32 value over the calibration data by tensor index, in the
            network that it equalized.
        by_fold: Makes the records, one for every fold, whose biases the judging samples have not
            corrected; ``None`` if they have corrected nothing.
    """

    record: Calibration
    observed: Mapping[int, Interval]
    by_fold: Callable[[], Judged] | None = None

    @property
    def judged(self) -> Judged:
        """The records to judge it by without flattering it."""
        return self.by_fold() if self.by_fold else [self.record]


# Errors of a quarter of the signal's energy are half as large as the values.
_DROWNED_DB = 6.0
_MOST_NAMED = 3


def best_of(
    asked: Candidate,
    graph: Graph,
    skipped: Set[int],
    extremes: Mapping[int, Interval],
    judges: Judges,
    calibrated: Callable[[str, Config], Candidate],
) -> Calibration:
    """The calibration to keep, with what it was compared with.

    Args:
        asked: The calibration that was asked for.
        graph: The float network as it was given.
        skipped: Indices of operators that stay in float.
        extremes: Smallest and largest FP32 value over the calibration data by tensor index.
        judges: Samples to compare on.
        calibrated: Calibrates with other options; is given their name, too.
    """
    record = asked.record
    if record.config == min_max_config(record.config) and not record.equalization:
        return record  # there is nothing to compare it with
    is_default = is_tflite_default(record.config)
    if judges.reason:
        unknown = Comparison(reason=judges.reason, is_default=is_default)
        return dataclasses.replace(record, comparison=unknown)
    plain = min_max_config(record.config)
    base = min_max_record(graph, skipped, extremes, record, plain)
    figures = _Figures(judges)
    found: dict[str, Candidate] = {}
    kept = None
    is_flattered = False
    try:
        models: dict[str, Judged] = {MIN_MAX: [base]}
        if may_leave_out_bias(record.config):
            models[_stand_in(NO_BIAS)] = [uncorrected(record)]
        others = list(models)
        is_flattered = _measured(figures, asked, models, judges.optimism_db)
        less = less_of(record)
        if figures.best(others):
            if NEITHER in less:
                other = unequalized(graph, skipped, base, asked.observed, record)
                figures.measure({_stand_in(NEITHER): [other]})
            for name in _worth_calibrating(figures, less):
                if is_flattered and less[name].bias_correction is not BiasCorrection.NONE:
                    figures.measure({ASKED: asked.judged})
                    is_flattered = False
                found[name] = calibrated(name, less[name])
                if not figures.knows(name):
                    figures.measure({name: found[name].judged})
                kept = figures.best(list(found))
                if kept and figures.least_gain(kept) >= 0:
                    break
    except BackendError as error:
        unknown = Comparison(reason=str(error), is_default=is_default)
        return dataclasses.replace(record, comparison=unknown)
    comparison = figures.comparison(graph, [MIN_MAX, ASKED, *found], kept or ASKED, is_default)
    if is_flattered:
        # Upwards: it is a bound, and 0 says that others have corrected the biases.
        optimism_db = math.ceil(10 * judges.optimism_db) / 10
        comparison = dataclasses.replace(comparison, optimism_db=optimism_db)
    if kept:
        note(comparison.text(), of_result=True)
        record = found[kept].record
    warnings = [_lost(comparison)] if figures.below(kept or ASKED).any() else []
    for warning in (*warnings, *_drowned(comparison)):
        note(f"warning: {warning}")
        record = dataclasses.replace(record, warnings=[*record.warnings, warning])
    return dataclasses.replace(record, comparison=comparison)


def _measured(
    figures: _Figures, asked: Candidate, models: Mapping[str, Judged], optimism_db: float
) -> bool:
    """Measure what was asked for and other models.

    Samples that have corrected it will do where it leads by more than they flatter it by, which a
    few of them tell, or falls below min-max scales all the same.

    Returns:
        Whether such samples were what it was measured on.
    """
    flattered = {**models, ASKED: [asked.record]}
    # Biases that were trained are judged as correction has left them.
    if asked.by_fold and asked.record.fine_tuning is None:
        figures.measure(flattered, few=True)
        if figures.lead_db(list(models)) > optimism_db:
            return True
        if figures.below(ASKED).any():
            figures.measure(flattered)
            if figures.below(ASKED).any():
                return True
    figures.measure({**models, ASKED: asked.judged})
    return False


def _stand_in(name: str) -> str:
    """What a model is called that stands in for a calibration; no record shows it."""
    return f"{name}, not calibrated"


def _worth_calibrating(figures: _Figures, less: Mapping[str, Config]) -> list[str]:
    """What to leave out: what the stand-ins speak for, then all but min-max scales."""
    known = {_stand_in(name): name for name in (NO_BIAS, NEITHER)}
    preferred = known.get(figures.best(list(known)) or "")
    if preferred == NEITHER and not figures.best([_stand_in(NO_BIAS)]):
        preferred = NO_EQUALIZATION  # corrections do no harm
    names = [preferred] if preferred else []
    if not preferred and figures.least_gain(ASKED) < -_GROSS_DB:
        names = [NO_BIAS, NO_EQUALIZATION]
    if figures.best([MIN_MAX]):
        names += [MIN_MAX, WITH_MIN_MAX]
    return [name for name in names if name in less]


class _Figures:
    """Models by name with what they did on the judging samples."""

    def __init__(self, judges: Judges) -> None:
        self._judges = judges
        self._noise: dict[str, Energies] = {}
        self._signal: Energies = np.zeros((0, 0))

    def measure(self, models: Mapping[str, Judged], few: bool = False) -> None:
        """Run models on the judging samples, or on a few of them; all on the same ones."""
        errors = self._judges.errors(list(models.values()), few=few)
        self._signal = errors.signal
        self._noise.update(zip(models, errors.noise))

    def knows(self, name: str) -> bool:
        """Whether a model was measured."""
        return name in self._noise

    def below(self, name: str) -> npt.NDArray[np.bool_]:
        """In which outputs a model falls below min-max scales."""
        return falls_below(self._noise[name], self._noise[MIN_MAX])

    def lead_db(self, others: list[str]) -> float:
        """Decibels by which what was asked for is closer than others, where it is so by least."""
        return min(lead_db(self._noise[ASKED], self._noise[name]) for name in others)

    def least_gain(self, name: str) -> float:
        """Decibels by which a model is closer than min-max scales where it is so by least."""
        return float(gains_db(self._noise[name], self._noise[MIN_MAX]).min())

    def best(self, others: list[str]) -> str | None:
        """The best of others that were measured, if it is to be preferred to what was asked for."""
        noise = {name: self._noise[name] for name in others if name in self._noise}
        return best(self._noise[ASKED], noise, self._noise[MIN_MAX])

    def comparison(self, graph: Graph, shown: list[str], kept: str, is_default: bool) -> Comparison:
        """The figures, for the record."""
        signal = self._signal.sum(axis=0)
        gains = gains_db(self._noise[kept], self._noise[MIN_MAX])
        return Comparison(
            samples=len(self._signal),
            held_back=self._judges.are_held_back,
            outputs=tuple(graph.tensors[index].name for index in self._judges.outputs),
            sqnr_db={
                name: tuple(_decibels(signal, self._noise[name]).tolist())
                for name in dict.fromkeys(shown)
            },
            kept=kept,
            is_tie=float(gains.min()) < 0 and not self.below(kept).any(),
            is_default=is_default,
        )


def _decibels(signal: Energies, noise: Energies) -> Energies:
    ratio = np.maximum(signal, np.finfo(np.float64).tiny) / noise.sum(axis=0)
    return np.asarray(np.round(10 * np.log10(ratio), 3))


def _lost(comparison: Comparison) -> str:
    worst, figures = comparison.worst, comparison.sqnr_db
    return (
        f"min-max scales are closer to the float network than what was asked for in the output "
        f"'{comparison.outputs[worst]}' ({figures[MIN_MAX][worst]:.1f} dB instead of "
        f"{figures[comparison.kept][worst]:.1f}); leave method, equalization and bias correction "
        "at their defaults, or choose the method minmax"
    )


def _drowned(comparison: Comparison) -> list[str]:
    """A warning of outputs whose errors are half as large as their values, if there are any."""
    kept = comparison.sqnr_db[comparison.kept]
    found = [
        f"'{name.split(';')[0]}' ({figure:.1f} dB)"
        for name, figure in zip(comparison.outputs, kept)
        if figure < _DROWNED_DB
    ]
    if not found:
        return []
    more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    return [
        f"errors drown outputs of the network: {', '.join(found[:_MOST_NAMED])}{more}, energy of "
        "the float values over that of the errors on calibration data; what computes them needs "
        "more than 8 bits or takes the largest of close values, and can stay in float: see "
        "--skip, or --max_drop, which finds the operators"
    ]
