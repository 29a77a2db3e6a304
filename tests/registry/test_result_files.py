from pathlib import Path

from made_result import write_result

from reidops.files import read_json
from reidops.registry.result import MOST_PICTURES, TRACKING_PICTURES, Folders, find_files, flatten_gains
from reidops.tracking.evaluation.tracking_report import TrackingReport

STAGES = ("raw", "crops", "validation", "model", "export", "reid", "tracking", "generated")


def shown(root):
    """Return the files of a run by their folder in the run."""
    files = find_files(root / "params.yaml", Folders(*(root / "data" / name for name in STAGES)))
    places = {}
    for path, place in files:
        places.setdefault(place, []).append(path)
    return places


def write(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("a picture")


def test_a_run_shows_every_kind_of_tracking_picture(tmp_path):
    tracking = write_result(tmp_path) / "tracking"
    for name in ("timelines/A.png", "switches/A.png", "clips/A-000007.mp4", "frames/A-000001.jpg"):
        write(tracking / name)
    assert {
        place: [path.name for path in paths]
        for place, paths in shown(tmp_path).items()
        if place.removeprefix("tracking/") in TRACKING_PICTURES
    } == {
        "tracking/timelines": ["A.png"],
        "tracking/switches": ["A.png"],
        "tracking/clips": ["A-000007.mp4"],
        "tracking/frames": ["A-000001.jpg"],
    }


def test_generated_crops_are_shown_if_there_are_any(tmp_path):
    generated = write_result(tmp_path) / "generated"
    for name in ("report.json", "contact_sheet.jpg", "crops.tar"):
        write(generated / name)
    assert "generated" not in shown(tmp_path)
    write(generated / "crops.parquet")
    assert [path.name for path in shown(tmp_path)["generated"]] == ["contact_sheet.jpg", "report.json"]


def test_missing_pictures_are_not_an_error(tmp_path):
    write_result(tmp_path)
    assert not {f"tracking/{kind}" for kind in TRACKING_PICTURES} & set(shown(tmp_path))


def test_only_the_first_of_many_sequences_are_logged_and_no_temporary_file(tmp_path):
    tracking = write_result(tmp_path) / "tracking"
    for number in range(MOST_PICTURES + 5):
        write(tracking / "timelines" / f"{number:03d}.png")
    write(tracking / "timelines" / ".000.png.partial")
    names = [path.name for path in shown(tmp_path)["tracking/timelines"]]
    assert names == [f"{number:03d}.png" for number in range(MOST_PICTURES)]


def test_the_gains_over_both_controls_are_figures_of_the_run_and_a_missing_interval_is_left_out(tmp_path):
    tracking = write_result(tmp_path) / "tracking"
    figures = flatten_gains(TrackingReport.read(tracking))
    assert {
        "gain/IDF1_low",
        "gain/IDF1_high",
        "over_random/IDF1",
        "over_random/IDF1_low",
        "over_random/IDF1_high",
    } <= set(figures)
    proof = read_json(tracking / "proof.json")
    proof["differences"]["appearance"]["combined"]["IDF1"]["interval"] = None
    assert {"gain/IDF1_low", "gain/IDF1_high"}.isdisjoint(flatten_gains(TrackingReport.of({}, proof)))
