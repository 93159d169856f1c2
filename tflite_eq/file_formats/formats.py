"""What a file is that is no ``.tflite``: models of other frameworks, archives, failed downloads.

A file is known by its content. Its name counts only in the remedy, and where a format has nothing
to be known by.
"""

from __future__ import annotations

import dataclasses
import re
import shlex
import zlib
from collections.abc import Sequence
from pathlib import PurePath

from tflite_eq.file_formats import archives, frozen_graph, saved_model, wire

HDF5 = b"\x89HDF\r\n\x1a\n"
TFLITE = b"TFL3"  # at byte 4

# Bytes that tell what a text is.
_HEAD = 4096
_MOST_PADDING = 64

_ONNX_TO_TFLITE = "convert it, e.g.: pip install onnx2tf && onnx2tf -i {path}"
_TORCH_TO_TFLITE = (
    "convert it in Python, e.g. with litert_torch.convert(model.eval(), (sample,)).export("
    "'model.tflite') of pip install litert-torch; for an Ultralytics model: yolo export "
    "model={path} format=tflite"
)
_EXPORTED_TO_TFLITE = (
    "convert it in Python: litert_torch.convert(torch.export.load({python_path}).module(), "
    "(sample,)).export('model.tflite') of pip install litert-torch"
)

# Files of which archives of torch.export.save have one, by the version of PyTorch.
_EXPORTED_PROGRAM = {"archive_format", "serialized_exported_program.json"}


@dataclasses.dataclass(frozen=True)
class ForeignFormat:
    """What a file is, as it follows "this is", and what to do instead of passing it.

    Attributes:
        what: With an article, e.g. ``an ONNX model``.
        remedy: A command where there is one.
    """

    what: str
    remedy: str


def recognized(data: bytes, path: str) -> ForeignFormat | None:
    """What bytes are that are no TFLite flatbuffer; ``None`` if nothing is known about them.

    Args:
        data: Content of the file.
        path: Where it lies, for the remedy.
    """
    quoted = shlex.quote(path)
    for prefix, found in _MAGIC:
        if data.startswith(prefix):
            return _with_path(found, path)
    if data[4:8] in _FLATBUFFERS:
        return _with_path(_FLATBUFFERS[data[4:8]], path)
    if data.startswith(b"\x1f\x8b"):
        return _compressed(data, path)
    if data[257:262] == b"ustar":
        return ForeignFormat(
            "a tar archive", f"unpack it and pass the model inside: tar xf {quoted}"
        )
    # MediaPipe's bundles have zeros in front, which align the models inside.
    if data[:_MOST_PADDING].lstrip(b"\0").startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip(data, path)
    for look in (_text, _onnx, _saved_model, _core_ml, _meta_graph, _frozen_graph):
        guess = look(data, path)
        if guess is not None:
            return guess
    for pattern, found in _NAMES:
        if re.search(pattern, PurePath(path).name):
            return _with_path(found, path)
    return None


def _with_path(found: ForeignFormat, path: str) -> ForeignFormat:
    remedy = found.remedy.replace("{path}", shlex.quote(path)).replace("{python_path}", repr(path))
    return ForeignFormat(found.what, remedy)


_TORCH = ForeignFormat("a PyTorch file", _TORCH_TO_TFLITE)
_CHECKPOINT = ForeignFormat(
    "a part of a TensorFlow checkpoint, which holds weights and no network",
    "export the network with them as a SavedModel and pass its folder, or convert it in Python "
    "with tflite_eq.EasyQuantConverter.from_keras_model(model)",
)

_MAGIC: tuple[tuple[bytes, ForeignFormat], ...] = (
    (
        b"version https://git-lfs.github.com/spec/",
        ForeignFormat(
            "a Git LFS pointer, which stands for the file in the repository",
            "fetch the file itself: git lfs pull",
        ),
    ),
    (
        b"/annex/objects/",
        ForeignFormat(
            "a git-annex pointer, which stands for the file in the repository",
            "fetch the file itself: git annex get {path}",
        ),
    ),
    (
        HDF5,
        ForeignFormat(
            "an HDF5 file, as Keras writes",
            "where it holds a model, name it .h5 and use the command line, or load it in Python: "
            "EasyQuantConverter.from_keras_model(tf.keras.models.load_model({python_path}))",
        ),
    ),
    (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19", _TORCH),
    (
        b"\x80",
        ForeignFormat("a Python pickle", "convert the model it holds to a float .tflite in Python"),
    ),
    (b"GGUF", ForeignFormat("a GGUF language model", "pass the float .tflite of the model")),
    (
        b"LITERTLM",
        ForeignFormat(
            "a LiteRT-LM bundle of a language model", "pass a float .tflite of one network"
        ),
    ),
    (
        b"\x93NUMPY",
        ForeignFormat(
            "a NumPy array, no model", "data belong to --calibration, the model to --model"
        ),
    ),
    (b"BZh", ForeignFormat("compressed with bzip2", "unpack it: bunzip2 -k {path}")),
    (b"\xfd7zXZ\x00", ForeignFormat("compressed with xz", "unpack it: xz -dk {path}")),
    (b"(\xb5/\xfd", ForeignFormat("compressed with Zstandard", "unpack it: zstd -d {path}")),
    (b"7z\xbc\xaf'\x1c", ForeignFormat("a 7-Zip archive", "unpack it: 7z x {path}")),
    (b"Rar!\x1a\x07", ForeignFormat("a RAR archive", "unpack it: unrar x {path}")),
    (
        b"%PDF",
        ForeignFormat("a PDF document, no model", "pass the model file"),
    ),
    (b"\x89PNG", ForeignFormat("an image, no model", "images belong to --calibration")),
    (b"\xff\xd8\xff", ForeignFormat("an image, no model", "images belong to --calibration")),
)

_FLATBUFFERS = {
    b"ORTM": ForeignFormat(
        "a model in ONNX Runtime's own format", "pass a .tflite made of the ONNX model"
    ),
    b"ET12": ForeignFormat("an ExecuTorch program", _TORCH_TO_TFLITE),
}

_NAMES: tuple[tuple[str, ForeignFormat], ...] = (
    (r"\.ckpt|\.data-\d+-of-\d+$|\.index$", _CHECKPOINT),
    (
        r"\.(weights|caffemodel|pdiparams|pdmodel|params|ncnn\.bin|mnn|rknn|engine|trt|plan)$",
        ForeignFormat(
            "by its name, a model of another framework",
            "convert the network it was made from to a float .tflite",
        ),
    ),
)


def _compressed(data: bytes, path: str) -> ForeignFormat:
    """Gzip: a packed folder, as TF Hub has them, or a single file."""
    quoted = shlex.quote(path)
    try:
        head = zlib.decompressobj(wbits=31).decompress(data[: 1 << 16], _HEAD)
    except zlib.error:
        return ForeignFormat("a damaged gzip file", "download it again")
    if head[257:262] == b"ustar":
        return ForeignFormat(
            "a compressed tar archive",
            f"unpack it and pass what is inside, a folder for a SavedModel: "
            f"mkdir model && tar xzf {quoted} -C model",
        )
    inner = "a .tflite" if head[4:8] == TFLITE else "a file"
    unpacked = path[:-3] if path.endswith(".gz") else f"{path}.tflite"
    return ForeignFormat(
        f"{inner} compressed with gzip",
        f"unpack it: gunzip -c {quoted} > {shlex.quote(unpacked)}",
    )


def _zip(data: bytes, path: str) -> ForeignFormat:
    """Bundles, archives of weights, and everything else that is a zip file."""
    quoted = shlex.quote(path)
    names = archives.member_names(data)
    if names is None:
        return ForeignFormat(
            "a zip archive that is cut off or damaged", "write or download it again"
        )
    if archives.is_keras(names):
        return ForeignFormat(
            "a Keras model",
            "name it .keras and use the command line, or load it in Python: "
            f"EasyQuantConverter.from_keras_model(tf.keras.models.load_model({path!r}))",
        )
    inside = [name for name in names if name.endswith((".tflite", ".lite"))]
    if inside:
        shown = ", ".join(inside[:5]) + (", ..." if len(inside) > 5 else "")
        return ForeignFormat(
            f"a bundle with {len(inside)} .tflite file(s) inside ({shown})",
            f"unpack it and pass one of them: unzip {quoted} {shlex.quote(inside[0])}",
        )
    if any(PurePath(name).name == "data.pkl" for name in names):
        scripted = any(PurePath(name).name == "constants.pkl" for name in names)
        what = "a TorchScript model" if scripted else _TORCH.what
        return _with_path(ForeignFormat(what, _TORCH.remedy), path)
    if any(PurePath(name).name in _EXPORTED_PROGRAM for name in names):
        return _with_path(
            ForeignFormat("an exported program of PyTorch", _EXPORTED_TO_TFLITE), path
        )
    folders = [name for name in names if PurePath(name).name == "saved_model.pb"]
    if folders:
        folder = PurePath(folders[0]).parent
        return ForeignFormat(
            "a zip archive with a SavedModel inside",
            f"unpack it and pass the folder: unzip {quoted} -d model, then --model "
            f"{shlex.quote(str(PurePath('model') / folder))}",
        )
    if names and all(name.endswith(".npy") for name in names):
        return ForeignFormat(
            "a NumPy archive of arrays, no model",
            "data belong to --calibration, the model to --model",
        )
    shown = ", ".join(names[:3]) or "nothing"
    return ForeignFormat(f"a zip archive with {shown} inside", f"unpack it: unzip {quoted}")


_TEXTS: tuple[tuple[str, ForeignFormat], ...] = (
    (
        r"\s*<(!doctype html|html)",
        ForeignFormat(
            "a web page: the download brought that instead of the file",
            "download the file itself, on GitHub and Hugging Face with its raw or download link",
        ),
    ),
    (
        r'[\s\S]*"format": *"graph-model"|[\s\S]*"modelTopology": *\{\s*"node"',
        ForeignFormat(
            "the description of a TensorFlow.js model",
            "convert it back: pip install tfjs-graph-converter, then tfjs_graph_converter "
            "--output_format tf_saved_model {path} saved_model",
        ),
    ),
    (
        r'[\s\S]*"modelTopology"|[\s\S]*"weightsManifest"',
        ForeignFormat(
            "the description of a TensorFlow.js model",
            "convert it back: pip install tensorflowjs, then tensorflowjs_converter "
            "--input_format=tfjs_layers_model --output_format=keras_saved_model {path} saved_model",
        ),
    ),
    (
        r'\s*\{[\s\S]*"class_name": *"(Functional|Sequential|Model)"',
        ForeignFormat(
            "a Keras architecture without weights",
            "build it in Python, load the weights (tf.keras.models.model_from_json, "
            "model.load_weights) and use EasyQuantConverter.from_keras_model(model)",
        ),
    ),
    (
        r"\s*<\?xml[\s\S]*<net\b",
        ForeignFormat(
            "an OpenVINO network",
            "convert the network it was made from to a float .tflite",
        ),
    ),
    (r"\s*model_checkpoint_path:", _CHECKPOINT),
    (
        r"\s*node *\{",
        ForeignFormat(
            "a frozen TensorFlow graph as text",
            "convert it in Python: tf.compat.v1.lite.TFLiteConverter.from_frozen_graph("
            "{python_path}, inputs, outputs).convert()",
        ),
    ),
    (
        r"[\s\S]*^\[(net|network|convolutional)\]\s*$",
        ForeignFormat(
            "a Darknet network description",
            "convert the network with its weights to a float .tflite first",
        ),
    ),
)


def _text(data: bytes, path: str) -> ForeignFormat | None:
    try:
        head = data[:_HEAD].decode(errors="strict" if len(data) <= _HEAD else "ignore")
    except UnicodeDecodeError:
        return None
    if "\x00" in head:
        return None
    for pattern, found in _TEXTS:
        if re.match(pattern, head, re.IGNORECASE | re.MULTILINE):
            return _with_path(found, path)
    return None


def _fields(data: bytes) -> dict[int, wire.Value]:
    """The first field under every number of a message, as far as the bytes make sense."""
    found: dict[int, wire.Value] = {}
    try:
        for number, value in wire.fields(data):
            found.setdefault(number, value)
    except wire.WireError:
        return {}
    return found


# Fields of onnx.ModelProto.
_ONNX_FIELDS = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26})
_ONNX_VERSION, _ONNX_GRAPH, _ONNX_OPSETS = 1, 7, 8


def _onnx(data: bytes, path: str) -> ForeignFormat | None:
    found = _fields(data)
    if not {_ONNX_VERSION, _ONNX_GRAPH, _ONNX_OPSETS} <= found.keys() <= _ONNX_FIELDS:
        return None
    if not isinstance(found[_ONNX_VERSION], int) or isinstance(found[_ONNX_GRAPH], int):
        return None
    return _with_path(ForeignFormat("an ONNX model", _ONNX_TO_TFLITE), path)


def _core_ml(data: bytes, path: str) -> ForeignFormat | None:
    """Its kind of model is a field with a number from 200 on."""
    found = _fields(data)
    if isinstance(found.get(1), int) and 2 in found and any(number >= 200 for number in found):
        return ForeignFormat(
            "a Core ML model", "convert the network it was made from to a float .tflite"
        )
    return None


def _saved_model(data: bytes, path: str) -> ForeignFormat | None:
    found = _fields(data)
    if found.keys() != {1, 2} or not isinstance(found[1], int):
        return None
    try:
        saved_model.meta_graphs(data)
    except wire.WireError:
        return None
    folder = PurePath(path).parent
    return ForeignFormat(
        "the graph of a SavedModel, whose weights lie beside it",
        f"pass the folder: --model {shlex.quote(str(folder))}",
    )


def _meta_graph(data: bytes, path: str) -> ForeignFormat | None:
    """A ``.meta`` file: tags or the version of TensorFlow in front, then the graph."""
    found = _fields(data)
    try:
        info = wire.part(found[1])
        versions = wire.texts(info, 5)
        is_graph = frozen_graph.outline(bytes(wire.part(found[2]))) is not None
    except (KeyError, wire.WireError):
        return None
    return _CHECKPOINT if versions and is_graph else None


def _frozen_graph(data: bytes, path: str) -> ForeignFormat | None:
    graph = frozen_graph.outline(data)
    if graph is None:
        return None
    ends = f"{_listed(graph.inputs)}, {_listed(graph.outputs)}"
    return ForeignFormat(
        "a frozen TensorFlow graph",
        "convert it in Python: import pathlib, tensorflow as tf; "
        "pathlib.Path('model.tflite').write_bytes("
        f"tf.compat.v1.lite.TFLiteConverter.from_frozen_graph({path!r}, {ends}).convert())",
    )


def _listed(names: Sequence[str]) -> str:
    return f"[{', '.join(map(repr, names[:5]))}]"
