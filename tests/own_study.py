"""A BIDS dataset of one's own: people who rested with their eyes open and closed, some of them patients."""

from pathlib import Path

import edfio
import numpy as np

NAMES = ("Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "T7", "C3", "Cz", "C4", "T8", "P3", "Pz", "P4", "O1", "O2")
SFREQ = 128
SECONDS = 40
"""Of either state."""


def write_own_study(root: Path, *, people: int = 12, seed: int = 0) -> Path:
    """Write a BIDS tree of one recording a person: EDF, events, participants.

    Alpha over the back of the head is stronger with closed eyes; age and group are drawn at random, and a
    reaction time stands at the clicks of a second task.
    """
    random = np.random.default_rng(seed)
    root.mkdir(parents=True)
    table = ["participant_id\tage\tgroup\tcode"]
    for number in range(1, people + 1):
        name = f"sub-{number:02d}"
        group = ("control", "epilepsy")[number % 2]
        table.append(f"{name}\t{random.integers(18, 70)}\t{group}\tx{number}")
        folder = root / name / "eeg"
        folder.mkdir(parents=True)
        _write_edf(folder / f"{name}_task-rest_eeg.edf", random)
        (folder / f"{name}_task-rest_events.tsv").write_text(
            "onset\tduration\ttrial_type\n"
            f"0\t{SECONDS}\teyes_closed\n"
            f"{SECONDS}\t{SECONDS}\teyes_open\n"
        )
        _write_edf(folder / f"{name}_task-clicks_eeg.edf", random)
        clicks = [
            f"{2 + 3 * click}\t0\tclick_{('left', 'right')[click % 2]}\t{random.uniform(0.3, 0.9):.3f}"
            for click in range(20)
        ]
        (folder / f"{name}_task-clicks_events.tsv").write_text(
            "onset\tduration\ttrial_type\tresponse_time\n" + "\n".join(clicks) + "\n"
        )
    (root / "participants.tsv").write_text("\n".join(table) + "\n")
    (root / "dataset_description.json").write_text('{"Name": "Rest", "BIDSVersion": "1.9.0"}\n')
    return root


def _write_edf(path: Path, random: np.random.Generator) -> None:
    n_times = 2 * SECONDS * SFREQ
    time = np.arange(n_times) / SFREQ
    brain = random.standard_normal((len(NAMES), 6)) @ random.standard_normal((6, n_times)) * 6
    closed = np.where(time < SECONDS, 1.0, 0.3)
    alpha = 15 * closed * np.sin(2 * np.pi * random.uniform(9, 11) * time)
    brain[-4:] += alpha * random.uniform(0.6, 1.2)
    signals = [
        edfio.EdfSignal(row, SFREQ, label=name, physical_dimension="uV", physical_range=(-500, 500))
        for name, row in zip(NAMES, np.clip(brain, -499, 499), strict=True)
    ]
    edfio.Edf(signals).write(path)
