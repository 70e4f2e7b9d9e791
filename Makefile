# SPDX-License-Identifier: Apache-2.0
# `make` alone lists what there is. Every target makes the environment it needs first.

PYTHON_BIN := .venv/bin
# as many pytest processes as cores, but two to four: each starts servers of its own
JOBS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); [ $$n -gt 4 ] && n=4; [ $$n -lt 2 ] && n=2; echo $$n)
T ?= tests
# where it cannot be compiled, the run goes on through PyMySQL, and says so at its end
MYSQLCLIENT = scripts/bootstrap mysqlclient || echo "make: going on without mysqlclient" >&2
# `make serve port=…` is meant as PORT=…
$(foreach name,port dns_port state database listen,$(if $(filter command,$(firstword $(origin $(name)))),\
	$(eval $(shell echo $(name) | tr a-z A-Z) := $$($(name)))))
export DATABASE STATE PYTHON

.DEFAULT_GOAL := help
.PHONY: help serve test check e2e faults bench format lock clean
.NOTPARALLEL:

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "  serve takes PORT=9001 DNS_PORT=5354 STATE=folder DATABASE=url LISTEN=address; test and check take T=tests/some/path;"
	@echo "  all take PYTHON=python3.13 (3.11 to 3.13): another version makes the environments anew"

serve: ## the whole system in one process: API on 127.0.0.1:9001, DNS on 127.0.0.1:5354, SQLite, no login
	@scripts/bootstrap serve
	@exec $(PYTHON_BIN)/redesignate serve $(if $(PORT),--port $(PORT)) $(if $(DNS_PORT),--dns-port $(DNS_PORT)) \
		$(if $(STATE),--state-dir "$$STATE") $(if $(DATABASE),--database "$$DATABASE") \
		$(foreach address,$(LISTEN),--listen $(address))

test: ## every test, against real servers; installs what they need (Debian packages as root or through sudo)
	@scripts/install-test-needs
	@scripts/bootstrap test openstack
	@$(MYSQLCLIENT)
	@exec $(PYTHON_BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile $(T)

check: ## format, lint, types and every test that starts no server: fast
	@scripts/bootstrap test
	$(PYTHON_BIN)/ruff format --check
	$(PYTHON_BIN)/ruff check
	$(PYTHON_BIN)/mypy --strict
	$(PYTHON_BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile -m "not external" $(T)

e2e: ## the whole system only: HTTP in, DNS out, keystone, clients, real nameservers
	@scripts/install-test-needs
	@scripts/bootstrap test openstack
	@$(MYSQLCLIENT)
	@exec $(PYTHON_BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile tests/e2e

faults: ## every fault drill, the long ones too: processes, broker, databases and nameservers killed, frozen, emptied
	@scripts/install-test-needs
	@scripts/bootstrap test
	@$(MYSQLCLIENT)
	@exec $(PYTHON_BIN)/python -m pytest --long --durations 20 tests/faults

bench: ## how fast: tables of figures with the machine they are of; GROUP="split lists" for the long form of some
	@scripts/install-test-needs
	@scripts/bootstrap test
	@$(MYSQLCLIENT)
	@exec $(PYTHON_BIN)/python -m bench $(GROUP)

format: ## put the code into the house's form
	@scripts/bootstrap test
	$(PYTHON_BIN)/ruff format
	$(PYTHON_BIN)/ruff check --fix

lock: ## write the lock files anew from pyproject.toml; UPGRADE=1 takes the newest of everything
	@scripts/bootstrap test
	scripts/lock

clean: ## remove the environments and caches; not the state
	rm -rf .venv .venv-openstack .mypy_cache .ruff_cache .pytest_cache .hypothesis build
