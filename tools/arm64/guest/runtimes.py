"""Models in the runtimes that are counted: TFLite's, and rivals."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
from collections.abc import Iterator
from typing import Any, Callable

import numpy as np

from tools.arm64.guest.interpreters import make_interpreter


def load(job: dict[str, Any], case: dict[str, Any]) -> tuple[Callable[[], Any], str]:
    """A model, ready to be run by one thread.

    Returns:
        What runs it once, and what was written to stderr meanwhile. Rivals return their output.
    """
    values = np.load(case["input"])
    if job["module"] is not None:
        return _load_tflite(job, case, values)
    return _RIVALS[job["runtime"]](case, values), ""


def _load_tflite(
    job: dict[str, Any], case: dict[str, Any], values: Any
) -> tuple[Callable[[], Any], str]:
    runtime = importlib.import_module(job["module"])
    interpreter, log = make_interpreter(runtime, job["library"], case)
    (details,) = interpreter.get_input_details()
    interpreter.set_tensor(details["index"], values)
    return interpreter.invoke, log


def _load_ncnn(case: dict[str, Any], values: Any) -> Callable[[], Any]:
    """``values`` in the order channels, height, width; the network has one input and one output."""
    ncnn = importlib.import_module("ncnn")
    net = ncnn.Net()
    net.opt.num_threads = 1
    if net.load_param(case["model"]) or net.load_model(case["weights"]):
        raise RuntimeError(f"ncnn does not load {case['model']}")
    (first,), (last,) = net.input_names(), net.output_names()
    image = ncnn.Mat(values).clone()  # a view that does not keep the array alive

    def invoke() -> Any:
        extractor = net.create_extractor()
        extractor.input(first, image)
        code, output = extractor.extract(last)
        if code:
            raise RuntimeError(f"ncnn: extracting {last} gives {code}")
        return output

    return invoke


def _load_onnxruntime(case: dict[str, Any], values: Any) -> Callable[[], Any]:
    onnxruntime = importlib.import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        case["model"], options, providers=["CPUExecutionProvider"]
    )
    feed = {session.get_inputs()[0].name: values}
    return lambda: session.run(None, feed)[0]


def _load_mnn(case: dict[str, Any], values: Any) -> Callable[[], Any]:
    """From an ONNX model, by MNN's own converter."""
    mnn, tools = importlib.import_module("MNN"), importlib.import_module("_tools")
    converted = f"{case['model']}.mnn"
    arguments = ["-f", "ONNX", "--modelFile", case["model"], "--MNNModel", converted]
    with _output_as_errors():
        tools.mnnconvert(["mnnconvert", *arguments, "--bizCode", "none"])
        interpreter = mnn.Interpreter(converted)
        session = interpreter.createSession(
            {"numThread": 1, "backend": "CPU", "precision": "low"}  # float16 where the CPU can
        )
    image = mnn.Tensor(values.shape, mnn.Halide_Type_Float, values, mnn.Tensor_DimensionType_Caffe)
    source = interpreter.getSessionInput(session)
    output = interpreter.getSessionOutput(session)
    zeros = np.zeros(output.getShape(), np.float32)
    host = mnn.Tensor(zeros.shape, mnn.Halide_Type_Float, zeros, mnn.Tensor_DimensionType_Caffe)

    def invoke() -> Any:
        source.copyFrom(image)  # each time: its memory is used for other tensors as well
        code = interpreter.runSession(session)
        if code:
            raise RuntimeError(f"MNN: running the session gives {code}")
        output.copyToHostTensor(host)
        return host.getData()

    return invoke


@contextlib.contextmanager
def _output_as_errors() -> Iterator[None]:
    """Sends what libraries print to stderr: the answer is to be alone on stdout."""
    saved = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        ctypes.CDLL(None).fflush(None)
        os.dup2(saved, 1)
        os.close(saved)


_RIVALS = {"ncnn": _load_ncnn, "onnxruntime": _load_onnxruntime, "MNN": _load_mnn}
