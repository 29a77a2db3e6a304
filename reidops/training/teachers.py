"""Load the teacher of a training with distillation, and refuse one that knows the tested people."""

from dataclasses import dataclass

import pandas as pd
import torch

from reidops.datasets.origin import Origin, check_start, read_origin
from reidops.embedding.embedder import Embedder
from reidops.embedding.network import EmbeddingNetwork
from reidops.files import repository_path
from reidops.training.distillation import Teacher


@dataclass(frozen=True)
class LoadedTeacher:
    """The embedder of a teacher, and the data on which it was trained."""

    embedder: Embedder
    origin: Origin

    def of_student(self, student: EmbeddingNetwork) -> Teacher:
        """Return the teacher for the batches of a student."""
        return Teacher(self.embedder.network, self.embedder.input_size, student)


def load_teacher(source: str, crops: pd.DataFrame) -> LoadedTeacher:
    """Return the teacher that `train.teacher` names: a folder relative to the repository, or models:/NAME@ALIAS.

    Loading draws no random values of the student: its initial weights are those of a training without a teacher.

    Args:
        crops: tables.CROPS of the training.

    Raises:
        ReidopsError: it cannot be loaded, or it was trained on people and frames of the test split.
    """
    with torch.random.fork_rng(devices=[]):
        embedder = Embedder.load(source if source.startswith("models:/") else repository_path(source))
    origin = read_origin(embedder.description.trained_on, source)
    check_start(origin, crops, param="train.teacher", name=source)
    return LoadedTeacher(embedder, origin)
