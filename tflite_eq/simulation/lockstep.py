"""The calibration pass: float and quantized network in lockstep, one operator at a time.

Layers are taken in topological order. When the first operator needs a tensor's codes, the scale
of its group is decided on the values that the quantized network so far really produces; each
linear layer is then run on those codes, its bias is corrected, and its output waits for the
decision of its own group. Only tensors that still have readers are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Set

import numpy as np
import numpy.typing as npt

from tflite_eq.bias.iterative import ErrorSums
from tflite_eq.calibration.histogram import RangeObserver
from tflite_eq.calibration.ranges import ESTIMATORS
from tflite_eq.calibration.record import LayerRecord, TensorRecord
from tflite_eq.config import ActivationMode, BiasCorrection, Bits, Config, Method
from tflite_eq.graph import properties
from tflite_eq.graph.linear import LinearLayer
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.scale_groups import ScaleGroup, shares_scale
from tflite_eq.numerics import weights
from tflite_eq.numerics.activation import apply_activation
from tflite_eq.numerics.affine import AffineParams
from tflite_eq.numerics.windows import Window, affine_for
from tflite_eq.progress import track
from tflite_eq.search.easyquant import (
    Found,
    Interval,
    LayerReader,
    ValueReader,
    initial_weight_scales,
    search_scales,
)
from tflite_eq.search.objective import Criterion
from tflite_eq.search.rows import gather_rows, grouped_filters, row_positions, supports_rows
from tflite_eq.search.through import ELEMENTWISE, search_through
from tflite_eq.simulation.operator_runner import OperatorRunner
from tflite_eq.simulation.twins import TwinActivations
from tflite_eq.targets import WeightGrid, gains_from_int7, weight_grid

Float = npt.NDArray[np.float32]

# Values of a tensor that are looked at where no rows are, over all samples.
_SAMPLED_VALUES = 100_000

_FIXED_WINDOW = Window(-128, 127, True)


class Lockstep:
    """One calibration pass over one network."""

    def __init__(
        self,
        graph: Graph,
        layers: dict[int, LinearLayer],
        groups: dict[int, ScaleGroup],
        skipped: Set[int],
        observers: dict[int, RangeObserver],
        twins: TwinActivations,
        config: Config,
    ) -> None:
        """Prepare a pass; ``twins`` must hold the network's inputs."""
        self._graph = graph
        self._layers = layers
        self._groups = groups
        self._skipped = skipped
        self._observers = observers
        self._twins = twins
        self._config = config
        self._readers: dict[int, LayerReader] = {}
        self._is_int7: dict[int, bool] = {}
        self._tensor_records: dict[int, TensorRecord] = {}
        self._layer_records: list[LayerRecord] = []
        self._pending = {
            index: len(graph.consumers(index))
            for index in range(len(graph.tensors))
            if not graph.tensors[index].is_constant
        }

    def run(self) -> tuple[list[TensorRecord], list[LayerRecord]]:
        """Decide all scales and bias corrections.

        Returns:
            Records of all quantized tensors by index, and of all quantized linear layers in
            execution order.
        """
        for operator in track(self._graph.operators, "Calibrating: layers"):
            self._settle_inputs(operator)
            layer = self._layers.get(operator.index)
            if layer is not None and operator.index not in self._skipped:
                self._run_layer(layer)
            else:
                self._run_operator(operator)
            self._release(operator)
        for index in sorted(self._groups):
            self._settle(self._groups[index])
        for index, record in self._tensor_records.items():
            record.outside = self._twins.outside(index)
        records = [self._tensor_records[index] for index in sorted(self._tensor_records)]
        return records, self._layer_records

    # Scales of activations.

    def _settle_inputs(self, operator: Operator) -> None:
        """Decide the scale of every tensor whose codes the operator needs."""
        passes_on = shares_scale(operator) and operator.index not in self._skipped
        for index in operator.inputs:
            group = self._groups.get(index)
            if group is None:
                continue
            if passes_on and any(self._groups.get(o) is group for o in operator.outputs):
                continue
            self._settle(group)

    def _settle(self, group: ScaleGroup) -> None:
        if group.tensors[0] in self._twins.params:
            return
        if group.fixed is not None:
            self._is_int7.update(dict.fromkeys(group.tensors, False))
            self._settled(group, group.fixed, _FIXED_WINDOW, "fixed", 1.0)
            return
        int7 = self._wants_int7(group)
        self._is_int7.update(dict.fromkeys(group.tensors, int7))
        layers = self._make_readers(group, int7)
        starts = self._starts(group, int7)

        def params_of(interval: Interval) -> AffineParams:
            return self._affine(interval, group, int7)[0]

        if layers and self._config.method is Method.EASYQUANT:
            window = self._affine(next(iter(starts.values())), group, int7)[1]
            found = search_scales(
                [*layers.values(), *self._value_readers(group)],
                starts,
                params_of,
                self._config.search,
                # Beyond a window that int8 does not end, nothing would clip at run time.
                may_clip=window.high == 127 and not group.averages,
            )
        else:
            name, interval = next(iter(starts.items()))
            if self._config.method is Method.EASYQUANT:
                interval = self._search_through(group, interval, params_of)
            found = Found(interval, name)
        self._readers.update(layers)
        params, window = self._affine(found.interval, group, int7)
        self._settled(group, params, window, found.start, found.factor)

    def _settled(
        self, group: ScaleGroup, params: AffineParams, window: Window, start: str, factor: float
    ) -> None:
        for index in group.tensors:
            self._twins.settle(index, params, window)
            observer = self._observers[index]
            self._tensor_records[index] = TensorRecord(
                index=index,
                name=self._graph.tensors[index].name,
                scale=params.scale,
                zero_point=params.zero_point,
                window=(window.low, window.high),
                saturates=window.saturates,
                observed=(float(observer.minimum), float(observer.maximum)),
                start=start,
                factor=float(factor),
            )

    def _search_through(
        self,
        group: ScaleGroup,
        interval: Interval,
        params_of: Callable[[Interval], AffineParams],
    ) -> Interval:
        """A better interval if only elementwise activation functions read the group."""
        tensor = group.tensors[0]
        consumers = self._graph.consumers(tensor)
        if (
            len(group.tensors) > 1
            or tensor in self._graph.outputs
            or not consumers
            or not all(o.kind in ELEMENTWISE for o in consumers)
        ):
            return interval
        values, _ = self._sampled_values(tensor)
        runners = [OperatorRunner(self._graph, operator) for operator in consumers]
        shape = (1, -1, *[1] * (len(self._graph.tensors[tensor].shape) - 2))

        def through(runner: OperatorRunner) -> Callable[[Float], Float]:
            return lambda x: runner.run([x.reshape(shape)])[0].ravel()

        functions = [through(runner) for runner in runners]
        return search_through(values, functions, interval, params_of)

    def _affine(
        self, interval: Interval, group: ScaleGroup, int7: bool
    ) -> tuple[AffineParams, Window]:
        mode = self._config.activation_mode
        if group.needs_zero_point_0:
            mode = ActivationMode.SYMMETRIC
        return affine_for(*interval, int7, mode, group.clamped_below)

    def _wants_int7(self, group: ScaleGroup) -> bool:
        if self._config.bits is Bits.INT8:
            return False
        if self._config.bits is Bits.INT7:
            return bool(group.readers)
        return any(
            reader.geometry is not None and gains_from_int7(reader.geometry, self._config.target)
            for reader in group.readers
        )

    def _starts(self, group: ScaleGroup, int7: bool) -> dict[str, Interval]:
        """Initial intervals: extremes and KL for EasyQuant, else the method's own.

        Only tensors that linear layers read are clipped: logits and operands of additions keep
        their full range.
        """
        if not group.readers:
            names = ["minmax"]
        elif self._config.method is Method.EASYQUANT:
            names = ["minmax"] if group.averages else ["minmax", "kl"]
        else:
            names = [self._config.method.value]
        symmetric = self._config.activation_mode is ActivationMode.SYMMETRIC
        levels = 128 if int7 else 256
        starts = {}
        for name in names:
            ends = [
                ESTIMATORS[name](self._observers[index], levels, symmetric)
                for index in group.tensors
            ]
            low = min(group.constants[0], *(end[0] for end in ends), 0.0)
            high = max(group.constants[1], *(end[1] for end in ends), 0.0)
            if symmetric and self._nonnegative(group):
                low = 0.0
            starts[name] = (low, high)
        return starts

    def _nonnegative(self, group: ScaleGroup) -> bool:
        return group.constants[0] >= 0 and all(
            self._observers[index].minimum >= 0 for index in group.tensors
        )

    # Weights.

    def _make_readers(self, group: ScaleGroup, int7: bool) -> dict[int, LayerReader]:
        """Readers whose input the networks have computed by now, by operator index."""
        if self._config.method is not Method.EASYQUANT:
            return {}
        return {
            layer.operator.index: self._make_reader(layer, int7)
            for layer in group.readers
            if supports_rows(layer) and self._twins.has_values(layer.input)
        }

    def _value_readers(self, group: ScaleGroup) -> list[ValueReader]:
        """One reader per present tensor of the group that operators without weights read."""
        criterion = Criterion(self._config.objective, self._corrects_bias)
        found = []
        for tensor in group.tensors:
            others = [
                o
                for o in self._graph.consumers(tensor)
                if (o.index not in self._layers or o.index in self._skipped)
                and not any(self._groups.get(i) is group for i in o.outputs)
                and o.kind != "SHAPE"
            ]
            if not others or not self._twins.has_values(tensor):
                continue
            values, exact = self._sampled_values(tensor)
            found.append(ValueReader(values, exact, criterion))
        return found

    def _sampled_values(self, tensor: int) -> tuple[Float, Float]:
        """Values of the quantized and of the FP32 network at the same random positions."""
        rng = np.random.default_rng([self._config.seed, tensor])
        per_sample = -(-_SAMPLED_VALUES // self._twins.samples)
        values, exact = [], []
        for sample in range(self._twins.samples):
            quantized = self._twins.quantized_values(tensor, sample).ravel()
            chosen = rng.integers(quantized.size, size=min(per_sample, quantized.size))
            values.append(quantized[chosen])
            exact.append(self._twins.float_values(tensor, sample).ravel()[chosen])
        return np.concatenate(values), np.concatenate(exact)

    def _make_reader(self, layer: LinearLayer, int7: bool) -> LayerReader:
        rng = np.random.default_rng([self._config.seed, layer.operator.index])
        per_sample = -(-self._config.search.rows // self._twins.samples)
        rows, exact = [], []
        for sample in range(self._twins.samples):
            reference = self._twins.float_values(layer.input, sample)
            positions = row_positions(layer, reference.shape, per_sample, rng)
            exact.append(gather_rows(layer, reference, positions))
            quantized = self._twins.quantized_values(layer.input, sample)
            rows.append(gather_rows(layer, quantized, positions))
        filters = grouped_filters(layer, layer.filters)
        output = np.matmul(np.concatenate(exact, axis=1), filters.transpose(0, 2, 1))
        return LayerReader(
            layer.filters,
            layer.groups,
            np.concatenate(rows, axis=1),
            output,
            self._grid(layer, int7),
            Criterion(self._config.objective, self._corrects_bias),
            self._config.per_tensor,
            self._config.search.activation_rows,
        )

    def _filter_codes(
        self, layer: LinearLayer, params: AffineParams
    ) -> tuple[npt.NDArray[np.int8], Float, WeightGrid]:
        """Codes, scales and grid of the layer's filters for settled input parameters."""
        int7 = self._is_int7[layer.input]
        grid = self._grid(layer, int7)
        reader = self._readers.pop(layer.operator.index, None)
        if reader is None and self._config.method is Method.EASYQUANT and supports_rows(layer):
            reader = self._make_reader(layer, int7)
            reader.search_weights(params, self._config.search)
        if reader is not None:
            scales = reader.scales
        else:
            scales = initial_weight_scales(layer.filters, grid, self._config.per_tensor)
        scales = np.maximum(scales, weights.bias_floor(layer.bias_values, params.scale))
        if self._config.per_tensor:
            scales = np.full_like(scales, scales.max())
        return weights.quantize_filters(layer.filters, scales, grid), scales, grid

    def _grid(self, layer: LinearLayer, int7: bool) -> WeightGrid:
        return weight_grid(layer.geometry, self._config.target, int7)

    @property
    def _corrects_bias(self) -> bool:
        return self._config.bias_correction is BiasCorrection.ITERATIVE

    # Running operators.

    def _run_operator(self, operator: Operator) -> None:
        runner = OperatorRunner(self._graph, operator)
        for sample in range(self._twins.samples):
            exact = runner.run([self._twins.float_values(i, sample) for i in runner.feeds])
            quantized = runner.run([self._twins.quantized_values(i, sample) for i in runner.feeds])
            for index, a, b in zip(operator.outputs, exact, quantized):
                self._twins.put_float(index, sample, a)
                self._twins.put_quantized(index, sample, b)

    def _run_layer(self, layer: LinearLayer) -> None:
        """Run both networks' version of a linear layer and correct the quantized one's bias."""
        params = self._twins.params[layer.input]
        codes, scales, grid = self._filter_codes(layer, params)
        real = weights.dequantize_filters(codes, scales)
        exact_runner = OperatorRunner(self._graph, layer.operator, drop_activation=True)
        quantized_runner = OperatorRunner(
            self._graph,
            layer.operator,
            {layer.filter: layer.stored_filters(real)},
            drop_activation=True,
        )
        sums = ErrorSums(layer.channels)
        for sample in range(self._twins.samples):
            exact = exact_runner.run(
                [self._twins.float_values(i, sample) for i in exact_runner.feeds]
            )[0]
            quantized = quantized_runner.run(
                [self._twins.quantized_values(i, sample) for i in quantized_runner.feeds]
            )[0]
            sums.update(exact, quantized)
            self._twins.put_float(layer.output, sample, exact)
            # Waits as pre-activation, whatever is known of the output's scale.
            self._twins.put_waiting(layer.output, sample, quantized)
        plain = self._rounded_bias(layer, np.zeros(layer.channels, np.float32), params, scales)
        offset = plain
        correction = np.zeros(0, np.float32)
        if self._corrects_bias:
            correction = (-sums.mean_shift).astype(np.float32)
            offset = self._rounded_bias(layer, correction, params, scales)
            if not self._helps(layer, plain, offset):
                correction, offset = np.zeros(0, np.float32), plain
        self._finish(layer, offset)
        before, after = sums.layer_errors(plain), sums.layer_errors(offset)
        self._layer_records.append(
            LayerRecord(
                index=layer.operator.index,
                name=layer.name,
                kind=layer.kind.value,
                input=layer.input,
                grid=grid.value,
                scales=[float(s) for s in (scales[:1] if self._config.per_tensor else scales)],
                bias_correction=[float(c) for c in correction],
                metrics={
                    "before_correction": before.as_dict(),
                    "after_correction": after.as_dict(),
                    "rolled_back": bool(self._corrects_bias and not correction.size),
                },
            )
        )

    def _rounded_bias(
        self, layer: LinearLayer, correction: Float, params: AffineParams, scales: Float
    ) -> Float:
        """What the int32 bias really adds beyond the float bias, per channel."""
        codes, bias_scales = weights.quantize_bias(
            layer.bias_values + correction, params.scale, scales
        )
        exact = codes.astype(np.float64) * bias_scales - layer.bias_values
        return exact.astype(np.float32)

    def _helps(self, layer: LinearLayer, plain: Float, corrected: Float) -> bool:
        """Whether the correction lowers the error behind the activation function."""
        activation = properties.fused_activation(layer.operator)
        if activation == "NONE":
            return True  # the mean is the least-squares correction of a linear output
        errors = np.zeros(2)
        for sample in range(self._twins.samples):
            reference = apply_activation(self._twins.float_values(layer.output, sample), activation)
            quantized = self._twins.waiting_values(layer.output, sample)
            for i, offset in enumerate((plain, corrected)):
                difference = apply_activation(quantized + offset, activation)
                difference -= reference
                errors[i] += np.vdot(difference, difference)
        return bool(errors[1] <= errors[0])

    def _finish(self, layer: LinearLayer, offset: Float) -> None:
        """Put the layer's final outputs: offset added, activation applied."""
        activation = properties.fused_activation(layer.operator)
        for sample in range(self._twins.samples):
            exact = self._twins.float_values(layer.output, sample)
            self._twins.put_float(layer.output, sample, apply_activation(exact, activation))
            waiting = self._twins.waiting_values(layer.output, sample)
            real = apply_activation(waiting + offset, activation)
            self._twins.put_quantized(layer.output, sample, real)

    def _release(self, operator: Operator) -> None:
        for index in set(operator.inputs):
            if index in self._pending:
                self._pending[index] -= 1
                if self._pending[index] == 0 and index not in self._graph.outputs:
                    self._twins.drop(index)
        for index in operator.outputs:
            if self._pending.get(index) == 0 and index not in self._graph.outputs:
                self._twins.drop(index)
