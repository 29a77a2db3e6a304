"""flows/one_training.py: at most one flow trains in a repository."""

from filelock import FileLock

from flows.adapt import adapt
from flows.one_training import only_training
from flows.retrain import retrain


def test_a_flow_may_call_another_one_and_the_last_block_frees_the_repository(tmp_path):
    lock = FileLock(tmp_path / ".cache" / "training.lock")  # as of another process
    with only_training(tmp_path) as outer, only_training(tmp_path) as inner:
        assert outer and inner
    with lock.acquire(blocking=False), only_training(tmp_path) as alone:
        assert not alone
    with only_training(tmp_path) as alone:
        assert alone


def test_every_training_flow_is_cancelled_while_another_one_trains(tmp_path):
    (tmp_path / ".cache").mkdir()
    with FileLock(tmp_path / ".cache" / "training.lock"):
        for flow in (retrain, adapt):
            state = flow.fn(str(tmp_path))
            assert state.is_cancelled() and str(tmp_path) in state.message
    assert list(tmp_path.iterdir()) == [tmp_path / ".cache"]
