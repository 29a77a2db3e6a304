"""Write the results of an evaluation: metrics, tables and pictures."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from reidops.embedding.images import CropStore
from reidops.retrieval.calibration import Calibration
from reidops.retrieval.evaluation import HISTOGRAM, name_of_histogram
from reidops.retrieval.galleries import choose_queries, draw_galleries
from reidops.retrieval.pictures import draw_cmc, draw_distances, draw_map, draw_reassociation, draw_tables
from reidops.retrieval.ranked_results import ranked_row
from reidops.retrieval.ranking import RankingScores
from reidops.retrieval.ranking_sets import RankingSet
from reidops.retrieval.reassociation import GAPS, KINDS, SCORES

log = logging.getLogger(__name__)

DPI = 110
REASSOCIATION = "reassociation"  # beside the test sets in metrics.json


def figures(
    scores: Mapping[str, RankingScores], reassociated: pd.DataFrame, tests: Sequence[RankingSet] = ()
) -> dict[str, Any]:
    """Return the content of metrics.json: scores by test set, and re-association scores by boxes and gap if any.

    A closed set, with people who also train, has their number as `num_trained_people`.
    """
    found = {name: of_set.figures() for name, of_set in scores.items()}
    for test in (test for test in tests if test.num_trained_people):
        found[test.name] |= {"num_trained_people": test.num_trained_people}
    scored = reassociated.dropna()
    if scored.empty:
        return found
    by_boxes = {
        name: {score: dict(zip(rows["gap"].astype(str), rows[score], strict=True)) for score in ("rank1", "MRR")}
        for name, rows in scored.groupby("boxes")
    }
    return found | {REASSOCIATION: by_boxes}


def headline(scores: Mapping[str, RankingScores]) -> dict[str, dict[str, float]]:
    """Return the scores for `dvc metrics show`: mAP and rank1 by test set."""
    return {name: {"mAP": of_set.mAP, "rank1": of_set.rank1} for name, of_set in scores.items()}


def write_reassociation(reassociated: pd.DataFrame, folder: Path) -> None:
    """Write reassociation.csv, with one row per gap and one column per curve, and reassociation.png."""
    curves = reassociation_curves(reassociated)
    curves.to_csv(folder / "reassociation.csv", index=False, float_format="%.6f", lineterminator="\n")
    draw_reassociation(reassociated).savefig(folder / "reassociation.png", dpi=DPI)


def reassociation_curves(reassociated: pd.DataFrame) -> pd.DataFrame:
    """Return one row per gap with the columns `rank1_annotations` … of each kind of boxes; empty without queries."""
    wide = pd.DataFrame({"gap": GAPS}).set_index("gap")
    for boxes in KINDS:
        rows = reassociated[reassociated["boxes"] == boxes].set_index("gap")
        wide = wide.join(rows[list(SCORES)].add_suffix(f"_{boxes}"))
    return wide.reset_index()


def write_curves(scores: Mapping[str, RankingScores], tests: Sequence[RankingSet], path: Path) -> None:
    """Write CMC by rank, with one column per score name and the means over the test sets.

    The means are in the columns `embedder` and `colour_histogram`.
    """
    curves = {name: of_set.cmc for name, of_set in scores.items()}
    curves["embedder"] = np.mean([curves[test.name] for test in tests], axis=0)
    curves[HISTOGRAM] = np.mean([curves[name_of_histogram(test, tests)] for test in tests], axis=0)
    frame = pd.DataFrame({"rank": np.arange(1, len(curves["embedder"]) + 1), **curves})
    frame.to_csv(path, index=False, float_format="%.6f", lineterminator="\n")


def write_queries(
    table: pd.DataFrame, tests: Sequence[RankingSet], scores: Mapping[str, RankingScores], path: Path
) -> None:
    """Write the scores of each query; a query without a match has no average precision and first rank 0."""
    queries = []
    for test in tests:
        of_test = table.loc[test.query, ["dataset", "path", "pid", "camid", "frame"]].copy()
        of_test["average_precision"] = scores[test.name].average_precisions
        of_test["first_rank"] = scores[test.name].first_ranks
        queries.append(of_test)
    pd.concat(queries).to_csv(path, index=False, float_format="%.6f", lineterminator="\n")


def draw_curves(
    scores: Mapping[str, RankingScores], tests: Sequence[RankingSet], calibration: Calibration, folder: Path
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
    test: RankingSet,
    scores: RankingScores,
    embeddings: np.ndarray,
    store: CropStore,
    folder: Path,
    *,
    num_rows: int,
    num_columns: int,
) -> None:
    """Draw gallery_<data set>.png and people_<data set>.png; `embeddings` are those of the whole table."""
    chosen = choose_queries(scores, test.labels["query_pids"], num_rows)
    title = (
        f"{test.name}: mAP {scores.mAP:.3f}, rank1 {scores.rank1:.3f}; green: same person, red: another person; "
        "below each crop: 1 − cosine"
    )
    sections = {
        f"{name} queries, by average precision (AP)": [
            ranked_row(test, query, scores, embeddings, num_columns) for query in queries
        ]
        for name, queries in chosen.items()
    }
    draw_galleries(title, sections, store.decode, folder / f"gallery_{test.name}.png")
    draw_map(embeddings[test.gallery], test.labels["gallery_pids"]).savefig(folder / f"people_{test.name}.png", dpi=DPI)


def log_findings(
    tests: Sequence[RankingSet],
    scores: Mapping[str, RankingScores],
    calibration: Calibration,
    reassociated: pd.DataFrame,
) -> None:
    """Log one line per test set, one for the gates and one per kind of boxes for re-association."""
    for test in tests:
        log_scores(test, tests, scores)
    log_gate(calibration)
    if reassociated.empty:
        log.info("no tracked sequence: re-association is not evaluated")
    for boxes, rows in reassociated.groupby("boxes"):
        scored = ", ".join(f"{row.rank1:.3f} after {row.gap} frames" for row in rows.dropna().itertuples())
        log.info("re-association on %s, rank1: %s", boxes, scored or "no query has a match")


def log_scores(test: RankingSet, tests: Sequence[RankingSet], scores: Mapping[str, RankingScores]) -> None:
    """Log the scores of a test set in one line, and warn if many embeddings are equal."""
    found, colours = scores[test.name], scores[name_of_histogram(test, tests)]
    shot = test.single_gallery_shot
    protocol = f", rank1 in {shot.repeats} galleries of one crop per person" if shot else ""
    if test.num_trained_people:
        protocol += f", closed set ({test.num_trained_people:,} of the queried people also train)"
    log.info(
        "%s: mAP %.3f, rank1 %.3f (colour histogram %.3f, %.3f); %s queries, %s gallery crops, junk rule %s%s; "
        "queries without a match: %d",
        test.name,
        found.mAP,
        found.rank1,
        colours.mAP,
        colours.rank1,
        f"{found.num_query:,}",
        f"{found.num_gallery:,}",
        test.junk,
        protocol,
        found.num_unmatched_queries,
    )
    if found.num_tied_hits > found.num_query:
        log.warning(
            "%s: %s matches have exactly the distance of another person's crop, which ranks before them; many "
            "embeddings are equal, check the crops for copies",
            test.name,
            f"{found.num_tied_hits:,}",
        )


def log_gate(calibration: Calibration) -> None:
    """Log the gates and the data that they were fitted on in one line; published gates have a warning of their own."""
    report, fitted_on = calibration.report, calibration.report["fitted_on"]
    if not calibration.nearest.is_enough:
        return
    log.info(
        "gates %.3f (nearest crop) and %.3f (moving average), fitted on %s of %s held-out people%s, %s returns (%s)",
        report["gates"]["cosine"],
        report["gates"]["ema_cosine"],
        fitted_on["boxes"],
        f"{fitted_on['num_people']:,}",
        " (also used to choose the checkpoint)" if fitted_on["chose_checkpoint"] else "",
        f"{fitted_on['num_genuine_returns']:,}",
        fitted_on["scope"],
    )
