from __future__ import annotations

import errno
import io
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tflite_eq.data import store as data_store
from tflite_eq.data.store import ActivationStore
from tflite_eq.errors import TfliteEqError


def values(seed: int, size: int = 10) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(size).astype(np.float32)


@pytest.fixture
def spilled(monkeypatch: pytest.MonkeyPatch) -> list[io.FileIO]:
    """Receives the temporary files that are made."""
    made: list[io.FileIO] = []
    make: Callable[..., io.FileIO] = tempfile.TemporaryFile

    def recorded(**options: Any) -> io.FileIO:
        made.append(make(**options))
        return made[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", recorded)
    return made


def size_of(file: io.FileIO) -> int:
    return os.fstat(file.fileno()).st_size


@pytest.mark.parametrize("budget", [0, 100, 1 << 20])
def test_values_come_back_whatever_the_budget(budget: int) -> None:
    with ActivationStore(budget) as store:
        for tensor in range(3):
            for sample in range(4):
                store.put("float", tensor, sample, values(10 * tensor + sample))
        store.put("quantized", 1, 2, np.arange(5, dtype=np.int8))
        for tensor in range(3):
            for sample in range(4):
                np.testing.assert_array_equal(
                    store.get("float", tensor, sample), values(10 * tensor + sample)
                )
        codes = store.get("quantized", 1, 2)
        assert codes.dtype == np.int8
        assert codes.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("budget", [0, 60, 1 << 20])
def test_put_replaces(budget: int) -> None:
    with ActivationStore(budget) as store:
        for seed in range(5):
            store.put("float", 0, 0, values(seed, 10 + seed))
        np.testing.assert_array_equal(store.get("float", 0, 0), values(4, 14))


def test_on_disk_values_of_any_size_replace_others() -> None:
    kinds = [np.arange(7, dtype=np.int8), values(1, 40).reshape(2, 20), values(2, 3), np.zeros(0)]
    with ActivationStore(0) as store:
        store.put("float", 0, 1, values(9))
        for stored in [*kinds, *reversed(kinds), np.float32(2.5).reshape(())]:
            store.put("float", 0, 0, stored)
            found = store.get("float", 0, 0)
            assert found.dtype == stored.dtype
            assert found.shape == stored.shape
            np.testing.assert_array_equal(found, stored)
            np.testing.assert_array_equal(store.get("float", 0, 1), values(9))


@pytest.mark.parametrize("budget", [0, 1 << 20])
def test_changes_are_those_of_the_values_they_were_made_to(budget: int) -> None:
    def double(found: np.ndarray) -> None:
        found *= 2

    def next_one(found: np.ndarray) -> None:
        found += 1

    with ActivationStore(budget) as store:
        store.put("float", 0, 0, values(0))
        store.put("float", 0, 1, values(1))
        store.change("float", 0, 0, double)
        store.change("float", 0, 0, next_one)
        for _ in range(2):  # read again
            np.testing.assert_array_equal(store.get("float", 0, 0), 2 * values(0) + 1)
        np.testing.assert_array_equal(store.get("float", 0, 1), values(1))
        store.put("float", 0, 0, values(2))
        np.testing.assert_array_equal(store.get("float", 0, 0), values(2))


def test_what_is_replaced_or_dropped_makes_room(spilled: list[io.FileIO]) -> None:
    rng = np.random.default_rng(0)
    with ActivationStore(0) as store:
        for tensor in range(3):
            for sample in range(4):
                store.put("float", tensor, sample, values(sample, 3000))
        held = {(t, n): values(n, 3000) for t in range(3) for n in range(4)}
        [file] = spilled
        size = size_of(file)
        for seed in range(100):
            tensor, sample = int(rng.integers(3)), int(rng.integers(4))
            if seed % 10 == 0:
                store.drop("float", tensor)
                held = {key: found for key, found in held.items() if key[0] != tensor}
            held[tensor, sample] = values(seed, int(rng.integers(1, 3000)))
            store.put("float", tensor, sample, held[tensor, sample])
            for (t, n), expected in held.items():
                np.testing.assert_array_equal(store.get("float", t, n), expected)
        assert size_of(file) <= 1.1 * size


def test_only_what_exceeds_the_budget_goes_to_disk(spilled: list[io.FileIO]) -> None:
    with ActivationStore(memory_budget=100) as store:
        store.put("float", 0, 0, values(0))  # 40 bytes
        store.put("float", 0, 1, values(1))
        assert spilled == []
        store.put("float", 0, 2, values(2))
        assert len(spilled) == 1


def test_dropping_frees_memory_and_disk(spilled: list[io.FileIO]) -> None:
    with ActivationStore(memory_budget=40) as store:
        for sample in range(3):
            store.put("float", 0, sample, values(sample))
        [file] = spilled
        size = size_of(file)
        store.drop("float", 0)
        for sample in range(3):
            store.put("float", 1, sample, values(5))
        assert spilled == [file]
        assert size_of(file) == size
        with pytest.raises(KeyError):
            store.get("float", 0, 0)


def test_replacing_does_not_use_up_the_budget(spilled: list[io.FileIO]) -> None:
    with ActivationStore(memory_budget=40) as store:
        for seed in range(10):
            store.put("float", 0, 0, values(seed))
        assert spilled == []


def test_dropping_the_unknown_is_harmless() -> None:
    with ActivationStore() as store:
        store.drop("float", 7)


def test_file_is_closed_after_an_error(spilled: list[io.FileIO]) -> None:
    def fail() -> None:
        with ActivationStore(0) as store:
            store.put("float", 0, 0, values(0))
            assert not spilled[0].closed
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert [file.closed for file in spilled] == [True]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal that kills")
@pytest.mark.parametrize("budget", [0, 1 << 20])
def test_killed_process_leaves_nothing_in_the_temporary_folder(
    budget: int, tmp_path: pathlib.Path
) -> None:
    code = (
        "import os, signal, numpy\n"
        "from tflite_eq.data.store import ActivationStore\n"
        f"store = ActivationStore({budget})\n"
        "store.put('float', 0, 0, numpy.zeros(10))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": os.getcwd()}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_an_error_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(data_store._SpillFile, "write", full)
    with ActivationStore(0) as store, pytest.raises(TfliteEqError, match=r"No space .* by TMPDIR"):
        store.put("float", 0, 0, values(0))


@pytest.mark.parametrize("maps", [False, True])
def test_values_of_a_file_can_be_changed_by_who_reads_them(
    maps: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_store, "_MAPS", maps and data_store._MAPS)
    with ActivationStore(0) as store:
        store.put("float", 0, 0, values(1, 5000))
        store.put("float", 0, 1, np.empty((0, 3), np.float32))
        store.get("float", 0, 0)[:] = 0
        np.testing.assert_array_equal(store.get("float", 0, 0), values(1, 5000))
        assert store.get("float", 0, 1).shape == (0, 3)
        kept = store.get("float", 0, 0)
    np.testing.assert_array_equal(kept, values(1, 5000))
