"""Inspect raw sequences and crops, and stop the pipeline on errors in the data.

Reads:  data/raw/parts.csv and the sets that it names; data/crops/
Writes: data/validation/ index.html (start here), report.json, docs/ (Data Docs), contact_sheet.jpg, histograms.png,
        near_duplicates.csv; also when it stops the pipeline
"""

import logging
from pathlib import Path

from reidops.files import whole_folder
from reidops.parts import read_parts
from reidops.validation import gate, inspections
from stages import run_stage
from stages.params.validate import ValidateParams

log = logging.getLogger(__name__)


def validate(raw: Path, crops: Path, validation: Path, params: ValidateParams) -> None:
    """Write the findings on the sets of `raw/parts.csv` and on `crops` to `validation`.

    Raises:
        ReidopsError: there are errors among the findings; `validation` is written before.
    """
    parts = read_parts(raw)
    table = inspections.read_crops(crops)
    sequences = inspections.inspect_raw(
        parts,
        raw,
        image_sample=params.image_sample,
        max_outside_share=params.max_outside_share,
        frame_sample=params.frame_sample,
        max_bits=params.near_duplicate_bits,
    )
    people = inspections.inspect_crops(
        table,
        crops,
        parts,
        crop_sample=params.crop_sample,
        min_people=params.min_people,
        min_crops_per_person=params.min_crops_per_person,
    )
    sides = inspections.inspect_sides(
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
    run_stage(validate)
