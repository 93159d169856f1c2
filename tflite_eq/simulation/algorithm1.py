"""The rounds of the paper's Algorithm 1, each two passes over the network."""

from __future__ import annotations

from collections.abc import Mapping

from tflite_eq.config import Config
from tflite_eq.data.store import ActivationStore
from tflite_eq.graph.network import Network
from tflite_eq.simulation.half_rounds import HalfRound, Scales
from tflite_eq.simulation.lockstep import run_lockstep
from tflite_eq.simulation.lockstep_pass import LockstepPass
from tflite_eq.simulation.twins import TwinActivations
from tflite_eq.statistics.histogram import RangeObserver


def up_to_last_half(
    network: Network,
    observers: Mapping[int, RangeObserver],
    twins: TwinActivations,
    config: Config,
) -> HalfRound:
    """Everything but the search of activations that ends it, which the caller's pass makes.

    Ends after ``config.search.max_rounds`` rounds, or with the first that leaves all weight scales
    as they were.

    Args:
        network: The network.
        observers: FP32 ranges by tensor index.
        twins: Activations of both networks; must hold the network's inputs, and keeps them.
        config: Options.

    Returns:
        The last half, to be run on ``twins``.
    """
    scales = Scales()
    for number in range(config.search.max_rounds):
        before = scales.copy()
        _half(network, observers, twins, config, scales, of_weights=True)
        if number == config.search.max_rounds - 1 or scales.same_weights(before):
            break
        _half(network, observers, twins, config, scales, of_weights=False)
    return HalfRound(scales, twins, config, of_weights=False)


def _half(
    network: Network,
    observers: Mapping[int, RangeObserver],
    twins: TwinActivations,
    config: Config,
    scales: Scales,
    of_weights: bool,
) -> None:
    with ActivationStore() as store:
        part = twins.part(store, network.graph.inputs, range(twins.samples))
        half = HalfRound(scales, part, config, of_weights)
        run_lockstep(LockstepPass(network, observers, part, config, half_round=half))
