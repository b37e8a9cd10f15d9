package slackexport

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/landbridge-im/landbridge/bridges/slack"
	"github.com/landbridge-im/landbridge/migration/model"
)

// canvasFile is the list of the documents of a channel, in its folder.
const canvasFile = "canvas_in_the_conversation.json"

// canvas is an entry of it: a file, and when it was made.
type canvas struct {
	file
	User    string          `json:"user"`
	Created json.RawMessage `json:"created"`
	Deleted bool            `json:"is_tombstoned"`
	Shares  []struct {
		Channel string `json:"channel"`
	} `json:"shares"`
}

// looseCanvases tells of those in the list of all that no channel of the export has: they have no place here.
func (e *Export) looseCanvases(root string) {
	name := in(root, "canvases.json")
	e.list(name, func(raw json.RawMessage) {
		var f canvas
		if lenient(raw, &f) != nil || f.ID == "" || f.Deleted {
			return
		}
		for _, s := range f.Shares {
			if _, ok := e.days[string(slack.ChannelKey(s.Channel).ID)]; ok {
				return
			}
		}
		e.problem(name, fmt.Sprintf("the canvas %q is in no channel of the export, and is left out", first(f.Title, f.Name, f.ID)), true)
	})
}

// canvasesOf are the documents of a channel that no message has, as messages of those who made them, oldest first.
func (e *Export) canvasesOf(c *model.Channel) (out []*model.Message) {
	for _, name := range e.canvases[c.Key] {
		n := 0
		e.list(name, func(raw json.RawMessage) {
			n++
			var f canvas
			if err := lenient(raw, &f); err != nil || !validID(f.ID) {
				e.problem(fmt.Sprintf("%s, entry %d", name, n), "is no canvas", true)
				return
			}
			at := unix(f.Created)
			switch {
			case f.Deleted || f.Mode == "tombstone" || e.inMessage(c, f.ID):
				return
			case at.Before(earliest) || at.After(e.o.Now):
				e.problem(name, fmt.Sprintf("%q does not say when it was made, and is left out", first(f.Title, f.Name, f.ID)), true)
				return
			}
			out = append(out, e.canvas(c, &f, at, fmt.Sprintf("%s, entry %d", name, n)))
		})
	}
	slices.SortStableFunc(out, func(x, y *model.Message) int { return x.Time.Compare(y.Time) })
	return out
}

func (e *Export) canvas(c *model.Channel, f *canvas, at time.Time, where string) *model.Message {
	m := &model.Message{Name: string(slack.MessageID(c.ID, f.ID, 0)), Time: at, Where: where, Files: []model.File{e.file(&f.file)}}
	e.sender(m, &message{User: first(f.User, "USLACKBOT")})
	return m
}

// inMessage tells whether a message of a channel has a file.
func (e *Export) inMessage(c *model.Channel, id string) bool {
	for _, day := range e.days[c.Key] {
		if raw, err := e.a.Read(day, maxDay); err == nil && bytes.Contains(raw, []byte(`"`+id+`"`)) {
			return true
		}
	}
	return false
}

// elsewhere are the lists of an export that have no place here.
var elsewhere = []struct{ name, what string }{
	{"lists.json", "are lists, which have no place here"},
	{"huddle_transcripts.json", "are what was said in huddles, which has no place here"},
	{"file_conversations.json", "are comments in canvases and lists, which have no place here"},
}

// notBrought tells of lists that are left out, if there is something in them.
func (e *Export) notBrought(root string) {
	for _, l := range elsewhere {
		n := 0
		file := in(root, l.name)
		e.list(file, func(raw json.RawMessage) {
			if len(raw) > 0 && raw[0] == '{' {
				n++
			}
		})
		if n > 0 {
			e.problem(file, fmt.Sprintf("%d entries %s", n, l.what), true)
		}
	}
}
