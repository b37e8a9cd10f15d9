package slack

import (
	"context"
	"time"

	slackgo "github.com/slack-go/slack"
)

// clockMargin is by how much this machine's clock may be ahead of Slack's without a direct message being overlooked.
const clockMargin = 5 * time.Minute

// recent is how long ago something was said in the direct messages that have rooms from the beginning, if their past is wanted.
const recent = 30 * 24 * time.Hour

// attend keeps up with the person's conversations until ctx is done: when they sign in, and whenever events come again.
func (p *person) attend(ctx context.Context) {
	w := p.workspace()
	for {
		err := p.follow(ctx)
		for wait := time.Second; err != nil && ctx.Err() == nil && transient(err); wait = min(2*wait, 5*time.Minute) {
			w.log.Warn("the conversations of somebody who is signed in cannot be looked at, trying again", "login", p.login.ID, "error", err, "in", wait)
			if sleep(ctx, wait) != nil {
				return
			}
			err = p.follow(ctx)
		}
		if err != nil && ctx.Err() == nil {
			w.log.Error("the conversations of somebody who is signed in are not known", "login", p.login.ID, "error", err)
		}
		select {
		case <-p.again:
		case <-ctx.Done():
			return
		}
	}
}

// follow finds out in which bridged channels the person is, where they then speak for themselves, and which direct
// messages they have rooms for. Those without a room in which something was said while no events came get one.
func (p *person) follow(ctx context.Context) error {
	w, a := p.workspace(), p.voice()
	if w == nil || a == nil {
		return nil
	}
	// What is said from now on comes as an event. If none come yet, this is done again when they do.
	began, live := timeTS(time.Now().Add(-clockMargin)), w.isLive()
	heard := p.heard()
	if heard == "" {
		heard = timeTS(time.Now())
	}
	since := heard
	if start, past := w.cfg.History.Start(time.Now()); past && !p.meta.Followed {
		since = min(heard, max(timeTS(start), timeTS(time.Now().Add(-recent))))
	}
	params := &slackgo.GetConversationsForUserParameters{Limit: 500, TeamID: w.cfg.TeamID, Types: []string{"public_channel", "private_channel", "im", "mpim"}}
	for {
		var list []slackgo.Channel
		var next string
		err := a.read(ctx, "users.conversations", func() (err error) {
			list, next, err = a.slack().GetConversationsForUserContext(ctx, params)
			return err
		})
		if err != nil {
			return err
		}
		for i := range list {
			if err := p.followOne(ctx, &list[i], since, live); err != nil {
				return err
			}
		}
		if next == "" {
			break
		}
		params.Cursor = next
	}
	if live {
		heard = max(heard, began)
	}
	if p.meta.Followed && heard == p.heard() {
		return nil
	}
	p.mu.Lock()
	p.meta.Followed, p.meta.Heard = true, heard
	p.mu.Unlock()
	return p.login.Save(ctx)
}

// heard is until when all direct messages of the person are in rooms, as a ts; "" if that was never looked at.
func (p *person) heard() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.meta.Heard
}

// followOne looks at one of the person's conversations, and if it is a direct message without a room, and events come,
// whether anything was said there after since.
func (p *person) followOne(ctx context.Context, ch *slackgo.Channel, since string, live bool) error {
	w := p.workspace()
	portal, err := p.b.br.GetExistingPortalByKey(ctx, channelKey(ch.ID))
	if err != nil {
		return err
	}
	exists := portal != nil && portal.MXID != ""
	switch {
	case exists && (ch.IsIM || ch.IsMpIM):
		w.adopt(ch.ID, p.login.ID)
	case exists && w.isBridged(ch.ID):
		p.enter(ctx, portal, !p.meta.Followed)
	case !exists && live && (ch.IsIM || ch.IsMpIM) && !w.own(ch.User, ""):
		news, err := p.hasNews(ctx, ch.ID, since)
		if err != nil || !news {
			return err
		}
		w.log.Info("a direct message of which no event came gets its room", "channel", ch.ID, "login", p.login.ID)
		if _, err := w.openDirect(ctx, ch.ID, p); err != nil {
			return err
		}
	}
	return nil
}

// hasNews reports whether something was said in a conversation after since.
func (p *person) hasNews(ctx context.Context, channel, since string) (bool, error) {
	a := p.voice()
	if a == nil {
		return false, errSignedOut
	}
	var resp struct {
		Messages []message `json:"messages"`
	}
	err := a.call(ctx, "conversations.history", values("channel", channel, "oldest", since, "limit", "20"), &resp)
	if code(err) == "channel_not_found" {
		return false, nil // it has ended since it was listed
	}
	if err != nil {
		return false, err
	}
	for i := range resp.Messages {
		if m := &resp.Messages[i]; m.said() && !p.workspace().ours(m) {
			return true, nil
		}
	}
	return false, nil
}
