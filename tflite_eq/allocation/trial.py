"""Whether precision that is spent pays: networks calibrated quickly, judged on other samples.

A calibration without searches and refitted filters, on some of the calibration samples, is a
fraction of the work of the one that follows, and the rounding of activations does much the same in
both. The samples that judge have corrected the biases of both, which flatters both alike.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Container, Set

import numpy as np

from tflite_eq.alternatives.judges import Judges
from tflite_eq.alternatives.verdict import Energies
from tflite_eq.calibration.calibrate_once import CalibrationTask, calibrated
from tflite_eq.calibration.followed_samples import followed_samples
from tflite_eq.calibration.outlier_samples import HeardSamples
from tflite_eq.config import BiasCorrection, Config, Method, Reconstruction
from tflite_eq.data.stored_samples import SomeSamples, StoredSamples
from tflite_eq.graph.channel_splitting import with_split_channels
from tflite_eq.graph.model import Graph
from tflite_eq.search.trace import PassTrace

# More samples would cost more than the answer is worth.
_SAMPLES = 32

# A gain of fewer standard errors is taken for chance.
_STANDARD_ERRORS = 2.0


@dataclasses.dataclass(frozen=True)
class Gain:
    """What one model gains on another on the same samples.

    Attributes:
        before: Error energy by signal energy, summed over the outputs, [samples].
        after: The other's.
    """

    before: Energies
    after: Energies

    @property
    def decibels(self) -> float:
        """By how much the error energy is lower over all samples."""
        return float(10 * np.log10(self.before.sum() / self.after.sum()))

    @property
    def is_beyond_chance(self) -> bool:
        """Whether it is closer over all samples, and on the mean sample by two standard errors.

        In decibels: a few samples have most of the energy, and drown the difference of all others.
        """
        differences = 10 * np.log10(self.before / self.after)
        error = differences.std(ddof=1) / math.sqrt(len(differences))
        return bool(self.decibels > 0 and differences.mean() > _STANDARD_ERRORS * error)

    def text(self) -> str:
        """The figures for people."""
        return f"{self.decibels:+.1f} dB on {len(self.before)} calibration samples"


class Trials:
    """Quick calibrations of one network, each made once.

    Attributes:
        reason: Why they tell no gain; empty if they do.
    """

    def __init__(
        self, graph: Graph, skipped: Set[int], samples: StoredSamples, loud: Container[int] = ()
    ) -> None:
        """Choose the samples.

        Args:
            graph: The float network without copies of channels.
            skipped: Indices of operators that stay in float.
            samples: The calibration samples.
            loud: Numbers of those that count less than others; they are left out.
        """
        ordinary = [n for n in range(samples.count) if n not in loud]
        count = min(len(ordinary), _SAMPLES)
        chosen = [ordinary[i * len(ordinary) // count] for i in range(count)]
        self._graph = graph
        self._skipped = set(skipped)
        self._samples = SomeSamples(samples, chosen)
        self._samples.facts = {}  # what is known of all samples is not of these
        self._known: dict[Config, Energies] = {}
        with contextlib.closing(self._judges(graph, Config())) as judges:
            self.reason = judges.reason

    def gain(self, before: Config, after: Config) -> Gain:
        """What some options gain on others.

        Raises:
            BackendError: The runtime cannot run a model.
        """
        return Gain(self._noise(before), self._noise(after))

    def _noise(self, config: Config) -> Energies:
        """Error energy by signal energy of the outputs, summed over these, [samples]."""
        quick = dataclasses.replace(
            config,
            method=Method.MSE,
            equalization=config.equalization_used,
            reconstruction=Reconstruction.NONE,
            keep_int8_share=0.0,
            split_channels_share=0.0,
        )
        if quick.bias_correction is not BiasCorrection.NONE:
            quick = dataclasses.replace(quick, bias_correction=BiasCorrection.ITERATIVE)
        if quick not in self._known:
            self._known[quick] = self._measured(quick)
        return self._known[quick]

    def _measured(self, config: Config) -> Energies:
        graph = with_split_channels(self._graph, config.split_channels, config.channel_copies)
        samples = self._samples
        followed = followed_samples(graph, samples.count)
        with contextlib.closing(self._judges(graph, config)) as judges:
            heard = HeardSamples(samples, {}, None, [])
            task = CalibrationTask(graph, self._skipped, "", heard, followed, [], judges)
            found = calibrated(task, config, PassTrace(), None)
            errors = judges.errors([[found.record]], "Trying where precision pays")
        noise, signal = errors.noise[0], errors.signal.sum(axis=0)
        # An output that is 0 for all samples tells nothing.
        ratios = np.divide(noise, signal, out=np.zeros_like(noise), where=signal > 0)
        return np.asarray(np.maximum(ratios.sum(axis=1), np.finfo(np.float64).tiny))

    def _judges(self, graph: Graph, config: Config) -> Judges:
        followed = followed_samples(graph, self._samples.count)
        return Judges(graph, self._skipped, self._samples, followed, None, config)
