"""Addresses that others name: what leads out of this site is not followed."""

from urllib.parse import urlsplit

from orchestrator.dashboard.rendering import link


def own_path(text: str) -> str:
    """A path on this site; the first page if the text leads elsewhere."""
    try:
        parts = urlsplit(text)
    except ValueError:
        # Brackets where a host would be.
        return "/"
    is_own = text.startswith("/") and not text.startswith(("//", "/\\")) and not parts.netloc and text.isprintable()
    return link(parts.path) + (f"?{parts.query}" if parts.query else "") if is_own else "/"
