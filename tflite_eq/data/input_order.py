"""Samples given as lists: whose order of inputs they follow, and when nobody can tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tflite_eq.graph.model import Graph


def by_name(dataset: Any, names: Sequence[str], graph: Graph) -> Any:
    """A data set whose lists are in another order than the network's inputs, by input name.

    Args:
        dataset: In any form that ``SampleReader`` takes.
        names: Names that the signature has for the inputs, in the order of the lists.
        graph: The network, whose file may order inputs otherwise.

    Returns:
        The same data set, its lists replaced by dicts. Lists whose shapes fit the network's own
        order alone stay as they are, and so does the data set if the names are not the network's.
    """
    inputs = signature_inputs(graph)
    if len(names) < 2 or sorted(names) != sorted(inputs) or dataset is None:
        return dataset
    if [inputs[name] for name in names] == list(graph.inputs):
        return dataset
    shapes = [graph.signature(inputs[name]) for name in names]

    def renamed(element: Any) -> Any:
        is_list = isinstance(element, (list, tuple)) and len(element) == len(names)
        if not is_list or any(isinstance(value, (str, Mapping)) for value in element):
            return element
        fits = all(_fits(np.shape(value), s) for value, s in zip(element, shapes))
        return dict(zip(names, element)) if fits else element

    def named() -> Any:
        generator = getattr(dataset, "input_gen", dataset)
        produced = generator() if callable(generator) else generator
        if isinstance(produced, (str, bytes, Mapping)) or not isinstance(produced, Iterable):
            return produced  # refused by whoever reads it
        return map(renamed, produced)

    return named


def doubt_about_order(graph: Graph) -> str:
    """What to check about samples that were given by position; empty where shapes tell."""
    alike: dict[tuple[Any, ...], list[str]] = {}
    names = {index: name for name, index in signature_inputs(graph).items()}
    for index in graph.inputs:
        tensor = graph.tensors[index]
        key = (tensor.type_name, *graph.signature(index)[1:])
        alike.setdefault(key, []).append(names.get(index, tensor.name))
    for found in alike.values():
        if len(found) > 1:
            listed = ", ".join(f"'{name}'" for name in found)
            return (
                f"the inputs {listed} have the same shape, and samples give them by position: "
                "check that they come in this order, which need not be that of the model they were "
                "converted from, or give dicts of arrays by input name"
            )
    return ""


def signature_inputs(graph: Graph) -> dict[str, int]:
    """Tensors of the inputs by the names that the only signature has for them; empty without."""
    definitions = graph.model.signatureDefs or []
    if len(definitions) != 1:
        return {}
    return {
        (entry.name or b"").decode(): int(entry.tensorIndex)
        for entry in definitions[0].inputs or []
    }


def _fits(shape: tuple[int, ...], signature: tuple[int, ...]) -> bool:
    """Whether an array may be one or several samples of an input; the batch may be left out."""
    wanted = signature[1:]
    shape = shape if len(shape) == len(wanted) else shape[1:]
    return len(shape) == len(wanted) and all(w in (-1, s) for s, w in zip(shape, wanted))
