"""What is run under emulation: quantized models, made here, and the delegate's options."""

from __future__ import annotations

import dataclasses
import enum
import functools
from typing import Any

import numpy.typing as npt

from tests import shared_data
from tests.delegate import networks
from tflite_eq import Config, quantize
from tflite_eq.cli.models import load_float_model
from tflite_eq.delegate.inputs import random_inputs, typed_inputs
from tflite_eq.graph import edit
from tflite_eq.graph.model import Graph
from tflite_eq.targets import Target
from tools.arm64.emulation import (
    CORTEX_A53,
    CORTEX_A55,
    CORTEX_A72,
    CORTEX_A76,
    NEOVERSE_N2,
    Cpu,
)

Array = npt.NDArray[Any]

TARGETS = {
    CORTEX_A53: Target.ARMV8_0,
    CORTEX_A55: Target.ARMV8_2_DOTPROD,
    CORTEX_A72: Target.ARMV8_0,
    CORTEX_A76: Target.ARMV8_2_DOTPROD,
    NEOVERSE_N2: Target.ARMV8_6_I8MM,
}
# Instruction sets of the library, the best each CPU has last.
ISAS = {
    CORTEX_A53: ["neon"],
    CORTEX_A76: ["neon", "neon_dotprod"],
    NEOVERSE_N2: ["neon", "neon_dotprod", "neon_i8mm"],
}
# Kernels of an instruction set, and the configuration of the small network that each computes.
_INT8_KERNELS = [("direct", "int8"), ("winograd_1d", "int7"), ("winograd_1d", "lattice")]
KERNELS = {
    "neon": [("winograd_f43", "int8"), ("direct_int7", "int7")],
    "neon_dotprod": _INT8_KERNELS,
    "neon_i8mm": _INT8_KERNELS,
}
SMALL = "small network"


class Selection(enum.Enum):
    """Which trained models are run."""

    CHOSEN = "chosen"  # few, and quickly quantized, so as to be run at every change
    ALL = "all"  # all, quantized with the defaults


@dataclasses.dataclass(frozen=True)
class Case:
    """A model on a CPU.

    Attributes:
        cpu: The CPU.
        network: Name of a shared model, or ``SMALL``.
        kind: One of ``networks.CONFIGS``, or ``auto``: what the quantizer chooses for the CPU.
        options: The delegate's options, by name; ``None``: run without the delegate.
        opened: Whether the results of all operators are outputs of the model. If not, the delegate
            keeps those inside a partition to itself.
    """

    cpu: Cpu
    network: str
    kind: str
    options: tuple[tuple[str, str], ...] | None = ()
    opened: bool = False

    def __str__(self) -> str:
        words = [self.cpu.name, self.network, self.kind, *(v for _, v in self.options or ())]
        if self.options is None:
            words.append("without delegate")
        return " ".join([*words, "opened"] if self.opened else words)


@dataclasses.dataclass(frozen=True, eq=False)
class QuantizedModel:
    """A model and what it is run on: values for all inputs, per sample."""

    model: bytes
    samples: list[list[Array]]

    @functools.cached_property
    def opened(self) -> QuantizedModel:
        """The same with the results of all operators among the outputs."""
        graph = Graph.from_bytes(self.model)
        written = [operator.outputs[0] for operator in graph.operators]
        outputs = list(dict.fromkeys([*graph.outputs, *written]))
        return QuantizedModel(edit.with_outputs(graph, outputs), self.samples)


def cases(cpu: Cpu, selection: Selection) -> list[Case]:
    """All cases of a CPU; without the shared data, those of the small network."""
    kinds = [*networks.CONFIGS, "auto"]
    found = [Case(cpu, SMALL, "int8", options=None)]
    found += [Case(cpu, SMALL, kind, opened=opened) for kind in kinds for opened in (False, True)]
    for isa in ISAS[cpu]:
        found += [
            Case(cpu, SMALL, kind, (("kernel", kernel), ("isa", isa)), opened=True)
            for kernel, kind in KERNELS[isa]
        ]
    if shared_data.folder() is None:
        return found
    if selection is Selection.CHOSEN:
        return [*found, *(Case(cpu, name, kind, opened=True) for name, kind in _CHOSEN[cpu])]
    return found + [
        Case(cpu, name, kind, opened=opened)
        for name in shared_data.models()
        for kind in ("int8", "auto")
        for opened in (False, True)
    ]


# Networks of each kind, where the delegate has something to do.
_CHOSEN = {
    CORTEX_A53: [("resnet8_cifar10", "int8"), ("mobilenet_v1_0.75_224", "auto")],
    CORTEX_A76: [("tiny_darknet", "auto")],
    NEOVERSE_N2: [("squeezenet1_1_gluon", "auto")],
}


def quantized(case: Case, selection: Selection) -> QuantizedModel:
    """The model of a case."""
    target = TARGETS[case.cpu] if case.kind == "auto" else None
    if case.network == SMALL:
        model = _small(case.kind, target)
    else:
        model = _shared(case.network, target, selection)
    return model.opened if case.opened else model


@functools.cache
def _small(kind: str, target: Target | None) -> QuantizedModel:
    if target is None:
        model = networks.quantized(kind)
    else:
        config = Config(method="minmax", bits="auto", target=target)
        model = networks.quantized_as(config)
    return QuantizedModel(model, list(random_inputs(Graph.from_bytes(model), 2, seed=0)))


@functools.cache
def _shared(name: str, target: Target | None, selection: Selection) -> QuantizedModel:
    entry = shared_data.models()[name]
    float_model = load_float_model(str(shared_data.path(entry.get("tflite") or entry["file"])))
    chosen = selection is Selection.CHOSEN
    calibration = [[x] for x in shared_data.calibration(name, 4 if chosen else 20)]
    # Codes go in: tflite-runtime 2.14 rounds some floats to other codes than later runtimes do.
    settings: dict[str, Any] = {"input_type": "int8"}
    if target is not None:
        settings.update(bits="auto", target=target)
    if chosen:
        settings.update(method="minmax", bias_correction="none")
    model = quantize(float_model, calibration, Config(**settings)).model
    # A real image, and codes from end to end of the range.
    graph = Graph.from_bytes(model)
    image, noise = next(typed_inputs(graph, calibration[0])), next(random_inputs(graph, 1, seed=0))
    return QuantizedModel(model, [image, noise])
