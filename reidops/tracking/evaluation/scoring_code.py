"""The digest of the code that tracks and scores: scores of two models are comparable only if it is equal.

It covers the bytes of the files, so an edited comment counts as a change. The champion is then scored again, which
takes time and is always correct. The network's code does not count: an embedder checks itself when it is loaded, and
one with changed embeddings is refused.
"""

import hashlib
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2]
FOLDERS = ("tracking", "mot", "boxes")
ENDINGS = (".py", ".npz")  # code, and the weights that link tracks

NO_SCORES = frozenset(
    {
        "tracking/evaluation/bootstrap.py",
        "tracking/evaluation/gaps.py",
        "tracking/evaluation/proof.py",
        "tracking/evaluation/reasons.py",
        "tracking/evaluation/report.py",
        "tracking/evaluation/rescoring.py",
        "tracking/evaluation/rivals.py",
        "tracking/evaluation/switches.py",
        "mot/crops.py",
        "mot/splits.py",
    }
)
"""Files that report or cut training crops and change no score; a new file counts unless it is named here."""

NO_SCORES_FOLDERS = ("tracking/pictures/", "tracking/tuning/", "mot/synthetic/")
"""Folders whose files draw pictures, search for constants or draw data sets."""


def scoring_files(package: Path = PACKAGE) -> list[Path]:
    """Return the files that count, sorted by name."""
    found = [path for folder in FOLDERS for end in ENDINGS for path in (package / folder).rglob(f"*{end}")]
    return sorted(path for path in found if _counts(path.relative_to(package).as_posix()))


def _counts(name: str) -> bool:
    return name not in NO_SCORES and not name.startswith(NO_SCORES_FOLDERS)


def scoring_code_digest(package: Path = PACKAGE) -> str:
    """Return 12 hexadecimal digits that are equal for equal files with equal names."""
    digest = hashlib.sha256()
    for path in scoring_files(package):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(package).as_posix()} {content}\n".encode())
    return digest.hexdigest()[:12]
