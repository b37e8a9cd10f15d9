package media

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Config is what Open needs. Zero values stand for the defaults.
type Config struct {
	// Dir is where everything is kept; it is made if need be.
	Dir string
	// Server is this server's name, the origin of its media.
	Server string
	Store  *store.Store
	Log    *slog.Logger
	// Now tells the time; nil means time.Now.
	Now func() time.Time
	// MaxUpload is the largest file in bytes; 0 means 100 MiB.
	MaxUpload int64
	// MaxPixels is the largest picture of which thumbnails are made; 0 means 24 million. A pixel
	// may take up to 12 bytes of memory meanwhile.
	MaxPixels int
	// Thumbnailers is how many thumbnails are made at once; 0 means 1.
	Thumbnailers int
	// ReservationLife is how long a reserved id waits for its file; 0 means 24 hours.
	ReservationLife time.Duration
	// MaxReserved is how many ids a user may have reserved at a time; 0 means 50.
	MaxReserved int
}

// Repo is a repository of media. It is safe for concurrent use.
type Repo struct {
	c Config

	// filled wakes those who wait for a reserved id to get its file.
	mu     sync.Mutex
	filled map[string]*wait

	thumbnails singleflight.Group
	workers    *semaphore.Weighted
	queued     *semaphore.Weighted
}

// wait is closed when a file has come.
type wait struct {
	done    chan struct{}
	waiters int
}

// New opens a repository and removes what uploads that a crash broke off have left.
func New(c Config) (*Repo, error) {
	if c.Dir == "" || c.Server == "" || c.Store == nil || c.Log == nil {
		return nil, errors.New("media: the folder, the server's name, the store and the log are needed")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	setDefault(&c.MaxUpload, 100<<20)
	setDefault(&c.MaxPixels, 24_000_000)
	setDefault(&c.Thumbnailers, 1)
	setDefault(&c.ReservationLife, 24*time.Hour)
	setDefault(&c.MaxReserved, 50)
	r := &Repo{c: c, filled: map[string]*wait{}, workers: semaphore.NewWeighted(int64(c.Thumbnailers)), queued: semaphore.NewWeighted(thumbnailQueue)}
	for _, dir := range []string{r.tempDir(), filepath.Join(c.Dir, thumbnailDir)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("making the media folder: %w", err)
		}
	}
	left, err := os.ReadDir(r.tempDir())
	if err != nil {
		return nil, fmt.Errorf("reading the media folder: %w", err)
	}
	for _, e := range left {
		if err := os.Remove(filepath.Join(r.tempDir(), e.Name())); err != nil {
			return nil, fmt.Errorf("removing what a broken-off upload left: %w", err)
		}
	}
	return r, nil
}

func setDefault[T int | int64 | time.Duration](v *T, to T) {
	if *v <= 0 {
		*v = to
	}
}

const thumbnailDir = "thumbnails"

func (r *Repo) tempDir() string { return filepath.Join(r.c.Dir, "tmp") }

// path is where the bytes of a hash are kept: spread over folders, so that none grows huge.
func (r *Repo) path(hash []byte) string { return filepath.Join(r.c.Dir, spread(hash)) }

func spread(hash []byte) string {
	name := hex.EncodeToString(hash)
	return filepath.Join(name[:2], name[2:4], name)
}

// MaxUpload is the largest file that is accepted, in bytes.
func (r *Repo) MaxUpload() int64 { return r.c.MaxUpload }

func (r *Repo) nowMS() int64 { return r.c.Now().UnixMilli() }

// URI is the mxc URI of a piece of media.
func URI(origin, id string) string { return "mxc://" + origin + "/" + id }

// wake tells those who wait for an id that its file has come.
func (r *Repo) wake(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w := r.filled[id]; w != nil {
		close(w.done)
		delete(r.filled, id)
	}
}

// await registers a waiter for an id; stop must be called when done.
func (r *Repo) await(id string) (filled <-chan struct{}, stop func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.filled[id]
	if w == nil {
		w = &wait{done: make(chan struct{})}
		r.filled[id] = w
	}
	w.waiters++
	return w.done, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if w.waiters--; w.waiters == 0 && r.filled[id] == w {
			delete(r.filled, id)
		}
	}
}

// write is Store.Write with a public face.
func (r *Repo) write(ctx context.Context, fn func(*store.Tx) error) error {
	return public(r.c.Store.Write(ctx, fn))
}
