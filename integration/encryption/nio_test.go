package encryption_test

import (
	"bufio"
	"encoding/json"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/tools"
)

// told is one line of the output of nio_client.py.
type told struct {
	Ready         string `json:"ready"`
	Sent          string `json:"sent"`
	Body          string `json:"body"`
	Sender        string `json:"sender"`
	Encrypted     bool   `json:"encrypted"`
	Undecryptable string `json:"undecryptable"`
}

// TestNio talks with a client that shares no code with the bridge: matrix-nio,
// whose encryption is libolm's.
func TestNio(t *testing.T) {
	t.Parallel()
	python := tools.Nio(t)
	r := newRig(t, "default")
	m, err := bridgetest.Register(r.ctx, r.URL(), "nina", "")
	if err != nil {
		t.Fatal(err)
	}
	room, err := m.Resolve(r.ctx, "#irc_ng_#chan:test")
	if err != nil {
		t.Fatal(err)
	}

	var complaints strings.Builder
	cmd := exec.CommandContext(r.ctx, python, "nio_client.py", r.URL(), m.UserID, "a long password of nina", "#irc_ng_#chan:test", t.TempDir())
	cmd.Stderr = &complaints
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var heard bridgetest.Log[told]
	read := make(chan struct{})
	go func() {
		defer close(read)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			var x told
			if json.Unmarshal(lines.Bytes(), &x) == nil {
				heard.Add(x)
			}
		}
	}()
	t.Cleanup(func() {
		in.Close()
		<-read
		if err := cmd.Wait(); err != nil && t.Failed() {
			t.Logf("nio: %v\n%s", err, complaints.String())
		}
	})
	await := func(what string, match func(told) bool) {
		t.Helper()
		if _, _, err := heard.Wait(r.ctx, 0, match); err != nil {
			t.Fatalf("%s: %v; heard %+v", what, err, heard.All(0))
		}
	}
	say := func(text string) {
		t.Helper()
		line, err := json.Marshal(map[string]string{"room": room, "body": text})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(in, string(line)+"\n"); err != nil {
			t.Fatal(err)
		}
		await("the sending of "+text, func(x told) bool { return x.Sent == text })
		if _, _, err := r.bob.Await(r.ctx, 0, "lbridge", "PRIVMSG", text); err != nil {
			t.Fatal(err)
		}
	}
	await("the login", func(x told) bool { return x.Ready != "" })
	for _, mark := range []string{"one", "two"} {
		say("nio says " + mark)
		r.bob.Say("#chan", "bob says "+mark)
		await("bob's "+mark, func(x told) bool { return x.Body == "bob says "+mark && x.Encrypted && x.Sender == "@irc_ng.bob:test" })
	}
	if err := r.Restart(r.ctx); err != nil {
		t.Fatal(err)
	}
	r.bridged(t)
	r.bob.Say("#chan", "bob says again")
	await("bob's message after a restart", func(x told) bool { return x.Body == "bob says again" && x.Encrypted })
	say("nio says again")
	for _, x := range heard.All(0) {
		if x.Undecryptable != "" {
			t.Errorf("an event of %s cannot be decrypted", x.Undecryptable)
		}
	}
}
