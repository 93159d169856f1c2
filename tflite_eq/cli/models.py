"""Loading the model that the command line names, whatever its format."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING

from tflite_eq.arguments import given_model
from tflite_eq.errors import ModelError
from tflite_eq.file_formats import folders
from tflite_eq.files import is_folder
from tflite_eq.keras_models import is_keras, load_keras_model
from tflite_eq.quiet import quiet

if TYPE_CHECKING:
    from tflite_eq.converter import EasyQuantConverter


def load_float_model(path: str) -> bytes:
    """The float ``.tflite`` of a ``.tflite``, Keras or SavedModel path.

    Raises:
        ModelError: There is no such file, its format is not known, or it cannot be read.
    """
    location = pathlib.Path(path)
    try:
        if is_folder(location):
            if not folders.is_saved_model(location):
                found = folders.recognized(location)
                raise ModelError(
                    f"{path}: the directory holds no saved_model.pb, so it is no SavedModel: "
                    f"{found.what}; {found.remedy}"
                )
            converter = _converters().from_saved_model(path)
        elif is_keras(location):
            converter = _converters().from_keras_model(load_keras_model(path))
        else:
            return location.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error
    converter.origin = path
    with quiet() as said:
        try:
            return converter.float_model()
        except ModelError:
            said()  # the error names what did not convert; MLIR tells it again in pages
            raise


def _converters() -> type[EasyQuantConverter]:
    """The converter, which brings the whole quantizer along: most commands only read files."""
    from tflite_eq.converter import EasyQuantConverter

    return EasyQuantConverter


def read_tflite(path: str) -> bytes:
    """The content of a ``.tflite`` file, unchecked.

    Raises:
        ModelError: There is no such file, or it cannot be read.
    """
    return given_model(path)[0]


def _unreadable(path: str, error: OSError) -> ModelError:
    if isinstance(error, FileNotFoundError):
        return ModelError(f"{path}: no such file; check the path of the model")
    return ModelError(f"{path}: cannot read the model: {error.strerror}; name another file")
