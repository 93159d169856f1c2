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
    """

    def __str__(self) -> str:
        lines = (line.strip() for line in super().__str__().splitlines())
        text = printable(" ".join(line for line in lines if line))
        if len(text) <= _LONGEST:
            return text
        half = _LONGEST // 2
        return f"{text[:half]} [...] {text[-half:]}"


class ModelError(TfliteEqError):
    """The model file or graph cannot be used as it is."""


class DatasetError(TfliteEqError):
    """Calibration or evaluation data are missing, unreadable or of the wrong form."""


class ConfigError(TfliteEqError):
    """An option has a value that is not allowed, or options contradict each other."""


class CheckpointError(TfliteEqError):
    """A folder of saved work belongs to another run, is damaged or is in use."""


class BackendError(TfliteEqError):
    """The quantizer backend or a TFLite runtime failed or is not installed."""


class VerificationError(TfliteEqError):
    """The written model does not have a property that was promised for it."""
