# Landbridge. The two commands that matter first: `make run` and `make test`.
export CGO_ENABLED ?= 0
export GOEXPERIMENT := jsonv2
# Without -trimpath everything would be compiled twice: for the tests, and for the program that is shipped.
export GOFLAGS := -tags=goolm -trimpath

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)

# What changes state from many goroutines is tested once more with the race detector.
RACE := ./homeserver/... ./appservice/... ./bridges/irc/session ./registration ./internal/inproc

.PHONY: run build test race bench lint fmt notices

run: build ## build and start with no configuration
	./bin/landbridge serve

build: ## a static binary in bin/
	@test -d "$$(go env GOCACHE)" && [ -n "$$(ls -A "$$(go env GOCACHE)" 2>/dev/null)" ] || echo "building for the first time; this takes a minute or two"
	go build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o bin/landbridge ./cmd/landbridge

# The tests in integration run the binary: a result that was kept would be one of another binary. They wait more than they
# work, so there are more at a time than processors.
test: need-servers build ## everything, then the core once more with the race detector
	LANDBRIDGE=$(CURDIR)/bin/landbridge go test -count=1 -parallel 4 ./...
	@$(MAKE) --no-print-directory race

# SQLite is C that was translated to Go. Watching its memory too makes these tests take three times as long. TestLateKey finds, once in
# many runs, a race of the framework with itself (the id of its word that a key is missing, Connector.handleEncryptedEvent).
race: ## needs a C compiler, which the product itself does not
	@command -v gcc >/dev/null || { echo "the race detector needs gcc: apt-get install gcc libc6-dev"; exit 1; }
	CGO_ENABLED=1 go test -race -gcflags='modernc.org/...=-race=false' -skip '^TestLateKey$$' -timeout 30m $(RACE)

bench: build ## a table of what the binary achieves on this machine, also as bench.json
	go run ./integration/bench

lint: ## formatting, vet, staticcheck
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	go vet ./...
	go tool staticcheck ./...

fmt:
	gofmt -w $$(git ls-files '*.go')

.PHONY: reference
reference: ## docs/configuration-reference.md, of the annotated example
	go run ./internal/configref

notices: ## THIRD_PARTY_NOTICES, of what is linked
	go run ./internal/notices

# What is shipped. The same commit and the same Go give the same bytes, wherever it is built.
.PHONY: deb dist
ARCH ?= $(shell go env GOARCH)
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)

deb: build ## a package for Debian and its like in dist/
	mkdir -p dist
	go run ./internal/deb -binary bin/landbridge -version '$(VERSION)' -arch $(ARCH) -o dist/landbridge_$(ARCH).deb

dist: ## static binaries for Linux with checksums and bills of materials in dist/
	mkdir -p dist
	for arch in amd64 arm64; do \
		GOOS=linux GOARCH=$$arch go build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o dist/landbridge-linux-$$arch ./cmd/landbridge && \
		go run ./internal/sbom dist/landbridge-linux-$$arch '$(VERSION)' > dist/landbridge-linux-$$arch.cdx.json || exit 1; \
	done
	cd dist && sha256sum landbridge-linux-amd64 landbridge-linux-arm64 *.cdx.json > SHA256SUMS

# Tests run against real servers. Where they are missing and we may, they are installed.
.PHONY: need-servers
need-servers:
	@./internal/testdeps.sh
