"""Other models are scored on the current data by the parts that compare champions."""

from pathlib import Path

import pytest

from reidops.errors import ReidopsError
from reidops.registry.backfill import Backfill, backfill


class FakeComparer:
    """Gives scores, or fails in the tracking."""

    def __init__(self, fault: str = "") -> None:
        self.fault = fault

    def score_again(self, model: Path, folder: Path) -> dict[str, dict[str, float]]:
        assert (model / "embedder.json").is_file() and not list(folder.iterdir())
        if self.fault:
            raise ReidopsError(self.fault)
        return {"05": {"IDF1": 0.7}, "combined": {"IDF1": 0.6}}

    def rank_again(self, model: Path) -> dict[str, float]:
        return {"synthetic": 0.4}


@pytest.fixture
def model(tmp_path: Path) -> str:
    (tmp_path / "embedder.json").write_text("{}")
    return str(tmp_path)


def test_a_model_gets_the_combined_scores_and_the_map_of_each_test_set(model):
    found = backfill(model, FakeComparer())
    assert found == Backfill(model, {"IDF1": 0.6}, {"synthetic": 0.4})
    assert found.figures == {"tracking/IDF1": 0.6, "reid/synthetic/mAP": 0.4}


def test_what_cannot_be_scored_is_named_and_the_rest_is_scored(model):
    found = backfill(model, FakeComparer("05: its people trained this model"))
    assert found.obstacles == ("tracking: 05: its people trained this model",)
    assert found.figures == {"reid/synthetic/mAP": 0.4}


def test_a_folder_without_a_model_is_named(tmp_path):
    (obstacle,) = backfill(str(tmp_path / "none"), FakeComparer()).obstacles
    assert "none" in obstacle and "embedder.json" in obstacle
