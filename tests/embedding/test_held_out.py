"""reidops/embedding/held_out.py: with `half`, checkpoint and gate use different people."""

import numpy as np
import pandas as pd

from reidops.embedding.held_out import choose_the_checkpoint, fit_the_gate

NUM_PEOPLE = {"01": 4, "02": 3, "03": 1, "04": 5}


def crops_table() -> pd.DataFrame:
    """Return three crops of each held-out person by scene, then a distractor and crops of other splits."""
    scenes = np.repeat(list(NUM_PEOPLE), list(NUM_PEOPLE.values()))
    val = pd.DataFrame(
        {
            "dataset": "MOT17",
            "scene": np.repeat(scenes, 3),
            "pid": np.repeat(np.arange(len(scenes)) * 7, 3),
            "split": "val",
        }
    )
    others = pd.DataFrame(
        {"dataset": "MOT17", "scene": "01", "pid": [-1, 500, 501, 501], "split": ["val", "train", "query", "gallery"]}
    )
    return pd.concat([val, others], ignore_index=True)


def pids(table: pd.DataFrame, chosen: np.ndarray) -> set[int]:
    return set(table.loc[chosen, "pid"])


def test_with_half_checkpoint_and_gate_use_different_people():
    table = crops_table()
    choose, fit = choose_the_checkpoint(table, "half"), fit_the_gate(table, "half")
    assert not pids(table, choose) & pids(table, fit)
    assert pids(table, choose | fit) == set(table.loc[table["split"] == "val", "pid"])
    assert set(table.loc[choose | fit, "split"]) == {"val"} and -1 not in pids(table, fit)
    for scene, num in NUM_PEOPLE.items():
        of_scene = (table["scene"] == scene).to_numpy() & (table["pid"] >= 0).to_numpy()
        assert abs(len(pids(table, choose & of_scene)) - num / 2) <= 1 / 2


def test_the_halves_do_not_depend_on_the_order_of_the_rows():
    table = crops_table()
    shuffled = table.sample(frac=1, random_state=0, ignore_index=True)
    assert pids(shuffled, choose_the_checkpoint(shuffled, "half")) == pids(table, choose_the_checkpoint(table, "half"))


def test_with_all_checkpoint_and_gate_use_the_same_known_people():
    table = crops_table()
    assert pids(table, choose_the_checkpoint(table, "all")) == pids(table, fit_the_gate(table, "all")) | {-1}
