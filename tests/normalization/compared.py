"""A network before and after a pass, on the float interpreter."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np
import numpy.typing as npt

from tests.running import run
from tflite_eq.graph import schema
from tflite_eq.graph.consistency import check_consistent
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import Kernels

Pass = Callable[[Graph], "tuple[Graph, str | None]"]


def kinds(graph: Graph) -> list[str]:
    return [operator.kind for operator in graph.operators]


def inputs_of(graph: Graph, seed: int = 0, spread: float = 3.0) -> list[npt.NDArray[Any]]:
    rng = np.random.default_rng(seed)
    return [
        (rng.standard_normal(graph.tensors[index].shape) * spread).astype(np.float32)
        for index in graph.inputs
    ]


def after(
    data: bytes, normalize: Pass, within: float | None = 0.0, inputs: list[Any] | None = None
) -> tuple[Graph, str | None]:
    """What a pass makes of a network, which must compute the same.

    Args:
        data: The network.
        normalize: The pass.
        within: Most that outputs may differ by, as a share of the largest value; ``None``
            does not run it.
        inputs: What to run it on; random numbers if ``None``.
    """
    given = Graph.from_bytes(data)
    graph, change = normalize(given)
    assert (graph is given) == (change is None)
    made = schema.serialize(graph.model)
    check_consistent(schema.parse(made), "after")
    names = [[network.tensors[i].name for i in network.outputs] for network in (given, graph)]
    assert names[0] == names[1]
    if within is not None:
        inputs = inputs_of(given) if inputs is None else inputs
        before, behind = (run(model, inputs, Kernels.BUILTIN) for model in (data, made))
        for expected, found in zip(before, behind):
            assert found.shape == expected.shape
            assert found.dtype == expected.dtype
            error = np.abs(found - expected).max(initial=0.0)
            assert error <= within * np.abs(expected).max(initial=0.0), change
    return graph, change
