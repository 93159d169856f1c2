"""Loading the model that the command line names, whatever its format."""

from __future__ import annotations

import pathlib

from tflite_eq.converter import OTHERWISE, EasyQuantConverter
from tflite_eq.errors import ModelError
from tflite_eq.files import exists, is_folder
from tflite_eq.quiet import quiet
from tflite_eq.tensorflow_import import import_tensorflow

_KERAS_SUFFIXES = (".keras", ".h5", ".hdf5")


def load_float_model(path: str) -> bytes:
    """The float ``.tflite`` of a ``.tflite``, Keras or SavedModel path.

    Raises:
        ModelError: There is no such file, its format is not known, or it cannot be read.
    """
    location = pathlib.Path(path)
    if is_folder(location):
        if not any(exists(location / name) for name in ("saved_model.pb", "saved_model.pbtxt")):
            raise ModelError(
                f"{path}: the directory holds no saved_model.pb, so it is no SavedModel; pass the "
                "SavedModel directory itself, a .keras/.h5 file or a .tflite file"
            )
        return _converted(EasyQuantConverter.from_saved_model(path), path)
    if location.suffix.lower() in _KERAS_SUFFIXES:
        _check_keras_format(location)
        tf = import_tensorflow(f"the Keras model {path}", OTHERWISE)
        try:
            with quiet():
                model = tf.keras.models.load_model(path, compile=False)
        except Exception as error:  # Keras raises a type per format and version
            raise ModelError(
                f"{path}: Keras cannot load the model ({_reason(error)}). If it was saved by "
                "another Keras version, export a SavedModel or .tflite with that one"
            ) from error
        return _converted(EasyQuantConverter.from_keras_model(model), path)
    return read_tflite(path)


def read_tflite(path: str) -> bytes:
    """The content of a ``.tflite`` file, unchecked.

    Raises:
        ModelError: There is no such file, or it cannot be read.
    """
    try:
        return pathlib.Path(path).read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: OSError) -> ModelError:
    if isinstance(error, FileNotFoundError):
        return ModelError(f"{path}: no such file; check the path of the model")
    return ModelError(f"{path}: cannot read the model: {error.strerror}; name another file")


def _check_keras_format(path: pathlib.Path) -> None:
    """Keras itself says "File not found" of a file that is no archive."""
    wanted = "a zip archive" if path.suffix.lower() == ".keras" else "an HDF5 file"
    try:
        with path.open("rb") as stream:
            start = stream.read(8)
    except OSError as error:
        raise _unreadable(str(path), error) from error
    if not start.startswith((b"PK", b"\x89HDF")):
        raise ModelError(
            f"{path}: not a Keras model (expected {wanted}, found {start!r}); save it with "
            "model.save, or pass a SavedModel directory or a .tflite file"
        )


def _converted(converter: EasyQuantConverter, path: str) -> bytes:
    try:
        with quiet():
            return converter.float_model()
    except Exception as error:  # the converter raises whatever MLIR's status maps to
        raise ModelError(
            f"{path}: TensorFlow cannot convert the model to TFLite ({_reason(error)}); mend the "
            "model, or convert it yourself and pass the float .tflite"
        ) from error


def _reason(error: Exception) -> str:
    """Type and first line: what follows in TensorFlow's messages are C++ stack traces."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:300]}"
