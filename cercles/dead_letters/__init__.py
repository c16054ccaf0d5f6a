"""Looks at dead letters, sends them again, or puts them away; nothing of them is edited or deleted."""
