"""From what a user names - folders, lists, NumPy files, recordings - to samples of a model."""

from __future__ import annotations

import dataclasses
import os
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar, Union

from tflite_eq.data import arrays, folders
from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.data.readers import (
    ArraySamples,
    AudioSamples,
    ImageSamples,
    fits,
    takes_images,
    takes_recordings,
)
from tflite_eq.data.samples import JoinedSamples, Samples
from tflite_eq.errors import ConfigError, DatasetError, ModelError
from tflite_eq.files import PathLike, exists, is_file, is_folder
from tflite_eq.graph.inputs import ModelInput, check_names, find_input, listed

ModelSamples = Union[Samples, JoinedSamples]
S = TypeVar("S", Samples, JoinedSamples, ModelSamples)

# Names that a message lists.
_MOST_NAMES = 8


@dataclasses.dataclass(frozen=True)
class Place:
    """Where the data of one input are.

    Attributes:
        path: A file or folder.
        key: The array in an ``.npz`` file; ``None`` leaves that to its shape.
    """

    path: Path
    key: str | None = None


def open_data(
    data: Sequence[PathLike],
    inputs: Sequence[ModelInput],
    preprocessing: Preprocessing,
    option: str = "--calibration",
) -> ModelSamples:
    """Open data for all inputs of a model.

    Args:
        data: One path, or ``NAME=PATH`` for every input. What may be at a path: a folder of images,
            recordings or ``.npy`` files (searched recursively, in sorted order), a ``.npy`` or
            ``.npz`` file (the array whose trailing shape is the input's), a recording, or a text
            file with one of these files per line, relative to the text file's folder; blank lines
            and lines that begin with ``#`` are skipped. A single path for several inputs is an
            ``.npz`` file with arrays called like them, or a folder with a folder or file called
            like each of them.
        inputs: The model's.
        preprocessing: Applied to images, recordings and uint8 arrays; float arrays are taken as
            they are.
        option: Where ``data`` come from, for messages.

    Returns:
        The samples: arrays for a model with one input, else dicts of arrays by name.

    Raises:
        TfliteEqError: The data are missing, unreadable or of the wrong form, or the preprocessing
            does not fit.
    """
    check_names(inputs)
    _check_types(inputs)
    places = located(data, inputs, option)
    parts = {one.name: _open(places[one.name], one, preprocessing) for one in inputs}
    return parts[inputs[0].name] if len(inputs) == 1 else JoinedSamples(parts)


def subset(samples: S, num_samples: int, seed: int) -> S:
    """At most so many samples.

    When there are more, a random subset that depends on ``seed`` and the number of samples alone is
    taken, in its original order.

    Raises:
        ConfigError: ``num_samples`` is not positive.
    """
    if num_samples < 1:
        raise ConfigError(f"--num_samples {num_samples}: at least one sample is needed")
    return samples.select(choose(len(samples), num_samples, seed))


def left_over(samples: S, num_samples: int, seed: int, limit: int) -> S | None:
    """Those that ``subset`` leaves out.

    Args:
        samples: As for ``subset``, like the two that follow.
        num_samples: See there.
        seed: See there.
        limit: At most so many, evenly spread over those left out.

    Returns:
        The samples, ``None`` if the subset is all there are.
    """
    used = set(choose(len(samples), num_samples, seed))
    rest = [index for index in range(len(samples)) if index not in used]
    count = min(limit, len(rest))
    if not count:
        return None
    return samples.select([rest[position * len(rest) // count] for position in range(count)])


def choose(total: int, count: int, seed: int) -> list[int]:
    """``count`` of ``range(total)`` at random, ascending; all of them when there are fewer.

    ``random.Random(seed).random()`` is the one generator whose sequence Python promises to
    keep between versions, hence the detour over sorting.
    """
    if count >= total:
        return list(range(total))
    generator = random.Random(seed)
    keys = [generator.random() for _ in range(total)]
    return sorted(sorted(range(total), key=keys.__getitem__)[:count])


def find_samples_array(path: Path, taker: ModelInput) -> arrays.ArrayInfo:
    """The one array of a NumPy file whose trailing shape is an input's.

    Of several the one that is called like the input.

    Raises:
        DatasetError: None fits or several do; the message lists the arrays found.
    """
    infos = arrays.list_arrays(path)
    fitting = [info for info in infos if fits(info, taker)]
    if len(fitting) > 1:
        fitting = [info for info in fitting if find_input([taker], info.key)] or fitting
    found = "; ".join(str(info) for info in infos) or "no arrays"
    if not fitting:
        _check_batch(infos, taker)
        raise DatasetError(
            f"{path}: no array fits the model's input {taker}, which needs shape {taker.wanted}; "
            f"found {found}"
        )
    if len(fitting) > 1:
        raise DatasetError(
            f"{path}: several arrays fit the model's input {taker}; found {found}; keep only one "
            f"of them in the file, or call it '{taker.name}'"
        )
    return _not_empty(fitting[0])


def _open(place: Place, taker: ModelInput, preprocessing: Preprocessing) -> Samples:
    """The samples of one input."""
    path = place.path
    if not exists(path):
        raise DatasetError(
            f"{path}: no such file or folder; name a folder of images, a .npy or .npz file, a "
            "recording, or a text file with one image per line"
        )
    if place.key is not None:
        info = next(info for info in arrays.list_arrays(path) if info.key == place.key)
        return ArraySamples([_fitting(info, taker)], taker, preprocessing)
    kind = folders.kind_of(path) if is_file(path) else None
    if kind in (folders.ARRAYS, folders.RECORDINGS):
        found = {kind: [path]}
    elif is_folder(path):
        found = folders.find_samples(path)
    else:
        found = folders.read_list(path)
    # What the input takes; else what is there, for the reader to say what is wrong with it.
    kind = next((kind for kind, takes in _TAKES.items() if kind in found and takes(taker)), None)
    return read_files(found[kind or next(iter(found))], taker, preprocessing)


def read_files(files: Sequence[Path], taker: ModelInput, preprocessing: Preprocessing) -> Samples:
    """The samples of one input in files of one kind: images, recordings or NumPy's.

    Raises:
        TfliteEqError: They are unreadable or of the wrong form, or the preprocessing does not fit.
    """
    kind = folders.kind_of(files[0])
    if kind != folders.ARRAYS:  # which have sizes of their own
        taker = taker.sized
    return _READERS.get(kind or "", ImageSamples)(files, taker, preprocessing)


def _open_arrays(
    files: Sequence[Path], taker: ModelInput, preprocessing: Preprocessing
) -> ArraySamples:
    infos = [find_samples_array(file, taker) for file in files]
    return ArraySamples(infos, taker, preprocessing)


_READERS: Mapping[str, Callable[[Sequence[Path], ModelInput, Preprocessing], Samples]] = {
    folders.IMAGES: ImageSamples,
    folders.RECORDINGS: AudioSamples,
    folders.ARRAYS: _open_arrays,
}
_TAKES: Mapping[str, Callable[[ModelInput], bool]] = {
    folders.IMAGES: takes_images,
    folders.RECORDINGS: takes_recordings,
    folders.ARRAYS: lambda _: True,
}


def _check_types(inputs: Sequence[ModelInput]) -> None:
    """Refuse inputs that no file has data for.

    Raises:
        DatasetError: One takes strings or something else than numbers.
    """
    for taker in inputs:
        if taker.dtype.kind not in "fiub":
            raise DatasetError(
                f"the model's input {taker} takes no numbers, and nothing else is calibrated with; "
                "cut the part that turns it into numbers off the model"
            )


def located(
    data: Sequence[PathLike], inputs: Sequence[ModelInput], option: str
) -> dict[str, Place]:
    """Where the data of every input are, by its name; ``open_data`` says how they are given.

    Raises:
        TfliteEqError: They are missing for an input, or named for none.
    """
    places: dict[str, Place] = {}
    whole: list[Path] = []
    for value in (os.fspath(path) for path in data):
        name, path = _split(value, inputs, option)
        if name is None:
            whole.append(Path(path))
        elif name in places:
            raise ConfigError(f"{option} {value}: input '{name}' has data already; name it once")
        else:
            places[name] = Place(Path(path))
    if len(whole) == 1 and not places:
        if len(inputs) == 1:
            return {inputs[0].name: Place(whole[0])}
        return _inside(whole[0], inputs, option)
    if whole:
        every = " ".join(f"{option} {one.name}=PATH" for one in inputs)
        raise ConfigError(
            f"{option} {whole[-1]}: which input of the model this is for is not said; give one "
            f"path in all, or {every}"
        )
    missing = [one for one in inputs if one.name not in places]
    if missing:
        raise ConfigError(
            f"no data for the model's input {listed(missing)}: add "
            + " ".join(f"{option} {one.name}=PATH" for one in missing)
        )
    return places


def _split(value: str, inputs: Sequence[ModelInput], option: str) -> tuple[str | None, str]:
    """Input and path of ``NAME=PATH``; a path may have such a sign in it, too."""
    if "=" not in value or exists(value):
        return None, value
    name, _, path = value.partition("=")
    taker = find_input(inputs, name)
    if taker is None:
        raise DatasetError(
            f"{option} {value}: no such file or folder, and the model has no input '{name}'; its "
            f"inputs are {listed(inputs)}"
        )
    return taker.name, path


def _inside(path: Path, inputs: Sequence[ModelInput], option: str) -> dict[str, Place]:
    """Where the data of several inputs are below one path."""
    every = " ".join(f"{option} {one.name}=PATH" for one in inputs)
    if not exists(path):
        raise DatasetError(f"{path}: no such file or folder; name data for all inputs: {every}")
    if is_folder(path):
        there = {entry.name: (entry.stem, Place(entry)) for entry in _entries(path)}
        remedy = f"call a folder or file in it like each input, or give {every}"
    elif path.suffix.lower() == ".npz":
        there = {i.key: (i.key, Place(path, i.key)) for i in arrays.list_arrays(path)}
        stored = ", ".join(f"{one.name!r}: ..." for one in inputs)
        remedy = f"write it with np.savez({path.name!r}, **{{{stored}}})"
    else:
        raise DatasetError(
            f"{path}: the model has {len(inputs)} inputs, {listed(inputs)}; give {every}, a folder "
            "with a folder called like each, or an .npz file with arrays called like them"
        )
    found = _named(list(there.values()), inputs, path)
    missing = [one for one in inputs if one.name not in found]
    if missing:
        raise DatasetError(
            f"{path}: nothing there is called like the model's input {listed(missing)}; found "
            f"{_shown(list(there))}; {remedy}"
        )
    return found


def _shown(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return (", ".join(map(repr, names[:_MOST_NAMES])) or "nothing") + more


def _entries(folder: Path) -> list[Path]:
    """What is in a folder and not hidden."""
    try:
        return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise DatasetError(
            f"cannot list {folder}: {error.strerror}; change its permissions"
        ) from error


def _named(
    candidates: Sequence[tuple[str, Place]], inputs: Sequence[ModelInput], path: Path
) -> dict[str, Place]:
    """What is called like an input, by the input's name; all else is for somebody else."""
    found: dict[str, Place] = {}
    names: dict[str, str] = {}
    for name, place in candidates:
        taker = find_input(inputs, name)
        if taker is None:
            continue
        if taker.name in found:
            raise DatasetError(
                f"{path}: '{names[taker.name]}' and '{name}' may both be the model's input "
                f"'{taker.name}'; keep one of them"
            )
        found[taker.name], names[taker.name] = place, name
    return found


def _check_batch(infos: Sequence[arrays.ArrayInfo], taker: ModelInput) -> None:
    """Tell samples that a model takes several of at a time from those that do not fit at all.

    Raises:
        ModelError: There is an array of single ones.
    """
    if taker.is_batched or len(taker.shape) < 2:
        return
    single = dataclasses.replace(taker, shape=(1, *taker.shape[1:]), is_batched=True)
    if any(fits(info, single) for info in infos):
        raise ModelError(
            f"the model's input has shape {list(taker.shape)}, {taker.shape[0]} samples at a time; "
            f"convert the model with a batch of 1, or store arrays of shape {taker.wanted}"
        )


def _fitting(info: arrays.ArrayInfo, taker: ModelInput) -> arrays.ArrayInfo:
    """The array that is called like an input, if it has its shape, too."""
    if not fits(info, taker):
        raise DatasetError(
            f"{info.where} has shape {list(info.shape)}, the model's input {taker} needs "
            f"{taker.wanted}; reshape the data"
        )
    return _not_empty(info)


def _not_empty(info: arrays.ArrayInfo) -> arrays.ArrayInfo:
    if 0 in info.shape:
        raise DatasetError(
            f"{info.file}: the data set is empty, found {info}; give it at least one sample"
        )
    return info
