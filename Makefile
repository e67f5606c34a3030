# `make` alone lists the targets. A POSIX shell, make and Python 3.11 or later are all they need.

.DEFAULT_GOAL := help
.PHONY: help run test browser pictures check faults audit sbom bench build wheel sam-local deploy lock openapi docs \
	dashboard fmt clean dev sam node

# Set-up is made from what a target needs: `dev` for Python, `sam` for SAM CLI, `node` for another DynamoDB
# than moto. Each ends at once when done.
PYTHON := .venv/bin/python
SAM := .venv-sam/bin/sam

export SAM_CLI_TELEMETRY := 0
# Where it is set, each of the some hundred processes of a run compiles its libraries again.
unexport PYTHONDONTWRITEBYTECODE
# layers/relay/Makefile, which `sam build` runs elsewhere, finds uv and Python by these.
export UV := $(CURDIR)/scripts/uv
export BUILD_PYTHON := $(CURDIR)/$(PYTHON)

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: dev ## The whole system on this machine, with samples sent through it (ONCE=1: stop when they have settled)
	@.venv/bin/relay demo

# What is not covered is listed where something failed: the list takes a second, and the total is enough.
test: dev sam ## All tests, with coverage of the layer
	@$(PYTHON) -m pytest --numprocesses 3 --dist loadgroup --no-loadscope-reorder --cov --cov-report= || { \
		code=$$?; [ $$code -ne 1 ] || $(PYTHON) -m coverage report; exit $$code; }

browser: dev ## A browser for the tests of the page, where there is none
	@scripts/browser

pictures: dev ## The pictures of the documents anew (docs/pictures), of the page as it is now
	@$(PYTHON) -m scripts.pictures
	@$(PYTHON) -m scripts.dashboard.picture

CHECKS := check-types check-sam check-format check-imports check-requirements check-openapi
.PHONY: $(CHECKS)

# Side by side, the longest first. What each says stays together where this make can see to it (4.0).
check: dev sam ## Format, lint, types, imports, both forms of `sam validate`, and what is generated from the code
	@$(MAKE) --no-print-directory --jobs 4 --keep-going $(if $(filter output-sync,$(.FEATURES)),--output-sync) $(CHECKS)

check-types:
	@.venv/bin/mypy

# One after the other: in a new checkout the first compiles what both load.
check-sam:
	@$(SAM) validate --lint
	@AWS_DEFAULT_REGION=$${AWS_DEFAULT_REGION:-us-east-1} $(SAM) validate

check-format:
	@.venv/bin/ruff format --check
	@.venv/bin/ruff check

check-imports:
	@said=$$(.venv/bin/lint-imports --no-cache) || { echo "$$said"; exit 1; }

check-requirements:
	@scripts/requirements --check

check-openapi:
	@.venv/bin/relay openapi --check docs/openapi.json
	@$(PYTHON) -m scripts.dashboard --check

faults: dev sam node ## The fault tests at full length, with a table of what they saw (SOAK=N: events of the soak)
	@$(PYTHON) -m pytest tests/faults --full -o faulthandler_timeout=3600 $(if $(SOAK),--soak-events $(SOAK))

# Not in `make test`: what it says changes without us, and it needs the network.
audit: dev ## Known vulnerabilities of the locked packages, by an advisory service (AUDIT='-s osv': another one)
	@scripts/audit $(AUDIT)

sbom: dev ## What is installed, as CycloneDX: a file in sbom/ for the layer, and one for each tool around it
	@$(PYTHON) -m scripts.sbom

bench: dev ## Events a second through forward_mobile, beside a naive handler
	@$(PYTHON) -m bench

build: dev sam ## `sam build`, into .aws-sam
	@$(SAM) build

wheel: dev ## The command as a wheel, in dist: pip install, pipx install or uvx --from it
	@rm -rf dist
	@$(PYTHON) -m hatchling build --target wheel

sam-local: dev sam ## The samples through `sam local`, in containers (Linux; sets an engine up if there is none)
	@$(PYTHON) -m scripts.sam_local

# STAGE, REGION, EMAIL, PREVIEW: what is given on the command line reaches the script through the environment,
# and so never a shell. From the environment alone they do not count: EMAIL often stands there for git.
deploy: dev sam ## Build, then deploy to AWS; asks for STAGE=, REGION= and EMAIL= unless they are given (PREVIEW=1: only show)
	@$(PYTHON) -m scripts.deploy $(foreach word,STAGE REGION EMAIL PREVIEW,$(if $(filter command,$(firstword $(origin $(word)))),$(word)))

lock: ## Lock the dependencies again, and write down what the layer carries
	@scripts/uv lock
	@scripts/requirements

openapi: dev ## Write docs/openapi.json again, from the code
	@.venv/bin/relay openapi >docs/openapi.json

docs: openapi ## Write docs/cli.md and the table in docs/cost.md again, and docs/openapi.json
	@$(PYTHON) -m scripts.docs

dashboard: dev ## Write the dashboard, the composite alarm and the saved queries into template.yaml again
	@$(PYTHON) -m scripts.dashboard

fmt: dev ## Format the code and fix what can be fixed
	@.venv/bin/ruff format
	@.venv/bin/ruff check --fix

clean: ## Remove everything that was set up or built in this folder
	rm -rf .venv .venv-sam .venv-node .tools .aws-sam .relay sbom dist htmlcov .coverage .coverage.* \
		.pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "Outside this folder is what uv and npm have downloaded (~/.cache/uv, ~/.npm: caches, which other"
	@echo "projects use too; \`uv cache clean\` empties the first), and SAM CLI's own notes (~/.aws-sam)."

dev sam node:
	@scripts/setup $@
