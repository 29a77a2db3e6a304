"""mot2reid's order of work, written plainly after its description: line by line, the frame decoded for every box.

Its faults are kept: the flag is ignored, a box outside the frame gives a strip of the border, labels of val begin at 0
again.
"""

import math
import random
from dataclasses import dataclass
from pathlib import Path

import cv2


@dataclass(frozen=True)
class Options:
    """mot2reid's options and their defaults."""

    val_split: float = 0.2
    vis_threshold: float = 0.3
    min_per_person: int = 8
    max_per_person: int = 1000


def convert(dataset: Path, output: Path, options: Options, sequences: tuple[str, ...] = ()) -> None:
    """Write `output/imgs` and `output/meta` from `dataset/train`, or from the sequences that are named."""
    for folder in sorted((dataset / "train").iterdir()):
        is_wanted = "MOT17" not in str(dataset) or "FRCNN" in folder.name
        if is_wanted and (not sequences or folder.name in sequences):
            cut_sequence(folder, output / "imgs", options.vis_threshold, is_mot15="MOT15" in str(dataset))
    write_meta(output, options)


def cut_sequence(folder: Path, imgs: Path, vis_threshold: float, *, is_mot15: bool) -> None:
    counts: dict[int, int] = {}
    for line in (folder / "gt" / "gt.txt").read_text().splitlines():
        fields = [float(field) for field in line.split(",")]
        frame, person, left, top, width, height = fields[:6]
        class_id, visibility = (1, 1.0) if is_mot15 else fields[7:9]
        if class_id != 1 or visibility < vis_threshold:
            continue
        image = cv2.imread(str(folder / "img1" / f"{int(frame):06d}.jpg"))
        right_most, bottom_most = image.shape[1] - 1, image.shape[0] - 1
        x1, x2 = (min(max(int(x), 0), right_most) for x in (left, left + width))
        y1, y2 = (min(max(int(y), 0), bottom_most) for y in (top, top + height))
        number = counts[int(person)] = counts.get(int(person), -1) + 1
        path = imgs / f"{folder.name}_{int(person):06d}" / f"{number:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), image[y1 : y2 + 1, x1 : x2 + 1])


def write_meta(output: Path, options: Options) -> None:
    people = sorted(path.name for path in (output / "imgs").iterdir())
    num_train = int(len(people) * (1 - options.val_split))
    train, val = (list_people(output, names, options) for names in (people[:num_train], people[num_train:]))
    (output / "meta").mkdir()
    percent = math.floor(100 * options.val_split + 0.5)
    for name, lines in ((f"train_{100 - percent}", train), (f"val_{percent}", val), ("train", train + val)):
        (output / "meta" / f"{name}.txt").write_text("".join(line + "\n" for line in lines))


def list_people(output: Path, people: list[str], options: Options) -> list[str]:
    sample = random.Random(0)
    lines, label = [], 0
    for person in people:
        crops = [path.name for path in (output / "imgs" / person).iterdir()]  # unsorted, as there
        if len(crops) < options.min_per_person:
            continue
        if len(crops) > options.max_per_person:
            crops = sample.sample(crops, options.max_per_person)
        lines += [f"{person}/{crop} {label}" for crop in crops]
        label += 1
    return lines
