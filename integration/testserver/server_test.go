package testserver_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/integration/testserver"
)

func TestMain(m *testing.M) { os.Exit(testserver.Main(m)) }

func TestLife(t *testing.T) {
	t.Parallel()
	s := testserver.New(t, testserver.Options{})
	get := func() error {
		res, err := http.Get(s.URL() + "/_matrix/client/versions")
		if err == nil {
			res.Body.Close()
		}
		return err
	}
	if err := get(); err != nil {
		t.Fatal(err)
	}
	for name, end := range map[string]func() error{"Kill": s.Kill, "Stop": s.Stop} {
		if err := end(); err != nil {
			t.Fatal(name, err)
		}
		if get() == nil || s.PID() != 0 {
			t.Error("still there after", name)
		}
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := get(); err != nil {
			t.Fatal("after ", name, ": ", err)
		}
	}
	before := s.PID()
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.PID() == before {
		t.Error("the process is the same after Restart")
	}
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	_, err := testserver.Start(t.Context(), testserver.Options{Dir: t.TempDir(), Extra: "nonsense: true\n"})
	if err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("got %v", err)
	}
}
