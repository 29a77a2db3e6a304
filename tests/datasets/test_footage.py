"""reidops/datasets/videos.py: which files of a folder are videos, and the names of their sequences."""

import pytest

from reidops.datasets.videos import NoFootage, find_footage


def test_a_link_to_another_folder_is_followed_and_a_cycle_of_links_is_not(tmp_path):
    (tmp_path / "videos" / "hall").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    for path in ("videos/hall/monday.mp4", "elsewhere/tuesday.mp4"):
        (tmp_path / path).touch()
    (tmp_path / "videos" / "hall" / "up").symlink_to(tmp_path / "videos")
    (tmp_path / "videos" / "door").symlink_to(tmp_path / "elsewhere")
    assert [footage.name for footage in find_footage(tmp_path / "videos")] == ["door-tuesday", "hall-monday"]


def test_a_folder_without_a_video_is_an_error_of_its_own(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(NoFootage, match="holds no video"):
        find_footage(tmp_path)
