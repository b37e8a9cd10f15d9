# Landbridge. The two commands that matter first: `make run` and `make test`.
export CGO_ENABLED ?= 0
export GOEXPERIMENT := jsonv2
export GOFLAGS := -tags=goolm

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)

.PHONY: run build test lint fmt notices

run: build ## build and start with no configuration
	./bin/landbridge serve

build: ## a static binary in bin/
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/landbridge ./cmd/landbridge

test: ## everything
	go test ./...

lint:
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	go vet ./...

fmt:
	gofmt -w $$(git ls-files '*.go')

notices: ## THIRD_PARTY_NOTICES, of what is linked
	go run ./internal/notices
