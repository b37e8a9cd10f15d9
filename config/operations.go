package config

import (
	"net/url"
	"path/filepath"
	"time"

	"github.com/landbridge-im/landbridge/config/diag"
)

// Migration is where communities are moved in from, by pages.
type Migration struct {
	// Exports is the folder in which exports are looked for; empty means what [Config.ExportFolder] derives.
	Exports string `yaml:"exports"`
	// MaxUpload bounds the exports that were uploaded, all together.
	MaxUpload Size `yaml:"max_upload"`
}

// Retention is how long things are kept.
type Retention struct {
	// Messages is how old messages become; 0: they are kept.
	Messages Duration `yaml:"messages"`
	// Rooms lets rooms say so themselves (m.room.retention), within bounds; 0: no bound.
	Rooms    bool     `yaml:"rooms"`
	RoomsMin Duration `yaml:"rooms_min"`
	RoomsMax Duration `yaml:"rooms_max"`
	// Files is after how long without use files of this server are deleted; 0: they are kept.
	Files Duration `yaml:"files"`
	// Every is the time from one look to the next.
	Every Duration `yaml:"every"`
}

// Tracing is where traces are sent (OpenTelemetry).
type Tracing struct {
	// Endpoint is the base of an OTLP/HTTP collector; empty: nothing is traced.
	Endpoint string `yaml:"endpoint"`
	// Sample is how much of the requests is traced that do not come with a decision of who asks, 0 to 1.
	Sample float64 `yaml:"sample"`
	// Service is what the server is called there.
	Service string `yaml:"service"`
}

// ExportFolder is migration.exports, or a folder in the data folder.
func (c *Config) ExportFolder() string {
	if c.Migration.Exports != "" {
		return c.Migration.Exports
	}
	return filepath.Join(c.DataDir, "exports")
}

// retentionLeast is the shortest time that anything can be kept for.
const retentionLeast = time.Hour

func (v *validator) operations() {
	v.size("migration.max_upload", v.config.Migration.MaxUpload, 1<<20, 1<<50)
	r := v.config.Retention
	for _, d := range []struct {
		key   string
		value Duration
	}{{"retention.messages", r.Messages}, {"retention.rooms_min", r.RoomsMin}, {"retention.rooms_max", r.RoomsMax}, {"retention.files", r.Files}} {
		if d.value != 0 && d.value.Std() < retentionLeast {
			v.add(d.key, "must be 1h or more but is "+d.value.String(), "write 8760h for a year, say, or 0s for no bound")
		}
	}
	if r.RoomsMax != 0 && r.RoomsMax < r.RoomsMin {
		v.add("retention.rooms_max", "is less than retention.rooms_min", "")
	}
	if r.Every.Std() < 10*time.Minute {
		v.add("retention.every", "must be 10m or more but is "+r.Every.String(), "write 24h")
	}
	v.tracing(v.config.Tracing)
}

func (v *validator) tracing(t Tracing) {
	if t.Sample < 0 || t.Sample > 1 || t.Sample != t.Sample {
		v.add("tracing.sample", "must be from 0 to 1", "write 0.01 for one request of a hundred")
	}
	if t.Service == "" {
		v.add("tracing.service", "is empty", "write landbridge")
	}
	if t.Endpoint == "" {
		return
	}
	u, err := url.Parse(t.Endpoint)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		v.add("tracing.endpoint", diag.Quote(t.Endpoint)+" is no http or https address", "write http://127.0.0.1:4318, say")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		v.add("tracing.endpoint", diag.Quote(u.Redacted())+" has more than host, port and path", "write http://127.0.0.1:4318, say")
	}
}
