"""What every quantization reports, from its record alone."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from tflite_eq.config import Reconstruction
from tflite_eq.graph.properties import LinearKind
from tflite_eq.progress import peak_memory_mib
from tflite_eq.record.calibration import Calibration, FineTuning, LayerRecord
from tflite_eq.report.model import LayerReport, ProcessFacts, Report


def build_report(
    calibration: Calibration,
    runtimes: list[str],
    normalized: Sequence[str],
    in_float: Sequence[str],
    forms: str,
    float_size: int,
    quantized_size: int,
    origin: str = "model",
    allocations: Sequence[str] = (),
) -> Report:
    """Collect the figures of a finished quantization.

    Args:
        calibration: The record.
        runtimes: Runtimes that ran the model.
        normalized: What was changed in the float network before anything else.
        in_float: What stays in float for want of an int8 form, in sentences.
        forms: Operators that are written as others, e.g. ``3 PRELU``.
        float_size: Bytes of the float model.
        quantized_size: Bytes of the written one.
        origin: What to call the model.
        allocations: What was given more precision than its bits say, at which price and for which
            gain, or was not, in sentences.
    """
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
                rqnsr_before=before["rqnsr"],
                rqnsr=after["rqnsr"],
                sqnr_db_before=before["sqnr_db"],
                sqnr_db_after=after["sqnr_db"],
                rolled_back=layer.metrics["rolled_back"],
                ridge=layer.metrics.get("reconstruction", {}).get("ridge"),
                reconstruction_db=_reconstruction_db(layer),
            )
        )
    summary = {
        "model": origin,
        "tool_version": calibration.tool_version,
        "config": calibration.config.as_dict(),
        "samples": calibration.samples,
        "scaled_channels": sum(len(scaled.factors) for scaled in calibration.equalization),
        "float_bytes": float_size,
        "quantized_bytes": quantized_size,
        "runtimes": runtimes,
        "normalized": list(normalized),
        "in_float": list(in_float),
        "forms": forms,
    }
    if allocations:
        summary["allocations"] = list(allocations)
    if calibration.comparison is not None:
        summary["comparison"] = {
            **dataclasses.asdict(calibration.comparison),
            "text": calibration.comparison.text(),
        }
    if calibration.outliers is not None:
        summary["outliers"] = {
            **dataclasses.asdict(calibration.outliers),
            "text": calibration.outliers.text(),
        }
    if calibration.preprocessing is not None:
        summary["preprocessing"] = calibration.preprocessing.to_dict()
    if calibration.fine_tuning is not None:
        summary["fine_tuning"] = _fine_tuning(calibration.fine_tuning)
    process = ProcessFacts(peak_memory_mib(), round(time.process_time(), 1))
    warnings = [*calibration.warnings, *_not_reconstructed(calibration)]
    return Report(summary, layers, warnings, process)


def _fine_tuning(found: FineTuning) -> dict[str, float]:
    before, after = found.sqnr_db
    return {
        "held_back": found.held_back,
        "epochs": found.epochs,
        "best_epoch": found.best_epoch,
        "sqnr_db_before": before,
        "sqnr_db_after": after,
    }


def fine_tuning_text(summary: dict[str, Any]) -> str:
    """How the fine-tuning of biases went in words; empty without one."""
    found = summary.get("fine_tuning")
    if found is None:
        return ""
    kept = f"kept biases trained on all samples for {found['best_epoch']} epochs"
    if not found["best_epoch"]:
        kept = "no gain beyond chance, kept the biases of iterative correction"
    return (
        f"{found['sqnr_db_before']:.2f} -> {found['sqnr_db_after']:.2f} dB SQNR of the outputs on "
        f"{found['held_back']} held-back calibration samples; {kept}"
    )


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
