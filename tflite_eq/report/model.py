"""The report of one quantization as data."""

from __future__ import annotations

import dataclasses
import html
import math
from typing import TYPE_CHECKING, Any

from tflite_eq.evaluation.intervals import Estimate
from tflite_eq.numerics.certificates import Certificate
from tflite_eq.search.easyquant import Trial
from tflite_eq.statistics.histogram import Histogram

if TYPE_CHECKING:
    from tflite_eq.report.guard_record import GuardRecord  # which needs TargetSummary


@dataclasses.dataclass(frozen=True)
class Claim:
    """The delegate's decision on one operator.

    Attributes:
        target: The CPU family.
        claimed: Whether the delegate would run it.
        reason: What it is run by and why, or why it is not.
        saved_multiplications: Estimate of what that saves, in multiplications of XNNPACK's kernel.
    """

    target: str
    claimed: bool
    reason: str
    saved_multiplications: float


@dataclasses.dataclass(frozen=True)
class LayerDetail:
    """What a reader looks at when a layer is in doubt.

    Attributes:
        shape: Filter, stride and sizes in words.
        multiplications: Multiplications of one inference, zero products of padding included.
        weights: Number of weights.
        activation: FP32 values of the input over the calibration data; ``None`` if the scales come
            from a record.
        clip: Smallest and largest real value of the input that its window holds.
        window: Smallest and largest code the input is meant to use.
        saturates: Whether the kernels themselves keep the input inside its window: what writes it
            has a least value, and int8 ends above.
        weight_codes: Float weights divided by their channels' scales.
        weight_limit: Largest weight code.
        weight_factors: Smallest, median and largest weight scale over the channels, as a multiple
            of the one that clips nothing.
        activation_search: Candidates for the input's scale.
        weight_search: Candidates that all weight scales of the layer took together.
        certificates: What is proven about its kernels.
        claims: The delegate's decisions, one per target; empty if it is no convolution or the
            delegate is not built.
    """

    shape: str
    multiplications: int
    weights: int
    activation: Histogram | None
    clip: tuple[float, float]
    window: tuple[int, int]
    saturates: bool
    weight_codes: Histogram
    weight_limit: int
    weight_factors: tuple[float, float, float]
    activation_search: tuple[Trial, ...]
    weight_search: tuple[Trial, ...]
    certificates: tuple[Certificate, ...]
    claims: tuple[Claim, ...]


@dataclasses.dataclass(frozen=True)
class LayerComparison:
    """Error of a layer's output in TFLite's default int8 model and in the one that was written.

    Attributes:
        sqnr_db_default: SQNR of the default model, dB.
        sqnr_db_final: SQNR of the written model, dB.
        cosine_default: Cosine with the FP32 output, default model.
        cosine_final: The same of the written model.
        added_noise: Noise to signal ratio of the layer's output minus that of its input, in the
            written model: what the layer itself does to the signal. Negative where it averages
            noise away.
        input_codes: Smallest and largest input code seen.
        input_outside: Part of the input codes outside the window.
    """

    sqnr_db_default: float
    sqnr_db_final: float
    cosine_default: float
    cosine_final: float
    added_noise: float
    input_codes: tuple[int, int] | None
    input_outside: float


@dataclasses.dataclass(frozen=True)
class LayerReport:
    """Figures of one linear layer.

    Attributes:
        name: Output tensor name.
        kind: Operator kind.
        grid: Weight grid.
        input_bits: 7 or 8.
        input_scale: Scale of the input codes.
        input_zero_point: Zero point of the input codes.
        input_start: Range estimator the input scale started from.
        input_factor: Chosen input scale as a multiple of the initial one.
        input_outside: Part of the input codes that were clipped or lie outside the window.
        mssr_before: Mean shift to signal ratio before bias correction.
        mssr_after: The same behind it.
        rqnsr_before: Reduced quantization noise to signal ratio, the rest of the noise, before
            correction.
        rqnsr: The same behind it.
        sqnr_db_before: SQNR of the pre-activation output before bias correction, dB.
        sqnr_db_after: The same behind it.
        rolled_back: Whether bias correction would have made the layer worse.
        ridge: Ridge of the refit, in units of the mean diagonal of the inputs' Gram matrix;
            ``None`` where filters were not refitted.
        reconstruction_db: By how much reconstruction raised the SQNR of the pre-activation output,
            dB; ``None`` without it.
        comparison: Measured on the written models; ``None`` unless a full report was asked for.
        detail: Distributions, searches and proofs; ``None`` unless a full report was asked for.
    """

    name: str
    kind: str
    grid: str
    input_bits: int
    input_scale: float
    input_zero_point: int
    input_start: str
    input_factor: float
    input_outside: float
    mssr_before: float
    mssr_after: float
    rqnsr_before: float
    rqnsr: float
    sqnr_db_before: float
    sqnr_db_after: float
    rolled_back: bool
    ridge: float | None = None
    reconstruction_db: float | None = None
    comparison: LayerComparison | None = None
    detail: LayerDetail | None = None


@dataclasses.dataclass(frozen=True)
class ModelSummary:
    """One of the models side by side; ``None`` stands for what was not measured.

    Attributes:
        name: What it is.
        bytes: Size of the file.
        top1: Percent of samples whose label has the largest score.
        agreement: Percent of samples with the float model's largest score.
        agreement_lost: What the agreement is below that of TFLite's default model, sample by
            sample, in points.
        sqnr_db: SQNR of the outputs (logits), dB.
    """

    name: str
    bytes: int
    top1: Estimate | None = None
    agreement: Estimate | None = None
    agreement_lost: Estimate | None = None
    sqnr_db: float | None = None


@dataclasses.dataclass(frozen=True)
class TargetSummary:
    """What the delegate would do on one CPU family.

    Attributes:
        target: The CPU family.
        supported: Whether this build of the delegate knows it.
        note: Why not.
        claimed: Operators it would run.
        operators: All of the model.
        saved_multiplications: Estimate of what that saves in convolutions and dense layers, in
            XNNPACK's multiplications.
        speedup: Estimate for the convolutions and dense layers together, 1 = none.
    """

    target: str
    supported: bool
    note: str
    claimed: int = 0
    operators: int = 0
    saved_multiplications: float = 0.0
    speedup: float = 1.0


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something a reader should know, with what to do about it.

    Attributes:
        level: ``good``, ``note`` or ``problem``.
        title: What was found.
        text: What it means and which option helps.
        layers: Positions of the layers concerned.
    """

    level: str
    title: str
    text: str
    layers: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class Suggestion:
    """An option to try, which keeps the layers that do most damage at more bits.

    Attributes:
        option: ``--keep_int8`` or ``--skip``.
        pattern: The regular expression to give it.
        layers: Positions of the layers it is about, the worst first.
        noise_share: What they add of the noise that all layers add, in [0, 1].
        float_share: Part of the multiplications that would be in float, in [0, 1].
    """

    option: str
    pattern: str
    layers: tuple[int, ...]
    noise_share: float
    float_share: float


@dataclasses.dataclass(frozen=True)
class ProcessFacts:
    """What a process found out about itself: no two runs agree on it.

    Attributes:
        peak_memory_mib: Largest resident memory up to the end of quantizing, MiB; ``None``
            where the system does not tell.
        cpu_seconds: Processor time up to then, seconds.
    """

    peak_memory_mib: int | None
    cpu_seconds: float


@dataclasses.dataclass(frozen=True)
class Report:
    """Everything known about one quantization.

    Attributes:
        summary: Options, sizes, samples, runtimes that ran the model.
        layers: One entry per quantized linear layer, in execution order.
        warnings: What a user should know, one sentence each.
        process: Facts of the process that made it. All else is a function of model, data, options
            and versions: an interrupted run that was resumed gives the same.
        models: Float, default and written model side by side; empty unless they were compared.
        compared_on: What they were compared on, in words, and on which runtime.
        targets: The delegate's view by CPU family; empty unless a full report was asked for.
        findings: What stands out.
        guard: How the accuracy guard went; ``None`` without one.
        suggestions: What to try where no guard has tried it; empty unless models were compared.

    Example:
        >>> import numpy as np, tflite_eq
        >>> samples = list(np.load("samples.npy")[:50, np.newaxis])
        >>> report = tflite_eq.quantize("net_float.tflite", samples).report
        >>> isinstance(report, tflite_eq.Report)
        True
        >>> furthest_off = min(report.layers, key=lambda layer: layer.sqnr_db_after)
        >>> furthest_off.kind
        'CONV_2D'
    """

    summary: dict[str, Any]
    layers: list[LayerReport]
    warnings: list[str]
    process: ProcessFacts
    models: tuple[ModelSummary, ...] = ()
    compared_on: str = ""
    targets: tuple[TargetSummary, ...] = ()
    findings: tuple[Finding, ...] = ()
    guard: GuardRecord | None = None
    suggestions: tuple[Suggestion, ...] = ()

    def __str__(self) -> str:
        """The table of layers, as the command line prints it."""
        from tflite_eq.report.table import layer_table  # which needs this module

        return layer_table(self)

    def _repr_html_(self) -> str:
        """The page, in a frame of its own; notebooks show it."""
        from tflite_eq.report.html import report_html  # which needs this module

        page = html.escape(report_html(self))
        return f'<iframe srcdoc="{page}" width="100%" height="700" frameborder="0"></iframe>'

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what is not finite becomes ``None``."""
        plain: dict[str, Any] = _plain(dataclasses.asdict(self))
        return plain


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return value
