"""The book: README.md, the notebooks and other pages as a web site (`make book`).

Sphinx reads the repository itself, so a link that works on GitHub also works in the
book. It executes nothing: the pages show the outputs that are saved in the notebooks.
To execute the notebooks again:

    make book ARGS="-E -D nb_execution_mode=force"
"""

import json
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from urllib.parse import quote

import yaml
from ipython_pygments_lexers import IPython3Lexer
from myst_nb.core.render import NbElementRenderer
from myst_parser.mdit_to_docutils.base import github_slugify
from pygments.lexers import SLexer
from pygments.token import Name

# --- CONFIGURE: where the repository is published, for example
# "https://github.com/NAME/REPOSITORY". Then every page has buttons that open it in
# Binder, and on GitHub also buttons to edit it and to report a problem. Without the
# address, pages only say how to open them on your own machine. Or:
# make book ARGS="-D repository_url=https://github.com/NAME/REPOSITORY"
repository_url = ""

# --- CONFIGURE: a JupyterHub with nbgitpuller on which readers have an account, if
# there is one, for example "https://hub.example.org". With it and the address above,
# every page has a button that opens it there.
jupyterhub_url = ""

ROOT = Path(__file__).resolve().parent.parent


def last_change():
    """The date of the last commit; without git the date of today."""
    command = ["git", "-C", str(ROOT), "log", "-1", "--format=%cs"]
    try:
        said = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    except OSError:  # there is no git
        said = ""
    return date.fromisoformat(said) if said else date.today()


# --- what is read


project = "Keras, side by side"
html_title = "Keras, side by side: R and Python"
language = "en"
root_doc = "README"
# The table of contents after the lessons and the gallery.
REFERENCE = [
    "notebooks/glossary",
    "book/dictionary",
    "data/timings/README",
    "notebooks/bibliography",
]
FOR_TEACHERS = ["notebooks/teaching", "data/README", "binder/README", "CONTRIBUTING"]
include_patterns = [
    "README.md",
    "notebooks/*.ipynb",
    "notebooks/*.md",
    *(f"{page}.md" for page in REFERENCE + FOR_TEACHERS),
]
exclude_patterns = [".*", "build", "python", "r", "**/.ipynb_checkpoints"]

sys.path[:0] = [str(ROOT / "book"), str(ROOT / "tools")]
import glossary  # noqa: E402
from gallery import all_examples, cards_in_book  # noqa: E402
from modules import MODULES, notebooks_of_module, title_of  # noqa: E402
from regions import put  # noqa: E402
from run import notebooks_of  # noqa: E402

extensions = ["myst_nb", "sphinx_design", "dictionary", "formulas"]
html_math_renderer = "mathml"
nb_execution_mode = "off"
# MyST-NB reads R's errors as Python's tracebacks, which they are not.
suppress_warnings = ["misc.highlighting_failure"]
nb_execution_timeout = 900
nb_merge_streams = True  # R's output arrives in pieces
myst_enable_extensions = ["colon_fence", "dollarmath", "html_image"]
myst_heading_anchors = 3

# --- how it looks

html_theme = "pydata_sphinx_theme"
html_static_path = [
    "static",
    "../python/sidebyside/kernel/labextension/static/style.css",
]
html_favicon = "static/favicon.svg"
html_css_files = ["style.css", "book.css"]
html_js_files = ["book.js"]
templates_path = ["templates"]
html_sourcelink_suffix = ""  # a notebook keeps its name when it is downloaded
html_show_copyright = False
html_context = {
    "default_mode": "auto",  # light or dark, like the reader's system
    "citation": yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8")),
    "changed": last_change(),
}
html_sidebars = {"**": ["contents.html", "page-toc.html"]}
html_theme_options = {
    "navbar_center": [],
    "navbar_persistent": ["search-button-field"],
    "navbar_end": ["theme-switcher", "navbar-icon-links"],
    "secondary_sidebar_items": [],
    "article_header_start": [],
    "article_header_end": ["page-tools.html"],
    "footer_start": ["colophon.html"],
    "footer_end": ["sphinx-version", "theme-version"],
    # These have enough contrast for every word (tests/project/test_browser.py).
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "github-dark-high-contrast",
}

NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
FIRST_NOTEBOOK = "notebooks/00_start_here"
GITHUB = "https://github.com/"


def contents():
    """The tables of contents, which make the sidebar: one for each part of the book."""

    def part(caption, *pages):
        listed = "\n".join(pages)
        return f"\n\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{listed}\n```\n"

    def numbered(paths):
        return [f"{title_of(path)} <notebooks/{path.stem}>" for path in paths]

    lessons = [
        entry
        for page in MODULES
        for entry in [f"notebooks/{page}", *numbered(notebooks_of_module(page))]
    ]
    gallery = numbered(notebooks_of("gallery"))
    return (
        part("Lessons", *lessons)
        + part("Gallery", "notebooks/gallery", *gallery)
        + part("Reference", *REFERENCE)
        + part("For teachers and maintainers", *FOR_TEACHERS)
    )


def with_cards(text):
    """The front page's list of ways to use it as cards."""
    item = r"- \*\*(.+?)\.\*\* (.+\n(?:  .+\n)*)"

    def grid(found):
        cards = re.findall(item, found[0])
        made = (f":::{{grid-item-card}} {title}\n{text}:::" for title, text in cards)
        return "\n".join(["::::{grid} 1 1 3 3", ":gutter: 3", *made, "::::\n"])

    return re.sub(f"(?:{item})+", grid, text, count=1)


def prepare(app, docname, source):
    """Change the sources for the book: contents, cards, terms, and no live figures."""
    if docname == root_doc:
        source[0] = with_cards(source[0]) + contents()
    elif docname == "notebooks/gallery":
        cards = cards_in_book(all_examples(NOTEBOOKS), github_slugify)
        source[0] = put(source[0], "cards", lambda _: cards)
    elif docname == "notebooks/glossary":
        terms = glossary.lines_in_book(glossary.all_terms(), github_slugify)
        source[0] = put(source[0], "terms", lambda _: terms)
    elif is_notebook(app.env, docname):
        notebook = json.loads(source[0])
        for cell in notebook["cells"]:
            if cell["cell_type"] == "markdown":
                cell["source"] = glossary.linked("".join(cell["source"]))
            if "outputs" in cell:
                cell["outputs"] = [
                    without_live(output)
                    for output in cell["outputs"]
                    if output.get("metadata", {}).get("sidebyside") != "style"
                ]
        source[0] = json.dumps(notebook)


def without_live(output):
    """Only the picture of a live figure, because plotly's program has 4 MB a page."""
    data = output.get("data", {})
    if any(mime.startswith("image/") for mime in data):
        output["data"] = {
            mime: value
            for mime, value in data.items()
            if not mime.startswith("application/")
        }
    return output


class NotebookLexer(IPython3Lexer):
    """Python, but R in cells that begin with %%R."""

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
    """Like MyST-NB's, with the alternative text that alt_text() stored."""
    images = render_image(self, data)
    text = data.output_metadata.get(data.mime_type, {}).get("alt")
    if text:
        images[0]["alt"] = text
    return images


NbElementRenderer.render_image = render_image_with_its_text


def is_notebook(env, docname):
    return Path(env.doc2path(docname)).suffix == ".ipynb"


def add_links(app, pagename, templatename, context, doctree):
    """The links that templates/page-tools.html shows."""
    if doctree is None:  # the pages of the index and the search
        return
    path = f"{FIRST_NOTEBOOK}.ipynb"
    if is_notebook(app.env, pagename):
        path = f"{pagename}.ipynb"
        context["notebook_name"] = Path(path).name
        context["has_pairs"] = has_pairs(ROOT / path)
    context["lab_command"] = (
        f"make lab ARGS={path}" if "notebook_name" in context else "make lab"
    )
    repository = app.config.repository_url.rstrip("/")
    if repository:
        context["repository_url"] = repository
        context["repository_name"] = repository.rpartition("/")[2].removesuffix(".git")
        where = "git/" + quote(repository, safe="")
        if repository.startswith(GITHUB):
            where = "gh/" + repository.removeprefix(GITHUB)
            source = Path(app.env.doc2path(pagename)).relative_to(ROOT).as_posix()
            context["edit_url"] = f"{repository}/edit/main/{source}"
            context["issue_url"] = f"{repository}/issues/new/choose"
        context["binder_url"] = (
            f"https://mybinder.org/v2/{where}/HEAD?labpath={quote(path)}"
        )
        if app.config.jupyterhub_url:
            opened = f"lab/tree/{context['repository_name']}/{path}"
            context["hub_url"] = (
                f"{app.config.jupyterhub_url.rstrip('/')}/hub/user-redirect/git-pull"
                f"?repo={quote(repository, safe='')}&urlpath={quote(opened, safe='')}"
            )


def has_pairs(path):
    return any(
        "pair" in cell["metadata"].get("tags", [])
        for cell in json.loads(path.read_text("utf-8"))["cells"]
    )


def link_repository(app, config):
    if config.repository_url:
        config.html_theme_options["icon_links"] = [
            {
                "name": "Repository",
                "url": config.repository_url,
                "icon": "fa-solid fa-code-branch",
            }
        ]


def outdated(app, env, added, changed, removed):
    """Pages that are made from the notebooks are read again when anything changes."""
    made = ["notebooks/gallery", "notebooks/glossary"]
    return [
        page for page in made if page in env.found_docs and added | changed | removed
    ]


def make_index(app, problem):
    """Copy the front page, README.html, to index.html for web servers."""
    if problem is None and app.builder.name == "html":
        shutil.copyfile(app.outdir / "README.html", app.outdir / "index.html")


def setup(app):
    app.add_config_value("repository_url", "", "html", str)
    app.add_config_value("jupyterhub_url", "", "html", str)
    app.connect("config-inited", link_repository)
    app.add_lexer("ipython3", NotebookLexer)
    app.add_lexer("ipython", NotebookLexer)
    app.add_lexer("python", NotebookLexer)
    app.connect("env-get-outdated", outdated)
    app.connect("source-read", prepare)
    app.connect("html-page-context", add_links)
    app.connect("build-finished", make_index)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
