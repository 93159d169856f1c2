"""Results of benchmarks as runs write them, with figures that are easy to tell apart."""

from __future__ import annotations

from typing import Any


def figures(agreement: float, sqnr_db: float, top1_drop: float) -> dict[str, Any]:
    """An evaluator's figures."""

    def estimate(value: float) -> dict[str, float]:
        return {"value": value, "low": value - 1, "high": value + 1}

    return {
        "n": 1000,
        "top1": estimate(70.0),
        "agreement": estimate(agreement),
        "sqnr_db": estimate(sqnr_db),
        "top1_drop": estimate(top1_drop),
    }


def entry(model: str, peer: str, agreement: float = 90.0, **changed: Any) -> dict[str, Any]:
    """A measured peer."""
    return {
        "model": model,
        "peer": peer,
        "samples": 50,
        "cores": 2,
        "load": 0.5,
        "date": "2026-01-01",
        "wall_seconds": 12.25,
        "cpu_seconds": 8.5,
        "peak_memory_mib": 640.4,
        "versions": {"Quantizer": "1.2"},
        "bytes": 2048,
        "float_operators": {},
        "runtime": "some runtime 1.0",
        "float": figures(100.0, 99.0, 0.0),
        "quantized": figures(agreement, 20.0, 1.0),
        **changed,
    }


def failure(model: str, peer: str, reason: str) -> dict[str, Any]:
    """A peer that could not quantize a model."""
    return {"model": model, "peer": peer, "samples": 50, "cores": 2, "failed": reason}
