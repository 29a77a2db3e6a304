"""The rounds of an adaptation with a training that is replaced: choosing, collapsing, ending and continuing."""

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from lightning_fabric import Fabric
from made_tracklets import tables
from torch import nn

from reidops.adaptation import rounds
from reidops.adaptation.clustering import Clusters, ClusterSettings
from reidops.adaptation.constraints import Rivals
from reidops.adaptation.round_crops import SourceCrops
from reidops.adaptation.rounds import AdaptationData, Adapted, Rounds, _unusable
from reidops.adaptation.settings import AdaptationSettings
from reidops.adaptation.tracklet_set import make_tracklet_set
from reidops.training.checkpoints import Checkpoints
from reidops.training.keeping import TrainedWeights
from reidops.training.training import Divergence

PEOPLE, RUNS, EACH = 4, 5, 4
START = torch.eye(PEOPLE)


class OneHot(nn.Module):
    """A network whose weights [4, 4] are the embeddings of four people; its images are their numbers."""

    num_branches, branch_dim = 1, PEOPLE

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(START.clone())

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        noise = torch.randn(len(images), PEOPLE, generator=torch.Generator().manual_seed(0))
        return nn.functional.normalize(self.weight[images.long()] + 0.01 * noise)


class Images:
    """The people of the crops in place of pictures."""

    def __init__(self, people: np.ndarray) -> None:
        self._people = people

    def __len__(self) -> int:
        return len(self._people)

    def at(self, _: float) -> "Images":
        return self

    def stream(self, batches):
        return ((indices, self._people[indices]) for indices in batches)


def adapt(
    monkeypatch: pytest.MonkeyPatch, folder: Path, weights: list[object], *, held_out: float = 0.4, **changes: object
) -> tuple[Adapted, list[int]]:
    """Return the result of an adaptation whose n-th training gives weights[n] or raises it, and the trained rounds."""
    people = np.repeat(np.tile(np.arange(PEOPLE), RUNS), EACH)
    starts = np.repeat(np.arange(RUNS) * 50 + 1, PEOPLE)
    tracklets = make_tracklet_set(
        *tables([0] * PEOPLE * RUNS, [(int(s), int(s) + 9) for s in starts], EACH), held_out, 0
    )
    trained: list[int] = []

    def fit(network: OneHot, data: object, settings: SimpleNamespace, **_: object) -> TrainedWeights:
        trained.append(settings.loop.seed)
        outcome = weights[len(trained) - 1]
        if isinstance(outcome, BaseException):
            raise outcome
        history = pd.DataFrame([{"epoch": 1, "loss": 1.0, "lr": settings.learning_rate}])
        return TrainedWeights({"weight": outcome}, 1, history)

    monkeypatch.setattr(rounds, "fit_network", fit)
    data = AdaptationData(tracklets, SourceCrops.none(), Images(people), None)
    settings = AdaptationSettings(len(weights), clusters=ClusterSettings(k1=3, k2=1), **changes)
    checkpoints = Checkpoints(folder, {})
    return Rounds(OneHot(), data, settings, fabric=Fabric(accelerator="cpu"), checkpoints=checkpoints).run(), trained


def alike(angle: float) -> torch.Tensor:
    """Return embeddings of four people of whom the first two are `angle` degrees apart."""
    weights = START.clone()
    weights[1] = torch.tensor([math.cos(math.radians(angle)), math.sin(math.radians(angle)), 0, 0])
    return weights


def test_every_round_has_a_row_and_the_last_of_equal_rounds_is_kept(monkeypatch, tmp_path):
    adapted, _ = adapt(monkeypatch, tmp_path, [alike(80), alike(70)])
    assert [row["round"] for row in adapted.rows] == [0, 1, 2] and adapted.ended == ""
    assert adapted.chosen == 2 and torch.equal(adapted.weights["weight"], alike(70)) and adapted.changed
    assert [row["clusters"] for row in adapted.rows] == [4, 4, 4]
    assert math.isnan(adapted.rows[0]["stability"]) and adapted.rows[1]["stability"] == 1


def test_a_round_that_tells_fewer_people_apart_is_not_kept(monkeypatch, tmp_path):
    adapted, _ = adapt(monkeypatch, tmp_path, [alike(80), alike(0)])
    assert adapted.rows[2]["reassociation_mrr"] < adapted.rows[1]["reassociation_mrr"]
    assert adapted.chosen == 1 and torch.equal(adapted.weights["weight"], alike(80)) and adapted.ended == ""


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (torch.ones(PEOPLE, PEOPLE), "almost equal"),
        (torch.full((PEOPLE, PEOPLE), math.nan), "NaN"),
        (Divergence("the loss is nan"), "the loss is nan"),
    ],
)
def test_a_round_that_collapses_is_undone_and_ends_the_adaptation(monkeypatch, tmp_path, caplog, outcome, reason):
    adapted, trained = adapt(monkeypatch, tmp_path, [alike(80), outcome, alike(60)])
    assert adapted.chosen == 1 and torch.equal(adapted.weights["weight"], alike(80)) and len(trained) == 2
    assert "round 2 collapsed and is undone" in adapted.ended and reason in adapted.ended
    assert len(adapted.rows) == 2 and "the weights of round 1 are kept" in caplog.text


def test_a_round_after_which_all_crops_are_one_cluster_is_undone(monkeypatch, tmp_path):
    found = Clusters(np.zeros(80, int), 1, 0, Rivals(np.empty((0, 2), int), 20))
    calls = iter([rounds.find_clusters, rounds.find_clusters, lambda *_: found])
    monkeypatch.setattr(rounds, "find_clusters", lambda *arguments: next(calls)(*arguments))
    adapted, _ = adapt(monkeypatch, tmp_path, [alike(80), alike(70), alike(60)])
    assert "round 2 collapsed" in adapted.ended and adapted.chosen == 1 and len(adapted.rows) == 2


def test_one_cluster_beside_few_outliers_and_no_cluster_cannot_train():
    rivals = Rivals(np.empty((0, 2), int), 1)
    labels = np.array([0] * 95 + [1] * 5)
    assert "95%" in _unusable(Clusters(labels, 2, 0, rivals))
    assert "0 clusters" in _unusable(Clusters(np.full(9, -1), 0, 0, rivals))
    assert _unusable(Clusters(np.arange(100) % 2, 2, 0, rivals)) is None
    assert _unusable(Clusters(np.arange(9), 0, 0, rivals)) is None  # every tracklet is a class of its own


def test_a_model_whose_crops_form_no_clusters_is_kept_unchanged(monkeypatch, tmp_path, caplog):
    empty = Clusters(np.full(80, -1), 0, 0, Rivals(np.empty((0, 2), int), 20))
    monkeypatch.setattr(rounds, "find_clusters", lambda *_: empty)
    adapted, trained = adapt(monkeypatch, tmp_path, [alike(80)])
    assert not trained and adapted.chosen == 0 and torch.equal(adapted.weights["weight"], START)
    assert "no clusters to train on: 0 clusters" in adapted.ended and "no round is run" in caplog.text
    assert not adapted.changed


def test_a_share_of_norm_statistics_without_batch_norm_is_a_warning(monkeypatch, tmp_path, caplog):
    adapted, _ = adapt(monkeypatch, tmp_path, [], norm_share=0.5)
    assert adapted.chosen == 0 and not adapted.changed and "norm_share has no effect" in caplog.text


def test_stable_clusters_end_the_adaptation(monkeypatch, tmp_path):
    adapted, trained = adapt(monkeypatch, tmp_path, [alike(80), alike(70), alike(60)], stable=0.95)
    assert len(trained) == 1 and "stable" in adapted.ended and adapted.chosen == 1


def test_a_killed_adaptation_goes_on_after_its_last_round(monkeypatch, tmp_path):
    weights = [alike(80), alike(70), alike(60)]
    whole, seeds = adapt(monkeypatch, tmp_path / "whole", weights)
    with pytest.raises(KeyboardInterrupt):
        adapt(monkeypatch, tmp_path / "killed", [weights[0], KeyboardInterrupt(), weights[2]])
    on, later = adapt(monkeypatch, tmp_path / "killed", weights[1:] + weights[:1])
    assert later == seeds[1:]
    pd.testing.assert_frame_equal(pd.DataFrame(on.rows), pd.DataFrame(whole.rows))
    assert torch.equal(on.weights["weight"], whole.weights["weight"]) and on.chosen == whole.chosen


def test_without_held_out_tracklets_the_last_round_is_kept(monkeypatch, tmp_path):
    adapted, _ = adapt(monkeypatch, tmp_path, [alike(80), alike(70)], held_out=0.0)
    assert adapted.chosen == 2 and math.isnan(adapted.rows[2]["reassociation_mrr"])


def test_the_rate_falls_along_a_cosine_from_round_to_round():
    settings = AdaptationSettings(5, learning_rate=1.0, final_share=0.2)
    assert [settings.rate(n) for n in (1, 3, 5)] == pytest.approx([1.0, 0.6, 0.2])
    assert AdaptationSettings(1, learning_rate=1.0).rate(1) == 1.0


@pytest.mark.parametrize(("num_batches", "warmup"), [(13, 13), (200, 30)])
def test_the_warm_up_takes_at_most_half_of_a_round(num_batches, warmup):
    settings = AdaptationSettings(rounds=2, epochs=2, warmup_steps=30)
    assert settings.fit_settings(1, 0, num_batches).curve.warmup_steps == warmup
