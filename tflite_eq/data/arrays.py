"""NumPy files read one sample at a time, so that their size does not matter.

A ``.npy`` file is memory-mapped. An ``.npz`` file is a zip archive of ``.npy`` members and
cannot be mapped; its members are read as streams, fast when samples are asked for in
ascending order.
"""

from __future__ import annotations

import dataclasses
import math
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from tflite_eq.errors import DatasetError

# An archive of a few kilobytes can hold more zeros than any memory.
_MOST_BYTES = 4 << 30


@dataclasses.dataclass(frozen=True)
class ArrayInfo:
    """Header of one stored array.

    Attributes:
        file: The ``.npy`` or ``.npz`` file.
        key: Name within an ``.npz`` file; empty for a ``.npy`` file.
        shape: Dimensions of the whole array.
        dtype: Element type as stored, byte order included.
        fortran: Whether the first dimension varies fastest.
    """

    file: Path
    key: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool

    @property
    def where(self) -> str:
        """File and key, for messages."""
        return f"{self.file}[{self.key!r}]" if self.key else str(self.file)

    def __str__(self) -> str:
        return f"{self.key or 'array'}: {self.dtype.name} {list(self.shape)}"


def list_arrays(path: Path) -> list[ArrayInfo]:
    """Headers of all arrays in a ``.npy`` or ``.npz`` file, in stored order.

    Raises:
        DatasetError: The file is corrupt or holds Python objects.
    """
    try:
        if path.suffix.lower() == ".npy":
            with path.open("rb") as stream:
                return [_header(stream, path, "", path.stat().st_size)]
        with zipfile.ZipFile(path) as archive:
            infos = []
            for name in archive.namelist():
                if name.endswith(".npy"):
                    with archive.open(name) as member:
                        size = archive.getinfo(name).file_size
                        infos.append(_header(member, path, name[: -len(".npy")], size))
            return infos
    except MemoryError:
        raise
    except Exception as error:  # NumPy has Python's own parser read headers: any type may surface
        raise _unreadable(path, error) from error


def read_array(info: ArrayInfo) -> npt.NDArray[Any]:
    """The whole array, for small ones such as labels.

    Raises:
        DatasetError: The data are cut off or corrupt, or would not fit into memory.
    """
    try:
        if math.prod(info.shape) * info.dtype.itemsize > _MOST_BYTES:
            raise ValueError(
                f"{info} has more than {_MOST_BYTES >> 30} GiB and would have to be read at once: "
                "store it in C order, or fewer values"
            )
        loaded = np.load(info.file, allow_pickle=False)
        if not info.key:
            return np.asarray(loaded)
        with loaded:
            return np.asarray(loaded[info.key])
    except MemoryError:
        raise
    except Exception as error:
        raise _unreadable(info.file, error) from error


class Rows:
    """Samples of one stored array; opened at the first use, closed with the object.

    Attributes:
        info: The array.
        row_shape: Trailing dimensions of ``info.shape``: the shape of one sample.
    """

    def __init__(self, info: ArrayInfo, row_shape: tuple[int, ...]) -> None:
        self.info = info
        self.row_shape = row_shape
        self._leading = info.shape[: len(info.shape) - len(row_shape)]
        self._array: npt.NDArray[Any] | None = None
        self._stream: IO[bytes] | None = None
        self._start = 0

    def __len__(self) -> int:
        return math.prod(self._leading)

    def __getstate__(self) -> dict[str, Any]:
        """Everything but what is open: the copy in another process opens the file itself."""
        return {**self.__dict__, "_array": None, "_stream": None}

    def read(self, index: int) -> npt.NDArray[Any]:
        """Sample ``index``, counted over all leading dimensions in C order.

        Raises:
            DatasetError: The data are cut off or corrupt.
        """
        try:
            if self.info.key and not self.info.fortran:
                return self._read_stream(index)
            if self._array is None:
                self._array = self._open_array()
            return np.asarray(self._array[np.unravel_index(index, self._leading)])
        except (DatasetError, MemoryError):
            raise
        except Exception as error:
            raise _unreadable(self.info.file, error) from error

    def close(self) -> None:
        """Close the file; the next sample opens it again."""
        if self._stream is not None:
            self._stream.close()
        self._array = self._stream = None

    def _open_array(self) -> npt.NDArray[Any]:
        if self.info.key:
            return read_array(self.info)
        return np.asanyarray(np.load(self.info.file, mmap_mode="r", allow_pickle=False))

    def _read_stream(self, index: int) -> npt.NDArray[Any]:
        if self._stream is None:
            with zipfile.ZipFile(self.info.file) as archive:  # the member keeps the file open
                self._stream = archive.open(f"{self.info.key}.npy")
            _header(self._stream, self.info.file, self.info.key, None)
            self._start = self._stream.tell()
        size = math.prod(self.row_shape) * self.info.dtype.itemsize
        self._stream.seek(self._start + index * size)
        data = self._stream.read(size)
        if len(data) != size:
            raise EOFError("the data end too early")
        return np.frombuffer(data, self.info.dtype).reshape(self.row_shape)


def _header(stream: IO[bytes], path: Path, key: str, stored: int | None) -> ArrayInfo:
    """The header that a stream begins with; ``stored`` bytes are said to be in it, header included.

    Raises:
        Exception: It is no header, or one for more than there is.
    """
    npy: Any = np.lib.format
    version = npy.read_magic(stream)
    if version == (1, 0):
        shape, fortran, dtype = npy.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, fortran, dtype = npy.read_array_header_2_0(stream)
    else:  # 3.0 is for structured arrays with field names outside latin-1
        raise ValueError(f"array format {version[0]}.{version[1]} is not supported")
    if dtype.hasobject:
        raise ValueError(f"{key or 'the array'} holds Python objects; store numbers instead")
    if any(size < 0 for size in shape):
        raise ValueError(f"{key or 'the array'} has the shape {list(shape)}")
    needed = math.prod(shape) * dtype.itemsize
    if stored is not None and needed > stored:
        raise ValueError(
            f"{key or 'the array'} of shape {list(shape)} needs {needed} bytes, there are {stored}"
        )
    return ArrayInfo(path, key, shape, dtype, fortran)


def _unreadable(path: Path, error: Exception) -> DatasetError:
    return DatasetError(
        f"{path}: cannot be read as a NumPy file ({error}); write it again with np.save or np.savez"
    )
