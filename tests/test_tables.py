"""reidops/tables.py: a table that breaks its contract is not written and not read."""

import pandas as pd
import pytest

from reidops.errors import ReidopsError
from reidops.tables import PARTS, check_table, read_table, write_table


def parts(**changes) -> pd.DataFrame:
    row = {
        "part": "train",
        "dataset": "MOT17",
        "layout": "mot",
        "folder": "MOT17/train/MOT17-02",
        "sequence": "MOT17-02",
        "scene": "02",
        "first_frame": 1,
        "last_frame": 9,
        "protocol": "",
    }
    return pd.DataFrame([row | changes])


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_written_table_is_read_back(tmp_path, suffix):
    path = tmp_path / f"parts.{suffix}"
    write_table(parts(sequence=""), path, PARTS)
    pd.testing.assert_frame_equal(read_table(path, PARTS), check_table(parts(sequence=""), PARTS, "here"))


def test_a_scene_with_a_leading_zero_stays_text_in_csv(tmp_path):
    write_table(parts(), tmp_path / "parts.csv", PARTS)
    assert read_table(tmp_path / "parts.csv", PARTS)["scene"].tolist() == ["02"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"part": "trian"}, "row 0 is 'trian', expected one of train, adapt, test, track"),
        ({"first_frame": -1}, "expected 0 ≤ int"),
    ],
)
def test_a_value_out_of_range_is_reported_with_its_row(tmp_path, change, message):
    with pytest.raises(ReidopsError) as caught:
        write_table(parts(**change), tmp_path / "parts.csv", PARTS)
    assert message in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_missing_and_unknown_columns_are_reported(tmp_path):
    with pytest.raises(ReidopsError, match="missing: scene; unknown: scenes"):
        check_table(parts().rename(columns={"scene": "scenes"}), PARTS, "here")


def test_a_missing_file_is_reported_with_the_remedy(tmp_path):
    with pytest.raises(ReidopsError, match="dvc repro"):
        read_table(tmp_path / "crops.parquet", PARTS)


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_truncated_table_is_reported(tmp_path, suffix):
    path = tmp_path / f"parts.{suffix}"
    write_table(parts(), path, PARTS)
    path.write_bytes(path.read_bytes()[: 100 if suffix == "parquet" else 0])
    with pytest.raises(ReidopsError, match=rf"parts\.{suffix}: cannot be read as a table"):
        read_table(path, PARTS)
