import pandas as pd
import pytest

from reidops.errors import ReidopsError
from reidops.tracking.constants import camera_of
from reidops.tracking.evaluation.report import scorer_table
from reidops.tracking.evaluation.setups import choose_gate

GATES = {"gates": {"cosine": 0.3, "ema_cosine": 0.5}}


@pytest.mark.parametrize(
    ("tracker", "setting", "gate"),
    [
        ("deepsort", "calibrated", 0.3),
        ("strongsort", "calibrated", 0.5),
        ("botsort", "calibrated", 0.25),  # half the cosine distance to a moving average
        ("deepsort", "published", None),
        ("botsort", 0.4, 0.4),  # a number is in the tracker's own cost
        ("sort", "calibrated", None),
        ("ocsort", 0.4, None),
    ],
)
def test_the_gate_is_in_the_trackers_own_cost(tmp_path, tracker, setting, gate):
    assert choose_gate(setting, tracker, GATES, tmp_path) == gate


@pytest.mark.parametrize(
    ("setting", "tracker", "method"),
    [
        ("published", "strongsort", "ecc"),
        ("published", "botsort", "sparse_flow"),
        ("published", "deepocsort", "sparse_flow"),
        ("published", "deepsort", None),
        ("published", "bytetrack", None),
        ("none", "botsort", None),
        ("ecc", "botsort", "ecc"),
    ],
)
def test_published_camera_motion_is_the_one_of_the_trackers_paper(setting, tracker, method):
    assert camera_of(setting, tracker) == method


def test_a_calibration_without_such_a_gate_is_refused(tmp_path):
    with pytest.raises(
        ReidopsError, match=r"has no gates\.ema_cosine; run `dvc repro -f evaluate_reid`, or give .* a number"
    ):
        choose_gate("calibrated", "strongsort", {"gates": {"cosine": 0.3}}, tmp_path)


@pytest.mark.parametrize(("arm", "shown"), [("appearance", 781), ("no_appearance", 12)])
def test_the_scorers_table_tells_both_values_and_why_they_differ(arm, shown):
    figures = ("MOTA", "IDF1", "HOTA", "DetA", "AssA", "MOTP", "IDSW", "FP", "FN", "MT", "ML", "Frag")
    rows = [
        {
            "scorer": scorer,
            "arm": name,
            "sequence": sequence,
            **dict.fromkeys(figures, 1),
            "IDSW": idsw if sequence == "combined" else 3,
        }
        for name in {"appearance", "no_appearance"} - ({"appearance"} if arm == "no_appearance" else set())
        for scorer, idsw in (("reported", 791), ("motmetrics", 781 if name == "appearance" else 12))
        for sequence in ("A", "combined")
    ]
    table = scorer_table(pd.DataFrame(rows)).set_index("figure")
    assert table.loc["IDSW", ["motmetrics", "trackeval", "difference"]].tolist() == [shown, 791, shown - 791]
    assert "the frame before" in table.loc["IDSW", "why"]
    assert set(table.index) == set(figures) and (table["why"] != "").all()
