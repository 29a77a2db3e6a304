"""Convert a ReID set that a test has written, as the stage does: list, plan, pack."""

from pathlib import Path

import pandas as pd

from reidops.datasets.conversion import cut_and_pack
from reidops.datasets.planning import SplitRules, plan_crops
from reidops.datasets.reid_set import ReidSet
from reidops.mot.crops import BoxRules
from reidops.parts import Part


def convert_set(
    known: ReidSet, folder: Path, protocol: str = "", parts: tuple[str, ...] = ("train", "test")
) -> pd.DataFrame:
    """Return the crops table of the set's parts; the tar is written to `crops.tar` beside `folder`."""
    chosen = protocol or known.protocols[0]
    rows = [Part(part, known.name, known.layout, folder, "", known.name, 0, 0, chosen) for part in parts]
    plan, _ = plan_crops(rows, BoxRules(), SplitRules(val_split=0.0))
    return cut_and_pack(plan, folder.parent / "crops.tar", workers=1)
