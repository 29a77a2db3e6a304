"""People whom `download.leave_out` names are neither in train nor in val, and they are counted."""

from pathlib import Path

import pandas as pd
import pytest
from market_factory import write_crop, write_market_set
from mot_factory import write_mot_set
from raw_folder import whole

from reidops.datasets.conversion import report_crops
from reidops.datasets.leave_out import noted_leave_out, read_leave_out, write_leave_out
from reidops.datasets.planning import LeftOut, SplitRules, plan_crops
from reidops.errors import ReidopsError
from reidops.mot.crops import BoxRules
from reidops.parts import Part

RULES = SplitRules(val_split=0.25, min_per_person=2, gap=4)
MARKET = "Market-1501"
LEARN, TEST = ("train", "val"), ("query", "gallery")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    return tmp_path


@pytest.fixture
def market(repository: Path) -> list[Part]:
    """Return Market-1501 with people 2 … 9 in train and 10 … 12 in test, three crops each in train."""
    folder = write_market_set(repository / MARKET, num_train=8)
    return [Part(part, MARKET, "market1501", folder, "", MARKET, 0, 0) for part in ("train", "test")]


@pytest.fixture
def toy(repository: Path) -> Path:
    """Return two sequences TOY-01 and TOY-02 of 12 frames with the people 1 … 4 each."""
    return write_mot_set(repository / "TOY", num_people=4)


def planned(parts: list[Part], repository: Path, text: str) -> tuple[pd.DataFrame, LeftOut]:
    """Return the plan of the parts without the people of a file `people.csv` with this text."""
    (repository / "people.csv").write_text(text)
    return plan_crops(parts, BoxRules(), RULES, read_leave_out({parts[0].dataset: "people.csv"}, parts))


def people(plan: pd.DataFrame, splits: tuple[str, ...]) -> list[str]:
    return sorted(set(plan.loc[plan["split"].isin(splits), "person"]))


def test_named_people_are_in_no_split_and_all_others_stay(market, repository):
    plan, left_out = planned(market, repository, "id,market_pid\n100,0003\n106,0005\n107,0003\n")
    assert people(plan, LEARN) == [f"{MARKET}_{pid:06d}" for pid in (2, 4, 6, 7, 8, 9)]
    assert plan.loc[plan["split"] == "val", "person"].nunique() == 2  # a quarter of the six who are left
    assert sorted(plan["pid"].unique()) == [-1, *range(9)]
    assert left_out.people["named in download.leave_out"] == 2
    assert left_out.boxes[f"{MARKET} train"]["people named in download.leave_out"] == 6


def test_the_test_people_do_not_depend_on_the_file(market, repository):
    whole_plan, _ = plan_crops(market, BoxRules(), RULES)
    plan, _ = planned(market, repository, "3\n10\n")
    assert people(plan, TEST) == people(whole_plan, TEST)


def test_the_report_counts_people_and_crops_of_each_file(market, repository):
    plan, left_out = planned(market, repository, "3\n5\n77\n")
    report = report_crops(plan.assign(dataset=MARKET), left_out)
    assert report["leave_out"] == {
        MARKET: {
            "file": "people.csv",
            "num_named": 3,
            "num_unknown": 1,
            "scenes": {MARKET: {"people": 2, "crops": 6}},
        }
    }


def test_without_a_file_the_report_has_no_entry_for_it(market):
    report = report_crops(*plan_crops(market, BoxRules(), RULES))
    assert "leave_out" not in report and "named in download.leave_out" not in report["people_left_out"]


def test_unknown_people_are_a_warning_with_their_number(market, repository, caplog):
    planned(market, repository, "3\n77\n0078\n")
    assert f"people.csv: 2 of its 3 people have no training crop in {MARKET}: 77, 78" in caplog.text


def test_a_file_that_names_no_person_of_the_set_is_refused(market, repository):
    with pytest.raises(
        ReidopsError, match=r"people\.csv: none of its 2 people \(77, 10\) has a training crop in Market"
    ):
        planned(market, repository, "77\n10\n")  # 10 is a test person


def test_too_few_people_left_name_the_file_as_the_cause(market, repository):
    with pytest.raises(
        ReidopsError, match=r"has 0 people.* people named in download\.leave_out 21.*; name fewer people"
    ):
        planned(market, repository, "\n".join(map(str, range(2, 9))))


@pytest.mark.parametrize("name", ["TOY-01_3", "TOY-01_000003"])
def test_a_person_of_a_mot_set_is_named_by_sequence_and_track(toy, repository, name):
    parts = [whole("train", toy, "TOY-01"), whole("train", toy, "TOY-02")]
    plan, left_out = planned(parts, repository, f"person\n{name}\n")
    assert set(people(plan, LEARN)) == {f"TOY-0{s}_00000{p}" for s in (1, 2) for p in range(1, 5)} - {"TOY-01_000003"}
    scenes = left_out.named["TOY"]["scenes"]
    assert scenes == {"TOY-01": {"people": 1, "crops": 12}, "TOY-02": {"people": 0, "crops": 0}}


def test_a_track_without_its_sequence_is_clear_in_a_set_of_one_sequence(toy, repository):
    plan, _ = planned([whole("train", toy, "TOY-01")], repository, "3\n")
    assert people(plan, LEARN) == ["TOY-01_000001", "TOY-01_000002", "TOY-01_000004"]


def test_a_track_without_its_sequence_is_refused_in_a_set_of_several(toy, repository):
    parts = [whole("train", toy, "TOY-01"), whole("train", toy, "TOY-02")]
    with pytest.raises(ReidopsError, match=r"people\.csv: row 2 names the track 3 without .*write e\.g\. TOY-01_3"):
        planned(parts, repository, "TOY-01_1\n3\n")


def test_in_a_half_split_a_named_person_is_tested_and_does_not_train(toy, repository):
    parts = [whole("train", toy, "TOY-01", 1, 6), whole("test", toy, "TOY-01", 7, 12)]
    plan, _ = planned(parts, repository, "3\n")
    assert "TOY-01_000003" not in people(plan, LEARN) and "TOY-01_000003" in people(plan, TEST)


def test_a_person_of_a_folder_set_is_named_by_the_folder(repository):
    for person in ("anna", "ben", "0007", "tom", "zoe"):
        for frame in (1, 2):
            write_crop(repository / "mine" / "train" / person, 1, 1, frame)
    part = Part("train", "mine", "folder-per-identity", repository / "mine", "", "mine", 0, 0)
    plan, _ = planned([part], repository, "person\nben\n0007\n")
    assert {Path(file).parent.name for file in plan["file"]} == {"anna", "tom", "zoe"}


def test_a_person_of_a_file_list_is_named_by_the_folder(repository):
    folder = repository / "mine"
    for person in "abcd":
        write_crop(folder / "imgs" / person, 1, 1, 1).rename(folder / "imgs" / person / "000000.jpg")
    (folder / "meta").mkdir()
    lines = [f"{person}/000000.jpg {label}\n" for label, person in enumerate("abcd")]
    (folder / "meta" / "train_80.txt").write_text("".join(lines))
    plan, _ = planned([Part("train", "mine", "file-list", folder, "", "mine", 0, 0)], repository, "b\n")
    assert sorted(Path(file).parent.name for file in plan["file"]) == ["a", "c", "d"]


@pytest.mark.parametrize("text", ["x3\n", "-1\n", "³\n", "3.0\n"])
def test_a_name_that_is_no_number_is_refused_in_a_published_set_with_file_and_row(market, repository, text):
    with pytest.raises(ReidopsError, match=r"people\.csv: row 2 is .*, expected the number of a person"):
        planned(market, repository, f"3\n{text}")


def test_a_set_that_does_not_train_is_refused_with_those_that_do(market):
    with pytest.raises(ReidopsError, match=rf"download\.leave_out: MSMT17 is not a training set; .*: {MARKET}"):
        read_leave_out({"MSMT17": "people.csv"}, market)


def test_what_download_noted_is_what_convert_reads(market, repository):
    (repository / "people.csv").write_text("pid\n0003\n3\n5\n")
    found = read_leave_out({MARKET: "people.csv"}, market)
    write_leave_out(found, repository)
    assert noted_leave_out(repository) == found and found[0].people == ("3", "5")


def test_without_a_file_nothing_is_noted(repository):
    write_leave_out([], repository)
    assert list(repository.iterdir()) == [] and noted_leave_out(repository) == []


@pytest.mark.parametrize("text", ["pid\n4\n", None])
def test_a_file_that_was_edited_or_removed_after_download_is_refused(market, repository, text):
    path = repository / "people.csv"
    path.write_text("pid\n3\n")
    write_leave_out(read_leave_out({MARKET: "people.csv"}, market), repository)
    path.unlink()
    if text:
        path.write_text(text)
    with pytest.raises(
        ReidopsError, match=rf"people\.csv: changed or was removed after download .*{MARKET}.*dvc repro -f download"
    ):
        noted_leave_out(repository)


def test_an_edit_of_the_file_changes_what_download_writes(market, repository):
    contents = []
    for text in ("pid\n3\n", "pid\n4\n"):
        (repository / "people.csv").write_text(text)
        write_leave_out(read_leave_out({MARKET: "people.csv"}, market), repository)
        contents.append((repository / "leave_out.json").read_bytes())
    assert contents[0] != contents[1]
