"""How few layers have to keep more bits so that a bound on the accuracy loss holds.

The loss of a choice is only known once a model has been quantized and evaluated, which is
expensive, and 2^layers choices cannot be tried. So layers are ranked first, and the search is for
the shortest beginning of that ranking. It doubles, then bisects: for a loss that falls as the
beginning grows that finds the shortest one. Where it does not always fall, what is found still
holds, because every answer has itself been measured.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from tflite_eq.evaluation.intervals import Estimate

# Quantizations spent on leaving single layers of a found beginning out again.
_PRUNING_TRIES = 8

OperatorNames = frozenset[str]  # what keeps more bits together, by the names of the outputs


@dataclasses.dataclass(frozen=True)
class KeptLayers:
    """Which layers keep more bits than asked for, by the names of their outputs.

    Attributes:
        int8: Layers with 8-bit inputs where 7 bits were asked for.
        in_float: Operators that are not quantized.
    """

    int8: OperatorNames = frozenset()
    in_float: OperatorNames = frozenset()


@dataclasses.dataclass(frozen=True)
class Drop:
    """Measured loss against the float model, in percentage points or the unit of a task's figure.

    Attributes:
        loss: The loss with its interval; negative if the quantized model happens to be better.
        images: Number of images it was measured on.
    """

    loss: Estimate
    images: int

    @property
    def size(self) -> float:
        """The measured loss, which the bound is compared with."""
        return self.loss.value


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What the search ended with.

    Attributes:
        kept: The choice; the one with the least loss if none holds.
        holds: Whether its loss is within the bound.
        measured: Losses of all choices tried, in the order in which they were; the first one
            keeps nothing.
    """

    kept: KeptLayers
    holds: bool
    measured: dict[KeptLayers, Drop]

    @property
    def drop(self) -> Drop:
        """Loss of the choice."""
        return self.measured[self.kept]


def search(
    bound: float,
    measure: Callable[[KeptLayers], Drop],
    rank_units: Callable[[], Sequence[OperatorNames]],
    rank_float: Callable[[], Sequence[OperatorNames]],
) -> Outcome:
    """Keep as few layers as needed in INT8 instead of INT7, then in float.

    Args:
        bound: Largest loss allowed, in the unit of the losses.
        measure: Quantizes with a choice and evaluates the model; asked once for each choice.
        rank_units: Gives the layers whose inputs would have 7 bits, those that share a scale as
            one, the most sensitive first; empty if there are none. Asked only if needed.
        rank_float: Gives what to leave in float together, by what 8 bits cost there, likewise:
            operators that compute, each of them worth keeping by itself. All of it together must
            leave a layer that is quantized.
    """
    tries = _Tries(measure, bound)
    if tries.holds(KeptLayers()):
        return tries.outcome(KeptLayers())
    units = rank_units()
    all_int8 = KeptLayers(int8=_union(units))
    if units and tries.holds(all_int8):
        found = _fewest(units, lambda names: tries.holds(KeptLayers(int8=names)))
        return tries.outcome(KeptLayers(int8=found) if found is not None else all_int8)

    def holds_in_float(names: OperatorNames) -> bool:
        return tries.holds(_without(all_int8.int8, names))

    in_float = _fewest(rank_float(), holds_in_float)
    if in_float is None:
        return tries.outcome(tries.best)
    in_float = _pruned([frozenset([name]) for name in sorted(in_float)], holds_in_float)
    # With the worst layers in float, others may do with 7 bits after all.
    chosen = in_float
    int8 = _fewest(units, lambda names: tries.holds(_without(names, chosen)))
    return tries.outcome(_without(all_int8.int8 if int8 is None else int8, chosen))


class _Tries:
    """All choices measured so far."""

    def __init__(self, measure: Callable[[KeptLayers], Drop], bound: float) -> None:
        self._measure = measure
        self._bound = bound
        self._drops: dict[KeptLayers, Drop] = {}

    def holds(self, kept: KeptLayers) -> bool:
        """Whether a choice is within the bound."""
        if kept not in self._drops:
            self._drops[kept] = self._measure(kept)
        return self._drops[kept].size <= self._bound

    @property
    def best(self) -> KeptLayers:
        """The choice with the least loss; of equal ones that which keeps less."""
        return min(
            self._drops,
            key=lambda kept: (self._drops[kept].size, len(kept.in_float), len(kept.int8)),
        )

    def outcome(self, kept: KeptLayers) -> Outcome:
        """Everything about a choice that was measured."""
        holds = self.holds(kept)
        return Outcome(kept, holds, dict(self._drops))


def _fewest(
    units: Sequence[OperatorNames], holds: Callable[[OperatorNames], bool]
) -> OperatorNames | None:
    """The shortest beginning of ``units`` that holds, less what it holds without.

    ``None`` if not even all of them do.
    """
    if holds(frozenset()):
        return frozenset()
    failing, count = 0, min(1, len(units))
    while not holds(_union(units[:count])):
        if count == len(units):
            return None
        failing, count = count, min(2 * count, len(units))
    while count - failing > 1:
        middle = (failing + count) // 2
        if holds(_union(units[:middle])):
            count = middle
        else:
            failing = middle
    return _pruned(units[:count], holds)


def _pruned(
    units: Sequence[OperatorNames], holds: Callable[[OperatorNames], bool]
) -> OperatorNames:
    """The union of units that holds, without units that are not needed for that."""
    chosen = list(units)
    for unit in units[: -_PRUNING_TRIES - 1 : -1]:
        rest = [other for other in chosen if other is not unit]
        if holds(_union(rest)):
            chosen = rest
    return _union(chosen)


def _union(units: Sequence[OperatorNames]) -> OperatorNames:
    return frozenset().union(*units)


def _without(int8: OperatorNames, in_float: OperatorNames) -> KeptLayers:
    """Layers in float have no input codes to keep."""
    return KeptLayers(int8 - in_float, in_float)
