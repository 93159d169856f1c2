"""What a Keras file says about itself: who wrote it, and which layers need more than Keras.

``.keras`` archives hold JSON; ``.h5`` files hold the same JSON in an attribute. Lambda layers and
custom ones are found here, before TensorFlow is imported and before any code in the file could run.
"""

from __future__ import annotations

import dataclasses
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tflite_eq.file_formats.formats import HDF5

# Modules in which Keras' own classes lie. Older versions of Keras 2 name no modules.
_OWN_MODULES = ("keras", "tf_keras", "builtins")

_LAMBDA = "Lambda"

# Functions are stored by their names if they are Keras' own, else as objects of these classes.
_FUNCTION, _LAMBDA_FUNCTION = "function", "__lambda__"

# What a model is trained with: not loaded, so it may need whatever it likes.
_TRAINING = "compile_config"

_ATTRIBUTES = ("keras_version", "backend", "model_config")

# Where Keras 2 and 3, and checkpoints of models, keep weights in a file of weights alone.
_WEIGHTS_ATTRIBUTE = "layer_names"
_WEIGHTS_GROUPS = frozenset({"layers", "vars", "_layer_checkpoint_dependencies", "model_weights"})


class KerasFileError(ValueError):
    """The file cannot be read as what its first bytes say it is."""


@dataclasses.dataclass(frozen=True)
class KerasFile:
    """What is known of a Keras file without Keras.

    Attributes:
        is_hdf5: Whether it is an HDF5 file; a zip archive otherwise.
        version: Of the Keras that wrote it, e.g. ``2.14.0``; empty if it does not say.
        backend: What that Keras computed with, e.g. ``tensorflow`` or ``theano``.
        has_network: Whether it describes a network.
        has_weights: Whether it holds weights, which may be all it holds.
        lambdas: Names of its Lambda layers.
        custom: Classes and functions that are none of Keras', as far as the file tells, by the
            names they are registered under, e.g. ``package>Class``.
        layers: Classes of all its layers.
    """

    is_hdf5: bool
    version: str
    backend: str
    has_network: bool
    has_weights: bool
    lambdas: tuple[str, ...] = ()
    custom: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()

    @property
    def major(self) -> int | None:
        """The first number of the version, ``None`` if it has none."""
        return next(iter(release(self.version)), None)


def release(version: str) -> tuple[int, ...]:
    """The numbers a version begins with, e.g. (2, 14) of ``2.14.0-tf``; major and minor only."""
    numbers = []
    for part in version.split(".")[:2]:
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


def read(path: Path) -> KerasFile:
    """Read what a Keras file says about itself.

    Raises:
        KerasFileError: It is damaged.
        ImportError: It is an HDF5 file and h5py, which comes with Keras, is not installed.
        OSError: It cannot be read.
    """
    with path.open("rb") as stream:
        is_hdf5 = stream.read(len(HDF5)) == HDF5
    return _read_hdf5(path) if is_hdf5 else _read_archive(path)


def _read_archive(path: Path) -> KerasFile:
    try:
        with zipfile.ZipFile(path) as archive:
            metadata = json.loads(archive.read("metadata.json"))
            config = json.loads(archive.read("config.json"))
        version = str(metadata.get("keras_version", ""))
    except (zipfile.BadZipFile, KeyError, ValueError, AttributeError, EOFError) as error:
        raise KerasFileError(" ".join(str(error).split()) or type(error).__name__) from error
    return _described(KerasFile(False, version, "", isinstance(config, dict), True), config)


def _read_hdf5(path: Path) -> KerasFile:
    import h5py  # comes with Keras, and only Keras' files need it

    try:
        with h5py.File(path, "r") as file:
            attributes = {key: _plain(file.attrs.get(key)) for key in _ATTRIBUTES}
            has_weights = _WEIGHTS_ATTRIBUTE in file.attrs or not _WEIGHTS_GROUPS.isdisjoint(file)
        config = json.loads(attributes["model_config"]) if attributes["model_config"] else None
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise KerasFileError(" ".join(str(error).split())) from error
    version, backend = attributes["keras_version"], attributes["backend"]
    return _described(KerasFile(True, version, backend, config is not None, has_weights), config)


def _plain(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value or "")


def _described(file: KerasFile, config: Any) -> KerasFile:
    lambdas: list[str] = []
    custom: list[str] = []
    layers: list[str] = []
    for entry in _objects(config):
        kind = str(entry["class_name"])
        if kind == _LAMBDA:
            lambdas.append(str(_inner(entry).get("name") or entry.get("name") or _LAMBDA))
        elif kind == _LAMBDA_FUNCTION and not lambdas:
            lambdas.append("a function without a name")
        elif kind == _FUNCTION:
            custom.append(str(entry["config"]))
        elif _is_custom(entry):
            custom.append(str(entry.get("registered_name") or kind))
        if _is_layer(entry):
            layers.append(kind)
    return dataclasses.replace(
        file,
        lambdas=tuple(dict.fromkeys(lambdas)),
        custom=tuple(dict.fromkeys(custom)),
        layers=tuple(dict.fromkeys(layers)),
    )


def _objects(config: Any) -> Iterator[dict[str, Any]]:
    """All objects of a configuration that name a class, however deep, in their order."""
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if isinstance(value.get("class_name"), str) and "config" in value:
                yield value
            inner = [part for key, part in value.items() if key != _TRAINING]
            waiting.extend(reversed(inner))
        elif isinstance(value, list):
            waiting.extend(reversed(value))


def _inner(entry: dict[str, Any]) -> dict[str, Any]:
    config = entry["config"]
    return config if isinstance(config, dict) else {}


def _is_layer(entry: dict[str, Any]) -> bool:
    """Whether an object is a layer: these have names, initialisers and the like have none."""
    return "inbound_nodes" in entry or isinstance(_inner(entry).get("name"), str)


def _is_custom(entry: dict[str, Any]) -> bool:
    registered, module = entry.get("registered_name"), entry.get("module")
    if isinstance(registered, str) and ">" in registered:
        return True
    if not isinstance(module, str):
        # A custom class in a script is written with its registered name and no module.
        return bool(registered) and "module" in entry and registered == entry["class_name"]
    return not any(module == own or module.startswith(f"{own}.") for own in _OWN_MODULES)
