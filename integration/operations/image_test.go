package operations

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/testserver"
	"github.com/landbridge-im/landbridge/internal/ports"
)

// imageUser is who the program is in the image.
const imageUser = 10001

// image makes a folder with what the image's file puts into it, and nothing else.
func image(t *testing.T, file string) (root string) {
	t.Helper()
	root, err := os.MkdirTemp("", "lb-image")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	_, last, _ := strings.Cut(file, "FROM scratch\n")
	for _, m := range regexp.MustCompile(`(?m)^COPY((?: --\S+)*) (.*) (\S+)$`).FindAllStringSubmatch(last, -1) {
		for _, from := range strings.Fields(m[2]) {
			to := filepath.Join(root, m[3])
			if strings.HasSuffix(m[3], "/") {
				to = filepath.Join(to, filepath.Base(from))
			}
			if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
				t.Fatal(err)
			}
			switch from {
			case "/empty": // of the stage before
				if err := os.Mkdir(to, 0o700); err != nil {
					t.Fatal(err)
				}
				if strings.Contains(m[1], "--chown=10001:10001") && os.Getuid() == 0 {
					if err := os.Chown(to, imageUser, imageUser); err != nil {
						t.Fatal(err)
					}
				}
				continue
			case "bin/landbridge":
				from = testserver.Binary()
			case "/etc/ssl/certs/ca-certificates.crt": // of the stage before; this system's do as well
			default:
				from = filepath.Join("../..", from)
			}
			raw, err := os.ReadFile(from)
			if os.IsNotExist(err) && strings.HasPrefix(from, "/etc/") {
				raw, err = nil, nil // a system without authorities
			}
			if err != nil {
				t.Fatal(err)
			}
			mode := os.FileMode(0o644)
			if strings.Contains(m[1], "--chmod=0755") {
				mode = 0o755
			}
			if err := os.WriteFile(to, raw, mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	return root
}

// TestImage: in a root folder with what the image has and nothing else, with the image's environment, as its user and
// without privileges, the program comes up, keeps its data in the volume, and ends when it is told to.
func TestImage(t *testing.T) {
	t.Parallel()
	file := read(t, "configs/container/Containerfile")
	root := image(t, file)
	addr := ports.Addr(t)
	start := func(args ...string) *exec.Cmd {
		cmd := exec.Command(regexp.MustCompile(`ENTRYPOINT \["([^"]+)"\]`).FindStringSubmatch(file)[1], args...)
		cmd.Env = append(strings.Fields(regexp.MustCompile(`(?m)^ENV (.*)$`).FindStringSubmatch(file)[1]), "LANDBRIDGE_SERVER_LISTEN="+addr, "LANDBRIDGE_SERVER_PUBLIC_URL=http://"+addr)
		cmd.Dir = regexp.MustCompile(`(?m)^WORKDIR (.*)$`).FindStringSubmatch(file)[1]
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
		if os.Getuid() == 0 {
			cmd.SysProcAttr.Credential = &syscall.Credential{Uid: imageUser, Gid: imageUser}
		} else { // a namespace in which we may change the root
			cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: imageUser, HostID: os.Getuid(), Size: 1}}
			cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: imageUser, HostID: os.Getgid(), Size: 1}}
		}
		return cmd
	}
	if out, err := start("version").CombinedOutput(); err != nil || len(out) == 0 {
		t.Fatalf("the program does not start in the image: %v %s", err, out)
	}
	cmd := start(regexp.MustCompile(`CMD \["([^"]+)"\]`).FindStringSubmatch(file)[1])
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() { _ = cmd.Process.Kill() }() // it has ended, unless the test failed
	said := func() string {
		raw, err := os.ReadFile(log.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		res, err := http.Get("http://" + addr + "/_matrix/client/versions")
		if err == nil {
			body, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil || res.StatusCode != http.StatusOK || !bytes.Contains(body, []byte("versions")) {
				t.Errorf("%s %v %s", res.Status, err, body)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not answer: %v\n%s", err, said())
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("%v\n%s", err, said())
		}
	case <-time.After(time.Minute):
		t.Fatalf("it does not end:\n%s", said())
	}
	kept, err := filepath.Glob(filepath.Join(root, "data", "*.db"))
	if err != nil || len(kept) == 0 {
		t.Errorf("nothing is kept in the volume: %v %v", kept, err)
	}
	// The root itself may be read-only, as the compose file has it: nothing was written beside the volume.
	all, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if !strings.Contains("data etc landbridge LICENSE NOTICE THIRD_PARTY_NOTICES", e.Name()) {
			t.Errorf("%s was written beside the volume", e.Name())
		}
	}
}

// TestCompose: the tool that the compose file is for takes it, and a file with a key that there is not is refused.
func TestCompose(t *testing.T) {
	t.Parallel()
	config := func(path string) (string, error) {
		cmd := exec.CommandContext(t.Context(), tool(t, "docker-compose"), "-f", path, "config")
		cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := config("../../configs/container/compose.yaml")
	if err != nil || !strings.Contains(out, "LANDBRIDGE_SERVER_NAME: example.org") || !strings.Contains(out, "read_only: true") {
		t.Errorf("%v %s", err, out)
	}
	wrong := filepath.Join(t.TempDir(), "compose.yaml")
	if err := os.WriteFile(wrong, []byte(strings.ReplaceAll(read(t, "configs/container/compose.yaml"), "read_only:", "readonly:")), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := config(wrong); err == nil {
		t.Errorf("a wrong file is taken: %s", out)
	}
}
