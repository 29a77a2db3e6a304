"""What identifies a training: its params and the hashes of its inputs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reidops.files import sha256
from reidops.training.generated import GeneratedSource
from reidops.training.teachers import LoadedTeacher

ELSEWHERE = ("processes", "track", "checkpoint_activations")
"""Params that do not affect the result of a training."""


def training_identity(
    params: Mapping[str, Any],
    crops: Path,
    *,
    weights: Path | None,
    generated: GeneratedSource | None,
    teacher: LoadedTeacher | None,
) -> dict[str, Any]:
    """Return the params and hashes that identify a training; a run with the same identity continues an earlier one.

    Args:
        params: the section `train`.
        crops: folder with crops.tar and crops.parquet.
        weights: file from which the training starts.
    """
    hashes = {"tar": sha256(crops / "crops.tar"), "table": sha256(crops / "crops.parquet")}
    if weights is not None:
        hashes["weights"] = sha256(weights)
    if generated is not None:
        hashes["generated"] = sha256(generated.folder / "crops.tar")
    if teacher is not None:
        hashes["teacher"] = teacher.embedder.weights_sha256
    return {"params": lasting_params(params), **hashes}


def lasting_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the params of the section `train` that affect the result of this training."""
    unused = () if params["generated"] else ("generated", "generated_share")
    return {name: value for name, value in params.items() if name not in (*ELSEWHERE, *unused)}
