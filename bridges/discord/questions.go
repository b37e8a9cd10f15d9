package discord

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/landbridge-im/landbridge/bridges/discord/api"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

const (
	// questionsAtOnce is how much is asked at a time of what was said.
	questionsAtOnce = 4
	// againAtOnce is how much of it that was asked before, in vain.
	againAtOnce = 2
)

// tryTime is how long one question may take, the waiting for a limit of rates included, before others have their turn.
const tryTime = 20 * time.Second

// question asks Discord for something of a channel, taking its turn among all that are asked in the background. again says that it was asked
// in vain: such questions have few turns of their own, so that channels of which Discord says nothing hold up no others.
func (n *bot) question(ctx context.Context, path, bucket string, again bool, out any) error {
	turns := n.questions
	if again {
		turns = n.askedAgain
	}
	select {
	case turns <- struct{}{}:
		defer func() { <-turns }()
	case <-ctx.Done():
		return ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	return n.api.Do(ctx, "GET", path, bucket, nil, out)
}

// fetchPage fetches the messages of a channel that follow one, oldest first. It tries
// again until it is refused.
func (n *bot) fetchPage(ctx context.Context, ch *wire.Channel, after wire.ID, slot *slot) (page wire.List[rawMessage], err error) {
	path := "/channels/" + string(ch.ID) + "/messages"
	for wait := time.Second; ; wait = min(2*wait, time.Minute) {
		page = nil
		err := n.question(ctx, path+"?limit=100&after="+string(after), path, wait > time.Second, &page)
		if err == nil {
			slices.SortFunc(page, func(a, b rawMessage) int { return cmp.Compare(a.id.Uint(), b.id.Uint()) })
			if !slot.take(ctx) {
				return nil, ctx.Err()
			}
			return page, nil
		}
		slot.give()
		if api.Refused(err) || ctx.Err() != nil {
			return nil, err
		}
		n.log.Warn("what was said in a channel cannot be fetched, trying again", "channel", ch.ID, "error", err, "in", wait)
		if !pause(ctx, wait) {
			return nil, ctx.Err()
		}
	}
}

// pause waits; it returns false when ctx is done first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// slot is the place of a channel among those whose history is fetched at a time. A channel of which Discord says nothing gives
// it to others meanwhile. A nil slot is none, and needs none.
type slot struct {
	all  chan struct{}
	held bool
}

// take waits for the place. It returns false when ctx is done first.
func (s *slot) take(ctx context.Context) bool {
	if s == nil || s.held {
		return true
	}
	select {
	case s.all <- struct{}{}:
		s.held = true
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *slot) give() {
	if s != nil && s.held {
		<-s.all
		s.held = false
	}
}
