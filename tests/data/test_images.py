from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.data.properties import with_files
from tflite_eq.data.folders import IMAGES, find_samples
from tflite_eq.data.images import load_pixels
from tflite_eq.data.preprocessing import ChannelOrder, Exif, Preprocessing, Resize
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


def test_formats_that_are_not_read_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Telephones store .HEIC: a folder of them holds images for whoever made them."""
    for name in ("a.HEIC", "b.heic", "c.avif", ".d.heic"):
        (tmp_path / name).write_bytes(b"\0\0\0\x18ftypheic")
    with pytest.raises(DatasetError, match=r"there are 1 \.avif file, 2 \.heic files, of formats"):
        find_samples(tmp_path)
    (tmp_path / "e.png").touch()
    assert [path.name for path in find_samples(tmp_path)[IMAGES]] == ["e.png"]
    assert "left out 1 .avif file, 2 .heic files, of formats" in capsys.readouterr().err


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


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "CMYK", "LA"])
def test_every_common_mode_gives_every_number_of_channels(
    tmp_path: Path, mode: str, channels: int
) -> None:
    suffix = "jpg" if mode in ("CMYK", "RGB") else "png"
    path = save(tmp_path / f"x.{suffix}", grey(9, 9, 255), mode)
    pixels = load_pixels(path, 8, 8, channels)
    assert pixels.shape == (8, 8, channels)
    assert (pixels >= 250).all()


def test_opacity_is_that_of_the_image_or_full(tmp_path: Path) -> None:
    clear = np.full((9, 9, 4), 100, np.uint8)
    clear[..., 3] = 0
    for channels in (2, 4):
        pixels = load_pixels(save(tmp_path / "clear.png", clear), 8, 8, channels)
        assert (pixels[..., :-1] == 100).all()  # not weighed by it
        assert (pixels[..., -1] == 0).all()
        opaque = load_pixels(save(tmp_path / "x.jpg", grey(9, 9, 100)), 8, 8, channels)
        assert (opaque[..., -1] == 255).all()


def test_a_palettes_transparent_colour_has_no_opacity(tmp_path: Path) -> None:
    image = Image.new("P", (9, 9), 1)
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.paste(0, (0, 0, 9, 4))
    image.save(tmp_path / "x.png", transparency=0)
    pixels = load_pixels(tmp_path / "x.png", 9, 9, 4, Preprocessing(resize=Resize.STRETCH))
    assert [list(row) for row in (pixels[0, 0], pixels[8, 8])] == [
        [10, 20, 30, 0],
        [40, 50, 60, 255],
    ]


def test_a_models_order_of_colours(tmp_path: Path) -> None:
    colours = np.zeros((9, 9, 4), np.uint8) + np.array([10, 20, 30, 40], np.uint8)
    path = save(tmp_path / "x.png", colours)
    bgr = Preprocessing(order=ChannelOrder.BGR)
    for channels, expected in ((3, [30, 20, 10]), (4, [30, 20, 10, 40])):
        assert list(load_pixels(path, 8, 8, channels, bgr)[4, 4]) == expected


# What a camera held in this way stores of a scene, by the value of its note: EXIF 2.3, "the 0th row
# is the visual top", "the 0th column is the visual left-hand side" and so on.
HELD = {
    1: lambda scene: scene,
    2: lambda scene: scene[:, ::-1],
    3: lambda scene: scene[::-1, ::-1],
    4: lambda scene: scene[::-1],
    5: lambda scene: scene.transpose(1, 0, 2),
    6: lambda scene: scene.transpose(1, 0, 2)[::-1],
    7: lambda scene: scene.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda scene: scene.transpose(1, 0, 2)[:, ::-1],
}


@pytest.mark.parametrize("orientation", sorted(HELD))
def test_images_are_upright_however_the_camera_was_held(tmp_path: Path, orientation: int) -> None:
    scene = np.random.default_rng(0).integers(0, 256, (12, 20, 3), np.uint8)
    stored = HELD[orientation](scene)
    note = Image.Exif()
    note[0x0112] = orientation
    path = tmp_path / "x.png"
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=note)
    whole = Preprocessing(resize=Resize.STRETCH)
    np.testing.assert_array_equal(load_pixels(path, 12, 20, 3, whole), scene)
    ignored = dataclasses.replace(whole, exif=Exif.IGNORE)
    np.testing.assert_array_equal(load_pixels(path, *stored.shape[:2], 3, ignored), stored)


@pytest.mark.parametrize("content", [b"", b"\xff", b"Exif\0\0MM\0*\xff\xff\xff\xff", b"x" * 50])
def test_a_damaged_note_of_the_camera_does_not_matter(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.jpg"
    Image.fromarray(grey(9, 9)).save(path, exif=content)
    assert (load_pixels(path, 8, 8, 3) == 90).all()


sizes = st.integers(1, 40)


@with_files
@given(height=sizes, width=sizes, target=st.tuples(sizes, sizes))
def test_a_letterbox_holds_the_whole_image_between_black_bars(
    tmp_path: Path, height: int, width: int, target: tuple[int, int]
) -> None:
    path = save(tmp_path / "x.png", grey(height, width, 255))
    pixels = load_pixels(path, *target, 1, Preprocessing(resize=Resize.LETTERBOX))[..., 0]
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    assert (pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] == 255).all()
    assert (pixels > 0).sum() == len(rows) * len(columns)
    # One side is filled, the other has the image's proportions, and the bars differ by a pixel.
    scale = min(target[0] / height, target[1] / width)
    assert len(rows) == pytest.approx(max(1, scale * height), abs=0.51)
    assert len(columns) == pytest.approx(max(1, scale * width), abs=0.51)
    assert len(rows) == target[0] or len(columns) == target[1]
    for used, size in ((rows, target[0]), (columns, target[1])):
        assert 0 <= (size - 1 - used[-1]) - used[0] <= 1


def test_stretching_keeps_every_corner(tmp_path: Path) -> None:
    pixels = np.zeros((64, 200, 3), np.uint8)
    pixels[:32, :100], pixels[:32, 100:], pixels[32:, :100] = 50, 100, 150
    path = save(tmp_path / "x.png", pixels)
    found = load_pixels(path, 16, 16, 1, Preprocessing(resize=Resize.STRETCH))[..., 0]
    assert [int(found[y, x]) for y in (0, 15) for x in (0, 15)] == [50, 100, 150, 0]


def test_only_the_middle_of_what_is_long_and_thin_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "x.png", grey(1, 200))
    with pytest.raises(DatasetError, match="--image_resize stretch or letterbox"):
        load_pixels(path, 8, 8, 3)
    for resize in (Resize.STRETCH, Resize.LETTERBOX):
        assert load_pixels(path, 8, 8, 3, Preprocessing(resize=resize)).shape == (8, 8, 3)


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
