"""What rounding single activation tensors does to the outputs of a network.

Each is rounded by itself, all else in float, and the operators behind it are run again. Rounding
errors of different tensors are close to independent, so that their energies in the outputs add up.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence, Set

import numpy as np

from tflite_eq.calibration.float_pass import observe_ranges
from tflite_eq.config import Config, Method
from tflite_eq.data.dataset import Sample
from tflite_eq.data.store import ActivationStore
from tflite_eq.data.stored_samples import StoredSamples, spread_positions
from tflite_eq.equalization.choose import equalizing_factors, scalable_tensors
from tflite_eq.equalization.factors import with_factors
from tflite_eq.execution.altered_network import AlteredNetwork, Array
from tflite_eq.graph.model import Graph
from tflite_eq.graph.network import Network
from tflite_eq.graph.outputs import computed_logits
from tflite_eq.numerics.affine import AffineParams, fake_quantize
from tflite_eq.progress import track
from tflite_eq.simulation.activation_scales import ActivationScales
from tflite_eq.simulation.lockstep_pass import LockstepPass
from tflite_eq.simulation.twins import TwinActivations
from tflite_eq.simulation.weight_scales import WeightScales
from tflite_eq.statistics.channels import observe_channels

# Samples that tensors are judged on; each is run once per tensor.
_SAMPLES = 8

# Variance by energy of an output; below that, it is rounding of the sums.
_LEAST_SIGNAL = 1e-12


class RoundedAlone:
    """A network in which single tensors are rounded.

    Attributes:
        network: The network, equalized as the options say: what scaled channels make up for needs
            no more precision.
    """

    def __init__(
        self, graph: Graph, skipped: Set[int], samples: StoredSamples, config: Config
    ) -> None:
        """Look at some of the samples.

        Args:
            graph: The float network.
            skipped: Indices of operators that stay in float.
            samples: The calibration samples.
            config: Options.

        Raises:
            DatasetError: The samples do not fit the model.
            ModelError: The network cannot be run.
        """
        self._samples = [samples[n] for n in spread_positions(samples.count, _SAMPLES)]
        scalable = sorted(scalable_tensors(graph, skipped, config))
        if scalable:
            channels = observe_channels(graph, scalable, self._samples, config.seed).channels
            graph = with_factors(graph, equalizing_factors(graph, skipped, channels, config))
        self.network = Network.of(graph, skipped)
        self._config = config

    def noise(self, units: Sequence[Set[int]], title: str) -> list[float]:
        """Noise to signal ratio of the outputs, summed over these, with some tensors rounded.

        Args:
            units: Quantized tensors that are rounded together, by index.
            title: Of the progress bar.

        Returns:
            One ratio per unit; none where the network has no output to judge by. Outputs that are
            the same for all samples count for nothing.
        """
        graph = self.network.graph
        targets = computed_logits(graph)
        if not units or not targets:
            return []
        params = self._params(self._samples)
        network = AlteredNetwork(graph)
        errors = np.zeros((len(units), len(targets)))
        count, total, squares = (np.zeros(len(targets)) for _ in range(3))
        for sample in track(self._samples, title):
            values = network.run(sample)
            exact = [values[index].astype(np.float64) for index in targets]
            count += [x.size for x in exact]
            total += [x.sum() for x in exact]
            squares += [np.square(x).sum() for x in exact]
            for unit, added in zip(units, errors):
                rounding = _Rounding(params, unit)
                changed = {i: rounding(i, values[i]) for i in unit if i in values}
                found = network.run_with(values, changed, targets, rounding)
                added += [np.square(x - y).sum() for x, y in zip(found, exact)]
        signal = squares - total**2 / np.maximum(count, 1)
        varies = signal > _LEAST_SIGNAL * squares
        return [float((added[varies] / signal[varies]).sum()) for added in errors]

    def _params(self, samples: Sequence[Sample]) -> dict[int, AffineParams]:
        """Scales of all tensors by index: those that clip as the values themselves want it."""
        config = dataclasses.replace(self._config, method=Method.MSE)
        with ActivationStore() as store:
            twins = TwinActivations(store, samples=0)
            graph = self.network.graph
            observers = observe_ranges(graph, samples, twins, config.seed, followed=())
            task = LockstepPass(self.network, observers, twins, config)
            scales = ActivationScales(task, WeightScales(task))
            scales.settle_rest()
            return dict(twins.params)


@dataclasses.dataclass(frozen=True)
class _Rounding:
    params: Mapping[int, AffineParams]
    tensors: Set[int]

    def __call__(self, tensor: int, value: Array) -> Array:
        return fake_quantize(value, self.params[tensor]) if tensor in self.tensors else value
