"""The quantized network as a differentiable function of its biases, in TensorFlow.

It computes what the simulation of the calibration pass computes: float operators on dequantized
weights, and every quantized activation rounded to its int8 codes. Gradients pass the rounding
unchanged (straight-through estimator) and stop where codes are clipped.

Fine-tuning is the only user. Inference of the calibration pass stays with TFLite itself, which
every installation has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.errors import ModelError
from tflite_eq.fine_tuning.tensorflow_operators import (
    OPERATORS,
    activated,
    knows_activation,
    knows_layer,
    linear_function,
)
from tflite_eq.graph.checks import describe
from tflite_eq.graph.linear import LinearLayer
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.outputs import computed_logits
from tflite_eq.numerics import weights
from tflite_eq.numerics.affine import INT8_MAX, INT8_MIN, AffineParams, dequantize
from tflite_eq.record.calibration import LayerRecord
from tflite_eq.record.filters import recorded_filters
from tflite_eq.simulation.kernel_tables import KernelTable

Float = npt.NDArray[np.float32]


def distilled_tensors(graph: Graph) -> list[int]:
    """The tensors in which two networks' outputs are compared.

    Raises:
        ModelError: No output is computed and float.
    """
    found = computed_logits(graph)
    if not found:
        raise ModelError(
            f"{graph.origin}: no output is a computed float tensor, so there is nothing to "
            "fine-tune biases on; use --bias_correction iterative"
        )
    return found


def needed_operators(graph: Graph, tensors: Sequence[int]) -> list[Operator]:
    """The operators that the tensors depend on, in execution order."""
    wanted = set(tensors)
    found = []
    for operator in reversed(graph.operators):
        if wanted.intersection(operator.outputs):
            found.append(operator)
            wanted.update(operator.inputs)
    return found[::-1]


def check_differentiable(graph: Graph, layers: Mapping[int, LinearLayer]) -> None:
    """Refuse a network with an operator that ``DifferentiableNetwork`` does not know.

    Raises:
        ModelError: Names the operator.
    """
    for operator in needed_operators(graph, distilled_tensors(graph)):
        layer = layers.get(operator.index)
        known = operator.kind in OPERATORS if layer is None else knows_layer(layer)
        if not (known and knows_activation(operator)):
            raise ModelError(
                f"{graph.origin}: biases cannot be fine-tuned through {describe(graph, operator)}, "
                "whose gradient is not known here; use --bias_correction iterative"
            )


class DifferentiableNetwork:
    """One quantized network whose biases are arguments.

    Attributes:
        targets: Tensor indices of what it computes.
        trainable: Operator indices of the quantized linear layers it runs, in execution order:
            those whose biases it takes.
    """

    def __init__(
        self,
        tf: Any,
        graph: Graph,
        layers: Mapping[int, LinearLayer],
        records: Sequence[LayerRecord],
        params: Mapping[int, AffineParams],
        targets: Sequence[int] | None = None,
        tables: Mapping[int, KernelTable] | None = None,
    ) -> None:
        """Fix the weights as the writer will write them.

        Args:
            tf: The ``tensorflow`` module.
            graph: The float network; ``check_differentiable`` has passed it.
            layers: Its linear layers by operator index.
            records: Weights of the quantized layers.
            params: Scale and zero point by tensor index; other tensors stay in float.
            targets: Tensors to compute; ``distilled_tensors`` without.
            tables: Codes that kernels compute, by tensor index, where not the nearest.
        """
        self._tf = tf
        self._graph = graph
        self._params = params
        self._tables = tables or {}
        self.targets = list(targets or distilled_tensors(graph))
        self._operators = needed_operators(graph, self.targets)
        by_index = {record.index: record for record in records}
        self._shifts = {layers[i].output: layers[i].shifts for i in by_index}
        self.trainable = [o.index for o in self._operators if o.index in by_index]
        self._linear: dict[int, Callable[[list[Any]], Any]] = {}
        self._float_biases: dict[int, Any] = {}
        with tf.device("/CPU:0"):
            for operator in self._operators:
                layer = layers.get(operator.index)
                if layer is None:
                    continue
                real = layer.filters
                if operator.index in by_index:
                    real = _real_filters(layer, by_index[operator.index])
                else:
                    self._float_biases[operator.index] = tf.constant(layer.bias_values)
                self._linear[operator.index] = linear_function(tf, layer, real)
        # Loops are over operators: nothing for autograph, which leaves temporary files.
        self._forward = tf.function(self._compute, autograph=False)
        self._backward = tf.function(self._compute_gradients, autograph=False)

    def outputs(self, inputs: Sequence[Any], biases: Sequence[Any]) -> list[Float]:
        """Values of ``targets`` for one sample.

        Args:
            inputs: Values of the graph's inputs in their order.
            biases: Real biases [K] of the ``trainable`` layers.
        """
        with self._tf.device("/CPU:0"):
            return [value.numpy() for value in self._forward(list(inputs), list(biases))]

    def gradients(
        self,
        inputs: Sequence[Any],
        biases: Sequence[Any],
        references: Sequence[Float],
        factors: Sequence[float],
    ) -> list[Float]:
        """Gradients of one sample's loss by the biases.

        The loss is the sum over the targets of ``factor * mean((output - reference)^2)``.
        """
        constants = [np.float32(factor) for factor in factors]
        with self._tf.device("/CPU:0"):
            found = self._backward(list(inputs), list(biases), list(references), constants)
        return [gradient.numpy() for gradient in found]

    def _compute_gradients(
        self, inputs: list[Any], biases: list[Any], references: list[Any], factors: list[Any]
    ) -> list[Any]:
        tf = self._tf
        biases = [tf.convert_to_tensor(bias) for bias in biases]
        with tf.GradientTape() as tape:
            tape.watch(biases)
            outputs = self._compute(inputs, biases)
            loss = tf.add_n(
                [
                    factor * tf.reduce_mean(tf.math.squared_difference(output, reference))
                    for output, reference, factor in zip(outputs, references, factors)
                ]
            )
        gradients: list[Any] = tape.gradient(
            loss, biases, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        return gradients

    def _compute(self, inputs: list[Any], biases: list[Any]) -> list[Any]:
        offsets = {**self._float_biases, **dict(zip(self.trainable, biases))}
        values: dict[int, Any] = {}
        for index, value in zip(self._graph.inputs, inputs):
            values[index] = self._encoded(index, self._tf.convert_to_tensor(value))
        for operator in self._operators:
            given = [self._value(index, values) for index in operator.inputs]
            linear = self._linear.get(operator.index)
            if linear is not None:
                found = [linear(given) + offsets[operator.index]]
            else:
                made = OPERATORS[operator.kind](self._tf, operator, given)
                found = list(made) if isinstance(made, (list, tuple)) else [made]
            for index, value in zip(operator.outputs, found):
                values[index] = self._encoded(index, activated(self._tf, operator, value))
        return [values[index] for index in self.targets]

    def _value(self, index: int, values: Mapping[int, Any]) -> Any:
        if index < 0:
            return None
        # As arrays, shapes and axes stay known while TensorFlow traces the function.
        return values[index] if index in values else self._graph.constant(index)

    def _encoded(self, index: int, values: Any) -> Any:
        params = self._params.get(index)
        if params is None:
            return values
        table, shifts = self._tables.get(index), self._shifts.get(index)
        return fake_quantize(self._tf, values, params, table, shifts)


def fake_quantize(
    tf: Any,
    values: Any,
    params: AffineParams,
    table: KernelTable | None = None,
    shifts: Float | None = None,
) -> Any:
    """Values after a round trip through int8 codes; the gradient is 1, or 0 where clipped.

    Args:
        tf: The ``tensorflow`` module.
        values: Real values.
        params: Scale and zero point of the codes.
        table: The codes for these values, where they are not the nearest.
        shifts: Steps that are added to the values before they are rounded, [C].
    """
    scale = np.float32(params.scale)
    low = np.float32(INT8_MIN - params.zero_point)
    high = np.float32(INT8_MAX - params.zero_point)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def round_trip(x: Any) -> tuple[Any, Callable[[Any], Any]]:
        steps = x * (np.float32(1) / scale)
        if shifts is not None:
            steps += shifts
        # Halves away from zero, as kernels round.
        steps = tf.sign(steps) * tf.floor(tf.abs(steps) + 0.5)
        inside = tf.logical_and(steps >= low, steps <= high)

        def gradient(upstream: Any) -> Any:
            return tf.where(inside, upstream, tf.zeros_like(upstream))

        if table is None:
            return tf.clip_by_value(steps, low, high) * scale, gradient
        places = tf.reshape(tf.searchsorted(table.limits, tf.reshape(x, [-1])), tf.shape(x))
        return tf.gather(dequantize(table.codes, params), places), gradient

    return round_trip(values)


def _real_filters(layer: LinearLayer, record: LayerRecord) -> Float:
    filters = recorded_filters(layer, record)
    return weights.dequantize_filters(filters.codes, filters.scales * np.float32(record.gain))
