"""Rows become answers: the HTTP API that reads what the sinks have stored. Imports only `schemas`."""
