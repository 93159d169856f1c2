from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tflite_eq.data.folders import IMAGES, find_samples
from tflite_eq.data.images import load_pixels
from tflite_eq.errors import DatasetError


def save(path: Path, pixels: np.ndarray, mode: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path)
    return path


def grey(height: int, width: int, value: int = 90) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def test_images_are_found_below_in_sorted_order(tmp_path: Path) -> None:
    for name in ("b/2.png", "b/10.JPG", "a.jpeg", "b/c/x.bmp", "B.png"):
        save(tmp_path / name, grey(4, 4))
    for name in ("notes.txt", ".hidden.png", ".cache/y.png", "b/labels.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = [path.relative_to(tmp_path).as_posix() for path in find_samples(tmp_path)[IMAGES]]
    assert found == ["B.png", "a.jpeg", "b/10.JPG", "b/2.png", "b/c/x.bmp"]


def test_linked_folders_are_followed_once(tmp_path: Path) -> None:
    save(tmp_path / "data" / "x.png", grey(4, 4))
    save(tmp_path / "elsewhere" / "y.png", grey(4, 4))
    os.symlink(tmp_path / "elsewhere", tmp_path / "data" / "link")
    os.symlink(tmp_path / "data", tmp_path / "data" / "loop")
    found = [path.name for path in find_samples(tmp_path / "data")[IMAGES]]
    assert sorted(found) == ["x.png", "y.png"]


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("hello")
    with pytest.raises(DatasetError, match=r"no images in this folder.*name the \.npy"):
        find_samples(tmp_path)


@pytest.mark.parametrize(
    ("source", "size"),
    [((224, 224), (224, 224)), ((100, 300), (32, 32)), ((300, 41), (32, 48)), ((1, 1), (7, 5))],
)
def test_the_result_has_the_size_asked_for(
    tmp_path: Path, source: tuple[int, int], size: tuple[int, int]
) -> None:
    path = save(tmp_path / "x.png", grey(*source))
    pixels = load_pixels(path, *size, 3)
    assert pixels.shape == (*size, 3)
    assert pixels.dtype == np.uint8
    assert (pixels == 90).all()


def test_an_image_of_margin_size_is_cut_without_scaling(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (256, 300, 3), np.uint8)
    path = save(tmp_path / "x.png", pixels)
    np.testing.assert_array_equal(load_pixels(path, 224, 224, 3), pixels[16:240, 38:262])


def test_reduction_averages_instead_of_skipping_pixels(tmp_path: Path) -> None:
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 255  # vanishes without antialiasing: every second column is dropped
    path = save(tmp_path / "x.png", stripes)
    assert np.abs(load_pixels(path, 56, 56, 3).astype(int) - 127).max() <= 2


def test_the_middle_is_kept_in_both_directions(tmp_path: Path) -> None:
    pixels = grey(64, 192, 0)
    pixels[:, 64:128] = 200
    wide = save(tmp_path / "wide.png", pixels)
    tall = save(tmp_path / "tall.png", pixels.transpose(1, 0, 2).copy())
    assert load_pixels(wide, 56, 56, 3).min() >= 195
    assert load_pixels(tall, 56, 56, 3).min() >= 195


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "CMYK", "LA"])
def test_every_common_mode_gives_rgb_and_luminance(tmp_path: Path, mode: str) -> None:
    suffix = "jpg" if mode == "CMYK" else "png"
    path = save(tmp_path / f"x.{suffix}", grey(9, 9, 255), mode)
    for channels in (1, 3):
        assert (load_pixels(path, 8, 8, channels) >= 250).all()


def test_luminance_weighs_colours(tmp_path: Path) -> None:
    green = np.zeros((9, 9, 3), np.uint8)
    green[..., 1] = 200
    pixels = load_pixels(save(tmp_path / "x.png", green), 8, 8, 1)
    assert abs(int(pixels[0, 0, 0]) - 200 * 0.587) <= 1


def test_bad_images_are_named(tmp_path: Path) -> None:
    whole = save(
        tmp_path / "whole.png", np.random.default_rng(0).integers(0, 256, (99, 99, 3), np.uint8)
    )
    cut = tmp_path / "cut.png"
    cut.write_bytes(whole.read_bytes()[:2000])
    with pytest.raises(DatasetError, match=r"cut\.png: cannot be read as an image"):
        load_pixels(cut, 8, 8, 3)
    (tmp_path / "text.jpg").write_text("not an image")
    with pytest.raises(DatasetError, match=r"text\.jpg: cannot be read as an image"):
        load_pixels(tmp_path / "text.jpg", 8, 8, 3)
    (tmp_path / "empty.jpg").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"empty\.jpg: cannot be read"):
        load_pixels(tmp_path / "empty.jpg", 8, 8, 3)
    with pytest.raises(DatasetError, match=r"none\.jpg: no such image"):
        load_pixels(tmp_path / "none.jpg", 8, 8, 3)


def test_more_than_8_bits_are_refused_instead_of_clipped(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    Image.fromarray(np.full((9, 9), 40000, np.uint16)).save(path)
    with pytest.raises(DatasetError, match=r"deep\.png: has more than 8 bits"):
        load_pixels(path, 8, 8, 3)


def test_a_hair_thin_image_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "thin.png", grey(1, 3000))
    with pytest.raises(DatasetError, match=r"thin\.png: 3000 x 1 pixels is too long and thin"):
        load_pixels(path, 224, 224, 3)
