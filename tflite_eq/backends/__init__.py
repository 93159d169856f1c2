"""Quantizer backends: a float graph with chosen scales in, an int8 graph out.

The backend decides structure only (which operators become int8, where QUANTIZE operators go);
weights, biases and scales are overwritten afterwards by ``writer``.
"""

from __future__ import annotations

import enum
import importlib.util
from collections.abc import Mapping, Set
from typing import Protocol

from tflite_eq.arguments import described
from tflite_eq.errors import BackendError, ConfigError
from tflite_eq.graph.model import Graph
from tflite_eq.numerics.affine import AffineParams


class Backend(Protocol):
    """What a backend has to do."""

    @property
    def name(self) -> str:
        """Name and version, for the metadata record."""

    def quantize(
        self, graph: Graph, params: Mapping[int, AffineParams], keep_float: Set[int]
    ) -> bytes:
        """Turn a float network into an int8 one with float inputs and outputs.

        Args:
            graph: The float network; its tensor names are unique.
            params: Scale and zero point of every activation tensor to quantize, by index.
            keep_float: Indices of the operators that stay in float.

        Returns:
            A flatbuffer in which computed tensors have names that start with their old ones.

        Raises:
            BackendError: The backend is missing or fails.
        """


class BackendName(enum.Enum):
    """Backends as options name them."""

    AUTO = "auto"  # TensorFlow if it is installed, else LiteRT Quantizer
    TENSORFLOW = "tensorflow"
    LITERT = "litert"


def make_backend(name: BackendName | str = BackendName.AUTO) -> Backend:
    """The backend with a name; its package is imported only now.

    Raises:
        BackendError: It is not installed; the message says how to install it.
        ConfigError: There is no backend of that name.
    """
    try:
        wanted = BackendName(name)
    except ValueError:
        allowed = ", ".join(repr(member.value) for member in BackendName)
        raise ConfigError(f"backend: {name!r} is not one of {allowed}") from None
    if wanted is BackendName.AUTO:
        wanted = _installed_backend()
    if wanted is BackendName.LITERT:
        from tflite_eq.backends.litert import LiteRTBackend

        return LiteRTBackend()
    from tflite_eq.backends.tensorflow import TensorFlowBackend

    return TensorFlowBackend()


def backend_of(given: Backend | BackendName | str) -> Backend:
    """The backend that was given, or whose name was.

    Raises:
        BackendError: It is not installed; the message says how to install it.
        ConfigError: It is neither.
    """
    if isinstance(given, (str, BackendName)):
        return make_backend(given)
    if not (callable(getattr(given, "quantize", None)) and hasattr(given, "name")):
        raise ConfigError(
            f"backend is {described(given)}; give 'auto', 'tensorflow' or 'litert', or an object "
            "with name and quantize as tflite_eq.backends.Backend has them"
        )
    return given


def _installed_backend() -> BackendName:
    """TensorFlow first: its quantizer knows more operators.

    Raises:
        BackendError: Neither is installed.
    """
    if importlib.util.find_spec("tensorflow") is not None:
        return BackendName.TENSORFLOW
    if importlib.util.find_spec("litert_quantizer") is not None:
        return BackendName.LITERT
    raise BackendError(
        "no quantizer backend is installed: pip install 'tflite-eq[litert]' (small, takes .tflite "
        "models; Python 3.10 or later) or pip install 'tflite-eq[tensorflow]' (Keras models and "
        "SavedModels, too)"
    )
