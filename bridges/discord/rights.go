package discord

import "strconv"

// right is a permission that the bot needs.
type right struct {
	bit  int64
	name string // as Discord's settings have it
	// what cannot be done without it
	loss string
	// must says that bridging a channel does not work without it.
	must bool
}

// rights are all that the bot needs, and no more: those of channels, and those of the guild.
func rights() []right {
	return []right{
		{permView, "View Channel", "the channel is not bridged", true},
		{permSend, "Send Messages", "the bot cannot say anything by itself, such as that the community has moved", false},
		{permManageWebhooks, "Manage Webhooks", "nothing from Matrix arrives", true},
		{permReadHistory, "Read Message History", "what is said while the bridge is away is lost", true},
		{permAddReactions, "Add Reactions", "reactions from Matrix do not arrive", false},
		{permManageMessages, "Manage Messages", "moderators in Matrix cannot delete what people on Discord say", false},
		{permCreateThreads, "Create Public Threads", "nobody in Matrix can begin a thread", false},
		{permSendInThreads, "Send Messages in Threads", "the bot cannot say anything in threads", false},
		{permManageThreads, "Manage Threads", "threads cannot be archived from Matrix", false},
	}
}

// guildRights are those that the bot needs in the whole guild, for moderation from Matrix.
func guildRights() []right {
	return []right{
		{permKick, "Kick Members", "nobody can be kicked from Matrix", false},
		{permBan, "Ban Members", "nobody can be banned from Matrix, and bans of the past are not known", false},
		{permModerateMembers, "Timeout Members", "nobody can be timed out from Matrix", false},
	}
}

// lacks are those of some rights that somebody does not have.
func lacks(have int64, need []right) (list []right) {
	for _, r := range need {
		if have&r.bit == 0 {
			list = append(list, r)
		}
	}
	return list
}

// invitedWith is the sum of all rights.
func invitedWith() (sum int64) {
	for _, r := range append(rights(), guildRights()...) {
		sum |= r.bit
	}
	return sum
}

// InviteURL is the address at which somebody who may manage a guild invites the bot of an application, with the rights
// that it needs and no others.
func InviteURL(application string) string {
	return "https://discord.com/oauth2/authorize?client_id=" + application + "&scope=bot%20applications.commands&permissions=" + strconv.FormatInt(invitedWith(), 10)
}

// missingRights names what the bot needs in a channel and does not have.
func missingRights(have int64) (missing []string) {
	for _, r := range lacks(have, rights()) {
		missing = append(missing, r.name)
	}
	return missing
}
