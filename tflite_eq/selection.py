"""What the expressions ``skip`` and ``keep_int8`` pick out of a network."""

from __future__ import annotations

import re

from tflite_eq.config import Config
from tflite_eq.errors import ConfigError
from tflite_eq.graph.linear import LinearLayer
from tflite_eq.graph.model import Graph


def skipped_operators(graph: Graph, pattern: str | None) -> set[int]:
    """Indices of the operators with an output name that the regular expression matches.

    Raises:
        ConfigError: The expression matches no operator.
    """
    if pattern is None:
        return set()
    found = {
        operator.index
        for operator in graph.operators
        if any(re.search(pattern, graph.tensors[i].name) for i in operator.outputs)
    }
    if not found:
        names = [graph.tensors[o.outputs[0]].name for o in graph.operators[:5]]
        raise ConfigError(
            f"skip: {pattern!r} matches no operator output of {graph.origin}; the first names "
            f"are {_listed(names)}"
        )
    return found


def check_selection(
    graph: Graph, layers: dict[int, LinearLayer], skipped: set[int], config: Config
) -> None:
    """Refuse expressions that leave nothing to quantize, or that match nothing.

    Args:
        graph: The float network.
        layers: Its linear layers by operator index.
        skipped: Operators that ``config.skip`` matches.
        config: Options.

    Raises:
        ConfigError: ``skip`` matches every layer, or ``keep_int8`` none that is quantized.
    """
    if skipped.issuperset(layers):
        raise ConfigError(
            f"skip: {config.skip!r} matches every convolution and dense layer of {graph.origin}, "
            "so the result would be a float model; choose a narrower expression"
        )
    names = [layers[index].name for index in sorted(layers.keys() - skipped)]
    pattern = config.keep_int8
    if pattern is not None and not any(re.search(pattern, name) for name in names):
        raise ConfigError(
            f"keep_int8: {pattern!r} matches no convolution or dense layer that is quantized in "
            f"{graph.origin}; the first names are {_listed(names[:5])}"
        )


def _listed(names: list[str]) -> str:
    """Names for a message: of fused operators the first, which an expression can go by."""
    return ", ".join(f"'{name.split(';')[0]}'" for name in names)
