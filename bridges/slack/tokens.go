package slack

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// token is what Slack has given by OAuth.
type token struct {
	Access  string    `json:"access"`
	Refresh string    `json:"refresh,omitempty"`
	Expires time.Time `json:"expires,omitzero"` // zero if it does not end
	Scopes  string    `json:"scopes,omitempty"`
	User    string    `json:"user,omitempty"` // whose it is: the bot's user or a person
	Team    string    `json:"team,omitempty"`
}

// tokens keeps tokens in a file that only its owner can read. It is safe for concurrent use.
type tokens struct {
	path string // "" keeps nothing

	mu   sync.Mutex
	all  map[string]token
	read bool
}

const tokensFile = "slack-tokens.json"

func newTokens(dir string) *tokens {
	t := &tokens{all: make(map[string]token)}
	if dir != "" {
		t.path = filepath.Join(dir, tokensFile)
	}
	return t
}

// botToken and userToken name tokens.
func botToken(workspace string) string { return "bot/" + workspace }
func userToken(login string) string    { return "user/" + login }

// load reads the file once. t.mu is held.
func (t *tokens) load() error {
	if t.read || t.path == "" {
		return nil
	}
	raw, err := os.ReadFile(t.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the tokens: %w", err)
	}
	if err == nil {
		if err := json.Unmarshal(raw, &t.all); err != nil {
			return fmt.Errorf("read the tokens: %s is damaged: %w", t.path, err)
		}
	}
	t.read = true
	return nil
}

// get returns a token, and false if there is none.
func (t *tokens) get(name string) (token, bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.load(); err != nil {
		return token{}, false, err
	}
	tok, ok := t.all[name]
	return tok, ok, nil
}

// set stores a token; one without Access is forgotten. When it returns nil that is durable.
func (t *tokens) set(name string, tok token) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.load(); err != nil {
		return err
	}
	if t.path == "" {
		return errors.New("store a token: there is no folder for it")
	}
	was, had := t.all[name]
	if t.all[name] = tok; tok.Access == "" {
		delete(t.all, name)
	}
	err := t.write()
	if err != nil {
		if t.all[name] = was; !had {
			delete(t.all, name)
		}
	}
	return err
}

// installKey is what opens the install page of a workspace.
func (t *tokens) installKey(workspace string) (string, error) {
	name := "install/" + workspace
	if tok, ok, err := t.get(name); err != nil || ok {
		return tok.Access, err
	}
	key := rand.Text()
	return key, t.set(name, token{Access: key})
}

// write replaces the file, at once and durably. t.mu is held.
func (t *tokens) write() error {
	raw, err := json.Marshal(t.all)
	if err != nil {
		return fmt.Errorf("store a token: %w", err)
	}
	dir := filepath.Dir(t.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("store a token: %w", err)
	}
	f, err := os.CreateTemp(dir, tokensFile+".*") // with mode 0600
	if err != nil {
		return fmt.Errorf("store a token: %w", err)
	}
	defer os.Remove(f.Name()) // gone already, unless something has failed
	_, err = f.Write(raw)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), t.path)
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("store a token: %w", err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
