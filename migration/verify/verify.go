package verify

import (
	"context"
	"encoding/json/v2"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/importer/wire"
	"github.com/landbridge-im/landbridge/migration/model"
	"github.com/landbridge-im/landbridge/migration/plan"
	"github.com/landbridge-im/landbridge/migration/run"
)

// Server is what is asked; run.Console is one.
type Server interface {
	Do(ctx context.Context, verb string, in, out any) error
}

// Report is what was found.
type Report struct {
	Compared, Same int
	Rooms, Members int
	// Changed are events that somebody has edited or deleted here since.
	Changed     int
	Differences []Difference
	// Channels are all of the export, in its order.
	Channels []Channel
	// Problems are those of the export itself: what was never there to be compared.
	Problems []model.Problem
}

// Difference is something that is not as the export has it.
type Difference struct {
	Item string
	What string
}

// maxDifferences bounds the report.
const maxDifferences = 20_000

// Verify compares an export with the rooms. begun, if not nil, is given what tells how far it is.
func Verify(ctx context.Context, x model.Export, m *plan.Mapping, s Server, begun func(*run.Runner)) (Report, error) {
	counted := newTally(x, m)
	t := &target{s: s, source: x.Source().Key(), expect: map[string]map[string]bool{}, rooms: map[string]*Channel{}, byRoom: map[string]*Channel{}}
	r := run.New(run.Options{Export: counted, Mapping: m, Target: t})
	if begun != nil {
		begun(r)
	}
	sum, err := r.Run(ctx)
	if err != nil {
		return t.report, err
	}
	if err := t.members(ctx, "@"+m.Naming.Ghosts, "@"+m.Naming.Bot+":"); err != nil {
		return t.report, err
	}
	if t.report.Channels, err = counted.channels(ctx, m, t.rooms); err != nil {
		return t.report, err
	}
	t.report.Problems = x.Problems()
	_ = sum // what would be wrong with sending is told by the differences
	return t.report, nil
}

// target is a run.Target that changes nothing.
type target struct {
	s      Server
	source string
	server string

	mu     sync.Mutex
	report Report
	// expect is who is to be in which room.
	expect map[string]map[string]bool
	// rooms are what is here of channels, by their keys, and byRoom the same by room id.
	rooms, byRoom map[string]*Channel
}

var _ run.Target = (*target)(nil)

func (t *target) differ(item, format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.report.Differences) < maxDifferences {
		t.report.Differences = append(t.report.Differences, Difference{item, fmt.Sprintf(format, args...)})
	}
}

// Open implements run.Target.
func (t *target) Open(ctx context.Context) (out wire.Opened, err error) {
	err = t.s.Do(ctx, "open", struct{}{}, &out)
	t.server = out.Server
	if err == nil && !slices.Contains(out.Sources, t.source) {
		err = fmt.Errorf("nothing of %s has been brought in here", t.source)
	}
	return out, err
}

var _ run.Speaker = (*target)(nil)

// MaySpeak implements run.Speaker: as it was when things were brought in.
func (t *target) MaySpeak(userID string) bool {
	s, ok := t.s.(run.Speaker)
	return !ok || s.MaySpeak(userID)
}

// People implements run.Target: those without an account are found by what they said.
func (t *target) People(context.Context, wire.People) (wire.PeopleMade, error) {
	return wire.PeopleMade{}, nil
}

// Room implements run.Target.
func (t *target) Room(ctx context.Context, q wire.Room) (out wire.RoomMade, err error) {
	var seen wire.Looked
	if err := t.s.Do(ctx, "look", wire.Look{Source: t.source, Remotes: []string{"room/" + q.Remote, "adopted/" + q.Remote}}, &seen); err != nil {
		return out, err
	}
	if len(seen.Items) == 0 {
		t.differ("room "+q.Remote, "is not here")
		return wire.RoomMade{RoomID: "!missing-" + q.Remote}, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.report.Rooms++
	out.RoomID = seen.Items[0].RoomID
	if out.Adopted = len(seen.Items) > 1; out.Adopted {
		out.Lived = true // who is in it is known better there
	} else {
		t.expect[out.RoomID] = map[string]bool{}
	}
	if key, ok := strings.CutPrefix(q.Remote, "channel/"); ok {
		c := &Channel{RoomID: out.RoomID}
		t.rooms[key], t.byRoom[out.RoomID] = c, c
	}
	return out, nil
}

// HaveMedia implements run.Target.
func (t *target) HaveMedia(ctx context.Context, q wire.HaveMedia) (out wire.MediaHad, err error) {
	return out, t.s.Do(ctx, "media/have", q, &out)
}

// PutMedia implements run.Target.
func (t *target) PutMedia(_ context.Context, id, _, name, _ string, _ io.Reader) (wire.MediaMade, error) {
	return wire.MediaMade{}, errors.New("the file is not here")
}

// Batch implements run.Target.
func (t *target) Batch(ctx context.Context, q wire.Batch) (out wire.BatchDone, err error) {
	var names []string
	for _, it := range q.Items {
		if it.Remote != "" {
			names = append(names, it.Remote)
		}
		if of := ofMessage(it.Remote); of != it.Remote {
			names = append(names, of)
		}
		if it.Relates != nil {
			names = append(names, it.Relates.To)
			if it.Relates.Reply != "" {
				names = append(names, it.Relates.Reply)
			}
		}
		if hasFile(it) {
			names = append(names, it.Remote+run.Found, it.Remote+"~1"+run.Found)
		}
		names = append(names, it.Pins...)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	here := map[string]event{}
	for chunk := range slices.Chunk(names, wire.MaxItems) {
		var seen wire.Looked
		if err := t.s.Do(ctx, "look", wire.Look{Source: t.source, Remotes: chunk}, &seen); err != nil {
			return out, err
		}
		for _, s := range seen.Items {
			var e event
			if err := json.Unmarshal(s.Event, &e); err != nil {
				return out, fmt.Errorf("reading an event: %w", err)
			}
			e.Bridged = s.Bridged
			here[s.Remote] = e
		}
	}
	for _, it := range q.Items {
		t.move(q.RoomID, it)
		e, ok := here[it.Remote]
		out.Items = append(out.Items, wire.Done{EventID: e.ID})
		switch {
		case !ok && it.Remote != "" && here[ofMessage(it.Remote)].Bridged:
			// The bridge has the message in its own parts, and knows who has reacted to it.
		case it.Remote == "" || it.StateKey != nil || it.Kind == wire.KindPins:
			// Members are compared at the end; names and topics may have been changed here since.
		case it.If != "" && !ok:
			// What it would change is as it is to be.
		case hasFile(it) && (here[it.Remote+run.Found].ID != "" || here[it.Remote+"~1"+run.Found].ID != ""):
			// It stands for a file, or is the text of one, that came later: as an item of its own.
			t.count(q.RoomID, true)
		case it.Kind == wire.KindRedact:
			if to, known := here[it.Relates.To]; known && to.Content != nil && len(to.Content) > 0 {
				t.differ(it.Relates.To, "is deleted there, and not here")
			}
		case !ok && it.Relates != nil && (it.Relates.Rel == wire.RelReaction || it.Relates.Rel == wire.RelEdit) && here[it.Relates.To].ID == "":
			// What it belongs to is missing, which is told already.
		case !ok:
			t.count(q.RoomID, false)
			t.differ(it.Remote, "is not here")
		default:
			t.compare(q, it, e, here)
		}
	}
	return out, nil
}

// hasFile tells whether an item is a file.
func hasFile(it wire.Item) bool {
	return it.If == "" && it.Type == "m.room.message" && gjson.GetBytes(it.Content, "url").Exists()
}

func (t *target) count(room string, same bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.byRoom[room]
	if c == nil {
		c = &Channel{} // of a room that is missing, which is told
	}
	t.report.Compared++
	c.Events++
	if same {
		t.report.Same++
		c.Same++
	}
}

// ofMessage is the name of the message that an item belongs to.
func ofMessage(remote string) string {
	if message, _, ok := strings.Cut(remote, "~"); ok {
		return message
	}
	if message, _, ok := strings.Cut(remote, "/r/"); ok {
		return message
	}
	return remote
}

// event is what is compared of an event.
type event struct {
	// Bridged tells that it was here before.
	Bridged  bool           `json:"-"`
	ID       string         `json:"event_id"`
	Type     string         `json:"type"`
	Sender   string         `json:"sender"`
	RoomID   string         `json:"room_id"`
	TS       int64          `json:"origin_server_ts"`
	Content  map[string]any `json:"content"`
	Unsigned struct {
		Redacted any `json:"redacted_because"`
	} `json:"unsigned"`
}

// compare compares an item with the event that it is here.
func (t *target) compare(q wire.Batch, it wire.Item, e event, here map[string]event) {
	if e.Bridged && e.RoomID == q.RoomID {
		t.count(q.RoomID, true) // its words are the bridge's
		return
	}
	if len(e.Content) == 0 && len(it.Content) > 2 {
		t.mu.Lock()
		t.report.Changed++
		t.mu.Unlock()
		t.count(q.RoomID, true)
		return
	}
	var what []string
	note := func(field, want, have string) {
		if want != have {
			what = append(what, fmt.Sprintf("its %s is %.200q instead of %.200q", field, have, want))
		}
	}
	note("room", q.RoomID, e.RoomID)
	note("sender", it.Sender, e.Sender)
	note("type", it.Type, e.Type)
	note("time", fmt.Sprint(it.TS), fmt.Sprint(e.TS))
	relates, _ := e.Content["m.relates_to"].(map[string]any)
	if it.Relates != nil {
		want := here[it.Relates.To].ID
		have, _ := relates["event_id"].(string)
		reply, _ := relates["m.in_reply_to"].(map[string]any)
		answered, _ := reply["event_id"].(string)
		if it.Relates.Rel == wire.RelReply {
			have = answered
		}
		note("relation", want, have)
		if answers := here[it.Relates.Reply].ID; answers != "" {
			note("answer", answers, answered)
		}
		if it.Relates.Rel == wire.RelReaction {
			key, _ := relates["key"].(string)
			note("key", it.Relates.Key, key)
		}
	} else if relates != nil {
		what = append(what, "it relates to another event, and does not there")
	}
	var want map[string]any
	if err := json.Unmarshal(it.Content, &want); err != nil {
		what = append(what, "the export's content can't be read")
	}
	delete(e.Content, "m.relates_to")
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if !reflect.DeepEqual(want[k], e.Content[k]) {
			what = append(what, fmt.Sprintf("its %s is %.200q instead of %.200q", k, fmt.Sprint(e.Content[k]), fmt.Sprint(want[k])))
		}
	}
	for _, k := range slices.Sorted(maps.Keys(e.Content)) {
		if _, ok := want[k]; !ok {
			what = append(what, "it has a "+k+", and has none there")
		}
	}
	t.count(q.RoomID, len(what) == 0)
	if len(what) > 0 {
		t.differ(it.Remote, "%s", strings.Join(what, "; "))
	}
}

// move follows who comes and goes.
func (t *target) move(room string, it wire.Item) {
	t.mu.Lock()
	defer t.mu.Unlock()
	in := t.expect[room]
	if in == nil {
		return
	}
	if it.Kind == wire.KindLeave {
		delete(in, it.Sender)
		return
	}
	in[it.Sender] = true
}

// members compares who is in the rooms. Real people come and go as they like; ghosts do not.
func (t *target) members(ctx context.Context, ghosts, bot string) error {
	for _, room := range slices.Sorted(maps.Keys(t.expect)) {
		var out wire.Joined
		if err := t.s.Do(ctx, "members", wire.Members{RoomID: room}, &out); err != nil {
			return err
		}
		have := map[string]bool{}
		for _, u := range out.Joined {
			have[u] = true
			if strings.HasPrefix(u, ghosts) && !strings.HasPrefix(u, bot) && !t.expect[room][u] {
				t.differ("room "+room, "%s is in it, and was not there", u)
			}
		}
		for _, u := range slices.Sorted(maps.Keys(t.expect[room])) {
			t.report.Members++
			if !have[u] && strings.HasPrefix(u, ghosts) {
				t.differ("room "+room, "%s is not in it, and was there", u)
			}
		}
	}
	return nil
}
