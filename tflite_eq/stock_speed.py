"""Whether INT8 will be faster than float on stock runtimes, told from the float network alone.

Not always: XNNPACK has no int8 kernel for some operators, and a few of these can take longer than
all convolutions (``stock_prices``).
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Set

from tflite_eq.config import Config, Forms
from tflite_eq.graph.float_islands import matching, with_movers
from tflite_eq.graph.int8_forms import SHAPE_READERS, int8_operators
from tflite_eq.graph.linear import linear_layers
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.preparation import Prepared
from tflite_eq.stock_prices import CONVERSION_NS, OperatorTime, operator_time, values_of
from tflite_eq.writing.fast_forms import has_fast_form

# An operator is slow in INT8 if it takes so many times as long as in float; it is worth a word if
# it takes more than a little of all time, and so are all together if they take half of it.
_SLOW = 3.0
_LITTLE = 0.05
_MUCH = 0.5

# An expression for more operators would fill a screen.
_LONGEST_EXPRESSION = 400


@dataclasses.dataclass(frozen=True)
class SlowOperators:
    """Operators of a kind that take longer in INT8 than in float.

    Attributes:
        kind: The kind.
        count: How many there are.
        share: Their share of the time of the INT8 network.
    """

    kind: str
    count: int
    share: float


@dataclasses.dataclass(frozen=True)
class StockSpeed:
    """An estimate for a stock runtime with XNNPACK, one thread.

    Attributes:
        float_ms: Milliseconds of one inference of the float network.
        int8_ms: Of the quantized one.
        slow: What makes it slow, the kind that takes most first: all that loses if INT8 does.
        sentences: What a user should know before quantizing; most often nothing.
    """

    float_ms: float
    int8_ms: float
    slow: tuple[SlowOperators, ...]
    sentences: tuple[str, ...]

    @property
    def ratio(self) -> float:
        """Time of INT8 over that of float."""
        return self.int8_ms / max(self.float_ms, 1e-9)


# What the delegate runs many times faster than built-in kernels do (delegate/README.md).
_RUN_BY_DELEGATE = frozenset(
    {"AVERAGE_POOL_2D", "CONV_2D", "HARD_SWISH", "PRELU", "RELU", "RELU6", "RELU_N1_TO_1"}
)


def run_by_delegate(operator: Operator) -> bool:
    """Whether the delegate takes an operator of this kind from the runtime."""
    return operator.kind in _RUN_BY_DELEGATE


def stock_speed(network: Prepared, skipped: Set[int], config: Config) -> StockSpeed:
    """Estimate the speed of a network on stock runtimes before and after quantizing.

    Args:
        network: The network; of operators that the installed runtime does not have nothing is
            known.
        skipped: Operators of its front that stay in float.
        config: Options.
    """
    graph = network.front
    floats = {tensor.index for tensor in graph.tensors if tensor.is_float}
    on_codes = int8_operators(graph, skipped, floats, linear_layers(graph).keys())
    is_fast = config.forms is Forms.FAST
    times = {o.index: operator_time(graph, o, is_fast) for o in graph.operators}
    real = sum(time.real for time in times.values())
    codes = _converted(graph, on_codes) * CONVERSION_NS + sum(
        time.codes if index in on_codes else time.real for index, time in times.items()
    )
    # Where INT8 wins all the same, only what is far slower than it could be is worth a word.
    factor = 1.0 if codes > real else _SLOW
    losing = [i for i in sorted(on_codes) if times[i].codes > factor * times[i].real]
    slow = _by_kind(graph, losing, times, codes)
    sentences: tuple[str, ...] = ()
    if slow and (codes > real or sum(each.share for each in slow) > _MUCH):
        kinds = {each.kind for each in slow}
        culprits = [i for i in losing if graph.operators[i].kind in kinds]
        is_left = all(times[i].codes > _SLOW * times[i].real for i in culprits)
        why = ": XNNPACK has no int8 kernel for these and leaves them to slow ones"
        remedy = _remedy(graph, culprits, skipped, config)
        sentences = (f"{_sentence(codes / real, slow)}{why if is_left else ''}. {remedy}",)
    return StockSpeed(real / 1e6, codes / 1e6, tuple(slow), sentences)


def _by_kind(
    graph: Graph, losing: list[int], times: dict[int, OperatorTime], total: float
) -> list[SlowOperators]:
    counts: collections.Counter[str] = collections.Counter()
    spent: collections.Counter[str] = collections.Counter()
    for index in losing:
        kind = graph.operators[index].kind
        counts[kind] += 1
        spent[kind] += round(times[index].codes)
    found = [SlowOperators(kind, counts[kind], ns / max(total, 1)) for kind, ns in spent.items()]
    return sorted(
        (each for each in found if each.share > _LITTLE), key=lambda each: (-each.share, each.kind)
    )


def _sentence(ratio: float, slow: list[SlowOperators]) -> str:
    takes = (
        f"{100 * ratio:.0f} % of the time of float"
        if ratio < 1
        else (f"{ratio:.1f} times as long as float")
    )
    listed = ", ".join(f"{100 * each.share:.0f} % in {each.count} {each.kind}" for each in slow)
    return (
        f"On stock runtimes INT8 is expected to take {takes} (x86 with AVX-512 VNNI, one thread), "
        f"{listed}"
    )


def _remedy(graph: Graph, culprits: list[int], skipped: Set[int], config: Config) -> str:
    operators = [graph.operators[index] for index in culprits]
    if config.forms is Forms.PLAIN and any(has_fast_form(graph, o) for o in operators):
        return "Leave out --forms plain: there are forms of the same codes that it runs fast"
    if all(map(run_by_delegate, operators)):
        return "The delegate runs them"
    names = [graph.tensors[i].name for operator in graph.operators for i in operator.outputs]
    moved = with_movers(graph, skipped | set(culprits)) - skipped
    wanted = [graph.tensors[graph.operators[i].outputs[0]].name for i in sorted(moved)]
    expression = matching(wanted, names, config.skip)
    if expression is None or len(expression) > _LONGEST_EXPRESSION:
        return "In float they are faster: name them with --skip"
    return f"In float they are faster: --skip '{expression}'"


def _converted(graph: Graph, on_codes: Set[int]) -> int:
    """Values that are needed both as codes and as real ones."""
    total = 0
    for tensor in graph.tensors:
        producer = graph.producer(tensor.index)
        readers = [o for o in graph.consumers(tensor.index) if o.kind not in SHAPE_READERS]
        forms = {reader.index in on_codes for reader in readers}
        forms.add(producer is not None and producer.index in on_codes)
        if len(forms) > 1 or (producer and tensor.index in graph.outputs and True in forms):
            total += values_of(graph, tensor.index)
    return total
