from pathlib import Path

import pytest

from reidops.datasets.origin import Origin
from reidops.errors import ReidopsError
from reidops.files import write_json
from reidops.parts import Part
from reidops.tracking.evaluation.protocol import (
    Tuning,
    check_protocol,
    describe_protocol,
    read_model_origin,
    read_tuning,
)


def part(role: str, dataset: str, scene: str, first: int, last: int, layout: str = "mot") -> Part:
    return Part(role, dataset, layout, Path("somewhere"), f"{dataset}-{scene}", scene, first, last)


HALF = [part("train", "MOT17", "09", 1, 263), part("track", "MOT17", "09", 264, 525)]
SCENE = [part("train", "MOT17", "02", 1, 600), part("track", "MOT17", "09", 1, 525)]
CROSS = [Part("train", "Market-1501", "market1501", Path("m"), "", "", 0, 0), part("track", "MOT17", "09", 1, 525)]


def trained_here(parts: list[Part]) -> Origin:
    """Return the origin of weights that began at random and learnt from the training parts."""
    names = ("dataset", "scene", "sequence", "first_frame", "last_frame")
    rows = [{name: getattr(own, name) for name in names} | {"people": [1]} for own in parts if own.part == "train"]
    return Origin("random weights", tuple(rows))


def described(
    parts: list[Part], origin: Origin | None = None, tuning: Tuning | None = None, changed: dict | None = None
) -> dict:
    return describe_protocol(
        parts, tracker="deepsort", changed=changed or {}, tuning=tuning, origin=origin or trained_here(parts)
    )


@pytest.mark.parametrize(("parts", "kind"), [(HALF, "half"), (SCENE, "scene"), (CROSS, "cross-set")])
def test_the_protocol_says_how_far_what_is_reported_lies_from_what_trained(parts, kind):
    check_protocol(parts, None, trained_here(parts))
    protocol = described(parts, changed={"max_age": 60})
    assert protocol["reported_on"][0]["kind"].startswith(kind)
    assert (
        protocol["reported_on"][0]["sequence"] == "MOT17-09"
        and protocol["trained_on"][0]["dataset"] == parts[0].dataset
    )
    assert protocol["constants"] == {"published_but_for": {"max_age": 60}, "found_by": None}


@pytest.mark.parametrize("dataset", ["MOT17", "MOT16", "MOT15"])
def test_a_frame_that_trained_is_not_reported_on_under_any_name_of_its_video(dataset):
    parts = [part("train", dataset, "09", 1, 300), part("track", "MOT17", "09", 264, 525)]
    with pytest.raises(
        ReidopsError,
        match=rf"frames 264 … 300 of MOT17-09 are tracked, but {dataset}-09 of {dataset} trained on them; choose",
    ):
        check_protocol(parts, None, trained_here(parts))


def test_a_scene_of_another_family_with_the_same_number_is_another_scene():
    parts = [part("train", "MOT20", "02", 1, 300), part("track", "MOT17", "02", 1, 300)]
    check_protocol(parts, None, trained_here(parts))


def test_sets_that_did_not_train_are_not_in_the_protocol_of_published_weights():
    protocol = described(CROSS, Origin("osnet.pth", unknown_start="osnet.pth"))
    assert protocol["trained_on"] == "unknown: there is no record of the training of osnet.pth"
    assert protocol["started_from"] == {"weights": "osnet.pth", "unknown": "osnet.pth"}
    assert protocol["reported_on"][0]["kind"] == "unknown: what osnet.pth was trained on is not known"


def test_the_protocol_names_untrained_weights():
    protocol = described(CROSS, Origin("random weights"))
    assert (protocol["trained_on"], protocol["reported_on"][0]["kind"]) == (
        "nothing: random weights",
        "untrained: nothing trained the model",
    )


def test_the_protocol_names_weights_that_continue_from_unknown_ones():
    protocol = described(CROSS, Origin("osnet.pth", trained_here(CROSS).scenes, "osnet.pth"))
    assert protocol["trained_on"] == [{"dataset": "Market-1501"}] and protocol["started_from"]["unknown"] == "osnet.pth"
    assert protocol["reported_on"][0]["kind"].startswith("unknown: ")


@pytest.mark.parametrize("dataset", ["MOT17", "MOT16"])
def test_a_model_whose_record_names_tracked_frames_is_refused(dataset):
    origin = Origin("model.safetensors", trained_here([part("train", dataset, "09", 1, 300)]).scenes)
    protocol = (
        rf"frames 264 … 300 of MOT17-09 are tracked, but the model .* was trained on frames 1 … 300 of {dataset}-09 of "
        rf"{dataset}"
    )
    with pytest.raises(ReidopsError, match=protocol):
        check_protocol(CROSS[:1] + HALF[1:], None, origin)
    check_protocol(CROSS[:1] + [part("track", "MOT17", "09", 301, 525)], None, origin)


def test_a_model_without_a_record_is_unknown(tmp_path):
    assert read_model_origin(tmp_path).unknown_start == "the model"
    write_json(Origin("a.pt", trained_here(HALF).scenes, "a.pt").facts, tmp_path / "trained_on.json")
    assert read_model_origin(tmp_path) == Origin("a.pt", trained_here(HALF).scenes, "a.pt")


def tuned_on(dataset: str, scene: str) -> Tuning:
    row = {"dataset": dataset, "sequence": f"{dataset}-{scene}", "scene": scene, "first_frame": 1, "last_frame": 100}
    return Tuning("deepsort", {"max_age": 45}, [row], "tuned.json")


def test_constants_tuned_on_a_scene_that_is_reported_are_refused_whatever_the_frames():
    with pytest.raises(
        ReidopsError, match=r"tuned\.json: the constants of deepsort were tuned on MOT16-09, the scene of MOT17-09"
    ):
        check_protocol(SCENE, tuned_on("MOT16", "09"), trained_here(SCENE))
    check_protocol(SCENE, tuned_on("MOT16", "02"), trained_here(SCENE))
    protocol = described(SCENE, tuning=tuned_on("MOT16", "02"), changed={"max_age": 45})
    assert protocol["tuned_on"][0]["sequence"] == "MOT16-02" and protocol["constants"]["found_by"] == "tuned.json"


def test_a_search_that_does_not_say_on_what_it_was_made_is_refused(tmp_path):
    write_json({"tracker": "deepsort", "constants": {"max_age": 45}}, tmp_path / "tuned.json")
    with pytest.raises(ReidopsError, match=r"tuned\.json: does not say tuned_on"):
        read_tuning(tmp_path / "tuned.json", "deepsort")


@pytest.mark.parametrize("row", ["MOT17-02", {"dataset": "MOT17", "sequence": "MOT17-02"}])
def test_a_search_that_does_not_name_its_scenes_whole_is_refused(tmp_path, row):
    write_json({"tracker": "deepsort", "constants": {}, "tuned_on": [row]}, tmp_path / "tuned.json")
    with pytest.raises(
        ReidopsError, match=r"tuned\.json: tuned_on holds .*MOT17-02.*expected dataset, sequence and scene"
    ):
        read_tuning(tmp_path / "tuned.json", "deepsort")


def test_constants_of_another_tracker_are_refused(tmp_path):
    write_json(
        {"tracker": "botsort", "constants": {}, "tuned_on": list(tuned_on("MOT16", "02").tuned_on)},
        tmp_path / "tuned.json",
    )
    with pytest.raises(ReidopsError, match="holds constants of botsort, but evaluate_tracking.tracker is deepsort"):
        read_tuning(tmp_path / "tuned.json", "deepsort")


def test_the_protocol_states_how_many_people_of_a_training_set_which_file_left_out():
    left_out = {"num_people": 64, "file": "tracked/people.csv"}
    (row,) = trained_here(CROSS).scenes
    origin = Origin("random weights", (row | {"left_out": left_out},))
    assert described(CROSS, origin)["trained_on"] == [{"dataset": "Market-1501", "left_out": left_out}]
