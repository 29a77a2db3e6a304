"""Inspect raw sequences and crops, and stop bad data before it costs a training.

Reads:  data/raw/parts.csv and the sets that it names; data/crops/
Writes: data/validation/ index.html (start here), report.json, docs/ (Data Docs), contact_sheet.jpg, histograms.png,
        near_duplicates.csv; also when it stops the pipeline
"""

import logging
import os
from pathlib import Path
from typing import Annotated

from pydantic import Field

from reidops.files import whole_folder
from reidops.params import params_dataclass
from reidops.parts import read_parts
from stages import run_stage

log = logging.getLogger(__name__)

Share = Annotated[float, Field(ge=0, le=1)]
Sample = Annotated[int, Field(ge=-1)]


@params_dataclass
class ValidateParams:
    """How much is looked at, and from where on a finding is one."""

    image_sample: Sample = 8  # frames decoded per sequence; 0 = none, -1 = all
    # training frames hashed per sequence, to find scored ones that look alike; 0 = none
    frame_sample: Annotated[int, Field(ge=0)] = 64
    crop_sample: Sample = 20_000  # crops decoded and hashed; 0 = none, -1 = all
    # share of boxes wholly outside their frame, above it an error (MOT17-10 has 3 of 17,450)
    max_outside_share: Share = 0.001
    min_people: Annotated[int, Field(ge=2)] = 8  # people in train, below it an error
    min_crops_per_person: Annotated[int, Field(ge=2)] = 4  # crops, below it a warning
    # of 64 bits of the perceptual hash; 0 = equal hashes only
    near_duplicate_bits: Annotated[int, Field(ge=0, le=16)] = 3
    max_near_duplicate_share: Share = 0.005  # share of the hashed crops, above it a warning
    contact_sheet_people: Annotated[int, Field(ge=1, le=200)] = 24  # people on the contact sheet


def validate(raw: Path, crops: Path, validation: Path, params: ValidateParams) -> None:
    """Write `validation` from the sets of `raw/parts.csv` and from `crops`; raise when an error is among the
    findings.
    """
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")  # great_expectations reads it when it is imported
    from reidops.validation import gate
    from reidops.validation import inspections as looks

    parts = read_parts(raw)
    table = looks.read_crops(crops)
    sequences = looks.inspect_raw(
        parts,
        raw,
        image_sample=params.image_sample,
        max_outside_share=params.max_outside_share,
        frame_sample=params.frame_sample,
        max_bits=params.near_duplicate_bits,
    )
    people = looks.inspect_crops(
        table,
        crops,
        parts,
        crop_sample=params.crop_sample,
        min_people=params.min_people,
        min_crops_per_person=params.min_crops_per_person,
    )
    sides = looks.inspect_sides(
        table, people, parts, raw, max_bits=params.near_duplicate_bits, max_share=params.max_near_duplicate_share
    )
    with whole_folder(validation) as folder:
        sides.tables["near_duplicates"].to_csv(folder / "near_duplicates.csv", index=False, lineterminator="\n")
        gate.draw_pictures(
            table, people.tables["people"], crops / "crops.tar", folder, num_people=params.contact_sheet_people
        )
        findings = gate.judge([sequences, people, sides], folder)
    gate.stop_on_errors(findings, validation)
    log.info(
        "inspected %s crops and %s annotations: no error, %s",
        f"{len(table):,}",
        f"{sequences.counts['num_annotations']:,}",
        gate.name_warnings(findings, validation),
    )


if __name__ == "__main__":
    run_stage(validate, ValidateParams)
