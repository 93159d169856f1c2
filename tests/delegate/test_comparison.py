"""How outputs are compared, whatever their shape."""

from __future__ import annotations

import numpy as np
import pytest

from tflite_eq.delegate.validate import Comparison


@pytest.mark.parametrize("shape", [(), (1,), (2, 3)])
@pytest.mark.parametrize("kind", [np.float32, np.int8, np.int64])
def test_one_value_that_differs(shape: tuple[int, ...], kind: type) -> None:
    found, expected = np.zeros(shape, kind), np.zeros(shape, kind)
    found.reshape(-1)[-1] = 5
    comparison = Comparison("x", "ADD", "reference")
    comparison.add(0, expected, expected)
    assert (comparison.values, comparison.differing) == (expected.size, 0)
    comparison.add(1, found, expected)
    assert comparison.differing == 1
    assert comparison.first is not None
    assert comparison.first.position == tuple(n - 1 for n in shape)
    assert (comparison.first.found, comparison.first.expected) == (5, 0)


def test_nothing_to_compare() -> None:
    comparison = Comparison("x", "ADD", "reference")
    comparison.add(0, np.zeros((1, 0, 2), np.int8), np.zeros((1, 0, 2), np.int8))
    assert (comparison.values, comparison.differing) == (0, 0)


def test_zeros_of_other_signs_differ() -> None:
    comparison = Comparison("x", "ADD", "reference")
    comparison.add(0, np.array([-0.0], np.float32), np.array([0.0], np.float32))
    assert comparison.differing == 1
