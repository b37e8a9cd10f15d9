package moduleconfig

import (
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

func TestHistory(t *testing.T) {
	t.Parallel()
	now := time.Date(2024, 5, 31, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]string{
		"none": "", "all": "0001-01-01T00:00:00Z", "1d": "2024-05-30T12:00:00Z", "2023-05-31": "2023-05-31T00:00:00Z",
	} {
		var s Since
		err := History(&s)(&yaml.Node{Kind: yaml.ScalarNode, Value: value}, "history")
		start, ok := s.Start(now)
		if err != nil || ok != (want != "") || ok && start.Format(time.RFC3339) != want {
			t.Errorf("%s begins at %v (%v, %v), wanted %s", value, start, ok, err, want)
		}
	}
	for _, value := range []string{"90", "-1d", "0d", "1000000d", "2023-13-01", "yes", ""} {
		if err := History(new(Since))(&yaml.Node{Kind: yaml.ScalarNode, Value: value}, "history"); err == nil {
			t.Errorf("%q is taken", value)
		}
	}
}
