"""What the delegate would do with the written model, CPU family by CPU family."""

from __future__ import annotations

from tflite_eq.delegate import library
from tflite_eq.delegate.claims import Claim as Decision
from tflite_eq.errors import BackendError, ConfigError
from tflite_eq.graph.model import Graph
from tflite_eq.graph.properties import LinearKind
from tflite_eq.report.model import Claim, TargetSummary
from tflite_eq.targets import Target

# XNNPACK's kernel takes input channels by eights and multiplies the padding, too.
_CHANNEL_GROUP = 8
_LINEAR = frozenset(kind.value for kind in LinearKind)


def claims_by_target(
    graph: Graph, multiplications: float
) -> tuple[list[TargetSummary], dict[int, tuple[Claim, ...]]]:
    """The delegate's decisions on every operator of a kind that it runs.

    Args:
        graph: The written model.
        multiplications: What XNNPACK multiplies for one inference, padding included.

    Returns:
        One summary per target, and the claims of each operator by its output's tensor index.
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
        for one in found:
            said = Claim(target.value, one.claimed, one.reason, one.saved_multiplications)
            claims.setdefault(graph.operators[one.operator].outputs[0], []).append(said)
        # Of what it is compared with: the time of other operators is in neither.
        saved = sum(one.saved_multiplications for one in found if one.kind in _LINEAR)
        summaries.append(
            TargetSummary(
                target=target.value,
                supported=True,
                note="",
                claimed=sum(one.claimed for one in found),
                operators=len(graph.operators),
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


def _claims(graph: Graph, target: Target) -> list[Decision]:
    """The delegate's decisions.

    Raises:
        BackendError: The library with the delegate's decisions is not installed.
        ConfigError: It has no kernels for the target.
    """
    library.find(library.KERNELS)
    from tflite_eq.delegate.explain import cpu_of, explain

    return explain(graph, cpu_of(target))
