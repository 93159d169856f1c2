"""The hook into TensorFlow: a converter of our own, and one for converters people already have."""

from __future__ import annotations

import copy
import dataclasses
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from tflite_eq.arguments import ModelLike, check_path, given_model
from tflite_eq.config import Config, IoType, checked_config
from tflite_eq.conversion import converted
from tflite_eq.data.input_order import by_name
from tflite_eq.errors import ConfigError, DatasetError, ModelError
from tflite_eq.files import PathLike
from tflite_eq.graph.model import Graph
from tflite_eq.guard.accuracy_guard import Guarded, quantize_guarded
from tflite_eq.guard.bound import Guard, check_guard
from tflite_eq.keras_models import OTHERWISE
from tflite_eq.quantizer import QuantizationResult, quantize
from tflite_eq.record.calibration import Calibration
from tflite_eq.report.model import Report
from tflite_eq.report.write import check_directory
from tflite_eq.saved_models import chosen_tags
from tflite_eq.tensorflow_import import check_tensorflow, import_tensorflow


class EasyQuantConverter:
    """Converts a model to an int8 ``.tflite``, used like ``tf.lite.TFLiteConverter``.

    Attributes:
        representative_dataset: Sample inputs in any form TFLite accepts; required.
        inference_input_type: ``tf.float32`` (default), ``tf.int8`` or ``tf.uint8``.
        inference_output_type: The same for the outputs.
        optimizations: Accepted for compatibility; quantization is always full integer.
        report_dir: Folder for the full report; ``None`` (default) writes none.
        config: Options of the quantizer.
        guard: Bound on the accuracy lost; ``None`` (default) sets none. If it cannot be met,
            ``convert`` gives the best model found: look at ``guarded.holds``.
        backend: Deprecated and ignored.
        resume_dir: Folder that an interrupted ``convert`` goes on from, see ``calibrate``.
        float_converter: The TensorFlow converter behind it; ``None`` after ``from_tflite``. Its
            other attributes (``target_spec``, ``allow_custom_ops``...) can be read and set here.
        origin: What messages call the model.
        result: Outcome of the last ``convert``.
        guarded: How the guard went; ``None`` without one.

    Example:
        >>> import numpy as np, tflite_eq
        >>> converter = tflite_eq.EasyQuantConverter.from_tflite("net_float.tflite")
        >>> converter.representative_dataset = list(np.load("samples.npy")[:50, np.newaxis])
        >>> int8_model = converter.convert()
        >>> converter.result.model == int8_model
        True
    """

    # Set here, they must not reach the TensorFlow converter, which would quantize by itself.
    _OWN = frozenset(
        "representative_dataset inference_input_type inference_output_type optimizations "
        "report_dir".split()
    )

    def __init__(self, float_converter: Any, float_model: bytes | None, config: Config | None):
        """Use the ``from_*`` methods instead."""
        self.float_converter = float_converter
        self._float_model = float_model
        self.config = checked_config(config)
        self.representative_dataset: Any = None
        self.inference_input_type: Any = self.config.input_type
        self.inference_output_type: Any = self.config.output_type
        self.optimizations: Sequence[Any] = ()
        self.backend: str | None = None
        self.resume_dir: PathLike | None = None
        self.report_dir: PathLike | None = None
        self.guard: Guard | None = None
        self.result: QuantizationResult | None = None
        self.guarded: Guarded | None = None
        self._keras_inputs: tuple[str, ...] = ()
        self.origin = "model"

    def __getattr__(self, name: str) -> Any:
        """An attribute of the TensorFlow converter."""
        converter = self.__dict__.get("float_converter")
        if name.startswith("_") or converter is None:
            raise AttributeError(f"EasyQuantConverter has no attribute '{name}'")
        return getattr(converter, name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute, at the TensorFlow converter if it is one of its own."""
        converter = self.__dict__.get("float_converter")
        if name in self.__dict__ or name in self._OWN or not hasattr(converter, name):
            object.__setattr__(self, name, value)
        else:
            setattr(converter, name, value)

    @classmethod
    def from_keras_model(cls, model: Any, config: Config | None = None) -> EasyQuantConverter:
        """A converter for a Keras model.

        Lists of arrays are taken in the order of ``model.inputs``, which is not always that of the
        file that TensorFlow makes of it.
        """
        if isinstance(model, (str, bytes, os.PathLike)):
            raise ModelError(
                f"expected a Keras model, found a {type(model).__name__}; load it first: "
                "tf.keras.models.load_model(path)"
            )
        check_tensorflow("a Keras model", OTHERWISE)
        if isinstance(model, type) or not callable(getattr(model, "call", None)):
            found = model.__name__ if isinstance(model, type) else type(model).__name__
            what = "the class" if isinstance(model, type) else "an object of type"
            raise ModelError(
                f"expected a Keras model, found {what} {found}; give the model itself, or use "
                "from_concrete_functions for plain functions"
            )
        tf = import_tensorflow("a Keras model", OTHERWISE)
        made = cls(tf.lite.TFLiteConverter.from_keras_model(model), None, config)
        made._keras_inputs = tuple(tensor.name for tensor in getattr(model, "inputs", None) or [])
        return made

    @classmethod
    def from_saved_model(
        cls,
        saved_model_dir: str | os.PathLike[str],
        signature_keys: Sequence[str] | None = None,
        tags: Any = None,
        config: Config | None = None,
    ) -> EasyQuantConverter:
        """A converter for a SavedModel directory."""
        check_path(saved_model_dir, "saved_model_dir")
        directory = os.fspath(saved_model_dir)
        check_tensorflow(f"the SavedModel {directory}", OTHERWISE)
        if tags is None:
            tags = chosen_tags(directory, signature_keys)
        tf = import_tensorflow(f"the SavedModel {directory}", OTHERWISE)
        try:
            made = tf.lite.TFLiteConverter.from_saved_model(directory, signature_keys, tags)
        except (OSError, ValueError, RuntimeError) as error:
            raise ModelError(f"{directory}: TensorFlow cannot read the SavedModel: {error}") from (
                error
            )
        converter = cls(made, None, config)
        converter.origin = directory
        return converter

    @classmethod
    def from_concrete_functions(
        cls, funcs: Sequence[Any], trackable_obj: Any = None, config: Config | None = None
    ) -> EasyQuantConverter:
        """A converter for concrete functions.

        Raises:
            ModelError: They are none.
        """
        tf = import_tensorflow("from_concrete_functions", OTHERWISE)
        if not isinstance(funcs, (list, tuple)) or not funcs:
            found = "none" if isinstance(funcs, (list, tuple)) else type(funcs).__name__
            raise ModelError(
                f"from_concrete_functions takes a list of functions, found {found}; give "
                "[function.get_concrete_function()]"
            )
        try:
            made = tf.lite.TFLiteConverter.from_concrete_functions(funcs, trackable_obj)
        except (TypeError, ValueError) as error:
            found = ", ".join(sorted({type(function).__name__ for function in funcs}))
            raise ModelError(
                f"from_concrete_functions takes concrete functions, found {found}; get one of a "
                "tf.function with its get_concrete_function()"
            ) from error
        return cls(made, None, config)

    @classmethod
    def from_tflite(cls, model: ModelLike, config: Config | None = None) -> EasyQuantConverter:
        """A converter for a float ``.tflite``, given as bytes or as a path."""
        return cls(None, given_model(model)[0], config)

    @property
    def report(self) -> Report:
        """Per-layer results of the last ``convert``.

        Raises:
            ConfigError: ``convert`` has not run yet.
        """
        return self._done().report

    @property
    def calibration(self) -> Calibration:
        """Calibration record of the last ``convert``."""
        return self._done().calibration

    def float_model(self) -> bytes:
        """The float ``.tflite`` that quantization starts from.

        Raises:
            ConfigError: ``target_spec`` asks for something other than int8.
            ModelError: TensorFlow cannot convert the model.
        """
        if self._float_model is None:
            wanted = self.float_converter.target_spec
            self.float_converter.target_spec = _float_target(wanted)
            try:
                self._float_model = converted(self.origin, self.float_converter.convert)
            finally:
                self.float_converter.target_spec = wanted
        return self._float_model

    def convert(self) -> bytes:
        """Quantize and return the ``.tflite``.

        Raises:
            TfliteEqError: One of its sub-classes says what is wrong and how to mend it.
        """
        if self.representative_dataset is None:
            raise DatasetError(
                "representative_dataset is not set: EasyQuant needs sample inputs. Set it to a "
                "function that yields them, as for tf.lite.TFLiteConverter"
            )
        config = dataclasses.replace(
            checked_config(self.config),
            input_type=io_type(self.inference_input_type, "inference_input_type"),
            output_type=io_type(self.inference_output_type, "inference_output_type"),
        )
        if self.guard is not None:
            check_guard(self.guard)
        if self.report_dir is not None:
            check_path(self.report_dir, "report_dir")
            check_directory(self.report_dir)
        model, dataset = self.float_model(), self.representative_dataset
        if self._keras_inputs:
            dataset = by_name(dataset, self._keras_inputs, Graph.from_bytes(model, "model"))
        self.result, self.guarded = _quantized(
            model,
            dataset,
            config,
            self.guard,
            backend=self.backend,
            origin=self.origin,
            report_dir=self.report_dir,
            resume_dir=self.resume_dir,
        )
        return self.result.model

    def _done(self) -> QuantizationResult:
        if self.result is None:
            raise ConfigError("there is no result yet: call convert() first")
        return self.result


class Attachment:
    """What ``attach`` returns.

    Attributes:
        result: Outcome of the converter's last ``convert``; ``None`` before it.
        guarded: How the guard went; ``None`` without one.

    Example:
        >>> import numpy as np, tensorflow as tf, tflite_eq
        >>> net = tf.function(lambda x: tf.nn.conv2d(x, tf.ones((3, 3, 1, 4)), 1, "SAME"))
        >>> concrete = net.get_concrete_function(tf.TensorSpec((1, 8, 8, 1)))
        >>> converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
        >>> samples = np.load("samples.npy")[:20, np.newaxis]
        >>> converter.representative_dataset = lambda: ([sample] for sample in samples)
        >>> attachment = tflite_eq.attach(converter)
        >>> int8_model = converter.convert()
        >>> isinstance(attachment, tflite_eq.Attachment)
        True
        >>> [layer.kind for layer in attachment.report.layers]
        ['CONV_2D']
    """

    def __init__(self) -> None:
        self.result: QuantizationResult | None = None
        self.guarded: Guarded | None = None

    @property
    def report(self) -> Report:
        """Per-layer results of the last conversion.

        Raises:
            ConfigError: The converter has not converted yet.
        """
        if self.result is None:
            raise ConfigError("there is no result yet: call the converter's convert() first")
        return self.result.report


def attach(
    converter: Any,
    config: Config | None = None,
    report_dir: PathLike | None = None,
    *,
    resume_dir: PathLike | None = None,
    guard: Guard | None = None,
) -> Attachment:
    """Make an existing ``tf.lite.TFLiteConverter`` quantize with EasyQuant.

    Only this instance changes: the method that runs TensorFlow's calibrator and quantizer is
    replaced, so ``converter.convert()`` keeps its meaning. Sub-classing would not work, because
    the factory methods return other classes.

    Args:
        converter: A converter of TensorFlow 2.14 to 2.21.
        config: Options; input and output types are the converter's own.
        resume_dir: Folder that an interrupted conversion goes on from, see ``calibrate``.
        report_dir: Folder for the full report; ``None`` writes none.
        guard: Bound on the accuracy lost. If it cannot be met, the converter gives the best model
            found: look at ``guarded.holds`` of what is returned.

    Returns:
        A handle on the results.

    Raises:
        ConfigError: The object is not such a converter.

    Example:
        >>> import numpy as np, tensorflow as tf, tflite_eq
        >>> net = tf.function(lambda x: tf.nn.conv2d(x, tf.ones((3, 3, 1, 4)), 1, "SAME"))
        >>> concrete = net.get_concrete_function(tf.TensorSpec((1, 8, 8, 1)))
        >>> converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
        >>> samples = np.load("samples.npy")[:20, np.newaxis]
        >>> converter.representative_dataset = lambda: ([sample] for sample in samples)
        >>> attachment = tflite_eq.attach(converter)
        >>> int8_model = converter.convert()
        >>> attachment.guarded is None  # there was no guard
        True
    """
    if not callable(getattr(converter, "_quantize", None)):
        raise ConfigError(
            f"cannot attach to a {type(converter).__name__}: expected a tf.lite.TFLiteConverter of "
            "TensorFlow 2.14 to 2.21; use EasyQuantConverter instead"
        )
    tf = import_tensorflow("attach", OTHERWISE)
    options = checked_config(config)
    if guard is not None:
        check_guard(guard)
    check_path(report_dir, "report_dir")
    check_path(resume_dir, "resume_dir")
    attachment = Attachment()
    convert = converter.convert
    not_tensorflows: list[tuple[Exception, BaseException | None]] = []

    def quantize_hook(model: bytes, *arguments: Any, **named: Any) -> bytes:
        ends = dict(zip(("input_type", "output_type"), arguments))
        ends.update({k: v for k, v in named.items() if k in ("input_type", "output_type")})
        config = dataclasses.replace(
            options,
            input_type=io_type(ends.get("input_type", IoType.FLOAT32), "inference_input_type"),
            output_type=io_type(ends.get("output_type", IoType.FLOAT32), "inference_output_type"),
        )
        try:
            attachment.result, attachment.guarded = _quantized(
                bytes(model),
                converter.representative_dataset,
                config,
                guard,
                report_dir=report_dir,
                resume_dir=resume_dir,
            )
        except Exception as error:
            not_tensorflows.append((error, error.__cause__))  # TensorFlow takes the cause off
            raise
        return attachment.result.model

    def convert_hook() -> bytes:
        if converter.representative_dataset is None:
            raise DatasetError(
                "converter.representative_dataset is not set: without it TensorFlow would quantize "
                "the weights only and never look at activations. Set it to a function that yields "
                "sample inputs"
            )
        _check_target(converter.target_spec)
        if not converter.optimizations:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if report_dir is not None:
            check_directory(report_dir)
        attachment.result = attachment.guarded = None
        not_tensorflows.clear()
        try:
            model = converted("the converter's model", convert)
        except ModelError:
            if not_tensorflows:  # such as what the user's data set raised
                error, cause = not_tensorflows[0]
                raise error from cause
            raise
        if attachment.result is None:
            raise ConfigError(
                "TensorFlow did not call the quantizer: the converter's options ask for something "
                "other than int8 post-training quantization (such as a quantization-aware "
                "trained model)"
            )
        return model

    converter._quantize = quantize_hook
    converter.convert = convert_hook
    return attachment


def _quantized(
    model: bytes, dataset: Any, config: Config, guard: Guard | None, **options: Any
) -> tuple[QuantizationResult, Guarded | None]:
    """Quantize, within a bound if there is one."""
    if guard is None:
        return quantize(model, dataset, config, **options), None
    guarded = quantize_guarded(model, dataset, guard, config, **options)
    return guarded.result, guarded


def _float_target(target_spec: Any) -> Any:
    """A ``tf.lite.TargetSpec`` for the float model of an int8 one.

    ``TFLITE_BUILTINS_INT8``, which scripts for TensorFlow's own quantizer ask for, would make it
    quantize. Here the result is int8 in any case.

    Raises:
        ConfigError: It asks for another type than int8.
    """
    _check_target(target_spec)
    tf = import_tensorflow("target_spec", OTHERWISE)
    float_target = copy.copy(target_spec)
    float_target.supported_types = ()
    int8 = tf.lite.OpsSet.TFLITE_BUILTINS_INT8
    builtins = tf.lite.OpsSet.TFLITE_BUILTINS
    float_target.supported_ops = list(
        dict.fromkeys(builtins if ops is int8 else ops for ops in target_spec.supported_ops)
    )
    return float_target


def _check_target(target_spec: Any) -> None:
    """Refuse a ``tf.lite.TargetSpec`` that asks for another type than int8.

    Raises:
        ConfigError: It does.
    """
    tf = import_tensorflow("target_spec", OTHERWISE)
    try:
        types = {tf.as_dtype(kind).name for kind in target_spec.supported_types or ()}
        sets = [ops.name for ops in target_spec.supported_ops]
    except (AttributeError, TypeError) as error:
        raise ConfigError(
            f"target_spec asks for {target_spec.supported_types} and {target_spec.supported_ops}; "
            "expected types of TensorFlow and members of tf.lite.OpsSet; leave both as they are"
        ) from error
    if types - {"int8"} or any("INT16" in name for name in sets):
        raise ConfigError(
            f"target_spec asks for {sorted(types) or sets}, but the result is always int8; leave "
            "supported_types empty and supported_ops as they are or at TFLITE_BUILTINS_INT8"
        )


def io_type(value: Any, option: str) -> IoType:
    """The element type that a TensorFlow or NumPy type, or a plain string, stands for.

    Raises:
        ConfigError: It is none of float32, int8, uint8.
    """
    if isinstance(value, IoType):
        return value
    name = getattr(value, "name", None)
    if not isinstance(name, str):
        try:
            name = np.dtype(value).name
        except TypeError:
            name = str(value)
    try:
        return IoType(name)
    except ValueError:
        raise ConfigError(f"{option}: {name} is not one of float32, int8, uint8") from None
