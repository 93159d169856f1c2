"""Float networks with what the passes look for, put together operator by operator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.built_models import NetworkBuilder
from tests.running import run
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph

Array = npt.NDArray[Any]


class Builder(NetworkBuilder):
    """Operators with all their options; every method returns a tensor index."""

    def convolution(
        self,
        x: int,
        size: Sequence[int] = (3, 3),
        stride: int = 1,
        dilation: int = 1,
        padding: str = "VALID",
        depthwise: bool = False,
        channels: int = 4,
        activation: str = "NONE",
    ) -> int:
        """A convolution whose result has the size that its options make."""
        generated = schema.schema()
        batch, *extent, depth = self._shape(x)
        kind = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
        options = generated.DepthwiseConv2DOptionsT() if depthwise else generated.Conv2DOptionsT()
        options.strideH = options.strideW = stride
        options.dilationHFactor = options.dilationWFactor = dilation
        options.padding = getattr(generated.Padding, padding)
        shape = (1, *size, depth) if depthwise else (channels, *size, depth)
        if depthwise:
            options.depthMultiplier = 1
        made = self._linear(kind, x, shape, options, activation)
        windows = [(k - 1) * dilation + 1 for k in size]
        self._graph.tensors[made].shape = [
            batch,
            *(
                -(-(n if padding == "SAME" else n - window + 1) // stride)
                for n, window in zip(extent, windows)
            ),
            depth if depthwise else channels,
        ]
        return made

    def pad(self, x: int, amounts: Sequence[Sequence[int]], value: float | None = None) -> int:
        """PAD, or PADV2 with a value."""
        shape = tuple(n + sum(around) for n, around in zip(self._shape(x), amounts))
        inputs = [x, self.constant(np.array(amounts, np.int32))]
        if value is None:
            return self._operator("PAD", inputs, shape, schema.schema().PadOptionsT())
        inputs.append(self.constant(np.array([value], np.float32).reshape(())))
        return self._operator("PADV2", inputs, shape, schema.schema().PadV2OptionsT())

    def space_to_batch(self, x: int, block: Sequence[int], pads: Sequence[Sequence[int]]) -> int:
        """Phases of a tensor that is padded to a multiple of the block."""
        batch, height, width, channels = self._shape(x)
        rows, columns = (n + sum(p) for n, p in zip((height, width), pads))
        shape = (batch * block[0] * block[1], rows // block[0], columns // block[1], channels)
        return self._blocks("SPACE_TO_BATCH_ND", x, block, pads, shape)

    def batch_to_space(self, x: int, block: Sequence[int], crops: Sequence[Sequence[int]]) -> int:
        """The inverse, with the edges cut off."""
        batch, height, width, channels = self._shape(x)
        rows, columns = (n * b - sum(c) for n, b, c in zip((height, width), block, crops))
        shape = (batch // (block[0] * block[1]), rows, columns, channels)
        return self._blocks("BATCH_TO_SPACE_ND", x, block, crops, shape)

    def of(
        self, kind: str, inputs: Sequence[int], shape: Sequence[int], type_name: str, **options: Any
    ) -> int:
        """Any operator whose result has this shape and type; options by the schema's names."""
        generated = schema.schema()
        name = "".join(word.title() for word in kind.split("_"))
        name = "Reducer" if name.startswith("Reduce") else name
        made = getattr(generated, f"{name}OptionsT", lambda: None)()
        for field, value in options.items():
            setattr(made, field, value)
        result = self._operator(kind, list(inputs), tuple(shape), made)
        self.set_type(result, type_name)
        return result

    def set_type(self, x: int, type_name: str) -> None:
        """Give a tensor another element type, by the schema's name."""
        self._graph.tensors[x].type = getattr(schema.schema().TensorType, type_name)

    def shape_of(self, x: int) -> tuple[int, ...]:
        """Static shape of a tensor."""
        return self._shape(x)

    def _blocks(
        self,
        kind: str,
        x: int,
        block: Sequence[int],
        amounts: Sequence[Sequence[int]],
        shape: Sequence[int],
    ) -> int:
        inputs = [self.constant(np.array(values, np.int32)) for values in (block, amounts)]
        return self._operator(kind, [x, *inputs], tuple(shape), None)


def opened(data: bytes, *axes: int) -> bytes:
    """The network with dimensions of all computed tensors open: 1 stands for them, as converters
    write it."""
    model = schema.parse(data)
    for stored, tensor in zip(model.subgraphs[0].tensors, Graph(model).tensors):
        if not tensor.is_constant and tensor.is_float:
            stored.shapeSignature = [-1 if i in axes else n for i, n in enumerate(tensor.shape)]
            stored.shape = [1 if i in axes else n for i, n in enumerate(tensor.shape)]
    return schema.serialize(model)


def check_same(
    before: bytes, after: Graph, *shapes: Sequence[int], tolerance: float = 1e-5
) -> None:
    """Compare what two networks compute from random inputs of these shapes."""
    rng = np.random.default_rng(0)
    written = schema.serialize(after.model)
    Graph.from_bytes(written)  # consistent
    inputs = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    for expected, found in zip(run(before, inputs), run(written, inputs)):
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, atol=tolerance * np.abs(expected).max())


def kinds(graph: Graph) -> list[str]:
    """Kinds of a network's operators in execution order."""
    return [operator.kind for operator in graph.operators]
