"""Models in the runtimes that are counted: TFLite's, and rivals."""

from __future__ import annotations

import importlib
from typing import Any, Callable

import numpy as np

from tools.arm64.guest.interpreters import make_interpreter


def load(job: dict[str, Any], case: dict[str, Any]) -> tuple[Callable[[], Any], str]:
    """A model, ready to be run by one thread.

    Returns:
        What runs it once, and what was written to stderr meanwhile.
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
    return lambda: session.run(None, feed)


def _load_mnn(case: dict[str, Any], values: Any) -> Callable[[], Any]:
    mnn = importlib.import_module("MNN")
    interpreter = mnn.Interpreter(case["model"])
    session = interpreter.createSession({"numThread": 1, "backend": "CPU", "precision": "low"})
    tensor = interpreter.getSessionInput(session)
    shape = tensor.getShape()
    image = mnn.Tensor(shape, mnn.Halide_Type_Float, values, mnn.Tensor_DimensionType_Caffe)
    tensor.copyFrom(image)
    return lambda: interpreter.runSession(session)


_RIVALS = {"ncnn": _load_ncnn, "onnxruntime": _load_onnxruntime, "MNN": _load_mnn}
