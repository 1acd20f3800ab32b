from functools import partial

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from cerebro.data.card import read_card
from cerebro.errors import UserError
from cerebro.phases import job
from cerebro.phases.transition import transfer


def test_transition_reports_what_matched_and_loads_it():
    source, target = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)), nn.Sequential(nn.Linear(3, 4))
    report = transfer(source.state_dict(), target, source="x")
    assert report["matched"] == ["0.bias", "0.weight"]
    assert report["unexpected"] == ["1.bias", "1.weight"]
    assert torch.equal(target[0].weight, source[0].weight)


def test_transition_refuses_below_the_required_share_and_loads_nothing():
    source, target = nn.Sequential(nn.Linear(3, 4)), nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 2))
    before = target[0].weight.clone()
    with pytest.raises(UserError, match=r"old: 0 of 4 tensors match"):
        transfer(source.state_dict(), target, source="old")
    assert torch.equal(target[0].weight, before)


def test_what_did_not_match_is_named_in_the_card(trained, train, monkeypatch):
    """An encoder of an earlier time, with one weight too few and one too many."""

    def older(path):
        state = load_file(path)
        state["extra"] = state.pop("norm.bias")
        return state

    lenient = partial(transfer, required=0.9)
    monkeypatch.setattr(job, "load_file", older)
    with pytest.raises(UserError, match=r"tensors match, 100% are needed; missing: \['norm.bias'\]"):
        train("externalizing", "refused")
    monkeypatch.setattr(job, "transfer", lenient)
    transition = read_card(train("externalizing", "partly"))["transition"]
    assert transition["missing"] == ["norm.bias"]
    assert transition["unexpected"] == ["extra"]
    assert transition["reshaped"] == []
    assert transition["matched"] == len(load_file(trained["contrast"] / "encoder.safetensors")) - 1


def test_a_lower_required_share_carries_what_fits():
    source = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    target = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 7))
    report = transfer(source.state_dict(), target, source="x", required=0.5)
    assert report["reshaped"] == ["1.bias", "1.weight"]
    assert torch.equal(target[0].weight, source[0].weight)
