# Everything is in scripts/bootstrap.py, so that machines without make can run it too.
PYTHON ?= python3

.PHONY: demo test test-long install

demo: ## install, build, and put the demo show on air (PORT=8000 HOST=127.0.0.1 SECONDS=)
	@$(PYTHON) scripts/bootstrap.py demo

test: ## every check and test
	@$(PYTHON) scripts/bootstrap.py test

test-long: ## the long matrices, soak and chaos runs
	@$(PYTHON) scripts/bootstrap.py test-long

install: ## what demo needs, without starting it
	@$(PYTHON) scripts/bootstrap.py install
