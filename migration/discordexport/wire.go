package discordexport

import (
	"encoding/json"
	"errors"
)

// head is what stands before the messages.
type head struct {
	Guild struct {
		ID   string `json:"id"`
		Name string `json:"name"`
		Icon string `json:"iconUrl"`
	} `json:"guild"`
	Channel struct {
		ID         string `json:"id"`
		Type       string `json:"type"`
		CategoryID string `json:"categoryId"`
		Category   string `json:"category"`
		Name       string `json:"name"`
		Topic      string `json:"topic"`
	} `json:"channel"`
}

type author struct {
	ID            string `json:"id"`
	Name          string `json:"name"`
	Discriminator string `json:"discriminator"`
	Nickname      string `json:"nickname"`
	Bot           bool   `json:"isBot"`
	Avatar        string `json:"avatarUrl"`
}

type attachment struct {
	ID   string `json:"id"`
	URL  string `json:"url"`
	Name string `json:"fileName"`
	Size int64  `json:"fileSizeBytes"`
}

type sticker struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Format string `json:"format"`
	Source string `json:"sourceUrl"`
}

type embed struct {
	Title       string `json:"title"`
	URL         string `json:"url"`
	Description string `json:"description"`
	Author      struct {
		Name string `json:"name"`
	} `json:"author"`
	Image struct {
		URL string `json:"url"`
	} `json:"image"`
	Footer struct {
		Text string `json:"text"`
	} `json:"footer"`
	Fields []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	} `json:"fields"`
}

type emoji struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Code     string `json:"code"`
	Animated bool   `json:"isAnimated"`
	Image    string `json:"imageUrl"`
}

type message struct {
	ID          string       `json:"id"`
	Type        string       `json:"type"`
	Time        string       `json:"timestamp"`
	Edited      string       `json:"timestampEdited"`
	Pinned      bool         `json:"isPinned"`
	Content     string       `json:"content"`
	Author      author       `json:"author"`
	Attachments []attachment `json:"attachments"`
	Embeds      []embed      `json:"embeds"`
	Stickers    []sticker    `json:"stickers"`
	Reactions   []struct {
		Emoji emoji    `json:"emoji"`
		Count int      `json:"count"`
		Users []author `json:"users"`
	} `json:"reactions"`
	Mentions  []author `json:"mentions"`
	Reference *struct {
		MessageID string `json:"messageId"`
		ChannelID string `json:"channelId"`
	} `json:"reference"`
	Forwarded *struct {
		Content     string       `json:"content"`
		Attachments []attachment `json:"attachments"`
		Embeds      []embed      `json:"embeds"`
		Stickers    []sticker    `json:"stickers"`
	} `json:"forwardedMessage"`
	Interaction *struct {
		Name string `json:"name"`
	} `json:"interaction"`
	Inline []emoji `json:"inlineEmojis"`
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
