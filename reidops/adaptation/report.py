"""Write what an adaptation did: adaptation.json, adaptation.csv, adaptation.png and clusters.jpg."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from reidops.adaptation.contact_sheet import draw_clusters
from reidops.adaptation.curves import draw_rounds
from reidops.adaptation.rounds import Adapted
from reidops.adaptation.tracklet_set import TrackletSet
from reidops.adaptation.truth import score_clusters
from reidops.embedding.images import CropReader
from reidops.files import whole_file, write_json


def rows_with_truth(adapted: Adapted, tracklets: TrackletSet, people: np.ndarray | None) -> pd.DataFrame:
    """Return a row per round; with `people` [N] also purity, NMI and pairwise F, which nothing but reports read."""
    rows = [dict(row) for row in adapted.rows]
    if people is not None:
        for row, labels, num in zip(rows, adapted.labels, adapted.num_clusters, strict=True):
            row |= score_clusters(labels, num, people, tracklets.trains)
    return pd.DataFrame(rows)


def describe_adaptation(
    adapted: Adapted,
    rows: pd.DataFrame,
    tracklets: TrackletSet,
    *,
    norm_share: float,
    num_rivals: int,
    transductive: bool,
) -> dict[str, Any]:
    """Return the content of adaptation.json: the data, the kept round, and the figures before and after."""
    own = tracklets.crops
    return {
        "datasets": sorted(own["dataset"].unique().tolist()),
        "cameras": int(tracklets.cameras.max(initial=-1)) + 1,
        "num_crops": len(own),
        "num_tracklets": len(tracklets.tracklets),
        "num_held_out_tracklets": int(tracklets.is_held_out.sum()),
        "num_cannot_link": num_rivals,
        "transductive": transductive,
        "norm_share": norm_share,
        "rounds": len(rows) - 1,
        "kept_round": adapted.chosen,
        "changed": adapted.changed,
        "ended": adapted.ended,
        "before": _known(rows.iloc[0]),
        "after": _known(rows.iloc[adapted.chosen]),
    }


def write_report(
    folder: Path,
    facts: Mapping[str, Any],
    rows: pd.DataFrame,
    adapted: Adapted,
    tracklets: TrackletSet,
    *,
    store: CropReader,
) -> None:
    """Write the files of an adaptation into the model's folder."""
    write_json(dict(facts), folder / "adaptation.json")
    with whole_file(folder / "adaptation.csv") as partial:
        rows.to_csv(partial, index=False, float_format="%.6g", lineterminator="\n")
    draw_rounds(rows, adapted.chosen, folder / "adaptation.png")
    labels = np.where(
        adapted.labels[adapted.chosen] < adapted.num_clusters[adapted.chosen], adapted.labels[adapted.chosen], -1
    )
    sheet = draw_clusters(store, tracklets.crops.reset_index(drop=True), labels)
    with whole_file(folder / "clusters.jpg") as partial:
        sheet.save(partial, format="JPEG", quality=88)


def _known(row: pd.Series) -> dict[str, float]:
    return {str(name): float(value) for name, value in row.items() if math.isfinite(value)}
