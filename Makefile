# `make` alone explains the targets: the text after `##` is what it prints.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup demo test repro compare preset storage doctor app serve check-storage mend-storage own release \
	speed results picture screenshot lint format constraints clean

# Variables named on the command line (make preset NAME=...) reach the recipes' shells as they are:
# "$$NAME" is safe with spaces and quotes, where '$(NAME)' is not. What the environment happens to call
# NAME or STAGE does not reach them.
options := ATTRIBUTION BACKBONE CATALOGUE MODEL NAME NEGATIVES OUT PHOTOS REV SOURCE STAGE URL VERSION WEIGHTS
$(foreach option,$(options),$(if $(filter environment,$(origin $(option))),$(eval unexport $(option))))

# Everything runs with the programs of .venv first, wherever the folder lies.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# DVC sends no statistics, from this project or any that its tests make.
export DVC_NO_ANALYTICS := 1
# Another project's packages must not stand before the pinned ones.
unexport PYTHONPATH PYTHONHOME

help:
	@awk 'BEGIN { FS = ":.*## " } \
	/^##@/ { printf "\n%s\n", substr($$0, 5) } \
	/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo

##@ Two commands to begin with
demo: setup ## install, build both CNNs on the built-in sample, recognise a photo
	@python -m tools.demo

# Tests run side by side, so threads that wait sleep there. Elsewhere they spin, which is faster alone
# (docs/decisions.md).
test: export OMP_WAIT_POLICY ?= passive
test: setup ## pass every test (PYTEST="-k split -x" narrows it)
	@python -m pytest --numprocesses logical --dist loadfile --no-loadscope-reorder $(PYTEST)

##@ Work with the pipeline
setup: ## make .venv with the pinned packages (PYTHON=python3.12 when there is none yet)
	@sh tools/setup.sh

repro: setup ## run the stages that changed, then show both CNNs' metrics
	@dvc repro && dvc metrics show

compare: setup ## leave experiments scratch and transfer, print their differences
	@python -m tools.compare

preset: setup ## NAME=... [SOURCE= WEIGHTS= NEGATIVES= CATALOGUE= ATTRIBUTION=] set params.yaml
	@python -m tools.preset "$$NAME" --source "$$SOURCE" --weights "$$WEIGHTS" \
		--negatives "$$NEGATIVES" --attribution "$$ATTRIBUTION" --catalogue "$$CATALOGUE"

storage: setup ## URL=... keep data and models in S3, GCS, Azure, SSH, WebDAV or a folder
	@python -m tools.storage "$$URL"

doctor: setup ## what this machine has, and what to do about what is missing
	@python -m tools.doctor

##@ Use a model
app: setup ## [MODEL=...] the page: drop a photo, see where it was taken
	@LANDMARKS_MODEL="$${MODEL:-$$LANDMARKS_MODEL}" python -m streamlit run app/web.py

serve: setup ## answer over HTTP on http://127.0.0.1:8000 (docs/serving.md has the settings)
	@landmarks serve

##@ Share data and models (docs/storage.md, docs/releases.md, docs/your-own.md)
check-storage: setup ## [OUT=... REV=...] read every object of the storage, name what is bad
	@python -m tools.check_storage --rev "$$REV" $${OUT:+"$$OUT"}

mend-storage: setup ## [OUT=... REV=...] the same, and replace bad objects from DVC's cache
	@python -m tools.check_storage --mend --rev "$$REV" $${OUT:+"$$OUT"}

own: setup ## PHOTOS=folder [WEIGHTS=... BACKBONE=... ...] models of your own landmarks
	@python -m tools.own "$$PHOTOS" --weights "$$WEIGHTS" --backbone "$$BACKBONE" \
		--negatives "$$NEGATIVES" --attribution "$$ATTRIBUTION" --catalogue "$$CATALOGUE"

release: setup ## VERSION=1.0.0 [STAGE=prod] tag the model of this commit, if it is fit for it
	@python -m tools.release "$$VERSION" --stage "$$STAGE"

##@ Measure
speed: setup ## [NAME=...] milliseconds a photo, training rates, into results/NAME/speed.json
	@python -m benchmarks.speed $${NAME:+--name "$$NAME"}

results: setup ## [NAME=...] keep metrics, curves and plots of this run in results/NAME/
	@python -m tools.collect_results $${NAME:+--name "$$NAME"} && \
		python -m tools.draw_results $${NAME:+--name "$$NAME"}

picture: setup ## draw the photo sheet of the README with the released model of the sample
	@python -m tools.draw_sample

screenshot: setup ## photograph metrics/report.html and the page for the README (needs chromium)
	@python -m tools.draw_report && python -m tools.draw_app

##@ Change the code
lint: setup ## ruff and mypy, as in CI
	@ruff check . && ruff format --check . && mypy

format: setup ## format and sort imports
	@ruff check --fix . && ruff format .

constraints: ## pin the whole closure anew in constraints.txt (after `make setup`)
	@sh tools/constraints.sh

clean: ## remove .venv and caches of tools; keeps data, models and DVC's cache
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache build dist landmarks.egg-info
