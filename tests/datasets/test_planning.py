"""Sets are joined for training with their people kept apart, and divided as the parts say."""

from pathlib import Path

import pandas as pd
import pytest
from market_factory import write_market_set
from mot_factory import write_mot_set

from reidops.datasets.planning import SplitRules, plan_crops
from reidops.errors import ReidopsError
from reidops.mot.crops import BoxRules
from reidops.parts import Part

RULES = SplitRules(val_split=0.0, min_per_person=2, gap=4)


def market(part: str, folder: Path, dataset: str = "Market-1501") -> Part:
    return Part(part, dataset, "market1501", folder, "", dataset, 0, 0)


def street(part: str, folder: Path, scene: str, protocol: str = "") -> Part:
    return Part(part, "TOY", "mot", folder / "train" / f"TOY-{scene}", f"TOY-{scene}", scene, 1, 12, protocol)


def planned(parts: list[Part], rules: SplitRules = RULES) -> pd.DataFrame:
    return plan_crops(parts, BoxRules(), rules)[0]


def test_joined_sets_share_no_person_and_no_camera(tmp_path: Path) -> None:
    folder, toy = write_market_set(tmp_path / "m"), write_mot_set(tmp_path / "toy", num_people=3)
    parts = [
        market("train", folder),
        market("train", folder, "Twin"),
        street("train", toy, "01"),
        street("train", toy, "02"),
    ]
    plan = planned(parts)
    for column in ("pid", "camid"):
        by_source = plan.groupby(["dataset", "scene"])[column].agg(set)
        assert len(set.union(*by_source)) == sum(map(len, by_source))
    assert sorted(plan["pid"].unique()) == list(range(4 + 4 + 3 + 3))
    assert sorted(plan["camid"].unique()) == list(range(3 + 3 + 1 + 1))


def test_one_set_trains_and_others_are_kept_for_evaluation(tmp_path: Path) -> None:
    folder, toy = write_market_set(tmp_path / "m"), write_mot_set(tmp_path / "toy", num_people=3)
    plan = planned([street("train", toy, "01"), market("test", folder), street("test", toy, "02")])
    assert plan.groupby("dataset")["split"].agg(lambda s: sorted(set(s))).to_dict() == {
        "Market-1501": ["gallery", "query"],
        "TOY": ["gallery", "query", "train"],
    }


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_by_identity_nobody_trains_and_is_tested(tmp_path: Path, share: float) -> None:
    toy = write_mot_set(tmp_path / "toy", num_people=8)
    parts = [street(part, toy, scene, f"identity:{share}") for scene in ("01", "02") for part in ("train", "test")]
    plan = planned(parts)
    trained, tested = (
        set(plan.loc[rows, "pid"]) for rows in (plan["split"] == "train", plan["split"].isin(["query", "gallery"]))
    )
    assert not trained & tested
    assert (len(trained), len(tested)) == (16 - 16 * share, 16 * share)
    assert plan["path"].is_unique


def test_a_layout_that_nobody_reads_is_named_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(ReidopsError, match="X has the unknown layout x, expected one of mot, market1501"):
        planned([Part("train", "X", "x", tmp_path, "", "X", 0, 0)])
