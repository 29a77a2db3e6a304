"""Read what the file of a video states and holds, without decoding it."""

from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

from reidops.mot.video_frames import open_video

DEFAULT_FRAME_RATE = 25.0  # fps, if the video does not state it
_LEAST_VARIATION = 0.25  # of the median distance of two frames; below it the frame rate is constant
_CLOCK_S = 0.002  # differences below it come from the clock of the file


@dataclass(frozen=True)
class VideoFacts:
    """What the file of a video states and holds, without decoding it.

    Attributes:
        stated: number of frames in the header; 0 if the file has none.
        num_packets: number of frames whose data are in the file; less than `stated` if the video breaks off.
        frame_rate: fps, the mean if it varies.
        times: time of each frame in seconds from the first, if their distance varies; else empty.
    """

    width: int
    height: int
    frame_rate: float
    stated: int
    num_packets: int
    times: tuple[float, ...] = ()

    @property
    def length(self) -> int:
        """Return the number of frames that the whole video has."""
        return max(self.stated, self.num_packets)


def read_facts(path: Path) -> VideoFacts:
    """Return size, rate and numbers of frames of a video file; its packets are read and not decoded.

    Raises:
        ReidopsError: the file is missing, no video, or so damaged that no frame can be read.
    """
    capture = open_video(path)
    width, height = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    stated, rate = capture.get(cv2.CAP_PROP_FRAME_COUNT), capture.get(cv2.CAP_PROP_FPS)
    capture.release()
    shown, num_packets = _packets(path)
    times = _varying(shown)
    rate = (len(times) - 1) / times[-1] if times else rate
    return VideoFacts(
        width,
        height,
        rate if 0 < rate <= 1000 else DEFAULT_FRAME_RATE,
        round(stated) if 0 < stated < 1e8 else 0,  # invalid for files without an index
        num_packets,
        times,
    )


def _packets(path: Path) -> tuple[list[float], int]:
    """Return the sorted times of a file's frames in seconds, and the number of packets with data."""
    shown, number = [], 0
    try:
        with av.open(str(path.absolute())) as container:
            stream = container.streams.video[0]
            for packet in container.demux(stream):
                if packet.size:
                    number += 1
                    shown += [] if packet.pts is None else [float(packet.pts * packet.time_base)]
    except (av.FFmpegError, IndexError):
        return [], number
    return sorted(shown), number


def _varying(shown: list[float]) -> tuple[float, ...]:
    """Return the times from the first one on, empty where their distance is constant."""
    steps = np.diff(shown)
    if len(steps) < 2 or steps.min() <= 0:
        return ()
    if steps.max() - steps.min() < max(_LEAST_VARIATION * np.median(steps), _CLOCK_S):
        return ()
    return tuple(second - shown[0] for second in shown)
