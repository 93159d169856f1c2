"""What the delegate would claim of a model on a CPU, decided by the library's own code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tflite_eq.delegate import library
from tflite_eq.delegate.binding import kernels
from tflite_eq.delegate.claims import Claim, output_name
from tflite_eq.delegate.described_model import ModelNode, NodeTensor, select
from tflite_eq.errors import ConfigError
from tflite_eq.graph.consistency import CODES
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.targets import Target

_ISAS = {
    Target.GENERIC: "scalar",
    Target.ARMV8_0: "neon",
    Target.ARMV8_2_DOTPROD: "neon_dotprod",
    Target.ARMV8_6_I8MM: "neon_i8mm",
    Target.ARMV9_SME2: "neon_i8mm",
    Target.X86_AVX2: "avx2",
    Target.X86_VNNI: "avx512_vnni",
    Target.X86_AMX: "avx512_vnni",
}
# What XNNPACK has there and the delegate's kernels have not.
_OTHER_PEERS = ("AVX-512", "AVX-VNNI", "AMX", "SME")
_PEERS = {Target.ARMV9_SME2: "SME", Target.X86_AMX: "AMX"}


def cpu_of(target: Target, vnni_units: int = 2) -> kernels.Cpu:
    """What the plan knows about a target.

    Args:
        target: The CPU family.
        vnni_units: 512-bit VNNI units of ``X86_VNNI`` and ``X86_AMX``: two on Intel's server cores,
            one elsewhere.
    """
    two = target in (Target.X86_VNNI, Target.X86_AMX) and vnni_units == 2
    in_order = target is Target.ARMV8_0
    return kernels.Cpu(_ISAS[target], two, _PEERS.get(target, ""), in_order)


def with_vnni_units(cpu: kernels.Cpu, vnni_units: int) -> kernels.Cpu:
    """The same CPU with another number of 512-bit VNNI units."""
    peer = cpu.peer if cpu.peer in _OTHER_PEERS else ""
    return kernels.Cpu(cpu.isa, vnni_units == 2, peer, cpu.in_order)


def describe(cpu: kernels.Cpu) -> str:
    """A CPU in words: what either side computes with."""
    units = " with two VNNI units" if cpu.two_vnni_units else ""
    order = " in order" if cpu.in_order else ""
    return f"{cpu.isa}{units}{order} beside XNNPACK on {cpu.peer}"


def explain(
    graph: Graph,
    cpu: kernels.Cpu,
    threads: int = 1,
    options: Mapping[str, library.Option] | None = None,
) -> list[Claim]:
    """The delegate's decision on every operator of a kind that it runs, in order.

    Args:
        graph: The model.
        cpu: The CPU to decide for.
        threads: Threads it would compute with: they divide what an operator saves, not the cost of
            switching between delegates.
        options: More options for the delegate; ``leave``, ``claim``, ``min_saving`` and ``kernel``
            have a say in what it claims.

    Raises:
        ConfigError: The library refuses an option.
    """
    try:
        decisions = select(
            [_tensor(graph, tensor.index) for tensor in graph.tensors],
            [_node(operator) for operator in graph.operators],
            cpu,
            threads=threads,
            options={name: str(value) for name, value in (options or {}).items()},
        )
    except ValueError as error:
        raise ConfigError(f"the delegate refuses its options: {error}") from error
    return [
        Claim(
            decision.node,
            decision.kind,
            output_name(graph, decision.node),
            decision.claimed,
            decision.reason,
            decision.saved_multiplications,
        )
        for decision in decisions
    ]


def _node(operator: Operator) -> ModelNode:
    stored = {} if operator.options is None else vars(operator.options)
    # Lists are arrays in a model that was read, and those that the file leaves out are None.
    fields = {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in stored.items()
        if value is not None
    }
    return ModelNode(operator.kind, operator.inputs, operator.outputs, fields)


def _tensor(graph: Graph, index: int) -> NodeTensor:
    tensor, stored = graph.tensors[index], graph.subgraph.tensors[index]
    # Float tensors may keep the scale of codes that they were made from.
    quantization = stored.quantization if tensor.type_name in CODES else None
    if quantization is not None and not len(_values(quantization, "scale")):
        quantization = None
    data = graph.model.buffers[stored.buffer].data if tensor.is_constant else None
    return NodeTensor(
        tensor.type_name,
        tensor.shape,
        scales=[float(s) for s in _values(quantization, "scale")],
        zero_points=[int(z) for z in _values(quantization, "zeroPoint")],
        quantized_dimension=int(quantization.quantizedDimension) if quantization else 0,
        data=None if data is None else np.asarray(data, np.uint8).tobytes(),
        name=tensor.name,
        variable=bool(stored.isVariable),
        sparse=stored.sparsity is not None,
    )


def _values(quantization: Any, field: str) -> Any:
    values = getattr(quantization, field, None)
    return [] if values is None else values
