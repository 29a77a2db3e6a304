import numpy as np
import pandas as pd
import pytest
import torch

from reidops.errors import ReidopsError
from reidops.tracking.link_network import CHANNELS, WINDOW, LinkNetwork, load_network, track_windows
from reidops.tracking.tuning.link_pairs import MAX_GAP, draw_pairs
from reidops.tracking.tuning.link_training import LinkModule, LinkTraining, draw_scenes, train_linking, write_weights


def rows(frames: range, left: float, speed: float, height: float = 100.0) -> np.ndarray:
    """Return frame, centre x, centre y, height of somebody who walks at a steady pace."""
    frame = np.array(frames, dtype=float)
    return np.column_stack([frame, left + speed * frame, np.full_like(frame, 200), np.full_like(frame, height)])


def scene(num_people: int = 4, num_frames: int = 60) -> pd.DataFrame:
    """Return people who walk side by side, 60 px apart."""
    frame, person = np.meshgrid(np.arange(1, num_frames + 1), np.arange(num_people), indexing="ij")
    return pd.DataFrame(
        {
            "frame": frame.ravel(),
            "track_id": person.ravel(),
            "left": (60.0 * person + 2 * frame).ravel(),
            "top": 100.0,
            "width": 40.0,
            "height": 100.0,
        }
    )


def test_numpy_gives_the_probabilities_of_torch():
    torch.manual_seed(0)
    network = LinkModule()
    before, after = np.random.default_rng(0).normal(size=(2, 5, WINDOW, 3)).astype(np.float32)
    with torch.no_grad():
        expected = torch.sigmoid(network(torch.from_numpy(before), torch.from_numpy(after))).numpy()
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    assert LinkNetwork(weights).probabilities(before, after) == pytest.approx(expected, abs=1e-5)
    assert LinkNetwork(weights).probabilities(before[:0], after[:0]).shape == (0,)


def test_windows_count_from_the_last_box_in_windows_and_heights():
    before, after = track_windows(rows(range(1, 51), 0, 2), rows(range(60, 62), 0, 2))
    assert before[-1].tolist() == [0, 0, 0]
    assert before[0] == pytest.approx([-29 / 30, -58 / 100, 0])
    assert after[0] == pytest.approx([10 / 30, 20 / 100, 0])
    assert (after[2:] == after[1]).all()


@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_windows_do_not_change_with_the_scale_of_a_picture(scale):
    first, second = rows(range(1, 9), 0, 2), rows(range(12, 40), 5, 2)
    larger = [piece * [1, scale, scale, scale] for piece in (first, second)]
    for a, b in zip(track_windows(first, second), track_windows(*larger), strict=True):
        assert a == pytest.approx(b, abs=1e-5)


@pytest.mark.parametrize("content", [None, b"no weights"])
def test_a_file_without_weights_is_refused(tmp_path, content):
    path = tmp_path / "weights.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ReidopsError, match=r"weights\.npz: .*reidops train-linking"):
        load_network(path)


def test_weights_of_another_network_are_refused(tmp_path):
    path = tmp_path / "weights.npz"
    write_weights({"before.time.0.weight": np.zeros((CHANNELS[0], 1, 7, 1))}, path)
    with pytest.raises(ReidopsError, match="another network"):
        load_network(path)


def test_half_of_the_pairs_are_one_person_and_all_begin_soon_after():
    pairs = draw_pairs([scene()], 40, np.random.default_rng(0))
    assert pairs.same.mean() == 0.5
    gaps = pairs.after[:, 0, 0] * WINDOW - pairs.before[:, -1, 0] * WINDOW
    assert (gaps > 0).all() and (gaps <= MAX_GAP + 0.01).all()
    assert np.linalg.norm(pairs.after[pairs.same == 0][:, 0, 1:], axis=1).max() < 2  # heights, with noise


def test_scenes_without_two_tracks_are_refused():
    with pytest.raises(ReidopsError, match="two tracks"):
        draw_pairs([scene(num_people=1)], 4, np.random.default_rng(0))


def test_drawn_scenes_are_the_same_for_a_seed_and_lie_in_the_picture():
    one, again, other = (draw_scenes(1, seed)[0] for seed in (5, 5, 6))
    pd.testing.assert_frame_equal(one, again)
    assert not one.equals(other)
    assert one["track_id"].nunique() >= 8 and (one["height"] > 0).all()
    assert not one.duplicated(["frame", "track_id"]).any()


@pytest.mark.slow
def test_a_training_gives_the_same_weights_again(tmp_path):
    training = LinkTraining(num_pairs=16, num_epochs=1, batch_size=8)
    first, second = (train_linking([scene()], training) for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)
    write_weights(first, tmp_path / "weights.npz")
    assert (
        load_network(tmp_path / "weights.npz").probabilities(np.zeros((2, WINDOW, 3)), np.zeros((2, WINDOW, 3))).shape
    )


@pytest.mark.slow
def test_a_training_learns_to_tell_steady_walkers_apart():
    weights = train_linking(draw_scenes(6, 3), LinkTraining(num_pairs=3000, num_epochs=6))
    pairs = draw_pairs(draw_scenes(3, 4), 600, np.random.default_rng(1))
    right = (LinkNetwork(weights).probabilities(pairs.before, pairs.after) > 0.5) == pairs.same
    assert right.mean() > 0.75
