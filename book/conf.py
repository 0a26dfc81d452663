"""The book: README.md and the notebooks as a web site, built by `make book`.

Sphinx reads the repository itself, so that a link that works on GitHub works in the book. Nothing
is executed: the pages show the outputs that are saved in the notebooks. To execute them anew:

    make book ARGS="-E -D nb_execution_mode=force"
"""

import json
import shutil
from pathlib import Path
from urllib.parse import quote

from ipython_pygments_lexers import IPython3Lexer
from myst_nb.core.render import NbElementRenderer
from pygments.lexers import SLexer
from pygments.token import Name

# --- CONFIGURE: where the repository is published, for example "https://github.com/NAME/REPOSITORY".
# With it every notebook gets a link to Binder and the header one to the repository; without it
# there are neither. Or: make book ARGS="-D repository_url=https://github.com/NAME/REPOSITORY"
repository_url = ""

# --- what is read

ROOT = Path(__file__).resolve().parent.parent

project = "Keras, side by side"
html_title = "Keras, side by side: R and Python"
language = "en"
root_doc = "README"
include_patterns = ["README.md", "CONTRIBUTING.md", "data/README.md", "notebooks/*.ipynb"]
exclude_patterns = [".*", "build", "python", "r", "**/.ipynb_checkpoints"]

extensions = ["myst_nb"]
nb_execution_mode = "off"
nb_execution_timeout = 900
nb_merge_streams = True  # R's output comes in pieces
myst_enable_extensions = ["dollarmath", "html_image"]
myst_heading_anchors = 3

# --- how it looks

html_theme = "pydata_sphinx_theme"
html_static_path = ["static", "../python/sidebyside/labextension/static/style.css"]
html_favicon = "static/favicon.svg"
html_css_files = ["style.css", "book.css"]
templates_path = ["templates"]
html_sourcelink_suffix = ""  # a notebook is downloaded under its own name
html_show_copyright = False
html_context = {"default_mode": "auto"}  # light or dark as the reader's system is
html_sidebars = {"**": ["contents.html", "page-toc.html"]}
html_theme_options = {
    "navbar_center": [],
    "navbar_persistent": [],
    "navbar_end": ["search-button-field", "theme-switcher", "navbar-icon-links"],
    "secondary_sidebar_items": [],
    "article_header_start": [],
    "article_header_end": ["notebook-links.html"],
    "footer_start": ["sphinx-version"],
    "footer_end": ["theme-version"],
    "pygments_light_style": "tango",
    "pygments_dark_style": "github-dark",
}

CONTENTS = """

```{toctree}
:hidden:
:glob:

notebooks/*
CONTRIBUTING
data/README
```
"""


def prepare(app, docname, source):
    """Give the front page its table of contents, and leave the style cells' output out."""
    if docname == root_doc:
        source[0] += CONTENTS
    elif docname.startswith("notebooks/"):
        notebook = json.loads(source[0])
        for cell in notebook["cells"]:
            if "outputs" in cell:
                cell["outputs"] = [output for output in cell["outputs"]
                                   if output.get("metadata", {}).get("sidebyside") != "style"]
        source[0] = json.dumps(notebook)


class NotebookLexer(IPython3Lexer):
    """Python, and R in the cells that begin with %%R."""

    def get_tokens_unprocessed(self, text, *arguments, **options):
        first, line_end, code = text.partition("\n")
        if first.split()[:1] != ["%%R"]:
            yield from super().get_tokens_unprocessed(text, *arguments, **options)
            return
        yield 0, Name.Decorator, first + line_end
        start = len(first) + len(line_end)
        for index, kind, value in SLexer().get_tokens_unprocessed(code):
            yield start + index, kind, value


render_image = NbElementRenderer.render_image


def render_image_with_its_text(self, data):
    """MyST-NB's, and the alternative text that sidebyside's alt_text() has stored with the figure."""
    images = render_image(self, data)
    text = data.output_metadata.get(data.mime_type, {}).get("alt")
    if text:
        images[0]["alt"] = text
    return images


NbElementRenderer.render_image = render_image_with_its_text


def add_links(app, pagename, templatename, context, doctree):
    """What templates/notebook-links.html shows."""
    if not pagename.startswith("notebooks/"):
        return
    path = f"{pagename}.ipynb"
    context["notebook_name"] = Path(path).name
    repository = app.config.repository_url.rstrip("/")
    if repository:
        on_github = repository.removeprefix("https://github.com/")
        where = f"gh/{on_github}" if on_github != repository else "git/" + quote(repository, safe="")
        context["binder_url"] = f"https://mybinder.org/v2/{where}/HEAD?labpath={quote(path)}"


def link_repository(app, config):
    if config.repository_url:
        config.html_theme_options["icon_links"] = [
            {"name": "Repository", "url": config.repository_url, "icon": "fa-solid fa-code-branch"}]


def make_index(app, problem):
    """The front page is README.html; a web server looks for index.html."""
    if problem is None and app.builder.name == "html":
        shutil.copyfile(app.outdir / "README.html", app.outdir / "index.html")


def setup(app):
    app.add_config_value("repository_url", "", "html", str)
    app.connect("config-inited", link_repository)
    app.add_lexer("ipython3", NotebookLexer)
    app.add_lexer("ipython", NotebookLexer)
    app.add_lexer("python", NotebookLexer)
    app.connect("source-read", prepare)
    app.connect("html-page-context", add_links)
    app.connect("build-finished", make_index)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
