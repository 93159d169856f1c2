"""Networks that no setting was chosen on: what is measured, drawn and told of them."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks import held_back, held_back_page, packages, results_file
from benchmarks.paper import METHODS
from tests import models
from tests.evaluation.several_outputs import network
from tflite_eq.errors import ConfigError


def measured(model: str, variant: str, draw: int, lost: list[int], sqnr_db: float) -> Any:
    share = 100.0 - len(lost)
    return {
        **{"model": model, "brings": "4 classes", "variant": variant, "draw": draw},
        **{"cpu_seconds": 3.0, "runtime": "some runtime 1.0", "lost": lost},
        "quantized": {
            "n": 100,
            "agreement": {"value": share, "low": share - 2, "high": share + 1},
            "sqnr_db": {"value": sqnr_db, "low": sqnr_db - 0.5, "high": sqnr_db + 0.5},
        },
    }


def data_folder(folder: Path) -> Path:
    """Photographs as the shared data have them: four to calibrate on, six to judge."""
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for table, count in (("calibration", 4), ("validation", 6)):
        names = [f"{table}{number}.png" for number in range(count)]
        for name in names:
            pixels = rng.integers(0, 256, (16, 16, 3), np.uint8)
            Image.fromarray(pixels).save(folder / "images" / name)
        with (folder / f"{table}.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows([["file"], *([name] for name in names)])
    return folder


def arguments(folder: Path, **changed: Any) -> argparse.Namespace:
    plain = {"models": folder, "output": str(folder / "results.json"), "draws": 2}
    return argparse.Namespace(**{**plain, "model": None, "variant": None, **changed})


def test_a_folder_of_models_is_measured_once(tmp_path: Path) -> None:
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    (downloads / "a.tflite").write_bytes(models.conv_net())
    (downloads / "zoo.csv").write_text("model,mean,std,what it brings\na.tflite,127.5,127.5,x\n")
    data = data_folder(tmp_path / "data")
    args = arguments(downloads, variant=["default", "int8"])
    held_back.run(args, data)
    results = results_file.load(Path(args.output))
    assert [(r["variant"], r["draw"]) for r in results] == [
        *(("default", 0), ("int8", 0), ("default", 1), ("int8", 1))
    ]
    assert all(r["quantized"]["n"] == 6 for r in results)
    assert all(15 < r["quantized"]["sqnr_db"]["value"] < 80 for r in results)
    before = Path(args.output).read_bytes()
    held_back.run(args, data)
    assert Path(args.output).read_bytes() == before
    assert "a.tflite: x" in held_back_page.render(results)


def test_judges_are_not_calibrated_on(tmp_path: Path) -> None:
    data = data_folder(tmp_path / "data")
    [entry] = [{"model": "a", "mean": "0", "std": "255"}]
    pool, judges = packages.photographs(models.conv_net(), entry, data)
    assert (len(pool), len(judges)) == (4, 6)
    assert pool.shape[1] == judges.shape[1] == 1
    assert not any(np.array_equal(a, b) for a in pool for b in judges)


def test_draws_differ_and_repeat() -> None:
    pool = np.arange(300, dtype=np.float32)
    np.testing.assert_array_equal(packages.draw(pool, 0, 50), pool[:50])
    first, second = packages.draw(pool, 1, 50), packages.draw(pool, 2, 50)
    assert len(np.unique(first)) == 50
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, packages.draw(pool, 1, 50))


def test_a_model_with_several_outputs_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "two.tflite").write_bytes(network())
    data = data_folder(tmp_path / "data")
    with pytest.raises(ConfigError, match=r"two\.tflite: has 2 outputs, not one"):
        held_back.run(arguments(tmp_path), data)


def test_an_absent_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="absent: no such folder"):
        held_back.run(arguments(tmp_path / "absent"), tmp_path)
    with pytest.raises(ConfigError, match="--models FOLDER is required"):
        held_back.run(arguments(tmp_path, models=None), tmp_path)


def test_gain_counts_photographs_of_the_same_draw() -> None:
    ours = [measured("a", "int8", d, lost, 20.0) for d, lost in enumerate(([1, 2], [3]))]
    stock = [measured("a", "default", d, lost, 18.0) for d, lost in enumerate(([1, 5, 6], [7]))]
    found = held_back_page.gain(ours, stock)
    assert found is not None
    assert found.value == pytest.approx(0.5)  # one of 100 more in the first draw, none in the other
    assert found.low is not None
    assert found.low < 0.5
    one = held_back_page.gain(ours[:1], stock[:1])
    assert one is not None
    assert one.value == pytest.approx(1.0)
    assert held_back_page.gain(ours[:1], stock[1:]) is None


def test_page_tells_where_stock_is_ahead() -> None:
    results = [
        measured("a", "default", 0, [1], 25.0),
        measured("a", "int8", 0, [1, 2], 26.0),
        measured("b", "default", 0, [1, 2], 25.0),
        measured("b", "int8", 0, [1], 24.0),
    ]
    text = held_back_page.render(results)
    assert "of 2 networks: a (agreement 98.0 against 99.0); b (sqnr_db 24.0 against 25.0)." in text
    assert "| a: 4 classes | TensorFlow's INT8 | 1 |" in text
    assert ": none." in held_back_page.render(results[:1])


def test_a_score_alone_has_no_agreement() -> None:
    rows = [measured("a", v, 0, [], 20.0) for v in ("default", "int8")]
    for row in rows:
        row["quantized"]["agreement"] = None
    assert "| INT8 | 1 |  | 20.0 [19.5, 20.5] |  | 3 |" in held_back_page.main_table(rows)


def test_an_embedding_has_no_first_class() -> None:
    rows = [measured("a", v, 0, [], 20.0) for v in ("default", "int8")]
    for row in rows:
        row["task"] = "embedding"
    assert "| INT8 | 1 |  | 20.0 [19.5, 20.5] |  | 3 |" in held_back_page.main_table(rows)


def test_methods_of_the_paper_have_a_table_of_their_own() -> None:
    rows = [measured("a", v, 0, [], db) for v, db in (("trt 8", 11.0), ("ours 8", 24.0))]
    assert "| a | 8 | 11.0 [10.5, 11.5] |  | 24.0 [23.5, 24.5] |" in held_back_page.render(rows)
    assert not held_back_page.paper_table([measured("a", "int8", 0, [], 20.0)])
    assert set(held_back_page.METHODS) == set(METHODS)
