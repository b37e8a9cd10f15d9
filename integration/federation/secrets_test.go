package federation

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/tools"
)

// secrets has somebody of each server talk in an encrypted room, with matrix-js-sdk.
func secrets(t *testing.T, ours, theirs *server) {
	const clients = "../clients"
	node := tools.NewNode(t, clients)
	dir := t.TempDir()
	for name, from := range map[string]string{"secrets.mjs": "secrets.mjs", "kit.mjs": filepath.Join(clients, "kit.mjs")} {
		raw, err := os.ReadFile(from)
		ok(t, err)
		ok(t, os.WriteFile(filepath.Join(dir, name), raw, 0o644))
	}
	ok(t, os.Symlink(node.Modules, filepath.Join(dir, "node_modules")))
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, node.Program, filepath.Join(dir, "secrets.mjs"), ours.url, theirs.url)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.StdoutPipe()
	ok(t, err)
	ok(t, cmd.Start())
	done := false
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var x struct {
			Step   string
			MS     int64
			Failed string
			Done   bool
		}
		switch err := json.Unmarshal(lines.Bytes(), &x); {
		case err != nil:
			t.Logf("%s", lines.Bytes())
		case x.Failed != "":
			t.Errorf("%s (%d ms): %s", x.Step, x.MS, x.Failed)
		case x.Done:
			done = true
		default:
			t.Logf("%s: %d ms", x.Step, x.MS)
		}
	}
	if err := cmd.Wait(); err != nil || !done {
		text := complaints.String()
		t.Errorf("the talk ended early: %v\n%s", err, text[max(0, len(text)-4000):])
	}
}
