package main

import (
	"encoding/json"
	"os"
	"testing"
)

// TestDescribe describes the test itself.
func TestDescribe(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := describe(path, "1")
	if err != nil {
		t.Fatal(err)
	}
	var b bom
	if err := json.Unmarshal(raw, &b); err != nil || b.Format != "CycloneDX" || b.Metadata.Component.Version != "1" || len(b.Components) == 0 || b.Components[0].Name != "std" {
		t.Errorf("%s %v", raw, err)
	}
	if _, err := describe("main.go", "1"); err == nil {
		t.Error("a file that is no binary was described")
	}
}
