"""The address of the MLflow store: `MLFLOW_TRACKING_URI`, else `mlflow.db` and `mlartifacts/` in the repository.

`python -m reidops.registry.address FOLDER` writes it to FOLDER/store.json. This is the stage `store` of dvc.yaml, which
DVC always runs, so that a result is registered again in another store. It imports neither MLflow nor the params.
"""

import os
import re
import sys
from pathlib import Path

from reidops.errors import ReidopsError
from reidops.files import repository_root, whole_folder, write_json

_PASSWORD = re.compile(r"(://[^:/@]*):[^@/]*@")


def tracking_uri() -> str:
    """Return `MLFLOW_TRACKING_URI`, else the sqlite file of this repository.

    A relative sqlite file lies in the repository, and not in the copy of it in which `dvc exp run --temp` runs.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        return f"sqlite:///{_store_root() / 'mlflow.db'}"
    file = sqlite_file(uri)
    return uri if file is None or file.is_absolute() else f"sqlite:///{_store_root() / file}"


def _store_root() -> Path:
    """Return the repository of DVC that runs us or holds the current folder, else the current folder."""
    here = repository_root().resolve()
    return next((folder for folder in (here, *here.parents) if (folder / ".dvc").is_dir()), here)


def without_password(uri: str) -> str:
    """Return an address as it may be shown."""
    return _PASSWORD.sub(r"\1:***@", uri)


def sqlite_file(uri: str) -> Path | None:
    """Return the file behind an sqlite URI, None for other stores."""
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None


def portable_uri() -> str:
    """Return the address without a password; an sqlite file in the repository is relative to it."""
    uri, here = tracking_uri(), f"sqlite:///{_store_root()}/"
    return without_password(f"sqlite:///{uri.removeprefix(here)}" if uri.startswith(here) else uri)


def write_address(folder: Path) -> None:
    """Write store.json, which is equal for equal stores."""
    with whole_folder(folder) as partial:
        write_json({"uri": portable_uri()}, partial / "store.json")


def main() -> None:
    """Write the address to the folder that the command names; exit 1 with one line if that is not possible."""
    try:
        write_address(Path(sys.argv[1]))
    except ReidopsError as error:
        print(f"store: error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
