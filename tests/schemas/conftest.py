"""The same Hypothesis profiles as the ledger's."""

from tests.ledger import conftest as _profiles  # noqa: F401 (loading them is the point)
