"""The sets that integer weights are taken from."""

from __future__ import annotations

import enum


class WeightGrid(enum.Enum):
    """The set that integer weights are taken from."""

    INT8 = "int8"  # |w| <= 127
    INT7 = "int7"  # |w| <= 63: eight products fit an int16 lane
    INT6 = "int6"  # |w| <= 31; no kernel gains from it
    INT5 = "int5"  # |w| <= 15
    EVEN_TRIPLETS = "even_triplets"  # numerics/lattice.py

    @property
    def limit(self) -> int:
        """Largest magnitude of a code."""
        return _LIMITS.get(self, 127)


_LIMITS = {WeightGrid.INT7: 63, WeightGrid.INT6: 31, WeightGrid.INT5: 15}
