package slack

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
)

// people remembers how ghosts were shown in this run.
//
// The framework guards nothing in a ghost, and each room's goroutine reads it. So a
// ghost is written only while no room handles anything: those who handle hold busy for
// reading.
type people struct {
	busy   sync.RWMutex
	mu     sync.Mutex
	shown  map[networkid.UserID]string
	status map[string]bool // whose status was looked at
}

// first reports whether somebody's status is looked at for the first time.
func (p *people) first(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.status[id] {
		return false
	}
	p.status[id] = true
	return true
}

// GetUserInfo implements bridgev2.NetworkAPI.
func (w *workspace) GetUserInfo(ctx context.Context, ghost *bridgev2.Ghost) (*bridgev2.UserInfo, error) {
	if strings.Contains(string(ghost.ID), ".") || strings.HasPrefix(string(ghost.ID), "b") {
		return nil, nil // a bot's message says how it is called
	}
	u := w.dir.user(ctx, slackID(ghost.ID))
	if u == nil {
		return nil, nil
	}
	return w.userInfo(u), nil
}

func (w *workspace) userInfo(u *user) *bridgev2.UserInfo {
	name := u.displayName()
	switch {
	case u.Deleted:
		name += " (deactivated)"
	case u.Guest:
		name += " (guest)"
	case w.stranger(u):
		name += " (external)"
	}
	address, _ := u.Profile.avatar()
	bot := u.Bot
	return &bridgev2.UserInfo{Name: &name, IsBot: &bot, Avatar: w.avatar(address), Identifiers: []string{"slack:" + u.ID}}
}

// stranger reports whether somebody is of another organisation, with whom a channel is shared.
func (w *workspace) stranger(u *user) bool {
	if u.Stranger {
		return true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.self != nil && w.self.EnterpriseID == "" && u.TeamID != "" && u.TeamID != w.self.TeamID
}

// avatar is a picture at a public address.
func (w *workspace) avatar(address string) *bridgev2.Avatar {
	if address == "" {
		return nil
	}
	return &bridgev2.Avatar{ID: networkid.AvatarID(address), Get: func(ctx context.Context) ([]byte, error) { return w.fetch(ctx, address) }}
}

// fetch gets a public picture; no token goes with the request.
func (w *workspace) fetch(ctx context.Context, address string) ([]byte, error) {
	buf := limitedBuffer{left: 8 << 20}
	err := w.api.read(ctx, "picture", func() error {
		buf = limitedBuffer{left: 8 << 20}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return err
		}
		resp, err := w.api.http.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return statusError(resp)
		}
		_, err = buf.ReadFrom(http.MaxBytesReader(nil, resp.Body, 8<<20))
		return err
	})
	if err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// introduce makes sure that somebody's ghost is as they are now. It must not be called
// in a turn of a room.
func (w *workspace) introduce(ctx context.Context, id string) {
	if u := w.dir.user(ctx, id); u != nil {
		address, _ := u.Profile.avatar()
		info := w.userInfo(u)
		w.show(ctx, ghostID(id), *info.Name+"\x00"+address, info)
		if w.cfg.Status && w.people.first(id) {
			w.showStatus(ctx, u, &profile{})
		}
	}
}

// show gives a ghost a name and picture, which state tells from others.
func (w *workspace) show(ctx context.Context, ghost networkid.UserID, state string, info *bridgev2.UserInfo) {
	w.people.mu.Lock()
	same := w.people.shown[ghost] == state
	w.people.mu.Unlock()
	if same {
		return
	}
	w.people.busy.Lock()
	defer w.people.busy.Unlock()
	g, err := w.b.br.GetGhostByID(ctx, ghost)
	if err != nil {
		w.log.Error("somebody is not shown as they should be", "ghost", ghost, "error", err)
		return
	}
	g.UpdateInfo(ctx, info)
	w.people.mu.Lock()
	w.people.shown[ghost] = state
	w.people.mu.Unlock()
}

// sender returns whose ghost says a message, and makes sure that it is shown as the
// message says.
func (w *workspace) sender(ctx context.Context, m *message) networkid.UserID {
	bot := true
	switch {
	case m.BotID != "" && (m.Username != "" || m.User == "" || m.Subtype == "bot_message"):
		name, picture := firstNonEmpty(m.Username, m.BotProfile.Name), m.Icons.address()
		if picture == "" && m.Icons.Emoji != "" {
			picture = w.dir.customEmoji(strings.Trim(m.Icons.Emoji, ":"))
		}
		if picture == "" {
			picture = m.BotProfile.Icons.address()
		}
		if name == "" || picture == "" {
			known := w.dir.bot(ctx, m.BotID)
			name, picture = firstNonEmpty(name, known.name), firstNonEmpty(picture, known.picture)
		}
		if name == "" {
			name = m.BotID
		}
		ghost := BotGhostID(m.BotID, m.Username, m.BotProfile.Name)
		w.show(ctx, ghost, name+"\x00"+picture, &bridgev2.UserInfo{Name: &name, IsBot: &bot, Avatar: w.avatar(picture)})
		return ghost
	case m.User == "USLACKBOT":
		name := "Slackbot"
		w.show(ctx, ghostID(m.User), name, &bridgev2.UserInfo{Name: &name, IsBot: &bot})
		return ghostID(m.User)
	case m.User == "":
		return ""
	}
	if m.UserProfile != nil && w.dir.known(m.User) == nil {
		// Strangers of Slack Connect cannot always be asked for.
		w.dir.setUser(&user{ID: m.User, RealName: m.UserProfile.RealName, Profile: *m.UserProfile})
	}
	w.introduce(ctx, m.User)
	return ghostID(m.User)
}
