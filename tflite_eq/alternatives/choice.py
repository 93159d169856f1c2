"""The calibration that is kept: the one asked for, unless something less of it is closer.

Two stand-ins cost next to nothing: min-max scales, and the same record with its corrections taken
out. Only if the network is closer to the float one with one of them, beyond chance, is anything
calibrated again for real: without bias correction, without equalization, without both, with min-max
scales; and only what then is closer in truth is kept.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Set

import numpy as np

from tflite_eq.alternatives.judges import Judges
from tflite_eq.alternatives.min_max import is_tflite_default, min_max_config, min_max_record
from tflite_eq.alternatives.options import NO_BIAS, less_of, may_leave_out_bias
from tflite_eq.alternatives.verdict import Energies, best, gains_db
from tflite_eq.calibration.comparison import ASKED, MIN_MAX, Comparison
from tflite_eq.calibration.ranges import Interval
from tflite_eq.calibration.record import Calibration
from tflite_eq.config import Config
from tflite_eq.errors import BackendError
from tflite_eq.graph.model import Graph
from tflite_eq.progress import note


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A finished calibration.

    Attributes:
        record: What it found on all samples.
        judged: The record to judge it by, whose biases the judging samples have not corrected.
    """

    record: Calibration
    judged: Calibration


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
    models = {MIN_MAX: base, ASKED: asked.judged}
    if may_leave_out_bias(record.config):
        models[NO_BIAS] = _uncorrected(record)
    found: dict[str, Candidate] = {}
    try:
        figures = _Figures(judges, models)
        lost_to = [name for name in (MIN_MAX, NO_BIAS) if figures.best([name])]
        less = less_of(record)
        if lost_to == [NO_BIAS]:
            less = {NO_BIAS: less[NO_BIAS]}
        if lost_to and less:
            found = {name: calibrated(name, config) for name, config in less.items()}
            models.update({name: candidate.judged for name, candidate in found.items()})
            figures = _Figures(judges, models)
    except BackendError as error:
        unknown = Comparison(reason=str(error), is_default=is_default)
        return dataclasses.replace(record, comparison=unknown)
    kept = figures.best(list(less)) if lost_to else None
    comparison = figures.comparison(graph, kept or ASKED, is_default)
    if kept:
        note(comparison.text())
        record = found[kept].record
    elif MIN_MAX in lost_to and not less:
        warning = _lost(comparison)
        note(f"warning: {warning}")
        record = dataclasses.replace(record, warnings=[*record.warnings, warning])
    return dataclasses.replace(record, comparison=comparison)


class _Figures:
    """Models by name with what they did on the judging samples."""

    def __init__(self, judges: Judges, models: Mapping[str, Calibration]) -> None:
        self._judges = judges
        errors = judges.errors(list(models.values()))
        self._signal = errors.signal
        self._noise: dict[str, Energies] = dict(zip(models, errors.noise))

    def best(self, others: list[str]) -> str | None:
        """The best of others that were run, if it is closer than the model asked for."""
        noise = {name: self._noise[name] for name in others if name in self._noise}
        return best(self._noise[ASKED], noise, self._noise[MIN_MAX])

    def comparison(self, graph: Graph, kept: str, is_default: bool) -> Comparison:
        """The figures, for the record."""
        signal = self._signal.sum(axis=0)
        gains = gains_db(self._noise[kept], self._noise[MIN_MAX])
        return Comparison(
            samples=len(self._judges.numbers),
            held_back=self._judges.are_held_back,
            outputs=tuple(graph.tensors[index].name for index in self._judges.outputs),
            sqnr_db={
                name: tuple(_decibels(signal, noise).tolist())
                for name, noise in self._noise.items()
            },
            kept=kept,
            is_tie=kept == ASKED and float(gains.min()) < 0 and not self.best([MIN_MAX]),
            is_default=is_default,
        )


def _decibels(signal: Energies, noise: Energies) -> Energies:
    ratio = np.maximum(signal, np.finfo(np.float64).tiny) / noise.sum(axis=0)
    return np.asarray(np.round(10 * np.log10(ratio), 3))


def _uncorrected(record: Calibration) -> Calibration:
    layers = [dataclasses.replace(x, gain=1.0, bias_correction=[]) for x in record.layers]
    return dataclasses.replace(record, layers=layers)


def _lost(comparison: Comparison) -> str:
    worst = comparison.worst
    return (
        f"min-max scales are closer to the float network than what was asked for in the output "
        f"'{comparison.outputs[worst]}' ({comparison.sqnr_db[MIN_MAX][worst]:.1f} dB instead of "
        f"{comparison.sqnr_db[ASKED][worst]:.1f}); leave method, equalization and bias correction "
        "at their defaults, or choose the method minmax"
    )
