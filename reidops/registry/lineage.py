"""Where a result comes from: the git commit, and the outputs of each stage by their content hashes in dvc.lock."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # dvc.lock is long: the loader in C is ten times as fast
REGISTERING = ("store", "register")
"""Stages that describe the registration. Their entries in dvc.lock are those of the previous result."""


@dataclass(frozen=True)
class Lineage:
    """The origin of a result; `outs` maps each stage to its outputs, and each output to its md5 in dvc.lock.

    `commit` is "" outside a git repository. `is_changed` states whether tracked files differ from the commit.
    """

    commit: str = ""
    is_changed: bool = False
    experiment: str = ""
    outs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def out(self, path: str) -> str:
        """Return the md5 of an output, "" if dvc.lock has none."""
        return next((md5[path] for md5 in self.outs.values() if path in md5), "")

    def as_markdown(self) -> str:
        """Return a table with a row for each output; "" without outputs."""
        rows = [f"| {stage} | {path} | `{md5}` |" for stage, md5s in self.outs.items() for path, md5 in md5s.items()]
        return "\n".join(["| stage | output | DVC md5 |", "|---|---|---|", *rows]) if rows else ""


def read_lineage(lock: Path) -> Lineage:
    """Return the lineage of the result in the current folder; `lock` is the path of dvc.lock."""
    commit = _git("rev-parse", "HEAD")
    # dvc.lock is the result of a run and not a change of what ran
    changed = bool(_git("status", "--porcelain", "--", ".", f":(exclude){lock.name}")) if commit else False
    return Lineage(commit, changed, dvc_experiment(), read_outs(lock))


def read_outs(lock: Path) -> dict[str, dict[str, str]]:
    """Return stage → output → md5 from dvc.lock, without the stages that register; {} if DVC has not run."""
    if not lock.is_file():
        return {}
    stages: Mapping[str, Any] = (yaml.load(lock.read_text(), _LOADER) or {}).get("stages") or {}
    return {
        name: {out["path"]: out["md5"] for out in stage.get("outs", ()) if "md5" in out}
        for name, stage in stages.items()
        if name not in REGISTERING
    }


def dvc_experiment() -> str:
    """Return the name of the experiment of `dvc exp run` that runs this process, "" in other runs."""
    return os.environ.get("DVC_EXP_NAME", "")


def _git(*arguments: str) -> str:
    try:
        return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
