"""EasyQuant scales, bias correction and INT7 for TensorFlow Lite models.

- ``quantize`` makes an int8 model of a float ``.tflite``; ``calibrate`` and then ``quantize`` do it
  in two steps, with a ``Calibration`` between them, and ``quantize_guarded`` within a bound.
- ``EasyQuantConverter`` stands in for TensorFlow's converter, ``attach`` improves one you have.
- ``Config`` has the options, ``preset_config`` usual sets of them.
- ``Report`` says how each layer fared, ``evaluate`` how models compare.
- ``tflite_eq.delegate`` runs int8 models faster inside TFLite and LiteRT.
- All errors are of the class ``TfliteEqError``.

Examples are run in the folder that the command ``tflite-eq demo`` makes, which holds a float
network, ``net_float.tflite``, inputs of it, ``samples.npy``, others with their labels,
``validation.npz``, and the int8 network ``net_int8.tflite``.

>>> import tflite_eq
>>> tflite_eq.__version__.count(".")
2
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from tflite_eq.version import __version__

if TYPE_CHECKING:
    from tflite_eq.config import (
        ActivationMode,
        BiasCorrection,
        Bits,
        Config,
        Equalization,
        Forms,
        IoType,
        Method,
        Objective,
        Reconstruction,
        SearchSettings,
    )
    from tflite_eq.converter import Attachment, EasyQuantConverter, attach
    from tflite_eq.errors import (
        BackendError,
        CheckpointError,
        ConfigError,
        DatasetError,
        ModelError,
        TfliteEqError,
        VerificationError,
    )
    from tflite_eq.evaluating import evaluate
    from tflite_eq.evaluation.evaluator import Evaluation
    from tflite_eq.evaluation.layerwise import ComparisonSet
    from tflite_eq.evaluation.task_evaluator import TaskEvaluation
    from tflite_eq.evaluation.tasks.own import Metric
    from tflite_eq.guard.accuracy_guard import Guarded, quantize_guarded
    from tflite_eq.guard.bound import Guard
    from tflite_eq.guard.validation import Validation
    from tflite_eq.litert_recipe import LitertCalibration, as_litert_calibration
    from tflite_eq.presets import Preset, preset_config
    from tflite_eq.quantizer import QuantizationResult, calibrate, quantize
    from tflite_eq.record.calibration import Calibration
    from tflite_eq.report.model import Report
    from tflite_eq.targets import Target

__all__ = [
    "ActivationMode",
    "Attachment",
    "BackendError",
    "BiasCorrection",
    "Bits",
    "Calibration",
    "CheckpointError",
    "ComparisonSet",
    "Config",
    "ConfigError",
    "DatasetError",
    "EasyQuantConverter",
    "Equalization",
    "Evaluation",
    "Forms",
    "Guard",
    "Guarded",
    "IoType",
    "LitertCalibration",
    "Method",
    "Metric",
    "ModelError",
    "Objective",
    "Preset",
    "QuantizationResult",
    "Reconstruction",
    "Report",
    "SearchSettings",
    "Target",
    "TaskEvaluation",
    "TfliteEqError",
    "Validation",
    "VerificationError",
    "__version__",
    "as_litert_calibration",
    "attach",
    "calibrate",
    "evaluate",
    "preset_config",
    "quantize",
    "quantize_guarded",
]

# Where the names lie. They are imported when somebody asks for them: all together take the time of
# several commands that need few of them.
_MODULES = {
    "tflite_eq.record.calibration": "Calibration",
    "tflite_eq.config": (
        "ActivationMode BiasCorrection Bits Config Equalization Forms IoType Method Objective "
        "Reconstruction SearchSettings"
    ),
    "tflite_eq.converter": "Attachment EasyQuantConverter attach",
    "tflite_eq.errors": (
        "BackendError CheckpointError ConfigError DatasetError ModelError TfliteEqError "
        "VerificationError"
    ),
    "tflite_eq.evaluating": "evaluate",
    "tflite_eq.evaluation.evaluator": "Evaluation",
    "tflite_eq.evaluation.layerwise": "ComparisonSet",
    "tflite_eq.evaluation.task_evaluator": "TaskEvaluation",
    "tflite_eq.evaluation.tasks.own": "Metric",
    "tflite_eq.guard.accuracy_guard": "Guarded quantize_guarded",
    "tflite_eq.guard.bound": "Guard",
    "tflite_eq.guard.validation": "Validation",
    "tflite_eq.litert_recipe": "LitertCalibration as_litert_calibration",
    "tflite_eq.presets": "Preset preset_config",
    "tflite_eq.quantizer": "QuantizationResult calibrate quantize",
    "tflite_eq.report.model": "Report",
    "tflite_eq.targets": "Target",
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """A public name, imported on its first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """The public names, for interactive use; modules are none, but for ``delegate``."""
    return sorted([*__all__, "delegate"])
