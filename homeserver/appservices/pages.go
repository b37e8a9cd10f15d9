package appservices

import (
	"context"
	"math"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// pagesKept is how many pages of the log are kept for all senders.
const pagesKept = 16

// pages reads the log for all senders: those that are at its end, which most are, want the same page, and it is read
// once. It is safe for concurrent use.
type pages struct {
	store *store.Store
	mu    sync.Mutex
	kept  *lru.Cache[int64, *logPage] // by the position before
}

type logPage struct {
	mu      sync.Mutex // held while it is read
	entries []store.Entry
	upto    int64 // the page has all entries up to there, or is full
}

func newPages(s *store.Store) *pages {
	kept, _ := lru.New[int64, *logPage](pagesKept) // fails for sizes below 1 alone
	return &pages{store: s, kept: kept}
}

// read gives the entries after a position: all up to a published one, or as many as a page has. There may be more; they
// must not be changed.
func (p *pages) read(ctx context.Context, after, upto int64) ([]store.Entry, error) {
	p.mu.Lock()
	page, ok := p.kept.Get(after)
	if !ok {
		page = &logPage{upto: after}
		p.kept.Add(after, page)
	}
	p.mu.Unlock()
	page.mu.Lock()
	defer page.mu.Unlock()
	if upto <= page.upto {
		return page.entries, nil
	}
	entries, err := p.store.Entries(ctx, after, pageSize)
	if err != nil {
		return nil, err
	}
	if page.entries, page.upto = entries, upto; len(entries) == pageSize {
		page.upto = math.MaxInt64
	}
	return entries, nil
}
