"""What the accuracy guard found, as data for reports."""

from __future__ import annotations

import dataclasses
import shlex

from tflite_eq.evaluation.intervals import Estimate
from tflite_eq.report.model import TargetSummary


@dataclasses.dataclass(frozen=True)
class Price:
    """Cost of one model.

    Attributes:
        size_bytes: Size of the file.
        float_share: Part of the multiplications that stays in float, in [0, 1]; no estimate of
            speed-ups knows what that costs.
        targets: What the delegate would run, and the speed-up to expect, CPU family by CPU family.
    """

    size_bytes: int
    float_share: float
    targets: tuple[TargetSummary, ...]


@dataclasses.dataclass(frozen=True)
class Step:
    """One model that was tried.

    Attributes:
        kept_int8: Layers with 8-bit inputs where 7 bits were asked for, by their outputs' names.
        kept_float: Operators that compute in float, likewise; those that only move values between
            them go with them.
        loss: Measured loss in the record's unit with its 95 % confidence interval; negative if it
            is better than the float model.
        holds: Whether the loss is within the bound.
        price: What the model costs.
    """

    kept_int8: tuple[str, ...]
    kept_float: tuple[str, ...]
    loss: Estimate
    holds: bool
    price: Price

    @property
    def drop(self) -> float:
        """The measured loss itself."""
        return self.loss.value


@dataclasses.dataclass(frozen=True)
class Sensitivity:
    """One entry of a ranking.

    Attributes:
        names: What is kept together, by the outputs' names.
        noise: Energy of the outputs' error that keeping it takes away, by energy of the outputs.
        kept: Whether any of it is kept in the end.
    """

    names: tuple[str, ...]
    noise: float
    kept: bool


@dataclasses.dataclass(frozen=True)
class GuardRecord:
    """How a guarded quantization went.

    Attributes:
        bound: Largest loss allowed, in ``unit``.
        measure: What the loss is: ``top-1 drop``, ``disagreement``, ``mean IoU loss``.
        images: Number of samples it is measured on.
        description: What they are, for people.
        steps: All models tried, in order; the first one keeps nothing.
        chosen: Position of the one that was taken: the best found if none holds.
        int8_ranking: What could keep 8 bits, the most sensitive first; empty if it was not asked
            for.
        float_ranking: What could stay in float, likewise.
        keep_int8: Expression for ``--keep_int8`` that gives the same model, ``None`` for none.
        skip: The same for ``--skip``.
        notes: What so many samples cannot tell, one sentence each.
        unit: Of the losses: ``points``, ``dB``, or nothing.
        digits: To print of them behind the point.
    """

    bound: float
    measure: str
    images: int
    description: str
    steps: tuple[Step, ...]
    chosen: int
    int8_ranking: tuple[Sensitivity, ...]
    float_ranking: tuple[Sensitivity, ...]
    keep_int8: str | None
    skip: str | None
    notes: tuple[str, ...]
    unit: str = "points"
    digits: int = 2

    def in_unit(self, figure: str) -> str:
        """A figure with the unit of the losses behind it."""
        return f"{figure} {self.unit}".rstrip()

    @property
    def plain(self) -> Step:
        """The model with nothing kept."""
        return self.steps[0]

    @property
    def final(self) -> Step:
        """The model that was taken."""
        return self.steps[self.chosen]

    @property
    def options(self) -> tuple[str, ...]:
        """Command-line options that give the same model without the guard, quoted for a shell."""
        given = (("--keep_int8", self.keep_int8), ("--skip", self.skip))
        return tuple(f"{flag} {shlex.quote(value)}" for flag, value in given if value)
