"""Compare clusters with annotated people, for reports only: no choice of an adaptation reads this."""

from pathlib import Path

import numpy as np
from sklearn.metrics import normalized_mutual_info_score

from reidops.adaptation.tracklet_set import TrackletSet
from reidops.tables import TRACKLET_TRUTH, read_table

FILE = "truth.parquet"


def read_people(folder: Path, tracklets: TrackletSet) -> np.ndarray | None:
    """Return the annotated person of each crop, −1 = unknown, [N]; None without truth.parquet or a known person."""
    if not (folder / FILE).is_file():
        return None
    table = read_table(folder / FILE, TRACKLET_TRUTH).set_index("tracklet")["pid"]
    people = table.reindex(tracklets.crops["tracklet"]).fillna(-1).to_numpy(np.int64)
    return people if (people >= 0).any() else None


def score_clusters(labels: np.ndarray, num_clusters: int, people: np.ndarray, trains: np.ndarray) -> dict[str, float]:
    """Return purity, NMI and pairwise F of the classes of the crops that train, without crops of unknown people.

    - `purity`, `nmi`: of the crops in clusters; purity is the share of crops that are of their cluster's commonest
      person.
    - `pair_precision`, `pair_recall`, `pair_f`: of the pairs of crops in one class against the pairs of one person,
      over all crops; a crop that does not train is in no pair.

    Args:
        labels: the class of each crop, −1 = does not train; classes from `num_clusters` on are single outliers, [N].
        people: the annotated person of each crop, −1 = unknown, [N].
        trains: positions of the crops of tracklets that may train.
    """
    labels, people = labels[trains][people[trains] >= 0], people[trains][people[trains] >= 0]
    inside = (labels >= 0) & (labels < num_clusters)
    table = _counts(labels[inside], people[inside])
    classes = _counts(labels[labels >= 0], people[labels >= 0])
    together, of_person = _pairs(classes.sum(axis=1)), _pairs(np.unique(people, return_counts=True)[1])
    right = _pairs(classes.ravel())
    precision, recall = right / max(together, 1), right / max(of_person, 1)
    return {
        "purity": float(table.max(axis=1).sum() / table.sum()) if table.size else 0.0,
        "nmi": float(normalized_mutual_info_score(people[inside], labels[inside])) if inside.any() else 0.0,
        "pair_precision": precision,
        "pair_recall": recall,
        "pair_f": 2 * precision * recall / max(precision + recall, 1e-12),
    }


def _counts(labels: np.ndarray, people: np.ndarray) -> np.ndarray:
    """Return the number of crops of each class (row) and person (column)."""
    rows, columns = (np.unique(values, return_inverse=True)[1] for values in (labels, people))
    counts = np.zeros((rows.max(initial=-1) + 1, columns.max(initial=-1) + 1), np.int64)
    np.add.at(counts, (rows, columns), 1)
    return counts


def _pairs(counts: np.ndarray) -> float:
    return float((counts * (counts - 1) // 2).sum())
