package federation

import (
	"context"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/tools"
)

// secrets has somebody of each server talk in an encrypted room, with matrix-js-sdk.
func secrets(t *testing.T, ours, theirs *server) {
	const clients = "../clients"
	node := tools.NewNode(t, clients)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	script := tools.Start(ctx, t, node.Program, node.Script(t, "secrets.mjs", filepath.Join(clients, "kit.mjs")), ours.url, theirs.url)
	script.In.Close()
	done := false
	for script.Lines.Scan() {
		var x struct {
			Step   string
			MS     int64
			Failed string
			Done   bool
		}
		switch err := json.Unmarshal(script.Lines.Bytes(), &x); {
		case err != nil:
			t.Logf("%s", script.Lines.Bytes())
		case x.Failed != "":
			t.Errorf("%s (%d ms): %s", x.Step, x.MS, x.Failed)
		case x.Done:
			done = true
		default:
			t.Logf("%s: %d ms", x.Step, x.MS)
		}
	}
	if err := script.Wait(); err != nil || !done {
		t.Errorf("the talk ended early: %v", err)
	}
}
