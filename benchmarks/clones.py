"""Copies of a finished clone of the repository, and what came out of the commands that run in them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from faults import DVC, new_clone, read_outs
from three_retrainings import run

FOREIGN = ("PYTHONPATH", "MLFLOW_TRACKING_URI", "PREFECT_API_URL")
LAST_LINES = 12
MOST_SECONDS = 1800


@dataclass(frozen=True)
class Row:
    """A row of the table: what was done, what came out, and whether that is what the documentation says."""

    condition: str
    found: str
    holds: bool


@dataclass(frozen=True)
class Ended:
    """A process that ended."""

    code: int
    text: str

    @property
    def message(self) -> str:
        """Return the line that says why it failed: a stage's own message, else DVC's, else the last line."""
        lines = [line.strip() for line in self.text.splitlines() if line.strip()]
        own = [line for line in lines if ": error: " in line]
        others = [line for line in lines if line.startswith("ERROR: ")]
        return (own or others or lines or [f"ended with {self.code} and without a message"])[-1 if own else 0]

    @property
    def is_traceback(self) -> bool:
        """Return whether a stage ended by an exception that it did not expect, or was aborted."""
        return "Traceback (most recent call last)" in self.text or "terminate called" in self.text


@dataclass(frozen=True)
class Clone:
    """A clone of the repository with a finished pipeline, and the variables that its commands get."""

    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        """Return the folder of the outputs."""
        return self.folder / "data"

    def dvc(self, *arguments: str, **variables: str) -> Ended:
        """Run a command of DVC to its end."""
        return self.run([*DVC, *arguments], **variables)

    def reproduce(self, *arguments: str) -> None:
        """Run `dvc repro`; exit if it fails."""
        ended = self.dvc("repro", *arguments)
        if ended.code:
            tail = "\n".join(ended.text.splitlines()[-LAST_LINES:])
            sys.exit(f"conditions: {self.folder}: dvc repro {' '.join(arguments)} failed:\n{tail}")

    def run(self, command: Sequence[str], **variables: str) -> Ended:
        """Run a command to its end."""
        with self.start(command, **variables) as process:
            text, _ = process.communicate(timeout=MOST_SECONDS)
        return Ended(process.returncode, text)

    def start(self, command: Sequence[str], log: IO[str] | None = None, **variables: str) -> subprocess.Popen[str]:
        """Start a command in a session of its own; its output is one text, in a pipe or in `log`."""
        kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        cache = {"DVC_SITE_CACHE_DIR": str(self.folder / ".cache" / "dvc")}  # as the Makefile does
        environment = kept | {"PATH": path} | cache | dict(self.variables) | variables
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=environment,
            text=True,
            errors="replace",
            stdout=log or subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def outs(self) -> dict[str, dict[str, str]]:
        """Return the digests of the outputs as dvc.lock names them."""
        return read_outs(self.folder)


def finished_clone(folder: Path) -> Clone:
    """Return a clone with the small data set whose pipeline has run; a finished one is used again."""
    clone = Clone(folder if folder.is_dir() else new_clone(folder))
    clone.reproduce()
    return clone


@contextmanager
def copied(clone: Clone, folder: Path, **variables: str) -> Iterator[Clone]:
    """Yield a copy of a clone that is deleted after the block."""
    shutil.copytree(clone.folder, folder, symlinks=True)
    try:
        run([sys.executable, "-m", "reidops", "registry", "relocate"], folder)
        yield Clone(folder, variables)
    finally:
        shutil.rmtree(folder)
