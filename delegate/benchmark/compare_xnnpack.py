#!/usr/bin/env python3
"""Times the kernels against XNNPACK, in turns, one thread, in chains of five layers with distinct
weights.

Every contender runs once per round, so that a slow spell of the machine hits all of them alike.
The peers are the TFLite
runtimes importable from this Python: TensorFlow, LiteRT, tflite-runtime. TensorFlow is also what
makes the int8 models.

    bazel build //delegate/benchmark:libkernel_chain.so //delegate/benchmark:libhide_instructions.so
    python delegate/benchmark/compare_xnnpack.py [--rounds 100] [--isa avx512_vnni] [--shape
    56x64x64[x3[x1]]] [--depthwise 112x32[x3[x1]]] [--json FILE]

A shape is SIZExINxOUT, that of depthwise layers SIZExCHANNELS, optionally followed by the filter
size and the stride. With --isa avx2 the
runtimes' processes see a CPU without AVX-512 and AVX-VNNI, so that XNNPACK's AVX2 kernels answer.
"""

from __future__ import annotations

import argparse
import ctypes
import dataclasses
import importlib
import importlib.metadata
import importlib.util
import json
import multiprocessing
import multiprocessing.connection
import os
import pathlib
import statistics
import sys
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tflite_eq.delegate.peer import peer_instructions

LAYERS = 5
DEFAULT_SHAPES = ["56x64x64", "28x128x128", "14x256x256", "7x512x512", "112x32x64"]
# (kernel, values): what an INT8 and what an INT7 model may run on.
CONTENDERS = [
    ("winograd_f43", "int8"),
    ("direct", "int8"),
    ("winograd_1d", "even_triplets"),
    ("winograd_1d", "plain_int7"),
]
DEPTHWISE_CONTENDERS = [("depthwise", "int8"), ("depthwise", "plain_int7")]


@dataclasses.dataclass(frozen=True)
class Shape:
    size: int
    inputs: int
    outputs: int
    filter: int = 3
    stride: int = 1
    depthwise: bool = False

    @classmethod
    def parse(cls, text: str) -> Shape:
        return cls(*(int(part) for part in text.split("x")))

    @classmethod
    def parse_depthwise(cls, text: str) -> Shape:
        size, channels, *rest = (int(part) for part in text.split("x"))
        return dataclasses.replace(cls(size, channels, channels, *rest), depthwise=True)

    @property
    def multiplications(self) -> int:
        inputs = 1 if self.depthwise else self.inputs
        return (-(-self.size // self.stride) * self.filter) ** 2 * inputs * self.outputs

    @property
    def contenders(self) -> list[tuple[str, str]]:
        return DEPTHWISE_CONTENDERS if self.depthwise else CONTENDERS

    def __str__(self) -> str:
        tensor = f"{self.size}x{self.size}x{self.inputs}"
        tensor += " depthwise" if self.depthwise else f"->{self.outputs}"
        return f"{tensor} {self.filter}x{self.filter}/{self.stride}"


def make_model(shape: Shape) -> bytes:
    """An int8 model of five convolutions, depthwise ones with ReLU6. Where input and output differ
    in shape, all five read the model's input."""
    tf = importlib.import_module("tensorflow")
    rng = np.random.default_rng(0)
    deviation = 1.0 / np.sqrt(shape.filter**2 * (1 if shape.depthwise else shape.inputs))
    convolve = tf.nn.conv2d
    stride: int | list[int] = shape.stride
    if shape.depthwise:
        convolve, stride = tf.nn.depthwise_conv2d, [1, shape.stride, shape.stride, 1]
    chained = shape.inputs == shape.outputs and shape.stride == 1
    filters = [
        rng.normal(
            0.0,
            deviation,
            (shape.filter, shape.filter, shape.inputs, 1 if shape.depthwise else shape.outputs),
        ).astype(np.float32)
        for _ in range(LAYERS)
    ]

    @tf.function(
        input_signature=[tf.TensorSpec((1, shape.size, shape.size, shape.inputs), tf.float32)]
    )
    def network(x):
        outputs = []
        for weights in filters:
            y = convolve(x, weights, stride, "SAME") + np.zeros(shape.outputs, np.float32)
            y = tf.nn.relu6(y) if shape.depthwise else y
            outputs.append(y)
            x = y if chained else x
        return outputs[-1:] if chained else outputs

    def samples():
        for _ in range(2):
            yield [rng.normal(size=(1, shape.size, shape.size, shape.inputs)).astype(np.float32)]

    converter = tf.lite.TFLiteConverter.from_concrete_functions([network.get_concrete_function()])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = samples
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    return converter.convert()


# Import path and distribution of each runtime.
RUNTIMES = {
    "tensorflow": ("tensorflow.lite.python.interpreter", "tensorflow-cpu"),
    "ai_edge_litert": ("ai_edge_litert.interpreter", "ai-edge-litert"),
    "tflite_runtime": ("tflite_runtime.interpreter", "tflite-runtime"),
}


def find_runtimes() -> dict[str, str]:
    """The runtimes this Python has: name and version -> import path."""
    found = {}
    for package, (path, distribution) in RUNTIMES.items():
        if importlib.util.find_spec(package) is None:
            continue
        try:
            version = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            version = "of unknown version"
        found[f"{package} {version}"] = path
    return found


def serve_interpreter(
    path: str, name: str, model: bytes, pipe: multiprocessing.connection.Connection
) -> None:
    """Runs in a process of its own; times one invocation for every message. First sends what the
    runtime's own kernels compute with there."""
    interpreter = importlib.import_module(path).Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    details = interpreter.get_input_details()[0]
    codes = np.random.default_rng(0).integers(-128, 128, details["shape"], dtype=np.int8)
    interpreter.set_tensor(details["index"], codes)
    package, _, version = name.partition(" ")
    pipe.send(peer_instructions(package.replace("_", "-"), version))
    while pipe.recv():
        start = time.perf_counter()
        interpreter.invoke()
        pipe.send((time.perf_counter() - start) * 1e3 / LAYERS)


class InterpreterContender:
    """One runtime. Runtimes in the same process share classes by name, and one may silently
    answer for another."""

    def __init__(self, path: str, name: str, model: bytes, preload: pathlib.Path | None) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=serve_interpreter, args=(path, name, model, theirs), daemon=True
        )
        if preload is not None:
            os.environ["LD_PRELOAD"] = str(preload)
        self._process.start()
        os.environ.pop("LD_PRELOAD", None)
        theirs.close()
        self.peer = self._pipe.recv()

    def __call__(self) -> float:
        self._pipe.send(True)
        return self._pipe.recv()

    def close(self) -> None:
        self._pipe.send(False)
        self._process.join()


def load_kernels(path: pathlib.Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    library.kernel_chain_create.restype = ctypes.c_void_p
    library.kernel_chain_create.argtypes = (
        [ctypes.c_char_p] * 3 + [ctypes.c_int] * 5 + [ctypes.c_char_p, ctypes.c_int]
    )
    library.kernel_chain_run.restype = ctypes.c_double
    library.kernel_chain_run.argtypes = [ctypes.c_void_p]
    library.kernel_chain_delete.argtypes = [ctypes.c_void_p]
    return library


def kernel_contender(
    library: ctypes.CDLL, kernel: str, isa: str, values: str, shape: Shape
) -> tuple[Callable[[], float] | None, str]:
    """The kernel's timing function, or None and why it refused."""
    error = ctypes.create_string_buffer(256)
    chain = library.kernel_chain_create(
        kernel.encode(),
        isa.encode(),
        values.encode(),
        *(shape.size, shape.inputs, shape.outputs, shape.filter, shape.stride),
        error,
        len(error),
    )
    if not chain:
        return None, error.value.decode()
    return lambda: library.kernel_chain_run(chain), ""


def compare(
    shape: Shape,
    library: ctypes.CDLL,
    isa: str,
    rounds: int,
    preload: pathlib.Path | None,
    runtimes: dict[str, str],
) -> dict:
    contenders: dict[str, Callable[[], float]] = {}
    model = make_model(shape)
    interpreters = {
        name: InterpreterContender(path, name, model, preload) for name, path in runtimes.items()
    }
    contenders.update(interpreters)
    refused = {}
    for kernel, values in shape.contenders:
        run, why = kernel_contender(library, kernel, isa, values, shape)
        if run is None:
            refused[f"{kernel} {values}"] = why
        else:
            contenders[f"{kernel} {values}"] = run
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for round_index in range(rounds + 3):
        for name, run in contenders.items():
            elapsed = run()
            if round_index >= 3:
                times[name].append(elapsed)
    for interpreter in interpreters.values():
        interpreter.close()
    result = {
        "shape": str(shape),
        "milliseconds": {
            n: {"min": min(t), "median": statistics.median(t)} for n, t in times.items()
        },
        "refused": refused,
        "peers": {name: interpreter.peer for name, interpreter in interpreters.items()},
    }
    print(f"\n{shape}")
    # tflite-runtime 2.14 gives XNNPACK no int8 node: it is timed, but it is no peer.
    peers = [n for n in times if n.startswith(("tensorflow", "ai_edge_litert"))]
    for name in times:
        low, mid = result["milliseconds"][name].values()
        ratios = "  ".join(
            f"{peer['min'] / low:.2f}x min {peer['median'] / mid:.2f}x median"
            for peer in (result["milliseconds"][p] for p in peers)
        )
        peer = f"{result['peers'][name]}  " if name in interpreters else ""
        speed = shape.multiplications / low / 1e6
        print(
            f"  {name:28s} {low:.4f} min  {mid:.4f} median ms  {speed:6.1f} GMAC/s   {peer}{ratios}"
        )
    for name, why in refused.items():
        print(f"  {name:28s} refused: {why}")
    return result


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--isa", default="avx512_vnni")
    parser.add_argument(
        "--shape",
        action="append",
        type=Shape.parse,
        help="may be repeated; default: five 3x3 layers",
    )
    parser.add_argument(
        "--depthwise", action="append", type=Shape.parse_depthwise, help="may be repeated"
    )
    parser.add_argument("--runtime", choices=sorted(RUNTIMES), help="default: all there are")
    parser.add_argument("--json", type=pathlib.Path, help="write the figures here as well")
    parser.add_argument("--library", type=pathlib.Path, help="default: what Bazel built")
    arguments = parser.parse_args()
    built = pathlib.Path(__file__).resolve().parents[2] / "bazel-bin/delegate/benchmark"
    library_path = arguments.library or built / "libkernel_chain.so"
    # The peer of an AVX2 kernel is XNNPACK's AVX2 kernel.
    preload = built / "libhide_instructions.so" if arguments.isa == "avx2" else None
    for path in (library_path, preload):
        if path is not None and not path.exists():
            print(
                f"{path} is missing: bazel build //delegate/benchmark:{path.name}", file=sys.stderr
            )
            return 1
    library = load_kernels(library_path)
    shapes = (arguments.shape or []) + (arguments.depthwise or [])
    wanted = arguments.runtime or ""
    runtimes = {n: path for n, path in find_runtimes().items() if n.startswith(wanted)}
    results = [
        compare(s, library, arguments.isa, arguments.rounds, preload, runtimes)
        for s in shapes or map(Shape.parse, DEFAULT_SHAPES)
    ]
    if arguments.json:
        arguments.json.write_text(json.dumps({"isa": arguments.isa, "layers": results}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
