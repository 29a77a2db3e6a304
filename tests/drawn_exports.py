"""Draw a small export of each annotation tool and data set: the same people, in the tool's own layout."""

import json
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from mot_factory import draw_frame, person_box
from pycocotools import mask as coco_masks

WIDTH, HEIGHT = 160, 96


@dataclass(frozen=True)
class People:
    """The people of an export: each is in every frame."""

    num: int = 3
    num_frames: int = 6

    @cached_property
    def boxes(self) -> dict[tuple[int, int], tuple[int, int, int, int]]:
        """Return left, top, width, height, 1-based px, by frame and person, both from 1."""
        frames, people = range(1, self.num_frames + 1), range(1, self.num + 1)
        return {(f, p): person_box(p, f, WIDTH, HEIGHT) for f in frames for p in people}


FEW = People()


def write_frames(folder: Path, people: People, name: str = "{:06d}.jpg", first: int = 1, *, video: str = "") -> None:
    """Write a picture per frame; the pictures of each `video` differ."""
    folder.mkdir(parents=True, exist_ok=True)
    for frame in range(1, people.num_frames + 1):
        boxes = {p: people.boxes[frame, p] for p in range(1, people.num + 1)}
        picture = draw_frame(boxes, WIDTH, HEIGHT, seed=zlib.crc32(f"{video} {frame}".encode()))
        cv2.imwrite(str(folder / name.format(frame - 1 + first)), picture)


def visdrone(root: Path, name: str, people: People = FEW) -> None:
    write_frames(root / "sequences" / name, people, "{:07d}.jpg", video=name)
    (root / "annotations").mkdir(exist_ok=True)
    lines = [f"{f},{p},{x},{y},{w},{h},1,1,0,0" for (f, p), (x, y, w, h) in people.boxes.items()]
    lines += ["1,90,5,5,40,40,0,0,0,0", "1,91,5,5,40,40,0,0,0,0", "2,92,9,9,20,30,1,4,1,2"]
    (root / "annotations" / f"{name}.txt").write_text("\n".join(lines) + "\n")


def uavdt(root: Path, name: str, people: People = FEW) -> None:
    """UAVDT's published folders; people are drawn in place of its vehicles, and id 90 is a truck."""
    write_frames(root / "UAV-benchmark-M" / name, people, "img{:06d}.jpg", video=name)
    labels = root / "UAV-benchmark-MOTD_v1.0" / "GT"
    labels.mkdir(parents=True, exist_ok=True)
    lines = [f"{f},{p},{x},{y},{w},{h},1,{p},1" for (f, p), (x, y, w, h) in people.boxes.items()]
    (labels / f"{name}_gt_whole.txt").write_text("\n".join([*lines, "2,90,9,9,20,30,3,1,2"]) + "\n")
    (labels / f"{name}_gt.txt").write_text("".join(f"{line.rsplit(',', 3)[0]},1,1,-1\n" for line in lines))


def kitti(root: Path, name: str, people: People = FEW) -> None:
    write_frames(root / "training" / "image_02" / name, people, "{:06d}.png", first=0, video=name)
    (root / "training" / "label_02").mkdir(parents=True, exist_ok=True)
    lines = [
        f"{f - 1} {p} Pedestrian 0 0 -1.5 {x - 1} {y - 1} {x - 1 + w} {y - 1 + h} 1.7 0.5 0.5 1 1 1 0"
        for (f, p), (x, y, w, h) in people.boxes.items()
    ]
    lines += ["0 -1 DontCare -1 -1 -10 5 5 20 20 -1 -1 -1 -1 -1 -1 -1"] * 2 + [
        "1 9 Car 0 0 -1.5 5 5 40 30 1.7 0.5 0.5 1 1 1 0"
    ]
    (root / "training" / "label_02" / f"{name}.txt").write_text("\n".join(lines) + "\n")


def cvat(root: Path, name: str, people: People = FEW) -> None:
    folder = root / "train" / name
    write_frames(folder / "images", people, "frame_{:06d}.PNG", first=0, video=name)
    tracks = []
    for p in range(1, people.num + 1):
        boxes = "".join(
            f'<box frame="{f - 1}" outside="0" occluded="0" keyframe="1" xtl="{x - 1}" ytl="{y - 1}" '
            f'xbr="{x - 1 + w}" ybr="{y - 1 + h}" z_order="0"></box>'
            for f in range(1, people.num_frames + 1)
            for x, y, w, h in [people.boxes[f, p]]
        )
        tracks.append(f'<track id="{p}" label="person" source="manual">{boxes}</track>')
    tracks.append('<track id="50" label="car"><box frame="0" outside="0" xtl="1" ytl="1" xbr="30" ybr="20"/></track>')
    (folder / "annotations.xml").write_text(f"<annotations><version>1.1</version>{''.join(tracks)}</annotations>")


def coco(root: Path, name: str, people: People = FEW) -> None:
    folder = root / "train" / name
    write_frames(folder / "img1", people, "cam7_{:04d}.jpg", first=100, video=name)
    images = [{"id": f, "file_name": f"img1/cam7_{99 + f:04d}.jpg"} for f in range(1, people.num_frames + 1)]
    boxes = [
        {"id": k, "image_id": f, "bbox": [x - 1, y - 1, w, h], "category_id": 0, "attributes": {"track_id": p}}
        for k, ((f, p), (x, y, w, h)) in enumerate(people.boxes.items())
    ]
    boxes.append({"id": 900, "image_id": 1, "bbox": [0, 0, 50, 50], "category_id": 0, "iscrowd": 1})
    boxes.append({"id": 901, "image_id": 1, "bbox": [0, 0, 50, 50], "category_id": 2, "track_id": 70})
    content = {
        "images": images,
        "annotations": boxes,
        "categories": [{"id": 0, "name": "Person"}, {"id": 2, "name": "car"}],
    }
    (folder / "annotations.json").write_text(json.dumps(content))


def label_studio(root: Path, name: str, people: People = FEW) -> None:
    folder = root / "train" / name
    write_frames(folder, people, video=name)
    results = []
    for p in range(1, people.num + 1):
        keys = [
            {
                "frame": f,
                "enabled": True,
                "x": 100 * (x - 1) / WIDTH,
                "y": 100 * (y - 1) / HEIGHT,
                "width": 100 * w / WIDTH,
                "height": 100 * h / HEIGHT,
            }
            for f in range(1, people.num_frames + 1)
            for x, y, w, h in [people.boxes[f, p]]
        ]
        results.append(
            {
                "type": "videorectangle",
                "value": {"sequence": keys, "labels": ["Person"], "framesCount": people.num_frames},
            }
        )
    (folder / "annotations.json").write_text(json.dumps([{"id": 1, "annotations": [{"result": results}]}]))


def bdd100k(root: Path, name: str, people: People = FEW) -> None:
    """BDD100K's published folders; `two` is a video of val."""
    part = "val" if name == "two" else "train"
    write_frames(root / "images" / "track" / part / name, people, name + "-{:07d}.jpg", video=name)
    frames = []
    for f in range(1, people.num_frames + 1):
        boxes = {p: people.boxes[f, p] for p in range(1, people.num + 1)}
        labels = [
            {
                "id": f"{p:08d}",
                "category": "pedestrian",
                "attributes": {"occluded": False, "crowd": False},
                "box2d": {"x1": x - 1, "y1": y - 1, "x2": x - 1 + w, "y2": y - 1 + h},
            }
            for p, (x, y, w, h) in boxes.items()
        ]
        labels.append({"id": "90", "category": "car", "box2d": {"x1": 5, "y1": 5, "x2": 40, "y2": 30}})
        frames.append({"name": f"{name}-{f:07d}.jpg", "videoName": name, "frameIndex": f - 1, "labels": labels})
    labels_dir = root / "labels" / "box_track_20" / part
    labels_dir.mkdir(parents=True, exist_ok=True)
    (labels_dir / f"{name}.json").write_text(json.dumps(frames))


def personpath22(root: Path, name: str, people: People = FEW) -> None:
    write_frames(root / "frame_data" / name, people, video=name)
    entities = [
        {"id": p, "bb": [x - 1, y - 1, w, h], "labels": {"person": 1}, "blob": {"frame_idx": f - 1}, "confidence": 1}
        for (f, p), (x, y, w, h) in people.boxes.items()
    ]
    entities.append({"id": 90, "bb": [5, 5, 40, 30], "labels": {"crowd": 1}, "blob": {"frame_idx": 2}})
    content = {
        "id": f"{name}.mp4",
        "metadata": {"fps": 25, "number_of_frames": people.num_frames},
        "entities": entities,
    }
    folder = root / "annotation" / "anno_visible_2022"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.mp4.json").write_text(json.dumps(content))


def labels_with_ids(root: Path, name: str, people: People = FEW) -> None:
    """JDE's layout, with seqinfo.ini beside img1 as in its MOT17, and a person without identity."""
    write_frames(root / "images" / "train" / name / "img1", people, video=name)
    labels = root / "labels_with_ids" / "train" / name / "img1"
    labels.mkdir(parents=True)
    info = f"[Sequence]\nframeRate=30\nseqLength={people.num_frames}\nimWidth={WIDTH}\nimHeight={HEIGHT}\n"
    (root / "images" / "train" / name / "seqinfo.ini").write_text(info)
    for f in range(1, people.num_frames + 1):
        lines = ["0 -1 0.5 0.5 0.1 0.2"]
        for p in range(1, people.num + 1):
            x, y, w, h = people.boxes[f, p]
            box = ((x - 1 + w / 2) / WIDTH, (y - 1 + h / 2) / HEIGHT, w / WIDTH, h / HEIGHT)
            lines.append(f"0 {p} " + " ".join(f"{side:.9f}" for side in box))
        (labels / f"{f:06d}.txt").write_text("\n".join(lines) + "\n")


def mask_code(x: int, y: int, w: int, h: int) -> str:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8, order="F")
    mask[y - 1 : y - 1 + h, x - 1 : x - 1 + w] = 1
    return coco_masks.encode(mask)["counts"].decode()


def mots(root: Path, name: str, people: People = FEW) -> None:
    """MOTS20: gt.txt with masks beside seqinfo.ini."""
    folder = root / "train" / name
    write_frames(folder / "img1", people, video=name)
    (folder / "gt").mkdir()
    lines = [f"{f} {p} 2 {HEIGHT} {WIDTH} {mask_code(*box)}" for (f, p), box in people.boxes.items()]
    lines += [f"1 10000 10 {HEIGHT} {WIDTH} {mask_code(1, 1, 30, 30)}"]
    (folder / "gt" / "gt.txt").write_text("\n".join(lines) + "\n")
    info = f"[Sequence]\nimDir=img1\nframeRate=30\nseqLength={people.num_frames}\nimWidth={WIDTH}\nimHeight={HEIGHT}\n"
    (folder / "seqinfo.ini").write_text(info)


def kitti_mots(root: Path, name: str, people: People = FEW) -> None:
    write_frames(root / "training" / "image_02" / name, people, "{:06d}.png", first=0, video=name)
    (root / "instances_txt").mkdir(exist_ok=True)
    lines = [f"{f - 1} {p} 2 {HEIGHT} {WIDTH} {mask_code(*box)}" for (f, p), box in people.boxes.items()]
    (root / "instances_txt" / f"{name}.txt").write_text("\n".join(lines) + "\n")


def bare_mot(root: Path, name: str, people: People = FEW) -> None:
    """CVAT's "MOT 1.1": gt/gt.txt and img1 without a seqinfo.ini."""
    folder = root / "train" / name
    write_frames(folder / "img1", people, video=name)
    (folder / "gt").mkdir()
    lines = [f"{f},{p},{x},{y},{w},{h},1,1,1.0" for (f, p), (x, y, w, h) in people.boxes.items()]
    (folder / "gt" / "gt.txt").write_text("\n".join(lines) + "\n")


def own_columns(root: Path, name: str, people: People = FEW) -> None:
    """Corners, frames from 0 and class 0 = person, which params say."""
    folder = root / "train" / name
    write_frames(folder / "img1", people, first=0, video=name)
    (folder / "gt").mkdir()
    lines = [f"{f - 1},{x},{y},{x + w},{y + h},0,{p}" for (f, p), (x, y, w, h) in people.boxes.items()]
    lines.append("0,10,10,30,30,2,77")
    (folder / "gt" / "gt.txt").write_text("\n".join(lines) + "\n")
