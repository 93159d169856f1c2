"""Which graph of a SavedModel is converted, told from its outline before TensorFlow is imported."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tflite_eq.errors import ModelError
from tflite_eq.file_formats import formats, saved_model
from tflite_eq.file_formats.wire import WireError

# A pointer of a version control system is a short file.
_POINTER_BYTES = 1024


def chosen_tags(folder: str, signature_keys: Sequence[str] | None) -> set[str] | None:
    """What to choose the graph by; ``None`` leaves that to TensorFlow.

    The modules of TensorFlow 1's Hub have no tags, or one graph with and one without ``train``.

    Args:
        folder: The SavedModel.
        signature_keys: The signatures to convert; ``None`` for all.

    Raises:
        ModelError: The files are damaged or stand for others, there is no telling which graph is
            meant, or it has no signature to convert.
    """
    _check_files(Path(folder))
    try:
        graphs = saved_model.read_meta_graphs(Path(folder))
    except WireError as error:
        raise ModelError(
            f"{folder}: its saved_model.pb is cut off or damaged ({error}); write or download it "
            "again"
        ) from error
    except OSError as error:
        raise ModelError(f"{folder}: cannot read the SavedModel: {error.strerror}") from error
    if graphs is None:
        return None
    graph = saved_model.to_convert(graphs)
    if graph is None:
        shown = ", ".join(str(sorted(one.tags)) for one in graphs) or "none"
        raise ModelError(
            f"{folder}: the SavedModel has {len(graphs)} graphs, with the tags {shown}, and none "
            "for serving alone; convert the right one in Python: "
            f"tflite_eq.EasyQuantConverter.from_saved_model({folder!r}, tags=[...])"
        )
    missing = sorted(set(signature_keys or ()) - set(graph.signatures))
    if graph.signatures and missing:
        raise ModelError(
            f"{folder}: the SavedModel has no signature {missing}; it has {list(graph.signatures)}"
        )
    if not graph.signatures:
        raise _without_signature(folder)
    return set(graph.tags)


def _check_files(folder: Path) -> None:
    """Refuse pointers that a checkout has left in place of the files."""
    for path in (folder / "saved_model.pb", *sorted(folder.glob("variables/*"))):
        if not path.is_file() or path.stat().st_size > _POINTER_BYTES:
            continue
        data = path.read_bytes()
        if not data:
            raise ModelError(f"{path}: the file is empty; write or download the SavedModel again")
        if path.name == "saved_model.pb" or b"/annex/" in data or b"git-lfs" in data:
            found = formats.recognized(data, str(path))
            if found is not None and "SavedModel" not in found.what:
                raise ModelError(
                    f"{path}: is no part of a SavedModel but {found.what}; {found.remedy}"
                )


def _without_signature(folder: str) -> ModelError:
    """TensorFlow 2's Hub has modules that are functions without a signature."""
    return ModelError(
        f"{folder}: the SavedModel has no signature, so nothing says what its inputs are; name "
        "them in Python, with the shape they have, then pass model.tflite: import pathlib, "
        f"tensorflow as tf, tflite_eq; loaded = tf.saved_model.load({folder!r}); "
        "call = tf.function(lambda x: loaded(x)).get_concrete_function("
        "tf.TensorSpec([1, 224, 224, 3], tf.float32)); "
        "made = tflite_eq.EasyQuantConverter.from_concrete_functions([call], loaded).float_model()"
        "; pathlib.Path('model.tflite').write_bytes(made)"
    )
