package discordfetch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/bridges/discord/api"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// API is Discord's, with its limits of rates kept; api.Client is one. path begins with a slash.
type API interface {
	Do(ctx context.Context, method, path, bucket string, in, out any) error
}

var _ API = (*api.Client)(nil)

// Options say what is fetched.
type Options struct {
	API   API
	Guild string // the server's id
	Dir   string // the folder of the export
	// CDN is where Discord's files are, without a slash at the end; empty for the usual address.
	CDN string
	// HTTP fetches files; nil for a client of its own.
	HTTP *http.Client
	// NoMedia leaves out files; an import then fetches them itself, as long as their addresses live.
	NoMedia bool
	// NoReactors leaves out who reacted: that is a request for each emoji below a message.
	NoReactors bool
	// Progress, if not nil, is told after each part.
	Progress func(Progress)
}

// Progress is how far a fetch is.
type Progress struct {
	Channel            string // its name
	Channels, Done     int    // with threads
	Messages, NewFiles int64
	Bytes              int64
}

// Report is what a fetch has done.
type Report struct {
	Guild    string   `json:"guild"`
	Channels int      `json:"channels"`
	Threads  int      `json:"threads"`
	Members  int      `json:"members"`
	Messages int64    `json:"new_messages"`
	Files    int64    `json:"new_files"`
	Bytes    int64    `json:"new_bytes"`
	Problems []string `json:"problems"`
}

const (
	// PartSize is how many messages a file has.
	PartSize = 1000
	// pageSize is the most that Discord gives at once of messages and members.
	pageSize        = 100
	memberPage      = 1000
	guildFile       = "guild.json"
	stateFile       = "state.json"
	maxProblems     = 1000
	guildFileFormat = "landbridge-discord-guild"
)

// fetcher is one fetch.
type fetcher struct {
	o        Options
	report   Report
	progress Progress
	guild    wire.Guild
	state    state
	files    *files
}

// state is state.json.
type state struct {
	Guild    string           `json:"guild"`
	Channels map[string]*mark `json:"channels"`
}

// mark is how far a channel is.
type mark struct {
	Parts int    `json:"parts"`
	Last  string `json:"last"` // the newest message that is there
}

// Description is guild.json. Its parts are as the API gives them.
type Description struct {
	Format   string            `json:"format"`
	Fetched  time.Time         `json:"fetched"`
	Guild    json.RawMessage   `json:"guild"`
	Channels json.RawMessage   `json:"channels"`
	Threads  []json.RawMessage `json:"threads"`
	Members  []json.RawMessage `json:"members"`
	// MembersKnown is false if the bot may not list them.
	MembersKnown bool            `json:"members_known"`
	Emojis       json.RawMessage `json:"emojis"`
	// ThreadMembers are who is in private threads, by the thread's id.
	ThreadMembers map[string][]string `json:"thread_members"`
}

// Fetch makes or continues an export. What the bot may not see is in the report, and no error.
func Fetch(ctx context.Context, o Options) (*Report, error) {
	if wire.ID(o.Guild).Uint() == 0 {
		return nil, fmt.Errorf("%q is no id of a Discord server: it is a long number (in Discord: settings, Advanced, Developer Mode; then a right click on the server, Copy Server ID)", o.Guild)
	}
	if o.CDN == "" {
		o.CDN = "https://cdn.discordapp.com"
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{Timeout: 10 * time.Minute}
	}
	f := &fetcher{o: o}
	f.files = &files{f: f}
	if err := f.load(); err != nil {
		return nil, err
	}
	list, err := f.describe(ctx)
	if err != nil {
		return nil, err
	}
	f.progress.Channels = len(list)
	for i := range list {
		ch := &list[i]
		f.progress.Channel = ch.Name
		if err := f.channel(ctx, ch); err != nil {
			return nil, fmt.Errorf("channel %s (%s): %w", ch.Name, ch.ID, err)
		}
		f.progress.Done++
		f.tell()
	}
	return &f.report, nil
}

func (f *fetcher) tell() {
	f.progress.Messages, f.progress.NewFiles, f.progress.Bytes = f.report.Messages, f.report.Files, f.report.Bytes
	if f.o.Progress != nil {
		f.o.Progress(f.progress)
	}
}

func (f *fetcher) problem(format string, args ...any) {
	if len(f.report.Problems) < maxProblems {
		f.report.Problems = append(f.report.Problems, fmt.Sprintf(format, args...))
	}
}

// load reads how far an earlier fetch into the folder has come.
func (f *fetcher) load() error {
	if err := os.MkdirAll(f.o.Dir, 0o700); err != nil {
		return fmt.Errorf("making the folder: %w", err)
	}
	raw, err := os.ReadFile(filepath.Join(f.o.Dir, stateFile))
	if errors.Is(err, os.ErrNotExist) {
		list, err := os.ReadDir(f.o.Dir)
		if err != nil {
			return fmt.Errorf("looking into the folder: %w", err)
		}
		if len(list) > 0 {
			return fmt.Errorf("%s has something in it that is no earlier fetch", f.o.Dir)
		}
		f.state = state{Guild: f.o.Guild, Channels: map[string]*mark{}}
		return f.save()
	}
	if err != nil {
		return fmt.Errorf("reading how far the fetch is: %w", err)
	}
	if err := json.Unmarshal(raw, &f.state); err != nil {
		return fmt.Errorf("reading %s: %w", stateFile, err)
	}
	if f.state.Guild != f.o.Guild {
		return fmt.Errorf("%s has the server %s in it, not %s", f.o.Dir, f.state.Guild, f.o.Guild)
	}
	if f.state.Channels == nil {
		f.state.Channels = map[string]*mark{}
	}
	return nil
}

func (f *fetcher) save() error { return f.write(stateFile, f.state) }

// write writes a file of JSON at once or not at all.
func (f *fetcher) write(name string, v any) error {
	raw, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return f.put(name, append(raw, '\n'))
}

func (f *fetcher) put(name string, raw []byte) error {
	path := filepath.Join(f.o.Dir, filepath.FromSlash(name))
	tmp, err := os.CreateTemp(filepath.Dir(path), ".part-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	_, err = tmp.Write(raw)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", name, err), os.Remove(tmp.Name()))
	}
	return nil
}

// get asks the API. Paths of one bucket share a limit of rates.
func (f *fetcher) get(ctx context.Context, path, bucket string, out any) error {
	for wait := time.Second; ; wait *= 2 {
		err := f.o.API.Do(ctx, http.MethodGet, path, bucket, nil, out)
		// A failure of the network, or of Discord, is waited for; what is refused is refused.
		if err == nil || ctx.Err() != nil || api.Refused(err) || wait > time.Minute {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// describe fetches all but the messages, writes guild.json, and gives the channels and threads that have messages.
func (f *fetcher) describe(ctx context.Context) ([]wire.Channel, error) {
	d := Description{Format: guildFileFormat, Fetched: time.Now().UTC(), MembersKnown: true, ThreadMembers: map[string][]string{}, Emojis: json.RawMessage("[]")}
	root := "/guilds/" + f.o.Guild
	if err := f.get(ctx, root, "", &d.Guild); err != nil {
		if api.IsStatus(err, http.StatusUnauthorized) {
			return nil, errors.New("Discord does not take the token: it is wrong, or was reset (Developer Portal, Bot, Reset Token)")
		}
		if api.Refused(err) {
			return nil, fmt.Errorf("the bot does not see the server %s: is it invited there? (%w)", f.o.Guild, err)
		}
		return nil, fmt.Errorf("asking for the server: %w", err)
	}
	if err := wire.Decode(d.Guild, &f.guild); err != nil {
		return nil, fmt.Errorf("reading what the server is: %w", err)
	}
	f.report.Guild = f.guild.Name
	if err := f.get(ctx, root+"/channels", "", &d.Channels); err != nil {
		return nil, fmt.Errorf("listing the channels: %w", err)
	}
	if err := wire.Decode(d.Channels, &f.guild.Channels); err != nil {
		return nil, fmt.Errorf("reading the channels: %w", err)
	}
	if err := f.get(ctx, root+"/emojis", "", &d.Emojis); err != nil {
		f.problem("the server's emoji could not be listed: %v", err)
	}
	var err error
	if d.Members, err = f.members(ctx); api.Refused(err) {
		d.MembersKnown = false
		f.problem("members could not be listed, so only who has written is known: turn on “Server Members Intent” (Developer Portal, Bot) and fetch again (%v)", err)
	} else if err != nil {
		return nil, fmt.Errorf("listing the members: %w", err)
	}
	f.report.Members = len(d.Members)
	threads, err := f.threads(ctx, &d)
	if err != nil {
		return nil, err
	}
	if err := f.write(guildFile, d); err != nil {
		return nil, err
	}
	var list []wire.Channel
	for _, ch := range f.guild.Channels {
		if ch.HasMessages() {
			list = append(list, ch)
			f.report.Channels++
		}
	}
	slices.SortStableFunc(list, func(a, b wire.Channel) int { return cmp.Compare(a.Position, b.Position) })
	f.report.Threads = len(threads)
	return append(list, threads...), nil
}

// members lists everybody.
func (f *fetcher) members(ctx context.Context) (all []json.RawMessage, err error) {
	for after := wire.ID("0"); ; {
		var page []json.RawMessage
		path := fmt.Sprintf("/guilds/%s/members", f.o.Guild)
		if err := f.get(ctx, fmt.Sprintf("%s?limit=%d&after=%s", path, memberPage, after), path, &page); err != nil {
			return all, err
		}
		all = append(all, page...)
		was := after
		for _, raw := range page {
			var m wire.Member
			if wire.Decode(raw, &m) == nil && m.User.ID.After(after) {
				after = m.User.ID
			}
		}
		if len(page) < memberPage || after == was {
			return all, nil
		}
	}
}

// threads lists those that are active and those that are archived.
func (f *fetcher) threads(ctx context.Context, d *Description) ([]wire.Channel, error) {
	known := map[wire.ID]bool{}
	var list []wire.Channel
	add := func(raws []json.RawMessage) (oldest time.Time) {
		for _, raw := range raws {
			var t wire.Channel
			if wire.Decode(raw, &t) != nil || t.ID == "" {
				continue
			}
			if at := t.Metadata.Archived.Time; oldest.IsZero() || at.Before(oldest) {
				oldest = at
			}
			if !known[t.ID] {
				known[t.ID] = true
				list = append(list, t)
				d.Threads = append(d.Threads, raw)
			}
		}
		return oldest
	}
	var answer struct {
		Threads []json.RawMessage `json:"threads"`
		More    bool              `json:"has_more"`
	}
	if err := f.get(ctx, "/guilds/"+f.o.Guild+"/threads/active", "", &answer); err != nil {
		if !api.Refused(err) {
			return nil, fmt.Errorf("listing the threads: %w", err)
		}
		f.problem("the active threads could not be listed: %v", err)
	}
	add(answer.Threads)
	for _, ch := range f.guild.Channels {
		if !ch.HasMessages() {
			continue
		}
		for _, kind := range [...]string{"public", "private"} {
			path := fmt.Sprintf("/channels/%s/threads/archived/%s", ch.ID, kind)
			for before := ""; ; {
				answer.Threads, answer.More = nil, false
				err := f.get(ctx, path+"?limit=100"+before, path, &answer)
				if api.Refused(err) {
					if kind == "private" {
						f.problem("#%s: archived private threads could not be listed; the bot needs “Manage Threads” for it", ch.Name)
					}
					break // of a channel that can't be read its messages say so
				}
				if err != nil {
					return nil, fmt.Errorf("listing the archived threads of #%s: %w", ch.Name, err)
				}
				oldest := add(answer.Threads)
				next := "&before=" + oldest.UTC().Format("2006-01-02T15:04:05.000Z")
				if !answer.More || len(answer.Threads) == 0 || next == before {
					break
				}
				before = next
			}
		}
	}
	for _, t := range list {
		if t.Type != wire.ThreadPrivate {
			continue
		}
		var members []struct {
			User wire.ID `json:"user_id"`
		}
		if err := f.get(ctx, "/channels/"+string(t.ID)+"/thread-members", "", &members); err != nil {
			f.problem("who is in the private thread %q could not be listed: only who has written in it will be (%v)", t.Name, err)
			continue
		}
		ids := []string{}
		for _, m := range members {
			ids = append(ids, string(m.User))
		}
		d.ThreadMembers[string(t.ID)] = ids
	}
	slices.SortFunc(list, func(a, b wire.Channel) int { return strings.Compare(fmt.Sprintf("%020s", a.ID), fmt.Sprintf("%020s", b.ID)) })
	return list, nil
}
