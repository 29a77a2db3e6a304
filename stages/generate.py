"""Generate crops of people who do not exist, which can join the training; off by default (`epochs: 0`).

Reads:  data/crops (crops.tar, crops.parquet), data/validation/report.json; nothing if epochs is 0
Writes: data/generated/ report.json (number of crops, Fréchet distance, distances to the training crops); with epochs
        also crops.tar, crops.parquet, contact_sheet.jpg, history.csv, curves.png and generator.safetensors
        data/checkpoints/ during the training, from which an interrupted run continues
"""

import logging
from dataclasses import fields
from pathlib import Path

from reidops.files import repository_root, whole_folder, write_json
from reidops.generation.settings import GanSettings
from reidops.validated import check_validated
from stages import run_stage
from stages.params.generate import GenerateParams

log = logging.getLogger(__name__)


def generate(crops: Path, validation: Path, generated: Path, params: GenerateParams) -> None:
    """Train a generator on the training crops of `crops` and write what it draws to `generated`."""
    with whole_folder(generated) as folder:
        if not params.epochs:
            write_json({"num_crops": 0}, folder / "report.json")
            log.info("no crops are generated: epochs is 0")
            return
        check_validated(validation / "report.json")
        # Imported here, because the default generates nothing, and torch takes seconds to import.
        from reidops.generation.generation import generate_crops

        generate_crops(
            crops,
            folder,
            repository_root() / "data" / "checkpoints",
            GanSettings(**{field.name: getattr(params, field.name) for field in fields(GanSettings)}),
            num_crops=params.num_crops,
            embedder=params.embedder,
            threads=params.threads,
        )


if __name__ == "__main__":
    run_stage(generate)
