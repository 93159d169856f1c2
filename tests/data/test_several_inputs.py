"""Data for models with several inputs, and for inputs that are no batch of floats."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.data.properties import with_files
from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.data.samples import JoinedSamples, Samples
from tflite_eq.data.sources import left_over, open_data, subset
from tflite_eq.errors import ConfigError, DatasetError, ModelError
from tflite_eq.graph.inputs import ModelInput

PLAIN = Preprocessing()
CONTENT = dataclasses.replace(
    ModelInput.of_shape((1, 8, 8, 3), "content"), tensor_name="serving_default_content:0"
)
STYLE = dataclasses.replace(
    ModelInput.of_shape((1, 5), "style"), tensor_name="serving_default_style:0"
)
BOTH = (CONTENT, STYLE)
IMAGES = np.random.default_rng(0).random((6, 8, 8, 3), np.float32)
CODES = np.arange(30, dtype=np.float32).reshape(6, 5)


def joined(*data: object, inputs: tuple[ModelInput, ...] = BOTH) -> JoinedSamples:
    samples = open_data([str(value) for value in data], inputs, PLAIN)
    assert isinstance(samples, JoinedSamples)
    return samples


def save_images(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        Image.fromarray(np.full((9, 9, 3), index, np.uint8)).save(folder / f"{index}.png")
    return folder


def save(path: Path, values: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, values)
    return path


@pytest.mark.parametrize(
    "key", ["style", "style:0", "serving_default_style", "serving_default_style:0"]
)
def test_an_archive_with_arrays_called_like_the_inputs(tmp_path: Path, key: str) -> None:
    np.savez(tmp_path / "x.npz", **{"labels": np.arange(6), key: CODES, "content": IMAGES})
    samples = joined(tmp_path / "x.npz")
    assert len(samples) == 6
    for index, sample in enumerate(samples):
        assert list(sample) == ["content", "style"]
        np.testing.assert_array_equal(sample["content"], IMAGES[index : index + 1])
        np.testing.assert_array_equal(sample["style"], CODES[index : index + 1])


def test_each_input_from_files_of_its_own_kind(tmp_path: Path) -> None:
    photos = save_images(tmp_path / "photos", 6)
    codes = save(tmp_path / "codes.npy", CODES)
    one = joined(f"style={codes}", f"content={photos}")
    for index, (folder, name) in enumerate([(photos, "0.png"), (photos, "1.png")]):
        assert one.name(index) == f"{folder / name} with {codes} sample {index}"
        assert (one[index]["content"] == index).all()
    assert one.preprocessing == PLAIN
    assert [sample["style"][0, 0] for sample in one] == [0, 5, 10, 15, 20, 25]


def test_a_folder_with_a_folder_or_file_called_like_each_input(tmp_path: Path) -> None:
    save_images(tmp_path / "content", 6)
    (tmp_path / ".cache").mkdir()
    (tmp_path / "readme.md").write_text("hello")
    save(tmp_path / "style.npy", CODES)
    expected = list(joined(tmp_path))
    (tmp_path / "style.npy").unlink()
    for index in range(6):
        save(tmp_path / "style" / f"{index}.npy", CODES[index])
    for found, wanted in zip(joined(tmp_path), expected):
        for name in ("content", "style"):
            np.testing.assert_array_equal(found[name], wanted[name])


@given(st.integers(1, 12), st.integers(0, 3), st.integers(1, 5))
@with_files
def test_what_belongs_together_stays_together(
    tmp_path: Path, count: int, seed: int, limit: int
) -> None:
    np.savez(
        tmp_path / "x.npz",
        content=np.repeat(np.arange(9, dtype=np.float32), 8 * 8 * 3).reshape(9, 8, 8, 3),
        style=np.repeat(np.arange(9, dtype=np.float32), 5).reshape(9, 5),
    )
    every = joined(tmp_path / "x.npz")
    used, left = subset(every, count, seed), left_over(every, count, seed, limit)
    assert len(used) == min(count, 9)
    assert (left is None) == (count >= 9)
    seen = []
    for sample in [*used, *(left or ())]:
        assert set(sample["content"].flat) == set(sample["style"].flat)
        seen.append(float(sample["style"].flat[0]))
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["content=i"], ConfigError, r"input 'style' \(float32 \[1, 5\]\): add --calibration st"),
        (["i", "style=s.npy"], ConfigError, r"--calibration i: which input .* is not said; give"),
        (["i", "s.npy"], ConfigError, r"--calibration s\.npy: which input"),
        (["content=i", "style=s.npy", "style:0=s.npy"], ConfigError, "'style' has data already"),
        (["contents=i", "style=s.npy"], DatasetError, r"no input 'contents'; its inputs are 'con"),
        (["content=gone", "style=s.npy"], DatasetError, r"gone: no such file or folder"),
        (["gone"], DatasetError, r"gone: no such file .*--calibration content=PATH --calib"),
        (["content=i", "style=five.npy"], DatasetError, r"6 for 'content', 5 for 'style'; samples"),
        (["content=i", "style=wide.npy"], DatasetError, r"no array fits .*'style' .*\[N, 5\]"),
        (["content=i", "style=i"], DatasetError, r"'style' \(float32 \[1, 5\]\) does not take ima"),
        (["i"], DatasetError, r"nothing there is called like .*'content' .*'style' .*'0\.png', '1"),
        (["s.npy"], DatasetError, r"s\.npy: the model has 2 inputs, .*an \.npz file with arrays"),
        (["order.npz"], DatasetError, r"'arr_0', 'arr_1'; write it with np\.savez\('order\.npz', "),
        (["twice.npz"], DatasetError, r"'style' and 'style:0' may both be .* 'style'; keep one"),
        (["wide.npz"], DatasetError, r"wide\.npz\['style'\] has shape \[6, 7\], .*needs \[N, 5\]"),
        (["none.npz"], DatasetError, r"none\.npz: the data set is empty"),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    error: type[Exception],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    save_images(Path("i"), 6)
    np.save("s.npy", CODES)
    np.save("five.npy", CODES[:5])
    np.save("wide.npy", np.zeros((6, 7), np.float32))
    np.savez("order.npz", IMAGES, CODES)
    np.savez("twice.npz", **{"content": IMAGES, "style": CODES, "style:0": CODES})
    np.savez("wide.npz", content=IMAGES, style=np.zeros((6, 7), np.float32))
    np.savez("none.npz", content=IMAGES[:0], style=CODES[:0])
    with pytest.raises(error, match=message):
        open_data(arguments, BOTH, PLAIN)


def test_a_path_may_have_an_equals_sign(tmp_path: Path) -> None:
    folder = save_images(tmp_path / "size=9", 3)
    samples = open_data([folder], [CONTENT], PLAIN)
    assert len(samples) == 3
    assert len(open_data([f"content={folder}"], [CONTENT], PLAIN)) == 3


def test_of_several_arrays_that_fit_the_one_called_like_the_input(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=CODES + 1, style=CODES)
    samples = open_data([tmp_path / "x.npz"], [STYLE], PLAIN)
    np.testing.assert_array_equal(np.concatenate(list(samples)), CODES)


def taker(shape: tuple[int, ...], dtype: object = np.float32) -> ModelInput:
    return dataclasses.replace(ModelInput.of_shape(shape, "x"), dtype=np.dtype(dtype))


def read(path: Path, one: ModelInput, preprocessing: Preprocessing = PLAIN) -> list[np.ndarray]:
    samples = open_data([path], [one], preprocessing)
    assert isinstance(samples, Samples)
    found = list(samples)
    assert all(sample.dtype == one.dtype for sample in found)
    return found


@pytest.mark.parametrize(
    ("shape", "stored", "sample", "count"),
    [
        ((1600,), (7, 1600), (1600,), 7),
        ((1600,), (1600,), (1600,), 1),
        ((3, 40), (7, 3, 40), (3, 40), 7),
        ((2, 8, 8, 3), (7, 2, 8, 8, 3), (2, 8, 8, 3), 7),
        ((), (7,), (), 7),
        ((), (7, 1), (), 7),
        ((), (), (), 1),
        ((1,), (7,), (1,), 7),
        ((1,), (7, 1), (1,), 7),
        ((-1, 4), (7, 1, 4), (1, 4), 7),
        ((1, -1, 4), (7, 9, 4), (1, 9, 4), 7),
    ],
)
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_samples_have_the_inputs_own_dimensions(
    tmp_path: Path,
    shape: tuple[int, ...],
    stored: tuple[int, ...],
    sample: tuple[int, ...],
    count: int,
    suffix: str,
) -> None:
    values = np.arange(np.prod(stored, dtype=int), dtype=np.float32).reshape(stored)
    path = tmp_path / f"x{suffix}"
    (np.save if suffix == ".npy" else np.savez)(path, values)
    found = read(path, taker(shape))
    assert [one.shape for one in found] == [sample] * count
    np.testing.assert_array_equal(np.stack(found).reshape(-1), values.reshape(-1))


@pytest.mark.parametrize("stored", [(7, 5), (7, 2, 1)])
def test_a_single_number_is_not_found_in_every_array(
    tmp_path: Path, stored: tuple[int, ...]
) -> None:
    np.save(tmp_path / "x.npy", np.zeros(stored, np.float32))
    with pytest.raises(DatasetError, match=r"needs shape \[N\]"):
        read(tmp_path / "x.npy", taker(()))


INTEGERS = ["int8", "uint8", "int16", "int32", "int64"]


@given(data=st.data(), kind=st.sampled_from(INTEGERS), stored=st.sampled_from(INTEGERS))
@with_files
def test_integers_come_through_unchanged_or_not_at_all(
    tmp_path: Path, data: st.DataObject, kind: str, stored: str
) -> None:
    limits = np.iinfo(stored)
    values = data.draw(st.lists(st.integers(limits.min, limits.max), min_size=2, max_size=4))
    np.save(tmp_path / "x.npy", np.array([values], stored))
    one = taker((1, len(values)), kind)
    if all(np.iinfo(kind).min <= value <= np.iinfo(kind).max for value in values):
        assert [list(sample[0]) for sample in read(tmp_path / "x.npy", one)] == [values]
    else:
        with pytest.raises(DatasetError, match=rf"x\.npy sample 0 holds -?\d+, which {kind}"):
            read(tmp_path / "x.npy", one)


@pytest.mark.parametrize(
    ("kind", "stored"),
    [
        *[(kind, "float32") for kind in (*INTEGERS, "bool")],
        ("bool", "uint8"),
        ("int32", "bool"),
        ("float32", "int8"),
        ("float32", "int64"),
        ("float32", "bool"),
        ("int32", "U3"),
    ],
)
def test_element_types_that_an_input_does_not_take(tmp_path: Path, kind: str, stored: str) -> None:
    np.save(tmp_path / "x.npy", np.zeros((3, 4), stored))
    with pytest.raises(DatasetError, match=rf"element type \S+, .*'x' takes {kind}; store "):
        read(tmp_path / "x.npy", taker((1, 4), kind))


def test_conditions_are_bool(tmp_path: Path) -> None:
    values = np.array([[True, False], [False, False]])
    np.save(tmp_path / "x.npy", values)
    np.testing.assert_array_equal(
        np.concatenate(read(tmp_path / "x.npy", taker((1, 2), bool))), values
    )


def test_codes_of_a_quantized_input_are_int8_or_pixels(tmp_path: Path) -> None:
    one = dataclasses.replace(taker((1, 4)), codes=np.dtype(np.int8))
    codes = np.array([[-128, 0, 5, 127]], np.int8)
    np.save(tmp_path / "codes.npy", codes)
    samples = open_data([tmp_path / "codes.npy"], [one], Preprocessing((1.0,), (2.0,)))
    assert samples[0].dtype == np.int8
    np.testing.assert_array_equal(samples[0], codes)
    assert samples.preprocessing is None
    np.save(tmp_path / "pixels.npy", codes.view(np.uint8))
    samples = open_data([tmp_path / "pixels.npy"], [one], Preprocessing((1.0,), (2.0,)))
    np.testing.assert_array_equal(samples[0], (codes.view(np.uint8).astype(np.float32) - 1) / 2)


def test_pixels_for_an_input_of_integers_stay_what_they_are(tmp_path: Path) -> None:
    save_images(tmp_path, 3)
    for kind in ("uint8", "int32"):
        found = read(tmp_path, taker((1, 8, 8, 3), kind))
        assert [int(image.max()) for image in found] == [0, 1, 2]
    with pytest.raises(ConfigError, match="takes pixels as they are; leave out --image_mean"):
        read(tmp_path, taker((1, 8, 8, 3), "uint8"), Preprocessing((1.0,)))
    with pytest.raises(DatasetError, match="does not take images"):
        read(tmp_path, taker((1, 8, 8, 3), "int8"))


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 6])
def test_channels_of_images(
    tmp_path: Path, channels: int, capsys: pytest.CaptureFixture[str]
) -> None:
    save_images(tmp_path / "i", 2)
    one = taker((1, 8, 8, channels))
    if channels <= 4:
        assert [image.shape for image in read(tmp_path / "i", one)] == [(1, 8, 8, channels)] * 2
        is_told = "images without it get 255 (opaque)" in capsys.readouterr().err
        assert is_told == (channels in (2, 4))
    else:
        with pytest.raises(DatasetError, match=r"does not take images, .*1 \(grey\), .*\.npy"):
            read(tmp_path / "i", one)
    save(tmp_path / "x.npy", np.full((3, 8, 8, channels), 7, np.uint8))
    assert [image.max() for image in read(tmp_path / "x.npy", one)] == [7, 7, 7]


def test_a_batch_of_images_is_refused(tmp_path: Path) -> None:
    save_images(tmp_path, 3)
    with pytest.raises(ModelError, match=r"takes 2 images at a time; .*batch of 1, or pass arrays"):
        read(tmp_path, taker((2, 8, 8, 3)))
    np.save(tmp_path / "x.npy", IMAGES)
    with pytest.raises(ModelError, match=r"has shape \[2, 8, 8, 3\], 2 samples at a time; convert"):
        read(tmp_path / "x.npy", taker((2, 8, 8, 3)))


@pytest.mark.parametrize("kind", [object, np.void])
def test_inputs_of_no_numbers_are_refused_whatever_the_data(tmp_path: Path, kind: object) -> None:
    with pytest.raises(DatasetError, match="takes no numbers"):
        open_data([tmp_path], [taker((1,), kind)], PLAIN)


def test_a_folder_of_arrays_is_read_file_by_file(tmp_path: Path) -> None:
    parts = [CODES[:2], CODES[2], CODES[3:]]
    for index, part in enumerate(parts):
        save(tmp_path / f"{index}.npy", part)
    samples = open_data([tmp_path], [STYLE], PLAIN)
    np.testing.assert_array_equal(np.concatenate(list(samples)), CODES)
    assert [samples.name(index).split("/")[-1] for index in (1, 2, 5)] == [
        "0.npy sample 1",
        "1.npy sample 0",
        "2.npy sample 2",
    ]
    chosen = samples.select([5, 0, 2])
    np.testing.assert_array_equal(np.concatenate(list(chosen)), CODES[[5, 0, 2]])
    save(tmp_path / "3.npy", np.zeros(7, np.float32))
    with pytest.raises(DatasetError, match=r"3\.npy: no array fits"):
        open_data([tmp_path], [STYLE], PLAIN)


def test_thousands_of_files_are_not_open_at_the_same_time(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))
    for index in range(80):
        save(tmp_path / f"{index:03d}.npy", CODES[:1])
    samples = open_data([tmp_path], [STYLE], PLAIN)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 20, before[1]))
    try:
        assert sum(1 for _ in samples) == 80
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize(
    ("shape", "expected"), [((1, 8, 8, 3), 2), ((1, 8, 8, 6), 5), ((1, 40), 4)]
)
def test_of_what_is_in_a_folder_an_input_gets_what_it_takes(
    tmp_path: Path, shape: tuple[int, ...], expected: int, make_wav: Callable[[Path, int], None]
) -> None:
    save_images(tmp_path, 2)
    if shape[-1] == 6:
        save(tmp_path / "x.npy", np.zeros((5, *shape[1:]), np.float32))
    make_wav(tmp_path / "x.wav", 160)
    assert len(open_data([tmp_path], [taker(shape)], PLAIN)) == expected


@pytest.fixture
def make_wav() -> Callable[[Path, int], None]:
    soundfile = pytest.importorskip("soundfile", reason="pip install 'tflite-eq[audio]'")
    return lambda path, count: soundfile.write(path, np.zeros(count), 8000)
