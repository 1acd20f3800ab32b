import torch

from cerebro.models.encoder import Encoder
from cerebro.models.tokenizer import NeuralTokenizer, build_tokenizer


def tokenizer_and_windows() -> tuple[NeuralTokenizer, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    positions = torch.nn.functional.normalize(torch.randn(2, 9, 3), dim=-1)
    positions[1] = positions[0]
    encoder = Encoder(
        layout=positions[0, :4], adapter="perceiver", patch_samples=50, sfreq=100, dim=16, depth=1, heads=2
    )
    return NeuralTokenizer(encoder, n_codes=12, code_dim=8), 20 * torch.randn(2, 9, 200), positions


def test_targets_are_what_the_nearest_electrodes_measured():
    tokenizer, signal, positions = tokenizer_and_windows()
    patches, present = tokenizer.measured(signal, positions)
    referenced = (signal - signal.mean(dim=1, keepdim=True)) / 20
    torch.testing.assert_close(patches[0, 4:8].flatten(), referenced[0, 1])
    assert present.all()


def test_targets_do_not_move_when_the_adapter_learns():
    tokenizer, signal, positions = tokenizer_and_windows()
    before, _ = tokenizer.measured(signal, positions)
    torch.nn.init.normal_(tokenizer.encoder.adapter.queries)
    assert torch.equal(before, tokenizer.measured(signal, positions)[0])


def test_every_parameter_learns_and_codes_agree_with_tokenize():
    tokenizer, signal, positions = tokenizer_and_windows()
    output = tokenizer(signal, positions)
    (output["prediction"].square().mean() + output["commitment"]).backward()
    idle = {name for name, p in tokenizer.named_parameters() if p.grad is None or not p.grad.abs().sum()}
    assert not idle
    tokenizer.eval()
    codes, _ = tokenizer.tokenize(signal, positions)
    assert torch.equal(codes, tokenizer(signal, positions)["codes"])


def test_tokens_without_a_measured_electrode_are_marked_and_never_move_the_codebook():
    tokenizer, signal, positions = tokenizer_and_windows()
    signal[:, 2] = 0
    output = tokenizer(signal, positions)
    assert not output["present"][:, 8:12].any()
    assert output["prediction"].isfinite().all()


def test_architecture_rebuilds_the_tokenizer():
    tokenizer, signal, positions = tokenizer_and_windows()
    twin = build_tokenizer(tokenizer.architecture).eval()
    twin.load_state_dict(tokenizer.state_dict())
    assert torch.equal(twin.tokenize(signal, positions)[0], tokenizer.eval().tokenize(signal, positions)[0])


def test_without_the_codebook_tokens_pass_as_they_are_and_no_code_moves():
    tokenizer, signal, positions = tokenizer_and_windows()
    before = tokenizer.quantizer.codes.clone()
    output = tokenizer(signal, positions, quantise=False)
    assert torch.equal(tokenizer.quantizer.codes, before)
    assert output["commitment"] == 0
    quantised = tokenizer.eval()(signal, positions)["prediction"]
    assert (output["prediction"] - quantised).abs().max() > 1e-3
