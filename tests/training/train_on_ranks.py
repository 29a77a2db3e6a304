"""Train on the ranks that torchrun starts, `torchrun … train_on_ranks.py JOBS`, or on one, without torchrun.

JOBS is a file with a list of jobs. They run in turn, because the start of the processes takes longer than a training.
Each has the folder `data` of its crops, its `params`, the file `output` for its result, the folder `root` of its
checkpoints and `epochs`: after so many of them it ends without a result, its state saved; None = all. In double
precision, so that nothing but a real difference shows: batch-hard mining makes a jump of a difference in the last bit.
Rank 0 writes the weights, the losses and the number of saved states.
"""

import ast
import os
import sys
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import torch

from reidops.training import ranks
from reidops.training.training import Trainer
from stages import train as stage
from stages.params.train import TrackletParams

launched, save = ranks.launched, Trainer._save
end_group = torch.distributed.destroy_process_group
num_saved, last_epoch = 0, None


class Stopped(Exception):
    """A job has saved its state after its last epoch."""


def launched_in_double(processes: int, precision: str, **more: bool) -> AbstractContextManager:
    return launched(processes, "64-true", **more)


def save_and_stop(trainer: Trainer) -> None:
    global num_saved
    save(trainer)
    num_saved += 1
    if num_saved == last_epoch:
        raise Stopped


def run_job(data: str, output: str, values: dict[str, Any], root: str, epochs: int | None) -> None:
    global num_saved, last_epoch
    num_saved, last_epoch = 0, epochs
    os.environ["DVC_ROOT"] = root

    def write(network, trained, *_: object) -> None:
        result = {"weights": trained.weights, "losses": trained.history["loss"].tolist(), "num_saved": num_saved}
        torch.save(result, output)

    stage._write = write
    tracklets = TrackletParams(**values["tracklets"]) if values["tracklets"] else None
    params = stage.TrainParams(**values | {"tracklets": tracklets})
    with suppress(Stopped):
        stage.train(*(Path(data) / name for name in ("crops", "validation", "generated", "never")), params)


if __name__ == "__main__":
    stage.launched, Trainer._save = launched_in_double, save_and_stop
    # All jobs share one group, because the store of torchrun keeps the addresses of the first.
    torch.distributed.destroy_process_group = lambda: None
    for arguments in ast.literal_eval(Path(sys.argv[1]).read_text()):
        run_job(*arguments)
    if torch.distributed.is_initialized():
        end_group()
