package discordexport

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/landbridge-im/landbridge/bridges/discord"
	"github.com/landbridge-im/landbridge/migration/archive"
	"github.com/landbridge-im/landbridge/migration/model"
)

// maxProblems bounds the report of one export.
const maxProblems = 20_000

// maxMessage bounds one message and what stands before the first.
const maxMessage = 16 << 20

// Export is the work of DiscordChatExporter.
type Export struct {
	a        *archive.Archive
	now      time.Time
	source   model.Source
	channels []model.Channel
	streams  map[string][]*stream // what a channel's room is made of, by its key
	// server is what guild.json says; nil if there is none.
	server *server
	people []model.Person
	emoji  []model.Emoji

	mu       sync.Mutex
	problems []model.Problem
}

// stream is a channel or thread: its files, in the order of their messages.
type stream struct {
	head
	files []string
	// thread is the thread's id; "" for a channel itself.
	thread string
	// first is where the oldest message is, as far as the beginnings of the files tell.
	first place
}

var _ model.Export = (*Export)(nil)

// Open opens a folder or ZIP file of exports, or of one channel.
func Open(name string) (*Export, error) {
	a, err := archive.Open(name)
	if err != nil {
		return nil, err
	}
	e, err := New(a)
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return e, nil
}

// New reads exports out of an archive, which is its own from then on.
func New(a *archive.Archive) (*Export, error) {
	e := &Export{a: a, now: time.Now().Add(24 * time.Hour), streams: map[string][]*stream{}}
	for _, n := range a.Notes() {
		e.problem("the archive", n, true)
	}
	all := map[string]*stream{}
	for _, n := range a.Names() {
		if strings.EqualFold(path.Ext(n), ".json") && path.Base(n) != guildFile {
			e.index(n, all)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("this is no export of DiscordChatExporter: there is no JSON file with a guild and a channel in it (the format has to be Json)")
	}
	e.arrange(all)
	if e.describe(); e.server != nil {
		e.settle()
		e.gather()
	}
	return e, nil
}

func (e *Export) problem(where, what string, lost bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.problems) < maxProblems {
		e.problems = append(e.problems, model.Problem{Where: where, What: what, Lost: lost})
	}
}

var idPattern = regexp.MustCompile(`^[0-9]{1,20}$`)

func validID(id string) bool { return idPattern.MatchString(id) }

func number(id string) uint64 {
	n, _ := strconv.ParseUint(id, 10, 64) // 0 for what is no id
	return n
}

// index looks at the beginning of a file.
func (e *Export) index(name string, all map[string]*stream) {
	r, err := e.read(name)
	if err != nil {
		e.problem(name, "can't be read: "+err.Error(), true)
		return
	}
	defer r.close()
	if !validID(r.Channel.ID) || r.Guild.ID == "" {
		if r.broken != nil && r.Guild.ID != "" {
			e.problem(name, fmt.Sprintf("is broken before its first message (%v)", r.broken), true)
		}
		return // some other file
	}
	s := all[r.Channel.ID]
	if s == nil {
		s = &stream{head: r.head}
		all[r.Channel.ID] = s
	}
	at := r.oldest()
	if s.first.id == 0 || at.id != 0 && at.compare(s.first) < 0 {
		s.first = at
	}
	s.files = append(s.files, fmt.Sprintf("%020d %020d\x00%s", at.ms, at.id, name))
}

// oldest is where the first message is, or where that comes after the second one, the oldest of all. What can't be read is told
// when the messages are.
func (r *reader) oldest() (at place) {
	for n := 0; ; n++ {
		raw, ok := r.next()
		if !ok {
			return at
		}
		x, ok := placeOf(raw)
		switch {
		case !ok:
		case at.id == 0 || x.compare(at) < 0:
			at = x
		case n < 2:
			return at
		}
	}
}

// privateThread is what DiscordChatExporter calls a thread that not all of its channel see.
const privateThread = "GuildPrivateThread"

// kinds of channels, by what DiscordChatExporter calls them.
func isThread(kind string) bool { return strings.HasSuffix(kind, "Thread") }

// arrange makes channels out of what there is.
func (e *Export) arrange(all map[string]*stream) {
	guilds := map[string]int{}
	var any *stream
	ids := make([]string, 0, len(all))
	for id, s := range all {
		ids = append(ids, id)
		guilds[s.Guild.ID]++
		slices.Sort(s.files)
		for i := range s.files {
			_, s.files[i], _ = strings.Cut(s.files[i], "\x00")
		}
	}
	slices.SortFunc(ids, func(x, y string) int { return cmp.Compare(number(x), number(y)) })
	guild := ""
	for _, id := range ids {
		if g := all[id].Guild.ID; guilds[g] > guilds[guild] {
			guild, any = g, all[id]
		}
	}
	e.source = model.Source{Network: "discord", ID: guild, Name: any.Guild.Name, Description: "Channels of the Discord server " + any.Guild.Name}
	if guild == "0" {
		e.source.ID, e.source.Description = "dm", "Direct messages on Discord"
	}
	if icon := any.Guild.Icon; icon != "" {
		f := e.file("icon/"+icon, "icon", icon, any.files[0])
		e.source.Icon = &f
	}
	sections := map[string]bool{}
	for _, id := range ids {
		s := all[id]
		if s.Guild.ID != guild {
			e.problem(s.files[0], fmt.Sprintf("is of another server (%s), and is not brought in with this one", s.Guild.Name), true)
			continue
		}
		c := s.Channel
		if c.Type == privateThread {
			// Who is in it is not who is in its channel, so it is a room of its own, beside the channel's.
			m := model.Channel{ID: id, Name: c.Name, Kind: model.Private, Thread: c.CategoryID}
			if parent := all[c.CategoryID]; parent != nil && validID(parent.Channel.CategoryID) {
				m.Parent = string(discord.ChannelKey(parent.Channel.CategoryID).ID)
			}
			e.add(m)
			key := string(discord.ChannelKey(id).ID)
			e.streams[key] = append(e.streams[key], s)
			continue
		}
		if isThread(c.Type) {
			s.thread = id
			key := string(discord.ChannelKey(c.CategoryID).ID)
			if !validID(c.CategoryID) {
				e.problem(s.files[0], "is a thread whose channel it does not name", true)
				continue
			}
			if all[c.CategoryID] == nil && e.streams[key] == nil {
				// A forum, or a channel that was not exported itself.
				e.add(model.Channel{ID: c.CategoryID, Name: first(c.Category, c.CategoryID), Kind: model.Private})
			}
			e.streams[key] = append(e.streams[key], s)
			continue
		}
		m := model.Channel{ID: id, Name: c.Name, Topic: c.Topic, Kind: model.Private}
		switch c.Type {
		case "DirectTextChat":
			m.Kind = model.Direct
		case "DirectGroupTextChat":
			m.Kind = model.Group
		default:
			if validID(c.CategoryID) {
				m.Parent = string(discord.ChannelKey(c.CategoryID).ID)
				if !sections[c.CategoryID] {
					sections[c.CategoryID] = true
					e.add(model.Channel{ID: c.CategoryID, Name: first(c.Category, c.CategoryID), Kind: model.Section})
				}
			}
		}
		e.add(m)
		key := string(discord.ChannelKey(id).ID)
		e.streams[key] = append(e.streams[key], s)
	}
	for i := range e.channels {
		c := &e.channels[i]
		for _, s := range e.streams[c.Key] {
			for _, f := range s.files {
				c.Bytes += e.a.Size(f)
			}
		}
	}
}

func (e *Export) add(c model.Channel) {
	c.Key = string(discord.ChannelKey(c.ID).ID)
	c.Created = snowflake(number(c.ID))
	e.channels = append(e.channels, c)
}

// discordEpoch is the beginning of 2015, from which ids count.
const discordEpoch = 1420070400000

// snowflake is the time in an id.
func snowflake(id uint64) time.Time { return time.UnixMilli(int64(id>>22) + discordEpoch) }

// reader reads one file: first what stands before the messages, then these.
type reader struct {
	head
	name   string
	f      io.ReadCloser
	quota  *quota
	dec    *json.Decoder
	in     bool // among the messages
	broken error
	n      int
}

// read begins to read a file.
func (e *Export) read(name string) (*reader, error) {
	f, err := e.a.Open(name)
	if err != nil {
		return nil, err
	}
	r := &reader{name: name, f: f, quota: &quota{r: skipBOM(f), left: maxMessage}}
	r.dec = json.NewDecoder(r.quota)
	t, err := r.dec.Token()
	if d, ok := t.(json.Delim); err != nil || !ok || d != '{' {
		return r, nil // no export
	}
	for r.dec.More() {
		r.quota.left = maxMessage
		t, err := r.dec.Token()
		if err != nil {
			r.broken = err
			return r, nil
		}
		switch t {
		case "messages":
			t, err := r.dec.Token()
			if d, ok := t.(json.Delim); err == nil && ok && d == '[' {
				r.in = true
			} else {
				r.broken = fmt.Errorf("the messages are no array")
			}
			return r, nil
		case "guild":
			err = r.dec.Decode(&r.Guild)
		case "channel":
			err = r.dec.Decode(&r.Channel)
		default:
			var other json.RawMessage
			err = r.dec.Decode(&other)
		}
		var mistyped *json.UnmarshalTypeError
		if err != nil && !errors.As(err, &mistyped) {
			r.broken = err
			return r, nil
		}
	}
	return r, nil
}

// quota keeps a value from being longer than anything that is meant can be: it is read into memory as a whole.
type quota struct {
	r    io.Reader
	left int
}

var errTooLong = fmt.Errorf("something in it is longer than %d MiB", maxMessage>>20)

// Read implements io.Reader.
func (q *quota) Read(p []byte) (int, error) {
	if q.left <= 0 {
		return 0, errTooLong
	}
	n, err := q.r.Read(p[:min(len(p), q.left)])
	q.left -= n
	return n, err
}

// skipBOM leaves out a byte order mark.
func skipBOM(r io.Reader) io.Reader {
	var begin [3]byte
	n, err := io.ReadFull(r, begin[:])
	if err == nil && begin == [3]byte{0xEF, 0xBB, 0xBF} {
		return r
	}
	return io.MultiReader(strings.NewReader(string(begin[:n])), r)
}

// next is the next message; false at the end, or where the file is broken.
func (r *reader) next() (json.RawMessage, bool) {
	r.quota.left = maxMessage
	if !r.in || r.broken != nil || !r.dec.More() {
		if r.in && r.broken == nil {
			if _, err := r.dec.Token(); err != nil {
				r.broken = err
			}
			r.in = false
		}
		return nil, false
	}
	var raw json.RawMessage
	if err := r.dec.Decode(&raw); err != nil {
		r.broken = err
		return nil, false
	}
	r.n++
	return raw, true
}

func (r *reader) close() {
	_ = r.f.Close() // it was only read
}

// Source implements model.Export.
func (e *Export) Source() model.Source { return e.source }

// Channels implements model.Export.
func (e *Export) Channels() []model.Channel { return e.channels }

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
