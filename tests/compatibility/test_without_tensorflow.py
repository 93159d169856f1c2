"""The package with a runtime and no TensorFlow: all that takes a float ``.tflite``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import tflite_eq
from tests import built_models
from tflite_eq import Calibration, Config, EasyQuantConverter, IoType
from tflite_eq.cli.main import main, parse
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import Kernels, preferred_runtime

LEAST_SQNR_DB = {"8": 28, "7": 20, "auto": 20}
TARGET = "x86-vnni"


def run(model: bytes, sample: npt.NDArray[Any], kernels: Kernels) -> npt.NDArray[np.float64]:
    """The model's output as real numbers for a float sample."""
    interpreter = preferred_runtime().interpreter(model, kernels)
    interpreter.allocate_tensors()
    [source], [made] = interpreter.get_input_details(), interpreter.get_output_details()
    if source["dtype"] != np.float32:
        scale, zero_point = source["quantization"]
        info = np.iinfo(source["dtype"])
        sample = np.clip(np.round(sample / scale) + zero_point, info.min, info.max)
    interpreter.set_tensor(source["index"], sample.astype(source["dtype"]))
    interpreter.invoke()
    values = interpreter.get_tensor(made["index"]).astype(np.float64)
    if made["dtype"] != np.float32:
        scale, zero_point = made["quantization"]
        values = (values - zero_point) * scale
    return np.asarray(values)


def assert_good(model: bytes, bits: str = "8", float_model: bytes | None = None) -> None:
    """Fully int8, and close to the float network with XNNPACK and without."""
    graph = Graph.from_bytes(model)
    for operator in graph.operators:
        if operator.kind not in ("QUANTIZE", "DEQUANTIZE"):
            used = [graph.tensors[i] for i in (*operator.inputs, *operator.outputs) if i >= 0]
            assert not [tensor.name for tensor in used if tensor.is_float]
    float_model = float_model or built_models.conv_net()
    for kernels in Kernels:
        expected, found = (
            np.stack([run(m, x, kernels) for [x] in built_models.samples(4, seed=1)])
            for m in (float_model, model)
        )
        noise = np.square(found - expected).sum()
        assert 10 * np.log10(np.square(expected).sum() / noise) > LEAST_SQNR_DB[bits]


@pytest.mark.parametrize("name", ["tensorflow", "litert_quantizer"])
def test_other_quantizers_are_not_there(name: str) -> None:
    """Else these tests would prove nothing."""
    with pytest.raises(ModuleNotFoundError):
        __import__(name)


@pytest.mark.parametrize("bits", ["8", "7", "auto"])
def test_quantize(bits: str) -> None:
    config = Config(bits=bits, target=TARGET)
    result = tflite_eq.quantize(built_models.conv_net(), built_models.samples(), config)
    assert_good(result.model, bits)
    assert not result.report.warnings


def test_unusual_operators() -> None:
    model = built_models.unusual_net()
    result = tflite_eq.quantize(model, built_models.samples())
    assert_good(result.model, "7", model)


@pytest.mark.parametrize("io", list(IoType))
def test_ends(io: IoType) -> None:
    config = Config(input_type=io, output_type=io)
    model = tflite_eq.quantize(built_models.conv_net(), built_models.samples(), config).model
    graph = Graph.from_bytes(model)
    types = {graph.tensors[i].type_name for i in (*graph.inputs, *graph.outputs)}
    assert types == {io.value.upper()}
    assert_good(model)


def test_converter() -> None:
    converter = EasyQuantConverter.from_tflite(built_models.conv_net())
    converter.representative_dataset = built_models.samples
    converter.inference_input_type = np.int8
    assert_good(converter.convert())


@pytest.mark.parametrize(
    ("make", "model"), [("from_keras_model", object()), ("from_saved_model", "model")]
)
def test_converter_for_what_needs_tensorflow_says_so(make: str, model: object) -> None:
    with pytest.raises(
        tflite_eq.TfliteEqError, match=r"needs TensorFlow.*'tflite-eq\[tensorflow\]'"
    ):
        getattr(EasyQuantConverter, make)(model)


def test_backend_of_earlier_versions_is_ignored() -> None:
    with pytest.warns(DeprecationWarning, match="backend: ignored"):
        result = tflite_eq.quantize(
            built_models.conv_net(), built_models.samples(), backend="tensorflow"
        )
    assert_good(result.model)


def test_record_is_applied_without_data(tmp_path: Path) -> None:
    result = tflite_eq.quantize(built_models.conv_net(), built_models.samples())
    result.calibration.save(tmp_path / "record.json")
    again = tflite_eq.quantize(built_models.conv_net(), Calibration.load(tmp_path / "record.json"))
    assert again.model == result.model


def test_resumed_run(tmp_path: Path) -> None:
    first, second = (
        tflite_eq.quantize(built_models.conv_net(), built_models.samples(), resume_dir=tmp_path)
        for _ in range(2)
    )
    assert first.model == second.model


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "model.tflite").write_bytes(built_models.conv_net())
    data = np.concatenate([x for [x] in built_models.samples()])
    np.savez(tmp_path / "data.npz", x=data, y=np.arange(len(data)) % 6)
    calibration, output = str(tmp_path / "data.npz"), str(tmp_path / "out.tflite")

    def run_command(*arguments: str) -> str:
        assert main(parse(["tflite-eq", *arguments])) == 0
        return capsys.readouterr().out.splitlines()[-1]

    flags = ["--model", str(tmp_path / "model.tflite"), "--calibration", calibration]
    last = run_command("quantize", *flags, "--output", output, "--report_dir", str(tmp_path / "r"))
    assert json.loads(last.removeprefix("RESULT "))["layers"] == 6
    assert_good(Path(output).read_bytes())
    inspected = json.loads(run_command("inspect", output).removeprefix("RESULT "))
    assert inspected["int8_layers"] == 6
    assert inspected["backend"] == "tflite_eq"
    last = run_command(
        "evaluate", "--model", output, "--dataset", calibration, "--num_workers", "1"
    )
    assert json.loads(last.removeprefix("RESULT "))["models"][0]["n"] == 8


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "saved"])
def test_command_line_names_the_extra_for_other_models(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / name
    if name == "saved":
        model.mkdir()
        (model / "saved_model.pb").write_bytes(b"")
    else:
        model.write_bytes(b"PK\x03\x04 no model, but it begins like one")
    (tmp_path / "x.npy").write_bytes(b"")
    arguments = ["--model", str(model), "--calibration", str(tmp_path / "x.npy")]
    arguments += ["--output", "out.tflite"]
    assert main(parse(["tflite-eq", "quantize", *arguments])) == 1
    message = capsys.readouterr().err
    assert "needs TensorFlow, which is not installed" in message
    assert "pip install 'tflite-eq[tensorflow]'" in message
    assert "convert it to a float .tflite" in message
