package slack_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// shapes are those of Slack's answers and events, taken from its own samples (testdata/shapes.json): the fields that there are, by
// their paths, and of what type. What the stand-in of Slack answers and tells in these tests is held against them.
type shapes struct {
	Methods map[string]shape `json:"methods"`
	Events  map[string]shape `json:"events"` // by type and subtype
}

type shape map[string]string

const shapesFile = "testdata/shapes.json"

// opaque are fields whose contents are the same in all places, or say nothing of the method.
var opaque = []string{
	"assistant_app_thread", "list_metadata", "title_blocks", "list_limits", "transcription", "record_fields", "latest", "blocks", "attachments",
	"event_payload", "root", "message_blocks", "initial_comment", "media_progress", "simplified_html",
}

// byName are objects whose fields are named by ids and the like.
var byName = []string{"emoji", "public", "private"}

var readShapes = sync.OnceValues(func() (*shapes, error) {
	raw, err := os.ReadFile(shapesFile)
	if err != nil {
		return nil, err
	}
	var s shapes
	return &s, json.Unmarshal(raw, &s)
})

// each calls f with each value in v, and its path, until that says that what is inside is not to be seen.
func each(v any, path string, f func(path string, v any) bool) {
	if path != "" && !f(path, v) {
		return
	}
	last := path[strings.LastIndexByte(path, '.')+1:]
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			if slices.Contains(byName, last) {
				name = "*"
			}
			each(inner, strings.TrimPrefix(path+"."+name, "."), f)
		}
	case []any:
		for _, inner := range v {
			each(inner, path+".[]", f)
		}
	}
}

func isOpaque(path string) bool {
	return slices.Contains(opaque, path[strings.LastIndexByte(path, '.')+1:])
}

func typeOf(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case bool:
		return "bool"
	case float64:
		return "number"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	}
	return "null"
}

// add takes over what a sample has.
func (s shape) add(sample any) {
	each(sample, "", func(path string, v any) bool {
		if kind := typeOf(v); !slices.Contains(strings.Split(s[path], "|"), kind) {
			list := append(strings.Split(s[path], "|"), kind)
			slices.Sort(list)
			s[path] = strings.TrimPrefix(strings.Join(list, "|"), "|")
		}
		return !isOpaque(path)
	})
}

// differs says what of a value is not as in the samples. others are of what may be in it, by where that stands: the sample of an
// event does not have all fields that a message has, and a message not all of a file.
func (s shape) differs(v any, others ...other) (list []string) {
	each(v, "", func(path string, v any) bool {
		var known []string
		if s[path] != "" {
			known = strings.Split(s[path], "|")
		}
		for _, o := range others {
			for _, at := range o.at {
				if rest, ok := strings.CutPrefix(path, at); ok {
					known = append(known, strings.Split(o.shape[o.root+rest], "|")...)
				}
			}
		}
		want := slices.Compact(slices.Sorted(slices.Values(slices.DeleteFunc(known, func(kind string) bool { return kind == "" }))))
		kind := typeOf(v)
		switch {
		case len(want) == 0:
			list = append(list, path+" is unknown")
		case kind != "null" && !slices.Contains(want, "null") && !slices.Contains(want, kind):
			list = append(list, fmt.Sprintf("%s is %s, not %s", path, kind, want))
		}
		return len(want) > 0 && !isOpaque(path)
	})
	slices.Sort(list)
	return list
}

// other is a part of another shape.
type other struct {
	at    []string
	shape shape
	root  string
}

// unsampled are fields that Slack's samples do not have, but its documentation, or its clients.
var unsampled = shape{
	"room": "object", "room.id": "string", "room.has_ended": "bool", "room.date_start": "number", "room.date_end": "number", // huddles
	"audio_wave_samples": "array", "audio_wave_samples.[]": "number", // clips
	"is_ephemeral": "bool", "event_ts": "string", "client_msg_id": "string", "old_name": "string", "name": "string",
	"channel.user": "string", "items.[].message": "object", "items.[].channel": "string", "revoked": "bool", "has_pins": "bool", "pin_count": "string",
	"permalink": "string", "user.profile.fields": "object", "response_metadata": "object", "response_metadata.next_cursor": "string",
}

// compare holds what the stand-in says against the samples.
func compare(t *testing.T) func(kind, name string, o obj) {
	all, err := readShapes()
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	told := map[string]bool{}
	return func(kind, name string, o obj) {
		raw, err := json.Marshal(o)
		if err != nil {
			t.Error(err)
			return
		}
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Error(err)
			return
		}
		known := all.Methods
		if kind == "event" {
			known = all.Events
		}
		s, ok := known[name]
		if kind == "event" && !ok { // not all subtypes have a sample
			first, _, _ := strings.Cut(name, ".")
			s, ok = known[first+"."]
		}
		messages := []string{"message.", "messages.[].", "item.message.", "items.[].message.", "previous_message."}
		files := []string{"file.", "files.[]."}
		for _, at := range messages {
			files = append(files, at+"files.[].")
		}
		if strings.HasPrefix(name, "message.") {
			messages = append(messages, "")
		}
		problems := s.differs(v, other{messages, all.Methods["conversations.history"], "messages.[]."},
			other{files, all.Methods["files.info"], "file."}, other{[]string{"user.", "members.[]."}, all.Methods["users.info"], "user."},
			other{append(append(messages, files...), ""), unsampled, ""})
		if !ok {
			problems = []string{"has no sample"}
		}
		mu.Lock()
		defer mu.Unlock()
		for _, p := range problems {
			if what := kind + " " + name + ": " + p; !told[what] {
				told[what] = true
				t.Errorf("the stand-in is not as Slack's samples: %s", what)
			}
		}
	}
}

// vendors is the folder of Slack's samples (json-logs of slackapi/java-slack-sdk), if it is at hand:
// SLACK_SAMPLES=DIR go test ./integration/slack -run 'Samples|Shapes'.
func vendors() string { return os.Getenv("SLACK_SAMPLES") }

// TestShapes makes the file anew from Slack's samples, and has it be the same; with UPDATE_SHAPES=1 it is written.
func TestShapes(t *testing.T) {
	t.Parallel()
	have, err := readShapes()
	if err != nil {
		t.Fatal(err)
	}
	if len(have.Methods) < 30 || len(have.Events) < 80 {
		t.Fatalf("%d methods, %d events", len(have.Methods), len(have.Events))
	}
	s := shape{}
	s.add(map[string]any{"a": "x", "b": []any{map[string]any{"c": 1.0}}})
	if got := s.differs(map[string]any{"a": 1.0, "b": []any{map[string]any{"d": true}}}); !slices.Equal(got, []string{"a is number, not [string]", "b.[].d is unknown"}) {
		t.Errorf("differences are %q", got)
	}
	dir := vendors()
	if dir == "" {
		return
	}
	want := &shapes{Methods: map[string]shape{}, Events: map[string]shape{"envelope.": {}}}
	read := func(name string) (v map[string]any) {
		t.Helper()
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatal(name, err)
		}
		return v
	}
	for name := range have.Methods {
		s := shape{}
		s.add(read(filepath.Join(dir, "api", name+".json")))
		want.Methods[name] = s
	}
	files, err := filepath.Glob(filepath.Join(dir, "events", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		sample := read(name)
		event, _ := sample["event"].(map[string]any)
		subtype, _ := event["subtype"].(string)
		key := fmt.Sprintf("%v.%s", event["type"], subtype)
		if want.Events[key] == nil {
			want.Events[key] = shape{}
		}
		want.Events[key].add(event)
		sample["event"] = map[string]any{}
		want.Events["envelope."].add(sample)
	}
	if os.Getenv("UPDATE_SHAPES") != "" {
		raw, err := json.MarshalIndent(want, "", "")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(shapesFile, append(raw, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	same := func(kind string, a, b map[string]shape) {
		for name := range b {
			if !maps.Equal(a[name], b[name]) {
				t.Errorf("%s %s is not as in the samples", kind, name)
			}
		}
	}
	same("method", have.Methods, want.Methods)
	same("event", have.Events, want.Events)
}
