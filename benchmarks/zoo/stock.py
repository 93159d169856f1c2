"""TensorFlow's own post-training quantization of a float ``.tflite``, in a process of its own.

``python -m benchmarks.zoo.stock FLOAT.tflite SAMPLES.npz OUTPUT.tflite``

What ``tf.lite.TFLiteConverter`` does with a representative data set after it has made the float
model. It takes no float16 weights and no sparse ones; those are unpacked first.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.lite.python.convert import mlir_quantize
from tensorflow.lite.python.optimize import calibrator

from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph
from tflite_eq.normalization import half_floats
from tflite_eq.progress import peak_memory_mib


def quantized(model: bytes, samples: dict[str, Any]) -> bytes:
    """The model in int8, with float inputs and outputs."""
    graph = Graph.from_bytes(model)
    names = [graph.tensors[index].name for index in graph.inputs]

    def dataset() -> Iterator[list[Any]]:
        for row in range(len(samples[names[0]])):
            yield [samples[name][row : row + 1] for name in names]

    calibrated = calibrator.Calibrator(model).calibrate(dataset)
    return bytes(
        mlir_quantize(
            calibrated,
            fully_quantize=False,
            input_data_type=tf.float32,
            output_data_type=tf.float32,
        )
    )


def main() -> None:
    """Quantize what the command line names."""
    source, samples, output = map(Path, sys.argv[1:])
    graph, _ = half_floats.unpacked(Graph.from_bytes(source.read_bytes(), source.name))
    started = time.process_time()
    with np.load(samples) as arrays:
        made = quantized(schema.serialize(graph.model), dict(arrays))
    output.write_bytes(made)
    usage = {"cpu_seconds": time.process_time() - started, "peak_memory_mib": peak_memory_mib()}
    print(f"RESULT {json.dumps(usage)}")


if __name__ == "__main__":
    main()
