"""Run a submission's zip in a process that has no `cerebro`: only torch, numpy and what the zip holds."""

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from cerebro.errors import UserError
from cerebro.scoring import sandbox

LAST_LINES = 5
"""Lines of its standard error that are shown when the process dies."""


class SubmissionError(Exception):
    """The submission raised an error; the message is its own."""


class CleanProcess:
    """An unpacked submission and the process that runs it, for the length of a ``with`` block.

    The process starts with the first request.

    Parameters
    ----------
    zip : Path
        The submission.
    python : Path, optional
        The interpreter that runs it, with torch and numpy in its environment; this one without it.

    Raises
    ------
    UserError
        When ``zip`` is no zip file, or ``python`` no program.
    """

    def __init__(self, zip: Path, *, python: Path | None = None) -> None:
        if not zipfile.is_zipfile(zip):
            raise UserError(f"{zip} is no zip file")
        if python is not None and not os.access(python, os.X_OK):
            raise UserError(f"{python} is no Python that could run {zip}")
        self.zip = zip
        # Its working directory is another; a link stays one, since it tells Python of its environment.
        self.python = Path(sys.executable) if python is None else python.absolute()

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="submission-")
        root = Path(self._folder.name)
        # Two folders: the scorer's working directory is not where it unpacks a submission.
        self._unpacked, self._working = root / "unpacked", root / "working"
        self._working.mkdir()
        with zipfile.ZipFile(self.zip) as archive:
            archive.extractall(self._unpacked)
        self._errors = (root / "stderr").open("w+b")
        self._process: subprocess.Popen[bytes] | None = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            # Its input ends with this, and so does the process.
            try:
                self._process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.communicate()
        self._errors.close()
        self._folder.cleanup()

    def construct(self, *, sfreq: float) -> str:
        """Construct the submission and both models, anew at each call.

        Returns
        -------
        str
            The versions of Python and torch that run it.

        Raises
        ------
        SubmissionError
            When the submission does, or its process dies.
        """
        reply, _ = self._ask({"command": "construct", "sfreq": sfreq})
        return str(reply["versions"])

    def predict(
        self, challenge: int, windows: NDArray[np.float32], *, batch_size: int
    ) -> NDArray[np.float32]:
        """Call the model of a challenge, in evaluation mode.

        Parameters
        ----------
        challenge : int
            1 or 2.
        windows : array, shape (n, n_chans, n_times)
            Volts.
        batch_size : int
            Windows per call of ``forward``.

        Returns
        -------
        array
            What ``forward`` returned, joined along the first axis: (n, 1) from a sound submission.

        Raises
        ------
        SubmissionError
            When the submission does, or its process dies.
        """
        request = {
            "command": "predict",
            "challenge": challenge,
            "shape": windows.shape,
            "batch_size": batch_size,
        }
        _, answers = self._ask(request, np.ascontiguousarray(windows, np.float32).tobytes())
        return answers

    def _ask(
        self, request: dict[str, Any], content: bytes = b""
    ) -> tuple[dict[str, Any], NDArray[np.float32]]:
        if self._process is None:
            self._process = self._start()
        requests, replies = self._process.stdin, self._process.stdout
        assert requests is not None
        assert replies is not None
        try:
            requests.write(json.dumps(request).encode() + b"\n" + content)
            requests.flush()
            line = replies.readline()
        except BrokenPipeError:
            line = b""
        if not line:
            raise SubmissionError(f"its process ended: {self._last_words(self._process.wait())}")
        reply = json.loads(line)
        if "error" in reply:
            raise SubmissionError(reply["error"])
        shape = reply.get("shape", [0])
        received = replies.read(4 * int(np.prod(shape)))
        return reply, np.frombuffer(received, np.float32).reshape(shape)

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [self.python, "-I", sandbox.__file__, str(self._unpacked)],
            cwd=self._working,
            # One thread unless the workflow grants more: single windows only lose by threads.
            env={"OMP_NUM_THREADS": "1", **os.environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )

    def _last_words(self, code: int) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return " / ".join((*lines[-LAST_LINES:], f"exit code {code}"))
