"""Deciding the scale of every activation tensor, when the quantized network first needs it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tflite_eq.config import Forms, Method
from tflite_eq.execution.operator_runner import OperatorRunner
from tflite_eq.graph import properties
from tflite_eq.graph.heads import FEWEST_CODES, JOINING, head_operators
from tflite_eq.graph.linear import LinearLayer
from tflite_eq.graph.model import Operator
from tflite_eq.graph.scale_groups import ScaleGroup, shares_scale
from tflite_eq.numerics.affine import AffineParams
from tflite_eq.numerics.windows import ActivationMode, Window, affine_for, limited_affine
from tflite_eq.precision import ends_in_file, input_bits, wants_int7
from tflite_eq.record.calibration import LayerRecord, TensorRecord
from tflite_eq.search.easyquant import Interval, SearchResult, ValueReader, search_scales
from tflite_eq.search.rows import supports_rows
from tflite_eq.search.through import ELEMENTWISE, Function, search_through
from tflite_eq.simulation.averages import Averages, operators_behind_averages
from tflite_eq.simulation.elementwise_results import ElementwiseResults
from tflite_eq.simulation.floors import floor_of
from tflite_eq.simulation.least_scales import least_output_scale
from tflite_eq.simulation.lockstep_pass import LockstepPass
from tflite_eq.simulation.sampling import criterion, sampled_values
from tflite_eq.simulation.weight_scales import WeightScales
from tflite_eq.statistics.ranges import ESTIMATORS, widen_to_symmetric
from tflite_eq.writing.fast_forms import with_fast_swish

Float = npt.NDArray[np.float32]

# Operators whose results' errors are those of their input, value by value, or follow from them. Not
# means, which average rounding away and keep what clipping shifts, nor what compares values.
_READ_BY_VALUE = ELEMENTWISE | {"ADD", "PRELU", "SUB"}

# Operators that take values as they are, so that clipping in front of them buys a finer step and
# nothing else. That pays with 7 bits and not with 8 (docs/experiments.md), and where samples are
# enough to tell how far values reach: with six, random networks lost 0.9 dB on other samples.
_TAKEN_AS_IS = ("ADD", "SUB")
_FEWEST_SAMPLES = 20

_FIXED_WINDOW = Window(-128, 127, True)

# Kernels of MINIMUM and MAXIMUM broadcast codes of no more dimensions on some runtime.
_MOST_LIMITED = 5

# Where published settings start, or end.
_ESTIMATOR_OF = {Method.EASYQUANT_PAPER: "minmax", Method.TRT: "kl"}


class ActivationScales:
    """Scales of one network's activations."""

    def __init__(
        self,
        task: LockstepPass,
        weight_scales: WeightScales,
    ) -> None:
        """Nothing is settled yet.

        Args:
            task: The pass that the scales are decided in.
            weight_scales: Searched along with the scales of what layers read.
        """
        network = task.network
        self._graph, self._layers = network.graph, network.layers
        self._groups, self._skipped = network.groups, network.skipped
        self._observers = task.observers
        self._twins = task.twins
        self._config = task.config
        self._half_round = task.half_round
        self._trace = task.trace
        self._position = 0  # of the operator that runs next
        self._records: dict[int, TensorRecord] = {}
        self._new: list[TensorRecord] = []
        self._decided = {tensor.index: tensor for state in task.decided for tensor in state.tensors}
        self._least: dict[int, float] = {}
        self._weight_scales = weight_scales
        self._averaged_from: dict[int, list[ScaleGroup]] = {}
        for group in {id(group): group for group in network.groups.values()}.values():
            for operator in operators_behind_averages(group):
                for index in operator.inputs:
                    self._averaged_from.setdefault(index, []).append(group)

    def settle_inputs(self, operator: Operator) -> None:
        """Decide the scale of every tensor whose codes the operator needs."""
        self._position = operator.index
        if operator.kind == "SHAPE":
            return  # its result does not depend on codes; a reader that judges them may follow
        passes_on = shares_scale(operator) and operator.index not in self._skipped
        for index in operator.inputs:
            group = self._groups.get(index)
            if group is None:
                continue
            if passes_on and any(self._groups.get(o) is group for o in operator.outputs):
                continue
            self._settle(group)

    def note_layer(self, layer: LinearLayer, record: LayerRecord) -> None:
        """Take into account what steps a layer that has run computes its output in."""
        input_scale = self._twins.settled[layer.input].params.scale
        self._least[layer.output] = least_output_scale(record, input_scale)

    def settle_rest(self) -> None:
        """Decide what no operator has asked for: the network's outputs."""
        self._position = len(self._graph.operators)
        for index in sorted(self._groups):
            self._settle(self._groups[index])

    def is_awaited(self, tensor: int) -> bool:
        """Whether the values of a tensor are needed once more when a group is settled."""
        return any(
            group.tensors[0] not in self._twins.settled
            for group in self._averaged_from.get(tensor, ())
        )

    def records(self) -> list[TensorRecord]:
        """Records of all settled tensors by index."""
        for index, record in self._records.items():
            record.outside = self._twins.outside(index)
        return [self._records[index] for index in sorted(self._records)]

    def new_records(self) -> list[TensorRecord]:
        """Records of the tensors settled since this was asked last; ``outside`` is not final."""
        new, self._new = self._new, []
        return new

    def is_int7(self, tensor: int) -> bool:
        """Whether a settled tensor was given 7 bits."""
        return self._twins.settled[tensor].window.is_int7

    def _settle(self, group: ScaleGroup) -> None:
        if group.tensors[0] in self._twins.settled:
            return
        if group.tensors[0] in self._decided:
            self._settle_as_before(group, self._decided[group.tensors[0]])
            return
        if group.fixed is not None:
            self._settled(group, group.fixed, _FIXED_WINDOW, "fixed", 1.0)
            return
        int7 = wants_int7(group, self._config)
        floor = self._floor(group) if int7 else None
        averages = Averages(self._graph, group, self._twins)
        layers = self._weight_scales.joint(group.readers, int7, averages)
        unseen = self._unseen_range(group)
        starts = {name: _union(i, unseen) for name, i in self._starts(group, int7, floor).items()}

        def params_of(interval: Interval) -> AffineParams:
            return self._affine(_union(interval, unseen), group, int7, floor)[0]

        if layers and self._config.method is Method.EASYQUANT:
            found = search_scales(
                [*layers.values(), *self._value_readers(group)],
                starts,
                params_of,
                self._config.search,
                self._may_clip(group, int7, floor),
            )
        elif self._half_round is not None:
            found = self._half_round.activation(
                group, starts["minmax"], params_of, self._may_clip(group, int7, floor), averages
            )
        else:
            name, interval = next(iter(starts.items()))
            if self._config.method is Method.EASYQUANT:
                interval = self._search_through(group, interval, params_of)
            found = SearchResult(interval, name)
        if self._trace is not None:
            self._trace.activation_searches.update(dict.fromkeys(group.tensors, found.trials))
        self._weight_scales.take(layers)
        interval = _union(found.interval, unseen)
        params, window = self._affine(interval, group, int7, floor)
        least = max((self._least.get(index, 0.0) for index in group.tensors), default=0.0)
        while params.scale < least:  # twice where the interval was narrower than any scale
            low, high = (1.001 * end * least / params.scale for end in interval)
            interval = low, high
            params, window = self._affine(interval, group, int7, floor)
        if self._config.forms is Forms.FAST and not int7 and self._feeds(group, "HARD_SWISH"):
            params = with_fast_swish(params)
        self._twins.notices.extend(self._narrow_parts(group, params))
        self._settled(group, params, window, found.start, found.factor)

    def _feeds(self, group: ScaleGroup, kind: str) -> bool:
        """Whether an operator of a kind computes on the group's codes."""
        readers = (o for index in group.tensors for o in self._graph.consumers(index))
        return any(o.kind == kind and o.index not in self._skipped for o in readers)

    def _settle_as_before(self, group: ScaleGroup, record: TensorRecord) -> None:
        """Settle a group as an interrupted run did."""
        window = Window(*record.window, record.saturates)
        params = record.params
        self._settled(group, params, window, record.start, record.factor)
        self._new.clear()  # these are stored already

    def _settled(
        self, group: ScaleGroup, params: AffineParams, window: Window, start: str, factor: float
    ) -> None:
        averages = Averages(self._graph, group, self._twins)
        tables = ElementwiseResults(
            self._graph, self._skipped, self._twins.params, self._config.forms
        )
        for index in averages.tensors:
            self._twins.forget_quantized(index)
        for index in group.tensors:
            table, reason = tables.of(index, params)
            if reason:
                self._twins.notices.append(_nearest(self._graph.tensors[index].name, reason))
            self._twins.settle(index, params, window, table, tables.is_written(index))
            observer = self._observers[index]
            self._records[index] = TensorRecord(
                index=index,
                name=self._graph.tensors[index].name,
                scale=params.scale,
                zero_point=params.zero_point,
                window=(window.low, window.high),
                saturates=window.saturates,
                observed=(float(observer.minimum), float(observer.maximum)),
                start=start,
                factor=float(factor),
                limited=params.is_limited,
            )
            self._new.append(self._records[index])
        averages.compute_again()

    def _search_through(
        self,
        group: ScaleGroup,
        interval: Interval,
        params_of: Callable[[Interval], AffineParams],
    ) -> Interval:
        """A better interval for a group that no layer reads, by what its readers make of it.

        Not of what the caller reads, nor where a reader averages values or compares them, as MEAN
        and SOFTMAX do, nor in front of an addition with 8 bits or of a handful of samples, if none
        of them is loud: these keep their extremes.
        """
        members = set(group.tensors)
        if self._is_given_out(group) or self._hides_averages(group):
            return interval
        has_loud = self._twins.shares is not None
        pays = wants_int7(group, self._config) and self._twins.samples >= _FEWEST_SAMPLES
        is_whole = not (has_loud or pays)
        functions = []
        for tensor in group.tensors:
            readers = [
                o
                for o in self._graph.consumers(tensor)
                if not members.intersection(o.outputs) and o.kind != "SHAPE"
            ]
            if any(o.kind not in _READ_BY_VALUE for o in readers):
                return interval
            if is_whole and any(o.kind in _TAKEN_AS_IS for o in readers):
                return interval
            if readers and self._twins.has_values(tensor):
                functions += [self._function(tensor, o) for o in readers]
        return search_through(functions, interval, params_of) if functions else interval

    def _function(self, tensor: int, operator: Operator) -> Function:
        """What an operator makes of a tensor, with the values that the network behind it sees."""
        pool = self._maximum_behind(operator) if operator.kind in ELEMENTWISE else None
        view = {} if pool is None else {"view": lambda x: pool.run([x])[0]}
        found = sampled_values(self._twins, tensor, self._config.seed, **view)
        compute = self._computed(tensor, operator, found.positions)
        if self._twins.shares is None:
            return Function(compute, found.values)
        # Beside loud samples errors count by what the function makes of the sample they are in.
        results = compute(found.values).reshape(1, -1, 1)
        return Function(compute, found.values, found.samples.weights(results))

    def _computed(
        self, tensor: int, operator: Operator, positions: npt.NDArray[np.int64]
    ) -> Callable[[Float], Float]:
        """What an operator makes of a tensor's values at some positions, error by error."""
        if operator.kind in ELEMENTWISE and operator.index not in self._skipped:
            runner = OperatorRunner(self._graph, operator)
            single = (1, -1, *[1] * (len(self._graph.tensors[tensor].shape) - 2))
            return lambda x: runner.run([x.reshape(single)])[0].ravel()
        if operator.kind == "PRELU" and self._graph.tensors[operator.inputs[1]].is_constant:
            slopes = self._graph.constant(operator.inputs[1])
            shape = self._graph.tensors[tensor].shape
            inner = int(np.prod(shape[1:], dtype=np.int64))
            slope = np.broadcast_to(slopes, (1, *shape[1:])).ravel()[positions % inner]
            return lambda x: np.where(x >= 0, x, slope * x)
        return lambda x: x

    def _maximum_behind(self, operator: Operator) -> OperatorRunner | None:
        """The pool that lets only the largest results of an elementwise function through, if any.

        With f nondecreasing max(f(x)) = f(max(x)), so the pool may be taken of the input, and
        since rounding is nondecreasing too, that holds for quantized values.
        """
        result = operator.outputs[0]
        consumers = self._graph.consumers(result)
        if (
            result in self._graph.outputs
            or len(consumers) != 1
            or consumers[0].kind != "MAX_POOL_2D"
            or consumers[0].index in self._skipped
            or not properties.never_falls(operator)
        ):
            return None
        return OperatorRunner(self._graph, consumers[0], drop_activation=True)

    def _narrow_parts(self, group: ScaleGroup, params: AffineParams) -> list[str]:
        """What a common scale leaves few codes for, one sentence per tensor."""
        joined = [o for o in group.inside if o.kind in JOINING]
        heads = head_operators(self._graph)
        found = []
        for operator in joined:
            remedy = (
                "give a scale to each part, by --heads float or --heads split"
                if operator.index in heads
                else "bring both to similar ranges, by a batch normalization in front of the "
                "operator, say"
            )
            parts = [i for i in operator.inputs if i in group.tensors]
            for index in dict.fromkeys(parts):
                low, high = self._observers[index].minimum, self._observers[index].maximum
                codes = (high - low) / params.scale
                if 0 < codes < FEWEST_CODES and self._observers[index].count:
                    found.append(
                        f"tensor '{self._graph.tensors[index].name}' ranges from {low:.3g} to "
                        f"{high:.3g} and shares the scale of what {operator.kind} joins it with, "
                        f"which leaves {max(codes, 1):.0f} of 256 codes for it: {remedy}"
                    )
        return found

    def _floor(self, group: ScaleGroup) -> float | None:
        """The least real value that can get into the group, constants included."""
        floor = floor_of(self._graph, group.writers, self._twins.params)
        return None if floor is None else min(floor, group.constants[0])

    def _may_clip(self, group: ScaleGroup, int7: bool, floor: float | None) -> bool:
        """Whether a scale too small for the extremes clips them, and only them.

        A 7-bit window that int8 itself does not end clips nothing at run time: codes would leave
        it. Clipping in front of averages moves them, which not all readers can tell. And nobody
        knows what the caller makes of an output.
        """
        bounded = floor is not None or self._nonnegative(group)
        ends_at_127 = not int7 or (bounded and self._mode(group) is ActivationMode.ASYMMETRIC)
        ends_at_127 = ends_at_127 or self._is_limited(group, int7)
        return ends_at_127 and not self._is_given_out(group) and not self._hides_averages(group)

    def _is_given_out(self, group: ScaleGroup) -> bool:
        """Whether the caller reads values of the group."""
        return not set(self._graph.outputs).isdisjoint(group.tensors)

    def _hides_averages(self, group: ScaleGroup) -> bool:
        """Whether some reader of averages inside the group has no say in the group's scale.

        Those of averages that the networks have not come to yet have none, nor have operators
        without rows, to which clipped averages look like any other values.
        """
        behind = operators_behind_averages(group)
        results = {index for operator in behind for index in operator.outputs}
        judges = {layer.operator.index for layer in group.readers if supports_rows(layer)}
        inside = {operator.index for operator in group.inside}
        readers = {o.index for i in results for o in self._graph.consumers(i) if o.kind != "SHAPE"}
        return (
            any(operator.index >= self._position for operator in behind)
            or not results.isdisjoint(self._graph.outputs)
            or not readers <= judges | inside
        )

    def _affine(
        self, interval: Interval, group: ScaleGroup, int7: bool, floor: float | None
    ) -> tuple[AffineParams, Window]:
        if self._is_limited(group, int7):
            bits = input_bits(int7, self._config)
            interval = _union(interval, group.constants)
            return limited_affine(*interval, bits, self._mode(group), floor)
        return affine_for(*interval, int7, self._mode(group), floor)

    def _is_limited(self, group: ScaleGroup, int7: bool) -> bool:
        """Whether the file ends the codes of a group where its window ends.

        Codes that are requantized on their way into the group are not those of a tensor that could
        be limited.
        """
        sizes = [len(self._graph.tensors[index].shape) for index in group.tensors]
        return (
            ends_in_file(int7, self._config)
            and max(sizes) <= _MOST_LIMITED
            and not self._has_requantized(group)
        )

    def _has_requantized(self, group: ScaleGroup) -> bool:
        apart = (index for operator in group.inside for index in operator.inputs)
        return any(index in self._groups and index not in group.tensors for index in apart)

    def _mode(self, group: ScaleGroup) -> ActivationMode:
        if group.needs_zero_point_0:
            return ActivationMode.SYMMETRIC
        return self._config.activation_mode

    def _starts(self, group: ScaleGroup, int7: bool, floor: float | None) -> dict[str, Interval]:
        """Initial intervals: extremes and KL for EasyQuant, else the method's own.

        What no linear layer reads starts from its extremes. Where some samples reach far beyond
        the others, what the others reach is a start, too: half of the extremes may be far above it.
        """
        if not group.readers:
            names = ["minmax"]
        elif self._config.method is Method.EASYQUANT:
            names = ["minmax", "kl"] if self._may_clip(group, int7, floor) else ["minmax"]
            if len(names) > 1 and any(self._observers[i].has_loud for i in group.tensors):
                names.append("ordinary")
        else:
            names = [_ESTIMATOR_OF.get(self._config.method, self._config.method.value)]
        symmetric = self._config.activation_mode is ActivationMode.SYMMETRIC
        levels = 1 << input_bits(int7, self._config)
        starts = {}
        for name in names:
            ends = [
                self._own_range(index)
                if name == "minmax" and self._needs_own_range(group, int7, floor, index)
                else ESTIMATORS[name](self._observers[index], levels, symmetric)
                for index in group.tensors
            ]
            low = min(group.constants[0], *(end[0] for end in ends), 0.0)
            high = max(group.constants[1], *(end[1] for end in ends), 0.0)
            if symmetric and self._nonnegative(group):
                low = 0.0
            starts[name] = (low, high)
        return starts

    def _needs_own_range(
        self, group: ScaleGroup, int7: bool, floor: float | None, tensor: int
    ) -> bool:
        """Whether the window must hold what the quantized network computes, not the FP32 one.

        Where nothing ends the codes at the window, saturation of an 8-bit tensor further up often
        does: behind a leaky ReLU the values end where its clipped input does.
        """
        return (
            int7
            and not self._hides_averages(group)
            and not self._may_clip(group, int7, floor)
            and self._config.method is Method.EASYQUANT
            and self._twins.has_values(tensor)
        )

    def _own_range(self, tensor: int) -> Interval:
        low, high = self._twins.quantized_range(tensor)
        if self._config.activation_mode is ActivationMode.SYMMETRIC:
            low, high = widen_to_symmetric((low, high))
        return low, high

    def _unseen_range(self, group: ScaleGroup) -> Interval:
        """Extremes of the group's tensors that are yet to be computed.

        No reader can tell what clipping them would cost, as for a branch that meets the others
        in a concatenation later, so EasyQuant keeps them whole.
        """
        low = high = 0.0
        if self._config.method in (Method.EASYQUANT, Method.EASYQUANT_PAPER):
            for index in group.tensors:
                producer = self._graph.producer(index)
                if producer is not None and producer.index >= self._position:
                    observer = self._observers[index]
                    reached = observer.minimum, observer.maximum
                    if not self._is_given_out(group):
                        reached = observer.ordinary
                    low, high = _union((low, high), reached)
        return low, high

    def _nonnegative(self, group: ScaleGroup) -> bool:
        return group.constants[0] >= 0 and all(
            self._observers[index].minimum >= 0 for index in group.tensors
        )

    def _value_readers(self, group: ScaleGroup) -> list[ValueReader]:
        """One reader per present tensor of the group that operators without weights read."""
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
            sampled = sampled_values(self._twins, tensor, self._config.seed)
            found.append(
                ValueReader(
                    sampled.values,
                    sampled.exact,
                    criterion(self._config),
                    samples=None if self._twins.shares is None else sampled.samples,
                )
            )
        return found


def _nearest(name: str, reason: str) -> str:
    """What a user should know where a kernel's own codes are not known."""
    return (
        f"the codes of tensor '{name}' were taken for the nearest ones, because {reason}; a kernel "
        "that rounds otherwise shifts means that bias correction does not see: compare the models' "
        "outputs (--report_dir)"
    )


def _union(one: Interval, other: Interval) -> Interval:
    return min(one[0], other[0]), max(one[1], other[1])
