package slackexport

import (
	"encoding/json"
	"errors"
)

// channel is an entry of channels.json, groups.json, mpims.json or dms.json.
type channel struct {
	ID       string          `json:"id"`
	Name     string          `json:"name"`
	Created  json.RawMessage `json:"created"`
	Creator  string          `json:"creator"`
	Archived bool            `json:"is_archived"`
	Private  bool            `json:"is_private"`
	IM       bool            `json:"is_im"`
	MPIM     bool            `json:"is_mpim"`
	User     string          `json:"user"`
	Members  []string        `json:"members"`
	Topic    value           `json:"topic"`
	Purpose  value           `json:"purpose"`
	Pins     []struct {
		ID   string `json:"id"`
		Type string `json:"type"`
	} `json:"pins"`
}

type value struct {
	Value string `json:"value"`
}

// user is an entry of users.json or org_users.json.
type user struct {
	ID         string  `json:"id"`
	Name       string  `json:"name"`
	RealName   string  `json:"real_name"`
	Deleted    bool    `json:"deleted"`
	Bot        bool    `json:"is_bot"`
	Admin      bool    `json:"is_admin"`
	Owner      bool    `json:"is_owner"`
	Restricted bool    `json:"is_restricted"`
	Stranger   bool    `json:"is_stranger"`
	Profile    profile `json:"profile"`
}

// profile is also what a message tells of a stranger, as user_profile.
type profile struct {
	RealName    string `json:"real_name"`
	DisplayName string `json:"display_name"`
	Email       string `json:"email"`
	Image512    string `json:"image_512"`
	Image192    string `json:"image_192"`
	Image72     string `json:"image_72"`
	Name        string `json:"name"`
	Restricted  bool   `json:"is_restricted"`
}

// message is one of a day's messages.
type message struct {
	Subtype  string `json:"subtype"`
	User     string `json:"user"`
	Text     string `json:"text"`
	TS       string `json:"ts"`
	ThreadTS string `json:"thread_ts"`
	BotID    string `json:"bot_id"`
	Username string `json:"username"`
	Topic    string `json:"topic"`
	Purpose  string `json:"purpose"`
	Name     string `json:"name"`
	Icons    struct {
		Image string `json:"image_48"`
	} `json:"icons"`
	BotProfile *struct {
		Name  string `json:"name"`
		Icons struct {
			Image string `json:"image_72"`
		} `json:"icons"`
	} `json:"bot_profile"`
	UserProfile *profile        `json:"user_profile"`
	Blocks      json.RawMessage `json:"blocks"`
	Attachments json.RawMessage `json:"attachments"`
	File        *file           `json:"file"`
	Files       []file          `json:"files"`
	Edited      *struct {
		TS string `json:"ts"`
	} `json:"edited"`
	Reactions []struct {
		Name  string   `json:"name"`
		Users []string `json:"users"`
		Count int      `json:"count"`
	} `json:"reactions"`
	Comment *struct {
		User string `json:"user"`
		Text string `json:"comment"`
	} `json:"comment"`
	Room *struct {
		CreatedBy string `json:"created_by"`
		Creator   string `json:"creator"`
	} `json:"room"`
	// Compliance exports hold changes as entries of their own.
	Message   *message `json:"message"`
	DeletedTS string   `json:"deleted_ts"`
	// Replies are where slackdump has a thread.
	Replies []json.RawMessage `json:"slackdump_thread_replies"`
}

// file is a file of a message.
type file struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Title    string `json:"title"`
	MimeType string `json:"mimetype"`
	Mode     string `json:"mode"`
	External bool   `json:"is_external"`
	Size     int64  `json:"size"`
	Private  string `json:"url_private"`
	Download string `json:"url_private_download"`
	Link     string `json:"permalink"`
	Width    int    `json:"original_w"`
	Height   int    `json:"original_h"`
	Duration int    `json:"duration_ms"`
	Subtype  string `json:"subtype"`
}

// lenient decodes what can be decoded: a field of another type than expected is left out.
func lenient(raw []byte, into any) error {
	err := json.Unmarshal(raw, into)
	var mistyped *json.UnmarshalTypeError
	if errors.As(err, &mistyped) {
		return nil
	}
	return err
}

func first(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}
