"""Figures of every field against other libraries or by hand, and what they refuse."""

from __future__ import annotations

import itertools
import sys
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from tests.evaluation.tasks import judging
from tflite_eq.errors import ConfigError, DatasetError, ModelError
from tflite_eq.evaluation.tasks.classify import Classify
from tflite_eq.evaluation.tasks.embed import Embed
from tflite_eq.evaluation.tasks.image import Image
from tflite_eq.evaluation.tasks.landmarks import Landmarks
from tflite_eq.evaluation.tasks.segment import Segment

RNG = np.random.default_rng(0)


def test_classes_rank_as_scores_do_and_the_lower_of_equal_ones_wins() -> None:
    scores = [[0.1, 0.5, 0.5], [0.9, 0.0, 0.1], [0.2, 0.2, 0.2], [0.0, 0.3, 0.9]]
    found = judging.figures(Classify(k=2), np.array(scores, np.float32), [1, 2, 0, 0])
    assert (found["top1"].value, found["top2"].value) == (50, 75)
    beside = judging.figures_beside(Classify(k=2), np.array(scores), np.array(scores)[:, ::-1])
    assert beside["agreement"].value == 25  # of the third alone, whose scores are all equal


def test_labels_that_are_no_classes_are_refused() -> None:
    with pytest.raises(DatasetError, match=r"label 3 is outside 0\.\.2"):
        judging.figures(Classify(), [np.zeros(3)], [3])
    with pytest.raises(DatasetError, match="expected the number of the class"):
        Classify().truth("cat")


def test_mean_iou_is_scikit_learns() -> None:
    truth = RNG.integers(0, 4, (12, 9, 7))
    scores = RNG.random((12, 9, 7, 4)) + 0.6 * np.eye(4)[truth]
    found = judging.figures(Segment(), scores[:, np.newaxis], truth)
    flat = scores.argmax(-1).ravel(), truth.ravel()
    expected = 100 * sklearn_metrics.jaccard_score(*flat[::-1], average="macro")
    assert found["mean_iou"].value == pytest.approx(expected)
    assert found["pixel_accuracy"].value == pytest.approx(100 * np.mean(flat[0] == flat[1]))
    assert found["mean_iou"].low < expected < found["mean_iou"].high


def test_pixels_that_are_to_be_ignored_count_for_nothing() -> None:
    truth, wrong = np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8)
    truth[0], wrong[0] = 255, 3
    assert judging.figures(Segment(), [wrong], [truth])["mean_iou"].value == 100
    assert judging.figures(Segment(ignore=-1), [wrong], [truth])["mean_iou"].value < 100
    every = judging.entries(Segment(), [wrong], [np.full((4, 4), 255)])
    with pytest.raises(DatasetError, match="every pixel of the ground truth is 255"):
        Segment().check(every, True)


def test_a_larger_mask_gives_every_pixel_the_nearest_one() -> None:
    small = RNG.integers(0, 5, (6, 8))
    large = np.kron(small, np.ones((3, 5), int))
    assert judging.figures(Segment(), [small], [large])["pixel_accuracy"].value == 100
    assert judging.figures(Segment(), [large], [small])["pixel_accuracy"].value == 100


def test_one_channel_needs_a_threshold() -> None:
    probabilities = np.array([[[[0.2], [0.7]], [[0.9], [0.4]]]], np.float32)
    with pytest.raises(ModelError, match=r"--task_option threshold=0\.5 for"):
        Segment().form(probabilities)
    classes = Segment(threshold=0.5).form(probabilities)
    np.testing.assert_array_equal(classes, [[0, 1], [1, 0]])


@pytest.mark.parametrize(
    "mask", [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4)), np.zeros(4, int)]
)
def test_what_is_no_mask_is_refused(mask: Any) -> None:
    with pytest.raises(DatasetError, match="expected a mask"):
        Segment().truth(mask)


def test_errors_of_points_are_distances_by_the_size_of_their_box() -> None:
    expected = np.array([[0, 0], [4, 0], [0, 9], [4, 9]], float)
    moved = expected + np.array([[0, 0], [3, 4], [0, 0], [0, 1]])
    found = judging.figures(Landmarks(), [moved, expected], [expected, expected])
    error = 100 * (5 + 1) / 4 / 6
    assert found["nme"].value == pytest.approx(error / 2)
    assert found["failures"].value == 50
    assert judging.figures(Landmarks(failure=30), [moved], [expected])["failures"].value == 0


def test_a_score_behind_coordinates_is_no_coordinate() -> None:
    expected = RNG.random((17, 3))
    found = expected.copy()
    found[:, 2] += 5
    task = Landmarks(coordinates=2)
    assert judging.figures(task, [found[np.newaxis]], [expected])["nme"].value == 0
    assert judging.figures(Landmarks(), [found], [expected])["nme"].value > 100


def test_points_in_a_vector_need_their_dimensions() -> None:
    vector = RNG.random((1, 1, 1, 1404)).astype(np.float32)
    message = r"dimensions=3 \(468 points\) or dimensions=2 \(702 points\)"
    with pytest.raises(ModelError, match=message):
        Landmarks().form(vector)
    assert Landmarks(dimensions=3).form(vector).shape == (468, 3)
    with pytest.raises(ModelError, match="are no points of 5"):
        Landmarks(dimensions=5).form(vector)
    line = np.array([[0.0, 0], [1, 0], [2, 0]])
    with pytest.raises(DatasetError, match="in one line"):
        Landmarks().scored(line, line)


def test_verification_is_the_best_of_all_thresholds() -> None:
    labels = np.repeat(np.arange(6), 4)
    centres = RNG.normal(size=(6, 8))
    vectors = centres[labels] + RNG.normal(0, 1.1, (24, 8))
    found = judging.figures(Embed(), vectors, labels)["verification"]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    pairs = list(itertools.combinations(range(24), 2))
    similar = np.array([unit[i] @ unit[j] for i, j in pairs])
    same = np.array([labels[i] == labels[j] for i, j in pairs])
    rejected, accepted, _ = sklearn_metrics.roc_curve(same, similar)
    best = 100 * max((accepted + 1 - rejected) / 2)
    assert 60 < best < 99
    assert found.value == pytest.approx(best)
    assert found.low < best < found.high


def test_embeddings_of_one_kind_of_pairs_tell_nothing() -> None:
    vectors = RNG.normal(size=(4, 3))
    for labels in ([0, 0, 0, 0], [0, 1, 2, 3]):
        with pytest.raises(DatasetError, match="make no pairs of"):
            Embed().check(judging.entries(Embed(), vectors, labels), True)


def test_without_labels_embeddings_are_compared_by_their_cosine() -> None:
    vectors = RNG.normal(size=(9, 5))
    assert judging.figures_beside(Embed(), 3 * vectors, vectors)["cosine"].value == pytest.approx(1)
    assert judging.figures_beside(Embed(), -vectors, vectors)["cosine"].value == pytest.approx(-1)


def test_psnr_is_scikit_images_over_all_pixels() -> None:
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    truth = RNG.integers(0, 256, (5, 16, 12, 3)).astype(np.uint8)
    found = truth + RNG.normal(0, 4, truth.shape)
    figures = judging.figures(Image(), found, truth)
    psnr = peak_signal_noise_ratio(truth.astype(float), found, data_range=255)
    assert figures["psnr"].value == pytest.approx(psnr, abs=1e-5)
    expected = [
        structural_similarity(t.astype(float), f, data_range=255, channel_axis=-1)
        for t, f in zip(truth, found)
    ]
    assert figures["ssim"].value == pytest.approx(np.mean(expected), abs=1e-6)


def test_the_range_of_real_pixels_must_be_said() -> None:
    image = RNG.random((1, 8, 8, 1)).astype(np.float32)
    with pytest.raises(ModelError, match=r"give --task_option data_range=1$"):
        judging.figures_beside(Image(), [image], [image])
    with pytest.raises(ModelError, match=r"data_range=255$"):
        judging.figures_beside(Image(), [200 * image], [200 * image])
    found = judging.figures_beside(Image(data_range=1), [image], [image])
    assert list(found) == ["ssim", "psnr"]  # no PSNR can be lost against oneself
    assert found["ssim"].value == pytest.approx(1)
    assert found["psnr"].value == np.inf


def test_without_scikit_image_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage.metrics", None)
    with pytest.raises(ConfigError, match=r"pip install 'tflite-eq\[images\]'"):
        Image()


@pytest.mark.parametrize("task", [Classify(), Segment(), Landmarks(), Embed(), Image()])
def test_values_that_are_not_finite_are_refused(task: Any) -> None:
    with pytest.raises(ModelError, match="NaN or infinity"):
        task.form(np.full((1, 8, 8, 2), np.nan, np.float32))


@pytest.mark.parametrize(
    ("task", "shape"),
    [
        (Classify(), (1, 4, 4, 3)),
        (Segment(), (1, 10)),
        (Landmarks(), (1, 1)),
        (Embed(), (1, 6, 6, 4)),
        (Image(), (1, 40, 40, 21)),
    ],
)
def test_outputs_of_other_networks_are_named_with_what_was_found(task: Any, shape: Any) -> None:
    with pytest.raises(ModelError) as caught:
        task.select({"there": np.zeros(shape, np.float32)})
    assert f"'there' (float32 {list(shape)})" in str(caught.value)
    assert "--decode module:function" in str(caught.value)


def test_of_several_outputs_that_fit_one_must_be_chosen() -> None:
    outputs = {name: np.zeros((1, 6), np.float32) for name in ("a", "b")}
    with pytest.raises(ModelError, match="choose one with --task_option output=a"):
        Embed().select(outputs)
    assert Embed(output="b").select(outputs) is outputs["b"]
    with pytest.raises(ModelError, match="no output is called 'c'; found 'a'"):
        Embed(output="c").select(outputs)
    # One alone that fits needs no choice.
    outputs["flag"] = outputs.pop("a")[:, :1]
    assert Embed().select(outputs) is outputs["b"]


def test_truth_of_another_kind_is_told_from_outputs_of_another_kind() -> None:
    with pytest.raises(DatasetError) as caught:
        Landmarks(dimensions=3).truth(np.zeros((10, 2)))
    assert "expected points as the model gives them" in str(caught.value)
    assert "mend the ground truth" in str(caught.value)
    assert "--decode" not in str(caught.value)


def test_masks_with_other_numbers_are_doubted() -> None:
    found = judging.entries(Segment(), [np.zeros((4, 4), int)], [np.full((4, 4), 3)])
    (doubt,) = Segment().doubts(found)
    assert "those of either are 0, 3" in doubt
    same = judging.entries(Segment(), [np.zeros((4, 4), int)], [np.eye(4, dtype=int)])
    assert Segment().doubts(same) == ()
