"""The report of one quantization as data."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tflite_eq.calibration.record import Calibration, LayerRecord
from tflite_eq.config import Reconstruction
from tflite_eq.graph.properties import LinearKind
from tflite_eq.progress import peak_memory_mib


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
        rqnsr: Remaining quantization noise to signal ratio.
        sqnr_db_before: SQNR of the pre-activation output before bias correction, dB.
        sqnr_db_after: The same behind it.
        rolled_back: Whether bias correction would have made the layer worse.
        ridge: Ridge of the refit, in units of the mean diagonal of the inputs' Gram matrix;
            ``None`` where filters were not refitted.
        reconstruction_db: By how much reconstruction raised the SQNR of the pre-activation output,
            dB; ``None`` without it.
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
    rqnsr: float
    sqnr_db_before: float
    sqnr_db_after: float
    rolled_back: bool
    ridge: float | None
    reconstruction_db: float | None


@dataclasses.dataclass(frozen=True)
class Report:
    """Everything known about one quantization.

    Attributes:
        summary: Options, sizes, samples, runtimes that ran the model, peak memory.
        layers: One entry per quantized linear layer, in execution order.
        warnings: What a user should know, one sentence each.
    """

    summary: dict[str, Any]
    layers: list[LayerReport]
    warnings: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dataclasses.asdict(self)


def build_report(
    calibration: Calibration,
    warnings: list[str],
    runtimes: list[str],
    float_size: int,
    quantized_size: int,
) -> Report:
    """Collect the figures of a finished quantization."""
    tensors = {t.index: t for t in calibration.tensors}
    layers = []
    for layer in calibration.layers:
        source = tensors[layer.input]
        before = layer.metrics["before_correction"]
        after = layer.metrics["after_correction"]
        layers.append(
            LayerReport(
                name=layer.name,
                kind=layer.kind,
                grid=layer.grid,
                input_bits=source.bits,
                input_scale=source.scale,
                input_zero_point=source.zero_point,
                input_start=source.start,
                input_factor=source.factor,
                input_outside=source.outside,
                mssr_before=before["mssr"],
                mssr_after=after["mssr"],
                rqnsr=after["rqnsr"],
                sqnr_db_before=before["sqnr_db"],
                sqnr_db_after=after["sqnr_db"],
                rolled_back=layer.metrics["rolled_back"],
                ridge=layer.metrics.get("reconstruction", {}).get("ridge"),
                reconstruction_db=_reconstruction_db(layer),
            )
        )
    summary = {
        "tool_version": calibration.tool_version,
        "config": calibration.config.as_dict(),
        "samples": calibration.samples,
        "float_bytes": float_size,
        "quantized_bytes": quantized_size,
        "runtimes": runtimes,
        "peak_memory_mib": round(peak_memory_mib()),
    }
    return Report(summary, layers, [*warnings, *_not_reconstructed(calibration)])


def _not_reconstructed(calibration: Calibration) -> list[str]:
    """One sentence per layer that reconstruction was asked for and could not have."""
    if calibration.config.reconstruction is Reconstruction.NONE:
        return []
    reasons = {True: "it is a transposed convolution", False: "it has too many inputs per output"}
    return [
        f"layer '{layer.name}' was not reconstructed: "
        f"{reasons[layer.kind == LinearKind.TRANSPOSE.value]}; its weights are rounded to the "
        "nearest codes"
        for layer in calibration.layers
        if "reconstruction" not in layer.metrics
    ]


def _reconstruction_db(layer: LayerRecord) -> float | None:
    figures = layer.metrics.get("reconstruction")
    if figures is None:
        return None
    tiny = np.finfo(np.float64).tiny
    return float(
        10 * np.log10(max(figures["noise_before"], tiny) / max(figures["noise_after"], tiny))
    )
