"""Adapt the trained model to tracklets without labels; off by default, when it copies the model.

Reads:  data/trained, data/tracklets (crops.tar, crops.parquet, tracklets.parquet, report.json), data/crops
Writes: data/model/ the files of data/trained, with the adapted weights; adaptation.json, adaptation.csv,
        adaptation.png, clusters.jpg
        data/checkpoints/ during the adaptation, from which an interrupted run continues
        a run in MLflow with live curves, if adapt.track names an experiment
"""

import shutil
from pathlib import Path

from reidops.files import whole_folder
from stages import run_stage
from stages.params.adapt import AdaptParams


def adapt(trained: Path, tracklets: Path, crops: Path, model: Path, params: AdaptParams) -> None:
    """Write the adapted model, or a copy of the trained one, to `model`."""
    if not params.rounds and not params.norm_share:
        copy_model(trained, model)
        return
    # Imported here, because the default adapts nothing, and torch takes seconds to import.
    from reidops.adaptation.adapting import adapt_model

    adapt_model(trained, tracklets, crops, model, vars(params))


def copy_model(trained: Path, model: Path) -> None:
    """Copy the files of a trained model to `model`, which appears when it is complete."""
    with whole_folder(model) as folder:
        shutil.copytree(trained, folder, dirs_exist_ok=True)


if __name__ == "__main__":
    run_stage(adapt)
