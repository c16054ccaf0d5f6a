"""The clock: says that a campaign's time has passed. It reads deadlines from the database, never from the log."""
