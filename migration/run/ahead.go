package run

import (
	"context"
	"errors"
	"iter"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/landbridge-im/landbridge/homeserver/importer/wire"
	"github.com/landbridge-im/landbridge/migration/model"
)

const (
	// aheadMessages is how many messages of a channel are read before the first of them is sent, so that their files can be
	// brought in side by side, and fetchers how many files are at once.
	aheadMessages, fetchers = 100, 6
)

// ahead reads messages ahead and brings their files in. The messages are the same, in the same order.
func (r *Runner) ahead(ctx context.Context, list iter.Seq2[*model.Message, error]) iter.Seq2[*model.Message, error] {
	return func(yield func(*model.Message, error) bool) {
		var waiting []*model.Message
		flush := func() bool {
			r.media.bringAll(ctx, r.filesOf(waiting))
			for _, m := range waiting {
				if !yield(m, nil) {
					return false
				}
			}
			waiting = waiting[:0]
			return true
		}
		for m, err := range list {
			if err != nil {
				if flush() {
					yield(nil, err)
				}
				return
			}
			if waiting = append(waiting, m); len(waiting) == aheadMessages && !flush() {
				return
			}
		}
		flush()
	}
}

// filesOf are the files that some messages need.
func (r *Runner) filesOf(list []*model.Message) (out []*model.File) {
	for _, m := range list {
		if s := r.people.known[m.Sender]; s != nil && s.without || m.Alias != nil && r.people.conf[m.Alias.ID].Without {
			continue
		}
		for i := range m.Files[:min(len(m.Files), maxFiles)] {
			switch f := &m.Files[i]; f.State {
			case model.Deleted, model.Hidden, model.External:
			default:
				out = append(out, f)
			}
		}
	}
	return out
}

// bringAll brings files in, side by side. How that ends is told to those who ask for each of them.
func (u *uploads) bringAll(ctx context.Context, list []*model.File) {
	var ids []string
	todo := map[string]*model.File{}
	for _, f := range list {
		id := u.id(f)
		if todo[id] == nil && u.have[id] == "" && u.failed[id] == nil {
			todo[id] = f
			ids = append(ids, id)
		}
	}
	if len(ids) < 2 {
		return // nothing to be done side by side
	}
	for from := 0; from < len(ids); from += wire.MaxItems {
		had, err := u.r.o.Target.HaveMedia(ctx, wire.HaveMedia{IDs: ids[from:min(len(ids), from+wire.MaxItems)]})
		if err != nil {
			return // who needs a file asks again
		}
		for _, id := range had.Have {
			u.note(id, u.uri(id, had.URIs[id]), nil)
			delete(todo, id)
		}
	}
	var g errgroup.Group
	g.SetLimit(fetchers)
	results, uris := make([]error, len(ids)), make([]string, len(ids))
	for i, id := range ids {
		if f := todo[id]; f != nil {
			g.Go(func() error {
				uris[i], results[i] = u.put(ctx, id, f)
				return nil
			})
		}
	}
	_ = g.Wait() // what became of each is in results and uris
	for i, id := range ids {
		if todo[id] != nil && ctx.Err() == nil && !errors.Is(results[i], ErrUnreachable) {
			u.note(id, uris[i], results[i])
		}
	}
}

// note remembers how bringing in a file has ended.
func (u *uploads) note(id, uri string, err error) {
	if len(u.have)+len(u.failed) > maxRemembered {
		clear(u.have)
		clear(u.failed)
	}
	if err != nil {
		u.failed[id] = err
		return
	}
	u.have[id] = uri
}

// insist asks the server again while it does not answer: it may just be starting.
func insist(ctx context.Context, do func() error) error {
	for try := 1; ; try++ {
		err := do()
		if err == nil || !errors.Is(err, ErrUnreachable) || ctx.Err() != nil || try == sendTries {
			return err
		}
		select {
		case <-time.After(time.Duration(try) * time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
