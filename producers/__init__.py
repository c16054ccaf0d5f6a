"""The outside world becomes events on the log: the gateway's doors, the clock, and `cercles send`."""
