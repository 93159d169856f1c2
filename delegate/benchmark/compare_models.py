#!/usr/bin/env python3
"""Times whole int8 models with and without the delegate, in turns, same runtime, XNNPACK on in
both.

    bazel build //delegate:libtflite_eq_delegate.so
    python delegate/benchmark/compare_models.py --model resnet18 --model vgg16 --model
    path/to/model_float.tflite

A model is one of the shapes this script can build (resnet18, vgg16, mobilenet_v1,
squeezenet: random weights, the layers of the original networks),
or an int8 .tflite, or a Keras .h5, quantized here on random inputs. --int7 also times an INT7
version: weights on
the even-triplet lattice, 7-bit activation codes.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import multiprocessing
import os
import pathlib
import statistics
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import flatbuffers
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tflite_eq.delegate.peer import peer_instructions  # noqa: E402
from tflite_eq.delegate.verdict import judge  # noqa: E402

RUNTIMES = {
    "tensorflow": "tensorflow.lite.python.interpreter",
    "ai_edge_litert": "ai_edge_litert.interpreter",
}


def resnet18():
    """The layers of ResNet-18, batch normalization folded."""
    tf = importlib.import_module("tensorflow")
    layers = tf.keras.layers

    def block(x, channels, stride):
        y = layers.Conv2D(channels, 3, stride, "same", activation="relu")(x)
        y = layers.Conv2D(channels, 3, 1, "same")(y)
        if stride != 1:
            x = layers.Conv2D(channels, 1, stride)(x)
        return layers.ReLU()(layers.Add()([x, y]))

    inputs = tf.keras.Input((224, 224, 3), batch_size=1)
    x = layers.Conv2D(64, 7, 2, "same", activation="relu")(inputs)
    x = layers.MaxPool2D(3, 2, "same")(x)
    for channels, stride in (
        (64, 1),
        (64, 1),
        (128, 2),
        (128, 1),
        (256, 2),
        (256, 1),
        (512, 2),
        (512, 1),
    ):
        x = block(x, channels, stride)
    return tf.keras.Model(inputs, layers.Dense(1000)(layers.GlobalAveragePooling2D()(x)))


def vgg16():
    """The layers of VGG16; the two hidden dense ones are left out, they are no convolutions and
    twice the weights."""
    tf = importlib.import_module("tensorflow")
    layers = tf.keras.layers
    inputs = tf.keras.Input((224, 224, 3), batch_size=1)
    x = inputs
    for channels, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            x = layers.Conv2D(channels, 3, padding="same", activation="relu")(x)
        x = layers.MaxPool2D()(x)
    return tf.keras.Model(inputs, layers.Dense(1000)(layers.GlobalAveragePooling2D()(x)))


def mobilenet_v1():
    """The layers of MobileNetV1 1.0, batch normalization folded."""
    tf = importlib.import_module("tensorflow")
    layers = tf.keras.layers
    inputs = tf.keras.Input((224, 224, 3), batch_size=1)
    x = layers.Conv2D(32, 3, 2, "same", activation="relu")(inputs)
    # With the usual ones nothing would be left of the input behind so many layers.
    start = tf.keras.initializers.HeNormal(0)
    depthwise = tf.keras.initializers.RandomNormal(stddev=(2 / 9) ** 0.5, seed=0)
    for channels, stride in (
        (64, 1),
        (128, 2),
        (128, 1),
        (256, 2),
        (256, 1),
        (512, 2),
        *[(512, 1)] * 5,
        (1024, 2),
        (1024, 1),
    ):
        x = layers.DepthwiseConv2D(
            3, stride, "same", activation="relu", depthwise_initializer=depthwise
        )(x)
        x = layers.Conv2D(channels, 1, activation="relu", kernel_initializer=start)(x)
    return tf.keras.Model(inputs, layers.Dense(1000)(layers.GlobalAveragePooling2D()(x)))


def squeezenet():
    """The layers of SqueezeNet 1.1, with its 227x227 input and pools that round up."""
    tf = importlib.import_module("tensorflow")
    layers = tf.keras.layers
    inputs = tf.keras.Input((227, 227, 3), batch_size=1)
    x = layers.Conv2D(64, 3, 2, activation="relu")(inputs)
    x = layers.MaxPool2D(3, 2)(x)
    for index, narrow in enumerate((16, 16, 32, 32, 48, 48, 64, 64)):
        if index in (2, 4):
            x = layers.MaxPool2D(3, 2, "same")(x)
        x = layers.Conv2D(narrow, 1, activation="relu")(x)
        wide = [layers.Conv2D(4 * narrow, n, padding="same", activation="relu")(x) for n in (1, 3)]
        x = layers.Concatenate()(wide)
    x = layers.Conv2D(1000, 1, activation="relu")(x)
    return tf.keras.Model(inputs, layers.Softmax()(layers.GlobalAveragePooling2D()(x)))


# What this script can build, by name.
SHAPES = {
    "resnet18": resnet18,
    "vgg16": vgg16,
    "mobilenet_v1": mobilenet_v1,
    "squeezenet": squeezenet,
}


def quantize(model) -> bytes:
    tf = importlib.import_module("tensorflow")
    rng = np.random.default_rng(0)
    shape = (1, *model.input_shape[1:])
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
        [rng.normal(size=shape).astype(np.float32)] for _ in range(4)
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


def load(name: str) -> bytes:
    if name in SHAPES:
        return quantize(SHAPES[name]())
    if name.endswith(".h5"):
        tf = importlib.import_module("tensorflow")
        return quantize(tf.keras.models.load_model(name, compile=False))
    return pathlib.Path(name).read_bytes()


def to_even_triplets(weights: np.ndarray) -> np.ndarray:
    """Weights that the one-dimensional kernel takes: w0+w1+w2 even, |w0 +- w1 + w2| <= 254."""
    w = weights.astype(np.int32) * 2 // 3
    odd = w.sum(axis=2) % 2 != 0
    w[:, :, 1] = np.where(odd, w[:, :, 1] + np.where(w[:, :, 1] > 0, -1, 1), w[:, :, 1])
    return w.astype(np.int8)


def to_int7(model: bytes) -> bytes:
    """The same network on coarser codes: activations in 0..127 behind a ReLU and in [-64, 63]
    elsewhere, 3x3 weights on the even-triplet lattice. For timing only."""
    schema = importlib.import_module("tensorflow.lite.python.schema_py_generated")
    parsed = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0))
    (graph,) = parsed.subgraphs
    for operator in graph.operators:
        code = parsed.operatorCodes[operator.opcodeIndex].builtinCode
        if code not in (
            schema.BuiltinOperator.CONV_2D,
            schema.BuiltinOperator.DEPTHWISE_CONV_2D,
            schema.BuiltinOperator.FULLY_CONNECTED,
        ):
            continue
        filter_tensor = graph.tensors[operator.inputs[1]]
        if code == schema.BuiltinOperator.CONV_2D and tuple(filter_tensor.shape[1:3]) == (3, 3):
            buffer = parsed.buffers[filter_tensor.buffer]
            weights = np.frombuffer(bytes(buffer.data), np.int8).reshape(filter_tensor.shape)
            buffer.data = np.frombuffer(to_even_triplets(weights).tobytes(), np.uint8)
        if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
            bias_tensor = graph.tensors[operator.inputs[2]]
            buffer = parsed.buffers[bias_tensor.buffer]
            bias = np.frombuffer(bytes(buffer.data), np.int32) // 2
            buffer.data = np.frombuffer(bias.tobytes(), np.uint8)
            bias_tensor.quantization.scale = [s * 2 for s in bias_tensor.quantization.scale]
    # Results whose quantization TFLite prescribes.
    fixed = {
        output
        for operator in graph.operators
        if parsed.operatorCodes[operator.opcodeIndex].builtinCode
        in (schema.BuiltinOperator.SOFTMAX, schema.BuiltinOperator.LOGISTIC)
        for output in operator.outputs
    }
    for index, tensor in enumerate(graph.tensors):
        if index in fixed:
            continue
        constant = (
            parsed.buffers[tensor.buffer].data is not None
            and len(parsed.buffers[tensor.buffer].data) > 0
        )
        if tensor.type == schema.TensorType.INT8 and not constant:
            tensor.quantization.scale = [tensor.quantization.scale[0] * 2]
            zero_point = tensor.quantization.zeroPoint[0]
            # As `tflite-eq quantize` makes them: 0..127 for what is never negative.
            tensor.quantization.zeroPoint = [
                0 if zero_point == -128 else int((zero_point + 128) // 2 - 64)
            ]
    packer = flatbuffers.Builder(1 << 20)
    packer.Finish(parsed.Pack(packer), b"TFL3")
    return bytes(packer.Output())


def serve(path: str, model: bytes, delegate: str | None, threads: int, pipe) -> None:
    """Runs in a process of its own; times one invocation for every message. First sends
    milliseconds of preparation, and what the runtime's own kernels compute with."""
    runtime = importlib.import_module(path)
    start = time.perf_counter()
    delegates = [runtime.load_delegate(delegate, {"log_level": "0"})] if delegate else None
    interpreter = runtime.Interpreter(
        model_content=model, num_threads=threads, experimental_delegates=delegates
    )
    interpreter.allocate_tensors()
    details = interpreter.get_input_details()[0]
    rng = np.random.default_rng(1)
    real = rng.normal(size=details["shape"])
    scale, zero_point = details["quantization"]
    if details["dtype"] == np.int8:
        real = np.clip(np.round(real / scale) + zero_point, -128, 127)
    interpreter.set_tensor(details["index"], real.astype(details["dtype"]))
    interpreter.invoke()
    first = (time.perf_counter() - start) * 1e3
    # Of this process: what lies around it may hide instructions or deny them.
    pipe.send((first, peer_instructions(path.split(".")[0].replace("_", "-"), "")))
    while pipe.recv():
        start = time.perf_counter()
        interpreter.invoke()
        pipe.send((time.perf_counter() - start) * 1e3)


class Contender:
    def __init__(self, *arguments) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(*arguments, theirs), daemon=True)
        self._process.start()
        theirs.close()
        self.first_milliseconds, self.peer = self._pipe.recv()
        self.times: list[float] = []

    def run(self) -> None:
        self._pipe.send(True)
        self.times.append(self._pipe.recv())

    def close(self) -> None:
        self._pipe.send(False)
        self._process.join()


def compare(name: str, model: bytes, delegate: str, threads: int, rounds: int) -> list[dict]:
    contenders = {
        (r, with_it): Contender(path, model, delegate if with_it else None, threads)
        for r, path in RUNTIMES.items()
        for with_it in (False, True)
    }
    for index in range(rounds + 3):
        # Either side is first as often.
        for contender in list(contenders.values())[:: 1 if index % 2 == 0 else -1]:
            contender.run()
            if index < 3:
                contender.times.clear()
    results = []
    for runtime in RUNTIMES:
        without, with_it = contenders[runtime, False], contenders[runtime, True]
        row = {
            "model": name,
            "runtime": runtime,
            "threads": threads,
            "peer": without.peer,
            "verdict": dataclasses.asdict(judge(without.times, with_it.times)),
            "xnnpack_ms": {"min": min(without.times), "median": statistics.median(without.times)},
            "delegate_ms": {"min": min(with_it.times), "median": statistics.median(with_it.times)},
            "first_run_ms": {
                "xnnpack": without.first_milliseconds,
                "delegate": with_it.first_milliseconds,
            },
        }
        results.append(row)
        alone, helped = row["xnnpack_ms"], row["delegate_ms"]
        print(
            f"{name:24s} {runtime:15s} {threads} thread(s)  {without.peer} {alone['min']:8.3f} min "
            f"{alone['median']:8.3f} median  delegate {helped['min']:8.3f} min "
            f"{helped['median']:8.3f} median  {alone['min'] / helped['min']:.2f}x min "
            f"{alone['median'] / helped['median']:.2f}x median  {row['verdict']['speed']} "
            f"({row['verdict']['low']:.2f} to {row['verdict']['high']:.2f})  "
            f"first run {without.first_milliseconds:.0f} -> {with_it.first_milliseconds:.0f} ms",
            flush=True,
        )
    for contender in contenders.values():
        contender.close()
    return results


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", action="append", required=True)
    parser.add_argument("--int7", action="store_true")
    parser.add_argument("--threads", type=int, action="append")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument(
        "--delegate", default=str(ROOT / "bazel-bin/delegate/libtflite_eq_delegate.so")
    )
    arguments = parser.parse_args()
    results = []
    for name in arguments.model:
        model = load(name)
        label = pathlib.Path(name).stem
        for threads in arguments.threads or [1, 2]:
            results += compare(label, model, arguments.delegate, threads, arguments.rounds)
            if arguments.int7:
                results += compare(
                    label + " INT7", to_int7(model), arguments.delegate, threads, arguments.rounds
                )
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
