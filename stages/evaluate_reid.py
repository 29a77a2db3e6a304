"""Evaluate retrieval on the test sets against a colour histogram, calibrate the gates and measure re-association.

Reads:  data/model, data/crops (crops.tar, crops.parquet), data/embeddings, data/raw (parts.csv; gt.txt of the `track`
        rows; gt.txt, det.txt and frames of the `train` rows if gates are fitted on detections)
Writes: data/reid/ headline.json (mAP and rank1), metrics.json, calibration.json, cmc.csv, queries.csv,
        reassociation.csv, gallery_<data set>.png, people_<data set>.png, cmc.png, distances.png,
        calibration_tables.png, reassociation.png; drift_reference.npz if there are enough scenes with detections;
        ranked/ with the nearest crops of every query if evaluate_reid.visualize_ranks is above 0
"""

import logging
from functools import partial
from pathlib import Path

import pandas as pd

from reidops.boxes.embeddings import ANNOTATIONS, read_embeddings
from reidops.boxes.identities import people_of_boxes
from reidops.drift.reference import REFERENCE, write_reference
from reidops.drift.scenes import reference_of_parts
from reidops.embedding.embedder import Embedder
from reidops.embedding.held_out import fit_the_gate
from reidops.embedding.images import CropStore
from reidops.files import whole_folder, write_json
from reidops.mot.sequences import read_annotations, read_sequence
from reidops.parts import find_tracked_parts, read_parts
from reidops.retrieval import report
from reidops.retrieval.calibration import Calibration, calibrate
from reidops.retrieval.detected_crops import detected_crops
from reidops.retrieval.evaluation import (
    checkpoint_people_of,
    crops_to_calibrate,
    embed_tests,
    refuse_collapsed,
    score_tests,
)
from reidops.retrieval.ranked_results import write_ranked
from reidops.retrieval.ranking_sets import find_ranking_sets
from reidops.retrieval.reassociation import Reassociation, SceneBoxes, reassociate, tabulate
from reidops.skipped import write_skipped
from reidops.tables import CROPS, read_table
from stages import run_stage
from stages.params.evaluate_reid import EvaluateReidParams

log = logging.getLogger(__name__)


def evaluate_reid(
    model: Path, crops: Path, raw: Path, embeddings: Path, reid: Path, params: EvaluateReidParams
) -> None:
    """Write the metrics of `model` on the test sets of `crops` and on the tracked boxes of `embeddings`, and its gates.

    Raises:
        ReidopsError: the embeddings of a test set have collapsed, or an input is missing or damaged.
    """
    table = read_table(crops / "crops.parquet", CROPS)
    embedder = Embedder.load(model, flip_average=params.flip_average)
    store = CropStore(crops / "crops.tar", table)
    if not table["split"].isin(["query", "gallery"]).any():
        _without_test(table, store, raw, model, reid, params)
        return
    tests = find_ranking_sets(table, params.junk, _single_gallery_shot(table, raw, params))
    embedded = embed_tests(
        embedder, store, table, tests, pool=params.pool, views=params.views, batch_size=params.batch_size
    )
    refuse_collapsed(embedded)
    scores = score_tests(embedded, max_rank=params.max_rank, rerank=params.rerank)
    plain = Embedder.load(model)  # as trackers load it
    calibration = _calibrate(table, plain, store, raw, params)
    reassociated = tabulate(_reassociate(raw, embeddings, embedder.weights_sha256))

    with whole_folder(reid) as folder:
        write_json(report.headline(scores), folder / "headline.json")
        write_json(report.figures(scores, reassociated, embedded.tests), folder / "metrics.json")
        write_json({"weights_sha256": embedder.weights_sha256, **calibration.report}, folder / "calibration.json")
        report.write_curves(scores, embedded.tests, folder / "cmc.csv")
        report.write_queries(table, embedded.tests, scores, folder / "queries.csv")
        report.write_reassociation(reassociated, folder)
        report.draw_curves(scores, embedded.tests, calibration, folder)
        for test in embedded.tests:
            report.draw_test_set(
                test,
                scores[test.name],
                embedded.embeddings,
                store,
                folder,
                num_rows=params.gallery_rows,
                num_columns=params.gallery_columns,
            )
        if params.visualize_ranks:
            pairs = [(test, scores[test.name]) for test in embedded.tests]
            write_ranked(table, pairs, embedded.embeddings, store, folder, params.visualize_ranks)
        _write_reference(raw, plain, calibration, folder)
    report.log_findings(embedded.tests, scores, calibration, reassociated)


def _without_test(
    table: pd.DataFrame, store: CropStore, raw: Path, model: Path, reid: Path, params: EvaluateReidParams
) -> None:
    """Write only the gates, because there are no queries."""
    embedder = Embedder.load(model)
    calibration = _calibrate(table, embedder, store, raw, params)
    with whole_folder(reid) as folder:
        write_skipped(folder, "download.test is []")
        write_json({"weights_sha256": embedder.weights_sha256, **calibration.report}, folder / "calibration.json")
        for name, head in (("cmc.csv", "rank,embedder,colour_histogram\n"), ("reassociation.csv", "gap\n")):
            (folder / name).write_text(head)
        _write_reference(raw, embedder, calibration, folder)
    log.info("download.test is []: there are no queries to rank")
    report.log_gate(calibration)


def _single_gallery_shot(table: pd.DataFrame, raw: Path, params: EvaluateReidParams) -> set[str]:
    """Return the data sets whose CMC is computed on galleries with one crop per person."""
    if params.single_gallery_shot == "auto":
        return {part.dataset for part in read_parts(raw) if part.part == "test" and part.is_single_gallery_shot}
    return set(table["dataset"]) if params.single_gallery_shot else set()


def _calibrate(
    table: pd.DataFrame, embedder: Embedder, store: CropStore, raw: Path, params: EvaluateReidParams
) -> Calibration:
    """Return the gates, fitted on the crops or on the detections of held-out people."""
    chosen_by, is_trained = checkpoint_people_of(embedder), embedder.description.trained_on.get("epoch", 0) > 0
    fit = partial(
        calibrate,
        num_candidates=params.num_candidates,
        min_gap=params.min_gap,
        chose_checkpoint=chosen_by == "all" and is_trained,
    )
    if params.calibrate_on == "detections":
        detected = detected_crops(read_parts(raw), table[fit_the_gate(table, chosen_by)], embedder, params.batch_size)
        if len(detected):
            return fit(detected, boxes="detections")
        log.warning(
            "evaluate_reid.calibrate_on is detections, but no training set has detections of held-out people; the "
            "gates are fitted on their crops"
        )
    return fit(crops_to_calibrate(table, embedder, store, params.batch_size))


def _write_reference(raw: Path, embedder: Embedder, calibration: Calibration, folder: Path) -> None:
    """Write drift_reference.npz, if the scenes of `raw` with detections are enough."""
    gate = calibration.report.get("gates", {}).get("cosine")
    reference = None if gate is None else reference_of_parts(read_parts(raw), embedder, gate)
    if reference is not None:
        write_reference(reference, folder / REFERENCE)


def _reassociate(raw: Path, embeddings: Path, weights_sha256: str) -> dict[str, list[Reassociation]]:
    """Return the re-association of lost people on annotations (if embedded) and on detections of tracked sequences."""
    boxes: dict[str, list[SceneBoxes]] = {"annotations": [], "detections": []}
    for part in find_tracked_parts(raw):
        detected = read_embeddings(embeddings / f"{part.sequence}.npz", weights_sha256)
        annotations = read_annotations(read_sequence(part.folder))
        people = people_of_boxes(detected.frame, detected.box_ltwh, annotations, among="pedestrians")
        boxes["detections"].append(SceneBoxes(detected.embeddings, detected.frame, people))
        annotated = embeddings / ANNOTATIONS / f"{part.sequence}.npz"
        if annotated.is_file():
            known = read_embeddings(annotated, weights_sha256)
            boxes["annotations"].append(SceneBoxes(known.embeddings, known.frame, known.people))
    return {name: reassociate(scenes) for name, scenes in boxes.items() if scenes}


if __name__ == "__main__":
    run_stage(evaluate_reid)
