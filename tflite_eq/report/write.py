"""The report folder: HTML for people, CSV and JSON for scripts, node data for Model Explorer."""

from __future__ import annotations

import csv
import io
import json
import math
import pathlib
from typing import Any

from tflite_eq.errors import TfliteEqError
from tflite_eq.files import (
    PathLike,
    check_writable,
    exists,
    is_folder,
    write_all_atomically,
)
from tflite_eq.report.model import LayerReport, Report
from tflite_eq.report.model_explorer import node_data

NODE_DATA_FOLDER = "model_explorer"


def write_report(report: Report, directory: PathLike) -> None:
    """Write ``report.html``, ``layers.csv``, ``report.json`` and ``model_explorer/*.json``.

    Everything is made before anything is replaced: a failure leaves an older report as it was.

    Raises:
        TfliteEqError: The folder cannot be made or written to.
    """
    # Templates take a tenth of the time that all other imports of quantizing do.
    from tflite_eq.report.html import report_html

    check_directory(directory)
    folder = pathlib.Path(directory)
    files = {
        folder / "report.html": report_html(report),
        folder / "layers.csv": layers_csv(report),
        folder / "report.json": json.dumps(report.as_dict(), indent=1, allow_nan=False) + "\n",
    }
    for name, text in node_data(report).items():
        files[folder / NODE_DATA_FOLDER / name] = text
    for parent in {path.parent for path in files}:
        try:
            parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TfliteEqError(
                f"cannot write the report to {directory}: {error}; choose another folder"
            ) from error
    write_all_atomically({path: text.encode() for path, text in files.items()})


def check_directory(directory: PathLike) -> None:
    """Refuse a folder that ``write_report`` could not make or write, before long work starts.

    Raises:
        TfliteEqError: It, or something above it, is a file or not writable.
    """
    folder = pathlib.Path(directory).absolute()
    for wanted in (folder, folder / NODE_DATA_FOLDER):
        existing = next(path for path in (wanted, *wanted.parents) if exists(path))
        if not is_folder(existing):
            raise TfliteEqError(
                f"cannot write the report to {directory}: {existing} is a file; choose another "
                "folder"
            )
        try:
            check_writable(existing / "report.html")
        except TfliteEqError as error:
            reason = error.__cause__
            if not isinstance(reason, OSError):
                raise
            raise TfliteEqError(
                f"cannot write the report to {directory}: {existing} is not writable "
                f"({reason.strerror}); choose a folder you may write to"
            ) from error


def layers_csv(report: Report) -> str:
    """One row per layer and one column per figure; empty where there is none."""
    rows = [_row(position, layer) for position, layer in enumerate(report.layers, start=1)]
    columns = list(dict.fromkeys(name for row in rows for name in row)) or ["position", "name"]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _row(position: int, layer: LayerReport) -> dict[str, Any]:
    row: dict[str, Any] = {"position": position}
    row.update({name: getattr(layer, name) for name in _PLAIN_FIELDS})
    measured, detail = layer.comparison, layer.detail
    if measured is not None:
        row.update(
            sqnr_db_default=measured.sqnr_db_default,
            sqnr_db_final=measured.sqnr_db_final,
            cosine_default=measured.cosine_default,
            cosine_final=measured.cosine_final,
            added_noise=measured.added_noise,
            compared_input_outside=measured.input_outside,
            input_code_low=measured.input_codes[0] if measured.input_codes else "",
            input_code_high=measured.input_codes[1] if measured.input_codes else "",
        )
    if detail is not None:
        row.update(
            shape=detail.shape,
            weights=detail.weights,
            multiplications=detail.multiplications,
            clip_low=detail.clip[0],
            clip_high=detail.clip[1],
            window_low=detail.window[0],
            window_high=detail.window[1],
            weight_factor_min=detail.weight_factors[0],
            weight_factor_median=detail.weight_factors[1],
            weight_factor_max=detail.weight_factors[2],
        )
        for proof in detail.certificates:
            row[f"{proof.kernel}_exact"] = proof.holds
            row[f"{proof.kernel}_headroom_bits"] = proof.headroom_bits
        for claim in detail.claims:
            row[f"{claim.target}_claimed"] = claim.claimed
            row[f"{claim.target}_reason"] = claim.reason
    return {name: _cell(value) for name, value in row.items()}


_PLAIN_FIELDS = (
    "name",
    "kind",
    "grid",
    "input_bits",
    "input_scale",
    "input_zero_point",
    "input_start",
    "input_factor",
    "input_outside",
    "mssr_before",
    "mssr_after",
    "rqnsr_before",
    "rqnsr",
    "sqnr_db_before",
    "sqnr_db_after",
    "rolled_back",
    "ridge",
    "reconstruction_db",
)


def _cell(value: Any) -> Any:
    """As pandas reads it back: an empty cell is missing, ``inf`` a number."""
    if isinstance(value, float) and math.isnan(value):
        return ""
    return value
