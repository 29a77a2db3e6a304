"""Define the columns of all tables that are passed between stages; read, check and write such tables."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from reidops.errors import ReidopsError
from reidops.files import whole_file


@dataclass(frozen=True)
class Column:
    """One column: its dtype (`int`, `float`, `str`, `bool`) and the meaning of its values, with unit and range."""

    dtype: str
    meaning: str
    minimum: float | None = None
    maximum: float | None = None
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """The contract of a table: its name and its ordered columns."""

    name: str
    columns: dict[str, Column]

    @property
    def dtypes(self) -> dict[str, str]:
        """Return the pandas dtype of each column."""
        return {name: _PANDAS[column.dtype] for name, column in self.columns.items()}


_PANDAS = {"int": "int64", "float": "float64", "str": "str", "bool": "bool"}

_BOX = {
    "left": Column("float", "px, 0-based"),
    "top": Column("float", "px, 0-based"),
    "width": Column("float", "px"),
    "height": Column("float", "px"),
}

ANNOTATIONS = Table(
    "annotations",
    {
        "frame": Column("int", "1-based, as MOTChallenge counts", minimum=1),
        "track_id": Column("int", "identity within this sequence"),
        **_BOX,
        "considered": Column("bool", "the flag column of the file: used in official scores"),
        "class_id": Column("int", "1 = pedestrian", minimum=1),
        "visibility": Column("float", "fraction not occluded", minimum=0, maximum=1),
    },
)

DETECTIONS = Table(
    "detections",
    {
        "frame": Column("int", "1-based, as MOTChallenge counts", minimum=1),
        **_BOX,
        "confidence": Column("float", "score of the detector, without a fixed range"),
    },
)

PARTS = Table(
    "parts",
    {
        "part": Column("str", "use of the frames", values=("train", "adapt", "test", "track")),
        "dataset": Column("str", "name of the data set, e.g. MOT17"),
        "layout": Column("str", "folder layout: mot, or that of a ReID set (market1501, msmt17 …)"),
        "folder": Column("str", "path below data/raw, or the user's folder after `local:`"),
        "sequence": Column("str", "name of the sequence's folder; empty for ReID sets"),
        "scene": Column("str", "the video behind the sequence, e.g. 09"),
        "first_frame": Column("int", "1-based, inclusive; 0 for ReID sets", minimum=0),
        "last_frame": Column("int", "1-based, inclusive; 0 for ReID sets", minimum=0),
        "protocol": Column(
            "str",
            "published split of a ReID set; identity:SHARE if people are divided; images:SHARE if the crops of each "
            "person of a ReID set are divided; else empty",
        ),
    },
)

CROPS = Table(
    "crops",
    {
        "path": Column("str", "member of crops.tar"),
        "offset": Column("int", "byte offset of the member's picture (JPEG, PNG or BMP) in crops.tar", minimum=0),
        "size": Column("int", "bytes of the picture", minimum=1),
        "dataset": Column("str", "data set of the crop"),
        "pid": Column("int", "person identity, unique in the table; -1 = distractor, matches no query", minimum=-1),
        "camid": Column("int", "camera (view), unique in the table; in MOT one per scene", minimum=0),
        "scene": Column("str", "the video, without data set or detector: 02, 04 …"),
        "track_id": Column("int", "identity in the sequence; -1 for ReID sets", minimum=-1),
        "tracklet": Column(
            "int", "continuous run of one person in one camera, in sets with tracklets; -1 in others", minimum=-1
        ),
        "frame": Column("int", "1-based frame of the crop", minimum=0),
        "width": Column("int", "width of the crop, px", minimum=1),
        "height": Column("int", "height of the crop, px", minimum=1),
        "visibility": Column("float", "fraction not occluded; 1 if the set does not state it", minimum=0, maximum=1),
        "split": Column("str", "part of the split", values=("train", "val", "query", "gallery", "adapt")),
    },
)

TRACKLETS = Table(
    "tracklets",
    {
        "tracklet": Column("int", "number of the tracklet, unique in the table", minimum=0),
        "dataset": Column("str", "data set of the sequence"),
        "scene": Column("str", "the video, without data set or detector"),
        "camid": Column("int", "camera (view), unique in the table; in MOT one per scene", minimum=0),
        "first_frame": Column("int", "first frame of the tracklet, 1-based, inclusive", minimum=0),
        "last_frame": Column("int", "last frame of the tracklet, inclusive", minimum=0),
        "num_boxes": Column("int", "boxes of the tracklet before crops are chosen", minimum=1),
    },
)

TRACKLET_TRUTH = Table(
    "tracklet truth",
    {
        "tracklet": Column("int", "number of the tracklet", minimum=0),
        "pid": Column("int", "annotated person of most of its boxes, unique in the table; -1 = unknown", minimum=-1),
        "share": Column("float", "share of its annotated boxes that are of this person", minimum=0, maximum=1),
    },
)


def write_table(frame: pd.DataFrame, path: Path, table: Table) -> None:
    """Check a table and write it as parquet or csv, by the suffix of the path; the file is written atomically.

    Raises:
        ReidopsError: the table breaks its contract.
    """
    checked = check_table(frame, table, str(path))
    with whole_file(path) as temporary:
        if Path(path).suffix == ".parquet":
            checked.to_parquet(temporary, index=False)
        else:
            checked.to_csv(temporary, index=False, lineterminator="\n")


def read_table(path: Path, table: Table) -> pd.DataFrame:
    """Return a table of the contract `table`, read from parquet or csv.

    Raises:
        ReidopsError: the file is missing or breaks the contract.
    """
    if not Path(path).is_file():
        raise ReidopsError(f"{path}: no such file; run the stage that writes the {table.name} table (`dvc repro`)")
    texts = {name: "str" for name, column in table.columns.items() if column.dtype == "str"}
    try:
        is_parquet = Path(path).suffix == ".parquet"
        frame = pd.read_parquet(path) if is_parquet else pd.read_csv(path, dtype=texts, keep_default_na=False)
    except (OSError, ValueError) as error:  # raised by pyarrow and pandas
        raise ReidopsError(
            f"{path}: cannot be read as a table ({error}); run the stage that writes it again with `dvc repro -f`"
        ) from None
    return check_table(frame, table, str(path))


def check_table(frame: pd.DataFrame, table: Table, where: str) -> pd.DataFrame:
    """Return the table with the columns, order and dtypes of the contract.

    Raises:
        ReidopsError: the message gives the place, the column, the first failing row and the expectation.
    """
    missing = [name for name in table.columns if name not in frame.columns]
    unknown = [str(name) for name in frame.columns if name not in table.columns]
    if missing or unknown:
        raise ReidopsError(
            f"{where}: a {table.name} table has the columns {', '.join(table.columns)};"
            f" missing: {', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'}"
        )
    checked = frame[list(table.columns)]
    try:
        checked = checked.astype(table.dtypes)
    except (ValueError, TypeError) as error:
        raise ReidopsError(f"{where}: a column of the {table.name} table has a wrong type: {error}") from None
    for name, column in table.columns.items():
        _check_values(checked[name], column, f"{where}: {table.name}.{name}")
    return checked.reset_index(drop=True)


def _check_values(values: pd.Series, column: Column, where: str) -> None:
    wrong = values.isna()
    if column.minimum is not None:
        wrong |= values < column.minimum
    if column.maximum is not None:
        wrong |= values > column.maximum
    if column.values:
        wrong |= ~values.isin(column.values)
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        raise ReidopsError(
            f"{where}: row {row} is {values.iloc[row]!r}, expected {_expectation(column)} ({int(wrong.sum())} such "
            f"rows)"
        )


def _expectation(column: Column) -> str:
    if column.values:
        return "one of " + ", ".join(column.values)
    low = "" if column.minimum is None else f"{column.minimum:g} ≤ "
    high = "" if column.maximum is None else f" ≤ {column.maximum:g}"
    return f"{low}{column.dtype}{high} ({column.meaning})"
