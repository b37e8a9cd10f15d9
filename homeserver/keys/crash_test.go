package keys

import (
	"bufio"
	"context"
	"encoding/json/jsontext"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// crashEnv holds, in the child process of TestClaimCrash, the database with the keys.
const crashEnv = "LANDBRIDGE_KEYS_CRASH_TEST"

func TestMain(m *testing.M) {
	if uri := os.Getenv(crashEnv); uri != "" {
		if err := claimForever(uri); err != nil {
			fmt.Println("error:", err)
		}
		return
	}
	os.Exit(m.Run())
}

// claimForever is the child: it claims one key after another, and tells of each, until it is
// killed or none is left.
func claimForever(uri string) error {
	ctx, log := context.Background(), slog.New(slog.DiscardHandler)
	s, err := store.Open(ctx, store.Options{URI: uri, Log: log})
	if err != nil {
		return err
	}
	k, err := New(Config{Server: "x", Store: s, Log: log})
	if err != nil {
		return err
	}
	for {
		out, err := k.Claim(ctx, ClaimRequest{OneTimeKeys: map[string]map[string]string{"@a:x": {"D": "signed_curve25519"}}})
		if err != nil {
			return err
		}
		keys := out.OneTimeKeys["@a:x"]["D"]
		if len(keys) == 0 {
			return s.Close()
		}
		for id := range keys {
			fmt.Println(id)
		}
	}
}

// TestClaimCrash kills a process in the midst of claiming keys, again and again, and has the device upload all of its
// keys once more each time, as it does if it has not heard that they arrived: no key is given out twice, and they come in order.
func TestClaimCrash(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	d := f.device("@a:x", "D", false)
	const keys = 400
	upload := func() {
		t.Helper()
		for i := 0; i < keys; i += 50 {
			r := UploadRequest{OneTimeKeys: rawKeys(t, i, 50)}
			if _, err := f.Upload(t.Context(), d.Owner, r); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	upload()
	last, told := -1, 0
	for round := 0; told < keys*9/10 && round < 50; round++ {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), crashEnv+"="+filepath.Clean(f.uri))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		n := 0
		for lines := bufio.NewScanner(out); lines.Scan(); {
			i, err := strconv.Atoi(strings.TrimPrefix(lines.Text(), "signed_curve25519:k"))
			if err != nil || len(lines.Text()) != len("signed_curve25519:k000") {
				if n <= 40 {
					t.Errorf("the child said %q", lines.Text())
				}
				continue // torn by the kill
			}
			if i <= last {
				t.Errorf("key %d after key %d", i, last)
			}
			last = i
			told++
			if n++; n == 40 {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // it was killed, or has found no more keys
		if n == 0 {
			break
		}
		f.open()
		upload()
	}
	// What was claimed but not told when the process died is lost: at most one key a round.
	if told < keys*3/4 {
		t.Errorf("only %d of %d keys were given out", told, keys)
	}
	f.open()
}

// rawKeys are one-time keys with ascending names.
func rawKeys(t *testing.T, from, n int) map[string]jsontext.Value {
	out := map[string]jsontext.Value{}
	for i := from; i < from+n; i++ {
		out[fmt.Sprintf("signed_curve25519:k%03d", i)] = raw(t, object{"key": fmt.Sprint(i), "signatures": object{}})
	}
	return out
}
