from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tflite_eq.numerics.lattice import is_on_lattice, lattice_scale, round_to_lattice

Triplets = npt.NDArray[np.float32]


def as_filters(triplets: Any) -> Triplets:
    """[n, 3] triplets as the [K, 3, 3, C] filters that contain them, padded with zeros."""
    triplets = np.asarray(triplets, dtype=np.float32)
    count = -(-len(triplets) // 3)
    padded = np.zeros((count * 3, 3), dtype=np.float32)
    padded[: len(triplets)] = triplets
    return np.ascontiguousarray(padded.reshape(1, count, 3, 3).transpose(0, 2, 3, 1))


def round_triplets(triplets: Any, limit: int = 127) -> npt.NDArray[np.int64]:
    codes = round_to_lattice(as_filters(triplets), 1.0, limit)
    return codes.transpose(0, 3, 1, 2).reshape(-1, 3)[: len(triplets)].astype(np.int64)


def domain(limit: int) -> npt.NDArray[np.int64]:
    """The definition of the lattice, written out."""
    return np.array(
        [
            (a, b, c)
            for a, b, c in itertools.product(range(-limit, limit + 1), repeat=3)
            if (a + b + c) % 2 == 0 and abs(a + b + c) <= 2 * limit and abs(a - b + c) <= 2 * limit
        ]
    )


def squared_distance(points: Any, codes: Any) -> Any:
    return ((np.asarray(codes, np.float64) - np.asarray(points, np.float64)) ** 2).sum(axis=-1)


def assert_optimal(triplets: Triplets, limit: int) -> None:
    codes = round_triplets(triplets, limit)
    candidates = domain(limit)
    assert set(map(tuple, codes)) <= set(map(tuple, candidates))
    for chunk in range(0, len(triplets), 500):
        part = slice(chunk, chunk + 500)
        best = squared_distance(triplets[part, None, :], candidates[None]).min(axis=1)
        np.testing.assert_allclose(
            squared_distance(triplets[part], codes[part]), best, rtol=1e-12, atol=1e-12
        )


@pytest.mark.parametrize("limit", [1, 2, 5, 6, 7])
@pytest.mark.parametrize("spread", [0.4, 1.0, 2.0, 30.0])
def test_finds_the_nearest_point_for_random_triplets(limit: int, spread: float) -> None:
    random = np.random.default_rng([limit, int(spread * 10)])
    triplets = random.standard_normal((1500, 3)) * limit * spread
    assert_optimal(triplets.astype(np.float32), limit)


@pytest.mark.parametrize("limit", [5, 6])
def test_finds_the_nearest_point_for_every_half_integer_triplet(limit: int) -> None:
    """All ties, corners and edges: the grid of halves up to two beyond the box."""
    halves = np.arange(-2 * limit - 4, 2 * limit + 5, dtype=np.float32) / 2
    triplets = np.array(list(itertools.product(halves[::2], halves, halves[1::2])), np.float32)
    assert_optimal(triplets, limit)


@pytest.mark.parametrize("limit", [5, 8])
def test_finds_the_nearest_point_when_one_tap_is_far_outside(limit: int) -> None:
    random = np.random.default_rng(limit)
    triplets = random.uniform(-1.5 * limit, 1.5 * limit, (900, 3)).astype(np.float32)
    triplets[np.arange(900), np.arange(900) % 3] *= 1000
    assert_optimal(triplets, limit)


@pytest.mark.parametrize(
    ("triplet", "nearest_squared_distance"),
    [
        # (127, 127, 127) breaks |U1| <= 254: its projection onto that face is (84.67,) * 3.
        ((127.0, 127.0, 127.0), 42**2 + 42**2 + 43**2),
        # (127, 127, -127) keeps the bounds but its sum is odd.
        ((127.0, 127.0, -127.0), 1),
        ((400.0, 400.0, -400.0), 273**2 + 273**2 + 274**2),
        ((127.4, -127.4, 0.0), 2 * 0.4**2),
        ((0.0, 127.6, 0.9), 0.6**2 + 0.1**2),
        ((127.0, 0.0, 127.0), 0),
        ((126.6, 1.4, 126.5), 0.4**2 + 0.4**2 + 0.5**2),
    ],
)
def test_worked_corners(
    triplet: tuple[float, float, float], nearest_squared_distance: float
) -> None:
    code = round_triplets([triplet])[0]
    assert squared_distance(np.float32(triplet), code) == pytest.approx(
        nearest_squared_distance, rel=1e-5
    )


def test_full_enumeration_at_the_real_limit() -> None:
    taps = np.arange(-127, 128)
    middle, last = np.meshgrid(taps, taps, indexing="ij")
    triplets = np.array(
        [
            (130.3, -90.2, 140.9),
            (60.5, 127.5, 60.5),
            (-300.0, 250.0, -20.0),
            (-127.5, -0.5, -127.5),
            (1e4, 3e3, -2e4),
            (20.3, 140.7, -15.5),
        ],
        np.float32,
    )
    best = np.full(len(triplets), np.inf)
    for first in taps:
        total = first + middle + last
        allowed = (total % 2 == 0) & (abs(total) <= 254) & (abs(first - middle + last) <= 254)
        plane = np.stack([np.full(allowed.sum(), first), middle[allowed], last[allowed]], axis=1)
        for index, triplet in enumerate(triplets):
            best[index] = min(best[index], squared_distance(triplet, plane).min())
    found = squared_distance(triplets, round_triplets(triplets))
    np.testing.assert_allclose(found, best, rtol=1e-12)


def test_interior_points_at_the_real_limit() -> None:
    """No point of space is farther than 1 from D3, so a 5x5x5 neighbourhood suffices."""
    triplets = np.random.default_rng(3).uniform(-60, 60, (4000, 3)).astype(np.float32)
    offsets = np.array(list(itertools.product(range(-2, 3), repeat=3)))
    around = np.rint(triplets)[:, None, :] + offsets
    distances = squared_distance(triplets[:, None, :], around)
    distances[around.sum(axis=2) % 2 != 0] = np.inf
    found = squared_distance(triplets, round_triplets(triplets))
    np.testing.assert_allclose(found, distances.min(axis=1), rtol=1e-12, atol=1e-12)


@settings(max_examples=200, deadline=None)
@given(
    hnp.arrays(np.float32, (6, 3), elements=st.floats(-20, 20, width=32)),
    st.integers(1, 6),
)
def test_nearest_point_property(triplets: Triplets, limit: int) -> None:
    assert_optimal(triplets, limit)


@settings(max_examples=100, deadline=None)
@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 3), st.just(3), st.just(3), st.integers(1, 4)),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    ),
    st.floats(1e-30, 1e30),
)
def test_every_result_has_halved_transforms_that_fit_int8(filters: Triplets, scale: float) -> None:
    codes = round_to_lattice(filters, scale).astype(np.int64)
    first, middle, last = (codes[:, :, tap, :] for tap in range(3))
    assert abs(codes).max() <= 127
    for transform in (first + middle + last, first - middle + last):
        assert (transform % 2 == 0).all()
        assert abs(transform // 2).max() <= 127
    assert is_on_lattice(codes).all()


def test_lattice_points_stay_where_they_are() -> None:
    points = domain(7)
    assert (round_triplets(points, 7) == points).all()


def test_ties_do_not_depend_on_neighbours_or_the_sign_of_zero() -> None:
    ties = list(
        itertools.product([-127.5, -127.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 127.0], repeat=3)
    )
    together = round_triplets(ties)
    alone = np.concatenate([round_triplets([tie]) for tie in ties])
    assert (together == alone).all()
    negated = [tuple(-0.0 if tap == 0 else tap for tap in tie) for tie in ties]
    assert (round_triplets(negated) == together).all()


def test_the_tap_rounded_most_is_moved_to_its_other_neighbour() -> None:
    triplets = [(0.9, 0.2, 0.4), (0.9, -0.45, 0.4), (1.0, 0.0, 0.0), (-3.0, 2.0, 0.0)]
    assert round_triplets(triplets).tolist() == [[1, 0, 1], [1, -1, 0], [0, 0, 0], [-2, 2, 0]]


def test_blocks_of_channels_give_the_same_codes_as_single_channels() -> None:
    random = np.random.default_rng(5)
    filters = random.standard_normal((70, 3, 3, 300)).astype(np.float32)
    scales = lattice_scale(filters) * random.uniform(0.4, 1.5, 70)
    codes = round_to_lattice(filters, scales)
    for channel in (0, 1, 31, 69):
        alone = round_to_lattice(filters[channel : channel + 1], scales[channel])
        assert (codes[channel] == alone[0]).all()


def test_scale_is_the_smallest_that_keeps_every_triplet_inside() -> None:
    filters = np.zeros((5, 3, 3, 2), np.float32)
    filters[0, 1, :, 1] = (-12.7, 1.0, 3.0)  # the largest tap decides
    filters[1, 0, :, 0] = (10.0, 10.0, 10.0)  # w0 + w1 + w2
    filters[2, 2, :, 0] = (10.0, -10.0, 10.0)  # w0 - w1 + w2
    filters[3, 2, :, 1] = (10.0, 10.0, -10.0)  # the outer taps cancel
    expected = [12.7 / 127, 30 / 254, 30 / 254, 10 / 127, 0.0]
    np.testing.assert_allclose(lattice_scale(filters), expected, rtol=1e-6)
    assert lattice_scale(filters).dtype == np.float64


def test_at_the_lattice_scale_no_triplet_moves_by_more_than_a_parity_step() -> None:
    """Nothing is clipped: the distance is bounded by the covering radius near the faces."""
    filters = np.random.default_rng(8).standard_normal((16, 3, 3, 64)).astype(np.float32)
    scales = lattice_scale(filters)
    real = filters / scales[:, None, None, None]
    distance = np.sqrt(((round_to_lattice(filters, scales) - real) ** 2).sum(axis=2))
    assert distance.max() < np.sqrt(3)
    assert distance.mean() < 0.75


def test_lattice_check_names_the_bad_channels() -> None:
    codes = np.zeros((6, 3, 3, 2), np.int8)
    codes[1, 0, :, 0] = (1, 0, 0)  # odd
    codes[2, 0, :, 1] = (-128, 0, 0)  # beyond the limit
    codes[3, 2, :, 1] = (127, 2, 127)  # U1 = 256
    codes[4, 2, :, 1] = (127, -2, 127)  # U2 = 256
    codes[5, 2, :, 1] = (127, 0, 127)
    assert is_on_lattice(codes).tolist() == [True, False, False, False, False, True]
    assert is_on_lattice(codes, 100).tolist() == [True, False, False, False, False, False]


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf])
def test_refuses_a_scale_that_is_not_positive(scale: float) -> None:
    with pytest.raises(ValueError, match="positive and finite"):
        round_to_lattice(np.ones((1, 3, 3, 1), np.float32), scale)


def test_refuses_what_is_not_a_3x3_filter_or_not_finite() -> None:
    with pytest.raises(ValueError, match=r"\[K, 3, 3, C\]"):
        lattice_scale(np.zeros((4, 1, 1, 8), np.float32))
    with pytest.raises(ValueError, match=r"\[K, 3, 3, C\]"):
        is_on_lattice(np.zeros((4, 3, 8), np.int8))
    with pytest.raises(ValueError, match="NaN"):
        round_to_lattice(np.full((1, 3, 3, 1), np.nan, np.float32), 1.0)
    with pytest.raises(ValueError, match="limit"):
        round_to_lattice(np.zeros((1, 3, 3, 1), np.float32), 1.0, limit=128)


def test_filters_without_channels_have_no_codes() -> None:
    assert round_to_lattice(np.zeros((2, 3, 3, 0), np.float32), 1.0).shape == (2, 3, 3, 0)
    assert lattice_scale(np.zeros((2, 3, 3, 0), np.float32)).tolist() == [0.0, 0.0]
