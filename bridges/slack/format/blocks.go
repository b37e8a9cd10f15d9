package format

import (
	"encoding/json"
	"strings"
)

// maxBlocks bounds how much of a message is read; Slack's own limit is 50 blocks and
// 100 attachments.
const maxBlocks = 200

// block is what is read of a block of any kind.
type block struct {
	Type      string          `json:"type"`
	Text      json.RawMessage `json:"text"` // an object, or a string in some
	Fields    json.RawMessage `json:"fields"`
	Elements  json.RawMessage `json:"elements"`
	Accessory json.RawMessage `json:"accessory"`
	ImageURL  string          `json:"image_url"`
	AltText   string          `json:"alt_text"`
	Title     json.RawMessage `json:"title"`
	TitleURL  string          `json:"title_url"`
	VideoURL  string          `json:"video_url"`
	URL       string          `json:"url"`
	Rows      json.RawMessage `json:"rows"`
}

// textObject is Block Kit's plain_text or mrkdwn.
type textObject struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// FromSlack reads a message: its blocks if there are any that can be shown, else its
// text, and its attachments. blocks and attachments are as in the message's JSON and
// may be empty.
func FromSlack(text string, blocks, attachments json.RawMessage) []Element {
	out := fromBlocks(blocks, 0)
	if len(out) == 0 {
		out = Mrkdwn(text)
	}
	return append(out, fromAttachments(attachments, 0)...)
}

func fromBlocks(raw json.RawMessage, depth int) []Element {
	var b builder
	list := each[block](raw)
	for i, bl := range list {
		if i >= maxBlocks || depth > maxDepth {
			break
		}
		if len(b.out) > 0 {
			b.newline()
		}
		b.block(bl, depth)
		if i > 0 && bl.Type == "context" && list[i-1].isChoice() {
			b.voters(bl)
		}
	}
	return trim(b.out)
}

// isChoice reports whether a block is one of the answers of a poll, as polls are made by apps: a section with a button to
// choose it. Slack itself has no polls.
func (bl *block) isChoice() bool {
	var el block
	return bl.Type == "section" && len(bl.Accessory) > 0 && json.Unmarshal(bl.Accessory, &el) == nil && el.Type == "button" && el.URL == ""
}

// voters names those whose pictures are below an answer of a poll.
func (b *builder) voters(bl block) {
	var names []string
	for _, el := range each[block](bl.Elements) {
		if el.Type == "image" && el.AltText != "" && len(names) < maxBlocks {
			names = append(names, el.AltText)
		}
	}
	if len(names) > 0 {
		b.inline(Inline{Type: "text", Text: " (" + strings.Join(names, ", ") + ")"})
	}
}

func (b *builder) block(bl block, depth int) {
	switch bl.Type {
	case "rich_text":
		for _, e := range each[Element](bl.Elements) {
			b.element(e)
		}
	case "section":
		b.textObject(bl.Text, Style{})
		for _, f := range each[json.RawMessage](bl.Fields) {
			b.newline()
			b.textObject(f, Style{})
		}
		b.accessory(bl.Accessory)
	case "header":
		b.textObject(bl.Text, Style{Bold: true})
	case "markdown":
		b.inline(Inline{Type: "text", Text: stringOf(bl.Text)})
	case "context":
		said := false
		for _, raw := range each[json.RawMessage](bl.Elements) {
			var el block
			if json.Unmarshal(raw, &el) != nil || el.Type == "image" {
				continue // an icon beside the text
			}
			if said {
				b.inline(Inline{Type: "text", Text: " "})
			}
			said = true
			b.textObject(raw, Style{})
		}
	case "image":
		b.image(bl)
	case "video":
		label := stringOf(bl.Title)
		b.link(firstOf(bl.TitleURL, bl.VideoURL), firstOf(label, bl.AltText))
	case "divider":
		b.element(Element{Type: divider})
	case "actions":
		for i, el := range each[block](bl.Elements) {
			if i > 0 {
				b.inline(Inline{Type: "text", Text: " "})
			}
			b.button(el)
		}
	case "table":
		for i, row := range each[json.RawMessage](bl.Rows) {
			if i > 0 {
				b.newline()
			}
			for j, cell := range each[block](row) {
				if j > 0 {
					b.inline(Inline{Type: "text", Text: " | "})
				}
				if cell.Type == "rich_text" {
					for _, e := range each[Element](cell.Elements) {
						for _, in := range e.Inlines {
							b.inline(in)
						}
					}
					continue
				}
				b.inline(Inline{Type: "text", Text: stringOf(cell.Text)})
			}
		}
	case "container", "card", "call", "file", "input":
		b.textObject(bl.Text, Style{})
		if title := stringOf(bl.Title); title != "" {
			b.inline(Inline{Type: "text", Text: title})
		}
	}
}

func (b *builder) image(bl block) {
	title := stringOf(bl.Title)
	b.link(bl.ImageURL, firstOf(title, bl.AltText, "image"))
}

func (b *builder) link(address, label string) {
	if address == "" {
		b.inline(Inline{Type: "text", Text: label})
		return
	}
	b.inline(Inline{Type: "link", URL: address, Text: label})
}

func (b *builder) accessory(raw json.RawMessage) {
	var el block
	if len(raw) == 0 || json.Unmarshal(raw, &el) != nil {
		return
	}
	switch el.Type {
	case "image":
		b.newline()
		b.image(el)
	case "button":
		b.inline(Inline{Type: "text", Text: " "})
		b.button(el)
	}
}

// button shows a button: it cannot be pressed from Matrix, but may lead somewhere.
func (b *builder) button(el block) {
	label := stringOf(el.Text)
	if label == "" {
		return
	}
	if el.URL != "" {
		b.link(el.URL, label)
		return
	}
	b.inline(Inline{Type: "text", Text: "[" + label + "]"})
}

// textObject reads a text object or string.
func (b *builder) textObject(raw json.RawMessage, style Style) {
	var t textObject
	if json.Unmarshal(raw, &t) != nil {
		if s := stringOf(raw); s != "" {
			b.inline(Inline{Type: "text", Text: s, Style: styled(style)})
		}
		return
	}
	if t.Type == "mrkdwn" {
		for _, e := range Mrkdwn(t.Text) {
			if e.Type != Section {
				b.element(e)
				continue
			}
			for _, in := range e.Inlines {
				b.inline(in)
			}
		}
		return
	}
	b.emojiText(t.Text, style)
}

// emojiText reads plain_text, in which emoji codes alone mean something. Slack
// escapes nothing here.
func (b *builder) emojiText(text string, style Style) {
	plain := 0
	for i := 0; i < len(text); i++ {
		if text[i] != ':' || !edgeBefore(text, i) {
			continue
		}
		if name, n := emojiCode(text[i:]); n > 0 {
			b.inline(Inline{Type: "text", Text: text[plain:i], Style: styled(style)})
			b.inline(Inline{Type: "emoji", Name: name})
			i += n - 1
			plain = i + 1
		}
	}
	b.inline(Inline{Type: "text", Text: text[plain:], Style: styled(style)})
}

// stringOf returns a JSON string, or the text of a text object.
func stringOf(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var t textObject
	if json.Unmarshal(raw, &t) == nil {
		return t.Text
	}
	return ""
}

func firstOf(list ...string) string {
	for _, s := range list {
		if strings.TrimSpace(s) != "" {
			return s
		}
	}
	return ""
}
