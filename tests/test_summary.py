"""reidops/summary.py: the summary of a run."""

import json
from pathlib import Path

import pytest
from made_result import SEQUENCES, write_result
from rich.console import Console

from reidops.errors import ReidopsError
from reidops.files import write_json
from reidops.skipped import write_skipped
from reidops.summary import headline_figures, list_links, render_summary, store_missing


def shown(data: Path) -> str:
    console = Console(width=200, record=True, quiet=True)
    with console.capture() as capture:
        console.quiet = False
        console.print(render_summary(data))
    return capture.get()


def test_the_summary_has_scores_version_reason_and_outputs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    data = write_result(tmp_path)
    decision = {"champion": False, "reason": "it is worse than version 1"}
    links = {"ui": f"mlflow ui --backend-store-uri sqlite:///{tmp_path}/mlflow.db"}
    write_json(
        {"name": "person-reid", "version": "2", "decision": decision, "tracking_uri": "http://x", "links": links},
        data / "registration" / "version.json",
    )
    text = shown(data)
    lines = text.splitlines()
    assert any("synthetic" in line and "0.610" in line and "0.800" in line for line in lines)
    assert any("colour histogram" in line and "0.200" in line for line in lines)
    for sequence in SEQUENCES:
        assert sequence in text
    combined = next(i for i, line in enumerate(lines) if "combined" in line)
    assert ["without appearance" in lines[combined], "0.600" in lines[combined]] == [True, True]
    assert ["random embeddings" in lines[combined + 1], "0.200" in lines[combined + 1]] == [True, True]
    assert ["with appearance" in lines[combined + 2], "0.700" in lines[combined + 2]] == [True, True]
    assert "person-reid version 2: not champion" in text
    assert "it is worse than version 1" in text
    assert "data/validation/docs/index.html" in text
    assert "mlflow ui --backend-store-uri sqlite:///mlflow.db" in text


def test_a_closed_set_is_marked(tmp_path):
    scores = {"mAP": 0.9, "num_query": 4}
    write_json({"people": scores | {"num_trained_people": 3}, "other": scores}, tmp_path / "reid" / "metrics.json")
    text = shown(tmp_path)
    assert "people (closed set)" in text and "other (closed set)" not in text and "never trained on" not in text


def test_the_summary_of_an_incomplete_run_has_the_finished_stages(tmp_path):
    data = write_result(tmp_path)
    (data / "tracking" / "metrics.json").unlink()
    assert "synthetic" in shown(data)
    assert set(headline_figures(data)) == {
        f"reid/{name}/{s}" for name in ("synthetic", "colour_histogram") for s in ("mAP", "rank1")
    }


def test_the_summary_says_which_parts_were_left_out_and_why(tmp_path):
    data = tmp_path / "data"
    for name, reason in (("reid", "download.test is []"), ("tracking", "download.track is []")):
        (data / name).mkdir(parents=True)
        write_skipped(data / name, reason)
    write_json({"skipped": "download.track is []"}, data / "registration" / "version.json")
    text = shown(data)
    assert "ReID evaluation: left out, because download.test is []" in text
    assert "Tracking evaluation: left out, because download.track is []" in text
    assert "No version is registered, because download.track is []" in text
    assert headline_figures(data) == {}
    assert list_links(data) == {}


def test_a_missing_result_is_an_error(tmp_path):
    with pytest.raises(ReidopsError, match="there is no result yet"):
        render_summary(tmp_path)


def test_gain_is_with_minus_without(tmp_path):
    figures = headline_figures(write_result(tmp_path, idf1=0.7, control=0.62))
    assert figures["tracking/gain/IDF1"] == pytest.approx(0.08)
    assert figures["tracking/gain_over_random/IDF1"] == pytest.approx(0.5)


def test_only_existing_outputs_are_listed(tmp_path):
    data = write_result(tmp_path)
    assert "ranked galleries" not in list_links(data)
    for name in ("gallery_best.png", "gallery_worst.png"):
        (data / "reid" / name).write_text("a picture")
    assert list_links(data)["ranked galleries"].endswith("gallery_best.png and 1 more beside it")


def test_a_missing_or_different_store_is_reported(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    store = tmp_path / "mlflow.db"
    assert "does not exist" in store_missing(f"sqlite:///{store}")
    store.touch()
    assert store_missing(f"sqlite:///{store}") is None
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://other")
    assert "MLFLOW_TRACKING_URI is now http://other" in store_missing(f"sqlite:///{store}")


def test_the_gain_over_both_controls_has_interval_and_number_of_units(tmp_path):
    text = shown(write_result(tmp_path))
    assert "IDF1 +0.100 [+0.080, +0.130; 20 people] over no appearance" in text
    assert "IDF1 +0.500 [+0.480, +0.530; 20 people] over random embeddings" in text
    assert "IDF1 33% of what the oracle adds to the better control, without appearance" in text
    assert "HOTA share of the oracle's gain: –, the oracle gains nothing" in text
    assert (
        "IDF1 over no appearance by other units: [+0.080, +0.130; 10 windows of about 30 frames], [too few to say; 2 "
        "sequences]" in text
    )
    assert "appearance decided 12.0% of 200 associations; in 31 it preferred another track than the control" in text


def test_embeddings_that_change_no_track_are_reported(tmp_path):
    data = write_result(tmp_path)
    proof = json.loads((data / "tracking" / "proof.json").read_text())
    write_json(proof | {"say": "botsort's rules leave appearance no say"}, data / "tracking" / "proof.json")
    assert "botsort's rules leave appearance no say" in shown(data)


def test_too_few_people_are_reported(tmp_path):
    data = write_result(tmp_path)
    proof = json.loads((data / "tracking" / "proof.json").read_text())
    proof["over_random"]["combined"]["IDF1"] |= {"interval": None, "num_units": 4}
    write_json(proof, data / "tracking" / "proof.json")
    assert "IDF1 +0.500 [too few to say; 4 people] over random embeddings" in shown(data)


def test_a_tracker_without_appearance_is_shown_with_its_one_arm_and_the_reason(tmp_path):
    data = write_result(tmp_path)
    arms, proof = (json.loads((data / "tracking" / f"{name}.json").read_text()) for name in ("metrics", "proof"))
    write_json({"no_appearance": arms["no_appearance"]}, data / "tracking" / "metrics.json")
    write_json(
        {"uses_appearance": False, "reason": "it looks at no embedding", "arms": proof["arms"]},
        data / "tracking" / "proof.json",
    )
    text = shown(data)
    assert "it looks at no embedding" in text and "with appearance" not in text
    assert (
        "tracking/gain/IDF1" not in headline_figures(data)
        and headline_figures(data)["tracking/no_appearance/IDF1"] == 0.6
    )


def test_a_loss_is_written_with_a_minus(tmp_path):
    assert "IDF1 −0.100 [−0.120, −0.070; 20 people] over no appearance" in shown(
        write_result(tmp_path, idf1=0.6, control=0.7)
    )
