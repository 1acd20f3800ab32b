"""Groups of subjects: one sharding job and one shard each, named before any recording is read."""

from functools import lru_cache

from cerebro.files import digest_text


def group_name(dataset: str, index: int) -> str:
    """Name of a group of subjects and of its shard."""
    return f"{dataset}-{index}"


@lru_cache(maxsize=100_000)
def group_index(subject: str, groups: int) -> int:
    """Which of its dataset's ``groups`` groups a subject belongs to, whoever else is there."""
    return int(digest_text(subject), 16) % groups
