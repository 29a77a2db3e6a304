"""A search for a tracker's constants by optuna's tree-structured Parzen estimator, scored on all sequences together."""

import time
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Sequence as Rows
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import optuna

from reidops.parallel import map_parallel
from reidops.parts import Part
from reidops.progress_bar import progress_bar
from reidops.tracking.constants import constants_of
from reidops.tracking.evaluation.setups import TrackerSetup
from reidops.tracking.trackers import new_camera
from reidops.tracking.tuning.search_spaces import SearchSpace
from reidops.tracking.tuning.trial_scores import num_workers, score_values

START = 0  # number of the trial before the search, with held and published values


@dataclass(frozen=True)
class Budget:
    """The length of a search, and its objective.

    Attributes:
        score: IDF1, HOTA, MOTA or AssA, of all sequences together.
        timeout_s: no trial begins later; None = no limit. With a limit the result depends on the machine.
    """

    trials: int
    score: str
    seed: int = 0
    timeout_s: float | None = None


@dataclass(frozen=True)
class Tried:
    """One trial: the values of its knobs (None = the setting's gate or least confidence) and its scores by name."""

    number: int
    values: Mapping[str, Any]
    scores: Mapping[str, float]


def search_constants(
    parts: Rows[Part], setup: TrackerSetup, space: SearchSpace, budget: Budget, *, appearance: bool = True
) -> list[Tried]:
    """Return all trials; the first is the start, with the held values and published constants.

    Args:
        setup: shared by the trials; its constants are not used.
        appearance: False = track without embeddings.

    Raises:
        ReidopsError: embeddings are missing, broken or of another model, or annotations contradict themselves.
    """
    workers = num_workers(parts, budget.trials + 1)
    if setup.camera:  # once, before the trials use it
        map_parallel(partial(new_camera, camera=setup.camera), parts, workers, desc="camera")
    score = partial(score_values, parts=parts, setup=setup, appearance=appearance, workers=workers)
    start = Tried(START, _start_values(space), score(space.held))
    return [start, *run_trials(space, score, budget, floor=start.scores[budget.score])]


def run_trials(
    space: SearchSpace, score: Callable[[Mapping[str, Any]], Mapping[str, float]], budget: Budget, *, floor: float
) -> Iterator[Tried]:
    """Yield the trials of a search; values that were drawn before are not scored again.

    Args:
        score: returns the scores of some values, by name.
        floor: the score to beat, shown by the progress bar until a trial does.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=budget.seed))
    known: dict[tuple[Any, ...], Mapping[str, float]] = {}
    end = time.monotonic() + budget.timeout_s if budget.timeout_s else np.inf
    with progress_bar(range(1, budget.trials + 1), desc=f"tune {space.tracker}", unit="trials") as bar:
        for number in bar:
            if time.monotonic() > end:
                return
            asked = study.ask()
            values = space.draw(asked)
            drawn = tuple(values.values())
            scores = known[drawn] = known[drawn] if drawn in known else score(values)
            study.tell(asked, scores[budget.score])
            bar.set_postfix_str(f"{budget.score} {max(floor, study.best_value):.3f}, at first {floor:.3f}")
            yield Tried(number, values, scores)


def best_of(trials: Rows[Tried], score: str) -> Tried:
    """Return the first trial with the highest score; the start if no trial is better."""
    return max(trials, key=lambda tried: tried.scores[score])


def _start_values(space: SearchSpace) -> dict[str, Any]:
    published = asdict(constants_of(space.tracker, {}))
    return {name: space.held.get(name, published.get(name)) for name in (*space.held, *space.knobs)}
