# Two commands do everything: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
CODE   := hffm_opt tests $(wildcard benchmarks)
# The report's page is tested in a Chromium where there is one.
BROWSER := $(or $(HFFM_BROWSER),$(firstword $(foreach name,chromium google-chrome chromium-browser,\
             $(shell command -v $(name) 2>/dev/null))))

.PHONY: demo test check install clean

demo: $(STAMP)
	$(BIN)/hffm demo -o demo-run --overwrite

test: check
	@$(if $(BROWSER),echo "The report is tested in $(BROWSER) too.",\
	  echo "No Chromium found: tests/report/test_in_browser.py is left out (name one with: make test HFFM_BROWSER=PATH).")
	HFFM_BROWSER="$(BROWSER)" $(BIN)/python -m pytest -n 2 --dist worksteal

check: $(STAMP)
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "hffm_opt needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt torch
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info demo-run
