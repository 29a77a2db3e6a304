"""Rank people never trained on, beside a colour histogram, and find the distance at which two crops are one person.

Reads:  data/model, data/crops (crops.tar, crops.parquet)
Writes: data/reid/ metrics.json, calibration.json, cmc.csv, queries.csv
        gallery_<data set>.png, cmc.png, distances.png, people_<data set>.png
"""

import logging
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from reidops.files import whole_folder, write_json
from reidops.params import params_dataclass
from reidops.tables import CROPS, read_table
from stages import run_stage

log = logging.getLogger(__name__)

Positive = Annotated[int, Field(ge=1)]


@params_dataclass
class EvaluateReidParams:
    """How crops are embedded and ranked, what the gate is made for, what is drawn."""

    junk: Literal["auto", "same-camera", "none"] = "auto"  # auto = same-camera where people were seen by several cameras, else none
    max_rank: Positive = 50  # of the CMC curve
    rerank: bool = False  # k-reciprocal figures beside the plain ones
    flip_average: bool | None = None  # average with the mirror image; null = as the model was saved
    batch_size: Positive = 64  # crops per forward pass
    min_gap: Positive = 15  # frames after which a track meets its own crops again, in calibration
    num_candidates: Annotated[float, Field(ge=0)] = 3.0  # lost tracks within reach of a person who returns, on average
    gallery_rows: Positive = 4  # queries drawn as best, as median and as worst
    gallery_columns: Positive = 10  # gallery crops drawn of each


def evaluate_reid(model: Path, crops: Path, reid: Path, params: EvaluateReidParams) -> None:
    """Write what `model` achieves on the test sets of `crops`, and the gates that its distances ask for."""
    from reidops.embedding.embedder import Embedder
    from reidops.embedding.images import CropStore
    from reidops.retrieval import report
    from reidops.retrieval.calibration import calibrate
    from reidops.retrieval.evaluation import crops_to_calibrate, embed_row_colours, embed_rows, find_test_sets, score_tests

    table = read_table(crops / "crops.parquet", CROPS)
    tests = find_test_sets(table, params.junk)
    embedder = Embedder.load(model, flip_average=params.flip_average)
    store = CropStore(crops / "crops.tar", table)
    rows = np.flatnonzero(table["split"] != "train")
    embeddings = embed_rows(embedder, store, rows, params.batch_size)
    calibration = calibrate(crops_to_calibrate(table, embeddings), num_candidates=params.num_candidates, min_gap=params.min_gap)
    scores = score_tests(tests, embeddings, embed_row_colours(store, tests), max_rank=params.max_rank, rerank=params.rerank)

    with whole_folder(reid) as folder:
        write_json({name: of_set.figures() for name, of_set in scores.items()}, folder / "metrics.json")
        write_json({"weights_sha256": embedder.weights_sha256, **calibration.report}, folder / "calibration.json")
        report.write_curves(scores, tests, folder / "cmc.csv")
        report.write_queries(table, tests, scores, folder / "queries.csv")
        report.draw_curves(scores, tests, calibration, folder)
        for test in tests:
            report.draw_test_set(test, scores[test.name], embeddings, store, folder,
                                 num_rows=params.gallery_rows, num_columns=params.gallery_columns)
    for test in tests:
        report.log_scores(test, tests, scores)
    report.log_gate(calibration)


if __name__ == "__main__":
    run_stage(evaluate_reid, EvaluateReidParams)
