"""Precision within shares of the work, kept where it pays."""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Set

from tflite_eq.allocation.int8_inputs import with_kept_int8
from tflite_eq.allocation.proposal import Proposal
from tflite_eq.allocation.split_channels import with_split_layers
from tflite_eq.allocation.trial import Gain, Trials
from tflite_eq.config import Config
from tflite_eq.data.stored_samples import StoredSamples
from tflite_eq.errors import BackendError
from tflite_eq.graph.model import Graph


@dataclasses.dataclass(frozen=True)
class Allocation:
    """What was decided.

    Attributes:
        config: The options with layers named in place of shares.
        sentences: What was kept, what it costs and gains; what was not, and why.
    """

    config: Config
    sentences: tuple[str, ...] = ()


def allocated(
    graph: Graph,
    skipped: Set[int],
    samples: StoredSamples,
    config: Config,
    loud: Container[int] = (),
) -> Allocation:
    """The options with ``keep_int8_share`` and ``split_channels_share`` turned into names.

    Of either only what other samples show to gain beyond chance is kept. First 8-bit inputs, which
    add no work, then copies of channels.

    Args:
        graph: The float network without copies of channels.
        skipped: Indices of operators that stay in float.
        samples: The calibration samples.
        config: Options.
        loud: Numbers of samples that count less than others.

    Raises:
        DatasetError: The samples do not fit the model.
        ModelError: The network cannot be run.
    """
    if not (config.keep_int8_share or config.split_channels_share):
        return Allocation(config)
    trials = Trials(graph, skipped, samples, loud)
    if trials.reason:
        named = "layers that keep_int8 or split_channels names have it without trials"
        return _nothing(config, f"its gain cannot be told ({trials.reason}); {named}")
    try:
        return _tried(graph, skipped, samples, config, trials)
    except BackendError as error:
        return _nothing(config, str(error))


def _nothing(config: Config, why: str) -> Allocation:
    decided = dataclasses.replace(config, keep_int8_share=0.0, split_channels_share=0.0)
    return Allocation(decided, (f"no precision was added: {why}",))


def _tried(
    graph: Graph, skipped: Set[int], samples: StoredSamples, config: Config, trials: Trials
) -> Allocation:
    """What trials leave of the proposals, each made with what was kept of those before."""
    sentences = []
    for share, propose in (
        ("keep_int8_share", with_kept_int8),
        ("split_channels_share", with_split_layers),
    ):
        given = getattr(config, share)
        proposal = propose(graph, skipped, samples, config)
        if given and not proposal.sentence:
            sentences.append(f"no layer was found that {share} {given:g} could be spent on")
        if proposal.sentence:
            gain = trials.gain(config, proposal.config)
            sentences.append(_told(proposal, gain))
            if not gain.is_beyond_chance:
                proposal = _without(proposal, config)
        config = proposal.config
    return Allocation(config, tuple(sentences))


def _told(proposal: Proposal, gain: Gain) -> str:
    if gain.is_beyond_chance:
        return f"{proposal.sentence} ({gain.text()})"
    return f"not kept, for it gains nothing beyond chance: {proposal.sentence} ({gain.text()})"


def _without(proposal: Proposal, config: Config) -> Proposal:
    """A proposal that leaves the layers named as the options have them."""
    return Proposal(
        dataclasses.replace(
            proposal.config, keep_int8=config.keep_int8, channel_copies=config.channel_copies
        )
    )
