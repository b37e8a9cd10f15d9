package discord

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestSlashCommands: a command says nothing of what it does not have, for not everybody takes null for that.
func TestSlashCommands(t *testing.T) {
	t.Parallel()
	raw, err := json.Marshal(slashCommands())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), "null") {
		t.Errorf("the commands are %s", raw)
	}
}
