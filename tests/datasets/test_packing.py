"""The tar holds the bytes that OpenCV writes, in the order asked for, whoever does the work."""

import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from reidops.datasets import packing
from reidops.datasets.jpeg import read_size
from reidops.datasets.packing import CropSource, pack_crops
from reidops.errors import ReidopsError

WIDTH, HEIGHT = 90, 70


@pytest.fixture
def frames(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{n:06d}.jpg" for n in range(1, 8)]
    for n, path in enumerate(paths):
        cv2.imwrite(str(path), np.random.default_rng(n).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8))
    return paths


def cuts(frames: list[Path]) -> list[CropSource]:
    boxes = [(0, 0, 20, 40), (10, 5, 89, 69), (3, 3, 3, 3)]
    return [
        CropSource(f"imgs/{file.stem}_{n}.jpg", str(file), box, (WIDTH, HEIGHT)) for file in frames for n, box in enumerate(boxes)
    ]


def test_every_member_has_the_bytes_that_imwrite_writes(tmp_path: Path, frames: list[Path]) -> None:
    sources = cuts(frames)
    table = pack_crops(sources, tmp_path / "crops.tar", workers=1)
    tar = (tmp_path / "crops.tar").read_bytes()
    for source, (offset, size, width, height) in zip(sources, table, strict=True):
        x1, y1, x2, y2 = source.box
        crop = cv2.imread(source.file)[y1 : y2 + 1, x1 : x2 + 1]
        cv2.imwrite(str(tmp_path / "expected.jpg"), crop)
        assert tar[offset : offset + size] == (tmp_path / "expected.jpg").read_bytes()
        assert (height, width) == crop.shape[:2]


def test_the_tar_is_a_tar_without_time_or_owner(tmp_path: Path, frames: list[Path]) -> None:
    sources = cuts(frames)
    table = pack_crops(sources, tmp_path / "crops.tar", workers=1)
    with tarfile.open(tmp_path / "crops.tar") as tar:
        members = tar.getmembers()
    assert [member.name for member in members] == [source.path for source in sources]
    assert [member.offset_data for member in members] == table[:, 0].tolist()
    assert {(member.mtime, member.uid, member.gid, member.uname) for member in members} == {(0, 0, 0, "")}


def test_the_tar_is_the_same_for_any_number_of_workers(tmp_path: Path, frames: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "_FRAMES_PER_CHUNK", 2)
    tables = [pack_crops(cuts(frames), tmp_path / f"{workers}.tar", workers=workers) for workers in (1, 2)]
    assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()
    assert np.array_equal(*tables)


@pytest.mark.parametrize("frames_per_chunk", [1, 3, 100])
def test_the_tar_does_not_depend_on_how_the_work_is_cut(
    tmp_path: Path, frames: list[Path], monkeypatch: pytest.MonkeyPatch, frames_per_chunk: int
) -> None:
    whole = pack_crops(cuts(frames), tmp_path / "whole.tar", workers=1)
    monkeypatch.setattr(packing, "_FRAMES_PER_CHUNK", frames_per_chunk)
    assert np.array_equal(pack_crops(cuts(frames), tmp_path / "cut.tar", workers=1), whole)
    assert (tmp_path / "cut.tar").read_bytes() == (tmp_path / "whole.tar").read_bytes()


def test_each_frame_is_decoded_once(tmp_path: Path, frames: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []
    decode = packing._decode
    monkeypatch.setattr(packing, "_decode", lambda source: decoded.append(source.file) or decode(source))
    pack_crops(cuts(frames), tmp_path / "crops.tar", workers=1)
    assert decoded == [str(path) for path in frames]


def test_published_crops_are_copied_byte_by_byte(tmp_path: Path, frames: list[Path]) -> None:
    sources = [CropSource(f"imgs/{file.name}", str(file)) for file in frames] + cuts(frames[:1])
    table = pack_crops(sources, tmp_path / "crops.tar", workers=1)
    tar = (tmp_path / "crops.tar").read_bytes()
    assert [tar[offset : offset + size] for offset, size, _, _ in table[: len(frames)]] == [file.read_bytes() for file in frames]
    assert {(width, height) for _, _, width, height in table[: len(frames)].tolist()} == {(WIDTH, HEIGHT)}


@pytest.mark.parametrize("path", ["a.jpg", "imgs/ä/" + "x" * 80 + ".jpg", "x" * 100, "x" * 101])
@pytest.mark.parametrize("size", [1, 511, 123_456_789, 1 << 34])
def test_headers_are_those_of_tarfile(path: str, size: int) -> None:
    member = tarfile.TarInfo(path)
    member.size = size
    assert packing._tar_header(path, size) == member.tobuf(tarfile.GNU_FORMAT)


def test_long_names_are_packed(tmp_path: Path, frames: list[Path]) -> None:
    source = CropSource("imgs/" + "x" * 200 + "/ä.jpg", str(frames[0]))
    ((offset, size, _, _),) = pack_crops([source], tmp_path / "crops.tar", workers=1).tolist()
    assert (tmp_path / "crops.tar").read_bytes()[offset : offset + size] == frames[0].read_bytes()
    with tarfile.open(tmp_path / "crops.tar") as tar:
        assert tar.getnames() == [source.path]


@pytest.mark.parametrize("kept", [0, 1, 600, -2])
@pytest.mark.parametrize("as_frame", [True, False])
def test_a_jpeg_that_is_cut_off_is_named(tmp_path: Path, frames: list[Path], kept: int, as_frame: bool) -> None:
    frames[2].write_bytes(frames[2].read_bytes()[:kept])
    sources = cuts(frames) if as_frame else [CropSource("a.jpg", str(frames[2]))]
    with pytest.raises(ReidopsError, match=r"000003\.jpg: (is empty|the JPEG is cut off|is no)"):
        pack_crops(sources, tmp_path / "crops.tar", workers=1)


def test_the_error_of_a_worker_process_arrives(tmp_path: Path, frames: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "_FRAMES_PER_CHUNK", 2)
    frames[5].unlink()
    with pytest.raises(ReidopsError, match=r"000006\.jpg: No such file"):
        pack_crops(cuts(frames), tmp_path / "crops.tar", workers=2)


def test_a_frame_of_another_size_than_seqinfo_says_is_named(tmp_path: Path, frames: list[Path]) -> None:
    source = CropSource("a.jpg", str(frames[0]), (0, 0, 5, 5), (WIDTH + 1, HEIGHT))
    with pytest.raises(ReidopsError, match=r"000001\.jpg: has 90 × 70 px, seqinfo\.ini says 91 × 70"):
        pack_crops([source], tmp_path / "crops.tar", workers=1)


def test_a_png_is_no_published_crop(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(ReidopsError, match=r"a\.png: is no JPEG"):
        pack_crops([CropSource("a.jpg", str(tmp_path / "a.png"))], tmp_path / "crops.tar", workers=1)


@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("shape", [(1, 1), (17, 300), (720, 31)])
def test_the_size_in_the_header_is_the_size_of_the_picture(tmp_path: Path, shape: tuple[int, int], progressive: int) -> None:
    _, data = cv2.imencode(".jpg", np.zeros((*shape, 3), np.uint8), [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive])
    assert read_size(data.tobytes(), "a.jpg") == shape[::-1]
