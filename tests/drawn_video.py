"""A video of rectangles that walk, and their detections, for the tests of `reidops.track`."""

from pathlib import Path

import cv2
from mot_factory import draw_frame, person_box, write_rows

WIDTH, HEIGHT, NUM_PEOPLE = 160, 96, 3


def pictures(num_frames: int) -> list:
    return [
        draw_frame({p: person_box(p, n, WIDTH, HEIGHT) for p in range(1, NUM_PEOPLE + 1)}, WIDTH, HEIGHT, seed=n)
        for n in range(1, num_frames + 1)
    ]


def write_drawn_video(path: Path, num_frames: int = 12, *, codec: str = "MJPG") -> Path:
    """Write a video of 10 fps; frame n shows what frame n of `write_mot_sequence` shows."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 10, (WIDTH, HEIGHT))
    for picture in pictures(num_frames):
        writer.write(picture)
    writer.release()
    return path


def write_drawn_detections(path: Path, num_frames: int = 12, *, scale: float = 1.0) -> Path:
    """Write det.txt of that video, as for pictures that are larger by `scale`."""
    rows = []
    for frame in range(1, num_frames + 1):
        for person in range(1, NUM_PEOPLE + 1):
            left, top, width, height = person_box(person, frame, WIDTH, HEIGHT)
            rows.append((frame, -1, (left - 1) * scale + 1, (top - 1) * scale + 1, width * scale, height * scale, 0.9))
    write_rows(path, rows)
    return path
