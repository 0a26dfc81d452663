# The commands of the project; `make` lists them.
#
# IN_ENV installs anything that is missing, then runs a command with the project's Python
# and R (tools/setup.py --exec). If nothing is missing, it takes a tenth of a second.
#
#   make test ARGS="-k mnist"               pass ARGS to the command
#   make setup PYTHON=/usr/bin/python3.12   use another Python for .venv
#   make setup ARGS=--tests                 install also what a maintainer needs

IN_ENV = @python3 tools/setup.py --exec

# The same with the tools of a maintainer: pytest, testthat, a browser and others.
WITH_TOOLS = @python3 tools/setup.py --tests --exec

# Jupyter runs as root only with this option. Containers and CI have no other user.
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

# Fetches the gallery's data that is missing. Set-up does not fetch it.
TEXTS = python -m sidebyside.data.texts

# The notebook that JupyterLab opens. It serves the whole repository, so that links to other folders work.
OPENED = $(or $(firstword $(filter %.ipynb,$(ARGS))),notebooks/00_start_here.ipynb)

# Builds the book from the outputs that are saved in the notebooks.
BOOK = python -m sphinx --quiet --conf-dir book --doctree-dir build/book-cache . build/book
BOOK_IS_READY = @echo "The book: $(CURDIR)/build/book/index.html"

.PHONY: help lab run gallery book fruits timings handin collect setup test lint offline bench readme picture docs image test-image lock

help:  # the default
	@awk -F ':.*## ' '/^##/ {print (NR > 1 ? "\n" : "") substr($$0, 4)} \
		/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

## What a reader gets

lab:  ## open the notebooks in JupyterLab (ARGS=notebooks/01_mnist.ipynb: that one)
	$(IN_ENV) jupyter lab $(AS_ROOT) --ServerApp.root_dir='$(CURDIR)' \
		--LabApp.default_url=/lab/tree/$(patsubst $(CURDIR)/%,%,$(OPENED)) $(filter-out $(OPENED),$(ARGS))

run:  ## execute the course (00 to 09), print a table of the results, build the book
	$(IN_ENV) python tools/run.py --part course $(ARGS)
	$(IN_ENV) $(BOOK)
	$(BOOK_IS_READY)

gallery:  ## do the same for the gallery (from 10 on); the first time, download its data
	$(IN_ENV) $(TEXTS)
	$(IN_ENV) python tools/run.py --part gallery $(ARGS)
	$(IN_ENV) $(BOOK)
	$(BOOK_IS_READY)

book:  ## make a web site from the README and the notebooks, in build/book
	$(IN_ENV) $(BOOK) $(ARGS)
	$(BOOK_IS_READY)

fruits:  ## get the photographs of Fruits-360 (ARGS="--from ZIP_OR_FOLDER", "--classes all")
	$(IN_ENV) python -m sidebyside.data.fetch_fruits $(ARGS)

timings:  ## measure R against Python here, in half an hour (ARGS=--short, "--networks all")
	$(IN_ENV) python -m sidebyside.timing run $(ARGS)

handin:  ## pack your last campaign into one file for a class, without personal names
	$(IN_ENV) python -m sidebyside.timing hand-in $(ARGS)

collect:  ## check the files of a class, and copy the good ones (ARGS=FOLDER)
	$(IN_ENV) python -m sidebyside.timing collect $(ARGS)

setup:  ## install what these commands need; each does this first (BACKEND=jax: JAX, too)
	@python3 tools/setup.py $(if $(BACKEND),--backend '$(BACKEND)') $(ARGS)

## What a maintainer does

# Use the texts with which the notebooks' saved outputs were made.
test: export SIDEBYSIDE_TEXTS = packages
test:  ## run all tests; the notebooks run as on Binder (see offline)
	$(WITH_TOOLS) $(TEXTS)
	$(WITH_TOOLS) python tools/offline.py --no-limit python -m pytest $(ARGS)

lint:  ## check the style of the Python code and of the notebooks' Python cells
	$(WITH_TOOLS) ruff check $(ARGS) python tools tests book notebooks

offline:  ## execute all notebooks as on Binder: without a network, in 2 GB of memory
	$(WITH_TOOLS) $(TEXTS)
	$(WITH_TOOLS) python tools/offline.py $(ARGS)

bench:  ## measure speed and memory, and compare them with the limits
	$(WITH_TOOLS) $(TEXTS)
	$(WITH_TOOLS) python tools/bench.py $(ARGS)

readme:  ## update the computed parts of the README, the gallery's index and the glossary
	$(IN_ENV) python tools/readme.py $(ARGS)
	@$(MAKE) --no-print-directory picture ARGS=

picture: book  ## update the README's picture of a pair (book/static/pair.png)
	$(WITH_TOOLS) python tools/screenshot.py

docs:  ## update r/NAMESPACE and r/man from the roxygen comments
	$(WITH_TOOLS) Rscript -e 'roxygen2::roxygenise("r")'

image:  ## build the image for Binder, a JupyterHub and `docker run` (ARGS: its options)
	@python3 tools/image.py $(ARGS)

test-image:  ## build it on Debian, as root, and use it as on Binder (ARGS="01 02": these notebooks)
	$(WITH_TOOLS) python tools/test_image.py $(ARGS)

lock:  ## pin the versions in requirements*.in, with hashes (UPGRADE=1: newest releases)
	$(WITH_TOOLS) env UPGRADE=$(UPGRADE) tools/lock.sh
