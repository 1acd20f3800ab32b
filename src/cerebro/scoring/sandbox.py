"""The other side of :mod:`cerebro.scoring.clean_process`: runs a submission as the scorer's machine would.

Started as ``python -I sandbox.py FOLDER`` in a process of its own that can import the standard library,
torch, numpy and the submission's own files, and nothing else; with a network of braindecode in it, all that
is installed but this package. Torch and numpy do not take each other's arrays. Speaks over standard input and
output: one line of JSON per request and reply, arrays as raw float32 behind it. What the submission prints
goes to the standard error. Runs on the scorer's Python 3.10 and torch 2.2.2, too.
"""

import importlib
import importlib.abc
import json
import math
import os
import platform
import sys
import traceback
from array import array
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

AVAILABLE = frozenset({"torch", "numpy"})
"""What the scorer's machine is sure to have."""
BEHIND_TORCH = frozenset(
    {
        *("torchgen", "functorch", "triton", "nvidia", "cuda", "typing_extensions", "sympy", "mpmath"),
        *("networkx", "jinja2", "markupsafe", "fsspec", "filelock", "setuptools", "pkg_resources"),
    }
)
"""What torch itself imports, much of it on demand."""


NETWORK = "cerebro_braindecode_encoder.py"
"""Shipped with a network of braindecode, which the scorer has, with all that braindecode needs."""


class OnlyAvailable(importlib.abc.MetaPathFinder):
    """Makes every other installed package look absent."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> None:
        """Refuse what the scorer does not have; leave the rest to the usual finders."""
        top = fullname.partition(".")[0]
        own = (self.folder / f"{top}.py").is_file()
        behind_braindecode = (self.folder / NETWORK).is_file() and top != "cerebro"
        if not (own or behind_braindecode or top in AVAILABLE | BEHIND_TORCH | sys.stdlib_module_names):
            raise ModuleNotFoundError(
                f"No module named '{top}': it was kept from this submission, which is tried with "
                "torch, numpy and its own files alone",
                name=top,
            )


class Candidate:
    """A submission: constructed anew at each request, then asked for predictions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.models: dict[int, Any] = {}

    def construct(self, sfreq: float) -> None:
        """Construct ``Submission`` and its two models, as the scorer does for each challenge."""
        import torch

        _insist_on_weights_only(torch)
        _part_from_numpy(torch)
        submission = importlib.import_module("submission")
        if not hasattr(submission, "Submission"):
            raise AttributeError("submission.py defines no class Submission")
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        for challenge in (1, 2):
            instance = submission.Submission(sfreq, device)
            model = getattr(instance, f"get_model_challenge_{challenge}")()
            model.eval()
            self.models[challenge] = (model, device)

    def predict(self, challenge: int, content: bytearray, shape: list[int], batch_size: int) -> Any:
        """Call ``forward`` batch by batch; returns what it returned, joined along the first axis."""
        import torch

        windows = torch.frombuffer(content, dtype=torch.float32).reshape(shape)
        model, device = self.models[challenge]
        outputs = []
        with torch.inference_mode():
            for first in range(0, len(windows), batch_size):
                X = windows[first : first + batch_size].to(device)
                outputs.append(model.forward(X).detach().float().cpu())
        return torch.cat(outputs)


def _insist_on_weights_only(torch: ModuleType) -> None:
    """Refuse a ``torch.load`` that would run code out of a weight file."""
    if getattr(torch.load, "insists", False):
        return
    load = torch.load

    def checked(*arguments: Any, **options: Any) -> Any:
        if options.get("weights_only") is not True:
            raise ValueError("torch.load was called without weights_only=True")
        return load(*arguments, **options)

    checked.insists = True  # type: ignore[attr-defined]
    torch.load = checked  # type: ignore[attr-defined]


def _part_from_numpy(torch: ModuleType) -> None:
    """Keep torch and numpy apart, as they are where PyPI's torch 2.2.2, built for numpy 1, meets numpy 2."""
    if getattr(torch.from_numpy, "refuses", False):
        return

    def refuse(*_: Any, **__: Any) -> Any:
        raise RuntimeError("Numpy is not available to the scorer's torch; go by way of lists")

    def apart(create: Any) -> Any:
        def checked(data: Any, *arguments: Any, **options: Any) -> Any:
            return (refuse if type(data).__module__ == "numpy" else create)(data, *arguments, **options)

        return checked

    refuse.refuses = True  # type: ignore[attr-defined]
    torch.tensor, torch.as_tensor = apart(torch.tensor), apart(torch.as_tensor)  # type: ignore[attr-defined]
    torch.from_numpy = torch.Tensor.numpy = torch.Tensor.__array__ = refuse  # type: ignore[attr-defined]


def _answer(
    candidate: Candidate, request: dict[str, Any], requests: BinaryIO
) -> tuple[dict[str, Any], bytes]:
    """The reply to a request, and the array that follows it."""
    if request["command"] == "construct":
        candidate.construct(request["sfreq"])
        torch = sys.modules["torch"].__version__
        return {"versions": f"Python {platform.python_version()}, torch {torch}"}, b""
    shape = request["shape"]
    content = bytearray(requests.read(4 * math.prod(shape)))
    answers = candidate.predict(request["challenge"], content, shape, request["batch_size"])
    return {"shape": list(answers.shape)}, array("f", answers.flatten().tolist()).tobytes()


def main() -> None:
    """Answer requests until standard input ends."""
    folder = Path(sys.argv[1])
    requests = os.fdopen(0, "rb", closefd=False)
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.meta_path.insert(0, OnlyAvailable(folder))
    sys.path.insert(0, str(folder))
    candidate = Candidate(folder)
    while line := requests.readline():
        answers = b""
        try:
            reply, answers = _answer(candidate, json.loads(line), requests)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            reply = {
                "error": f"{type(error).__name__}: {error} ({Path(where.filename).name}, line {where.lineno})"
            }
        replies.write(json.dumps(reply).encode() + b"\n" + answers)
        replies.flush()


if __name__ == "__main__":
    main()
