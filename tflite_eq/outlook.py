"""What quantizing a float network will do, told from the file alone: no data, nothing is run."""

from __future__ import annotations

import collections
import dataclasses
import math

import numpy as np
import numpy.typing as npt

from tflite_eq import islands
from tflite_eq.config import Config, Forms
from tflite_eq.graph import properties
from tflite_eq.graph.checks import describe
from tflite_eq.graph.int8_forms import int8_operators
from tflite_eq.graph.linear import LinearLayer, linear_layers, multiplications
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.operators import INT8_KERNELS, Scales
from tflite_eq.numerics.grids import WeightGrid
from tflite_eq.numerics.weights import dequantize_filters, max_scales, quantize_filters
from tflite_eq.preparation import prepared
from tflite_eq.selection import check_selection, skipped_operators
from tflite_eq.stock_speed import StockSpeed, stock_speed
from tflite_eq.text import counted, counted_kinds
from tflite_eq.writing.fast_forms import has_fast_form

Float = npt.NDArray[np.float32]

# Codes of a bell-shaped filter have 38 dB and more. Below this a few weights are far larger than
# the others of their channel, which a deviation told from the median does not count.
_POOR_WEIGHTS_DB = 27.0
_DEVIATION_OF_MEDIAN = 1.4826

# Weights so much smaller than the largest of their channel do nothing: training with weight decay
# leaves such behind dead inputs, and of their number no deviation is to be told.
_NOTHING = 2.0**-20

# A constant operand so much larger than activations usually are takes nearly all codes.
_LARGE_CONSTANT = 1000.0

# Their results span orders of magnitude, of which 256 codes hold the largest.
_WIDE_RESULTS = frozenset({"EXP", "LOG", "RSQRT", "SQUARED_DIFFERENCE", "REDUCE_PROD", "DIV"})


@dataclasses.dataclass(frozen=True)
class End:
    """An input or output of the network.

    Attributes:
        name: Tensor name.
        type_name: Element type.
        shape: Sizes; -1 where they are open.
    """

    name: str
    type_name: str
    shape: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class LayerOutlook:
    """A convolution or dense layer that will be quantized.

    Attributes:
        name: Output tensor name.
        kind: Operator kind.
        filter_shape: [K, ...].
        multiplications: Of one inference.
        weights_db: Deviation of the weights over their rounding error under 8 bits and a scale per
            channel, the mean over channels in dB; infinite if all weights are exact.
    """

    name: str
    kind: str
    filter_shape: tuple[int, ...]
    multiplications: int
    weights_db: float


@dataclasses.dataclass(frozen=True)
class Outlook:
    """What quantizing will do.

    Attributes:
        inputs: The network's inputs.
        outputs: Its outputs.
        changes: What is normalised first, one clause each.
        layers: Layers that compute on codes, in execution order.
        share: Their share of all multiplications of convolutions and dense layers.
        others: Other operators that compute on codes, by kind.
        in_float: What stays in float, in sentences.
        risks: Where accuracy is at risk, in sentences.
        forms: Operators that are written as others, which stock runtimes run fast; e.g.
            ``3 PRELU, 1 RELU``.
        speed: An estimate of how fast it will be on these.
    """

    inputs: tuple[End, ...]
    outputs: tuple[End, ...]
    changes: tuple[str, ...]
    layers: tuple[LayerOutlook, ...]
    share: float
    others: dict[str, int]
    in_float: tuple[str, ...]
    risks: tuple[str, ...]
    forms: str
    speed: StockSpeed


def outlook(model: bytes, origin: str, config: Config | None = None) -> Outlook:
    """Look at a float network without running it.

    Args:
        model: A float ``.tflite``.
        origin: What to call it in messages.
        config: Options that quantizing will have.

    Raises:
        ModelError: It cannot be quantized.
        ConfigError: ``config.skip`` matches nothing or everything.
    """
    config = config or Config()
    network = prepared(model, origin, config)
    graph = network.front
    layers = linear_layers(graph)
    skipped = skipped_operators(graph, config)
    check_selection(graph, layers, skipped, config)
    floats = {tensor.index for tensor in graph.tensors if tensor.is_float}
    on_codes = int8_operators(graph, skipped, floats, layers.keys())
    work = {index: multiplications(graph, layer) for index, layer in layers.items()}
    every = linear_layers(network.whole)
    total = sum(multiplications(network.whole, layer) for layer in every.values())
    found = tuple(_layer(layers[index], work[index]) for index in sorted(layers.keys() & on_codes))
    others = collections.Counter(
        graph.operators[index].kind for index in sorted(on_codes - layers.keys())
    )
    return Outlook(
        inputs=tuple(_end(network.whole, index) for index in network.whole.inputs),
        outputs=tuple(_end(network.whole, index) for index in network.whole.outputs),
        changes=network.changes,
        layers=found,
        share=sum(layer.multiplications for layer in found) / max(total, 1),
        others=dict(others),
        in_float=tuple(islands.sentences(network, skipped, config)),
        risks=tuple(_risks(graph, on_codes, found)),
        forms=_fast_forms(graph, on_codes) if config.forms is Forms.FAST else "",
        speed=stock_speed(network, skipped, config),
    )


def _layer(layer: LinearLayer, work: int) -> LayerOutlook:
    filters = layer.filters
    scales = max_scales(filters, WeightGrid.INT8)
    codes = quantize_filters(filters, scales, WeightGrid.INT8)
    weights = filters.reshape(len(filters), -1)
    errors = weights - dequantize_filters(codes, scales).reshape(weights.shape)
    counts = np.abs(weights) > _NOTHING * np.abs(weights).max(axis=1, initial=0.0, keepdims=True)
    found = [_decibel(w[c], e[c]) for w, e, c in zip(weights, errors, counts)]
    finite = [ratio for ratio in found if math.isfinite(ratio)]
    ratio = float(np.mean(finite)) if finite else math.inf
    return LayerOutlook(layer.name, layer.kind.value, filters.shape, work, ratio)


def _decibel(weights: Float, errors: Float) -> float:
    """Deviation of a channel's weights, without regard to its outliers, over their errors."""
    noise = float(np.square(errors, dtype=np.float64).mean()) if len(errors) else 0.0
    deviation = _DEVIATION_OF_MEDIAN * float(np.median(np.abs(weights))) if noise else 0.0
    return 10 * math.log10(deviation**2 / noise) if noise and deviation else math.inf


def _fast_forms(graph: Graph, on_codes: frozenset[int]) -> str:
    operators = [graph.operators[index] for index in sorted(on_codes)]
    return counted_kinds(o.kind for o in operators if has_fast_form(graph, o))


def _risks(graph: Graph, on_codes: frozenset[int], layers: tuple[LayerOutlook, ...]) -> list[str]:
    poor = sorted((x for x in layers if x.weights_db < _POOR_WEIGHTS_DB), key=_weights_db)
    found = [
        f"Weights of '{layer.name.split(';')[0]}' keep {layer.weights_db:.1f} dB with 8 bits: a "
        "few are far larger than the others of their channel"
        for layer in poor[:5]
    ]
    if len(poor) > 5:
        found.append(f"So do those of {counted(len(poor) - 5, 'other layer')}")
    wide = collections.Counter(
        graph.operators[i].kind
        for i in sorted(on_codes)
        if graph.operators[i].kind in _WIDE_RESULTS
    )
    if wide:
        kinds = ", ".join(f"{kind} ({n})" if n > 1 else kind for kind, n in wide.items())
        found.append(
            f"Results of {kinds} span orders of magnitude, of which int8 keeps the largest; keep "
            "them in float with --skip if the result is poor"
        )
    for index in sorted(on_codes):
        found += _operand_risks(graph, graph.operators[index])
    return found


def _operand_risks(graph: Graph, operator: Operator) -> list[str]:
    """What constants and operands of different range do to an operator."""
    found = []
    for index in operator.inputs:
        if properties.linear_kind(operator) is not None or index < 0:
            continue
        tensor = graph.tensors[index]
        if not (tensor.is_constant and tensor.is_float) or operator.kind not in ("ADD", "SUB"):
            continue
        largest = float(np.abs(graph.constant(index)).max(initial=0.0))
        if largest > _LARGE_CONSTANT:
            found.append(
                f"{describe(graph, operator)} adds constants of up to {largest:.3g}, which leaves "
                "few codes for the rest; a mask should be little larger than what it hides"
            )
    if operator.kind == "CONCATENATION":
        fixed = [index for index in operator.inputs if _has_fixed_scale(graph, index)]
        if fixed and len(fixed) < len(operator.inputs):
            found.append(
                f"{describe(graph, operator)} joins values of [-1, 1] with others; if those are "
                "far wider, the narrow ones get few codes"
            )
        elif all(i in graph.outputs for i in operator.outputs) and len(operator.inputs) > 1:
            found.append(
                f"{describe(graph, operator)} is an output in which {len(operator.inputs)} tensors "
                "share one scale: if their ranges differ (boxes and scores), --heads split gives "
                "each an output of its own"
            )
    return found


def _has_fixed_scale(graph: Graph, index: int) -> bool:
    producer = graph.producer(index)
    kernel = INT8_KERNELS.get(producer.kind) if producer is not None else None
    return kernel is not None and kernel.scales is Scales.FIXED


def _weights_db(layer: LayerOutlook) -> float:
    return layer.weights_db


def _end(graph: Graph, index: int) -> End:
    tensor, signature = graph.tensors[index], graph.subgraph.tensors[index].shapeSignature
    sizes = tensor.shape if signature is None or not len(signature) else signature
    return End(tensor.name, tensor.type_name.lower(), tuple(int(size) for size in sizes))
