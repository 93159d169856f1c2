"""Every option, good and bad, and what the delegate reports."""

import re

import numpy as np
import pytest
from one_conv_model import build
from pair import Pair, chain_of_convs


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threads": "2"}, 'unknown option "threads"'),
        ({"num_threads": "two"}, '"two" is not an integer from 0 to 256'),
        ({"num_threads": "-1"}, '"-1" is not an integer from 0 to 256'),
        ({"num_threads": "257"}, '"257" is not an integer'),
        ({"kernel": "winograd"}, '"winograd" is none of auto, winograd_f43'),
        ({"isa": "sse9"}, '"sse9" is none of auto, scalar'),
        ({"verify": "yes"}, '"yes" is none of 0, 1, false, true'),
        ({"require_delegation": ""}, '"" is none of 0, 1'),
        ({"log_level": "3"}, '"3" is not an integer from 0 to 2'),
        ({"profile": "2"}, '"2" is none of 0, 1'),
    ],
)
def test_bad_options_are_refused_with_a_message(runtime, delegate_path, options, message):
    with pytest.raises(ValueError, match=message):
        runtime.load_delegate(delegate_path, options)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_threads": "0"},
        {"num_threads": "3"},
        {"kernel": "auto", "isa": "auto"},
        {"kernel": "winograd_f43"},
        {"kernel": "winograd_f23"},
        {"kernel": "winograd_1d", "isa": "scalar"},
        {"kernel": "direct", "isa": "avx2"},
        {"kernel": "reference"},
        {"isa": "scalar"},
        {"verify": "true", "require_delegation": "false"},
        {"verify": "1", "kernel": "winograd_f43", "require_delegation": "1"},
        {"log_level": "0", "profile": "0"},
        {"log_level": "2", "profile": "true"},
    ],
)
def test_good_options(runtime, delegate_path, options):
    rng = np.random.default_rng(10)
    Pair(runtime, delegate_path, build(chain_of_convs(rng)), **options).check(rng)


def test_log_names_nodes_and_reasons(runtime, delegate_path, capfd):
    Pair(
        runtime,
        delegate_path,
        build(chain_of_convs(np.random.default_rng(11))),
        isa="scalar",
        log_level="2",
    )
    text = capfd.readouterr().err
    assert "node 0 CONV_2D refused (output0): this CPU has no instruction set" in text
    assert "claimed 0 of 4 nodes, 4 of them of kinds that the delegate runs" in text


def test_profile_prints_each_node(runtime, delegate_path, capfd):
    rng = np.random.default_rng(12)
    pair = Pair(
        runtime,
        delegate_path,
        build(chain_of_convs(rng)),
        profile="1",
        kernel="direct",
        isa="scalar",
    )
    pair.check(rng)
    del pair
    assert capfd.readouterr().err.count("direct") == 4


def test_memory_and_first_run_cost_are_reported(runtime, delegate_path, capfd):
    chain = chain_of_convs(np.random.default_rng(16))
    pair = Pair(
        runtime, delegate_path, build(chain), kernel="winograd_f43", isa="scalar", log_level="2"
    )

    def megabytes():
        found = re.findall(
            r"partition of 4 nodes: prepared in \d+\.\d ms, takes (\d+\.\d\d) MB",
            capfd.readouterr().err,
        )
        assert found
        return float(found[-1])

    small = megabytes()
    # Transformed weights: 36 int16 per pair of channels.
    assert small > 4 * 32 * 32 * 36 * 2 / 2**20
    pair.resize((4, 60, 60, 32))
    # Two tensors between layers live at once.
    assert megabytes() > small + 2 * 4 * 60 * 60 * 32 / 2**20 * 0.9
