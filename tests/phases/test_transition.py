import pytest
import torch
from torch import nn

from cerebro.errors import UserError
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


def test_a_lower_required_share_carries_what_fits():
    source = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    target = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 7))
    report = transfer(source.state_dict(), target, source="x", required=0.5)
    assert report["reshaped"] == ["1.bias", "1.weight"]
    assert torch.equal(target[0].weight, source[0].weight)
