package homeserver

import (
	"encoding/json/jsontext"
	"encoding/json/v2"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"
	"maunium.net/go/mautrix/federation/pdu"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// distant is a room of version 11 on a server that is played by the test, which leaves the members out
// when somebody joins, and tells of them only once it is let go.
type distant struct {
	*afar
	id string

	mu     sync.Mutex
	events map[string]*event.Event
	// now is the current state, and before the ids of the state before each event.
	now    map[string]*event.Event
	before map[string][]string
	// got are the events that were sent to it, and edus the other messages.
	got  []string
	edus []gjson.Result
	// asked counts requests by their kind; spoilt makes state_ids useless.
	asked  map[string]int
	spoilt bool
	// others are servers that it says are in the room too.
	others []string
	hold   chan struct{}
	once   sync.Once
}

// distantRoom makes one with bob, who made it, carol and dave in it.
func distantRoom(t *testing.T, far *afar) *distant {
	t.Helper()
	d := &distant{afar: far, id: "!far:" + far.peer.name, events: map[string]*event.Event{}, now: map[string]*event.Event{}, before: map[string][]string{},
		asked: map[string]int{}, hold: make(chan struct{})}
	d.room = d.id
	far.peer.answer = d.answer
	t.Cleanup(d.release)
	d.state("m.room.create", "", d.bob(), `{"room_version":"11"}`)
	d.state("m.room.member", d.bob(), d.bob(), `{"membership":"join"}`)
	d.state("m.room.power_levels", "", d.bob(), `{"users":{"`+d.bob()+`":100,"`+d.at("erin")+`":100,"`+d.at("dave")+`":50}}`)
	d.state("m.room.join_rules", "", d.bob(), `{"join_rule":"public"}`)
	for _, name := range []string{"carol", "dave"} {
		d.state("m.room.member", d.at(name), d.at(name), `{"membership":"join"}`)
	}
	return d
}

// twin is another server of the same room, which knows what the first one does.
func (d *distant) twin(p *peer) *distant {
	out := &distant{afar: &afar{T: d.T, peer: p, tip: d.tip}, id: d.id, events: d.events, now: d.now, before: d.before, asked: map[string]int{}, hold: make(chan struct{})}
	out.release()
	p.answer = out.answer
	return out
}

func (d *distant) at(name string) string { return "@" + name + ":" + d.peer.name }

// release lets the state be told.
func (d *distant) release() { d.once.Do(func() { close(d.hold) }) }

// make makes an event that follows the newest; auth replaces the events that it rests on.
func (d *distant) make(typ string, key *string, sender, content string, auth ...*event.Event) *event.Event {
	d.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.depth++
	p := event.Proto{Version: "11", RoomID: d.id, Type: typ, Sender: sender, StateKey: key, Content: []byte(content), TS: time.Now().UnixMilli(), Depth: d.depth}
	if d.tip != nil {
		p.Prev = []string{d.tip.ID}
	}
	if auth == nil {
		shape := pdu.PDU{Type: typ, Sender: id.UserID(sender), StateKey: key, Content: jsontext.Value(content)}
		for _, k := range shape.AuthEventSelection("11") {
			if e := d.now[k.Type+"|"+k.StateKey]; e != nil && typ != "m.room.create" {
				auth = append(auth, e)
			}
		}
	}
	for _, e := range auth {
		p.Auth = append(p.Auth, e.ID)
	}
	e := d.build(p)
	d.note(e)
	return e
}

// note remembers an event, the state before it, and that it is the newest. d.mu is held.
func (d *distant) note(e *event.Event) {
	d.events[e.ID] = e
	for _, x := range d.now {
		d.before[e.ID] = append(d.before[e.ID], x.ID)
	}
	d.tip = e
	d.depth = max(d.depth, e.PDU.Depth)
}

// holds puts an event into the state.
func (d *distant) holds(e *event.Event) {
	d.mu.Lock()
	d.now[e.Type+"|"+*e.StateKey] = e
	d.mu.Unlock()
}

func (d *distant) state(typ, key, sender, content string) *event.Event {
	d.Helper()
	e := d.make(typ, &key, sender, content)
	d.holds(e)
	return e
}

func (d *distant) message(sender, body string) *event.Event {
	d.Helper()
	return d.make("m.room.message", nil, sender, `{"msgtype":"m.text","body":"`+body+`"}`)
}

func (d *distant) current(typ, key string) *event.Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now[typ+"|"+key]
}

// sends sends events, one transaction each time.
func (d *distant) sends(txn string, events ...*event.Event) {
	d.Helper()
	var raw []jsontext.Value
	for _, e := range events {
		raw = append(raw, d.raw(e))
	}
	for id, why := range d.put(txn, nil, raw...) {
		if why != "" {
			d.Errorf("%s: %s", id, why)
		}
	}
}

// has tells whether an event has arrived.
func (d *distant) has(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Contains(d.got, id)
}

func (d *distant) count(what string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked[what]
}

// chain is the auth chain of some events. d.mu is held.
func (d *distant) chain(of []string) []string {
	seen := map[string]bool{}
	for len(of) > 0 {
		e := d.events[of[0]]
		of = of[1:]
		for _, a := range e.AuthEvents {
			if !seen[string(a)] {
				seen[string(a)] = true
				of = append(of, string(a))
			}
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

func (d *distant) raws(ids []string) []jsontext.Value {
	out := []jsontext.Value{}
	for _, id := range ids {
		out = append(out, d.raw(d.events[id]))
	}
	return out
}

// answer answers other servers in the room's stead.
func (d *distant) answer(w http.ResponseWriter, r *http.Request) bool {
	rest, ok := strings.CutPrefix(r.URL.Path, "/_matrix/federation/v")
	if !ok {
		return false
	}
	parts := strings.Split(rest, "/")[1:]
	body, _ := io.ReadAll(r.Body)
	if parts[0] == "state_ids" {
		d.mu.Lock()
		d.asked["state_ids"]++
		d.mu.Unlock()
		select {
		case <-d.hold:
		case <-r.Context().Done():
			return true
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if parts[0] != "state_ids" {
		d.asked[parts[0]]++
	}
	out := d.reply(parts, r.URL.Query(), body)
	if out == nil {
		w.WriteHeader(http.StatusNotFound)
		out = obj{"errcode": "M_NOT_FOUND", "error": "no"}
	}
	raw, err := json.Marshal(out)
	if err != nil {
		d.Error(err)
	}
	_, _ = w.Write(raw)
	return true
}

func (d *distant) reply(parts []string, q url.Values, body []byte) any {
	switch parts[0] {
	case "make_join":
		if d.now["m.room.member|"+parts[2]] != nil && d.now["m.room.member|"+parts[2]].Membership() == "ban" {
			return nil
		}
		auth := []string{}
		for _, k := range []string{"m.room.create|", "m.room.power_levels|", "m.room.join_rules|", "m.room.member|" + parts[2]} {
			if e := d.now[k]; e != nil {
				auth = append(auth, e.ID)
			}
		}
		return obj{"room_version": "11", "event": obj{"type": "m.room.member", "sender": parts[2], "state_key": parts[2], "room_id": d.id,
			"content": obj{"membership": "join"}, "depth": d.depth + 1, "prev_events": []string{d.tip.ID}, "auth_events": auth}}
	case "send_join":
		e := d.read(body)
		var state []string
		for _, x := range d.now {
			if x.Type != "m.room.member" {
				state = append(state, x.ID)
			}
		}
		d.note(e)
		d.now["m.room.member|"+*e.StateKey] = e
		return obj{"event": d.raw(e), "state": d.raws(state), "auth_chain": d.raws(d.chain(state)), "members_omitted": true,
			"servers_in_room": append([]string{d.peer.name}, d.others...), "origin": d.peer.name}
	case "state_ids", "state":
		state, ok := d.before[q.Get("event_id")]
		if !ok {
			return nil
		}
		if d.spoilt {
			return obj{}
		}
		if parts[0] == "state" {
			return obj{"pdus": d.raws(state), "auth_chain": d.raws(d.chain(state))}
		}
		return obj{"pdu_ids": state, "auth_chain_ids": d.chain(state)}
	case "event":
		if e := d.events[parts[1]]; e != nil {
			return obj{"origin": d.peer.name, "origin_server_ts": 1, "pdus": []jsontext.Value{d.raw(e)}}
		}
	case "event_auth":
		if d.events[parts[2]] != nil {
			return obj{"auth_chain": d.raws(d.chain([]string{parts[2]}))}
		}
	case "get_missing_events":
		return obj{"events": []any{}}
	case "send":
		g := gjson.ParseBytes(body)
		for _, raw := range g.Get("pdus").Array() {
			e := d.read([]byte(raw.Raw))
			d.got = append(d.got, e.ID)
			d.note(e)
			if e.StateKey != nil {
				d.now[e.Type+"|"+*e.StateKey] = e
			}
		}
		d.edus = append(d.edus, g.Get("edus").Array()...)
		return obj{"pdus": obj{}}
	}
	return nil
}

// read reads an event of the other server.
func (d *distant) read(raw []byte) *event.Event {
	e, err := event.Parse(raw, "", d.id, "11")
	if err == nil {
		var id string
		if x, failed := e.GetEventID("11"); failed == nil {
			id = string(x)
		} else {
			err = failed
		}
		e.ID = id
	}
	if err != nil {
		d.Error(err)
	}
	return e
}

// enter joins the room.
func (d *distant) enter(h *hs, token string) {
	d.Helper()
	h.ok(token, "POST", "/v3/join/"+url.PathEscape(d.id)+"?via="+url.QueryEscape(d.peer.name), nil)
}

// lazily is the query of a sync that loads members lazily, and shown what it says of the room.
const lazily = `filter={"room":{"state":{"lazy_load_members":true}}}`

func (d *distant) shown(h *hs, token, query string) gjson.Result {
	d.Helper()
	return h.ok(token, "GET", "/v3/sync?"+strings.NewReplacer("{", "%7B", "}", "%7D", `"`, "%22").Replace(query), nil).Get("rooms.join." + gjsonKey(d.id))
}

// sees tells whether a client may have an event.
func (d *distant) sees(h *hs, token, id string) bool {
	return h.has(token, d.id, id)
}

// members are those in the room, as told when all of them are known.
func (d *distant) members(h *hs, token string) []string {
	d.Helper()
	var out []string
	for user := range h.ok(token, "GET", "/v3/rooms/"+url.PathEscape(d.id)+"/joined_members", nil).Get("joined").Map() {
		out = append(out, user)
	}
	slices.Sort(out)
	return out
}
