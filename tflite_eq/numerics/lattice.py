"""The even-triplet lattice: int8 filters on which the width-wise F(2,3) kernel is exact.

Winograd's F(2,3) along the width turns a horizontal triplet (w0, w1, w2) of a 3x3 filter into
U0 = w0, U1 = w0 + w1 + w2, U2 = w0 - w1 + w2, U3 = w2. The kernel stores U1 / 2 and U2 / 2 as int8,
so a triplet must satisfy

    |w0|, |w1|, |w2| <= limit,   w0 + w1 + w2 even,   |U1| <= 2 limit,   |U2| <= 2 limit

with limit = 127 (U1 and U2 have the same parity). The last two conditions together read
|w0 + w2| + |w1| <= 2 limit. Without the bounds the set is the root lattice D3, whose nearest point
is found by rounding each tap and, if the sum came out odd, moving the tap with the largest rounding
error to its other neighbour (Conway & Sloane, "Fast quantizing and decoding algorithms for lattice
quantizers and codes", IEEE Trans. Inf. Theory 28, 1982). If that point is within the bounds it is
the answer; only the few triplets where it is not take the slower exact search.

Filters are [K, 3, 3, C] = [output channel, height, width, input channel], as CONV_2D stores them.
Width is axis 2, so a triplet is ``filters[k, y, :, c]``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

LATTICE_LIMIT = 127

# Elements handled at once: the float32 temporaries of one block stay in the second-level cache.
_BLOCK_ELEMENTS = 1 << 16
_FLOAT32_MAX = float(np.finfo(np.float32).max)

_Coordinates = npt.NDArray[np.float64]


def lattice_scale(filters: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Smallest scale per output channel at which no triplet leaves the bounds of the lattice.

    Args:
        filters: Real weights, [K, 3, 3, C].

    Returns:
        [K], max(max|w| / 127, max|w0 + w1 + w2| / 254, max|w0 - w1 + w2| / 254) in real units per
        code. 0 for a channel whose weights are all zero: the caller floors it.

    Raises:
        ValueError: The shape is not [K, 3, 3, C].
    """
    _require_3x3(filters)
    outer = np.abs(filters[:, :, 0, :].astype(np.float64) + filters[:, :, 2, :])
    outer += np.abs(filters[:, :, 1, :])  # max(|a + b|, |a - b|) = |a| + |b|
    largest_sum = outer.max(axis=(1, 2), initial=0.0)
    largest_tap = np.abs(filters).max(axis=(1, 2, 3), initial=0.0).astype(np.float64)
    scale: npt.NDArray[np.float64] = np.maximum(
        largest_tap / LATTICE_LIMIT, largest_sum / (2 * LATTICE_LIMIT)
    )
    return scale


def round_to_lattice(
    filters: npt.NDArray[np.float32], scales: npt.ArrayLike, limit: int = LATTICE_LIMIT
) -> npt.NDArray[np.int8]:
    """Nearest point of the even-triplet lattice to filters / scales, triplet by triplet.

    Nearest means the smallest Euclidean distance from the quotient taken in float32. It holds for
    any scale, also for one that puts weights far outside the bounds. Equally near points are
    resolved by fixed rules, so that equal triplets always get equal codes.

    Args:
        filters: Real weights, [K, 3, 3, C], finite.
        scales: Real units per code, one number or [K]; finite, > 0.
        limit: Largest |code|, in [1, 127]; 127 is what the kernel needs.

    Returns:
        Codes, [K, 3, 3, C].

    Raises:
        ValueError: Wrong shape, a scale that is not positive and finite, a weight that is not
            finite, or a limit out of range.
    """
    _require_3x3(filters)
    _require_limit(limit)
    channels = filters.shape[0]
    divisors = np.broadcast_to(np.asarray(scales, dtype=np.float32), (channels,))
    if not (np.isfinite(divisors).all() and (divisors > 0).all()):
        raise ValueError("lattice scales must be positive and finite; floor those of dead channels")
    if not np.isfinite(filters).all():
        raise ValueError("cannot round filters that contain NaN or infinity to the lattice")
    codes = np.empty(filters.shape, dtype=np.int8)
    if codes.size == 0:
        return codes
    block = max(1, _BLOCK_ELEMENTS // (codes.size // channels))
    for start in range(0, channels, block):
        part = slice(start, start + block)
        with np.errstate(over="ignore"):  # an infinite quotient is just very far outside
            quotients = filters[part] / divisors[part, None, None, None]
        codes[part] = _round_block(quotients.astype(np.float32, copy=False), limit)
    return codes


def nearest_triplets(
    points: npt.NDArray[np.float32], limit: int = LATTICE_LIMIT
) -> npt.NDArray[np.int8]:
    """Nearest lattice points to single triplets in units of the scale, [n, 3] to [n, 3].

    Raises:
        ValueError: Wrong shape, a value that is not finite, or a limit out of range.
    """
    if points.ndim != 2 or points.shape[1] != 3 or not np.isfinite(points).all():
        raise ValueError(f"expected finite triplets of shape [n, 3], got {points.shape}")
    _require_limit(limit)
    # The layout of filters with one row and one input channel: [K, 1, 3, 1].
    quotients = points.astype(np.float32, copy=False)[:, None, :, None]
    return _round_block(quotients, limit)[:, 0, :, 0]


def is_on_lattice(
    codes: npt.NDArray[np.integer[Any]], limit: int = LATTICE_LIMIT
) -> npt.NDArray[np.bool_]:
    """Which output channels have all their triplets on the even-triplet lattice.

    Args:
        codes: Integer weights, [K, 3, 3, C].
        limit: Largest |code|, in [1, 127].

    Returns:
        [K], True where every horizontal triplet has an even sum and keeps the bounds.

    Raises:
        ValueError: Wrong shape or a limit out of range.
    """
    _require_3x3(codes)
    _require_limit(limit)
    wide = codes.astype(np.int32)
    odd = (wide.sum(axis=2) & 1).astype(bool)
    on_lattice: npt.NDArray[np.bool_] = ~(odd | _outside(wide, limit)).any(axis=(1, 2))
    return on_lattice


def _require_3x3(filters: npt.NDArray[np.generic]) -> None:
    if filters.ndim != 4 or filters.shape[1:3] != (3, 3):
        raise ValueError(f"the lattice is defined on [K, 3, 3, C] filters, got {filters.shape}")


def _require_limit(limit: int) -> None:
    if not 1 <= limit <= LATTICE_LIMIT:
        raise ValueError(f"lattice limit must be in [1, {LATTICE_LIMIT}], got {limit}")


def _outside(codes: npt.NDArray[np.signedinteger[Any]], limit: int) -> npt.NDArray[np.bool_]:
    """[K, 3, C], True where a triplet of [K, 3, 3, C] codes breaks a bound (parity apart)."""
    magnitudes = np.abs(codes)
    outer = np.abs(codes[:, :, 0, :] + codes[:, :, 2, :])
    outer += magnitudes[:, :, 1, :]
    outside: npt.NDArray[np.bool_] = (magnitudes.max(axis=2) > limit) | (outer > 2 * limit)
    return outside


def _round_block(quotients: npt.NDArray[np.float32], limit: int) -> npt.NDArray[np.int8]:
    """Codes of a few output channels; quotients are weights / scale, [k, 3, 3, C]."""
    # Two past the limit is far enough that no parity step brings a clipped tap back inside.
    taps = np.clip(quotients, -(limit + 2), limit + 2)
    rounded = np.rint(taps)
    taps -= rounded  # exact in float32, so equal rounding errors compare equal
    _make_even(rounded, taps)
    wide = rounded.astype(np.int16)
    codes = wide.astype(np.int8)
    outside = _outside(wide, limit)
    if outside.any():
        channel, row, column = np.nonzero(outside)
        codes[channel, row, :, column] = _nearest_within_bounds(
            quotients[channel, row, :, column], limit
        )
    return codes


def _make_even(rounded: npt.NDArray[np.float32], errors: npt.NDArray[np.float32]) -> None:
    """Moves, in place, one tap of every odd triplet by one: the one that was rounded the most.

    Among equals the leftmost moves. A tap that needed no rounding moves towards zero (from zero,
    up), so that weights that were integers before are not all pushed to one side.
    """
    first, middle, last = (rounded[:, :, tap, :] for tap in range(3))
    half = first + middle
    half += last
    half *= 0.5
    odd = half != np.rint(half)
    magnitudes = np.abs(errors)
    first_error, middle_error, last_error = (magnitudes[:, :, tap, :] for tap in range(3))
    move_first = (first_error >= middle_error) & (first_error >= last_error) & odd
    odd &= ~move_first
    move_middle = (middle_error >= last_error) & odd
    move_last = odd & ~move_middle
    step = np.copysign(np.float32(1), errors)
    unrounded = move_first & (first_error == 0)
    if unrounded.any():
        step[:, :, 0, :][unrounded] = np.where(first[unrounded] > 0, -1, 1)
    first += step[:, :, 0, :] * move_first
    middle += step[:, :, 1, :] * move_middle
    last += step[:, :, 2, :] * move_last


def _nearest_within_bounds(targets: npt.NDArray[np.float32], limit: int) -> npt.NDArray[np.float64]:
    """Exact nearest lattice points, [n, 3], to targets of [n, 3] anywhere in space.

    With s = w0 + w2, d = w0 - w2 and m = w1 the lattice is: s, d, m of one parity,
    |s| + |d| <= 2 limit, |s| + |m| <= 2 limit, |m| <= limit. The squared distance to a target
    (S, D, M) is (s - S)^2 / 2 + (d - D)^2 / 2 + (m - M)^2. Both are symmetric in each sign, so the
    search runs in the positive octant, once per parity.
    """
    # float64 holds the sums of float32 targets; infinite ones are just very far outside.
    points = np.clip(targets, -_FLOAT32_MAX, _FLOAT32_MAX).astype(np.float64)
    points += 0.0  # turns -0 into +0: equal targets must get equal codes
    signed = (points[:, 0] + points[:, 2], points[:, 0] - points[:, 2], points[:, 1])
    outer_sum, difference, middle = (np.abs(coordinate) for coordinate in signed)
    even = _nearest_of_parity(outer_sum, difference, middle, limit, 0)
    odd = _nearest_of_parity(outer_sum, difference, middle, limit, 1)
    odd_is_nearer = (
        _distance_change(even[0], odd[0], outer_sum) / 2
        + _distance_change(even[1], odd[1], difference) / 2
        + _distance_change(even[2], odd[2], middle)
    ) < 0
    s, d, m = (
        np.copysign(np.where(odd_is_nearer, b, a), sign) for a, b, sign in zip(even, odd, signed)
    )
    return np.stack([(s + d) / 2, m, (s - d) / 2], axis=1)


def _nearest_of_parity(
    outer_sum: _Coordinates,
    difference: _Coordinates,
    middle: _Coordinates,
    limit: int,
    parity: int,
) -> tuple[_Coordinates, _Coordinates, _Coordinates]:
    """Nearest (s, d, m) of one parity in the positive octant to targets there, each [n].

    Given s, the best d and m are the nearest integers of its parity, cut at their bounds. The
    distance left over is convex in s, because the bounds are concave in s; so the best s is the
    first from which the next one is no nearer, and bisection finds it.
    """
    best_difference = _nearest_integer(difference, parity)
    best_middle = np.minimum(_nearest_integer(middle, parity), limit - (limit - parity) % 2)

    def slope(s: _Coordinates) -> _Coordinates:
        room = 2 * limit - s
        change = 2 * (s + 1 - outer_sum)
        d, next_d = np.minimum(best_difference, room), np.minimum(best_difference, room - 2)
        change += _distance_change(d, next_d, difference) / 2
        m, next_m = np.minimum(best_middle, room), np.minimum(best_middle, room - 2)
        change += _distance_change(m, next_m, middle)
        return change

    # s = 2 i + parity; the s nearest to the target bounds i from above.
    low = np.zeros_like(outer_sum)
    high = np.minimum((_nearest_integer(outer_sum, parity) - parity) / 2, limit - parity)
    while (low < high).any():
        centre = np.floor((low + high) / 2)
        done = (slope(2 * centre + parity) >= 0) | (low >= high)
        high = np.where(done, np.minimum(centre, high), high)
        low = np.where(done, low, centre + 1)
    s = 2 * low + parity
    room = 2 * limit - s
    return s, np.minimum(best_difference, room), np.minimum(best_middle, room)


def _nearest_integer(values: _Coordinates, parity: int) -> _Coordinates:
    """Nearest integers of the given parity; >= parity for values >= 0."""
    nearest: _Coordinates = 2 * np.rint((values - parity) / 2) + parity
    return nearest


def _distance_change(
    before: _Coordinates, after: _Coordinates, target: _Coordinates
) -> _Coordinates:
    """(after - target)^2 - (before - target)^2, without the cancellation of far targets."""
    return (after - before) * (after + before - 2 * target)
