package run

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/landbridge-im/landbridge/homeserver/importer/wire"
	"github.com/landbridge-im/landbridge/migration/model"
	"github.com/landbridge-im/landbridge/migration/plan"
)

// Options say what is to be done.
type Options struct {
	Export  model.Export
	Mapping *plan.Mapping
	Target  Target
	// HTTP fetches files that are not in the export; nil fetches none.
	HTTP *http.Client
	// FileHosts are those that files may be fetched from, with all below them; nil is those of Slack
	// and Discord.
	FileHosts []string
	// Recorder is told what has become of everything; nil for nobody.
	Recorder Recorder
	// Parallel is how many channels are worked on at once; 0 means 4.
	Parallel int
}

// Recorder is told what has become of an export, e.g. to tell a bridge. What it is told may have been
// told before. Channels are told of in their order, several at a time.
type Recorder interface {
	Person(ctx context.Context, p model.Person, userID, avatar string) error
	Room(ctx context.Context, r Room) error
	// Bridged is the room that there is already for a channel, or for the whole community if that is nil; "" for none.
	Bridged(ctx context.Context, c *model.Channel) (roomID string, err error)
	// Has tells what is there already of a message; nil for nothing.
	Has(ctx context.Context, channel string, m *model.Message) (*Had, error)
	Messages(ctx context.Context, channel string, list []Recorded) error
	// Done tells that all of a channel is here; last is its newest message. It is not called for channels whose rooms were there
	// before: what comes after their newest message is known better there.
	Done(ctx context.Context, c *model.Channel, last time.Time) error
}

// Room is a room of a channel, or of the whole community if Channel is nil.
type Room struct {
	Channel     *model.Channel
	RoomID      string
	Name, Topic string
}

// Had is a message that was there before it was brought in.
type Had struct {
	// Parts are the events of its parts, by the names of these.
	Parts map[string]string
}

// Recorded is a message that is here.
type Recorded struct {
	Message *model.Message
	// Edited tells that it was there before, and was brought to its newest version now; Body is the text of that.
	Edited bool
	Body   string
	Sender string // the user id
	Name   string // what the sender is called
	First  string // the ID of the first part, also where that is not among Parts
	Parts  []Part
	// Reactions are those of Message that are here, in that order by user.
	Reactions []Reacted
}

// Part is an event of a message.
type Part struct {
	Name string
	// ID is what the bridge calls it within its message; "" where it has no such names.
	ID      string
	EventID string
	Body    string
}

// Reacted is a reaction that is here.
type Reacted struct {
	Ghost, UserID, Emoji, Key, EventID string
}

// Progress is how far a run is.
type Progress struct {
	Messages, Events, Fresh, Files, FileBytes, Channels, AllChannels int64
	Bytes, AllBytes                                                  int64
	Channel                                                          string
}

// Summary is what a run has done.
type Summary struct {
	Progress
	People, Rooms int
	Took          time.Duration `json:",format:sec"`
	Problems      []model.Problem
}

// Runner carries a migration out, once.
type Runner struct {
	o      Options
	source model.Source
	server string
	limit  int64
	bot    string
	people *people
	media  *uploads
	rooms  map[string]*made // by the channel's key
	byID   map[string]*made // by the network's id
	order  map[string]int   // where channels stand, by their keys, as far as that is known
	space  string
	began  time.Time

	messages, events, fresh, channels, bytes atomic.Int64
	current                                  atomic.Pointer[string]
	all                                      Progress

	mu       sync.Mutex
	problems []model.Problem
}

// made is a channel and its room.
type made struct {
	c        model.Channel
	conf     plan.Channel
	id, name string
	// adopted tells that the room was there before, and is as it is; lived, that things were said in it that were not brought in.
	adopted, lived bool
}

// New makes a runner.
func New(o Options) *Runner {
	if o.Parallel == 0 {
		o.Parallel = 4
	}
	r := &Runner{o: o, source: o.Export.Source(), rooms: map[string]*made{}, byID: map[string]*made{}}
	r.media = newUploads(r)
	for _, c := range o.Export.Channels() {
		r.all.AllBytes += c.Bytes
		r.all.AllChannels++
	}
	return r
}

// maxProblems bounds the report.
const maxProblems = 20_000

func (r *Runner) problem(where, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.problems) < maxProblems {
		r.problems = append(r.problems, model.Problem{Where: where, What: fmt.Sprintf(format, args...), Lost: true})
	}
}

// Progress tells how far the run is. It may be called while it runs.
func (r *Runner) Progress() Progress {
	p := r.all
	p.Messages, p.Events, p.Fresh = r.messages.Load(), r.events.Load(), r.fresh.Load()
	p.Channels, p.Bytes = r.channels.Load(), r.bytes.Load()
	p.Files, p.FileBytes = r.media.files.Load(), r.media.bytes.Load()
	if c := r.current.Load(); c != nil {
		p.Channel = *c
	}
	return p
}

// Run carries the migration out. It can be cut off at any moment, and run again.
func (r *Runner) Run(ctx context.Context) (s Summary, err error) {
	r.began = time.Now()
	if r.o.Mapping.Source != "" && r.o.Mapping.Source != r.source.Key() {
		return s, fmt.Errorf("the mapping is for %s, and the export is of %s", r.o.Mapping.Source, r.source.Key())
	}
	opened, err := r.o.Target.Open(ctx)
	if err != nil {
		return s, err
	}
	if want := r.o.Mapping.Server; want != "" && want != opened.Server {
		return s, fmt.Errorf("the mapping is for the server %s, and this is %s", want, opened.Server)
	}
	r.server, r.limit = opened.Server, opened.MaxUpload
	r.bot = "@" + r.o.Mapping.Naming.Bot + ":" + r.server
	r.people = newPeople(r)
	if err := r.people.makeAll(ctx); err != nil {
		return s, fmt.Errorf("making accounts: %w", err)
	}
	if err := r.media.emoji(ctx); err != nil {
		return s, fmt.Errorf("bringing in emoji: %w", err)
	}
	if err := r.makeRooms(ctx); err != nil {
		return s, fmt.Errorf("making rooms: %w", err)
	}
	if err := r.history(ctx); err != nil {
		return s, err
	}
	s.Progress, s.People, s.Rooms, s.Took = r.Progress(), r.people.count(), len(r.rooms)+1, time.Since(r.began)
	s.Problems = append(r.o.Export.Problems(), r.problems...)
	return s, nil
}

// queue is how many batches of a channel wait to be sent.
const queue = 2

// job is a batch on its way.
type job struct {
	room  *made
	batch wire.Batch
	units []*unit
	// done is called when all before it, and it, are in.
	done func(context.Context) error
}

// lane has the batches of one channel at a time sent.
type lane struct {
	jobs chan job
	next func() (*job, error, bool)
	stop func()
}

// history brings in what was said. Channels are read in turn, a batch each, so that the order of
// all that is asked for is the same in each run.
func (r *Runner) history(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	lanes := make([]*lane, r.o.Parallel)
	for i := range lanes {
		l := &lane{jobs: make(chan job, queue)}
		lanes[i] = l
		g.Go(func() error {
			for j := range l.jobs {
				if err := r.send(ctx, j); err != nil {
					return err
				}
			}
			return nil
		})
	}
	g.Go(func() (err error) {
		defer func() {
			for _, l := range lanes {
				if l.stop != nil {
					l.stop()
				}
				close(l.jobs)
			}
		}()
		return r.read(ctx, lanes)
	})
	return g.Wait()
}

func (r *Runner) read(ctx context.Context, lanes []*lane) error {
	var todo []*made
	for _, c := range r.o.Export.Channels() {
		if m := r.rooms[c.Key]; m != nil && c.Kind != model.Section {
			todo = append(todo, m)
		}
	}
	for {
		busy := false
		for _, l := range lanes {
			if l.next == nil {
				if len(todo) == 0 {
					continue
				}
				l.next, l.stop = iter.Pull2(r.batches(ctx, todo[0]))
				todo = todo[1:]
			}
			busy = true
			j, err, ok := l.next()
			if err != nil {
				return err
			}
			if !ok {
				l.stop()
				l.next, l.stop = nil, nil
				continue
			}
			select {
			case l.jobs <- *j:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if !busy {
			return nil
		}
	}
}

// sendTries is how often a batch is tried while the server does not answer.
const sendTries = 5

// send sends a batch and tells the recorder.
func (r *Runner) send(ctx context.Context, j job) error {
	var out wire.BatchDone
	var err error
	if len(j.batch.Items)+len(j.batch.Known) > 0 {
		for try := 1; ; try++ {
			out, err = r.o.Target.Batch(ctx, j.batch)
			if err == nil || ctx.Err() != nil || try == sendTries {
				break
			}
			select {
			case <-time.After(time.Duration(try) * time.Second):
			case <-ctx.Done():
			}
		}
		if err != nil {
			return fmt.Errorf("bringing in messages of %s: %w", j.room.conf.Name, err)
		}
	}
	if len(out.Items) != len(j.batch.Items) {
		return errors.New("the server has answered for another number of items than it was asked for")
	}
	var recorded []Recorded
	for _, u := range j.units {
		recorded = u.finish(r, out.Items, recorded)
	}
	for _, d := range out.Items {
		if d.EventID != "" {
			r.events.Add(1)
		}
		if d.Fresh {
			r.fresh.Add(1)
		}
	}
	if r.o.Recorder != nil && len(recorded) > 0 {
		if err := r.o.Recorder.Messages(ctx, j.room.c.Key, recorded); err != nil {
			return fmt.Errorf("telling the bridge: %w", err)
		}
	}
	if j.done != nil {
		return j.done(ctx)
	}
	return nil
}
