"""Progress bars with peak memory, shown only on a terminal, and messages beside them."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from tqdm import tqdm

try:
    import resource
except ImportError:  # Windows
    _HAS_RESOURCE = False
else:
    _HAS_RESOURCE = True

T = TypeVar("T")

# Where messages go: INFO for notes, WARNING for warnings, DEBUG for steps that have a bar.
LOGGER = "tflite_eq"
_WARNING = "warning: "

# Of log records: whether the result tells the same.
_OF_RESULT = "of_result"


def peak_memory_mib() -> int | None:
    """Peak resident memory so far in MiB, of this process or its largest finished worker.

    ``None`` where Python cannot tell, which is on Windows.
    """
    if not _HAS_RESOURCE:
        return None
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    workers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / unit
    own = _own_peak_mib()
    if own is None:
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    return round(max(own, workers))


def _own_peak_mib() -> float | None:
    """As Linux tells it of this program alone; ``ru_maxrss`` has what started it in it, too."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            found = [line.split()[1] for line in status if line.startswith("VmHWM:")]
    except OSError:
        return None
    return int(found[0]) / 1024 if found else None


def track(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Iterate over ``items`` with a bar on stderr; silent when stderr is not a terminal."""
    with tqdm(
        total=total if total is not None else _length(items),
        desc=description,
        disable=sys.stderr is None or not sys.stderr.isatty(),
        leave=False,
        dynamic_ncols=True,
    ) as bar:
        _LOGGER.debug("%s", description)
        for item in items:
            yield item
            memory = peak_memory_mib()
            if memory is not None:
                bar.set_postfix_str(f"{memory} MiB", refresh=False)
            bar.update()


class _BesideBars(logging.Handler):
    """Writes on stderr, terminal or not, without tearing a bar apart."""

    def emit(self, record: logging.LogRecord) -> None:
        if sys.stderr is not None:  # closed by whoever started this
            tqdm.write(self.format(record), file=sys.stderr)


def _logger() -> logging.Logger:
    """The logger, with a handler of its own unless the application has given it one."""
    logger = logging.getLogger(LOGGER)
    if not logger.handlers:
        logger.addHandler(_BesideBars())
        logger.propagate = False
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
    return logger


_LOGGER = _logger()


def note(text: str, of_result: bool = False) -> None:
    """Say something: on stderr, unless the application has given the logger another handler.

    Args:
        text: What; a warning begins with ``warning: ``.
        of_result: Whether the result tells it, too, for who prints that.
    """
    level = logging.WARNING if text.startswith(_WARNING) else logging.INFO
    _LOGGER.log(level, "%s", text, extra={_OF_RESULT: of_result})


@contextlib.contextmanager
def without_notes_of_result() -> Iterator[None]:
    """Leave out what is printed with the result: on a terminal it would be there twice."""

    def is_wanted(record: logging.LogRecord) -> bool:
        return not getattr(record, _OF_RESULT, False)

    _LOGGER.addFilter(is_wanted)
    try:
        yield
    finally:
        _LOGGER.removeFilter(is_wanted)


def _length(items: Iterable[T]) -> int | None:
    return len(items) if isinstance(items, Sized) else None
