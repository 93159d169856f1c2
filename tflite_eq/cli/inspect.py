"""``tflite-eq inspect``: what a quantized model's layers look like."""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import Any

from tflite_eq import metadata
from tflite_eq.cli import check
from tflite_eq.cli.flags import add_model_path, model_path_from
from tflite_eq.cli.layer_facts import LayerFacts, layer_facts
from tflite_eq.cli.models import read_tflite
from tflite_eq.errors import ModelError
from tflite_eq.graph.model import Graph
from tflite_eq.outlook import outlook
from tflite_eq.report.table import align, short_names
from tflite_eq.text import printable

_LATTICE = "even triplets"


def register(subparsers: Any, summary: str) -> None:
    """Add the sub-command to the parser, with the line that its list of commands has for it."""
    parser = subparsers.add_parser(
        "inspect",
        help=summary,
        description="List the convolutions and dense layers of a .tflite and how they are "
        "quantized; of a float model say what quantizing will do, as check does.",
    )
    add_model_path(parser, "a .tflite file, quantized or float")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the sub-command.

    Raises:
        ModelError: The file cannot be read or is no TFLite model.
    """
    path = model_path_from(args)
    data = read_tflite(path)
    graph = Graph.from_bytes(data, path)
    try:
        check.show(outlook(data, path), path, len(data), args.json)
        return 0
    except ModelError as error:
        refusal = str(error)
    record = metadata.read(graph.model)
    facts = layer_facts(graph, record)
    if args.json:
        plain = {
            "layers": [dataclasses.asdict(f) for f in facts],
            "record": dataclasses.asdict(record) if record else None,
        }
        print(json.dumps(plain, indent=2))
        return 0
    print(_table(facts))
    print(_footer(graph, facts, record))
    if not any(f.weight_type == "int8" for f in facts):
        print(f"It cannot be quantized: {refusal}")
    print(f"RESULT {json.dumps(_summary(path, len(data), graph, facts, record))}")
    return 0


def _summary(
    path: str, size: int, graph: Graph, facts: list[LayerFacts], record: metadata.Record | None
) -> dict[str, Any]:
    """The last line, for scripts; ``--json`` has every layer."""
    return {
        "model": path,
        "bytes": size,
        "operators": len(graph.operators),
        "layers": len(facts),
        "int8_layers": sum(f.weight_type == "int8" for f in facts),
        "int7_inputs": sum(f.input_bits == 7 for f in facts),
        "lattice_layers": sum(f.grid == _LATTICE for f in facts),
        "tool_version": record.tool_version if record else None,
        "backend": record.backend if record else None,
    }


def _table(facts: list[LayerFacts]) -> str:
    header = (
        *("layer", "kind", "shape", "input", "in scale", "in zp", "window"),
        *("out scale", "out zp", "w scales", "max |w|", "weights"),
    )
    names = short_names([f.name for f in facts])
    return align([header, *(_row(name, f) for name, f in zip(names, facts))])


def _row(name: str, facts: LayerFacts) -> tuple[str, ...]:
    if facts.weight_type != "int8" or facts.input_type != "int8":
        blanks = ("",) * 8
        shape = "x".join(map(str, facts.filter_shape))
        return (name, facts.kind, shape, facts.input_type, *blanks)
    low, high = facts.window or (-128, 127)
    scales = f"{facts.weight_scale_min:.3g}"
    if facts.weight_scales > 1:
        scales += f"..{facts.weight_scale_max:.3g} ({facts.weight_scales})"
    return (
        name,
        facts.kind,
        "x".join(map(str, facts.filter_shape)),
        f"int{facts.input_bits}",
        f"{facts.input_scale:.4g}",
        str(facts.input_zero_point),
        f"[{low}, {high}]",
        f"{facts.output_scale:.4g}",
        str(facts.output_zero_point),
        scales,
        str(facts.largest_weight),
        facts.grid,
    )


def _footer(graph: Graph, facts: list[LayerFacts], record: metadata.Record | None) -> str:
    quantized = sum(f.weight_type == "int8" for f in facts)
    lines = [
        f"{quantized} of {len(facts)} convolutions and dense layers are int8, "
        f"{sum(f.grid == _LATTICE for f in facts)} on the even-triplet lattice; "
        f"{len(graph.operators)} operators in all."
    ]
    if record is None:
        lines.append(
            "No tflite_eq record that can be read: windows are unknown, bits are those of the type."
        )
    else:
        options = ("method", "bits", "target", "bias_correction", "seed")
        shown = [f"{o.replace('_', ' ')} {record.config.get(o, 'unknown')}" for o in options]
        made = (
            f"Made by tflite_eq {record.tool_version} ({record.backend}): {', '.join(shown)}, "
            f"{record.samples} samples, calibration {record.calibration_sha256[:12]}."
        )
        lines.append(printable(made))
    return "\n".join(lines)
