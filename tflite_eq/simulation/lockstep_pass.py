"""What a pass of both networks side by side goes through, and what is asked of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from tflite_eq.checkpoint.checkpoint import LayerState
from tflite_eq.config import Config
from tflite_eq.graph.network import Network
from tflite_eq.search.trace import PassTrace
from tflite_eq.simulation.half_rounds import HalfRound
from tflite_eq.simulation.twins import TwinActivations
from tflite_eq.statistics.histogram import RangeObserver


@dataclasses.dataclass(frozen=True)
class LockstepPass:
    """One pass.

    Attributes:
        network: The network.
        observers: FP32 ranges by tensor index.
        twins: Activations of both networks; must hold the network's inputs.
        config: Options.
        trace: Receives what the searches looked at.
        half_round: What of the paper's Algorithm 1 this pass is, if that is the method.
        decided: Layers that an interrupted run has decided: they and their tensors stay as they
            were, without a search.
    """

    network: Network
    observers: Mapping[int, RangeObserver]
    twins: TwinActivations
    config: Config
    trace: PassTrace | None = None
    half_round: HalfRound | None = None
    decided: Sequence[LayerState] = ()
