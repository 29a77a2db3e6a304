"""The conditions beside the tracking score, on figures that can be checked by hand."""

from dataclasses import replace

import pandas as pd
import pytest
from made_result import write_result

from reidops.files import read_json, write_json
from reidops.registry.conditions import (
    Limits,
    ModelFacts,
    RivalFacts,
    check_against,
    check_alone,
    failure_text,
)
from reidops.registry.latency import measure_latencies
from reidops.registry.model_facts import digest_ranking, read_model_facts
from reidops.tables import CROPS, read_table, write_table

FACTS = ModelFacts({"a": 0.6, "b": 0.5}, {"a": 0.3, "b": 0.4}, 1e-6, 1e-4)
RIVAL = RivalFacts("4", {"a": 0.61, "b": 0.4}, latency_ms=2.0, own_latency_ms=3.0)


def unmet(conditions) -> list[str]:
    return [condition.param.removeprefix("register.") for condition in conditions if not condition.met]


@pytest.mark.parametrize(
    ("facts", "limits", "failures"),
    [
        (FACTS, Limits(), []),
        (replace(FACTS, histogram={"a": 0.7, "b": 0.5}), Limits(), ["beat_histogram", "beat_histogram"]),
        (replace(FACTS, histogram={"a": 0.7}), Limits(beat_histogram=False), []),
        (replace(FACTS, reid={}, histogram={}), Limits(), []),
        (replace(FACTS, max_difference=2e-4), Limits(), ["require_parity"]),
        (replace(FACTS, max_difference=2e-4), Limits(require_parity=False), []),
        (replace(FACTS, num_errors=1), Limits(), ["require_valid_data"]),
        (replace(FACTS, num_errors=1), Limits(require_valid_data=False), []),
        (replace(FACTS, withdrawn={"D": "gone"}), Limits(), ["allow_withdrawn"]),
        (replace(FACTS, withdrawn={"D": "gone"}), Limits(allow_withdrawn=("E",)), ["allow_withdrawn"]),
        (replace(FACTS, withdrawn={"D": "gone"}), Limits(allow_withdrawn=("D",)), []),
        (replace(FACTS, transductive=["MOT17 09"]), Limits(), ["download.adapt_on_test_frames"]),
    ],
)
def test_each_condition_has_its_switch(facts, limits, failures):
    assert unmet(check_alone(facts, limits)) == failures


@pytest.mark.parametrize(
    ("rival", "limits", "failures"),
    [
        (RIVAL, Limits(), []),
        (RIVAL, Limits(max_loss=0.02, max_latency_ratio=1.6), []),
        (RIVAL, Limits(max_loss=0.005), ["max_loss"]),
        (RIVAL, Limits(max_latency_ratio=1.4), ["max_latency_ratio"]),
        (replace(RIVAL, reid=None, reid_obstacle="no crops"), Limits(max_loss=1.0), ["max_loss"]),
        (replace(RIVAL, latency_ms=None, latency_obstacle="gone"), Limits(max_latency_ratio=9), ["max_latency_ratio"]),
    ],
)
def test_a_loss_of_map_and_latency_against_the_champion_are_bounded(rival, limits, failures):
    assert unmet(check_against(FACTS, rival, limits)) == failures


def test_a_condition_has_its_figure_its_bound_and_its_param():
    (of_a, of_b) = check_against(FACTS, RIVAL, Limits(max_loss=0.005))
    assert (of_a.value, of_a.bound, of_a.met) == (pytest.approx(0.01), 0.005, False)
    assert (of_b.value, of_b.met) == (pytest.approx(-0.1), True)
    assert failure_text([of_a, of_b]) == (
        "mAP on a against the champion: 0.6000 against 0.6100 of version 4, required is a loss of at most 0.005 "
        "(register.max_loss)"
    )


def test_the_facts_come_from_the_folders_of_the_stages(tmp_path):
    data = write_result(tmp_path)
    report = read_json(data / "validation" / "report.json")
    write_json({**report, "errors": ["one", "two"]}, data / "validation" / "report.json")
    inventory = read_json(data / "raw" / "inventory.json")
    write_json({**inventory, "DukeMTMC-VideoReID": inventory["synthetic"]}, data / "raw" / "inventory.json")
    facts = read_model_facts(*(data / name for name in ("raw", "validation", "model", "export", "reid")))
    assert (facts.reid, facts.histogram) == ({"synthetic": 0.61}, {"synthetic": 0.2})
    assert (facts.max_difference, facts.tolerance, facts.num_errors) == (1e-7, 1e-4, 2)
    assert list(facts.withdrawn) == ["DukeMTMC-VideoReID"]


def test_a_model_that_learnt_from_a_withdrawn_set_is_found_by_its_record(tmp_path):
    data = write_result(tmp_path)
    described = read_json(data / "model" / "embedder.json")
    scene = {"dataset": "DukeMTMC-reID", "scene": "", "sequence": "", "first_frame": 0, "last_frame": 0}
    described["trained_on"] = {"started_from": "duke.safetensors", "scenes": [scene], "unknown_start": ""}
    write_json(described, data / "model" / "embedder.json")
    facts = read_model_facts(*(data / name for name in ("raw", "validation", "model", "export", "reid")))
    assert list(facts.withdrawn) == ["DukeMTMC-reID"]


def test_the_digest_of_a_ranking_depends_on_test_crops_and_settings_and_not_on_training_crops(tmp_path):
    data = write_result(tmp_path)
    settings, crops = tmp_path / "params.yaml", data / "crops"
    table, digest = read_table(crops / "crops.parquet", CROPS), digest_ranking(settings, crops)
    more = table.iloc[:1].assign(split="train", path="imgs/x/000009.jpg")
    write_table(pd.concat([table, more], ignore_index=True), crops / "crops.parquet", CROPS)
    assert digest_ranking(settings, crops) == digest
    write_table(table.assign(size=901), crops / "crops.parquet", CROPS)
    assert digest_ranking(settings, crops) != digest
    write_table(table, crops / "crops.parquet", CROPS)
    settings.write_text("evaluate_reid: {junk: none, batch_size: 9}\n")
    assert digest_ranking(settings, crops) != digest


def test_the_latency_of_each_model_is_measured(tmp_path):
    data = write_result(tmp_path)
    found = measure_latencies({"one": data / "export", "other": data / "export"})
    assert set(found) == {"one", "other"} and all(0 < value < 1000 for value in found.values())
