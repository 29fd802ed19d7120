# make test is all that a change must pass; it installs what it lacks.
# Other targets: make help.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS   += --no-print-directory

GO          ?= go
GO_MINIMUM  := 1.26
MODULES     := . cmd/jot ext/es256k ext/ed448 ext/mldsa ext/pkcs11 interop tools
PLATFORMS   := linux/amd64 linux/arm64 windows/amd64 windows/arm64 darwin/amd64 darwin/arm64

# For make fuzz: the time of each target, the processes of one target, and which
# targets, as a regular expression.
FUZZTIME     ?= 10m
FUZZPARALLEL ?= 2
FUZZ         ?= .
# How many of the inputs that a target found most lately are kept as its seeds.
FUZZKEEP     ?= 6
# For make bench.
BENCH        ?= .
BENCHTIME    ?= 1s
BENCHCOUNT   ?= 6
# For make chaos: how often the server is killed on each database.
KILLS        ?= 200
# For make mutate: flags of the program, such as -pkg internal/b64url.
MUTATE       ?=

# A module is tested as it is published, without the workspace.
export GOWORK := off
TOOL = $(GO) -C tools tool

.PHONY: help test tools gofumpt vet promises api platforms race 386 fips suites timing serverload fuzz mutate bench chaos fmt

help: ## print this list
	@grep -hE '^[a-z0-9]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z0-9]+):.*## /  make \1\t/' | expand -t 18

test: tools gofumpt vet promises platforms 386 fips suites race ## everything that a change must pass

tools: ## check for Go, git, a C compiler (which the race detector needs) and Node.js, Python and curl (which some peers need)
	@command -v $(GO) >/dev/null || { echo "error: there is no '$(GO)' command; install Go $(GO_MINIMUM) or newer (go.dev/doc/install)" >&2; exit 1; }
	@have=$$(GOTOOLCHAIN=local $(GO) env GOVERSION); have=$${have#go}; \
	if [ "$$(printf '%s\n' $(GO_MINIMUM) "$${have%%[-r ]*}" | sort -V | head -n 1)" != $(GO_MINIMUM) ]; then \
		echo "error: Go $(GO_MINIMUM) or newer is needed, this is $$have" >&2; \
		exit 1; \
	fi
	@if ! $(GO) env CC | xargs -I{} sh -c 'command -v {}' >/dev/null; then \
		if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
			apt-get update -q && apt-get install -qy --no-install-recommends gcc libc6-dev; \
		else \
			echo "error: the race detector needs a C compiler: install gcc (Debian: apt-get install gcc libc6-dev; macOS: xcode-select --install)" >&2; \
			exit 1; \
		fi; \
	fi

	@if ! { command -v node && command -v npm; } >/dev/null; then \
		if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
			apt-get update -q && apt-get install -qy --no-install-recommends nodejs npm; \
		else \
			echo "there is no Node.js with npm: the peers that run in it are left out of the comparisons" >&2; \
		fi; \
	fi
	@if ! { python3 -m pip --version && command -v curl; } >/dev/null 2>&1; then \
		if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
			apt-get update -q && apt-get install -qy --no-install-recommends python3 python3-pip curl; \
		else \
			echo "there is no Python with pip, or no curl: these peers are left out of the comparisons" >&2; \
		fi; \
	fi

gofumpt: ## list files that make fmt would change
	@echo "== gofumpt"
	@files=$$($(TOOL) gofumpt -l ..); \
	if [ -n "$$files" ]; then echo "error: these files are not formatted; make fmt does it:" >&2; echo "$$files" >&2; exit 1; fi

vet: ## go vet and staticcheck for every module
	@$(TOOL) -n staticcheck >/dev/null
	@for m in $(MODULES); do \
		echo "== vet, staticcheck: $$m"; \
		(cd $$m && $(GO) vet ./... && "$$($(GO) -C $(CURDIR)/tools tool -n staticcheck)" ./...); \
	done

promises: ## compare what the library exports with api.txt, where it is promised
	@echo "== promises"
	@$(GO) -C tools run ./api -root .. -list ../api.txt -except server

api: ## add to api.txt what the library newly exports
	@$(GO) -C tools run ./api -root .. -list ../api.txt -except server -add

platforms: ## vet the library and build the command for every other platform
	@for p in $(filter-out $(shell $(GO) env GOHOSTOS)/$(shell $(GO) env GOHOSTARCH),$(PLATFORMS)); do \
		echo "== vet, build: $$p"; \
		export GOOS=$${p%/*} GOARCH=$${p#*/} CGO_ENABLED=0; \
		$(GO) build ./...; \
		$(GO) vet ./...; \
		$(GO) -C cmd/jot build -buildvcs=false -o /dev/null .; \
	done

race: ## the tests of every module, with the race detector
	@for m in $(MODULES); do \
		echo "== test -race: $$m"; \
		(cd $$m && $(GO) test -race ./...); \
	done

386: ## the library's tests on a 32-bit machine
	@echo "== test, GOARCH=386"
	@if [ "$$($(GO) env GOHOSTOS)/$$($(GO) env GOHOSTARCH)" = linux/amd64 ] && GOARCH=386 CGO_ENABLED=0 $(GO) test -run '^$$' ./internal/alias >/dev/null 2>&1; then \
		GOARCH=386 CGO_ENABLED=0 $(GO) test ./...; \
	else \
		echo "this machine does not run 32-bit programs: the tests are compiled and not run"; \
		GOOS=linux GOARCH=386 CGO_ENABLED=0 $(GO) vet ./...; \
	fi

fips: ## the library's tests in FIPS 140-3 mode
	@echo "== test, GODEBUG=fips140=on"
	@GODEBUG=fips140=on $(GO) test ./...

suites: ## the suites of others and the peers, without the race detector, and what they came to
	@echo "== suites"
	@$(GO) -C interop test -v -run '^Test(Encryption|Wycheproof|Clients)$$' ./matrix ./wycheproof ./clients ./server | grep -vE '^ *(=== RUN|--- PASS)'

timing: ## how far the time of a refusal tells what was wrong: some minutes
	@$(GO) -C interop run ./timing

serverload: ## how many tokens a second jot serve gives, beside a bare handler and oidc-provider: some minutes
	@$(GO) -C interop run ./bench/serverload

fuzz: ## each fuzz target for FUZZTIME, one after the other; the last FUZZKEEP finds become seeds
	@for m in $(MODULES); do \
		for p in $$(cd $$m && $(GO) list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...); do \
			for f in $$(cd $$m && { $(GO) test -list '^Fuzz' $$p | grep -E '^Fuzz' | grep -E '$(FUZZ)' || true; }); do \
				echo "== fuzz $$p $$f for $(FUZZTIME)"; \
				(cd $$m && $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -parallel $(FUZZPARALLEL) $$p; \
				seeds=$$($(GO) list -f '{{.Dir}}' $$p)/testdata/fuzz/$$f; \
				found=$$($(GO) env GOCACHE)/fuzz/$$p/$$f; \
				if [ -d "$$found" ]; then \
					mkdir -p "$$seeds"; \
					(cd "$$found" && find . -type f -size -9 -exec ls -t {} + | sed -n '1,$(FUZZKEEP)p' | while read -r s; do cp "$$s" "$$seeds/"; done); \
				fi); \
			done; \
		done; \
	done

mutate: ## take away each line that enforces a rule in turn, and see that a test fails
	@$(GO) -C tools run ./mutate -root .. $(MUTATE)

bench: ## the benchmarks beside the peers and the bare primitives
	@$(GO) -C interop test -run '^$$' -bench '$(BENCH)' -benchmem -benchtime $(BENCHTIME) -count $(BENCHCOUNT) ./bench/...

chaos: ## kill the server KILLS times on each database, and what it needs, under load: some minutes
	@folder=$$(mktemp -d) && trap 'rm -r $$folder' EXIT && \
	$(GO) -C cmd/jot build -buildvcs=false -o $$folder/jot . && \
	JOT_CHAOS_COMMAND=$$folder/jot JOT_STORETEST_KILLS=$(KILLS) $(GO) -C cmd/jot test -count 1 -timeout 1h -v -run 'Chaos|Crash|Replicas' . ./stores | grep -vE '^ *(=== RUN|--- PASS)'

fmt: ## format every module
	@$(TOOL) gofumpt -w ..
