package run

import (
	"encoding/json/jsontext"
	"maps"
	"slices"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/importer/wire"
	"github.com/landbridge-im/landbridge/migration/model"
)

// part is an event of a message.
type part struct {
	content fields
	body    string
	// id is what the bridge calls it within the message.
	id string
	// alone is, for a file that has the text as its caption, the file without it.
	alone *part
}

// LostFile marks what stands for a file that could not be brought in. If a later run can, it is edited into the file.
const LostFile = "im.landbridge.lost_file"

// lost says that a file is not here.
func lost(body string) *part {
	p := say("m.text", body)
	p.content[LostFile] = true
	return p
}

func sorted(m map[string]bool) []string { return slices.Sorted(maps.Keys(m)) }

// maxBody bounds text, with room for its HTML and an edit.
const maxBody = 24_000

func (p *part) raw() jsontext.Value {
	raw := object(p.content)
	if len(raw) > wire.MaxContent {
		delete(p.content, "formatted_body")
		delete(p.content, "format")
		raw = object(p.content)
	}
	return raw
}

// edit is the content of an edit that makes the event what it is.
func (p *part) edit() jsontext.Value {
	out := maps.Clone(p.content)
	fresh := maps.Clone(p.content)
	out["m.new_content"] = fresh
	out["body"] = "* " + p.body
	if html, ok := out["formatted_body"].(string); ok {
		out["formatted_body"] = "* " + html
	}
	// Whoever is mentioned was so before.
	out["m.mentions"] = fields{}
	raw := object(out)
	if len(raw) > wire.MaxContent {
		for _, m := range []fields{out, fresh} {
			delete(m, "formatted_body")
			delete(m, "format")
		}
		raw = object(out)
	}
	return raw
}

// maxFiles bounds the files of one message.
const maxFiles = 100

// parts makes the events of a message: the text, and each file; one file alone has the text as its
// caption. The bridge does the same.
func (w *writer) parts(m *model.Message, s *somebody) []*part {
	text := w.text(m)
	var files []*part
	if len(m.Files) > maxFiles {
		w.r.problem(m.Where, "there are %d files, of which %d are taken", len(m.Files), maxFiles)
		m.Files = m.Files[:maxFiles]
	}
	for i := range m.Files {
		f := w.file(m, &m.Files[i])
		f.id = m.Files[i].Part
		files = append(files, f)
	}
	if text != nil && !m.Apart && len(files) == 1 && files[0].content["url"] != nil && text.content["msgtype"] == "m.text" {
		f := files[0]
		f.alone = &part{content: maps.Clone(f.content), body: f.body}
		f.content["body"], f.body = text.body, text.body
		for _, k := range []string{"format", "formatted_body", "m.mentions"} {
			if v, ok := text.content[k]; ok {
				f.content[k] = v
			}
		}
		text = nil
	}
	var out []*part
	if text != nil {
		out = append(out, text)
	}
	if out = append(out, files...); len(out) == 0 {
		out = append(out, say("m.notice", "(a message that cannot be shown here)"))
	}
	return out
}

func say(msgtype, body string) *part {
	return &part{content: fields{"msgtype": msgtype, "body": body, "m.mentions": fields{}}, body: body}
}

// text makes the event of a message's text; nil if there is none.
func (w *writer) text(m *model.Message) *part {
	if m.Render == nil {
		return nil
	}
	t := m.Render(resolver{w.r})
	if t.Body == "" && t.HTML == "" {
		return nil
	}
	msgtype := map[model.What]string{model.Emote: "m.emote", model.Notice: "m.notice", model.Gone: "m.notice"}[m.What]
	if msgtype == "" {
		msgtype = "m.text"
	}
	t.Body = strings.ToValidUTF8(t.Body, "\uFFFD")
	if len(t.Body) > maxBody {
		w.r.problem(m.Where, "the text has %d bytes, and is cut after %d", len(t.Body), maxBody)
		t.Body, t.HTML = clip(t.Body, maxBody)+"… (cut)", ""
	}
	p := say(msgtype, t.Body)
	if t.HTML != "" && len(t.HTML) <= maxBody {
		p.content["format"], p.content["formatted_body"] = "org.matrix.custom.html", strings.ToValidUTF8(t.HTML, "\uFFFD")
	}
	mentions := fields{}
	if len(t.Users) > 0 {
		mentions["user_ids"] = slices.Compact(slices.Sorted(slices.Values(t.Users)))
	}
	if t.Room {
		mentions["room"] = true
	}
	p.content["m.mentions"] = mentions
	return p
}

// file makes the event of a file. What can't be brought in is said.
func (w *writer) file(m *model.Message, f *model.File) *part {
	switch f.State {
	case model.Deleted:
		return say("m.text", "(a file that was deleted)")
	case model.Hidden:
		w.r.problem(m.Where, "the file %q is hidden by the limits of the plan", f.Name)
		return lost("(a file that is not in the export, because of the limits of the plan)")
	case model.External:
		return say("m.text", strings.TrimSpace(f.Name+": "+f.Link))
	}
	uri := w.r.media.bring(w.ctx, f, m.Where)
	if uri == "" {
		return lost(strings.TrimSuffix(strings.TrimSpace(f.Name+": "+f.Link), ":") + " (this file could not be brought over)")
	}
	info := fields{"mimetype": f.Type}
	for k, v := range map[string]int64{"size": f.Size, "w": int64(f.Width), "h": int64(f.Height), "duration": int64(f.Duration)} {
		if v > 0 && v < 1<<53 {
			info[k] = v
		}
	}
	msgtype := "m.file"
	for kind, t := range map[string]string{"image/": "m.image", "audio/": "m.audio", "video/": "m.video"} {
		if strings.HasPrefix(f.Type, kind) {
			msgtype = t
		}
	}
	name := clip(strings.ToValidUTF8(f.Name, "\uFFFD"), 1000)
	p := say(msgtype, name)
	p.content["filename"], p.content["url"], p.content["info"] = name, uri, info
	return p
}
