package configs_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

var metricName = regexp.MustCompile(`landbridge_[a-z_]+`)

// TestMonitoring: dashboard and alerts can be read, and name only what the program measures.
func TestMonitoring(t *testing.T) {
	t.Parallel()
	source := ""
	for _, pattern := range []string{"../homeserver/metrics.go", "../appservice/metrics.go", "../app/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, f := range files {
			raw, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			source += string(raw)
		}
	}
	for file, read := range map[string]func([]byte, any) error{"grafana.json": json.Unmarshal, "alerts.yaml": yaml.Unmarshal, "prometheus.yaml": yaml.Unmarshal} {
		raw, err := os.ReadFile("monitoring/" + file)
		if err != nil {
			t.Fatal(err)
		}
		var any map[string]any
		if err := read(raw, &any); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		for _, name := range metricName.FindAllString(string(raw), -1) {
			short := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(name, "landbridge_homeserver_"), "landbridge_bridge_"), "_bucket")
			if !strings.Contains(source, `"`+short+`"`) && !strings.Contains(source, `"`+name+`"`) {
				t.Errorf("%s names %s, which nobody measures", file, name)
			}
		}
	}
}
