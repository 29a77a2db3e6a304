"""reidops/training/recomputation.py: recomputing activations changes neither weights nor running statistics."""

import copy
from contextlib import nullcontext

import pytest
import torch
from lightning_fabric import Fabric

from reidops.embedding.network import EmbeddingNetwork, TrainingNetwork
from reidops.errors import ReidopsError
from reidops.training.recomputation import check_recomputation, kept_statistics, recomputed_activations
from reidops.training.slow_convolutions import slow_convolutions_in_float32, slow_modules_in_float32

SMALL = {"height": 64, "width": 32}
OWN = [
    "osnet_x0_25", "osnet_ibn_x1_0", "osnet_ain_x0_25", "hacnn", "lmbn_n", "mlfn", "mudeep", "resnet50mid",
    "squeezenet1_1", "shufflenet", "shufflenetv2_x0_5", "deep_sort_net",
]  # fmt: skip
TIMM = ["fasternet_t0", "mobilenetv4_conv_small_050", "resnet10t", "seresnet18_ibn_a", "vit_tiny_patch16_224"]


def make(backbone: str, **options: object) -> TrainingNetwork:
    torch.manual_seed(0)
    return TrainingNetwork(EmbeddingNetwork(backbone, **SMALL, **options), 3)


def train(network: TrainingNetwork, steps: int, *, recomputes: bool, precision: str = "32-true") -> dict:
    """Return the state of a copy of the network after some steps on drawn images."""
    network = copy.deepcopy(network).train()
    fabric = Fabric(accelerator="cpu", precision=precision)
    optimizer = torch.optim.SGD(network.parameters(), 0.01, momentum=0.9)
    images = torch.randn(steps, 4, 3, 64, 32, generator=torch.Generator().manual_seed(1))
    with recomputed_activations(network.embedding, "x") if recomputes else nullcontext():
        for step, batch in enumerate(images):
            torch.manual_seed(step)  # of dropout
            optimizer.zero_grad()
            with fabric.autocast(), slow_convolutions_in_float32(fabric):
                features, logits, _ = network(batch)
            loss = logits.float().logsumexp(-1).sum() + features.float().square().mean()
            with kept_statistics(network), slow_modules_in_float32(network, fabric):
                loss.backward()
            optimizer.step()
    return network.state_dict()


def assert_equal(first: dict, second: dict) -> None:
    assert first.keys() == second.keys()
    assert [name for name, values in first.items() if not torch.equal(values, second[name])] == []


@pytest.mark.slow
@pytest.mark.parametrize("backbone", [*OWN, *TIMM])
def test_weights_and_running_statistics_are_those_of_a_plain_training(backbone):
    network = make(backbone)
    assert_equal(train(network, 2, recomputes=True), train(network, 2, recomputes=False))


def test_osnet_trains_to_the_same_weights_in_bfloat16_and_with_stripes():
    network = make("osnet_x0_25", parts=2)
    plain, recomputed = (
        train(network, 2, recomputes=recomputes, precision="bf16-mixed") for recomputes in (False, True)
    )
    assert_equal(recomputed, plain)


@pytest.mark.parametrize("backbone", ["osnet_x0_25", "resnet10t"])
def test_every_member_recomputes(backbone):
    network = make(backbone, members=(1, 1))
    assert_equal(train(network, 2, recomputes=True), train(network, 2, recomputes=False))
    with recomputed_activations(network.embedding, "x"):
        kept = [
            any(getattr(m, "grad_checkpointing", hasattr(m, "plain_kind")) for m in b.modules())
            for b in network.embedding.backbones
        ]
    assert all(kept)


def test_the_convolutions_of_bfloat16_that_are_computed_in_float32_are_recomputed_in_float32():
    network = make("mobilenetv4_conv_small_050")
    plain, recomputed = (
        train(network, 2, recomputes=recomputes, precision="bf16-mixed") for recomputes in (False, True)
    )
    assert_equal(recomputed, plain)


def test_drop_path_and_cameras_are_the_same_in_the_recomputation():
    network = make("vit_tiny_patch16_224", num_cameras=2)
    for block in network.embedding.backbone.blocks:
        block.drop_path1 = torch.nn.Dropout(0.3)
    assert_equal(train(network, 2, recomputes=True), train(network, 2, recomputes=False))


def test_without_kept_statistics_the_running_means_would_move_twice():
    network = make("osnet_x0_25")
    with recomputed_activations(network.embedding, "x"):
        network.train()(torch.randn(2, 3, 64, 32))[0].sum().backward()
    norm = network.embedding.backbone.conv2[0].conv3.bn
    assert norm.num_batches_tracked == 2


@pytest.mark.parametrize("backbone", ["osnet_x0_25", "resnet10t"])
def test_less_is_kept_for_the_backward_pass(backbone):
    def kept(recomputes: bool) -> int:
        """Return the number of values that the forward pass keeps."""
        network, values = make(backbone), 0

        def count(tensor: torch.Tensor) -> torch.Tensor:
            nonlocal values
            values += tensor.numel()
            return tensor

        context = recomputed_activations(network.embedding, "x") if recomputes else nullcontext()
        with context, torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            network.train()(torch.randn(2, 3, 64, 32))
        return values

    assert kept(recomputes=True) < 0.5 * kept(recomputes=False)


def test_embedding_is_unchanged_during_and_after_a_recomputing_training():
    network = make("osnet_x0_25").embedding.eval()
    kinds = [type(module) for module in network.modules()]
    images = torch.zeros(1, 64, 32, 3, dtype=torch.uint8)
    plain = network(images)
    with recomputed_activations(network, "x"), torch.inference_mode():
        during = network(images)
        copied = copy.deepcopy(network)(images)
    assert torch.equal(during, plain) and torch.equal(copied, plain) and torch.equal(network(images), plain)
    assert [type(module) for module in network.modules()] == kinds


def test_a_backbone_that_cannot_recompute_is_named():
    with pytest.raises(ReidopsError, match=r"train\.checkpoint_activations is true, but the backbone nasnetamobile"):
        check_recomputation(EmbeddingNetwork("nasnetamobile"), "train.checkpoint_activations")
