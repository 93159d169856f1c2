"""Models beside a reference: which ends belong together, and whether they can be compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.errors import ModelError
from tflite_eq.evaluation.comparison_plan import LoadedModels
from tflite_eq.evaluation.ends import End, correspondence, inputs_of, listed, outputs_of
from tflite_eq.evaluation.feeding import holds_codes
from tflite_eq.evaluation.task import NamedModel
from tflite_eq.graph.model import Graph

Array = npt.NDArray[Any]

# Operators whose results are lists in the order of a score.
_SORTING = (
    "CUSTOM:TFLite_Detection_PostProcess",
    "NON_MAX_SUPPRESSION_V4",
    "NON_MAX_SUPPRESSION_V5",
    "TOPK_V2",
)
_TRANSPARENT = ("QUANTIZE", "DEQUANTIZE", "RESHAPE", "SQUEEZE")


@dataclasses.dataclass(frozen=True)
class Match:
    """One model beside the reference.

    Attributes:
        model: The model.
        graph: The same, read.
        inputs: Its inputs in its own order.
        outputs: Its outputs in its own order.
        input_order: By its inputs: which of the reference's each is.
        output_order: By the reference's outputs: which of its own each is.
        notes: What one has to know about that, a sentence each.
    """

    model: NamedModel
    graph: Graph
    inputs: tuple[End, ...]
    outputs: tuple[End, ...]
    input_order: tuple[int, ...] = ()
    output_order: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


def read(model: NamedModel) -> Match:
    """A model by itself.

    Raises:
        ModelError: The file is no intact flatbuffer.
    """
    graph = Graph.from_bytes(model.data, model.name)
    return Match(model, graph, inputs_of(graph), outputs_of(graph))


def matched(match: Match, reference: Match) -> Match:
    """A model beside the reference.

    Raises:
        ModelError: It has another number of inputs or outputs.
    """
    notes = []
    orders = []
    for what in ("inputs", "outputs"):
        theirs, own = getattr(reference, what), getattr(match, what)
        if len(theirs) != len(own):
            raise ModelError(
                f"{match.model.name} has {len(own)} {what}, {reference.model.name} has "
                f"{len(theirs)}; models can be compared only with the same ones: "
                f"{listed(own)} against {listed(theirs)}; convert one of them again"
            )
        found = correspondence(theirs, own)
        orders.append(found.order)
        if len(own) > 1 and not found.by_name:
            pairs = ", ".join(f"'{a.name}' with '{b.name}'" for a, b in zip(own, theirs))
            notes.append(
                f"{match.model.name}: its {what} are not called as those of "
                f"{reference.model.name} and are matched by position: {pairs}; where that is "
                "wrong, so are the figures"
            )
    # Inputs the other way round: which of the samples' arrays a model's input takes.
    into = tuple(orders[0].index(position) for position in range(len(orders[0])))
    return dataclasses.replace(match, input_order=into, output_order=orders[1], notes=tuple(notes))


def first_outputs(
    team: LoadedModels, matches: Sequence[Match]
) -> tuple[list[tuple[int, ...]], tuple[bool, ...]]:
    """Shapes of the reference's outputs for the first sample, and which hold real values.

    Raises:
        ModelError: Those of another model cannot be compared with them.
    """
    (reference, *others), kinds = team.run(0), []
    details = [executable.outputs for executable in team.executables]
    for column, values in enumerate(reference):
        own = matches[0].outputs[matches[0].output_order[column]]
        kinds.append(_is_real(values, own, matches[0]))
        for match, found, detail in zip(matches[1:], others, details[1:]):
            end = match.outputs[match.output_order[column]]
            is_real = _is_real(found[column], end, match)
            if is_real != kinds[-1]:
                raise ModelError(
                    f"{match.model.name}: output {end} holds "
                    f"{_content(is_real)}, {own} of {matches[0].model.name} {_content(kinds[-1])}; "
                    + _no_scale(detail[match.output_order[column]])
                )
            if not _may_have_shape(values.shape, own, found[column].shape, end):
                raise ModelError(
                    f"{match.model.name}: output '{end.name}' has shape "
                    f"{list(found[column].shape)}, '{own.name}' of {matches[0].model.name} has "
                    f"{list(values.shape)}; models can be compared only with outputs of the same "
                    "shape: convert one of them again"
                )
    return [values.shape for values in reference], tuple(kinds)


def _is_real(values: Array, end: End, match: Match) -> bool:
    if values.dtype.kind == "c":
        raise ModelError(
            f"{match.model.name}: output {end} holds complex numbers, which cannot be compared; "
            "convert the model with real outputs"
        )
    return bool(values.dtype.kind == "f")


def _content(is_real: bool) -> str:
    return "real values" if is_real else "integers or texts"


def _no_scale(detail: dict[str, Any]) -> str:
    if np.dtype(detail["dtype"]).kind in "iu" and not holds_codes(detail):
        return "if these integers are codes, they lack a scale: convert the model again"
    return "convert one of them again with the other's type"


def _may_have_shape(
    expected: tuple[int, ...], own: End, found: tuple[int, ...], other: End
) -> bool:
    """Whether two shapes are the same but for dimensions that are open in either file.

    One that a file gives another size than the run is open, too.
    """
    if len(expected) != len(found):
        return False
    return all(
        e == f or _is_open(own, axis, e) or _is_open(other, axis, f)
        for axis, (e, f) in enumerate(zip(expected, found))
    )


def _is_open(end: End, axis: int, size: int) -> bool:
    return len(end.shape) <= axis or end.shape[axis] != size


def sorting_notes(reference: Match) -> list[str]:
    """What to know of outputs that are sorted lists, a sentence for each operator that sorts."""
    graph = reference.graph
    notes = []
    sorters: dict[str, list[str]] = {}
    for index, end in zip(graph.outputs, reference.outputs):
        operator = graph.producer(index)
        while operator is not None and operator.kind in _TRANSPARENT:
            operator = graph.producer(operator.inputs[0])
        if operator is not None and operator.kind in _SORTING:
            sorters.setdefault(operator.kind, []).append(f"'{end.name}'")
    for kind, names in sorters.items():
        notes.append(
            f"{', '.join(names)}: lists in the order that {kind.split(':')[-1]} gives them, "
            "compared entry by entry: two entries that change places count as errors of both"
        )
    return notes
