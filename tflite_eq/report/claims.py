"""What the delegate would do with the written model, CPU family by CPU family."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping

from tflite_eq.delegate.library import HOW_TO_BUILD
from tflite_eq.errors import BackendError, ConfigError
from tflite_eq.graph.model import Graph
from tflite_eq.report.model import Claim, TargetSummary
from tflite_eq.targets import Target

# XNNPACK's kernel takes input channels by eights and multiplies the padding, too.
_CHANNEL_GROUP = 8


def claims_by_target(
    graph: Graph, multiplications: float
) -> tuple[list[TargetSummary], dict[int, tuple[Claim, ...]]]:
    """The delegate's decisions on every convolution.

    Args:
        graph: The written model.
        multiplications: What XNNPACK multiplies for one inference, padding included.

    Returns:
        One summary per target, and the claims of each convolution by its output's tensor index.
    """
    summaries = []
    claims: dict[int, list[Claim]] = {}
    for target in Target:
        if target is Target.GENERIC:
            continue
        try:
            found = _claims(graph, target)
        except (BackendError, ConfigError) as error:
            summaries.append(TargetSummary(target.value, supported=False, note=str(error)))
            continue
        for tensor, claim in found.items():
            claims.setdefault(tensor, []).append(claim)
        saved = sum(claim.saved_multiplications for claim in found.values())
        summaries.append(
            TargetSummary(
                target=target.value,
                supported=True,
                note="",
                claimed=sum(claim.claimed for claim in found.values()),
                convolutions=len(found),
                saved_multiplications=saved,
                speedup=multiplications / max(multiplications - saved, 1.0),
            )
        )
    return summaries, {tensor: tuple(found) for tensor, found in claims.items()}


def runtime_multiplications(multiplications: int, input_channels: int, groups: int) -> float:
    """What XNNPACK multiplies for a layer, zeros that fill up few input channels included."""
    if groups > 1 or input_channels >= _CHANNEL_GROUP:
        return float(multiplications)
    return multiplications / input_channels * _CHANNEL_GROUP


def _claims(graph: Graph, target: Target) -> Mapping[int, Claim]:
    """Claims by output tensor.

    Raises:
        BackendError: The delegate's Python module is not built.
        ConfigError: It has no kernels for the target.
    """
    if importlib.util.find_spec("tflite_eq.delegate._kernels") is None:
        raise BackendError(f"the delegate's Python module is not built: {HOW_TO_BUILD}")
    from tflite_eq.delegate.explain import cpu_of, explain

    return {
        graph.operators[found.operator].outputs[0]: Claim(
            target.value, found.claimed, found.reason, found.saved_multiplications
        )
        for found in explain(graph, cpu_of(target))
    }
