"""Where the artifacts of an sqlite store lie, and how its addresses follow when its folder was moved or copied.

MLflow keeps absolute addresses. Those that this repository's store makes are below `mlartifacts`, beside the sqlite
file.
"""

import shutil
import sqlite3
from pathlib import Path
from urllib.parse import unquote, urlsplit

from reidops.errors import ReidopsError

ARTIFACTS = "mlartifacts"
_COLUMNS = (  # table, column that holds an address of artifacts
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def moved_from(location: str, file: Path) -> Path | None:
    """Return the folder `mlartifacts` that an address names where it is not the one beside the sqlite file.

    None for an address that this repository's store did not make: another scheme, or another folder.
    """
    parts = urlsplit(location)
    if parts.scheme not in ("", "file"):
        return None
    path = Path(unquote(parts.path))
    folder = next((parent for parent in (path, *path.parents) if parent.name == ARTIFACTS), None)
    return None if folder is None or folder.resolve() == file.resolve().parent / ARTIFACTS else folder


def relocate(file: Path) -> int:
    """Rewrite the addresses of an sqlite store's artifacts to the folder beside it, and return how many changed.

    The file is copied to `<name>.before-relocation` first.

    Raises:
        ReidopsError: there is no such file, or it is no store of MLflow.
    """
    if not file.is_file():
        raise ReidopsError(f"{file}: no such file; start the command in the repository, or set MLFLOW_TRACKING_URI")
    try:
        changes = _changes(file)
        if changes:
            shutil.copyfile(file, file.with_name(f"{file.name}.before-relocation"))
            with sqlite3.connect(file) as database:
                for table, column, old, new in changes:
                    database.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (new, old))
    except sqlite3.DatabaseError as error:
        raise ReidopsError(f"{file}: is no store of MLflow that can be changed ({error})") from None
    return len(changes)


def _changes(file: Path) -> list[tuple[str, str, str, str]]:
    """Return table, column, old and new address of each that names another folder."""
    changes = []
    with sqlite3.connect(file) as database:
        for table, column in _present(database):
            rows = database.execute(f"SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL")
            for (old,) in rows:
                folder = moved_from(old, file)
                if folder is not None:
                    changes.append((table, column, old, _beside(old, folder, file)))
    return changes


def _beside(location: str, folder: Path, file: Path) -> str:
    """Return an address below `folder` as one below the folder beside the sqlite file."""
    below = Path(unquote(urlsplit(location).path)).relative_to(folder)
    place = file.resolve().parent / ARTIFACTS / below
    return place.as_uri() if location.startswith("file:") else str(place)


def _present(database: sqlite3.Connection) -> list[tuple[str, str]]:
    """Return those of the columns that this version of MLflow has."""
    return [
        (table, column)
        for table, column in _COLUMNS
        if column in {row[1] for row in database.execute(f"PRAGMA table_info({table})")}
    ]
