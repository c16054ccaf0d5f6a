"""The page of the settings, from the settings classes themselves."""

import types
import typing
from importlib import import_module
from typing import Any, Final

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from cercles.settings_faults import is_secret, variable_name

MODULES: Final = (
    "schemas.connections",
    "cercles.settings",
    "producers.settings",
    "stream_processors.settings",
    "sinks.settings",
    "readers.settings",
)
HEAD: Final = """\
# Settings

Every setting is an environment variable. This page is written by `python -m cercles.reference` from the classes that
read them; a check keeps it so. A *secret* is never logged nor shown in an error. Lists and mappings are JSON.
`needed` stands where there is no default: the process that needs it ends with exit code 2 and a line that names it.
"""


def settings_classes() -> list[type[BaseSettings]]:
    """Return every settings class of every folder, in the order of the table; a base without a prefix is none."""
    found = []
    for module in map(import_module, MODULES):
        found += [
            kind
            for kind in vars(module).values()
            if isinstance(kind, type)
            and issubclass(kind, BaseSettings)
            and kind.__module__ == module.__name__
            and kind.model_config.get("env_prefix")
        ]
    return found


def page() -> str:
    """Return the whole page, as Markdown."""
    return "\n".join([HEAD, *(_section(kind) for kind in settings_classes())])


def _section(kind: type[BaseSettings]) -> str:
    rows = [_row(kind, name, field) for name, field in kind.model_fields.items() if not _is_nested(field)]
    if not rows:
        return ""
    about = (kind.__doc__ or kind.__name__).strip().splitlines()[0]
    return "\n".join(
        [
            f"## {kind.__name__}",
            "",
            about,
            "",
            "| variable | form | default | meaning |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _row(kind: type[BaseSettings], name: str, field: FieldInfo) -> str:
    secret = " *(secret)*" if is_secret(field) else ""
    cells = (
        f"`{variable_name(kind, name)}`{secret}",
        _form(field.annotation),
        _default(field),
        field.description or "",
    )
    return "| " + " | ".join(" ".join(cell.replace("|", r"\|").split()) for cell in cells) + " |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined or value is None:
        return "none"
    if hasattr(value, "get_secret_value"):
        value = value.get_secret_value()
    return f"`{value}`" if value != "" else "empty"


def _form(annotation: Any) -> str:
    """Return a type in words that a person without Python understands as well."""
    origin = typing.get_origin(annotation)
    arguments = [argument for argument in typing.get_args(annotation) if argument is not type(None)]
    if origin is typing.Literal:
        return " or ".join(f"`{argument}`" for argument in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_form(argument) for argument in arguments)
    if origin is typing.Annotated:
        return _form(arguments[0])
    if origin in (list, tuple, frozenset, set):
        return f"list of {_form(arguments[0])}"
    if origin is dict:
        return f"mapping of {_form(arguments[0])} to {_form(arguments[1])}"
    words = {str: "text", "SecretStr": "text", int: "whole number", float: "number", bool: "`true` or `false`"}
    return words.get(annotation) or words.get(annotation.__name__) or annotation.__name__.lower()


def _is_nested(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, BaseSettings)
