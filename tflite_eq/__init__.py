"""EasyQuant scales, bias correction and INT7 for TensorFlow Lite models."""

from __future__ import annotations

from tflite_eq.calibration.record import Calibration
from tflite_eq.config import (
    ActivationMode,
    BiasCorrection,
    Bits,
    Config,
    Equalization,
    IoType,
    Method,
    Objective,
    Reconstruction,
    SearchSettings,
)
from tflite_eq.converter import Attachment, EasyQuantConverter, attach
from tflite_eq.errors import TfliteEqError
from tflite_eq.guard.guard import Guarded, quantize_guarded
from tflite_eq.guard.validation import Guard, Validation
from tflite_eq.presets import Preset, preset_config
from tflite_eq.quantizer import QuantizationResult, calibrate, quantize
from tflite_eq.targets import Target
from tflite_eq.version import __version__

__all__ = [
    "ActivationMode",
    "Attachment",
    "BiasCorrection",
    "Bits",
    "Calibration",
    "Config",
    "EasyQuantConverter",
    "Equalization",
    "Guard",
    "Guarded",
    "IoType",
    "Method",
    "Objective",
    "Preset",
    "QuantizationResult",
    "Reconstruction",
    "SearchSettings",
    "Target",
    "TfliteEqError",
    "Validation",
    "__version__",
    "attach",
    "calibrate",
    "preset_config",
    "quantize",
    "quantize_guarded",
]
