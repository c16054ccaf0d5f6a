"""Errors that end a command with words for people; the kind says the exit code."""


class AskedWronglyError(Exception):
    """An option, an argument or a setting does not fit: trying again can't help. Exit code 2."""


class NotDoneError(Exception):
    """What was asked for could not be done, and the words say what to do. Exit code 1."""
