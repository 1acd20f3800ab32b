"""Which process of a training this is: its strategy says so, not what is left over in the environment."""

import os

from lightning.pytorch.utilities.rank_zero import rank_zero_only

_OF_OTHERS = (
    "RANK",
    "LOCAL_RANK",
    "GLOBAL_RANK",
    "GROUP_RANK",
    "NODE_RANK",
    "WORLD_SIZE",
    "LOCAL_WORLD_SIZE",
    "MASTER_ADDR",
    "MASTER_PORT",
    "SLURM_PROCID",
    "SLURM_LOCALID",
    "SLURM_NODEID",
    "JSM_NAMESPACE_RANK",
)


def begin_as_first() -> None:
    """Forget ranks that a scheduler or a launcher of something else has set around this training.

    Lightning reads them when it is imported and again for every trainer: with ``RANK=1`` a single training
    believes that another process writes. For the processes of a training that we start it sets them itself,
    after this.
    """
    for name in _OF_OTHERS:
        os.environ.pop(name, None)
    rank_zero_only.rank = 0  # type: ignore[attr-defined]
