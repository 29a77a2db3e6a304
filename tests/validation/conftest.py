"""Synthetic crops for the tests of this folder."""

from pathlib import Path

import pandas as pd
import pytest
from crop_factory import write_crops

from reidops.validation.inspections import read_crops


@pytest.fixture
def folder(tmp_path) -> Path:
    """Return a folder of crops as `convert` writes it."""
    write_crops(tmp_path / "crops")
    return tmp_path / "crops"


@pytest.fixture
def crops(folder) -> pd.DataFrame:
    """Return the crops table of `folder` as the validation reads it."""
    return read_crops(folder)
