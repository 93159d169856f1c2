"""LLVM's programs for arm64 machine code: a disassembler, and the analyzer with models of cores."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.arm64.blocks import WORD, words_of
from tools.arm64.pipeline import Instruction, instruction, units_of

# Of the models that are asked: names and features of cores change from version to version.
VERSION = "19"
_TARGET = ["-triple=aarch64", "-mattr=+all"]
# Executions in the analyzer's simulation, over which the use of units is averaged.
_ITERATIONS = 20
_INVALID = re.compile(r"^<stdin>:(\d+):\d+: warning: invalid instruction encoding", re.MULTILINE)
# The analyzer takes every call for a hundred cycles; what is called is counted by itself.
_CALLS = {"bl": "b", "blr": "br", "ret": "br x30"}


class LlvmError(Exception):
    """A program is missing or failed; what to do about it."""


class Llvm:
    """Prices machine code; the same code once.

    Args:
        version: Suffix of the programs' names.
    """

    def __init__(self, version: str = VERSION) -> None:
        self._version = version
        self._texts: dict[int, str | None] = {}
        self._throughputs: dict[str, dict[bytes, float]] = {}
        self._instructions: dict[str, dict[int, Instruction]] = {}

    def texts(self, words: Iterable[int]) -> Mapping[int, str | None]:
        """The assembly of instructions; ``None`` for what is none."""
        new = sorted(set(words) - self._texts.keys())
        if new:
            lines = "".join(
                " ".join(f"{byte:#04x}" for byte in word.to_bytes(WORD, "little")) + "\n"
                for word in new
            )
            done = self._run("llvm-mc", ["--disassemble", *_TARGET], lines)
            invalid = {int(number) - 1 for number in _INVALID.findall(done.stderr)}
            printed = iter([t.strip() for t in done.stdout.splitlines() if t.strip() != ".text"])
            for number, word in enumerate(new):
                self._texts[word] = None if number in invalid else next(printed).replace("\t", " ")
        return self._texts

    def throughputs(self, core: str, codes: Iterable[bytes]) -> Mapping[bytes, float]:
        """Reciprocal throughput of pieces of code by LLVM's model of a core.

        That is the cycles which the most wanted unit, or what feeds them all, needs for it.
        """
        known = self._throughputs.setdefault(core, {})
        new = sorted(set(codes) - known.keys())
        if new:
            self.texts(word for code in new for word in words_of(code))
            sources = [self._source(words_of(code)) for code in new]
            regions = self._analyze(core, sources)[1]
            for code, region in zip(new, regions):
                known[code] = region["SummaryView"]["BlockRThroughput"] if region else 0.0
        return known

    def instructions(self, core: str, words: Iterable[int]) -> Mapping[int, Instruction]:
        """What LLVM's model of a core says of instructions one by one."""
        known = self._instructions.setdefault(core, {})
        new = sorted(set(words) - known.keys())
        if new:
            texts = self.texts(new)
            names, regions = self._analyze(core, [self._source([word]) for word in new])
            for word, region in zip(new, regions):
                if not region:
                    known[word] = instruction("nop", 1, [])
                    continue
                usage: dict[int, float] = {}
                for entry in region["ResourcePressureView"]["ResourcePressureInfo"]:
                    if entry["InstructionIndex"] == 0:
                        usage[entry["ResourceIndex"]] = entry["ResourceUsage"]
                (facts,) = region["InstructionInfoView"]["InstructionList"]
                units = units_of(names, usage)
                known[word] = instruction(texts[word] or "nop", facts["Latency"], units)
        return known

    def functions(self, path: Path) -> list[tuple[int, int, str]]:
        """Address, size and name of the functions that a file has symbols of, by address."""
        found = set()
        for kind in ([], ["--dynamic"]):
            arguments = [*kind, "--defined-only", "--print-size", "--quiet", str(path)]
            for line in self._run("llvm-nm", arguments, "").stdout.splitlines():
                columns = line.split()
                if len(columns) == 4 and columns[2] in "tTwW":
                    found.add((int(columns[0], 16), int(columns[1], 16), columns[3]))
        return sorted(found)

    def _source(self, words: Iterable[int]) -> str:
        # What is no instruction to LLVM is rare, and takes a place in the pipeline.
        return "\n".join(_without_calls(self._texts[word]) or "nop" for word in words)

    def _analyze(self, core: str, sources: Sequence[str]) -> tuple[list[str], list[Any]]:
        """What the analyzer says of a core's units, and of pieces of assembly.

        Nothing is said (``None``) of pieces that have only what the core's model leaves out.
        """
        text = "".join(
            f"# LLVM-MCA-BEGIN b{number}\n{source}\n# LLVM-MCA-END b{number}\n"
            for number, source in enumerate(sources)
        )
        arguments = ["-mtriple=aarch64", "-mattr=+all", f"-mcpu={core}", "--json"]
        arguments += [f"-iterations={_ITERATIONS}", "-skip-unsupported-instructions=lack-sched"]
        report = json.loads(self._run("llvm-mca", arguments, text).stdout)
        regions = {region["Name"]: region for region in report["CodeRegions"]}
        found = [regions.get(f"b{number}") for number in range(len(sources))]
        return report["TargetInfo"]["Resources"], found

    def _run(
        self, program: str, arguments: Sequence[str], text: str
    ) -> subprocess.CompletedProcess[str]:
        command = [f"{program}-{self._version}", *arguments]
        try:
            done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise LlvmError(
                f"no {command[0]} in PATH: apt-get install llvm-{self._version}, "
                "or choose another version by --llvm"
            ) from None
        if done.returncode != 0:
            raise LlvmError(f"{' '.join(command)} fails: {done.stderr.strip()[-400:]}")
        return done


def _without_calls(text: str | None) -> str | None:
    if text is None:
        return None
    mnemonic, _, operands = text.partition(" ")
    return f"{_CALLS[mnemonic]} {operands}" if mnemonic in _CALLS else text
