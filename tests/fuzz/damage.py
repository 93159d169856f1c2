"""Damage to model files: to the objects of a flatbuffer, and to its bytes.

Every function takes the generator of random numbers first, so that a seed names the damage.
"""

from __future__ import annotations

import copy
import struct
from collections.abc import Iterator
from typing import Any, Callable

import numpy as np

from tests.fuzz.networks import Random, any_network, float_network
from tflite_eq.graph import schema

# Numbers at which something changes its meaning, of every width that the schema has.
NUMBERS = (
    *(-1, 0, 1, 2, 3, 4, 5, 7, 8, 16, 31, 32, 64, 127, 128, 255, 256, 1000, 32767, 32768, 65535),
    *(65536, 1 << 20, 1 << 24, (1 << 30) + 1, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 40),
    *((1 << 63) - 1, -2, -3, -128, -129, -32768, -65536, -(1 << 31), -(1 << 63)),
)
REALS = (0.0, -0.0, 1.0, -1.0, 1e-45, 1e-38, 1e-20, 1e15, 1e30, 3.4e38, -3.4e38)
REALS_AND_NOT = (*REALS, float("nan"), float("inf"), float("-inf"))
NAMES = (b"", b"x", b"a;b", b"t0;", b"\xff\xfe", b"\x00", b"new\nline", b"(", b"n" * 5000)


def damaged(rng: Random, model: bytes) -> bytes:
    """A model with up to three pieces of damage, most of them to objects rather than bytes."""
    if rng.random() < 0.25:
        return _bytes_damaged(rng, model)
    for _ in range(20):
        parsed = schema.parse(model)
        for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
            damage = _OBJECT_DAMAGE[int(rng.integers(len(_OBJECT_DAMAGE)))]
            try:
                damage(rng, parsed)
            except (AttributeError, IndexError, TypeError, ValueError):
                continue  # there was nothing of the kind, or other damage has taken it away
        try:
            return schema.serialize(parsed)
        except Exception:
            continue  # a value that no field holds
    return _bytes_damaged(rng, model)


# Bytes.


def _bytes_damaged(rng: Random, model: bytes) -> bytes:
    data = bytearray(model)
    for _ in range(int(rng.choice([1, 1, 2, 4, 16]))):
        if len(data) < 12:
            break
        _BYTE_DAMAGE[int(rng.integers(len(_BYTE_DAMAGE)))](rng, data)
    return bytes(data)


def _flip_bit(rng: Random, data: bytearray) -> None:
    data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))


def _set_byte(rng: Random, data: bytearray) -> None:
    data[int(rng.integers(len(data)))] = int(rng.choice([0, 1, 0x7F, 0x80, 0xFF]))


def _set_word(rng: Random, data: bytearray) -> None:
    position = 4 * int(rng.integers(len(data) // 4 - 1))
    number = NUMBERS[int(rng.integers(len(NUMBERS)))] & 0xFFFFFFFF
    struct.pack_into("<I", data, position, number)


def _nudge_word(rng: Random, data: bytearray) -> None:
    position = 4 * int(rng.integers(len(data) // 4 - 1))
    (number,) = struct.unpack_from("<I", data, position)
    number += int(rng.choice([-8, -4, -2, -1, 1, 2, 4, 8]))
    struct.pack_into("<I", data, position, number & 0xFFFFFFFF)


def _truncate(rng: Random, data: bytearray) -> None:
    del data[int(rng.integers(8, len(data))) :]


def _splice(rng: Random, data: bytearray) -> None:
    source, target = (int(v) for v in rng.integers(len(data), size=2))
    length = int(rng.integers(1, 65))
    data[target : target + length] = data[source : source + length]


def _insert(rng: Random, data: bytearray) -> None:
    position = int(rng.integers(len(data)))
    data[position:position] = rng.bytes(int(rng.integers(1, 9)))


def _delete(rng: Random, data: bytearray) -> None:
    position = int(rng.integers(8, len(data)))
    del data[position : position + int(rng.integers(1, 9))]


def _join_another(rng: Random, data: bytearray) -> None:
    other = any_network(rng)
    cut = int(rng.integers(8, min(len(data), len(other))))
    data[cut:] = other[cut:]


_BYTE_DAMAGE = (
    *(_flip_bit, _set_byte, _set_word, _set_word, _nudge_word, _nudge_word),
    *(_truncate, _splice, _insert, _delete, _join_another),
)


# Objects.


def _objects(node: Any) -> Iterator[Any]:
    """All objects of a parsed flatbuffer, the outer ones first."""
    yield node
    for value in list(vars(node).values()):
        for item in value if isinstance(value, list) else [value]:
            if hasattr(item, "Pack"):
                yield from _objects(item)


def _any_field(rng: Random, model: Any) -> None:
    """Any field of any object gets another value of its kind, or none."""
    objects = list(_objects(model))
    node = objects[int(rng.integers(len(objects)))]
    _change_field(rng, node, str(rng.choice(sorted(vars(node)))))


def _operator_field(rng: Random, model: Any) -> None:
    """A field of an operator or of its options."""
    operator = _one(rng, model.subgraphs[0].operators)
    options = operator.builtinOptions
    node = options if options is not None and rng.random() < 0.6 else operator
    _change_field(rng, node, str(rng.choice(sorted(vars(node)))))


def _change_field(rng: Random, node: Any, name: str) -> None:
    setattr(node, name, _changed(rng, getattr(node, name)))


def _changed(rng: Random, value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, np.integer)):
        return _number(rng, int(value))
    if isinstance(value, float):
        return REALS_AND_NOT[int(rng.integers(len(REALS_AND_NOT)))]
    if isinstance(value, (bytes, str)):
        return _name(rng)
    if isinstance(value, np.ndarray):
        return _array(rng, value)
    if isinstance(value, list):
        return _list(rng, value)
    return None


def _number(rng: Random, value: int) -> int:
    if rng.random() < 0.3:
        return value + int(rng.choice([-2, -1, 1, 2]))
    return NUMBERS[int(rng.integers(len(NUMBERS)))]


def _name(rng: Random) -> bytes:
    return NAMES[int(rng.integers(len(NAMES)))]


def _array(rng: Random, value: Any) -> Any:
    choice = rng.integers(6)
    if choice == 0 or not value.size:
        return None if rng.random() < 0.5 else np.append(value, value.dtype.type(1))
    if choice == 1:
        return value[: int(rng.integers(len(value)))]
    if choice == 2:
        return np.concatenate([value, value])
    value = value.copy()
    position = int(rng.integers(len(value)))
    if value.dtype.kind == "f":
        value[position] = REALS_AND_NOT[int(rng.integers(len(REALS_AND_NOT)))]
    else:
        limits = np.iinfo(value.dtype)
        number = _number(rng, int(value[position]))
        value[position] = min(max(number, int(limits.min)), int(limits.max))
    return value


def _list(rng: Random, value: list[Any]) -> Any:
    value = list(value)
    choice = rng.integers(6)
    if choice == 0:
        return None
    if choice == 1 or not value:
        return []
    position = int(rng.integers(len(value)))
    if choice == 2:
        del value[position]
    elif choice == 3:
        value.insert(position, copy.copy(value[int(rng.integers(len(value)))]))
    elif choice == 4:
        other = int(rng.integers(len(value)))
        value[position], value[other] = value[other], value[position]
    else:
        value[position] = value[int(rng.integers(len(value)))]
    return value


def _one(rng: Random, items: Any) -> Any:
    return items[int(rng.integers(len(items)))]


def _tensor_index(rng: Random, model: Any) -> None:
    """An operator reads or writes another tensor: beyond the table, its own result, a constant."""
    graph = model.subgraphs[0]
    operator = _one(rng, graph.operators)
    field = str(rng.choice(["inputs", "outputs"]))
    indices = [int(i) for i in getattr(operator, field)]
    count = len(graph.tensors)
    far = (-1, -2, count, count + 1, 1 << 30, -(1 << 31))
    indices[int(rng.integers(len(indices)))] = (
        int(rng.integers(count)) if rng.random() < 0.6 else int(rng.choice(far))
    )
    setattr(operator, field, np.array(indices, np.int32))


def _graph_ends(rng: Random, model: Any) -> None:
    """Inputs and outputs of the graph: none, repeated, beyond the table, constants."""
    graph = model.subgraphs[0]
    field = str(rng.choice(["inputs", "outputs"]))
    wanted = rng.integers(-1, len(graph.tensors) + 1, int(rng.integers(0, 4)))
    setattr(graph, field, wanted.astype(np.int32))


def _reorder(rng: Random, model: Any) -> None:
    """Operators run before what they read is there."""
    operators = model.subgraphs[0].operators
    order = rng.permutation(len(operators))
    model.subgraphs[0].operators = [operators[i] for i in order]


def _second_producer(rng: Random, model: Any) -> None:
    operators = model.subgraphs[0].operators
    _one(rng, operators).outputs = np.array(_one(rng, operators).outputs, np.int32)


def _shape(rng: Random, model: Any) -> None:
    tensor = _one(rng, model.subgraphs[0].tensors)
    shape = [int(d) for d in (tensor.shape if tensor.shape is not None else [])]
    choice = rng.integers(5)
    sizes = (-1, 0, 1, 2, 3, 5, 64, 1 << 16, (1 << 31) - 1, -(1 << 31))
    if choice == 0:
        shape = [int(rng.choice(sizes)) for _ in range(int(rng.integers(0, 9)))]
    elif choice == 1 and shape:
        shape.pop()
    elif choice == 2:
        shape.insert(int(rng.integers(len(shape) + 1)), 1)
    elif shape:
        shape[int(rng.integers(len(shape)))] = int(rng.choice(sizes))
    tensor.shape = np.array(shape, np.int32)
    if rng.random() < 0.3:
        tensor.shapeSignature = np.array([-1] * int(rng.integers(0, 6)), np.int32)


def _constant(rng: Random, model: Any) -> None:
    """Values of a constant: too few, too many, none, or not such as networks have."""
    graph = model.subgraphs[0]
    stored = [t for t in graph.tensors if len(model.buffers[t.buffer].data or ())]
    buffer = model.buffers[_one(rng, stored).buffer]
    choice = rng.integers(5)
    if choice == 0:
        buffer.data = buffer.data[: int(rng.integers(len(buffer.data)))]
    elif choice == 1:
        buffer.data = np.concatenate([buffer.data, buffer.data])
    elif choice == 2:
        buffer.data = None if rng.random() < 0.5 else np.zeros(0, np.uint8)
    elif len(buffer.data) % 4 == 0:
        values = np.asarray(buffer.data).view(np.float32).copy()
        places = rng.integers(len(values), size=int(rng.integers(1, 4)))
        values[places] = [_one(rng, REALS_AND_NOT) for _ in places]
        buffer.data = values.view(np.uint8)


def _index_constant(rng: Random, model: Any) -> None:
    """Axes, paddings and shapes are constants, too."""
    graph = model.subgraphs[0]
    kind = schema.schema().TensorType.INT32
    stored = [t for t in graph.tensors if t.type == kind and len(model.buffers[t.buffer].data)]
    buffer = model.buffers[_one(rng, stored).buffer]
    values = np.asarray(buffer.data).view(np.int32).copy()
    number = _number(rng, int(values[0]))
    values[int(rng.integers(len(values)))] = min(max(number, -(1 << 31)), (1 << 31) - 1)
    buffer.data = values.view(np.uint8)


def _tensor_type(rng: Random, model: Any) -> None:
    _one(rng, model.subgraphs[0].tensors).type = int(rng.integers(-1, 24))


def _tensor_buffer(rng: Random, model: Any) -> None:
    far = (0, len(model.buffers), len(model.buffers) + 1, (1 << 32) - 1)
    chosen = int(rng.choice(far)) if rng.random() < 0.4 else int(rng.integers(len(model.buffers)))
    _one(rng, model.subgraphs[0].tensors).buffer = chosen


def _external_buffer(rng: Random, model: Any) -> None:
    buffer = _one(rng, model.buffers)
    buffer.offset = int(rng.choice([0, 1, 2, 8, 100, 1 << 20, 1 << 40, (1 << 64) - 1]).item())
    buffer.size = int(rng.choice([0, 1, 4, 100, 1 << 20, 1 << 40]))
    if rng.random() < 0.5:
        buffer.data = None


def _operator_code(rng: Random, model: Any) -> None:
    code = _one(rng, model.operatorCodes)
    choice = rng.integers(5)
    if choice == 0:
        code.builtinCode = int(rng.integers(-1, 215))
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    elif choice == 1:
        code.deprecatedBuiltinCode = int(rng.integers(-128, 128))
    elif choice == 2:
        code.builtinCode = int(rng.choice([-(1 << 31), (1 << 31) - 1, 1000, 127]))
    elif choice == 3:
        code.version = int(rng.choice([-1, 0, 2, 7, 1000, (1 << 31) - 1]))
    else:
        code.builtinCode = code.deprecatedBuiltinCode = 32
        code.customCode = _name(rng) if rng.random() < 0.8 else None


def _options(rng: Random, model: Any) -> None:
    """No options, or those of another operator."""
    operators = model.subgraphs[0].operators
    operator, other = _one(rng, operators), _one(rng, operators)
    operator.builtinOptions = None if rng.random() < 0.4 else other.builtinOptions
    operator.builtinOptionsType = 0 if operator.builtinOptions is None else other.builtinOptionsType


def _quantization(rng: Random, model: Any) -> None:
    """Parameters of quantization where there were none, or others."""
    tensor = _one(rng, model.subgraphs[0].tensors)
    made = schema.schema().QuantizationParametersT()
    count = int(rng.choice([0, 1, 2, 3, 1000]))
    made.scale = np.array(
        [_one(rng, (*REALS_AND_NOT, 0.02, 0.1)) for _ in range(count)], np.float32
    )
    count = int(rng.choice([0, count, count, 1]))
    made.zeroPoint = rng.choice([0, -128, 127, 128, -129, 1 << 31, -(1 << 63)], count).astype(int)
    made.quantizedDimension = int(rng.choice([0, 0, 1, 3, 4, -1, 1 << 30]))
    tensor.quantization = made


def _quantized_codes(rng: Random, model: Any) -> None:
    """One of the parameters that are there."""
    graph = model.subgraphs[0]
    stored = [t.quantization for t in graph.tensors if t.quantization is not None]
    _change_field(rng, _one(rng, stored), str(rng.choice(["scale", "zeroPoint"])))


def _sparsity(rng: Random, model: Any) -> None:
    generated = schema.schema()
    tensor = _one(rng, model.subgraphs[0].tensors)
    made = generated.SparsityParametersT()
    rank = len(tensor.shape)
    made.traversalOrder = rng.integers(-1, rank + 2, int(rng.integers(0, rank + 3))).astype(
        np.int32
    )
    if rng.random() < 0.5:
        made.blockMap = rng.integers(-1, rank + 2, int(rng.integers(0, 3))).astype(np.int32)
    made.dimMetadata = []
    for _ in range(int(rng.integers(0, rank + 3))):
        dimension = generated.DimensionMetadataT()
        dimension.format = int(rng.integers(0, 3))
        dimension.denseSize = int(rng.choice([-1, 0, 1, 4, 1 << 30]))
        if rng.random() < 0.5:
            vector = generated.Int32VectorT()
            vector.values = rng.integers(-1, 10, int(rng.integers(0, 5))).astype(np.int32)
            dimension.arraySegmentsType = dimension.arrayIndicesType = 1
            dimension.arraySegments = dimension.arrayIndices = vector
        made.dimMetadata.append(dimension)
    tensor.sparsity = made


def _signature(rng: Random, model: Any) -> None:
    generated = schema.schema()
    definition = generated.SignatureDefT()
    definition.signatureKey = _name(rng)
    definition.subgraphIndex = int(rng.choice([0, 0, 1, (1 << 32) - 1]))
    for field in ("inputs", "outputs"):
        entries = []
        for _ in range(int(rng.integers(0, 3))):
            entry = generated.TensorMapT()
            entry.name = _name(rng)
            entry.tensorIndex = int(rng.choice([0, 1, 2, 1000, (1 << 32) - 1]))
            entries.append(entry)
        setattr(definition, field, entries if rng.random() < 0.9 else None)
    model.signatureDefs = [*(model.signatureDefs or []), definition]


def _metadata(rng: Random, model: Any) -> None:
    generated = schema.schema()
    entry = generated.MetadataT()
    entry.name = [b"tflite_eq", b"min_runtime_version", None, b"\xff"][int(rng.integers(4))]
    entry.buffer = int(rng.choice([0, len(model.buffers), (1 << 32) - 1]))
    model.metadata = [*(model.metadata or []), entry]


def _more_subgraphs(rng: Random, model: Any) -> None:
    other = schema.parse(float_network(rng)).subgraphs[0]
    model.subgraphs.append(copy.copy(model.subgraphs[0]) if rng.random() < 0.6 else other)


def _names(rng: Random, model: Any) -> None:
    """Names that are the same, empty, or no text."""
    tensors = model.subgraphs[0].tensors
    same = _name(rng) if rng.random() < 0.7 else None
    for tensor in tensors if rng.random() < 0.3 else [_one(rng, tensors)]:
        tensor.name = same


def _variable(rng: Random, model: Any) -> None:
    _one(rng, model.subgraphs[0].tensors).isVariable = True


_OBJECT_DAMAGE: tuple[Callable[[Random, Any], None], ...] = (
    *(_any_field, _any_field, _operator_field, _operator_field, _operator_field),
    *(_tensor_index, _tensor_index, _graph_ends, _reorder, _second_producer),
    *(_shape, _shape, _constant, _constant, _index_constant, _index_constant),
    *(_tensor_type, _tensor_buffer, _external_buffer, _operator_code, _operator_code),
    *(_options, _options, _quantization, _quantized_codes, _sparsity, _signature, _metadata),
    *(_more_subgraphs, _names, _variable),
)
