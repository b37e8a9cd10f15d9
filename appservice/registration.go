package appservice

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"gopkg.in/yaml.v3"
)

// Registration is an application-service registration as the homeserver reads
// it.
//
// Source: Application Service API, section Registration; MSC2409 (ephemeral and
// to-device events), MSC3202 (device lists and key counts), MSC4190 (device
// management without login).
type Registration struct {
	ID              string                 `yaml:"id"`
	URL             *string                `yaml:"url"` // null: the service is in the homeserver's process
	ASToken         string                 `yaml:"as_token"`
	HSToken         string                 `yaml:"hs_token"`
	SenderLocalpart string                 `yaml:"sender_localpart"`
	RateLimited     bool                   `yaml:"rate_limited"`
	Namespaces      RegistrationNamespaces `yaml:"namespaces"`

	ReceiveEphemeral bool   `yaml:"receive_ephemeral"`
	MSC2409Ephemeral bool   `yaml:"de.sorunome.msc2409.push_ephemeral"`
	MSC3202          bool   `yaml:"org.matrix.msc3202"`
	MSC4190          bool   `yaml:"io.element.msc4190"`
	Module           string `yaml:"x-module,omitempty"`
}

// RegistrationNamespaces are what a registration lays claim to.
type RegistrationNamespaces struct {
	Users   []RegistrationNamespace `yaml:"users"`
	Aliases []RegistrationNamespace `yaml:"aliases"`
	Rooms   []RegistrationNamespace `yaml:"rooms"`
}

// RegistrationNamespace is one regular expression over full identifiers.
type RegistrationNamespace struct {
	Exclusive bool   `yaml:"exclusive"`
	Regex     string `yaml:"regex"`
}

const registrationFile = "registration.yaml"

// secrets are what is made once per instance and kept.
type secrets struct {
	ASToken string `yaml:"as_token"`
	HSToken string `yaml:"hs_token"`
}

// loadRegistration returns the registration of inst. Its tokens are made on the
// first call and kept in dir; all else follows the configuration.
func loadRegistration(dir string, inst Instance, domain string) (Registration, error) {
	path := filepath.Join(dir, registrationFile)
	var s secrets
	data, err := os.ReadFile(path)
	switch {
	case err == nil:
		if err := yaml.Unmarshal(data, &s); err != nil {
			return Registration{}, fmt.Errorf("read registration %s: %w", path, err)
		}
		if s.ASToken == "" || s.HSToken == "" || s.ASToken == s.HSToken {
			return Registration{}, fmt.Errorf("read registration %s: as_token and hs_token must be set and differ; delete the file to have new ones made", path)
		}
	case errors.Is(err, fs.ErrNotExist):
		s = secrets{ASToken: "as_" + rand.Text() + rand.Text(), HSToken: "hs_" + rand.Text() + rand.Text()}
	default:
		return Registration{}, fmt.Errorf("read registration: %w", err)
	}

	reg := makeRegistration(inst, domain, s)
	out, err := yaml.Marshal(reg)
	if err != nil {
		return Registration{}, fmt.Errorf("write registration: %w", err)
	}
	if string(out) != string(data) {
		if err := writeFile(path, out); err != nil {
			return Registration{}, fmt.Errorf("write registration: %w", err)
		}
	}
	return reg, nil
}

func makeRegistration(inst Instance, domain string, s secrets) Registration {
	server := regexp.QuoteMeta(domain)
	reg := Registration{
		ID:              inst.ID,
		ASToken:         s.ASToken,
		HSToken:         s.HSToken,
		SenderLocalpart: inst.BotLocalpart,
		Namespaces: RegistrationNamespaces{
			Users: []RegistrationNamespace{
				{Exclusive: true, Regex: "^@" + regexp.QuoteMeta(inst.BotLocalpart) + ":" + server + "$"},
				{Exclusive: true, Regex: "^@" + regexp.QuoteMeta(inst.GhostPrefix) + ".*:" + server + "$"},
			},
			Aliases: []RegistrationNamespace{
				{Exclusive: true, Regex: "^#" + regexp.QuoteMeta(inst.AliasPrefix) + ".*:" + server + "$"},
			},
			Rooms: []RegistrationNamespace{},
		},
		ReceiveEphemeral: true,
		MSC2409Ephemeral: true,
		MSC3202:          true,
		MSC4190:          true,
		Module:           inst.Module,
	}
	if inst.URL != "" {
		reg.URL, reg.Module = &inst.URL, ""
	}
	if inst.DoublePuppet {
		// The bridge may act for the homeserver's own users.
		reg.Namespaces.Users = append(reg.Namespaces.Users, RegistrationNamespace{Regex: "^@.*:" + server + "$"})
	}
	return reg
}

// writeFile replaces the file at path in one step; only its owner may read it.
func writeFile(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	// CreateTemp makes files with mode 0600.
	if _, err := tmp.Write(data); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Sync(); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
