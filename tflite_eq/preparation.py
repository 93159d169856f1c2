"""From the bytes of a model to the network that is calibrated."""

from __future__ import annotations

import dataclasses

from tflite_eq.arguments import check_model
from tflite_eq.config import Config
from tflite_eq.errors import ModelError
from tflite_eq.execution.operator_runner import OperatorRunner
from tflite_eq.graph import schema
from tflite_eq.graph.channel_splitting import with_split_channels
from tflite_eq.graph.checks import check_float_network, check_quantizable, describe
from tflite_eq.graph.edit import with_biases, without_dead_ends
from tflite_eq.graph.front import split
from tflite_eq.graph.linear import linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.normalization import input_sizes
from tflite_eq.normalization.passes import normalized, opened


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A float network in the form that calibration takes: every linear layer has a bias.

    Attributes:
        whole: The network, normalised.
        front: What of it can be run here and calibrated: the whole but for operators that the
            runtime does not know and what depends on them. Positions are those in ``whole``.
        tail: Operators of ``whole`` that ``front`` does not have.
        changes: What the network differs by from the file, one clause each.
        unsplit: The front without copies of channels (``Config.split_channels``); itself if it has
            none.
    """

    whole: Graph
    front: Graph
    tail: frozenset[int]
    changes: tuple[str, ...]
    unsplit: Graph


def prepared(model: bytes, origin: str, config: Config | None = None) -> Prepared:
    """The network as calibration takes it.

    Args:
        model: A float ``.tflite``.
        origin: What to call it in messages.
        config: Says which signature, and which sizes inputs have that leave them open.

    Raises:
        ModelError: The model cannot be quantized.
        ConfigError: It has no such signature or input, or channels cannot be split as asked.
    """
    check_model(model, origin)
    config = config or Config()
    chosen = opened(Graph.from_bytes(model, origin), config)
    check_float_network(chosen.graph)
    network = normalized(chosen.graph)
    check_quantizable(network.graph)
    parts = split(with_biases(without_dead_ends(network.graph)), set())
    unknown = _unknown_to_runtime(parts.whole)
    if unknown:
        parts = split(parts.whole, unknown)
        if not linear_layers(parts.front):
            first = parts.whole.operators[min(parts.tail)]
            raise ModelError(
                f"{origin}: {describe(parts.whole, first)} is an operator that the installed "
                "runtime does not have, and no convolution or dense layer lies in front of it, so "
                "nothing can be calibrated. Replace it by builtin operators, or convert the model "
                "without it"
            )
    whole, front = (
        with_split_channels(g, config.split_channels, config.channel_copies)
        for g in (parts.whole, parts.front)
    )
    changes = (*chosen.changes, *network.changes)
    return Prepared(whole, front, parts.tail, changes, parts.front)


def as_fed(model: bytes, origin: str, config: Config) -> bytes:
    """A float model as data are read for it and as it is run to compare with.

    Of the chosen signature alone, and with the input sizes that were given; the same bytes if
    there is nothing to choose.

    Raises:
        ModelError: The file is damaged.
        ConfigError: It has no such signature or input.
    """
    chosen = opened(Graph.from_bytes(model, origin), config)
    if not chosen.changes and not config.input_shape:
        return model
    return schema.serialize(input_sizes.fixed(chosen.graph, config.input_shape).model)


def _unknown_to_runtime(graph: Graph) -> set[int]:
    """Custom and TensorFlow-select operators that the installed runtime cannot run."""
    found = set()
    for operator in graph.operators:
        if operator.kind.startswith("CUSTOM:"):
            try:
                OperatorRunner(graph, operator)
            except ModelError:
                found.add(operator.index)
    return found
