"""The page beside the paper's tables: boxes and their average precision, and what it takes over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import face_boxes, paper, paper_page
from benchmarks.face_boxes import Boxes, Matches
from tests import models
from tests.benchmarks.entries import figures
from tests.benchmarks.test_held_back import data_folder


def boxes(*rows: tuple[float, float, float, float, float]) -> Boxes:
    found = np.array(rows, np.float32).reshape(-1, 5)
    return Boxes(found[:, 0], found[:, 1:])


def test_there_are_as_many_anchors_as_outputs_and_all_lie_in_the_picture() -> None:
    found = face_boxes.anchors()
    assert found.shape == (4420, 4)
    assert found.min() > 0
    assert found.max() <= 1
    # The first cell of the first map, 8 x 8 pixels, and its smallest square, of 10.
    np.testing.assert_allclose(found[0], [4 / 320, 4 / 240, 10 / 320, 10 / 240], rtol=1e-6)


def test_offsets_are_those_of_ssd_and_overlapping_boxes_leave_the_best() -> None:
    scores, offsets = np.zeros(4420, np.float32), np.zeros((4420, 4), np.float32)
    scores[[100, 103, 4000]] = 0.6, 0.9, 0.7  # the first two lie side by side, 16 pixels wide
    offsets[[100, 103]] = 1.0, -2.0, np.log(2) / 0.2, 0.0  # 32 wide, 8 apart: 24 / 40 in common
    found = face_boxes.decoded(scores, offsets)
    assert found.scores.tolist() == pytest.approx([0.9, 0.7])
    x, y, width, height = face_boxes.anchors()[103]
    centre = (found.corners[0, :2] + found.corners[0, 2:]) / 2
    np.testing.assert_allclose(centre, [x + 0.1 * width, y - 0.2 * height], rtol=1e-5)
    size = found.corners[0, 2:] - found.corners[0, :2]
    np.testing.assert_allclose(size, [2 * width, height], rtol=1e-5)
    offsets[100, 2] = 0  # 16 wide: 16 / 32 in common at most, and 8 apart
    assert face_boxes.decoded(scores, offsets).scores.tolist() == pytest.approx([0.9, 0.7, 0.6])


def test_each_true_box_is_found_once_and_by_the_best() -> None:
    truth = boxes((0.9, 0, 0, 1, 1), (0.6, 2, 2, 3, 3), (0.4, 5, 5, 6, 6))  # the last is no truth
    found = boxes((0.9, 0, 0, 1, 0.9), (0.8, 0, 0, 1, 1), (0.7, 5, 5, 6, 6), (0.3, 2.6, 2, 3.6, 3))
    matches = face_boxes.matched(truth, found)
    assert matches.true == 2
    assert matches.hits.tolist() == [True, False, False, False]


def test_average_precision_of_a_worked_example() -> None:
    """Ranked over both images: hit, miss, hit, miss; a third face is never found."""
    one = Matches(np.array([0.9, 0.5], np.float32), np.array([True, True]), 2)
    other = Matches(np.array([0.7, 0.2], np.float32), np.array([False, False]), 1)
    assert face_boxes.average_precision([one, other]) == pytest.approx(100 * (1 + 2 / 3) / 3)
    assert face_boxes.average_precision([other]) == 0
    estimate = face_boxes.with_interval([one, other])
    assert estimate.low is not None
    assert estimate.high is not None
    assert estimate.low <= estimate.value <= estimate.high


def test_the_page_has_a_row_for_each_width_and_takes_over_our_estimates() -> None:
    common = {"runtime": "some runtime 1.0", "cpu_seconds": 3.0, "model": "a"}
    results = [
        {
            **{**common, "method": method, "bits": bits, "draw": draw},
            **{"float": figures(100, 99, 0), "quantized": made},
        }
        for bits in ("7", "8")
        for draw in range(2)
        for method, made in (("trt", figures(70, 20, 4)), ("ours", figures(90, 30, 1)))
    ]
    ends = {"value": 81.5, "low": 79.0, "high": 84.0}
    counts = {"images": 30, "faces": 40}
    results.append({**common, "model": "b", "method": "trt", "bits": "6", "ap": ends, **counts})
    page = paper_page.render(results)
    rows = [line.split(" | ")[:2] for line in page.splitlines() if line.startswith("| a (")]
    assert [row[1] for row in rows] == ["8", "7"]
    assert "| a (1000) | 8 | 2 | 70.0 [69.0, 71.0] | 70.0 [69.0, 71.0] |  |" in page
    assert "| b | 6 | 1 | 100 | 81.5 [79.0, 84.0] |  |  |" in page
    assert "40 boxes" in page
    for name in ("squeezenet1_1", "MobileNetV1 0.75"):
        assert f"| ours: {name} | " in page


def closeness(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 1, "high": value + 1}


def test_networks_of_packages_have_rows_of_their_own() -> None:
    common = {"runtime": "some runtime 1.0", "cpu_seconds": 3.0, "brings": "four classes"}
    results = [
        {
            **{**common, "model": "c", "method": method, "bits": "8", "draw": draw},
            "closeness": {"n": 400, "agreement": closeness(95.0), "sqnr_db": closeness(30.0)},
        }
        for method, draws in (("trt", 1), ("ours", 3))
        for draw in range(draws)
    ]
    results += [
        {
            **{**common, "model": "e", "method": "trt", "bits": "8", "draw": 0, "images": 75},
            **{"calibrated": 30, "pool": 44},
            **{"angle": closeness(4.0), "nearest": closeness(92.0)},
        }
    ]
    page = paper_page.render(results)
    cell = "95.0 [94.0, 96.0] / 30.0 [29.0, 31.0]"
    assert f"| c (400) | 8 | 1 / 3 | 100 | {cell} |  | {cell} |" in page
    assert "- c: four classes." in page
    assert "| e | 8 | 1 | 0 / 100 | 4.0 [3.0, 5.0] / 92.0 [91.0, 93.0] |  |  |" in page
    assert "one of the 75 faces" in page


def test_the_nearest_one_is_another_one() -> None:
    found = paper.nearest(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 3.0]], np.float32))
    assert found.tolist() == [1, 0, 0]


def test_a_network_of_a_package_is_measured_against_its_float_version(tmp_path: Path) -> None:
    entry = {"model": "a", "mean": "0 1 2", "std": "255", "what it brings": "x", "judges": "3"}
    data = data_folder(tmp_path)
    wanted = [("trt", "8", 0), ("ours", "8", 1)]
    rows = paper.measure_package(entry, models.conv_net(), data, wanted)
    assert [(r["method"], r["draw"], r["closeness"]["n"]) for r in rows] == [
        *(("trt", 0, 3), ("ours", 1, 3))
    ]
    assert all(15 < r["closeness"]["sqnr_db"]["value"] < 80 for r in rows)
