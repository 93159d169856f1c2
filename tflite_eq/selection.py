"""Which operators of a network stay in float, and what the user's expressions pick out of it."""

from __future__ import annotations

import re

from tflite_eq.config import Config, Heads
from tflite_eq.errors import ConfigError, ModelError
from tflite_eq.graph.float_islands import kinds_of, matching, with_movers
from tflite_eq.graph.heads import head_operators
from tflite_eq.graph.int8_forms import without_int8_form
from tflite_eq.graph.linear import LinearLayer
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.text import counted


def skipped_operators(graph: Graph, config: Config) -> set[int]:
    """Indices of the operators that stay in float: those that have to, and those that are to.

    Raises:
        ConfigError: ``config.skip`` matches no operator.
        ModelError: Some that are not chosen have to, and ``config.strict`` forbids it.
    """
    chosen = matched(graph, config.skip)
    if config.heads is Heads.FLOAT:
        chosen |= head_operators(graph)
    needed = without_int8_form(graph) - chosen
    if not needed:
        return chosen
    if config.strict:
        moved = with_movers(graph, chosen | needed) - chosen
        names = [_name(graph, operator) for operator in graph.operators]
        wanted = [_name(graph, graph.operators[index]) for index in moved]
        raise ModelError(
            f"{graph.origin}: {counted(len(needed), 'operator')} without an int8 form: "
            f"{kinds_of(graph, needed)}. Leave out --strict to keep them in float, or name them: "
            f"--skip '{matching(wanted, names, config.skip)}'"
        )
    return with_movers(graph, chosen | needed)


def matched(graph: Graph, pattern: str | None) -> set[int]:
    """Indices of the operators with an output name that the expression matches."""
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
    if skipped.issuperset(layers) and config.skip is None:
        raise ModelError(
            f"{graph.origin}: every convolution and dense layer lies between operators without an "
            f"int8 form ({kinds_of(graph, without_int8_form(graph))}), so the result would be a "
            "float model"
        )
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


def _name(graph: Graph, operator: Operator) -> str:
    return graph.tensors[operator.outputs[0]].name if operator.outputs else ""


def _listed(names: list[str]) -> str:
    """Names for a message: of fused operators the first, which an expression can go by."""
    return ", ".join(f"'{name.split(';')[0]}'" for name in names)
