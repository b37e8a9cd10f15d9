package exporter_test

import (
	"bytes"
	"io"
	"testing/fstest"

	"github.com/landbridge-im/landbridge/export"
)

// mapSink keeps an export in memory.
type mapSink struct{ files fstest.MapFS }

var _ export.Sink = (*mapSink)(nil)

// Create implements export.Sink.
func (m *mapSink) Create(name string) (io.WriteCloser, error) {
	return &mapFile{m: m, name: name}, nil
}

// Close implements export.Sink.
func (m *mapSink) Close() error { return nil }

type mapFile struct {
	bytes.Buffer
	m    *mapSink
	name string
}

// Close implements io.Closer.
func (f *mapFile) Close() error {
	f.m.files[f.name] = &fstest.MapFile{Data: f.Bytes()}
	return nil
}
