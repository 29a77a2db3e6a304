"""docs/draw_pipeline.py: the picture in the README shows the stages of dvc.yaml."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("draw_pipeline", ROOT / "docs" / "draw_pipeline.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_picture_is_that_of_dvc_yaml(script):
    """Otherwise run `python docs/draw_pipeline.py`."""
    assert (ROOT / "docs" / "pipeline.svg").read_text() == script.draw((ROOT / "dvc.yaml").read_text())


def test_every_stage_has_a_note(script):
    assert set(script.read_graph((ROOT / "dvc.yaml").read_text())) <= set(script.NOTES)


def test_no_two_boxes_share_a_place_and_arrows_go_to_the_right(script):
    graph = {"a": set(), "b": {"a"}, "c": {"a", "b"}, "d": {"a"}, "e": {"c", "d"}, "store": set(), "f": {"e", "store"}}
    places = script.place(graph)
    assert len(set(places.values())) == len(graph)
    assert all(places[start][0] < places[end][0] for start, end in script.arrows(graph))
    assert ("a", "c") not in script.arrows(graph) and ("d", "e") in script.arrows(graph)
