"""Ground truth in files belongs to the samples it is for, or is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tflite_eq.errors import ConfigError, DatasetError
from tflite_eq.evaluation.tasks.detect import Detect
from tflite_eq.evaluation.tasks.embed import Embed
from tflite_eq.evaluation.tasks.landmarks import Landmarks
from tflite_eq.evaluation.tasks.segment import Segment
from tflite_eq.evaluation.truth import check_geometry, given_truth, open_truth

MASKS = np.random.default_rng(4).integers(0, 20, (3, 5, 6)).astype(np.uint8)


def pictures(folder: Path) -> list[str]:
    """Image files, and masks with a palette that are called like them."""
    (folder / "masks").mkdir()
    for number, mask in enumerate(MASKS):
        Image.new("RGB", (6, 5)).save(folder / f"{number}.jpg")
        image = Image.fromarray(mask, "P")
        image.putpalette([value for value in range(255, -1, -1) for _ in range(3)])
        image.save(folder / "masks" / f"{number}.png")
    return [str(folder / f"{number}.jpg") for number in (2, 0, 1)]


def test_masks_of_a_folder_are_the_numbers_behind_a_palette(tmp_path: Path) -> None:
    names = pictures(tmp_path)
    read = given_truth(open_truth(tmp_path / "masks", Segment(), names), Segment(), names)
    for mask, number in zip(read, (2, 0, 1)):
        np.testing.assert_array_equal(mask, MASKS[number])


def test_a_sample_without_a_file_and_a_file_for_two_are_refused(tmp_path: Path) -> None:
    names = pictures(tmp_path)
    folder = tmp_path / "masks"
    with pytest.raises(DatasetError, match=r"no file there is called new\.\*"):
        open_truth(folder, Segment(), [*names, str(tmp_path / "new.jpg")])
    np.save(folder / "2.npy", MASKS[2])
    with pytest.raises(DatasetError, match=r"both 2\.npy and 2\.png"):
        open_truth(folder, Segment(), names)


def test_arrays_go_by_position(tmp_path: Path) -> None:
    points = np.random.default_rng(4).random((3, 7, 2))
    np.save(tmp_path / "points.npy", points)
    read = given_truth(open_truth(tmp_path / "points.npy", Landmarks(), "abc"), Landmarks(), "abc")
    np.testing.assert_array_equal(np.stack(list(read)), points)
    np.savez(tmp_path / "two.npz", a=points, b=points)
    with pytest.raises(DatasetError, match="which array is the ground truth is not said"):
        open_truth(tmp_path / "two.npz", Landmarks(), "abc")


def test_other_files_are_refused_with_what_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "masks.txt").write_text("0")
    with pytest.raises(DatasetError, match=r"is no ground truth of task segment; name a \.npy"):
        open_truth(tmp_path / "masks.txt", Segment(), ["a"])
    with pytest.raises(DatasetError, match="JSON file with COCO's annotations"):
        open_truth(tmp_path / "masks.txt", Detect(), ["a"])
    with pytest.raises(ConfigError, match="--labels in place of --truth"):
        open_truth(tmp_path, Embed(), ["a"])
    (tmp_path / "0.png").write_text("no image")
    with pytest.raises(DatasetError, match=r"0\.png: cannot be read as an image"):
        given_truth(open_truth(tmp_path, Segment(), ["0.jpg"]), Segment(), ["0.jpg"])


def test_truth_about_whole_images_needs_whole_images(tmp_path: Path) -> None:
    names = pictures(tmp_path)
    for resize in ("crop", "letterbox"):
        for task in (Segment(), Detect()):
            with pytest.raises(ConfigError, match="give --image_resize stretch"):
                check_geometry(task, "masks", resize, names)
    check_geometry(Segment(), "masks", "stretch", names)
    check_geometry(Landmarks(), "points", "crop", names)  # in the model's own coordinates
    check_geometry(Segment(), "masks", "crop", ["array 0"])  # arrays are not resized


def test_boxes_are_parts_of_the_image(tmp_path: Path) -> None:
    names = pictures(tmp_path)
    size = {"width": 6, "height": 5}
    images = [{"id": n, "file_name": f"{n}.jpg", **size} for n in range(3)]
    box = {"id": 1, "image_id": 2, "category_id": 3, "bbox": [3, 1, 2, 4], "area": 8, "iscrowd": 1}
    content = {"images": images, "annotations": [box], "categories": [{"id": 3}]}
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(content))
    first, *others = given_truth(open_truth(path, Detect(), names), Detect(), names)
    np.testing.assert_allclose(first.corners, [[0.2, 0.5, 1.0, 5 / 6]])
    assert (first.classes.tolist(), first.crowds.tolist()) == ([2], [True])
    assert [len(other.classes) for other in others] == [0, 0]
