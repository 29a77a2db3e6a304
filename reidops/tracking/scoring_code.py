"""The digest of the code that tracks and scores: scores of two models compare only when it is equal.

It is taken over the bytes of the files, so that an edited comment counts as a change; the champion is then scored
again, which costs time and is never wrong. The code of the network does not count: an embedder tests itself when it is
loaded, and one whose embeddings have changed is refused.
"""

import hashlib
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
FOLDERS = ("tracking", "mot", "boxes")

NO_SCORES = frozenset(
    {
        "tracking/bootstrap.py",
        "tracking/clips.py",
        "tracking/frames.py",
        "tracking/gaps.py",
        "tracking/pictures.py",
        "tracking/proof.py",
        "tracking/reasons.py",
        "tracking/report.py",
        "tracking/rescoring.py",
        "tracking/rivals.py",
        "tracking/search_spaces.py",
        "tracking/switch_sheet.py",
        "tracking/switches.py",
        "tracking/timelines.py",
        "tracking/tuning.py",
        "tracking/tuning_report.py",
        "tracking/tuning_scenes.py",
        "tracking/video_writing.py",
        "mot/crops.py",
        "mot/splits.py",
        "boxes/identities.py",
    }
)
"""Files that draw, report, search or cut training crops, and change no score; a new file counts unless it is named
here.
"""

_NO_SCORES_FOLDERS = ("mot/synthetic",)


def scoring_files(package: Path = PACKAGE) -> list[Path]:
    """Return the files that count, in the order of their names."""
    found = [path for folder in FOLDERS for path in (package / folder).rglob("*.py")]
    return sorted(path for path in found if _counts(path.relative_to(package).as_posix()))


def _counts(name: str) -> bool:
    return name not in NO_SCORES and not name.startswith(_NO_SCORES_FOLDERS)


def scoring_code_digest(package: Path = PACKAGE) -> str:
    """Return 12 hexadecimal digits that are equal for equal files of equal names."""
    digest = hashlib.sha256()
    for path in scoring_files(package):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(package).as_posix()} {content}\n".encode())
    return digest.hexdigest()[:12]
