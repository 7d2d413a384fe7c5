"""Where files outside of docs/ are on the site, and the links that go there.

In the repository a page links to files beside docs/ (`../../SECURITY.md`). On the site some of them are pages of their
own; of the others only the link's text is left. Knows nothing of mkdocs.
"""

import posixpath
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Files of the repository that are pages of the site, and their addresses there.
PROJECT_PAGES = {
    "README.md": "project/overview.md",
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "benchmarks/README.md": "project/benchmarks.md",
}
_PATHS = {uri: path for path, uri in PROJECT_PAGES.items()}
_FENCED = re.compile(r"(^```.*?^```[^\n]*$)", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")


def mend_links(markdown: str, uri: str) -> str:
    """A page's text as the site needs it; blocks of code stay as they are.

    Args:
        markdown: the page's text, with links as they hold in the repository.
        uri: the page's address on the site, relative to docs/.
    """
    path = _PATHS.get(uri, f"docs/{uri}")
    pieces = _FENCED.split(markdown)
    pieces[::2] = [_LINK.sub(lambda match: _mended(match, path=path, uri=uri), piece) for piece in pieces[::2]]
    return "".join(pieces)


def _mended(match: re.Match[str], *, path: str, uri: str) -> str:
    mark, text, target = match.groups()
    name, hash_sign, anchor = target.partition("#")
    if not name or "://" in name or name.startswith("mailto:"):
        return match[0]
    meant = posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
    if meant in PROJECT_PAGES:
        there = PROJECT_PAGES[meant]
    elif meant.startswith("docs/"):
        there = meant.removeprefix("docs/")
    else:
        # What is not there is left for mkdocs to complain about.
        return text if (ROOT / meant).exists() else match[0]
    return f"{mark}[{text}]({posixpath.relpath(there, posixpath.dirname(uri) or '.')}{hash_sign}{anchor})"
