package media

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/internal/background"
)

// Config is what New needs. Zero values stand for the defaults.
type Config struct {
	// Dir is where temporary files and thumbnails are kept, and, without Blobs, everything; it is
	// made if need be.
	Dir string
	// Blobs keeps the files; nil means in Dir.
	Blobs Blobs
	// Server is this server's name, the origin of its media.
	Server string
	Store  *store.Store
	Log    *slog.Logger
	// Now tells the time; nil means time.Now.
	Now func() time.Time
	// Remote fetches media of other servers; nil means that there is none to be had.
	Remote Remote
	// MaxUpload is the largest file in bytes, also from other servers; 0 means 100 MiB.
	MaxUpload int64
	// MaxPixels is the largest picture of which thumbnails are made; 0 means 64 million. One that
	// would take more than 256 MiB of memory meanwhile is refused, too.
	MaxPixels int
	// Thumbnailers is how many thumbnails are made at once; 0 means 1.
	Thumbnailers int
	// ThumbnailBytes is how much disk thumbnails may take before the oldest are removed; 0 means
	// 1 GiB.
	ThumbnailBytes int64
	// ReservationLife is how long a reserved id waits for its file; 0 means 24 hours.
	ReservationLife time.Duration
	// MaxReserved is how many ids a user may have reserved at a time; 0 means 50.
	MaxReserved int
	// Stall is how long an upload may take for each 16 KiB before it is broken off, so that a
	// client that sends next to nothing doesn't hold it open; 0 means a minute.
	Stall time.Duration
	// Quota bounds what each user may store; its zero value is no bound.
	Quota Quota
	// CacheBytes is how much media of other servers and of previews is kept; what was not asked
	// for the longest is removed first. 0 means 10 GiB.
	CacheBytes int64
	// CacheAge, when positive, is how long cached media that nobody asks for is kept.
	CacheAge time.Duration
	// DeleteRedacted deletes media when the last event that was seen to speak of it has been
	// redacted for so long and nothing else does; 0 or less: never.
	DeleteRedacted time.Duration
}

// Quota bounds what a user may store.
type Quota struct {
	// Bytes and Files are the bounds; 0 is none.
	Bytes, Files int64
	// Window is how long a file counts; 0 means for ever.
	Window time.Duration
}

// Repo is a repository of media. It is safe for concurrent use.
type Repo struct {
	c     Config
	blobs Blobs
	// changing keeps one from storing what another is about to delete, by hash.
	changing keyedLock

	// filled wakes those who wait for a reserved id to get its file.
	mu     sync.Mutex
	filled map[string]*wait

	thumbnails singleflight.Group
	workers    *semaphore.Weighted
	queued     *semaphore.Weighted

	fetches  singleflight.Group
	fetching *semaphore.Weighted
	// missing remembers for a short while what other servers don't have.
	missing *lru.Cache[store.MediaName, missing]

	// touched is what was asked for since it was last noted in the store.
	touchMu sync.Mutex
	touched map[store.MediaName]int64
	// shared is work that several requests wait for.
	shared *background.Group
	// trim lets Run look at the cache before its time.
	trim chan struct{}
}

// wait is closed when a file has come.
type wait struct {
	done    chan struct{}
	waiters int
}

// Bounds of what goes on at once.
const (
	maxFetches = 16
	maxMissing = 4096
	maxTouched = 4096
)

// New opens a repository and removes what uploads that a crash broke off have left.
func New(c Config) (*Repo, error) {
	if c.Dir == "" || c.Server == "" || c.Store == nil || c.Log == nil {
		return nil, errors.New("media: the folder, the server's name, the store and the log are needed")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	setDefault(&c.MaxUpload, 100<<20)
	setDefault(&c.MaxPixels, 64_000_000)
	setDefault(&c.Thumbnailers, 1)
	setDefault(&c.ThumbnailBytes, 1<<30)
	setDefault(&c.ReservationLife, 24*time.Hour)
	setDefault(&c.MaxReserved, 50)
	setDefault(&c.Stall, time.Minute)
	setDefault(&c.CacheBytes, 10<<30)
	r := &Repo{c: c, blobs: c.Blobs, filled: map[string]*wait{}, touched: map[store.MediaName]int64{}, trim: make(chan struct{}, 1), shared: background.New(),
		workers: semaphore.NewWeighted(int64(c.Thumbnailers)), queued: semaphore.NewWeighted(thumbnailQueue), fetching: semaphore.NewWeighted(maxFetches)}
	if r.blobs == nil {
		r.blobs = disk{c.Dir}
	}
	var err error
	if r.missing, err = lru.New[store.MediaName, missing](maxMissing); err != nil {
		return nil, err
	}
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

// Close ends what goes on for requests that are gone. It is called before the store is closed.
func (r *Repo) Close() { r.shared.Close() }

func setDefault[T int | int64 | time.Duration](v *T, to T) {
	if *v <= 0 {
		*v = to
	}
}

// Folders in Config.Dir beside the files.
const (
	thumbnailDir = "thumbnails"
	tempName     = "tmp"
)

func (r *Repo) tempDir() string { return filepath.Join(r.c.Dir, tempName) }

// MaxUpload is the largest file that is accepted, in bytes.
func (r *Repo) MaxUpload() int64 { return r.c.MaxUpload }

func (r *Repo) nowMS() int64 { return r.c.Now().UnixMilli() }

func key(hash []byte) string { return hex.EncodeToString(hash) }

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

// removeUnused removes the bytes of a hash that no media has any more, and its thumbnails. They
// are left alone while somebody is storing the same bytes.
func (r *Repo) removeUnused(ctx context.Context, hash []byte) error {
	if len(hash) == 0 {
		return nil
	}
	defer r.changing.lock(key(hash))()
	n, err := r.c.Store.MediaWithHash(ctx, hash)
	if err != nil || n > 0 {
		return err
	}
	if err := r.removeThumbnails(hash); err != nil {
		return err
	}
	return r.blobs.Delete(ctx, key(hash))
}

// removeThumbnails removes the thumbnails of a hash.
func (r *Repo) removeThumbnails(hash []byte) error {
	base := r.thumbnailBase(hash)
	made, err := os.ReadDir(filepath.Dir(base))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("listing thumbnails: %w", err)
	}
	for _, e := range made {
		if !strings.HasPrefix(e.Name(), key(hash)) {
			continue
		}
		if err := os.Remove(filepath.Join(filepath.Dir(base), e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing a thumbnail: %w", err)
		}
	}
	return nil
}

// thumbnailBase is how the paths of the thumbnails of a hash begin.
func (r *Repo) thumbnailBase(hash []byte) string {
	return filepath.Join(r.c.Dir, thumbnailDir, spread(key(hash)))
}
