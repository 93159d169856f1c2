"""LLVM's programs for arm64 machine code: a disassembler, and the analyzer with models of cores."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence

from tools.arm64.blocks import WORD, Block

# Of the models that are asked: names and features of cores change from version to version.
VERSION = "19"
_TARGET = ["-triple=aarch64", "-mattr=+all"]
# Executions of a block in the simulation, one after the other.
_ITERATIONS = 50
_INVALID = re.compile(r"^<stdin>:(\d+):\d+: warning: invalid instruction encoding", re.MULTILINE)
# The analyzer takes every call for a hundred cycles; what is called is counted by itself.
_CALLS = {"bl": "b", "blr": "br", "ret": "br x30"}


class LlvmError(Exception):
    """A program is missing or failed; what to do about it."""


@dataclasses.dataclass(frozen=True)
class Price:
    """Cycles of one execution of a block among many, as LLVM's model of a core has it.

    Attributes:
        throughput: Reciprocal throughput: what the most wanted unit or the front end needs.
        simulated: The same block executed again and again, dependences and buffers included.
    """

    throughput: float
    simulated: float


class Llvm:
    """Prices blocks; each block of the same code once.

    Args:
        version: Suffix of the programs' names.
    """

    def __init__(self, version: str = VERSION) -> None:
        self._version = version
        self._texts: dict[int, str | None] = {}
        self._prices: dict[tuple[str, bytes], Price] = {}

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
                self._texts[word] = (
                    None if number in invalid else next(printed).replace("\t", " ")
                )
        return self._texts

    def prices(self, core: str, blocks: Sequence[Block]) -> list[Price]:
        """What LLVM's model of a core says of blocks, in their order."""
        codes = {block.code: block for block in blocks}
        new = [block for code, block in codes.items() if (core, code) not in self._prices]
        if new:
            texts = self.texts(word for block in new for word in block.words)
            source = []
            for number, block in enumerate(new):
                lines = [_without_calls(texts[word]) for word in block.words]
                # What is no instruction to LLVM is rare, and takes a place in the pipeline.
                body = "\n".join(line or "nop" for line in lines)
                source.append(f"# LLVM-MCA-BEGIN b{number}\n{body}\n# LLVM-MCA-END b{number}\n")
            arguments = ["-mtriple=aarch64", "-mattr=+all", f"-mcpu={core}", "--json"]
            arguments += [f"-iterations={_ITERATIONS}", "-skip-unsupported-instructions=lack-sched"]
            done = self._run("llvm-mca", arguments, "".join(source))
            regions = {r["Name"]: r["SummaryView"] for r in json.loads(done.stdout)["CodeRegions"]}
            for number, block in enumerate(new):
                summary = regions[f"b{number}"]
                self._prices[core, block.code] = Price(
                    summary["BlockRThroughput"], summary["TotalCycles"] / summary["Iterations"]
                )
        return [self._prices[core, block.code] for block in blocks]

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
