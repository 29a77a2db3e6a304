"""Keep the last state of the last finished training, so that it can be lengthened."""

import json
from pathlib import Path
from typing import Any

from reidops.errors import ReidopsError
from reidops.files import read_json, write_json
from reidops.training.checkpoints import FINISHED, Checkpoints

_OWN = ("epochs", "resume")  # params in which a longer training differs


class FinishedState:
    """The state of one finished training under `root`/finished; the next one replaces it.

    Args:
        root: folder with the checkpoints of all trainings.
        identity: the params and digests of the current training, as for `Checkpoints`.
    """

    def __init__(self, root: Path, identity: dict[str, Any]) -> None:
        params = {name: value for name, value in identity["params"].items() if name not in _OWN}
        self._identity = json.loads(json.dumps({**identity, "params": params}, default=str))
        self._folder = Path(root) / FINISHED

    def keep(self, checkpoints: Checkpoints) -> None:
        """Move the last state of a training here, and delete its checkpoints."""
        state = checkpoints.folder / "state.pt"
        if state.is_file():
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / "identity.json").unlink(missing_ok=True)
            state.replace(self._folder / "state.pt")
            write_json(self._identity, self._folder / "identity.json")
        checkpoints.delete()

    def continue_from(self, checkpoints: Checkpoints, epochs: int) -> None:
        """Make the finished training's state the last one of a training of `epochs` epochs, unless that has one.

        Raises:
            ReidopsError: there is no finished training, it differs in more than its length, or it is not shorter.
        """
        if checkpoints.load() is not None:
            return
        if not (self._folder / "identity.json").is_file():
            raise ReidopsError(
                f"{self._folder}: no finished training to lengthen (train.resume is true); train once with "
                "train.resume: false"
            )
        different = _differences(read_json(self._folder / "identity.json"), self._identity)
        if different:
            raise ReidopsError(
                f"{self._folder}: the finished training differs in {', '.join(different)}; a longer training may "
                "differ in train.epochs only: restore these values, or set train.resume to false"
            )
        state = Checkpoints.read(self._folder / "state.pt")
        done = state["progress"]["history"][-1]["epoch"]
        if done >= epochs:
            raise ReidopsError(
                f"train.epochs is {epochs}, but the finished training has {done} epochs (train.resume is true); set "
                f"train.epochs above {done}"
            )
        checkpoints.save(state)


def open_checkpoints(root: Path, identity: dict[str, Any], *, prune: bool) -> tuple[Checkpoints, FinishedState]:
    """Return the checkpoints of a training, and the state of the last finished one.

    Args:
        root: folder with the checkpoints of all trainings.
        prune: delete old checkpoints of other trainings; only one process may.
    """
    checkpoints = Checkpoints(root, identity)
    if prune:
        checkpoints.prune()
    return checkpoints, FinishedState(root, identity)


def _differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return the names of the params and digests that differ."""
    params = [f"train.{name}" for name in now["params"] if before["params"].get(name) != now["params"][name]]
    digests = [name for name in {*before, *now} - {"params"} if before.get(name) != now.get(name)]
    return params + [f"the digest of {name}" for name in sorted(digests)]
