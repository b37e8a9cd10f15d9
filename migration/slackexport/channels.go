package slackexport

import (
	"encoding/json"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/bridges/slack"
	"github.com/landbridge-im/landbridge/bridges/slack/format"
	"github.com/landbridge-im/landbridge/migration/archive"
	"github.com/landbridge-im/landbridge/migration/model"
)

var lists = []string{"channels.json", "groups.json", "dms.json", "mpims.json", "users.json", "org_users.json"}

// roots are the folders that hold lists: the archive itself, and in exports of an organisation those
// of its workspaces. The ones nearest to the top come first.
func (e *Export) roots() []string {
	var out []string
	for _, n := range e.a.Names() {
		if slices.Contains(lists, path.Base(n)) && strings.Count(n, "/") <= 3 {
			if dir := path.Dir(n); !slices.Contains(out, dir) {
				out = append(out, dir)
			}
		}
	}
	depth := func(dir string) int {
		if dir == "." {
			return 0
		}
		return 1 + strings.Count(dir, "/")
	}
	slices.SortStableFunc(out, func(x, y string) int { return depth(x) - depth(y) })
	return out
}

func in(root, name string) string {
	if root == "." {
		return name
	}
	return root + "/" + name
}

var idPattern = regexp.MustCompile(`^[A-Z][A-Z0-9]{1,40}$`)

func validID(id string) bool { return idPattern.MatchString(id) }

// readChannels reads the lists of conversations of a root, and finds their folders.
func (e *Export) readChannels(root string) {
	claimed := map[string]bool{}
	for _, l := range []struct {
		name string
		kind model.Kind
	}{{"channels.json", model.Public}, {"groups.json", model.Private}, {"mpims.json", model.Group}, {"dms.json", model.Direct}} {
		file := in(root, l.name)
		e.list(file, func(raw json.RawMessage) {
			var c channel
			if err := lenient(raw, &c); err != nil || !validID(c.ID) {
				e.problem(file, "a channel without a valid id is left out", true)
				return
			}
			kind := l.kind
			switch {
			case c.IM:
				kind = model.Direct
			case c.MPIM:
				kind = model.Group
			case c.Private && kind == model.Public:
				kind = model.Private
			}
			days := e.daysOf(root, c, claimed)
			key := string(slack.ChannelKey(c.ID).ID)
			if have, dup := e.days[key]; dup {
				// A channel that workspaces share is in the lists of all of them.
				for _, d := range days {
					if !slices.Contains(have, d) {
						have = append(have, d)
					}
				}
				sortDays(have)
				e.days[key] = have
				return
			}
			e.addChannel(c, kind, days)
		})
	}
	e.unlisted(root, claimed)
}

// daysOf are the files of a channel's messages, in order. Folders have the name of the channel, those
// of direct messages their id.
func (e *Export) daysOf(root string, c channel, claimed map[string]bool) []string {
	var out []string
	for _, dir := range []string{c.Name, c.ID} {
		if dir == "" || dir == ".." || strings.Contains(dir, "/") || claimed[in(root, dir)] {
			continue
		}
		if name := in(root, dir) + "/" + canvasFile; e.a.Has(name) {
			key := string(slack.ChannelKey(c.ID).ID)
			e.canvases[key] = append(e.canvases[key], name)
		}
		if list := e.dayFiles(in(root, dir)); len(list) > 0 {
			claimed[in(root, dir)] = true
			out = append(out, list...)
		}
	}
	sortDays(out)
	return out
}

var dayPattern = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}(?:[._-]\d+)?\.json$`)

func (e *Export) dayFiles(dir string) (out []string) {
	for _, n := range e.a.Under(dir) {
		switch base := path.Base(n); {
		case path.Dir(n) != dir:
		case dayPattern.MatchString(base):
			out = append(out, n)
		case strings.HasSuffix(base, ".json") && base != canvasFile:
			e.problem(n, "is no day of messages, and is not read", true)
		}
	}
	return out
}

func sortDays(days []string) {
	slices.SortStableFunc(days, func(x, y string) int { return strings.Compare(path.Base(x), path.Base(y)) })
}

func (e *Export) addChannel(c channel, kind model.Kind, days []string) {
	m := model.Channel{Key: string(slack.ChannelKey(c.ID).ID), ID: c.ID, Name: format.Unescape(c.Name), Kind: kind, Archived: c.Archived, Created: unix(c.Created)}
	if c.Creator != "" {
		m.Creator = string(slack.GhostID(c.Creator))
	}
	m.Topic = format.Plain(format.Mrkdwn(c.Topic.Value))
	if purpose := format.Plain(format.Mrkdwn(c.Purpose.Value)); m.Topic == "" {
		m.Topic = purpose
	} else if purpose != "" && purpose != m.Topic {
		m.Topic += "\n" + purpose
	}
	if c.User != "" && len(c.Members) == 0 {
		c.Members = []string{c.User}
	}
	m.MembersKnown = len(c.Members) > 0
	seen := map[string]bool{}
	for _, u := range c.Members {
		if ghost := string(slack.GhostID(u)); validID(u) && !seen[ghost] {
			seen[ghost] = true
			m.Members = append(m.Members, ghost)
		}
	}
	for _, p := range c.Pins {
		if (p.Type == "C" || p.Type == "") && !slack.Time(p.ID).IsZero() {
			m.Pins = append(m.Pins, string(slack.MessageID(c.ID, p.ID, 0)))
		}
	}
	slices.Sort(m.Pins)
	if kind == model.Direct || kind == model.Group {
		m.Name = "" // they are called by who is in them
	}
	for _, d := range days {
		m.Bytes += e.a.Size(d)
	}
	e.days[m.Key] = days
	e.channels = append(e.channels, m)
}

// unix reads a time in seconds, which may be a number or text.
func unix(raw json.RawMessage) time.Time {
	text, _, _ := strings.Cut(strings.Trim(string(raw), `"`), ".")
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n > 0 && n < 1<<33 {
		return time.Unix(n, 0)
	}
	return time.Time{}
}

// kinds are what channels are that no list speaks of, by how their ids begin.
func kindOf(id string) model.Kind {
	if id[0] == 'D' {
		return model.Direct
	}
	return model.Private
}

// unlisted finds folders with messages that no list speaks of.
func (e *Export) unlisted(root string, claimed map[string]bool) {
	seen := map[string]bool{}
	for _, n := range e.a.Names() {
		dir := path.Dir(n)
		if path.Dir(dir) != root || seen[dir] || claimed[dir] || !dayPattern.MatchString(path.Base(n)) {
			continue
		}
		seen[dir] = true
		name := path.Base(dir)
		if !validID(name) || !strings.ContainsRune("CDG", rune(name[0])) {
			e.problem(dir, "has messages, but no list says which channel this is; they are lost, unless channels.json is given an entry with its name and id", true)
			continue
		}
		if _, dup := e.days[string(slack.ChannelKey(name).ID)]; dup {
			continue
		}
		e.problem(dir, "is in no list; it becomes a private room of those who speak in it", false)
		e.addChannel(channel{ID: name, Name: name}, kindOf(name), e.dayFiles(dir))
	}
}

var dumpPattern = regexp.MustCompile(`^[CDG][A-Z0-9]{6,}\.json$`)

// readDumps finds the channels of slackdump's own form: one file each.
func (e *Export) readDumps() {
	for _, n := range e.a.Names() {
		if !dumpPattern.MatchString(path.Base(n)) || strings.Count(n, "/") > 1 {
			continue
		}
		id := strings.TrimSuffix(path.Base(n), ".json")
		key := string(slack.ChannelKey(id).ID)
		if days, known := e.days[key]; known {
			if len(days) == 0 {
				e.days[key] = []string{n}
			}
			continue
		}
		raw, err := e.a.Read(n, maxDay)
		if err != nil {
			e.problem(n, "can't be read: "+err.Error(), true)
			continue
		}
		var head struct {
			Name string `json:"name"`
			ID   string `json:"channel_id"`
		}
		text, _ := archive.Text(raw)
		if err := lenient(text, &head); err != nil || head.ID != id {
			e.problem(n, "is no channel of slackdump", true)
			continue
		}
		kind := kindOf(id)
		if id[0] == 'C' {
			kind = model.Public
		}
		e.addChannel(channel{ID: id, Name: first(head.Name, id)}, kind, []string{n})
	}
}
