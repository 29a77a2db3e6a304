"""Promote a model version: store its scores, compare it with the champion on one benchmark, and move the alias."""

import json
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import mlflow
from mlflow.exceptions import MlflowException

from reidops.errors import ReidopsError
from reidops.registry.changes import CHAMPION, Actor, crown, find_veto, this_user
from reidops.registry.comparison import Bench, Bounds, Decision, Rival, Rule, SeedSpread, TrackingResult
from reidops.registry.conditions import (
    Limits,
    ModelFacts,
    RivalFacts,
    check_against,
    check_alone,
    failure_text,
)
from reidops.registry.models import Registered, pull_model
from reidops.registry.promotion import decide_promotion
from reidops.registry.promotion_reasons import bench_difference
from reidops.registry.store import find_aliases, open_store, store_lock

log = logging.getLogger(__name__)

CHAMPION_WINDOWS = "tracking/windows.npz"
SCORES = "promotion"
"""Folder in a run with the scores of a version, one file per benchmark; the tag `bench.<digest>` names the run."""


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

    def rank_again(self, model: Path) -> Mapping[str, float]:
        """Return the mAP of a model on each of the challenger's test sets.

        Raises:
            ReidopsError: the model cannot be loaded, or the crops cannot be read.
        """

    def latencies(self, model: Path) -> tuple[float, float]:
        """Return the latency of the challenger and of a model, ms per crop, measured in turns on this machine.

        Raises:
            ReidopsError: a model cannot be loaded.
        """


@dataclass(frozen=True)
class Conditions:
    """The conditions beside the tracking score: what the stages found about the challenger, and the limits."""

    facts: ModelFacts
    limits: Limits


@dataclass(frozen=True)
class Trial:
    """What decides about a challenger.

    `referee` compares the champion with the challenger; None = compare only stored scores, without an interval.
    `seeds` is the spread of the score over trainings of one recipe. `experiment` is the name of the DVC experiment that
    made the challenger, "" for a run of the pipeline; an experiment moves no alias.
    """

    scores: TrackingResult
    rule: Rule
    referee: Referee | None = None
    seeds: SeedSpread = SeedSpread()
    conditions: Conditions | None = None
    experiment: str = ""

    def decide(self, rival: Rival | None) -> Decision:
        """Return the decision by the tracking score."""
        return decide_promotion(self.scores, rival, self.rule, self.seeds)


class _Pulled:
    """The files of a champion, downloaded when they are needed for the first time."""

    def __init__(self, name: str, version: str, folder: Path) -> None:
        self._uri, self.folder = f"models:/{name}/{version}", folder

    @cached_property
    def model(self) -> Path:
        """Return the folder of the files.

        Raises:
            ReidopsError: they cannot be downloaded.
        """
        return pull_model(self._uri, self.folder / "model")


def promote(registered: Registered, trial: Trial) -> Decision:
    """Store the version's scores, compare it with the champion, and move the alias if it wins.

    The champion is scored again if its stored scores are of another benchmark or its windows are missing. If another
    process moves the alias meanwhile, the challenger is compared with the new champion.
    """
    while True:
        with open_store() as client:
            _store_scores(client, registered, trial.scores)
            champion = _read_champion(client, registered.name, trial.scores.bench)
        decision = _decide(registered, trial, champion)
        with store_lock(), open_store() as client:
            if find_aliases(client, registered.name).get(CHAMPION) != (champion and champion.version):
                log.info("the champion changed meanwhile; the comparison is repeated")
                continue
            return _conclude(client, registered, trial, decision)


def _conclude(client: mlflow.MlflowClient, registered: Registered, trial: Trial, decision: Decision) -> Decision:
    """Move the alias if the decision says so and there is no veto; return the final decision."""
    if not decision.champion or find_aliases(client, registered.name).get(CHAMPION) == registered.version:
        return decision
    veto = find_veto(client, registered.name, registered.version)
    if trial.experiment:
        veto = (
            f"version {registered.version} is of the experiment {trial.experiment}, which moves no alias; "
            f"`reidops registry promote {registered.version}` makes it the champion"
        )
    if veto:
        reason = f"{veto}. By its figures it would become the champion: {decision.reason}"
        return replace(decision, champion=False, veto=veto, reason=reason)
    who = this_user(decision.reason)
    crown(client, registered.name, registered.version, Actor(f"{who.who}, stage register", who.why))
    return decision


def _read_champion(client: mlflow.MlflowClient, name: str, bench: Bench) -> TrackingResult | None:
    version = find_aliases(client, name).get(CHAMPION)
    return None if version is None else read_scores(client, name, version, bench)


def _decide(registered: Registered, trial: Trial, champion: TrackingResult | None) -> Decision:
    """Return the decision; the champion is compared only if the challenger passes the other conditions."""
    if champion is not None and champion.version == registered.version:
        return _with_conditions(trial.decide(Rival(champion)), trial, None, binding=False)
    alone = _with_conditions(trial.decide(None), trial, None)
    if champion is None or not alone.champion:
        return alone
    with tempfile.TemporaryDirectory() as folder:
        pulled = _Pulled(registered.name, champion.version, Path(folder))
        rival = _find_rival(trial, champion, pulled)
        facts = None if trial.conditions is None else _rival_facts(trial, champion, pulled)
    return _with_conditions(trial.decide(rival), trial, facts)


def _find_rival(trial: Trial, champion: TrackingResult, pulled: _Pulled) -> Rival:
    if trial.referee is None or not trial.scores.uses_appearance:
        return Rival(champion)
    return _score_on(champion, trial.scores.bench, trial.referee, pulled)


def _with_conditions(decision: Decision, trial: Trial, rival: RivalFacts | None, *, binding: bool = True) -> Decision:
    """Return the decision with the conditions beside the tracking score; with `binding` all must be met."""
    if trial.conditions is None:
        return decision
    facts, limits = trial.conditions.facts, trial.conditions.limits
    checked = (*check_alone(facts, limits), *(check_against(facts, rival, limits) if rival else ()))
    decision, failure = replace(decision, conditions=checked), failure_text(checked)
    if not (binding and failure and decision.champion):
        return decision
    reason = f"version {trial.scores.version} does not meet a condition: {failure}. By the tracking score alone: "
    return replace(decision, champion=False, reason=reason + decision.reason)


def _rival_facts(trial: Trial, champion: TrackingResult, pulled: _Pulled) -> RivalFacts:
    """Return the champion's mAP on the challenger's test sets and both latencies, as far as the limits need them."""
    facts, limits = RivalFacts(champion.version), trial.conditions.limits if trial.conditions else Limits()
    if limits.max_loss is not None:
        facts = _with_maps(facts, trial, champion, pulled)
    if limits.max_latency_ratio is None:
        return facts
    if trial.referee is None:
        return replace(facts, latency_obstacle="there is no referee")
    try:
        own, other = trial.referee.latencies(pulled.model)
    except (ReidopsError, OSError) as error:
        return replace(facts, latency_obstacle=_one_line(error))
    return replace(facts, own_latency_ms=own, latency_ms=other)


def _with_maps(facts: RivalFacts, trial: Trial, champion: TrackingResult, pulled: _Pulled) -> RivalFacts:
    if champion.reid and champion.reid_bench == trial.scores.reid_bench:
        return replace(facts, reid=champion.reid)
    if trial.referee is None:
        return replace(facts, reid_obstacle="there is no referee")
    log.info("the champion, version %s, ranks the current test people again", champion.version)
    try:
        return replace(facts, reid=trial.referee.rank_again(pulled.model))
    except (ReidopsError, OSError) as error:
        return replace(facts, reid_obstacle=_one_line(error))


def _score_on(champion: TrackingResult, bench: Bench, referee: Referee, pulled: _Pulled) -> Rival:
    """Return the champion with scores on the challenger's benchmark: the stored ones, or scored again."""
    if champion.bench.digest == bench.digest:
        lead, cause = _stored_lead(champion, referee)
        if lead is not None:
            return Rival(champion, lead)
    else:
        cause = bench_difference(bench, champion.bench)
    log.info("the champion, version %s, is scored again on the current benchmark: %s", champion.version, cause)
    return _score_again(champion, bench, referee, pulled)


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


def _score_again(champion: TrackingResult, bench: Bench, referee: Referee, pulled: _Pulled) -> Rival:
    """Score the champion and return it; if that fails, return it unchanged with the obstacle."""
    made = pulled.folder / "made"
    made.mkdir()
    try:
        appearance = referee.score_again(pulled.model, made)
        lead = referee.lead_over(made / "windows.npz")
    except (ReidopsError, OSError) as error:
        log.warning("the champion, version %s, could not be scored again: %s", champion.version, _one_line(error))
        return Rival(champion, obstacle=_one_line(error))
    return Rival(replace(champion, bench=bench, appearance=appearance), lead, rescored=True)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _store_scores(client: mlflow.MlflowClient, registered: Registered, scores: TrackingResult) -> None:
    """Write the scores into the run of this evaluation; tags of the version name the run of each benchmark."""
    run_id = scores.run_id or client.get_model_version(registered.name, registered.version).run_id
    client.log_dict(run_id, asdict(scores), _scores_file(scores.bench.digest))
    for tag in (f"bench.{scores.bench.digest}", "bench.latest"):
        client.set_model_version_tag(registered.name, registered.version, tag, f"{scores.bench.digest} {run_id}")


def _scores_file(digest: str) -> str:
    return f"{SCORES}/{digest}.json"


def read_scores(client: mlflow.MlflowClient, name: str, version: str, bench: Bench | None = None) -> TrackingResult:
    """Return a version's scores on this benchmark, or else those on its latest benchmark."""
    tags = client.get_model_version(name, version).tags
    text = (tags.get(f"bench.{bench.digest}") if bench else None) or tags.get("bench.latest")
    if text is None:
        return TrackingResult(version, Bench({}, {}), {}, {})
    kept = json.loads(text) if text.startswith("{") else _download_scores(client, text)  # a tag of earlier versions
    return TrackingResult(
        version,
        Bench(**kept["bench"]),
        kept["appearance"],
        kept["no_appearance"],
        run_id=kept.get("run_id", ""),
        reid=kept.get("reid", {}),
        reid_bench=kept.get("reid_bench", ""),
    )


def _download_scores(client: mlflow.MlflowClient, place: str) -> dict[str, Any]:
    digest, run_id = place.split()
    with tempfile.TemporaryDirectory() as folder:
        return json.loads(Path(client.download_artifacts(run_id, _scores_file(digest), folder)).read_text())
