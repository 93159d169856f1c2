"""The page of peers: nothing that was measured is left out, whoever is ahead."""

from __future__ import annotations

import pytest

from benchmarks.peers import page
from tests.benchmarks.entries import entry, failure, figures
from tflite_eq.errors import TfliteEqError


def rows_of(text: str, heading: str) -> list[list[str]]:
    """Cells of the first table behind a heading."""
    lines = text.split(heading, 1)[1].splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return [rows[0], *rows[2:]]


def test_figures_stand_in_the_row_of_the_peer_and_the_column_of_the_model() -> None:
    text = page.render(
        [
            entry("a", "int8", quantized=figures(91, 21, 0.1)),
            entry("a", "tflite", quantized=figures(92, 22, 0.2)),
            entry("b", "tflite", quantized=figures(93, 23, -0.3)),
        ]
    )
    assert rows_of(text, "## Accuracy") == [
        ["Quantizer", "a (1000, 70.0)", "b (1000, 70.0)"],
        ["TFLite default", "92.0 / 22.0 / 0.2", "93.0 / 23.0 / -0.3"],
        ["tflite_eq INT8", "91.0 / 21.0 / 0.1", ""],
    ]
    assert rows_of(text, "## Time and memory")[1] == ["TFLite default", *["12 / 8 / 640"] * 2]
    assert rows_of(text, "## Every run")[1] == [
        *("a", "tflite_eq INT8", "91.0 [90.0, 92.0]", "21.0 [20.0, 22.0]", "0.1 [-0.9, 1.1]"),
        *("12.2", "8.5", "640", "2", "nothing"),
    ]


def test_a_failure_is_a_cell_with_its_reason_in_every_table() -> None:
    results = [
        failure("a", "sony-mct", "TypeError: no such | layer"),
        entry("a", "tflite"),
        failure("b", "sony-mct", "MemoryError"),
    ]
    text = page.render(results)
    reason = "failed: TypeError: no such \\| layer"
    for heading in ("## Accuracy", "## Time and memory"):
        title, *rows = rows_of(text, heading)
        assert title[1:] == ["a (1000, 70.0)", "b"]
        assert rows[1] == ["Sony MCT", reason, "failed: MemoryError"]
    assert rows_of(text, "## Every run")[1][:3] == ["a", "Sony MCT", reason]


def test_every_lead_of_a_peer_is_said_and_only_those() -> None:
    text = page.render(
        [
            entry("a", "int8", quantized=figures(90, 20, 1.0)),
            entry("a", "best-int8", quantized=figures(97, 30, -1.0)),
            entry("a", "tflite", quantized=figures(90.04, 20.5, 0.4)),
            entry("a", "sony-mct", quantized=figures(92, 19, 2.0)),
            entry("b", "tflite", quantized=figures(99, 40, 0.0)),
        ]
    )
    ahead = text.split("### Where another quantizer is ahead")[1].split("##")[0]
    assert [line for line in ahead.splitlines() if line.startswith("- ")] == [
        "- tflite_eq INT8: a: TFLite default (SQNR +0.5, top-1 +0.6), Sony MCT (agreement +2.0).",
        "- tflite_eq INT8 best, 200 images: nowhere.",
    ]


def test_operators_left_in_float_and_versions_are_named() -> None:
    versions = {"MCT": "2", "TensorFlow": "3"}
    text = page.render(
        [
            entry("a", "sony-mct", versions=versions, float_operators={"ADD": 2, "MEAN": 1}),
            entry("b", "sony-mct", versions=versions),
            entry("a", "tflite", versions={"TensorFlow": "4"}),
        ]
    )
    assert "Versions: TensorFlow 4; MCT 2 with TensorFlow 3." in text
    assert rows_of(text, "## Every run")[1][-1] == "2 ADD, 1 MEAN"
    assert rows_of(text, "## Accuracy")[2][1:] == [
        "90.0 / 20.0 / 1.0, 3 in float",
        "90.0 / 20.0 / 1.0",
    ]


def test_the_load_under_which_times_were_taken_is_said() -> None:
    text = page.render([entry("a", "tflite", load=0.2), entry("a", "int8", load=7.4)])
    assert "its load average when a run started was between 0.2 and 7.4" in text


def test_results_of_an_unknown_peer_are_not_passed_over() -> None:
    with pytest.raises(TfliteEqError, match=r"^results of nobody: unknown peers"):
        page.render([entry("a", "tflite"), entry("a", "nobody")])


def test_no_results_make_a_page_without_rows() -> None:
    assert rows_of(page.render([]), "## Accuracy") == [["Quantizer"]]
