package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/landbridge-im/landbridge/config"
	"github.com/landbridge-im/landbridge/homeserver/federation/keyring"
)

// runKeys is "landbridge keys".
func runKeys(ctx context.Context, args []string, std stdio) error {
	return dispatch(ctx, "landbridge keys", []command{
		{"rotate", "sign with a new key from the next start on", runKeysRotate},
		{"list", "list the server's signing keys, without their secrets", runKeysList},
	}, args, std)
}

// runKeysRotate refuses to run beside the server: what that signed with the old key after it has expired would
// be worth nothing.
func runKeysRotate(_ context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge keys rotate")
	asJSON := fs.Bool("json", false, "print JSON")
	cfg, err := keysConfig(fs.Name(), configFlag(fs), func() ([]string, error) {
		return parseFlags(fs, "landbridge keys rotate [-json] [-c FILE]", args, std)
	})
	if err != nil {
		return err
	}
	unlock, err := lockDir(cfg.DataDir)
	if err != nil {
		return fmt.Errorf("the server must be stopped while its key is changed: %w", err)
	}
	defer unlock()
	own, err := keyring.Rotate(keyFile(cfg), cfg.Server.Name, time.Now())
	if err != nil {
		return err
	}
	return tell(std, *asJSON, signingKey{ID: own.Signer().KeyID, Signs: true},
		"The server signs with %s from now on. The keys before it stay published, so that what they signed can be verified; keep the file.", own.Signer().KeyID)
}

func runKeysList(_ context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge keys list")
	asJSON := fs.Bool("json", false, "print JSON")
	cfg, err := keysConfig(fs.Name(), configFlag(fs), func() ([]string, error) {
		return parseFlags(fs, "landbridge keys list [-json] [-c FILE]", args, std)
	})
	if err != nil {
		return err
	}
	if _, err := os.Stat(keyFile(cfg)); err != nil {
		return fmt.Errorf("the signing keys: %w", err)
	}
	own, err := keyring.Load(keyFile(cfg), cfg.Server.Name)
	if err != nil {
		return err
	}
	if *asJSON {
		list := []signingKey{}
		for i, k := range own.Signing {
			list = append(list, signingKey{ID: k.KeyID, Signs: i == 0})
		}
		for _, k := range own.Old {
			list = append(list, signingKey{ID: k.ID, ExpiredTS: k.ExpiredTS})
		}
		return printJSON(std, list)
	}
	rows := [][]string{{"KEY", ""}}
	for i, k := range own.Signing {
		what := "published"
		if i == 0 {
			what = "signs"
		}
		rows = append(rows, []string{k.KeyID, what})
	}
	for _, k := range own.Old {
		rows = append(rows, []string{k.ID, "old since " + time.UnixMilli(k.ExpiredTS).UTC().Format(time.RFC3339)})
	}
	return table(std, rows)
}

// signingKey is a key of the server as programs see it.
type signingKey struct {
	ID    string `json:"key_id"`
	Signs bool   `json:"signs"`
	// ExpiredTS is when it was used last, in milliseconds; 0 for one that is published and good.
	ExpiredTS int64 `json:"expired_ts,omitempty"`
}

// keysConfig is the configuration of a command without arguments.
func keysConfig(name string, path *string, parse func() ([]string, error)) (*config.Config, error) {
	rest, err := parse()
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, usageError("%s takes no arguments", name)
	}
	return loadConfig(*path)
}

func keyFile(c *config.Config) string { return filepath.Join(c.DataDir, "signing.key") }
