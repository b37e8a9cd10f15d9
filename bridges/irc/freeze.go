package irc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"maunium.net/go/mautrix/bridgev2"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/bridges/irc/format"
	"github.com/landbridge-im/landbridge/bridges/irc/session"
)

var (
	_ appservice.Freezer   = (*Bridge)(nil)
	_ appservice.Announcer = (*Bridge)(nil)
)

// frozen is what a channel was like before it was closed.
type frozen struct {
	Topic string
	Modes string // that were set by closing it
}

// freezer has the channels of a network that are closed. It is safe for concurrent use.
type freezer struct {
	mu   sync.Mutex
	list map[string]frozen // by the channels' names, folded
}

func (f *freezer) set(list map[string]frozen) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = make(map[string]frozen, len(list))
	for channel, was := range list {
		f.list[session.CasemapASCII.Fold(channel)] = was
	}
}

// of returns what a channel was like, and whether it is closed.
func (f *freezer) of(channel string) (frozen, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	was, ok := f.list[session.CasemapASCII.Fold(channel)]
	return was, ok
}

// withoutFrozen are the modes of a channel without those by which it was closed: its room stays open.
func (n *network) withoutFrozen(channel string, modes session.Modes) session.Modes {
	was, ok := n.frozen.of(channel)
	if !ok || was.Modes == "" {
		return modes
	}
	return session.Modes(strings.ReplaceAll(string(modes), was.Modes, ""))
}

// networks are those that are configured and run.
func (b *Bridge) networks() (list []*network) {
	for _, cfg := range b.cfg.Networks {
		if n := b.running(cfg.ID); n != nil {
			list = append(list, n)
		}
	}
	return list
}

// atOnce is how many channels are told something at a time.
const atOnce = 8

// eachChannel calls f for each bridged channel, and gathers what it could not do.
func (b *Bridge) eachChannel(ctx context.Context, f func(*network, *channel) []string) (undone []string, err error) {
	for _, n := range b.networks() {
		list := n.channels.all()
		missing := make([][]string, len(list))
		turns := make(chan struct{}, atOnce)
		busy := appservice.Work{By: b.spawn}
		for i, ch := range list {
			turns <- struct{}{}
			busy.Go(func() {
				defer func() { <-turns }()
				if ctx.Err() == nil {
					missing[i] = f(n, ch)
				}
			})
		}
		busy.Wait()
		undone = append(undone, slices.Concat(missing...)...)
	}
	return undone, ctx.Err()
}

// Announce implements appservice.Announcer.
func (b *Bridge) Announce(ctx context.Context, key, text string) ([]string, error) {
	return b.eachChannel(ctx, func(n *network, ch *channel) []string {
		if err := n.order(ctx, "announce/"+ch.Name+"/"+key, saying(ch, text)); err != nil {
			return []string{fmt.Sprintf("It was not announced in %s: %s.", ch.Name, reasonOf(err))}
		}
		return nil
	})
}

func saying(ch *channel, text string) *outgoing {
	return &outgoing{Channel: ch.Name, Command: "PRIVMSG", Lines: format.FromText(text)}
}

// Freeze implements appservice.Freezer: in each channel the bridge says the notice, puts it into the topic, and sets the
// mode m, by which only operators and those with a voice can speak. In Matrix the rooms stay as they are.
func (b *Bridge) Freeze(ctx context.Context, notice string) ([]string, error) {
	return b.eachChannel(ctx, func(n *network, ch *channel) []string { return n.freeze(ctx, ch, notice) })
}

func (n *network) freeze(ctx context.Context, ch *channel, notice string) (undone []string) {
	modes, known := n.session.Modes(ch.Name)
	topic, in := n.session.Topic(ch.Name)
	if !in {
		return []string{fmt.Sprintf("Nothing was said in %s: %v.", ch.Name, errAbsent)}
	}
	was, again := n.frozen.of(ch.Name)
	if !again {
		was = frozen{Topic: topic}
		if !known || !modes.Has('m') {
			was.Modes = "m"
		}
		// Before anything is changed, so that what comes of it from the network is known not to be for the room.
		if err := n.putFrozen(ctx, ch, was); err != nil {
			return []string{fmt.Sprintf("%s was not closed: %v.", ch.Name, err)}
		}
	}
	if err := n.order(ctx, "freeze/"+ch.Name+"/"+notice, saying(ch, notice)); err != nil {
		undone = append(undone, fmt.Sprintf("The notice is not in %s: %s.", ch.Name, reasonOf(err)))
	}
	if err := n.retopic(ctx, ch, notice); err != nil {
		undone = append(undone, fmt.Sprintf("The topic of %s does not say it: %s.", ch.Name, reasonOf(err)))
	}
	if was.Modes != "" && !(known && modes.Has('m')) {
		if err := n.mode(ctx, ch, "+"+was.Modes); err != nil {
			undone = append(undone, fmt.Sprintf("In %s people can still write (%s): an operator of the channel can change that by /mode %s +m.", ch.Name, reasonOf(err), ch.Name))
		}
	}
	return undone
}

// retopic gives a channel another topic, if it has not got it.
func (n *network) retopic(ctx context.Context, ch *channel, text string) error {
	topic := strings.Join(format.FromText(text), " ")
	if limit := n.session.Support().TopicLen; limit > 0 {
		topic = cutBytes(topic, limit)
	}
	topic = cutBytes(topic, n.session.MaxText("TOPIC", ch.Name))
	if now, ok := n.session.Topic(ch.Name); ok && now == topic {
		return nil
	}
	return n.order(ctx, onceMore("topic", ch), &outgoing{Channel: ch.Name, Command: "TOPIC", Lines: []string{topic}})
}

func (n *network) mode(ctx context.Context, ch *channel, change string) error {
	return n.order(ctx, onceMore("mode", ch), &outgoing{Channel: ch.Name, Command: "MODE", Steps: [][]string{{"MODE", ch.Name, change}}})
}

// onceMore is the key of what may be said again and again.
func onceMore(what string, ch *channel) string {
	return what + "/" + ch.Name + "/" + strconv.FormatInt(time.Now().UnixNano(), 36)
}

// Thaw implements appservice.Freezer.
func (b *Bridge) Thaw(ctx context.Context) ([]string, error) {
	return b.eachChannel(ctx, func(n *network, ch *channel) []string { return n.thaw(ctx, ch) })
}

func (n *network) thaw(ctx context.Context, ch *channel) (undone []string) {
	was, ok := n.frozen.of(ch.Name)
	if !ok {
		return nil
	}
	modes, known := n.session.Modes(ch.Name)
	if was.Modes != "" && (!known || modes.Has('m')) {
		if err := n.mode(ctx, ch, "-"+was.Modes); err != nil {
			undone = append(undone, fmt.Sprintf("In %s only some can write (%s): an operator of the channel can change that by /mode %s -m.", ch.Name, reasonOf(err), ch.Name))
		}
	}
	if err := n.retopic(ctx, ch, was.Topic); err != nil {
		undone = append(undone, fmt.Sprintf("The topic of %s is not what it was, %q: %s.", ch.Name, was.Topic, reasonOf(err)))
	}
	if len(undone) > 0 {
		return undone
	}
	// The notice may be said again, if the channel is closed once more.
	if err := errors.Join(n.b.store.forgetFrozen(ctx, n.cfg.ID, ch.Name), n.loadFrozen(ctx)); err != nil {
		return []string{fmt.Sprintf("%s counts as closed: %v.", ch.Name, err)}
	}
	return nil
}

// CatchUp implements appservice.Freezer: the server is asked for a sign of life, after which all that it had to tell is
// here, and then it waits until the rooms have that.
func (b *Bridge) CatchUp(ctx context.Context) error {
	for _, n := range b.networks() {
		if err := n.catchUp(ctx); err != nil {
			return fmt.Errorf("the network %s: %w", n.cfg.ID, err)
		}
	}
	return nil
}

func (n *network) catchUp(ctx context.Context) error {
	for !n.session.Connected() {
		if err := wait(ctx, 100*time.Millisecond); err != nil {
			return errors.Join(errors.New("there is no connection"), err)
		}
	}
	processed := make(chan session.Outcome, 1)
	line := &session.Line{Command: "PING", Params: []string{"landbridge"}, Done: func(o session.Outcome) { processed <- o }}
	if err := n.session.Send(ctx, line); err != nil {
		return err
	}
	select {
	case o := <-processed:
		if o.Err != nil {
			return o.Err
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := n.inbox.drained(ctx); err != nil {
		return err
	}
	for _, ch := range n.channels.all() {
		handled := make(chan struct{})
		n.queueTurn(ch, func(context.Context, *bridgev2.Portal) { close(handled) })
		select {
		case <-handled:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// putFrozen remembers what a channel is like before it is closed.
func (n *network) putFrozen(ctx context.Context, ch *channel, was frozen) error {
	return errors.Join(n.b.store.putFrozen(ctx, n.cfg.ID, ch.Name, was), n.loadFrozen(ctx))
}

func (n *network) loadFrozen(ctx context.Context) error {
	list, err := n.b.store.frozen(ctx, n.cfg.ID)
	if err != nil {
		return err
	}
	n.frozen.set(list)
	return nil
}
