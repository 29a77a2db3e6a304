"""The command `reidops`: it names its subcommands, and bad input ends in one message."""

import subprocess
import sys

import cv2
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from fake_embedder import FakeEmbedder

from reidops import embed_folder as module
from reidops.command import cli, main
from reidops.embed_folder import embed_folder, list_pictures, read_picture
from reidops.errors import ReidopsError


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "crops"
    (folder / "a").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("b.PNG", "a/c.jpg", "a/a b.webp"):
        encoded = cv2.imencode(name[-4:].lower() if "." in name[-4:] else ".webp", rng.integers(0, 255, (12, 6, 3), np.uint8))[1]
        (folder / name).write_bytes(encoded.tobytes())
    (folder / "notes.txt").write_text("no picture\n")
    return folder


@pytest.fixture
def _fake_model(monkeypatch):
    monkeypatch.setattr(module, "Embedder", FakeEmbedder)


@pytest.mark.parametrize("name", ["track", "summary", "embed", "pull"])
def test_the_help_names_each_subcommand(name):
    assert f"  {name} " in CliRunner().invoke(cli, ["--help"]).output


@pytest.mark.parametrize("name", ["summary", "embed", "pull"])
def test_each_subcommand_has_a_page_of_help(name):
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0 and f"{name} [OPTIONS]" in result.output


def test_track_takes_the_options_of_the_tracking_module(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["track", "--help"])
    assert ended.value.code == 0 and "usage: reidops track" in capsys.readouterr().out


def test_bad_input_ends_in_one_message_and_exit_code_1(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["embed", "none", str(tmp_path / "nowhere"), "--output", str(tmp_path / "x.npy")])
    told = capsys.readouterr().err
    assert ended.value.code == 1 and told.startswith("reidops: error: ") and "nowhere" in told and "Traceback" not in told


def test_an_unknown_subcommand_is_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["trakc"])
    assert ended.value.code == 2 and "trakc" in capsys.readouterr().err


def test_pictures_are_listed_below_the_folder_in_sorted_order(pictures):
    assert [path.relative_to(pictures).as_posix() for path in list_pictures(pictures)] == ["a/a b.webp", "a/c.jpg", "b.PNG"]


@pytest.mark.usefixtures("_fake_model")
def test_a_table_and_an_array_hold_the_same_embeddings(pictures, tmp_path):
    assert embed_folder("model", pictures, tmp_path / "e.parquet", batch_size=2) == 3
    embed_folder("model", pictures, tmp_path / "out" / "e.npy", batch_size=64)
    table, array = pd.read_parquet(tmp_path / "e.parquet"), np.load(tmp_path / "out" / "e.npy")
    np.testing.assert_array_equal(np.stack(table["embedding"]), array)
    assert table["path"].tolist() == (tmp_path / "out" / "e.txt").read_text().splitlines()


@pytest.mark.usefixtures("_fake_model")
def test_a_picture_that_cannot_be_decoded_is_named_and_nothing_is_written(pictures, tmp_path):
    whole = (pictures / "a/c.jpg").read_bytes()
    (pictures / "a/c.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ReidopsError, match=r"c\.jpg"):
        embed_folder("model", pictures, tmp_path / "e.parquet")
    assert not list(tmp_path.glob("e.*"))


def test_a_file_that_is_no_picture_is_refused(tmp_path):
    (tmp_path / "x.png").write_bytes(b"<html>not found</html>")
    with pytest.raises(ReidopsError, match=r"x\.png"):
        read_picture(tmp_path / "x.png")


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(ReidopsError, match="no picture"):
        list_pictures(tmp_path)


def test_an_unknown_format_is_refused_before_the_model_is_loaded(pictures, tmp_path):
    with pytest.raises(ReidopsError, match=r"\.parquet or \.npy"):
        embed_folder("nowhere", pictures, tmp_path / "e.csv")


@pytest.mark.slow
def test_the_help_imports_neither_torch_nor_mlflow():
    code = "import sys\nfrom reidops.command import cli\nprint(sorted({'torch', 'mlflow', 'dvc', 'great_expectations'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
