package slack

import (
	"encoding/json"
	"strconv"
	"strings"
)

// eventHead says what an event is.
type eventHead struct {
	Type    string `json:"type"`
	Subtype string `json:"subtype"`
}

// message is a message of an event or of history.
type message struct {
	Type     string `json:"type"`
	Subtype  string `json:"subtype"`
	Channel  string `json:"channel"`
	User     string `json:"user"`
	Text     string `json:"text"`
	TS       string `json:"ts"`
	ThreadTS string `json:"thread_ts"`
	EventTS  string `json:"event_ts"`
	BotID    string `json:"bot_id"`
	AppID    string `json:"app_id"`
	Type2    string `json:"channel_type"`
	Username string `json:"username"`
	Hidden   bool   `json:"hidden"`
	// Ephemeral messages are shown to one person alone.
	Ephemeral  bool  `json:"is_ephemeral"`
	Icons      icons `json:"icons"`
	BotProfile struct {
		Name  string `json:"name"`
		Icons icons  `json:"icons"`
	} `json:"bot_profile"`
	// UserProfile is there for strangers of Slack Connect.
	UserProfile *profile        `json:"user_profile"`
	Blocks      json.RawMessage `json:"blocks"`
	Attachments json.RawMessage `json:"attachments"`
	Files       []file          `json:"files"`
	Edited      struct {
		TS string `json:"ts"`
	} `json:"edited"`
	Reactions []struct {
		Name  string   `json:"name"`
		Users []string `json:"users"` // perhaps not all of them
		Count int      `json:"count"`
	} `json:"reactions"`
	ReplyCount  int    `json:"reply_count"`
	LatestReply string `json:"latest_reply"`
	Topic       string `json:"topic"`
	Purpose     string `json:"purpose"`
	Room        struct {
		Ended bool  `json:"has_ended"`
		Start int64 `json:"date_start"` // seconds
		End   int64 `json:"date_end"`
	} `json:"room"` // of a huddle
	Metadata struct {
		Type    string `json:"event_type"`
		Payload struct {
			Event string `json:"event_id"`
			Part  int    `json:"part"`
		} `json:"event_payload"`
	} `json:"metadata"`

	// Changes of messages.
	Message   *message `json:"message"`
	Previous  *message `json:"previous_message"`
	DeletedTS string   `json:"deleted_ts"`
}

// icons are the pictures of a bot, in several sizes, or an emoji in their place.
type icons struct {
	Image72 string `json:"image_72"`
	Image64 string `json:"image_64"`
	Image48 string `json:"image_48"`
	Image36 string `json:"image_36"`
	Emoji   string `json:"emoji"`
}

// address is that of the largest picture; "" if there is none.
func (i *icons) address() string {
	return firstNonEmpty(i.Image72, i.Image64, i.Image48, i.Image36)
}

// file is a file of a message.
type file struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Title    string `json:"title"`
	MimeType string `json:"mimetype"`
	FileType string `json:"filetype"`
	Mode     string `json:"mode"`
	Access   string `json:"file_access"`
	External bool   `json:"is_external"`
	Size     int64  `json:"size"`
	Private  string `json:"url_private"`
	Download string `json:"url_private_download"`
	Link     string `json:"permalink"`
	Width    number `json:"original_w"`
	Height   number `json:"original_h"`
	Duration number `json:"duration_ms"`
	Subtype  string `json:"subtype"` // slack_audio, slack_video
	// Wave is how loud a voice clip is in its course, from 0 to 100.
	Wave []int `json:"audio_wave_samples"`
}

// number is one that may be in quotes: Slack's samples and its documentation differ.
type number int

// UnmarshalJSON implements json.Unmarshaler.
func (n *number) UnmarshalJSON(raw []byte) error {
	v, err := strconv.Atoi(strings.Trim(string(raw), `"`))
	if err != nil {
		v = 0 // it is not worth a message
	}
	*n = number(v)
	return nil
}

type profile struct {
	RealName    string `json:"real_name"`
	DisplayName string `json:"display_name"`
	AvatarHash  string `json:"avatar_hash"`
	Image512    string `json:"image_512"`
	Image192    string `json:"image_192"`
	Image72     string `json:"image_72"`
	StatusText  string `json:"status_text"`
	StatusEmoji string `json:"status_emoji"`
}

// user is a member of the workspace, or a stranger.
type user struct {
	ID       string  `json:"id"`
	TeamID   string  `json:"team_id"`
	Name     string  `json:"name"`
	RealName string  `json:"real_name"`
	Deleted  bool    `json:"deleted"`
	Bot      bool    `json:"is_bot"`
	Admin    bool    `json:"is_admin"`
	Owner    bool    `json:"is_owner"`
	Guest    bool    `json:"is_restricted"`
	Stranger bool    `json:"is_stranger"`
	Updated  int64   `json:"updated"` // seconds
	Profile  profile `json:"profile"`
}

type reactionEvent struct {
	User     string `json:"user"`
	Reaction string `json:"reaction"`
	EventTS  string `json:"event_ts"`
	Item     struct {
		Type    string `json:"type"`
		Channel string `json:"channel"`
		TS      string `json:"ts"`
	} `json:"item"`
}

type memberEvent struct {
	User    string `json:"user"`
	Channel string `json:"channel"`
	EventTS string `json:"event_ts"`
}

type pinEvent struct {
	Channel string `json:"channel_id"`
	User    string `json:"user"`
}

// channelEvent is one of those whose channel is an id or an object.
type channelEvent struct {
	Channel json.RawMessage `json:"channel"`
	EventTS string          `json:"event_ts"`
	User    string          `json:"user"`
}

// id returns the channel's id.
func (e *channelEvent) id() string {
	var s string
	if json.Unmarshal(e.Channel, &s) == nil {
		return s
	}
	var o struct {
		ID string `json:"id"`
	}
	if lenient(e.Channel, &o) != nil {
		return ""
	}
	return o.ID
}

type userEvent struct {
	User user `json:"user"`
}
