"""Holds a payment gateway's own list of payments against the captures of the log."""
