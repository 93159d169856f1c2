"""What is used of other packages besides their documented interfaces, all of it listed here."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1] / "tflite_eq"

# Names with an underscore that are not of this package.
PRIVATE_NAMES = {
    # attach: the method of a tf.lite.TFLiteConverter that calibrates and quantizes
    ("converter.py", "_quantize"),
    # documented, in spite of its name
    ("workers.py", "_exit"),
    ("trial_process.py", "_exit"),
}

# Modules of runtimes and converters by their full path.
MODULES = {
    # tf.lite.Interpreter and tf.lite.experimental.OpResolverType by another name
    ("runtimes.py", "tensorflow.lite.python.interpreter"),
    ("runtimes.py", "ai_edge_litert.interpreter"),
    ("runtimes.py", "tflite_runtime.interpreter"),
    # what the first of these imports, which a process that only tries models does without
    ("trial_process.py", "tensorflow.lite.python.metrics.metrics"),
    ("trial_process.py", "tensorflow.python.util.tf_export"),
    # generated from the schema, which is public
    ("graph/schema.py", "ai_edge_litert.schema_py_generated"),
    ("graph/schema.py", "tensorflow.lite.python.schema_py_generated"),
}

_OTHERS = re.compile(
    r"(tensorflow|keras|tf_keras|litert_quantizer|ai_edge_litert|ai_edge_quantizer|tflite_runtime)"
    r"(\.\w+)+"
)


def sources() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(ROOT.rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def own_names() -> set[str]:
    """Every name that this package defines with an underscore."""
    found = set()
    for _, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                found.add(node.name)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                is_own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
                found.update({node.attr} if is_own else ())
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
    return found


def private_names() -> set[tuple[str, str]]:
    own, found = own_names(), set()
    for name, tree in sources():
        for node in ast.walk(tree):
            used = node.attr if isinstance(node, ast.Attribute) else None
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in (
                *("getattr", "setattr", "hasattr", "delattr"),
            ):
                second = node.args[1]
                used = second.value if isinstance(second, ast.Constant) else None
            elif isinstance(node, ast.alias):
                used = node.name.rpartition(".")[2]
            if not isinstance(used, str) or not re.fullmatch(r"_[a-zA-Z]\w*", used):
                continue
            receiver = getattr(getattr(node, "value", None), "id", "")
            if used not in own and receiver not in ("self", "cls"):
                found.add((name, used))
    return found


def modules() -> set[tuple[str, str]]:
    found = set()
    for name, tree in sources():
        for node in ast.walk(tree):
            texts: list[str] = []
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts = [node.value]
            elif isinstance(node, ast.Import):
                texts = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                texts = [f"{node.module}.{alias.name}" for alias in node.names]
            found.update((name, text) for text in texts if _OTHERS.fullmatch(text))
    return found


def test_private_names_of_others_are_those_listed() -> None:
    assert private_names() == PRIVATE_NAMES


def test_modules_of_others_are_those_listed() -> None:
    assert modules() == MODULES


def test_the_quantizer_of_tensorflow_is_not_called() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in ROOT.rglob("*.py"))
    assert "mlir_quantize" not in text
