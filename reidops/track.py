"""Track the people of a video; write a video with their boxes and numbers, and a MOTChallenge result file.

    python -m reidops.track street.mp4 --model models:/person-reid@champion --detections street.txt --tracker botsort
    --output tracked.mp4

VIDEO is a file that OpenCV reads, a folder of frames (img1), an address (rtsp://…) or a camera's number. Detections
come from a file in MOTChallenge's det.txt format, from `public` (the det/det.txt beside img1), or from a detector: the
name of a torchvision detector, or an ONNX file. One frame at a time is in memory.
"""

import argparse
import logging
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import supervision as sv
import yaml

from reidops.boxes.box_embedding import CropEmbedder, embed_boxes
from reidops.cores import share_cores
from reidops.detection.settings import DetectorSettings
from reidops.errors import ReidopsError
from reidops.files import whole_file, write_json
from reidops.frame_detections import PUBLIC, FrameDetections, FrameNumbers, open_detections
from reidops.live import Model, changed, choose_gate, load_model, result_table, start_tracker
from reidops.memory import keep_freed_memory
from reidops.mot.sequences import format_results
from reidops.progress_bar import progress_bar
from reidops.step_times import StepTimes, describe_times
from reidops.tracking.constants import WITHOUT_APPEARANCE, Gate, describe_gate
from reidops.tracking.pictures.frames import annotate
from reidops.tracking.pictures.video_writing import CODECS, open_video
from reidops.tracking.trackers import TRACKERS, Tracker, update_tracker
from reidops.videos import BrokenOff, Video, read_video

logger = logging.getLogger("reidops.track")

_PROGRAM = "python -m reidops.track"
INTERRUPTED = 130  # the exit code of shells for a program that Ctrl-C ended


@dataclass
class VideoTracker:
    """Detect, embed and track the people of a video, frame by frame."""

    detections: FrameDetections
    embedder: CropEmbedder | None
    tracker: Tracker
    min_confidence: float | None = None
    times: list[float] | None = None  # s, of the frames, where their distance varies
    seen: "Seen" = field(default_factory=lambda: Seen())
    num_frames: int = 0
    step_times: StepTimes = field(default_factory=StepTimes)

    def update(self, number: int, picture: np.ndarray) -> sv.Detections:
        """Return the detections of a frame that belong to confirmed tracks, with `tracker_id` set."""
        with self.step_times.measure("detect"):
            detections = self.detections.at(number, picture)
        self.seen.add(detections)
        if self.min_confidence is not None:
            detections = detections[detections.confidence >= self.min_confidence]
        self.seen.num_kept += len(detections)
        with self.step_times.measure("embed"):
            embeddings = None if self.embedder is None else embed_boxes(self.embedder, picture, detections.xyxy)
        self.num_frames += 1
        time_of_frame = self.times[self.num_frames - 1] if self.times and self.num_frames <= len(self.times) else None
        with self.step_times.measure("associate"):
            return update_tracker(self.tracker, detections, embeddings, picture, time_of_frame)


@dataclass
class Seen:
    """Counts of the detections: all, those above --min-confidence, and the highest confidence."""

    num_boxes: int = 0
    num_kept: int = 0
    top_score: float = -float("inf")

    def add(self, detections: sv.Detections) -> None:
        """Count the detections of a frame."""
        self.num_boxes += len(detections)
        if len(detections):
            self.top_score = max(self.top_score, float(detections.confidence.max()))

    def why_nothing(self, source: str, min_confidence: float | None) -> str:
        """Return why nothing was tracked, and what to change."""
        if not self.num_boxes:
            is_file = source == PUBLIC or Path(source).suffix in (".txt", ".csv")
            remedy = "name the file of this video" if is_file else "lower its threshold, --detector min_confidence=0.05"
            return f"{source} gave no detection in these frames: {remedy}"
        if not self.num_kept:
            return (
                f"all {self.num_boxes:,} detections are below --min-confidence {min_confidence:g}; the highest score "
                f"is {self.top_score:.4g}: lower it"
            )
        return (
            f"the tracker made no track of {self.num_kept:,} detections, whose highest score is {self.top_score:.4g}: "
            f"change its thresholds (--constants), e.g. fewer frames until a track is confirmed"
        )


@dataclass
class Tally:
    """Counts of the tracked frames, boxes and tracks."""

    num_frames: int = 0
    num_boxes: int = 0
    track_ids: set[int] = field(default_factory=set)
    interrupted: bool = False

    def add(self, tracked: sv.Detections) -> None:
        """Count the tracks of a frame."""
        self.num_frames += 1
        self.num_boxes += len(tracked)
        self.track_ids.update(tracked.tracker_id.tolist())


@dataclass(frozen=True)
class Outputs:
    """The files to write. `video` is None for no video, `codec` for the default of the container."""

    results: Path
    video: Path | None
    frame_rate: float
    codec: str | None = None
    times: list[float] | None = None  # s, of each frame, if the frame rate varies


def main(arguments: list[str] | None = None, program: str = _PROGRAM) -> None:
    """Run the command line: exit 1 with a message on bad input; on Ctrl-C keep the tracks and exit 130.

    Args:
        program: name in the help page and in the messages.
    """
    options = parse_arguments(arguments, program)
    logging.basicConfig(level=logging.WARNING, format="%(levelname).1s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("reidops").setLevel(logging.INFO)
    keep_freed_memory()
    share_cores()
    try:
        tally = track(options)
    except ReidopsError as error:
        print(f"{program.removeprefix('python -m reidops.')}: error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    sys.exit(INTERRUPTED if tally.interrupted else 0)


def parse_arguments(arguments: list[str] | None, program: str = _PROGRAM) -> argparse.Namespace:
    """Return the options of the command line; a wrong one ends the program with the usage."""
    return _parser(program).parse_args(arguments)


def track(options: argparse.Namespace) -> Tally:
    """Track with the options of the command line and return the counts.

    Raises:
        ReidopsError: an input is missing or damaged, or an option does not fit another one.
    """
    _check_tracker(options.tracker)
    video = read_video(options.video)
    outputs = _outputs(options, video)
    settings = changed(DetectorSettings(), _mapping(options.detector), "detector")
    detections = open_detections(
        options.detections,
        Path(options.video),
        settings,
        scale=options.scale,
        size=options.detections_size,
        frames=_frame_numbers(video),
    )
    model = load_model(options.model)
    gate = choose_gate(options.gate, options.tracker, model)
    camera, constants = options.camera_motion.replace("-", "_"), _mapping(options.constants)
    tracker = start_tracker(options.tracker, gate, camera, constants, video.frame_rate)
    embedder, times = None if model is None else model.embedder, getattr(video, "times", None)
    video_tracker = VideoTracker(detections, embedder, tracker, options.min_confidence, times)
    start = time.monotonic()
    tally = write_tracks(video, video_tracker, outputs, max_frames=options.max_frames)
    if not tally.num_boxes:
        logger.warning(
            "nothing was tracked: %s", video_tracker.seen.why_nothing(options.detections, options.min_confidence)
        )
    speed = tally.num_frames / (time.monotonic() - start)
    written = " and ".join(str(path) for path in (outputs.results, outputs.video) if path)
    logger.info(
        "%s, %s: %d frames at %.1f frames/s, %d tracks, %s boxes; wrote %s",
        options.tracker,
        _appearance(options.tracker, model, gate),
        tally.num_frames,
        speed,
        len(tally.track_ids),
        f"{tally.num_boxes:,}",
        written,
    )
    _report_times(video_tracker.step_times.ms_per_frame(tally.num_frames), tally.num_frames, options.times)
    return tally


def _report_times(times: dict[str, float], num_frames: int, path: Path | None) -> None:
    """Log the time of each step, ms per frame, and write it as JSON to a path, if any."""
    logger.info("%s", describe_times(times))
    if path is not None:
        write_json({"num_frames": num_frames, "ms_per_frame": times}, path)


def _frame_numbers(video: Video) -> FrameNumbers | None:
    """Return the numbers of a video's frames, or None if their number is unknown."""
    pictures = getattr(video, "picture_numbers", None)
    return FrameNumbers(getattr(video, "numbers", pictures), pictures) if pictures else None


def _appearance(tracker: str, model: Model | None, gate: Gate | None) -> str:
    if model is None or tracker in WITHOUT_APPEARANCE:
        return "without appearance"
    return f"appearance gate {describe_gate(gate)}"


def _check_tracker(name: str) -> None:
    if name not in TRACKERS:
        raise ReidopsError(f"--tracker {name}: unknown; use one of {', '.join(TRACKERS)}")


def write_tracks(
    video: Video, video_tracker: VideoTracker, outputs: Outputs, *, max_frames: int | None = None
) -> Tally:
    """Track a video to its end, or to where it breaks off, and write both files atomically.

    Raises:
        ReidopsError: there is no frame, or a frame differs in size from the first.
    """
    tally = Tally()
    with ExitStack() as stack:
        stream = stack.enter_context(open(stack.enter_context(whole_file(outputs.results)), "w"))
        writer = (
            stack.enter_context(open_video(outputs.video, outputs.frame_rate, codec=outputs.codec, times=outputs.times))
            if outputs.video
            else None
        )
        try:
            for number, picture in video_tracker.step_times.over(_with_bar(video, max_frames), "read"):
                tracked = video_tracker.update(number, picture)
                with video_tracker.step_times.measure("write"):
                    stream.write(format_results(result_table(number, tracked)))
                    if writer is not None:
                        writer.write(annotate(picture, tracked))
                tally.add(tracked)
        except BrokenOff as error:
            _log_end(tally, str(error), error)
        except KeyboardInterrupt as error:
            tally.interrupted = True
            _log_end(tally, f"interrupted after {tally.num_frames} frames", error)
    return tally


def _log_end(tally: Tally, reason: str, error: BaseException) -> None:
    """Log why the video ended early; raise the error if no frame was tracked."""
    if not tally.num_frames:
        raise error
    logger.warning("%s; the tracks of the first %d frames are kept", reason, tally.num_frames)


def _with_bar(video: Video, max_frames: int | None) -> Iterable[tuple[int, np.ndarray]]:
    lengths = [length for length in (video.num_frames, max_frames) if length is not None]
    return progress_bar(
        islice(video.frames(), max_frames), total=min(lengths, default=None), desc="track", unit="frames"
    )


def _outputs(options: argparse.Namespace, video: Video) -> Outputs:
    """Return the files to write.

    Raises:
        ReidopsError: no file was named, or it is an input, or one is named twice.
    """
    if options.output is None and (options.results is None or not options.no_video):
        raise ReidopsError("no output; give --output FILE.mp4, or --no-video and --results FILE.txt")
    results = options.results or options.output.with_suffix(".txt")
    annotated = None if options.no_video else options.output
    for path in (results, annotated, options.times):
        if path is not None and path.resolve() in (Path(options.video).resolve(), Path(options.detections).resolve()):
            raise ReidopsError(f"{path}: is an input; name another file")
    named = [path.resolve() for path in (results, annotated, options.times) if path is not None]
    twice = next((path for path in named if named.count(path) > 1), None)
    if twice is not None:
        raise ReidopsError(f"{twice}: is named for two outputs; give --output, --results and --times different files")
    times = None if options.frame_rate else getattr(video, "times", None)
    return Outputs(results, annotated, options.frame_rate or video.frame_rate, options.codec, times)


def _mapping(pairs: list[str]) -> dict[str, object]:
    """Return the words `name=value` as a mapping; values are YAML.

    Raises:
        ReidopsError: a word has another form.
    """
    split = [pair.partition("=") for pair in pairs]
    for pair, (name, equals, _) in zip(pairs, split, strict=True):
        if not (name and equals):
            raise ReidopsError(f"{pair}: expected name=value")
    return {name: yaml.safe_load(value) for name, _, value in split}


def _parser(program: str) -> argparse.ArgumentParser:
    description = __doc__.replace(_PROGRAM, program)
    parser = argparse.ArgumentParser(
        prog=program, description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    video = "a video file, a folder of frames, an address (rtsp://…), or the number of a camera"
    parser.add_argument("video", metavar="VIDEO", help=video)
    parser.add_argument(
        "--model", required=True, help="models:/NAME@ALIAS, a folder, or none: track without appearance"
    )
    _add_detection_options(parser.add_argument_group("detections"))
    _add_tracker_options(parser.add_argument_group("tracker"))
    _add_output_options(parser.add_argument_group("output"))
    return parser


def _add_detection_options(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    sources = "a det.txt, public (beside img1), a detector of torchvision, or FILE.onnx (default: public)"
    add("--detections", default="public", help=sources)
    add("--scale", type=_positive, default=1.0, help="factor of the boxes of a det.txt")
    size = "width and height in px of the pictures that a det.txt was made on, instead of --scale"
    add("--detections-size", type=_size, metavar="WxH", help=size)
    add("--min-confidence", type=float, help="least confidence of a detection, in the detector's own scale")
    settings = "settings of a detector, as detect.detector of params.yaml: weights=FILE nms=0.6 …"
    add("--detector", nargs="+", default=[], metavar="NAME=VALUE", help=settings)


def _add_tracker_options(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--tracker", default="botsort", help=f"{', '.join(TRACKERS)} (default: botsort)")
    gate = "appearance gate: calibrated (calibration.json), published, or a number in the tracker's cost"
    add("--gate", type=_gate, default="calibrated", help=gate)
    constants = "constants of the tracker instead of the published ones: max_age=60 …"
    add("--constants", nargs="+", default=[], metavar="NAME=VALUE", help=constants)
    add("--camera-motion", choices=("none", "sparse-flow", "ecc"), default="none")


def _add_output_options(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--output", type=Path, metavar="FILE.mp4", help=f"video to write: {', '.join(CODECS)}")
    results = "result file to write (default: the name of --output with .txt)"
    add("--results", type=Path, metavar="FILE.txt", help=results)
    add("--no-video", action="store_true", help="write the result file only")
    codecs = "; ".join(f"of {suffix}: {', '.join(CODECS[suffix])}" for suffix in (".mp4", ".avi"))
    add("--codec", help=f"{codecs} (default: the first of each)")
    add("--frame-rate", type=_positive, help="frame rate of the video, fps (default: that of the source)")
    times = "file to write the time of each step to, ms per frame: read, detect, embed, associate, write"
    add("--times", type=Path, metavar="FILE.json", help=times)
    add("--max-frames", type=_count, metavar="N", help="stop after N frames")


def _size(text: str) -> tuple[int, int]:
    sides = text.lower().split("x")
    if len(sides) != 2 or not all(side.isdecimal() and int(side) for side in sides):
        raise argparse.ArgumentTypeError(f"{text!r}, expected width and height in px, 1920x1080")
    return int(sides[0]), int(sides[1])


def _gate(text: str) -> str | float:
    return text if text in ("calibrated", "published") else _positive(text)


def _count(text: str) -> int:
    if not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r}, expected a whole number above 0")
    return int(text)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}, expected a number above 0")
    return value


if __name__ == "__main__":
    main()
