package main

import (
	"os"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/configs"
)

// TestCurrent: the page is what the program's example says now.
func TestCurrent(t *testing.T) {
	t.Parallel()
	want, err := reference(configs.Example())
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../" + path)
	if err != nil || string(got) != want {
		t.Errorf("%s is not current: run `make reference` (%v)", path, err)
	}
	for _, part := range []string{"### server.name\n", "`LANDBRIDGE_BACKUP_KEEP_WEEKLY`; changes count at once.", "Default `127.0.0.1:9008`"} {
		if !strings.Contains(want, part) {
			t.Errorf("no %q in it", part)
		}
	}
}
