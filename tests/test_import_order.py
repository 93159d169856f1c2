"""Packages import one way: what stands on a line imports from the lines above it, or from itself.

Whoever reads the package from top to bottom meets nothing before it is explained; and nothing that
is decided further down can travel back up. A new package or module at the top gets a line here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1] / "tflite_eq"

# Packages, and modules at the top of the package; "" is ``tflite_eq/__init__.py``.
LAYERS = (
    # Small tools that know nothing of networks.
    {"json_fields", "locking", "progress", "quiet", "session", "text", "version", "workers"},
    {"threads"},
    {"errors"},
    {"arguments", "files", "tensorflow_import"},
    {"named_numbers", "user_functions"},
    {"demonstration", "deprecated"},
    # The arithmetic, which imports nothing; and options in its terms.
    {"numerics"},
    {"targets"},
    {"config"},
    {"presets", "request"},
    # Float networks: files that hold them, reading and changing them.
    {"file_formats"},
    {"keras_models", "saved_models"},
    {"conversion"},
    {"graph"},
    {"known_model", "precision", "selection", "tensor_metadata"},
    # Samples.
    {"data"},
    {"metadata"},
    # Running networks.
    {"process_apart"},
    {"runtimes"},
    {"delegate", "trial"},
    {"execution"},
    {"normalization"},
    {"preparation"},
    {"islands"},
    # What calibration data show.
    {"data_checks", "statistics"},
    # What is decided about a network, and how it is kept.
    {"equalization", "search"},
    {"record"},
    {"checkpoint", "reconstruction"},
    {"writing"},
    {"stock_prices"},
    {"stock_speed"},
    # Both networks side by side.
    {"bias"},
    {"simulation"},
    {"fine_tuning"},
    # What the result is worth.
    {"evaluation"},
    {"alternatives", "conformance", "trial_process", "verify"},
    {"calibration"},
    {"report"},
    {"allocation", "outlook"},
    # What users call.
    {"quantizer"},
    {"guard"},
    {"converter", "evaluating", "litert_recipe"},
    {""},
    {"cli"},
    {"__main__"},
)

LEVELS = {name: level for level, names in enumerate(LAYERS) for name in names}


def units() -> Iterator[tuple[str, ast.Module]]:
    """The package, or module at the top, that each file belongs to, and what is in the file."""
    for path in sorted(ROOT.rglob("*.py")):
        top = path.relative_to(ROOT).parts[0].removesuffix(".py")
        tree = ast.parse(path.read_text(encoding="utf-8"))
        yield "" if top == "__init__" else top, tree


def imported(tree: ast.Module) -> set[str]:
    """Packages and top modules that a file imports from, inside functions and for types, too."""
    found = set()
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.ImportFrom):
            assert not node.level, "imports name modules in full"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            package, *rest = name.split(".")
            if package == ROOT.name:
                found.add(rest[0] if rest and rest[0] in LEVELS else "")
    return found


def test_every_package_has_its_place() -> None:
    assert sum(map(len, LAYERS)) == len(LEVELS), "a name stands twice"
    assert {unit for unit, _ in units()} == LEVELS.keys()


def test_packages_import_one_way() -> None:
    upwards = {
        (unit, other)
        for unit, tree in units()
        for other in imported(tree) - {unit}
        if LEVELS[other] >= LEVELS[unit]
    }
    assert not upwards


# What only a session does with an interpreter; ``process_apart`` is an interpreter itself.
_OF_SESSIONS = {"invoke", "set_tensor", "get_tensor", "resize_tensor_input"}


def test_only_sessions_run_interpreters() -> None:
    found = {
        (path.relative_to(ROOT).as_posix(), node.attr)
        for path in ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in _OF_SESSIONS
    }
    others = {(name, used) for name, used in found if name != "session.py"}
    # A session's own ``invoke``.
    assert {used for _, used in others} <= {"invoke"}
    assert {used for name, used in found - others} == _OF_SESSIONS
