import numpy as np
import pytest
import torch

from cerebro.models.encoder import Encoder, build_encoder
from cerebro.models.front_end import EARS, SCALE_UV, FrontEnd
from cerebro.recordings.montages import positions

NET = [*(f"E{number}" for number in range(1, 129)), "Cz"]
TEN_TWENTY = ["Fp1", "Fp2", "F7", "F8", "T7", "T8", "C3", "C4", "Cz", "O1", "O2", "Pz"]


@pytest.fixture
def window() -> torch.Tensor:
    return 20 * torch.randn(2, 12, 200, generator=torch.Generator().manual_seed(0))


def places(names: list[str], batch: int = 2) -> torch.Tensor:
    return torch.from_numpy(positions(names)).expand(batch, -1, -1)


def test_average_reference_makes_the_recording_reference_irrelevant(window):
    shifted = window - window[:, 3:4]  # re-referenced to one of its channels, which goes flat
    where = places(TEN_TWENTY)
    others = [index for index in range(12) if index != 3]
    original, _ = FrontEnd()(window[:, others], where[:, others])
    rereferenced, present = FrontEnd()(shifted, where)
    torch.testing.assert_close(original, rereferenced[:, others], atol=1e-4, rtol=1e-4)
    assert not present[:, 3].any()
    assert present.sum() == 2 * 11


def test_absent_channels_change_nothing_in_the_others(window):
    where = places(TEN_TWENTY)
    for reference in ("average", "linked_ears", "recorded"):
        front_end = FrontEnd(reference)
        alone, _ = front_end(window, where)
        # The absent ones sit exactly on the ears.
        absent = places(["A1", "A2", "M1", "M2", "Fz"])
        padded, present = front_end(
            torch.cat((window, torch.zeros(2, 5, 200)), dim=1), torch.cat((where, absent), dim=1)
        )
        torch.testing.assert_close(padded[:, :12], alone)
        assert not present[:, 12:].any()
        assert (padded[:, 12:] == 0).all()


def test_a_popping_channel_is_left_out_of_the_average(window):
    popping = window.clone()
    popping[:, 5, 100:] += 3000
    clean, present = FrontEnd()(popping, places(TEN_TWENTY))
    assert not present[:, 5].any()
    assert present.sum() == 2 * 11
    assert clean.abs().max() < 10


def test_output_is_in_units_of_the_scale(window):
    referenced, _ = FrontEnd()(window, places(TEN_TWENTY))
    expected = (window - window.mean(dim=1, keepdim=True)) / SCALE_UV
    torch.testing.assert_close(referenced, expected)


def test_a_window_of_zeros_stays_finite():
    for reference in ("average", "linked_ears", "recorded"):
        referenced, present = FrontEnd(reference)(torch.zeros(1, 129, 200), places(NET, 1))
        assert (referenced == 0).all()
        assert not present.any()


def test_linked_ears_are_the_electrodes_nearest_to_them(window):
    front_end = FrontEnd("linked_ears")
    for names, ears in (
        (["A1", "A2", *TEN_TWENTY[2:]], ("A1", "A2")),
        (TEN_TWENTY, ("T7", "T8")),
        (
            ["E49", "E113", "E1", "E8", "E32", "E15", "E70", "E83", "E55", "E62", "E36", "E104"],
            ("E49", "E113"),
        ),
    ):
        referenced, present = front_end(window, places(names))
        chosen = [names.index(ear) for ear in ears]
        expected = (window - window[:, chosen].mean(dim=1, keepdim=True)) / SCALE_UV
        torch.testing.assert_close(referenced, expected)
        assert present.all()


def test_linked_ears_pass_over_an_electrode_that_fails(window):
    window[:, TEN_TWENTY.index("T7")] = 0  # next to the left ear comes P7, which this cap lacks, then F7
    referenced, _ = FrontEnd("linked_ears")(window, places(TEN_TWENTY))
    expected = window[:, [TEN_TWENTY.index("F7"), TEN_TWENTY.index("T8")]].mean(dim=1, keepdim=True)
    inner = TEN_TWENTY.index("Cz")
    torch.testing.assert_close(referenced[:, inner], (window[:, inner] - expected[:, 0]) / SCALE_UV)


def test_a_recorded_reference_stays(window):
    referenced, _ = FrontEnd("recorded")(window, places(TEN_TWENTY))
    torch.testing.assert_close(referenced, window / SCALE_UV)


def test_linked_ears_make_the_recording_reference_irrelevant(window):
    where = places(["A1", "A2", *TEN_TWENTY[2:]])
    original, _ = FrontEnd("linked_ears")(window, where)
    rereferenced, _ = FrontEnd("linked_ears")(window - window.mean(dim=1, keepdim=True), where)
    torch.testing.assert_close(original, rereferenced, atol=1e-4, rtol=1e-4)


def test_the_ears_are_those_of_the_montages():
    np.testing.assert_allclose(EARS, positions(["A1", "A2"]), atol=1e-5)


def test_an_unknown_reference_is_named():
    with pytest.raises(ValueError, match="nose"):
        FrontEnd("nose")


def test_an_encoder_keeps_its_reference_and_an_older_one_has_the_average():
    sizes = {"adapter": "zero_pad", "patch_samples": 50, "sfreq": 100.0, "dim": 16, "depth": 1, "heads": 2}
    encoder = Encoder(layout=torch.from_numpy(positions(TEN_TWENTY)), **sizes, reference="linked_ears")
    assert build_encoder(encoder.architecture).front_end.reference == "linked_ears"
    older = {key: value for key, value in encoder.architecture.items() if key != "reference"}
    assert build_encoder(older).front_end.reference == "average"
