"""The tar holds the bytes that OpenCV writes, in the order asked for, whoever does the work."""

import os
import tarfile
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from reidops.datasets import packing
from reidops.datasets.packing import CropSource, CutRules, pack_crops
from reidops.datasets.tar_members import tar_header
from reidops.embedding.resizing import resize_crop
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
        CropSource(f"imgs/{file.stem}_{n}.jpg", str(file), box, (WIDTH, HEIGHT))
        for file in frames
        for n, box in enumerate(boxes)
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


def test_the_tar_is_the_same_for_any_number_of_workers(
    tmp_path: Path, frames: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "_FRAMES_PER_CHUNK", (2, 2))
    tables = [pack_crops(cuts(frames), tmp_path / f"{workers}.tar", workers=workers) for workers in (1, 2)]
    assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()
    assert np.array_equal(*tables)


@pytest.mark.parametrize("frames_per_chunk", [1, 3, 100])
def test_the_tar_does_not_depend_on_how_the_work_is_cut(
    tmp_path: Path, frames: list[Path], monkeypatch: pytest.MonkeyPatch, frames_per_chunk: int
) -> None:
    whole = pack_crops(cuts(frames), tmp_path / "whole.tar", workers=1)
    monkeypatch.setattr(packing, "_FRAMES_PER_CHUNK", (frames_per_chunk, frames_per_chunk))
    assert np.array_equal(pack_crops(cuts(frames), tmp_path / "cut.tar", workers=1), whole)
    assert (tmp_path / "cut.tar").read_bytes() == (tmp_path / "whole.tar").read_bytes()


@pytest.mark.parametrize(("num_frames", "workers"), [(0, 2), (7, 2), (900, 2), (2700, 2), (2700, 16), (20_000, 1)])
def test_batches_shrink_so_that_all_workers_end_together(num_frames: int, workers: int) -> None:
    batches = list(packing._shrinking(list(range(num_frames)), workers))
    sizes = [len(batch) for batch in batches]
    assert [frame for batch in batches for frame in batch] == list(range(num_frames))
    assert sizes == sorted(sizes, reverse=True) and max(sizes, default=0) <= 256
    assert all(size >= min(8, num_frames) for size in sizes[:-1])
    assert num_frames < 900 or max(sizes) <= num_frames / workers and sizes[-1] <= max(8, num_frames / workers / 16)


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
    assert [tar[offset : offset + size] for offset, size, _, _ in table[: len(frames)]] == [
        file.read_bytes() for file in frames
    ]
    assert {(width, height) for _, _, width, height in table[: len(frames)].tolist()} == {(WIDTH, HEIGHT)}


@pytest.mark.parametrize("path", ["a.jpg", "imgs/ä/" + "x" * 80 + ".jpg", "x" * 100, "x" * 101])
@pytest.mark.parametrize("size", [1, 511, 123_456_789, 1 << 34])
def test_headers_are_those_of_tarfile(path: str, size: int) -> None:
    member = tarfile.TarInfo(path)
    member.size = size
    assert tar_header(path, size) == member.tobuf(tarfile.GNU_FORMAT)


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


@pytest.mark.slow
def test_the_error_of_a_worker_process_arrives(
    tmp_path: Path, frames: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "_FRAMES_PER_CHUNK", (2, 2))
    frames[5].unlink()
    with pytest.raises(ReidopsError, match=r"000006\.jpg: No such file"):
        pack_crops(cuts(frames), tmp_path / "crops.tar", workers=2)


def test_a_frame_of_another_size_than_seqinfo_says_is_named(tmp_path: Path, frames: list[Path]) -> None:
    source = CropSource("a.jpg", str(frames[0]), (0, 0, 5, 5), (WIDTH + 1, HEIGHT))
    with pytest.raises(ReidopsError, match=r"000001\.jpg: has 90 × 70 px, expected 91 × 70 \(seqinfo\.ini\)"):
        pack_crops([source], tmp_path / "crops.tar", workers=1)


@pytest.mark.parametrize("suffix", [".png", ".bmp"])
def test_crops_of_other_formats_are_copied_too(tmp_path: Path, suffix: str) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (9, 5, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / f"a{suffix}"), picture)
    ((offset, size, width, height),) = pack_crops(
        [CropSource("a", str(tmp_path / f"a{suffix}"))], tmp_path / "crops.tar", workers=1
    )
    packed = (tmp_path / "crops.tar").read_bytes()[offset : offset + size]
    assert packed == (tmp_path / f"a{suffix}").read_bytes()
    assert (width, height) == (5, 9)


@pytest.mark.parametrize("workers", [1, 2])
def test_pictures_inside_a_file_are_packed_as_png_without_loss(
    tmp_path: Path, frames: list[Path], monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setattr(packing, "_CROPS_PER_CHUNK", 2)
    pictures = [np.random.default_rng(n).integers(0, 256, (8 + n, 4, 3), dtype=np.uint8) for n in range(5)]
    with h5py.File(tmp_path / "set.mat", "w") as file:
        cells = file.create_dataset("people", (1, 5), dtype=h5py.ref_dtype)  # columns first, as MATLAB stores
        for n, picture in enumerate(pictures):
            cells[0, n] = file.create_dataset(f"#refs#/{n}", data=picture[..., ::-1].T).ref
    members = [CropSource(f"{n}.png", str(tmp_path / "set.mat"), member=f"people{{{n + 1},1}}") for n in range(5)]
    table = pack_crops([*cuts(frames[:1]), *members], tmp_path / "crops.tar", workers=workers)
    tar = (tmp_path / "crops.tar").read_bytes()
    for (offset, size, width, height), picture in zip(table[3:], pictures, strict=True):
        assert np.array_equal(
            cv2.imdecode(np.frombuffer(tar[offset : offset + size], np.uint8), cv2.IMREAD_COLOR), picture
        )
        assert (height, width) == picture.shape[:2]


@pytest.mark.parametrize("size", [(12, 6), (100, 60), (30, 50)])
def test_crops_of_a_target_size_are_resized_as_the_networks_input_is(
    tmp_path: Path, frames: list[Path], size: tuple[int, int]
) -> None:
    sources = cuts(frames[:2])
    table = pack_crops(sources, tmp_path / "crops.tar", CutRules(size=size), workers=1)
    tar = (tmp_path / "crops.tar").read_bytes()
    for source, (offset, length, width, height) in zip(sources, table, strict=True):
        x1, y1, x2, y2 = source.box
        resized = resize_crop(cv2.imread(source.file)[y1 : y2 + 1, x1 : x2 + 1], *size)[..., ::-1]
        assert tar[offset : offset + length] == cv2.imencode(".jpg", resized)[1].tobytes()
        assert (height, width) == size


def test_a_frame_that_is_damaged_in_its_middle_is_named(tmp_path: Path, frames: list[Path]) -> None:
    data = frames[2].read_bytes()
    frames[2].write_bytes(data[:3000] + data[-200:])
    with pytest.raises(
        ReidopsError,
        match=r"000003\.jpg: is damaged, parts of the picture are lost \(Corrupt JPEG data: .*copy or unpack it again",
    ):
        pack_crops(cuts(frames), tmp_path / "crops.tar", workers=1)


@pytest.mark.slow
def test_nothing_but_the_tar_is_left_behind(
    tmp_path: Path, frames: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "_FRAMES_PER_CHUNK", (2, 2))
    before = set(tmp_path.iterdir())
    pack_crops(cuts(frames), tmp_path / "crops.tar", workers=2)
    assert set(tmp_path.iterdir()) - before == {tmp_path / "crops.tar"}
    frames[5].unlink()
    with pytest.raises(ReidopsError, match=r"000006\.jpg"):
        pack_crops(cuts(frames), tmp_path / "crops.tar", workers=2)
    assert {path.name for path in tmp_path.iterdir()} - {path.name for path in frames} == {"crops.tar"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_image_that_may_not_be_read_is_named(tmp_path: Path, frames: list[Path]) -> None:
    frames[2].chmod(0)
    with pytest.raises(ReidopsError, match=r"000003\.jpg: Permission denied"):
        pack_crops(cuts(frames), tmp_path / "crops.tar", workers=1)


def test_an_image_that_is_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").mkdir()
    with pytest.raises(ReidopsError, match=r"a\.jpg: Is a directory; copy or unpack"):
        pack_crops([CropSource("a.jpg", str(tmp_path / "a.jpg"))], tmp_path / "crops.tar", workers=1)
