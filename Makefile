.DEFAULT_GOAL := help
.PHONY: help run test check docs bench faults fuzz mutants catalogs screenshots lock

help:  ## List the targets.
	@sed -n 's/^\([a-z]*\):.*## /\1: /p' $(MAKEFILE_LIST)

run:  ## Serve the ready application at http://127.0.0.1:5000, with an outbox instead of mails.
	@python3 tools/environment.py run
	@.venv/run/bin/admit run --dev

test:  ## Lint, type-check and test, on every Python from 3.11 to 3.13 that is here.
	@python3 tools/environment.py dev
	@.venv/dev/bin/python tools/run_tests.py

check:  ## Lint, formatting and types.
	@python3 tools/environment.py dev
	@.venv/dev/bin/python tools/check.py

docs:  ## Build the documentation into docs/_build.
	@python3 tools/environment.py dev
	@.venv/dev/bin/python -m sphinx -q -n -W --keep-going docs docs/_build/html

bench:  ## Measure Admit beside Flask-Login; results go to bench/results.
	@python3 tools/environment.py dev
	@.venv/dev/bin/python -m bench dropin && .venv/dev/bin/python -m bench stores

faults:  ## Break things under traffic over each store for ten minutes, and check what was promised.
	@python3 tools/environment.py dev
	@.venv/dev/bin/python -m bench faults --check

fuzz:  ## Try with atheris what holds whatever a client sends, for SECONDS each.
	@python3 tools/environment.py fuzz
	@.venv/fuzz/bin/python tools/fuzz.py

mutants:  ## Take out one guard at a time, and see a test fail; ONLY="name of a guard" tries one.
	@python3 tools/environment.py dev
	@.venv/dev/bin/python tools/mutants.py $(if $(ONLY),--only "$(ONLY)")

catalogs:  ## Find what pages and mails say, and bring the translations up to date.
	@python3 tools/environment.py dev
	@.venv/dev/bin/python tools/catalogs.py

screenshots:  ## Take the pictures of the pages for the documentation, with Chromium.
	@python3 tools/environment.py dev
	@.venv/dev/bin/python tools/screenshots.py

lock:  ## Pin the versions of what requirements/*.in name.
	@python3 tools/environment.py dev
	@.venv/dev/bin/python tools/lock.py
