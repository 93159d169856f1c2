"""CPU time and peak memory of quantizing, beside TensorFlow's own INT8 conversion.

Both are given the same float ``.tflite`` and the same samples, in processes of their own and in
turns: time depends on the machine and on what else it does, the ratio hardly does. Figures are
those of whole processes, with imports - of compiled modules, as pip leaves them - and with the
processes that they start, on one thread; of several runs the medians. TensorFlow's side is what
``tf.lite.TFLiteConverter`` does after it has made the float model, and one run of the result, see
``benchmarks/zoo/stock.py``.

Models are the trained ones of the shared data, those of the zoo beside them, and two shapes with
random weights. Prints one line per run and a JSON line.

    python -m benchmarks.speed [MODEL ...] [--samples 50] [--repeats 3] [--preset best] [--alone]
"""

from __future__ import annotations

import argparse
import compileall
import csv
import dataclasses
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

import tflite_eq
from tflite_eq.graph.inputs import model_inputs
from tflite_eq.graph.model import Graph
from tflite_eq.presets import Preset

_SHAPES = ("mobilenet_v1_1.0_shape", "resnet50_shape")
_TRAINED = ("mobilenet_v1_0.25_224", "squeezenet1_1_gluon", "tiny_darknet")
_LAUNCHER = pathlib.Path(__file__).with_name("launch.py")
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}


@dataclasses.dataclass(frozen=True)
class Usage:
    """What a process and those that it waited for took.

    Attributes:
        cpu_seconds: Of all of them together.
        seconds: Until it ended.
        peak_memory_mib: Of the one that took most.
    """

    cpu_seconds: float
    seconds: float
    peak_memory_mib: int


def compile_modules() -> None:
    """Compile this tree's modules, as pip does with those that it installs."""
    for folder in (pathlib.Path(tflite_eq.__file__).parent, pathlib.Path(__file__).parent):
        compileall.compile_dir(folder, quiet=1)


def usage_of(command: Sequence[str]) -> Usage | None:
    """Run a command with one thread; ``None`` if it fails, which says why on standard error."""
    with tempfile.TemporaryDirectory() as scratch:
        figures = pathlib.Path(scratch) / "usage.json"
        launcher = [sys.executable, "-S", "-E", str(_LAUNCHER), str(figures)]
        subprocess.run(
            [*launcher, *command],
            stdout=subprocess.DEVNULL,
            env={**os.environ, **_ONE_THREAD},
            check=True,
        )
        used = json.loads(figures.read_text(encoding="utf-8"))
    if used["status"]:
        return None
    return Usage(used["cpu_seconds"], used["wall_seconds"], int(used["peak_memory_mib"]))


def median(runs: Sequence[Usage]) -> Usage:
    """The median of each figure."""
    columns = zip(*(dataclasses.astuple(run) for run in runs))
    cpu_seconds, seconds, memory = map(statistics.median, columns)
    return Usage(round(cpu_seconds, 1), round(seconds, 1), int(memory))


def prepare(name: str, count: int, folder: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """A float ``.tflite`` and an ``.npz`` of samples with an array for each of its inputs."""
    from tests import shared_data  # with pytest, which no user imports to quantize

    if name in _SHAPES:
        path = folder / f"{name}.tflite"
        command = [sys.executable, "-m", "benchmarks.speed", "--make", name, str(path)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    elif name in shared_data.models():
        path = shared_data.path(shared_data.models()[name]["tflite"])
    else:
        path = shared_data.zoo(f"{name}.tflite")
    arrays = folder / f"{name}.npz"
    graph = Graph.from_bytes(path.read_bytes(), path.name)
    np.savez(arrays, **_samples(name, graph, count))
    return path, arrays


def _samples(name: str, graph: Graph, count: int) -> dict[str, npt.NDArray[np.float32]]:
    from tests import shared_data

    inputs = model_inputs(graph)
    if name in _SHAPES:
        rng = np.random.default_rng(0)
        return {inputs[0].name: rng.standard_normal((count, 224, 224, 3), np.float32)}
    if name in shared_data.models():
        return {inputs[0].name: np.concatenate(shared_data.calibration(name, count))}
    from benchmarks.zoo.inputs import make_inputs, photographs_of

    with shared_data.zoo("zoo.csv").open(newline="") as table:
        [row] = [row for row in csv.DictReader(table) if row["model"] == f"{name}.tflite"]
    photographs = photographs_of(shared_data.path("models.json").parent, "calibration", count)
    mean, std = (0.0 if row["mean"] == "-" else float(row["mean"])), row["std"]
    return make_inputs(graph, photographs, mean, 1.0 if std == "-" else float(std), seed=0)


def make_float_model(name: str, path: pathlib.Path) -> None:
    """Write a float ``.tflite`` with random weights."""
    import tensorflow as tf

    tf.keras.utils.set_random_seed(0)
    make = dict(zip(_SHAPES, (tf.keras.applications.MobileNet, tf.keras.applications.ResNet50)))
    model = make[name](weights=None, input_shape=(224, 224, 3))
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


def quantize_once(path: pathlib.Path, arrays: pathlib.Path, preset: str) -> None:
    """Quantize a model with all samples."""
    from benchmarks.zoo.measure import in_order, samples_of
    from tflite_eq.presets import preset_config

    model = path.read_bytes()
    tflite_eq.quantize(model, in_order(model, samples_of(arrays, model)), preset_config(preset))


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "models", nargs="*", default=[*_TRAINED, *_SHAPES], help="also names in the zoo"
    )
    parser.add_argument("--samples", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--preset", choices=[p.value for p in Preset], default="default")
    parser.add_argument("--alone", action="store_true", help="without TensorFlow's conversion")
    parser.add_argument("--make", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--quantize", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.make:
        make_float_model(args.make[0], pathlib.Path(args.make[1]))
        return
    if args.quantize:
        model, arrays = map(pathlib.Path, args.quantize)
        quantize_once(model, arrays, args.preset)
        return
    compile_modules()
    found = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        for name in args.models:
            files = [str(path) for path in prepare(name, args.samples, folder)]
            ours = ["benchmarks.speed", "--preset", args.preset, "--quantize", *files]
            stock = ["benchmarks.zoo.stock", *files, str(folder / "stock.tflite")]
            sides = {"tflite_eq": ours} if args.alone else {"tflite_eq": ours, "tensorflow": stock}
            runs: dict[str, list[Usage]] = {side: [] for side in sides}
            for _ in range(args.repeats):
                for side, command in sides.items():
                    usage = usage_of([sys.executable, "-m", *command])
                    if usage is not None:
                        runs[side].append(usage)
                        print(name, side, usage, flush=True)
            found[name] = {
                side: dataclasses.asdict(median(several))
                for side, several in runs.items()
                if several
            }
            if len(found[name]) == len(("tflite_eq", "tensorflow")):
                own, other = (found[name][side]["cpu_seconds"] for side in sides)
                print(f"{name}: {own} CPU s, {own / other:.2f} of TensorFlow's {other}", flush=True)
    print("RESULT", json.dumps(found))


if __name__ == "__main__":
    main()
