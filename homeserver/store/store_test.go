package store

import (
	"log/slog"
	"path/filepath"
	"testing"
)

// open makes a fresh SQLite store.
func open(t testing.TB) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{URI: filepath.Join(t.TempDir(), "test.db"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestQueries prepares every query: a misspelt one must not wait for the day it is needed.
func TestQueries(t *testing.T) {
	t.Parallel()
	s := open(t)
	for name := range s.queries {
		if _, err := s.stmt(t.Context(), name); err != nil {
			t.Error(err)
		}
	}
}
