"""Check that the stage `validate` found no error in the data."""

from pathlib import Path

from reidops.errors import ReidopsError
from reidops.files import read_json


def check_validated(report_path: Path) -> None:
    """Check the report of `validate`.

    Raises:
        ReidopsError: the report names errors, or there is none.
    """
    report = read_json(report_path)
    if not report["passed"]:
        errors = "; ".join(map(str, report["errors"]))
        raise ReidopsError(
            f"{report_path}: the data did not pass validation: {errors}; correct the data and run `dvc repro`"
        )
