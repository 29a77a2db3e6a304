"""Compare the throughput of the training loop with that of the model alone: `python benchmarks/training.py`.

python benchmarks/training.py [--crops data/crops] [--backbone mobilenetv4_conv_small] [--precision 32-true] [--seconds
15] python benchmarks/training.py --decoders

All arms train the same network on batches of the same size, one after the other in one process, on all threads.

- model alone: forward, losses, backward and update on one prepared batch.
- loop: `reidops.training.training.Trainer`, from crops.tar to the checkpoint of each epoch, without the first epoch.
- per sample: the method of torchreid: each crop is opened, resized, flipped, cropped, converted to a tensor, normalized
  and erased by torchvision transforms in worker processes, and the triplet loss is a loop over anchors.

With --decoders: crops/s of one thread, from the bytes of a JPEG to BGR or RGB pixels.
"""

import argparse
import io
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from reidops.embedding.images import CropStore, GrowingImages, ImageBatches
from reidops.embedding.network import EmbeddingNetwork, TrainingNetwork
from reidops.memory import keep_freed_memory
from reidops.tables import CROPS, read_table
from reidops.training.augmentation import Augmentation
from reidops.training.checkpoints import Checkpoints
from reidops.training.losses import BranchLosses, build_losses
from reidops.training.optimization import RateCurve, build_optimizer, build_schedule
from reidops.training.sampling import IdentitySampler
from reidops.training.training import Loop, Trainer, TrainingData

LOSSES = {"cross-entropy": 1.0, "triplet": 1.0}
MARGIN = 0.3


class Enough(Exception):
    """Raised when the time of an arm is over."""


@dataclass(frozen=True)
class Bench:
    """The data and settings of all arms: crops, and the training rows with their labels 0 …."""

    tar: Path
    table: pd.DataFrame
    rows: np.ndarray
    labels: np.ndarray
    settings: argparse.Namespace

    @property
    def num_people(self) -> int:
        return int(self.labels.max()) + 1

    def sampler(self) -> IdentitySampler:
        return IdentitySampler(self.labels, self.settings.people, self.settings.crops_each, seed=0)

    def network(self) -> TrainingNetwork:
        torch.manual_seed(0)
        return TrainingNetwork(EmbeddingNetwork(self.settings.backbone, last_stride=1), self.num_people)

    def fabric(self) -> Fabric:
        return Fabric(accelerator="auto", devices=1, precision=self.settings.precision)


def model_alone(bench: Bench) -> float:
    """Return the images/s of the model on a prepared batch."""
    fabric, network = bench.fabric(), bench.network()
    losses = BranchLosses([build_losses(LOSSES, num_people=bench.num_people, dim=network.embedding.dim)])
    model, optimizer = _set_up(fabric, network)
    labels = torch.from_numpy(bench.labels[next(iter(bench.sampler()))]).to(fabric.device)
    inputs = torch.randn(len(labels), 3, bench.settings.height, bench.settings.width, device=fabric.device)
    inputs = inputs.contiguous(memory_format=torch.channels_last)

    def step() -> None:
        features, logits, embeddings = model(inputs)
        optimizer.zero_grad()
        fabric.backward(losses(features, logits, labels, embeddings)[0])
        optimizer.step()

    return images_per_second(step, len(labels), bench.settings.seconds)


def loop(bench: Bench) -> float:
    """Return the images/s of the whole loop, including checkpoints."""
    settings, network, sampler = bench.settings, bench.network(), bench.sampler()
    store = CropStore(bench.tar, bench.table)
    augmentation = Augmentation(
        flip=0.5, pad=0.04, jitter=0.2, erasing=0.5, mean=network.embedding.mean, std=network.embedding.std
    )
    images = GrowingImages(partial(ImageBatches, store, bench.rows), (settings.height, settings.width))
    losses = BranchLosses([build_losses(LOSSES, num_people=bench.num_people, dim=network.embedding.dim)])
    optimizer = build_optimizer(network, "adam", 3e-4, 5e-4, losses=losses)
    schedule = build_schedule(optimizer, RateCurve(), 10_000, len(sampler))
    ends: list[float] = []

    def note(epoch: int, figures: dict[str, float]) -> None:
        ends.append(time.perf_counter())
        if ends[-1] - ends[0] > settings.seconds:
            raise Enough

    with tempfile.TemporaryDirectory() as folder:
        data = TrainingData(images, bench.labels, sampler, augmentation, None)
        trainer = Trainer(
            network,
            losses,
            optimizer,
            schedule,
            data,
            fabric=bench.fabric(),
            checkpoints=Checkpoints(Path(folder), {}),
            loop=Loop(ema_decay=0.99),
            on_epoch=note,
        )
        try:
            trainer.fit(10_000)
        except Enough:
            pass
    num_images = (len(ends) - 1) * len(sampler) * settings.people * settings.crops_each
    return num_images / (ends[-1] - ends[0])


class CropByCrop(Dataset):
    """A data set of single crops with a chain of transforms."""

    def __init__(self, bench: Bench) -> None:
        self._files = np.memmap(bench.tar, np.uint8, "r")
        self._places = bench.table.loc[bench.rows, ["offset", "size"]].to_numpy()
        self._labels = bench.labels
        height, width = bench.settings.height, bench.settings.width
        self._chain = transforms.Compose(
            [
                transforms.Resize((height, width)),
                transforms.RandomHorizontalFlip(),
                transforms.Pad(round(0.04 * height)),
                transforms.RandomCrop((height, width)),
                transforms.ToTensor(),
                transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
                transforms.RandomErasing(0.5),
            ]
        )

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        offset, size = self._places[i]
        image = Image.open(io.BytesIO(self._files[offset : offset + size].tobytes())).convert("RGB")
        return self._chain(image), int(self._labels[i])


class EpochsWithoutEnd:
    """The sampler's batches of successive epochs, for a DataLoader."""

    def __init__(self, sampler: IdentitySampler) -> None:
        self._sampler = sampler

    def __iter__(self) -> Iterator[list[int]]:
        while True:
            yield from (batch.tolist() for batch in self._sampler)
            self._sampler.epoch += 1


def triplet_anchor_by_anchor(features: Tensor, labels: Tensor) -> Tensor:
    """Return the batch-hard triplet loss, computed in a loop over anchors."""
    distances = torch.cdist(features.float(), features.float())
    farthest, nearest = [], []
    for i in range(len(labels)):
        same = labels == labels[i]
        farthest.append(distances[i][same].max())
        nearest.append(distances[i][~same].min())
    ones = torch.ones(len(labels), device=features.device)
    return functional.margin_ranking_loss(torch.stack(nearest), torch.stack(farthest), ones, margin=MARGIN)


def per_sample(bench: Bench) -> float:
    """Return the images/s of a training by the method of torchreid."""
    fabric = bench.fabric()
    model, optimizer = _set_up(fabric, bench.network())
    cross_entropy = nn.CrossEntropyLoss(label_smoothing=0.1)
    batches = iter(
        DataLoader(
            CropByCrop(bench), batch_sampler=EpochsWithoutEnd(bench.sampler()), num_workers=bench.settings.workers
        )
    )

    def step() -> None:
        inputs, labels = (values.to(fabric.device) for values in next(batches))
        features, logits, _ = model(inputs)  # of one branch, the whole
        loss = cross_entropy(logits[:, 0], labels) + triplet_anchor_by_anchor(features[:, 0], labels)
        optimizer.zero_grad()
        fabric.backward(loss)
        optimizer.step()
        loss.item()  # for the meters

    return images_per_second(step, bench.settings.people * bench.settings.crops_each, bench.settings.seconds)


def _set_up(fabric: Fabric, network: TrainingNetwork) -> tuple[nn.Module, Optimizer]:
    optimizer = build_optimizer(network, "adam", 3e-4, 5e-4)
    network.to(fabric.device, memory_format=torch.channels_last).train()
    return fabric.setup(network, optimizer)


def images_per_second(step: Callable[[], None], batch_size: int, seconds: float) -> float:
    """Return the images/s of a step, without the first three steps."""
    for _ in range(3):
        step()
    _wait()
    started, num_steps = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        step()
        num_steps += 1
    _wait()
    return num_steps * batch_size / (time.perf_counter() - started)


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def measure_decoders(bench: Bench) -> None:
    """Print crops/s of each decoder that is installed."""
    encoded = [
        np.asarray(CropByCrop(bench)._files[o : o + s])
        for o, s in bench.table.loc[bench.rows, ["offset", "size"]].to_numpy()[:512]
    ]
    for name, decode in decoders().items():
        rate = images_per_second(
            lambda decode=decode: [decode(data) for data in encoded], len(encoded), bench.settings.seconds
        )
        print(f"{name:<28}{rate:>10,.0f} crops/s")


def decoders() -> dict[str, Callable[[np.ndarray], object]]:
    """Return the decoders by name; simplejpeg only if it is installed."""
    from torchvision.io import ImageReadMode, decode_jpeg

    cv2.setNumThreads(1)
    known: dict[str, Callable[[np.ndarray], object]] = {
        "OpenCV": lambda data: cv2.imdecode(data, cv2.IMREAD_COLOR),
        "torchvision.io": lambda data: decode_jpeg(torch.from_numpy(data.copy()), mode=ImageReadMode.RGB),
        "Pillow": lambda data: np.asarray(Image.open(io.BytesIO(data.tobytes())).convert("RGB")),
    }
    try:
        import simplejpeg
    except ImportError:
        return known
    return known | {"simplejpeg": lambda data: simplejpeg.decode_jpeg(data.tobytes(), "BGR")}


def read_bench(settings: argparse.Namespace, scratch: Path) -> Bench:
    """Read the given crops, or generate some."""
    folder = settings.crops or draw_crops(scratch)
    table = read_table(folder / "crops.parquet", CROPS) if settings.crops else pd.read_parquet(folder / "crops.parquet")
    rows = table.index[table["split"] == "train"].to_numpy()
    return Bench(folder / "crops.tar", table, rows, pd.factorize(table["pid"].to_numpy()[rows], sort=True)[0], settings)


def draw_crops(folder: Path, num_people: int = 64, crops_each: int = 16) -> Path:
    """Write crops of Market-1501's size, 128 × 64 px: blurred noise, which compresses like pictures."""
    rng, rows = np.random.default_rng(0), []
    with tarfile.open(folder / "crops.tar", "w") as tar:
        for pid in np.repeat(np.arange(num_people), crops_each):
            crop = cv2.GaussianBlur(rng.integers(0, 256, (128, 64, 3), np.uint8), (0, 0), 1.5)
            encoded = cv2.imencode(".jpg", crop)[1].tobytes()
            member = tarfile.TarInfo(f"imgs/{pid:04d}/{len(rows):06d}.jpg")
            member.size = len(encoded)
            rows.append(
                {
                    "path": member.name,
                    "offset": tar.offset + tarfile.BLOCKSIZE,
                    "size": member.size,
                    "pid": pid,
                    "split": "train",
                }
            )
            tar.addfile(member, io.BytesIO(encoded))
    pd.DataFrame(rows).to_parquet(folder / "crops.parquet")
    return folder


def main() -> None:
    """Print one row per arm."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crops", type=Path, help="a folder with crops.tar and crops.parquet; else crops are drawn")
    parser.add_argument("--backbone", default="mobilenetv4_conv_small")
    parser.add_argument("--height", type=int, default=128, help="px")
    parser.add_argument("--width", type=int, default=64, help="px")
    parser.add_argument("--people", type=int, default=16, help="P")
    parser.add_argument("--crops-each", type=int, default=4, help="K")
    parser.add_argument("--precision", default="32-true")
    parser.add_argument(
        "--workers", type=int, default=4, help="processes of the per-sample arm; torchreid's default is 4"
    )
    parser.add_argument("--seconds", type=float, default=15, help="of each arm")
    parser.add_argument("--rounds", type=int, default=1, help="the best of so many")
    parser.add_argument("--decoders", action="store_true")
    settings = parser.parse_args()
    keep_freed_memory()  # as the stage does, for every arm
    with tempfile.TemporaryDirectory() as scratch:
        bench = read_bench(settings, Path(scratch))
        if settings.decoders:
            measure_decoders(bench)
        else:
            measure_loop(bench)


def measure_loop(bench: Bench) -> None:
    """Print images/s of the three arms and the two ratios."""
    s = bench.settings
    where = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{torch.get_num_threads()} threads"
    print(
        f"{s.backbone}, {s.height} × {s.width}, batch {s.people} × {s.crops_each}, {s.precision}, {where}, torch "
        f"{torch.__version__}"
    )
    rates: dict[str, float] = {}
    for _ in range(s.rounds):
        for arm in (model_alone, loop, per_sample):
            rates[arm.__name__] = max(rates.get(arm.__name__, 0), arm(bench))
    for name, rate in rates.items():
        print(f"{name.replace('_', ' '):<28}{rate:>10,.1f} images/s")
    print(f"{'loop / model alone':<28}{rates['loop'] / rates['model_alone']:>10.3f}")
    print(f"{'loop / per sample':<28}{rates['loop'] / rates['per_sample']:>10.2f}")


if __name__ == "__main__":
    main()
