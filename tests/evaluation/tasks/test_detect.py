"""Average precision is COCO's, boxes are what detectors say."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import shared_data
from tests.evaluation.several_outputs import edited
from tests.evaluation.tasks import judging
from tflite_eq.data.memory import MemorySamples
from tflite_eq.errors import ConfigError, DatasetError, ModelError
from tflite_eq.evaluation.task import NamedModel
from tflite_eq.evaluation.task_evaluator import evaluate_task
from tflite_eq.evaluation.tasks.detect import Boxes, Detect
from tflite_eq.evaluation.tasks.registry import judge

Found = tuple[Any, Any, Any]


def scene(seed: int) -> tuple[Found, tuple[Any, Any]]:
    """What a bad detector finds in an image, and what there is: boxes moved, missed, made up."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 6))
    corner = rng.uniform(0, 0.6, (count, 2))
    truth = np.concatenate([corner, corner + rng.uniform(0.1, 0.4, (count, 2))], axis=1)
    classes = rng.integers(0, 3, count)
    kept = rng.random(count) < 0.8
    moved = truth[kept] + rng.normal(0, 0.02, (kept.sum(), 4))
    invented = np.sort(rng.uniform(0, 1, (2, 2, 2)), axis=1).reshape(2, 4)
    boxes = np.concatenate([moved, invented])
    kinds = np.concatenate([classes[kept], rng.integers(0, 3, 2)])
    scores = np.concatenate([rng.uniform(0.3, 1, kept.sum()), rng.uniform(0, 0.7, 2)])
    return (boxes, kinds, scores), (truth, classes)


SCENES = [scene(seed) for seed in range(30)]
FOUND, TRUTH = [found for found, _ in SCENES], [truth for _, truth in SCENES]


def coco_json(truth: list[tuple[Any, Any]], size: int = 1) -> dict[str, Any]:
    """Annotations of images of that many pixels each way."""
    annotations = []
    for image, (boxes, classes) in enumerate(truth):
        for (ymin, xmin, ymax, xmax), kind in zip(np.asarray(boxes) * size, classes):
            box = [float(xmin), float(ymin), float(xmax - xmin), float(ymax - ymin)]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": int(kind) + 1,
                    "bbox": box,
                    "area": box[2] * box[3],
                    "iscrowd": 0,
                }
            )
    return {
        "images": [
            {"id": number, "file_name": f"{number}.png", "width": size, "height": size}
            for number in range(len(truth))
        ],
        "categories": [{"id": kind, "name": str(kind)} for kind in (1, 2, 3)],
        "annotations": annotations,
    }


def by_coco(found: list[Found], truth: list[tuple[Any, Any]]) -> Any:
    """Figures of pycocotools alone, boxes in pixels."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    results = [
        {
            "image_id": image,
            "category_id": int(kind) + 1,
            "bbox": [100 * float(v) for v in (b[1], b[0], b[3] - b[1], b[2] - b[0])],
            "score": float(score),
        }
        for image, parts in enumerate(found)
        for b, kind, score in zip(*parts)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        annotations = COCO()
        annotations.dataset = coco_json(truth, 100)
        annotations.createIndex()
        evaluation = COCOeval(annotations, annotations.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats


def test_average_precision_is_cocos() -> None:
    found = judging.figures(Detect(), FOUND, TRUTH)
    expected = by_coco(FOUND, TRUTH)
    assert 10 < found["ap"].value < 90
    assert found["ap"].value == pytest.approx(100 * expected[0], abs=1e-9)
    assert found["ap50"].value == pytest.approx(100 * expected[1], abs=1e-9)
    assert found["ap"].low < found["ap"].value < found["ap"].high


def test_a_drawing_is_what_coco_says_of_the_images_drawn() -> None:
    """Weights stand for repeated images."""
    task = Detect()
    made = judging.entries(task, FOUND, TRUTH)
    counts = np.random.default_rng(5).multinomial(30, np.full(30, 1 / 30))
    chosen = np.repeat(np.arange(30), counts)
    (figure, *_) = task.figures(True)
    drawn = figure.statistic.pool(made)(counts)
    expected = by_coco([FOUND[i] for i in chosen], [TRUTH[i] for i in chosen])
    assert drawn == pytest.approx(100 * expected[0], abs=1e-9)


def test_f1_counts_sure_detections_only() -> None:
    box, far = [0.1, 0.1, 0.5, 0.5], [0.6, 0.6, 0.9, 0.9]
    found = [([box, far, far], [0, 1, 2], [0.9, 0.8, 0.3])]
    truth = [([box, [0.0, 0.6, 0.3, 0.9]], [0, 1])]
    # One right, one wrong, one missed; the third is not sure enough.
    assert judging.figures(Detect(), found, truth)["f1"].value == pytest.approx(50)
    assert judging.figures(Detect(min_score=0.2), found, truth)["f1"].value == pytest.approx(40)


def test_a_model_that_finds_nothing_scores_nothing() -> None:
    nothing = (np.zeros((0, 4)), [], [])
    figures = judging.figures(Detect(), [nothing] * 3, TRUTH[:3])
    assert [figures[name].value for name in ("ap", "ap50", "f1")] == [0, 0, 0]


def test_a_crowd_is_neither_found_nor_missed() -> None:
    box, other = [0.1, 0.1, 0.5, 0.5], [0.6, 0.6, 0.9, 0.9]
    corners = np.array([box, other])
    one = Boxes(corners, np.array([0, 0]), np.ones(2), np.array([False, True]))
    for found in (([box], [0], [0.9]), ([box, other], [0, 0], [0.9, 0.95])):
        figures = judging.figures(Detect(), [found], [one])
        assert (figures["ap"].value, figures["f1"].value) == pytest.approx((100, 100))


def test_without_truth_sure_detections_of_the_float_model_are_expected() -> None:
    box, unsure = [0.1, 0.1, 0.5, 0.5], [0.6, 0.6, 0.9, 0.9]
    reference = [([box, unsure], [0, 0], [0.9, 0.2])]
    both = judging.figures_beside(Detect(), reference, reference)
    assert [both[name].value for name in ("ap", "ap50", "f1")] == [100, 100, 100]
    missed = judging.figures_beside(Detect(), [([unsure], [0], [0.9])], reference)
    assert missed["ap"].value == 0
    assert "0.5 or more" in Detect().figures(False)[0].meaning


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3, "expected boxes, classes, scores"),
        (([[0, 0, 1, 1]], [0]), "expected boxes, classes, scores"),
        (([[0, 0, 1, 1]], [0, 1], [0.5]), r"boxes: int64 \[1, 4\], classes: int64 \[2\]"),
        (([[0, 0, 1, 1]], [0.5], [0.5]), "classes that are whole numbers"),
        (([[0, 0, 1, 1]], [-1], [0.5]), "classes that are whole numbers from 0"),
        (([[0, 0, np.nan, 1]], [0], [0.5]), "finite"),
        (([[10, 20, 300, 310]], [0], [0.5]), "up to 310; divide pixels by the height and width"),
    ],
)
def test_what_are_no_boxes_is_refused(value: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Detect().form(value)


def test_truth_without_boxes_and_boxes_without_area_are_refused() -> None:
    task = Detect()
    nothing = (np.zeros((0, 4)), [])
    made = judging.entries(task, [FOUND[0]], [nothing])
    with pytest.raises(DatasetError, match="has no box in any of the samples"):
        task.check(made, True)
    swapped = judging.entries(task, [FOUND[0]], [([[0.5, 0.5, 0.1, 0.1]], [0])])
    with pytest.raises(DatasetError, match="none of the expected boxes has an area"):
        task.check(swapped, True)


def test_annotations_are_looked_up_by_file_name(tmp_path: Path) -> None:
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps(coco_json(TRUTH[:3], 50)))
    for number in range(3):
        (tmp_path / f"{number}.png").touch()
    read = Detect().read_annotations(path, [str(tmp_path / f"{n}.png") for n in (2, 0)])
    for boxes, (corners, classes) in zip(read, (TRUTH[2], TRUTH[0])):
        np.testing.assert_allclose(boxes.corners, corners, atol=1e-12)
        np.testing.assert_array_equal(boxes.classes, classes)
    assert len(Detect().read_annotations(path, ["a", "b", "c"])) == 3  # arrays: in their order
    (tmp_path / "new.png").touch()
    with pytest.raises(DatasetError, match=r"no image with the file_name new\.png"):
        Detect().read_annotations(path, [str(tmp_path / "new.png")])
    with pytest.raises(DatasetError, match="has 3 images, the samples are 2"):
        Detect().read_annotations(path, ["a", "b"])
    with pytest.raises(DatasetError, match="give --task_option first_category=1"):
        Detect(first_category=2).read_annotations(path, ["a", "b", "c"])


def damaged() -> Iterator[bytes]:
    """No annotations, and annotations with every field left out or of another kind."""
    yield from (b"{", b"[]", b"{}", b'{"images": [{"id": 1}]}', b"\0", b"\xff\xfe", b"[" * 9999)
    for group in ("images", "annotations"):
        fields = ["id", "file_name", "width", "height", "image_id", "category_id", "bbox"]
        for field in fields:
            for value in (None, "x", [], {}, 0, -1, 0.5, float("nan"), [1, 2], [[1]] * 4):
                content = coco_json([([[0.1, 0.1, 0.5, 0.5]], [0])], 10)
                if field in content[group][0]:
                    content[group][0][field] = value
                    yield json.dumps(content).encode()
                    del content[group][0][field]
                    yield json.dumps(content).encode()


def test_damaged_annotations_are_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    (tmp_path / "0.png").touch()
    refused: list[str] = []
    for content in damaged():
        path.write_bytes(content)
        try:
            (boxes,) = Detect().read_annotations(path, [str(tmp_path / "0.png")])
        except DatasetError as error:
            refused.append(str(error))
        else:
            assert np.isfinite(boxes.corners).all()
    assert len(refused) > 60
    assert all("other.json" in message and "\n" not in message for message in refused)


def test_without_pycocotools_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycocotools.coco", None)
    with pytest.raises(ConfigError, match=r"pip install 'tflite-eq\[detection\]'"):
        Detect()


def reordered(model: bytes) -> bytes:
    """The same detector with its outputs in another order."""

    def change(subgraph: Any) -> None:
        outputs = list(subgraph.outputs)
        subgraph.outputs = [outputs[position] for position in (2, 0, 3, 1)]

    return edited(model, change)


def test_outputs_of_the_post_process_are_found_whatever_their_order() -> None:
    model = shared_data.repro("ssd_post.tflite").read_bytes()
    with np.load(shared_data.repro("ssd.npz")) as stored:
        samples = MemorySamples(stored["x"][:4])
    plain = edited(model, lambda subgraph: None)  # without signatures, as the other one
    figures = []
    for reference in (plain, reordered(model)):
        found = evaluate_task(
            [NamedModel("same", plain)],
            samples,
            judge("detect"),
            reference=NamedModel("float", reference),
        )
        (one,) = found.models
        figures.append([one.figures[name].value for name in ("ap", "ap50", "f1")])
    assert figures == [[100, 100, 100]] * 2


def test_nothing_sure_enough_names_a_score_that_is() -> None:
    reference = [([[0.1, 0.1, 0.5, 0.5]], [0], [0.31]), (np.zeros((0, 4)), [], [])]
    task = Detect()
    made = [task.scored(task.form(r), task.expected(task.form(r))) for r in reference]
    with pytest.raises(DatasetError, match=r"best has 0\.31.*min_score=0\.28$"):
        task.check(made, False)
    assert judging.figures_beside(Detect(min_score=0.28), reference, reference)["f1"].value == 100


def test_classes_that_nothing_expects_are_doubted() -> None:
    shifted = [(boxes, np.asarray(kinds) + 7) for boxes, kinds in TRUTH]
    (doubt,) = Detect().doubts(judging.entries(Detect(), FOUND, shifted))
    assert "found (0, 1, 2)" in doubt
    assert "expected (7, 8, 9)" in doubt
    assert Detect().doubts(judging.entries(Detect(), FOUND, TRUTH)) == ()
    nothing = [(np.zeros((0, 4)), [], [])] * len(TRUTH)
    assert Detect().doubts(judging.entries(Detect(), nothing, TRUTH))
