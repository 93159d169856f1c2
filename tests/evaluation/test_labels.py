from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.evaluation.classifiers import IMAGES, SHAPE
from tflite_eq.data.memory import MemorySamples
from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.errors import ConfigError, DatasetError, ModelError, TfliteEqError
from tflite_eq.evaluation.labels import LabelledSamples, open_labelled

PLAIN = Preprocessing()


def save_images(folder: Path, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        Image.fromarray(np.full((9, 9, 3), 10 * index, np.uint8)).save(folder / f"{index}.png")


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_give_files_and_labels_in_their_order(tmp_path: Path) -> None:
    save_images(tmp_path / "pics" / "sub", 4)
    table = write(
        tmp_path / "l.csv",
        "\ufeffextra,label,file,other\nx,7,sub/2.png,1\ny,,sub/0.png,1\n\n,3,sub/1.png,\nz,5\n",
    )
    with pytest.raises(DatasetError, match=r"line 6: has a label but no file name"):
        open_labelled(tmp_path / "pics", table)
    write(table, table.read_text(encoding="utf-8").replace("z,5\n", ""))
    found = open_labelled(tmp_path / "pics", table)
    assert found.labels == (7, 3)
    samples = found.samples(SHAPE, PLAIN)
    assert [float(sample.max()) for sample in samples] == [20.0, 10.0]
    other = open_labelled(tmp_path / "pics", table, label_column="other")
    assert other.labels == (1, 1)
    assert [float(sample.max()) for sample in other.samples(SHAPE, PLAIN)] == [20.0, 0.0]


def test_a_limit_takes_the_same_random_rows_every_time(tmp_path: Path) -> None:
    save_images(tmp_path, 25)
    rows = "".join(f"{index}.png,{index}\n" for index in range(25))
    table = write(tmp_path / "l.csv", "file,label\n" + rows)
    labels = open_labelled(tmp_path, table, limit=6).labels
    assert labels == open_labelled(tmp_path, table, limit=6).labels
    assert len(labels) == 6
    assert sorted(labels) == list(labels) != list(range(6))
    np.savez(tmp_path / "x.npz", images=IMAGES[:25], labels=np.arange(25))
    arrays = open_labelled(tmp_path / "x.npz", limit=6)
    assert arrays.labels == labels
    np.testing.assert_array_equal(arrays.samples(SHAPE, PLAIN)[5][0], IMAGES[labels[5]])


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
@pytest.mark.parametrize("column", [False, True])
def test_an_npz_holds_images_and_labels(tmp_path: Path, dtype: type, column: bool) -> None:
    labels = np.arange(60, dtype=dtype) % 10
    np.savez(tmp_path / "x.npz", x=IMAGES, y=labels[:, np.newaxis] if column else labels)
    found = open_labelled(tmp_path / "x.npz")
    assert found.labels == tuple(range(10)) * 6
    np.testing.assert_array_equal(found.samples(SHAPE, PLAIN)[7][0], IMAGES[7])


def test_label_arrays_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, x=IMAGES, fine=np.arange(60), coarse=np.arange(60) // 6)
    with pytest.raises(DatasetError, match=r"several arrays may be the labels.*fine: int64"):
        open_labelled(path)
    assert open_labelled(path, label_column="coarse").labels[-1] == 9
    with pytest.raises(DatasetError, match=r"no one-dimensional integer array 'x' of labels"):
        open_labelled(path, label_column="x")
    np.savez(path, x=IMAGES, labels=np.arange(60), ids=np.arange(60) // 6)
    assert open_labelled(path).labels[-1] == 59


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"has no column 'file'.*found \[\]"),
        ("name,label\n", r"has no column 'file'.*found \['name', 'label'\]"),
        ("file;label\n0.png;1\n", r"has no column 'file'.*found \['file;label'\]"),
        ("file,class\n0.png,1\n", r"has no column 'label'.*found \['file', 'class'\]"),
        ("file,label\n", r"no row has a label in column 'label'"),
        ("file,label\n0.png,\n1.png, \n", r"no row has a label in column 'label'"),
        ("file,label\n0.png,cat\n", r"l\.csv, line 2: label 'cat' is not an integer"),
        ("file,label\n0.png,1.5\n", r"l\.csv, line 2: label '1.5' is not an integer"),
        ("file,label\n0.png,1\n9.png,1\n", r"l\.csv, line 3: no such image .*9\.png"),
        ("file,label\n0.png,1\n1.png,1\n./0.png,1\n", r"line 4: '\./0\.png' is listed a second"),
        ("file,label\n,1\n", r"line 2: has a label but no file name"),
    ],
)
def test_bad_label_files_are_described(tmp_path: Path, text: str, message: str) -> None:
    save_images(tmp_path, 2)
    with pytest.raises(DatasetError, match=message):
        open_labelled(tmp_path, write(tmp_path / "l.csv", text))


def test_label_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.csv: no such file"):
        open_labelled(tmp_path, tmp_path / "none.csv")
    with pytest.raises(DatasetError, match=r"cannot be read as CSV"):
        open_labelled(tmp_path, tmp_path)
    (tmp_path / "l.csv").write_bytes(b"\xff\xfe\x00file")
    with pytest.raises(DatasetError, match=r"l\.csv: cannot be read as CSV"):
        open_labelled(tmp_path, tmp_path / "l.csv")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": IMAGES}, r"no one-dimensional integer array of labels; found x: uint8 \[60"),
        ({"x": IMAGES, "y": np.zeros(60)}, r"no one-dimensional integer array"),
        ({"x": IMAGES, "y": np.zeros(0, int)}, r"\['y'\]: holds no labels"),
        ({"x": IMAGES, "y": np.arange(59)}, r"60 samples in 'x' but 59 labels in 'y'"),
        ({"x": IMAGES[:, :5], "y": np.arange(60)}, r"no array fits the model's input"),
    ],
)
def test_bad_npz_files_are_described(
    tmp_path: Path, arrays: dict[str, np.ndarray], message: str
) -> None:
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(DatasetError, match=message):
        open_labelled(tmp_path / "x.npz").samples(SHAPE, PLAIN)


def test_arguments_that_do_not_go_together(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=IMAGES, y=np.arange(60))
    np.save(tmp_path / "x.npy", IMAGES)
    cases: list[tuple[type[TfliteEqError], str, Path, Path | None, int | None]] = [
        (ConfigError, "holds its own labels", tmp_path / "x.npz", tmp_path / "l.csv", None),
        (ConfigError, "name the CSV file", tmp_path, None, None),
        (DatasetError, "needs a folder of images or an .npz", tmp_path / "x.npy", None, None),
        (DatasetError, "no such file or folder", tmp_path / "none", None, None),
        (ConfigError, "at least one sample", tmp_path / "x.npz", None, 0),
    ]
    for error, message, dataset, labels, limit in cases:
        with pytest.raises(error, match=message):
            open_labelled(dataset, labels, limit=limit)


@pytest.mark.parametrize("label", [10, -1])
def test_labels_must_be_classes_of_the_model(tmp_path: Path, label: int) -> None:
    save_images(tmp_path, 2)
    table = write(tmp_path / "l.csv", f"file,label\n0.png,9\n1.png,{label}\n")
    with pytest.raises(DatasetError, match=rf"line 3: label {label} is outside 0\.\.9"):
        open_labelled(tmp_path, table).check_classes(10)
    np.savez(tmp_path / "x.npz", x=IMAGES[:2], y=np.array([0, label]))
    with pytest.raises(DatasetError, match=rf"\['y'\] position 1: label {label} is outside"):
        open_labelled(tmp_path / "x.npz").check_classes(10)


def test_recordings_have_one_label_each(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile", reason="pip install 'tflite-eq[audio]'")
    for index, frames in enumerate((50, 30, 99)):
        soundfile.write(tmp_path / f"{index}.wav", np.full(frames, index / 4), 8000)
    table = write(tmp_path / "l.csv", "file,label\n0.wav,5\n1.wav,6\n2.wav,7\n")
    found = open_labelled(tmp_path, table)
    assert found.labels == (5, 6, 7)
    heard = found.samples((1, 50), Preprocessing(audio_rate=8000))
    assert [round(4 * float(sample[0, 0])) for sample in heard] == [0, 1, 2]
    with pytest.raises(DatasetError, match=r"the 3 files hold 5 samples .* a label is for one"):
        found.samples((1, 33), Preprocessing(audio_rate=8000))


@pytest.mark.parametrize(
    ("stored", "shape", "expected"),
    [
        ((1, 6), (-1, 6), (1, 6)),
        ((1, 6), (6,), (6,)),
        ((1, 4, 4, 3), (1, -1, -1, 3), (1, 4, 4, 3)),
    ],
)
def test_samples_in_memory_for_inputs_of_every_kind(
    stored: tuple[int, ...], shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    arrays = [np.full(stored, index, np.float32) for index in range(3)]
    labelled = LabelledSamples(MemorySamples(arrays), (0, 1, 2))
    samples = labelled.samples(shape, PLAIN)
    assert samples.shape == expected
    assert [sample.shape for sample in samples] == [expected] * 3
    assert [float(sample.flat[0]) for sample in samples.select([2, 0])] == [2.0, 0.0]
    assert samples.name(1) == "sample 1"
    with pytest.raises(ModelError, match="takes samples of shape"):
        labelled.samples((1, 7), PLAIN)
