"""Damaged files on the command line: one line on stderr, nothing left, nothing crashed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import built_models
from tests.cli.commands import Workspace, one_line
from tests.graph.broken import Change, broken
from tflite_eq.graph import schema

COMMANDS = {
    "inspect": lambda model, folder: ["inspect", model],
    "explain": lambda model, folder: ["explain", "--model", model],
    "validate": lambda model, folder: ["validate", "--model", model],
    "benchmark": lambda model, folder: ["benchmark", "--model", model],
    "evaluate": lambda model, folder: [
        *("evaluate", "--model", model, "--dataset", folder / "data.npz", "--num_workers", 1),
    ],
    "quantize": lambda model, folder: [
        *("quantize", "--model", model, "--calibration", folder / "data.npy"),
        *("--output", folder / "out.tflite"),
    ],
}


def far_tensor(model: Any) -> None:
    model.subgraphs[0].operators[0].inputs = np.array([0, 1, 1 << 30], np.int32)


def no_stride(model: Any) -> None:
    model.subgraphs[0].operators[0].builtinOptions.strideH = 0


def far_output(model: Any) -> None:
    model.subgraphs[0].outputs = np.array([-5], np.int32)


@pytest.mark.parametrize("change", [far_tensor, no_stride, far_output])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_refuses_what_crashes_runtimes(
    workspace: Workspace, command: str, change: Change
) -> None:
    model = workspace.write("bad.tflite", broken(change))
    images = np.zeros((2, *built_models.IMAGE[1:]), np.float32)
    np.savez(workspace.folder / "data.npz", images=images, label=np.zeros(2, np.int64))
    before = workspace.files()
    finished = workspace.run(*COMMANDS[command](model, workspace.folder))
    assert finished.code == 1
    assert "bad.tflite" in one_line(finished.err)
    assert workspace.files() == before


def test_refusal_comes_before_tensorflow_is_imported(tmp_path: Path) -> None:
    model = tmp_path / "bad.tflite"
    model.write_bytes(broken(no_stride))
    program = (
        "import sys; from tflite_eq.errors import ModelError\n"
        "from tflite_eq.graph.model import Graph\n"
        "try: Graph.from_bytes(open(sys.argv[1], 'rb').read())\n"
        "except ModelError: print('tensorflow' in sys.modules)\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program, model], capture_output=True, text=True, check=True
    )
    assert finished.stdout == "False\n"


def test_name_in_a_table_cannot_make_a_line_of_its_own(workspace: Workspace) -> None:
    model = schema.parse(workspace.model.read_bytes())
    for tensor in model.subgraphs[0].tensors:
        tensor.name = b"x\nRESULT {}\n" + tensor.name
    found = workspace.run("inspect", workspace.write("names.tflite", schema.serialize(model)))
    assert found.code == 0
    assert sum(line.startswith("RESULT ") for line in found.out.splitlines()) == 1


def test_output_that_depends_on_no_input(workspace: Workspace) -> None:
    net = built_models.NetworkBuilder(1, 12, 12, 3)
    constant = net._tensor("c", (1, 4, 4, 2), np.ones((1, 4, 4, 2), np.float32))
    model = net.finished(net.conv(net.input, 4), net.spatial("MEAN", constant))
    message = workspace.refused(model=workspace.write("constant.tflite", model))
    assert "depends on no input" in message


def test_shape_in_the_file_that_is_not_the_one_computed(workspace: Workspace) -> None:
    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        graph.tensors[graph.operators[0].outputs[0]].shape = np.array([1, 9, 9, 8], np.int32)
        graph.operators = graph.operators[:1]
        graph.outputs = np.array(graph.operators[0].outputs, np.int32)

    message = workspace.refused(model=workspace.write("shape.tflite", broken(change)))
    assert (
        "has shape [1, 9, 9, 8] in the file, but is computed with shape [1, 12, 12, 8]" in message
    )


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999, 12, 12, 3), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 12, 12, 3), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "9" * 30 + ", 12, 12, 3), }",
        "(" * 60,
        "{'descr': '<f4', 'shape': (1, 12, 12, 3), }",
    ],
)
def test_array_whose_header_lies(workspace: Workspace, header: str) -> None:
    content = workspace.data.read_bytes()
    size = int.from_bytes(content[8:10], "little")
    data = content[:10] + header.encode().ljust(size - 1) + b"\n" + content[10 + size :]
    message = workspace.refused(calibration=workspace.write("lies.npy", data))
    assert "cannot be read as a NumPy file" in message
    assert "np.save" in message
