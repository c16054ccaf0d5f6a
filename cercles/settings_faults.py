"""Faults of settings, in words that name the environment variable and what to do about it."""

from collections.abc import Iterator

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsError

TABLE = "docs/reference/settings.md"


def explain(fault: ValidationError | SettingsError) -> list[str]:
    """Return one line for each thing that is wrong, naming its variable; a secret's value is never among the words."""
    if isinstance(fault, SettingsError):
        reason = f" ({fault.__cause__})" if fault.__cause__ is not None else ""
        return [f"{fault}{reason}: give a list or a mapping as JSON; {TABLE} shows each variable's form"]
    kind = _settings_class(fault.title)
    return [
        _line(kind, error["loc"], error["type"], error["msg"], error["input"])
        for error in fault.errors(include_url=False)
    ]


def variable_name(kind: type[BaseSettings], field_name: str) -> str:
    """Return the environment variable of a settings field, such as `CERCLES_KAFKA_CA_FILE`."""
    alias = kind.model_fields[field_name].validation_alias
    if isinstance(alias, str):
        return alias.upper()
    return f"{kind.model_config.get('env_prefix', '')}{field_name}".upper()


def is_secret(field: FieldInfo) -> bool:
    """Whether a field's value must never be shown."""
    return "Secret" in str(field.annotation)


def _line(kind: type[BaseSettings] | None, place: tuple[int | str, ...], error: str, words: str, value: object) -> str:
    words = words.removeprefix("Value error, ")
    if kind is None or not place or str(place[0]) not in kind.model_fields:
        return words
    field = kind.model_fields[str(place[0])]
    variable = variable_name(kind, str(place[0]))
    inside = "".join(f"[{part}]" for part in place[1:])
    meaning = (field.description or "").rstrip(".")
    if error == "missing":
        return f"{variable} is not set. It is needed: {meaning}. Set it in the environment; {TABLE} has the whole table"
    given = "" if is_secret(field) or isinstance(value, SecretStr) else f" (it is {value!r})"
    return f"{variable}{inside}: {words}{given}. It means: {meaning}"


def _settings_class(title: str) -> type[BaseSettings] | None:
    return next((kind for kind in _descendants(BaseSettings) if kind.__name__ == title), None)


def _descendants(kind: type[BaseSettings]) -> Iterator[type[BaseSettings]]:
    for child in kind.__subclasses__():
        yield child
        yield from _descendants(child)
