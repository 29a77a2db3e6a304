"""Promote a model version: store its scores, compare it with the champion on one benchmark, and move the alias."""

import json
import logging
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import mlflow
from mlflow.exceptions import MlflowException

from reidops.errors import ReidopsError
from reidops.registry.comparison import Bench, Bounds, Decision, Rival, Rule, SeedSpread, TrackingResult
from reidops.registry.models import CHAMPION, Registered, pull_model
from reidops.registry.promotion import decide_promotion
from reidops.registry.promotion_reasons import bench_difference
from reidops.registry.store import open_store

log = logging.getLogger(__name__)

CHAMPION_WINDOWS = "tracking/windows.npz"


class Referee(Protocol):
    """Compares another model with the challenger on the tracked sequences, which the registry cannot access."""

    def lead_over(self, windows: Path) -> Bounds | None:
        """Return the interval of the challenger's combined score minus that of a model, from the model's windows.npz.

        Return None if the two have different windows.

        Raises:
            ReidopsError: the file is missing or has another format.
        """

    def score_again(self, model: Path, folder: Path) -> Mapping[str, Mapping[str, float]]:
        """Return the scores of a model on the challenger's benchmark, by sequence and `combined`.

        windows.npz is written into `folder`.

        Args:
            model: folder of a registered model's files.
            folder: an empty folder for intermediate files.

        Raises:
            ReidopsError: the model cannot be loaded, or the sequences cannot be embedded or tracked.
        """


def promote(
    registered: Registered,
    scores: TrackingResult,
    rule: Rule,
    referee: Referee | None = None,
    seeds: SeedSpread = SeedSpread(),
) -> Decision:
    """Store the version's scores, compare it with the champion, and move the alias if it wins.

    The champion is scored again if its stored scores are of another benchmark or its windows are missing.

    Args:
        referee: compares the champion with the challenger; None = compare only stored scores, without an interval.
        seeds: the standard deviation of the score between trainings of one recipe.
    """
    decide = partial(decide_promotion, scores, rule=rule, seeds=seeds)
    with open_store() as client:
        _store_scores(client, registered, scores)
        aliases = client.get_registered_model(registered.name).aliases
        champion = (
            _read_scores(client, registered.name, str(aliases[CHAMPION]), scores.bench) if CHAMPION in aliases else None
        )
    decision = _decide(registered, scores, champion, decide, referee)
    if decision.champion:
        with open_store() as client:
            client.set_registered_model_alias(registered.name, CHAMPION, registered.version)
    return decision


def _decide(
    registered: Registered,
    scores: TrackingResult,
    champion: TrackingResult | None,
    decide: Callable[[Rival | None], Decision],
    referee: Referee | None,
) -> Decision:
    """Return the decision; the champion is compared only if the challenger passes the other conditions."""
    if champion is not None and champion.version == registered.version:
        return decide(Rival(champion))
    alone = decide(None)
    if champion is None or not alone.champion:
        return alone
    if referee is None or not scores.uses_appearance:
        return decide(Rival(champion))
    return decide(_score_on(registered.name, champion, scores.bench, referee))


def _score_on(name: str, champion: TrackingResult, bench: Bench, referee: Referee) -> Rival:
    """Return the champion with scores on the challenger's benchmark: the stored ones, or scored again."""
    if champion.bench.digest == bench.digest:
        lead, cause = _stored_lead(champion, referee)
        if lead is not None:
            return Rival(champion, lead)
    else:
        cause = bench_difference(bench, champion.bench)
    log.info("the champion, version %s, is scored again on the current benchmark: %s", champion.version, cause)
    return _score_again(name, champion, bench, referee)


def _stored_lead(champion: TrackingResult, referee: Referee) -> tuple[Bounds | None, str]:
    """Return the interval of the lead over a champion from its stored windows; None and the reason if that fails."""
    if not champion.run_id:
        return None, "no run has its windows"
    with tempfile.TemporaryDirectory() as folder:
        try:
            with open_store() as client:
                windows = Path(client.download_artifacts(champion.run_id, CHAMPION_WINDOWS, folder))
            return referee.lead_over(windows), f"{CHAMPION_WINDOWS} of its run {champion.run_id} has other windows"
        except (ReidopsError, MlflowException, OSError) as error:
            return None, f"{CHAMPION_WINDOWS} of its run {champion.run_id}: {_one_line(error)}"


def _score_again(name: str, champion: TrackingResult, bench: Bench, referee: Referee) -> Rival:
    """Score the champion and return it; if that fails, return it unchanged with the obstacle."""
    with tempfile.TemporaryDirectory() as folder:
        model, made = Path(folder) / "model", Path(folder) / "made"
        made.mkdir()
        try:
            appearance = referee.score_again(pull_model(f"models:/{name}/{champion.version}", model), made)
            lead = referee.lead_over(made / "windows.npz")
        except (ReidopsError, OSError) as error:
            log.warning("the champion, version %s, could not be scored again: %s", champion.version, _one_line(error))
            return Rival(champion, obstacle=_one_line(error))
    return Rival(replace(champion, bench=bench, appearance=appearance), lead, rescored=True)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _store_scores(client: mlflow.MlflowClient, registered: Registered, scores: TrackingResult) -> None:
    """Write the scores as tags of the version, one tag per benchmark and one for the latest."""
    text = json.dumps(asdict(scores), sort_keys=True)
    for tag in (f"bench.{scores.bench.digest}", "bench.latest"):
        client.set_model_version_tag(registered.name, registered.version, tag, text)


def _read_scores(client: mlflow.MlflowClient, name: str, version: str, bench: Bench) -> TrackingResult:
    """Return a version's scores on this benchmark, or else those on its latest benchmark."""
    tags = client.get_model_version(name, version).tags
    text = tags.get(f"bench.{bench.digest}") or tags.get("bench.latest")
    if text is None:
        return TrackingResult(version, Bench({}, {}), {}, {})
    kept: dict[str, Any] = json.loads(text)
    return TrackingResult(
        version, Bench(**kept["bench"]), kept["appearance"], kept["no_appearance"], run_id=kept.get("run_id", "")
    )
