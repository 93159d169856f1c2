"""What stands out in the figures, and which option helps: docs/troubleshooting.md made automatic.

The thresholds are rules of thumb of ours; each finding names the figures it rests on.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from tflite_eq.report.guard_record import GuardRecord
from tflite_eq.report.model import Finding, LayerReport, ModelSummary, TargetSummary

# A layer that adds more noise than this part of the signal and so many times the median stands out.
_ADDED_NOISE = 0.01
_TIMES_MEDIAN = 5.0
# Below this SQNR of the outputs decisions change often.
_LOW_OUTPUT_DB = 15.0
# Smaller differences of SQNR say nothing.
_EQUAL_DB = 0.5
_LARGE_SHIFT = 0.005
_MUCH_OUTSIDE = 0.01
_LITTLE_HEADROOM_BITS = 1.0


def find(
    layers: Sequence[LayerReport],
    models: Sequence[ModelSummary],
    targets: Sequence[TargetSummary],
    guard: GuardRecord | None = None,
) -> tuple[Finding, ...]:
    """Findings, the most important first."""
    found: list[Finding] = [] if guard is None else [_guarded(guard)]
    for rule in (
        _outcome,
        _single_layers,
        _remaining_shift,
        _clipped,
        _leaves_window,
        _seven_bits,
        _headroom,
    ):
        found.extend(rule(layers, models))
    found.extend(_no_delegate(targets))
    order = {"problem": 0, "note": 1, "good": 2}
    return tuple(sorted(found, key=lambda finding: order[finding.level]))


def _outcome(layers: Sequence[LayerReport], models: Sequence[ModelSummary]) -> list[Finding]:
    if len(models) < 3 or models[1].sqnr_db is None or models[2].sqnr_db is None:
        return []
    default, final = models[1], models[2]
    gained = models[2].sqnr_db - models[1].sqnr_db
    text = f"SQNR of the outputs is {final.sqnr_db:.1f} dB, against {default.sqnr_db:.1f} dB with "
    text += "TFLite's default."
    if final.agreement is not None and default.agreement is not None:
        text += f" Agreement with the float model is {final.agreement.value:.1f} %, against "
        text += f"{default.agreement.value:.1f} %."
    if final.sqnr_db is not None and final.sqnr_db < _LOW_OUTPUT_DB:
        return [
            Finding(
                "problem",
                f"The outputs are noisy: {final.sqnr_db:.1f} dB",
                f"{text} Check that the preprocessing is the one the model was trained with; then "
                "try more samples (--num_samples 200), --bits 8, or keep the layers that add most "
                "noise in float (--skip).",
            )
        ]
    if gained < -_EQUAL_DB or _agrees_less(final):
        title = "TFLite's default is closer to the float model"
        if any(layer.input_bits == 7 for layer in layers):
            text += " That is the price of 7 bits; if it is too high, --bits 8 does without."
            return [Finding("note", title, text)]
        return [Finding("problem", title, f"{text} Give more samples (--num_samples 200).")]
    if gained < _EQUAL_DB:
        return [Finding("good", "As close to the float model as TFLite's default", text)]
    return [Finding("good", f"{gained:.1f} dB closer than TFLite's default", text)]


def _guarded(guard: GuardRecord) -> Finding:
    final = guard.final
    measured = (
        f"{guard.measure[:1].upper()}{guard.measure[1:]} is "
        f"{guard.in_unit(final.loss.text(guard.digits))} on {guard.images} samples, "
        f"{guard.plain.drop:.{guard.digits}f} with nothing kept."
    )
    if final.holds:
        return Finding("good", f"The bound of {guard.in_unit(f'{guard.bound:g}')} holds", measured)
    return Finding(
        "problem",
        f"The bound of {guard.in_unit(f'{guard.bound:g}')} cannot be met",
        f"{measured} This is the best model found. A larger bound, --preset best or other "
        "calibration data may help; if even much in float does not, check the preprocessing.",
    )


def _agrees_less(final: ModelSummary) -> bool:
    """Whether the agreement is lower than the default model's, beyond chance."""
    lost = final.agreement_lost
    return lost is not None and lost.low is not None and lost.low > 0


def _single_layers(layers: Sequence[LayerReport], models: Sequence[ModelSummary]) -> list[Finding]:
    added = [layer.comparison.added_noise for layer in layers if layer.comparison is not None]
    if len(added) < 3 or len(added) < len(layers):
        return []
    usual = max(statistics.median(added), 0.0)
    worst = [
        position
        for position, noise in enumerate(added)
        if noise > _ADDED_NOISE and noise > _TIMES_MEDIAN * usual
    ]
    if not worst:
        return []
    return [
        Finding(
            "note",
            _count(len(worst), "layer adds", "layers add") + " much more noise than the others",
            f"More than {_TIMES_MEDIAN:g} times the median and {_ADDED_NOISE:.0%} of the signal. "
            "Keep them in float with --skip, or at 8 bits with --keep_int8: lists to try are below "
            "the table of layers.",
            tuple(sorted(worst, key=lambda position: -added[position])),
        )
    ]


def _remaining_shift(
    layers: Sequence[LayerReport], models: Sequence[ModelSummary]
) -> list[Finding]:
    corrected = _where(layers, lambda x: x.mssr_before > _LARGE_SHIFT > x.mssr_after)
    left = _where(layers, lambda x: x.mssr_after > _LARGE_SHIFT)
    found = []
    if left:
        found.append(
            Finding(
                "problem",
                _count(len(left), "layer keeps", "layers keep") + " a mean shift",
                f"MSSR after correction is above {_LARGE_SHIFT:.1%}: the correction is off or was "
                "rolled back, or calibration data are few. Give more samples and check that "
                "--bias_correction is on.",
                left,
            )
        )
    if corrected:
        found.append(
            Finding(
                "good",
                "Bias correction took out a mean shift in "
                + _count(len(corrected), "layer", "layers"),
                f"MSSR was above {_LARGE_SHIFT:.1%} of the signal there and is below it now.",
                corrected,
            )
        )
    return found


def _clipped(layers: Sequence[LayerReport], models: Sequence[ModelSummary]) -> list[Finding]:
    clipped = _where(layers, lambda x: x.input_outside > _MUCH_OUTSIDE)
    if not clipped:
        return []
    return [
        Finding(
            "note",
            f"More than {_MUCH_OUTSIDE:.0%} of the input is clipped in "
            + _count(len(clipped), "layer", "layers"),
            "The search found finer steps for the rest worth it. If such a layer adds much noise "
            "all the same, give more samples, or try --method minmax, which clips nothing.",
            clipped,
        )
    ]


def _leaves_window(layers: Sequence[LayerReport], models: Sequence[ModelSummary]) -> list[Finding]:
    def leaves(layer: LayerReport) -> bool:
        return layer.comparison is not None and layer.comparison.input_outside > _MUCH_OUTSIDE

    wide = _where(layers, leaves)
    if not wide:
        return []
    return [
        Finding(
            "note",
            _count(len(wide), "layer meets", "layers meet") + " codes outside the 7-bit window",
            f"More than {_MUCH_OUTSIDE:.0%} of the input codes in the comparison: calibration data "
            "are narrower than what the layer meets. Results stay exact, the kernel that needs "
            "the window gets slower. Give more samples, from the same distribution as real input.",
            wide,
        )
    ]


def _seven_bits(layers: Sequence[LayerReport], models: Sequence[ModelSummary]) -> list[Finding]:
    narrow = _where(layers, lambda x: x.input_bits == 7)
    if not narrow:
        return []
    text = "Only kernels that use the spare bit gain from it."
    if len(narrow) == len(layers):
        text += " If the accuracy lost matters, --bits auto with your --target keeps 7 bits to the "
        text += "layers that get faster."
    return [Finding("note", f"{len(narrow)} of {len(layers)} layers read 7-bit codes", text)]


def _headroom(layers: Sequence[LayerReport], models: Sequence[ModelSummary]) -> list[Finding]:
    def is_tight(layer: LayerReport) -> bool:
        return layer.detail is not None and any(
            c.kernel == "winograd_f43" and c.headroom_bits < _LITTLE_HEADROOM_BITS
            for c in layer.detail.certificates
        )

    tight = _where(layers, is_tight)
    if not tight:
        return []
    return [
        Finding(
            "note",
            _count(len(tight), "layer has", "layers have")
            + f" less than {_LITTLE_HEADROOM_BITS:g} bit of headroom for F(4x4,3x3)",
            "Where the bound fails the delegate cuts the input channels into parts; results stay "
            "exact, the layer gets a little slower.",
            tight,
        )
    ]


def _no_delegate(targets: Sequence[TargetSummary]) -> list[Finding]:
    if not targets or any(target.supported for target in targets):
        return []
    return [Finding("note", "The delegate is not built here", targets[0].note)]


def _where(
    layers: Sequence[LayerReport], condition: Callable[[LayerReport], bool]
) -> tuple[int, ...]:
    return tuple(position for position, layer in enumerate(layers) if condition(layer))


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
