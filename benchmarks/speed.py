"""CPU time and peak memory of quantizing MobileNetV1-1.0-224 and ResNet50-224.

Random weights and random images do: the work does not depend on their values. Every run is a
process of its own, so that peak memory is its own too. Prints one line per run and a JSON line.

    python -m benchmarks.speed [--samples 50] [--repeats 1] [--model resnet50] [--preset best]
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np

from tflite_eq.presets import Preset

MODELS = ("mobilenet_v1_1.0", "resnet50")


def make_float_model(name: str, path: pathlib.Path) -> None:
    """Write a float ``.tflite`` with random weights."""
    import tensorflow as tf

    tf.keras.utils.set_random_seed(0)
    make = {
        "mobilenet_v1_1.0": tf.keras.applications.MobileNet,
        "resnet50": tf.keras.applications.ResNet50,
    }[name]
    model = make(weights=None, input_shape=(224, 224, 3))
    rng = np.random.default_rng(0)
    for layer in model.layers:  # the initial ones of Keras let signals die out
        kernels = [w for w in layer.weights if "kernel" in w.name or "depthwise" in w.name]
        for kernel in kernels:
            shape = tuple(kernel.shape)
            is_depthwise = "depthwise" in layer.name or "dw" in layer.name
            inputs = np.prod(shape[:2]) if is_depthwise else np.prod(shape[:-1])
            values = rng.standard_normal(shape, np.float32) * np.float32(np.sqrt(2 / inputs))
            kernel.assign(values)
    path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())


def quantize_once(path: pathlib.Path, samples: int, preset: str) -> None:
    """Quantize and print the figures as JSON."""
    import tflite_eq
    from tflite_eq.presets import preset_config
    from tflite_eq.progress import peak_memory_mib

    rng = np.random.default_rng(0)
    data = (rng.standard_normal((1, 224, 224, 3), np.float32) for _ in range(samples))
    wall, cpu = time.monotonic(), time.process_time()
    result = tflite_eq.quantize(path.read_bytes(), ([x] for x in data), preset_config(preset))
    figures = {
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "seconds": round(time.monotonic() - wall, 1),
        "peak_memory_mib": peak_memory_mib(),
        "layers": len(result.report.layers),
    }
    print(json.dumps(figures))


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--model", choices=MODELS, action="append")
    parser.add_argument("--preset", choices=[p.value for p in Preset], default="default")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if args.child:
        step, path = args.child
        if step == "quantize":
            quantize_once(pathlib.Path(path), args.samples, args.preset)
        else:
            make_float_model(step, pathlib.Path(path))
        return
    own = [sys.executable, "-m", "benchmarks.speed", "--samples", str(args.samples)]
    own += ["--preset", args.preset, "--child"]
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in args.model or MODELS:
            path = pathlib.Path(folder) / f"{name}.tflite"
            subprocess.run([*own, name, str(path)], check=True, stdout=subprocess.DEVNULL)
            runs = []
            for _ in range(args.repeats):
                done = subprocess.run(
                    [*own, "quantize", str(path)], check=True, stdout=subprocess.PIPE, text=True
                )
                runs.append(json.loads(done.stdout.splitlines()[-1]))
                print(name, runs[-1], flush=True)
            found[name] = min(runs, key=lambda run: run["cpu_seconds"])
    print("RESULT", json.dumps(found))


if __name__ == "__main__":
    main()
