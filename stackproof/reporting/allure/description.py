"""The description of a result, with the evidence a reader wants to see at once.

Allure shows attachments collapsed at the very end of the page, but the description as it
is, above the steps: the timeline of a failure is put there as well.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from typing import Any

from stackproof import masking
from stackproof.reporting.evidence import Attachment
from stackproof.reporting.naming import Identity

_LARGEST_PICTURE = 500_000
_PICTURE_STYLE = "max-width:100%"


class Description:
    """What the scenario is about, and where it is written."""

    def __init__(self, scenario: Any, identity: Identity):
        self._lines = [str(line) for line in scenario.description or scenario.feature.description]
        self._place = f"features/{identity.path}:{scenario.line}"

    @property
    def markdown(self) -> str:
        """The author's words and the place."""
        return "\n".join([*self._lines, *([""] if self._lines else []), f"`{self._place}`"])

    def html(self, attachments: Sequence[Attachment]) -> str | None:
        """The same with the first picture; None when there is none."""
        ranked = sorted(attachments, key=lambda item: item.rank)
        picture = next(filter(None, map(_picture, ranked)), None)
        if picture is None:
            return None
        words = html.escape(masking.mask(" ".join(self._lines)))
        paragraphs = [f"<p>{words}</p>"] if words else []
        return "\n".join([*paragraphs, picture, f"<p><code>{html.escape(self._place)}</code></p>"])


def _picture(item: Attachment) -> str | None:
    if not item.mime.startswith("image/") or item.path is None or not item.path.is_file():
        return None
    if item.path.stat().st_size > _LARGEST_PICTURE:
        return None
    content = item.path.read_bytes()
    if "svg" in item.mime:
        content = masking.mask(content.decode("utf-8", "replace")).encode()
    name = html.escape(masking.mask(item.name), quote=True)
    source = f"data:{item.mime};base64,{base64.b64encode(content).decode()}"
    return f'<img alt="{name}" title="{name}" style="{_PICTURE_STYLE}" src="{source}">'
