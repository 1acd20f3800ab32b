"""A submission as it would answer without shrinkage, for the score that stands beside its own."""

import io
import zipfile
from pathlib import Path

import torch


def without_shrinkage(zip: Path, output: Path) -> bool:
    """Write a zip whose members all keep their whole distance from the constant, and nothing else differs.

    Parameters
    ----------
    zip : Path
        A submission.
    output : Path
        The other one.

    Returns
    -------
    bool
        False, and nothing is written, where the zip was not packaged by :mod:`cerebro.submission.package`.
    """
    with zipfile.ZipFile(zip) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    for name in ("weights_challenge_1.pt", "weights_challenge_2.pt"):
        if name not in contents:
            return False
        weights = torch.load(io.BytesIO(contents[name]), map_location="cpu", weights_only=True)
        if not isinstance(weights, dict) or "members" not in weights:
            return False
        for member in weights["members"]:
            member["predictor"]["shrinkage"] = 1.0
        stream = io.BytesIO()
        torch.save(weights, stream)
        contents[name] = stream.getvalue()
    with zipfile.ZipFile(output, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return True
