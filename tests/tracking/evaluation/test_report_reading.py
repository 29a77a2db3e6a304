import pytest
from made_result import SEQUENCES, write_result

from reidops.errors import ReidopsError
from reidops.files import read_json, write_json
from reidops.tracking.evaluation.arm_names import APPEARANCE, COMBINED, NO_APPEARANCE, RANDOM
from reidops.tracking.evaluation.tracking_report import TrackingReport, has_report


def test_a_report_holds_the_scores_of_metrics_json_and_the_gains_of_proof_json(tmp_path):
    report = TrackingReport.read(write_result(tmp_path, idf1=0.7, control=0.6) / "tracking")
    assert report.combined(APPEARANCE)["IDF1"] == 0.7 and report.combined(RANDOM)["IDF1"] == 0.2
    assert report.scores[NO_APPEARANCE][SEQUENCES[0]]["IDF1"] == pytest.approx(0.62)
    gain = report.over_no_appearance[COMBINED]["IDF1"]
    assert gain.interval == pytest.approx((0.08, 0.13)) and (gain.num_units, gain.unit) == (20, "people")
    assert gain.over_sequences is None
    assert report.headroom["HOTA"].share is None and report.headroom["HOTA"].reason == "the oracle gains nothing"
    assert report.decided[COMBINED].share == 0.12 and report.reported_arm == APPEARANCE


def test_a_tracker_without_appearance_reports_its_one_arm(tmp_path):
    tracking = write_result(tmp_path) / "tracking"
    write_json({"uses_appearance": False, "reason": "one arm"}, tracking / "proof.json")
    report = TrackingReport.read(tracking)
    assert report.reported_arm == NO_APPEARANCE and report.no_gain_reason == "one arm" and not report.over_random


def test_a_report_that_lacks_an_entry_is_refused_with_the_file_the_entry_and_the_remedy(tmp_path):
    tracking = write_result(tmp_path) / "tracking"
    proof = read_json(tracking / "proof.json")
    write_json({name: value for name, value in proof.items() if name != "over_random"}, tracking / "proof.json")
    with pytest.raises(ReidopsError, match=r"proof\.json: .*over_random.*dvc repro -f evaluate_tracking"):
        TrackingReport.read(tracking)


def test_half_a_report_is_none(tmp_path):
    tracking = write_result(tmp_path) / "tracking"
    assert has_report(tracking)
    (tracking / "proof.json").unlink()
    assert not has_report(tracking)
