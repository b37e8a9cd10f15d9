package media

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/integration/client"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

func TestMain(m *testing.M) { os.Exit(testserver.Main(m)) }

// rig is a server with somebody on it.
type rig struct {
	testing.TB
	*testserver.Server
	alice *client.Client
}

func newRig(t *testing.T, extra string) *rig {
	t.Helper()
	s := testserver.New(t, testserver.Options{Extra: extra})
	alice, err := (&client.Client{URL: s.URL()}).Register(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	return &rig{t, s, alice}
}

// ask makes a request about files. A size of -1 sends the body without one.
func (r *rig) ask(method, path string, body io.Reader, size int64, header ...string) *http.Response {
	r.Helper()
	req, err := r.alice.Request(r.Context(), method, path, nil, body)
	if err != nil {
		r.Fatal(err)
	}
	req.ContentLength = size
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { res.Body.Close() })
	return res
}

func (r *rig) upload(body io.Reader, size int64) (mxc string) {
	r.Helper()
	res := r.ask("POST", "/_matrix/media/v3/upload?filename=a.txt", body, size, "Content-Type", "text/plain")
	var out struct {
		URI string `json:"content_uri"`
	}
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil || res.StatusCode != 200 {
		r.Fatalf("upload: %s %v", res.Status, err)
	}
	return out.URI
}

func (r *rig) download(mxc string, header ...string) *http.Response {
	r.Helper()
	return r.ask("GET", "/_matrix/client/v1/media/download/"+strings.TrimPrefix(mxc, "mxc://"), nil, 0, header...)
}

// TestCommands: what "landbridge media" does is seen by clients, also when it was done while the server did not run.
func TestCommands(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	command := func(good bool, want string, args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), testserver.Binary(), append(append([]string{"media"}, args...), "-c", r.Config())...).CombinedOutput()
		if (err == nil) != good || !strings.Contains(string(out), want) {
			t.Fatalf("media %s: %v %s, want %q", strings.Join(args, " "), err, out, want)
		}
		return string(out)
	}
	served := func(mxc string, want int) {
		t.Helper()
		if res := r.download(mxc); res.StatusCode != want {
			t.Errorf("%s: %s, want %d", mxc, res.Status, want)
		}
	}
	room, err := r.alice.CreateRoom(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	text := func(s string) string { return r.upload(strings.NewReader(s), int64(len(s))) }
	one, two, three := text("one"), text("two"), text("three")
	if _, err := r.alice.Send(t.Context(), room, "m.room.message", "t1", map[string]any{"msgtype": "m.file", "body": "two", "url": two}); err != nil {
		t.Fatal(err)
	}
	command(true, three, "list", "alice")
	command(true, `"uri":"`+one+`"`, "list", "@alice:test", "-json")
	command(true, "@alice:test", "show", one)
	command(true, "Quarantined 1 file, 3 bytes", "quarantine", one)
	served(one, 404)
	command(true, "quarantined", "show", one)
	command(true, "Released 1 file", "quarantine", one, "-undo")
	served(one, 200)
	command(true, "Quarantined 1 file", "quarantine", room)
	served(two, 404)
	served(three, 200)
	command(true, "is protected", "protect", three)
	command(true, "Quarantined 2 files", "quarantine", "alice")
	served(one, 404)
	served(three, 200)
	command(true, "is not protected", "protect", three, "-undo")
	command(true, "Dropped 0 files", "purge", "-unused", "1h")
	command(true, "Deleted 0 files", "delete", "alice", "-older", "1h")
	command(true, "Deleted 1 file, 3 bytes", "delete", two)
	command(true, "0 missing, 0 damaged", "verify")
	for want, args := range map[string][]string{"no mxc URI": {"show", "x"}, "is no mxc URI": {"quarantine", "mxc://x"}, "no account": {"quarantine", "nobody"}, "no room": {"quarantine", "!x:test"},
		"one piece of media at a time": {"quarantine", "alice", "-undo"}, "must not be negative": {"purge", "-unused", "-1h"}, "all files of a user": {"delete", one, "-older", "1h"},
		"too few": {"protect"}, "deleted": {"delete", "mxc:"}} {
		if want == "deleted" {
			want = "is no mxc URI"
		}
		command(false, want, args...)
	}
	command(false, "", "show", two)

	if err := r.Stop(); err != nil {
		t.Fatal(err)
	}
	command(true, "Quarantined 1 file", "quarantine", three)
	sum := sha256.Sum256([]byte("three"))
	name := hex.EncodeToString(sum[:])
	file := filepath.Join(r.DataDir(), "media", name[:2], name[2:4], name)
	if err := os.WriteFile(file, []byte("threX"), 0o600); err != nil {
		t.Fatal(err)
	}
	command(false, name+" damaged", "verify")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	stray := strings.Repeat("ab", 32)
	if err := os.MkdirAll(filepath.Join(r.DataDir(), "media", "ab", "ab"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.DataDir(), "media", "ab", "ab", stray), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	command(false, "1 missing, 0 damaged, 1 left over", "verify", "-remove")
	command(false, "1 missing, 0 damaged, 0 left over", "verify")
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	served(three, 404)
}

// peakMB is the most memory that the server's process has had, in megabytes.
func (r *rig) peakMB() int {
	r.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.PID()))
	if err != nil {
		r.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			if err != nil {
				r.Fatal(err)
			}
			return kb >> 10
		}
	}
	r.Fatal("the system does not say how much memory a process has had")
	return 0
}

// TestLargeFile: a large file takes no more memory than a small one, up and down, whole and in parts.
func TestLargeFile(t *testing.T) {
	t.Parallel()
	size := int64(160 << 20)
	if os.Getenv("LANDBRIDGE_LONG") != "" {
		size = 1 << 30
	}
	r := newRig(t, "media: {max_upload: 2GiB}\n")
	r.upload(strings.NewReader("small"), 5)
	before := r.peakMB()
	source := func() io.Reader { return io.LimitReader(rand.NewChaCha8([32]byte{1}), size) }
	sum := sha256.New()
	if _, err := io.Copy(sum, source()); err != nil {
		t.Fatal(err)
	}
	var mxc string
	for _, announced := range []int64{size, -1} { // with Content-Length, and in chunks
		mxc = r.upload(source(), announced)
	}
	got := sha256.New()
	res := r.download(mxc)
	n, err := io.Copy(got, res.Body)
	if err != nil || n != size || !bytes.Equal(got.Sum(nil), sum.Sum(nil)) {
		t.Errorf("%d of %d bytes came back, %v", n, size, err)
	}
	tail := make([]byte, 1000)
	if _, err := io.ReadFull(skipped(t, source(), size-1000), tail); err != nil {
		t.Fatal(err)
	}
	for _, ask := range []string{"bytes=-1000", fmt.Sprintf("bytes=%d-", size-1000)} {
		res := r.download(mxc, "Range", ask)
		part, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusPartialContent || !bytes.Equal(part, tail) {
			t.Errorf("%s: %s, %d bytes, %v", ask, res.Status, len(part), err)
		}
	}
	if grown := r.peakMB() - before; grown > 40 {
		t.Errorf("the server's memory grew by %d MB for a file of %d MB", grown, size>>20)
	}
}

func skipped(t *testing.T, r io.Reader, n int64) io.Reader {
	t.Helper()
	if _, err := io.CopyN(io.Discard, r, n); err != nil {
		t.Fatal(err)
	}
	return r
}
