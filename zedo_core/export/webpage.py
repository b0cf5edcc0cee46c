"""Web pages of one file that ask the network for nothing: a template, what is put into it, and a strict policy.

A template has places `{{name}}`, one <style> and one <script> without attributes. The Content-Security-Policy knows
both by their hashes and lets nothing else run or load.
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
    """The template with `title`, `policy`, `data` as JSON and other ready `parts` in their places, as UTF-8.

    One pass, so that nothing inserted is taken for a place to insert. A part `media` names sources of videos.
    """
    more = dict(parts or {})
    media = more.pop("media", "")
    filled = {"title": html.escape(title), "policy": _policy(template, media), "data": as_script(data), **more}
    text = re.sub(r"\{\{(\w+)\}\}", lambda match: filled[match[1]], template)
    return text.encode("utf-8", "replace")  # a file's name may hold what is no text


def as_script(data: Mapping[str, Any]) -> str:
    """JSON that no HTML parser can mistake for markup; NaN in it would be an error of ours."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _policy(template: str, media: str) -> str:
    """Only the template's own style and script, known by their hashes, and the media named; no other request."""
    style, script = (_hash_of(template, tag) for tag in ("style", "script"))
    films = f" media-src {media};" if media else ""
    return f"default-src 'none'; style-src {style}; script-src {script};{films} base-uri 'none'; form-action 'none'"


def _hash_of(template: str, tag: str) -> str:
    """Source expression of the text of an element without attributes (CSP level 3, section 2.3.1)."""
    text = template.split(f"<{tag}>", 1)[1].split(f"</{tag}>", 1)[0]
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
