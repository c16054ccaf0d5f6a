"""Made-up campaigns of any number and size, the same for the same seed, and the totals that they must come to."""
