"""Batches of windows read ahead by threads.

Worker processes would hand each batch over through shared memory, of which a container has 64 MB (Docker's
default), and would hang where it runs out. Threads need none, start at once, and read side by side all the
same: copying windows out of a memory map leaves Python's lock to others.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from cerebro.data.samplers import EpochSampler
from cerebro.data.windows import Batch, WindowDataset

AHEAD = 2
"""Batches that wait for each thread, as in torch's loader."""


class BatchLoader:
    """The batches of a sampler, in its order, however many threads read them.

    Parameters
    ----------
    dataset : WindowDataset
        Takes a list of rows, returns a batch; called from several threads at once.
    sampler : EpochSampler
        Lightning sets its epoch before each pass.
    threads : int
        0 reads each batch when it is asked for.
    pin : bool
        Copy batches to page-locked memory, from which a GPU fetches them while it computes.
    """

    batch_sampler = None
    """Lightning asks every loader that has a sampler; ours draws whole batches itself."""

    def __init__(self, dataset: WindowDataset, sampler: EpochSampler, *, threads: int, pin: bool) -> None:
        self.dataset = dataset
        self.sampler = sampler
        self.threads = threads
        self.pin = pin

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[Batch]:
        if not self.threads:
            yield from map(self._read, self.sampler)
            return
        with ThreadPoolExecutor(self.threads, thread_name_prefix="windows") as pool:
            waiting: deque[Future[Batch]] = deque()
            try:
                for rows in self.sampler:
                    waiting.append(pool.submit(self._read, rows))
                    if len(waiting) > AHEAD * self.threads:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _read(self, rows: list[int]) -> Batch:
        batch = self.dataset[rows]
        return {name: values.pin_memory() for name, values in batch.items()} if self.pin else batch
