"""A detector in an ONNX file: one picture at a time through ONNX Runtime, no torch.

Its one input is [1, 3, H, W] (or [3, H, W], as torchvision exports), float32 or uint8, with fixed or free H and W: the
picture scaled to fit, on grey, RGB from 0 to 1, or as the settings say. What its outputs may be stands in
`onnx_outputs.py`.
"""

from pathlib import Path

import numpy as np
import onnxruntime
import supervision as sv
from onnxruntime.capi import onnxruntime_pybind11_state as faults

from reidops.detection.boxes import found
from reidops.detection.letterbox import Placement, letterbox, pad
from reidops.detection.onnx_outputs import Candidates, read_outputs
from reidops.detection.settings import DetectorSettings
from reidops.errors import ReidopsError
from reidops.mot.boxes import unsuppressed

_PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")
_TYPES = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}


class OnnxDetector:
    """Find people with a network that somebody exported."""

    def __init__(self, path: Path, settings: DetectorSettings = DetectorSettings(), *, threads: int = 0) -> None:
        """Load the network; `threads` 0 = one per core.

        Raises:
            ReidopsError: the file is missing or no whole ONNX file, or its input is not a picture's.
        """
        self._path = Path(path)
        self._settings = settings
        self._session = _open(self._path, threads)
        self._input = self._session.get_inputs()[0]
        self._check_input()

    def detect(self, picture: np.ndarray) -> sv.Detections:
        """Return the people in a picture, BGR uint8 [h, w, 3], the surest first.

        Raises:
            ReidopsError: the network cannot run on this picture, or its outputs are none that are known.
        """
        pixels, placement = self._pixels(picture)
        try:
            candidates = read_outputs(self._run(pixels), self._settings.layout, self._settings.person_class)
        except ReidopsError as error:
            raise ReidopsError(f"{self._path}: {error}") from None
        kept = self._choose(candidates)
        return found(placement.restore(kept.box_ltrb), kept.confidence, picture, self._settings.min_confidence)

    def _pixels(self, picture: np.ndarray) -> tuple[np.ndarray, Placement]:
        """Return a picture as the network takes it, and where it lies there."""
        height, width = self._size()
        placed, placement = letterbox(picture, height, width) if height and width else pad(picture)
        ordered = placed if self._settings.colours == "bgr" else placed[..., ::-1]
        kind = _TYPES[self._input.type]
        planes = np.ascontiguousarray(ordered.transpose(2, 0, 1)).astype(kind)
        if kind is np.float32:
            planes *= np.float32(self._settings.white / 255)
        return planes if len(self._input.shape) == 3 else planes[None], placement

    def _size(self) -> tuple[int | None, int | None]:
        """Return the input's height and width in px; None = free."""
        sides = [side if isinstance(side, int) else None for side in self._input.shape[-2:]]
        wanted = self._settings.size or (None, None)
        return sides[0] or wanted[0], sides[1] or wanted[1]

    def _run(self, pixels: np.ndarray) -> list[np.ndarray]:
        try:
            return self._session.run(None, {self._input.name: pixels})
        except (faults.Fail, faults.InvalidArgument, faults.RuntimeException) as error:
            raise ReidopsError(
                f"cannot run on an input {list(pixels.shape)}: {_first_line(error)}; give detector.size its height and "
                f"width"
            ) from None

    def _choose(self, candidates: Candidates) -> Candidates:
        """Return the candidates that are sure enough and, where the network leaves doubles, the best of each."""
        sure = candidates.confidence >= self._settings.min_confidence
        box_ltrb, confidence = candidates.box_ltrb[sure], candidates.confidence[sure]
        if not candidates.suppressed:
            rows = unsuppressed(box_ltrb, confidence, self._settings.nms)
            box_ltrb, confidence = box_ltrb[rows], confidence[rows]
        return Candidates(box_ltrb, confidence, suppressed=True)

    def _check_input(self) -> None:
        num_inputs, shape, kind = len(self._session.get_inputs()), self._input.shape, self._input.type
        has_planes = len(shape) in (3, 4) and _may_be(shape[-3], 3) and (len(shape) == 3 or _may_be(shape[0], 1))
        if num_inputs > 1 or not has_planes or kind not in _TYPES:
            raise ReidopsError(
                f"{self._path}: the first of {num_inputs} inputs is {shape} of {kind}, expected the only one, [1, 3, "
                f"H, W] or"
                " [3, H, W] of float32 or uint8; export the detector with such an input"
            )


def _may_be(side: int | str | None, wanted: int) -> bool:
    """Tell whether a side of an input can be so long; a free one has a name or none."""
    return side == wanted or not isinstance(side, int)


def _open(path: Path, threads: int) -> onnxruntime.InferenceSession:
    if not path.is_file():
        raise ReidopsError(f"{path}: no such file; give the path of a detector's ONNX file, relative to the repository")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # waiting threads leave their core to other work
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = [name for name in _PROVIDERS if name in onnxruntime.get_available_providers()]
    try:
        return onnxruntime.InferenceSession(path, options, providers=providers)
    except (faults.InvalidProtobuf, faults.Fail, faults.InvalidGraph, faults.NotImplemented) as error:
        raise ReidopsError(
            f"{path}: ONNX Runtime cannot open it ({_first_line(error)}); export or copy the detector again"
        ) from None


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
