"""Holds the database against a fold of the log of its own, and names every difference."""
