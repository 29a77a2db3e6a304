"""reidops/training/orthogonalization.py: Muon's iterations are computed in the precision of the training."""

import pytest
import torch
from lightning_fabric import Fabric
from timm.optim import Muon, muon

from reidops.training import orthogonalization
from reidops.training.orthogonalization import iterate_in_precision_of


@pytest.fixture(autouse=True)
def types(monkeypatch) -> list[torch.dtype]:
    """Return the list of the types in which iterations were computed."""
    monkeypatch.setattr(muon, "zeropower_via_newtonschulz", muon.zeropower_via_newtonschulz)
    plain, found = orthogonalization._newton_schulz, []

    def compute(*arguments, **options):
        result = plain(*arguments, **options)
        found.append(result.dtype)
        return result

    monkeypatch.setattr(orthogonalization, "_newton_schulz", compute)
    return found


@pytest.mark.parametrize(
    ("precision", "dtype", "tolerance"),
    [("32-true", torch.float32, 1e-5), ("64-true", torch.float32, 1e-5), ("bf16-mixed", torch.bfloat16, 0.05)],
)
def test_an_update_is_the_polar_factor_of_the_gradient_in_the_precision_of_the_training(
    precision, dtype, tolerance, types
):
    weights = torch.nn.Parameter(torch.zeros(6, 10))
    gradient = torch.randn(6, 10)
    iterate_in_precision_of(Fabric(accelerator="cpu", devices=1, precision=precision))
    # polar_express converges: its 16 steps end at singular values of 1
    optimizer = Muon([weights], lr=1.0, momentum=0.0, ns_steps=16, ns_coefficients="polar_express", adjust_lr_fn=None)
    weights.grad = gradient
    optimizer.step()
    left, _, right = torch.linalg.svd(gradient, full_matrices=False)
    torch.testing.assert_close(weights.detach(), -left @ right, rtol=0, atol=tolerance)
    assert types == [dtype]
