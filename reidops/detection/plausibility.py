"""Check that the first boxes of a detector are plausible, which detects a wrong layout of the outputs."""

import numpy as np

from reidops.errors import ReidopsError

_NUM_FRAMES = 10  # number of frames with boxes that are checked
_SURE = 0.05  # minimum score of checked boxes; dense detectors return arbitrary boxes below it
_LEAST_SIDE = 2.0  # px
_MOST_BOXES = 1000  # per frame
_MOST_FAULTY = 0.5  # maximum share of faulty boxes


class FirstFrames:
    """Check the boxes of the first frames; a wrong layout gives tiny boxes, boxes outside the frame or too many."""

    def __init__(self) -> None:
        self._num_frames = 0
        self._num_boxes = self._num_tiny = self._num_outside = 0

    def check(self, box_ltrb: np.ndarray, confidence: np.ndarray, width: int, height: int) -> None:
        """Check the boxes [n, 4] of a frame, in px of the frame and not clipped to it.

        Raises:
            ReidopsError: more than half of the boxes so far are at most 2 px wide or high or have their centre outside
                the frame, or this frame has more than 1000 boxes.
        """
        boxes = box_ltrb[confidence >= _SURE]
        if self._num_frames >= _NUM_FRAMES or not len(boxes):
            return
        self._num_frames += 1
        self._num_boxes += len(boxes)
        sides, centres = boxes[:, 2:] - boxes[:, :2], (boxes[:, 2:] + boxes[:, :2]) / 2
        self._num_tiny += int((sides <= _LEAST_SIDE).any(axis=1).sum())
        self._num_outside += int(((centres < 0) | (centres > [width, height])).any(axis=1).sum())
        fault = self._fault(len(boxes), width, height)
        if fault:
            first = ", ".join(f"{value:.4g}" for value in boxes[0])
            raise ReidopsError(f"{fault}; the first box is left, top, right, bottom {first}")

    def _fault(self, num_boxes: int, width: int, height: int) -> str:
        if self._num_tiny > _MOST_FAULTY * self._num_boxes:
            return f"{self._num_tiny} of its first {self._num_boxes} boxes are at most 2 px wide or high"
        if self._num_outside > _MOST_FAULTY * self._num_boxes:
            return (
                f"{self._num_outside} of its first {self._num_boxes} boxes have their centre outside the frame of "
                f"{width} × {height} px"
            )
        return f"it returns {num_boxes:,} boxes in one frame" if num_boxes > _MOST_BOXES else ""
