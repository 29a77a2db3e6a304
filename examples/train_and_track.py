"""Train a ReID model on a MOT data set, evaluate it on held-out people, and track their sequences with it.

    python examples/train_and_track.py MOT17 runs/first MOT17-09-FRCNN

Arguments: a data set in MOTChallenge's layout (train/<sequence>/{img1,gt,det,seqinfo.ini}), a folder for the results,
and the sequences that are held out of training.
"""

import sys
from pathlib import Path

import cv2
import supervision as sv

from reidops.mot.sequences import read_detections, read_sequence
from reidops.steps import TrainingSettings, cut_crops, evaluate_embedder, train_embedder
from reidops.tracking.deepsort import DeepSort


def main(dataset: Path, results: Path, held_out: list[str], settings: TrainingSettings = TrainingSettings()) -> None:
    """Train on `dataset` without the sequences `held_out`, print the scores and write the tracks of these sequences.

    Args:
        dataset: folder above train, in MOTChallenge's layout.
        results: folder for crops, model and one CSV file of tracks per held-out sequence.
        held_out: names of the folders of sequences.

    Raises:
        ReidopsError: a sequence is missing or damaged, or there are too few people to train on.
    """
    crops = cut_crops(dataset, results / "crops", held_out=held_out)
    embedder = train_embedder(crops, results / "model", settings)
    evaluation = evaluate_embedder(embedder, crops)
    for name, scores in evaluation.scores.items():
        print(f"{name}: mAP {scores.mAP:.3f}, rank1 {scores.rank1:.3f}")

    for name in held_out:
        sequence = read_sequence(dataset / "train" / name)
        boxes = read_detections(sequence)
        tracker = DeepSort(gate=evaluation.gates["cosine"])
        with sv.CSVSink(str(results / f"{name}.csv")) as sink:
            for number in range(1, sequence.length + 1):
                frame = cv2.imread(str(sequence.frame_path(number)))
                rows = boxes[boxes["frame"] == number]
                detections = sv.Detections(
                    xyxy=sv.xywh_to_xyxy(rows[["left", "top", "width", "height"]].to_numpy()),
                    confidence=rows["confidence"].to_numpy(),
                )
                people = [sv.crop_image(frame, box) for box in detections.xyxy]
                tracked = tracker.update(detections, embedder.embed(people))
                sink.append(tracked, {"frame": number})
        print(f"{results / f'{name}.csv'}: tracks of {sequence.length} frames")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
