package cutover

import (
	"context"
	"encoding/json/v2"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// How far the end of a bridge has come, in order. StateOpen is before and, when it was undone, after it all.
const (
	StateOpen      = "open"
	StateAnnounced = "announced" // people have been told
	StateFrozen    = "frozen"    // nobody is to write on the network any more
	StateDetaching = "detaching" // the bridge is stopped, and taken out of room after room
	StateDetached  = "detached"  // it is out, and can come back
	StateConfirmed = "confirmed" // the bot has left; for good
)

// Bridges is what this package asks of the bridges in this process. Sentences of what could not be done are for people to
// read. It is safe for concurrent use.
type Bridges interface {
	Network(service string) (string, bool)
	// Rooms are the ids of the rooms and spaces of a bridge that runs.
	Rooms(ctx context.Context, service string) ([]string, error)
	// Announce says text on the network, once for each key.
	Announce(ctx context.Context, service, key, text string) (undone []string, err error)
	// Freeze and Thaw close and open the network's side, and CatchUp waits until all that was said there is here.
	Freeze(ctx context.Context, service, notice string) (undone []string, err error)
	Thaw(ctx context.Context, service string) (undone []string, err error)
	CatchUp(ctx context.Context, service string) error
	// Detach stops a bridge and keeps it from starting, and Attach ends that. Forget takes it out of the server until it
	// is configured anew.
	Detach(ctx context.Context, service string) error
	Attach(ctx context.Context, service string) error
	Forget(ctx context.Context, service string) error
}

// Act makes a request to the client-server API as a user of this server; see claims.Act.
type Act func(ctx context.Context, userID, method, path string, body, out any) error

// Options say what New needs.
type Options struct {
	ServerName string
	Store      *store.Store
	// Bot is the user id of a bridge's bot; "" if there is no such bridge.
	Bot func(service string) string
	Act Act
	Log *slog.Logger
	Now func() time.Time
}

// Cutover ends bridges. It is safe for concurrent use.
type Cutover struct {
	o       Options
	bridges atomic.Pointer[Bridges]
	work    chan struct{}
	// asking orders changes of what is wanted.
	asking sync.Mutex
}

// New makes a Cutover. It knows no bridges until Use.
func New(o Options) (*Cutover, error) {
	if o.ServerName == "" || o.Store == nil || o.Bot == nil || o.Act == nil || o.Log == nil || o.Now == nil {
		return nil, errors.New("cutover: options are missing")
	}
	return &Cutover{o: o, work: make(chan struct{}, 1)}, nil
}

// Use says which bridges there are.
func (c *Cutover) Use(b Bridges) {
	c.bridges.Store(&b)
	c.poke()
}

func (c *Cutover) poke() {
	select {
	case c.work <- struct{}{}:
	default:
	}
}

// Detached tells of a bridge that it is not to run: it has been, or is being, taken out of its rooms. gone tells that
// this is for good.
func (c *Cutover) Detached(ctx context.Context, service string) (detached, gone bool, err error) {
	row, err := c.o.Store.Cutover(ctx, service)
	if errors.Is(err, store.ErrNotFound) {
		return false, false, nil
	}
	return row.State == StateDetaching || row.State == StateDetached || row.State == StateConfirmed, row.State == StateConfirmed, err
}

// Wish is what an administrator wants to be reached.
type Wish struct {
	Service string `json:"service"`
	// State is StateAnnounced, StateFrozen, StateDetached, StateConfirmed, or StateOpen to undo all.
	State string `json:"state"`
	// Text is what is announced, and Notice what the network's side says when it is closed.
	Text   string `json:"text,omitempty"`
	Notice string `json:"notice,omitempty"`
	// Admins own the rooms afterwards: users of this server.
	Admins []string `json:"admins,omitempty"`
}

// Detail is what is kept of the end of a bridge beside its state.
type Detail struct {
	Text   string   `json:"text,omitempty"`
	Key    string   `json:"key,omitempty"` // of the announcement
	Notice string   `json:"notice,omitempty"`
	Admins []string `json:"admins,omitempty"`
	// Notes are sentences of what could not be done, or is worth to be known.
	Notes []string `json:"notes,omitempty"`
	// Error is why the last attempt failed; it is made again.
	Error string `json:"error,omitempty"`
	// Closing is set before the network's side is closed, so that undoing opens it also if that was cut off.
	Closing bool `json:"closing,omitempty"`
	// CaughtUp is set when all that was said on the network is here.
	CaughtUp bool `json:"caught_up,omitempty"`
	// At says when states were reached, in milliseconds.
	At map[string]int64 `json:"at,omitempty"`
}

// Report is how far the end of a bridge has come.
type Report struct {
	Service string `json:"service"`
	State   string `json:"state"`
	Wanted  string `json:"wanted"`
	// Rooms are those of the bridge, and Done those that are what Wanted wants.
	Rooms int `json:"rooms"`
	Done  int `json:"done"`
	Detail
}

// Working tells that what is wanted has not been reached yet.
func (r Report) Working() bool { return r.State != r.Wanted }

// maxText bounds an announcement and a notice, in bytes.
const maxText = 2000

// Want has a state reached; what is needed for it is done in the background. It answers at once.
func (c *Cutover) Want(ctx context.Context, w Wish) (Report, error) {
	if b := c.bridges.Load(); b == nil {
		return Report{}, errors.New("the bridges are not there yet")
	} else if _, ok := (*b).Network(w.Service); !ok {
		// Of a bridge that has ended nobody knows any more; who asks for its end once more, because they were cut
		// off, is told that it is there.
		if r, err := c.Report(ctx, w.Service); err != nil || r.State == StateConfirmed && w.State == StateConfirmed {
			return r, err
		}
		return Report{}, mxerror.NotFound("There is no bridge %s here.", w.Service)
	}
	if len(w.Text) > maxText || len(w.Notice) > maxText {
		return Report{}, mxerror.TooLarge("A text may have at most %d bytes.", maxText)
	}
	if err := c.checkAdmins(ctx, w); err != nil {
		return Report{}, err
	}
	c.asking.Lock()
	defer c.asking.Unlock()
	err := c.o.Store.Write(ctx, func(t *store.Tx) error {
		row, d, err := readRow(t, w.Service)
		if err != nil {
			return err
		}
		if err := mayWant(row, w.State); err != nil {
			return store.Refuse(err)
		}
		switch w.State {
		case StateAnnounced:
			if w.Text == "" {
				return store.Refuse(mxerror.MissingParam("What is to be announced?"))
			}
			if row.State == StateAnnounced && d.Text != w.Text {
				row.State = StateOpen // once more
			}
			if d.Key == "" || d.Text != w.Text { // else it is asked for once more, and said once all the same
				d.Text, d.Key = w.Text, fmt.Sprintf("announce-%d", c.nowMS())
			}
		case StateFrozen, StateDetached:
			if w.Notice != "" {
				d.Notice = w.Notice
			}
			if d.Notice == "" {
				d.Notice = "This community has moved to " + c.o.ServerName + ". What is written here is not read any more."
			}
			if len(w.Admins) > 0 {
				d.Admins = w.Admins
			}
			if w.State == StateFrozen && row.State == StateFrozen {
				row.State, d.Notes = StateAnnounced, nil // once more: what could not be closed may be possible now
			}
			if w.State == StateDetached && len(d.Admins) == 0 {
				return store.Refuse(mxerror.MissingParam("Who is to own the rooms? Name at least one administrator."))
			}
		}
		row.Wanted, d.Error = w.State, ""
		return writeRow(t, row, d)
	})
	if err != nil {
		return Report{}, err
	}
	c.poke()
	return c.Report(ctx, w.Service)
}

func (c *Cutover) nowMS() int64 { return c.o.Now().UnixMilli() }

// order is that of the states.
var order = []string{StateOpen, StateAnnounced, StateFrozen, StateDetaching, StateDetached, StateConfirmed}

// mayWant tells as an error why a state can't be wanted now.
func mayWant(row store.Cutover, state string) error {
	at, to := slices.Index(order, row.State), slices.Index(order, state)
	switch {
	case to < 0 || state == StateDetaching:
		return mxerror.InvalidParam("There is no state %q.", state)
	case row.State == StateConfirmed && state != StateConfirmed:
		return mxerror.Forbidden("The end of this bridge was confirmed: it can't be undone.")
	case row.Wanted == StateConfirmed && state != StateConfirmed:
		return mxerror.Forbidden("The end of this bridge was confirmed, and is being carried out: it can't be undone.")
	case row.Wanted == StateOpen && row.State != StateOpen && state != StateOpen:
		return mxerror.Forbidden("It is being undone; wait for that.")
	case state == StateConfirmed && row.State != StateDetached && row.State != StateConfirmed:
		return mxerror.Forbidden("There is nothing to confirm yet: the bridge has to be taken out first (migrate finish).")
	case state != StateOpen && to < at:
		return mxerror.Forbidden("It is further than that already; undo it (migrate undo) to begin anew.")
	}
	return nil
}

// checkAdmins refuses owners that can't be.
func (c *Cutover) checkAdmins(ctx context.Context, w Wish) error {
	for _, id := range w.Admins {
		user, err := c.o.Store.UserNID(ctx, id)
		var a store.Account
		if err == nil {
			a, err = c.o.Store.Account(ctx, user)
		}
		if errors.Is(err, store.ErrNotFound) || err == nil && (a.Kind != "user" || a.Service != "" || a.DeactivatedTS != 0) {
			return mxerror.NotFound("There is no user %s here who could own the rooms.", id)
		} else if err != nil {
			return err
		}
	}
	return nil
}

func readRow(t *store.Tx, service string) (row store.Cutover, d Detail, err error) {
	row, err = t.Cutover(service)
	if errors.Is(err, store.ErrNotFound) {
		return store.Cutover{Service: service, State: StateOpen, Wanted: StateOpen}, d, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(row.Detail), &d)
	}
	return row, d, err
}

func writeRow(t *store.Tx, row store.Cutover, d Detail) error {
	raw, err := json.Marshal(d, json.Deterministic(true))
	if err != nil {
		return err
	}
	row.Detail = string(raw)
	return t.SetCutover(row)
}

// Report tells how far the end of a bridge has come.
func (c *Cutover) Report(ctx context.Context, service string) (out Report, err error) {
	row, err := c.o.Store.Cutover(ctx, service)
	if errors.Is(err, store.ErrNotFound) {
		return Report{Service: service, State: StateOpen, Wanted: StateOpen}, nil
	} else if err != nil {
		return out, err
	}
	out = Report{Service: service, State: row.State, Wanted: row.Wanted}
	if err := json.Unmarshal([]byte(row.Detail), &out.Detail); err != nil {
		return out, fmt.Errorf("reading the end of bridge %s: %w", service, err)
	}
	rooms, err := c.o.Store.CutoverRooms(ctx, service)
	out.Rooms = len(rooms)
	for _, r := range rooms {
		if r.State == roomState(row.Wanted) {
			out.Done++
		}
	}
	return out, err
}

// maxNotes bounds the notes of a report.
const maxNotes = 500

// set changes the state of a bridge's end.
func (c *Cutover) set(ctx context.Context, service string, change func(row *store.Cutover, d *Detail)) error {
	return c.o.Store.Write(ctx, func(t *store.Tx) error {
		row, d, err := readRow(t, service)
		if err != nil {
			return err
		}
		was := row.State
		change(&row, &d)
		if row.State != was {
			row.SinceTS = c.nowMS()
			if d.At == nil {
				d.At = map[string]int64{}
			}
			d.At[row.State] = row.SinceTS
		}
		if len(d.Notes) > maxNotes {
			d.Notes = d.Notes[:maxNotes]
		}
		return writeRow(t, row, d)
	})
}

// note keeps sentences for the report, each once.
func note(d *Detail, sentences ...string) {
	for _, s := range sentences {
		if !slices.Contains(d.Notes, s) {
			d.Notes = append(d.Notes, s)
		}
	}
}
