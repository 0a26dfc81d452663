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

# What JupyterLab opens, and what the address ends with that it prints where it finds no browser.
OPENED = $(or $(firstword $(filter %.ipynb,$(ARGS))),notebooks/00_start_here.ipynb)

# From the outputs that are saved in the notebooks.
BOOK = python -m sphinx --quiet --conf-dir book --doctree-dir build/book-cache . build/book
BOOK_IS_READY = @echo "The book: $(CURDIR)/build/book/index.html"

.PHONY: help setup run test lab offline fruits book picture readme bench timings handin collect lint docs lock

help:  ## list the commands (the default)
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-7s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup:  ## install R, Python's packages, the two companions, MNIST and painted fruits; once
	@python3 tools/setup.py

run:  ## execute every notebook in order, print a table and build the book
	$(IN_ENV) python tools/run.py $(ARGS)
	$(IN_ENV) $(BOOK)
	$(BOOK_IS_READY)

test:  ## run the tests of both companions and of the notebooks, these as on Binder (see offline)
	$(IN_ENV) python tools/offline.py --no-limit python -m pytest $(ARGS)

lab:  ## open the notebooks in JupyterLab
	$(IN_ENV) jupyter lab $(AS_ROOT) --LabApp.default_url=/lab/tree/$(notdir $(OPENED)) $(ARGS) $(OPENED)

fruits:  ## get the photographs of Fruits-360 from Kaggle (ARGS="--from ZIP_OR_FOLDER", "--classes all")
	$(IN_ENV) python -m sidebyside.data.fetch_fruits $(ARGS)

book:  ## make a web site of the README and the notebooks in build/book
	$(IN_ENV) $(BOOK) $(ARGS)
	$(BOOK_IS_READY)

picture: book  ## take the README's picture of a pair (book/static/pair.png) from the book
	$(IN_ENV) python tools/screenshot.py

readme:  ## compute the README's timings and minutes anew, then take its picture
	$(IN_ENV) python tools/readme.py $(ARGS)
	@$(MAKE) --no-print-directory picture ARGS=

offline:  ## execute all notebooks as on Binder: without a network, in 2 GB of memory
	$(IN_ENV) python tools/offline.py $(ARGS)

bench:  ## measure speed and memory against the limits
	$(IN_ENV) python tools/bench.py $(ARGS)

timings:  ## measure R against Python on this machine; half an hour (ARGS=--short: a few minutes, for a class)
	$(IN_ENV) python -m sidebyside.timing run $(ARGS)

handin:  ## write your last campaign as one file for a class, without names of users and hosts
	$(IN_ENV) python -m sidebyside.timing hand-in $(ARGS)

collect:  ## check what a class handed in (ARGS=FOLDER), and copy what is good
	$(IN_ENV) python -m sidebyside.timing collect $(ARGS)

lint:  ## check the style of the Python code and of the notebooks' Python cells
	$(IN_ENV) ruff check $(ARGS) python tools tests book notebooks

docs:  ## regenerate r/NAMESPACE and r/man from the roxygen comments
	$(IN_ENV) Rscript -e 'roxygen2::roxygenise("r")'

lock:  ## pin requirements.in again, with hashes (UPGRADE=1: the newest releases)
	$(IN_ENV) env UPGRADE=$(UPGRADE) tools/lock.sh
