"""Loud calibration samples: finding them, and what the configuration wants done with them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tflite_eq.config import Config, OutlierSamples
from tflite_eq.data.stored_samples import SomeSamples, StoredSamples
from tflite_eq.graph.model import Graph
from tflite_eq.progress import note
from tflite_eq.record.outliers import Outliers
from tflite_eq.statistics.loud_samples import MOST_LOUD, LoudSample, SampleEnds

_SAID = "loud samples"


@dataclasses.dataclass(frozen=True)
class HeardSamples:
    """The samples that calibration goes on with.

    Attributes:
        samples: The samples; without those that are dropped.
        shares: What some of them count beside the others, below 1, by number.
        outliers: What was found and done; ``None`` if all samples are alike.
        warnings: What a user should know of it, one sentence each.
    """

    samples: StoredSamples
    shares: Mapping[int, float]
    outliers: Outliers | None
    warnings: list[str]

    def shares_of(self, numbers: Sequence[int]) -> npt.NDArray[np.float64] | None:
        """What samples of these numbers count, [numbers]; ``None`` if all the same."""
        if not self.shares:
            return None
        return np.array([self.shares.get(number, 1.0) for number in numbers])


def heard_samples(
    graph: Graph, samples: StoredSamples, ends: SampleEnds, config: Config
) -> HeardSamples:
    """Look for loud samples, and treat them as the configuration says.

    Where more than one in ten is loud they are no outliers, and nothing is done but to say so.

    Args:
        graph: The float network.
        samples: The calibration samples.
        ends: What each of them reaches.
        config: Options.
    """
    loud = ends.loud_samples()
    if not loud:
        return HeardSamples(samples, {}, None, [])
    are_outliers = len(loud) <= MOST_LOUD * samples.count
    treatment = config.outlier_samples if are_outliers else OutlierSamples.KEEP
    outliers = _record(graph, samples, ends, loud, treatment)
    text = outliers.text()
    if not are_outliers:
        text = text.split(";")[0] + (
            f"; more than one in {round(1 / MOST_LOUD)} are no outliers, so all count alike: check "
            "that they are scaled like the others"
        )
    if text not in samples.facts.setdefault(_SAID, []):
        samples.facts[_SAID].append(text)
        note(f"warning: {text}")
    if treatment is OutlierSamples.DROP:
        dropped = {sample.number for sample in loud}
        rest = [number for number in range(samples.count) if number not in dropped]
        return HeardSamples(SomeSamples(samples, rest), {}, outliers, [text])
    if treatment is OutlierSamples.KEEP:
        return HeardSamples(samples, {}, outliers, [text])
    shares = {sample.number: sample.share for sample in loud}
    return HeardSamples(samples, shares, outliers, [text])


def _record(
    graph: Graph,
    samples: StoredSamples,
    ends: SampleEnds,
    loud: Sequence[LoudSample],
    treatment: OutlierSamples,
) -> Outliers:
    """What is kept of them: their peaks in the tensor that most of them stand out in."""
    tensors = [sample.tensor for sample in loud]
    tensor = max(dict.fromkeys(tensors), key=lambda t: (tensors.count(t), -t))
    times = {sample.number: ends.times_in(tensor, sample.number) for sample in loud}
    numbers = sorted(times, key=lambda number: (-times[number], number))
    return Outliers(
        treatment=treatment.value,
        of=samples.count,
        numbers=tuple(numbers),
        names=tuple(samples.name(number) for number in numbers),
        times=tuple(round(times[number], 2) for number in numbers),
        tensor=graph.tensors[tensor].name,
    )
