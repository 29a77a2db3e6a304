"""Run a detector in an ONNX file with ONNX Runtime, one picture at a time, without torch.

`onnx_input.py` prepares the input (letterboxed, RGB from 0 to 1, or as in the settings), and `onnx_layouts.py`
describes the supported outputs.
"""

import logging
from pathlib import Path

import numpy as np
import onnxruntime
import supervision as sv
from onnxruntime.capi import onnxruntime_pybind11_state as faults

from reidops.detection.boxes import found
from reidops.detection.onnx_input import picture_input
from reidops.detection.onnx_layouts import NORMALISED_LIMIT, Facts, recognise
from reidops.detection.onnx_metadata import person_of, read_metadata
from reidops.detection.onnx_outputs import NO_CANDIDATES, Candidates, Request, name_outputs, read_layout
from reidops.detection.plausibility import FirstFrames
from reidops.detection.settings import DetectorSettings
from reidops.errors import ReidopsError
from reidops.mot.boxes import unsuppressed

log = logging.getLogger(__name__)

_PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")
_NUM_WITHOUT_PEOPLE = 10  # number of first frames with boxes of other classes only, after which a warning is logged


class OnnxDetector:
    """A person detector that the user exported to ONNX."""

    def __init__(self, path: Path, settings: DetectorSettings = DetectorSettings(), *, threads: int = 0) -> None:
        """Load the network.

        Args:
            path: the ONNX file.
            settings: params of the detector.
            threads: number of threads, 0 for one per core.

        Raises:
            ReidopsError: the file is missing or not a valid ONNX file, its input is not a picture, or its class of a
                person is ambiguous.
        """
        self._path = Path(path)
        self._settings = settings
        self._session = _open(self._path, threads)
        try:
            self._input = picture_input(self._session.get_inputs())
            self._metadata = read_metadata(self._session.get_modelmeta().custom_metadata_map)
            person = person_of(self._metadata.names, settings.person_class)
        except ReidopsError as error:
            raise ReidopsError(f"{self._path}: {error}") from None
        self._request = Request(person, settings.min_confidence)
        self._names = tuple(output.name for output in self._session.get_outputs())
        self._layout: str | None = None if settings.layout == "auto" else settings.layout
        self._is_normalised: bool | None = None  # None before the first box
        self._first_frames = FirstFrames()
        self._num_frames_of_others = 0

    def detect(self, picture: np.ndarray) -> sv.Detections:
        """Return the people in a picture, BGR uint8 [h, w, 3], in descending order of confidence.

        Raises:
            ReidopsError: the network cannot run on this picture, the layout of its outputs is unknown, or its first
                boxes are implausible.
        """
        feed, placement, size = self._input.feed(picture, self._settings, self._metadata)
        try:
            candidates = self._read(self._run(feed), size)
            kept = self._choose(candidates, size)
            box_ltrb = placement.restore(kept.box_ltrb)
            self._check(box_ltrb, kept.confidence, picture)
        except ReidopsError as error:
            raise ReidopsError(f"{self._path}: {error}") from None
        self._watch_classes(len(box_ltrb), candidates.num_others)
        return found(box_ltrb, kept.confidence, picture, self._settings.min_confidence)

    def _run(self, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Return the outputs for the first picture of the batch."""
        try:
            outputs = self._session.run(None, feed)
        except (faults.Fail, faults.InvalidArgument, faults.RuntimeException) as error:
            raise ReidopsError(
                f"cannot run on an input {list(feed[self._input.name].shape)}: {_first_line(error)}; set detector.size "
                f"to the height and width of its input"
            ) from None
        batch = self._input.num_pictures or 1
        return [values[:1] if batch > 1 and values.ndim > 1 and len(values) == batch else values for values in outputs]

    def _read(self, outputs: list[np.ndarray], size: tuple[int, int]) -> Candidates:
        """Return the people in the outputs; the layout is recognised from the first outputs with boxes."""
        facts = Facts(
            names=self._metadata.names,
            size=size,
            output_names=self._names,
            counts_from_zero=self._input.size_input is not None or bool(self._metadata.names),
        )
        named = name_outputs(outputs, self._names)
        if self._layout is None:
            self._layout = recognise(named, facts)
            if self._layout is not None:
                self._announce()
        return NO_CANDIDATES if self._layout is None else read_layout(named, self._layout, self._request, facts)

    def _announce(self) -> None:
        person, names = self._request.person_class, self._metadata.names
        unnamed = "COCO's person, or the only class"
        which = unnamed if person is None else f"class {person} {names.get(person, '')}".strip()
        log.info("%s: layout %s, class of people: %s", self._path, self._layout, which)
        if self._layout in ("yolox", "yolox-raw") and not names and self._settings.white == 1.0:
            log.warning(
                "%s: exports of YOLOX expect BGR from 0 to 255 (detector.white: 255, detector.colours: bgr); the input "
                "is %s from 0 to 1, as for YOLOv5, v6 and v7",
                self._path,
                self._settings.colours.upper(),
            )

    def _choose(self, candidates: Candidates, size: tuple[int, int]) -> Candidates:
        """Return the candidates above the minimum confidence, in px of the input.

        Non-maximum suppression is applied if the network does not do it.
        """
        sure = candidates.confidence >= self._settings.min_confidence
        box_ltrb, confidence = self._to_pixels(candidates.box_ltrb[sure], size), candidates.confidence[sure]
        if not candidates.suppressed:
            rows = unsuppressed(box_ltrb, confidence, self._settings.nms)
            box_ltrb, confidence = box_ltrb[rows], confidence[rows]
        return Candidates(box_ltrb, confidence, suppressed=True)

    def _to_pixels(self, box_ltrb: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Return boxes in px of the input; the first boxes decide whether the outputs are shares of its size."""
        if self._is_normalised is None and len(box_ltrb) and box_ltrb.any():
            self._is_normalised = bool(np.abs(box_ltrb).max() <= NORMALISED_LIMIT)
            if self._is_normalised:
                log.info("%s: boxes are in 0 … 1 and are scaled to the input, %d × %d px", self._path, *size[::-1])
        return box_ltrb * np.array([size[1], size[0]] * 2) if self._is_normalised else box_ltrb

    def _check(self, box_ltrb: np.ndarray, confidence: np.ndarray, picture: np.ndarray) -> None:
        height, width = picture.shape[:2]
        try:
            self._first_frames.check(box_ltrb, confidence, width, height)
        except ReidopsError as error:
            raise ReidopsError(
                f"{error}; its outputs were read as layout {self._layout}. Set detector.layout to another layout "
                "(docs/your-models.md), detector.size to the input size of the export, or raise "
                "detector.min_confidence"
            ) from None

    def _watch_classes(self, num_people: int, num_others: int) -> None:
        """Warn once if the first frames have boxes of other classes only."""
        if num_people or not num_others:
            self._num_frames_of_others = -_NUM_WITHOUT_PEOPLE if num_people else self._num_frames_of_others
            return
        self._num_frames_of_others += 1
        if self._num_frames_of_others == _NUM_WITHOUT_PEOPLE:
            log.warning(
                "%s: the first %d frames have boxes of other classes only; set detector.person_class to the class of "
                "people",
                self._path,
                _NUM_WITHOUT_PEOPLE,
            )


_LFS = b"version https://git-lfs"


def _open(path: Path, threads: int) -> onnxruntime.InferenceSession:
    if not path.is_file():
        raise ReidopsError(f"{path}: no such file; give the path of a detector's ONNX file, relative to the repository")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # Idle threads do not spin, so that other work can use their cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = [name for name in _PROVIDERS if name in onnxruntime.get_available_providers()]
    try:
        return onnxruntime.InferenceSession(path, options, providers=providers)
    except (
        faults.InvalidProtobuf,
        faults.Fail,
        faults.InvalidGraph,
        faults.InvalidArgument,
        faults.NotImplemented,
        faults.RuntimeException,
    ) as error:
        if path.read_bytes()[:64].lstrip().startswith(_LFS):
            raise ReidopsError(f"{path}: is a Git LFS pointer, not the detector; get it with `git lfs pull`") from None
        raise ReidopsError(
            f"{path}: ONNX Runtime cannot open it ({_first_line(error)}); export or copy the detector again"
        ) from None


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
