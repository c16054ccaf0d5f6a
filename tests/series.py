"""The series of a registry, and names that nobody has heard of: whatever is asked or said, no label takes them."""

from random import Random
from typing import Final

from prometheus_client import CollectorRegistry

UNKNOWN: Final = 100_000
"""How many ids that nobody knows of each process is asked about, or told of."""

_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-"
_LENGTH_MAX: Final = 64

Series = frozenset[tuple[str, tuple[tuple[str, str], ...]]]


def series_of(registry: CollectorRegistry) -> Series:
    """Return every series: a name with its labels."""
    return frozenset(
        (sample.name, tuple(sorted(sample.labels.items())))
        for family in registry.collect()
        for sample in family.samples
    )


def unknown_ids(number: int = UNKNOWN, seed: int = 1) -> list[str]:
    """Return so many different ids of 8 to 64 characters, the same ones for the same seed."""
    random = Random(seed)
    return [
        f"{number:06x}{''.join(random.choices(_ALPHABET, k=random.randint(2, _LENGTH_MAX - 6)))}"
        for number in range(number)
    ]
