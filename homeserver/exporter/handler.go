package exporter

import (
	"context"
	"encoding/json/v2"
	"errors"
	"io"
	"log/slog"
	"net/http"

	"github.com/landbridge-im/landbridge/export"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// maxRequest bounds a request, in bytes.
const maxRequest = 64 << 10

// FileHeader is the header of the answer to /export/file that has the export.File.
const FileHeader = "Landbridge-File"

// Place says what is asked for.
type Place struct {
	Room  string `json:"room,omitempty"`
	User  string `json:"user,omitempty"`
	URI   string `json:"uri,omitempty"`
	After string `json:"after,omitempty"`
}

// Failure is the answer to what could not be done. Kind is "no_file", "nobody", "no_room" or empty.
type Failure struct {
	Kind    string `json:"kind,omitempty"`
	Message string `json:"error"`
}

// kinds are the errors of export that callers tell apart.
var kinds = map[string]error{"no_file": export.ErrNoFile, "nobody": export.ErrNobody, "no_room": export.ErrNoRoom}

// Err is the error that a failure stands for.
func (f Failure) Err() error {
	if err := kinds[f.Kind]; err != nil {
		return err
	}
	return errors.New(f.Message)
}

// Handler answers POST /export/VERB, with a Place, for whoever may have everything.
func (x *Exporter) Handler(log *slog.Logger) http.Handler {
	h := &handler{mux: http.NewServeMux(), log: log}
	serve(h, "server", func(ctx context.Context, _ Place) (string, error) { return x.Server(ctx) })
	serve(h, "rooms", func(ctx context.Context, p Place) (export.Rooms, error) { return x.Rooms(ctx, p.After) })
	serve(h, "state", func(ctx context.Context, p Place) (export.Events, error) { return x.State(ctx, p.Room) })
	serve(h, "members", func(ctx context.Context, p Place) (export.Events, error) { return x.Members(ctx, p.Room, p.After) })
	serve(h, "timeline", func(ctx context.Context, p Place) (export.Timeline, error) {
		return x.Timeline(ctx, p.Room, p.User, p.After)
	})
	serve(h, "person", func(ctx context.Context, p Place) (export.Person, error) { return x.Person(ctx, p.User) })
	serve(h, "uploads", func(ctx context.Context, p Place) (export.Files, error) { return x.Uploads(ctx, p.User, p.After) })
	h.mux.HandleFunc("POST /export/file", func(w http.ResponseWriter, r *http.Request) {
		var p Place
		if !h.read(w, r, &p) {
			return
		}
		f, in, err := x.Open(r.Context(), p.URI)
		if err != nil {
			h.fail(w, err)
			return
		}
		defer in.Close()
		about, err := json.Marshal(f)
		if err != nil {
			h.fail(w, err)
			return
		}
		w.Header().Set(FileHeader, string(about))
		w.Header().Set("Content-Type", "application/octet-stream")
		if _, err := io.Copy(w, in); err != nil {
			// The answer has begun: only cutting it off says that it is not whole.
			panic(http.ErrAbortHandler)
		}
	})
	return h.mux
}

type handler struct {
	mux *http.ServeMux
	log *slog.Logger
}

func (h *handler) read(w http.ResponseWriter, r *http.Request, p *Place) bool {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err == nil {
		err = json.Unmarshal(raw, p, json.RejectUnknownMembers(true))
	}
	if err != nil {
		h.fail(w, mxerror.BadJSON("The request could not be read: %v", err))
	}
	return err == nil
}

func serve[R any](h *handler, verb string, do func(context.Context, Place) (R, error)) {
	h.mux.HandleFunc("POST /export/"+verb, func(w http.ResponseWriter, r *http.Request) {
		var p Place
		if !h.read(w, r, &p) {
			return
		}
		out, err := do(r.Context(), p)
		if err != nil {
			h.fail(w, err)
			return
		}
		h.answer(w, http.StatusOK, out)
	})
}

func (h *handler) fail(w http.ResponseWriter, err error) {
	status, f := http.StatusInternalServerError, Failure{Message: err.Error()}
	if e, ok := mxerror.As(err); ok && e.Cause == nil {
		status, f.Message = e.Status, e.Message
	}
	for kind, known := range kinds {
		if errors.Is(err, known) {
			status, f.Kind = http.StatusNotFound, kind
		}
	}
	h.answer(w, status, f)
}

func (h *handler) answer(w http.ResponseWriter, status int, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		h.log.Error("answering an export", "err", err)
		status, raw = http.StatusInternalServerError, []byte(`{"error":"the answer could not be written"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(raw) // whoever asked may be gone
}
