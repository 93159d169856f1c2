"""What LLVM's programs say of code whose cost is in the cores' manuals."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import pytest

from tests.cycles import code
from tests.cycles.code import block
from tools.arm64.llvm import VERSION, Llvm, LlvmError

needs_llvm = pytest.mark.skipif(
    shutil.which(f"llvm-mca-{VERSION}") is None or shutil.which(f"llvm-mc-{VERSION}") is None,
    reason=f"needs llvm-mca and llvm-mc {VERSION}: apt-get install llvm-{VERSION}",
)


@pytest.fixture(scope="module")
def llvm() -> Llvm:
    return Llvm()


def throughput(llvm: Llvm, core: str, words: Sequence[int]) -> float:
    made = block(0, *words).code
    return llvm.throughputs(core, [made])[made]


@needs_llvm
def test_instructions_and_what_is_none(llvm: Llvm) -> None:
    words = [code.SMLAL_V0_8H, code.INVALID, code.RETURN, code.LOAD_Q0_X1_POST_16]
    found = llvm.texts(words)
    assert [found[word] for word in words] == [
        "smlal v0.8h, v1.8b, v2.8b",
        None,
        "ret",
        "ldr q0, [x1], #16",
    ]


@needs_llvm
@pytest.mark.parametrize(
    ("core", "words", "cycles"),
    [
        ("cortex-a53", [code.ADD_X0_X1_X2, code.ADD_X3_X4_X5] * 2, 2),  # two arithmetic units
        ("cortex-a72", [code.LOAD_Q0_X1_POST_16] * 3, 3),  # one port for loads
        ("neoverse-n1", [code.LOAD_Q0_X1_POST_16] * 4, 2),  # two of them
        ("neoverse-n1", [code.SMLAL_V0_8H] * 4, 4),  # one of the vector units multiplies
    ],
)
def test_throughput(llvm: Llvm, core: str, words: list[int], cycles: float) -> None:
    assert throughput(llvm, core, words) == cycles


@needs_llvm
@pytest.mark.parametrize("core", ["cortex-a53", "cortex-a72", "neoverse-n1", "neoverse-n2"])
def test_calls_cost_a_branch_and_unknown_code_costs_little(llvm: Llvm, core: str) -> None:
    for word in (code.CALL, code.RETURN, code.INVALID, code.UNDEFINED):
        assert throughput(llvm, core, [code.ADD_X0_X1_X2, word]) <= 2


@needs_llvm
def test_code_that_a_core_s_model_leaves_out_does_not_shift_the_rest(llvm: Llvm) -> None:
    codes = [block(0, word).code for word in (code.UNDEFINED, code.LOAD_Q0_X1_POST_16)]
    found = llvm.throughputs("cortex-a72", codes)
    assert [found[made] for made in codes] == [0, 1]


@needs_llvm
def test_instructions_one_by_one(llvm: Llvm) -> None:
    words = [code.SMLAL_V0_8H, code.ADD_X0_X1_X2, code.INVALID, code.UNDEFINED]
    found = llvm.instructions("cortex-a53", words)
    assert found[code.SMLAL_V0_8H].sum == "v0"
    ((unit, time),) = found[code.ADD_X0_X1_X2].units
    assert ("ALU" in unit, time) == (True, 0.5)
    assert found[code.INVALID].writes == found[code.UNDEFINED].writes == ()


def test_a_missing_version_is_named_with_what_to_install() -> None:
    with pytest.raises(LlvmError, match=r"no llvm-mc-3 in PATH: apt-get install llvm-3, or"):
        Llvm("3").texts([code.NOP])


@needs_llvm
def test_a_core_that_llvm_does_not_know_is_an_error(llvm: Llvm) -> None:
    made = block(0, code.NOP).code
    with pytest.raises(LlvmError, match=r"llvm-mca.* fails: .*cortex-z80"):
        llvm.throughputs("cortex-z80", [made])
