"""All passes in their order."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from tflite_eq.graph.model import Graph
from tflite_eq.normalization import (
    activations,
    folded_constants,
    fused_activations,
    half_floats,
    identities,
    negations,
    scaled_layers,
    softmax,
    sparse_constants,
    stored_codes,
    substitutes,
    transpose_bias,
)

# A pass gives the network it was given if it finds nothing, else another and what it has changed:
# one clause without a full stop, e.g. "12 float16 constants unpacked".
Pass = Callable[[Graph], "tuple[Graph, str | None]"]

# What is stored in another form comes first, for all others read constants; of sparse constants
# some are float16. Then what custom operators stand for, and what needs no operator at all and
# would interrupt patterns. Functions are recognised before their parts are replaced by other
# operators. Activation functions are fused last: that hides the results of the layers in front.
PASSES: tuple[Pass, ...] = (
    sparse_constants.unpacked,
    half_floats.unpacked,
    stored_codes.unpacked,
    transpose_bias.lowered,
    folded_constants.folded,
    identities.removed,
    activations.recognized,
    softmax.recognized,
    substitutes.substituted,
    negations.absorbed,
    scaled_layers.folded,
    fused_activations.fused,
)


@dataclasses.dataclass(frozen=True)
class Normalized:
    """A float network in the form that calibration takes.

    Attributes:
        graph: The network.
        changes: What it differs by from the file, one clause each.
    """

    graph: Graph
    changes: tuple[str, ...]


def normalized(graph: Graph) -> Normalized:
    """Run all passes over a network, which stays as it is.

    The outputs that the result computes are those of the given one up to the rounding of float32.
    """
    changes = []
    for run in PASSES:
        graph, change = run(graph)
        if change is not None:
            changes.append(change)
    return Normalized(graph, tuple(changes))
