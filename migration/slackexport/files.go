package slackexport

import (
	"encoding/json"
	"mime"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/landbridge-im/landbridge/migration/model"
)

// filePattern finds a file's id in a path: as a folder (slackdump's __uploads/F1/name), or before the
// name (attachments/F1-name).
var filePattern = regexp.MustCompile(`(?:^|/)(F[A-Z0-9]{6,})(?:[-_/]|\.[a-z0-9]+$)`)

// indexFiles finds the files that are in the archive itself.
func (e *Export) indexFiles() {
	for _, n := range e.a.Names() {
		if dayPattern.MatchString(path.Base(n)) {
			continue
		}
		if m := filePattern.FindStringSubmatch(n); m != nil {
			if _, dup := e.files[m[1]]; !dup {
				e.files[m[1]] = n
			}
		}
		if user, ok := strings.CutPrefix(n, "__avatars/"); ok {
			id, _, _ := strings.Cut(user, "/")
			if at, ok := e.known[id]; ok {
				e.people[at].Avatar = &model.File{ID: "avatar/" + n, Name: path.Base(n), Type: mimeOf(n), Size: e.a.Size(n), Open: e.opener(n)}
			}
		}
	}
}

func mimeOf(name string) string {
	t := mime.TypeByExtension(strings.ToLower(path.Ext(name)))
	t, _, _ = strings.Cut(t, ";")
	return first(t, "application/octet-stream")
}

// readEmoji finds custom emoji: slackdump has a list of addresses, and the pictures beside it. Slack
// itself exports none.
func (e *Export) readEmoji() {
	addresses := map[string]string{}
	dir := "emojis"
	for _, n := range []string{"emojis/index.json", "emoji/index.json", "emoji.json", "emojis.json", "index.json"} {
		raw, err := e.a.Read(n, 64<<20)
		if err != nil {
			continue // there is none of this name
		}
		var wrapped struct {
			Emoji map[string]string `json:"emoji"`
		}
		if lenient(raw, &wrapped) == nil && len(wrapped.Emoji) > 0 {
			addresses = wrapped.Emoji
		} else if json.Unmarshal(raw, &addresses) != nil {
			addresses = map[string]string{}
			e.problem(n, "is no list of emoji", true)
			continue
		}
		dir = path.Dir(n)
		break
	}
	pictures := map[string]string{}
	for _, d := range []string{dir, "emojis", "emoji"} {
		for _, n := range e.a.Under(d) {
			if strings.HasPrefix(mimeOf(n), "image/") {
				name := strings.TrimSuffix(path.Base(n), path.Ext(n))
				pictures[name] = n
				if _, ok := addresses[name]; !ok {
					addresses[name] = ""
				}
			}
		}
	}
	names := make([]string, 0, len(addresses))
	for n := range addresses {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		m := model.Emoji{Name: n}
		if alias, ok := strings.CutPrefix(addresses[n], "alias:"); ok {
			m.Alias = alias
		} else if at, ok := pictures[n]; ok {
			m.File = model.File{ID: "emoji/" + n, Name: path.Base(at), Type: mimeOf(at), Size: e.a.Size(at), Open: e.opener(at)}
		} else {
			m.File = model.File{ID: "emoji/" + n, Name: n, Type: mimeOf(addresses[n]), URL: model.Secret(addresses[n])}
		}
		e.emoji = append(e.emoji, m)
	}
}

// file is a message's file.
func (e *Export) file(f *file) model.File {
	out := model.File{ID: f.ID, Name: first(f.Name, f.Title, "file"), Type: f.MimeType, Size: max(f.Size, 0), Width: max(f.Width, 0), Height: max(f.Height, 0), Duration: max(f.Duration, 0),
		Link: plainLink(f.Link)}
	if out.Type == "" {
		out.Type = mimeOf(out.Name)
	}
	if f.Subtype == "slack_audio" && !strings.HasPrefix(out.Type, "audio/") {
		out.Type = "audio/mp4"
	}
	address := first(f.Download, f.Private)
	if f.ID == "" {
		out.ID = "at/" + plainLink(address)
	}
	at, here := e.files[f.ID]
	switch {
	case f.Mode == "tombstone":
		out.State = model.Deleted
	case f.Mode == "hidden_by_limit":
		out.State = model.Hidden
	case here && f.ID != "":
		out.Open, out.Size = e.opener(at), e.a.Size(at)
	case f.External || f.Mode == "external" || f.Mode == "list":
		out.State, out.Name = model.External, first(f.Title, f.Name, "document")
		out.Link = plainLink(first(f.Private, f.Link))
	case address == "":
		out.State = model.Forbidden
	default:
		out.URL = model.Secret(address)
	}
	if (f.Mode == "quip" || f.Mode == "canvas") && out.State == model.Present {
		// A canvas is a document that Slack exports as HTML.
		out.Name, out.Type = strings.TrimSuffix(first(f.Title, f.Name, "canvas"), ".html")+".html", "text/html"
	}
	return out
}

// plainLink is an address without what may be a secret in it.
func plainLink(address string) string {
	if i := strings.IndexAny(address, "?#"); i >= 0 && strings.Contains(strings.ToLower(address[i:]), "t=") {
		return address[:i]
	}
	return address
}
