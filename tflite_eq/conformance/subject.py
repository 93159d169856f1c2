"""What is checked: a written model beside the float network and the record it was written from."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Set

from tflite_eq.calibration.record import Calibration, LayerRecord
from tflite_eq.errors import VerificationError
from tflite_eq.graph.linear import LinearLayer
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.writer import Meaning


@dataclasses.dataclass(frozen=True)
class Subject:
    """A written model, and what it should be.

    Attributes:
        graph: The float network that was quantized.
        layers: Its linear layers by operator index.
        skipped: Indices of its operators that stay in float.
        calibration: The record.
        written: The written model.
        meanings: What its tensors stand for, by tensor index.
        remedy: What could help if it is wrong, for the message.
    """

    graph: Graph
    layers: Mapping[int, LinearLayer]
    skipped: Set[int]
    calibration: Calibration
    written: Graph
    meanings: Mapping[int, Meaning]
    remedy: str

    def records(self) -> dict[int, LayerRecord]:
        """Records of the quantized layers by operator index of the float network."""
        return {r.index: r for r in self.calibration.layers if r.index not in self.skipped}

    def wrong(self, what: str, found: str) -> VerificationError:
        """The error for a model that is not what was calibrated."""
        return VerificationError(
            f"{self.graph.origin}: the quantized model is not what was calibrated: {what} {found}. "
            f"{self.remedy}, and report it: tflite_eq or its backend is at fault"
        )


@dataclasses.dataclass(frozen=True)
class Pair:
    """An operator of the float network and what was written for it."""

    source: Operator
    written: Operator


def quantized_constants(subject: Subject, pair: Pair) -> Iterator[tuple[int, int]]:
    """Constants that are float in the float network and int8 in the written one.

    Yields:
        Tensor index in the float network and in the written one.
    """
    if len(pair.source.inputs) != len(pair.written.inputs):
        return
    for source, written in zip(pair.source.inputs, pair.written.inputs):
        if source < 0 or written < 0:
            continue
        given, made = subject.graph.tensors[source], subject.written.tensors[written]
        if given.is_constant and given.is_float and made.is_constant and made.type_name == "INT8":
            yield source, written


def pairs(subject: Subject) -> Iterator[Pair]:
    """All operators of the written network that the float one has, too, in execution order."""
    for operator in subject.written.operators:
        if not operator.outputs or operator.outputs[0] not in subject.meanings:
            continue
        source = subject.graph.producer(subject.meanings[operator.outputs[0]].source)
        if source is not None and source.kind == operator.kind:
            yield Pair(source, operator)
