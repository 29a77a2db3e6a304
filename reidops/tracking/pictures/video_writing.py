"""Write videos; a file appears under its name only when it is complete."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import cast

import av
import cv2
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter

from reidops.errors import ReidopsError
from reidops.files import whole_file
from reidops.progress_bar import progress_bar


@dataclass(frozen=True)
class _Encoder:
    """An encoder of FFmpeg with its settings; crf and global_quality set a constant quality."""

    name: str
    options: dict[str, str]
    color_range: ColorRange = ColorRange.MPEG


# of 1 … 31, 1 the best; FFmpeg counts in steps of 1/118
_QUALITY_4 = {"flags": "+qscale", "global_quality": str(4 * 118)}

# CPU ms and KiB a picture of MOT17-09 at 960 × 540 px: vp9 8 and 8, h264 8 and 5, mpeg4 3 and 34. No AV1: for root, its
# encoder SVT-AV1 makes the thread that opens it and all that it starts later run before every other process.
_ENCODERS = {
    # Without lag each picture is released at once, which halves the memory.
    "vp9": _Encoder(
        "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "row-mt": "1", "lag-in-frames": "0", "crf": "32"}
    ),
    "h264": _Encoder("libx264", {"preset": "veryfast", "crf": "23"}),
    "mpeg4": _Encoder("mpeg4", _QUALITY_4),
    "mjpeg": _Encoder("mjpeg", _QUALITY_4, ColorRange.JPEG),
}
_NUM_THREADS = 2  # per video, as several are written in parallel
_FORMATS = {".mp4": "mp4", ".webm": "webm", ".mkv": "matroska", ".avi": "avi"}

CODECS = {
    ".mp4": ("vp9", "h264", "mpeg4"),
    ".webm": ("vp9",),
    ".mkv": ("vp9", "h264", "mpeg4", "mjpeg"),
    ".avi": ("mpeg4", "mjpeg"),
}
"""Container → its codecs, the usual one first. Browsers play vp9, and h264 where the system decodes it; OpenCV's wheels
read all.
"""

_LEAST_RATE, _MOST_RATE = 0.001, 1000.0  # pictures per second
_MOST_TICKS = 65535  # per second, that MPEG-4 can count


class VideoWriter:
    """Append pictures of one size; made by `open_video`."""

    def __init__(
        self, path: Path, temporary: Path, frame_rate: float, codec: str, times: Sequence[float] | None = None
    ) -> None:
        self._path = path
        self._temporary = temporary
        # for which a picture is shown; with times of their own, one tick
        self._seconds = Fraction(1, 1000) if times else Fraction(1 / frame_rate).limit_denominator(_MOST_TICKS)
        self._ticks = _ticks(times) if times else None
        self._codec = codec
        self._opened: tuple[av.container.OutputContainer, av.VideoStream] | None = None
        self._reformatter = VideoReformatter()
        self._shape: tuple[int, ...] = ()
        self.num_frames = 0

    def write(self, picture: np.ndarray) -> None:
        """Append a picture, BGR uint8 [h, w, 3]; the first one sets the size. An odd last row or column is left out.

        Raises:
            ReidopsError: its size differs from the first, or the codec does not support it.
        """
        self.num_frames += 1
        self._check(picture)
        self._shape = picture.shape
        with self._explained():
            if self._opened is None:
                self._opened = self._open()
            container, stream = self._opened
            container.mux(stream.encode(self._frame(picture)))

    def close(self) -> None:
        """End the file; it is not yet looked at."""
        opened, self._opened = self._opened, None
        if opened is not None:
            container, stream = opened
            with self._explained(), container:
                container.mux(stream.encode())

    def _open(self) -> tuple[av.container.OutputContainer, av.VideoStream]:
        encoder, suffix = _ENCODERS[self._codec], self._path.suffix.lower()
        # index at the start, so that a player can begin while loading
        options = {"movflags": "+faststart"} if suffix == ".mp4" else {}
        # FFmpeg takes a relative name with a colon for a URL.
        container = av.open(str(self._temporary.absolute()), "w", format=_FORMATS[suffix], container_options=options)
        try:
            added = container.add_stream(encoder.name, rate=1 / self._seconds, options=dict(encoder.options))
            stream = cast(av.VideoStream, added)  # all encoders above are of pictures
            self._set_up(stream.codec_context, encoder)
            container.start_encoding()
        except BaseException:
            container.close()
            raise
        return container, stream

    def _set_up(self, context: av.VideoCodecContext, encoder: _Encoder) -> None:
        context.height, context.width = (side // 2 * 2 for side in self._shape[:2])
        context.pix_fmt = "yuv420p"
        context.time_base = self._seconds
        context.bit_rate = 0
        context.thread_count = _NUM_THREADS
        # Players and OpenCV assume BT.601 if the container has no colour description.
        context.colorspace, context.color_range = Colorspace.ITU601, encoder.color_range
        context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709

    def _frame(self, picture: np.ndarray) -> av.VideoFrame:
        height, width = (side // 2 * 2 for side in picture.shape[:2])
        # OpenCV rounds; FFmpeg's conversion from BGR is one level too dark and too green.
        planes = cv2.cvtColor(np.ascontiguousarray(picture[:height, :width]), cv2.COLOR_BGR2YUV_I420)
        frame = av.VideoFrame.from_ndarray(planes.astype(np.uint8, copy=False), format="yuv420p")
        frame.colorspace, frame.color_range = Colorspace.ITU601, ColorRange.MPEG
        if (wanted := _ENCODERS[self._codec].color_range) != ColorRange.MPEG:
            frame = self._reformatter.reformat(
                frame, src_color_range=ColorRange.MPEG, dst_color_range=wanted, threads=1
            )
        frame.pts, frame.duration = self._time()
        frame.time_base = self._seconds
        return frame

    def _time(self) -> tuple[int, int]:
        """Return the time of the present picture and how long it is shown, in ticks."""
        place = self.num_frames - 1
        if self._ticks is None:
            return place, 1
        ticks = self._ticks
        step = ticks[-1] - ticks[-2]
        if place >= len(ticks):
            return ticks[-1] + (place - len(ticks) + 1) * step, step
        return ticks[place], ticks[place + 1] - ticks[place] if place + 1 < len(ticks) else step

    def _check(self, picture: np.ndarray) -> None:
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or min(picture.shape[:2]) < 2:
            raise ReidopsError(
                f"{self._path}: picture {self.num_frames} is {picture.dtype} {list(picture.shape)}, expected BGR uint8 "
                f"[h, w, 3]"
                " of at least 2 × 2 px"
            )
        if self._shape and picture.shape != self._shape:
            (height, width), (first_height, first_width) = picture.shape[:2], self._shape[:2]
            raise ReidopsError(
                f"{self._path}: picture {self.num_frames} is {width} × {height} px, the first was {first_width} × "
                f"{first_height};"
                " a video has one size: scale the pictures first"
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn FFmpeg's errors into ReidopsErrors; errors of the system, as a full disk, pass unchanged."""
        try:
            yield
        except av.FFmpegError as error:
            if isinstance(error, OSError):
                raise
            others = [codec for codec in available_codecs(self._path.suffix) if codec != self._codec]
            raise ReidopsError(
                f"{self._path}: FFmpeg cannot write pictures of {self._shape[1]} × {self._shape[0]} px with the codec "
                f"{self._codec!r}"
                f" ({error.strerror}); scale them, or name another codec: {', '.join(others)}"
            ) from None


def _ticks(times: Sequence[float]) -> list[int]:
    """Return times in s as whole ms that grow by 1 at least."""
    ticks: list[int] = []
    for seconds in times:
        ticks.append(max(round(seconds * 1000), ticks[-1] + 1 if ticks else 0))
    return ticks


@contextmanager
def open_video(
    path: Path, frame_rate: float, *, codec: str | None = None, times: Sequence[float] | None = None
) -> Iterator[VideoWriter]:
    """Yield a writer; the video is renamed to `path` when the block ends well and it can be read again, deleted
    otherwise.

    Args:
        path: its suffix names the container, one of `CODECS`.
        frame_rate: pictures per second, 0.001 … 1000.
        codec: one of `available_codecs(path.suffix)`; None takes the first.
        times: at which the pictures are shown, in s from the first, where their distance varies; two at least.

    Raises:
        ReidopsError: the codec is not available, pictures differ in size, there was none, or some are missing in the
            file.
    """
    path = Path(path)
    if not _LEAST_RATE <= frame_rate <= _MOST_RATE:
        raise ReidopsError(
            f"{path}: a frame rate of {frame_rate} pictures per second; expected {_LEAST_RATE:g} … {_MOST_RATE:g}"
        )
    codec = _checked_codec(path, codec)
    with whole_file(path) as temporary:
        writer = VideoWriter(path, temporary, frame_rate, codec, times)
        try:
            yield writer
        finally:
            writer.close()
        _check_whole(temporary, path, writer.num_frames)


def write_video(
    pictures: Iterable[np.ndarray],
    path: Path,
    frame_rate: float,
    *,
    codec: str | None = None,
    num_frames: int | None = None,
) -> int:
    """Write all pictures with a progress bar and return their number; see `open_video`.

    Args:
        num_frames: the expected number, for the progress bar.
    """
    with open_video(path, frame_rate, codec=codec) as video:
        for picture in progress_bar(pictures, total=num_frames, desc=f"write {Path(path).name}", unit="frames"):
            video.write(picture)
    return video.num_frames


@cache
def available_codecs(suffix: str = ".mp4") -> tuple[str, ...]:
    """Return the codecs of a container that this PyAV can encode, the default one first."""
    return tuple(codec for codec in CODECS.get(suffix.lower(), ()) if _is_there(_ENCODERS[codec].name))


def _is_there(encoder: str) -> bool:
    try:
        return bool(av.Codec(encoder, "w"))
    except av.codec.codec.UnknownCodecError:
        return False


def _checked_codec(path: Path, codec: str | None) -> str:
    there = available_codecs(path.suffix)
    if not there:
        raise ReidopsError(
            f"{path}: no video can be written to {path.suffix or 'a file without a suffix'}; expected "
            f"{', '.join(CODECS)}"
        )
    if codec is not None and codec not in there:
        raise ReidopsError(f"{path}: no codec {codec!r} is there for {path.suffix}; there are {', '.join(there)}")
    return codec or there[0]


def _check_whole(temporary: Path, path: Path, num_frames: int) -> None:
    """Refuse a file that does not hold all frames."""
    if not num_frames:
        raise ReidopsError(
            f"{path}: no picture was written, and a video has at least one; look at what should have made them"
        )
    found = _num_frames(temporary)
    if found != num_frames:
        raise ReidopsError(
            f"{path}: holds {found} of {num_frames} pictures; is the disk full, or the codec broken? Free space or "
            f"name another codec"
        )


def _num_frames(path: Path) -> int:
    """Return the number of pictures that can be read from a container."""
    found = 0
    try:
        with av.open(str(path.absolute())) as container:
            for packet in container.demux():
                found += packet.size > 0 and not packet.is_corrupt  # as the one is that a cut goes through
    except av.FFmpegError:
        pass
    return found
