package discord

import (
	"context"
	"hash/fnv"
	"strings"
	"sync"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// look is how somebody is shown: a name, and the path of a picture on Discord's file server, "" for none.
type look struct{ name, picture string }

// globalLook is somebody's look outside of guilds.
func globalLook(u wire.User) look {
	l := look{name: u.Username}
	if u.GlobalName != "" {
		l.name = u.GlobalName
	}
	if u.Avatar != "" {
		l.picture = "/avatars/" + string(u.ID) + "/" + u.Avatar + extension(u.Avatar)
	}
	return l
}

// guildLook is somebody's look in a guild. m may be nil.
func guildLook(guild wire.ID, u wire.User, m *wire.Member) look {
	l := globalLook(u)
	if m == nil {
		return l
	}
	if m.Nick != "" {
		l.name = m.Nick
	}
	if m.Avatar != "" {
		l.picture = "/guilds/" + string(guild) + "/users/" + string(u.ID) + "/avatars/" + m.Avatar + extension(m.Avatar)
	}
	return l
}

// userInfo is the profile of a ghost. With one guild it is how the guild knows them; with several, which may call
// them by different names, it is what they call themselves, and rooms know them by the guild's name (see dress).
func (n *bot) userInfo(guild wire.ID, u wire.User, m *wire.Member) *bridgev2.UserInfo {
	l := guildLook(guild, u, m)
	if n.many.Load() {
		l = globalLook(u)
	}
	info := &bridgev2.UserInfo{Name: &l.name, IsBot: &u.Bot, Identifiers: []string{"discord:" + u.Username}}
	if l.picture == "" {
		info.Avatar = &bridgev2.Avatar{ID: "", Remove: true}
	} else {
		info.Avatar = n.avatar(l.picture)
	}
	return info
}

// extension is that of an image's address; animated ones are told by their hash.
func extension(hash string) string {
	if strings.HasPrefix(hash, "a_") {
		return ".gif"
	}
	return ".png"
}

// maxAvatar is the largest avatar, in bytes, that is taken over.
const maxAvatar = 10 << 20

func (n *bot) avatar(path string) *bridgev2.Avatar {
	return &bridgev2.Avatar{ID: networkid.AvatarID(path), Get: func(ctx context.Context) ([]byte, error) {
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		raw, _, err := n.api.Download(ctx, n.api.CDN(path)+"?size=256", maxAvatar)
		return raw, err
	}}
}

// people remembers how ghosts were introduced in this run.
//
// The framework's own object of a ghost is shared by all rooms and has no lock, so it is never changed: profiles
// are written from a copy of the ghost's row, by one goroutine at a time for each ghost.
// What that object says of name and picture is taken out of it before a room can read it: it would be of the past.
type people struct {
	mu    sync.Mutex
	known map[networkid.UserID]shown
	turns [64]sync.Mutex // of ghosts, by the hash of their id
}

// shown is how a ghost was introduced.
type shown struct {
	key  string // of what is shown
	name string
	mxc  id.ContentURIString
}

// knows reports whether a ghost was introduced in this run.
func (p *people) knows(ghost networkid.UserID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.known[ghost]
	return ok
}

// maxPeople bounds what is remembered of ghosts; who is forgotten is compared with their row once more.
const maxPeople = 200_000

// introduce makes sure that a ghost exists in Matrix and looks as it should, before anything of the ghost is handed to
// a room. It reports whether the profile was changed. It may be called from several goroutines.
func (n *bot) introduce(ctx context.Context, ghostID networkid.UserID, info *bridgev2.UserInfo) (changed bool) {
	key := *info.Name + "\x00" + string(info.Avatar.ID)
	same := func() bool {
		n.people.mu.Lock()
		defer n.people.mu.Unlock()
		return n.people.known[ghostID].key == key
	}
	if same() {
		return false
	}
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(ghostID))
	turn := &n.people.turns[sum.Sum32()%uint32(len(n.people.turns))]
	turn.Lock()
	defer turn.Unlock()
	if same() {
		return false
	}
	shared, err := n.b.br.GetGhostByID(ctx, ghostID)
	if err != nil {
		n.log.Error("a person is not shown as they should be", "error", err)
		return false
	}
	if shared.Name != "" || shared.AvatarMXC != "" {
		shared.Name, shared.AvatarMXC = "", ""
	}
	row, err := n.b.br.DB.Ghost.GetByID(ctx, ghostID)
	if err != nil || row == nil {
		n.log.Error("a person is not shown as they should be", "error", err)
		return false
	}
	if row.Name != *info.Name || !row.NameSet || row.AvatarID != info.Avatar.ID || !row.AvatarSet {
		own := &bridgev2.Ghost{Ghost: row, Bridge: n.b.br, Log: shared.Log, Intent: shared.Intent}
		own.UpdateInfo(ctx, info)
		changed = true
	}
	if !row.NameSet {
		key = "" // it is tried again
	}
	n.people.mu.Lock()
	if len(n.people.known) > maxPeople {
		clear(n.people.known)
	}
	n.people.known[ghostID] = shown{key: key, name: row.Name, mxc: row.AvatarMXC}
	n.people.mu.Unlock()
	return changed
}

// introducers is how many ghosts are introduced at once when a guild is taken over.
const introducers = 8

// introduceAll introduces the members of a guild whose members are all shown.
func (n *bot) introduceAll(ctx context.Context, guildID wire.ID) {
	var list []wire.Member
	n.guilds.read(guildID, func(g *guild) {
		for user, m := range g.members {
			if g.whole && user != n.self {
				list = append(list, m)
			}
		}
	})
	todo := make(chan wire.Member)
	work := appservice.Work{By: n.b.deps.Go}
	for range min(introducers, len(list)) {
		work.Go(func() {
			for m := range todo {
				n.introduce(ctx, userID(m.User.ID), n.userInfo(guildID, m.User, &m))
			}
		})
	}
	for _, m := range list {
		todo <- m
	}
	close(todo)
	work.Wait()
}

// nameOf is what a ghost is called; "" if that is not known.
func (n *bot) nameOf(ctx context.Context, id networkid.UserID) string {
	row, err := n.b.br.DB.Ghost.GetByID(ctx, id)
	if err != nil || row == nil {
		return ""
	}
	return row.Name
}

// membership is what a ghost's membership says of it.
func (p *people) membership(ghost networkid.UserID) map[string]any {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.known[ghost]
	out := map[string]any{"displayname": s.name}
	if s.mxc != "" {
		out["avatar_url"] = string(s.mxc)
	}
	return out
}
