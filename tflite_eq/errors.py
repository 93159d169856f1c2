"""The exceptions this package raises on purpose.

Every message names the thing at fault (file, tensor, operator, option), what was found,
what was expected, and the remedy. The command line prints the message alone; anything
that is not a ``TfliteEqError`` is a defect and keeps its traceback.
"""

from __future__ import annotations

from tflite_eq.text import printable

# What runtimes and files put into a message must not bury its remedy.
_LONGEST = 1200


class TfliteEqError(Exception):
    """Base class of all errors a user can cause and mend.

    Its text is one line that any terminal and log takes, whatever names in a file and messages of a
    runtime brought into it; of long ones the middle is left out.

    Example:
        >>> import tflite_eq
        >>> try:
        ...     tflite_eq.quantize("none.tflite", [])
        ... except tflite_eq.TfliteEqError as error:
        ...     print(error)
        none.tflite: no such file; check the path of the model
    """

    def __str__(self) -> str:
        lines = (line.strip() for line in super().__str__().splitlines())
        text = printable(" ".join(line for line in lines if line))
        if len(text) <= _LONGEST:
            return text
        half = _LONGEST // 2
        return f"{text[:half]} [...] {text[-half:]}"


class ModelError(TfliteEqError):
    """The model file or graph cannot be used as it is.

    Example:
        >>> import tflite_eq
        >>> try:
        ...     tflite_eq.quantize(b"no flatbuffer", [])
        ... except tflite_eq.ModelError as error:
        ...     print(str(error)[:5])
        model
    """


class DatasetError(TfliteEqError):
    """Calibration or evaluation data are missing, unreadable or of the wrong form.

    Example:
        >>> import tflite_eq
        >>> try:
        ...     tflite_eq.quantize("net_float.tflite", [])
        ... except tflite_eq.DatasetError as error:
        ...     print(str(error)[:36])
        the representative data set is empty
    """


class ConfigError(TfliteEqError):
    """An option has a value that is not allowed, or options contradict each other.

    Example:
        >>> import tflite_eq
        >>> try:
        ...     tflite_eq.Config(method="best")
        ... except tflite_eq.ConfigError as error:
        ...     print(error)
        method: 'best' is not one of 'easyquant', 'minmax', 'percentile', 'mse', 'kl', ...
    """


class CheckpointError(TfliteEqError):
    """A folder of saved work belongs to another run, is damaged or is in use.

    Example:
        >>> import numpy as np, tflite_eq
        >>> samples = list(np.load("samples.npy")[:50, np.newaxis])
        >>> result = tflite_eq.quantize("net_float.tflite", samples, resume_dir="state")
        >>> try:
        ...     tflite_eq.quantize("net_float.tflite", samples[:20], resume_dir="state")
        ... except tflite_eq.CheckpointError as error:
        ...     print("state" in str(error))
        True
    """


class BackendError(TfliteEqError):
    """TensorFlow or a TFLite runtime failed or is not installed.

    Example:
        >>> import tflite_eq, tflite_eq.delegate
        >>> try:
        ...     tflite_eq.delegate.load("onnxruntime")
        ... except tflite_eq.BackendError as error:
        ...     print("onnxruntime" in str(error))
        True
    """


class VerificationError(TfliteEqError):
    """The written model does not have a property that was promised for it.

    Example:
        >>> import tflite_eq
        >>> issubclass(tflite_eq.VerificationError, tflite_eq.TfliteEqError)
        True
    """
