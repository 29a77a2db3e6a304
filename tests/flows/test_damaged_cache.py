"""A damaged object of DVC's cache is found by its content, and its stage runs again."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from flows.damaged_cache import put_damaged_objects_aside

CONTENT = {"a.txt": b"first", "b/c.bin": bytes(range(200))}


def store(cache: Path, content: bytes, suffix: str = "") -> str:
    """Write an object as DVC does, read-only and named by its MD5, and return the MD5."""
    md5 = hashlib.md5(content).hexdigest() + suffix
    path = cache / md5[:2] / md5[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o444)
    return md5


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a repository with one output, whose files are links to their objects."""
    cache, entries = tmp_path / "cache", []
    for name, content in CONTENT.items():
        md5 = store(cache, content)
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        os.link(cache / md5[:2] / md5[2:], tmp_path / "data" / name)
        entries.append({"md5": md5, "relpath": name})
    listed = store(cache, json.dumps(entries).encode(), ".dir")
    stage = {"cmd": "x", "outs": [{"path": "data", "md5": listed}]}
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": {"x": stage}}))
    return tmp_path


def damage(path: Path, content: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(0o444)


def test_a_whole_cache_is_left_alone(folder):
    assert put_damaged_objects_aside(folder, folder / "cache") == []
    assert {name: (folder / "data" / name).read_bytes() for name in CONTENT} == CONTENT


@pytest.mark.parametrize("content", [bytes(range(199)), bytes(199) + b"\1", b""])
def test_a_damaged_object_and_its_link_are_removed_and_the_others_stay(folder, content):
    damage(folder / "data" / "b" / "c.bin", content)
    assert put_damaged_objects_aside(folder, folder / "cache") == [Path("data/b/c.bin")]
    assert [path.name for path in (folder / "data").rglob("*") if path.is_file()] == ["a.txt"]
    (aside,) = (folder / ".dvc" / "tmp").iterdir()
    assert aside.read_bytes() == content and aside.name.endswith(".damaged")
    assert put_damaged_objects_aside(folder, folder / "cache") == []


def test_a_whole_copy_of_a_damaged_object_stays(folder):
    copy = folder / "data" / "a.txt"
    copy.unlink()
    copy.write_bytes(CONTENT["a.txt"])
    md5 = hashlib.md5(CONTENT["a.txt"]).hexdigest()
    damage(folder / "cache" / md5[:2] / md5[2:], b"fir")
    assert put_damaged_objects_aside(folder, folder / "cache") == [Path("data/a.txt")]
    assert copy.read_bytes() == CONTENT["a.txt"]


def test_an_output_whose_list_is_damaged_is_named_by_its_folder(folder):
    (listed,) = (folder / "cache").rglob("*.dir")
    damage(listed, b"[")
    assert put_damaged_objects_aside(folder, folder / "cache") == [Path("data")]
    assert not listed.exists() and (folder / "data" / "a.txt").exists()


@pytest.mark.slow
def test_dvc_runs_the_stage_of_a_damaged_object_again(tmp_path, root):
    """Without the check DVC restores the damaged object and says that all is up to date."""
    graph = {"make": {"cmd": "mkdir out && echo whole > out/a && echo run >> runs", "outs": ["out"]}}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": graph}))

    def run(*command: str) -> str:
        environment = os.environ | {"PYTHONPATH": str(root), "DVC_SITE_CACHE_DIR": str(tmp_path / "site")}
        ran = subprocess.run(
            [sys.executable, "-m", *command], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
        )
        return ran.stdout

    run("dvc", "init", "--quiet", "--no-scm")
    run("dvc", "repro", "--quiet")
    (tmp_path / "out" / "a").unlink()
    md5 = hashlib.md5(b"whole\n").hexdigest()
    damage(tmp_path / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:], b"wh")
    assert run("flows.damaged_cache").startswith("out/a: its object in DVC's cache was damaged")
    run("dvc", "repro", "--quiet")
    assert (tmp_path / "out" / "a").read_text() == "whole\n" and (tmp_path / "runs").read_text() == "run\nrun\n"
