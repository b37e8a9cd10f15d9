package format

import "encoding/json"

// attachment is what is read of a message's legacy attachments, which apps still use,
// and which Slack adds itself: previews of links and shared messages.
type attachment struct {
	Pretext    string          `json:"pretext"`
	AuthorName string          `json:"author_name"`
	AuthorLink string          `json:"author_link"`
	Title      string          `json:"title"`
	TitleLink  string          `json:"title_link"`
	Text       string          `json:"text"`
	Fallback   string          `json:"fallback"`
	Fields     json.RawMessage `json:"fields"`
	ImageURL   string          `json:"image_url"`
	ThumbURL   string          `json:"thumb_url"`
	Footer     string          `json:"footer"`
	Blocks     json.RawMessage `json:"blocks"`
	// FromURL is the link of which this is a preview.
	FromURL     string `json:"from_url"`
	OriginalURL string `json:"original_url"`
	AppUnfurl   bool   `json:"is_app_unfurl"`
	// Shared messages.
	MsgUnfurl bool `json:"is_msg_unfurl"`
	Share     bool `json:"is_share"`
	// MessageBlocks are those of a shared message.
	MessageBlocks json.RawMessage `json:"message_blocks"`
}

type attachmentField struct {
	Title string `json:"title"`
	Value string `json:"value"`
}

// preview reports whether an attachment shows what a link of the message leads to:
// Matrix clients do that by themselves, and it would be there twice.
func (a *attachment) preview() bool {
	return !a.MsgUnfurl && !a.Share && (a.FromURL != "" || a.OriginalURL != "" || a.AppUnfurl)
}

func fromAttachments(raw json.RawMessage, depth int) []Element {
	var out []Element
	for i, a := range each[attachment](raw) {
		if i >= maxBlocks || depth > maxDepth {
			break
		}
		if a.preview() {
			continue
		}
		var pre builder
		pre.mrkdwn(a.Pretext)
		out = append(out, pre.out...)
		if items := a.read(depth); len(items) > 0 {
			out = append(out, Element{Type: card, Items: items})
		}
	}
	return out
}

func (a *attachment) read(depth int) []Element {
	var b builder
	if a.AuthorName != "" {
		b.labelled(a.AuthorLink, a.AuthorName)
	}
	if a.Title != "" {
		b.newline()
		b.labelled(a.TitleLink, unescape(a.Title))
	}
	switch blocks := fromBlocks(a.Blocks, depth+1); {
	case len(blocks) > 0:
		b.newline()
		b.out = append(b.out, blocks...)
	default:
		if shared := each[sharedBlocks](a.MessageBlocks); len(shared) > 0 {
			b.newline()
			for _, s := range shared {
				b.out = append(b.out, fromBlocks(s.Message.Blocks, depth+1)...)
			}
		} else if a.Text != "" {
			b.newline()
			b.mrkdwn(a.Text)
		}
	}
	for _, f := range each[attachmentField](a.Fields) {
		b.newline()
		if f.Title != "" {
			b.inline(Inline{Type: "text", Text: unescape(f.Title) + ": ", Style: &Style{Bold: true}})
		}
		b.mrkdwn(f.Value)
	}
	if a.ImageURL != "" {
		b.newline()
		b.link(a.ImageURL, "image")
	}
	if len(b.out) == 0 && a.Fallback != "" && a.Pretext == "" {
		b.mrkdwn(a.Fallback)
	}
	if a.Footer != "" && len(b.out) > 0 {
		b.newline()
		b.inline(Inline{Type: "text", Text: unescape(a.Footer), Style: &Style{Italic: true}})
	}
	return trim(b.out)
}

type sharedBlocks struct {
	Message struct {
		Blocks json.RawMessage `json:"blocks"`
	} `json:"message"`
}

// labelled adds a bold title, with a link if there is one.
func (b *builder) labelled(link, label string) {
	in := Inline{Type: "text", Text: label, Style: &Style{Bold: true}}
	if link != "" {
		in.Type, in.URL = "link", link
	}
	b.inline(in)
}

func (b *builder) mrkdwn(text string) {
	for _, e := range Mrkdwn(text) {
		if e.Type != Section {
			b.element(e)
			continue
		}
		for _, in := range e.Inlines {
			b.inline(in)
		}
	}
}
