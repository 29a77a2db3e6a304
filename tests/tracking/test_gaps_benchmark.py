"""benchmarks/gaps.py and benchmarks/lost_returns.py on a short drawn street."""

import importlib
import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from fake_embedder import FakeEmbedder

from reidops.boxes.embeddings import EmbeddedDetections
from reidops.tracking.evaluation.arm_names import APPEARANCE, ARMS
from reidops.tracking.evaluation.arm_results import evaluate_parts

pytestmark = pytest.mark.slow

CALIBRATION = {
    "weights_sha256": FakeEmbedder.weights_sha256,
    "gates": {"cosine": 0.3},
    "likelihoods": {"evidence": [[0, 4], [1, -4]]},
}


@pytest.fixture(scope="module")
def drawn(root, tmp_path_factory):
    """Return the two benchmarks, the parts of a street of 3 s, the folder of its embeddings, and the calibration."""
    folder = tmp_path_factory.mktemp("gaps")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(root / "benchmarks")
        gaps, lost_returns = (importlib.import_module(name) for name in ("gaps", "lost_returns"))
    parts = gaps.draw_parts([gaps.DrawnStreet(8, "05", 12, seconds=3)], folder)
    calibration = folder / "calibration.json"
    calibration.write_text(json.dumps(CALIBRATION))
    return SimpleNamespace(
        gaps=gaps,
        lost_returns=lost_returns,
        parts=parts,
        folder=folder,
        embeddings=gaps.embed_parts(parts, FakeEmbedder(), folder),
        calibration=calibration,
    )


def test_a_second_run_neither_draws_nor_embeds(drawn, monkeypatch):
    monkeypatch.setattr(drawn.gaps, "write_scene", None)
    monkeypatch.setattr(drawn.gaps, "embed_sequence", None)
    assert drawn.gaps.draw_parts([drawn.gaps.DrawnStreet(8, "05", 12, seconds=3)], drawn.folder) == drawn.parts
    assert drawn.gaps.embed_parts(drawn.parts, FakeEmbedder(), drawn.folder) == drawn.embeddings


def test_the_table_of_gaps_has_a_row_for_each_arm_and_each_return_once(drawn):
    results = evaluate_parts(drawn.parts, drawn.gaps.setup_of("evidence", drawn.embeddings, drawn.calibration))
    table = drawn.gaps.rows_of("evidence", results)
    num_returns = int(results[0].gaps["returns"].sum())
    assert num_returns > 0 and table.groupby("arm")["returns"].sum().to_dict() == dict.fromkeys(ARMS, num_returns)
    lines = drawn.gaps.format_table(table).splitlines()
    assert [line.split(" | ")[1] for line in lines[2:]] == list(ARMS)
    assert lines[0].startswith("| tracker | arm | IDF1 | 1 to 2 (")


def test_the_ablation_has_a_row_for_each_part_and_the_picture_a_line_for_each_arm_but_random(drawn, monkeypatch):
    monkeypatch.setattr(drawn.gaps, "ABLATION", {"whole": {}, "no people are hidden": {"hide": 1e-6}})
    setup = drawn.gaps.setup_of("evidence", drawn.embeddings, drawn.calibration)
    table = drawn.gaps.ablate(drawn.parts, setup)
    assert list(dict.fromkeys(table["tracker"])) == ["whole", "no people are hidden"]
    assert set(table["arm"]) == {APPEARANCE}
    shown = drawn.gaps.draw_shares(drawn.gaps.rows_of("evidence", evaluate_parts(drawn.parts, setup)))
    labels = [line.get_label() for line in shown.axes[0].lines]
    assert labels == ["evidence, no_appearance", "evidence, appearance", "evidence, oracle", "goal with the model"]


def test_each_return_has_one_cause_and_as_many_are_kept_as_the_evaluation_counts(drawn):
    setup = drawn.gaps.setup_of("evidence", drawn.embeddings, drawn.calibration)
    (result,) = evaluate_parts(drawn.parts, setup, arms=(APPEARANCE,))
    causes = drawn.lost_returns.find_causes(drawn.parts[0], setup, APPEARANCE)
    assert len(causes) == result.gaps["returns"].sum()
    assert (causes["cause"] == drawn.lost_returns.KEPT).sum() == result.gaps["kept"].sum()
    known = causes.dropna(subset="log odds")
    terms = known[["presence", "motion", "appearance"]].sum(axis=1)
    assert len(known) and terms.to_numpy() == pytest.approx(known["log odds"].to_numpy())


def test_an_embedding_averaged_ahead_has_the_persons_next_frames_and_no_other_person(drawn):
    red, green, blue = np.eye(4, dtype=np.float32)[:3]
    frames, people = np.array([1, 1, 2, 3, 3]), np.array([7, 8, 7, 7, -1])
    looks = np.stack([red, blue, green, green, red])
    detected = EmbeddedDetections(frames, np.zeros((5, 4)), np.ones(5), looks, FakeEmbedder.weights_sha256)
    half = (red + green) / np.sqrt(2)
    np.testing.assert_allclose(
        drawn.gaps.average_ahead(detected, people, 2), [half, blue, green, green, red], atol=1e-6
    )


@pytest.mark.parametrize(
    ("pairs", "look", "cause"),
    [
        ({0: 1}, 2.0, "LATER"),
        ({0: 2}, 2.0, "TAKEN"),
        ({3: 1}, 2.0, "OTHER_TRACK"),
        ({}, -2.0, "AGAINST_LOOK"),
        ({3: 2}, 2.0, "AGAINST_PLACE"),
    ],
)
def test_the_cause_is_read_from_the_pairs_of_the_frame(drawn, pairs, look, cause):
    found = drawn.lost_returns._cause_of_pair(0, 1, pairs, {"appearance": look})
    assert found == getattr(drawn.lost_returns, cause)


def test_the_table_of_causes_counts_each_return_by_its_gap(drawn):
    terms = {"presence": 1.0, "motion": 2.0, "appearance": -4.0, "log odds": -1.0}
    rows = [{"gap": 2, "cause": "kept"}, {"gap": 15, "cause": "kept"}, {"gap": 15, "cause": "taken", **terms}]
    lines = drawn.lost_returns.format_counts(pd.DataFrame(rows)).splitlines()
    assert [line.split() for line in lines[2:4]] == ["| kept | 1 | 1 |".split(), "| taken | 0 | 1 |".split()]
    assert lines[-1].split() == "| taken | 1 | 2 | -4 | -1 |".split()
