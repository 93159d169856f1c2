"""TensorFlow's own post-training quantization of a float ``.tflite``, in a process of its own.

``python -m benchmarks.zoo.stock FLOAT.tflite SAMPLES.npz OUTPUT.tflite``

What ``tf.lite.TFLiteConverter`` does with a representative data set after it has made the float
model. It takes no float16 weights and no sparse ones; those are unpacked first. What it still does
not take, or makes something of that does not run, is given to it as ``tflite_eq`` normalises it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.lite.python.convert import mlir_quantize
from tensorflow.lite.python.optimize import calibrator

from benchmarks.zoo import measure
from tflite_eq.evaluation.executable import Executable
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph
from tflite_eq.normalization import half_floats, sparse_constants
from tflite_eq.preparation import prepared
from tflite_eq.progress import peak_memory_mib
from tflite_eq.runtimes import preferred_runtime

# Of what TensorFlow says when it refuses a model; the rest are positions in its source.
_MOST_CHARACTERS = 160


def quantized(model: bytes, samples: list[list[Any]]) -> bytes:
    """The model in int8, with float inputs and outputs.

    Raises:
        BackendError: What TensorFlow made of it does not run.
    """
    calibrated = calibrator.Calibrator(model).calibrate(lambda: iter(samples))
    made = bytes(
        mlir_quantize(
            calibrated,
            fully_quantize=False,
            input_data_type=tf.float32,
            output_data_type=tf.float32,
        )
    )
    Executable("TensorFlow's model", made, preferred_runtime()).run(samples[0])
    return made


def forms(model: bytes, origin: str) -> Iterator[tuple[str, bytes]]:
    """What TensorFlow may be given, the nearest to the file first, by what the page calls it."""
    graph = Graph.from_bytes(model, origin)
    for unpacked in (sparse_constants.unpacked, half_floats.unpacked):
        graph, _ = unpacked(graph)
    yield "", schema.serialize(graph.model)
    yield "normalised", schema.serialize(prepared(model, origin).whole.model)


def main() -> None:
    """Quantize what the command line names."""
    source, data, output = map(Path, sys.argv[1:])
    model = source.read_bytes()
    samples = list(measure.in_order(model, measure.samples_of(data, model)))
    refusals = []
    for form, given in forms(model, source.name):
        started = time.process_time()
        try:
            made = quantized(given, samples)
        except Exception as error:  # of TensorFlow's converter, or of its runtime
            refusals.append(str(error))
            continue
        output.write_bytes(made)
        seconds = time.process_time() - started
        usage = {"cpu_seconds": seconds, "peak_memory_mib": peak_memory_mib(), "form": form}
        print(f"RESULT {json.dumps(usage)}")
        return
    sys.exit(" ".join(refusals[-1].split())[:_MOST_CHARACTERS])


if __name__ == "__main__":
    main()
