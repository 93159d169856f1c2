from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.data.samples import Samples
from tflite_eq.data.sources import choose, left_over, open_data, subset
from tflite_eq.errors import ConfigError, DatasetError, ModelError
from tflite_eq.graph.inputs import ModelInput

SHAPE = (1, 8, 8, 3)
HALF = Preprocessing((10.0,), (2.0,))
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (6, 8, 8, 3)).astype(np.uint8)


def opened(path: Path, shape: tuple[int, ...] = SHAPE, count: int = 50, seed: int = 0) -> Samples:
    samples = open_data([path], [ModelInput.of_shape(shape)], HALF)
    assert isinstance(samples, Samples)
    return subset(samples, count, seed)


def save_images(folder: Path, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        Image.fromarray(np.full((9, 9, 3), index, np.uint8)).save(folder / f"{index:03d}.png")


def values(samples: Samples) -> list[float]:
    return [float(sample.flat[0]) for sample in samples]


def test_a_folder_gives_normalised_images_in_order_and_again(tmp_path: Path) -> None:
    save_images(tmp_path / "a", 4)
    samples = opened(tmp_path)
    assert len(samples) == 4
    assert values(samples) == values(samples) == [-5.0, -4.5, -4.0, -3.5]
    assert all(s.shape == SHAPE and s.dtype == np.float32 for s in samples)
    assert samples.name(1).endswith("001.png")


def test_a_seeded_subset_keeps_the_order(tmp_path: Path) -> None:
    save_images(tmp_path, 30)
    first = values(opened(tmp_path, count=10))
    assert first == values(opened(tmp_path, count=10))
    assert first == sorted(first)
    assert len(set(first)) == 10
    assert first != values(opened(tmp_path, count=10, seed=1))


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_held_back_samples_are_those_left_out(tmp_path: Path, limit: int) -> None:
    save_images(tmp_path, 30)
    used = values(opened(tmp_path, count=12, seed=3))
    every = open_data([tmp_path], [ModelInput.of_shape(SHAPE)], HALF)
    left = left_over(every, 12, 3, limit)
    assert left is not None
    rest = sorted(set(values(opened(tmp_path))) - set(used))
    found = values(left)
    assert found == sorted(set(found))
    assert len(found) == min(limit, 18)
    assert set(found) <= set(rest)
    assert left_over(every, 30, 3, limit) is None


@given(st.integers(0, 300), st.integers(1, 300), st.integers(-5, 5))
def test_choose_gives_distinct_ascending_indices(total: int, count: int, seed: int) -> None:
    chosen = choose(total, count, seed)
    assert chosen == sorted(set(chosen)) == choose(total, count, seed)
    assert len(chosen) == min(total, count)
    assert all(0 <= index < total for index in chosen)


def test_choose_never_changes() -> None:
    """The subset is part of a result's identity: a new Python must not change it."""
    assert choose(1000, 5, 0) == [40, 186, 402, 583, 993]


def test_an_image_list_is_relative_to_its_folder(tmp_path: Path) -> None:
    save_images(tmp_path / "pics", 3)
    absolute = tmp_path / "pics" / "000.png"
    listing = tmp_path / "list.txt"
    listing.write_text(f"# chosen\n\npics/002.png\r\n  pics/001.png  \n{absolute}\n", "utf-8-sig")
    assert values(opened(listing)) == [-4.0, -4.5, -5.0]


@pytest.mark.parametrize("compressed", [None, False, True])
@pytest.mark.parametrize("fortran", [False, True])
def test_uint8_arrays_are_normalised(
    tmp_path: Path, compressed: bool | None, fortran: bool
) -> None:
    stored = np.asfortranarray(PIXELS) if fortran else PIXELS
    path = tmp_path / ("x.npy" if compressed is None else "x.npz")
    if compressed is None:
        np.save(path, stored)
    else:
        save = np.savez_compressed if compressed else np.savez
        save(path, labels=np.arange(6), images=stored, extra=np.zeros((8, 8)))
    samples = opened(path)
    expected = (PIXELS.astype(np.float32) - 10) / 2
    np.testing.assert_array_equal(np.concatenate(list(samples)), expected)
    np.testing.assert_array_equal(samples[1][0], expected[1])  # backwards works too
    copy = pickle.loads(pickle.dumps(samples))
    np.testing.assert_array_equal(copy[4], samples[4])


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f2", "<f8"])
def test_float_arrays_are_taken_as_they_are(tmp_path: Path, dtype: str) -> None:
    stored = RNG.standard_normal((5, 7)).astype(dtype)
    for path in (tmp_path / "x.npy", tmp_path / "x.npz"):
        if path.suffix == ".npy":
            np.save(path, stored)
        else:
            np.savez(path, stored)
        samples = opened(path, (-1, 7))
        assert len(samples) == 5
        np.testing.assert_array_equal(np.concatenate(list(samples)), stored.astype(np.float32))


def test_a_batch_dimension_per_sample_and_no_batch_at_all(tmp_path: Path) -> None:
    np.save(tmp_path / "stacked.npy", PIXELS[:, np.newaxis])
    np.save(tmp_path / "single.npy", PIXELS[2])
    assert len(opened(tmp_path / "stacked.npy")) == 6
    np.testing.assert_array_equal(
        opened(tmp_path / "stacked.npy")[2], opened(tmp_path / "single.npy")[0]
    )


def test_a_big_array_is_not_copied_into_memory(tmp_path: Path) -> None:
    stored = np.lib.format.open_memmap(
        tmp_path / "big.npy", mode="w+", dtype=np.uint8, shape=(300_000, 64, 64, 3)
    )  # 3.7 GB, sparse on disk
    stored[-1] = 12
    stored.flush()
    samples = opened(tmp_path / "big.npy", (1, 64, 64, 3), count=300_000)
    assert samples[len(samples) - 1].max() == 1.0


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing", None, r"missing: no such file or folder"),
        ("x.bin", b"\x00\x01\xff", r"x\.bin: is neither a folder of images"),
        ("x.jpg", b"\xff\xd8\xff", r"x\.jpg: is neither .* put it in a list"),
        ("x.npy", b"", r"x\.npy: cannot be read as a NumPy file"),
        ("x.npy", b"\x93NUMPY\x01\x00v\x00{'descr'", r"x\.npy: cannot be read as a NumPy file"),
        ("x.npz", b"PK\x03\x04 cut off", r"x\.npz: cannot be read as a NumPy file"),
        ("l.txt", b"# nothing\n\n", r"l\.txt: the list names no images"),
        ("l.txt", b"a.png\n", r"l\.txt, line 1: no such image .*a\.png; paths are relative"),
        ("l.csv", b"file,label\n", r"l\.csv, line 1: 'file,label' is not the name of an image"),
        ("l.txt", b"#\nnotes.md\n", r"l\.txt, line 2: 'notes.md' is not the name of an image"),
    ],
)
def test_bad_files_are_named(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError, match=message):
        opened(tmp_path / name)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no images in this folder"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (
            np.zeros((3, 8, 8, 1), np.uint8),
            r"needs shape \[N, 8, 8, 3\]; found array: uint8 \[3, 8",
        ),
        (np.zeros((0, 8, 8, 3), np.uint8), r"the data set is empty"),
        (
            np.zeros((3, 8, 8, 3), np.int32),
            r"element type int32, .* takes float32; store uint8 pixels",
        ),
        (np.zeros((3, 8, 8, 3), bool), r"element type bool"),
        (np.zeros((3, 8, 8, 3), np.complex64), r"element type complex64"),
    ],
)
def test_wrong_arrays_are_described(tmp_path: Path, array: np.ndarray, message: str) -> None:
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(DatasetError, match=message):
        opened(tmp_path / "x.npy")


def test_an_npz_must_hold_exactly_one_fitting_array(tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", a=PIXELS, b=PIXELS)
    with pytest.raises(DatasetError, match=r"several arrays fit.*a: uint8 \[6.*b: uint8 \[6"):
        opened(tmp_path / "two.npz")
    np.savez(tmp_path / "none.npz", labels=np.arange(3))
    with pytest.raises(DatasetError, match=r"no array fits.*labels: int64 \[3\]"):
        opened(tmp_path / "none.npz")
    np.savez(tmp_path / "empty.npz")
    with pytest.raises(DatasetError, match=r"found no arrays"):
        opened(tmp_path / "empty.npz")


def test_python_objects_are_not_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(DatasetError, match="holds Python objects"):
        opened(tmp_path / "x.npy")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_values_that_are_not_finite_are_named(tmp_path: Path, bad: float, suffix: str) -> None:
    stored = np.zeros((4, 7), np.float64)
    stored[2, 3] = bad
    path = tmp_path / f"x{suffix}"
    (np.save if suffix == ".npy" else np.savez)(path, stored)
    samples = opened(path, (1, 7))
    assert samples[1].sum() == 0
    with pytest.raises(DatasetError, match=r"x\.np.*sample 2 holds NaN or infinity"):
        list(samples)


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_data_cut_off_after_the_header_are_reported(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    (np.save if suffix == ".npy" else np.savez)(path, PIXELS)
    path.write_bytes(path.read_bytes()[:-700])
    with pytest.raises(DatasetError, match="cannot be read as a NumPy file"):
        list(opened(path))


def test_a_damaged_archive_member_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, images=PIXELS)
    content = bytearray(path.read_bytes())
    content[700] ^= 0xFF  # inside the pixels: only the archive's checksum can tell
    path.write_bytes(content)
    with pytest.raises(DatasetError, match="cannot be read as a NumPy file"):
        list(opened(path))


def test_a_corrupt_image_is_named_when_its_turn_comes(tmp_path: Path) -> None:
    save_images(tmp_path, 3)
    (tmp_path / "001.png").write_bytes(b"broken")
    samples = opened(tmp_path)
    assert samples[0].shape == SHAPE
    with pytest.raises(DatasetError, match=r"001\.png: cannot be read as an image"):
        list(samples)


@pytest.mark.parametrize(
    ("shape", "error", "message"),
    [
        ((1, 3, 8, 9), DatasetError, "does not take images"),
        ((1, 64), DatasetError, "does not take images"),
        ((4, 8, 8, 3), ModelError, "batch of 1"),
        ((1, -1, -1, 3), ModelError, "fixed input size"),
        ((), DatasetError, "does not take images"),
    ],
)
def test_inputs_that_cannot_be_fed(
    tmp_path: Path, shape: tuple[int, ...], error: type[Exception], message: str
) -> None:
    save_images(tmp_path, 1)
    with pytest.raises(error, match=message):
        opened(tmp_path, shape)


def test_options_are_checked(tmp_path: Path) -> None:
    save_images(tmp_path, 1)
    with pytest.raises(ConfigError, match="at least one sample"):
        opened(tmp_path, count=0)
    of_colours = Preprocessing((1.0, 2.0, 3.0))
    with pytest.raises(ConfigError, match="give one number"):
        open_data([tmp_path], [ModelInput.of_shape((1, 8, 8, 1))], of_colours)
    np.save(tmp_path / "x.npy", np.zeros((2, 5), np.uint8))
    with pytest.raises(ConfigError, match="give one number"):
        open_data([tmp_path / "x.npy"], [ModelInput.of_shape((1, 5))], of_colours)
