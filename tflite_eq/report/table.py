"""Plain-text tables for the terminal."""

from __future__ import annotations

import collections
from collections.abc import Sequence

from tflite_eq.report.model import Report
from tflite_eq.text import printable


def layer_table(report: Report) -> str:
    """One line per linear layer: its grid, input codes, and SQNR before and after correction."""
    header = ("layer", "kind", "weights", "input", "scale", "start", "SQNR dB", "corrected")
    rows = [
        (
            name,
            layer.kind,
            layer.grid.replace("_", " "),
            f"int{layer.input_bits}",
            f"{layer.input_scale:.4g}",
            f"{layer.input_start} x{layer.input_factor:.3g}",
            f"{layer.sqnr_db_before:.1f}",
            "rolled back" if layer.rolled_back else f"{layer.sqnr_db_after:.1f}",
        )
        for name, layer in zip(short_names([n.name for n in report.layers]), report.layers)
    ]
    return align([header, *rows])


def align(rows: Sequence[Sequence[str]]) -> str:
    """Rows with their columns padded to equal width; numbers to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if _is_number(cell) else cell.ljust(width)
            for cell, width in zip(row, widths)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def short_names(names: Sequence[str], length: int = 40) -> list[str]:
    """Tensor names as people can read them.

    TensorFlow joins the names of all fused operators with semicolons, the last operator first,
    which is the one whose output this is; and it puts the model's name in front. A long rest is
    cut at the front: the end tells layers apart.
    """
    first = [printable(name.split(";")[0] or name) for name in names]
    scopes = collections.Counter(name.split("/")[0] for name in first if "/" in name)
    scope, count = scopes.most_common(1)[0] if scopes else ("", 0)
    if count > 1:
        first = [name[len(scope) + 1 :] if name.startswith(f"{scope}/") else name for name in first]
    return [n if len(n) <= length else f"...{n[-(length - 3) :]}" for n in first]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
