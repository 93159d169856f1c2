"""The calibration record: everything data-dependent, as text a person can read, diff and edit."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from tflite_eq.arguments import check_path
from tflite_eq.config import Config
from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.equalization.factors import ChannelFactors
from tflite_eq.errors import ConfigError, TfliteEqError
from tflite_eq.files import PathLike, write_atomically
from tflite_eq.json_fields import known_fields, parse_json, typed, typed_list, typed_pair
from tflite_eq.numerics.affine import AffineParams
from tflite_eq.numerics.grids import WeightGrid
from tflite_eq.record.comparison import Comparison
from tflite_eq.record.outliers import Outliers
from tflite_eq.record.plausible import check_values

FORMAT = "tflite_eq calibration 1"

_R = TypeVar("_R")


@dataclasses.dataclass
class TensorRecord:
    """Quantization of one activation tensor.

    Attributes:
        index: Tensor index in the float model.
        name: Tensor name.
        scale: Real value of one code step.
        zero_point: Code of real 0.
        window: Smallest and largest code the tensor is meant to use.
        saturates: Whether the stock kernels cannot leave the window: int8 ends it, or what writes
            the tensor has a least value.
        observed: Smallest and largest FP32 value over the calibration data.
        start: Range estimator the scale started from (``fixed`` if the specification sets it).
        factor: Chosen scale as a multiple of the initial one.
        outside: Part of the calibration codes outside the window (saturated ones if the window
            is enforced), in [0, 1].
        limited: Whether the file has a MINIMUM and a MAXIMUM that end the codes at the window.
    """

    index: int
    name: str
    scale: float
    zero_point: int
    window: tuple[int, int]
    saturates: bool
    observed: tuple[float, float]
    start: str
    factor: float = 1.0
    outside: float = 0.0
    limited: bool = False

    @property
    def bits(self) -> int:
        """Bits that the window's codes need, of a symmetric window both its sides."""
        low, high = self.window
        if high - low > 127:
            return 8
        return 7 if high > 31 else 6 if high > 15 else 5

    @property
    def params(self) -> AffineParams:
        """Scale and zero point, with the codes that the file ends at."""
        if self.limited:
            return AffineParams(self.scale, self.zero_point, *self.window)
        return AffineParams(self.scale, self.zero_point)

    def to_plain(self) -> dict[str, Any]:
        """The fields as JSON holds them; ``limited`` where it is the case."""
        plain = dataclasses.asdict(self)
        return plain if self.limited else {k: v for k, v in plain.items() if k != "limited"}

    @classmethod
    def from_plain(cls, entry: dict[str, Any]) -> TensorRecord:
        """The record with these fields, as JSON holds them.

        Raises:
            ValueError: A field is missing, unknown or of another type.
        """
        fields = known_fields(entry, cls)
        for name, kind in _TENSOR_TYPES.items():
            if name in fields:
                fields[name] = typed(fields[name], kind, name)
        fields["window"] = typed_pair(fields["window"], int, "window")
        fields["observed"] = typed_pair(fields["observed"], float, "observed")
        return cls(**fields)


@dataclasses.dataclass
class LayerRecord:
    """Quantization of one linear layer.

    Attributes:
        index: Operator index in the float model.
        name: Name of the output tensor.
        kind: Operator kind.
        input: Tensor index of the activation it reads.
        grid: Weight grid, a value of ``WeightGrid``.
        scales: Weight scales, one per output channel or a single one.
        gain: Factor on the scales when codes are turned back into weights; the codes themselves are
            rounded under ``scales``.
        bias_correction: Added to the float bias before rounding, one per output channel; empty
            when the layer was rolled back or correction is off.
        metrics: Figures of the pre-activation output over the calibration data; see
            ``bias.iterative.LayerErrors``. Reconstructed layers have ``reconstruction`` in it: the
            ridge of the refit (``None`` without one), and the noise to signal ratio of the output
            with the codes before and after.
        codes: Weight codes of a reconstructed layer as ``record.codes`` writes them; empty
            where codes are those nearest to the float weights under ``scales``.
    """

    index: int
    name: str
    kind: str
    input: int
    grid: str
    scales: list[float]
    gain: float
    bias_correction: list[float]
    metrics: dict[str, Any]
    codes: str = ""

    @classmethod
    def from_plain(cls, entry: dict[str, Any]) -> LayerRecord:
        """The record with these fields, as JSON holds them.

        Raises:
            ValueError: A field is missing, unknown or of another type.
            KeyError: A figure is missing.
        """
        fields = known_fields(entry, cls)
        for name, kind in _LAYER_TYPES.items():
            fields[name] = typed(fields[name], kind, name)
        fields["grid"] = WeightGrid(fields["grid"]).value
        for name in ("scales", "bias_correction"):
            fields[name] = typed_list(fields[name], float, name)
        metrics = dict(fields["metrics"])
        for side in ("before_correction", "after_correction"):
            figures = metrics[side]
            metrics[side] = {
                key: typed(figures[key], float, key) for key in ("mssr", "rqnsr", "sqnr_db")
            }
        metrics["rolled_back"] = typed(metrics["rolled_back"], bool, "rolled_back")
        if "reconstruction" in metrics:
            metrics["reconstruction"] = _reconstruction_figures(metrics["reconstruction"])
        fields["codes"] = typed(fields.get("codes", ""), str, "codes")
        return cls(**{**fields, "metrics": metrics})


def _reconstruction_figures(figures: dict[str, Any]) -> dict[str, Any]:
    ridge = figures["ridge"]
    return {
        "ridge": None if ridge is None else typed(ridge, float, "ridge"),
        "noise_before": typed(figures["noise_before"], float, "noise_before"),
        "noise_after": typed(figures["noise_after"], float, "noise_after"),
    }


_TENSOR_TYPES: dict[str, type[Any]] = {
    "index": int,
    "name": str,
    "scale": float,
    "zero_point": int,
    "saturates": bool,
    "start": str,
    "factor": float,
    "outside": float,
    "limited": bool,
}
_LAYER_TYPES: dict[str, type[Any]] = {
    "index": int,
    "name": str,
    "kind": str,
    "input": int,
    "grid": str,
    "gain": float,
    "metrics": dict,
}


@dataclasses.dataclass(frozen=True)
class FineTuning:
    """How the fine-tuning of biases went; the biases themselves are in the layers.

    Attributes:
        held_back: Samples that judged the trial: neither its training nor the iterative correction
            it began with had seen them.
        epochs: Passes of the trial over the other samples.
        best_epoch: Passes over all samples that trained the biases kept, as many as served the
            held-back samples best; 0 if these are iterative correction's.
        noise_before: Noise to signal ratio of the outputs over the held-back samples (of the
            logits, where the network ends with SOFTMAX or LOGISTIC) as the trial began; summed over
            several outputs.
        noise_after: The same at the trial's best epoch; equal to ``noise_before`` if that is 0.
    """

    held_back: int
    epochs: int
    best_epoch: int
    noise_before: float
    noise_after: float

    @property
    def sqnr_db(self) -> tuple[float, float]:
        """Both noises as signal to noise ratios in decibels, before and after."""
        before, after = (
            float(-10 * np.log10(max(noise, 1e-30)))
            for noise in (self.noise_before, self.noise_after)
        )
        return before, after

    @classmethod
    def from_plain(cls, entry: dict[str, Any]) -> FineTuning:
        """The inverse of ``dataclasses.asdict``.

        Raises:
            ValueError: A field is unknown or of another type.
        """
        fields = known_fields(entry, cls)
        for name in ("held_back", "epochs", "best_epoch"):
            fields[name] = typed(fields[name], int, name)
        for name in ("noise_before", "noise_after"):
            fields[name] = typed(fields[name], float, name)
        return cls(**fields)


@dataclasses.dataclass
class Calibration:
    """Result of calibrating one model; ``quantize`` applies it without data.

    Attributes:
        tool_version: Version of this package that wrote the record.
        model_sha256: Hash of the float model the record belongs to.
        data_sha256: Hash of the calibration samples.
        samples: Number of calibration samples, without any that were dropped.
        config: Options the record was made with.
        tensors: One entry per quantized activation tensor.
        layers: One entry per quantized linear layer.
        equalization: What channels between layers of the float network are scaled by first;
            everything else here is about the scaled network.
        fine_tuning: How the fine-tuning of biases went; ``None`` without one.
        warnings: What a user should know about how it was made, one sentence each.
        comparison: What it was compared with before it was kept; ``None`` if with nothing.
        preprocessing: What the files went through that the samples were read from; ``None`` for
            samples that were taken as they are.
        outliers: Samples that reach far beyond the others; ``None`` if there are none.

    Example:
        >>> import numpy as np, tflite_eq
        >>> samples = list(np.load("samples.npy")[:50, np.newaxis])
        >>> record = tflite_eq.calibrate("net_float.tflite", samples)
        >>> record.save("net.calibration.json")
        >>> tflite_eq.Calibration.load("net.calibration.json") == record
        True
    """

    tool_version: str
    model_sha256: str
    data_sha256: str
    samples: int
    config: Config
    tensors: list[TensorRecord]
    layers: list[LayerRecord]
    equalization: list[ChannelFactors] = dataclasses.field(default_factory=list)
    fine_tuning: FineTuning | None = None
    warnings: list[str] = dataclasses.field(default_factory=list)
    comparison: Comparison | None = None
    preprocessing: Preprocessing | None = None
    outliers: Outliers | None = None

    def check_made_from(self, model: bytes, origin: str) -> None:
        """Refuse another model than the one the record belongs to.

        Raises:
            ConfigError: It is another.
        """
        found = hashlib.sha256(model).hexdigest()
        if found != self.model_sha256:
            raise ConfigError(
                f"{origin}: the calibration record belongs to another model (SHA-256 "
                f"{self.model_sha256[:12]}..., this one has {found[:12]}...); calibrate again"
            )

    def to_text(self) -> str:
        """JSON with one tensor or layer field per line, so that line-based diffs stay readable."""
        head = {
            "format": FORMAT,
            "tool_version": self.tool_version,
            "model_sha256": self.model_sha256,
            "data_sha256": self.data_sha256,
            "samples": self.samples,
            "config": self.config.as_dict(),
        }
        if self.preprocessing is not None:
            head["preprocessing"] = self.preprocessing.to_dict()
        lines = ["{"]
        lines += [f"  {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
        if self.equalization:
            scaled = [json.dumps(dataclasses.asdict(factors)) for factors in self.equalization]
            lines += ['  "equalization": [', *_joined(scaled, "    "), "  ],"]
        if self.fine_tuning is not None:
            lines.append(f'  "fine_tuning": {json.dumps(dataclasses.asdict(self.fine_tuning))},')
        if self.comparison is not None:
            lines.append(f'  "comparison": {json.dumps(dataclasses.asdict(self.comparison))},')
        if self.outliers is not None:
            lines.append(f'  "outliers": {json.dumps(dataclasses.asdict(self.outliers))},')
        if self.warnings:
            lines += ['  "warnings": [', *_joined(list(map(json.dumps, self.warnings)), "    ")]
            lines.append("  ],")
        tensors = [json.dumps(t.to_plain()) for t in self.tensors]
        lines += ['  "tensors": [', *_joined(tensors, "    "), "  ],"]
        layers = []
        for layer in self.layers:
            fields = dataclasses.asdict(layer).items()
            body = _joined([f"{json.dumps(k)}: {json.dumps(v)}" for k, v in fields], "      ")
            layers.append("{\n" + "\n".join(body) + "\n    }")
        lines += ['  "layers": [', *_joined(layers, "    "), "  ]", "}", ""]
        return "\n".join(lines)

    @classmethod
    def from_text(cls, text: str, origin: str = "calibration record") -> Calibration:
        """The inverse of ``to_text``.

        Raises:
            ConfigError: The text is no calibration record, is cut off, or has invalid values.
        """
        try:
            plain = parse_json(text)
        except ValueError as error:
            raise ConfigError(
                f"{origin}: not valid JSON ({error}); the file is cut off or an edit broke it"
            ) from error
        if not isinstance(plain, dict) or plain.get("format") != FORMAT:
            raise ConfigError(
                f"{origin}: not a calibration record (expected the format '{FORMAT}'); make one "
                "with --save_calibration"
            )
        known = {"format", *(field.name for field in dataclasses.fields(cls))}
        if unknown := sorted(plain.keys() - known):
            raise ConfigError(f"{origin}: unknown entry '{unknown[0]}'; undo the edit")
        try:
            record = cls(
                tool_version=typed(plain["tool_version"], str, "tool_version"),
                model_sha256=typed(plain["model_sha256"], str, "model_sha256"),
                data_sha256=typed(plain["data_sha256"], str, "data_sha256"),
                samples=typed(plain["samples"], int, "samples"),
                config=Config.from_dict(plain["config"]),
                tensors=_entries(plain, "tensors", "tensor", TensorRecord.from_plain),
                layers=_entries(plain, "layers", "layer", LayerRecord.from_plain),
                equalization=_entries(
                    plain, "equalization", "equalization", ChannelFactors.from_plain
                )
                if "equalization" in plain
                else [],
                fine_tuning=FineTuning.from_plain(plain["fine_tuning"])
                if "fine_tuning" in plain
                else None,
                warnings=typed_list(plain.get("warnings", []), str, "warnings"),
                comparison=Comparison.from_plain(plain["comparison"])
                if "comparison" in plain
                else None,
                preprocessing=Preprocessing.from_plain(plain["preprocessing"])
                if "preprocessing" in plain
                else None,
                outliers=Outliers.from_plain(plain["outliers"]) if "outliers" in plain else None,
            )
        except KeyError as error:
            raise ConfigError(
                f"{origin}: the entry {error} is missing; undo the edit, or calibrate again"
            ) from error
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{origin}: {error}; undo the edit, or calibrate again") from error
        check_values(record, origin)
        return record

    def save(self, path: PathLike) -> None:
        """Write the record to a file in one step."""
        write_atomically(path, self.to_text().encode())

    @classmethod
    def load(cls, path: PathLike) -> Calibration:
        """Read a record.

        Raises:
            TfliteEqError: The file cannot be read or is no calibration record.
        """
        check_path(path, "path")
        try:
            text = pathlib.Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise TfliteEqError(f"{path}: cannot read the calibration record: {error}") from error
        return cls.from_text(text, str(path))


def _entries(
    plain: dict[str, Any], key: str, what: str, make: Callable[[dict[str, Any]], _R]
) -> list[_R]:
    """Parse the entries of a list, with an error that names the one at fault."""
    made = []
    for position, entry in enumerate(typed_list(plain[key], dict, key)):
        try:
            made.append(make(entry))
        except (KeyError, TypeError, ValueError) as error:
            name = entry.get("name")
            called = f"'{name}'" if name else f"number {position}"
            reason = f"lacks {error}" if isinstance(error, KeyError) else str(error)
            raise ValueError(f"{what} {called}: {reason}") from error
    return made


def _joined(items: list[str], indent: str) -> list[str]:
    last = len(items) - 1
    return [f"{indent}{item}{',' if i < last else ''}" for i, item in enumerate(items)]
