"""Loading Keras files with the Keras they were written for.

TensorFlow 2.16 and later bring Keras 3, which loads many files of Keras 2 and not all; Keras 2 goes
on under the name ``tf_keras``. What a file needs is decided from what it says about itself; no code
that is stored in it is run.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import pathlib
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

from tflite_eq.errors import ModelError
from tflite_eq.file_formats import archives, formats, keras_file
from tflite_eq.file_formats.keras_file import KerasFile, release
from tflite_eq.quiet import quiet
from tflite_eq.tensorflow_import import check_tensorflow, import_tensorflow

# The remedy of those who have no TensorFlow.
OTHERWISE = "convert it to a float .tflite where TensorFlow is, and pass that"

_SUFFIXES = (".keras", ".h5", ".hdf5")

# Backends of Keras 2 that keep the filters of convolutions turned by 180 degrees.
_TURNED = ("theano", "cntk")

_LEGACY = "tf_keras"

# How Keras 2 and 3 say that they do not know a class or function.
_UNKNOWN = re.compile(
    r"(Unknown (layer|activation function|object|\w+)|Could not locate (class|function)"
    r"|Could not interpret \w+ \w+ identifier):? *'?(?P<name>[\w>]+)"
)

# Layers of Keras 2 that Keras 3 does not have, those that stand for operations on tensors included.
_OF_KERAS_2 = frozenset(
    """
    AddLoss AddMetric ClassMethod CuDNNGRU CuDNNLSTM DenseFeatures Functional InstanceMethod
    InstanceProperty LocallyConnected1D LocallyConnected2D RandomFourierFeatures SlicingOpLambda
    SyncBatchNormalization TensorFlowOpLayer TFOpLambda ThresholdedReLU
    """.split()
)


def is_keras(path: pathlib.Path) -> bool:
    """Whether a file is to be loaded as a Keras model: by what it holds, else by its name.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as stream:
        start = stream.read(len(formats.HDF5))
        if start == formats.HDF5:
            return True
        if not start.startswith(b"PK"):
            return path.suffix.lower() in _SUFFIXES
        stream.seek(0)
        names = archives.member_names(stream.read())
    return path.suffix.lower() in _SUFFIXES or (names is not None and archives.is_keras(names))


def load_keras_model(path: str) -> Any:
    """The Keras model in a file.

    Raises:
        ModelError: The file is no Keras model, or needs what only the user has.
        BackendError: TensorFlow is not installed.
        OSError: The file cannot be read.
    """
    location = pathlib.Path(path)
    _check_format(location)
    check_tensorflow(f"the Keras model {path}", OTHERWISE)
    try:
        file = keras_file.read(location)
    except keras_file.KerasFileError as error:
        raise ModelError(
            f"{path}: the Keras file is cut off or damaged ({error}); write or download it again"
        ) from error
    _check_loadable(path, file)
    tf = import_tensorflow(f"the Keras model {path}", OTHERWISE)
    keras = _keras_for(path, file, tf)
    with _named_rightly(location, file) as named:
        try:
            with quiet():
                return keras.models.load_model(named, compile=False)
        except MemoryError:
            raise
        except Exception as error:  # Keras raises a type per format and version
            raise _cannot_load(path, file, tf, keras, error) from error


def _check_format(path: pathlib.Path) -> None:
    """Keras itself says "File not found" of a file that is no archive."""
    data = path.read_bytes()
    if data.startswith(formats.HDF5):
        return
    names = archives.member_names(data) if data.startswith(b"PK") else []
    if names is None or archives.is_keras(names):
        return
    if not data:
        raise ModelError(f"{path}: the file is empty; write or download it again")
    found = formats.recognized(data, str(path))
    if found is not None:
        raise ModelError(f"{path}: not a Keras model but {found.what}; {found.remedy}")
    wanted = "a zip archive" if path.suffix.lower() == ".keras" else "an HDF5 file"
    raise ModelError(
        f"{path}: not a Keras model (expected {wanted}, found {data[:8]!r}); save it with "
        "model.save, or pass a SavedModel directory or a .tflite file"
    )


def _check_loadable(path: str, file: KerasFile) -> None:
    """Refuse what no Keras could load by itself, or what would compute something else."""
    if not file.has_network:
        if not file.has_weights:
            raise ModelError(
                f"{path}: an HDF5 file without a Keras model in it; save one with model.save"
            )
        raise ModelError(
            f"{path}: holds weights only and no network, as model.save_weights writes; build the "
            f"network in Python, then model.load_weights({path!r}) and model.save('model.keras'), "
            "and pass that"
        )
    if file.backend in _TURNED:
        raise ModelError(
            f"{path}: was saved by Keras with the backend {file.backend}, which stores filters "
            "turned by 180 degrees; load and save it with Keras 2.2 and TensorFlow as its backend "
            "first"
        )
    if file.major is not None and file.major < 2:
        raise ModelError(
            f"{path}: was saved by Keras {file.version}, which later ones do not read; load and "
            "save it with Keras 2.2 first"
        )
    if file.custom or file.lambdas:
        raise _needs_python(path, file, file.custom)


def _needs_python(path: str, file: KerasFile, custom: Sequence[str]) -> ModelError:
    """What to do about layers whose code only the user has, or may trust."""
    what, options = [], ["compile=False"]
    steps = [f"import pathlib, tflite_eq; {_keras_import(file)}"]
    if custom:
        names = list(dict.fromkeys(name.split(">")[-1] for name in custom))
        what.append(f"classes or functions that are not Keras' own ({', '.join(names)})")
        steps.append(f"from YOUR_MODULE import {', '.join(names)}")
        given = ", ".join(f"{name!r}: {name.split('>')[-1]}" for name in custom)
        options.append(f"custom_objects={{{given}}}")
    if file.lambdas:
        what.append(f"Python code in Lambda layers ({', '.join(file.lambdas)})")
        options.append("safe_mode=False")
    steps += [
        f"model = keras.models.load_model({path!r}, {', '.join(options)})",
        "made = tflite_eq.EasyQuantConverter.from_keras_model(model).float_model()",
        "pathlib.Path('model.tflite').write_bytes(made)",
    ]
    trust = " if you trust the file" if file.lambdas else ""
    return ModelError(
        f"{path}: needs {' and '.join(what)}; load it in Python{trust} and use from_keras_model, "
        f"then pass model.tflite: {'; '.join(steps)}"
    )


def _keras_import(file: KerasFile) -> str:
    """The import that gives ``keras``: the one the file was written for."""
    if file.major == 2 and _has_keras_2():
        return f"import {_LEGACY} as keras"
    return "from tensorflow import keras"


def _keras_for(path: str, file: KerasFile, tf: Any) -> Any:
    """``tf.keras``, or Keras 2 where a file needs that and it is installed."""
    if not _is_of_older_keras(file, tf) or not _has_keras_2():
        return tf.keras
    try:
        with quiet():
            return importlib.import_module(_LEGACY)
    except ImportError as error:
        raise ModelError(
            f"{path}: was saved by Keras {file.version}, and {_LEGACY}, which reads it, does not "
            f"import ({error}); install the one for TensorFlow {tf.__version__}: "
            f"{_legacy_command(tf)}"
        ) from error


def _has_keras_2() -> bool:
    """Whether Keras 2 is installed beside Keras 3."""
    return importlib.util.find_spec(_LEGACY) is not None


def _is_of_older_keras(file: KerasFile, tf: Any) -> bool:
    return file.major == 2 and release(_version(tf.keras))[:1] > (2,)


def _version(keras: Any) -> str:
    """Version of a Keras; ``tf.keras`` of TensorFlow 2.14 does not have it, its package does."""
    package = importlib.import_module(keras.__name__.split(".")[0])
    return str(getattr(package, "__version__", ""))


def _legacy_command(tf: Any) -> str:
    """The pip command for the Keras 2 of an installed TensorFlow.

    All it depends on is a distribution named tensorflow, which pip would put over tensorflow-cpu.
    """
    major, minor = release(tf.__version__)
    return f"pip install --no-deps '{_LEGACY}~={major}.{minor}.0'"


@contextlib.contextmanager
def _named_rightly(path: pathlib.Path, file: KerasFile) -> Iterator[str]:
    """The file under a name from which Keras tells the format that it has."""
    suffixes = (".h5", ".hdf5") if file.is_hdf5 else (".keras",)
    if path.name.endswith(suffixes):
        yield str(path)
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / f"model{suffixes[0]}"
        shutil.copyfile(path, copy)
        yield str(copy)


def _cannot_load(path: str, file: KerasFile, tf: Any, keras: Any, error: Exception) -> ModelError:
    version = _version(keras)
    named = _UNKNOWN.search(str(error))
    if named and not _is_of_keras(keras, named["name"]):
        others = [name for name in file.layers if not _is_of_keras(keras, name)]
        return _needs_python(path, file, list(dict.fromkeys([named["name"], *others])))
    if named and _is_operation(keras, named["name"]) and file.is_hdf5:
        return ModelError(
            f"{path}: the network computes with operations on tensors ({named['name']}), which "
            "Keras 3 writes into HDF5 files but does not read from them; save it as model.keras"
        )
    start = f"{path}: Keras cannot load the model ({reason(error)})"
    if keras is tf.keras and _is_of_older_keras(file, tf):
        return ModelError(
            f"{path}: was saved by Keras {file.version}, which Keras {version} cannot load "
            f"({reason(error)}); install Keras 2 beside it, and the same command works: "
            f"{_legacy_command(tf)}"
        )
    if release(file.version) > release(version):
        # Keras 3 comes with TensorFlow from 2.16 on.
        newer = f"keras>={file.version}" if release(version)[:1] > (2,) else "tensorflow>=2.16"
        return ModelError(
            f"{start}. It was saved by Keras {file.version}, and {version} is installed: "
            f"pip install '{newer}', or export a SavedModel or .tflite there"
        )
    saved_by = f"Keras {file.version}" if file.version else "another Keras version"
    return ModelError(
        f"{start}. If it was saved by {saved_by}, export a SavedModel or .tflite with that one"
    )


def _is_of_keras(keras: Any, name: str) -> bool:
    """Whether a class that a file names is Keras' own, be it of another version."""
    is_class = hasattr(keras.layers, name) or hasattr(keras, name)
    return is_class or name in _OF_KERAS_2 or _is_operation(keras, name)


def _is_operation(keras: Any, name: str) -> bool:
    """Whether a class stands for a function of ``keras.ops``, such as ``ReduceMax`` or ``Relu``."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return hasattr(getattr(keras, "ops", None), words)


def reason(error: Exception) -> str:
    """Type and first line: what follows in TensorFlow's messages are C++ stack traces."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:300]}"
