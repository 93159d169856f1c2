"""Running arm64 Python on emulated CPUs; ``setup.sh`` gets everything this needs."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

VARIABLE = "TFLITE_EQ_ARM64"
Caches = Sequence[tuple[int, int]]
_CHECKOUT = Path(__file__).resolve().parents[2]


@dataclasses.dataclass(frozen=True)
class Cpu:
    """An emulated core.

    Attributes:
        name: What it is called in tests and tables.
        model: ``-cpu`` of a current QEMU.
        counting_model: ``-cpu`` of QEMU 7.2, which counts instructions. It has no Cortex-A55, in
            whose place is a core with the same instructions, and no core with i8mm but the one
            with everything, whose scalable vectors have to be switched off: its SME is faulty.
        part: Part number in the CPU's identification register. XNNPACK tunes kernels by it.
        features: What Linux says of the CPU in ``/proc/cpuinfo``.
    """

    name: str
    model: str
    counting_model: str
    part: int
    features: str

    def __str__(self) -> str:
        return self.name

    def cpuinfo(self) -> str:
        """``/proc/cpuinfo`` of a machine with this CPU and as many cores as this one."""
        core = (
            f"BogoMIPS\t: 100.00\nFeatures\t: {self.features}\nCPU implementer\t: 0x41\n"
            f"CPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: {self.part:#05x}\n"
            "CPU revision\t: 3\n"
        )
        return "\n".join(f"processor\t: {n}\n{core}" for n in range(os.cpu_count() or 1)) + "\n"

    @property
    def midr(self) -> int:
        """The main identification register, of the revision that ``cpuinfo`` tells."""
        return 0x41 << 24 | 0xF << 16 | self.part << 4 | 3


_V8_0 = "fp asimd aes pmull sha1 sha2 crc32 cpuid"
_V8_2 = f"{_V8_0} atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp"

CORTEX_A53 = Cpu("cortex-a53", "cortex-a53", "cortex-a53", 0xD03, _V8_0)
CORTEX_A55 = Cpu("cortex-a55", "cortex-a55", "cortex-a76", 0xD05, _V8_2)
CORTEX_A72 = Cpu("cortex-a72", "cortex-a72", "cortex-a72", 0xD08, _V8_0)
CORTEX_A76 = Cpu("cortex-a76", "cortex-a76", "cortex-a76", 0xD0B, _V8_2)
NEOVERSE_N2 = Cpu(
    "neoverse-n2", "neoverse-n2", "max,sve=off,sme=off", 0xD49, f"{_V8_2} jscvt fcma bf16 i8mm"
)
# Those that tests run on: without dot products, with them, and with matrix multiplication as well.
CPUS = (CORTEX_A53, CORTEX_A76, NEOVERSE_N2)

# Distributions and their modules in the emulated Python.
RUNTIMES = {
    "tflite-runtime": "tflite_runtime.interpreter",
    "ai-edge-litert": "ai_edge_litert.interpreter",
}

# Folders that ``setup.sh`` puts LiteRT in, of those whose CompiledModel takes accelerators.
LITERT = {"2.2": "litert-2.2", "2.3": "packages", "nightly": "litert-nightly"}


class EmulationError(Exception):
    """The emulated Python is not set up, or failed."""


@dataclasses.dataclass(frozen=True)
class Emulation:
    """What ``setup.sh`` made.

    Attributes:
        folder: Where.
    """

    folder: Path

    @classmethod
    def find(cls) -> Emulation:
        """What ``make setup-arm64`` made, or what ``TFLITE_EQ_ARM64`` names.

        Raises:
            EmulationError: It is not there or not complete.
        """
        folder = Path(os.environ.get(VARIABLE) or _CHECKOUT / "build" / "arm64").resolve()
        # The last thing that set-up makes.
        if not (folder / "libcount_blocks.so").is_file():
            raise EmulationError(
                f"{folder}: no complete arm64 set-up: run 'make setup-arm64', or set {VARIABLE}"
            )
        return cls(folder)

    @property
    def rivals(self) -> Path:
        """Where the wheels of other runtimes are, if they were asked for."""
        return self.folder / "rivals"

    def python(
        self,
        cpu: Cpu,
        script: Path,
        job: Any,
        *,
        counts: Path | None = None,
        caches: Caches = (),
        timeout: float = 1800,
    ) -> Any:
        """Run a script in the emulated Python.

        Args:
            cpu: The CPU to emulate.
            script: Takes a JSON object from its standard input and prints another, alone on the
                last line.
            job: The first object.
            counts: File that the plugin appends its counts to; counts on QEMU 7.2.
            caches: Bytes and ways of the data caches to simulate while counting, the first level
                first.
            timeout: Seconds.

        Returns:
            The second object.

        Raises:
            EmulationError: The script failed; the message ends with what it wrote to stderr.
        """
        done = self.run(cpu, script, job, counts=counts, caches=caches, timeout=timeout)
        return json.loads(done.stdout.splitlines()[-1])

    def run(
        self,
        cpu: Cpu,
        script: Path,
        job: Any,
        *,
        counts: Path | None = None,
        caches: Caches = (),
        packages: Path | None = None,
        environment: Mapping[str, str] | None = None,
        timeout: float = 1800,
    ) -> subprocess.CompletedProcess[str]:
        """Run a script in the emulated Python, for what it writes beside its answer.

        Args:
            cpu: As for ``python``, like all that is not told here.
            script: The script.
            job: Its standard input, as JSON.
            counts: File of counts.
            caches: Caches to simulate.
            packages: Folder whose packages go before those of the same name that are there.
            environment: Variables beside the few that every script gets.
            timeout: Seconds.

        Raises:
            EmulationError: The script failed.
        """
        root = self.folder / "root"
        plain = [self.folder / "emulator/usr/bin/qemu-aarch64", "-cpu", cpu.model]
        emulator = (
            [*plain, "-L", self._root_of(cpu)]
            if counts is None
            else self._counting_emulator(cpu, counts, caches)
        )
        try:
            done = subprocess.run(
                [*map(str, emulator), str(root / "usr/bin/python3.11"), str(script)],
                input=json.dumps(job),
                capture_output=True,
                text=True,
                timeout=timeout,
                env={**self._environment(packages), **(environment or {})},
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise EmulationError(f"{script.name} on {cpu.name}: not done in {timeout} s") from error
        if done.returncode != 0:
            raise EmulationError(
                f"{script.name} on {cpu.name}: exit code {done.returncode}\n{done.stderr[-4000:]}"
            )
        return done

    def _environment(self, packages: Path | None) -> dict[str, str]:
        """Nothing of this machine's, so that the same job executes the same instructions."""
        paths = [
            *([packages] if packages else []),
            self.folder / "packages",
            self.rivals,
            _CHECKOUT,
        ]
        return {
            "PYTHONPATH": ":".join(map(str, paths)),
            "PYTHONHASHSEED": "0",
            "OPENBLAS_NUM_THREADS": "1",
        }

    def _counting_emulator(self, cpu: Cpu, counts: Path, caches: Caches) -> list[str | Path]:
        counter = self.folder / "counter"
        (loader,) = counter.glob("lib*/ld-linux-*.so.*")
        libraries = ":".join(str(p) for p in sorted(counter.glob("**/lib/*-linux-gnu")))
        plugin = f"file={self.folder / 'libcount_blocks.so'},output={counts}"
        plugin += "".join(f",cache={size}:{ways}" for size, ways in caches)
        return [
            *(loader, "--library-path", libraries, counter / "usr/bin/qemu-aarch64"),
            *(
                "-cpu",
                cpu.counting_model,
                "-plugin",
                plugin,
                "-L",
                self._root_of(cpu),
            ),
        ]

    def _root_of(self, cpu: Cpu) -> Path:
        """The root file system with what programs look up of the CPU.

        The kernel tells which core each is (MIDR), which is the host's, or nothing, without this;
        QEMU 7.2 would show the host's /proc/cpuinfo, too.
        """
        root = self.folder / "roots" / cpu.name
        (root / "proc").mkdir(parents=True, exist_ok=True)
        for entry in (self.folder / "root").iterdir():
            if entry.is_dir():
                with contextlib.suppress(FileExistsError):
                    (root / entry.name).symlink_to(entry)
        _write(root / "proc" / "cpuinfo", cpu.cpuinfo())
        for n in range(os.cpu_count() or 1):
            folder = root / f"sys/devices/system/cpu/cpu{n}/regs/identification"
            folder.mkdir(parents=True, exist_ok=True)
            _write(folder / "midr_el1", f"{cpu.midr:#018x}\n")
        return root


def _write(path: Path, text: str) -> None:
    """Replace a file that other processes may be reading."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
    partial.write_text(text)
    partial.replace(path)
