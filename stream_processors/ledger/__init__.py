"""The ledger: a pure fold of a partition's events into totals, entries and milestones. Its rules: docs/ledger.md."""
