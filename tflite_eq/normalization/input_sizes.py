"""Sizes of inputs that a model leaves open."""

from __future__ import annotations

from collections.abc import Sequence

from tflite_eq.errors import ConfigError
from tflite_eq.graph.model import Graph
from tflite_eq.graph.rewrite import Rewrite


def given(
    graph: Graph, shapes: Sequence[tuple[str, tuple[int, ...]]], is_fixed: bool
) -> tuple[Graph, str | None]:
    """The network whose inputs have these sizes where theirs are open.

    Args:
        graph: The network.
        shapes: Shapes by name of the input, of its signature or its tensor; one without a name is
            that of the only input.
        is_fixed: Whether inputs have no other sizes from now on. Of those without a shape the
            batch becomes 1.

    Raises:
        ConfigError: There is no such input, or a shape does not fit it.
    """
    if not shapes and not is_fixed:
        return graph, None
    wanted = _wanted(graph, shapes)
    rewrite = Rewrite(graph)
    fixed = []
    for index in graph.inputs:
        signature = graph.signature(index)
        shape = wanted.get(index, graph.tensors[index].shape)
        if is_fixed and index not in wanted and any(size < 0 for size in signature[1:]):
            sizes = ",".join("1" if size < 0 else str(size) for size in signature)
            raise ConfigError(
                f"fix_input_shape: input '{graph.tensors[index].name}' has the open sizes "
                f"{list(signature)}; name them, e.g. --input_shape {sizes} (with yours for the 1s)"
            )
        if -1 in signature:
            rewrite.set_shape(index, shape, None if is_fixed else signature)
            fixed.append(shape)
    if not fixed:
        return graph, None
    sizes = ", ".join(str(list(shape)) for shape in fixed)
    return rewrite.graph(), f"input sizes fixed at {sizes}" if is_fixed else None


def fixed(graph: Graph, shapes: Sequence[tuple[str, tuple[int, ...]]]) -> Graph:
    """The network whose inputs have these sizes and no others; see ``given``."""
    rewrite = Rewrite(graph)
    for index, shape in _wanted(graph, shapes).items():
        rewrite.set_shape(index, shape)
    return rewrite.graph()


def _wanted(
    graph: Graph, shapes: Sequence[tuple[str, tuple[int, ...]]]
) -> dict[int, tuple[int, ...]]:
    """Shapes by tensor."""
    found: dict[int, tuple[int, ...]] = {}
    for name, shape in shapes:
        index = _input(graph, name)
        _check_fits(graph, index, shape)
        found[index] = shape
    return found


def _input(graph: Graph, name: str) -> int:
    names = {graph.tensors[index].name: index for index in graph.inputs}
    for definition in graph.model.signatureDefs or []:
        for entry in definition.inputs or []:
            names[(entry.name or b"").decode()] = int(entry.tensorIndex)
    if name in names:
        return names[name]
    if not name and len(graph.inputs) == 1:
        return graph.inputs[0]
    known = ", ".join(f"'{known}'" for known in names)
    what = f"not '{name}'" if name else "and the shape does not say which it is for"
    raise ConfigError(
        f"input_shape: {graph.origin} has the inputs {known}, {what}; write NAME:SIZES with one "
        "of them"
    )


def _check_fits(graph: Graph, index: int, shape: tuple[int, ...]) -> None:
    signature = graph.signature(index)
    fits = len(signature) == len(shape) and all(
        known in (-1, size) for known, size in zip(signature, shape)
    )
    if not fits:
        known = ["any" if size < 0 else size for size in signature]
        raise ConfigError(
            f"input_shape: input '{graph.tensors[index].name}' has the shape "
            f"[{', '.join(map(str, known))}], which {list(shape)} does not fit; only sizes that "
            "the model leaves open can be given"
        )
