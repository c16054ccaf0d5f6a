"""The generated schemas, ready to validate with."""

from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from schemas import export


@cache
def validator(type_name: str) -> Draft202012Validator:
    return Draft202012Validator(export.schema(type_name))


def is_valid(type_name: str, document: Any) -> bool:
    return bool(validator(type_name).is_valid(document))
