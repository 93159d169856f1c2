"""The search, on losses that are given instead of measured."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence

import pytest

from tflite_eq.evaluation.intervals import Estimate
from tflite_eq.guard.search import Drop, KeptLayers, OperatorNames, Outcome, search

LAYERS = tuple("abcdefghij")


def units(names: Iterable[str]) -> list[OperatorNames]:
    return [frozenset([name]) for name in names]


class Network:
    """Losses by choice, and which choices were asked for."""

    def __init__(
        self,
        loss: Callable[[KeptLayers], float],
        narrow: Sequence[OperatorNames] = tuple(units(LAYERS)),
        wide: Sequence[OperatorNames] = tuple(units(LAYERS[:-1])),
    ) -> None:
        self._loss = loss
        self._narrow = narrow
        self._wide = wide
        self.asked: list[KeptLayers] = []
        self.rankings: list[str] = []

    def _measure(self, kept: KeptLayers) -> Drop:
        self.asked.append(kept)
        return Drop(Estimate(self._loss(kept)), 1000)

    def _rank_units(self) -> Sequence[OperatorNames]:
        self.rankings.append("int8")
        return self._narrow

    def _rank_float(self) -> Sequence[OperatorNames]:
        self.rankings.append("float")
        return self._wide

    def search(self, bound: float) -> Outcome:
        return search(bound, self._measure, self._rank_units, self._rank_float)


def additive(narrow: dict[str, float], wide: dict[str, float]) -> Callable[[KeptLayers], float]:
    """Every layer adds its own loss, that of 7 or of 8 bits, or none in float."""

    def loss(kept: KeptLayers) -> float:
        return sum(
            0.0 if n in kept.in_float else wide[n] if n in kept.int8 else narrow[n] for n in LAYERS
        )

    return loss


def costs(*values: float) -> dict[str, float]:
    return dict(zip(LAYERS, [*values, *[0.0] * len(LAYERS)]))


def test_nothing_is_kept_where_the_bound_holds_already() -> None:
    network = Network(additive(costs(0.3, 0.2), costs()))
    outcome = network.search(0.5)
    assert (outcome.kept, outcome.holds, len(outcome.measured)) == (KeptLayers(), True, 1)
    assert network.rankings == []


def test_a_loss_equal_to_the_bound_holds() -> None:
    assert Network(lambda kept: 0.5).search(0.5).holds
    assert not Network(lambda kept: 0.5000001).search(0.5).holds


@pytest.mark.parametrize("needed", range(1, 11))
def test_as_few_layers_as_needed_are_kept_in_int8(needed: int) -> None:
    network = Network(additive(costs(*[1.0] * 10), costs()))
    outcome = network.search(10 - needed)
    assert outcome.holds
    assert outcome.kept == KeptLayers(int8=frozenset(LAYERS[:needed]))
    assert outcome.measured[KeptLayers()].size == 10
    assert network.rankings == ["int8"]
    assert len(network.asked) == len(set(network.asked)) == len(outcome.measured)


def test_layers_that_a_wrong_ranking_put_first_are_left_out_again() -> None:
    network = Network(additive(costs(0, 0, 0, 5, 0), costs()))
    assert network.search(1).kept == KeptLayers(int8=frozenset("d"))


def test_layers_go_to_float_only_if_int8_everywhere_is_not_enough() -> None:
    narrow, wide = costs(5, 3, 1), costs(4, 0, 0.2)
    network = Network(additive(narrow, wide))
    outcome = network.search(1.5)
    assert outcome.holds
    assert outcome.kept == KeptLayers(int8=frozenset("b"), in_float=frozenset("a"))
    assert network.rankings == ["int8", "float"]


def test_the_rest_returns_to_seven_bits_if_it_may() -> None:
    network = Network(additive(costs(8, 0.1, 0.1), costs(6)))
    assert network.search(1).kept == KeptLayers(in_float=frozenset("a"))


def test_without_seven_bit_layers_float_is_all_there_is() -> None:
    network = Network(additive(costs(1, 3), costs(1, 3)), narrow=[], wide=units("ba"))
    assert network.search(1).kept == KeptLayers(in_float=frozenset("b"))


def test_operators_of_a_float_unit_that_are_not_needed_stay_quantized() -> None:
    network = Network(additive(costs(2, 3), costs(2, 3)), narrow=[], wide=[frozenset("ab")])
    assert network.search(2).kept == KeptLayers(in_float=frozenset("b"))


def test_layers_that_share_a_scale_stay_together() -> None:
    pair = frozenset("ab")
    network = Network(additive(costs(2, 1, 1), costs()), narrow=[pair, *units("cdefghij")])
    assert network.search(2).kept == KeptLayers(int8=pair)


def test_a_bound_that_cannot_be_met_gives_the_best_that_was_measured() -> None:
    narrow, wide = costs(5, 3, *[1.0] * 8), costs(4, *[1.0] * 9)
    network = Network(additive(narrow, wide))
    outcome = network.search(0.5)
    assert not outcome.holds
    assert outcome.drop.size == min(additive(narrow, wide)(kept) for kept in network.asked)
    assert outcome.kept == KeptLayers(int8=frozenset("j"), in_float=frozenset(LAYERS[:-1]))


def test_of_equally_bad_choices_the_one_that_keeps_least_is_the_best() -> None:
    outcome = Network(lambda kept: 7.0).search(1)
    assert (outcome.kept, outcome.holds) == (KeptLayers(), False)


@pytest.mark.parametrize("threshold", range(1, 11))
def test_a_loss_that_does_not_fall_steadily_still_ends_with_one_that_holds(threshold: int) -> None:
    # Every third layer kept makes it worse again.
    def loss(kept: KeptLayers) -> float:
        count = len(kept.int8)
        return 0.0 if (count >= threshold and count % 3 != 1) or count == 10 else 2.0

    network = Network(loss)
    outcome = network.search(1)
    assert outcome.holds
    assert loss(outcome.kept) <= 1
    assert outcome.kept in network.asked


def test_an_int8_network_worse_than_the_mixed_one_does_not_end_the_search() -> None:
    # All in INT8 is too much, and so is everything with less than two layers in float.
    def loss(kept: KeptLayers) -> float:
        return 0.0 if len(kept.in_float) >= 2 else 3.0

    outcome = Network(loss).search(1)
    assert outcome.holds
    assert len(outcome.kept.in_float) == 2
    assert outcome.kept.int8 == frozenset()


def test_few_models_are_tried() -> None:
    names = [f"layer{i}" for i in range(60)]
    for needed in (1, 7, 30, 59):
        bad = set(names[:needed])
        network = Network(lambda kept, bad=bad: float(len(bad - kept.int8)), narrow=units(names))
        outcome = network.search(0)
        assert outcome.kept.int8 == bad
        assert len(outcome.measured) <= 2 + 2 * 6 + 8


def test_no_beginning_shorter_than_the_one_found_holds() -> None:
    for losses in itertools.islice(itertools.permutations((0.5, 1, 2, 4, 8, 16)), 0, 720, 37):
        loss = additive(costs(*losses), costs())
        ranked = sorted(LAYERS, key=lambda name: -costs(*losses)[name])
        network = Network(loss, narrow=units(ranked))
        for bound in (0.2, 3.0, 10.0, 30.0):
            found = network.search(bound).kept.int8
            fewest = next(k for k in range(11) if loss(KeptLayers(frozenset(ranked[:k]))) <= bound)
            assert len(found) == fewest
