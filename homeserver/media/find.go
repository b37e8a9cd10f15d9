package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// How long a download waits for a file that was announced, specification: timeout_ms, "the
// default value is 20000 (20 seconds) ... Servers SHOULD impose a maximum value".
const (
	defaultWait = 20 * time.Second
	maxWait     = time.Minute
)

// Query says which media is wanted, and how.
type Query struct {
	Origin, ID string
	// Patience is how long to wait for a file that has only been announced.
	Patience time.Duration
	// LocalOnly keeps from asking another server.
	LocalOnly bool
	// Before, when set, finds only what came before that time; see the specification on
	// "freezing" the endpoints without authentication.
	Before time.Time
}

// Find reads what is known of a piece of media, and fetches it from another server if need be.
// Where its file has only been announced, it waits for it, and then answers M_NOT_YET_UPLOADED.
func (r *Repo) Find(ctx context.Context, q Query) (store.Media, error) {
	if !validID(q.ID) || !validServer(q.Origin) {
		return store.Media{}, notFound()
	}
	m, err := r.find(ctx, q)
	if err == nil && (m.Quarantined || m.Blocked && !m.Protected || !q.Before.IsZero() && m.CreatedTS >= q.Before.UnixMilli()) {
		return store.Media{}, notFound()
	}
	if err == nil {
		r.touch(m)
	}
	return m, err
}

func (r *Repo) find(ctx context.Context, q Query) (store.Media, error) {
	if q.Origin != r.c.Server {
		m, err := r.c.Store.Media(ctx, q.Origin, q.ID)
		if !errors.Is(err, store.ErrNotFound) {
			return m, public(err)
		}
		// Specification: "For remote media, newly-uploaded is determined by the date the cache was
		// populated", which would be now.
		if q.LocalOnly || r.c.Remote == nil || !q.Before.IsZero() {
			return m, notFound()
		}
		return r.fetch(ctx, store.MediaName{Origin: q.Origin, ID: q.ID})
	}
	// Waiters register before they look, so that no arrival falls between.
	filled, stop := r.await(q.ID)
	defer stop()
	m, err := r.local(ctx, q.ID)
	if err != nil || m.ExpiresTS == 0 {
		return m, err
	}
	timer := time.NewTimer(q.Patience)
	defer timer.Stop()
	select {
	case <-filled:
		return r.local(ctx, q.ID)
	case <-timer.C:
	case <-ctx.Done():
		return m, ctx.Err()
	}
	return m, mxerror.New(http.StatusGatewayTimeout, "M_NOT_YET_UPLOADED", "The media has not been uploaded yet.")
}

func (r *Repo) local(ctx context.Context, id string) (store.Media, error) {
	m, err := r.c.Store.Media(ctx, r.c.Server, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && m.ExpiresTS != 0 && m.ExpiresTS <= r.nowMS() {
		return m, notFound()
	}
	return m, public(err)
}

// Open opens the file of a piece of media, which the caller must close. It finds it as Find does.
func (r *Repo) Open(ctx context.Context, q Query) (io.ReadSeekCloser, store.Media, error) {
	m, err := r.Find(ctx, q)
	if err != nil {
		return nil, m, err
	}
	f, err := r.file(ctx, m)
	return f, m, err
}

func (r *Repo) file(ctx context.Context, m store.Media) (io.ReadSeekCloser, error) {
	f, err := r.blobs.Open(ctx, key(m.Hash))
	if errors.Is(err, fs.ErrNotExist) {
		r.c.Log.ErrorContext(ctx, "the file of media is missing", "origin", m.Origin, "media", m.ID)
		if m.Cached {
			// It will be fetched again.
			err = errors.Join(err, r.c.Store.Write(ctx, func(tx *store.Tx) error { return tx.DeleteMedia(m.Origin, m.ID) }))
		}
		return nil, notFound().Because(err)
	}
	if err != nil {
		return nil, public(fmt.Errorf("opening media %s: %w", m.ID, err))
	}
	return f, nil
}

// accessGrain is how exactly it is noted when media was last asked for.
const accessGrain = time.Hour

// touch notes that media was asked for; Run writes it down. When too much was, some is not noted.
func (r *Repo) touch(m store.Media) {
	now := r.nowMS()
	if now-m.AccessTS < accessGrain.Milliseconds() {
		return
	}
	r.touchMu.Lock()
	defer r.touchMu.Unlock()
	if len(r.touched) < maxTouched {
		r.touched[store.MediaName{Origin: m.Origin, ID: m.ID}] = now
	}
}

// validServer tells whether a name may be one of a server. Specification, "Security
// considerations": "restricting the server-name segment to valid server names".
func validServer(name string) bool {
	if name == "" || len(name) > 255 {
		return false
	}
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '-', c == ':', c == '[', c == ']':
		default:
			return false
		}
	}
	return true
}
