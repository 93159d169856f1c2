"""The plugin's caches against ones that are as simple as can be, access by access."""

from __future__ import annotations

import ctypes
import random
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

_SOURCES = Path(__file__).parents[2] / "tools/arm64"
_COMPILER = shutil.which("clang-19") or shutil.which("cc")
_LINE = 64
_STREAMS, _REACH = 16, 4

pytestmark = pytest.mark.skipif(_COMPILER is None, reason="needs a C compiler: clang-19 or cc")


class _Touch(ctypes.Structure):
    _fields_ = [("level", ctypes.c_int), ("streamed", ctypes.c_int)]


class Model:
    """The model under test."""

    def __init__(self, library: ctypes.CDLL, geometry: Iterable[tuple[int, int]]) -> None:
        self._library = library
        # More than the structure has, all zero.
        self._memory = ctypes.create_string_buffer(1 << 16)
        self.added = [
            library.CacheModelAddLevel(self._memory, ctypes.c_uint64(size), ctypes.c_uint64(ways))
            for size, ways in geometry
        ]

    def touch(self, line: int) -> tuple[int, bool]:
        found = self._library.CacheModelTouch(self._memory, ctypes.c_uint64(line))
        return found.level, bool(found.streamed)


class SimpleCaches:
    """Lists of what each set holds, the line used last at the end."""

    def __init__(self, geometry: Iterable[tuple[int, int]]) -> None:
        self._levels: list[tuple[int, int, dict[int, list[int]]]] = [
            (size // _LINE // ways, ways, {}) for size, ways in geometry
        ]

    def level(self, line: int) -> int:
        for number, (sets, ways, held) in enumerate(self._levels):
            lines = held.setdefault(line % sets, [])
            found = line in lines
            if found:
                lines.remove(line)
            lines.append(line)
            del lines[:-ways]
            if found:
                return number
        return len(self._levels)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    path = tmp_path_factory.mktemp("cache_model") / "cache_model.so"
    assert _COMPILER is not None
    flags = ["-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-o", str(path)]
    subprocess.run([_COMPILER, *flags, str(_SOURCES / "cache_model.c")], check=True)
    loaded = ctypes.CDLL(str(path))
    loaded.CacheModelTouch.restype = _Touch
    return loaded


GEOMETRIES = [
    [(1024, 2)],
    [(1024, 1), (4096, 4)],
    [(2048, 4), (8192, 8), (32768, 16)],
    [(512, 8)],  # one set
]


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_every_access_is_found_where_a_simple_simulation_finds_it(
    library: ctypes.CDLL, geometry: list[tuple[int, int]]
) -> None:
    model, simple = Model(library, geometry), SimpleCaches(geometry)
    draw = random.Random(repr(geometry))
    span = geometry[-1][0] // _LINE * 2
    line = 0
    for _ in range(20000):
        # Steps to neighbours, leaps, and the same line again.
        line = draw.choice([line, line + 1, line - 1, draw.randrange(span), line + 8]) % (4 * span)
        assert model.touch(line)[0] == simple.level(line)


@pytest.mark.parametrize("step", [1, -1, 3])
def test_a_stream_is_expected_from_its_third_line_on(library: ctypes.CDLL, step: int) -> None:
    model = Model(library, [(1024, 2)])
    touched = [model.touch(10**6 + step * i) for i in range(50)]
    assert touched == [(1, i >= 2) for i in range(50)]


def test_as_many_streams_as_there_is_room_for(library: ctypes.CDLL) -> None:
    for count, expected in ((_STREAMS, True), (_STREAMS + 1, False)):
        model = Model(library, [(1024, 2)])
        # A step that brings no two streams near each other.
        found = [model.touch(10**5 * s + i)[1] for i in range(20) for s in range(count)]
        assert all(streamed == expected for streamed in found[2 * count :])


def test_lines_that_lie_apart_are_never_expected(library: ctypes.CDLL) -> None:
    model = Model(library, [(1024, 2)])
    assert not any(model.touch(i * (_REACH + 1))[1] for i in range(1000))


def test_a_line_that_is_used_again_misses_nothing(library: ctypes.CDLL) -> None:
    model = Model(library, [(1024, 2)])
    model.touch(5)
    assert [model.touch(5) for _ in range(3)] == [(0, False)] * 3


@pytest.mark.parametrize("level", [(0, 1), (1024, 0), (1024, 3), (3 * 1024, 4)], ids=str)
def test_what_is_no_geometry_is_refused(library: ctypes.CDLL, level: tuple[int, int]) -> None:
    assert Model(library, [level]).added == [-1]


def test_more_levels_than_there_is_room_for_are_refused(library: ctypes.CDLL) -> None:
    assert Model(library, [(1024, 2)] * 4).added == [0, 0, 0, -1]
