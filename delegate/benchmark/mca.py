"""Estimates cycles of the NEON kernels by llvm-mca, for cores that are not at hand.

Compiles the kernels with the flags of the build, cuts out their innermost loops and, from
``mca_regions.cc``, their transforms and stores, and prints the cycles that LLVM's model of each
core gives them, per multiplication and per multiplication of the convolution they compute. With
``--library`` the innermost loops of int8 matrix products in an aarch64 library are found and put
through the same models: XNNPACK's, when given the library of a LiteRT wheel. Of those that a core
can run the one with the fewest cycles stands for XNNPACK, whether or not XNNPACK would choose it,
and its requantization and stores are not counted.

    python delegate/benchmark/mca.py [--library libpywrap_litert_common.so] [--core cortex-a53 ...]

These are estimates from tables in LLVM: memory is free, and branches are predicted. "block" is the
reciprocal throughput of the loop's instructions, what a core could do at best; "total" is the
simulation, which for in-order cores knows no load that runs ahead. Needs clang and llvm-mca of one
version (``--llvm``), and binutils for aarch64 for ``--library``.
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import re
import subprocess
import sys
from collections import Counter
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[2]
KERNELS = ROOT / "delegate" / "kernels"
TARGET = "--target=aarch64-linux-gnu"
ITERATIONS = 100
CHANNELS = (64, 128, 256)

# Features of each core: which kernels run there, and which loops of a library could.
CORES = {
    "cortex-a53": "NEON",
    "cortex-a72": "NEON",
    "cortex-a55": "NEON_DOTPROD",
    "cortex-a76": "NEON_DOTPROD",
    "neoverse-n1": "NEON_DOTPROD",
    "cortex-a710": "NEON_I8MM",
    "neoverse-n2": "NEON_I8MM",
}
# Multiplications of one instruction, by its mnemonic and the arrangement of its result.
PRODUCTS = {
    ("smull", "8h"): 8,
    ("smull2", "8h"): 8,
    ("smlal", "8h"): 8,
    ("smlal2", "8h"): 8,
    ("smull", "4s"): 4,
    ("smull2", "4s"): 4,
    ("smlal", "4s"): 4,
    ("smlal2", "4s"): 4,
    ("sdot", "4s"): 16,
    ("smmla", "4s"): 32,
}
NEEDED = {"sdot": ("NEON_DOTPROD", "NEON_I8MM"), "smmla": ("NEON_I8MM",)}
# What a loop of an int8 matrix product has besides: loads, widening, moves and its own counting.
PLAIN = re.compile(r"ld[pr1]|ldur|ld1|ld2|sxtl2?|sadalp|ext|mov|ins|prfm|add|subs?|cmp|b\.\w+|bne")
SHOWN = 5  # loops of the library, the fastest first
FEWEST_PRODUCTS = 128  # of an innermost loop: remainders have fewer


class McaError(Exception):
    """What is missing, and what to do about it."""


@dataclasses.dataclass(frozen=True)
class Cycles:
    """What a model says of a piece of code, per execution."""

    total: float
    block: float
    instructions: int

    def per(self, count: float) -> str:
        """Cycles for one of ``count`` things."""
        return f"{self.block / count:.4f} {self.total / count:.4f}"


@dataclasses.dataclass(frozen=True)
class Tools:
    """Programs of one LLVM version."""

    version: str

    def compile(self, source: str, flags: list[str]) -> str:
        """The assembly of a source file, by the build's flags."""
        command = [f"clang-{self.version}", TARGET, "-std=c++17", "-fPIC", f"-I{ROOT}", *flags]
        return run([*command, "-Wno-keyword-macro", "-S", "-o", "-", str(ROOT / source)])

    def cycles(self, code: list[str], core: str) -> Cycles:
        """Puts instructions, executed again and again, through the model of a core."""
        command = [f"llvm-mca-{self.version}", "-mtriple=aarch64", f"-mcpu={core}"]
        report = run([*command, f"-iterations={ITERATIONS}"], "\n".join(code) + "\n")
        found = {
            key: float(value) for key, value in re.findall(r"^([\w ]+):\s+([\d.]+)$", report, re.M)
        }
        return Cycles(found["Total Cycles"] / ITERATIONS, found["Block RThroughput"], len(code))


def run(command: list[str], text: str = "") -> str:
    """The output of a program."""
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    except FileNotFoundError:
        raise McaError(f"no {command[0]} in PATH: install it, or choose --llvm") from None
    except subprocess.CalledProcessError as error:
        raise McaError(f"{command[0]} fails: {error.stderr.strip()[-400:]}") from None
    return done.stdout


def build_flags() -> dict[str, Any]:
    """The constants of bazel/copts.bzl, which is Python as far as it goes."""
    names: dict[str, Any] = {}
    exec(compile((ROOT / "bazel/copts.bzl").read_text(), "copts.bzl", "exec"), names)
    return names


def products(code: list[str]) -> int:
    """Multiplications in a piece of code."""
    count = 0
    for line in code:
        match = re.match(r"(\w+)\s+v\d+\.(\w+)", line)
        if match:
            count += PRODUCTS.get((match[1], match[2]), 0)
    return count


def blocks(assembly: str) -> list[tuple[str, list[str]]]:
    """Basic blocks of a compiler's output, each with the name of its function."""
    function, found = "", []
    for line in assembly.splitlines():
        label = re.match(r"^([\w.$]+):", line)
        text = line.split("//")[0].strip()
        if label or line.lstrip().startswith("// %bb"):
            if label and not label[1].startswith("."):
                function = label[1]
            found.append((function, [] if not label else [f"{label[1]}:"]))
        elif text and not text.startswith(".") and found:
            found[-1][1].append(" ".join(text.split()))
    return found


def innermost(assembly: str, function: str) -> list[str]:
    """The block with the most multiplications in functions of that name.

    That is the loop, but for a branch or two where the compiler enters it in the middle.
    """
    found = [code for name, code in blocks(assembly) if re.search(function, name)]
    if not found:
        raise McaError(f"no function like {function}: the kernel has changed, and this with it")
    code = max(found, key=products)
    return [anywhere(line) for line in code if not re.match(r"\.|\w+:|b\s", line)]


def region(assembly: str, function: str) -> list[str]:
    """A function of mca_regions.cc as one block, without calls to what seldom happens."""
    code: list[str] = []
    for name, block in blocks(assembly):
        if name == function and not any(re.match(r"bl\s", line) for line in block):
            code += [line for line in block if not re.match(r"(b|ret|cb|tb|\.|\w+:)", line)]
    return code


def anywhere(line: str) -> str:
    """A branch to another place, for a model that does not look at it."""
    return re.sub(r"^(b\.?\w*|cbn?z \w+,|tbn?z \w+, #\d+,) \S+$", r"\1 0", line)


def library_loops(library: pathlib.Path) -> list[tuple[int, list[str]]]:
    """Innermost loops of int8 matrix products in a library, with their addresses."""
    listing = run(["aarch64-linux-gnu-objdump", "-d", "--no-show-raw-insn", str(library)])
    addresses, code = [], []
    for line in listing.splitlines():
        match = re.match(r"^\s*([0-9a-f]+):\s+([^/]*)", line)
        if match:
            addresses.append(int(match[1], 16))
            code.append(" ".join(match[2].split()))
    place = {address: i for i, address in enumerate(addresses)}
    found, seen = [], set()
    for end, line in enumerate(code):
        match = re.match(r"b\.\w+ ([0-9a-f]+)", line)
        begin = place.get(int(match[1], 16), end) if match else end
        if not 0 < end - begin < 300:
            continue
        loop = [re.sub(r"^(b\.\w+) .*", r"\1 0", text) for text in code[begin : end + 1]]
        mnemonics = Counter(text.split()[0] for text in loop)
        others = [m for m in mnemonics if not any(m == k for k, _ in PRODUCTS)]
        if products(loop) < FEWEST_PRODUCTS or not all(PLAIN.fullmatch(m) for m in others):
            continue
        if str(sorted(mnemonics.items())) not in seen:
            seen.add(str(sorted(mnemonics.items())))
            found.append((addresses[begin], loop))
    return found


def can_run(loop: list[str], features: str) -> bool:
    """Whether a core with these features has a loop's instructions."""
    mnemonics = {line.split()[0] for line in loop}
    return all(features in NEEDED[m] for m in NEEDED.keys() & mnemonics)


@dataclasses.dataclass(frozen=True)
class Kernel:
    """Where a kernel's pieces are, and how much of the convolution they are.

    Attributes:
        loop: Source file and function of the innermost loop.
        shares: Executions of each region for one output pixel of C -> K channels.
        multiplications: Those of the loop for one output pixel.
        effective: Those of the convolution for one output pixel.
    """

    name: str
    loop: tuple[str, str]
    shares: dict[str, Any]
    multiplications: Any
    effective: Any


F43 = Kernel(
    "A: F(4,3) int16",
    ("winograd_2d_neon.cc", "MultiplyTilesILi8E"),
    {"f43_input": lambda c, k: c / 8 / 16, "f43_output": lambda c, k: k / 4 / 16},
    lambda c, k: 36 * c * k / 16,
    lambda c, k: 9 * c * k,
)
INT7 = Kernel(
    "C: direct_int7 1x1",
    ("direct_neon.cc", "Int7Ops.*Run"),
    {"int7_input": lambda c, k: c / 16, "int7_output": lambda c, k: k / 4 / 3},
    lambda c, k: c * k,
    lambda c, k: c * k,
)


def one_dimensional(source: str) -> Kernel:
    """The 1-D kernel of a source file."""
    return Kernel(
        "B: 1-D F(2,3)",
        (source, "Winograd1dNeon.*TileILi4ELb0E"),
        {"f23_1d_input": lambda c, k: c / 16 / 2, "f23_1d_output": lambda c, k: k / 8 / 4},
        lambda c, k: 12 * c * k / 2,
        lambda c, k: 9 * c * k,
    )


KERNELS_OF = {
    "NEON": [F43, INT7],
    "NEON_DOTPROD": [one_dimensional("int8_neon_dotprod.cc")],
    "NEON_I8MM": [one_dimensional("int8_neon_i8mm.cc")],
}


def report(core: str, tools: Tools, library: list[tuple[int, list[str]]]) -> None:
    """Prints what a core's model says."""
    features = CORES[core]
    names = build_flags()
    flags = names["COPTS"] + names[f"{features}_COPTS"]
    print(f"\n{core}: cycles, block and total")
    found = [
        (tools.cycles(loop, core), products(loop), address)
        for address, loop in library
        if can_run(loop, features)
    ]
    found.sort(key=lambda entry: (entry[0].block / entry[1], entry[0].total / entry[1]))
    for cycles, count, address in found[:SHOWN]:
        print(
            f"  library loop at {address:x}: {cycles.per(count)} per multiplication, "
            f"{cycles.instructions} instructions for {count}"
        )
    best = {
        key: min((getattr(c, key) / count for c, count, _ in found), default=0.0)
        for key in ("block", "total")
    }
    regions = tools.compile("delegate/benchmark/mca_regions.cc", flags)
    for kernel in KERNELS_OF[features]:
        assembly = tools.compile(f"delegate/kernels/{kernel.loop[0]}", flags)
        loop = innermost(assembly, kernel.loop[1])
        cycles, count = tools.cycles(loop, core), products(loop)
        print(
            f"  {kernel.name}: {cycles.per(count)} per multiplication, "
            f"{cycles.instructions} instructions for {count}"
        )
        pieces = {name: tools.cycles(region(regions, name), core) for name in kernel.shares}
        for name, piece in pieces.items():
            print(f"    {name}: {piece.per(1)}, {piece.instructions} instructions")
        for c in CHANNELS:
            effective = kernel.effective(c, c)
            costs = {}
            for key in best:
                cost = getattr(cycles, key) / count * kernel.multiplications(c, c)
                cost += sum(getattr(pieces[n], key) * kernel.shares[n](c, c) for n in pieces)
                costs[key] = cost / effective
            gain = " ".join(f"{best[key] / costs[key]:.2f}" for key in best) if library else "-"
            print(
                f"    {c}->{c} channels, all of it: {costs['block']:.4f} {costs['total']:.4f} per "
                f"multiplication of the convolution; the library's best loop over it: {gain}"
            )


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--library", type=pathlib.Path, help="an aarch64 library with XNNPACK")
    parser.add_argument("--core", action="append", choices=list(CORES), help="all by default")
    parser.add_argument("--llvm", default="19", help="version suffix of clang and llvm-mca")
    arguments = parser.parse_args()
    try:
        if arguments.library and not arguments.library.exists():
            raise McaError(f"{arguments.library}: no such file")
        library = library_loops(arguments.library) if arguments.library else []
        for core in arguments.core or CORES:
            report(core, Tools(arguments.llvm), library)
    except McaError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
