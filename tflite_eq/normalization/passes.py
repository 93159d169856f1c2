"""All passes in their order."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from tflite_eq.config import Config, Heads
from tflite_eq.graph.heads import split_heads
from tflite_eq.graph.model import Graph
from tflite_eq.normalization import (
    activations,
    casts,
    composites,
    dense_matmuls,
    dilation,
    folded_constants,
    fused_activations,
    global_pools,
    half_floats,
    identities,
    input_sizes,
    mask_constants,
    negations,
    padding,
    pool_padding,
    scaled_layers,
    shape_arithmetic,
    shapes,
    signatures,
    skipped_pixels,
    slopes,
    softmax,
    sparse_constants,
    stablehlo,
    stored_codes,
    substitutes,
    transpose_bias,
    uncalled,
    variables,
)

# A pass gives the network it was given if it finds nothing, else another and what it has changed:
# one clause without a full stop, e.g. "12 float16 constants unpacked".
Pass = Callable[[Graph], "tuple[Graph, str | None]"]

# What makes one plain graph of a file that may have several.
STRUCTURE: tuple[Pass, ...] = (composites.inlined, variables.without_unread, uncalled.dropped)

# What is stored in another form comes first, for all others read constants; of sparse constants
# some are float16. Then what stands for other operators, and the shapes that tensors have. Then
# what needs no operator at all and would interrupt patterns. Functions are recognised before their
# parts are replaced by other operators. Activation functions are fused last: that hides the results
# of the layers in front.
PASSES: tuple[Pass, ...] = (
    sparse_constants.unpacked,
    half_floats.unpacked,
    stored_codes.unpacked,
    stablehlo.translated,
    casts.moved_first,
    transpose_bias.lowered,
    shapes.settled,
    shape_arithmetic.folded,
    folded_constants.folded,
    identities.removed,
    dilation.dilated,
    padding.fused,
    pool_padding.settled,
    global_pools.averaged,
    skipped_pixels.unpadded,
    activations.recognized,
    slopes.settled,
    softmax.recognized,
    mask_constants.moderated,
    dense_matmuls.lowered,
    substitutes.substituted,
    negations.absorbed,
    scaled_layers.folded,
    fused_activations.fused,
)


# Two are enough for all networks seen but random ones.
_MOST_ROUNDS = 8


@dataclasses.dataclass(frozen=True)
class Normalized:
    """A float network in the form that calibration takes.

    Attributes:
        graph: The network.
        changes: What it differs by from the file, one clause each.
    """

    graph: Graph
    changes: tuple[str, ...]


def opened(graph: Graph, config: Config) -> Normalized:
    """The one network of a file that is quantized, at the sizes that it is quantized for.

    What is fed to the result and what it computes are what users of the file's signature know.

    Args:
        graph: The file's.
        config: Says which signature, and which sizes inputs have that leave them open.

    Raises:
        ConfigError: The file has no such signature, several without one being chosen, or no such
            input or size.
    """
    ends: tuple[Pass, ...] = (
        *(lambda graph: signatures.chosen(graph, config.signature), *STRUCTURE),
        lambda graph: split_heads(graph) if config.heads is Heads.SPLIT else (graph, None),
        lambda graph: input_sizes.given(graph, config.input_shape, config.fix_input_shape),
    )
    return _all_of(ends, graph)


def normalized(graph: Graph) -> Normalized:
    """Run all passes over a network, which stays as it is.

    Again, if they found anything: what a late pass takes away may have hidden a pattern from an
    early one. The outputs that the result computes are those of the given one up to the rounding of
    float32.
    """
    changes: tuple[str, ...] = ()
    for _ in range(_MOST_ROUNDS):
        result = _all_of(PASSES, graph)
        if not result.changes:
            break
        graph, changes = result.graph, (*changes, *result.changes)
    return Normalized(graph, changes)


def _all_of(passes: Sequence[Pass], graph: Graph) -> Normalized:
    changes = []
    for run in passes:
        graph, change = run(graph)
        if change is not None:
            changes.append(change)
    return Normalized(graph, tuple(changes))
