package format

import (
	"bytes"
	"encoding/json"
)

// Types of elements. The last two are not Slack's: they stand for what Block Kit and
// attachments have besides rich text, and are never sent.
const (
	Section      = "rich_text_section"
	List         = "rich_text_list"
	Quote        = "rich_text_quote"
	Preformatted = "rich_text_preformatted"
	divider      = "divider"
	card         = "card"
)

// Element is a paragraph, list, quote or piece of code of a rich_text block.
type Element struct {
	Type string
	// Inlines are the contents of all but lists; a newline is a newline.
	Inlines []Inline
	// Items are the items of a list, each of them a section, or the contents of a card.
	Items []Element
	// Style of a list is "bullet" or "ordered".
	Style string
	// Indent is how deep a list is nested; Offset is how many numbers an ordered one
	// leaves out at its beginning.
	Indent, Offset int
	// Border of 1 says that a list or code is quoted.
	Border int
}

// Style is how a piece of text looks.
type Style struct {
	Bold      bool `json:"bold,omitempty"`
	Italic    bool `json:"italic,omitempty"`
	Strike    bool `json:"strike,omitempty"`
	Code      bool `json:"code,omitempty"`
	Underline bool `json:"underline,omitempty"`
}

// Inline is a piece of text, or something that stands in text.
type Inline struct {
	Type string `json:"type"` // text, link, user, channel, usergroup, broadcast, emoji, date, color, ...
	Text string `json:"text,omitempty"`
	URL  string `json:"url,omitempty"`

	UserID      string `json:"user_id,omitempty"`
	ChannelID   string `json:"channel_id,omitempty"`
	UsergroupID string `json:"usergroup_id,omitempty"`
	Range       string `json:"range,omitempty"`   // of a broadcast: here, channel or everyone
	Name        string `json:"name,omitempty"`    // of an emoji, without colons
	Unicode     string `json:"unicode,omitempty"` // of an emoji, in hexadecimal with hyphens
	SkinTone    int    `json:"skin_tone,omitempty"`
	Value       string `json:"value,omitempty"` // of a color
	Timestamp   int64  `json:"timestamp,omitempty"`
	Format      string `json:"format,omitempty"`
	Fallback    string `json:"fallback,omitempty"`
	Style       *Style `json:"style,omitempty"`
}

// wire is an element as Slack writes it.
type wire struct {
	Type     string          `json:"type"`
	Elements json.RawMessage `json:"elements"`
	Style    json.RawMessage `json:"style,omitempty"`
	Indent   int             `json:"indent,omitempty"`
	Offset   int             `json:"offset,omitempty"`
	Border   int             `json:"border,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (e Element) MarshalJSON() ([]byte, error) {
	w := wire{Type: e.Type, Indent: e.Indent, Offset: e.Offset, Border: e.Border}
	var inner any = e.Inlines
	if e.Type == List {
		inner = e.Items
		style, err := json.Marshal(e.Style)
		if err != nil {
			return nil, err
		}
		w.Style = style
	}
	raw, err := json.Marshal(inner)
	if err != nil {
		return nil, err
	}
	w.Elements = raw
	return json.Marshal(w)
}

// UnmarshalJSON implements json.Unmarshaler. What is not as expected is left out, as
// far as possible by itself.
func (e *Element) UnmarshalJSON(data []byte) error {
	var w wire
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	*e = Element{Type: w.Type, Indent: w.Indent, Offset: w.Offset, Border: w.Border}
	if e.Type == List {
		if json.Unmarshal(w.Style, &e.Style) != nil {
			e.Style = "bullet"
		}
		e.Items = each[Element](w.Elements)
		return nil
	}
	e.Inlines = each[Inline](w.Elements)
	return nil
}

// each decodes the members of an array that can be decoded.
func each[T any](raw json.RawMessage) []T {
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || raw[0] != '[' {
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	var out []T
	for _, item := range list {
		var v T
		if json.Unmarshal(item, &v) == nil {
			out = append(out, v)
		}
	}
	return out
}

// Blocks returns elements as the value of a message's "blocks": one rich_text block.
func Blocks(elements []Element) json.RawMessage {
	raw, err := json.Marshal([]map[string]any{{"type": "rich_text", "elements": elements}})
	if err != nil {
		return nil // cannot happen: there is nothing in it that cannot be encoded
	}
	return raw
}

// builder collects elements; text goes into a section that is there or begun.
type builder struct{ out []Element }

func (b *builder) inline(in Inline) {
	if in.Type == "text" && in.Text == "" {
		return
	}
	if n := len(b.out); n == 0 || b.out[n-1].Type != Section {
		b.out = append(b.out, Element{Type: Section})
	}
	last := &b.out[len(b.out)-1]
	last.Inlines = join(last.Inlines, in)
}

// newline begins a new line, unless there is nothing on the present one.
func (b *builder) newline() {
	n := len(b.out)
	if n == 0 || b.out[n-1].Type != Section || endsLine(b.out[n-1].Inlines) {
		return
	}
	b.inline(Inline{Type: "text", Text: "\n"})
}

func (b *builder) element(e Element) { b.out = append(b.out, e) }

// join appends an inline, to the text before it if that looks the same.
func join(list []Inline, in Inline) []Inline {
	if n := len(list); n > 0 && in.Type == "text" && list[n-1].Type == "text" && sameStyle(list[n-1].Style, in.Style) {
		list[n-1].Text += in.Text
		return list
	}
	return append(list, in)
}

func sameStyle(a, b *Style) bool {
	var x, y Style
	if a != nil {
		x = *a
	}
	if b != nil {
		y = *b
	}
	return x == y
}

func endsLine(list []Inline) bool {
	if len(list) == 0 {
		return true
	}
	last := list[len(list)-1]
	return last.Type == "text" && len(last.Text) > 0 && last.Text[len(last.Text)-1] == '\n'
}

// Emphasize returns elements in italics, which is how an action is said.
func Emphasize(list []Element) []Element {
	out := make([]Element, len(list))
	for i, e := range list {
		out[i] = e
		out[i].Items = Emphasize(e.Items)
		out[i].Inlines = make([]Inline, len(e.Inlines))
		for j, in := range e.Inlines {
			var style Style
			if in.Style != nil {
				style = *in.Style
			}
			style.Italic = true
			in.Style = &style
			out[i].Inlines[j] = in
		}
	}
	return out
}
