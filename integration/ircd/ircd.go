package ircd

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Server is a running IRC server.
type Server struct {
	// Addr is host:port of the plain listener, TLSAddr of the one with TLS (or
	// empty), and CA the file of the certificate that it shows.
	Addr, TLSAddr, CA string

	t    testing.TB
	args []string
	as   uint32 // the user who runs it, if it is another one
	cmd  *exec.Cmd
	out  *output
	done chan struct{}
}

// output keeps the end of what a server prints, to show when it does not start.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.buf.Len() > 64<<10 {
		o.buf.Reset()
	}
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

var installing sync.Mutex

// need makes sure that a Debian package's program is there: it installs it as
// root, and otherwise fails the test with what to install.
func need(t testing.TB, pkg, path string) {
	t.Helper()
	installing.Lock()
	defer installing.Unlock()
	if _, err := os.Stat(path); err == nil {
		return
	}
	if os.Geteuid() != 0 {
		t.Fatalf("%s is missing: install it with `apt-get install %s`", path, pkg)
	}
	t.Logf("installing %s", pkg)
	cmd := exec.Command("apt-get", "-o", "DPkg::Lock::Timeout=300", "install", "-y", "--no-install-recommends", pkg)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s is missing and `apt-get install %s` failed (%v); install it by hand (perhaps after apt-get update):\n%s", path, pkg, err, out)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is missing after the installation of %s", path, pkg)
	}
}

// unpacked returns a folder with the files of a Debian package that need not be installed, as those are which can't be
// beside another one. It is downloaded once; what it needs is installed.
func unpacked(t testing.TB, pkg string) string {
	t.Helper()
	installing.Lock()
	defer installing.Unlock()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "landbridge-tests", "deb-"+pkg)
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	t.Logf("downloading %s", pkg)
	debs := t.TempDir()
	if err := os.Chmod(debs, 0o777); err != nil { // apt downloads as somebody else
		t.Fatal(err)
	}
	fetch := func() ([]byte, error) {
		cmd := exec.Command("apt-get", "download", pkg)
		cmd.Dir = debs
		return cmd.CombinedOutput()
	}
	out, err := fetch()
	if err != nil && os.Geteuid() == 0 && exec.Command("apt-get", "update", "-q").Run() == nil {
		out, err = fetch()
	}
	if err != nil {
		t.Fatalf("`apt-get download %s` failed (%v); perhaps after apt-get update:\n%s", pkg, err, out)
	}
	found, err := filepath.Glob(filepath.Join(debs, pkg+"_*.deb"))
	if err != nil || len(found) != 1 {
		t.Fatalf("`apt-get download %s` has left %v, %v", pkg, found, err)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	temp, err := os.MkdirTemp(filepath.Dir(dir), "deb-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(temp)
	if out, err := exec.Command("dpkg-deb", "-x", found[0], temp).CombinedOutput(); err != nil {
		t.Fatalf("unpacking %s: %v\n%s", found[0], err, out)
	}
	needs, err := exec.Command("dpkg-deb", "-f", found[0], "Depends").Output()
	if err != nil {
		t.Fatalf("reading what %s needs: %v", found[0], err)
	}
	if os.Geteuid() == 0 {
		cmd := exec.Command("apt-get", "-o", "DPkg::Lock::Timeout=300", "satisfy", "-y", "--no-install-recommends", strings.TrimSpace(string(needs)))
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("installing what %s needs (%s): %v\n%s", pkg, needs, err, out)
		}
	}
	// Tests of another package may have been quicker.
	if err := os.Rename(temp, dir); err != nil {
		if _, there := os.Stat(dir); there != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func write(t testing.TB, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// run starts the server and waits until it accepts connections.
func (s *Server) run() {
	s.t.Helper()
	s.Start()
	s.t.Cleanup(func() {
		s.Stop()
		if s.t.Failed() {
			s.t.Logf("%s has printed:\n%s", s.args[0], s.out)
		}
	})
}

// spawn starts the process.
func (s *Server) spawn() {
	s.t.Helper()
	s.out = new(output)
	s.cmd = exec.Command(s.args[0], s.args[1:]...)
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	if s.as != 0 {
		s.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: s.as, Gid: s.as}}
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatalf("start %s: %v", s.args[0], err)
	}
	s.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		_ = cmd.Wait()
		close(done)
	}(s.cmd, s.done)
}

// Start starts the server again after Stop, on the same ports.
func (s *Server) Start() {
	s.t.Helper()
	s.spawn()
	deadline := time.Now().Add(20 * time.Second)
	for {
		nc, err := net.DialTimeout("tcp", s.Addr, time.Second)
		if err == nil {
			nc.Close()
			return
		}
		select {
		case <-s.done:
			s.t.Fatalf("%s ended at once:\n%s", strings.Join(s.args, " "), s.out)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			s.Stop()
			s.t.Fatalf("%s does not listen on %s:\n%s", s.args[0], s.Addr, s.out)
		}
	}
}

// Stop kills the server, as a crash does. It may be called more than once.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	<-s.done
	s.cmd = nil
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
