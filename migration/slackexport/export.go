package slackexport

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/landbridge-im/landbridge/bridges/slack"
	"github.com/landbridge-im/landbridge/migration/archive"
	"github.com/landbridge-im/landbridge/migration/model"
)

// Options say how an export is read.
type Options struct {
	// Workspace is the id that the bridge's configuration gives the workspace, which names its space;
	// it is also what the import is known by. Empty: the team's id, or "slack".
	Workspace string
	// Now is the latest time that a message can have; zero means tomorrow.
	Now time.Time
	// AdminPower and OwnerPower are the power levels of admins and owners; 0 means 50 and 75, as in
	// the bridge.
	AdminPower, OwnerPower int
}

// Bounds of what is read at once.
const (
	maxList = 1 << 30   // users.json of a large organisation
	maxDay  = 512 << 20 // one file of messages
)

// maxProblems bounds the report of one export.
const maxProblems = 20_000

// Export is an export of Slack.
type Export struct {
	a      *archive.Archive
	o      Options
	source model.Source
	people []model.Person
	// known are the places of people by Slack's id.
	known    map[string]int
	channels []model.Channel
	days     map[string][]string // the files of messages of a channel, by its key, in order
	canvases map[string][]string // the lists of documents of a channel, by its key
	emoji    []model.Emoji
	files    map[string]string // paths in the archive by the id of the file

	mu       sync.Mutex
	problems []model.Problem
}

var _ model.Export = (*Export)(nil)

// Open opens an export; it looks into the lists, not yet into the messages.
func Open(name string, o Options) (*Export, error) {
	a, err := archive.Open(name)
	if err != nil {
		return nil, err
	}
	e, err := New(a, o)
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return e, nil
}

// New reads an export out of an archive, which is its own from then on.
func New(a *archive.Archive, o Options) (*Export, error) {
	if o.Now.IsZero() {
		o.Now = time.Now().Add(24 * time.Hour)
	}
	if o.AdminPower == 0 {
		o.AdminPower = 50
	}
	if o.OwnerPower == 0 {
		o.OwnerPower = 75
	}
	e := &Export{a: a, o: o, known: map[string]int{}, days: map[string][]string{}, canvases: map[string][]string{}, files: map[string]string{}}
	for _, n := range a.Notes() {
		e.problem("the archive", n, true)
	}
	roots := e.roots()
	for _, root := range roots {
		e.readPeople(root)
	}
	for _, root := range roots {
		e.readChannels(root)
		e.notBrought(root)
	}
	for _, root := range roots {
		e.looseCanvases(root)
	}
	e.readDumps()
	if len(e.channels) == 0 && len(e.people) == 0 {
		return nil, errors.New(e.noExport())
	}
	if !slices.ContainsFunc(a.Names(), func(n string) bool { return path.Base(n) == "users.json" || path.Base(n) == "org_users.json" }) {
		e.problem("users.json", "is not in the export: people are called as their messages call them, or by their ids", true)
	}
	e.indexFiles()
	e.readEmoji()
	e.readSource()
	slices.SortStableFunc(e.channels, func(x, y model.Channel) int { return strings.Compare(x.Key, y.Key) })
	return e, nil
}

// noExport says of something in which no channel was found what it is instead.
func (e *Export) noExport() string {
	days := ""
	for _, n := range e.a.Names() {
		base := path.Base(n)
		switch {
		case base == "slackdump.sqlite" || chunkPattern.MatchString(base):
			return "this is an archive of slackdump, which has to be made an export first: slackdump convert -f export -o export.zip FOLDER"
		case dayPattern.MatchString(base) && days == "":
			days = n
		}
	}
	if days != "" {
		return "there are messages in it, such as in " + days + ", but no channels.json says which channels these are. It is in the export that Slack has made; " +
			`or write one: [{"id": "C0123456789", "name": "general"}, ...], with the names of the folders and the ids that the channels' links have`
	}
	return "this is no export of Slack: there is neither channels.json nor users.json in it, nor a channel of slackdump"
}

// chunkPattern finds the files of slackdump's archives.
var chunkPattern = regexp.MustCompile(`^(?:[CDG][A-Z0-9]{6,}(?:__.*)?|channels|users|workspace)\.json\.gz$`)

// problem notes what is not as it should be.
func (e *Export) problem(where, what string, lost bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.problems) < maxProblems {
		e.problems = append(e.problems, model.Problem{Where: where, What: what, Lost: lost})
	}
}

// list reads a list of objects, one by one; what is broken is reported.
func (e *Export) list(name string, take func(raw json.RawMessage)) {
	if !e.a.Has(name) {
		return
	}
	raw, err := e.a.Read(name, maxList)
	if err != nil {
		e.problem(name, "can't be read: "+err.Error(), true)
		return
	}
	e.each(name, raw, take)
}

// each decodes the members of a JSON array up to where it is broken.
func (e *Export) each(name string, raw []byte, take func(raw json.RawMessage)) {
	text, converted := archive.Text(raw)
	if converted {
		e.problem(name, "is not in UTF-8; it was converted", false)
	}
	dec := json.NewDecoder(strings.NewReader(string(text)))
	t, err := dec.Token()
	if err == io.EOF || err == nil && t == nil {
		return // an empty file, or null
	}
	if d, ok := t.(json.Delim); err != nil || !ok || d != '[' {
		e.problem(name, "is no JSON array", true)
		return
	}
	n := 0
	for dec.More() {
		var item json.RawMessage
		if err := dec.Decode(&item); err != nil {
			e.problem(name, fmt.Sprintf("is broken after %d entries, at byte %d (%v); the rest of this file is lost", n, dec.InputOffset(), err), true)
			return
		}
		n++
		take(item)
	}
	if _, err := dec.Token(); err != nil {
		e.problem(name, fmt.Sprintf("ends after %d entries in the middle; what may follow is lost", n), true)
	}
}

func (e *Export) readPeople(root string) {
	for _, name := range []string{"org_users.json", "users.json"} {
		file := in(root, name)
		e.list(file, func(raw json.RawMessage) {
			var u user
			if err := lenient(raw, &u); err != nil || !validID(u.ID) {
				e.problem(file, "somebody without a valid id is left out", true)
				return
			}
			if _, dup := e.known[u.ID]; dup {
				return // of several workspaces
			}
			e.known[u.ID] = len(e.people)
			e.people = append(e.people, e.person(&u))
		})
	}
}

// person is somebody as the bridge shows them.
func (e *Export) person(u *user) model.Person {
	p := model.Person{Ghost: string(slack.GhostID(u.ID)), ID: u.ID, Username: u.Name, Email: u.Profile.Email,
		Bot: u.Bot, Guest: u.Restricted || u.Profile.Restricted, Deactivated: u.Deleted, Stranger: u.Stranger}
	for _, n := range []string{u.Profile.DisplayName, u.Profile.RealName, u.RealName, u.Name, u.Profile.Name, u.ID} {
		if p.Name = strings.TrimSpace(n); p.Name != "" {
			break
		}
	}
	if u.ID == "USLACKBOT" {
		p.Name, p.Bot = "Slackbot", true
	}
	switch {
	case p.Deactivated:
		p.Name += " (deactivated)"
	case p.Guest:
		p.Name += " (guest)"
	}
	switch {
	case u.Owner:
		p.Power = e.o.OwnerPower
	case u.Admin:
		p.Power = e.o.AdminPower
	}
	if address := first(u.Profile.Image512, u.Profile.Image192, u.Profile.Image72); address != "" {
		p.Avatar = &model.File{ID: "avatar/" + address, Name: "avatar", Type: "image/png", URL: model.Secret(address)}
	}
	return p
}

// readSource finds out which workspace this is.
func (e *Export) readSource() {
	team := ""
	for _, root := range []string{"workspace.json", "team.json"} {
		var t struct {
			ID     string `json:"id"`
			TeamID string `json:"team_id"`
			Name   string `json:"name"`
			Team   string `json:"team"`
		}
		if raw, err := e.a.Read(root, 1<<20); err == nil && lenient(raw, &t) == nil {
			team, e.source.Name = first(t.TeamID, t.ID), first(t.Name, t.Team)
		}
	}
	e.source.Network = "slack"
	e.source.ID = first(e.o.Workspace, strings.ToLower(team), "slack")
	e.source.Name = first(e.source.Name, e.o.Workspace, "Slack")
	e.source.Description = "Channels of the Slack workspace " + e.source.Name
}

// Source implements model.Export.
func (e *Export) Source() model.Source { return e.source }

// People implements model.Export.
func (e *Export) People() []model.Person { return e.people }

// Channels implements model.Export.
func (e *Export) Channels() []model.Channel { return e.channels }

// Emoji implements model.Export.
func (e *Export) Emoji() []model.Emoji { return e.emoji }

// Problems implements model.Export.
func (e *Export) Problems() []model.Problem {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.problems)
}

// Close implements model.Export.
func (e *Export) Close() error { return e.a.Close() }

// opener opens a file of the archive.
func (e *Export) opener(name string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return e.a.Open(name) }
}
