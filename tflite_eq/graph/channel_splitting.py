"""Channel splitting: a tensor's channels written several times, for what they lose by rounding.

What a layer writes can be written twice, if the filters that read it are shared out among the
copies: ``w x = w / 2 x + w / 2 x``. In float that changes nothing. With integers each copy is
rounded by itself, and if their biases differ by half a step, the errors make up for each other:
together they are as good as codes of half the step, in kernels that know nothing of it. The weights
on the copies, too, are together on a grid of half the step (``numerics.weights``).

Splitting a channel in two and halving what reads it is outlier channel splitting (arXiv
1901.09504), which does it to channels with outliers, to make the range smaller; here those whose
rounding errors the outputs show most are split, to make their step finer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set

import numpy as np

from tflite_eq.errors import ConfigError
from tflite_eq.graph import edit, properties
from tflite_eq.graph.channel_copies import ChannelCopies, Copies, Float
from tflite_eq.graph.checks import describe
from tflite_eq.graph.linear import LinearLayer, linear_layers, multiplications
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.properties import LinearKind

# Copies of each channel of a layer that is named without counts.
COPIES = 2

_SPLIT_BY_FILTER = (LinearKind.CONV, LinearKind.DENSE)

# Operators that compute each channel of their result from the same channel of their one input.
_BY_CHANNEL = frozenset(
    """
    ABS AVERAGE_POOL_2D ELU GELU HARD_SWISH LEAKY_RELU LOGISTIC MAX_POOL_2D RELU RELU6 RELU_0_TO_1
    RELU_N1_TO_1 RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR TANH
    """.split()
)

# Those of them, and others, whose kernels hand on codes that others have written.
_HANDS_ON = frozenset({"MAX_POOL_2D", "PAD", "RESIZE_NEAREST_NEIGHBOR"})

_REMEDY = "split channels of other layers"


class CannotSplitError(ConfigError):
    """The network reads what a layer writes in a way that copies of its channels do not allow.

    Attributes:
        reason: Why, without the option.
    """

    def __init__(self, reason: str, option: str = "split_channels") -> None:
        """``option``: What asked for copies."""
        super().__init__(f"{option}: {reason}")
        self.reason = reason


def with_split_channels(
    graph: Graph,
    pattern: str | None,
    counted: Sequence[tuple[str, Sequence[int]]] = (),
) -> Graph:
    """The network with channels of some layers' results in several copies; it computes the same.

    Tensors and operators keep their names and positions. ``graph`` stays as it is; the two share
    all constants that do not change.

    Args:
        graph: The float network; every linear layer has a bias.
        pattern: Regular expression for names of the outputs of convolutions and dense layers, whose
            channels are all written in ``COPIES`` copies.
        counted: Names of such outputs, and how often each of their channels is written, [K].

    Raises:
        ConfigError: The pattern or a name matches none, or one whose channels cannot be split, or
            there are more or fewer counts than channels.
    """
    starts = {**dict.fromkeys(matched(graph, pattern)), **_counted(graph, counted)}
    if not starts:
        return graph
    try:
        return split(graph, copies_behind(graph, starts))
    except CannotSplitError as error:
        if pattern is not None:
            raise
        raise CannotSplitError(error.reason, "channel_copies") from error


def matched(graph: Graph, pattern: str | None) -> set[int]:
    """Operator indices of the convolutions and dense layers whose output a pattern matches.

    Raises:
        ConfigError: There is a pattern and it matches none.
    """
    if pattern is None:
        return set()
    names = _splittable_names(graph)
    found = {index for index, name in names.items() if re.search(pattern, name)}
    if not found:
        raise ConfigError(
            f"split_channels: {pattern!r} matches no CONV_2D or FULLY_CONNECTED of "
            f"{graph.origin}; {_first_names(names)}"
        )
    return found


def _counted(
    graph: Graph, counted: Sequence[tuple[str, Sequence[int]]]
) -> dict[int, Sequence[int]]:
    """Counts of copies by operator index."""
    names = _splittable_names(graph) if counted else {}
    found: dict[int, Sequence[int]] = {}
    for wanted, counts in counted:
        indices = [index for index, name in names.items() if name == wanted]
        if not indices:
            raise ConfigError(
                f"channel_copies: {wanted!r} is the output of no CONV_2D or FULLY_CONNECTED of "
                f"{graph.origin}; {_first_names(names)}"
            )
        for index in indices:
            channels = graph.tensors[graph.operators[index].outputs[0]].shape[-1]
            if len(counts) != channels:
                raise ConfigError(
                    f"channel_copies: {wanted!r} of {graph.origin} has {channels} channels, and "
                    f"{len(counts)} counts are given; give one for each channel, 1 where it is "
                    "not copied"
                )
            if any(count > 1 for count in counts):  # else nothing is copied
                found[index] = counts
    return found


def _splittable_names(graph: Graph) -> dict[int, str]:
    """Names of outputs by operator index."""
    return {
        o.index: graph.tensors[o.outputs[0]].name
        for o in graph.operators
        if is_splittable(graph, o) and o.outputs
    }


def _first_names(names: Mapping[int, str]) -> str:
    shown = ", ".join(f"'{name.split(';')[0]}'" for name in list(names.values())[:5])
    return f"the first names are {shown}"


def copies_behind(
    graph: Graph, starts: Set[int] | Mapping[int, Sequence[int] | None]
) -> dict[int, ChannelCopies]:
    """The tensors that hold copies if some layers write channels several times.

    Args:
        graph: The float network.
        starts: Operator indices of convolutions and dense layers, and how often each of their
            channels is written; ``COPIES`` times without.

    Returns:
        Copies by tensor index: what these layers write, and what is computed from it channel by
        channel, up to the next convolutions and dense layers.

    Raises:
        CannotSplitError: Something else reads copies, or they would be given out.
    """
    counts_of = starts if isinstance(starts, Mapping) else dict.fromkeys(starts)
    copies: dict[int, ChannelCopies] = {}
    for operator in graph.operators:
        read = [index for index in operator.inputs if index in copies]
        kind = properties.linear_kind(operator)
        if read and kind in _SPLIT_BY_FILTER:
            _check_reader(graph, operator, copies)
        elif read:
            copies[operator.outputs[0]] = _handed_on(graph, operator, copies)
        if operator.index in counts_of:
            _check_filter(graph, operator)
            channels = graph.tensors[operator.outputs[0]].shape[-1]
            counts = counts_of[operator.index] or [COPIES] * channels
            _check_groups(graph, operator, counts)
            copies[operator.outputs[0]] = ChannelCopies.of(counts)
    given_out = sorted(copies.keys() & set(graph.outputs))
    if given_out:
        raise CannotSplitError(
            f"tensor '{graph.tensors[given_out[0]].name}' would hold channels several times, but "
            f"is an output of {graph.origin}; {_REMEDY}"
        )
    return copies


def split(graph: Graph, copies: Copies) -> Graph:
    """The network in which tensors hold copies of channels.

    Args:
        graph: The float network.
        copies: What ``copies_behind`` found.
    """
    found = edit.independent(graph)
    for layer in linear_layers(graph).values():
        read, written = copies.get(layer.input), copies.get(layer.output)
        filters, bias = layer.filters, layer.bias_values
        if written is not None:
            filters, bias = filters[list(written.source)], bias[list(written.source)]
            edit.replace_constant(found, layer.bias, bias)
        if read is not None and layer.kind in _SPLIT_BY_FILTER:
            own = slice(filters.shape[-1] * len(read.source) // (read.source[-1] + 1))
            shares = 1 / read.counts[own].astype(np.float32)
            filters = filters[..., list(read.source[own])] * shares
        if read is not None or written is not None:
            edit.replace_constant(found, layer.filter, layer.stored_filters(filters))
    for index, own_copies in copies.items():
        stored = found.subgraph.tensors[index]
        for field in ("shape", "shapeSignature"):
            sizes = getattr(stored, field)
            if sizes is not None and len(sizes):
                setattr(stored, field, np.array([*sizes[:-1], len(own_copies.source)], np.int32))
    return Graph(found.model, graph.origin, copies)


def channel_shifts(graph: Graph, skipped: Set[int]) -> dict[int, Float]:
    """What values are shifted by before they are rounded to codes, in steps, [C], by tensor index.

    Quantized layers shift what they write by their biases. What kernels compute from their codes is
    not shifted again.

    Args:
        graph: The float network.
        skipped: Indices of operators that stay in float.
    """
    shifts: dict[int, Float] = {}
    for operator in graph.operators:
        index = operator.outputs[0] if operator.outputs else -1
        if index not in graph.copies or operator.index in skipped:
            continue
        if properties.linear_kind(operator) is not None:
            shifts[index] = graph.copies[index].shifts
        elif operator.kind in _HANDS_ON and operator.inputs[0] in shifts:
            shifts[index] = shifts[operator.inputs[0]]
        elif operator.kind == "CONCATENATION":
            shifts[index] = np.concatenate(
                [
                    shifts.get(i, np.zeros(graph.tensors[i].shape[-1], np.float32))
                    for i in operator.inputs
                ]
            )
    return shifts


def work_with(graph: Graph, layers: Mapping[int, LinearLayer], copies: Copies) -> int:
    """Multiplications of one inference with channels in copies.

    Args:
        graph: The float network without copies.
        layers: Its linear layers by operator index.
        copies: Those that it would hold.
    """
    total = 0
    for layer in layers.values():
        own = multiplications(graph, layer)
        read, written = copies.get(layer.input), copies.get(layer.output)
        if written is not None:
            own = own * len(written.source) // layer.channels
        if read is not None and layer.kind in _SPLIT_BY_FILTER:
            own = own * len(read.source) // (read.source[-1] + 1)
        total += own
    return total


def is_splittable(graph: Graph, operator: Operator) -> bool:
    """Whether an operator is of a kind that can write copies: readers of them may still object."""
    kind = properties.linear_kind(operator)
    return kind in _SPLIT_BY_FILTER and properties.has_constant_filter(graph, operator)


def _handed_on(
    graph: Graph, operator: Operator, copies: Mapping[int, ChannelCopies]
) -> ChannelCopies:
    """The copies in what an operator that is no convolution or dense layer makes of copies."""
    first = operator.inputs[0]
    if operator.kind == LinearKind.DEPTHWISE.value and first in copies:
        _check_filter(graph, operator)
        if graph.tensors[operator.outputs[0]].shape[-1] == graph.tensors[first].shape[-1]:
            return copies[first]
    if operator.kind in _BY_CHANNEL and first in copies:
        return copies[first]
    if operator.kind == "PAD" and first in copies and _pads_no_channels(graph, operator):
        return copies[first]
    if operator.kind == "CONCATENATION" and _joins_channels(graph, operator):
        parts = []
        for index in operator.inputs:
            channels = graph.tensors[index].shape[-1]
            parts.append(copies.get(index) or ChannelCopies.of([1] * channels))
        return ChannelCopies.joined(parts)
    tensor = next(index for index in operator.inputs if index in copies)
    raise CannotSplitError(
        f"tensor '{graph.tensors[tensor].name}' would hold channels several times, "
        f"but is read by {describe(graph, operator)}, which cannot take them apart; {_REMEDY}"
    )


def _check_reader(graph: Graph, operator: Operator, copies: Mapping[int, ChannelCopies]) -> None:
    """Refuse a convolution or dense layer whose filter cannot be shared out among copies."""
    activation, filters, _ = properties.linear_inputs(operator)
    if activation not in copies or not properties.has_constant_filter(graph, operator):
        raise CannotSplitError(
            f"{describe(graph, operator)} reads copies of channels, but its filter is no constant; "
            f"{_REMEDY}"
        )
    _check_filter(graph, operator)
    own = copies[activation]
    channels, taken = graph.tensors[activation].shape[-1], graph.tensors[filters].shape[-1]
    is_uniform = len(set(own.counts.tolist())) == 1
    has_groups = operator.kind == LinearKind.CONV.value and channels % taken == 0
    if taken != channels and not (is_uniform and has_groups):
        allowed = "give one count for all of these channels, or " if has_groups else ""
        raise CannotSplitError(
            f"{describe(graph, operator)} reads {taken} of {channels} channels at a time, which "
            f"such copies do not allow; {allowed}{_REMEDY}"
        )


def _check_groups(graph: Graph, operator: Operator, counts: Sequence[int]) -> None:
    """Refuse different counts of what a grouped convolution writes: its groups are of one size."""
    activation, filters, _ = properties.linear_inputs(operator)
    read, taken = graph.tensors[activation].shape[-1], graph.tensors[filters].shape[-1]
    is_grouped = operator.kind == LinearKind.CONV.value and read != taken
    if is_grouped and len(set(counts)) > 1:
        raise CannotSplitError(
            f"{describe(graph, operator)} has groups of channels, which must stay of one size; "
            f"give one count for all of its channels, or {_REMEDY}",
            "channel_copies",
        )


def _check_filter(graph: Graph, operator: Operator) -> None:
    """Refuse constants that another operator reads, too: they cannot change for one alone."""
    _, filters, bias = properties.linear_inputs(operator)
    for index in (filters, bias):
        if len(graph.consumers(index)) > 1 or not graph.tensors[index].is_constant:
            raise CannotSplitError(
                f"the constant '{graph.tensors[index].name}' of "
                f"{describe(graph, operator)} has other readers; {_REMEDY}"
            )


def _pads_no_channels(graph: Graph, operator: Operator) -> bool:
    padding = operator.inputs[1]
    return graph.tensors[padding].is_constant and not graph.constant(padding)[-1].any()


def _joins_channels(graph: Graph, operator: Operator) -> bool:
    last = len(graph.tensors[operator.outputs[0]].shape) - 1
    has_constant = any(graph.tensors[index].is_constant for index in operator.inputs)
    return operator.options.axis in (-1, last) and not has_constant
