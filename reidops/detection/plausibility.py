"""Do the first boxes of a detector look like people in its pictures? Outputs that are read wrongly do not."""

import numpy as np

from reidops.errors import ReidopsError

_NUM_FRAMES = 10  # with a box, that are checked
_SURE = 0.05  # score; below it a dense detector proposes anything
_LEAST_SIDE = 2.0  # px
_MOST_BOXES = 1000  # in one frame
_MOST_FAULTY = 0.5  # share of the boxes


class FirstFrames:
    """Check the boxes of the first frames; a layout that does not fit gives tiny, outlying or countless ones."""

    def __init__(self) -> None:
        self._num_frames = 0
        self._num_boxes = self._num_tiny = self._num_outside = 0

    def check(self, box_ltrb: np.ndarray, confidence: np.ndarray, width: int, height: int) -> None:
        """Check the boxes [n, 4] of a frame, in px of the frame and not cut to it.

        Raises:
            ReidopsError: more than half of the boxes so far are at most 2 px wide or high, or have their centre outside
                the frame, or there are over a thousand in this frame.
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
        return f"it finds {num_boxes:,} boxes in one frame" if num_boxes > _MOST_BOXES else ""
