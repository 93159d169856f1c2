"""What README.md shows can be run, and the options it lists are those there are."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import tflite_eq
from tests import models
from tflite_eq.cli.main import parse
from tflite_eq.graph.model import Graph

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_python_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net_float.tflite").write_bytes(models.keras_net())
    np.save("samples.npy", np.concatenate([x for [x] in models.data("keras_net")]))
    layers = tf.keras.layers
    inputs = layers.Input((8, 8, 3))
    keras_model = tf.keras.Model(inputs, layers.Dense(3)(layers.Flatten()(inputs)))
    names = {
        "tflite_eq": tflite_eq,
        "keras_model": keras_model,
        "tf_converter": tf.lite.TFLiteConverter.from_keras_model(keras_model),
        "float_tflite": models.keras_net(),
        "representative_dataset": lambda: models.data("keras_net"),
        "validation_samples": [x for [x] in models.data("keras_net", seed=1)],
        "validation_labels": [0] * 6,
    }
    names["tf_converter"].representative_dataset = names["representative_dataset"]
    examples = blocks("python")
    assert len(examples) == 7
    for example in examples:
        exec(example, names)
        if "int8_model" in example:
            graph = Graph.from_bytes(names.pop("int8_model"))
            assert "INT8" in {tensor.type_name for tensor in graph.tensors}
    assert names["guarded"].record.measure == "top-1 drop"
    assert names["same"].model == names["result"].model


def test_commands_parse() -> None:
    lines = [line for block in blocks("sh") for line in block.replace("\\\n", " ").splitlines()]
    ours = [line.split("&&")[0] for line in lines if line.startswith("tflite-eq")]
    commands = [shlex.split(line, comments=True) for line in ours]
    assert {command[1] for command in commands} == {
        *("demo", "check", "quantize", "evaluate", "inspect", "validate", "benchmark"),
    }
    for command in commands:
        parse(command)


def test_option_table_is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["tflite-eq", "quantize", "--help"])
    offered = set(re.findall(r"--\w+", capsys.readouterr().out))
    table = README.split("### Options of `quantize`")[1].split("##")[0]
    listed = set(re.findall(r"`(--\w+)`", table))
    described = {"--model", "--output", "--calibration", "--image_mean", "--image_std"}
    assert offered - {"--help", "--helpfull"} == listed | described


def test_links_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def anchors(page: Path) -> set[str]:
    """What links to the headings of a page end in."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_links_to_headings_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target, heading in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text()):
            there = page.parent / target if target else page
            assert heading in anchors(there), f"{page.name}: {target}#{heading}"


def test_documents_name_modules_that_exist() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for module in re.findall(r"`(tflite_eq/[\w/]+(?:\.py|\.html|/))`", page.read_text()):
            assert (ROOT / module).exists(), f"{page.name}: {module}"


def test_defaults_in_the_option_table_are_the_defaults() -> None:
    config = tflite_eq.Config().as_dict()
    for name in ("bits", "target", "method", "objective", "activation_mode", "bias_correction"):
        row = next(line for line in README.splitlines() if line.startswith(f"| `--{name}` |"))
        assert row.split("|")[2].split("`")[1] == config[name]
    np.testing.assert_equal(config["seed"], 0)
