package app

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/config"
)

// TestAddBridge: without a configuration file the console makes one, in which the demonstration goes
// on, and the next start finds it.
func TestAddBridge(t *testing.T) {
	dir := filepath.Join(shortDir(t), "data")
	t.Setenv("LANDBRIDGE_DATA_DIR", dir)
	t.Setenv("LANDBRIDGE_SERVER_LISTEN", "127.0.0.1:0")
	if file := configPath(""); file != "" {
		t.Fatalf("there is %s already", file)
	}
	cfg, err := config.Load("", os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	var out, errOut lockedBuffer
	s := &serving{cfg: cfg, std: stdio{Out: &out, Err: &errOut, build: Build{Version: "dev", Modules: Modules()}}, began: time.Now()}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("unix", filepath.Join(dir, "console.sock")); err == nil {
			c.Close()
			break
		}
		if len(ended) > 0 || time.Now().After(deadline) {
			t.Fatalf("the server has not started: %s", errOut.String())
		}
	}
	b := backend{s}
	const entry = "id: irc-x\nmodule: irc\nconfig:\n  networks:\n    - {id: x, address: 127.0.0.1:1, tls: false, nick: n, channels: ['#c']}\n"
	for text, want := range map[string]string{
		"id: irc-x\nmodule: irk\n": "irk",
		"id: irc-x\nmodule: irc\nconfig:\n  networks:\n    - {id: x, adress: y}\n": "adress",
		"id: irc\nmodule: irc\n": "irc",
		"id: [":                  "",
	} {
		if _, err := b.AddBridge(ctx, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if s.file() != "" {
		t.Fatal("something wrong was written")
	}
	file, err := b.CheckBridge(ctx, entry)
	if err != nil || file != filepath.Join(dir, "landbridge.yaml") {
		t.Fatalf("%s %v", file, err)
	}
	if list, err := filepath.Glob(filepath.Join(dir, "*.yaml")); err != nil || len(list) > 0 {
		t.Errorf("the check left %v", list)
	}
	if _, err := b.AddBridge(ctx, entry); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, st := range b.Bridges() {
		got = append(got, st.ID+" "+st.State)
	}
	if strings.Join(got, ", ") != "irc running, irc-x running" {
		t.Errorf("bridges: %v\n%s", got, errOut.String())
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if configPath("") != file {
		t.Error("the next start does not find the file")
	}
	text, err := os.ReadFile(file)
	if err != nil || !strings.HasPrefix(string(text), "# Made by the console.") {
		t.Errorf("%v %s", err, text)
	}
	if code, _, errOut := cli(t, "config", "check"); code != 0 {
		t.Errorf("%s", errOut)
	}
}
