"""One operator by itself, or between convolutions, put together from the flatbuffer schema."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Callable, TypeVar

import numpy as np
import numpy.typing as npt

from tests.built_models import NetworkBuilder
from tflite_eq.graph import schema
from tflite_eq.runtimes import Kernels, preferred_runtime

Array = npt.NDArray[Any]
T = TypeVar("T")

# Names of options that are not those of the operators.
_OPTIONS = {
    "ARG_MAX": "ArgMax",
    "ARG_MIN": "ArgMin",
    "AVERAGE_POOL_2D": "Pool2D",
    "BATCH_MATMUL": "BatchMatMul",
    "BATCH_TO_SPACE_ND": "BatchToSpaceND",
    "CONV_2D": "Conv2D",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2D",
    "L2_NORMALIZATION": "L2Norm",
    "MAXIMUM": "MaximumMinimum",
    "MAX_POOL_2D": "Pool2D",
    "MEAN": "Reducer",
    "MINIMUM": "MaximumMinimum",
    "PADV2": "PadV2",
    "REDUCE_MAX": "Reducer",
    "REDUCE_MIN": "Reducer",
    "REDUCE_PROD": "Reducer",
    "SPACE_TO_BATCH_ND": "SpaceToBatchND",
    "SUM": "Reducer",
    "TOPK_V2": "TopKV2",
}


class Draw:
    """Random choices that a seed stands for."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def one(self, choices: Sequence[T]) -> T:
        return choices[int(self._random.integers(len(choices)))]

    def number(self, low: int, high: int) -> int:
        """An integer, ``high`` included."""
        return int(self._random.integers(low, high, endpoint=True))

    def chance(self) -> bool:
        return bool(self._random.integers(2))

    def shape(self, ranks: Sequence[int], largest: int = 5) -> tuple[int, ...]:
        return tuple(self.number(1, largest) for _ in range(self.one(ranks)))

    def values(self, shape: Sequence[int], low: float = -2.0, high: float = 2.0) -> Array:
        return self._random.uniform(low, high, tuple(shape)).astype(np.float32)

    def order(self, count: int) -> list[int]:
        return [int(i) for i in self._random.permutation(count)]


@dataclasses.dataclass(frozen=True)
class Network:
    """A float network.

    Attributes:
        model: The flatbuffer, with the shapes that the runtime has found.
        ranges: Smallest and largest value of each of its inputs.
        shapes: Shapes of its inputs.
        made: Shapes and types of its outputs.
    """

    model: bytes
    ranges: list[tuple[float, float]]
    shapes: list[tuple[int, ...]]
    made: list[tuple[tuple[int, ...], str]]

    def sample(self, seed: int) -> list[Array]:
        """Values for the inputs, from one end of their ranges to the other."""
        random = np.random.default_rng(seed)
        found = []
        for (low, high), shape in zip(self.ranges, self.shapes):
            values = np.asarray(random.uniform(low, high, shape), np.float32)
            values.ravel()[:2] = (low, high)[: values.size]
            found.append(values)
        return found


class OperatorBuilder(NetworkBuilder):
    """Builds a network around the operators that a function of it asks for."""

    def __init__(self, between: bool) -> None:
        """``between``: whether what is read and written goes through convolutions."""
        super().__init__()
        self._graph.tensors.clear()
        self._between = between
        self._inputs: list[int] = []
        self.ranges: list[tuple[float, float]] = []

    def activation(self, shape: Sequence[int], low: float = -2.0, high: float = 2.0) -> int:
        """A float tensor that is not constant."""
        if not self._between or 0 in shape:
            return self._add_input(shape, low, high)
        *rest, last = shape or (1,)
        image = self._add_input((1, int(np.prod(rest, dtype=int)), 1, last), -2.0, 2.0)
        if low < 0:
            found = self.conv(image, last, size=1)
        else:
            positive = self.conv(image, last, size=1, activation="RELU6")
            above = self.constant(np.full(1, low, np.float32))
            found = self.elementwise("ADD", positive, above)
        return self.reshape(found, *shape)

    def integers(self, values: Any) -> int:
        return self.constant(np.array(values, np.int32))

    def operator(
        self,
        kind: str,
        inputs: Sequence[int],
        results: Sequence[str] = ("FLOAT32",),
        **options: Any,
    ) -> list[int]:
        """Any operator; the shapes of its results are found later.

        Args:
            kind: Its name.
            inputs: What it reads.
            results: Types of its results.
            options: Fields of its options.
        """
        title = _OPTIONS.get(kind, kind.title().replace("_", ""))
        made = getattr(self._schema, f"{title}OptionsT", lambda: None)()
        for name, value in options.items():
            if not hasattr(made, name):
                raise AttributeError(f"{kind} has no option {name}")
            setattr(made, name, value)
        outputs = [self._operator(kind, list(inputs), (), made)]
        self._model.operatorCodes[-1].version = 2 if kind == "BROADCAST_TO" else 1
        outputs += [self._tensor(kind.lower(), ()) for _ in results[1:]]
        for index, result in zip(outputs, results):
            self._graph.tensors[index].type = getattr(self._schema.TensorType, result)
        self._graph.operators[-1].outputs = outputs
        return outputs

    def behind(self, tensor: int, shape: Sequence[int], kind: str) -> int:
        """What a network makes of a result."""
        if not self._between or kind != "FLOAT32" or 0 in shape:
            return tensor
        last = shape[-1] if shape else 1
        self._graph.tensors[tensor].shape = list(shape)
        image = self.reshape(tensor, 1, int(np.prod(shape, dtype=int)) // last, 1, last)
        return self.conv(image, 3, size=1)

    def network(self, outputs: Sequence[int]) -> Network:
        self._graph.inputs, self._graph.outputs = self._inputs, list(outputs)
        self._model.subgraphs = [self._graph]
        shapes = [self._shape(index) for index in self._inputs]
        unshaped = Network(schema.serialize(self._model), self.ranges, shapes, [])
        return _with_shapes(unshaped)

    def _add_input(self, shape: Sequence[int], low: float, high: float) -> int:
        self._inputs.append(self._tensor("input", tuple(shape)))
        self.ranges.append((low, high))
        return self._inputs[-1]

    def _tensor(self, name: str, shape: tuple[int, ...], values: Array | None = None) -> int:
        made = super()._tensor(name, shape, values)
        if values is not None:
            kind = values.dtype.name.upper()
            self._graph.tensors[made].type = getattr(self._schema.TensorType, kind)
        return made


Layer = Callable[[OperatorBuilder, Draw], Sequence[int]]


def alone(layer: Layer, seed: int) -> Network:
    """A network of the operator that the layer makes for a seed, and nothing else."""
    net = OperatorBuilder(between=False)
    return net.network(layer(net, Draw(seed)))


def between_convolutions(layer: Layer, seed: int) -> Network:
    """The same operator behind convolutions and in front of others."""
    made = alone(layer, seed).made
    net = OperatorBuilder(between=True)
    outputs = layer(net, Draw(seed))
    return net.network([net.behind(i, *found) for i, found in zip(outputs, made)])


def _with_shapes(network: Network) -> Network:
    interpreter = preferred_runtime().interpreter(network.model, Kernels.BUILTIN)
    interpreter.allocate_tensors()
    for detail, values in zip(interpreter.get_input_details(), network.sample(0)):
        interpreter.set_tensor(detail["index"], values)
    interpreter.invoke()
    model = schema.parse(network.model)
    subgraph = model.subgraphs[0]
    details = {detail["index"]: detail for detail in interpreter.get_tensor_details()}
    for index, tensor in enumerate(subgraph.tensors):
        if index in details:
            tensor.shape = np.array(details[index]["shape"], np.int32)
    names = schema.tensor_type_names()
    made = [
        (tuple(interpreter.get_tensor(i).shape), names[subgraph.tensors[i].type])
        for i in subgraph.outputs
    ]
    return dataclasses.replace(network, model=schema.serialize(model), made=made)
