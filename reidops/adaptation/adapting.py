"""Adapt the embedder of a folder to the tracklets of another, and write the adapted embedder."""

import inspect
import logging
import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reidops.adaptation.clustering import ClusterSettings
from reidops.adaptation.constraints import find_rivals
from reidops.adaptation.reassociation import find_halves, num_divided
from reidops.adaptation.report import describe_adaptation, rows_with_truth, write_report
from reidops.adaptation.round_crops import JoinedCrops, SourceCrops
from reidops.adaptation.rounds import AdaptationData, Adapted, Rounds
from reidops.adaptation.settings import AdaptationSettings
from reidops.adaptation.tracklet_set import TrackletSet, read_tracklet_set
from reidops.adaptation.truth import read_people, score_clusters
from reidops.datasets.origin import Origin, check_adaptation, read_origin, with_adaptation
from reidops.embedding.embedder import Embedder
from reidops.embedding.images import CropReader, CropStore, GrowingImages, ImageBatches
from reidops.files import read_json, repository_root, sha256, whole_folder
from reidops.registry.live_run import LiveRun, live_run
from reidops.tables import CROPS, read_table
from reidops.training.augmentation import Augmentation
from reidops.training.checkpoints import Checkpoints
from reidops.training.optimization import check_optimizer
from reidops.training.precision import choose_precision
from reidops.training.ranks import launched
from reidops.training.recomputation import check_recomputation
from reidops.training.training_crops import find_training_crops

log = logging.getLogger(__name__)

ELSEWHERE = ("track", "checkpoint_activations")
"""Params that do not affect the result of an adaptation."""

FEW_TRACKLETS = 20  # with fewer, the standard error of the re-association's rank1 is up to .1 and more


def adapt_model(trained: Path, tracklets: Path, crops: Path, model: Path, params: Mapping[str, Any]) -> None:
    """Adapt the embedder of `trained` to `tracklets`, and write it to `model`.

    Args:
        trained: the folder of the embedder.
        tracklets, crops: data/tracklets and data/crops.
        params: the section `adapt`.

    Raises:
        ReidopsError: a file is missing or does not fit, tested frames would be adapted to, or as `Rounds.run`.
    """
    check_optimizer(params["optimizer"], {})
    if params["threads"]:
        torch.set_num_threads(params["threads"])
    embedder = Embedder.load(trained)
    if params["checkpoint_activations"]:
        check_recomputation(embedder.network, "adapt.checkpoint_activations")
    found = read_tracklet_set(tracklets, params["held_out"], params["seed"])
    _warn_of_few_halves(found)
    transductive = bool(read_json(tracklets / "report.json").get("transductive", False))
    origin = _origin(embedder, found, crops, transductive=transductive)
    store = CropStore(tracklets / "crops.tar", found.crops)
    precision = choose_precision(params["precision"])
    params = {**params, "precision": precision}
    identity = {"params": _lasting(params), "model": embedder.weights_sha256, **_digests(tracklets, crops, params)}
    checkpoints = Checkpoints(repository_root() / "data" / "checkpoints", {"adapt": identity})
    checkpoints.prune()
    people = read_people(tracklets, found)
    with launched(1, precision) as fabric, _watch(checkpoints, params) as live:
        data = read_data(embedder, found, store, crops, params)
        on_round = partial(_log_round, live, found, people)
        rounds = Rounds(
            embedder.network, data, settings_of(params), fabric=fabric, checkpoints=checkpoints, on_round=on_round
        )
        adapted = rounds.run()
        share = params["norm_share"]
        _write(embedder, adapted, (trained, model), found, store, people=people, origin=origin, norm_share=share)
        if live:
            live.name_weights(sha256(model / "model.safetensors"))
    checkpoints.delete()


def _warn_of_few_halves(tracklets: TrackletSet) -> None:
    num = num_divided(find_halves(tracklets))
    if num < FEW_TRACKLETS:
        log.warning(
            "%d held-out tracklets can be divided: their re-association hardly distinguishes the rounds, and the model "
            "may become worse unnoticed; rank labelled people with it before you use it, or add videos (expected: %d)",
            num,
            FEW_TRACKLETS,
        )


def settings_of(params: Mapping[str, Any]) -> AdaptationSettings:
    """Return the settings of the section `adapt`."""
    return AdaptationSettings(
        **_arguments(AdaptationSettings, params) | {"clusters": ClusterSettings(**_arguments(ClusterSettings, params))}
    )


def read_data(
    embedder: Embedder, tracklets: TrackletSet, store: CropReader, crops: Path, params: Mapping[str, Any]
) -> AdaptationData:
    """Return the images of the tracklets' crops, and of the labelled ones if `source_share` is above 0."""
    network, num_own = embedder.network, len(tracklets.crops)
    source, reader, num = SourceCrops.none(), store, num_own
    if params["source_share"] > 0:
        table = read_table(crops / "crops.parquet", CROPS)
        labelled = find_training_crops(table, crops / "crops.parquet")
        source = SourceCrops(labelled.labels, labelled.camids + 1 + int(tracklets.crops["camid"].max()))
        reader = JoinedCrops(store, num_own, CropStore(crops / "crops.tar", table), labelled.rows)
        num += len(labelled.rows)
    augmentation = Augmentation(**_arguments(Augmentation, params), mean=network.mean, std=network.std)
    images = GrowingImages(partial(ImageBatches, reader, np.arange(num)), embedder.input_size)
    return AdaptationData(tracklets, source, images, augmentation)


def _origin(embedder: Embedder, tracklets: TrackletSet, crops: Path, *, transductive: bool) -> Origin:
    start = read_origin(embedder.description.trained_on, "the trained model")
    origin = with_adaptation(start, tracklets.crops, transductive=transductive)
    check_adaptation(origin, read_table(crops / "crops.parquet", CROPS))
    return origin


def _digests(tracklets: Path, crops: Path, params: Mapping[str, Any]) -> dict[str, str]:
    files = [tracklets / name for name in ("crops.tar", "crops.parquet", "tracklets.parquet")]
    files += [crops / name for name in ("crops.tar", "crops.parquet")] if params["source_share"] > 0 else []
    return {f"{path.parent.name}/{path.name}": sha256(path) for path in files}


def _watch(checkpoints: Checkpoints, params: Mapping[str, Any]) -> AbstractContextManager[LiveRun | None]:
    """Open the MLflow run of the adaptation."""
    if not params["track"]:
        return nullcontext()
    digest = checkpoints.folder.name
    return live_run(params["track"], f"adapt ({digest[:8]})", digest, _lasting(params), stage="adapt")


def _log_round(
    live: LiveRun | None,
    tracklets: TrackletSet,
    people: np.ndarray | None,
    row: Mapping[str, float],
    clusters: Any,
    times: Mapping[str, float],
) -> None:
    """Log the figures of a round, its times and the scores of its clusters, where people are known."""
    log.info("times: %s", ", ".join(f"{name} {seconds:.1f} s" for name, seconds in times.items()))
    truth = {}
    if people is not None:
        truth = score_clusters(clusters.labels, clusters.num_clusters, people, tracklets.trains)
        log.info("against the annotated people: %s", ", ".join(f"{name} {value:.3f}" for name, value in truth.items()))
    if live:
        of_times = {f"seconds_{name}": seconds for name, seconds in times.items()}
        live.log_epoch(int(row["round"]), {**row, **truth, **of_times})


def _write(
    embedder: Embedder,
    adapted: Adapted,
    folders: tuple[Path, Path],
    tracklets: TrackletSet,
    store: CropReader,
    *,
    people: np.ndarray | None,
    origin: Origin,
    norm_share: float,
) -> None:
    """Write the files of the trained model with the adapted weights, and the report; `folders` are both models'."""
    trained, model = folders
    rows = rows_with_truth(adapted, tracklets, people)
    num_rivals = len(find_rivals(tracklets.tracklets, tracklets.videos)) // 2
    transductive = any(row.get("transductive", False) for row in origin.scenes)
    facts = describe_adaptation(
        adapted, rows, tracklets, norm_share=norm_share, num_rivals=num_rivals, transductive=transductive
    )
    embedder.network.load_state_dict(adapted.weights)
    with whole_folder(model) as folder:
        shutil.copytree(trained, folder, dirs_exist_ok=True)
        if adapted.changed:
            known = {**embedder.description.trained_on, **origin.facts}
            embedder.save(folder, trained_on=known | {"adaptation": _short(facts)})
        write_report(folder, facts, rows, adapted, tracklets, store=store)
    log.info("kept round %d of %d: %s", adapted.chosen, len(rows) - 1, adapted.ended or "all rounds were run")


def _short(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entry `adaptation` of embedder.json."""
    names = ("datasets", "num_crops", "num_tracklets", "transductive", "norm_share", "rounds", "kept_round")
    return {name: facts[name] for name in names}


def _lasting(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if name not in ELSEWHERE}


def _arguments(function: Callable[..., Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the params that have the name of an argument of a class."""
    return {name: params[name] for name in inspect.signature(function).parameters if name in params}
