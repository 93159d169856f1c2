"""``tflite-eq quantize`` and ``inspect`` on input that is in order."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests import models, running
from tests.cli.commands import Workspace, one_line
from tflite_eq import Config, __version__, metadata, preset_config
from tflite_eq.graph import properties, schema
from tflite_eq.graph.edit import with_biases
from tflite_eq.graph.model import Graph


def test_output_is_what_the_library_makes_of_the_same_data(workspace: Workspace) -> None:
    finished = workspace.quantize()
    assert finished.code == 0
    assert workspace.output.read_bytes() == running.quantized("conv_net").model
    result = finished.result
    assert result["output"] == str(workspace.output)
    assert result["bytes"] == workspace.output.stat().st_size
    assert (result["samples"], result["layers"], result["warnings"]) == (6, 5, 0)
    assert result["seconds"] > 0
    assert result["peak_memory_mib"] > 50


def test_table_has_a_line_per_layer(workspace: Workspace) -> None:
    out = workspace.quantize().out
    assert len([line for line in out.splitlines() if "CONV_2D" in line]) == 4
    assert len([line for line in out.splitlines() if "FULLY_CONNECTED" in line]) == 1


def test_every_option_reaches_the_quantizer(workspace: Workspace) -> None:
    finished = workspace.quantize(
        "--per_tensor",
        bits="7",
        target="armv8.0",
        method="kl",
        objective="cosine",
        activation_mode="symmetric",
        bias_correction="none",
        reconstruction="rounding",
        equalization="none",
        io="uint8",
        skip="^Mean$",
        seed="7",
        num_samples="4",
    )
    assert finished.code == 0
    record = metadata.read(Graph.from_bytes(workspace.output.read_bytes()).model)
    assert record is not None
    assert record.samples == 4
    assert record.config == {
        **Config().as_dict(),
        "per_tensor": True,
        "bits": "7",
        "target": "armv8.0",
        "method": "kl",
        "objective": "cosine",
        "activation_mode": "symmetric",
        "bias_correction": "none",
        "reconstruction": "rounding",
        "equalization": "none",
        "input_type": "uint8",
        "output_type": "uint8",
        "skip": "^Mean$",
        "seed": 7,
    }


def test_a_share_of_the_work_keeps_eight_bits(workspace: Workspace) -> None:
    samples = [x for [x] in models.data("conv_net", count=20)]
    workspace.data = workspace.array("more.npy", np.concatenate(samples))
    finished = workspace.quantize(preset="fast", bits="7", keep_int8_share="0.5")
    assert finished.code == 0
    [said] = [line for line in finished.out.splitlines() if line.startswith("Precision: ")]
    assert "keep 8-bit inputs, which cause" in said
    assert "keep 8-bit inputs" not in finished.err
    record = metadata.read(Graph.from_bytes(workspace.output.read_bytes()).model)
    assert record is not None
    assert record.config["keep_int8_share"] == 0
    named = record.config["keep_int8"]
    assert named
    first = workspace.output.read_bytes()
    assert workspace.quantize(preset="fast", bits="7", keep_int8=named).code == 0
    assert workspace.output.read_bytes() == first


@pytest.mark.parametrize("preset", ["fast", "default", "best"])
def test_preset_reaches_the_quantizer(workspace: Workspace, preset: str) -> None:
    assert workspace.quantize(preset=preset).code == 0
    record = metadata.read(Graph.from_bytes(workspace.output.read_bytes()).model)
    assert record is not None
    # Of so few samples no share of the work is spent on precision.
    expected = preset_config(preset, **({"split_channels_share": 0} if preset == "best" else {}))
    assert record.config == expected.as_dict()


def test_options_take_precedence_over_the_preset(workspace: Workspace) -> None:
    many = workspace.array("many.npy", np.repeat(np.load(workspace.data), 5, axis=0))
    for flags, samples in (({}, 20), ({"num_samples": 3}, 3)):
        finished = workspace.quantize(
            preset="fast", calibration=many, reconstruction="rounding", **flags
        )
        assert finished.result["samples"] == samples
    record = metadata.read(Graph.from_bytes(workspace.output.read_bytes()).model)
    assert record is not None
    assert record.config == preset_config("fast", reconstruction="rounding").as_dict()


def test_report_folder(workspace: Workspace) -> None:
    folder = workspace.folder / "new" / "report"
    assert workspace.quantize(report_dir=folder).code == 0
    names = {"report.html", "report.json", "layers.csv", "model_explorer"}
    assert {path.name for path in folder.iterdir()} == names
    report = json.loads((folder / "report.json").read_text())
    rows = list(csv.DictReader((folder / "layers.csv").open()))
    assert [row["name"] for row in rows] == [layer["name"] for layer in report["layers"]]
    page = (folder / "report.html").read_text()
    assert all(layer["name"].split(";")[0] in page for layer in report["layers"])


def test_report_compares_on_what_calibration_leaves_over(workspace: Workspace) -> None:
    folder = workspace.folder / "report"
    assert workspace.quantize(report_dir=folder, num_samples=4).code == 0
    page = (folder / "report.html").read_text()
    assert "2 samples that calibration did not use" in page
    assert workspace.quantize(report_dir=folder).code == 0
    assert "6 of the calibration samples" in (folder / "report.html").read_text()


def test_report_takes_the_labels_of_an_archive(workspace: Workspace) -> None:
    images = np.concatenate([x for [x] in models.data("conv_net")])
    archive, report = workspace.folder / "data.npz", workspace.folder / "report"
    np.savez(archive, x=images, label=np.arange(len(images)) % 10)
    assert workspace.quantize(validation=archive, report_dir=report).code == 0
    plain = json.loads((report / "report.json").read_text())
    assert "6 labelled samples of" in plain["compared_on"]
    outputs = np.concatenate([running.run(models.conv_net(), [x[np.newaxis]])[0] for x in images])
    right = outputs.argmax(axis=1) == np.arange(len(images)) % 10
    top1 = plain["models"][0]["top1"]
    assert top1["value"] == pytest.approx(100 * right.mean())
    assert top1["low"] < top1["value"] < top1["high"]


def test_report_on_labelled_images(workspace: Workspace) -> None:
    rng = np.random.default_rng(0)
    lines = ["file,label"]
    for index in range(5):
        image = rng.integers(0, 256, (20, 30, 3), np.uint8)
        path = workspace.folder / "labelled" / f"{index}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(path)
        lines.append(f"{path.name},{index}")
    labels = workspace.write("labels.csv", "\n".join(lines).encode())
    report = workspace.folder / "report"
    flags = {"validation": workspace.folder / "labelled", "report_dir": report}
    assert workspace.quantize(**flags, labels=labels).code == 0
    models_ = json.loads((report / "report.json").read_text())["models"]
    assert [set(m) & {"top1"} for m in models_] == [{"top1"}] * 3
    assert all(0 <= m["top1"]["low"] < m["top1"]["high"] <= 100 for m in models_)
    assert workspace.quantize(**flags).code == 0
    models_ = json.loads((report / "report.json").read_text())["models"]
    assert [m["top1"] for m in models_] == [None] * 3


def test_saved_calibration_gives_the_same_model_without_data(workspace: Workspace) -> None:
    record = workspace.folder / "record.json"
    assert workspace.quantize(save_calibration=record).code == 0
    again = workspace.folder / "again.tflite"
    assert workspace.quantize(calibration=None, load_calibration=record, output=again).code == 0
    assert again.read_bytes() == workspace.output.read_bytes()


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_keras_file(workspace: Workspace, suffix: str) -> None:
    model = workspace.folder / f"model{suffix}"
    layers = tf.keras.layers
    tf.keras.Sequential(
        [layers.Input(models.IMAGE[1:]), layers.Conv2D(4, 3, activation="relu"), layers.Flatten()]
    ).save(model)
    finished = workspace.quantize(model=model)
    assert finished.code == 0
    assert finished.result["layers"] == 1


def test_saved_model(workspace: Workspace) -> None:
    module = tf.Module()
    signature = [tf.TensorSpec(models.IMAGE, tf.float32)]
    module.f = tf.function(lambda x: models.conv(x, 4), input_signature=signature)
    tf.saved_model.save(module, str(workspace.folder / "saved"), signatures=module.f)
    assert workspace.quantize(model=workspace.folder / "saved").result["layers"] == 1


def test_folder_of_images_equals_a_list_of_them(workspace: Workspace) -> None:
    rng = np.random.default_rng(0)
    for name in ("b/2.png", "a.png", "b/1.png"):
        path = workspace.folder / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (20, 30, 3), np.uint8)).save(path)
    flags = {"image_mean": "127.5", "image_std": "127.5"}
    assert workspace.quantize(calibration=workspace.folder / "images", **flags).code == 0
    first = workspace.output.read_bytes()
    listed = workspace.write("list.txt", b"images/a.png\nimages/b/1.png\nimages/b/2.png\n")
    assert workspace.quantize(calibration=listed, **flags).result["samples"] == 3
    assert workspace.output.read_bytes() == first


def test_ends_of_a_record_hold_unless_others_are_given(workspace: Workspace) -> None:
    record = workspace.folder / "record.json"
    assert workspace.quantize(io="int8", save_calibration=record).code == 0

    def input_type(**flags: str) -> str:
        arguments = {"calibration": None, "load_calibration": record, **flags}
        assert workspace.quantize(**arguments).code == 0
        graph = Graph.from_bytes(workspace.output.read_bytes())
        return graph.tensors[graph.inputs[0]].type_name

    assert input_type() == "INT8"
    assert input_type(io="uint8") == "UINT8"
    assert input_type(io="float32", bits="8") == "FLOAT32"


def test_a_record_of_a_preset_with_shares_is_loaded_with_it(workspace: Workspace) -> None:
    record = workspace.folder / "record.json"
    assert workspace.quantize(preset="best", save_calibration=record).code == 0
    first = workspace.output.read_bytes()
    loaded = {"calibration": None, "load_calibration": record}
    assert workspace.quantize(preset="best", **loaded).code == 0
    assert workspace.output.read_bytes() == first
    message = workspace.refused("--split_channels_share", "0.1", **loaded)
    assert "--split_channels_share 0.1: what a share is spent on is found when" in message


def test_dynamic_batch(workspace: Workspace) -> None:
    model = workspace.write("batch.tflite", models.keras_net())
    assert Graph.from_bytes(models.keras_net()).tensors[0].dynamic
    data = workspace.array("batch.npy", np.concatenate([x for [x] in models.data("keras_net")]))
    assert workspace.quantize(model=model, calibration=data).code == 0
    x = np.load(data)
    exact = running.run(models.keras_net(), [x])[0]
    assert exact.shape == (6, 6)
    assert running.sqnr_db(exact, running.run(workspace.output.read_bytes(), [x])[0]) > 25


def test_shared_filters(workspace: Workspace) -> None:
    model = workspace.write("shared.tflite", models.shared_filter_net())
    assert workspace.quantize(model=model).result["layers"] == 3


def test_missing_biases(workspace: Workspace) -> None:
    model = schema.parse(models.conv_net())
    graph = Graph(model)
    for operator in graph.operators:
        if properties.linear_kind(operator) is not None:
            stored = model.subgraphs[0].operators[operator.index]
            without = -1 if operator.kind == "FULLY_CONNECTED" else None
            stored.inputs = [i for i in (*operator.inputs[:2], without) if i is not None]
    bare = schema.serialize(model)
    assert workspace.quantize(model=workspace.write("bare.tflite", bare)).code == 0
    written = Graph.from_bytes(workspace.output.read_bytes())
    for operator in written.operators:
        if properties.linear_kind(operator) is not None:
            assert written.tensors[operator.inputs[2]].type_name == "INT32"
    x = models.data("conv_net")[0]
    found = running.run(workspace.output.read_bytes(), x)[0]
    # No runtime runs a convolution without bias, so a bias of zeros it is.
    exact = running.run(schema.serialize(with_biases(Graph.from_bytes(bare)).model), x)[0]
    assert running.sqnr_db(exact, found) > 25


def test_inspect(workspace: Workspace) -> None:
    wide = workspace.write("wide.tflite", models.wide_net())
    workspace.quantize(model=wide, bits="auto", target="x86-vnni")
    finished = workspace.run("inspect", workspace.output)
    assert finished.code == 0
    lines = finished.out.splitlines()
    assert len([line for line in lines if "even triplets" in line]) == 2
    assert "5 of 5 convolutions and dense layers are int8, 2 on the even-triplet lattice" in (
        finished.out
    )
    assert "bits auto, target x86-vnni" in lines[-2]
    assert finished.result == {
        "model": str(workspace.output),
        "bytes": workspace.output.stat().st_size,
        "operators": 9,
        "layers": 5,
        "int8_layers": 5,
        "int7_inputs": 3,
        "lattice_layers": 2,
        "tool_version": __version__,
        "backend": "tflite_eq",
    }


def test_inspect_as_json(workspace: Workspace) -> None:
    workspace.quantize(bits="7")
    plain = json.loads(workspace.run("inspect", "--json", workspace.output).out)
    assert [layer["input_bits"] for layer in plain["layers"]] == [7] * 5
    assert plain["record"]["config"]["bits"] == "7"


def test_inspect_a_float_model(workspace: Workspace) -> None:
    """One that cannot be quantized, or it would say what quantizing does."""
    model = models.convert(lambda x: tf.math.sin(x), models.IMAGE)
    out = workspace.run("inspect", workspace.write("sin.tflite", model)).out
    assert "0 of 0 convolutions and dense layers are int8" in out
    assert "It cannot be quantized: " in out


@pytest.mark.parametrize(
    ("content", "expected"),
    [(None, "no such file"), (b"", "empty"), (b"some text, no model", "not a TFLite flatbuffer")],
)
def test_inspect_refuses_what_is_no_model(
    workspace: Workspace, content: bytes | None, expected: str
) -> None:
    path = workspace.folder / "x.tflite"
    if content is not None:
        path.write_bytes(content)
    finished = workspace.run("inspect", path)
    assert finished.code == 1
    message = one_line(finished.err)
    assert "x.tflite: " in message
    assert expected in message


# As a user runs it.


def run_module(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tflite_eq", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )


def test_process_that_succeeds(workspace: Workspace) -> None:
    finished = run_module(
        *["quantize", "--model", workspace.model, "--calibration", workspace.data],
        *["--output", workspace.output],
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines()[-1].startswith("RESULT {")
    assert workspace.output.read_bytes() == running.quantized("conv_net").model
    assert not finished.stderr


def test_process_that_is_repeated_with_its_resume_folder(workspace: Workspace) -> None:
    arguments = [
        *["quantize", "--model", workspace.model, "--calibration", workspace.data],
        *["--output", workspace.output, "--resume_dir", workspace.folder / "resume"],
    ]
    assert run_module(*arguments).stderr == ""
    first = workspace.output.read_bytes()
    workspace.output.unlink()
    finished = run_module(*arguments)
    assert finished.stderr == "Calibrating: resumed at the end of 5 layers\n"
    assert workspace.output.read_bytes() == first == running.quantized("conv_net").model


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["quantize", "--model", "absent.tflite", "--output", "x", "--calibration", "y"], 1),
        (["inspect", "absent.tflite"], 1),
        (["quantize", "--bits", "6"], 2),
        (["prune"], 2),
        ([], 2),
    ],
)
def test_process_that_fails(arguments: list[str], code: int) -> None:
    finished = run_module(*arguments)
    assert finished.returncode == code
    assert not finished.stdout
    one_line(finished.stderr)


@pytest.mark.parametrize("command", [[], ["quantize"], ["evaluate"], ["inspect"]])
def test_help(command: list[str]) -> None:
    finished = run_module(*command, "--help")
    assert finished.returncode == 0
    assert "usage: tflite-eq" in finished.stdout


def test_fine_tuning_says_what_it_brought(workspace: Workspace, tmp_path: Path) -> None:
    report = tmp_path / "report"
    finished = workspace.quantize(bias_correction="finetune", bits="7", report_dir=str(report))
    assert finished.code == 0
    expected = running.quantized("conv_net", Config(bits="7", bias_correction="finetune"))
    assert workspace.output.read_bytes() == expected.model
    assert "Fine-tuned biases: " in finished.out
    assert "held-back calibration samples" in finished.out
    assert "held-back calibration samples" in (report / "report.html").read_text()
