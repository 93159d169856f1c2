"""Accuracy of every method on the shared models: the tables of docs/accuracy.md.

Calibrates on the first 50 images of calibration.csv (CIFAR-10: of the training set), with the
preset ``best`` on the first 200, and measures on validation.csv (CIFAR-10: on the test images) with
``tflite-eq evaluate``'s evaluator, on logits.
Needs the shared data: see tests/shared_data.py for where it is looked for.

    python -m benchmarks.accuracy --output results.json [--model tiny_darknet] [--variant int8]
    python -m benchmarks.accuracy --render results.json > docs/accuracy.md

Results are added to the output file model by model; a run that is started again measures only what
is missing. Without --variant only the main ones are measured.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import pathlib
import time
from typing import Any

import numpy as np

import tflite_eq
from benchmarks import accuracy_page
from tests import shared_data
from tflite_eq.cli.models import load_float_model
from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.evaluation.evaluator import available_cores, evaluate
from tflite_eq.evaluation.labels import LabelledSet, open_labelled
from tflite_eq.evaluation.team import NamedModel
from tflite_eq.files import write_atomically
from tflite_eq.presets import preset_config, preset_samples

SAMPLES = 50
MOST_SAMPLES = 200
LATTICE = {"bits": "auto", "target": "armv8.2-dotprod"}

# Quantizer options by variant; "default" is TensorFlow's own int8 conversion.
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
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
MAIN = ("default", "int8", "int7", "lattice", "best int8", "best int7", "best lattice")
SEEDED = MAIN[1:]


@dataclasses.dataclass(frozen=True)
class Case:
    """One shared model and the data it is measured on."""

    name: str
    model: bytes
    path: pathlib.Path
    preprocessing: Preprocessing
    validation: LabelledSet
    calibration: list[np.ndarray]


def open_case(name: str, folder: pathlib.Path) -> Case:
    """Load a shared model with its data."""
    entry = shared_data.models()[name]
    preprocessing = shared_data.preprocessing(name)
    path = folder / entry["file"]
    images = folder / "images"
    if entry.get("dataset") == "cifar10":
        validation = open_labelled(images / "cifar10" / "cifar10_test_first1000.npz")
    else:
        validation = open_labelled(
            images, folder / "validation.csv", entry.get("label_column", "label")
        )
    calibration = shared_data.calibration(name, MOST_SAMPLES)
    return Case(name, load_float_model(str(path)), path, preprocessing, validation, calibration)


def tensorflow_default(case: Case) -> bytes:
    """TensorFlow's own full-integer conversion with float ends."""
    import tensorflow as tf

    model = tf.keras.models.load_model(case.path, compile=False)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([x] for x in case.calibration[:SAMPLES])
    return bytes(converter.convert())


def quantized(case: Case, variant: str, seed: int) -> tuple[bytes, float]:
    """One model quantized one way, and the CPU seconds it took."""
    started = time.process_time()
    if variant == "default":
        model = tensorflow_default(case)
    else:
        options = {"preset": "default", **VARIANTS[variant]}
        samples = case.calibration[: preset_samples(options["preset"])]
        config = preset_config(seed=seed, **options)
        model = tflite_eq.quantize(case.model, [[x] for x in samples], config).model
    return model, round(time.process_time() - started, 1)


def measure(case: Case, wanted: list[tuple[str, int]]) -> list[dict[str, Any]]:
    """Quantize one model in several ways and evaluate all of them against its float version."""
    models, entries = [], []
    for variant, seed in wanted:
        model, seconds = quantized(case, variant, seed)
        print(f"{case.name}: {variant}, seed {seed}: {seconds} CPU seconds", flush=True)
        models.append(NamedModel(f"{variant} {seed}", model))
        entries.append(
            {
                "model": case.name,
                "variant": variant,
                "seed": seed,
                "cpu_seconds": seconds,
                "bytes": len(model),
            }
        )
    result = evaluate(
        models,
        case.validation,
        case.preprocessing,
        reference=NamedModel("float", case.model),
        num_workers=available_cores(),
    ).to_dict()
    reference = result["models"][0]
    for entry, figures in zip(entries, result["models"][1:]):
        entry.update(runtime=result["runtime"], float=reference, quantized=figures)
    return entries


def run(args: argparse.Namespace, folder: pathlib.Path) -> None:
    """Measure what the output file does not hold yet."""
    path = pathlib.Path(args.output)
    results = json.loads(path.read_text()) if path.exists() else []
    done = {(r["model"], r["variant"], r["seed"]) for r in results}
    for name in args.model or shared_data.models():
        wanted = [
            (variant, seed)
            for variant in args.variant or MAIN
            for seed in range(args.seeds if variant in SEEDED else 1)
            if (name, variant, seed) not in done
            # Without a 3x3 stride-1 convolution that variant is plain INT8.
            and not (variant.endswith("lattice") and not shared_data.models()[name]["conv3x3s1"])
        ]
        if wanted:
            results += measure(open_case(name, folder), wanted)
            write_atomically(path, json.dumps(results, indent=1).encode())
            print(accuracy_page.main_table(results), flush=True)


def main() -> None:
    """Measure, or render what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", help="JSON file that collects the results")
    parser.add_argument("--render", metavar="JSON", help="print the results as Markdown")
    parser.add_argument("--model", action="append", help="only this shared model")
    parser.add_argument("--variant", action="append", choices=VARIANTS, help="only this variant")
    parser.add_argument("--seeds", type=int, default=3, help="seeds of the main variants (3)")
    args = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if args.render:
        results = json.loads(pathlib.Path(args.render).read_text())
        print(accuracy_page.render(results))
        return
    folder = shared_data.folder()
    if folder is None or not args.output:
        parser.error("the shared data are not there" if args.output else "--output is required")
    run(args, folder)


if __name__ == "__main__":
    main()
