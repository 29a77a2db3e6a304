"""Train each network of torchreid for one epoch on real crops and export it: `python benchmarks/networks.py`.

python benchmarks/networks.py [--market ../shared/data/Market-1501-v15.09.15] [--people 16] [--crops 16]
[--output networks.md] [--only hacnn mlfn]

Every network starts from random weights and trains on crops of the first people of Market-1501's training part, in
batches of 4 people × 4 crops, with cross-entropy and batch-hard triplets. Then it is exported to ONNX, and its
embeddings of other people's crops by torch and by ONNX Runtime are compared. Images/s are per second of CPU time, so
that other work on the machine does not change them; with OMP_NUM_THREADS=1 they are those of one core. A network runs
in a process of its own. The table is written after each network, and networks that it has are not measured again;
delete the file to begin anew.
"""

import argparse
import json
import logging
import multiprocessing
import tempfile
import time
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from lightning_fabric import Fabric

from reidops.datasets.market1501 import SET
from reidops.embedding.embedder import Embedder, describe
from reidops.embedding.images import GrowingImages, ImageBatches, load_images
from reidops.embedding.network import EmbeddingNetwork
from reidops.memory import keep_freed_memory
from reidops.serving.onnx_embedder import OnnxEmbedder
from reidops.serving.onnx_export import export_onnx, measure_parity
from reidops.training.augmentation import Augmentation
from reidops.training.checkpoints import Checkpoints
from reidops.training.fitting import FitSettings, fit_network
from reidops.training.optimization import RateCurve
from reidops.training.sampling import IdentitySampler
from reidops.training.training import Loop, TrainingData

TOLERANCE = 1e-4
NUM_COMPARED = 28
HEADER = "| torchreid | here | parameters | embedding | input, px | images/s of a core | largest difference of ONNX |"
RULE = "|---|---|---|---|---|---|---|"


@dataclass(frozen=True)
class Listed:
    """A network of torchreid's list, its name here, and the options of `EmbeddingNetwork`; the size is in px."""

    backbone: str
    options: dict[str, Any] = field(default_factory=dict)
    size: tuple[int, int] = (256, 128)


_PCB = {"last_stride": 1, "whole": False, "embedding_dim": 256}

# The names are those of torchreid, the smallest networks first.
LISTED = {
    "osnet_x0_25": Listed("osnet_x0_25"),
    "osnet_ain_x0_25": Listed("osnet_ain_x0_25"),
    "shufflenet_v2_x0_5": Listed("shufflenetv2_x0_5"),
    "osnet_x0_5": Listed("osnet_x0_5"),
    "osnet_ain_x0_5": Listed("osnet_ain_x0_5"),
    "squeezenet1_1": Listed("squeezenet1_1"),
    "squeezenet1_0": Listed("squeezenet1_0"),
    "squeezenet1_0_fc512": Listed("squeezenet1_0", {"embedding_dim": 512}),
    "shufflenet_v2_x1_0": Listed("shufflenetv2_x1_0"),
    "shufflenet": Listed("shufflenet"),
    "osnet_x0_75": Listed("osnet_x0_75"),
    "osnet_ain_x0_75": Listed("osnet_ain_x0_75"),
    "osnet_x1_0": Listed("osnet_x1_0"),
    "osnet_ibn_x1_0": Listed("osnet_ibn_x1_0"),
    "osnet_ain_x1_0": Listed("osnet_ain_x1_0"),
    "mobilenetv2_x1_0": Listed("mobilenetv2_100"),
    "hacnn": Listed("hacnn", size=(160, 64)),
    "shufflenet_v2_x1_5": Listed("shufflenetv2_x1_5"),
    "mobilenetv2_x1_4": Listed("mobilenetv2_140"),
    "shufflenet_v2_x2_0": Listed("shufflenetv2_x2_0"),
    "nasnsetmobile": Listed("nasnetamobile"),
    "resnet18": Listed("resnet18"),
    "resnet34": Listed("resnet34"),
    "densenet121": Listed("densenet121"),
    "densenet121_fc512": Listed("densenet121", {"embedding_dim": 512}),
    "resnet50": Listed("resnet50"),
    "resnet50_fc512": Listed("resnet50", {"embedding_dim": 512, "last_stride": 1}),
    "resnet50_ibn_a": Listed("resnet50_ibn_a"),
    "resnet50_ibn_b": Listed("resnet50_ibn_b"),
    "se_resnet50": Listed("legacy_seresnet50"),
    "se_resnet50_fc512": Listed("legacy_seresnet50", {"embedding_dim": 512, "last_stride": 1}),
    "se_resnext50_32x4d": Listed("legacy_seresnext50_32x4d"),
    "resnext50_32x4d": Listed("resnext50_32x4d"),
    "pcb_p6": Listed("resnet50", {**_PCB, "parts": 6}),
    "pcb_p4": Listed("resnet50", {**_PCB, "parts": 4}),
    "resnet50mid": Listed("resnet50mid"),
    "mlfn": Listed("mlfn"),
    "xception": Listed("legacy_xception"),
    "densenet169": Listed("densenet169"),
    "densenet201": Listed("densenet201"),
    "densenet161": Listed("densenet161"),
    "inceptionv4": Listed("inception_v4"),
    "resnet101": Listed("resnet101"),
    "se_resnet101": Listed("legacy_seresnet101"),
    "se_resnext101_32x4d": Listed("legacy_seresnext101_32x4d"),
    "inceptionresnetv2": Listed("inception_resnet_v2"),
    "resnet152": Listed("resnet152"),
    "resnext101_32x8d": Listed("resnext101_32x8d"),
    "senet154": Listed("legacy_senet154"),
    "mudeep": Listed("mudeep"),
}


class Pictures:
    """Crops by their paths."""

    def __init__(self, paths: list[str]) -> None:
        self._paths = paths

    def decode(self, i: int) -> np.ndarray:
        """Return a crop, BGR uint8 [h, w, 3]."""
        return cv2.imread(self._paths[i])


def read_crops(settings: argparse.Namespace) -> tuple[Pictures, np.ndarray, Pictures]:
    """Return crops of the first people, their labels, and crops of the next people for the comparison."""
    crops, _ = SET.list_part(settings.market, "train", "")
    people = np.unique(crops["published_pid"])
    label = np.searchsorted(people, crops["published_pid"].to_numpy())
    rest = crops["file"][label >= settings.people].head(NUM_COMPARED).tolist()
    used = (label < settings.people) & (crops.groupby("published_pid").cumcount() < settings.crops).to_numpy()
    return Pictures(crops["file"][used].tolist()), label[used], Pictures(rest)


def build(listed: Listed) -> EmbeddingNetwork:
    """Return a network with random weights of seed 0."""
    torch.manual_seed(0)
    height, width = listed.size
    return EmbeddingNetwork(listed.backbone, height=height, width=width, **listed.options)


def train(network: EmbeddingNetwork, listed: Listed, crops: Pictures, labels: np.ndarray) -> float:
    """Train one epoch, load the trained weights, and return the images per second of CPU time."""
    images = GrowingImages(partial(ImageBatches, crops, np.arange(len(labels))), listed.size)
    augmentation = Augmentation(flip=0.5, pad=0.04, jitter=0.2, erasing=0.5, mean=network.mean, std=network.std)
    data = TrainingData(images, labels, IdentitySampler(labels, 4, 4, seed=0), augmentation, None)
    losses = {"cross-entropy": 1.0, "triplet": 1.0}
    settings = FitSettings(1, losses, 3e-4, 5e-4, RateCurve(warmup_epochs=0), Loop(clip=5.0))
    fabric = Fabric(accelerator="cpu", devices=1, precision="32-true")
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        trained = fit_network(network, data, settings, fabric=fabric, checkpoints=Checkpoints(Path(folder), {}))
        seconds = time.process_time() - started
    network.load_state_dict(trained.weights)
    return len(data.sampler) * 16 / seconds


def compare(network: EmbeddingNetwork, listed: Listed, crops: Pictures) -> float:
    """Export the network and return the largest difference of an embedding's values."""
    height, width = listed.size
    shape = {"height": height, "width": width, "num_classes": 0}
    settings = {"embedding_dim": 0, "last_stride": 2} | listed.options
    kept = {name: settings[name] for name in ("embedding_dim", "last_stride")}
    description = describe(network, backbone=listed.backbone, pooling="avg", **kept, **shape)
    with tempfile.TemporaryDirectory() as folder:
        Embedder(network, description).save(Path(folder))
        embedder = Embedder.load(folder)
        export_onnx(embedder, Path(folder) / "model.onnx")
        embedder.description.write(Path(folder) / "embedder.json")
        images = load_images(crops, range(NUM_COMPARED), height, width)
        return measure_parity(embedder, OnnxEmbedder.load(Path(folder)), images, TOLERANCE).max_abs_difference


def measure(name: str, settings: argparse.Namespace, answer: Connection) -> None:
    """Send the row of a network."""
    listed = LISTED[name]
    crops, labels, others = read_crops(settings)
    network = build(listed)
    rate = train(network, listed, crops, labels)
    difference = compare(network, listed, others)
    num_parameters = sum(values.numel() for values in network.backbone.parameters())
    changes = ", ".join(f"{option}: {json.dumps(value)}" for option, value in listed.options.items())
    here = f"`{listed.backbone}`" + (f", {changes}" if changes else "")
    size = f"{listed.size[0]} × {listed.size[1]}"
    answer.send(f"| {name} | {here} | {num_parameters:,} | {network.dim:,} | {size} | {rate:.1f} | {difference:.1e} |")


def measured_rows(path: Path) -> dict[str, str]:
    """Return the rows of a table by the names of torchreid."""
    lines = path.read_text().splitlines() if path.is_file() else []
    return {line.split("|")[1].strip(): line for line in lines if line.startswith("| ") and line != HEADER}


def write_rows(path: Path, rows: dict[str, str]) -> None:
    """Write the table in the order of `LISTED`."""
    lines = [rows[name] for name in LISTED if name in rows]
    path.write_text("\n".join([HEADER, RULE, *lines]) + "\n")


def measure_apart(name: str, settings: argparse.Namespace) -> str:
    """Return the row of a network that is measured in a process of its own; a failure is a row, too."""
    fork = multiprocessing.get_context("fork")  # the imports of this process are not repeated
    receiver, sender = fork.Pipe(duplex=False)
    process = fork.Process(target=measure, args=(name, settings, sender))
    process.start()
    sender.close()
    try:
        fault = f"not finished in {settings.timeout:g} s"
        if receiver.poll(settings.timeout):
            fault = "failed, see the error stream"
            return receiver.recv()
    except EOFError:
        pass
    finally:
        process.kill()
        process.join()
    return f"| {name} | `{LISTED[name].backbone}` | {fault} | | | | |"


def main() -> None:
    """Print and write one row per network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = Path(__file__).resolve().parents[2] / "shared" / "data"
    parser.add_argument("--market", type=Path, default=shared / "Market-1501-v15.09.15", help="the published folder")
    parser.add_argument("--people", type=int, default=16, help="people who train")
    parser.add_argument("--crops", type=int, default=16, help="most crops of each")
    parser.add_argument("--output", type=Path, default=Path("networks.md"), help="the table")
    parser.add_argument("--only", nargs="+", choices=LISTED, default=list(LISTED), help="names of torchreid")
    parser.add_argument("--timeout", type=float, default=1800, help="longest time of a network, s")
    settings = parser.parse_args()
    logging.disable(logging.INFO)
    keep_freed_memory()
    rows = measured_rows(settings.output)
    print(f"{HEADER}\n{RULE}")
    for name in settings.only:
        if name not in rows:
            rows[name] = measure_apart(name, settings)
            write_rows(settings.output, rows)
        print(rows[name], flush=True)


if __name__ == "__main__":
    main()
