package importer

import (
	"context"
	"encoding/json/v2"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/importer/wire"
	"github.com/landbridge-im/landbridge/homeserver/media"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Options say what an Importer works on.
type Options struct {
	Server   string
	Store    *store.Store
	Rooms    *room.Manager
	Accounts *accounts.Accounts
	Media    *media.Repo
	// Version is the version of the rooms that are made; "" is 12.
	Version event.Version
	Log     *slog.Logger
}

// maxRequest bounds a request, in bytes.
const maxRequest = 32 << 20

// batchesMax is how many batches are worked on at once: beside them there has to be room for what
// everybody else does.
const batchesMax = 3

// Importer brings history in. It is safe for concurrent use; batches for one room wait for each
// other.
type Importer struct {
	o     Options
	mux   *http.ServeMux
	slots chan struct{}
	heap  collector
	// making is held while a room is made.
	making sync.Mutex

	mu    sync.Mutex
	rooms map[int64]*turn
}

// turn is the lock of a room.
type turn struct {
	mu    sync.Mutex
	users int
}

// New makes an importer.
func New(o Options) *Importer {
	if o.Version == "" {
		o.Version = "12"
	}
	i := &Importer{o: o, mux: http.NewServeMux(), slots: make(chan struct{}, batchesMax), rooms: map[int64]*turn{}}
	serve(i, "open", i.Open)
	serve(i, "people", i.People)
	serve(i, "room", i.Room)
	serve(i, "batch", i.Batch)
	serve(i, "ledger", i.Ledger)
	serve(i, "timeline", i.Timeline)
	serve(i, "look", i.Look)
	serve(i, "members", i.Members)
	serve(i, "media/have", i.HaveMedia)
	i.mux.HandleFunc("POST /import/media", i.putMedia)
	return i
}

var _ http.Handler = (*Importer)(nil)

// ServeHTTP answers POST /import/VERB, with a JSON object; /import/media takes a file.
func (i *Importer) ServeHTTP(w http.ResponseWriter, r *http.Request) { i.mux.ServeHTTP(w, r) }

func serve[Q, R any](i *Importer, verb string, do func(context.Context, Q) (R, error)) {
	i.mux.HandleFunc("POST /import/"+verb, func(w http.ResponseWriter, r *http.Request) {
		var q Q
		raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
		if err == nil {
			err = json.Unmarshal(raw, &q, json.RejectUnknownMembers(true))
		}
		if err != nil {
			i.fail(w, mxerror.BadJSON("The request could not be read: %v", err))
			return
		}
		out, err := do(r.Context(), q)
		if err != nil {
			i.fail(w, err)
			return
		}
		i.answer(w, http.StatusOK, out)
	})
}

func (i *Importer) fail(w http.ResponseWriter, err error) {
	status, message := http.StatusInternalServerError, err.Error()
	if e, ok := mxerror.As(err); ok && e.Cause == nil {
		status, message = e.Status, e.Message
	}
	i.answer(w, status, map[string]string{"error": message})
}

func (i *Importer) answer(w http.ResponseWriter, status int, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		i.o.Log.Error("answering an import", "err", err)
		status, raw = http.StatusInternalServerError, []byte(`{"error":"the answer could not be written"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(raw) // whoever asked may be gone
}

// Open tells what whoever imports has to know.
func (i *Importer) Open(ctx context.Context, _ struct{}) (wire.Opened, error) {
	sources, err := i.o.Store.ImportSources(ctx)
	return wire.Opened{Server: i.o.Server, Sources: sources, MaxUpload: i.o.Media.MaxUpload()}, err
}

// lock takes a room's turn.
func (i *Importer) lock(room int64) (unlock func()) {
	i.mu.Lock()
	t := i.rooms[room]
	if t == nil {
		t = &turn{}
		i.rooms[room] = t
	}
	t.users++
	i.mu.Unlock()
	t.mu.Lock()
	return func() {
		t.mu.Unlock()
		i.mu.Lock()
		defer i.mu.Unlock()
		if t.users--; t.users == 0 {
			delete(i.rooms, room)
		}
	}
}

// source finds the number of a source.
func (i *Importer) source(ctx context.Context, name string) (int64, error) {
	if name == "" || len(name) > wire.MaxRemote {
		return 0, mxerror.BadJSON("The source needs a name of at most %d bytes.", wire.MaxRemote)
	}
	return i.o.Store.ImportSource(ctx, name)
}

// room finds a room by its id.
func (i *Importer) room(ctx context.Context, id string) (store.RoomName, error) {
	name, err := i.o.Store.RoomByID(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		err = mxerror.NotFound("There is no room %s here.", id)
	}
	return name, err
}
