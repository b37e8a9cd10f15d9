package discordtest

import (
	"strconv"
	"time"
)

// User is an account.
type User struct {
	ID            string  `json:"id"`
	Username      string  `json:"username"`
	Discriminator string  `json:"discriminator"`
	GlobalName    *string `json:"global_name"`
	Avatar        *string `json:"avatar"`
	Bot           bool    `json:"bot,omitempty"`
	PublicFlags   int     `json:"public_flags"`
	Flags         int     `json:"flags"`
	Banner        *string `json:"banner"`
	AccentColor   *int    `json:"accent_color"`
	PrimaryGuild  *string `json:"primary_guild"`
}

// Member is a user in a guild.
type Member struct {
	User     *User    `json:"user,omitempty"`
	Nick     *string  `json:"nick"`
	Avatar   *string  `json:"avatar"`
	Roles    []string `json:"roles"`
	JoinedAt string   `json:"joined_at"`
	Deaf     bool     `json:"deaf"`
	Mute     bool     `json:"mute"`
	Flags    int      `json:"flags"`
	Banner   *string  `json:"banner"`
	Pending  bool     `json:"pending"`
	// TimeoutUntil is until when they may say nothing.
	TimeoutUntil *string `json:"communication_disabled_until"`
	BoostsSince  *string `json:"premium_since"`
}

// Role is a role.
type Role struct {
	ID          string  `json:"id"`
	Name        string  `json:"name"`
	Color       int     `json:"color"`
	Colors      Colors  `json:"colors"`
	Hoist       bool    `json:"hoist"`
	Position    int     `json:"position"`
	Permissions string  `json:"permissions"`
	Managed     bool    `json:"managed"`
	Mentionable bool    `json:"mentionable"`
	Icon        *string `json:"icon"`
	Emoji       *string `json:"unicode_emoji"`
	Flags       int     `json:"flags"`
}

// Colors are those of a role.
type Colors struct {
	Primary   int  `json:"primary_color"`
	Secondary *int `json:"secondary_color"`
	Tertiary  *int `json:"tertiary_color"`
}

// Overwrite is one of a channel's permissions.
type Overwrite struct {
	ID    string `json:"id"`
	Type  int    `json:"type"`
	Allow string `json:"allow"`
	Deny  string `json:"deny"`
}

// Channel is a channel or a thread.
type Channel struct {
	ID             string          `json:"id"`
	Type           int             `json:"type"`
	GuildID        string          `json:"guild_id,omitempty"`
	Name           string          `json:"name"`
	Topic          *string         `json:"topic"`
	Position       int             `json:"position"`
	ParentID       *string         `json:"parent_id"`
	LastMessageID  *string         `json:"last_message_id"`
	OwnerID        string          `json:"owner_id,omitempty"`
	Overwrites     []Overwrite     `json:"permission_overwrites,omitzero"`
	RateLimit      int             `json:"rate_limit_per_user"`
	Flags          int             `json:"flags"`
	ThreadMetadata *ThreadMetadata `json:"thread_metadata,omitempty"`
	Tags           []Tag           `json:"available_tags,omitempty"`
	AppliedTags    []string        `json:"applied_tags,omitempty"`
	MessageCount   *int            `json:"message_count,omitempty"`
	MemberCount    *int            `json:"member_count,omitempty"`
	TotalMessages  *int            `json:"total_message_sent,omitempty"`
}

// Tag is a tag of a forum.
type Tag struct {
	ID        string  `json:"id"`
	Name      string  `json:"name"`
	Moderated bool    `json:"moderated"`
	EmojiID   *string `json:"emoji_id"`
	EmojiName *string `json:"emoji_name"`
}

// ThreadMetadata is of threads.
type ThreadMetadata struct {
	Archived            bool   `json:"archived"`
	AutoArchiveDuration int    `json:"auto_archive_duration"`
	ArchiveTimestamp    string `json:"archive_timestamp"`
	Locked              bool   `json:"locked"`
}

// Emoji names an emoji in a reaction.
type Emoji struct {
	ID       *string `json:"id"`
	Name     string  `json:"name"`
	Animated bool    `json:"animated,omitempty"`
}

// Reaction is a count of reactions.
type Reaction struct {
	Count  int      `json:"count"`
	Counts Counts   `json:"count_details"`
	Me     bool     `json:"me"`
	MeSup  bool     `json:"me_burst"`
	Colors []string `json:"burst_colors"`
	Emoji  Emoji    `json:"emoji"`
	users  []string
}

// Counts are how many reactions are super reactions, and how many are not.
type Counts struct {
	Burst  int `json:"burst"`
	Normal int `json:"normal"`
}

// Attachment is a file.
type Attachment struct {
	ID          string `json:"id"`
	Filename    string `json:"filename"`
	Size        int    `json:"size"`
	URL         string `json:"url"`
	ProxyURL    string `json:"proxy_url"`
	ContentType string `json:"content_type,omitempty"`
	Width       int    `json:"width,omitempty"`
	Height      int    `json:"height,omitempty"`
	// Duration and Waveform are of voice messages.
	Duration float64 `json:"duration_secs,omitempty"`
	Waveform string  `json:"waveform,omitempty"`
}

// Reference names another message.
type Reference struct {
	Type      int    `json:"type"`
	MessageID string `json:"message_id,omitempty"`
	ChannelID string `json:"channel_id"`
	GuildID   string `json:"guild_id,omitempty"`
}

// Message is a message.
type Message struct {
	ID              string           `json:"id"`
	ChannelID       string           `json:"channel_id"`
	GuildID         string           `json:"guild_id,omitempty"`
	Author          *User            `json:"author"`
	Member          *Member          `json:"member,omitempty"`
	Content         string           `json:"content"`
	Timestamp       string           `json:"timestamp"`
	EditedTimestamp *string          `json:"edited_timestamp"`
	TTS             bool             `json:"tts"`
	MentionEveryone bool             `json:"mention_everyone"`
	Mentions        []*User          `json:"mentions"`
	MentionRoles    []string         `json:"mention_roles"`
	Attachments     []Attachment     `json:"attachments"`
	Embeds          []map[string]any `json:"embeds"`
	Reactions       []*Reaction      `json:"reactions,omitempty"`
	Pinned          bool             `json:"pinned"`
	Type            int              `json:"type"`
	Flags           int              `json:"flags"`
	WebhookID       string           `json:"webhook_id,omitempty"`
	ApplicationID   string           `json:"application_id,omitempty"`
	Reference       *Reference       `json:"message_reference,omitempty"`
	StickerItems    []map[string]any `json:"sticker_items,omitempty"`
	Poll            map[string]any   `json:"poll,omitempty"`
	Snapshots       []map[string]any `json:"message_snapshots,omitempty"`
	Thread          *Channel         `json:"thread,omitempty"`
	Components      []map[string]any `json:"components"`
	Nonce           string           `json:"nonce,omitempty"`
	Interaction     map[string]any   `json:"interaction,omitempty"`
}

// Webhook is a webhook.
type Webhook struct {
	ID            string  `json:"id"`
	Type          int     `json:"type"`
	GuildID       string  `json:"guild_id"`
	ChannelID     string  `json:"channel_id"`
	Name          string  `json:"name"`
	Avatar        *string `json:"avatar"`
	Token         string  `json:"token,omitempty"`
	ApplicationID string  `json:"application_id"`
	User          *User   `json:"user,omitempty"`
}

// Guild is a guild with all that is in it.
type Guild struct {
	ID       string
	Name     string
	OwnerID  string
	Roles    []*Role
	Channels []*Channel
	Threads  []*Channel
	Members  []*Member
	Banned   []string
}

// Permissions, as bits.
const (
	AddReactions    = 1 << 6
	ViewChannel     = 1 << 10
	SendMessages    = 1 << 11
	ManageMessages  = 1 << 13
	AttachFiles     = 1 << 15
	ReadHistory     = 1 << 16
	MentionEveryone = 1 << 17
	ManageRoles     = 1 << 28
	ManageWebhooks  = 1 << 29
	CreateThreads   = 1 << 35
	SendInThreads   = 1 << 38
	Administrator   = 1 << 3
	KickMembers     = 1 << 1
	Everyday        = AddReactions | ViewChannel | SendMessages | AttachFiles | ReadHistory | CreateThreads | SendInThreads
)

func bits(n int64) string { return strconv.FormatInt(n, 10) }

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000+00:00") }

func ptr[T any](v T) *T { return &v }
