"""A small finished result: all files that the stage `register` reads, with a network of one matrix product."""

import json
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

from reidops.embedding.description import EmbedderDescription, golden_crop, golden_values
from reidops.embedding.resizing import resize_crops
from reidops.files import sha256
from reidops.tables import CROPS, write_table
from reidops.tracking.evaluation.rivals import write_windows
from reidops.tracking.evaluation.windows import FrameTables

HEIGHT, WIDTH, DIM = 16, 8, 6
RANDOM_IDF1 = 0.2
SEQUENCES = ("SYN-05-FRCNN", "SYN-06-FRCNN")
SETTINGS = """\
download: {train: [synthetic], local: null}
train: {backbone: matrix, epochs: 2}
embed: {nms: 0.7, batch_size: 64}
evaluate_tracking: {max_age: 30, min_confidence: 0.3}
"""


def write_result(
    root: Path, *, seed: int = 0, idf1: float = 0.7, control: float = 0.6, settings: str = SETTINGS
) -> Path:
    """Write params.yaml and data/ of a run with weights of `seed` and the given IDF1 into `root`, and return data/."""
    data = root / "data"
    (root / "params.yaml").parent.mkdir(parents=True, exist_ok=True)
    (root / "params.yaml").write_text(settings)
    _write_raw(data / "raw")
    _write_model(data, np.random.default_rng(seed).normal(size=(HEIGHT * WIDTH * 3, DIM)).astype(np.float32))
    _write(data / "crops" / "report.json", {"num_crops": 40})
    _write_crops(data / "crops" / "crops.parquet")
    _write(
        data / "validation" / "report.json", {"passed": True, "errors": [], "warnings": [], "counts": {"num_people": 9}}
    )
    _write_text(data / "validation" / "docs" / "index.html", "<p>Data Docs</p>")
    _write_text(data / "validation" / "contact_sheet.jpg", "a picture")
    scores = {"mAP": 0.61, "mINP": 0.4, "rank1": 0.8, "rank5": 0.9, "rank10": 0.95, "num_query": 30, "num_gallery": 50}
    _write(
        data / "reid" / "metrics.json", {"synthetic": scores, "colour_histogram": {**scores, "mAP": 0.2, "rank1": 0.3}}
    )
    _write(
        data / "reid" / "calibration.json",
        {
            "eer": 0.05,
            "eer_threshold": 0.31,
            "gates": {"cosine": 0.3},
            "by": {"visibility": [{"at_least": 0.3, "eer": 0.265}, {"at_least": 0.9, "eer": 0.049}]},
        },
    )
    _write_text(data / "reid" / "distances.png", "a picture")
    _write_tracking(data / "tracking", idf1, control)
    of_seeds = {"tracking/IDF1": {"values": [idf1], "mean": idf1, "std": None}}
    _write(data / "seeds" / "spread.json", {"num": 1, "seeds": [0], "figures": of_seeds})
    return data


def _write_raw(raw: Path) -> None:
    rows = [f"track,synthetic,mot,synthetic/train/{name},{name},{name[4:6]},1,150" for name in SEQUENCES]
    rows.append("train,synthetic,mot,synthetic/train/SYN-01-FRCNN,SYN-01-FRCNN,01,1,150")
    _write_text(
        raw / "parts.csv",
        "\n".join(
            ["part,dataset,layout,folder,sequence,scene,first_frame,last_frame,protocol", *(f"{row}," for row in rows)]
        )
        + "\n",
    )
    _write(
        raw / "inventory.json",
        {"synthetic": {"source": "drawn", "num_files": 900, "num_bytes": 12345, "digest": "d" * 64}},
    )
    for name in SEQUENCES:
        _write_text(raw / "synthetic" / "train" / name / "gt" / "gt.txt", f"1,1,10,10,20,40,1,1,1 {name}\n")
        _write_text(raw.parent / "detections" / f"{name}.txt", f"1,-1,10,10,20,40,0.9 {name}\n")


def _write_crops(path: Path) -> None:
    """Write two people, each with a query and a gallery crop; the pictures themselves are not written."""
    rows = [(person, split) for person in (0, 1) for split in ("query", "gallery")]
    table = pd.DataFrame(
        {
            "path": [f"imgs/SYN-05-FRCNN_{person:06d}/{number:06d}.jpg" for number, (person, _) in enumerate(rows)],
            "dataset": "synthetic",
            "pid": [person for person, _ in rows],
            "scene": "05",
            "split": [split for _, split in rows],
            "visibility": 1.0,
        }
    )
    numbers = {
        "offset": 0,
        "size": 900,
        "camid": 0,
        "track_id": 1,
        "tracklet": -1,
        "frame": 1,
        "width": 20,
        "height": 40,
    }
    write_table(table.assign(**numbers), path, CROPS)


def _write_model(data: Path, weights: np.ndarray) -> None:
    for stage in ("model", "export"):
        (data / stage).mkdir(parents=True, exist_ok=True)
    save_file({"weight": weights}, data / "model" / "model.safetensors")
    onnx.save(one_product(weights), data / "export" / "model.onnx")
    description = EmbedderDescription(
        backbone="matrix",
        dim=DIM,
        embedding_dim=0,
        pooling="avg",
        last_stride=1,
        height=HEIGHT,
        width=WIDTH,
        mean=(0, 0, 0),
        std=(1, 1, 1),
        weights_sha256=sha256(data / "model" / "model.safetensors"),
        golden=golden_values(embed_plainly([golden_crop()], weights)[0]),
    )
    for stage in ("model", "export"):
        description.write(data / stage / "embedder.json")
    _write(
        data / "export" / "parity.json",
        {"max_abs_difference": 1e-7, "min_cosine": 1.0, "tolerance": 1e-4, "passed": True},
    )
    _write_text(data / "model" / "history.csv", "epoch,loss,val_mAP\n1,2.5,0.3\n2,1.5,0.5\n")
    _write_text(data / "model" / "curves.png", "a picture")


def one_product(weights: np.ndarray) -> onnx.ModelProto:
    """Return images uint8 [N, HEIGHT, WIDTH, 3] → (pixels / 255 − ½) @ weights, unit rows [N, DIM]."""
    constants = {
        "shape": np.array([0, -1]),
        "scale": np.array(255, np.float32),
        "half": np.array(0.5, np.float32),
        "weights": weights,
    }
    nodes = [
        helper.make_node("Cast", ["images"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["float", "shape"], ["flat"]),
        helper.make_node("Div", ["flat", "scale"], ["scaled"]),
        helper.make_node("Sub", ["scaled", "half"], ["centred"]),
        helper.make_node("MatMul", ["centred", "weights"], ["product"]),
        helper.make_node("LpNormalization", ["product"], ["embeddings"], axis=1, p=2),
    ]
    graph = helper.make_graph(
        nodes,
        "one_product",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", HEIGHT, WIDTH, 3])],
        [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["N", DIM])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def embed_plainly(crops_bgr: list[np.ndarray], weights: np.ndarray) -> np.ndarray:
    """Return the output of the network, computed with NumPy."""
    images = resize_crops(crops_bgr, HEIGHT, WIDTH).reshape(len(crops_bgr), -1).astype(np.float32)
    product = (images / 255 - 0.5) @ weights
    return product / np.linalg.norm(product, axis=1, keepdims=True)


def _write_tracking(tracking: Path, idf1: float, control: float) -> None:
    def arm(value: float) -> dict[str, dict[str, float]]:
        rows = {"combined": value, SEQUENCES[0]: value + 0.02, SEQUENCES[1]: value - 0.02}
        return {
            name: {"IDF1": v, "HOTA": v - 0.1, "MOTA": 0.5, "AssA": v, "DetA": 0.5, "IDSW": 7}
            for name, v in rows.items()
        }

    gain = {"combined": {"IDF1": idf1 - control, "HOTA": idf1 - control, "IDSW": 0}}
    _write(
        tracking / "metrics.json",
        {"appearance": arm(idf1), "no_appearance": arm(control), "random": arm(RANDOM_IDF1), "difference": gain},
    )
    _write(
        tracking / "proof.json",
        {
            "uses_appearance": True,
            "arms": {
                name: arm(score)["combined"]
                for name, score in (
                    ("no_appearance", control),
                    ("random", RANDOM_IDF1),
                    ("appearance", idf1),
                    ("oracle", 0.9),
                )
            },
            "headroom": {
                "IDF1": {"share": (idf1 - control) / (0.9 - control), "control": "no_appearance"},
                "HOTA": {"share": None, "control": "random", "reason": "the oracle gains nothing"},
            },
            "differences": {"appearance": {"combined": _gain(idf1 - control)}},
            "over_random": {"combined": _gain(idf1 - RANDOM_IDF1)},
            "decided": {"combined": {"pairs": 200, "decided": 24, "share": 0.12, "reordered": 31}},
            "bootstrap": {
                "level": 0.95,
                "window_frames": 30,
                "resamples": 0,
                "seed": 0,
                "num_windows": 10,
                "num_sequences": 2,
            },
        },
    )
    _write(
        tracking / "trial.json",
        {
            "tracker": "deepsort",
            "gate": "calibrated",
            "min_confidence": None,
            "constants": {},
            "camera_motion": "none",
            "linking": False,
            "interpolation": False,
            "window": 30,
            "code": "c0de",
        },
    )
    write_windows(
        [(name, made_tables(idf1, num_frames=150, num_people=100)) for name in SEQUENCES], 30, tracking / "windows.npz"
    )
    _write_text(tracking / "sequences.csv", "sequence,IDF1\n")
    _write_text(tracking / "results" / "appearance" / f"{SEQUENCES[0]}.txt", "1,1,10,10,20,40,1,-1,-1,-1\n")


def _gain(difference: float) -> dict[str, dict[str, object]]:
    """Return the rows of a gain, with an interval over 20 people and ten windows and none over two sequences."""
    row = {
        "difference": difference,
        "interval": [difference - 0.02, difference + 0.03],
        "unit": "people",
        "num_units": 20,
        "over_windows": [difference - 0.02, difference + 0.03],
        "num_windows": 10,
        "over_sequences": None,
        "num_sequences": 2,
    }
    return {name: row for name in ("IDF1", "HOTA")}


def made_tables(idf1: float, num_frames: int, num_people: int) -> FrameTables:
    """Return frames with annotated and tracked people, in which the fraction `idf1` of the boxes is on the own track.

    A higher `idf1` changes the first half of the frames slightly more than the second.
    """
    frame, person = (part.ravel() for part in np.indices((num_frames, num_people)))
    share = idf1 + np.where(frame < num_frames / 2, 0.04, -0.04) * (idf1 - 0.5)
    hit = person < np.round(share * num_people)
    boxes = np.column_stack([frame, person])
    ids = np.arange(num_people)
    return FrameTables(
        errors=np.zeros((num_frames, 3), int),
        people=boxes,
        tracks=boxes,
        couples=np.column_stack([ids, ids]),
        overlaps=boxes[hit],
        matches=np.column_stack([boxes[hit], np.full(hit.sum(), 19)]),
    )


def _write(path: Path, data: object) -> None:
    _write_text(path, json.dumps(data))


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
