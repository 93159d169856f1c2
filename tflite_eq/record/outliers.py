"""Loud calibration samples, and what was done with them."""

from __future__ import annotations

import dataclasses
from typing import Any

from tflite_eq.json_fields import known_fields, typed, typed_list

# Names that a message lists; the record has all.
_SHOWN = 12


@dataclasses.dataclass(frozen=True)
class Outliers:
    """Samples whose activations reach far beyond those of the others.

    Attributes:
        treatment: What was done with them: ``keep``, ``downweight`` or ``drop``.
        of: Calibration samples there were.
        numbers: Their numbers among these, from 0.
        names: Files they are from, or ``sample 7`` where these are not known.
        times: How many times the median of all samples' largest magnitudes each has in ``tensor``.
        tensor: Name of the tensor that most tells them apart.
    """

    treatment: str
    of: int
    numbers: tuple[int, ...]
    names: tuple[str, ...]
    times: tuple[float, ...]
    tensor: str

    def text(self) -> str:
        """One sentence that names the samples and says what was done with them."""
        listed = ", ".join(
            f"{name} ({times:.1f}x)" for name, times in zip(self.names[:_SHOWN], self.times)
        )
        if len(self.names) > _SHOWN:
            listed += f" and {len(self.names) - _SHOWN} more"
        count = len(self.names)
        reach = "reaches" if count == 1 else "reach"
        return (
            f"{count} of {self.of} calibration samples {reach} {min(self.times):.1f} "
            f"{'' if count == 1 else f'to {max(self.times):.1f} '}times the median in tensor "
            f"'{self.tensor}': {listed}; {_DONE[self.treatment]}"
        )

    @classmethod
    def from_plain(cls, entry: dict[str, Any]) -> Outliers:
        """The inverse of ``dataclasses.asdict``.

        Raises:
            ValueError: A field is missing, unknown, of another type, or does not fit the others.
        """
        fields = known_fields(entry, cls)
        for name, kind in _TYPES.items():
            fields[name] = typed(fields[name], kind, name)
        for name, kind in _LISTED_TYPES.items():
            fields[name] = tuple(typed_list(fields[name], kind, name))
        found = cls(**fields)
        if found.treatment not in _DONE:
            raise ValueError(f"treatment {found.treatment!r} is not one of {', '.join(_DONE)}")
        if not len(found.numbers) == len(found.names) == len(found.times) > 0:
            raise ValueError("outliers need one name and one figure for each of their numbers")
        return found


_TYPES: dict[str, type[Any]] = {"treatment": str, "of": int, "tensor": str}
_LISTED_TYPES: dict[str, type[Any]] = {"numbers": int, "names": str, "times": float}

_DONE = {
    "keep": (
        "they count like all others, as asked for: look at them, and if the network is not to meet "
        "their like, leave --outlier_samples at downweight or give drop"
    ),
    "downweight": (
        "they count less than others, and what only they reach may be clipped: look at them, and "
        "give --outlier_samples keep if the network is to meet their like, or drop if it is not"
    ),
    "drop": "they were left out, as asked for (--outlier_samples drop)",
}
