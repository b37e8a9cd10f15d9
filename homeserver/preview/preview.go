package preview

import (
	"context"
	"crypto/x509"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"github.com/landbridge-im/landbridge/homeserver/media"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/internal/background"
)

// Pictures keeps the pictures of previews.
type Pictures interface {
	// Cache stores a picture, which may be dropped when nobody asks for it any more.
	Cache(ctx context.Context, m media.Meta, body io.Reader) (store.Media, error)
	// Bounds tells a stored picture's size in pixels and its MIME type.
	Bounds(ctx context.Context, m store.Media) (width, height int, contentType string, err error)
}

var _ Pictures = (*media.Repo)(nil)

// Config is what New needs.
type Config struct {
	// Enabled switches previews on; otherwise every question is refused.
	Enabled bool
	// Server is this server's name, the origin of the pictures.
	Server   string
	Store    *store.Store
	Pictures Pictures
	Log      *slog.Logger
	// Now tells the time; nil means time.Now.
	Now func() time.Time
	// RootCAs vouch for pages; nil means the system's.
	RootCAs *x509.CertPool
	// Dial connects to an address that a stranger names; it must refuse those that lead into our
	// own network. See package safedial.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Allow and Deny are patterns of pages: a host, with * for any characters, and optionally a
	// path such as example.org/private/*. Only pages that match one of Allow are read, unless it is
	// empty; none that match one of Deny.
	Allow, Deny []string
	// Language and UserAgent are what is sent along.
	Language, UserAgent string
	// MaxPage and MaxPicture bound what is read, in bytes; 0 means 1 MiB and 10 MiB.
	MaxPage, MaxPicture int64
	// Timeout bounds one page with all that belongs to it; 0 means 20 seconds.
	Timeout time.Duration
	// Fresh is how long a preview is good; 0 means an hour.
	Fresh time.Duration
}

const (
	// failureFresh is how long it is remembered that a page could not be read.
	failureFresh = 5 * time.Minute
	// keptFor is how long a preview is kept for questions about that time.
	keptFor = 30 * 24 * time.Hour
	// cacheEntries and readers bound what is in memory, and what goes on at once.
	cacheEntries = 1024
	readers      = 8
	waiting      = 64
	// maxURL is the longest address that is looked at.
	maxURL = 2048
)

// Previewer makes previews. It is safe for concurrent use.
type Previewer struct {
	c        Config
	allow    []pattern
	deny     []pattern
	client   *http.Client
	cache    *lru.Cache[string, entry]
	fetches  singleflight.Group
	queued   *semaphore.Weighted
	fetching *semaphore.Weighted
	// shared is work that several requests wait for.
	shared *background.Group
}

// Close ends what goes on for requests that are gone. It is called before the store is closed.
func (p *Previewer) Close() { p.shared.Close() }

// entry is a preview, or why there is none, from a time until another, in milliseconds.
type entry struct {
	json    jsontext.Value
	err     error
	media   string
	from    int64
	expires int64
}

// Query is a question for a preview.
type Query struct {
	URL string
	// TS is the time at which the page should be shown, in milliseconds; 0 means now.
	TS int64
}

// New makes a Previewer.
func New(c Config) (*Previewer, error) {
	if c.Store == nil || c.Pictures == nil || c.Log == nil || c.Dial == nil || c.Server == "" {
		return nil, errors.New("preview: the server's name, store, pictures, log and dialer are needed")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	setDefault(&c.MaxPage, 1<<20)
	setDefault(&c.MaxPicture, 10<<20)
	setDefault(&c.Timeout, 20*time.Second)
	setDefault(&c.Fresh, time.Hour)
	p := &Previewer{c: c, queued: semaphore.NewWeighted(waiting), fetching: semaphore.NewWeighted(readers), shared: background.New()}
	for _, list := range []struct {
		from []string
		to   *[]pattern
	}{{c.Allow, &p.allow}, {c.Deny, &p.deny}} {
		for _, text := range list.from {
			pat, err := parsePattern(text)
			if err != nil {
				return nil, err
			}
			*list.to = append(*list.to, pat)
		}
	}
	var err error
	if p.cache, err = lru.New[string, entry](cacheEntries); err != nil {
		return nil, err
	}
	p.client = p.newClient()
	return p, nil
}

func setDefault[T int64 | time.Duration](v *T, to T) {
	if *v <= 0 {
		*v = to
	}
}

// Preview answers a question. Its answer is a JSON object, "the OpenGraph data for the URL, which
// may be empty".
func (p *Previewer) Preview(ctx context.Context, q Query) (jsontext.Value, error) {
	u, err := parseURL(q.URL)
	if err != nil {
		return nil, err
	}
	if !p.c.Enabled {
		return nil, mxerror.Forbidden("URL previews are switched off on this server.")
	}
	if !p.permits(u) {
		return nil, errDenied()
	}
	now := p.c.Now().UnixMilli()
	if q.TS <= 0 || q.TS > now {
		q.TS = now
	}
	key := u.String()
	if e, ok := p.known(ctx, key, q.TS); ok {
		return e.json, e.err
	}
	if !p.queued.TryAcquire(1) {
		return nil, mxerror.LimitExceeded(2 * time.Second)
	}
	defer p.queued.Release(1)
	// Whoever asks for the same page shares the work, which therefore outlives the one that began
	// it. "The server may return a newer version if it does not have the requested version".
	result := p.fetches.DoChan(key, func() (any, error) {
		ctx, done, err := p.shared.Begin(ctx)
		if err != nil {
			return nil, err
		}
		defer done()
		if err := p.fetching.Acquire(ctx, 1); err != nil {
			return nil, err
		}
		defer p.fetching.Release(1)
		if e, ok := p.known(ctx, key, p.c.Now().UnixMilli()); ok {
			return e, nil
		}
		ctx, cancel := context.WithTimeout(ctx, p.c.Timeout)
		defer cancel()
		found, err := p.read(ctx, u)
		return p.remember(ctx, key, found, err)
	})
	select {
	case res := <-result:
		if res.Err != nil {
			return nil, res.Err
		}
		e := res.Val.(entry)
		return e.json, e.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// known finds a preview that was good at a time.
func (p *Previewer) known(ctx context.Context, key string, ms int64) (entry, bool) {
	e, ok := p.cache.Get(key)
	if !ok || ms < e.from || ms >= e.expires {
		row, err := p.c.Store.Preview(ctx, key, ms)
		if err != nil || ms >= row.TS+p.c.Fresh.Milliseconds() {
			return entry{}, false
		}
		e = entry{json: jsontext.Value(row.JSON), media: row.MediaID, from: row.TS, expires: row.TS + p.c.Fresh.Milliseconds()}
		p.cache.Add(key, e)
	}
	if e.media != "" {
		// The picture may have been dropped, or worse, since.
		m, err := p.c.Store.Media(ctx, p.c.Server, e.media)
		if err != nil || m.Quarantined || m.Blocked {
			return entry{}, false
		}
	}
	return e, true
}

// remember keeps what was found.
func (p *Previewer) remember(ctx context.Context, key string, f found, err error) (entry, error) {
	now := p.c.Now().UnixMilli()
	if err != nil {
		p.c.Log.DebugContext(ctx, "a page could not be previewed", "err", err)
		e := entry{err: errUnreadable(), from: now, expires: now + failureFresh.Milliseconds()}
		if m, ok := mxerror.As(err); ok {
			e.err = m
		}
		p.cache.Add(key, e)
		return e, nil
	}
	raw, err := json.Marshal(f.properties, json.Deterministic(true))
	if err != nil {
		return entry{}, err
	}
	e := entry{json: raw, media: f.media, from: now, expires: now + p.c.Fresh.Milliseconds()}
	err = p.c.Store.Write(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		if err := tx.DropExpiredPreviews(now); err != nil {
			return err
		}
		return tx.SetPreview(store.Preview{URL: key, TS: now, ExpiresTS: now + keptFor.Milliseconds(), JSON: string(raw), MediaID: f.media})
	})
	if err != nil {
		return entry{}, err
	}
	p.cache.Add(key, e)
	return e, nil
}

// errDenied is for pages that the configuration excludes.
func errDenied() *mxerror.Error { return mxerror.Forbidden("Pages at this address are not previewed.") }

// errUnreadable is for whatever goes wrong on the way. It says no more, since more would tell
// about networks that only this server sees.
func errUnreadable() *mxerror.Error {
	return mxerror.New(http.StatusBadGateway, "M_UNKNOWN", "The page could not be read.")
}
