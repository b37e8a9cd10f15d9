package discordfetch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
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
	// PartSize is how many messages a file of the export has; 0 means 1000. A fetch that goes on may have another.
	PartSize int
	// Progress, if not nil, is told now and then how far the fetch is. It is called by one goroutine at a time, and may not block.
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
	// More is how many problems there are that Problems does not have.
	More int `json:"more_problems,omitempty"`
}

const (
	partSize = 1000
	// pageSize is the most that Discord gives at once of messages and members.
	pageSize        = 100
	memberPage      = 1000
	guildFile       = "guild.json"
	stateFile       = "state.json"
	maxProblems     = 1000
	guildFileFormat = "landbridge-discord-guild"
	// tempFiles are what is being written; those that a kill has left are nothing to anybody.
	tempFiles = ".part-*"
)

// fetcher is one fetch.
type fetcher struct {
	o     Options
	guild wire.Guild
	self  wire.ID // the bot
	// members are who is in the server, by id, as far as the bot may know.
	members map[wire.ID]wire.Member
	state   state
	files   *files

	mu       sync.Mutex // of what follows, which those who fetch files change
	report   Report
	progress Progress
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
	if o.PartSize <= 0 {
		o.PartSize = partSize
	}
	f := &fetcher{o: o, members: map[wire.ID]wire.Member{}}
	f.files = &files{f: f}
	if err := f.load(); err != nil {
		return nil, err
	}
	list, err := f.describe(ctx)
	if err != nil {
		return nil, err
	}
	f.at(func(p *Progress) { p.Channels = len(list) })
	for i := range list {
		ch := &list[i]
		f.at(func(p *Progress) { p.Channel = ch.Name })
		if err := f.channel(ctx, ch); err != nil {
			return nil, fmt.Errorf("channel %s (%s): %w", ch.Name, ch.ID, err)
		}
		f.at(func(p *Progress) { p.Done++ })
	}
	return &f.report, nil
}

// at changes how far the fetch is, and tells it.
func (f *fetcher) at(change func(*Progress)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.progress)
	f.progress.Messages, f.progress.NewFiles, f.progress.Bytes = f.report.Messages, f.report.Files, f.report.Bytes
	if f.o.Progress != nil {
		f.o.Progress(f.progress)
	}
}

func (f *fetcher) problem(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.report.Problems) == maxProblems {
		f.report.More++
		return
	}
	f.report.Problems = append(f.report.Problems, fmt.Sprintf(format, args...))
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
	tmp, err := os.CreateTemp(filepath.Dir(path), tempFiles)
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
