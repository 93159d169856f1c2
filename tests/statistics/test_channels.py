from __future__ import annotations

import numpy as np
import pytest

from tflite_eq.statistics.channels import ChannelStatistics


def rows_of(samples: int, channels: int = 4, positions: int = 40) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [
        rng.standard_normal((1, positions, channels)).astype(np.float32) for _ in range(samples)
    ]


def test_variance_survives_means_far_above_it() -> None:
    """Means of 10^4 deviations, which differ between samples as well."""
    rng = np.random.default_rng(1)
    means = np.array([1e4, -1e4, 3e4, 0.0])
    pieces = [
        (means + rng.normal(0, 1, 4) + rng.normal(0, 1, (1, 500, 4))).astype(np.float32)
        for _ in range(20)
    ]
    found = ChannelStatistics(4, seed=0)
    for piece in pieces:
        found.update(piece)
    exact = np.concatenate(pieces, axis=1).astype(np.float64)[0].var(axis=0)
    np.testing.assert_allclose(found.variance, exact, rtol=1e-4)


@pytest.mark.parametrize("samples", [1, 200, 201, 399, 400, 401, 2000])
def test_sampled_rows_are_spread_over_all_samples_and_bounded(samples: int) -> None:
    found = ChannelStatistics(1, seed=0)
    for number in range(samples):
        found.update(np.full((1, 100, 1), number, np.float32))
    rows = found.sampled[:, 0]
    assert min(1600, 16 * samples) <= len(rows) <= 3200
    assert (np.diff(rows) >= 0).all()
    assert rows[0] == 0
    assert rows[-1] >= samples - 1 - samples // 200
    counts = np.bincount(rows.astype(int), minlength=samples)
    assert counts.max() - counts.min() <= 1 or samples <= 200


def test_sampled_rows_are_those_of_a_list_that_grew_for_ever() -> None:
    pieces = rows_of(300)
    found, rng, everything = ChannelStatistics(4, seed=7), np.random.default_rng(7), []
    for piece in pieces:
        found.update(piece)
        everything.append(piece[0][rng.integers(40, size=16)])
    np.testing.assert_array_equal(found.sampled, np.concatenate(everything)[::2])


def test_no_values_change_nothing() -> None:
    found = ChannelStatistics(4, seed=0)
    found.update(np.zeros((0, 3, 4), np.float32))
    assert found.sampled.shape == (0, 4)
    assert np.isinf(found.least).all()
    assert found.variance.tolist() == [0, 0, 0, 0]
