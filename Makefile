# One command for each thing. Written for make 3.81 and BSD tools, so that it runs on macOS as on Linux.
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BOOK := _build/html/index.html

# Chapters run in notebooks/, so a relative CHOREO_DATA is made absolute before anything starts.
ifneq ($(strip $(CHOREO_DATA)),)
override CHOREO_DATA := $(shell cd "$(CHOREO_DATA)" 2>/dev/null && pwd || printf '%s' "$(CHOREO_DATA)")
export CHOREO_DATA
endif

.PHONY: help setup node book serve lab test notebooks gpu-check clean publish-config

help:
	@echo "make setup       put Python's parts into $(VENV) (the others do it first, where needed)"
	@echo "make node        three.js, assimp, a glTF validator and axe for the tests (needs npm; else those are skipped)"
	@echo "make book        build the book; opens without a network"
	@echo "make serve       build it and show it at http://127.0.0.1:8000"
	@echo "make lab         open the chapters in JupyterLab"
	@echo "make test        check the code, run the tests, run every chapter and compare what it says"
	@echo "make notebooks   run every chapter and store what it shows (needs the real sets: CHOREO_DATA)"
	@echo "make gpu-check   train every recipe for twenty steps on this machine's GPU, and compare it with the CPU"
	@echo "make clean       remove what was built ($(VENV) stays)"
	@echo "make publish-config REPOSITORY=owner/name   write the repository's address wherever it is used"
	@echo
	@echo "CHOREO_DATA=folder   where the real sets lie; without it their cells and tests are skipped"
	@echo "PYTHON=python3.12    which Python makes $(VENV) (3.11, 3.12 or 3.13; found by itself)"

setup: $(STAMP)

$(STAMP): requirements.txt pyproject.toml setup.py
	@python=; for each in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	  if $$each -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1; \
	  then python=$$each; break; fi; done; \
	if [ -z "$$python" ]; then \
	  echo "Missing: Python 3.11, 3.12 or 3.13. Install it (Debian: apt-get install python3; macOS: brew install python@3.13), or name it: make setup PYTHON=/path/to/python3"; exit 1; fi; \
	if ! $$python -c 'import ensurepip, venv' >/dev/null 2>&1; then \
	  echo "Missing: the venv module of $$python. Install it (Debian: apt-get install python3-venv) and try again"; exit 1; fi; \
	[ -x $(BIN)/python ] || $$python -m venv $(VENV)
	@# torch first: it is by far the largest, and the rest finds it there.
	$(BIN)/python -m pip install --disable-pip-version-check "`grep '^torch==' requirements.txt`"
	$(BIN)/python -m pip install --disable-pip-version-check -q -r requirements.txt
	$(BIN)/python -m pip install --disable-pip-version-check -q --no-deps --no-build-isolation -e .
	@touch $(STAMP)

node:
	cd tests/node && npm ci --ignore-scripts

book: $(STAMP)
	$(BIN)/jupyter-book build . -W -n --keep-going
	@echo "The book is built: $(CURDIR)/$(BOOK)"
	@echo "Open it: double-click that file, or 'xdg-open $(BOOK)' (Linux), 'open $(BOOK)' (macOS), or 'make serve'"

serve: book
	@echo "http://127.0.0.1:8000 (stop with Ctrl-C)"
	@$(BIN)/python -m http.server 8000 --bind 127.0.0.1 --directory _build/html

lab: $(STAMP)
	$(BIN)/jupyter lab --notebook-dir=notebooks

test: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python tools/check_notebooks.py notebooks/*.ipynb
	@# Two workers share the cores, so each takes one: with two threads each they wait for one another, and a chapter took
	@# three times as long. And memory that is freed is kept (glibc): to hand it back at every step and take it again was
	@# a fifth of a training's time.
	MALLOC_TRIM_THRESHOLD_=1000000000 MALLOC_MMAP_THRESHOLD_=1000000000 OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive \
	  $(BIN)/python -m pytest tests notebooks --nbval --nbval-current-env -n 2 --dist loadfile --no-loadscope-reorder -q -rs

notebooks: $(STAMP)
	CHOREO_PUBLISH=1 $(BIN)/python tools/execute_notebooks.py $(CHAPTERS)

gpu-check: $(STAMP)
	$(BIN)/python tools/gpu_check.py $(GPU_CHECK)

clean:
	rm -rf _build build dist *.egg-info .pytest_cache .ruff_cache .hypothesis output
	find choreo_lib tests tools benchmarks -name __pycache__ -type d -exec rm -rf {} +

publish-config: $(STAMP)
	@$(BIN)/python tools/publish_config.py "$(REPOSITORY)"
