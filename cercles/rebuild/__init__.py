"""Makes rows again from the log: of one campaign where it stands, or a whole database beside the one that serves."""
