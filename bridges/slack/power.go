package slack

import (
	"context"
	"maps"
	"slices"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/bridges/slack/format"
)

// level is somebody's power in the rooms of the workspace.
func (w *workspace) level(u *user) int {
	level := 0
	switch {
	case u.Owner:
		level = w.cfg.OwnerPower
	case u.Admin:
		level = w.cfg.AdminPower
	}
	return max(level, w.groupLevels()[u.ID])
}

// groupLevels is who has power by user groups, and how much.
func (w *workspace) groupLevels() map[string]int {
	out := make(map[string]int)
	for handle, level := range w.cfg.GroupPower {
		id, ok := w.dir.groupOf(handle)
		if !ok {
			continue
		}
		g, _ := w.dir.group(id)
		for _, u := range g.users {
			out[u] = max(out[u], level)
		}
	}
	return out
}

// changeLevels gives those another power in all rooms whose power was another before.
func (w *workspace) changeLevels(ctx context.Context, before, after map[string]int) {
	var members []bridgev2.ChatMember
	ids := maps.Clone(before)
	maps.Copy(ids, after)
	for _, user := range slices.Sorted(maps.Keys(ids)) {
		if before[user] == after[user] {
			continue
		}
		w.introduce(ctx, user)
		m := w.member(ctx, user, event.MembershipJoin)
		m.PrevMembership = event.MembershipJoin // who is not there does not come
		members = append(members, m)
	}
	if len(members) == 0 {
		return
	}
	for _, channel := range w.gaps.channels() {
		w.changeMember(nil, channel, "", members...)
	}
}

// showStatus shows somebody's status with their presence, if it is another than was was.
func (w *workspace) showStatus(ctx context.Context, u *user, was *profile) {
	if !w.cfg.Status || u.Profile.StatusText == was.StatusText && u.Profile.StatusEmoji == was.StatusEmoji {
		return
	}
	intent := appservice.GhostOf(w.b.br.Matrix.GhostIntent(ghostID(u.ID)))
	if intent == nil { // who has an account says by it what they are up to
		return
	}
	text := format.Plain(format.Mrkdwn(u.Profile.StatusText))
	if u.Profile.StatusEmoji != "" {
		emoji := format.Plain(format.Mrkdwn(u.Profile.StatusEmoji))
		if text == "" {
			text = emoji
		} else {
			text = emoji + " " + text
		}
	}
	presence := event.PresenceUnavailable // Slack does not tell apps who is active
	if err := intent.Matrix.EnsureRegistered(ctx); err != nil {
		w.log.Warn("a status is not shown", "user", u.ID, "error", err)
		return
	}
	if err := intent.Matrix.SetPresence(ctx, mautrix.ReqPresence{Presence: presence, StatusMsg: cutBytes(text, 250)}); err != nil {
		w.log.Warn("a status is not shown", "user", u.ID, "error", err)
	}
}
