"""Ranges in front of elementwise functions, against errors of whole tensors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from tests import models
from tests.simulation.test_lockstep import simulate_model
from tflite_eq import Config
from tflite_eq.config import ActivationMode
from tflite_eq.numerics.affine import AffineParams, fake_quantize
from tflite_eq.numerics.windows import affine_for
from tflite_eq.search.through import Function, search_through

Array = npt.NDArray[Any]

ALPHA = np.float32(0.1)


def leaky(x: Array) -> Array:
    return np.where(x > 0, x, ALPHA * x)


def params_of(interval: tuple[float, float]) -> AffineParams:
    return affine_for(*interval, False, ActivationMode.ASYMMETRIC, None)[0]


def error_behind(values: Array, params: AffineParams, pooled: bool) -> float:
    """Squared error of whole tensors [N, H, W, C] behind the function, and behind the pool."""
    exact, rounded = (leaky(x) for x in (values, fake_quantize(values, params)))
    if pooled:
        exact, rounded = (
            x.reshape(len(x), x.shape[1] // 2, 2, x.shape[2] // 2, 2, -1).max(axis=(2, 4))
            for x in (exact, rounded)
        )
    return float(np.square(exact.astype(np.float64) - rounded).sum())


def pool(values: Array) -> Array:
    return tf.nn.max_pool2d(values, 2, 2, "VALID").numpy()


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_no_other_interval_of_the_search_does_better_at_either_end(pooled: bool, seed: int) -> None:
    values = np.random.default_rng(seed).standard_t(3, (2, 8, 8, 16)).astype(np.float32)
    start = (float(values.min()), float(values.max()))
    seen = pool(values) if pooled else values
    found = search_through([Function(leaky, seen.ravel())], start, params_of)
    least = error_behind(values, params_of(found), pooled)
    assert least <= error_behind(values, params_of(start), pooled)
    for factor in 2.0 ** (-np.arange(33) / 8):
        for other in ((start[0] * factor, found[1]), (found[0], start[1] * factor)):
            assert least <= error_behind(values, params_of(other), pooled) * (1 + 1e-6)


def test_errors_of_several_functions_are_weighed_alike() -> None:
    """A second reader of the values as they are keeps the lower end that the first would clip."""
    values = np.random.default_rng(1).standard_t(3, 4000).astype(np.float32)
    start = (float(values.min()), float(values.max()))
    alone = search_through([Function(leaky, values)], start, params_of)
    both = search_through(
        [Function(leaky, values), Function(lambda x: x, values)], start, params_of
    )
    assert alone[0] > both[0]


POOLED: dict[str, dict[str, Any]] = {
    "behind a pool": {"pooled": True},
    "whose function has a second reader": {"second": True},
    "without a pool": {},
}


def network_model(pooled: bool = False, second: bool = False) -> bytes:
    def network(x: Any) -> Any:
        x = tf.nn.leaky_relu(models.conv(x, 8, seed=1) - 1.5, 0.1)
        y = tf.nn.max_pool2d(x, 2, 2, "SAME") if pooled or second else x
        y = models.conv(y, 6, seed=2)
        return (y, models.conv(x, 6, seed=3)) if second else y

    return models.convert(network, models.IMAGE)


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Function]]:
    """Functions that the calibration pass searches through."""
    from tflite_eq.simulation import activation_scales

    functions: list[Function] = []

    def recording(given: list[Function], *rest: Any) -> Any:
        functions.extend(given)
        return search_through(given, *rest)

    monkeypatch.setattr(activation_scales, "search_through", recording)
    return functions


@pytest.mark.parametrize("case", sorted(POOLED))
def test_values_are_those_that_the_maximum_leaves(case: str, searched: list[Function]) -> None:
    """Only where nobody sees the others."""
    model = network_model(**POOLED[case])
    simulate_model(
        model,
        models.samples(models.IMAGE, count=3),
        Config(equalization="none"),
    )
    (function,) = searched
    # Pools of random values leave the larger ones.
    share_above = float((function.values > -1.5).mean())
    if case == "behind a pool":
        assert share_above > 0.85
    else:
        assert 0.4 < share_above < 0.6
