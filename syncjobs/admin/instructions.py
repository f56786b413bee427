"""The page that tells how a system is connected: the SETUP document of its folder."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils.safestring import mark_safe
from django.utils.translation import get_language
from markdown_it import MarkdownIt

from connectors.core import registry

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


def of(slug: str) -> dict[str, Any]:
    """What the page's template needs, in the language of the request. Raises Http404."""
    if slug not in registry.all_connectors():
        raise Http404
    language = (get_language() or "").partition("-")[0]
    heading, _line, text = registry.setup_document(slug, language).partition("\n")
    # The document is a file of ours, and Markdown's own HTML is off.
    return {"title": heading.lstrip("# "), "text": mark_safe(_MARKDOWN.render(text)), "slug": slug}  # noqa: S308
