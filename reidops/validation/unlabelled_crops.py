"""Find crops of ReID sets that are used without labels and are tested or held out too."""

import hashlib
import os
from collections.abc import Sequence as Rows
from pathlib import Path

import numpy as np
import pandas as pd

from reidops.datasets.sets import LAYOUTS
from reidops.parts import Part
from reidops.validation.crop_tables import SIDES

_COLUMNS = ["file", "row", "copy_fault"]


def unlabelled_copies(parts: Rows[Part], crops: pd.DataFrame) -> pd.DataFrame:
    """Return one row per crop of a ReID set of the part adapt: file, row (0), copy_fault.

    `copy_fault` names the query or gallery crop with the same bytes, "" for none. Pictures inside a file with many
    pictures are not compared.

    Args:
        crops: crops.parquet with `digest` (`crops_tar.with_tar_faults`).
    """
    scored = crops[crops["split"].map(SIDES) == "test"]
    digests = scored.drop_duplicates("digest").set_index("digest")
    sizes = set(scored["size"])
    tables = [_of_part(part, sizes, digests) for part in parts if part.part == "adapt" and part.layout != "mot"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=_COLUMNS)


def _of_part(part: Part, sizes: set[int], digests: pd.DataFrame) -> pd.DataFrame:
    listed, _ = LAYOUTS[part.layout].list_part(part.folder, "train", part.protocol)
    files = listed.loc[listed["member"] == "", "file"]
    faults = [_fault(file, part, digests) if os.path.getsize(file) in sizes else "" for file in files]
    return pd.DataFrame({"file": files.to_numpy(), "row": 0, "copy_fault": faults})


def _fault(file: str, part: Part, digests: pd.DataFrame) -> str:
    digest = np.uint64(int.from_bytes(hashlib.blake2b(Path(file).read_bytes(), digest_size=8).digest()))
    if digest not in digests.index:
        return ""
    twin = digests.loc[digest]
    return (
        f"{file} of {part.dataset} (adapt) has the same bytes as {twin['path']} of {twin['dataset']} ({twin['split']})"
    )
