"""Parts keep people and frames apart, whatever is named."""

from dataclasses import replace
from pathlib import Path

import pytest
from drawn_picture import write_picture
from market_factory import write_market_set
from mot_factory import write_mot_set

from reidops.datasets.layouts import SetFolder, layout_of
from reidops.datasets.roles import Roles, assign_parts
from reidops.errors import ReidopsError
from reidops.parts import Part

SCENES = ("MOT17-02", "MOT17-04", "MOT17-09")
MOT17 = Roles(train=("MOT17",), test=("MOT17",), track=("MOT17",), sequences=("09",))


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SetFolder]:
    base = tmp_path_factory.mktemp("sets")
    write_mot_set(base / "MOT17", SCENES, detectors=("DPM", "FRCNN", "SDP"), num_frames=7)
    write_mot_set(base / "MOT16", ("MOT16-02", "MOT16-09"), num_frames=7)
    write_mot_set(base / "MOT15", ("ADL-Rundle-6", "TUD-Campus"), num_frames=7)
    write_mot_set(base / "Square", ("Square-a", "Square-b"), num_frames=7)
    write_market_set(base / "Market-1501")
    found = {path.name: SetFolder(path.name, layout_of(path), path, "drawn") for path in base.iterdir()}
    return found | {"Market-1501:x": replace(found["Market-1501"], name="Market-1501:x", protocol="x")}


def rows_of(parts: list[Part]) -> list[tuple[str, str, int, int]]:
    return [(part.part, part.sequence or part.dataset, part.first_frame, part.last_frame) for part in parts]


def test_by_scene_a_tracked_scene_trains_nobody(sets: dict[str, SetFolder]) -> None:
    assert rows_of(assign_parts(sets, MOT17)) == [
        ("train", "MOT17-02-FRCNN", 1, 7),
        ("train", "MOT17-04-FRCNN", 1, 7),
        ("test", "MOT17-09-FRCNN", 1, 7),
        ("track", "MOT17-09-FRCNN", 1, 7),
    ]


def test_by_half_a_tracked_scene_trains_until_its_half(sets: dict[str, SetFolder]) -> None:
    assert rows_of(assign_parts(sets, replace(MOT17, split="half"))) == [
        ("train", "MOT17-02-FRCNN", 1, 7),
        ("train", "MOT17-04-FRCNN", 1, 7),
        ("train", "MOT17-09-FRCNN", 1, 4),
        ("test", "MOT17-09-FRCNN", 5, 7),
        ("track", "MOT17-09-FRCNN", 5, 7),
    ]


def test_sequences_have_no_effect_where_no_set_has_sequences(sets: dict[str, SetFolder]) -> None:
    market = ("Market-1501",)
    parts = assign_parts(sets, replace(MOT17, train=market, test=market, track=(), sequences=("05", "06")))
    assert [(part.part, part.dataset) for part in parts] == [("train", *market), ("test", *market)]


def test_every_detector_copy_is_tracked_and_one_is_cut(sets: dict[str, SetFolder]) -> None:
    parts = assign_parts(sets, replace(MOT17, detectors=("SDP", "DPM")))
    assert [part.sequence for part in parts if part.part == "track"] == ["MOT17-09-SDP", "MOT17-09-DPM"]
    assert {part.sequence for part in parts if part.part != "track"} == {f"{scene}-SDP" for scene in SCENES}


def test_without_a_tested_and_a_tracked_set_every_scene_trains(sets: dict[str, SetFolder]) -> None:
    parts = assign_parts(sets, replace(MOT17, test=(), track=(), sequences=("05",)))
    assert [row[:2] for row in rows_of(parts)] == [("train", f"{scene}-FRCNN") for scene in SCENES]


def test_a_sequence_may_be_named_in_full(sets: dict[str, SetFolder]) -> None:
    assert assign_parts(sets, replace(MOT17, sequences=("MOT17-09-FRCNN",))) == assign_parts(sets, MOT17)


def test_scenes_are_held_back_in_sets_of_one_family(sets: dict[str, SetFolder]) -> None:
    parts = assign_parts(sets, replace(MOT17, train=("MOT16",)))
    assert [part.sequence for part in parts if part.part == "train"] == ["MOT16-02"]
    half = assign_parts(sets, replace(MOT17, train=("MOT16",), split="half"))
    assert ("train", "MOT16-09", 1, 4) in rows_of(half)


def test_mot15_holds_some_of_the_videos_under_other_names(sets: dict[str, SetFolder]) -> None:
    parts = assign_parts(sets, replace(MOT17, train=("MOT15",)))
    assert [part.sequence for part in parts if part.part == "train"] == ["TUD-Campus"]
    half = assign_parts(sets, replace(MOT17, train=("MOT15",), split="half"))
    assert ("train", "ADL-Rundle-6", 1, 4) in rows_of(half)


def test_two_sequences_of_one_scene_in_a_set_are_refused(tmp_path: Path) -> None:
    found = SetFolder("mine", "mot", write_mot_set(tmp_path, ("MOT16-02", "MOT20-02"), num_frames=2), "drawn")
    with pytest.raises(
        ReidopsError, match="MOT20-02: shows scene 02, as MOT16-02 does; put one of the two into a separate data set"
    ):
        assign_parts({"mine": found}, Roles(("mine",), (), ()))


def test_train_on_market_and_track_mot17(sets: dict[str, SetFolder]) -> None:
    roles = Roles(train=("Market-1501",), test=("Market-1501",), track=("MOT17",))
    assert rows_of(assign_parts(sets, roles)) == [
        ("train", "Market-1501", 0, 0),
        ("test", "Market-1501", 0, 0),
        *(("track", f"{scene}-FRCNN", 1, 7) for scene in SCENES),
    ]


def test_a_set_that_is_only_tested_is_tested_whole(sets: dict[str, SetFolder]) -> None:
    parts = assign_parts(sets, replace(MOT17, test=("Square",), split="half"))
    assert [row for row in rows_of(parts) if row[0] == "test"] == [
        ("test", "Square-a", 1, 7),
        ("test", "Square-b", 1, 7),
    ]


def test_a_set_in_train_and_test_that_is_not_tracked_names_its_scenes(sets: dict[str, SetFolder]) -> None:
    roles = Roles(train=("Square",), test=("Square",), track=("MOT17",))
    with pytest.raises(
        ReidopsError, match=r"Square is in train and in test, .* name the scenes to test .*Square-a, Square-b"
    ):
        assign_parts(sets, roles)
    parts = assign_parts(sets, replace(roles, sequences=("Square-b", "09")))
    assert [row for row in rows_of(parts) if row[0] != "track"] == [
        ("train", "Square-a", 1, 7),
        ("test", "Square-b", 1, 7),
    ]


def test_every_scene_is_held_in_one_fold_and_trains_in_the_others(sets: dict[str, SetFolder]) -> None:
    held = []
    for fold in range(3):
        parts = assign_parts(sets, replace(MOT17, sequences=(), split="k-fold", num_folds=3, fold=fold))
        trained, tracked = ({part.scene for part in parts if part.part == name} for name in ("train", "track"))
        assert trained | tracked == {"02", "04", "09"}
        assert not trained & tracked
        held += sorted(tracked)
    assert sorted(held) == ["02", "04", "09"]


def test_by_identity_the_frames_are_shared_and_the_table_says_that_the_people_are_divided(
    sets: dict[str, SetFolder],
) -> None:
    roles = Roles(("MOT17",), ("MOT17",), ("Square",), split="identity", test_share=0.25)
    parts = [part for part in assign_parts(sets, roles) if part.part != "track"]
    assert [(part.part, part.scene, part.protocol) for part in parts] == [
        (part, scene, "identity:0.25") for part in ("train", "test") for scene in ("02", "04", "09")
    ]
    assert all((part.first_frame, part.last_frame) == (1, 7) for part in parts)


def test_a_set_with_protocols_is_listed_with_the_one_that_was_asked_for(sets: dict[str, SetFolder]) -> None:
    found = SetFolder("Market-1501:x", "market1501", sets["Market-1501"].folder, "drawn", "x")
    parts = assign_parts({"Market-1501:x": found}, Roles(("Market-1501:x",), (), ()))
    assert [(part.dataset, part.protocol) for part in parts] == [("Market-1501:x", "x")]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": "k-fold"}, r"download\.split: k-fold selects the scenes; set download\.sequences to \[\]"),
        ({"split": "k-fold", "sequences": (), "fold": 5}, r"download\.fold is 5, expected 0 … 4"),
        ({"split": "k-fold", "sequences": (), "num_folds": 4}, "num_folds is 4, but MOT17 has 3 scenes"),
        ({"split": "identity"}, "MOT17 is also tracked, .*; use scene, k-fold or half"),
        ({"split": "identity", "test": ("MOT16",), "track": ()}, "name MOT16 in download.train, too"),
        (
            {"split": "identity", "train": ("Market-1501",)},
            "identity divides the people of MOT sets .*, and download.train names none",
        ),
        (
            {"train": ("Market-1501",), "test": ("Market-1501:x",)},
            "Market-1501 is in train and Market-1501:x is in test, .* same people",
        ),
        ({"sequences": ()}, "every scene of MOT17 is tested or tracked, .*set download.split to half"),
        ({"sequences": ("09", "4")}, r"download\.sequences: 4 is not a scene .* did you mean 04"),
        ({"sequences": ("99",)}, r"none of 99 is in MOT17; .* 02, 04, 09"),
        ({"track": ("Market-1501",)}, "Market-1501 holds single crops"),
        ({"train": ("MOT16", "MOT17")}, "MOT16 and MOT17 show the same people in 02, 09; name only one"),
        ({"train": ("MOT15", "MOT17")}, "MOT15 and MOT17 show the same people in 09; name only one"),
        (
            {"train": ("Market-1501", "Market-1501:x")},
            "Market-1501 and Market-1501:x show the same people; name only one",
        ),
    ],
)
def test_wishes_that_cannot_be_granted_are_refused(sets: dict[str, SetFolder], changes: dict, message: str) -> None:
    with pytest.raises(ReidopsError, match=message):
        assign_parts(sets, replace(MOT17, **changes))


def test_a_detector_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    found = SetFolder("MOT17", "mot", write_mot_set(tmp_path, SCENES, detectors=("SDP",)), "drawn")
    with pytest.raises(ReidopsError, match=r"detector copies SDP; download\.detectors is FRCNN"):
        assign_parts({"MOT17": found}, MOT17)


@pytest.mark.parametrize("missing", ["gt/gt.txt", "img1/000004.jpg", "seqinfo.ini"])
def test_what_a_part_lacks_is_named_with_its_folder(tmp_path: Path, missing: str) -> None:
    found = SetFolder("MOT17", "mot", write_mot_set(tmp_path, SCENES), "drawn")
    (tmp_path / "train" / "MOT17-09" / missing).unlink()
    with pytest.raises(ReidopsError, match=f"MOT17-09.*{missing}"):
        assign_parts({"MOT17": found}, MOT17)


def test_a_sequence_without_public_detections_may_be_tracked(tmp_path: Path) -> None:
    found = SetFolder("MOT17", "mot", write_mot_set(tmp_path, SCENES), "drawn")
    (tmp_path / "train" / "MOT17-09" / "det/det.txt").unlink()
    assert any(part.part == "track" and part.sequence == "MOT17-09" for part in assign_parts({"MOT17": found}, MOT17))


def test_a_market_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    found = SetFolder("Market-1501", "market1501", write_market_set(tmp_path), "drawn")
    for path in (tmp_path / "query").iterdir():
        path.unlink()
    with pytest.raises(ReidopsError, match="query is missing or empty; test needs query, bounding_box_test"):
        assign_parts({"Market-1501": found}, Roles(("Market-1501",), ("Market-1501",), ()))


ADAPT = replace(MOT17, train=(), adapt=("MOT17",))


def test_unlabelled_frames_are_those_that_train(sets: dict[str, SetFolder]) -> None:
    for split in ("scene", "half", "k-fold"):
        roles = replace(MOT17, split=split, **({"sequences": (), "num_folds": 3} if split == "k-fold" else {}))
        trained = rows_of(assign_parts(sets, roles))
        unlabelled = rows_of(assign_parts(sets, replace(roles, train=(), adapt=("MOT17",))))
        assert unlabelled == [("adapt" if part == "train" else part, *row) for part, *row in trained]


def test_people_cannot_be_divided_without_labels_so_their_scenes_are_left_out(sets: dict[str, SetFolder]) -> None:
    roles = Roles(
        ("Square",), ("Square", "MOT17"), (), sequences=("Square-b", "09"), split="identity", adapt=("MOT17",)
    )
    adapted = [row for row in rows_of(assign_parts(sets, roles)) if row[0] == "adapt"]
    assert adapted == [("adapt", "MOT17-02-FRCNN", 1, 7), ("adapt", "MOT17-04-FRCNN", 1, 7)]


def test_tested_frames_are_used_without_labels_only_on_request_and_the_parts_say_so(
    sets: dict[str, SetFolder],
) -> None:
    only = replace(ADAPT, sequences=("02", "04", "09"))
    with pytest.raises(ReidopsError, match=r"download\.adapt: every scene of MOT17 is tested or tracked"):
        assign_parts(sets, only)
    adapted = [part for part in assign_parts(sets, replace(ADAPT, adapt_on_test_frames=True)) if part.part == "adapt"]
    assert [(part.sequence, part.protocol) for part in adapted] == [
        ("MOT17-02-FRCNN", ""),
        ("MOT17-04-FRCNN", ""),
        ("MOT17-09-FRCNN", "transductive"),
    ]


def test_a_scene_of_another_set_of_the_family_is_not_used_without_labels(sets: dict[str, SetFolder]) -> None:
    adapted = rows_of(assign_parts(sets, replace(MOT17, train=(), adapt=("MOT16",))))
    names = [name for part, name, *_ in adapted if part == "adapt"]
    assert names == ["MOT16-02"]  # not MOT16-09, which shows MOT17-09


def test_a_reid_set_is_used_without_labels_by_its_training_crops_unless_another_protocol_is_tested(
    sets: dict[str, SetFolder],
) -> None:
    roles = Roles((), ("Market-1501",), (), adapt=("Market-1501",))
    assert rows_of(assign_parts(sets, roles)) == [("adapt", "Market-1501", 0, 0), ("test", "Market-1501", 0, 0)]
    with pytest.raises(ReidopsError, match="Market-1501:x is in adapt and Market-1501 is in test"):
        assign_parts(sets, replace(roles, adapt=("Market-1501:x",)))


def people_set(folder: Path) -> SetFolder:
    """Write a folder per person in the root of a set."""
    for person in ("a", "b", "c"):
        for name in ("1.jpg", "2.jpg"):
            write_picture(folder / person / name, 1)
    return SetFolder("people", layout_of(folder), folder, "drawn")


@pytest.mark.parametrize(
    ("split", "protocol"), [("scene", "identity:0.3"), ("identity", "identity:0.3"), ("images", "images:0.3")]
)
def test_people_in_the_root_of_a_set_are_divided_if_it_trains_and_is_tested(tmp_path: Path, split, protocol) -> None:
    sets = {"people": people_set(tmp_path / "people")}
    parts = assign_parts(sets, Roles(("people",), ("people",), (), split=split, test_share=0.3))
    assert [(part.part, part.protocol) for part in parts] == [("train", protocol), ("test", protocol)]
    assert [part.is_closed_set for part in parts] == [split == "images"] * 2


def test_people_in_the_root_of_a_set_that_only_trains_all_train(tmp_path: Path) -> None:
    (part,) = assign_parts({"people": people_set(tmp_path / "people")}, Roles(("people",), (), ()))
    assert part.protocol == ""


def test_images_are_divided_of_sets_with_a_folder_per_person_only(sets: dict[str, SetFolder]) -> None:
    with pytest.raises(ReidopsError, match=r"download\.split: images divides .* and MOT17 has sequences"):
        assign_parts(sets, replace(MOT17, split="images"))
    with pytest.raises(ReidopsError, match=r"download\.split: images divides .* and there is none"):
        assign_parts(sets, Roles(("Market-1501",), ("Market-1501",), (), split="images"))
