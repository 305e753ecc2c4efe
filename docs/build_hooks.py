"""What MkDocs does while it builds the site, beyond its settings; mkdocs.yml names this file.

The diagram of the states is drawn by Mermaid in the reader's browser.  Its script, fetched by `make docs`, is copied
into the site for the pages that have a diagram, so that nothing is loaded from elsewhere.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url

SCRIPT = "assets/mermaid.min.js"


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, **_: object) -> str:
    """Let the changelog's links, which are written for the top of the repository, lead to the pages of the site."""
    if page.file.src_uri != "changelog.md":
        return markdown
    changelog = Path(config.config_file_path).with_name("CHANGELOG.md").read_text(encoding="utf-8")
    return changelog.replace("](docs/", "](")


def on_page_content(html: str, *, page: Page, **_: object) -> str:
    """Load the diagrams' script where there is one; the theme, which finds it there, asks nobody else for it."""
    if 'class="mermaid"' not in html:
        return html
    return f'{html}\n<script src="{get_relative_url(SCRIPT, page.url)}"></script>'


def on_post_build(*, config: MkDocsConfig) -> None:
    """Copy the script into the site.

    Raises:
        PluginError: it was not fetched.
    """
    script = Path(os.environ.get("MERMAID", "mermaid.min.js"))
    if not script.is_file():
        raise PluginError(f"{script} is missing: `make docs` fetches Mermaid and builds the site")
    shutil.copy(script, Path(config.site_dir) / SCRIPT)
