"""Find the picture input of an ONNX detector, and convert pictures to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from reidops.detection.letterbox import Placement, letterbox, pad
from reidops.detection.onnx_metadata import Metadata
from reidops.detection.settings import DetectorSettings
from reidops.errors import ReidopsError

_Kind = type[np.generic]
_TYPES: dict[str, _Kind] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
}
_SIZE_INPUT = "orig_target_sizes"  # of RT-DETR and D-FINE: width and height in px to which the boxes are scaled
_LEAST_STRIDE = 32  # px


class DeclaredInput(Protocol):
    """An input as ONNX Runtime declares it."""

    name: str
    shape: list[int | str | None]
    type: str


@dataclass(frozen=True)
class PictureInput:
    """The format of a network's picture input.

    `num_pictures` is a fixed batch size; the batch is filled with the same picture. `size_input` is the name and type
    of the input for the size of the picture, None if there is none.
    """

    name: str
    kind: type[np.generic]
    num_pictures: int | None  # None: no batch dimension
    height: int | None  # px; None: free
    width: int | None
    channels_last: bool
    size_input: tuple[str, type[np.generic]] | None

    def feed(
        self, picture: np.ndarray, settings: DetectorSettings, metadata: Metadata
    ) -> tuple[dict[str, np.ndarray], Placement, tuple[int, int]]:
        """Return the inputs for a picture BGR uint8 [h, w, 3], its placement, and the input's (height, width) in px."""
        placed, placement = self._place(picture, settings, metadata)
        ordered = placed if settings.colours == "bgr" else placed[..., ::-1]
        values = np.ascontiguousarray(ordered if self.channels_last else ordered.transpose(2, 0, 1))
        if self.kind is not np.uint8:
            values = (values.astype(np.float32) * np.float32(settings.white / 255)).astype(self.kind)
        if self.num_pictures is not None:
            values = np.repeat(values[None], self.num_pictures, axis=0)
        size = (placed.shape[0], placed.shape[1])
        feed = {self.name: values}
        if self.size_input is not None:
            name, kind = self.size_input
            feed[name] = np.array([[size[1], size[0]]] * (self.num_pictures or 1), dtype=kind)
        return feed, placement, size

    def _place(
        self, picture: np.ndarray, settings: DetectorSettings, metadata: Metadata
    ) -> tuple[np.ndarray, Placement]:
        wanted = settings.size or metadata.size or (None, None)
        height, width = self.height or wanted[0], self.width or wanted[1]
        if height and width:
            return letterbox(picture, height, width)
        return pad(picture, max(_LEAST_STRIDE, metadata.stride or 0))


def picture_input(inputs: Sequence[DeclaredInput]) -> PictureInput:
    """Return the format of the picture input.

    Raises:
        ReidopsError: the network has no picture input, or further inputs.
    """
    others = [declared for declared in inputs if declared.name == _SIZE_INPUT]
    pictures = [declared for declared in inputs if declared.name != _SIZE_INPUT]
    shape, kind = (pictures[0].shape, pictures[0].type) if pictures else ([], "nothing")
    channels_last = len(shape) in (3, 4) and shape[-1] == 3 and shape[-3] != 3
    channels = shape[-1 if channels_last else -3] if len(shape) in (3, 4) else 0
    if len(pictures) != 1 or not _may_be(channels, 3) or kind not in _TYPES:
        listed = ", ".join(f"{declared.name} {declared.shape} of {declared.type}" for declared in inputs)
        raise ReidopsError(
            f"its inputs are {listed}; expected one, [1, 3, H, W] or [3, H, W] of float32, float16 or uint8, and "
            f"optionally {_SIZE_INPUT}; export the detector with such an input"
        )
    height, width = shape[-3:-1] if channels_last else shape[-2:]
    batch = None if len(shape) == 3 else shape[0] if isinstance(shape[0], int) and shape[0] > 0 else 1
    sizes: dict[str, _Kind] = {
        "tensor(int64)": np.int64,
        "tensor(int32)": np.int32,
        "tensor(float)": np.float32,
    }
    return PictureInput(
        name=pictures[0].name,
        kind=_TYPES[kind],
        num_pictures=batch,
        height=_fixed(height),
        width=_fixed(width),
        channels_last=channels_last,
        size_input=(others[0].name, sizes.get(others[0].type, np.int64)) if others else None,
    )


def _may_be(side: int | str | None, wanted: int) -> bool:
    """Return whether a side of an input can have the length `wanted`; a free side has a name, None or −1."""
    return side == wanted or not isinstance(side, int) or side < 0


def _fixed(side: int | str | None) -> int | None:
    return side if isinstance(side, int) and side > 0 else None
