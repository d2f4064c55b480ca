# `make bench` runs the main benchmark, `make test` every check. Both set up .venv first.
PYTHON ?= python3
BIN = .venv/bin
RECORDS = results/tofu/default

.PHONY: bench test setup clean

setup: .venv/ready

.venv/ready: constraints.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt editables hatchling setuptools
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt --no-build-isolation -e '.[dev]'
	touch .venv/ready

# The results go to out/, so that committed records never count as work done. The gate leaves out the
# methods whose loss has no lower bound: another processor rounds otherwise, which is another draw of
# the luck of growing, and they magnify it (README, "Where numbers come from").
bench: setup
	$(BIN)/di-bench run suites/tofu.yaml --results out
	$(BIN)/di-bench check out/tofu/default --against $(RECORDS) --tolerance 0.1 \
	  --leave-out ga --leave-out gd --leave-out kl; status=$$?; \
	$(BIN)/di-bench board suites/tofu.yaml --results out; exit $$status

test: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/di-bench board --check
	$(BIN)/pytest

clean:
	rm -rf .venv out
