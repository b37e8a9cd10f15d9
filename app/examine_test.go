package app

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"maunium.net/go/mautrix/bridgev2"

	"github.com/landbridge-im/landbridge/appservice"
)

// patient is a bridge that says what ails it; it must not be started.
type patient struct{ fails bool }

func (patient) Connector() bridgev2.NetworkConnector { panic("it was started") }
func (patient) Start(context.Context, *bridgev2.Bridge) error {
	panic("it was started")
}
func (patient) Stop() {}

func (p patient) Examine(_ context.Context, tell func(appservice.Finding)) error {
	tell(appservice.Finding{What: "the token", Verdict: appservice.Good, Detail: "It is good."})
	tell(appservice.Finding{What: "the intents", Verdict: appservice.Doubtful, Detail: "One is off.\x1b[2J", Remedy: "Switch it on."})
	if p.fails {
		return errors.New("the network is away")
	}
	return nil
}

// TestDoctorNamed: "landbridge doctor NAME" tells what the bridges of that name or module find.
func TestDoctorNamed(t *testing.T) {
	t.Parallel()
	build := Build{Version: "dev", Modules: []appservice.Module{
		{Name: "ill", New: func(_ context.Context, env appservice.Env) (appservice.Bridge, error) {
			if env.ID == "wrong" {
				return nil, errors.New("line 3: there is no token")
			}
			return patient{fails: env.ID == "away"}, nil
		}},
		{Name: "silent", New: func(context.Context, appservice.Env) (appservice.Bridge, error) {
			return struct{ appservice.Bridge }{}, nil
		}},
	}}
	conf := writeFile(t, filepath.Join(t.TempDir(), "c.yaml"), `bridges:
  - {id: one, module: ill}
  - {id: away, module: ill, enabled: false}
  - {id: wrong, module: ill}
  - {id: quiet, module: silent}
`)
	for _, test := range []struct {
		args string
		code int
		want []string
	}{
		{"one", 0, []string{"ok  bridge one: The configuration is good.", "ok  bridge one: the token: It is good.", "?   bridge one: the intents: One is off. [2J", "-> Switch it on.", "2 good, 1 doubtful, 0 bad"}},
		{"-q one", 0, []string{"?   bridge one: the intents"}},
		{"-json away", exitFailure, []string{`{"area":"bridge away: the token","verdict":"good"`, `The examination could not be finished: the network is away`}},
		{"wrong", exitFailure, []string{"BAD bridge wrong: The configuration is not good: line 3: there is no token"}},
		{"quiet", 0, []string{"-   bridge quiet: The module silent can't look further."}},
		{"ill", exitFailure, []string{"bridge one: the token", "bridge away: the token", "bridge wrong"}},
		{"quiet one", 0, []string{"bridge quiet", "bridge one"}},
		{"nonsense", exitUsage, []string{`no bridge or module "nonsense" is configured; there are: one (ill), away (ill), wrong (ill), quiet (silent)`}},
	} {
		var o, e strings.Builder
		code := run(t.Context(), append([]string{"doctor", "-c", conf}, strings.Fields(test.args)...), stdio{In: strings.NewReader(""), Out: &o, Err: &e, build: build})
		if code != test.code {
			t.Errorf("%s: code %d\n%s%s", test.args, code, &o, &e)
		}
		for _, want := range test.want {
			if !strings.Contains(o.String()+e.String(), want) {
				t.Errorf("%s: no %q in\n%s%s", test.args, want, &o, &e)
			}
		}
	}
}
