"""Read the facts about a model that the conditions for a promotion need, from the folders of the stages."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from reidops.datasets.origin import read_origin
from reidops.files import read_json
from reidops.registry.conditions import ModelFacts
from reidops.registry.withdrawn import find_withdrawn
from reidops.skipped import skipped_reason
from reidops.tables import CROPS, read_table

HISTOGRAM = "colour_histogram"
RANKING = ("junk", "pool", "views", "flip_average")
"""Params of `evaluate_reid` that change the mAP."""

_OF_CROP = ["dataset", "path", "pid", "camid", "track_id", "frame", "size", "split"]


def read_model_facts(raw: Path, validation: Path, model: Path, export: Path, reid: Path) -> ModelFacts:
    """Return what the stages found about the model."""
    own, histogram = read_maps(reid)
    parity = read_json(export / "parity.json")
    trained_on = read_json(model / "embedder.json").get("trained_on") or {}
    scenes = read_origin(trained_on, "the model").scenes
    used = [*read_json(raw / "inventory.json"), *(str(scene["dataset"]) for scene in scenes)]
    return ModelFacts(
        own,
        histogram,
        parity["max_abs_difference"],
        parity["tolerance"],
        len(read_json(validation / "report.json").get("errors", ())),
        find_withdrawn(used),
        tuple(dict.fromkeys(f"{row['dataset']} {row['scene']}" for row in scenes if row.get("transductive"))),
    )


def read_maps(reid: Path) -> tuple[dict[str, float], dict[str, float]]:
    """Return the mAP of the model and that of the colour histogram on each test set; empty without test people."""
    if skipped_reason(reid):
        return {}, {}
    rows = {
        name: scores["mAP"]
        for name, scores in read_json(reid / "metrics.json").items()
        if isinstance(scores, Mapping) and "mAP" in scores and not name.endswith("_reranked")
    }
    own = {name: value for name, value in rows.items() if not name.startswith(HISTOGRAM)}
    found = {name: rows.get(f"{HISTOGRAM}_{name}", rows.get(HISTOGRAM)) for name in own}
    return own, {name: value for name, value in found.items() if value is not None}


def digest_ranking(settings: Path, crops: Path) -> str:
    """Return a digest of what an mAP depends on beside the model: the query and gallery crops, and the ranking."""
    section: Mapping[str, Any] = (yaml.safe_load(settings.read_text()) or {}).get("evaluate_reid") or {}
    table = read_table(crops / "crops.parquet", CROPS)
    tested = table.loc[table["split"].isin(["query", "gallery"]), _OF_CROP].sort_values(["path", "split"])
    text = json.dumps([{name: section.get(name) for name in RANKING}, tested.to_csv(index=False)])
    return hashlib.sha256(text.encode()).hexdigest()[:12]
