"""Whether a calibration record, perhaps edited by hand, fits the network it is applied to.

What does not fit would not always fail later: members of a scale group with different scales would
be rounded once more, which no decision has reckoned with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set

import numpy as np

from tflite_eq.equalization.domains import find_domains
from tflite_eq.equalization.factors import ChannelFactors
from tflite_eq.errors import ConfigError
from tflite_eq.graph.linear import LinearLayer
from tflite_eq.graph.model import Graph
from tflite_eq.graph.scale_groups import scale_groups
from tflite_eq.numerics.grids import WeightGrid
from tflite_eq.numerics.lattice import is_on_lattice
from tflite_eq.record.codes import decode_codes
from tflite_eq.record.record import Calibration, LayerRecord, TensorRecord

_REMEDY = "calibrate again, or undo the edit"


def check_fits(
    calibration: Calibration, graph: Graph, layers: dict[int, LinearLayer], skipped: Set[int]
) -> None:
    """Refuse a record that does not say exactly what the network needs to know.

    Args:
        calibration: The record.
        graph: The float network.
        layers: Its linear layers by operator index.
        skipped: Indices of operators that stay in float.

    Raises:
        ConfigError: A tensor or layer is missing, unknown, repeated or described wrongly.
    """
    _check_tensors(calibration, graph, layers, skipped)
    wanted = {index: layer for index, layer in layers.items() if index not in skipped}
    _check_names(
        "layer",
        [(record.index, record.name) for record in calibration.layers],
        {index: layer.name for index, layer in wanted.items()},
    )
    for record in calibration.layers:
        _check_layer(record, wanted[record.index])


def check_part(
    layer: LayerRecord,
    tensors: Sequence[TensorRecord],
    waiting_scales: Mapping[int, Sequence[float]],
    graph: Graph,
    layers: Mapping[int, LinearLayer],
) -> None:
    """Refuse what an interrupted run has decided on one layer, if it is of another network.

    Args:
        layer: The layer.
        tensors: Tensors settled before it.
        waiting_scales: Weight scales of layers to come, by operator index.
        graph: The float network.
        layers: Its linear layers by operator index.

    Raises:
        ConfigError: A tensor or layer is unknown or described wrongly.
    """
    names = {index: found.name for index, found in layers.items()}
    _check_known("layer", layer.index, layer.name, names)
    _check_layer(layer, layers[layer.index])
    names = {tensor.index: tensor.name for tensor in graph.tensors}
    for tensor in tensors:
        _check_known("tensor", tensor.index, tensor.name, names)
    for index, scales in waiting_scales.items():
        if index not in layers or len(scales) not in (1, layers[index].channels):
            raise ConfigError(f"{len(scales)} weight scales wait for operator {index}; {_REMEDY}")


def check_equalization(
    equalization: Sequence[ChannelFactors], graph: Graph, skipped: Set[int]
) -> None:
    """Refuse factors that would change what the network computes.

    Args:
        equalization: The record's.
        graph: The float network.
        skipped: Indices of operators that stay in float.

    Raises:
        ConfigError: Factors belong to layers that cannot be equalized, are too few or many, or
            are given twice.
    """
    domains = find_domains(graph, skipped) if equalization else []
    for factors in equalization:
        if not any(factors.fits(domain) for domain in domains):
            raise ConfigError(
                f"the calibration record equalizes {factors.describe()} by "
                f"{len(factors.factors)} factors, which does not fit the model; {_REMEDY}"
            )
        if sum(factors.producers == other.producers for other in equalization) > 1:
            raise ConfigError(
                f"the calibration record equalizes {factors.describe()} twice; {_REMEDY}"
            )


def _check_tensors(
    calibration: Calibration, graph: Graph, layers: dict[int, LinearLayer], skipped: Set[int]
) -> None:
    groups = scale_groups(graph, layers, skipped)
    _check_names(
        "tensor",
        [(record.index, record.name) for record in calibration.tensors],
        {index: graph.tensors[index].name for index in groups},
    )
    records = {record.index: record for record in calibration.tensors}
    for record in calibration.tensors:
        first = records[groups[record.index].tensors[0]]
        if (record.scale, record.zero_point) != (first.scale, first.zero_point):
            raise ConfigError(
                f"the calibration record gives tensor '{record.name}' scale {record.scale} and "
                f"zero point {record.zero_point}, but '{first.name}' has {first.scale} and "
                f"{first.zero_point}; operators between the two pass codes on unchanged, so give "
                "both the same"
            )


def _check_names(what: str, found: list[tuple[int, str]], wanted: dict[int, str]) -> None:
    """Make sure that indices and names are those of the network, each once."""
    for (index, name), count in Counter(found).items():
        _check_known(what, index, name, wanted)
        if count > 1:
            raise ConfigError(
                f"the calibration record has {what} '{name}' {count} times; undo the edit"
            )
    missing = [wanted[index] for index in sorted(wanted.keys() - dict(found).keys())]
    if missing:
        raise ConfigError(
            f"the calibration record lacks {len(missing)} {what}(s) of the model, the first is "
            f"'{missing[0]}'; {_REMEDY} (to keep one in float use --skip)"
        )


def _check_known(what: str, index: int, name: str, wanted: Mapping[int, str]) -> None:
    if wanted.get(index) != name:
        raise ConfigError(
            f"the calibration record has a {what} '{name}' at index {index}, which the model "
            f"lacks; it was made for another model: {_REMEDY}"
        )


def _check_layer(record: LayerRecord, layer: LinearLayer) -> None:
    where = f"the calibration record of layer '{record.name}'"
    if record.input != layer.input:
        raise ConfigError(f"{where} has input {record.input}, expected {layer.input}; {_REMEDY}")
    if len(record.scales) not in (1, layer.channels):
        raise ConfigError(
            f"{where} has {len(record.scales)} weight scales for {layer.channels} output channels; "
            "give one scale, or one per channel"
        )
    if len(record.bias_correction) not in (0, layer.channels):
        raise ConfigError(
            f"{where} has {len(record.bias_correction)} bias corrections for {layer.channels} "
            "output channels; give none, or one per channel"
        )
    has_lattice = layer.geometry is not None and layer.geometry.is_winograd
    if record.grid == WeightGrid.EVEN_TRIPLETS.value and not has_lattice:
        raise ConfigError(
            f"{where} has the grid '{record.grid}', which only 3x3 convolutions of stride 1 can "
            f"have; use '{WeightGrid.INT8.value}' or '{WeightGrid.INT7.value}'"
        )
    if record.codes:
        _check_codes(record, layer, where)


def _check_codes(record: LayerRecord, layer: LinearLayer, where: str) -> None:
    try:
        codes = decode_codes(record.codes, layer.filters.shape)
    except ValueError as error:
        raise ConfigError(f"{where} has damaged weight codes ({error}); {_REMEDY}") from error
    grid = WeightGrid(record.grid)
    fits = bool((np.abs(codes.astype(np.int16)) <= grid.limit).all())
    if grid is WeightGrid.EVEN_TRIPLETS:
        fits = fits and bool(is_on_lattice(codes).all())
    if not fits:
        raise ConfigError(f"{where} has weight codes outside its grid '{grid.value}'; {_REMEDY}")
