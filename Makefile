# Needs Python 3.11 or newer, pip and make; everything else goes into .venv.
# `make` alone lists what there is.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# The first Python that is new enough; `make PYTHON=python3.12 …` names another.
ifeq ($(origin PYTHON), undefined)
PYTHON := $(shell for python in python3 python3.13 python3.12 python3.11 python; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)
endif

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --no-input
PROTOS := $(wildcard proto/llmrouter/v1/*.proto)
CODE := core facade migrations tests

# What `make test ARGS="-k name -x"`, `make bench ARGS=…` and `make e2e-real ARGS=…` and others pass on.
ARGS ?=

##@ To use it
.PHONY: help
help: ## List what there is
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: install
install: $(VENV)/.runtime ## Make the virtual environment with what the service needs

.PHONY: run
run: install ## Start the service, with an echo provider to try it without a key
	@LLMROUTER_ECHO="$${LLMROUTER_ECHO:-1}" exec $(BIN)/llmrouter serve --dev

.PHONY: migrate
migrate: install ## Bring the database's tables up to date
	@$(BIN)/llmrouter migrate

##@ To work on it
.PHONY: test
test: $(VENV)/.dev ## Run the tests, on all cores (ARGS="-k name -x" picks some, in one process)
	@$(BIN)/python -m pytest $(if $(ARGS),$(ARGS),-n auto --dist worksteal)

.PHONY: check
check: $(VENV)/.dev ## Run everything that CI runs
	@$(MAKE) --jobs=2 $(if $(filter output-sync,$(.FEATURES)),--output-sync=target) lint type proto gen-check imports
	@$(MAKE) test

.PHONY: lint
lint: $(VENV)/.dev ## Look for mistakes and for code that is not formatted
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

.PHONY: fmt
fmt: $(VENV)/.dev ## Format the code and mend what can be mended
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

.PHONY: type
type: $(VENV)/.dev ## Check the types
	@$(BIN)/pyright

.PHONY: gen
gen: $(VENV)/.dev ## Generate gen/ from proto/
	@rm -rf gen/llmrouter
	@$(MAKE) protoc OUT=gen

.PHONY: proof
proof: $(VENV)/.dev ## Prove for minutes that a budget is never passed (PROOF_SECONDS=120)
	@PROOF_SECONDS="$${PROOF_SECONDS:-120}" $(BIN)/python -m pytest tests/e2e/test_budget_proof.py -s $(ARGS)

.PHONY: bench
bench: $(VENV)/.dev ## Measure it (ARGS="--help" tells how)
	@$(BIN)/python -m tests.bench $(ARGS)

.PHONY: e2e-real
e2e-real: $(VENV)/.e2e ## Try it with real SDKs in front and a real model server behind
	@$(BIN)/python -m pytest tests/e2e -m real $(ARGS)

.PHONY: matrix
matrix: $(VENV)/.dev ## Print what works of every API in front of every provider's wire
	@$(BIN)/python -m pytest tests/e2e/matrix $(ARGS)

.PHONY: e2e-sdks
e2e-sdks: $(VENV)/.sdks ## Try it with the SDKs of OpenAI, Anthropic, Google and LangChain
	@$(BIN)/python -m pytest tests/e2e/sdks -m sdks $(ARGS)

.PHONY: lock
lock: $(VENV)/.dev ## Write the requirements*.lock anew from pyproject.toml (UPGRADE=1 takes newer versions)
	@$(MAKE) compile OUT=requirements.lock EXTRAS="--extra build"
	@$(MAKE) compile OUT=requirements-dev.lock EXTRAS="--extra build --extra bedrock --extra dev -c requirements.lock"
	@$(MAKE) compile OUT=requirements-e2e.lock EXTRAS="--extra build --extra bedrock --extra dev --extra e2e -c requirements-dev.lock"
	@$(MAKE) compile OUT=requirements-sdks.lock EXTRAS="--extra build --extra bedrock --extra dev --extra sdks -c requirements-dev.lock"

.PHONY: clean
clean: ## Remove the virtual environment and all caches; the data in ./data stay
	@rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .schemathesis .import_linter_cache build dist *.egg-info
	@find $(CODE) gen -name __pycache__ -type d -prune -exec rm -rf {} +

# ── The parts of `make check` ────────────────────────────────────────────────────────────────────

.PHONY: proto
proto: $(VENV)/.dev
	@$(BIN)/buf lint
	@main="$$(git rev-parse --verify --quiet main || git rev-parse --verify --quiet origin/main)" 2>/dev/null; \
	if [ -n "$$main" ] && git cat-file -e "$$main:buf.yaml" 2>/dev/null; then \
		$(BIN)/buf breaking --against ".git#ref=$$main"; \
	fi

.PHONY: gen-check
gen-check: $(VENV)/.dev
	@new="$$(mktemp -d)"; trap 'rm -rf "$$new"' EXIT; \
	$(MAKE) protoc OUT="$$new" && \
	diff -r -x __pycache__ "$$new/llmrouter" gen/llmrouter >/dev/null || \
	{ echo 'gen/ is not what proto/ says: run `make gen` and commit the result'; exit 1; }

.PHONY: imports
imports: $(VENV)/.dev
	@PYTHONPATH=gen $(BIN)/lint-imports

# ── Pieces ───────────────────────────────────────────────────────────────────────────────────────

.PHONY: protoc
protoc:
	@$(BIN)/python -m grpc_tools.protoc -I proto --python_out=$(OUT) --grpc_python_out=$(OUT) --pyi_out=$(OUT) \
		--plugin=protoc-gen-mypy_grpc=$(BIN)/protoc-gen-mypy_grpc --mypy_grpc_out=quiet:$(OUT) $(PROTOS)

.PHONY: compile
compile:
	@UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile pyproject.toml $(EXTRAS) --output-file $(OUT) \
		--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --quiet \
		$(if $(UPGRADE),--upgrade)

# The stamps: .runtime, .dev, .e2e and .sdks say what is in .venv.
$(BIN)/python:
	@[ -n "$(PYTHON)" ] || { echo 'llmrouter needs Python 3.11 or newer, and none was found: install it, or name it with `make PYTHON=/path/to/python3 …`'; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'llmrouter needs Python 3.11 or newer, and $(PYTHON) is not: name another with `make PYTHON=/path/to/python3 …`'; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo 'No virtual environment could be made; on Debian and Ubuntu `apt install python3-venv` helps'; exit 1; }

$(VENV)/.runtime: $(BIN)/python requirements.lock pyproject.toml
	@echo "installing what the service needs into $(VENV)"
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.lock
	@echo "installing what tests and checks need into $(VENV)"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

$(VENV)/.e2e: $(VENV)/.dev requirements-e2e.lock
	@echo "installing a real model server and real SDKs into $(VENV)"
	@$(PIP) install --require-hashes -r requirements-e2e.lock
	@touch $@

$(VENV)/.sdks: $(VENV)/.dev requirements-sdks.lock
	@echo "installing the clients of others into $(VENV)"
	@$(PIP) install --require-hashes -r requirements-sdks.lock
	@touch $@
