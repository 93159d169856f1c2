from __future__ import annotations

import errno
import os
import pathlib
import tempfile

import numpy as np
import pytest

from tflite_eq.data import store as data_store
from tflite_eq.data.store import ActivationStore
from tflite_eq.errors import TfliteEqError


def values(seed: int, size: int = 10) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(size).astype(np.float32)


@pytest.fixture
def spill_root(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def files_in(folder: pathlib.Path) -> list[pathlib.Path]:
    return [p for p in folder.rglob("*") if p.is_file()]


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


def test_what_is_replaced_or_dropped_makes_room(spill_root: pathlib.Path) -> None:
    rng = np.random.default_rng(0)
    with ActivationStore(0) as store:
        for tensor in range(3):
            for sample in range(4):
                store.put("float", tensor, sample, values(sample, 3000))
        held = {(t, n): values(n, 3000) for t in range(3) for n in range(4)}
        [path] = files_in(spill_root)
        size = path.stat().st_size
        for seed in range(100):
            tensor, sample = int(rng.integers(3)), int(rng.integers(4))
            if seed % 10 == 0:
                store.drop("float", tensor)
                held = {key: found for key, found in held.items() if key[0] != tensor}
            held[tensor, sample] = values(seed, int(rng.integers(1, 3000)))
            store.put("float", tensor, sample, held[tensor, sample])
            for (t, n), expected in held.items():
                np.testing.assert_array_equal(store.get("float", t, n), expected)
        assert path.stat().st_size <= 1.1 * size


def test_only_what_exceeds_the_budget_goes_to_disk(spill_root: pathlib.Path) -> None:
    with ActivationStore(memory_budget=100) as store:
        store.put("float", 0, 0, values(0))  # 40 bytes
        store.put("float", 0, 1, values(1))
        assert files_in(spill_root) == []
        store.put("float", 0, 2, values(2))
        assert len(files_in(spill_root)) == 1


def test_dropping_frees_memory_and_disk(spill_root: pathlib.Path) -> None:
    with ActivationStore(memory_budget=40) as store:
        for sample in range(3):
            store.put("float", 0, sample, values(sample))
        [path] = files_in(spill_root)
        size = path.stat().st_size
        store.drop("float", 0)
        for sample in range(3):
            store.put("float", 1, sample, values(5))
        assert files_in(spill_root) == [path]
        assert path.stat().st_size == size
        with pytest.raises(KeyError):
            store.get("float", 0, 0)


def test_replacing_does_not_use_up_the_budget(spill_root: pathlib.Path) -> None:
    with ActivationStore(memory_budget=40) as store:
        for seed in range(10):
            store.put("float", 0, 0, values(seed))
        assert files_in(spill_root) == []


def test_dropping_the_unknown_is_harmless() -> None:
    with ActivationStore() as store:
        store.drop("float", 7)


def test_spill_directory_vanishes(spill_root: pathlib.Path) -> None:
    with ActivationStore(0) as store:
        store.put("float", 0, 0, values(0))
        assert os.listdir(spill_root)
    assert os.listdir(spill_root) == []


def test_spill_directory_vanishes_after_an_error(spill_root: pathlib.Path) -> None:
    def fail() -> None:
        with ActivationStore(0) as store:
            store.put("float", 0, 0, values(0))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert os.listdir(spill_root) == []


def test_a_full_disk_is_an_error_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(data_store._SpillFile, "write", full)
    with ActivationStore(0) as store, pytest.raises(TfliteEqError, match=r"No space .* by TMPDIR"):
        store.put("float", 0, 0, values(0))
