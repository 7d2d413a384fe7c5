"""What mkdocs is to do besides: fill generated parts in, bring pages from outside of docs/, complete the navigation.

Generated parts are made when the site is built, from the code that they describe, so that they cannot fall behind it.
Whoever reads the files themselves finds a sentence there that says where to look. Knows nothing of what is in them.
"""

import re
from pathlib import Path
from typing import Any

from generated import PARTS
from links import PROJECT_PAGES, ROOT, mend_links
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

HERE = Path(__file__).parent
# What pages load besides the theme's own files.
ASSETS = [HERE / "style.css", *(HERE / "vendor").glob("*.js")]
PART = re.compile(r"<!-- generated: ([\w-]+) -->\n.*?<!-- /generated -->\n", re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from outside of docs/ and what pages load; complete the navigation with what is there."""
    for path, uri in PROJECT_PAGES.items():
        files.append(File.generated(config, uri, content=(ROOT / path).read_text(encoding="utf-8")))
    for asset in ASSETS:
        files.append(File.generated(config, f"assets/{asset.name}", abs_src_path=str(asset)))
    uris = sorted(file.src_uri for file in files.documentation_pages())
    config.nav = completed(config.nav or [], uris)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill the generated parts in, and send links to files outside of docs/ to where they are on the site."""
    del config, files
    return mend_links(PART.sub(_fill, markdown), page.file.src_uri)


def completed(nav: list[Any], uris: list[str]) -> list[Any]:
    """The navigation with each `FOLDER/*` replaced by those of the folder's pages that it does not name.

    Args:
        nav: mkdocs' `nav`: addresses, or a title with an address or with such a list.
        uris: all pages, in the order in which they shall be put in.
    """
    named = set(_named(nav))
    return _expanded(nav, [uri for uri in uris if uri not in named])


def _named(nav: list[Any]) -> list[str]:
    return [uri for entry in nav for uri in ([entry] if isinstance(entry, str) else _below(entry))]


def _below(entry: dict[str, Any]) -> list[str]:
    ((_, value),) = entry.items()
    return [value] if isinstance(value, str) else _named(value)


def _expanded(nav: list[Any], rest: list[str]) -> list[Any]:
    entries: list[Any] = []
    for entry in nav:
        if isinstance(entry, dict):
            entries.extend(
                {title: value if isinstance(value, str) else _expanded(value, rest)} for title, value in entry.items()
            )
        elif entry.endswith("/*"):
            entries.extend(uri for uri in rest if uri.rpartition("/")[0] == entry.removesuffix("/*"))
        else:
            entries.append(entry)
    return entries


def _fill(match: re.Match[str]) -> str:
    if match[1] not in PARTS:
        raise PluginError(f"No generated part is called {match[1]!r}; docs/site/generated.py has {', '.join(PARTS)}.")
    return PARTS[match[1]]() + "\n"
