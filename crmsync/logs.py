"""Structured logs without personal data and secrets: JSON for machines, or lines for a terminal."""

import re
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

import structlog

from crmsync import log_files

MASK = "***"
SECRET_WORDS = "authorization|cookie|token|secret|password|passwd|pwd|api[-_]?key|credential|webhook_url"  # noqa: S105
SECRET_NAME = re.compile(SECRET_WORDS, re.IGNORECASE)
PERSONAL_NAME = re.compile(r"^(e[-_]?mails?|phones?|first_name|last_name|middle_name)$", re.IGNORECASE)
# A pattern that may begin anywhere in a word is tried at each letter of it: the time would grow with the square of a
# long word, which any stranger can send as an address. Hence (?<!…) before a repetition, and (?>…) where a second try
# would find the same end.
PATTERNS = [
    # Whole header values first, so that the scheme's name does not hide the secret behind it.
    (re.compile(r"\b(Bearer|Token|Basic)\s+[\w.~+/=-]{6,}", re.IGNORECASE), r"\1 " + MASK),
    (
        re.compile(
            rf"((?<![\w-])(?>[\w-]*(?:{SECRET_WORDS}))[\w-]*+[\"']?\s*[:=]\s*[\"']?)"
            # In an ODBC connection string braces keep a password together.
            r"(?:\{[^{}\"']{1,200}\}+|[^\s\"',;&}]+)",
            re.IGNORECASE,
        ),
        r"\1" + MASK,
    ),
    (re.compile(r"(://)[^/\s:@]+:[^/\s@]+@"), r"\1" + MASK + "@"),
    (re.compile(r"(/rest/\d+/)[^/\s\"']+"), r"\1" + MASK),
    (re.compile(r"(/webhooks/[^/\s\"']{1,100}/[^/\s\"']{1,100}/)[^/\s\"'?]+"), r"\1" + MASK),
    (re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), MASK),
    (re.compile(r"(?<![\w+-])\+\d[\d\s().-]{8,18}\d(?!\w)|(?<![\w.-])[78]\d{10}(?![\w.-])"), MASK),
    (re.compile(r"(?<!\w)\(\d{3,5}\)\s?\d{2,3}[\s-]?\d{2}[\s-]?\d{2}(?!\w)"), MASK),
]
Event = MutableMapping[str, Any]


def redact_text(text: str) -> str:
    for pattern, replacement in PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def redact(value: Any, name: str = "") -> Any:
    """A copy of `value` in which secrets and people's addresses and numbers are masked."""
    if name and (SECRET_NAME.search(name) or PERSONAL_NAME.match(name)):
        return MASK
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, Mapping):
        return {key: redact(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact_text(str(value))


def redact_event(logger: Any, method: str, event: Event) -> Event:
    """structlog's processor; the last one before rendering, so that tracebacks are masked too."""
    return {key: redact(value, key) for key, value in event.items()}


def configure(level: str, *, as_json: bool, folder: Path | None = None) -> dict[str, Any]:
    """Django's LOGGING: everything goes to standard error through one formatter, and to a file where a folder is given.

    Raises ImproperlyConfigured when the folder cannot be written.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: Any = structlog.processors.JSONRenderer(ensure_ascii=False)
    if not as_json:
        renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": [*shared, structlog.stdlib.ExtraAdder(allow=["run", "connection", "kind"])],
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            redact_event,
            renderer,
        ],
    }
    handlers: dict[str, Any] = {"console": {"class": "logging.StreamHandler", "formatter": "structured"}}
    if folder is not None:
        handlers["file"] = {
            "class": "crmsync.log_files.SharedRotatingHandler",
            "formatter": "structured",
            "filename": str(log_files.prepared(folder)),
        }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"structured": formatter},
        "handlers": handlers,
        "root": {"handlers": list(handlers), "level": level},
        # Each has a handler of its own unless it is told otherwise.
        "loggers": {
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "level": level, "propagate": True},
            "django-q": {"handlers": [], "level": "WARNING", "propagate": True},
        },
    }
