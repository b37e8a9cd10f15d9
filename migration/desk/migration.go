package desk

import (
	"encoding/json/v2"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/landbridge-im/landbridge/internal/sentence"
	"github.com/landbridge-im/landbridge/migration/run"
	"github.com/landbridge-im/landbridge/migration/verify"
)

// Step is a part of a migration.
type Step string

// The steps, in their order.
const (
	Plan   Step = "plan"
	Run    Step = "run"
	Verify Step = "verify"
)

// State is how a migration stands.
type State string

// States.
const (
	Receiving State = "receiving" // its export is being uploaded
	Ready     State = "ready"     // nothing is under way
	Waiting   State = "waiting"   // another one is worked on
	Working   State = "working"
	Failed    State = "failed"  // the step failed; it can be begun again
	Stopped   State = "stopped" // somebody, or a restart, stopped the step; it can be gone on with
)

// Choice says what an export is and where it goes. What is empty is found out.
type Choice struct {
	// Network is slack, discord or irc.
	Network string `json:"network,omitempty"`
	// Workspace is the id of the workspace (Slack) or network (IRC) in the bridge's configuration.
	Workspace string `json:"workspace,omitempty"`
	// Bridge is the id of the bridge that goes on, or is to.
	Bridge string `json:"bridge,omitempty"`
	// Zone is the time zone of IRC logs.
	Zone string `json:"zone,omitempty"`
}

// Migration is one community's way here.
type Migration struct {
	ID string `json:"id"`
	// File is the name of the export, Size how many bytes it has if it is uploaded, and Have how many
	// of them are here.
	File     string `json:"file"`
	Uploaded bool   `json:"uploaded"`
	Size     int64  `json:"size"`
	Have     int64  `json:"have"`
	Choice   Choice `json:"choice"`
	// Title is what the community is called; it is known after the plan.
	Title string `json:"title,omitempty"`
	// Messages is how many messages the plan has counted.
	Messages int64 `json:"messages,omitempty"`
	State    State `json:"state"`
	// Step is what is done, waits to be done, or was done last; Error is why it failed.
	Step  Step   `json:"step,omitempty"`
	Error string `json:"error,omitempty"`
	// Alone leaves the bridge out that could go on.
	Alone bool `json:"alone,omitempty"`
	// Planned, Ran and Verified are when the steps were done last; zero: not yet.
	Planned  time.Time `json:"planned,omitzero"`
	Ran      time.Time `json:"ran,omitzero"`
	Verified time.Time `json:"verified,omitzero"`
	// Summary and Compared are what came of the last run and verification. Their lists are cut to keptProblems.
	Summary  *run.Summary   `json:"summary,omitempty"`
	Compared *verify.Report `json:"compared,omitempty"`
}

// Busy tells whether the migration is being worked on, or waits for it.
func (m Migration) Busy() bool { return m.State == Working || m.State == Waiting }

// keptProblems bounds the lists of problems and differences that are kept.
const keptProblems = 1000

// Files of a migration in its folder.
const (
	stateFile   = "migration.json"
	mappingFile = "mapping.yaml"
	reportFile  = "report.json"
	exportFile  = "export"
)

// Errors of migrations.
var (
	// ErrUnknown says that there is no such migration.
	ErrUnknown = sentence.Errorf("there is no such migration")
	// ErrBusy says that a migration is being worked on.
	ErrBusy = sentence.Errorf("the migration is being worked on; stop it first")
)

// write puts a file into its place whole, or not at all.
func write(name string, raw []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

func writeJSON(name string, v any) error {
	raw, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return err
	}
	return write(name, raw)
}

func readJSON(name string, v any) error {
	raw, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return sentence.Errorf("%s: %s", name, err)
	}
	return nil
}
