"""``tflite-eq check``: what quantizing a float model will do, without data and in a second."""

from __future__ import annotations

import argparse
import collections
import dataclasses
import json
import math
from typing import Any

from tflite_eq.cli.flags import (
    add_model_flags,
    add_model_path,
    input_shapes_from,
    model_path_from,
)
from tflite_eq.cli.models import load_float_model
from tflite_eq.config import Config, Forms
from tflite_eq.outlook import End, LayerOutlook, Outlook, outlook
from tflite_eq.report.table import align, short_names
from tflite_eq.text import counted, printable

# Layers in the table: those with the most work and those with the poorest weights.
_SHOWN = 12


def register(subparsers: Any, summary: str) -> None:
    """Add the sub-command to the parser, with the line that its list of commands has for it."""
    parser = subparsers.add_parser(
        "check",
        help=summary,
        description="Say what of a float model will be quantized, what stays in float, what is "
        "normalised first and where accuracy is at risk. Needs no data, and for a .tflite no "
        "TensorFlow.",
    )
    add_model_path(parser, "float .tflite, .keras or .h5 file, or SavedModel directory")
    parser.add_argument("--skip", metavar="REGEX", help="as for quantize")
    parser.add_argument(
        "--forms", choices=[form.value for form in Forms], default=Forms.FAST.value, help="likewise"
    )
    add_model_flags(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a page")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the sub-command.

    Raises:
        TfliteEqError: The model cannot be quantized.
    """
    config = Config(
        skip=args.skip,
        forms=args.forms,
        signature=args.signature,
        input_shape=input_shapes_from(args) or (),
    )
    path = model_path_from(args)
    model = load_float_model(path)
    found = outlook(model, path, config)
    show(found, path, len(model), args.json)
    return 0


def show(found: Outlook, path: str, size: int, as_json: bool) -> None:
    """Print an outlook on the model of so many bytes."""
    if as_json:
        print(json.dumps(_plain(found), indent=2))
        return
    print(page(found))
    line = {
        "model": path,
        "bytes": size,
        "layers": len(found.layers),
        "share": round(found.share, 4),
        "normalized": len(found.changes),
        "in_float": len(found.in_float),
        "risks": len(found.risks),
        "int8_to_float_time": round(found.speed.ratio, 2),
    }
    print(f"RESULT {json.dumps(line)}")


def page(found: Outlook) -> str:
    """The outlook as text."""
    lines = [f"Input   {_end(end)}" for end in found.inputs]
    lines += [f"Output  {_end(end)}" for end in found.outputs]
    lines += ["", _table(found.layers), ""]
    kinds = collections.Counter(layer.kind for layer in found.layers)
    work = sum(layer.multiplications for layer in found.layers)
    lines.append(
        f"Will be int8: {counted(len(found.layers), 'layer')} ({_counts(kinds)}) with "
        f"{100 * found.share:.4g} % of the multiplications ({work / 1e6:,.1f} million)"
        + (f", and {_counts(found.others)}." if found.others else ".")
    )
    if found.changes:
        lines.append(printable(f"Normalised first: {'; '.join(found.changes)}."))
    if found.forms:
        lines.append(written_as_others(found.forms))
    told = [f"In float: {sentence}." for sentence in found.in_float] or ["In float: nothing."]
    told += [f"Risk: {sentence}." for sentence in found.risks]
    told += [f"Speed: {sentence}." for sentence in found.speed.sentences]
    lines += map(printable, told)
    return "\n".join(lines)


def written_as_others(forms: str) -> str:
    """A line about operators in a form that stock runtimes run fast."""
    return f"Written as others that stock runtimes run fast: {forms} (--forms plain: as they are)."


def _table(layers: tuple[LayerOutlook, ...]) -> str:
    by_work = sorted(range(len(layers)), key=lambda i: -layers[i].multiplications)
    by_weights = sorted(range(len(layers)), key=lambda i: layers[i].weights_db)
    shown = sorted({*by_work[: _SHOWN // 2], *by_weights[: _SHOWN // 2]})
    if len(layers) <= _SHOWN:
        shown = list(range(len(layers)))
    total = max(sum(layer.multiplications for layer in layers), 1)
    names = short_names([layer.name for layer in layers])
    rows = [("layer", "kind", "filter", "work %", "weights dB")]
    for index in shown:
        layer = layers[index]
        rows.append(
            (
                names[index],
                layer.kind,
                "x".join(map(str, layer.filter_shape)),
                f"{100 * layer.multiplications / total:.1f}",
                f"{layer.weights_db:.1f}" if math.isfinite(layer.weights_db) else "exact",
            )
        )
    left = len(layers) - len(shown)
    return align(rows) + (f"\n... and {left} more with less work and finer weights" if left else "")


def _end(end: End) -> str:
    sizes = ", ".join("?" if size < 0 else str(size) for size in end.shape)
    return f"{printable(end.name)}  {end.type_name} [{sizes}]"


def _counts(kinds: dict[str, int]) -> str:
    return ", ".join(f"{kind} {count}" for kind, count in kinds.items())


def _plain(found: Outlook) -> dict[str, Any]:
    plain = dataclasses.asdict(found)
    for layer in plain["layers"]:
        if not math.isfinite(layer["weights_db"]):
            layer["weights_db"] = None
    return plain
