"""TensorFlow Lite Metadata of inputs and outputs whose element type quantizing has changed.

The flatbuffer in the metadata ``TFLITE_METADATA`` says how inputs are normalised and which values
tensors take. Only numbers are changed here, in place, so that all else in it stays as it was. Its
schema is metadata_schema.fbs of TensorFlow Lite Support; the slots below are positions in it.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterator, Sequence

import numpy as np
from flatbuffers.number_types import Float32Flags, Uint8Flags, UOffsetTFlags
from flatbuffers.table import Table

from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph, Tensor

NAME = "TFLITE_METADATA"

_SUBGRAPHS, _INPUTS, _OUTPUTS = 3, 2, 3
_PROCESS_UNITS, _STATS = 4, 5
_MAX, _MIN = 0, 1
_KIND, _OPTIONS, _NORMALIZATION = 0, 1, 1
_MEAN, _STD = 0, 1

# A scale that was searched is a few hundredths off the extremes.
_TOLERATED_CODES = 4

_RANGES = {"UINT8": (0, 255), "INT8": (-128, 127)}


def adapt(graph: Graph) -> list[str]:
    """Make what the metadata say of integer inputs and outputs true of their codes.

    Statistics become those of the codes, as TensorFlow Lite's own writers of metadata have them.
    Normalization stays: it tells how pixels become the real values that codes stand for.

    Args:
        graph: The quantized network of a float one; its metadata are changed.

    Returns:
        What a user should know, one sentence each.
    """
    found: list[str] = []
    for entry in graph.model.metadata or []:
        if entry.name not in (NAME, NAME.encode()):
            continue
        buffer = graph.model.buffers[entry.buffer]
        stored = np.asarray(() if buffer.data is None else buffer.data, np.uint8)
        data = bytearray(stored.tobytes())
        try:
            found += _adapt(data, graph)
        except struct.error:  # an offset leads out of it
            found.append(f"the metadata '{NAME}' cannot be read and stay as they are")
            continue
        # Another buffer: the float network still has the old one.
        replaced = schema.schema().BufferT()
        replaced.data = np.frombuffer(bytes(data), np.uint8)
        graph.model.buffers.append(replaced)
        entry.buffer = len(graph.model.buffers) - 1
    return found


def _adapt(data: bytearray, graph: Graph) -> list[str]:
    notes = []
    root = Table(data, struct.unpack_from("<I", data)[0])
    for network in list(_tables(root, _SUBGRAPHS))[:1]:
        for slot, tensors in ((_INPUTS, graph.inputs), (_OUTPUTS, graph.outputs)):
            for described, index in zip(_tables(network, slot), tensors):
                tensor = graph.tensors[index]
                if tensor.type_name not in _RANGES:
                    continue
                params = _params(graph, tensor)
                for stats in _table(described, _STATS):
                    for values in (_MIN, _MAX):
                        _encode(stats, values, params, _RANGES[tensor.type_name])
                if slot == _INPUTS and tensor.type_name == "UINT8":
                    notes += _pixel_note(described, tensor, params)
    return notes


def _pixel_note(described: Table, tensor: Tensor, params: _Params) -> list[str]:
    """A sentence if codes are not the pixels that normalization starts from."""
    for unit in _tables(described, _PROCESS_UNITS):
        kind = _slot(unit, _KIND)
        if not kind or unit.Get(Uint8Flags, unit.Pos + kind) != _NORMALIZATION:
            continue
        for options in _union(unit, _OPTIONS):
            mean, std = (_floats(options, slot) for slot in (_MEAN, _STD))
            if not mean or len(mean) != len(std) or 0 in std:
                continue
            pixels = np.arange(256.0)[:, np.newaxis]
            meant = (pixels - np.asarray(mean)) / np.asarray(std)
            given = params.scale * (pixels - params.zero_point)
            difference = float(np.abs(meant - given).max()) / params.scale
            if not difference <= _TOLERATED_CODES:
                return [
                    f"input '{tensor.name}' has scale {params.scale:.6g} and zero point "
                    f"{params.zero_point}, while its metadata normalise pixels by mean "
                    f"{mean} and std {std}: what feeds raw pixels to uint8 inputs (Task Library) "
                    f"is off by up to {difference:.0f} codes. Give float32 inputs, or "
                    "calibration samples that hold black and white"
                ]
    return []


@dataclasses.dataclass(frozen=True)
class _Params:
    """Scale and zero point of int8 or uint8 codes."""

    scale: float
    zero_point: int


def _params(graph: Graph, tensor: Tensor) -> _Params:
    stored = graph.subgraph.tensors[tensor.index].quantization
    return _Params(float(stored.scale[0]), int(stored.zeroPoint[0]))


def _encode(stats: Table, slot: int, params: _Params, limits: tuple[int, int]) -> None:
    """Replace real values by their codes."""
    values = np.asarray(_floats(stats, slot))
    codes = np.clip(np.round(values / params.scale) + params.zero_point, *limits)
    offset = _slot(stats, slot)
    for position, code in enumerate(codes):
        struct.pack_into("<f", stats.Bytes, stats.Vector(offset) + 4 * position, code)


def _slot(table: Table, slot: int) -> int:
    return int(table.Offset(4 + 2 * slot))


def _tables(table: Table, slot: int) -> Iterator[Table]:
    """The tables of a vector."""
    offset = _slot(table, slot)
    if offset:
        for position in range(table.VectorLen(offset)):
            yield Table(table.Bytes, table.Indirect(table.Vector(offset) + 4 * position))


def _table(table: Table, slot: int) -> Iterator[Table]:
    """The table in a field, if it is there."""
    offset = _slot(table, slot)
    if offset:
        yield Table(table.Bytes, table.Indirect(table.Pos + offset))


def _union(table: Table, slot: int) -> Iterator[Table]:
    """The table in a union, if it is there."""
    offset = _slot(table, slot)
    if offset:
        at = table.Pos + offset
        yield Table(table.Bytes, at + table.Get(UOffsetTFlags, at))


def _floats(table: Table, slot: int) -> Sequence[float]:
    offset = _slot(table, slot)
    if not offset:
        return []
    begin = table.Vector(offset)
    count = range(table.VectorLen(offset))
    return [float(table.Get(Float32Flags, begin + 4 * position)) for position in count]
