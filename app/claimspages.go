package app

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/claims"
	"github.com/landbridge-im/landbridge/homeserver/cutover"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/internal/sentence"
	"github.com/landbridge-im/landbridge/web/console"
)

// pageWait is how long a page waits for a step of a bridge's end; the server goes on by itself.
const pageWait = 10 * time.Second

// claimPages are claims and the ends of bridges behind the console's pages.
type claimPages struct{ s *serving }

var _ console.Claims = claimPages{}

// plainError is an error as people read it.
func plainError(err error) error {
	if e, ok := mxerror.As(err); ok {
		return &sentence.Error{Text: e.Said(), Cause: err}
	}
	return err
}

// Overview implements console.Claims.
func (p claimPages) Overview(ctx context.Context, bridge string) (claims.Overview, error) {
	o, err := p.s.hs.Claims().Overview(ctx, bridge)
	return o, plainError(err)
}

// List implements console.Claims.
func (p claimPages) List(ctx context.Context, q claims.Query) (claims.People, error) {
	list, err := p.s.hs.Claims().List(ctx, q)
	return list, plainError(err)
}

// Invite implements console.Claims.
func (p claimPages) Invite(ctx context.Context, q claims.Invitations) (claims.Invited, error) {
	if q.By == claims.ByMail && len(q.People) == 0 {
		people, err := p.s.desk.People(q.Service)
		if err != nil {
			return claims.Invited{}, err
		}
		if q.People = invitees(people); len(q.People) == 0 {
			return claims.Invited{}, sentence.Errorf("no export that was brought in by these pages for the bridge %s names anybody to invite", q.Service)
		}
	}
	out, err := p.s.hs.Claims().Invite(ctx, q)
	return out, plainError(err)
}

// Links implements console.Claims.
func (p claimPages) Links(ctx context.Context, bridge string, w io.Writer) error {
	out, err := p.s.hs.Claims().Invite(ctx, claims.Invitations{Service: bridge, By: claims.ByList})
	if err != nil {
		return plainError(err)
	}
	return linksCSV(w, out.Links)
}

// Remind implements console.Claims.
func (p claimPages) Remind(ctx context.Context, bridge string) (int, error) {
	n, err := p.s.hs.Claims().Remind(ctx, bridge)
	return n, plainError(err)
}

// Unlink implements console.Claims.
func (p claimPages) Unlink(ctx context.Context, bridge, person string) error {
	return plainError(p.s.hs.Claims().Unlink(ctx, bridge, person))
}

// Report implements console.Claims.
func (p claimPages) Report(ctx context.Context, bridge string) (cutover.Report, error) {
	r, err := p.s.hs.Cutover().Report(ctx, bridge)
	return r, plainError(err)
}

// Want implements console.Claims.
func (p claimPages) Want(ctx context.Context, w cutover.Wish) (cutover.Report, error) {
	r, err := p.s.hs.Cutover().Want(ctx, w)
	if err != nil {
		return r, plainError(err)
	}
	ctx, cancel := context.WithTimeout(ctx, pageWait)
	defer cancel()
	r, err = awaitCutover(ctx, r, func(ctx context.Context) (cutover.Report, error) { return p.Report(ctx, w.Service) }, func(string) {})
	if errors.Is(err, context.DeadlineExceeded) {
		err = nil // the page says how far it is
	}
	return r, err
}
