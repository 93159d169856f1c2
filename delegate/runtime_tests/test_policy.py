"""What the delegate leaves to the runtime when it chooses by itself."""

import numpy as np
import pytest
from one_conv_model import Chain, build, random_conv
from pair import Pair, chain_of_convs


def test_partitions_too_small_to_pay_are_left(runtime, delegate_path, capfd):
    rng = np.random.default_rng(13)
    convs = [random_conv(rng, 32, 32)]
    pair = Pair(runtime, delegate_path, build(Chain((1, 8, 8, 32), 0.05, 0, convs)), log_level="2")
    assert not pair.delegate_nodes()
    assert "a switch of delegates costs more than these 1 nodes save" in capfd.readouterr().err


def test_claims_nothing_it_should_not(runtime, delegate_path):
    rng = np.random.default_rng(7)
    pair = Pair(runtime, delegate_path, build(chain_of_convs(rng)), isa="scalar")
    assert not pair.delegate_nodes()
    pair.check(rng)


def test_require_delegation_fails_when_nothing_is_claimed(runtime, delegate_path):
    model = build(chain_of_convs(np.random.default_rng(8)))
    with pytest.raises(RuntimeError, match="none of 4 nodes"):
        Pair(runtime, delegate_path, model, isa="scalar", require_delegation="1")
