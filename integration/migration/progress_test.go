package migration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/landbridge-im/landbridge/integration/exports"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// terminal opens a pseudo terminal: what is written into inside is read from outside.
func terminal(t *testing.T) (outside, inside *os.File) {
	t.Helper()
	outside, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { outside.Close() })
	raw, err := outside.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	var failed error
	if err := raw.Control(func(fd uintptr) {
		if failed = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); failed == nil {
			n, failed = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	}); err != nil || failed != nil {
		t.Fatal(err, failed)
	}
	if inside, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { inside.Close() })
	return outside, inside
}

// TestProgress: on a terminal a run shows a bar that moves, and takes it away at the end.
func TestProgress(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "export")
	if err := exports.Slack(dir, exports.Size{Messages: 12_000, People: 20, Channels: 30}); err != nil {
		t.Fatal(err)
	}
	s := testserver.New(t, testserver.Options{})
	outside, inside := terminal(t)
	cmd := command(t.Context(), s, "run", dir, "-workspace", "acme", "-no-files")
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, inside
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	inside.Close()
	var shown strings.Builder
	for buf := make([]byte, 4096); ; {
		n, err := outside.Read(buf)
		shown.Write(buf[:n])
		if err != nil { // EIO, when the command has ended
			break
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, shown.String())
	}
	bars := regexp.MustCompile(`\r\x1b\[K\[(#*)(\.*)\] +(\d+)% (\d+) of 30 channels, \d+ messages \(\d+/s\), 0 files`).FindAllStringSubmatch(shown.String(), -1)
	last := -1
	for _, b := range bars {
		if len(b[1])+len(b[2]) != 30 || len(b[1]) < last {
			t.Errorf("the bar goes back or is of another length: %q", b[0])
		}
		last = len(b[1])
	}
	if len(bars) == 0 || !strings.HasSuffix(shown.String(), "\r\x1b[K") || !strings.Contains(out.String(), "12000 messages in 31 rooms") {
		t.Errorf("the terminal has %q, and the output is %s", shown.String(), out.String())
	}
}
