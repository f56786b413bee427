"""Reads JSON bodies, and refuses what no column can hold before it travels any further."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.parsers import BaseParser

LARGEST_INTEGER = 2**63 - 1
SMALLEST_INTEGER = -(2**63)
# Escaped NULs and surrogates, integers of 19 digits and more, exponents of three digits: the only way to such values.
SUSPICIOUS = re.compile(rb"\\u(?:0000|d[89a-f])|\d{19}|\de\+?\d{3}", re.IGNORECASE)


class StrictJSONParser(BaseParser):
    """JSON as the standard has it: UTF-8, no NaN, and only values that PostgreSQL can store.

    Raises ParseError for a malformed body and ValidationError, naming the field, for a value that cannot be stored.
    """

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        body = stream.read()
        try:
            data = json.loads(body.decode("utf-8-sig"), parse_constant=refuse_constant)
        except UnicodeDecodeError as error:
            raise ParseError("The body is not UTF-8 text.") from error
        except RecursionError as error:
            raise ParseError("The body is nested too deeply.") from error
        except ValueError as error:
            raise ParseError(f"The body is not valid JSON: {error}.") from error
        if SUSPICIOUS.search(body):
            check(data)
        return data


def refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def check(data: Any) -> None:
    """Raises ValidationError for values that cannot be stored, each under the path of its field."""
    problems: dict[str, list[str]] = {}
    for path, problem in find_problems(data, ""):
        problems.setdefault(path, []).append(problem)
    if problems:
        raise ValidationError(problems)


def find_problems(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        problem = problem_of_text(value)
    elif isinstance(value, bool | None):
        return
    elif isinstance(value, int):
        fits = SMALLEST_INTEGER <= value <= LARGEST_INTEGER
        problem = "" if fits else "This number is too large: whole numbers have at most 64 bits."
    elif isinstance(value, float):
        problem = "" if math.isfinite(value) else "This number is too large."
    else:
        entries = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in entries:
            if isinstance(key, str) and problem_of_text(key):
                yield path or "body", "A field's name contains characters that cannot be stored."
            else:
                yield from find_problems(item, f"{path}.{key}" if path else str(key))
        return
    if problem:
        yield path or "body", problem


def problem_of_text(text: str) -> str:
    if "\x00" in text:
        return "NUL characters are not allowed."
    if any("\ud800" <= character <= "\udfff" for character in text):
        return "Half of a surrogate pair is not a character."
    return ""
