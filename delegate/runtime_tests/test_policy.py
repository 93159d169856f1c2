"""What the delegate leaves to the runtime when it chooses by itself."""

import pathlib

import numpy as np
import pytest
from one_conv_model import Chain, build, random_conv
from pair import Pair, chain_of_convs


def test_partitions_too_small_to_pay_are_left(runtime, delegate_path, capfd):
    rng = np.random.default_rng(13)
    convs = [random_conv(rng, 64, 64, values="even_triplets") for _ in range(3)]
    model = build(Chain((1, 8, 8, 64), 0.05, 0, convs))
    # A model that is claimed whole has no switch: the runtime is to be before it and behind.
    pair = Pair(runtime, delegate_path, model, log_level="2", leave="^output[02]$")
    assert not pair.delegate_nodes()
    said = capfd.readouterr().err
    # AMX is so fast at such layers that they do not even pay by themselves.
    assert (
        "a switch of delegates costs more than this node saves" in said
        or "XNNPACK is as fast here: AMX" in said
    )


def test_claims_nothing_it_should_not(runtime, delegate_path):
    rng = np.random.default_rng(7)
    pair = Pair(runtime, delegate_path, build(chain_of_convs(rng)), isa="scalar")
    assert not pair.delegate_nodes()
    pair.check(rng)


def test_require_delegation_fails_when_nothing_is_claimed(runtime, delegate_path):
    model = build(chain_of_convs(np.random.default_rng(8)))
    with pytest.raises(RuntimeError, match="none of 4 nodes"):
        Pair(runtime, delegate_path, model, isa="scalar", require_delegation="1")


def claims_of(runtime, delegate_path, capfd, model, **options):
    capfd.readouterr()
    Pair(runtime, delegate_path, model, log_level="2", **options)
    log = capfd.readouterr().err
    return {
        line.split("(")[1].split(")")[0]: " claimed " in line
        for line in log.splitlines()
        if " claimed (" in line or " refused (" in line
    }, log


def test_layers_are_left_and_claimed_by_name(runtime, delegate_path, capfd):
    rng = np.random.default_rng(3)
    convs = [random_conv(rng, 32, 32, size=size) for size in (3, 1, 3, 1, 3)]
    model = build(Chain((1, 6, 6, 32), 0.05, 0, convs))
    by_policy, _ = claims_of(runtime, delegate_path, capfd, model, min_saving="1000000")
    assert not any(by_policy.values())
    # Some CPUs gain a little by the last one, which neither option speaks of.
    by_policy, _ = claims_of(runtime, delegate_path, capfd, model, leave="output[0-3]")
    claims, log = claims_of(
        runtime, delegate_path, capfd, model, claim="output[0-3]", leave="^output(1|2)$"
    )
    assert [claims[f"output{i}"] for i in range(4)] == [True, False, False, True]
    assert claims["output4"] >= by_policy["output4"]
    assert "node 1 CONV_2D refused (output1): option leave matches its name" in log
    assert "option claim matches its name" in log
    # What the policy does not want is exact all the same.
    Pair(runtime, delegate_path, model, claim="output").check(rng)


def test_a_pattern_without_layers_is_told(runtime, delegate_path, capfd):
    model = build(chain_of_convs(np.random.default_rng(4)))
    Pair(runtime, delegate_path, model, log_level="1", leave="conv_that_is_not_there")
    assert 'option leave: "conv_that_is_not_there" matches none of the names of' in (
        capfd.readouterr().err
    )


def test_what_must_be_saved_is_an_option(runtime, delegate_path, capfd):
    model = build(chain_of_convs(np.random.default_rng(5)))
    flags = pathlib.Path("/proc/cpuinfo").read_text(encoding="ascii").split()
    # Beside AMX nothing is claimed for AVX2.
    options = {"isa": "avx2"} if "avx2" in flags and "amx_int8" not in flags else {}
    claims, _ = claims_of(runtime, delegate_path, capfd, model, min_saving="0", **options)
    if not any(claims.values()):
        pytest.skip("nothing is faster here")
    claims, log = claims_of(runtime, delegate_path, capfd, model, min_saving="1000000", **options)
    assert not any(claims.values())
    assert "option min_saving is above what these 4 nodes save" in log
