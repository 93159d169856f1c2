"""Files that are no ``.tflite`` are named for what they are, with a remedy that works."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import shlex
import subprocess
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from tests import models
from tflite_eq.errors import ModelError
from tflite_eq.file_formats import formats
from tflite_eq.graph import schema


def varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def field(number: int, value: int | bytes | str) -> bytes:
    """A field of a protocol buffer, written by the rules of the wire format."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def node(name: str, op: str, *inputs: str) -> bytes:
    return field(1, name) + field(2, op) + b"".join(field(3, i) for i in inputs)


def frozen_graph() -> bytes:
    nodes = [
        node("image", "Placeholder"),
        node("filter", "Const"),
        node("conv", "Conv2D", "image", "filter"),
        node("scores", "Softmax", "conv:0"),
    ]
    return b"".join(field(1, n) for n in nodes) + field(4, field(1, 440))


def onnx_model() -> bytes:
    graph = field(1, field(1, "x") + field(2, "y") + field(4, "Relu")) + field(2, "main")
    return field(1, 8) + field(2, "pytorch") + field(7, graph) + field(8, field(2, 17))


def core_ml_model() -> bytes:
    return field(1, 4) + field(2, field(1, field(1, "image"))) + field(500, field(1, b"layers"))


def saved_model(tags: Iterable[str] = ("serve",), signatures: Iterable[str] = ("s",)) -> bytes:
    info = b"".join(field(4, tag) for tag in tags) + field(5, "2.19.1")
    graph = field(1, node("x", "Placeholder"))
    entries = b"".join(field(5, field(1, key) + field(2, b"")) for key in signatures)
    return field(1, 1) + field(2, field(1, info) + field(2, graph) + entries)


def meta_graph() -> bytes:
    return field(1, field(5, "1.15.0")) + field(2, field(1, node("x", "Placeholder")))


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "/").replace("_DOT_", "."), data)
    return buffer.getvalue()


def tarred(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def array_file() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 4126810\n"

# File name, content, what the message calls it, and a part of the remedy.
FILES = {
    "lfs": ("m.tflite", LFS, "a Git LFS pointer", "git lfs pull"),
    "annex": ("m.tflite", b"/annex/objects/SHA256E-s3--ab", "git-annex", "git annex get"),
    "web page": ("m.tflite", b"\n<!DOCTYPE html>\n<html>", "a web page", "download the file"),
    "onnx": ("net.onnx", onnx_model(), "an ONNX model", "onnx2tf -i net.onnx"),
    "onnx by another name": ("net.bin", onnx_model(), "an ONNX model", "onnx2tf -i net.bin"),
    "frozen graph": ("g.pb", frozen_graph(), "a frozen", "'g.pb', ['image'], ['scores'])"),
    "frozen text": ("g.pbtxt", b'node {\n  name: "x"\n}', "graph as text", "from_frozen_graph"),
    "saved model": ("d/saved_model.pb", saved_model(), "of a SavedModel", "--model d"),
    "checkpoint graph": ("m.meta", meta_graph(), "checkpoint", "SavedModel"),
    "checkpoint data": ("m.ckpt.data-00000-of-00001", b"\x01\x02\x03", "checkpoint", "SavedModel"),
    "core ml": ("m.mlmodel", core_ml_model(), "a Core ML model", "float .tflite"),
    "torch": ("m.pt", zipped(m__data_DOT_pkl=b"x"), "a PyTorch file", "yolo export model=m.pt"),
    "torch script": (
        "m.pt",
        zipped(m__data_DOT_pkl=b"x", m__constants_DOT_pkl=b"x"),
        "a TorchScript model",
        "litert_torch.convert",
    ),
    "exported program": (
        "m.pt2",
        zipped(m__archive_format=b"pt2", m__models__model_DOT_json=b"{}"),
        "an exported program of PyTorch",
        "litert_torch.convert(torch.export.load('m.pt2').module(), (sample,))",
    ),
    "older exported program": (
        "m.pt2",
        zipped(serialized_exported_program_DOT_json=b"{}", version=b"8"),
        "an exported program of PyTorch",
        "torch.export.load('m.pt2')",
    ),
    "pickle": ("m.pkl", pickle.dumps([1, 2]), "a Python pickle", "in Python"),
    "executorch": ("m.pte", b"\x10\0\0\0ET12", "an ExecuTorch program", "litert_torch"),
    "onnx runtime": ("m.ort", b"\x10\0\0\0ORTM", "ONNX Runtime", "of the ONNX model"),
    "task bundle": (
        "f.task",
        zipped(face_detector_DOT_tflite=b"x", face_landmarks_DOT_tflite=b"x"),
        "2 .tflite file(s) inside (face_detector.tflite, face_landmarks.tflite)",
        "unzip f.task face_detector.tflite",
    ),
    "task bundle with aligned models": (
        "f.task",
        b"\0\0" + zipped(pose_detector_DOT_tflite=b"x"),
        "1 .tflite file(s) inside (pose_detector.tflite)",
        "unzip f.task pose_detector.tflite",
    ),
    "zipped saved model": (
        "s.zip",
        zipped(net__saved_model_DOT_pb=b"x"),
        "with a SavedModel inside",
        "--model model/net",
    ),
    "npz": ("x.npz", zipped(x_DOT_npy=array_file()), "archive of arrays", "--calibration"),
    "npy": ("x.npy", array_file(), "a NumPy array", "--calibration"),
    "other zip": ("x.zip", zipped(readme=b"x"), "a zip archive with readme inside", "unzip x.zip"),
    "damaged zip": ("x.zip", zipped(readme=b"x")[:40], "cut off or damaged", "again"),
    "keras": (
        "m.tflite",
        zipped(config_DOT_json=b"{}", metadata_DOT_json=b"{}"),
        "a Keras model",
        "load_model('m.tflite')",
    ),
    "hdf5": ("m.tflite", formats.HDF5 + b"\0", "an HDF5 file", "load_model('m.tflite')"),
    "tar": ("m.tar", tarred(a=b"x"), "a tar archive", "tar xf m.tar"),
    "tar.gz": ("m.tar.gz", gzip.compress(tarred(a=b"x")), "compressed tar", "tar xzf m.tar.gz"),
    "gzip": ("m.tflite.gz", gzip.compress(models.conv_net()), "a .tflite compressed", "gunzip -c"),
    "damaged gzip": ("m.gz", gzip.compress(b"x" * 99)[:9] + b"\xff" * 9, "damaged gzip", "again"),
    "xz": ("m.xz", b"\xfd7zXZ\x00....", "compressed with xz", "xz -dk m.xz"),
    "zstd": ("m.zst", b"(\xb5/\xfd....", "Zstandard", "zstd -d m.zst"),
    "tfjs graph": (
        "model.json",
        b'{"format": "graph-model", "modelTopology": {"node": [{"name": "x"}]}}',
        "TensorFlow.js",
        "tfjs_graph_converter --output_format tf_saved_model model.json saved_model",
    ),
    "tfjs graph of old": (
        "model.json",
        b'{"modelTopology": {"node": [], "versions": {}}, "weightsManifest": []}',
        "TensorFlow.js",
        "tfjs_graph_converter",
    ),
    "tfjs": ("model.json", b'{"modelTopology": {}}', "TensorFlow.js", "tensorflowjs_converter"),
    "architecture": (
        "m.json",
        json.dumps({"class_name": "Functional", "config": {}}).encode(),
        "without weights",
        "model.load_weights",
    ),
    "openvino": ("m.xml", b'<?xml version="1.0"?>\n<net name="x">', "an OpenVINO network", "float"),
    "darknet": ("yolo.cfg", b"# x\n[net]\nbatch=1\n", "a Darknet network", "float"),
    "weights of another framework": ("a.caffemodel", b"\x9a\x01\x02", "another framework", "float"),
    "image": ("x.tflite", b"\x89PNG\r\n", "an image", "--calibration"),
}


@pytest.mark.parametrize("case", FILES)
def test_every_kind_is_named_with_its_remedy(case: str) -> None:
    path, data, what, remedy = FILES[case]
    with pytest.raises(ModelError) as caught:
        schema.parse(data, path)
    message = str(caught.value)
    assert message.startswith(f"{path}: not a TFLite flatbuffer but ")
    assert what in message
    assert remedy in message


@pytest.mark.parametrize("data", [b"some text, no model", b"\x00" * 64, bytes(range(256)), b"PK"])
def test_nothing_is_made_up_about_unknown_bytes(data: bytes) -> None:
    assert formats.recognized(data, "m.tflite") is None


@pytest.mark.parametrize("case", FILES)
@pytest.mark.parametrize("part", [0.3, 0.7, 0.95])
def test_cut_files_are_judged_without_an_error(case: str, part: float) -> None:
    path, data, _, _ = FILES[case]
    formats.recognized(data[: int(len(data) * part)], path)


def test_the_command_for_a_compressed_model_works_when_pasted(tmp_path: Path) -> None:
    path = tmp_path / "my model.tflite.gz"
    path.write_bytes(gzip.compress(models.conv_net()))
    found = formats.recognized(path.read_bytes(), str(path))
    assert found is not None
    command = found.remedy.split("unpack it: ")[1]
    subprocess.run(["sh", "-c", command], check=True)
    assert (tmp_path / "my model.tflite").read_bytes() == models.conv_net()


def test_the_command_for_a_bundle_names_a_member_that_is_there(tmp_path: Path) -> None:
    path = tmp_path / "f.task"
    path.write_bytes(zipped(face_DOT_tflite=models.conv_net()))
    found = formats.recognized(path.read_bytes(), str(path))
    assert found is not None
    program, archive, member = shlex.split(found.remedy.split("one of them: ")[1])
    assert program == "unzip"
    assert zipfile.ZipFile(archive).read(member) == models.conv_net()
