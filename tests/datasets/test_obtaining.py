"""A named set is found, fetched, or refused with a word on what to do."""

import hashlib
import zipfile
from pathlib import Path

import pytest
from archive_server import serve
from market_factory import write_market_set
from mot_factory import write_mot_set

from reidops.datasets.layouts import SetFolder
from reidops.datasets.obtaining import Sources, obtain_set
from reidops.errors import ReidopsError


def obtain(name: str, tmp_path: Path, sources: Sources) -> SetFolder:
    return obtain_set(name, tmp_path / "raw", tmp_path / "archives", sources)


def zipped(folder: Path, path: Path) -> bytes:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return path.read_bytes()


@pytest.fixture
def local(tmp_path: Path) -> Path:
    write_mot_set(tmp_path / "local" / "MOT17", ("MOT17-02",), detectors=("FRCNN",), num_frames=2)
    write_market_set(tmp_path / "local" / "Market-1501-v15.09.15")
    (tmp_path / "local" / "notes").mkdir()
    return tmp_path / "local"


def test_sets_are_found_under_their_published_names(tmp_path: Path, local: Path) -> None:
    sources = Sources(str(local))
    assert obtain("MOT17", tmp_path, sources) == SetFolder("MOT17", "mot", local / "MOT17", f"local:{local}/MOT17")
    found = obtain("Market-1501", tmp_path, sources)
    assert (found.layout, found.folder.name) == ("market1501", "Market-1501-v15.09.15")
    assert not (tmp_path / "raw").exists()


def test_a_relative_folder_starts_at_the_repository(tmp_path: Path, local: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "repository"))
    (tmp_path / "repository").mkdir()
    found = obtain("MOT17", tmp_path, Sources("../local"))
    assert found.folder.resolve() == local / "MOT17"
    assert found.source == "local:../local/MOT17"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("MOT71", r"MOT71 is no known set and not in .*local, which holds MOT17, .*did you mean MOT17"),
        ("notes", r"local/notes: holds no set: expected train/<sequence>/.* it holds nothing"),
    ],
)
def test_a_name_that_is_no_set_is_refused(tmp_path: Path, local: Path, name: str, message: str) -> None:
    with pytest.raises(ReidopsError, match=message):
        obtain(name, tmp_path, Sources(str(local)))


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReidopsError, match=r"download\.local: .*/nowhere is no folder"):
        obtain("MOT17", tmp_path, Sources(str(tmp_path / "nowhere")))


def test_a_set_that_must_be_asked_for_says_where_and_where_to_put_it(tmp_path: Path) -> None:
    with pytest.raises(ReidopsError, match=r"ask through the form on https://.* unpack .* to <folder>/Market-1501-v15\.09\.15"):
        obtain("Market-1501", tmp_path, Sources())


def test_a_fetched_archive_is_unpacked_without_what_no_part_uses(tmp_path: Path) -> None:
    source = write_mot_set(tmp_path / "source" / "MOT17", ("MOT17-02",), detectors=("DPM", "FRCNN"), num_frames=2)
    write_mot_set(tmp_path / "elsewhere", ("MOT17-01",), detectors=("FRCNN",))
    (tmp_path / "elsewhere" / "train").rename(source / "test")
    content = zipped(tmp_path / "source", tmp_path / "MOT17.zip")
    with serve(content) as server:
        sources = Sources(urls={"MOT17": (server.url,)}, hashes={"MOT17": f"md5:{hashlib.md5(content).hexdigest()}"}, detectors=("FRCNN",))
        found = obtain("MOT17", tmp_path, sources)
    assert (found.folder, found.source) == (tmp_path / "raw" / "MOT17", server.url)
    assert sorted(path.relative_to(found.folder).as_posix() for path in found.folder.glob("*/*")) == ["train/MOT17-02-FRCNN"]
    assert sorted(path.name for path in (tmp_path / "raw").iterdir()) == ["MOT17"]
    assert (tmp_path / "archives" / "MOT17.zip").read_bytes() == content


def test_a_user_may_name_a_set_of_his_own_by_its_address(tmp_path: Path) -> None:
    write_mot_set(tmp_path / "source", ("Square-a",), num_frames=2)
    with serve(zipped(tmp_path / "source", tmp_path / "square.zip")) as server:
        found = obtain("Square", tmp_path, Sources(urls={"Square": (server.url,)}))
    assert (found.folder / "train" / "Square-a" / "seqinfo.ini").is_file()


def test_an_archive_without_a_set_is_refused_and_nothing_stays(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "readme.txt").write_text("moved")
    with serve(zipped(tmp_path / "source", tmp_path / "a.zip")) as server:
        with pytest.raises(ReidopsError, match=r"MOT17\.zip: holds no MOT17.* it holds readme\.txt"):
            obtain("MOT17", tmp_path, Sources(urls={"MOT17": (server.url,)}))
    assert list((tmp_path / "raw").iterdir()) == []
