"""A named set is found, fetched, or refused with a word on what to do."""

import hashlib
import logging
import re
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from archive_server import serve
from market_factory import write_market_set
from mot_factory import write_mot_set

from reidops.datasets.layouts import SetFolder
from reidops.datasets.motchallenge import HOW_TO_ASK, PUBLISHED
from reidops.datasets.obtaining import Sources, obtain_set, with_protocol_of
from reidops.datasets.sets import LAYOUTS, SETS
from reidops.errors import ReidopsError, Unreachable

pytestmark = pytest.mark.slow


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


def test_a_relative_folder_starts_at_the_repository(
    tmp_path: Path, local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "repository"))
    (tmp_path / "repository").mkdir()
    found = obtain("MOT17", tmp_path, Sources("../local"))
    assert found.folder.resolve() == local / "MOT17"
    assert found.source == "local:../local/MOT17"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("MOT71", r"MOT71 .*local.*did you mean MOT17"),
        ("notes", r"local/notes: .*train/<sequence>/"),
        ("Markt-1501", "did you mean Market-1501"),
        ("../secret", r"\.\./secret is not the name of a data set"),
        ("/etc", "/etc is not the name of a data set"),
    ],
)
def test_a_name_that_is_no_set_is_refused(tmp_path: Path, local: Path, name: str, message: str) -> None:
    with pytest.raises(ReidopsError, match=message):
        obtain(name, tmp_path, Sources(str(local)))


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReidopsError, match=r"download\.local: .*/nowhere is not a folder"):
        obtain("MOT17", tmp_path, Sources(str(tmp_path / "nowhere")))


def test_a_set_that_must_be_asked_for_says_where_and_where_to_put_it(tmp_path: Path) -> None:
    with pytest.raises(
        ReidopsError, match=r"ask through the form on https://.* unpack .* to <folder>/Market-1501-v15\.09\.15"
    ):
        obtain("Market-1501", tmp_path, Sources())


def test_a_fetched_archive_is_unpacked_without_what_no_part_uses(tmp_path: Path) -> None:
    source = write_mot_set(tmp_path / "source" / "MOT17", ("MOT17-02",), detectors=("DPM", "FRCNN"), num_frames=2)
    write_mot_set(tmp_path / "elsewhere", ("MOT17-01",), detectors=("FRCNN",))
    (tmp_path / "elsewhere" / "train").rename(source / "test")
    content = zipped(tmp_path / "source", tmp_path / "MOT17.zip")
    with serve(content) as server:
        sources = Sources(
            urls={"MOT17": (server.url,)},
            hashes={"MOT17": f"md5:{hashlib.md5(content).hexdigest()}"},
            detectors=("FRCNN",),
        )
        found = obtain("MOT17", tmp_path, sources)
    assert (found.folder, found.source) == (tmp_path / "raw" / "MOT17", server.url)
    assert sorted(path.relative_to(found.folder).as_posix() for path in found.folder.glob("*/*")) == [
        "train/MOT17-02-FRCNN"
    ]
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


def archived(folder: Path, path: Path, *, wrapped: bool = True) -> Path:
    """Zip a folder, with or without its own name, remove it and return the zip."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder.parent if wrapped else folder))
    shutil.rmtree(folder)
    return path


def files_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("Market-1501", "Market-1501-v15.09.15.zip"),
        ("Market-1501", "Market-1501.zip"),
        ("DukeMTMC-reID", "DukeMTMC-reID.zip"),
    ],
)
def test_a_set_is_taken_from_its_published_archive(tmp_path: Path, name: str, file: str, wrapped: bool) -> None:
    written = write_market_set(tmp_path / "local" / "set")
    expected = files_below(written)
    archived(written, tmp_path / "local" / file, wrapped=wrapped)
    found = obtain(name, tmp_path, Sources(str(tmp_path / "local")))
    assert (found.layout, found.folder, found.source) == (
        SETS[name].layout,
        tmp_path / "raw" / name,
        f"unpacked:{tmp_path}/local/{file}",
    )
    assert files_below(found.folder) == expected
    assert files_below(tmp_path / "local") == [file] and not (tmp_path / "archives").exists()
    assert [path.name for path in (tmp_path / "raw").iterdir()] == [name]


def test_of_a_mot_archive_only_what_parts_use_is_unpacked(tmp_path: Path) -> None:
    written = write_mot_set(
        tmp_path / "local" / "MOT17", ("MOT17-02",), detectors=("DPM", "FRCNN", "SDP"), num_frames=2
    )
    shutil.copytree(written / "train" / "MOT17-02-FRCNN", written / "test" / "MOT17-01-FRCNN")
    archived(written, tmp_path / "local" / "MOT17.zip")
    found = obtain("MOT17", tmp_path, Sources(str(tmp_path / "local"), detectors=("FRCNN",)))
    assert [path.relative_to(found.folder).as_posix() for path in found.folder.glob("*/*")] == ["train/MOT17-02-FRCNN"]


@pytest.fixture
def mot17_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write MOT17 as three archives under the mirror's names, whose hashes become these ones'."""
    written = write_mot_set(tmp_path / "MOT17", ("MOT17-02",), detectors=("FRCNN",), num_frames=2)
    local = tmp_path / "local"
    local.mkdir()
    way = []
    for archive, kind in zip(PUBLISHED["MOT17"][1], ("img1", "gt", "det"), strict=True):
        with zipfile.ZipFile(local / archive.name, "w") as target:
            for file in sorted(written.rglob("*")):
                if kind in file.parts or file.name == "seqinfo.ini":
                    target.write(file, file.relative_to(tmp_path))
        way.append(replace(archive, hash="md5:" + hashlib.md5((local / archive.name).read_bytes()).hexdigest()))
    monkeypatch.setitem(PUBLISHED, "MOT17", (PUBLISHED["MOT17"][0], tuple(way)))
    shutil.rmtree(written)
    return local


def test_several_archives_make_one_set(tmp_path: Path, mot17_in_parts: Path) -> None:
    found = obtain("MOT17", tmp_path, Sources(str(mot17_in_parts)))
    folder = found.folder / "train" / "MOT17-02-FRCNN"
    assert files_below(folder) == ["det/det.txt", "gt/gt.txt", "img1/000001.jpg", "img1/000002.jpg", "seqinfo.ini"]


def test_a_part_that_is_missing_or_another_file_is_named(tmp_path: Path, mot17_in_parts: Path) -> None:
    (mot17_in_parts / "mot17-train-annotations.zip").unlink()
    with pytest.raises(ReidopsError, match="mot17-train-annotations.zip is missing"):
        obtain("MOT17", tmp_path, Sources(str(mot17_in_parts)))
    shutil.copy(mot17_in_parts / "mot17-train-frames.zip", mot17_in_parts / "mot17-train-annotations.zip")
    with pytest.raises(ReidopsError, match="mot17-train-annotations.zip: its md5 is .*, expected .*; get it again"):
        obtain("MOT17", tmp_path, Sources(str(mot17_in_parts)))


def test_a_local_archive_has_the_hash_that_params_name(tmp_path: Path) -> None:
    archived(write_market_set(tmp_path / "local" / "Market-1501"), tmp_path / "local" / "Market-1501.zip")
    with pytest.raises(
        ReidopsError, match=r"Market-1501\.zip: its md5 is .*, expected 00; get it again, or .*download\.hashes"
    ):
        obtain("Market-1501", tmp_path, Sources(str(tmp_path / "local"), hashes={"Market-1501": "md5:00"}))


def test_a_web_page_among_the_local_archives_is_told(tmp_path: Path) -> None:
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / "MOT17.zip").write_text("<html>sign in</html>")
    with pytest.raises(ReidopsError, match=r"local/MOT17\.zip: is a web page"):
        obtain("MOT17", tmp_path, Sources(str(tmp_path / "local")))
    assert not (tmp_path / "raw").exists()


def test_a_folder_wins_over_an_archive_and_an_archive_over_a_folder_without_the_set(
    tmp_path: Path, local: Path
) -> None:
    (local / "Market-1501.zip").write_bytes(b"not looked at")
    assert obtain("Market-1501", tmp_path, Sources(str(local))).folder == local / "Market-1501-v15.09.15"
    archived(write_mot_set(tmp_path / "MOT20", ("MOT20-01",), num_frames=2), local / "MOT20.zip")
    (local / "MOT20").mkdir()
    assert obtain("MOT20", tmp_path, Sources(str(local))).folder == tmp_path / "raw" / "MOT20"


def test_a_set_in_a_folder_of_its_own_name_is_found(tmp_path: Path) -> None:
    write_market_set(tmp_path / "local" / "DukeMTMC-reID" / "DukeMTMC-reID")
    write_mot_set(tmp_path / "local" / "MOT16" / "MOT16", ("MOT16-02",), num_frames=2)
    found = obtain("DukeMTMC-reID", tmp_path, Sources(str(tmp_path / "local")))
    assert found.folder == tmp_path / "local" / "DukeMTMC-reID" / "DukeMTMC-reID"
    assert found.source.endswith("local/DukeMTMC-reID/DukeMTMC-reID")
    assert obtain("MOT16", tmp_path, Sources(str(tmp_path / "local"))).folder.parts[-2:] == ("MOT16", "MOT16")


@pytest.mark.parametrize("suffix", ["zip", "tar", "tar.gz", "tgz"])
def test_a_set_of_the_users_own_is_taken_from_its_archive(tmp_path: Path, suffix: str) -> None:
    write_mot_set(tmp_path / "Square", ("Square-a",), num_frames=2)
    (tmp_path / "local").mkdir()
    kind = {"tar.gz": "gztar", "tgz": "gztar"}.get(suffix, suffix)
    made = shutil.make_archive(str(tmp_path / "made"), kind, tmp_path, "Square")
    shutil.move(made, tmp_path / "local" / f"Square.{suffix}")
    found = obtain("Square", tmp_path, Sources(str(tmp_path / "local")))
    assert (found.layout, found.folder) == ("mot", tmp_path / "raw" / "Square")


def test_archives_in_a_sets_folder_are_joined_with_what_lies_beside_them(tmp_path: Path) -> None:
    local = tmp_path / "local" / "MARS"
    for part in ("bbox_train", "bbox_test"):
        (local / part / "0001").mkdir(parents=True)
        (local / part / "0001" / "0001C1T0001F001.jpg").write_bytes(b"a crop")
        archived(local / part, local / f"{part}.zip")
    (local / "info").mkdir()
    for name in (
        name for part in ("train", "test") for name in SETS["MARS"].reads(part, "") if name.startswith("info/")
    ):
        (local / name).write_bytes(b"a list")
    before = files_below(local)
    found = obtain("MARS", tmp_path, Sources(str(tmp_path / "local")))
    assert sorted(path.name for path in found.folder.iterdir()) == ["bbox_test", "bbox_train", "info"]
    assert files_below(local) == before


@pytest.mark.parametrize(
    ("name", "folder"), [("MOT17", "MOT17"), ("MSMT17", "MSMT17_V1"), ("DanceTrack", "DanceTrack")]
)
def test_another_set_under_a_known_name_is_refused(tmp_path: Path, name: str, folder: str) -> None:
    write_market_set(tmp_path / "local" / folder)
    with pytest.raises(
        ReidopsError, match=rf"local/{folder}: holds no {name} as published: expected .*; it holds bounding_box_test, "
    ):
        obtain(name, tmp_path, Sources(str(tmp_path / "local")))


def test_a_folder_of_crops_for_each_person_is_a_set_and_any_other_folder_is_not(tmp_path: Path, local: Path) -> None:
    for person in ("anna", "ben"):
        (local / "office" / person).mkdir(parents=True)
        (local / "office" / person / "1.jpg").write_bytes(b"a crop")
    assert obtain("office", tmp_path, Sources(str(local))).layout == "folder-per-identity"


@pytest.mark.parametrize("fault", ["withdrawn", "cut off"])
def test_a_fault_while_unpacking_leaves_nothing(tmp_path: Path, fault: str) -> None:
    archive = archived(write_market_set(tmp_path / "local" / "Market-1501"), tmp_path / "local" / "Market-1501.zip")
    content = archive.read_bytes()
    with zipfile.ZipFile(archive, "w") as other:
        other.writestr("readme.txt", "withdrawn")
    if fault == "cut off":
        archive.write_bytes(content[: len(content) // 2] + content[-22:])
    with pytest.raises(
        ReidopsError, match=r"Market-1501\.zip: (holds no Market-1501.* it holds readme\.txt|is cut off)"
    ):
        obtain("Market-1501", tmp_path, Sources(str(tmp_path / "local")))
    assert not (tmp_path / "raw").exists() or list((tmp_path / "raw").iterdir()) == []


def test_a_server_that_is_silent_is_worth_another_try_and_one_that_refuses_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(b"") as server:
        server.statuses = [404]
        with pytest.raises(
            ReidopsError, match=r"(?s)VIPeR could not be fetched.*404.*unpack VIPeR\.v1\.0\.zip to <folder>/VIPeR"
        ) as refusal:
            obtain("VIPeR", tmp_path, Sources(urls={"VIPeR": (server.url,)}))
        assert not isinstance(refusal.value, Unreachable)
        server.statuses, server.retry_after = [503], "86400"
        with pytest.raises(Unreachable, match="asks to wait for 86400 s"):
            obtain("VIPeR", tmp_path, Sources(urls={"VIPeR": (server.url,)}))


def test_an_address_counts_for_every_protocol_of_a_set(tmp_path: Path) -> None:
    for view in ("cam_a", "cam_b"):
        (tmp_path / "source" / "VIPeR" / view).mkdir(parents=True)
        (tmp_path / "source" / "VIPeR" / view / "001_0.bmp").write_bytes(b"a picture")
    first, second = SETS["VIPeR"].protocols[:2]
    with serve(zipped(tmp_path / "source", tmp_path / "a.zip")) as server:
        found = obtain(f"VIPeR:{first}", tmp_path, Sources(urls={"VIPeR": (server.url,)}))
        again = with_protocol_of(f"VIPeR:{second}", found)
    assert (again.folder, again.source, again.protocol) == (found.folder, server.url, second)
    with pytest.raises(ReidopsError, match="VIPeR does not have"):
        with_protocol_of("VIPeR:none", found)


@pytest.mark.parametrize("name", [name for name in (*SETS, *HOW_TO_ASK) if name not in SETS or not SETS[name].ways])
@pytest.mark.parametrize("with_local", [True, False])
def test_a_set_that_must_be_asked_for_says_where_and_as_what_to_put_it(
    tmp_path: Path, name: str, with_local: bool
) -> None:
    (tmp_path / "local").mkdir()
    base = str(tmp_path / "local") if with_local else None
    with pytest.raises(ReidopsError) as refusal:
        obtain(name, tmp_path, Sources(base))
    folder = SETS[name].folder_names[0] if name in SETS else name
    assert re.search(r"https?://\S+", str(refusal.value)) and f" to {base or '<folder>'}/{folder}" in str(refusal.value)
    assert ("set download.local to <folder>" in str(refusal.value)) == (not with_local)


def test_a_notice_is_told_once_for_a_set_that_is_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_market_set(tmp_path / "local" / "DukeMTMC-reID")
    with caplog.at_level(logging.WARNING):
        found = obtain("DukeMTMC-reID", tmp_path, Sources(str(tmp_path / "local")))
        with_protocol_of("DukeMTMC-reID", found)
    assert [record.getMessage() for record in caplog.records] == [f"DukeMTMC-reID: {SETS['DukeMTMC-reID'].notice}"]


@pytest.mark.parametrize("known", SETS.values(), ids=SETS)
def test_every_known_set_says_where_it_lies_and_how_to_get_it(known) -> None:
    assert known.folder_names and LAYOUTS[known.layout] is known
    assert all(not Path(name).is_absolute() and ".." not in Path(name).parts for name in known.folder_names)
    for protocol in known.protocols:
        names = [name for part in ("train", "test") for name in known.reads(part, protocol)]
        assert names and all(not Path(name).is_absolute() and ".." not in Path(name).parts for name in names)
    assert known.ways or known.how_to_ask
    archives = [archive for way in known.ways for archive in way]
    assert all(re.fullmatch(r"https?://\S+", url) for archive in archives for url in archive.urls)
    assert all(archive.urls and Path(archive.name).name == archive.name for archive in archives)
    assert not known.how_to_ask.rstrip().endswith((".", " to"))  # " to <folder>" follows


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_mot_set_has_an_address_or_says_where_to_ask(name: str) -> None:
    assert PUBLISHED[name] or HOW_TO_ASK[name]
    urls = [url for way in PUBLISHED[name] for archive in way for url in archive.urls]
    assert all(re.fullmatch(r"https?://\S+\.zip", url) for url in urls)
