"""Whether images are scaled as the network was trained with them, judged by its first layer.

Training makes the biases of a layer and what its inputs add to them comparable, all the more where
a batch normalization has been folded in: its bias then holds the mean of what it has seen, divided
by its deviation. With m_c and v_c mean and variance of a channel's output before its activation
function, over samples and positions, and b_c its bias,

    constancy = RMS m_c / RMS v_c^(1/2)        bias share = RMS b_c / RMS v_c^(1/2)

A network that wants pixels of 0 to 255 and gets 0 to 1 computes little but its biases: constancy is
large. One that wants -1 to 1 and gets pixels does not notice its biases. The latter is also true of
networks that were trained on pixels without normalizing anything, so that more is asked for: that a
ReLU6 clips most of what the first layer lets through, that logits lie further apart than any
training would bring them, or, where there are no logits, a smaller share still. What another
scaling would lead to is computed, too: without one under which the layer looks normal nothing is
said. docs/experiments.md has the figures that the limits rest on.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tflite_eq.data.dataset import Sample
from tflite_eq.data.stored_samples import StoredSamples, spread_positions
from tflite_eq.execution.float_network import FloatNetwork
from tflite_eq.execution.operator_runner import OperatorRunner
from tflite_eq.graph import properties
from tflite_eq.graph.linear import LinearLayer
from tflite_eq.graph.model import Graph, Operator

Array = npt.NDArray[Any]
Double = npt.NDArray[np.float64]
Range = tuple[float, float]

# Constancy was at most 3.5 in networks with their own scaling, and at least 17 with one that is
# 100 times too small.
_LARGEST_CONSTANCY = 12.0
_NORMAL_CONSTANCY = 6.0

# The bias share was at least 1/13 in networks with a normalization, and at most 1/39 with a scaling
# that is 60 times too large or more.
_LEAST_BIAS_SHARE = 2.0**-4.5
_LEAST_BIAS_SHARE_ALONE = 2.0**-5.5

# Standard deviation of a sample's logits: between 1.5 and 12 with the right scaling.
_LARGEST_LOGITS = 25.0
_SMALLEST_LOGITS = 0.75
_FEWEST_CLASSES = 5
_CLIPPED = 0.5

# Values beyond this are no normalized image.
_PIXELS = 16.0

# Linear layers behind the input among which the first one with a bias is looked for.
_LAYERS = 3
_FEWEST_ROWS = 4
_FEWEST_PIXELS = 8

# Samples that other scalings are tried on.
_TRIED = 4

_ENDS = ("SOFTMAX", "LOG_SOFTMAX", "LOGISTIC")
_TRANSPARENT = ("RESHAPE", "SQUEEZE")


class Scaling(NamedTuple):
    """A usual way to scale pixels of 0 to 255.

    Attributes:
        low: What 0 becomes.
        high: What 255 becomes.
        text: How to do it.
    """

    low: float
    high: float
    text: str


_SCALINGS = (
    Scaling(-1, 1, "x / 127.5 - 1 (--image_mean 127.5 --image_std 127.5)"),
    Scaling(0, 1, "x / 255 (--image_mean 0 --image_std 255)"),
    Scaling(0, 255, "pixels as they are, 0 to 255 (--image_mean 0 --image_std 1)"),
    Scaling(-127.5, 127.5, "x - 127.5 (--image_mean 127.5 --image_std 1)"),
)


@dataclasses.dataclass(frozen=True)
class Look:
    """The float network on a few samples.

    Attributes:
        layers: The layer that is judged, by tensor index of the input in front of it.
        clipped: Part of the layer's positive outputs that a ReLU6 clips, by the same index.
        outputs: Values of each float output, one array a sample; in front of a final softmax or
            logistic function.
        samples: The samples, each with its number.
        network: Makes the network ready to run, if it is not yet.
        graph: The same.
    """

    samples: list[tuple[int, Sample]]
    network: Callable[[], FloatNetwork]
    graph: Graph
    layers: Mapping[int, LinearLayer]
    clipped: Mapping[int, float]
    outputs: list[list[Array]]


def tensors_to_look_at(graph: Graph, layers: Mapping[int, LinearLayer]) -> set[int]:
    """What ``looked_at`` needs to know of a sample besides its inputs."""
    judges = (_judge_of(graph, layers, index) for index in graph.inputs)
    clipping = (_clipping(graph, layer) for layer in judges if layer is not None)
    return {*_ends(graph), *(index for index in clipping if index is not None)}


def looked_at(
    graph: Graph,
    layers: Mapping[int, LinearLayer],
    samples: StoredSamples,
    most: int,
    known: Mapping[int, Mapping[int, Array]],
) -> Look:
    """The float network on at most so many samples, spread over all of them.

    Args:
        graph: The float network.
        layers: Its linear layers by operator index.
        samples: The calibration samples.
        most: How many to look at.
        known: Values by tensor index of the samples that the network was run on already, by their
            number.
    """
    network = functools.cache(lambda: FloatNetwork(graph))
    judged = {}
    for index in graph.inputs:
        layer = _judge_of(graph, layers, index)
        if layer is not None and _is_image(samples[0][index].shape):
            judged[index] = layer
    active, clipped = dict.fromkeys(judged, 0), dict.fromkeys(judged, 0)
    ends = _ends(graph)
    outputs: list[list[Array]] = [[] for _ in ends]
    chosen = [(number, samples[number]) for number in spread_positions(samples.count, most)]
    for number, sample in chosen:
        values = known[number] if number in known else dict(network().run(sample, number))
        for index, layer in judged.items():
            six = _clipping(graph, layer)
            if six is not None:
                active[index] += int(np.count_nonzero(values[six] > 0))
                clipped[index] += int(np.count_nonzero(values[six] >= 6))
        for index, kept in zip(ends, outputs):
            kept.append(np.array(values[index]))
    shares = {index: clipped[index] / max(active[index], 1) for index in judged}
    return Look(chosen, network, graph, judged, shares, outputs)


def _ends(graph: Graph) -> list[int]:
    """Float outputs; in front of a final softmax or logistic function."""
    found = [_in_front(graph, output) for output in graph.outputs]
    return [index for index in found if graph.tensors[index].is_float]


def doubt_about_scale(graph: Graph, index: int, seen: Range, look: Look) -> str | None:
    """What is wrong with the scaling of an input, and what to try; ``None`` if nothing is.

    Args:
        graph: The float network.
        index: The input's tensor index.
        seen: Smallest and largest value of the input over all samples.
        look: The network on some samples.
    """
    layer = look.layers.get(index)
    if layer is None:
        return None
    values = [sample[index] for _, sample in look.samples]
    found = _Response.of(look.graph, layer, index, values)
    if found is None:
        return None
    low, high = seen
    is_small = max(-low, high) <= 4 and high - low >= 1 / 300
    if is_small and found.constancy > _LARGEST_CONSTANCY:
        reason = (
            f"layer '{_short(layer.name)}' computes nearly the same whatever the sample (the mean "
            f"of its outputs is {found.constancy:.0f} times their deviation), so they look too "
            "small"
        )
    elif max(-low, high) > _PIXELS and _is_too_large(graph, found, look, index):
        reason = (
            f"in layer '{_short(layer.name)}' they outweigh the biases "
            f"{1 / found.bias_share:.0f} times, so they look too large"
        )
    else:
        return None
    remedies = _remedies(look, index, seen)
    if not remedies:
        return None
    return (
        f"input '{graph.tensors[index].name}' has values from {low:.4g} to {high:.4g}; {reason}. "
        f"Check the preprocessing: if the network was trained with it, give {' or '.join(remedies)}"
    )


class _Response(NamedTuple):
    """What a layer makes of an input."""

    constancy: float
    bias_share: float

    @classmethod
    def of(
        cls, graph: Graph, layer: LinearLayer, index: int, values: list[Array]
    ) -> _Response | None:
        """The response to values of an input; ``None`` where too little is known.

        What lies between the input and the layer is computed with it.
        """
        count = 0
        total, squares = np.zeros(layer.channels), np.zeros(layer.channels)
        largest = np.full(layer.channels, -np.inf)
        for rows in _outputs(graph, layer, index, values):
            count += len(rows)
            total = total + rows.sum(axis=0)
            squares = squares + (rows**2).sum(axis=0)
            largest = np.maximum(largest, rows.max(axis=0, initial=-np.inf))
        # What a ReLU never lets through was dead in training, whatever it is fed.
        is_alive = largest > (0 if _is_rectified(graph, layer) else -np.inf)
        if count < _FEWEST_ROWS or not is_alive.any():
            return None
        mean, squares = total[is_alive] / count, squares[is_alive]
        deviation = float(np.sqrt(np.maximum(squares / count - mean**2, 0.0).mean()))
        if deviation == 0:
            return None
        bias = layer.bias_values[is_alive].astype(np.float64)
        share = float(np.sqrt((bias**2).mean())) / deviation
        return cls(float(np.sqrt((mean**2).mean())) / deviation, share)


def _is_rectified(graph: Graph, layer: LinearLayer) -> bool:
    """Whether nothing below 0 leaves the layer, by a function of its own or one behind it."""
    readers = graph.consumers(layer.output)
    return properties.makes_nonnegative(layer.operator) or (
        layer.output not in graph.outputs
        and bool(readers)
        and all(reader.kind in ("RELU", "RELU6", "RELU_0_TO_1") for reader in readers)
    )


def _outputs(graph: Graph, layer: LinearLayer, index: int, values: list[Array]) -> Iterator[Double]:
    """The layer's outputs before its activation function, [positions, channels] a sample."""
    operators = _between(graph, layer)
    path = [OperatorRunner(graph, operator) for operator in operators]
    runner = OperatorRunner(graph, layer.operator, drop_activation=True)
    for value in values:
        known = {index: value}
        for operator, step in zip(operators, path):
            made = step.run([known[feed] for feed in step.feeds])
            known.update(zip(operator.outputs, made))
        rows = runner.run([known[feed] for feed in runner.feeds])[0]
        yield rows.reshape(-1, layer.channels).astype(np.float64)


def _between(graph: Graph, layer: LinearLayer) -> list[Operator]:
    """Operators that compute the layer's input, in order."""
    needed: set[int] = set()
    waiting = [layer.input]
    while waiting:
        producer = graph.producer(waiting.pop())
        if producer is not None and producer.index not in needed:
            needed.add(producer.index)
            waiting += producer.inputs
    return [operator for operator in graph.operators if operator.index in needed]


def _judge_of(graph: Graph, layers: Mapping[int, LinearLayer], index: int) -> LinearLayer | None:
    """The first layer with a bias behind an input, if nothing but that input leads to it."""
    reached, seen = {index}, 0
    others = set(graph.inputs) - {index}
    for operator in graph.operators:
        if others.intersection(operator.inputs):
            others.update(operator.outputs)
        if not reached.intersection(operator.inputs):
            continue
        reached.update(operator.outputs)
        layer = layers.get(operator.index)
        if layer is None:
            continue
        seen += 1
        if layer.input not in others and np.any(layer.bias_values):
            return layer
        if seen == _LAYERS:
            return None
    return None


def _is_image(shape: tuple[int, ...]) -> bool:
    return len(shape) == 4 and shape[3] in (1, 3, 4) and min(shape[1:3]) >= _FEWEST_PIXELS


def _is_too_large(graph: Graph, found: _Response, look: Look, index: int) -> bool:
    if not 0 < found.bias_share < _LEAST_BIAS_SHARE or _gives_images(graph, index):
        return False
    if look.clipped[index] > _CLIPPED:
        return True
    spread = _spread_of_logits(look.outputs)
    if spread is None:
        return found.bias_share < _LEAST_BIAS_SHARE_ALONE
    return spread > _LARGEST_LOGITS


def _spread_of_logits(outputs: list[list[Array]]) -> float | None:
    """Mean standard deviation of a sample's scores of classes, if there is one vector of them."""
    if len(outputs) != 1:
        return None
    shape = outputs[0][0].shape
    if not outputs[0][0].size == max(shape, default=1) >= _FEWEST_CLASSES:
        return None
    return float(np.mean([values.std(dtype=np.float64) for values in outputs[0]]))


def _gives_images(graph: Graph, index: int) -> bool:
    """Whether what the network computes is an image again, on whatever scale."""
    shape = graph.tensors[index].shape
    for output in graph.outputs:
        made = graph.tensors[output].shape
        if len(made) == 4 and made[3] == shape[3] and min(made[1:3]) >= min(shape[1:3]):
            return True
    return False


def _remedies(look: Look, index: int, seen: Range) -> list[str]:
    """Usual scalings under which the network looks normal, the likeliest first, two at most.

    The values are taken for pixels whose smallest and largest were 0 and 255.
    """
    found = []
    for scaling in _SCALINGS:
        scaled = [
            (number, {**sample, index: _scaled(sample[index], seen, scaling)})
            for number, sample in look.samples[:_TRIED]
        ]
        values = [sample[index] for _, sample in scaled]
        response = _Response.of(look.graph, look.layers[index], index, values)
        if (
            response is not None
            and response.constancy < _NORMAL_CONSTANCY
            and response.bias_share > _LEAST_BIAS_SHARE
            and _logits_are_normal(look, scaled)
        ):
            found.append((response.constancy, scaling.text))
    return [text for _, text in sorted(found)[:2]]


def _scaled(values: Array, seen: Range, scaling: Scaling) -> Array:
    stretch = (scaling.high - scaling.low) / (seen[1] - seen[0])
    return np.asarray(((values - seen[0]) * stretch + scaling.low).astype(np.float32))


def _logits_are_normal(look: Look, scaled: list[tuple[int, Sample]]) -> bool:
    """Whether a classifier prefers some classes to others; true of what is none."""
    if _spread_of_logits(look.outputs) is None:
        return True
    end = _in_front(look.graph, look.graph.outputs[0])
    logits = [np.array(dict(look.network().run(sample, number))[end]) for number, sample in scaled]
    spread = _spread_of_logits([logits])
    return spread is not None and _SMALLEST_LOGITS < spread < _LARGEST_LOGITS


def _clipping(graph: Graph, layer: LinearLayer) -> int | None:
    """The layer's output behind a ReLU6, if one follows it."""
    if properties.fused_activation(layer.operator) == "RELU6":
        return layer.output
    for operator in graph.consumers(layer.output):
        if operator.kind == "RELU6":
            return operator.outputs[0]
    return None


def _in_front(graph: Graph, output: int) -> int:
    """What an output is computed from by a function that squeezes it, if it is."""
    producer = graph.producer(output)
    while producer is not None and producer.kind in (*_ENDS, *_TRANSPARENT):
        source = producer.inputs[0]
        if graph.producer(source) is None:
            break
        output, producer = source, graph.producer(source)
    return output


def _short(name: str) -> str:
    """The first of the names that an operator has collected by fusing others."""
    return name.split(";")[0]
