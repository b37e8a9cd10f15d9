package testserver

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// ResidentMB is the memory of the server's process that is in use, in megabytes, without what it shares with files.
func (s *Server) ResidentMB(t testing.TB) int {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID()))
	if err != nil {
		t.Fatalf("the memory of the server: %v", err)
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kb, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			if err != nil {
				t.Fatal(err)
			}
			return kb >> 10
		}
	}
	t.Fatal("the system does not say how much memory a process uses")
	return 0
}
