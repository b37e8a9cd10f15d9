package discord

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// guild is what the bridge knows of a guild. The pump alone changes it; others read
// under the lock.
type guild struct {
	wire.Guild
	roles    map[wire.ID]wire.Role
	channels map[wire.ID]wire.Channel
	threads  map[wire.ID]wire.Channel
	members  map[wire.ID]wire.Member
	// whole says that members are all that there are.
	whole bool
	// banned are those who may not join; all of them if bansKnown is set.
	banned    map[wire.ID]bool
	bansKnown bool
	events    map[wire.ID]wire.ScheduledEvent
	voice     map[wire.ID]wire.ID // channels that people talk in
}

// guilds is what the bridge knows of Discord.
type guilds struct {
	mu   sync.RWMutex
	list map[wire.ID]*guild
	// home is the guild of a channel or a thread.
	home map[wire.ID]wire.ID
	// frozen are the channels that the bridge has closed (see Freeze). Here they are as they were before, for in
	// Matrix they are open.
	frozen map[wire.ID]*before
}

func newGuilds() *guilds {
	return &guilds{list: make(map[wire.ID]*guild), home: make(map[wire.ID]wire.ID)}
}

// set takes over what GUILD_CREATE says.
func (gs *guilds) set(g wire.Guild) *guild {
	n := &guild{
		Guild: g, roles: map[wire.ID]wire.Role{}, channels: map[wire.ID]wire.Channel{},
		threads: map[wire.ID]wire.Channel{}, members: map[wire.ID]wire.Member{}, banned: map[wire.ID]bool{},
		events: map[wire.ID]wire.ScheduledEvent{}, voice: map[wire.ID]wire.ID{},
	}
	gs.mu.Lock()
	defer gs.mu.Unlock()
	for _, r := range g.Roles {
		n.roles[r.ID] = r
	}
	for _, ch := range g.Channels {
		ch.GuildID = g.ID
		gs.frozen[ch.ID].apply(&ch)
		n.channels[ch.ID] = ch
		gs.home[ch.ID] = g.ID
	}
	for _, t := range g.Threads {
		t.GuildID = g.ID
		n.threads[t.ID] = t
		gs.home[t.ID] = g.ID
	}
	for _, m := range g.Members {
		n.members[m.User.ID] = m
	}
	for _, ev := range g.Events {
		ev.GuildID = g.ID
		n.events[ev.ID] = ev
	}
	for _, v := range g.Voice {
		if v.ChannelID != "" {
			n.voice[v.UserID] = v.ChannelID
		}
	}
	delete(n.members, "") // of whom it is not said who they are
	n.whole = g.MemberCount > 0 && len(n.members) >= int(g.MemberCount)
	// What is in the maps need not be kept twice.
	n.Guild.Roles, n.Guild.Channels, n.Guild.Threads, n.Guild.Members = nil, nil, nil, nil
	n.Guild.Events, n.Guild.Voice = nil, nil
	gs.list[g.ID] = n
	return n
}

// change calls f with a guild, which it may change. It returns false if the guild is
// not known.
func (gs *guilds) change(id wire.ID, f func(*guild)) bool {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	g := gs.list[id]
	if g == nil {
		return false
	}
	f(g)
	return true
}

// read calls f with a guild, which it must neither change nor keep.
func (gs *guilds) read(id wire.ID, f func(*guild)) bool {
	gs.mu.RLock()
	defer gs.mu.RUnlock()
	g := gs.list[id]
	if g == nil {
		return false
	}
	f(g)
	return true
}

// channel returns a channel or a thread.
func (gs *guilds) channel(id wire.ID) (ch wire.Channel, ok bool) {
	gs.mu.RLock()
	defer gs.mu.RUnlock()
	g := gs.list[gs.home[id]]
	if g == nil {
		return ch, false
	}
	if ch, ok = g.channels[id]; !ok {
		ch, ok = g.threads[id]
	}
	return ch, ok
}

// setChannel takes over a channel or a thread.
func (gs *guilds) setChannel(ch wire.Channel) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	g := gs.list[ch.GuildID]
	if g == nil {
		return
	}
	gs.home[ch.ID] = ch.GuildID
	if ch.IsThread() {
		g.threads[ch.ID] = ch
	} else {
		gs.frozen[ch.ID].apply(&ch)
		g.channels[ch.ID] = ch
	}
}

// removeChannel forgets a channel or a thread.
func (gs *guilds) removeChannel(ch wire.Channel) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	if g := gs.list[ch.GuildID]; g != nil {
		delete(g.channels, ch.ID)
		delete(g.threads, ch.ID)
	}
	delete(gs.home, ch.ID)
}

// member returns a member of a guild.
func (gs *guilds) member(in, user wire.ID) (m wire.Member, ok bool) {
	gs.read(in, func(g *guild) { m, ok = g.members[user] })
	return m, ok
}

// ids are those of the guilds that are known.
func (gs *guilds) ids() []wire.ID {
	gs.mu.RLock()
	defer gs.mu.RUnlock()
	return slices.Sorted(maps.Keys(gs.list))
}

// sorted are the channels of a guild in the order in which Discord shows them.
func (g *guild) sorted() []wire.Channel {
	list := make([]wire.Channel, 0, len(g.channels))
	for _, ch := range g.channels {
		list = append(list, ch)
	}
	slices.SortFunc(list, func(a, b wire.Channel) int {
		return cmp.Or(cmp.Compare(boolInt(a.Type != wire.ChannelCategory), boolInt(b.Type != wire.ChannelCategory)),
			cmp.Compare(orderOf(&a), orderOf(&b)))
	})
	return list
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Permissions, as Discord numbers them.
const (
	permKick                 = 1 << 1
	permBan                  = 1 << 2
	permAdministrator        = 1 << 3
	permManageChannels       = 1 << 4
	permManageGuild          = 1 << 5
	permAddReactions         = 1 << 6
	permView                 = 1 << 10
	permSend                 = 1 << 11
	permManageMessages       = 1 << 13
	permAttach               = 1 << 15
	permReadHistory          = 1 << 16
	permManageRoles          = 1 << 28
	permManageWebhooks       = 1 << 29
	permManageThreads        = 1 << 34
	permCreateThreads        = 1 << 35
	permCreatePrivateThreads = 1 << 36
	permSendInThreads        = 1 << 38
	permAll                  = int64(1)<<62 - 1
	permModerateMembers      = 1 << 40
)

// permissions are those of somebody with some roles in a channel, or, without one, in
// the guild. user may be "": nobody in particular. Discord, "Permissions", "Permission
// Overwrites": those for @everyone come first, then those of all roles together, then
// those of the member.
func (g *guild) permissions(user wire.ID, roles []wire.ID, ch *wire.Channel) int64 {
	if user != "" && user == g.OwnerID {
		return permAll
	}
	have := int64(g.roles[g.ID].Permissions)
	for _, r := range roles {
		have |= int64(g.roles[r].Permissions)
	}
	if have&permAdministrator != 0 {
		return permAll
	}
	if ch == nil {
		return have
	}
	if ch.IsThread() {
		return g.threadPermissions(user, roles, ch)
	}
	if have = overwritten(have, g.ID, user, roles, ch); have&permView == 0 {
		return 0
	}
	return have
}

// overwritten is what a channel makes of permissions in the guild.
func overwritten(have int64, guildID, user wire.ID, roles []wire.ID, ch *wire.Channel) int64 {
	var allow, deny int64
	for _, o := range ch.Overwrites {
		if o.ID == guildID {
			have = have&^int64(o.Deny) | int64(o.Allow)
		}
	}
	for _, o := range ch.Overwrites {
		if o.Type == wire.OverwriteRole && o.ID != guildID && slices.Contains(roles, o.ID) {
			allow, deny = allow|int64(o.Allow), deny|int64(o.Deny)
		}
	}
	have = have&^deny | allow
	for _, o := range ch.Overwrites {
		if o.Type == wire.OverwriteMember && user != "" && o.ID == user {
			have = have&^int64(o.Deny) | int64(o.Allow)
		}
	}
	return have
}

// common are the permissions of everybody who is in a channel or a thread, also of one that not everybody sees: who is in its
// room was let in by somebody who may.
func (g *guild) common(ch *wire.Channel) int64 {
	parent := *ch
	if ch.IsThread() {
		parent = g.channels[ch.ParentID]
	}
	have := int64(g.roles[g.ID].Permissions)
	if have&permAdministrator != 0 {
		return permAll
	}
	have = overwritten(have, g.ID, "", nil, &parent)
	if ch.IsThread() {
		have = inThread(have, ch)
	}
	return have
}

// threadPermissions are those in a thread: those in its channel, with another permission for writing. Who is in a
// private thread is not known; those are who may manage threads, and who has said something.
func (g *guild) threadPermissions(user wire.ID, roles []wire.ID, t *wire.Channel) int64 {
	parent, ok := g.channels[t.ParentID]
	if !ok {
		return 0
	}
	have := g.permissions(user, roles, &parent)
	if have == permAll {
		return have
	}
	if t.Type == wire.ThreadPrivate && have&permManageThreads == 0 {
		return 0
	}
	return inThread(have, t)
}

// inThread is what permissions in a channel are in a thread of it: those with another one for writing.
func inThread(have int64, t *wire.Channel) int64 {
	have &^= permSend
	if have&permSendInThreads != 0 && !(t.Metadata.Locked && have&permManageThreads == 0) {
		have |= permSend
	}
	return have
}

// Power levels of people in rooms.
const (
	levelWriter    = 10 // where not everybody may write
	levelModerator = 50
	levelAdmin     = 100
)

// level is the power level for some permissions. readOnly says that not everybody may
// write in the room.
func level(have int64, readOnly bool) int {
	switch {
	case have&permAdministrator != 0, have&(permManageGuild|permManageChannels) == permManageGuild|permManageChannels:
		return levelAdmin
	case have&(permManageMessages|permKick|permBan|permManageChannels) != 0:
		return levelModerator
	case readOnly && have&permSend != 0:
		return levelWriter
	}
	return 0
}
