# The commands of the project; `make` lists them.
#
# IN_ENV sets up what is missing, then runs a command with the project's Python and R
# (tools/setup.py --exec). When nothing is missing that takes a tenth of a second.
#
#   make test ARGS="-k mnist"             ARGS goes to the command
#   make setup PYTHON=/usr/bin/python3.12   another Python for .venv

IN_ENV = @python3 tools/setup.py --exec

# Jupyter refuses to run as root unless told; containers and CI have no other user.
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

# What the gallery reads, fetched where it is missing. Set-up does without.
TEXTS = $(IN_ENV) python -m sidebyside.data.texts

# What JupyterLab opens. It serves the whole repository, so that links out of notebooks/ work.
OPENED = $(or $(firstword $(filter %.ipynb,$(ARGS))),notebooks/00_start_here.ipynb)

# From the outputs that are saved in the notebooks.
BOOK = python -m sphinx --quiet --conf-dir book --doctree-dir build/book-cache . build/book
BOOK_IS_READY = @echo "The book: $(CURDIR)/build/book/index.html"

.PHONY: help lab run gallery book fruits timings handin collect setup test lint offline bench readme picture docs lock

help:  # the default
	@awk -F ':.*## ' '/^##/ {print (NR > 1 ? "\n" : "") substr($$0, 4)} \
		/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

## What a reader gets

lab:  ## the notebooks in JupyterLab (ARGS=notebooks/01_mnist.ipynb opens that one)
	$(IN_ENV) jupyter lab $(AS_ROOT) --ServerApp.root_dir='$(CURDIR)' \
		--LabApp.default_url=/lab/tree/$(patsubst $(CURDIR)/%,%,$(OPENED)) $(filter-out $(OPENED),$(ARGS))

run:  ## the course (00 to 09) executed, a table of the results, and the book
	$(IN_ENV) python tools/run.py --part course $(ARGS)
	$(IN_ENV) $(BOOK)
	$(BOOK_IS_READY)

gallery:  ## the same for the gallery (10 and up); first gets its data, once
	$(TEXTS)
	$(IN_ENV) python tools/run.py --part gallery $(ARGS)
	$(IN_ENV) $(BOOK)
	$(BOOK_IS_READY)

book:  ## the README and the notebooks as a web site, in build/book
	$(IN_ENV) $(BOOK) $(ARGS)
	$(BOOK_IS_READY)

fruits:  ## the photographs of Fruits-360 (ARGS="--from ZIP_OR_FOLDER", "--classes all")
	$(IN_ENV) python -m sidebyside.data.fetch_fruits $(ARGS)

timings:  ## R measured against Python here, in half an hour (ARGS=--short: in minutes)
	$(IN_ENV) python -m sidebyside.timing run $(ARGS)

handin:  ## your last campaign as one file for a class, without names of people and machines
	$(IN_ENV) python -m sidebyside.timing hand-in $(ARGS)

collect:  ## a class's files, checked; the good ones are copied (ARGS=FOLDER)
	$(IN_ENV) python -m sidebyside.timing collect $(ARGS)

setup:  ## everything that the others need, installed; each of them begins with this
	@python3 tools/setup.py

## What a maintainer does

# The texts that the notebooks' outputs were made with.
test: export SIDEBYSIDE_TEXTS = packages
test:  ## run all tests, those of the notebooks as on Binder (see offline)
	$(TEXTS)
	$(IN_ENV) python tools/offline.py --no-limit python -m pytest $(ARGS)

lint:  ## check the style of the Python code and of the notebooks' Python cells
	$(IN_ENV) ruff check $(ARGS) python tools tests book notebooks

offline:  ## execute all notebooks as on Binder: without a network, in 2 GB of memory
	$(TEXTS)
	$(IN_ENV) python tools/offline.py $(ARGS)

bench:  ## measure speed and memory against the limits
	$(TEXTS)
	$(IN_ENV) python tools/bench.py $(ARGS)

readme:  ## compute the README and the gallery's index anew, take the README's picture
	$(IN_ENV) python tools/readme.py $(ARGS)
	@$(MAKE) --no-print-directory picture ARGS=

picture: book  ## take the README's picture of a pair (book/static/pair.png) from the book
	$(IN_ENV) python tools/screenshot.py

docs:  ## regenerate r/NAMESPACE and r/man from the roxygen comments
	$(IN_ENV) Rscript -e 'roxygen2::roxygenise("r")'

lock:  ## pin requirements.in again, with hashes (UPGRADE=1: the newest releases)
	$(IN_ENV) env UPGRADE=$(UPGRADE) tools/lock.sh
