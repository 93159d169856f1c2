"""The comparison of layers and networks in turns with the runtime, on small ones."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from delegate.benchmark import compare, networks
from tests.delegate import networks as small_networks
from tflite_eq.graph.model import Graph


def measured(
    monkeypatch: pytest.MonkeyPatch, folder: Path, *arguments: str
) -> tuple[int, list[dict[str, Any]]]:
    found = folder / "found.json"
    command = ["compare", "--rounds", "6", "--runtime", "ai-edge-litert", "--json", str(found)]
    monkeypatch.setattr(sys, "argv", [*command, *arguments])
    return compare.main(), json.loads(found.read_text())


def test_layers_by_every_kernel(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layers = ("--layer", "8x16x24", "--depthwise", "8x16x5x2", "--option", "isa=scalar")
    _, rows = measured(monkeypatch, tmp_path, *layers, "--values", "INT8", "--values", "INT7")
    assert [row["model"] for row in rows] == [
        "8x8x16->24 3x3/1 INT8",
        "8x8x16->24 3x3/1 INT7",
        "8x8x16 depthwise 5x5/2 INT8",
        "8x8x16 depthwise 5x5/2 INT7",
    ]
    assert rows[0]["multiplications"] == 8 * 8 * 9 * 16 * 24
    assert rows[2]["multiplications"] == 4 * 4 * 25 * 16
    for row in rows:
        for name, times in row["milliseconds"].items():
            assert 0 < times["min"] <= times["median"]
            if name not in ("runtime", "delegate"):
                assert row["claimed"][name] == [f"{name} on scalar"]
        assert row["gain"]["delegate"]["pairs"] == 6
    assert "GMAC/s" in capsys.readouterr().out


def test_operators_on_every_instruction_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, rows = measured(monkeypatch, tmp_path, *("--operator", "MAX_POOL_2D:8x16x3x2"))
    assert (code, [row["model"] for row in rows]) == (0, ["MAX_POOL_2D 8x8x16 3/2"])
    assert rows[0]["values"] == 8 * 8 * 16
    assert rows[0]["claimed"]["scalar"]
    assert "ns a value" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        measured(monkeypatch, tmp_path, "--operator", "NOTHING:8x16")


def test_networks_and_what_loading_them_costs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(small_networks.quantized("int8"))
    code, (int8, int7) = measured(monkeypatch, tmp_path, "--model", str(path), "--int7")
    assert (code, int8["model"], int7["model"]) == (0, "net", "net INT7")
    assert int8["first_run_ms"]["delegate"] > 0
    loading = ("--model", str(path), "--load", "--limit_ms")
    code, (row,) = measured(monkeypatch, tmp_path, *loading, "100000")
    assert code == 0
    assert row["added_ms"] < 100000
    assert measured(monkeypatch, tmp_path, *loading, "-100000")[0] == 1


def test_loading_of_no_model_passes_no_limit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(SystemExit, match="2"):
        measured(monkeypatch, tmp_path, "--layer", "8x16x24", "--load", "--limit_ms", "0")


@pytest.mark.parametrize("plain", [False, True])
def test_int7_weights(plain: bool) -> None:
    model = networks.to_int7(networks.Chain(8, 4, 4).model(), plain=plain)
    graph = Graph.from_bytes(model)
    for operator in graph.operators:
        weights = graph.constant(operator.inputs[1]).astype(np.int32)
        if plain:
            assert np.abs(weights).max() <= 64
        else:
            assert not (weights.sum(axis=2) % 2).any()
