"""The sets that integer weights are taken from."""

from __future__ import annotations

import enum


class WeightGrid(enum.Enum):
    """The set that integer weights are taken from."""

    INT8 = "int8"  # |w| <= 127
    INT7 = "int7"  # |w| <= 63: eight products fit an int16 lane
    EVEN_TRIPLETS = "even_triplets"  # numerics/lattice.py

    @property
    def limit(self) -> int:
        """Largest magnitude of a code."""
        return 63 if self is WeightGrid.INT7 else 127
