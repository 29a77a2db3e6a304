"""What an evaluation leaves in its folder: tables for DVC and people, pictures for people."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from reidops.embedding.images import CropStore
from reidops.retrieval.calibration import Calibration
from reidops.retrieval.evaluation import HISTOGRAM, name_of_histogram
from reidops.retrieval.galleries import RankedRow, choose_queries, draw_galleries, nearest_rows
from reidops.retrieval.pictures import draw_cmc, draw_distances, draw_map, draw_reassociation, draw_tables
from reidops.retrieval.ranking import RankingScores
from reidops.retrieval.reassociation import GAPS, KINDS, SCORES
from reidops.retrieval.test_sets import TestSet

log = logging.getLogger(__name__)

DPI = 110
REASSOCIATION = "reassociation"  # beside the test sets in metrics.json


def figures(scores: Mapping[str, RankingScores], reassociated: pd.DataFrame) -> dict[str, Any]:
    """Return what metrics.json holds: figures by test set, and re-association by boxes and gap where somebody was
    looked for.
    """
    found = {name: of_set.figures() for name, of_set in scores.items()}
    scored = reassociated.dropna()
    if scored.empty:
        return found
    by_boxes = {
        name: {score: dict(zip(rows["gap"].astype(str), rows[score], strict=True)) for score in ("rank1", "MRR")}
        for name, rows in scored.groupby("boxes")
    }
    return found | {REASSOCIATION: by_boxes}


def headline(scores: Mapping[str, RankingScores]) -> dict[str, dict[str, float]]:
    """Return what `dvc metrics show` has room for: mAP and rank1 by test set."""
    return {name: {"mAP": of_set.mAP, "rank1": of_set.rank1} for name, of_set in scores.items()}


def write_reassociation(reassociated: pd.DataFrame, folder: Path) -> None:
    """Write reassociation.csv, a row for each gap and a column for each curve, and draw reassociation.png."""
    curves = reassociation_curves(reassociated)
    curves.to_csv(folder / "reassociation.csv", index=False, float_format="%.6f", lineterminator="\n")
    draw_reassociation(reassociated).savefig(folder / "reassociation.png", dpi=DPI)


def reassociation_curves(reassociated: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each gap and, for each kind of boxes, the columns `rank1_annotations` …; empty where nobody was
    looked for.
    """
    wide = pd.DataFrame({"gap": GAPS}).set_index("gap")
    for boxes in KINDS:
        rows = reassociated[reassociated["boxes"] == boxes].set_index("gap")
        wide = wide.join(rows[list(SCORES)].add_suffix(f"_{boxes}"))
    return wide.reset_index()


def write_curves(scores: Mapping[str, RankingScores], tests: Sequence[TestSet], path: Path) -> None:
    """Write CMC by rank: a column for each row of the figures, and `embedder` and `colour_histogram`, the means over
    the sets.
    """
    curves = {name: of_set.cmc for name, of_set in scores.items()}
    curves["embedder"] = np.mean([curves[test.name] for test in tests], axis=0)
    curves[HISTOGRAM] = np.mean([curves[name_of_histogram(test, tests)] for test in tests], axis=0)
    frame = pd.DataFrame({"rank": np.arange(1, len(curves["embedder"]) + 1), **curves})
    frame.to_csv(path, index=False, float_format="%.6f", lineterminator="\n")


def write_queries(
    table: pd.DataFrame, tests: Sequence[TestSet], scores: Mapping[str, RankingScores], path: Path
) -> None:
    """Write what became of each query; one without a match has no average precision and the first rank 0."""
    parts = []
    for test in tests:
        part = table.loc[test.query, ["dataset", "path", "pid", "camid", "frame"]].copy()
        part["average_precision"] = scores[test.name].average_precisions
        part["first_rank"] = scores[test.name].first_ranks
        parts.append(part)
    pd.concat(parts).to_csv(path, index=False, float_format="%.6f", lineterminator="\n")


def draw_curves(
    scores: Mapping[str, RankingScores], tests: Sequence[TestSet], calibration: Calibration, folder: Path
) -> None:
    """Draw cmc.png, distances.png and calibration_tables.png."""
    curves = {}
    for test in tests:
        names = {
            test.name: "embedder",
            name_of_histogram(test, tests): "colour histogram",
            f"{test.name}_reranked": "embedder, re-ranked",
        }
        curves[test.name] = {label: scores[name].cmc for name, label in names.items() if name in scores}
    draw_cmc(curves).savefig(folder / "cmc.png", dpi=DPI)
    draw_distances(calibration).savefig(folder / "distances.png", dpi=DPI)
    draw_tables(calibration).savefig(folder / "calibration_tables.png", dpi=DPI)


def draw_test_set(
    test: TestSet,
    scores: RankingScores,
    embeddings: np.ndarray,
    store: CropStore,
    folder: Path,
    *,
    num_rows: int,
    num_columns: int,
) -> None:
    """Draw gallery_<data set>.png and people_<data set>.png; `embeddings` are the whole table's."""
    chosen = choose_queries(scores, test.labels["query_pids"], num_rows)
    title = (
        f"{test.name}: mAP {scores.mAP:.3f}, rank1 {scores.rank1:.3f}; green: the same person, red: somebody else; "
        f"beneath: 1 − cosine"
    )
    sections = {
        f"{name} queries, by average precision (AP)": [
            _ranked_row(test, query, scores, embeddings, num_columns) for query in queries
        ]
        for name, queries in chosen.items()
    }
    draw_galleries(title, sections, store.decode, folder / f"gallery_{test.name}.png")
    draw_map(embeddings[test.gallery], test.labels["gallery_pids"]).savefig(folder / f"people_{test.name}.png", dpi=DPI)


def log_findings(
    tests: Sequence[TestSet], scores: Mapping[str, RankingScores], calibration: Calibration, reassociated: pd.DataFrame
) -> None:
    """Say in a line each what was found on every test set, where the gate lies, and how lost people fared."""
    for test in tests:
        log_scores(test, tests, scores)
    log_gate(calibration)
    if reassociated.empty:
        log.info("no tracked sequence: there is nobody to re-associate")
    for boxes, rows in reassociated.groupby("boxes"):
        told = ", ".join(f"{row.rank1:.3f} after {row.gap}" for row in rows.dropna().itertuples())
        log.info("re-association on %s, rank1: %s frames", boxes, told or "nobody after any number of")


def log_scores(test: TestSet, tests: Sequence[TestSet], scores: Mapping[str, RankingScores]) -> None:
    """Say in one line what was found on a test set, and warn of what makes its figures doubtful."""
    found, colours = scores[test.name], scores[name_of_histogram(test, tests)]
    shot = test.single_gallery_shot
    drawn = f", rank1 in {shot.repeats} galleries of one crop per person" if shot else ""
    log.info(
        "%s: mAP %.3f, rank1 %.3f (colour histogram %.3f, %.3f) of %s queries in %s crops, junk %s%s; %d queries have "
        "no match",
        test.name,
        found.mAP,
        found.rank1,
        colours.mAP,
        colours.rank1,
        f"{found.num_query:,}",
        f"{found.num_gallery:,}",
        test.junk,
        drawn,
        found.num_unmatched_queries,
    )
    if found.num_tied_hits > found.num_query:
        log.warning(
            "%s: %s matches are exactly as far away as a crop of another person, which ranks before them; many "
            "embeddings are"
            " equal, check for copies among the crops",
            test.name,
            f"{found.num_tied_hits:,}",
        )


def log_gate(calibration: Calibration) -> None:
    """Say in one line where the gate lies and what it was fitted on."""
    report, fitted_on = calibration.report, calibration.report["fitted_on"]
    log.info(
        "gates %.3f (nearest crop) and %.3f (moving average), fitted on %s of %s held-out people%s, %s returns (%s)",
        report["gates"]["cosine"],
        report["gates"]["ema_cosine"],
        fitted_on["boxes"],
        f"{fitted_on['num_people']:,}",
        ", who also chose the checkpoint" if fitted_on["chose_checkpoint"] else "",
        f"{fitted_on['num_genuine_returns']:,}",
        fitted_on["scope"],
    )


def _ranked_row(test: TestSet, query: int, scores: RankingScores, embeddings: np.ndarray, number: int) -> RankedRow:
    junk = test.junk_mask(np.array([query]))[0]
    found, distances = nearest_rows(embeddings[test.query[query]], embeddings[test.gallery], junk, number)
    return RankedRow(
        caption=f"AP {scores.average_precisions[query]:.2f}",
        query=int(test.query[query]),
        found=test.gallery[found],
        distances=distances,
        is_right=test.labels["gallery_pids"][found] == test.labels["query_pids"][query],
    )
