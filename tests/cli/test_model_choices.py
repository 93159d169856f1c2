"""``--signature`` and ``--input_shape``: which network of a file, and at which sizes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from tests.cli.commands import Finished, Workspace, one_line
from tests.normalization.test_input_sizes import open_network
from tests.normalization.test_structure import SHAPE, of_one_subgraph
from tflite_eq.graph.model import Graph


@pytest.fixture
def images(workspace: Workspace):
    """A folder of pictures larger than what the network takes."""
    folder = workspace.folder / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(4):
        pixels = rng.integers(0, 256, (40, 50, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def test_images_are_scaled_to_the_sizes_that_are_given(workspace: Workspace, images) -> None:
    model = workspace.write("open.tflite", open_network())
    flags = {"model": model, "calibration": images, "image_std": 255}
    assert "input size" in workspace.refused(**flags)
    report = workspace.folder / "report"
    finished = workspace.quantize(**flags, input_shape="1,16,12,3", report_dir=report)
    assert finished.code == 0
    graph = Graph.from_bytes(workspace.output.read_bytes())
    assert graph.signature(graph.inputs[0]) == (-1, -1, -1, 3)
    assert graph.tensors[graph.inputs[0]].shape == (1, 16, 12, 3)


def test_images_are_brought_to_these_sizes_afterwards(workspace: Workspace, images) -> None:
    """The file keeps them, so that no other command needs to be told; arrays have their own."""
    model = workspace.write("open.tflite", open_network())
    reading = ("--dataset", images, "--image_std", 255)
    assert (
        workspace.quantize(
            model=model, calibration=images, image_std=255, input_shape="1,16,12,3"
        ).code
        == 0
    )
    models = ("--reference", model, "--model", workspace.output)
    [output] = _outputs(workspace.run("evaluate", *models, *reading))
    assert output["shape"][:3] == [1, 16, 12]
    found = workspace.run("validate", "--model", workspace.output, "--claim", ".", *reading)
    assert found.code == 0
    assert "Bit for bit" in found.out
    others = workspace.array("x.npy", np.random.default_rng(0).random((3, 20, 24, 3), np.float32))
    [output] = _outputs(workspace.run("evaluate", *models, "--dataset", others))
    assert output["shape"][:3] == [1, 20, 24]


def _outputs(finished: Finished):
    assert finished.code == 0
    return finished.result["models"][0]["outputs"]


def test_and_fixed_if_asked(workspace: Workspace, images) -> None:
    model = workspace.write("open.tflite", open_network())
    flags = {"model": model, "calibration": images, "input_shape": "x0:1,16,12,3"}
    record = workspace.folder / "record.json"
    finished = workspace.quantize("--fix_input_shape", **flags, save_calibration=record)
    assert finished.code == 0
    written = workspace.output.read_bytes()
    graph = Graph.from_bytes(written)
    assert graph.signature(graph.inputs[0]) == (1, 16, 12, 3)
    flags = {"model": model, "calibration": None, "load_calibration": record}
    assert workspace.quantize(**flags).code == 0
    assert workspace.output.read_bytes() == written
    workspace.output.unlink()
    assert "decides" in workspace.refused(**flags, input_shape="1,20,20,3")


def test_the_signature_that_is_named(workspace: Workspace) -> None:
    model = workspace.write("two.tflite", of_one_subgraph((0, 2), (1,)))
    data = workspace.array("x.npy", np.random.default_rng(0).random((4, *SHAPE[1:]), np.float32))
    flags = {"model": model, "calibration": data}
    message = workspace.refused(**flags)
    assert "'s0', 's1'" in message
    assert "--signature s0" in message
    assert workspace.quantize(**flags, signature="s1").code == 0
    assert len(Graph.from_bytes(workspace.output.read_bytes()).outputs) == 1


@pytest.mark.parametrize("sizes", ["1,x,3", "", "image:", "1;2", "0,4,4,3"])
def test_sizes_that_are_none(workspace: Workspace, sizes: str) -> None:
    assert "input_shape" in workspace.refused(input_shape=sizes)


def test_check_takes_the_same_flags(workspace: Workspace) -> None:
    model = workspace.write("open.tflite", open_network())
    finished = workspace.run("check", model, "--input_shape", "1,16,12,3", "--json")
    assert "shapes settled for an input of [1, 16, 12, 3]" in json.loads(finished.out)["changes"]
    two = workspace.write("two.tflite", of_one_subgraph((0, 2), (1,)))
    assert workspace.run("check", two, "--signature", "s1").code == 0
    assert "--signature s0" in one_line(workspace.run("check", two).err)
