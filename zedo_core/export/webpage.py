"""Self-contained web pages that make no network requests: a template, its values, and a strict policy.

A template has placeholders `{{name}}`, one <style> and one <script> without attributes. The Content-Security-Policy
allows both by their hashes and lets nothing else run or load.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping
from typing import Any


def page(template: str, *, title: str, data: Mapping[str, Any], parts: Mapping[str, str] | None = None) -> bytes:
    """The template with its placeholders `title`, `policy`, `data` (as JSON) and other `parts` filled in, as UTF-8.

    Replaced in one pass, so that placeholders in values stay as they are. The part `media` lists sources of videos.
    """
    others = dict(parts or {})
    media = others.pop("media", "")
    values = {"title": html.escape(title), "policy": _policy(template, media), "data": script_json(data), **others}
    text = re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], template)
    return text.encode("utf-8", "replace")  # the name of a file may not be valid UTF-8


def script_json(data: Mapping[str, Any]) -> str:
    """JSON that an HTML parser cannot mistake for markup; ValueError for NaN."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _policy(template: str, media: str) -> str:
    """Allow only the template's own style and script, by their hashes, and the given media."""
    style, script = (_hash_source(template, tag) for tag in ("style", "script"))
    media_rule = f" media-src {media};" if media else ""
    return (
        f"default-src 'none'; style-src {style}; script-src {script};{media_rule} base-uri 'none'; form-action 'none'"
    )


def _hash_source(template: str, tag: str) -> str:
    """Hash source expression of the text of an element without attributes (CSP level 3, section 2.3.1)."""
    text = template.split(f"<{tag}>", 1)[1].split(f"</{tag}>", 1)[0]
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
