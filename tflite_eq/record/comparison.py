"""How close a calibrated model came to the float one, beside others of the same data."""

from __future__ import annotations

import dataclasses
from typing import Any

from tflite_eq.json_fields import known_fields, typed, typed_list

MIN_MAX = "min-max scales"
ASKED = "as asked for"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Several models of one network on the same samples.

    Attributes:
        samples: How many samples they were run on.
        held_back: Whether calibration had seen none of these. If not, they are calibration samples.
        optimism_db: Decibels that ``ASKED`` may be worse by on other samples, because these have
            corrected its biases, without another verdict; 0 where its biases were corrected on
            others, as those of all other models were.
        outputs: Names of the tensors compared, one per float output of the network: that in front
            of a final softmax where there is one.
        sqnr_db: 10 log10(signal energy / error energy) against the float network for each of
            ``outputs``, by what the model is.
        kept: Which of these was kept.
        is_tie: Whether min-max scales do better in some output, though neither by much nor beyond
            chance.
        is_default: Whether the min-max scales are TFLite's default: 8 bits, weight scales per
            channel.
        reason: Why nothing was compared; empty otherwise.
    """

    samples: int = 0
    held_back: bool = False
    optimism_db: float = 0.0
    outputs: tuple[str, ...] = ()
    sqnr_db: dict[str, tuple[float, ...]] = dataclasses.field(default_factory=dict)
    kept: str = ASKED
    is_tie: bool = False
    is_default: bool = True
    reason: str = ""

    @classmethod
    def from_plain(cls, entry: dict[str, Any]) -> Comparison:
        """The inverse of ``dataclasses.asdict``.

        Raises:
            ValueError: A field is unknown, of another type, or does not fit the others.
        """
        fields = known_fields(entry, cls)
        for name, kind in _TYPES.items():
            if name in fields:
                fields[name] = typed(fields[name], kind, name)
        fields["outputs"] = tuple(typed_list(fields.get("outputs", []), str, "outputs"))
        fields["sqnr_db"] = {
            name: tuple(typed_list(figures, float, f"sqnr_db of '{name}'"))
            for name, figures in fields.get("sqnr_db", {}).items()
        }
        found = cls(**fields)
        if any(len(figures) != len(found.outputs) for figures in found.sqnr_db.values()):
            raise ValueError("comparison: expected one figure in sqnr_db for each of outputs")
        if not found.reason and not {MIN_MAX, found.kept} <= found.sqnr_db.keys():
            raise ValueError(f"comparison: sqnr_db lacks '{MIN_MAX}' or '{found.kept}'")
        return found

    @property
    def worst(self) -> int:
        """Position of the output in which the model kept gains least over min-max scales."""
        kept, base = self.sqnr_db[self.kept], self.sqnr_db[MIN_MAX]
        return min(range(len(kept)), key=lambda i: kept[i] - base[i])

    def text(self) -> str:
        """One line for people."""
        base = "TFLite's default (min-max scales)" if self.is_default else "min-max scales"
        if self.reason:
            return f"Not compared with {base}: {self.reason}."
        kept, minimum = self.sqnr_db[self.kept], self.sqnr_db[MIN_MAX]
        by_gain = sorted(range(len(kept)), key=lambda i: kept[i] - minimum[i])
        shown = sorted(by_gain[:_MOST_SHOWN])
        line = f"{base[0].upper()}{base[1:]}: {self._listed(MIN_MAX, shown)}; "
        if self.kept == MIN_MAX:
            line += f"kept, since this was {self._listed(ASKED, shown)}"
        else:
            line += f"this: {self._listed(self.kept, shown, with_gain=True)}"
        if self.kept not in (ASKED, MIN_MAX):
            line += f", {self.kept}, and {self._listed(ASKED, shown)} {ASKED}"
        line += ", less by chance only" if self.is_tie else ""
        line += f", on {self.samples} "
        line += "calibration samples" if self.optimism_db else "samples held back"
        if self.optimism_db:
            line += f", which flatter what was asked for by up to {self.optimism_db:.1f} dB"
        elif not self.held_back:
            line += " from bias correction"
        if len(self.outputs) > 1:
            names = [f"'{self.outputs[i].split(';')[0]}'" for i in shown]
            line += f" (outputs {', '.join(names)}"
            line += f", the least gains of {len(kept)}" if len(shown) < len(kept) else ""
            line += ")"
        return f"{line}."

    def _listed(self, name: str, shown: list[int], with_gain: bool = False) -> str:
        """Figures of a model for some outputs."""
        found = []
        for i in shown:
            figure, base = self.sqnr_db[name][i], self.sqnr_db[MIN_MAX][i]
            found.append(f"{figure:.1f} dB" + (f" ({figure - base:+.1f})" if with_gain else ""))
        return ", ".join(found)


# Outputs that the line shows; of more than these, those that gain least.
_MOST_SHOWN = 4

_TYPES: dict[str, type[Any]] = {
    "samples": int,
    "held_back": bool,
    "optimism_db": float,
    "kept": str,
    "is_tie": bool,
    "is_default": bool,
    "reason": str,
    "sqnr_db": dict,
}
