"""What is checked: a written model beside the float network and the record it was written from."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Set

from tflite_eq.errors import VerificationError
from tflite_eq.graph.linear import LinearLayer
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.record.calibration import Calibration, LayerRecord
from tflite_eq.writing.assembly import Meaning


@dataclasses.dataclass(frozen=True)
class WrittenModel:
    """A written model, and what it should be.

    Attributes:
        graph: The float network that was quantized.
        layers: Its linear layers by operator index.
        skipped: Indices of its operators that stay in float.
        calibration: The record.
        written: The written model.
        meanings: What its tensors stand for, by tensor index.
        forms: What several operators that stand for one read, by the tensor that they write.
        limits: What is ended before int8 ends it, and at which codes, by the tensor that holds the
            result.
    """

    graph: Graph
    layers: Mapping[int, LinearLayer]
    skipped: Set[int]
    calibration: Calibration
    written: Graph
    meanings: Mapping[int, Meaning]
    forms: Mapping[int, tuple[int, ...]]
    limits: Mapping[int, tuple[int, tuple[int, int]]] = dataclasses.field(default_factory=dict)

    def records(self) -> dict[int, LayerRecord]:
        """Records of the quantized layers by operator index of the float network."""
        return {r.index: r for r in self.calibration.layers if r.index not in self.skipped}

    def wrong(self, what: str, found: str) -> VerificationError:
        """The error for a model that is not what was calibrated."""
        return VerificationError(
            f"{self.graph.origin}: the quantized model is not what was calibrated: {what} {found}. "
            "Report it with the float model: tflite_eq is at fault"
        )


@dataclasses.dataclass(frozen=True)
class Pair:
    """An operator of the float network and what was written for it.

    Attributes:
        source: The float network's.
        written: The one that writes the result.
        read: What it reads; what all read together, where several stand for one.
        constants: Constants that are float in the float network and int8 in the written one: the
            latter's by the former's.
    """

    source: Operator
    written: Operator
    read: tuple[int, ...]
    constants: Mapping[int, int]


def pairs(subject: WrittenModel) -> Iterator[Pair]:
    """All operators of the float network that the written one has, too, in execution order."""
    for operator in subject.written.operators:
        if not operator.outputs or operator.outputs[0] not in subject.meanings:
            continue
        if operator.outputs[0] in subject.limits:
            continue  # the float network has none
        source = subject.graph.producer(subject.meanings[operator.outputs[0]].source)
        form = subject.forms.get(operator.outputs[0])
        if source is None:
            continue
        if form:
            yield Pair(source, operator, form, {})
        elif source.kind == operator.kind:
            constants = _quantized_constants(subject, source, operator)
            yield Pair(source, operator, operator.inputs, dict(constants))


def _quantized_constants(
    subject: WrittenModel, one: Operator, other: Operator
) -> Iterator[tuple[int, int]]:
    if len(one.inputs) != len(other.inputs):
        return
    for source, written in zip(one.inputs, other.inputs):
        if source < 0 or written < 0:
            continue
        given, made = subject.graph.tensors[source], subject.written.tensors[written]
        if given.is_constant and given.is_float and made.is_constant and made.type_name == "INT8":
            yield source, written
