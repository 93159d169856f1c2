"""Accuracy of every method on the shared models: the tables of docs/accuracy.md.

Calibrates on 50 of the 300 images of calibration.csv (CIFAR-10: of the training set's first), with
the preset ``best`` on 200, three times: on the first ones of the list, then on two random draws.
The draw's number is the quantizer's seed, too. Measures on validation.csv (CIFAR-10: on the test
images) with ``tflite-eq evaluate``'s evaluator, on logits.
Needs the shared data: see tests/shared_data.py for where it is looked for.

    python -m benchmarks.accuracy --output results.json [--model tiny_darknet] [--variant int8]
    python -m benchmarks.accuracy --render results.json > docs/accuracy.md

Results are added to the output file model by model; a run that is started again measures only what
is missing. Without --variant only the main ones are measured.
"""

from __future__ import annotations

import argparse
import pathlib
import time
from typing import Any

import tflite_eq
from benchmarks import accuracy_page, results_file
from benchmarks.cases import MOST_SAMPLES, SAMPLES, Case, open_case
from benchmarks.command_line import add_choices, measure_or_render
from benchmarks.peers.runners import tensorflow_default
from tests import shared_data
from tflite_eq.evaluation.task import NamedModel
from tflite_eq.presets import preset_config, preset_samples

LATTICE = {"bits": "auto", "target": "armv8.2-dotprod"}

# Images that TensorFlow's own int8 conversion sees, by variant.
TENSORFLOW = {"default": SAMPLES, "default 200": MOST_SAMPLES}

# Quantizer options by variant.
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "default 200": {},
    "int8": {},
    "int7": {"bits": "7"},
    "lattice": LATTICE,
    "best int8": {"preset": "best"},
    "best int7": {"preset": "best", "bits": "7"},
    "best lattice": {"preset": "best", **LATTICE},
    "fast int8": {"preset": "fast"},
    "int8 rounding": {"reconstruction": "rounding"},
    "int8 refit": {"reconstruction": "refit"},
    "int7 rounding": {"bits": "7", "reconstruction": "rounding"},
    "int7 refit": {"bits": "7", "reconstruction": "refit"},
    "int8 per tensor, not equalized": {"per_tensor": True, "equalization": "none"},
    "best int8 per tensor": {"preset": "best", "per_tensor": True},
    "int8 min-max": {"method": "minmax", "bias_correction": "none"},
    "int8 min-max + IBC": {"method": "minmax"},
    "int8 percentile + IBC": {"method": "percentile"},
    "int8 MSE + IBC": {"method": "mse"},
    "int8 KL": {"method": "kl", "bias_correction": "none"},
    "int8 EQ": {"bias_correction": "none"},
    "int8 EQ cosine": {"objective": "cosine", "bias_correction": "none"},
    "int8 per tensor": {"per_tensor": True},
    "int7 KL": {"bits": "7", "method": "kl", "bias_correction": "none"},
    "int7 EQ": {"bits": "7", "bias_correction": "none"},
    "int7 symmetric": {"bits": "7", "activation_mode": "symmetric"},
}
MAIN = (
    *("default", "int8", "int7", "lattice"),
    *("default 200", "best int8", "best int7", "best lattice"),
)


def quantized(case: Case, variant: str, draw: int) -> tuple[bytes, dict[str, Any]]:
    """One model quantized one way, the CPU seconds it took and what it spends on more precision."""
    started = time.process_time()
    allocations: list[str] = []
    if variant in TENSORFLOW:
        model = tensorflow_default.quantize(case.path, case.draw(draw, TENSORFLOW[variant]))
    else:
        options = {"preset": "default", **VARIANTS[variant]}
        samples = case.draw(draw, preset_samples(options["preset"]))
        config = preset_config(seed=draw, **options)
        result = tflite_eq.quantize(case.model, [[x] for x in samples], config)
        model, allocations = result.model, result.report.summary.get("allocations", [])
    seconds = round(time.process_time() - started, 1)
    return model, {"cpu_seconds": seconds, "allocations": allocations}


def measure(case: Case, wanted: list[tuple[str, int]]) -> list[dict[str, Any]]:
    """Quantize one model in several ways and evaluate all of them against its float version."""
    models, entries = [], []
    for variant, draw in wanted:
        model, took = quantized(case, variant, draw)
        print(f"{case.name}: {variant}, draw {draw}: {took['cpu_seconds']} CPU seconds", flush=True)
        models.append(NamedModel(f"{variant} {draw}", model))
        entries.append(
            {
                "model": case.name,
                "variant": variant,
                "draw": draw,
                "bytes": len(model),
                **took,
            }
        )
    for entry, figures in zip(entries, case.compare(models)):
        entry.update(figures)
    return entries


def run(args: argparse.Namespace, folder: pathlib.Path) -> None:
    """Measure what the output file does not hold yet."""
    path = pathlib.Path(args.output)
    results = results_file.load(path)
    done = {(r["model"], r["variant"], r["draw"]) for r in results}
    for name in args.model or shared_data.models():
        wanted = [
            (variant, draw)
            for draw in range(args.draws)
            for variant in args.variant or MAIN
            if (name, variant, draw) not in done
            # Without a 3x3 stride-1 convolution that variant is plain INT8.
            and not (variant.endswith("lattice") and not shared_data.models()[name]["conv3x3s1"])
        ]
        if wanted:
            results += measure(open_case(name, folder), wanted)
            results_file.save(path, results)
            print(accuracy_page.main_table(results), flush=True)


def main() -> None:
    """Measure, or render what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", action="append", help="only this shared model")
    add_choices(parser, VARIANTS)
    measure_or_render(parser, run, accuracy_page.render)


if __name__ == "__main__":
    main()
