"""Which layers to keep at more bits, read off the damage they do: a list to try, not a result."""

from __future__ import annotations

from collections.abc import Sequence, Set

from tflite_eq.config import Config
from tflite_eq.graph.float_islands import island_of, matching, with_movers
from tflite_eq.graph.linear import LinearLayer, multiplications
from tflite_eq.graph.model import Graph
from tflite_eq.report.model import LayerReport, Suggestion

# The longer list holds the layers that add this part of the noise, but no more than so many.
_MUCH = 0.5
_MOST_LAYERS = 8


def suggest(
    graph: Graph,
    linear: Sequence[LinearLayer],
    skipped: Set[int],
    layers: Sequence[LayerReport],
    config: Config,
) -> tuple[Suggestion, ...]:
    """Options that keep the worst layers: ``--keep_int8`` where they have 7 bits, and ``--skip``.

    A layer goes to float with what computes its input, or it would still read codes.

    Args:
        graph: The float network.
        linear: Its quantized linear layers in execution order.
        skipped: Operators that stay in float already.
        layers: The report's entries for the same layers, compared with the float model.
        config: Options of the run. What its expressions match stays as it is, since a
            suggested expression takes the place of a given one.
    """
    added = [0.0 if x.comparison is None else max(x.comparison.added_noise, 0.0) for x in layers]
    total = sum(added)
    if len(layers) < 2 or not total > 0:
        return ()
    ranked = sorted(range(len(layers)), key=lambda position: -added[position])
    count = next(n for n in range(1, len(ranked) + 1) if _sum(added, ranked[:n]) >= _MUCH * total)
    work = {layer.operator.index: multiplications(graph, layer) for layer in linear}
    names = [graph.tensors[i].name for operator in graph.operators for i in operator.outputs]
    found = []
    for size in sorted({1, min(count, _MOST_LAYERS, len(layers) - 1)}):
        worst = tuple(ranked[:size])
        share = _sum(added, worst) / total
        narrow = tuple(p for p in worst if layers[p].input_bits == 7)
        pattern = matching([layers[p].name for p in narrow], names, config.keep_int8)
        if narrow and pattern is not None:
            narrow_share = _sum(added, narrow) / total
            found.append(Suggestion("--keep_int8", pattern, narrow, narrow_share, 0.0))
        islands = set().union(*(island_of(graph, linear[p], skipped) for p in worst))
        if islands >= work.keys():
            continue  # nothing would be quantized
        moved = with_movers(graph, islands | skipped) - skipped
        pattern = matching(
            [graph.tensors[graph.operators[index].outputs[0]].name for index in moved],
            names,
            config.skip,
        )
        assert pattern is not None
        in_float = sum(work.get(index, 0) for index in islands) / max(sum(work.values()), 1)
        found.append(Suggestion("--skip", pattern, worst, share, in_float))
    return tuple(found)


def _sum(added: Sequence[float], positions: Sequence[int]) -> float:
    return sum(added[position] for position in positions)
