"""What the command `reidops` takes from a repository of this project: the params of its stages."""

import importlib
import sys
from pathlib import Path

from reidops.errors import ReidopsError


def load_sections(root: Path) -> dict[str, type]:
    """Return the params dataclasses of the repository at `root`, by section of params.yaml.

    Raises:
        ReidopsError: `root` is no repository of this project.
    """
    if str(root.resolve()) not in sys.path:
        sys.path.insert(0, str(root.resolve()))
    try:
        return importlib.import_module("stages.params").SECTIONS
    except ModuleNotFoundError as error:
        raise ReidopsError(
            f"{root}: has no stages/params ({error}); change to the root of the repository, or give --root FOLDER"
        ) from None
