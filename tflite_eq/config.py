"""The options a user fills in."""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import numpy as np

from tflite_eq.arguments import check_kind, described, is_integer, is_number
from tflite_eq.errors import ConfigError
from tflite_eq.named_numbers import NamedNumbers, named_counts, named_shapes
from tflite_eq.numerics.windows import ActivationMode as ActivationMode
from tflite_eq.targets import Target


class Bits(enum.Enum):
    """Width of the codes that feed convolutions and dense layers.

    Example:
        >>> import tflite_eq
        >>> tflite_eq.Config(bits="7").bits is tflite_eq.Bits.INT7
        True
    """

    INT8 = "8"
    INT7 = "7"
    AUTO = "auto"  # 7 bits only where the target's kernels gain from them
    INT6 = "6"  # for comparison with figures of others, as INT5: no kernel gains from these
    INT5 = "5"

    @property
    def narrow(self) -> int:
        """Bits of the inputs of linear operators that do not get 8."""
        return int(self.value) if self in (Bits.INT6, Bits.INT5) else 7


class Method(enum.Enum):
    """How activation scales are found.

    Example:
        >>> import tflite_eq
        >>> [method.value for method in tflite_eq.Method]
        ['easyquant', 'minmax', 'percentile', 'mse', 'kl', 'easyquant-paper', 'trt']
        >>> tflite_eq.Config(method="minmax").method is tflite_eq.Method.MINMAX
        True
    """

    EASYQUANT = "easyquant"  # arXiv 2006.16669
    MINMAX = "minmax"
    PERCENTILE = "percentile"
    MSE = "mse"
    KL = "kl"  # TensorRT's entropy calibration
    EASYQUANT_PAPER = "easyquant-paper"  # Algorithm 1 of arXiv 2006.16669, with all it goes with
    TRT = "trt"  # that paper's baseline: KL for activations, largest weights

    @property
    def is_published(self) -> bool:
        """Whether it stands for a whole setting as published, not for a choice of scales alone."""
        return self in (Method.EASYQUANT_PAPER, Method.TRT)


class Objective(enum.Enum):
    """What the EasyQuant search compares candidates by.

    Example:
        >>> import tflite_eq
        >>> tflite_eq.Config(objective="cosine").objective is tflite_eq.Objective.COSINE
        True
    """

    MSE = "mse"  # per-channel mean squared error
    COSINE = "cosine"  # the paper's cosine similarity


class BiasCorrection(enum.Enum):
    """How the bias that quantization adds is taken out again.

    Example:
        >>> import tflite_eq
        >>> tflite_eq.Config(bias_correction=tflite_eq.BiasCorrection.NONE).bias_correction.value
        'none'
    """

    NONE = "none"
    ITERATIVE = "iterative"  # IBC of arXiv 1906.03193
    FINETUNE = "finetune"  # IBC, then BFT of the same paper; needs TensorFlow


class Reconstruction(enum.Enum):
    """How integer weights are found, given their scales.

    Example:
        >>> import tflite_eq
        >>> tflite_eq.preset_config("best").reconstruction is tflite_eq.Reconstruction.REFIT
        True
    """

    NONE = "none"  # each weight is rounded to the nearest code
    ROUNDING = "rounding"  # rounding errors are made to cancel in the layer's output
    REFIT = "refit"  # besides, weights are first fitted to the quantized inputs


class Equalization(enum.Enum):
    """Whether channels between layers of the float network are scaled first.

    Example:
        >>> import tflite_eq
        >>> tflite_eq.Config().equalization is tflite_eq.Equalization.AUTO
        True
    """

    AUTO = "auto"  # cross-layer with per-tensor scales; else activations, with EasyQuant's method
    NONE = "none"
    CROSS_LAYER = "cross_layer"  # for the weights of neighbouring layers, arXiv 1906.04721
    ACTIVATIONS = "activations"  # for the activations between them


class IoType(enum.Enum):
    """Element type of the model's inputs and outputs.

    Example:
        >>> import tflite_eq
        >>> config = tflite_eq.Config(input_type="uint8", output_type="int8")
        >>> config.input_type is tflite_eq.IoType.UINT8
        True
    """

    FLOAT32 = "float32"
    INT8 = "int8"
    UINT8 = "uint8"


class OutlierSamples(enum.Enum):
    """What is done with samples whose activations reach far beyond those of all others."""

    KEEP = "keep"  # nothing: they count like the others
    DOWNWEIGHT = "downweight"  # they count less, and what only they reach may be clipped
    DROP = "drop"  # they are left out


class Heads(enum.Enum):
    """How tensors that join parts of different range for the caller are given out."""

    AUTO = "auto"  # in float, where a part would keep few codes and outputs are float32
    JOINT = "joint"  # joined as codes, under one scale
    FLOAT = "float"  # joined in float, each part under a scale of its own
    SPLIT = "split"  # not joined: each part is an output


class Forms(enum.Enum):
    """What is written for operators that stock runtimes run slowly in int8.

    Example:
        >>> import tflite_eq
        >>> tflite_eq.Config(forms="plain").forms is tflite_eq.Forms.PLAIN
        True
    """

    FAST = "fast"  # others that give the same codes and that XNNPACK runs
    PLAIN = "plain"  # themselves: delegates, NPUs and compilers may know them by name


_E = TypeVar("_E", bound=enum.Enum)


def member_of(kind: type[_E], value: _E | str | int, what: str) -> _E:
    """The member of an enumeration that a user has given, or has given the value of.

    Args:
        kind: The enumeration; its values are strings.
        value: What was given.
        what: What to call the option in messages.

    Raises:
        ConfigError: There is no such member.
    """
    if isinstance(value, kind):
        return value
    try:
        return kind(str(value))
    except ValueError:
        allowed = ", ".join(repr(m.value) for m in kind)
        raise ConfigError(f"{what}: {value!r} is not one of {allowed}") from None


class _Choice(Generic[_E]):
    """A field that is set to a member of an enumeration or to its value, and holds the member.

    A descriptor tells type checkers both: what ``Config`` takes and what it has.
    """

    def __init__(self, default: _E) -> None:
        self._default = default

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type[Any] | None = None) -> _E:
        # Without an instance, dataclasses ask for the default.
        found: _E = self._default if instance is None else instance.__dict__[self._name]
        return found

    def __set__(self, instance: Any, value: _E | str | int) -> None:
        instance.__dict__[self._name] = member_of(type(self._default), value, self._name)


_COUNTS, _SHAPES = NamedNumbers(named_counts), NamedNumbers(named_shapes)

_FEWEST_ROWS = 250

# Input values of a layer that are looked at. A row of a depthwise layer has as many as its filters
# have weights together, and few of them for each channel.
_MOST_VALUES = 1 << 21

# Finer than float32 tells scales apart.
_MOST_STEPS = 1 << 20


@dataclasses.dataclass(frozen=True)
class SearchSettings:
    """Effort of the EasyQuant search.

    Attributes:
        low: Smallest candidate as a multiple of the initial scale (0.5 in the paper).
        high: Largest candidate as a multiple of the initial scale (2 in the paper).
        steps: Number of steps the interval is cut into (100 in the paper).
        coarse: Every how many steps the first look tries a candidate; the second look tries all
            steps between the best one's neighbours. 1 tries every step.
        rows: Sampled output positions per layer, over all samples, that weights are judged on; at
            most so many.
        work: Multiply-accumulates that judging one candidate for all weights of a layer may cost;
            layers with more weights get fewer rows, but never below a quarter of a thousand.
        activation_share: One of how many rows the activation scale is judged on: a single number
            needs fewer than one per channel.
        max_rounds: Bound on the alternations between weights and activations.

    Algorithm 1 of the paper (``method="easyquant-paper"``) tries every step on all rows: ``coarse``
    and ``activation_share`` are 1 there, and so is ``max_rounds`` in settings left at the defaults.

    Example:
        >>> import tflite_eq
        >>> quick = tflite_eq.SearchSettings(steps=25, rows=1000, max_rounds=1)
        >>> tflite_eq.Config(search=quick).search.rows
        1000
    """

    low: float = 0.5
    high: float = 2.0
    steps: int = 100
    coarse: int = 5
    rows: int = 4000
    work: int = 500_000_000
    activation_share: int = 4
    max_rounds: int = 2

    def rows_for(self, weights: int, depth: int = 1) -> int:
        """Rows to sample for a layer with so many weights and so many input values to a row."""
        most = min(self.work // max(1, weights), _MOST_VALUES // max(1, depth))
        return min(self.rows, max(_FEWEST_ROWS, most))

    def __post_init__(self) -> None:
        """Reject settings the search cannot run with."""
        for name in ("low", "high"):
            value = getattr(self, name)
            if not is_number(value):
                raise ConfigError(f"search setting {name} must be a number, got {value!r}")
            object.__setattr__(self, name, float(value))
        if not 0 < self.low <= 1 <= self.high:
            raise ConfigError(
                f"search interval [{self.low}, {self.high}] must contain 1 and start above 0"
            )
        for name in ("steps", "coarse", "rows", "work", "activation_share", "max_rounds"):
            value = getattr(self, name)
            if not is_integer(value) or value < 1:
                raise ConfigError(
                    f"search setting {name} must be at least 1, got {value!r}; give a whole number"
                )
            if name in ("steps", "coarse") and value > _MOST_STEPS:
                raise ConfigError(
                    f"search setting {name} must be at most {_MOST_STEPS:,}, got {value!r}; the "
                    "paper has 100 steps"
                )
            object.__setattr__(self, name, int(value))


@dataclasses.dataclass(frozen=True)
class Config:
    """Everything that decides the bits of the quantized model, besides model and data.

    Where one of several values is to be chosen, its name as a string will do.

    Attributes:
        bits: Width of the codes that feed linear operators.
        target: CPU the model is meant for; matters for ``bits=AUTO`` and the weight lattice.
        method: How activation scales are found. ``easyquant-paper`` and ``trt`` are settings as
            published, of which ``activation_mode``, ``bias_correction``, ``equalization`` and
            ``reconstruction`` are parts, and for the first ``objective`` and ``search``: at their
            defaults these fields take the setting's values, others are refused.
        objective: What the EasyQuant search compares candidates by.
        activation_mode: Asymmetric (zero point free) or symmetric (zero point 0).
        bias_correction: Whether biases are corrected.
        reconstruction: How integer weights are found.
        per_tensor: One weight scale per tensor instead of per output channel.
        equalization: Whether channels between layers are scaled first, and for what.
        input_type: Element type of the model inputs.
        output_type: Element type of the model outputs.
        forms: What is written for operators that stock runtimes run slowly in int8.
        outlier_samples: What is done with calibration samples, one in ten at most, whose
            activations reach several times as far as those of all others.
        heads: How tensors are given out that join parts of different range, such as boxes and
            scores. A record of ``AUTO`` holds what it came to.
        skip: Regular expression; linear and other operators whose output tensor name it matches
            (``re.search``) stay in float.
        strict: Refuse networks with operators that have no int8 form, unless ``skip`` matches them;
            otherwise they stay in float.
        keep_int8: Regular expression; linear operators whose output tensor name it matches keep an
            8-bit input where ``bits`` would give them 7, and so do all that read the same scale.
        keep_int8_share: Share of the multiplications, 0 to 1, whose layers may keep 8-bit inputs
            besides: those that take away most noise for it, found on some of the calibration
            samples and added to ``keep_int8``.
        split_channels: Regular expression; convolutions and dense layers whose output tensor name
            it matches write every channel twice, shifted by half a step, which halves the step for
            those that read them (``graph.channel_splitting``).
        channel_copies: How often other convolutions and dense layers write each of their channels:
            counts, one per channel, by names of outputs. Becomes pairs of name and counts.
        split_channels_share: By which share of the multiplications, 0 to 1, further channels may be
            written several times: those whose rounding adds most noise for it, found on some of
            the calibration samples, kept if others show a gain, and put into ``channel_copies``.
        signature: Which signature is quantized, where the model has several.
        input_shape: Sizes of inputs that leave them open: a shape such as ``(1, 224, 224, 3)``, or
            shapes by name of the input. Becomes pairs of name and shape; the name is empty where
            the shape is the only input's.
        fix_input_shape: Whether the written model has these sizes only; otherwise it takes others
            as the float model does.
        seed: Seeds the choice of sampled positions.
        search: Effort of the search.
        fixed: Which of ``method``, ``equalization`` and ``bias_correction`` hold even at their
            defaults. Those not at their defaults always do and are not kept here. The others are
            left out where samples show that the network is closer to the float one without them.

    Example:
        >>> import tflite_eq
        >>> config = tflite_eq.Config(bits="auto", target="armv8.2-dotprod", input_type="int8")
        >>> tflite_eq.Config(bits=9)
        Traceback (most recent call last):
            ...
        tflite_eq.errors.ConfigError: bits: 9 is not one of '8', '7', 'auto'
    """

    bits: _Choice[Bits] = _Choice(Bits.INT8)
    target: _Choice[Target] = _Choice(Target.GENERIC)
    method: _Choice[Method] = _Choice(Method.EASYQUANT)
    objective: _Choice[Objective] = _Choice(Objective.MSE)
    activation_mode: _Choice[ActivationMode] = _Choice(ActivationMode.ASYMMETRIC)
    bias_correction: _Choice[BiasCorrection] = _Choice(BiasCorrection.ITERATIVE)
    reconstruction: _Choice[Reconstruction] = _Choice(Reconstruction.NONE)
    per_tensor: bool = False
    equalization: _Choice[Equalization] = _Choice(Equalization.AUTO)
    input_type: _Choice[IoType] = _Choice(IoType.FLOAT32)
    output_type: _Choice[IoType] = _Choice(IoType.FLOAT32)
    forms: _Choice[Forms] = _Choice(Forms.FAST)
    outlier_samples: _Choice[OutlierSamples] = _Choice(OutlierSamples.DOWNWEIGHT)
    heads: _Choice[Heads] = _Choice(Heads.AUTO)
    skip: str | None = None
    strict: bool = False
    keep_int8: str | None = None
    keep_int8_share: float = 0.0
    split_channels: str | None = None
    channel_copies: NamedNumbers = _COUNTS
    split_channels_share: float = 0.0
    signature: str | None = None
    input_shape: NamedNumbers = _SHAPES
    fix_input_shape: bool = False
    seed: int = 0
    search: SearchSettings = dataclasses.field(default_factory=SearchSettings)
    fixed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check what has no choices, and what does not go together.

        Raises:
            ConfigError: A value is not one of those allowed, or not beside another.
        """
        self._complete_published()
        _check_expression("skip", self.skip)
        _check_expression("keep_int8", self.keep_int8)
        _check_expression("split_channels", self.split_channels)
        if self.signature is not None and not isinstance(self.signature, str):
            raise ConfigError(
                f"signature is {described(self.signature)}; give the name of one, as str"
            )
        if self.keep_int8 is not None and self.bits is Bits.INT8:
            raise ConfigError(
                "keep_int8: with bits 8 every layer keeps 8 bits; choose bits 7 or auto, or leave "
                "it out"
            )
        for name in ("keep_int8_share", "split_channels_share"):
            share = getattr(self, name)
            if not is_number(share) or not 0 <= share <= 1:
                raise ConfigError(
                    f"{name} must be a share of the multiplications from 0 to 1, got {share!r}"
                )
            object.__setattr__(self, name, float(share))
        if self.keep_int8_share and self.bits is Bits.INT8:
            raise ConfigError(
                "keep_int8_share: with bits 8 every layer keeps 8 bits; choose bits 7 or auto, or "
                "leave it out"
            )
        for name in ("per_tensor", "strict", "fix_input_shape"):
            value = getattr(self, name)
            if not isinstance(value, (bool, np.bool_)):
                raise ConfigError(f"{name} must be true or false, got {value!r}")
            object.__setattr__(self, name, bool(value))
        if self.per_tensor and self.equalization is Equalization.ACTIVATIONS:
            raise ConfigError(
                "per_tensor, equalization: 'activations' needs a weight scale per output channel; "
                "with per_tensor choose equalization 'cross_layer', or leave it at 'auto', which "
                "is that"
            )
        if not is_integer(self.seed) or not 0 <= self.seed < 2**32:
            raise ConfigError(f"seed must be an integer in [0, 2^32), got {self.seed!r}")
        object.__setattr__(self, "seed", int(self.seed))
        fields = self.search.items() if isinstance(self.search, Mapping) else [("steps", 50)]
        given = ", ".join(f"{name}={value!r}" for name, value in fields)
        remedy = f"give tflite_eq.SearchSettings({given})"
        check_kind(self.search, SearchSettings, "search", remedy)
        insisted = _checked_fixed(self.fixed)
        # Of the others nobody doubts that they hold; without them equal options compare equal.
        fixed = tuple(name for name in insisted if getattr(self, name) is getattr(type(self), name))
        object.__setattr__(self, "fixed", fixed)

    def _complete_published(self) -> None:
        """Give the parts of a setting as published their values.

        Raises:
            ConfigError: One has another value, which would not be that setting.
        """
        if not self.method.is_published:
            return
        if self.bits is Bits.AUTO:
            raise ConfigError(
                f"bits: 'auto' does not go with method '{self.method.value}', which has one width "
                "for all layers; give 8, 7, 6 or 5"
            )
        for name in ("split_channels", "channel_copies", "split_channels_share"):
            if getattr(self, name):
                raise ConfigError(
                    f"{name}: the method '{self.method.value}' is a setting as published, in which "
                    f"no channels are split; leave {name} out, or choose the method 'easyquant'"
                )
        for name, value in published_parts(self.method).items():
            if getattr(self, name) not in (value, getattr(type(self), name)):
                raise conflict_with_published(name, getattr(self, name), self.method)
            object.__setattr__(self, name, value)
        if self.method is Method.EASYQUANT_PAPER and isinstance(self.search, SearchSettings):
            given = SearchSettings(max_rounds=1) if self.search == SearchSettings() else self.search
            search = dataclasses.replace(given, coarse=1, activation_share=1)
            object.__setattr__(self, "search", search)

    @property
    def equalization_used(self) -> Equalization:
        """What ``equalization`` comes down to: never ``AUTO``."""
        if self.equalization is not Equalization.AUTO:
            return self.equalization
        if self.per_tensor:
            return Equalization.CROSS_LAYER
        is_searched = self.method is Method.EASYQUANT
        return Equalization.ACTIVATIONS if is_searched else Equalization.NONE

    def as_dict(self) -> dict[str, Any]:
        """Plain values, in a form ``from_dict`` takes back and JSON can hold."""
        plain = {**dataclasses.asdict(self), "fixed": list(self.fixed)}
        for name in ("input_shape", "channel_copies"):
            plain[name] = [[key, list(numbers)] for key, numbers in getattr(self, name)]
        return {name: v.value if isinstance(v, enum.Enum) else v for name, v in plain.items()}

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Config:
        """The inverse of ``as_dict``.

        Raises:
            ConfigError: An unknown or invalid entry.
        """
        if not isinstance(plain, dict):
            raise ConfigError(f"the configuration must be a dictionary, got {plain!r}")
        values = dict(plain)
        try:
            search = SearchSettings(**values.pop("search", {}))
            return cls(search=search, **values)
        except TypeError as error:
            raise ConfigError(f"unknown configuration entry: {error}") from error


def checked_config(config: Any) -> Config:
    """The options given; those by default for ``None``.

    Raises:
        ConfigError: It is something else than a ``Config``.
    """
    if config is None:
        return Config()
    if isinstance(config, Config):
        return config
    remedy = "give a tflite_eq.Config, such as tflite_eq.Config(bits='7')"
    if isinstance(config, Mapping) and all(str(name).isidentifier() for name in config):
        fields = ", ".join(f"{name}={value!r}" for name, value in config.items())
        remedy = f"give tflite_eq.Config({fields})"
    elif isinstance(config, str):
        remedy = f"a preset's options are tflite_eq.preset_config({config!r})"
    raise ConfigError(f"config is {described(config)}; {remedy}")


def published_parts(method: Method) -> dict[str, enum.Enum]:
    """Values that options have in a setting as published, by name; none for other methods."""
    if not method.is_published:
        return {}
    parts: dict[str, enum.Enum] = {
        "activation_mode": ActivationMode.SYMMETRIC,
        "bias_correction": BiasCorrection.NONE,
        "equalization": Equalization.NONE,
        "reconstruction": Reconstruction.NONE,
    }
    if method is Method.EASYQUANT_PAPER:
        parts["objective"] = Objective.COSINE
    return parts


def conflict_with_published(name: str, value: enum.Enum | str, method: Method) -> ConfigError:
    """The error for an option that has another value in a setting as published."""
    given = value.value if isinstance(value, enum.Enum) else value
    own = "easyquant" if method is Method.EASYQUANT_PAPER else "kl"
    return ConfigError(
        f"{name}: '{given}' does not go with the method '{method.value}', a setting as published "
        f"in which it is '{published_parts(method)[name].value}'; leave {name} out, or choose the "
        f"method '{own}'"
    )


# Options that a comparison on held-back samples may decide against.
COMPARED_OPTIONS = ("method", "equalization", "bias_correction")


def _checked_fixed(names: Any) -> tuple[str, ...]:
    """Names of options that hold whatever a comparison finds, in one order and each once."""
    is_listed = isinstance(names, (list, tuple, set, frozenset))
    if not is_listed or not all(name in COMPARED_OPTIONS for name in names):
        raise ConfigError(
            f"fixed: {names!r} is not a list of some of {', '.join(map(repr, COMPARED_OPTIONS))}"
        )
    return tuple(name for name in COMPARED_OPTIONS if name in names)


def _check_expression(field: str, expression: Any) -> None:
    if expression is None:
        return
    if not isinstance(expression, str):
        raise ConfigError(
            f"{field}: {expression!r} is not a valid regular expression: expected a str, found a "
            f"{type(expression).__name__}"
        )
    try:
        re.compile(expression)
    except (re.error, RecursionError, OverflowError) as error:
        raise ConfigError(
            f"{field}: {expression!r} is not a valid regular expression: {error}"
        ) from error
