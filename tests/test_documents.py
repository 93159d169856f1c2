"""Documents hold what they say: Python in them runs, claims follow from the figures printed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "int7.md"


def test_derivation_of_int7_runs() -> None:
    examples = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert len(examples) == 7
    names: dict[str, Any] = {}
    for example in examples:
        exec(example, names)


def measured() -> dict[str, dict[str, tuple[float, float]]]:
    """Agreement in % and SQNR in dB by model and variant, from the first table of accuracy.md."""
    lines = (ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("| Model (n,"))
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[start:]]
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for row in table[2:]:
        if len(row) != len(table[0]):
            break
        cells = {title: cell.split(" / ") for title, cell in zip(table[0][1:], row[1:]) if cell}
        found[row[0].split(" ")[0]] = {t: (float(c[0]), float(c[1])) for t, c in cells.items()}
    return found


def test_the_first_screen_says_what_was_measured() -> None:
    figures = measured()
    assert len(figures) == 7
    default = "TFLite default INT8"
    assert all(entry["INT8"][1] > entry[default][1] for entry in figures.values())
    better = {
        name
        for name, entry in figures.items()
        if all(ours > theirs for ours, theirs in zip(entry["INT7"], entry[default]))
    }
    assert better == {
        *("tiny_darknet", "mobilenet_v1_0.25_224", "mobilenet_v1_0.75_224"),
        "mobilenet_v2_1.0_224_relu_probe20",
    }
    losses = {
        name: [theirs - ours for ours, theirs in zip(entry["INT7"], entry[default])]
        for name, entry in figures.items()
        if name not in better
    }
    behind = {name: [loss > 0 for loss in both] for name, both in losses.items()}
    assert behind == {
        "squeezenet1_1_gluon": [False, True],
        "resnet8_cifar10": [True, False],
        "resnet8_large_cifar10": [True, True],
    }
    points, decibels = (round(max(column), 1) for column in zip(*losses.values()))
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert "On all seven networks measured its INT8 is closer to the float model" in readme
    assert "on four of them (Tiny Darknet and three MobileNets) its INT7 is" in readme
    assert "the other three (SqueezeNet 1.1, two ResNet-8 for CIFAR-10) it is not" in readme
    assert f"up to {points} points of agreement and {decibels} dB" in readme
    assert "SqueezeNet by decibels alone, the smaller ResNet-8 by agreement alone" in readme
    best = "best: INT7"
    assert all(entry[best][1] > entry[default][1] for entry in figures.values())
