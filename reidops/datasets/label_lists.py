"""Write and read mmdetection's file lists: one crop and its label per line, `MOT17-02-FRCNN_000002/000000.jpg 0`."""

from pathlib import Path

import pandas as pd

from reidops.errors import ReidopsError
from reidops.files import whole_file

_ROOT = "imgs/"


def write_lists(crops: pd.DataFrame, meta: Path, val_split: float) -> None:
    """Write `train_80.txt`, `val_20.txt` (the numbers follow `val_split`) and `train.txt`, which joins the two.

    Labels count people in the order of their folder names, first train, then val. mot2reid starts val at 0 again, so
    that its joined list uses one label for two people; here the labels are unique.
    """
    percent = round(100 * val_split)  # round, because 100 · .29 is 28.999999999999996
    lines = {split: _lines(crops[crops["split"] == split]) for split in ("train", "val")}
    num_train = len({path.rpartition("/")[0] for path, _ in lines["train"]})
    train = "".join(f"{path} {label}\n" for path, label in lines["train"])
    val = "".join(f"{path} {label + num_train}\n" for path, label in lines["val"])
    meta.mkdir(parents=True, exist_ok=True)
    for name, text in ((f"train_{100 - percent}", train), (f"val_{percent}", val), ("train", train + val)):
        with whole_file(meta / f"{name}.txt") as partial:
            partial.write_text(text)


def read_list(path: Path) -> pd.DataFrame:
    """Return a file list as a table of `path` (below imgs/) and `label`, in the order of its lines.

    Raises:
        ReidopsError: the file cannot be read, or a line is not `path label`.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ReidopsError(
            f"{path}: cannot be read ({error}); expected lines of `<person>/<crop>.jpg <label>`"
        ) from None
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        name, _, label = line.strip().rpartition(" ")
        if line.strip() and (not name or not label.isdecimal()):
            raise ReidopsError(f"{path}: line {number} ({line}) is not `<person>/<crop>.jpg <label>`")
        if name:
            rows.append((_ROOT + name, int(label)))
    return pd.DataFrame(rows, columns=["path", "label"])


def _lines(crops: pd.DataFrame) -> list[tuple[str, int]]:
    paths = sorted(path.removeprefix(_ROOT) for path in crops["path"].tolist())
    labels = {person: label for label, person in enumerate(sorted({path.rpartition("/")[0] for path in paths}))}
    return [(path, labels[path.rpartition("/")[0]]) for path in paths]
