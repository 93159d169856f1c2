"""What rounding single activation tensors does to the outputs of a network.

Each is rounded by itself, all else in float, and the operators behind it are run again. Rounding
errors of different tensors are close to independent, so that their energies in the outputs add up.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence, Set

import numpy as np
import numpy.typing as npt

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

Double = npt.NDArray[np.float64]

# Samples that tensors are judged on; each is run once per tensor.
_SAMPLES = 8

# Runs of a sample in which some channels of a tensor are rounded, and how often the energies of
# single channels are made to agree better with what these runs tell.
_RUNS = 16
_ITERATIONS = 100

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

    def channel_noise(
        self, units: Sequence[Mapping[int, Sequence[int]]], seed: int, title: str
    ) -> list[Double]:
        """What rounding single channels adds to the noise of the outputs.

        In a run some of a unit's channels are rounded, all of them once in ``_RUNS`` runs of a
        sample, with others for each sample. Energies of groups of channels are sums of those of
        channels, which are found from them by the expectation-maximization iteration for sums of
        Poisson variables (Richardson-Lucy): it keeps energies positive.

        Args:
            units: Quantized tensors that are rounded together, by index, and which channel of the
                unit each of their channels belongs to; -1 for none, which is left alone.
            seed: Chooses the groups.
            title: Of the progress bar.

        Returns:
            By unit: noise to signal ratios, [channels].
        """
        graph = self.network.graph
        targets = computed_logits(graph)
        sizes = [1 + max(max(channels) for channels in unit.values()) for unit in units]
        if not units or not targets:
            return [np.zeros(size) for size in sizes]
        params = self._params(self._samples)
        network = AlteredNetwork(graph)
        rng = np.random.default_rng([seed, len(units)])
        signal = self._signal(network, targets)
        groups: list[list[Array]] = [[] for _ in units]
        energies: list[list[float]] = [[] for _ in units]
        for sample in track(self._samples, title):
            values = network.run(sample)
            exact = [values[index].astype(np.float64) for index in targets]
            for unit, size, made, found in zip(units, sizes, groups, energies):
                order, runs = rng.permutation(size), min(size, _RUNS)
                for own in (order[run::runs] for run in range(runs)):
                    rounding = _ChannelRounding(
                        params, {t: np.isin(channels, own) for t, channels in unit.items()}
                    )
                    changed = {i: rounding(i, values[i]) for i in unit if i in values}
                    outputs = network.run_with(values, changed, targets, rounding)
                    errors = [np.square(x - y).sum() for x, y in zip(outputs, exact)]
                    made.append(np.isin(np.arange(size), own))
                    found.append(float((np.array(errors) / signal).sum()))
        return [
            shared_out(np.array(made), np.array(found)) * len(self._samples)
            for made, found in zip(groups, energies)
        ]

    def _signal(self, network: AlteredNetwork, targets: Sequence[int]) -> Double:
        """Energies of the outputs' variation over the samples; infinite where they do not vary."""
        count, total, squares = (np.zeros(len(targets)) for _ in range(3))
        for sample in self._samples:
            values = network.run(sample)
            exact = [values[index].astype(np.float64) for index in targets]
            count += [x.size for x in exact]
            total += [x.sum() for x in exact]
            squares += [np.square(x).sum() for x in exact]
        signal = squares - total**2 / np.maximum(count, 1)
        return np.asarray(np.where(signal > _LEAST_SIGNAL * squares, signal, np.inf))

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


@dataclasses.dataclass(frozen=True)
class _ChannelRounding:
    params: Mapping[int, AffineParams]
    channels: Mapping[int, Array]  # which are rounded, by tensor, [C] of bool

    def __call__(self, tensor: int, value: Array) -> Array:
        chosen = self.channels.get(tensor)
        if chosen is None or not chosen.any():
            return value
        found = value.copy()
        found[..., chosen] = fake_quantize(value[..., chosen], self.params[tensor])
        return found


def shared_out(groups: Array, energies: Double) -> Double:
    """Energies of channels, [C], from those of groups, [n], by who is in them, [n, C] of bool."""
    members = groups.astype(np.float64)
    often = np.maximum(members.sum(axis=0), 1.0)
    found = members.T @ (energies / np.maximum(members.sum(axis=1), 1.0)) / often
    for _ in range(_ITERATIONS):
        told = members @ found
        found = found * (members.T @ np.divide(energies, told, where=told > 0, out=told * 0))
        found /= often
    return np.asarray(found)
