"""``python -m demo``: all steps, with the project's own commands."""

from __future__ import annotations

import os
import pathlib
import shlex
import subprocess
import sys

import numpy as np
from absl import app, flags

_OUTPUT_DIR = flags.DEFINE_string("output_dir", "demo_output", "Folder for everything it makes.")
_EPOCHS = flags.DEFINE_integer("epochs", None, "Epochs of training, fewer for a quick look.")

# Name of the model, and the flags that make it.
_VARIANTS = {
    "int8": [],
    "int7": ["--bits", "7"],
    "int7_auto": ["--bits", "auto", "--target", "armv8.2-dotprod"],
}
_PREPROCESSING = ["--image_mean", "0", "--image_std", "255"]


def main(argv: list[str]) -> None:
    """Train a network, quantize it in four ways, compare the results."""
    del argv
    folder = pathlib.Path(_OUTPUT_DIR.value)
    folder.mkdir(parents=True, exist_ok=True)
    _heading("1. Train a float network on handwritten digits")
    _make_float_model(folder)
    _heading("2. Quantize it")
    for name, options in _VARIANTS.items():
        _tflite_eq(
            *["quantize", "--model", f"{folder}/digits.keras"],
            *["--calibration", f"{folder}/calibration.npz", *_PREPROCESSING, *options],
            *["--output", f"{folder}/digits_{name}.tflite"],
            *["--report_dir", f"{folder}/report_{name}"],
        )
    _heading("3. Look at the layers of the INT7 model for CPUs with dot products")
    _tflite_eq("inspect", f"{folder}/digits_int7_auto.tflite")
    _heading("4. Compare all of them on images that neither training nor calibration saw")
    models = ["tflite_default", *_VARIANTS]
    _tflite_eq(
        *["evaluate", "--reference", f"{folder}/digits_float.tflite"],
        *[part for name in models for part in ("--model", f"{folder}/digits_{name}.tflite")],
        *["--dataset", f"{folder}/validation.npz", *_PREPROCESSING],
        *["--json", f"{folder}/evaluation.json"],
    )
    _heading("Done")
    print(f"Models and data:  {folder}/")
    for name in _VARIANTS:
        print(f"Report on {name + ':':11s} {folder}/report_{name}/report.html")


def _make_float_model(folder: pathlib.Path) -> None:
    from demo import digits, network  # imports TensorFlow, which takes its time

    data = digits.load()
    model = network.train(data, _EPOCHS.value or network.EPOCHS)
    model.save(folder / "digits.keras")
    np.savez_compressed(folder / "calibration.npz", images=data.calibration_images)
    np.savez_compressed(
        folder / "validation.npz", images=data.validation_images, labels=data.validation_labels
    )
    (folder / "digits_float.tflite").write_bytes(network.convert_float(model))
    default = network.convert_default_int8(model, data)
    (folder / "digits_tflite_default.tflite").write_bytes(default)
    print(
        f"{len(data.train_images)} images for training, {len(data.calibration_images)} of these "
        f"for calibration, {len(data.validation_images)} others for validation"
    )


def _tflite_eq(*arguments: str) -> None:
    """Run one of the project's commands as a user would, showing it first."""
    command = [os.path.relpath(sys.executable), "-m", "tflite_eq", *arguments]
    print(f"\n$ {shlex.join(command)}", flush=True)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        for line in running.stdout or ():
            if not line.startswith("RESULT "):  # meant for scripts
                print(line, end="", flush=True)
    if running.returncode:
        sys.exit(f"{arguments[0]} failed with exit code {running.returncode}")


def _heading(text: str) -> None:
    print(f"\n=== {text}", flush=True)


if __name__ == "__main__":
    app.run(main)
