"""A crop that is used without labels is no crop of the test set."""

import hashlib
from pathlib import Path

import pandas as pd
from market_factory import write_market_set

from reidops.parts import Part
from reidops.validation.leaks import scenes_table
from reidops.validation.unlabelled_crops import unlabelled_copies


def crops_of(file: Path, split: str) -> pd.DataFrame:
    data = file.read_bytes()
    digest = int.from_bytes(hashlib.blake2b(data, digest_size=8).digest())
    row = {"path": "imgs/a.jpg", "dataset": "mine", "split": split, "size": len(data), "digest": digest}
    return pd.DataFrame([row]).astype({"digest": "uint64"})


def test_the_bytes_of_a_query_crop_are_found_among_unlabelled_crops(tmp_path):
    write_market_set(tmp_path)
    part = Part("adapt", "Market-1501", "market1501", tmp_path, "", "Market-1501", 0, 0)
    file = sorted((tmp_path / "bounding_box_train").iterdir())[1]
    faults = unlabelled_copies([part], crops_of(file, "query")).set_index("file")["copy_fault"]
    assert faults[str(file)].endswith("has the same bytes as imgs/a.jpg of mine (query)")
    assert (faults.drop(str(file)) == "").all() and len(faults) > 1
    assert (unlabelled_copies([part], crops_of(file, "train"))["copy_fault"] == "").all()
    assert not len(unlabelled_copies([], crops_of(file, "query")))


def test_scored_frames_that_adapt_are_a_fault_unless_they_are_transductive():
    def rows(protocol: str) -> pd.DataFrame:
        parts = [
            Part(role, dataset, "mot", Path("x"), f"{dataset}-09", "09", 1, 9, own)
            for role, dataset, own in (("adapt", "MOT16", protocol), ("track", "MOT17", ""))
        ]
        return scenes_table(parts, "parts.csv")

    assert rows("")[["fault", "transductive"]].iloc[0].tolist() == ["frames 1 … 9 also in track (MOT17-09)", ""]
    found = rows("transductive").iloc[0]
    assert found["fault"] == "" and found["transductive"] == "frames 1 … 9 also in track (MOT17-09), without labels"
