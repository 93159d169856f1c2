"""Calibrating networks for large pictures on parts of these.

A convolution computes the same at every place. So a network whose operators all look at a few
neighbours tells as much of its scales and errors on a part of a picture as on all of it, and the
work of a calibration need not grow with the picture. Each sample gives one part, at a place of its
own. What that costs: extremes are those of the parts. Of a tensor of which n values were seen, 2 of
n + 1 more lie outside them on average; with 50 samples that is less than one in ten thousand where
a tensor has one value for every 4 x 4 pixels. And along the edges of a part, where kernels pad,
values are those of a picture that ends there.

Networks that average or flatten whole pictures, or change their size to a fixed one that does not
follow from the input's, are calibrated on whole pictures.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from tflite_eq.data.dataset import Array, Sample
from tflite_eq.data.stored_samples import SamplesOfOthers, StoredSamples
from tflite_eq.graph import properties
from tflite_eq.graph.edit import computed_tensors
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.rewrite import Rewrite
from tflite_eq.normalization.shapes import shapes_for

# Values of all tensors for one sample from which on a part of it is taken, and that the part has.
# A ResNet50 has 17 million of them for a picture of 224x224, a MobileNet 5 million.
_MOST_VALUES = 48 << 20
_VALUES = 6 << 20

# Shortest side of a part: beyond it lie the edges, of which small ones have too much.
_SHORTEST = 96

# Larger windows, strides together included, would see the edges from everywhere.
_LARGEST_WINDOW = 9
_LARGEST_STRIDE = 32

_LOCAL = frozenset(
    """
    ABS ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DIV ELU EXP GELU
    HARD_SWISH LEAKY_RELU LOGISTIC MAXIMUM MAX_POOL_2D MINIMUM MIRROR_PAD MUL NEG PAD PADV2 PRELU
    RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1 RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR RSQRT
    SPACE_TO_DEPTH SQRT SQUARE SQUARED_DIFFERENCE SUB TANH TRANSPOSE_CONV
    """.split()
)

# Operators that are told the size of their result, and which of their inputs says it.
_SIZED = {"RESIZE_BILINEAR": 1, "RESIZE_NEAREST_NEIGHBOR": 1, "TRANSPOSE_CONV": 0}

_HEIGHT, _WIDTH, _CHANNELS = 1, 2, 3


def for_parts(graph: Graph) -> Graph | None:
    """The network for parts of its pictures, the same but for the shapes of its tensors.

    Args:
        graph: The float network.

    Returns:
        ``None`` if its pictures are not large, or cannot be cut.
    """
    if len(graph.inputs) != 1 or any(size < 0 for size in graph.signature(graph.inputs[0])[1:]):
        return None
    shape = graph.tensors[graph.inputs[0]].shape
    values = sum(math.prod(graph.tensors[index].shape) for index in computed_tensors(graph))
    if len(shape) != 4 or values <= _MOST_VALUES:
        return None
    if not all(_is_local(graph, operator) for operator in graph.operators):
        return None
    steps = _stride(graph)
    if steps > _LARGEST_STRIDE:
        return None
    share = math.sqrt(_VALUES / values)
    sides = [
        min(shape[axis], -(-max(_SHORTEST, math.ceil(shape[axis] * share)) // steps) * steps)
        for axis in (_HEIGHT, _WIDTH)
    ]
    if math.prod(sides) > shape[_HEIGHT] * shape[_WIDTH] / 2:
        return None
    return _resized(graph, (shape[0], *sides, shape[_CHANNELS]))


def _resized(graph: Graph, shape: tuple[int, ...]) -> Graph | None:
    """The network for an input of another height and width; ``None`` if it does not take it."""
    [source] = graph.inputs
    old = graph.tensors[source].shape
    rewrite = Rewrite(graph)
    rewrite.set_shape(source, shape, _with_open_batch(graph, source, shape))
    for operator in graph.operators:
        if operator.kind not in _SIZED:
            continue
        index = operator.inputs[_SIZED[operator.kind]]
        size = np.array(graph.constant(index))
        for axis, position in zip((_HEIGHT, _WIDTH), _sides(size)):
            scaled, rest = divmod(int(size[position]) * shape[axis], old[axis])
            if rest:
                return None
            size[position] = scaled
        rewrite.set_constant(index, size)
    smaller = rewrite.graph()
    found = shapes_for(smaller)
    if not found:
        return None
    rewrite = Rewrite(smaller)
    for index, own in found.items():
        rewrite.set_shape(index, own, _with_open_batch(graph, index, own))
    return Graph(rewrite.graph().model, graph.origin, graph.copies)


def _with_open_batch(graph: Graph, index: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A tensor's shape with its batch as open as it is in the network."""
    return (-1, *shape[1:]) if graph.signature(index)[:1] == (-1,) else shape


def _sides(size: Array) -> tuple[int, int]:
    """Where height and width are in what tells an operator the size of its result."""
    return (0, 1) if len(size) == 2 else (_HEIGHT, _WIDTH)


def _is_local(graph: Graph, operator: Operator) -> bool:
    """Whether each result depends on a few neighbours, and in the same way everywhere."""
    if operator.kind not in _LOCAL:
        return False
    shapes = [graph.tensors[i].shape for i in (*operator.inputs, *operator.outputs) if i >= 0]
    computed = [
        graph.tensors[i].shape
        for i in (*operator.inputs, *operator.outputs)
        if i >= 0 and not graph.tensors[i].is_constant
    ]
    if not all(len(shape) == 4 for shape in computed):
        return False
    if operator.kind in _SIZED:
        index = operator.inputs[_SIZED[operator.kind]]
        return bool(graph.tensors[index].is_constant)
    options = operator.options
    if operator.kind == "CONCATENATION":
        return int(options.axis) in (_CHANNELS, -1) and len(computed) == len(shapes)
    if operator.kind in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
        return bool(max(options.filterHeight, options.filterWidth) <= _LARGEST_WINDOW)
    if properties.linear_kind(operator) is not None or "PAD" in operator.kind:
        return True
    # Constants of elementwise operators: the same for all pixels.
    constants = [shape for shape in shapes if shape not in computed]
    is_same = all(math.prod(shape[:-1]) == 1 for shape in constants)
    return is_same and all(
        shape[_HEIGHT:_CHANNELS] == computed[0][_HEIGHT:_CHANNELS]
        or operator.kind in ("DEPTH_TO_SPACE", "SPACE_TO_DEPTH")
        for shape in computed
    )


def _stride(graph: Graph) -> int:
    """By what parts have to be divisible, so that all that is halved on the way comes out even."""
    least = 1
    reached = {graph.inputs[0]: 1.0}  # pixels of the input from one value to the next
    for operator in graph.operators:
        steps = max((reached.get(i, 1.0) for i in operator.inputs if i >= 0), default=1.0)
        source = next(i for i in operator.inputs if i in reached)
        before, after = graph.tensors[source].shape, graph.tensors[operator.outputs[0]].shape
        steps *= max(round(before[_HEIGHT] / max(after[_HEIGHT], 1)), 1)
        if after[_HEIGHT] > before[_HEIGHT]:
            steps /= max(round(after[_HEIGHT] / before[_HEIGHT]), 1)
        for index in operator.outputs:
            reached[index] = steps
        least = max(least, 1 << math.ceil(math.log2(max(steps, 1.0))))
    return least


def part_of(sample: Sequence[Array], smaller: Graph) -> list[Array]:
    """The middle of a sample, as large as the input of ``smaller``, in input order."""
    [values] = sample
    shape = smaller.tensors[smaller.inputs[0]].shape
    top, left = ((values.shape[axis] - shape[axis]) // 2 for axis in (_HEIGHT, _WIDTH))
    part = values[:, top : top + shape[_HEIGHT], left : left + shape[_WIDTH]]
    return [np.ascontiguousarray(part)]


class CroppedSamples(SamplesOfOthers):
    """A part of every sample, at a place of its own; otherwise the samples that it is made of."""

    def __init__(self, samples: StoredSamples, smaller: Graph, seed: int) -> None:
        """Take parts of ``samples`` as large as the input of ``smaller``; nothing is copied."""
        super().__init__(samples)
        self._inputs = tuple(smaller.inputs)
        self._shape = smaller.tensors[self._inputs[0]].shape
        self._seed = seed

    def __getitem__(self, number: int) -> Sample:
        [(index, values)] = self._whole[number].items()
        rng = np.random.default_rng([self._seed, number])
        top, left = (
            int(rng.integers(values.shape[axis] - self._shape[axis] + 1))
            for axis in (_HEIGHT, _WIDTH)
        )
        height, width = self._shape[_HEIGHT], self._shape[_WIDTH]
        part = values[:, top : top + height, left : left + width]
        return {index: np.ascontiguousarray(part)}

    def __iter__(self) -> Iterator[Sample]:
        return (self[number] for number in range(self.count))
