"""Error-compensated rounding: integers chosen together, so that their errors cancel in the output.

Rounding every weight to its nearest code minimises each weight's error, not the output's. With H
the Gram matrix of the layer's inputs, the output error of codes q for target weights w (in units
of the scale) is e^T H e with e = q - w: a closest-point problem in the lattice that H spans. It is
started by Babai's nearest-plane rounding on the Cholesky factor, which is what GPTQ (arXiv
2210.17323) computes, and improved by cyclic coordinate descent until no single move helps.

All output channels are worked on at once, columns one after another. Columns come in *units*: one
weight on the plain grids, one horizontal triplet on the even-triplet lattice, whose constraints
join three weights (``numerics/lattice.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tflite_eq.numerics.lattice import LATTICE_LIMIT, nearest_triplets

Float = npt.NDArray[np.float32]

# Columns between two updates of all others: large enough for matrix products, small enough for
# the columns in between to stay in the cache. A multiple of every unit.
_BLOCK = 96

# A move must lower the error by this much of its own curvature: less is rounding noise.
_TOLERANCE = 1e-4

_MAX_SWEEPS = 16


class Grid(Protocol):
    """A set of codes that unites ``unit`` neighbouring columns."""

    unit: int

    def nearest(self, points: Float) -> Float:
        """Grid points near [groups, channels, unit] points."""

    def improve(self, codes: Float, gradient: Float, gram: Float) -> Float:
        """The best move of one unit, zero where none lowers the error.

        Args:
            codes: Present codes, [groups, channels, unit].
            gradient: H e at these columns, [groups, channels, unit].
            gram: H between these columns, [groups, unit, unit].

        Returns:
            What to add to the codes, [groups, channels, unit].
        """


class IntegerGrid:
    """All integers up to a limit."""

    unit = 1

    def __init__(self, limit: int) -> None:
        """Allow codes in [-limit, limit]."""
        self._limit = limit

    def nearest(self, points: Float) -> Float:
        """See ``Grid``."""
        return np.clip(np.rint(points), -self._limit, self._limit)

    def improve(self, codes: Float, gradient: Float, gram: Float) -> Float:
        """See ``Grid``; the move is the best of all."""
        best = np.rint(codes - gradient / gram)
        step = np.clip(best, -self._limit, self._limit, out=best)
        step -= codes
        change = step * (2 * gradient + step * gram)
        step *= change < -_TOLERANCE * gram
        return step


class TripletLattice:
    """Horizontal triplets with even sums; see ``numerics/lattice.py`` for the bounds.

    The moves are the shortest vectors of the lattice: two taps of a triplet by one each, or one
    tap by two.
    """

    unit = 3

    def __init__(self, limit: int = LATTICE_LIMIT) -> None:
        """Allow triplets within the lattice bounds of ``limit``."""
        self._limit = limit
        pairs = [(i, j) for i in range(3) for j in range(i)]
        moves = []
        for i, j in pairs:
            for a in (1, -1):
                for b in (1, -1):
                    moves.append([a if t == i else b if t == j else 0 for t in range(3)])
        moves += [[sign if t == i else 0 for t in range(3)] for i in range(3) for sign in (2, -2)]
        self._moves = np.array(moves, np.float32)

    def nearest(self, points: Float) -> Float:
        """See ``Grid``; nearest in the Euclidean sense."""
        flat = nearest_triplets(points.reshape(-1, 3), self._limit)
        return flat.astype(np.float32).reshape(points.shape)

    def improve(self, codes: Float, gradient: Float, gram: Float) -> Float:
        """See ``Grid``."""
        curvature = np.einsum("mi,gij,mj->gm", self._moves, gram, self._moves)[:, None]
        change = 2 * np.matmul(gradient, self._moves.T) + curvature
        change[~self._allowed(codes)] = np.inf
        best = change.argmin(axis=-1)
        least = np.take_along_axis(change, best[..., None], -1)
        helps = least < -_TOLERANCE * curvature.min(axis=-1, keepdims=True)
        moves: Float = self._moves[best] * helps
        return moves

    def _allowed(self, codes: Float) -> npt.NDArray[np.bool_]:
        """Which moves stay within the bounds, [groups, channels, moves]."""
        taps = [codes[..., t, None] + self._moves[:, t] for t in range(3)]
        middle = np.abs(taps[1])
        allowed: npt.NDArray[np.bool_] = np.abs(taps[0] + taps[2]) + middle <= 2 * self._limit
        for magnitude in (np.abs(taps[0]), middle, np.abs(taps[2])):
            allowed &= magnitude <= self._limit
        return allowed


def round_compensated(targets: Float, gram: Float, grid: Grid) -> Float:
    """Codes whose errors cancel as far as nearest plane and coordinate descent can make them.

    Args:
        targets: Weights in units of the scale, [groups, channels, D]; units of the grid are
            neighbouring columns.
        gram: H, positive definite, [groups, D, D].
        grid: Where codes are taken from; its unit divides D.

    Returns:
        Codes as float32, [groups, channels, D]. Deterministic.
    """
    codes = _nearest_plane(targets, gram, grid)
    _descend(codes, targets, gram, grid)
    return codes


def rounding_error(codes: Float, targets: Float, gram: Float) -> npt.NDArray[np.float64]:
    """e^T H e with e = codes - targets, [groups, channels]."""
    errors = codes - targets
    found: npt.NDArray[np.float64] = np.einsum(
        "gkd,gkd->gk", errors, np.matmul(errors, gram), dtype=np.float64
    )
    return found


def _nearest_plane(targets: Float, gram: Float, grid: Grid) -> Float:
    """Babai's rounding: last column first, each given the errors of those after it.

    With H = R^T R, R upper triangular, e^T H e = |R e|^2, and row j of R e holds only errors of
    columns j and later.
    """
    upper = np.linalg.cholesky(gram.astype(np.float64)).transpose(0, 2, 1).astype(np.float32)
    codes = np.zeros_like(targets)
    errors = np.zeros_like(targets)
    depth = targets.shape[-1]
    for first, last in reversed(list(_blocks(depth))):
        # What later blocks have put into the rows of this one.
        inherited = np.matmul(errors[..., last:], upper[:, first:last, last:].transpose(0, 2, 1))
        for start in range(last - grid.unit, first - 1, -grid.unit):
            unit = slice(start, start + grid.unit)
            local = upper[:, unit, unit]
            within = upper[:, unit, start + grid.unit : last].transpose(0, 2, 1)
            carried = inherited[..., start - first : start - first + grid.unit] + np.matmul(
                errors[..., start + grid.unit : last], within
            )
            # The real point at which these rows of R e would vanish.
            shift = np.linalg.solve(local, carried.transpose(0, 2, 1)).transpose(0, 2, 1)
            chosen = grid.nearest(targets[..., unit] - shift)
            gradient = np.matmul(
                np.matmul(chosen - targets[..., unit], local.transpose(0, 2, 1)) + carried, local
            )
            chosen += grid.improve(chosen, gradient, np.matmul(local.transpose(0, 2, 1), local))
            codes[..., unit] = chosen
            errors[..., unit] = chosen - targets[..., unit]
    return codes


def _descend(codes: Float, targets: Float, gram: Float, grid: Grid) -> None:
    """Cyclic coordinate descent in place, until no unit of any channel has a move that helps."""
    gradient = np.matmul(codes - targets, gram)
    for _ in range(_MAX_SWEEPS):
        moved = False
        for first, last in _blocks(codes.shape[-1]):
            local = gradient[..., first:last].copy()
            steps = np.zeros_like(local)
            for start in range(0, last - first, grid.unit):
                inside = slice(start, start + grid.unit)
                unit = slice(first + start, first + start + grid.unit)
                step = grid.improve(codes[..., unit], local[..., inside], gram[:, unit, unit])
                if step.any():
                    codes[..., unit] += step
                    steps[..., inside] = step
                    local += np.matmul(step, gram[:, unit, first:last])
            if steps.any():
                moved = True
                gradient += np.matmul(steps, gram[:, first:last])
        if not moved:
            break


def _blocks(depth: int) -> Iterator[tuple[int, int]]:
    for first in range(0, depth, _BLOCK):
        yield first, min(first + _BLOCK, depth)
