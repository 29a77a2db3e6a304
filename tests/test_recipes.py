"""recipes/: every recipe builds its network, its losses and its schedule, and makes a step."""

from pathlib import Path

import pytest
import torch

from reidops.embedding.network import EmbeddingNetwork, TrainingNetwork
from reidops.params import check_sections
from reidops.params_file import read_head
from reidops.recipes import DEFAULT, recipe_values
from reidops.training.augmentation import Augmentation
from reidops.training.freezing import Freezing
from reidops.training.losses import BranchLosses, build_losses, check_losses
from reidops.training.optimization import RateCurve, build_optimizer, build_schedule
from stages.params import SECTIONS
from stages.params.train import TrainParams

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
RECIPES = sorted(path for path in ROOT.glob("recipes/*.yaml") if path.stem != DEFAULT)
NUM_PEOPLE, STEPS = 4, 10
NEEDS_A_NETWORK = ("timm-frozen-triplet",)  # its features are those of the published weights


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_names_its_source_and_the_command_that_runs_it(path):
    assert f"reidops recipe {path.stem} && dvc repro" in read_head(path)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_needs_no_network_but_for_the_weights_that_it_names(path):
    sections = recipe_values(ROOT, path.stem, SECTIONS)
    assert sections["download"]["local"]
    assert sections["train"]["pretrained"] == (path.stem in NEEDS_A_NETWORK)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_learns_in_a_step(path):
    params = check_sections(SECTIONS, recipe_values(ROOT, path.stem, SECTIONS), path)["train"]
    network = TrainingNetwork(
        EmbeddingNetwork(
            params.backbone,
            embedding_dim=params.embedding_dim,
            hidden_dim=params.hidden_dim,
            parts=params.parts,
            pooling=params.pooling,
            last_stride=params.last_stride,
            height=64,
            width=32,
            patch_stride=params.patch_stride,
            num_cameras=2 * params.camera_embedding,
            members=params.members,
        ),
        NUM_PEOPLE,
    )
    check_losses(
        params.losses,
        params.loss_options,
        people_per_batch=params.people_per_batch,
        crops_per_person=params.crops_per_person,
    )
    losses = BranchLosses(
        [
            build_losses(params.losses, params.loss_options, num_people=NUM_PEOPLE, dim=network.embedding.branch_dim)
            for _ in range(network.embedding.num_branches)
        ]
    )
    optimizer = build_optimizer(
        network,
        params.optimizer,
        params.learning_rate,
        params.weight_decay,
        losses=losses,
        options=params.optimizer_options,
        head_factor=params.head_factor,
        layer_decay=params.layer_decay,
    )
    Freezing(network, params.freeze, params.freeze_epochs).apply(params.freeze_epochs)
    epochs = max(params.epochs, 1)  # 0 where published weights are kept: training on from them has to work, too
    schedule = build_schedule(optimizer, rate_curve(params), epochs, STEPS)
    images = torch.randint(0, 256, (8, 64, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    inputs = augmentation(params, network)(images, torch.Generator().manual_seed(0))
    before = {name: value.detach().clone() for name, value in network.named_parameters()}
    features, logits, embeddings = network.train()(inputs)
    total, _ = losses(features, logits, torch.arange(NUM_PEOPLE).repeat_interleave(2), embeddings)
    total.backward()
    schedule.step_update(epochs * STEPS // 2)
    optimizer.step()
    assert torch.isfinite(total)
    assert any(not torch.equal(value, before[name]) for name, value in network.named_parameters())


def rate_curve(params: TrainParams) -> RateCurve:
    return RateCurve(
        params.schedule,
        warmup_epochs=params.warmup_epochs,
        warmup_steps=params.warmup_steps,
        flat_epochs=params.flat_epochs,
        final_share=params.final_share,
        milestones=params.milestones,
        step_factor=params.step_factor,
    )


def augmentation(params: TrainParams, network: TrainingNetwork) -> Augmentation:
    return Augmentation(
        flip=params.flip,
        pad=params.pad,
        jitter=params.jitter,
        contrast=params.contrast,
        saturation=params.saturation,
        hue=params.hue,
        grey=params.grey,
        local_grey=params.local_grey,
        auto_augment=params.auto_augment,
        erasing=params.erasing,
        mean=network.embedding.mean,
        std=network.embedding.std,
    )
