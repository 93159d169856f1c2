"""Running any models over the same samples and comparing every output with a reference's.

Models are what they are: with any number of inputs and outputs, of any shape and type. Nothing is
left out and nothing is known about the samples but what goes in.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from tflite_eq.errors import ConfigError, DatasetError
from tflite_eq.evaluation import closeness, dispatch
from tflite_eq.evaluation.classifier import is_vector
from tflite_eq.evaluation.closeness import Closeness, Scores
from tflite_eq.evaluation.comparison_plan import ComparisonPlan, InputSamples
from tflite_eq.evaluation.dispatch import Engine, Workforce
from tflite_eq.evaluation.matches import Match, first_outputs, matched, read, sorting_notes
from tflite_eq.evaluation.task import NamedModel
from tflite_eq.runtimes import Kernels, Runtime, preferred_runtime


@dataclasses.dataclass(frozen=True)
class OutputResult:
    """What was measured of one output of one model.

    Attributes:
        name: What the reference calls it.
        shape: Shape for the first sample.
        type_name: The model's element type: ``int8`` also where figures are of real values.
        closeness: The figures.
        scores: What they are made of, by sample: entries of type ``closeness.SCORE``.
    """

    name: str
    shape: tuple[int, ...]
    type_name: str
    closeness: Closeness
    scores: Scores

    def to_dict(self, samples: InputSamples) -> dict[str, Any]:
        """For JSON; ``samples`` tell where the largest error comes from."""
        figures = self.closeness.to_dict()
        if figures["max_error"]:
            figures["max_error"]["sample_name"] = samples.name(figures["max_error"]["sample"])
        return {
            "name": self.name,
            "shape": list(self.shape),
            "type": self.type_name,
            **figures,
        }


@dataclasses.dataclass(frozen=True)
class ComparedModel:
    """What was measured of one model.

    Attributes:
        name: As given.
        size_bytes: Size of the file.
        outputs: In the reference's order.
    """

    name: str
    size_bytes: int
    outputs: tuple[OutputResult, ...]


@dataclasses.dataclass(frozen=True)
class OutputComparison:
    """Outcome of one comparison.

    Attributes:
        reference: What the models were compared with.
        models: In the order given.
        runtime: Name and version of the TFLite runtime.
        kernels: What it computed with.
        samples: What the models ran on.
        notes: What one has to know to read the figures, a sentence each.
    """

    reference: NamedModel
    models: tuple[ComparedModel, ...]
    runtime: str
    kernels: Kernels
    samples: InputSamples
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "judged_by": "reference",
            "runtime": self.runtime,
            "kernels": self.kernels.value,
            "reference": {
                "name": self.reference.name,
                "size_bytes": len(self.reference.data),
            },
            "models": [
                {
                    "name": model.name,
                    "size_bytes": model.size_bytes,
                    "outputs": [output.to_dict(self.samples) for output in model.outputs],
                }
                for model in self.models
            ],
            "notes": list(self.notes),
        }


def compare_outputs(
    models: Sequence[NamedModel],
    reference: NamedModel,
    samples: InputSamples,
    *,
    kernels: Kernels = Kernels.DEFAULT,
    runtime: Runtime | None = None,
    num_workers: int | None = 1,
    engine: Engine = Engine.LOCAL,
    ray_address: str | None = None,
) -> OutputComparison:
    """Measure how close every output of models is to a reference's.

    Codes with a scale are compared as the real values they stand for. Outputs, and inputs, are
    matched by the names of signatures or tensors, by position where these differ.

    Args:
        models: What to measure.
        reference: What to compare with, usually the float model that the others were made of.
        samples: For the reference's inputs, by their names; real values, or of an input's own
            type.
        kernels: What the runtime computes with.
        runtime: Where models run; default the preferred one.
        num_workers: As for ``evaluate``, like the rest.
        engine: See there.
        ray_address: See there.

    Raises:
        ModelError: A model has another number of inputs or outputs than the reference, an output of
            another shape, or one whose integers mean nothing.
        DatasetError: A sample cannot be read or does not fit a model.
        BackendError: The runtime cannot run a model, or crashed.
        ConfigError: There is nothing to compare, ``num_workers`` is not allowed, or Ray is not
            installed.
    """
    workforce = Workforce(num_workers, engine, ray_address)
    workforce.check()
    if not models:
        raise ConfigError(
            f"nothing to compare with {reference.name}: name another model with --model"
        )
    opened = OpenedModels.of([reference, *models], reference, samples, kernels, runtime)
    scores = dispatch.run(opened.plan, len(samples), workforce)
    return opened.comparison(reference, scores)


@dataclasses.dataclass(frozen=True)
class OpenedModels:
    """Models that are known to fit together and to the samples.

    Attributes:
        plan: How they are run.
        matches: Each of them beside the reference.
        shapes: Of the reference's outputs, for the first sample.
    """

    plan: ComparisonPlan
    matches: tuple[Match, ...]
    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(
        cls,
        models: Sequence[NamedModel],
        reference: NamedModel,
        samples: InputSamples,
        kernels: Kernels,
        runtime: Runtime | None,
    ) -> OpenedModels:
        """Run the first sample.

        Args:
            models: What to run.
            reference: The model whose ends the samples and results are called after.
            samples: As for ``compare_outputs``, like all that follows.
            kernels: See there.
            runtime: See there.

        Raises:
            TfliteEqError: As for ``compare_outputs``.
        """
        if not len(samples):
            raise DatasetError("there are no samples; give at least one")
        plan, matches = _plan(models, reference, samples, kernels, runtime or preferred_runtime())
        shapes, kinds = first_outputs(plan.worker(), matches)
        return cls(dataclasses.replace(plan, is_real=kinds), tuple(matches), tuple(shapes))

    def comparison(self, reference: NamedModel, scores: Scores) -> OutputComparison:
        """Figures of every output.

        Args:
            reference: The first of the models.
            scores: Entries of type ``closeness.SCORE`` of the others, [models, samples, outputs].
        """
        names = self.plan.output_names
        ranks_classes = len(names) == 1 and is_vector(self.shapes[0])
        compared = tuple(
            ComparedModel(
                match.model.name,
                len(match.model.data),
                tuple(
                    OutputResult(
                        name,
                        self.shapes[column],
                        match.outputs[match.output_order[column]].type_name.lower(),
                        closeness.summarize(rows[:, column], ranks_classes),
                        rows[:, column],
                    )
                    for column, name in enumerate(names)
                ),
            )
            for match, rows in zip(self.matches[1:], scores)
        )
        notes = [note for match in self.matches for note in match.notes]
        notes += [*sorting_notes(self.matches[0]), *_not_finite(compared)]
        return OutputComparison(
            reference,
            compared,
            self.plan.runtime.description,
            self.plan.kernels,
            self.plan.samples,
            tuple(notes),
        )


def _plan(
    models: Sequence[NamedModel],
    reference: NamedModel,
    samples: InputSamples,
    kernels: Kernels,
    runtime: Runtime,
) -> tuple[ComparisonPlan, list[Match]]:
    """What can be known before anything runs; ``is_real`` is still empty."""
    own = read(reference)
    matches = [matched(own if m is reference else read(m), own) for m in models]
    plan = ComparisonPlan(
        models=tuple(match.model for match in matches),
        input_orders=tuple(match.input_order for match in matches),
        output_orders=tuple(match.output_order for match in matches),
        input_names=tuple(end.name for end in own.inputs),
        output_names=tuple(end.name for end in own.outputs),
        is_real=(),
        samples=samples,
        kernels=kernels,
        runtime=runtime,
    )
    return plan, matches


def _not_finite(models: Sequence[ComparedModel]) -> list[str]:
    return [
        f"{model.name}: '{output.name}' or its reference holds NaN or infinity in "
        f"{output.closeness.not_finite} of {output.closeness.n} samples; check the preprocessing "
        "(--image_mean, --image_std) if that is not meant"
        for model in models
        for output in model.outputs
        if output.closeness.not_finite
    ]
