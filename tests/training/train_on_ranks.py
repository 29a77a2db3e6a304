"""Train on the ranks that torchrun starts: `torchrun … train_on_ranks.py DATA OUTPUT PARAMS [EPOCHS]`.

With EPOCHS it ends without a result after so many of them, its state saved. In double precision, so that nothing but a
real difference shows: batch-hard mining makes a jump of a difference in the last bit. Rank 0 writes the weights, the
losses and what it saw.
"""

import ast
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import torch

from reidops.training import ranks
from reidops.training.training import Trainer
from stages import train as stage
from stages.params.train import TrackletParams

data, output, values = Path(sys.argv[1]), Path(sys.argv[2]), ast.literal_eval(sys.argv[3])
tracklets = TrackletParams(**values["tracklets"]) if values["tracklets"] else None
params = stage.TrainParams(**values | {"tracklets": tracklets})
launched, save = ranks.launched, Trainer._save
num_saved = 0


def launched_in_double(processes: int, precision: str, **more: bool) -> AbstractContextManager:
    return launched(processes, "64-true", **more)


def save_and_stop(trainer: Trainer) -> None:
    global num_saved
    save(trainer)
    num_saved += 1
    if len(sys.argv) > 4 and num_saved == int(sys.argv[4]):
        sys.exit(0)


def write(network, trained, *_: object) -> None:
    torch.save({"weights": trained.weights, "losses": trained.history["loss"].tolist(), "num_saved": num_saved}, output)


if __name__ == "__main__":
    stage.launched, stage._write = launched_in_double, write
    Trainer._save = save_and_stop
    stage.train(data / "crops", data / "validation", data / "generated", data / "never", params)
