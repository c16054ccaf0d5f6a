"""The demo: a story that is told to the real doors, and what must come out of it."""
