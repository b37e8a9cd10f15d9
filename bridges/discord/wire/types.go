package wire

import "encoding/json"

// User is somebody, or a webhook as the author of a message.
type User struct {
	ID            ID     `json:"id"`
	Username      string `json:"username"`
	GlobalName    string `json:"global_name"`
	Discriminator string `json:"discriminator"`
	Avatar        string `json:"avatar"`
	Bot           bool   `json:"bot"`
}

// Member is a user in a guild.
type Member struct {
	User     User     `json:"user"`
	Nick     string   `json:"nick"`
	Avatar   string   `json:"avatar"`
	Roles    List[ID] `json:"roles"`
	JoinedAt Time     `json:"joined_at"`
	// TimeoutUntil is until when they may say nothing.
	TimeoutUntil Time `json:"communication_disabled_until"`
}

// Role is a role of a guild.
type Role struct {
	ID          ID     `json:"id"`
	Name        string `json:"name"`
	Permissions Int    `json:"permissions"`
	Position    Int    `json:"position"`
	Mentionable bool   `json:"mentionable"`
}

// Overwrite changes the permissions of a role (Type 0) or a member (1) in a channel.
type Overwrite struct {
	ID    ID  `json:"id"`
	Type  Int `json:"type"`
	Allow Int `json:"allow"`
	Deny  Int `json:"deny"`
}

// ChannelType is the kind of a channel.
type ChannelType = Int

// The kinds of channels.
const (
	ChannelText          ChannelType = 0
	ChannelDM            ChannelType = 1
	ChannelVoice         ChannelType = 2
	ChannelCategory      ChannelType = 4
	ChannelAnnouncement  ChannelType = 5
	ThreadAnnouncement   ChannelType = 10
	ThreadPublic         ChannelType = 11
	ThreadPrivate        ChannelType = 12
	ChannelStage         ChannelType = 13
	ChannelForum         ChannelType = 15
	ChannelMedia         ChannelType = 16
	maxThreadType                    = ThreadPrivate
	OverwriteRole        Int         = 0
	OverwriteMember      Int         = 1
	MessageDefault       Int         = 0
	MessagePin           Int         = 6
	MessageJoin          Int         = 7
	MessageThreadCreated Int         = 18
	MessageReply         Int         = 19
	MessageCommand       Int         = 20
	MessageThreadStarter Int         = 21
	MessageContextMenu   Int         = 23
)

// Channel is a channel of a guild, a category or a thread.
type Channel struct {
	ID            ID              `json:"id"`
	GuildID       ID              `json:"guild_id"`
	Type          ChannelType     `json:"type"`
	Name          string          `json:"name"`
	Topic         string          `json:"topic"`
	Position      Int             `json:"position"`
	ParentID      ID              `json:"parent_id"`
	LastMessageID ID              `json:"last_message_id"`
	OwnerID       ID              `json:"owner_id"`
	Overwrites    List[Overwrite] `json:"permission_overwrites"`
	SlowMode      Int             `json:"rate_limit_per_user"`
	NSFW          bool            `json:"nsfw"`
	Flags         Int             `json:"flags"`
	// Metadata and AppliedTags are of threads alone, and Tags of forums: those that their posts may have.
	Metadata struct {
		Archived   bool `json:"archived"`
		Locked     bool `json:"locked"`
		ArchivedAt Time `json:"archive_timestamp"`
	} `json:"thread_metadata"`
	AppliedTags List[ID]  `json:"applied_tags"`
	Tags        List[Tag] `json:"available_tags"`
}

// Tag is a tag of a forum.
type Tag struct {
	ID        ID     `json:"id"`
	Name      string `json:"name"`
	Moderated bool   `json:"moderated"`
	EmojiName string `json:"emoji_name"`
}

// IsThread reports whether the channel is a thread.
func (c *Channel) IsThread() bool { return c.Type >= ThreadAnnouncement && c.Type <= maxThreadType }

// HasMessages reports whether people write in the channel, or in its threads.
func (c *Channel) HasMessages() bool {
	switch c.Type {
	case ChannelText, ChannelVoice, ChannelAnnouncement, ChannelStage, ChannelForum, ChannelMedia:
		return true
	}
	return false
}

// IsForum reports whether the channel holds threads alone.
func (c *Channel) IsForum() bool { return c.Type == ChannelForum || c.Type == ChannelMedia }

// Guild is a guild, with what GUILD_CREATE says of it.
type Guild struct {
	ID          ID            `json:"id"`
	Unavailable bool          `json:"unavailable"`
	Name        string        `json:"name"`
	Description string        `json:"description"`
	Icon        string        `json:"icon"`
	OwnerID     ID            `json:"owner_id"`
	Roles       List[Role]    `json:"roles"`
	Channels    List[Channel] `json:"channels"`
	Threads     List[Channel] `json:"threads"`
	Members     List[Member]  `json:"members"`
	MemberCount Int           `json:"member_count"`
	Large       bool          `json:"large"`
	// SystemChannelID is where Discord itself writes.
	SystemChannelID ID                   `json:"system_channel_id"`
	Events          List[ScheduledEvent] `json:"guild_scheduled_events"`
	Voice           List[VoiceState]     `json:"voice_states"`
}

// ScheduledEvent is something that a guild has planned.
type ScheduledEvent struct {
	ID          ID     `json:"id"`
	GuildID     ID     `json:"guild_id"`
	ChannelID   ID     `json:"channel_id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Start       Time   `json:"scheduled_start_time"`
	Status      Int    `json:"status"`
	Place       struct {
		Location string `json:"location"`
	} `json:"entity_metadata"`
}

// VoiceState says in which voice channel somebody is; in none if ChannelID is "".
type VoiceState struct {
	GuildID   ID      `json:"guild_id"`
	ChannelID ID      `json:"channel_id"`
	UserID    ID      `json:"user_id"`
	Member    *Member `json:"member"`
}

// Emoji is a Unicode emoji (Name alone) or a custom one.
type Emoji struct {
	ID       ID     `json:"id"`
	Name     string `json:"name"`
	Animated bool   `json:"animated"`
}

// Attachment is a file of a message.
type Attachment struct {
	ID          ID     `json:"id"`
	Filename    string `json:"filename"`
	Description string `json:"description"`
	ContentType string `json:"content_type"`
	Size        Int    `json:"size"`
	URL         string `json:"url"`
	Width       Int    `json:"width"`
	Height      Int    `json:"height"`
	// Duration, in seconds, and Waveform, base64 of a byte a sample, are those of
	// voice messages.
	Duration Float  `json:"duration_secs"`
	Waveform string `json:"waveform"`
}

// Sticker is a sticker; Format is 1 PNG, 2 APNG, 3 Lottie, 4 GIF.
type Sticker struct {
	ID     ID     `json:"id"`
	Name   string `json:"name"`
	Format Int    `json:"format_type"`
}

// Embed is a box below a message.
type Embed struct {
	Type        string `json:"type"`
	Title       string `json:"title"`
	Description string `json:"description"`
	URL         string `json:"url"`
	Author      struct {
		Name string `json:"name"`
		URL  string `json:"url"`
	} `json:"author"`
	Footer struct {
		Text string `json:"text"`
	} `json:"footer"`
	Image struct {
		URL string `json:"url"`
	} `json:"image"`
	Fields List[struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}] `json:"fields"`
}

// Reference names another message.
type Reference struct {
	Type      Int `json:"type"` // 1 is a forward
	MessageID ID  `json:"message_id"`
	ChannelID ID  `json:"channel_id"`
	GuildID   ID  `json:"guild_id"`
}

// PollMedia is the text of a question or an answer.
type PollMedia struct {
	Text  string `json:"text"`
	Emoji Emoji  `json:"emoji"`
}

// Poll is a poll.
type Poll struct {
	Question PollMedia `json:"question"`
	Answers  List[struct {
		ID    Int       `json:"answer_id"`
		Media PollMedia `json:"poll_media"`
	}] `json:"answers"`
	Expiry      Time `json:"expiry"`
	Multiselect bool `json:"allow_multiselect"`
	Results     struct {
		Finalized bool `json:"is_finalized"`
		Counts    List[struct {
			ID    Int `json:"id"`
			Count Int `json:"count"`
		}] `json:"answer_counts"`
	} `json:"results"`
}

// Message is a message.
type Message struct {
	ID              ID               `json:"id"`
	ChannelID       ID               `json:"channel_id"`
	GuildID         ID               `json:"guild_id"`
	Author          User             `json:"author"`
	Member          *Member          `json:"member"`
	Content         string           `json:"content"`
	Timestamp       Time             `json:"timestamp"`
	Edited          Time             `json:"edited_timestamp"`
	Type            Int              `json:"type"`
	Flags           Int              `json:"flags"`
	WebhookID       ID               `json:"webhook_id"`
	ApplicationID   ID               `json:"application_id"`
	Nonce           json.RawMessage  `json:"nonce"`
	Pinned          bool             `json:"pinned"`
	MentionEveryone bool             `json:"mention_everyone"`
	Mentions        List[User]       `json:"mentions"`
	Attachments     List[Attachment] `json:"attachments"`
	Embeds          List[Embed]      `json:"embeds"`
	Stickers        List[Sticker]    `json:"sticker_items"`
	Reference       *Reference       `json:"message_reference"`
	Thread          *Channel         `json:"thread"`
	Poll            *Poll            `json:"poll"`
	Components      List[Component]  `json:"components"`
	Interaction     *Interaction     `json:"interaction"` // older than the next
	InteractionInfo *Interaction     `json:"interaction_metadata"`
	Snapshots       List[struct {
		Message Message `json:"message"`
	}] `json:"message_snapshots"`
}

// Interaction says which command a message is the answer to.
type Interaction struct {
	Name string `json:"name"`
	User User   `json:"user"`
}

// Component is something below or in a message that is laid out or can be clicked.
type Component struct {
	Type        Int             `json:"type"`
	Label       string          `json:"label"`
	URL         string          `json:"url"`
	Placeholder string          `json:"placeholder"`
	Content     string          `json:"content"`
	Description string          `json:"description"`
	Emoji       Emoji           `json:"emoji"`
	Components  List[Component] `json:"components"`
	Accessory   *Component      `json:"accessory"`
	Media       Media           `json:"media"`
	File        Media           `json:"file"`
	Options     List[struct {
		Label string `json:"label"`
	}] `json:"options"`
	Items List[struct {
		Media       Media  `json:"media"`
		Description string `json:"description"`
	}] `json:"items"`
}

// Media is a file of a component.
type Media struct {
	URL string `json:"url"`
}

// Webhook is a webhook.
type Webhook struct {
	ID            ID     `json:"id"`
	Type          Int    `json:"type"`
	ChannelID     ID     `json:"channel_id"`
	Name          string `json:"name"`
	Token         string `json:"token"`
	ApplicationID ID     `json:"application_id"`
}

// ReactionEvent is the data of MESSAGE_REACTION_ADD and its like.
type ReactionEvent struct {
	UserID    ID      `json:"user_id"`
	ChannelID ID      `json:"channel_id"`
	MessageID ID      `json:"message_id"`
	GuildID   ID      `json:"guild_id"`
	Member    *Member `json:"member"`
	Emoji     Emoji   `json:"emoji"`
}

// DeleteEvent is the data of MESSAGE_DELETE and MESSAGE_DELETE_BULK.
type DeleteEvent struct {
	ID        ID       `json:"id"`
	IDs       List[ID] `json:"ids"`
	ChannelID ID       `json:"channel_id"`
	GuildID   ID       `json:"guild_id"`
}

// RoleEvent is the data of GUILD_ROLE_CREATE, _UPDATE and _DELETE.
type RoleEvent struct {
	GuildID ID   `json:"guild_id"`
	Role    Role `json:"role"`
	RoleID  ID   `json:"role_id"`
}

// MemberEvent is the data of GUILD_MEMBER_ADD, _UPDATE and _REMOVE.
type MemberEvent struct {
	Member
	GuildID ID `json:"guild_id"`
}

// TypingEvent is the data of TYPING_START.
type TypingEvent struct {
	UserID    ID      `json:"user_id"`
	ChannelID ID      `json:"channel_id"`
	GuildID   ID      `json:"guild_id"`
	Member    *Member `json:"member"`
}

// PinsEvent is the data of CHANNEL_PINS_UPDATE.
type PinsEvent struct {
	ChannelID ID `json:"channel_id"`
	GuildID   ID `json:"guild_id"`
}
