"""The accuracy guard: quantize, evaluate, and keep the layers that cost too much."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tflite_eq.backends import Backend, BackendName, make_backend
from tflite_eq.calibration.dataset import SpreadSubset, repeatable
from tflite_eq.calibration.record import Calibration
from tflite_eq.config import Config
from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.equalization.factors import with_factors
from tflite_eq.errors import ConfigError
from tflite_eq.evaluation.evaluator import evaluate
from tflite_eq.evaluation.labels import LabelledSet
from tflite_eq.evaluation.team import NamedModel
from tflite_eq.files import PathLike
from tflite_eq.graph.linear import linear_layers
from tflite_eq.graph.outputs import logits_view
from tflite_eq.graph.scale_groups import scale_groups
from tflite_eq.guard.price import Price, price
from tflite_eq.guard.search import Drop, Kept, Outcome, Unit, search
from tflite_eq.guard.sensitivity import layer_noise
from tflite_eq.progress import note
from tflite_eq.quantizer import (
    QuantizationResult,
    calibrate,
    prepared,
    quantize,
    skipped_operators,
)
from tflite_eq.simulation.trace import PassTrace

# Calibration samples that sensitivity is measured on. Ranking needs fewer than calibrating: every
# one of them gives as many errors as there are logits.
_SENSITIVITY_SAMPLES = 16


@dataclasses.dataclass(frozen=True)
class Validation:
    """What the bound is checked on.

    Attributes:
        dataset: The samples.
        preprocessing: What pixels go through.
        has_labels: Whether the loss is the drop in top-1; else it is 100 minus the agreement with
            the float model.
    """

    dataset: LabelledSet
    preprocessing: Preprocessing
    has_labels: bool

    @property
    def measure(self) -> str:
        """Name of the figure that the bound is about."""
        return "top-1 drop" if self.has_labels else "disagreement"


@dataclasses.dataclass(frozen=True)
class Guarded:
    """What the guard ends with.

    Attributes:
        config: The options given, with what is to be kept added to ``keep_int8`` and ``skip``.
        result: The model they give.
        outcome: Its loss, and how it was found.
        measure: Name of the figure that the bound is about.
        price: Its cost.
        plain_price: Cost of the model with nothing kept.
    """

    config: Config
    result: QuantizationResult
    outcome: Outcome
    measure: str
    price: Price
    plain_price: Price


def check_bound(max_drop: float) -> None:
    """Refuse bounds that mean nothing.

    Raises:
        ConfigError: It is negative, above 100, or no number.
    """
    if not (math.isfinite(max_drop) and 0 <= max_drop <= 100):
        raise ConfigError(
            f"--max_drop {max_drop:g}: must be percentage points from 0 to 100, such as 0.5"
        )


def quantize_guarded(
    model: bytes,
    representative_dataset: Any,
    max_drop: float,
    validation: Validation,
    config: Config | None = None,
    *,
    num_samples: int | None = None,
    backend: Backend | BackendName | str = BackendName.AUTO,
    origin: str = "model",
    resume_dir: PathLike | None = None,
    num_workers: int | None = None,
) -> Guarded:
    """Quantize a classifier so that it loses at most so much accuracy on validation data.

    Args:
        model: A float ``.tflite`` with one input and one output.
        representative_dataset: Sample inputs, see ``SampleReader``; read once per model tried.
        max_drop: Largest loss allowed, in percentage points.
        validation: What the loss is measured on; calibration must not have seen it.
        config: Options to start from.
        num_samples: Use at most so many calibration samples.
        backend: Quantizer backend.
        origin: What to call the model in messages.
        resume_dir: Folder with one folder per model tried, see ``calibrate``.
        num_workers: Processes that evaluate; ``None`` takes one per core.

    Raises:
        TfliteEqError: As for ``quantize`` and ``evaluate``. A bound that cannot be met is no error:
            ``outcome.holds`` tells.
    """
    check_bound(max_drop)
    logits_view(model, origin)  # refuses now what ``evaluate`` would refuse after calibrating
    run = _Run(
        model,
        repeatable(representative_dataset),
        config or Config(),
        num_samples,
        make_backend(backend) if isinstance(backend, (str, BackendName)) else backend,
        origin,
        resume_dir,
    )

    def measure(kept: Kept) -> Drop:
        drop = _measured(run.result(kept).model, model, origin, validation, num_workers)
        verdict = "holds" if drop.points <= max_drop else "too much"
        note(
            f"Guard: {len(kept.int8)} layers kept in INT8, {len(kept.in_float)} operators in "
            f"float: {validation.measure} {drop.points:.2f} ± {drop.standard_error:.2f}, {verdict}"
        )
        return drop

    outcome = search(max_drop, measure, run.rank_units, run.rank_float)
    return Guarded(
        run.config(outcome.kept),
        run.result(outcome.kept),
        outcome,
        validation.measure,
        run.price(outcome.kept),
        run.price(Kept()),
    )


class _Run:
    """All models of one guarded quantization, each made once."""

    def __init__(
        self,
        model: bytes,
        dataset: Any,
        config: Config,
        num_samples: int | None,
        backend: Backend,
        origin: str,
        resume_dir: PathLike | None,
    ) -> None:
        self._model = model
        self._dataset = dataset
        self._config = config
        self._num_samples = num_samples
        self._backend = backend
        self._origin = origin
        self._resume_dir = resume_dir
        self._results: dict[Kept, QuantizationResult] = {}
        self._kept_samples = SpreadSubset(_SENSITIVITY_SAMPLES)
        self._all_int8 = Kept()
        graph = prepared(model, origin)
        self._names = [graph.tensors[i].name for o in graph.operators for i in o.outputs]

    def config(self, kept: Kept) -> Config:
        """The options with a choice added."""
        return dataclasses.replace(
            self._config,
            keep_int8=matching(kept.int8, self._names, self._config.keep_int8),
            skip=matching(kept.in_float, self._names, self._config.skip),
        )

    def result(self, kept: Kept) -> QuantizationResult:
        """The model that a choice gives."""
        if kept not in self._results:
            config = self.config(kept)
            trace = PassTrace(kept=self._kept_samples if not self._results else SpreadSubset(0))
            calibration = calibrate(
                self._model,
                self._dataset,
                config,
                num_samples=self._num_samples,
                origin=self._origin,
                resume_dir=self._folder(config),
                trace=trace,
            )
            self._results[kept] = quantize(
                self._model, calibration, backend=self._backend, origin=self._origin
            )
        return self._results[kept]

    def rank_units(self) -> list[Unit]:
        """Layers with 7-bit inputs by what the eighth bit saves, those of one scale together."""
        calibration = self.result(Kept()).calibration
        graph = with_factors(prepared(self._model, self._origin), calibration.equalization)
        layers = linear_layers(graph)
        groups = scale_groups(graph, layers, skipped_operators(graph, self._config.skip))
        is_int7 = {tensor.index: tensor.bits == 7 for tensor in calibration.tensors}
        members: dict[tuple[int, ...], list[int]] = {}
        for record in calibration.layers:
            if is_int7[record.input]:
                members.setdefault(groups[record.input].tensors, []).append(record.index)
        if not members:
            return []
        every = (index for indices in members.values() for index in indices)
        self._all_int8 = Kept(int8=frozenset(layers[index].name for index in every))
        narrow = self._noise(calibration)
        wide = self._noise(self.result(self._all_int8).calibration)
        saved = {
            frozenset(layers[i].name for i in indices): sum(narrow[i] - wide[i] for i in indices)
            for indices in members.values()
        }
        return sorted(saved, key=lambda unit: -saved[unit])

    def rank_float(self) -> list[Unit]:
        """Quantized layers by the noise that 8 bits cause in them, with what writes their inputs.

        A layer in float behind one in int8 would still read codes. All of it together leaves at
        least one layer quantized.
        """
        calibration = self.result(self._all_int8).calibration
        graph = prepared(self._model, self._origin)
        skipped = skipped_operators(graph, self._config.skip)
        groups = scale_groups(graph, linear_layers(graph), skipped)
        noise = self._noise(calibration)
        names = {record.name for record in calibration.layers}
        found: list[Unit] = []
        taken: Unit = frozenset()
        for record in sorted(calibration.layers, key=lambda record: -noise[record.index]):
            writers = (graph.producer(tensor) for tensor in groups[record.input].tensors)
            unit = frozenset(
                graph.tensors[operator.outputs[0]].name
                for operator in (*writers, graph.operators[record.index])
                if operator is not None and operator.index not in skipped
            )
            if names <= taken | unit:
                continue
            taken |= unit
            found.append(unit)
        return found

    def price(self, kept: Kept) -> Price:
        """The cost of a choice."""
        graph = prepared(self._model, self._origin)
        result = self.result(kept)
        return price(graph, linear_layers(graph), result.calibration, result.model)

    def _noise(self, calibration: Calibration) -> dict[int, float]:
        graph = with_factors(prepared(self._model, self._origin), calibration.equalization)
        samples = [dict(zip(graph.inputs, values)) for values in self._kept_samples.samples]
        return layer_noise(graph, linear_layers(graph), calibration, samples)

    def _folder(self, config: Config) -> Path | None:
        """A folder of its own for the state of every calibration."""
        if self._resume_dir is None:
            return None
        digest = hashlib.sha256(json.dumps(config.as_dict(), sort_keys=True).encode()).hexdigest()
        return Path(self._resume_dir) / f"guard_{digest[:12]}"


def matching(
    names: Iterable[str], others: Iterable[str] = (), pattern: str | None = None
) -> str | None:
    """A regular expression for names and for what another expression matches; None for nothing.

    Args:
        names: What to match.
        others: All names there are. Converters join the names of fused operators by semicolons;
            the first part will do where it tells the name from all others.
        pattern: The other expression.
    """
    wanted = sorted(names)
    if not wanted:
        return pattern
    firsts = collections.Counter(name.split(";")[0] for name in {*others, *wanted})
    short = [name.split(";")[0] for name in wanted]
    is_unique = all(firsts[first] == 1 and first for first in short)
    chosen, end = (short, "(;|$)") if is_unique else (wanted, "$")
    escaped = "|".join(re.escape(name) for name in chosen)
    own = f"^({escaped}){end}" if len(chosen) > 1 else f"^{escaped}{end}"
    return own if pattern is None else f"{pattern}|{own}"


def _measured(
    candidate: bytes, model: bytes, origin: str, validation: Validation, workers: int | None
) -> Drop:
    evaluation = evaluate(
        [NamedModel(f"{origin} quantized", candidate)],
        validation.dataset,
        validation.preprocessing,
        reference=NamedModel(origin, model),
        num_workers=workers,
    )
    figures = evaluation.models[-1].metrics
    if validation.has_labels:
        assert figures.top1_drop is not None
        found = figures.top1_drop
        return Drop(found.value, found.standard_error, figures.n)
    assert figures.agreement is not None
    found = figures.agreement
    # 100 - 99.7 is not 0.3 in binary; a bound of 0.3 must hold all the same.
    return Drop(round(100 - found.value, 9), found.standard_error, figures.n)
