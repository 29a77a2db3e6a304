"""Print the graph of dvc.yaml and the stages that changed as JSON, in one process: `python -m flows.dvc_graph`.

`dvc dag` and `dvc status` together need twice the time, because each of them imports DVC. A stage that DVC always runs
and that needs no other stage, such as `store`, runs here: the stages that need it are stale only if it wrote something
else.
"""

import json
import logging
import sys
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo

from flows.damaged_cache import put_damaged_objects_aside


def describe_graph(repo: Repo) -> dict[str, object]:
    """Return `needs`, the stages that each stage depends on, and `changed`, the stages that differ from dvc.lock.

    `damaged` are the files of outputs whose objects in the cache were damaged and were put aside. `changed` is None if
    another DVC process prevents the comparison.
    """
    graph = repo.index.graph
    damaged = put_damaged_objects_aside(Path(repo.root_dir), Path(repo.cache.local.path))
    needs = {stage.addressing: sorted(other.addressing for other in graph[stage]) for stage in graph}
    return {"damaged": list(map(str, damaged)), "needs": dict(sorted(needs.items())), "changed": _changed(repo)}


def _changed(repo: Repo) -> list[str] | None:
    graph = repo.index.graph
    always = [stage.addressing for stage in graph if stage.always_changed and not graph[stage]]
    try:
        for name in always:
            repo.reproduce(name, single_item=True)
        return sorted(set(Repo(repo.root_dir).status()) - set(always))
    except DvcException:  # DVC is locked, or a file cannot be read: `dvc repro` reports the cause
        return None


def main() -> None:
    """Print the graph of the current folder; exit 1 with one line if DVC cannot read it."""
    logging.getLogger("dvc").setLevel(logging.CRITICAL)
    try:
        print(json.dumps(describe_graph(Repo())))
    except DvcException as error:
        sys.exit(" ".join(str(error).split()))


if __name__ == "__main__":
    main()
