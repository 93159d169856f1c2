"""ncnn's two files: a text of layers (``.param``), and their weights (``.bin``).

The keys of a layer's parameters are those of ncnn's operators' documentation; weights are stored in
the order of the layers, each with a word before it that tells the type.
"""

from __future__ import annotations

import numpy as np

from tools.arm64.rivals.network import Layer, Network, Weights

_MAGIC = 7767517
_FLOAT, _INT8 = 0, 0x000D4B38
_RELU6 = "9=3 -23310=2,0.0,6.0"
_ACTIVATIONS = {"NONE": "", "RELU": "9=1", "RELU6": _RELU6}


def ncnn_files(network: Network, *, int8: bool) -> tuple[bytes, bytes]:
    """The ``.param`` and the ``.bin`` of a network.

    Args:
        network: The network.
        int8: Convolutions and dense layers in int8; a convolution that only convolutions read
            hands on codes, the others real values. If not, all is float: ncnn computes with
            float16 where the CPU can.
    """
    writer = _Writer(network, int8)
    for layer in network.layers:
        writer.add(layer)
    return writer.param(), bytes(writer.weights)


class _Writer:
    def __init__(self, network: Network, int8: bool) -> None:
        self._network = network
        self._int8 = int8
        self._lines: list[str] = []
        self._blobs = 0
        self._unread: dict[str, list[str]] = {}
        self.weights = bytearray()
        channels, height, width = network.shape
        self._line("Input", [], network.input, f"0={width} 1={height} 2={channels}")

    def param(self) -> bytes:
        """The text so far."""
        head = f"{_MAGIC}\n{len(self._lines)} {self._blobs}\n"
        return (head + "\n".join(self._lines) + "\n").encode()

    def add(self, layer: Layer) -> None:
        """One layer, with its weights."""
        inputs = [self._unread[name].pop(0) for name in layer.inputs]
        kind, parameters = self._described(layer)
        fused = layer.activation == "NONE" or layer.kind in ("conv", "dense")
        output = layer.output if fused else f"{layer.output}_raw"
        self._line(kind, inputs, output, parameters)
        if not fused:
            kind = "ReLU" if layer.activation == "RELU" else "Clip"
            self._line(kind, [output], layer.output, "" if kind == "ReLU" else "0=0.0 1=6.0")

    def _line(self, kind: str, inputs: list[str], output: str, parameters: str) -> None:
        """A layer, and behind it one that splits what several layers read."""
        readers = len(self._network.readers(output))
        names = [output]
        self._append(kind, inputs, names, parameters)
        if readers > 1:
            names = [f"{output}_{i}" for i in range(readers)]
            self._append("Split", [output], names, "")
        self._unread[output] = names

    def _append(self, kind: str, inputs: list[str], outputs: list[str], parameters: str) -> None:
        self._blobs += len(outputs)
        columns = [kind, f"layer{len(self._lines)}", f"{len(inputs)} {len(outputs)}"]
        self._lines.append(" ".join([*columns, *inputs, *outputs, parameters]).rstrip())

    def _described(self, layer: Layer) -> tuple[str, str]:
        height, width = layer.kernel
        above, left, below, right = layer.pads
        if layer.weights is not None:
            return self._linear(layer, layer.weights)
        if layer.kind in ("max_pool", "average_pool"):
            pads = f"3={left} 13={above} 14={right} 15={below} 5=1"
            window = f"1={width} 11={height} 2={layer.strides[1]} 12={layer.strides[0]}"
            return "Pooling", f"0={int(layer.kind == 'average_pool')} {window} {pads}"
        return {
            "add": ("BinaryOp", "0=0"),
            "concat": ("Concat", "0=0"),
            "global_pool": ("Pooling", "0=1 4=1"),
            "softmax": ("Softmax", "0=0"),
        }[layer.kind]

    def _linear(self, layer: Layer, weights: Weights) -> tuple[str, str]:
        mode = self._int8_mode(layer)
        self._store(layer, weights, mode)
        size = weights.codes.size
        activation = _ACTIVATIONS[layer.activation]
        if layer.kind == "dense":
            return "InnerProduct", f"0={len(weights.codes)} 1=1 2={size} 8={mode} {activation}"
        (height, width), (above, left, below, right) = layer.kernel, layer.pads
        window = f"1={width} 11={height} 3={layer.strides[1]} 13={layer.strides[0]}"
        pads = f"4={left} 14={above} 15={right} 16={below}"
        text = f"0={len(weights.codes)} {window} {pads} 5=1 6={size} 8={mode} {activation}"
        if layer.groups > 1:
            return "ConvolutionDepthWise", f"{text} 7={layer.groups}"
        return "Convolution", text

    def _int8_mode(self, layer: Layer) -> int:
        """0: float; 1 or 2: int8 with a float result; more than 100: with an int8 result."""
        if not self._int8:
            return 0
        readers = self._network.readers(layer.output)
        codes = bool(readers) and all(r.kind == "conv" for r in readers)
        mode = 1 if layer.groups > 1 or layer.kind == "dense" else 2
        return mode + (100 if codes and layer.kind == "conv" else 0)

    def _store(self, layer: Layer, weights: Weights, mode: int) -> None:
        codes = weights.codes
        if mode == 0:
            values = codes.astype(np.float32) * weights.scales.reshape(-1, 1, 1, 1)
            self.weights += np.uint32(_FLOAT).tobytes() + values.tobytes()
            self.weights += weights.bias.tobytes()
            return
        self.weights += np.uint32(_INT8).tobytes() + codes.tobytes()
        self.weights += bytes(-codes.size % 4)
        self.weights += weights.bias.tobytes() + (1 / weights.scales).tobytes()
        for name in [layer.inputs[0], *([layer.output] if mode > 100 else [])]:
            self.weights += np.float32(127 / self._network.quantization[name].largest).tobytes()
