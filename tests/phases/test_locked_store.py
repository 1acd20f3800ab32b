"""A training whose MLflow store is locked keeps its results, and MLflow gets all of it later."""

import sqlite3
import threading
import time
from contextlib import closing

import pandas as pd
import pytest
from mlflow.tracking import MlflowClient

from cerebro import mlflow_store
from cerebro.data.card import load_encoder, read_card
from cerebro.files import read_json
from cerebro.phases.recorder import Recorder
from cerebro.tracking import describe_unsent, start_run

pytestmark = pytest.mark.slow


def losses(store, run_id):
    """Validation losses by epoch, as MLflow has them."""
    client = MlflowClient(tracking_uri=f"sqlite:///{store.parent / 'mlflow.db'}")
    return [(entry.step, entry.value) for entry in client.get_metric_history(run_id, "val/loss")]


def written(history):
    return list(pd.read_csv(history)[["epoch", "val/loss"]].itertuples(index=False, name=None))


def test_a_training_that_ends_while_the_store_is_locked_is_finished(
    train, study, store, tmp_path, monkeypatch, capsys
):
    """The lock comes after the first epoch and stays; the next step sends what MLflow lacks."""
    monkeypatch.setattr(mlflow_store, "PATIENCE_S", 0.5)
    over = threading.Event()

    def lock():
        while not any(len(written(path)) > 1 for path in tmp_path.glob("*/history.csv")):
            time.sleep(0.01)
        with closing(sqlite3.connect(store.parent / "mlflow.db", isolation_level=None, timeout=60)) as other:
            other.execute("BEGIN EXCLUSIVE")
            over.wait()

    program = threading.Thread(target=lock)
    program.start()
    try:
        folder = train("tokenizer", "locked", state=tmp_path, epochs=4)
        assert "locked by another program" in capsys.readouterr().out
    finally:
        over.set()
        program.join()
    load_encoder(folder)
    assert read_json(folder / "metrics.json")["resumed"] == 0
    run_id, epochs = read_card(folder)["mlflow_run_id"], written(folder / "history.csv")
    assert [epoch for epoch, _ in epochs] == [0, 1, 2, 3, 4]
    assert len(losses(store, run_id)) < 5
    assert describe_unsent(store)
    with start_run(store, name="next", kind="probe"):
        pass
    sent = losses(store, run_id)
    assert [epoch for epoch, _ in sent] == [0, 1, 2, 3, 4]
    assert dict(sent) == pytest.approx(dict(epochs))
    assert not describe_unsent(store)


def test_a_resumed_training_sends_the_epochs_that_a_killed_attempt_could_not(store, tmp_path):
    """Its history has them; what MLflow has already stays single."""
    history, resume = tmp_path / "history.csv", tmp_path / "run_id"
    rows = {
        "epoch": [0, 1, 2],
        "step": [0, 3, 6],
        "val/loss": [3.0, 2.0, 1.0],
        "train/loss": [None, 2.5, 1.5],
    }
    pd.DataFrame(rows).to_csv(history, index=False)
    with start_run(store, name="killed", kind="tokenizer", resume=resume) as run:
        run.log_metrics({"val/loss": 3.0}, step=0)
    with start_run(store, name="killed", kind="tokenizer", resume=resume) as run:
        Recorder(history, run)
    assert losses(store, run.id) == [(0, 3.0), (1, 2.0), (2, 1.0)]
