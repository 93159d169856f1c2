"""Plain-text tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from tflite_eq.report.model import Report


def layer_table(report: Report) -> str:
    """One line per linear layer: its grid, input codes, and SQNR before and after correction."""
    header = ("layer", "kind", "weights", "input", "scale", "start", "SQNR dB", "corrected")
    rows = [
        (
            short_name(layer.name),
            layer.kind,
            layer.grid,
            f"int{layer.input_bits}",
            f"{layer.input_scale:.4g}",
            f"{layer.input_start} x{layer.input_factor:.3g}",
            f"{layer.sqnr_db_before:.1f}",
            "rolled back" if layer.rolled_back else f"{layer.sqnr_db_after:.1f}",
        )
        for layer in report.layers
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


def short_name(name: str, length: int = 44) -> str:
    """A tensor name cut at the front: the end tells layers apart."""
    return name if len(name) <= length else f"...{name[-(length - 3) :]}"


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
