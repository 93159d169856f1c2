"""ONNX models, for ONNX Runtime and for what converts them.

An int8 model has every tensor between a QuantizeLinear and a DequantizeLinear, from which runtimes
make integer operators. The file is a protocol buffer; its few messages are written here field by
field (onnx.proto of ONNX 1.12), so that nothing has to be installed for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Union

import numpy as np

from tools.arm64.rivals.network import Array, Layer, Network, Quantization, Weights

_IR_VERSION, _OPSET = 8, 13
_TYPES = {np.dtype(np.float32): 1, np.dtype(np.int8): 3, np.dtype(np.int32): 6}
_ATTRIBUTE_INT, _ATTRIBUTE_INTS = 2, 7
Attribute = Union[int, Sequence[int]]


def onnx_file(network: Network, *, int8: bool) -> bytes:
    """The ``.onnx`` of a network, with float inputs and outputs."""
    writer = _Writer(network, int8)
    for layer in network.layers:
        writer.add(layer)
    return writer.model()


class _Writer:
    def __init__(self, network: Network, int8: bool) -> None:
        self._network = network
        self._int8 = int8
        self._nodes = bytearray()
        self._initializers = bytearray()
        self._finish(network.input, network.input)

    def model(self) -> bytes:
        """The file."""
        output = self._network.output
        # A graph: nodes, name, initializers, inputs and outputs.
        graph = bytes(self._nodes) + _message(2, b"network") + bytes(self._initializers)
        graph += _message(11, _value(self._network.input, (1, *self._network.shape)))
        last = [layer for layer in self._network.layers if layer.kind != "softmax"][-1]
        graph += _message(12, _value(self._name(output), [0] * (2 if last.kind == "dense" else 4)))
        opset = _message(8, _number(2, _OPSET))
        return _number(1, _IR_VERSION) + _message(7, graph) + opset

    def add(self, layer: Layer) -> None:
        """One layer."""
        inputs = [self._name(name) for name in layer.inputs]
        raw = f"{layer.output}_raw"
        if layer.kind == "conv" and layer.weights is not None:
            parameters = self._weights(layer, layer.weights)
            self._node("Conv", [*inputs, *parameters], raw, **_window(layer), group=layer.groups)
        elif layer.kind == "dense" and layer.weights is not None:
            flat = f"{layer.output}_flat"
            self._node("Flatten", inputs, flat, axis=1)
            self._node("Gemm", [flat, *self._weights(layer, layer.weights)], raw, transB=1)
        elif layer.kind in ("max_pool", "average_pool"):
            kind = "MaxPool" if layer.kind == "max_pool" else "AveragePool"
            self._node(kind, inputs, raw, **_window(layer))
        elif layer.kind == "concat":
            self._node("Concat", inputs, raw, axis=1)
        elif layer.kind == "softmax":
            self._node("Softmax", inputs, raw, axis=1)
        else:
            self._node({"add": "Add", "global_pool": "GlobalAveragePool"}[layer.kind], inputs, raw)
        self._finish(self._activated(layer, raw), layer.output)

    def _activated(self, layer: Layer, raw: str) -> str:
        if layer.activation == "NONE" or self._clamps(layer):
            return raw
        activated = f"{layer.output}_activated"
        if layer.activation == "RELU":
            self._node("Relu", [raw], activated)
        else:
            bounds = [
                self._constant(f"{layer.output}_bound{bound}", np.float32(bound))
                for bound in (0, 6)
            ]
            self._node("Clip", [raw, *bounds], activated)
        return activated

    def _clamps(self, layer: Layer) -> bool:
        """Whether quantizing already does what the activation does."""
        known = self._network.quantization.get(layer.output)
        return self._int8 and known is not None and known.zero_point == -128

    def _finish(self, source: str, name: str) -> None:
        """Quantizes a tensor and back, where models are int8."""
        if not self._int8:
            if source != name:
                self._node("Identity", [source], name)
            return
        known = self._network.quantization.get(name, Quantization(1 / 256, -128))
        scale = self._constant(f"{name}_scale", np.float32(known.scale))
        zero = self._constant(f"{name}_zero", np.int8(known.zero_point))
        self._node("QuantizeLinear", [source, scale, zero], f"{name}_codes")
        self._node("DequantizeLinear", [f"{name}_codes", scale, zero], self._name(name))

    def _name(self, tensor: str) -> str:
        return f"{tensor}_real" if self._int8 else tensor

    def _weights(self, layer: Layer, weights: Weights) -> list[str]:
        name = layer.output
        shape = weights.codes.shape[:2] if layer.kind == "dense" else weights.codes.shape
        codes = weights.codes.reshape(shape)
        scales = weights.scales.reshape(-1, *[1] * (len(shape) - 1))
        if not self._int8:
            values = (codes * scales).astype(np.float32)
            return [
                self._constant(f"{name}_weights", values),
                self._constant(f"{name}_bias", weights.bias),
            ]
        unit = weights.scales * np.float32(self._network.quantization[layer.inputs[0]].scale)
        bias = np.round(weights.bias / unit).astype(np.int32)
        return [
            self._dequantized(f"{name}_weights", codes, weights.scales),
            self._dequantized(f"{name}_bias", bias, unit.astype(np.float32)),
        ]

    def _dequantized(self, name: str, codes: Array, scales: Array) -> str:
        stored = self._constant(f"{name}_codes", codes)
        scale = self._constant(f"{name}_scale", scales)
        zero = self._constant(f"{name}_zero", np.zeros(scales.shape, codes.dtype))
        self._node("DequantizeLinear", [stored, scale, zero], name, axis=0)
        return name

    def _constant(self, name: str, values: Array | np.generic) -> str:
        array = np.asarray(values)
        tensor = b"".join(_number(1, size) for size in array.shape)
        tensor += _number(2, _TYPES[array.dtype]) + _message(8, name.encode())
        self._initializers += _message(5, tensor + _message(9, array.tobytes()))
        return name

    def _node(self, kind: str, inputs: Sequence[str], output: str, **options: Attribute) -> None:
        node = b"".join(_message(1, name.encode()) for name in inputs)
        node += _message(2, output.encode()) + _message(3, f"{output}_node".encode())
        node += _message(4, kind.encode())
        for name, value in options.items():
            node += _message(5, _attribute(name, value))
        self._nodes += _message(1, node)


def _window(layer: Layer) -> dict[str, Attribute]:
    return {"kernel_shape": layer.kernel, "strides": layer.strides, "pads": layer.pads}


def _attribute(name: str, value: Attribute) -> bytes:
    text = _message(1, name.encode())
    if isinstance(value, int):
        return text + _number(3, value) + _number(20, _ATTRIBUTE_INT)
    return text + b"".join(_number(8, one) for one in value) + _number(20, _ATTRIBUTE_INTS)


def _value(name: str, shape: Sequence[int]) -> bytes:
    """A float tensor's name and type; sizes of 0 are left open."""
    sizes = (_number(1, size) if size else b"" for size in shape)
    tensor = _number(1, _TYPES[np.dtype(np.float32)])
    tensor += _message(2, b"".join(_message(1, size) for size in sizes))
    return _message(1, name.encode()) + _message(2, _message(1, tensor))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])
