"""All models of one guarded quantization, each calibrated, written and measured once."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Set

from tflite_eq.allocation.allocate import Allocation, allocated
from tflite_eq.calibration.crops import CroppedSamples, for_parts
from tflite_eq.calibration.float_pass import observed
from tflite_eq.calibration.outlier_samples import heard_samples
from tflite_eq.config import Config
from tflite_eq.conformance.samples import CHECKED_SAMPLES
from tflite_eq.data.stored_samples import StoredSamples
from tflite_eq.equalization.factors import with_factors
from tflite_eq.errors import BackendError, VerificationError
from tflite_eq.evaluation.intervals import Estimate
from tflite_eq.evaluation.task import NamedModel
from tflite_eq.graph.channel_splitting import with_split_channels
from tflite_eq.graph.float_islands import island_of, matching, with_movers
from tflite_eq.graph.linear import linear_layers
from tflite_eq.graph.scale_groups import scale_groups
from tflite_eq.guard.bound import Guard
from tflite_eq.guard.folder import GuardFolder
from tflite_eq.guard.measures import measure
from tflite_eq.guard.price import price
from tflite_eq.guard.search import Drop, KeptLayers, OperatorNames
from tflite_eq.guard.sensitivity import layer_noise
from tflite_eq.preparation import Prepared, as_fed, prepared
from tflite_eq.progress import note
from tflite_eq.quantizer import (
    QuantizationResult,
    apply_calibration,
    calibrate_as,
)
from tflite_eq.record.calibration import Calibration
from tflite_eq.report.guard_record import Price
from tflite_eq.request import Request
from tflite_eq.search.trace import PassTrace
from tflite_eq.selection import check_selection, skipped_operators
from tflite_eq.threads import one_thread_of_blas

# Calibration samples that sensitivity is measured on. Ranking needs fewer than calibrating: every
# one of them gives as many errors as there are values in the outputs.
_SENSITIVITY_SAMPLES = 16

# Units of a ranking with the noise that keeping them takes away, the most sensitive first.
Ranking = list["tuple[OperatorNames, float]"]


class CandidateModels:
    """The models that the search asks for, and what it ranks layers by.

    Attributes:
        int8_ranking: What could keep 8 bits; empty until ``rank_units`` was asked.
        float_ranking: What could stay in float; empty until ``rank_float`` was asked.
        impossible: Choices that gave no model that runs everywhere.
    """

    def __init__(
        self,
        request: Request,
        guard: Guard,
        folder: GuardFolder | None,
        num_workers: int | None,
    ) -> None:
        """Read the calibration samples, and run the float model on the validation data.

        Every other model is calibrated on these, and compared with that.
        """
        model, origin, config = request.model, request.origin, request.config
        self._request = request
        self._config = config
        self._folder = folder
        network = prepared(model, origin, config)
        self._graph = network.front
        self._layers = linear_layers(self._graph)
        self._skipped = skipped_operators(self._graph, config)
        check_selection(self._graph, self._layers, self._skipped, config)
        outputs = [i for operator in self._graph.operators for i in operator.outputs]
        self._names = [self._graph.tensors[index].name for index in outputs]
        self._made: dict[KeptLayers, tuple[QuantizationResult, PassTrace]] = {}
        self._all_int8 = KeptLayers()
        self.int8_ranking: Ranking = []
        self.float_ranking: Ranking = []
        self.impossible: set[KeptLayers] = set()
        self._samples = StoredSamples(self._graph, request.dataset, request.num_samples)
        allocation = _allocated(network, self._skipped, self._samples, config)
        self._config = allocation.config  # chosen once: what the guard keeps comes on top
        self._allocations = allocation.sentences
        for sentence in self._allocations:
            note(f"note: {sentence}", of_result=True)
        self._graph = with_split_channels(
            network.unsplit, self._config.split_channels, self._config.channel_copies
        )
        self._layers = linear_layers(self._graph)
        self._held_back = None
        if request.held_back is not None:
            self._held_back = StoredSamples(self._graph, request.held_back)
        reference = NamedModel(origin, as_fed(model, origin, config))
        self._measure = measure(guard, reference, num_workers)
        self._measured_on = b"" if folder is None else self._measure.digest()

    def close(self) -> None:
        """Forget the calibration samples."""
        self._samples.close()
        if self._held_back is not None:
            self._held_back.close()

    def config(self, kept: KeptLayers) -> Config:
        """The options with a choice added."""
        return dataclasses.replace(
            self._config,
            keep_int8=matching(kept.int8, self._names, self._config.keep_int8),
            skip=matching(self._in_float(kept), self._names, self._config.skip),
        )

    def result(self, kept: KeptLayers) -> QuantizationResult:
        """The model that a choice gives."""
        if kept not in self._made:
            config = self.config(kept)
            trace = PassTrace(keeps=CHECKED_SAMPLES)
            request = dataclasses.replace(
                self._request,
                dataset=self._samples,
                config=config,
                num_samples=None,
                held_back=self._held_back,
                resume_dir=None if self._folder is None else self._folder.calibration_of(config),
            )
            calibration = calibrate_as(request, trace)
            trace.allocations = self._allocations
            result = apply_calibration(
                request.model, calibration, origin=request.origin, trace=trace
            )
            self._made[kept] = result, trace
        return self._made[kept][0]

    def trace(self, kept: KeptLayers) -> PassTrace:
        """What calibrating that model saw, for a report."""
        self.result(kept)
        return self._made[kept][1]

    def drop(self, kept: KeptLayers) -> Drop:
        """The loss of a choice on the validation data; infinite if it cannot be made.

        An installed runtime may fail on what a choice leaves in float. That rules the choice out;
        it does not end a long run.
        """
        try:
            candidate = self.result(kept).model
        except (BackendError, VerificationError) as error:
            if not kept.in_float:
                raise
            note(f"Guard: a choice is left out: {error}")
            self.impossible.add(kept)
            return Drop(Estimate(math.inf), self._measure.samples)
        model = NamedModel(f"{self._request.origin} quantized", candidate)
        if self._folder is None:
            return self._measure.drop(model)
        drop = self._folder.drop_of(candidate, self._measured_on)
        if drop is None:
            drop = self._measure.drop(model)
            self._folder.save_drop(candidate, self._measured_on, drop)
        return drop

    def rank_units(self) -> list[OperatorNames]:
        """Layers with 7-bit inputs by what the eighth bit saves, those of one scale together."""
        calibration = self.result(KeptLayers()).calibration
        graph = with_factors(
            prepared(self._request.model, self._request.origin, self._config).front,
            calibration.equalization,
        )
        layers = linear_layers(graph)
        groups = scale_groups(graph, layers, self._skipped)
        is_int7 = {tensor.index: tensor.bits < 8 for tensor in calibration.tensors}
        members: dict[tuple[int, ...], list[int]] = {}
        for record in calibration.layers:
            if is_int7[record.input]:
                members.setdefault(groups[record.input].tensors, []).append(record.index)
        if not members:
            return []
        every = (index for indices in members.values() for index in indices)
        self._all_int8 = KeptLayers(int8=frozenset(layers[index].name for index in every))
        narrow = self._noise(calibration)
        wide = self._noise(self.result(self._all_int8).calibration)
        saved = {
            frozenset(layers[i].name for i in indices): sum(narrow[i] - wide[i] for i in indices)
            for indices in members.values()
        }
        self.int8_ranking = sorted(saved.items(), key=lambda entry: -entry[1])
        return [unit for unit, _ in self.int8_ranking]

    def rank_float(self) -> list[OperatorNames]:
        """Quantized layers by the noise that 8 bits cause in them, with what computes their inputs.

        All of it together leaves at least one layer quantized.
        """
        calibration = self.result(self._all_int8).calibration
        noise = self._noise(calibration)
        names = {record.name for record in calibration.layers}
        taken: OperatorNames = frozenset()
        for record in sorted(calibration.layers, key=lambda record: -noise[record.index]):
            island = island_of(self._graph, self._layers[record.index], self._skipped)
            unit = frozenset(self._name_of(index) for index in island)
            if names <= taken | unit:
                continue
            taken |= unit
            self.float_ranking.append((unit, noise[record.index]))
        return [unit for unit, _ in self.float_ranking]

    def price(self, kept: KeptLayers) -> Price:
        """The cost of a choice."""
        result = self.result(kept)
        return price(self._graph, self._layers, result.calibration, result.model)

    def _in_float(self, kept: KeptLayers) -> set[str]:
        """Names of all operators that a choice leaves in float."""
        if not kept.in_float:
            return set()
        chosen = {o.index for o in self._graph.operators if self._name_of(o.index) in kept.in_float}
        found = with_movers(self._graph, chosen | self._skipped) - self._skipped
        return {self._name_of(index) for index in found}

    def _name_of(self, operator: int) -> str:
        return self._graph.tensors[self._graph.operators[operator].outputs[0]].name

    def _noise(self, calibration: Calibration) -> dict[int, float]:
        graph = with_factors(
            prepared(self._request.model, self._request.origin, self._config).front,
            calibration.equalization,
        )
        spread = self._samples.spread(_SENSITIVITY_SAMPLES)
        samples = [dict(zip(graph.inputs, values)) for values in spread]
        return layer_noise(graph, linear_layers(graph), calibration, samples)


@one_thread_of_blas()
def _allocated(
    network: Prepared, skipped: Set[int], samples: StoredSamples, config: Config
) -> Allocation:
    """What ``calibrate`` would decide, by the samples that it would look at."""
    graph = network.unsplit
    smaller = for_parts(graph)
    if smaller is not None:
        graph, samples = smaller, CroppedSamples(samples, smaller, config.seed)
    seen = observed(graph, skipped, samples, config)
    heard = heard_samples(graph, samples, seen.ends, config)
    return allocated(graph, skipped, heard.samples, config, heard.shares.keys())
