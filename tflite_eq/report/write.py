"""The report folder: HTML for people, CSV and JSON for scripts."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import pathlib

import jinja2

from tflite_eq.errors import TfliteEqError
from tflite_eq.files import PathLike, check_writable, write_atomically
from tflite_eq.report.model import LayerReport, Report
from tflite_eq.report.table import short_names


def write_report(report: Report, directory: PathLike) -> None:
    """Write ``report.html``, ``layers.csv`` and ``report.json`` into a folder.

    Raises:
        TfliteEqError: The folder cannot be made or written to.
    """
    check_directory(directory)
    folder = pathlib.Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "report.json", (json.dumps(report.as_dict(), indent=2)).encode())
    write_atomically(folder / "layers.csv", layers_csv(report).encode())
    write_atomically(folder / "report.html", report_html(report).encode())


def check_directory(directory: PathLike) -> None:
    """Refuse a folder that ``write_report`` could not make or write, before long work starts.

    Raises:
        TfliteEqError: It, or something above it, is a file or not writable.
    """
    folder = pathlib.Path(directory).absolute()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not existing.is_dir():
        raise TfliteEqError(
            f"cannot write the report to {directory}: {existing} is a file; choose another folder"
        )
    check_writable(existing / "report.html")


def layers_csv(report: Report) -> str:
    """One row per layer with every field of ``LayerReport``."""
    text = io.StringIO()
    fields = [field.name for field in dataclasses.fields(LayerReport)]
    writer = csv.DictWriter(text, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows(dataclasses.asdict(layer) for layer in report.layers)
    return text.getvalue()


def report_html(report: Report) -> str:
    """A self-contained page: summary, warnings, and the layers with the worst ones marked."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tflite_eq", "report"), autoescape=True
    )
    best = max((layer.sqnr_db_after for layer in report.layers), default=1.0)
    return environment.get_template("report.html").render(
        report=report,
        summary=report.summary,
        names=short_names([layer.name for layer in report.layers], length=60),
        best=max(best, 1.0),
    )
