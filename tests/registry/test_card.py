"""The model card is one file that opens offline, with escaped text and the figures of the result."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawn_scenes import draw_scene
from made_result import write_result
from PIL import Image

from reidops.drift.reference import REFERENCE, make_reference, write_reference
from reidops.files import read_json, write_json
from reidops.registry.card import CardSource, short_card, write_card
from reidops.registry.card_page import Section, beside, page, pictures, table
from reidops.registry.lineage import Lineage
from reidops.registry.result import Folders

FOLDERS = ("raw", "crops", "validation", "model", "export", "reid", "tracking")
DECISION = {
    "champion": False,
    "reason": "version 2 <b>does not</b> win",
    "rule": {"score": "IDF1"},
    "comparisons": [
        {"against": "random", "score": 0.7, "other": 0.2, "difference": 0.5, "low": 0.4, "high": 0.6, "units": 20,
         "unit": "people", "met": True}
    ],
    "conditions": [{"name": "latency", "found": "9 ms", "required": "at most 2 times", "met": False}],
}  # fmt: skip
ENTRY = {"name": "person-reid", "version": "2", "run_id": "r1", "tracking_uri": "sqlite:///x", "decision": DECISION}


@pytest.fixture
def source(tmp_path: Path) -> CardSource:
    """Return the source of a card of a small result."""
    data = write_result(tmp_path)
    lineage = Lineage("c0ffee", True, "", {"train": {"data/model": "abc.dir"}})
    return CardSource(Folders(*(data / name for name in FOLDERS)), tmp_path / "params.yaml", ENTRY, lineage, 1.5, 8)


def test_a_card_refers_to_nothing_outside_itself(source):
    Image.new("RGB", (40, 20), "red").save(source.folders.model / "curves.png")
    card = write_card(source)
    assert not re.search(r"https?://|<script|<link|url\(|@import", card)
    assert set(re.findall(r'src="(.{10})', card)) == {"data:image"}


def test_a_card_has_the_figures_the_conditions_and_the_origin(source):
    card = write_card(source)
    for shown in ("0.610", "+0.100", "[+0.080, +0.130]", "20 people", "1.50 ms", "abc.dir", "c0ffee", "9 ms"):
        assert shown in card
    assert re.findall(r'<section id="([\w-]+)">', card) == [
        "use", "data", "validation", "training", "reid", "tracking", "calibration", "speed", "promotion", "lineage",
        "load",
    ]  # fmt: skip


def test_a_card_has_the_latencies_of_all_formats(source):
    assert "batches of 32" not in write_card(source)
    card = write_card(replace(source, latencies={"onnx": {1: 3.0, 32: 2.0}, "onnx-int8": {1: 2.5, 32: 1.25}}))
    assert "batches of 32" in card and "onnx-int8" in card and "1.25" in card


def test_a_card_shows_the_drift_reference_if_there_is_one(source):
    assert 'id="drift"' not in write_card(source)
    scenes = [draw_scene(seed) for seed in range(4)]
    write_reference(make_reference(scenes, 0.4, "a" * 64), source.folders.reid / REFERENCE)
    card = write_card(source)
    brightness = np.array([scene.brightness.mean() for scene in scenes])
    shown = f"{brightness.mean():.4g} ± {brightness.std(ddof=1):.2g}"
    assert shown in card and ", ".join(scene.scene for scene in scenes) in card


def test_text_from_files_is_escaped(source):
    write_json(
        {"passed": False, "errors": ["<img src=x onerror=alert(1)>"], "warnings": [], "counts": {}},
        source.folders.validation / "report.json",
    )
    card = write_card(source)
    assert "<img src=x" not in card and "&lt;img src=x onerror=alert(1)&gt;" in card
    assert "<b>does not</b>" not in card and "&lt;b&gt;does not&lt;/b&gt;" in card


def test_a_card_says_when_only_drawn_people_were_measured(source):
    assert "drawn people only" in write_card(source)
    inventory = source.folders.raw / "inventory.json"
    write_json(read_json(inventory) | {"MOT17": read_json(inventory)["synthetic"]}, inventory)
    card = write_card(source)
    assert "drawn people only" not in card and "CC BY-NC-SA 3.0" in card and "Not for commercial use" in card


def test_a_card_names_what_the_model_makes_worse(source):
    metrics = source.folders.tracking / "metrics.json"
    arms = read_json(metrics)
    arms["appearance"]["SYN-05-FRCNN"]["IDSW"], arms["no_appearance"]["SYN-05-FRCNN"]["IDSW"] = 38, 24
    write_json(arms, metrics)
    card = write_card(source)
    assert (
        "On SYN-05-FRCNN the tracker is worse with appearance than without in: the number of identity switches 24 → 38"
        in card
    )
    assert "depends on the visible share of crops: 0.265 from 0.3 on, 0.049 from 0.9 on" in card
    assert "On SYN-06-FRCNN" not in card


def test_the_short_card_has_the_decision_the_figures_and_the_conditions(source):
    short = short_card(source)
    assert short.startswith("**At registration: not champion.** version 2")
    assert "| mAP on synthetic | 0.610 (rank1 0.800) |" in short
    assert "| latency | 9 ms | at most 2 times | **no** |" in short
    assert len(short) < 2000


def test_two_cards_are_level_section_by_section(source):
    first = write_card(source)
    second = page("other", "<h1>other</h1>", [Section("use", "Intended use", "<p>only this</p>")])
    both = beside("1 and 2", {"version 1": first, "version 2": second})
    rows = re.findall(r'<section id="([\w-]+)">', both)
    assert rows[:4] == ["use-0", "use-1", "data-0", "data-1"]
    assert both.count("This card has no such section.") == 10
    assert not re.search(r"https?://|<nav>", both)


def test_a_large_picture_becomes_smaller_and_a_small_one_stays(tmp_path):
    Image.effect_noise((2400, 900), 90).save(tmp_path / "large.png")
    Image.new("RGB", (30, 20), "blue").save(tmp_path / "small.png")
    assert pictures([(tmp_path / "large.png", "noise")]).count("data:image/jpeg;base64,") == 1
    assert "data:image/png;base64," in pictures([(tmp_path / "small.png", "blue")])
    assert pictures([(tmp_path / "none.png", "missing")]) == ""


def test_numbers_are_aligned_and_words_are_not():
    html = table(("name", "value"), [("a", "+0.100"), ("b", "–")])
    assert html.count('<td class="number">') == 2 and html.count("<td>") == 2
    assert table(("name",), []) == ""
