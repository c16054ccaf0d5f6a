"""The command: wiring, logs, the embedded stack."""
