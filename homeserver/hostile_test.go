package homeserver

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json/jsontext"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/federation/fclient"
	"github.com/landbridge-im/landbridge/homeserver/federation/xmatrix"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// request makes a request as far does, with a body that its client would not send. auth, if it is not nil, changes
// the header.
func (f *afar) request(method, path string, body []byte, auth func(string) string) (int, gjson.Result) {
	f.Helper()
	req, err := http.NewRequestWithContext(f.Context(), method, "https://"+f.to+path, bytes.NewReader(body))
	if err != nil {
		f.Fatal(err)
	}
	if err := xmatrix.Sign(req, body, f.peer.signer, f.to); err != nil {
		// What can't be made canonical can't be signed either.
		req.Header.Set("Authorization", `X-Matrix origin="`+f.peer.name+`",destination="`+f.to+`",key="`+f.peer.signer.KeyID+`",sig="AAAA"`)
	}
	if auth != nil {
		req.Header.Set("Authorization", auth(req.Header.Get("Authorization")))
	}
	tr := &http.Transport{TLSClientConfig: f.peer.tls.Client().Transport.(*http.Transport).TLSClientConfig.Clone()}
	tr.TLSClientConfig.InsecureSkipVerify = true // it is the request that is tested
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		f.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		f.Fatal(err)
	}
	return res.StatusCode, gjson.ParseBytes(raw)
}

// TestHostileTransactions sends what no honest server does. All of it is refused, and the next honest message is
// heard.
func TestHostileTransactions(t *testing.T) {
	t.Parallel()
	h, name, far := resident(t)
	alice := h.user("alice")
	room := h.room(alice, obj{"preset": "public_chat", "room_version": "12"})
	far.join(room, false)
	raw := far.raw(far.next(far.bob(), "x"))
	set := func(path string, v any) jsontext.Value {
		out, err := sjson.SetBytes(bytes.Clone(raw), path, v)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	other := event.Signer{Server: far.peer.name, KeyID: far.peer.signer.KeyID, Key: ed25519.NewKeyFromSeed(make([]byte, 32))}
	resign := func(path string, v any, s event.Signer) jsontext.Value {
		e := far.parse(set(path, v))
		e.PDU.Signatures, e.PDU.Hashes = nil, nil
		if err := s.Sign(e.PDU, "12"); err != nil {
			t.Fatal(err)
		}
		return far.raw(e)
	}
	deep := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	transaction := func(pdus, edus []string) []byte {
		return []byte(`{"origin":"` + far.peer.name + `","origin_server_ts":1,"pdus":[` + strings.Join(pdus, ",") + `],"edus":[` + strings.Join(edus, ",") + `]}`)
	}
	repeat := func(s string, n int) (out []string) {
		for range n {
			out = append(out, s)
		}
		return out
	}
	// Events that are refused alone.
	for what, pdu := range map[string]jsontext.Value{
		"a forged signature":          resign("content.body", "forged", other),
		"no signature":                set("signatures", obj{}),
		"changed after it was signed": set("depth", 77),
		"somebody of this server":     resign("sender", "@alice:"+name, far.peer.signer),
		"somebody of a third server":  resign("sender", "@x:127.0.0.1:1", far.peer.signer),
		"too large":                   resign("content.body", strings.Repeat("x", 66_000), far.peer.signer),
		"21 previous events":          resign("prev_events", repeat("$x", 21), far.peer.signer),
		"11 auth events":              resign("auth_events", repeat("$x", 11), far.peer.signer),
		"a long type":                 resign("type", strings.Repeat("t", 256), far.peer.signer),
		"no previous events":          resign("prev_events", []string{}, far.peer.signer),
		"a negative depth":            resign("depth", -1, far.peer.signer),
		"another room":                resign("room_id", "!other", far.peer.signer),
	} {
		status, out := far.request("PUT", "/_matrix/federation/v1/send/one-"+strings.ReplaceAll(what, " ", "-"), transaction([]string{string(pdu)}, nil), nil)
		if status != 200 {
			t.Errorf("%s: %d %s", what, status, out)
		}
		out.Get("pdus").ForEach(func(id, r gjson.Result) bool {
			if r.Get("error").Str == "" {
				t.Errorf("%s: taken as %s", what, id)
			}
			return true
		})
	}
	// Transactions that are refused, or do nothing.
	for what, body := range map[string][]byte{
		"51 PDUs":                  transaction(repeat(string(raw), 51), nil),
		"101 EDUs":                 transaction(nil, repeat(`{"edu_type":"m.typing","content":{}}`, 101)),
		"no JSON":                  []byte("{"),
		"invalid UTF-8":            transaction([]string{strings.Replace(string(raw), `"x"`, "\"\xff\"", 1)}, nil),
		"duplicate keys":           transaction([]string{strings.Replace(string(raw), `"depth"`, `"depth":1,"depth"`, 1)}, nil),
		"a number that is too big": transaction([]string{strings.Replace(string(raw), `"content":{`, `"content":{"n":9007199254740993,`, 1)}, nil),
		"a fraction":               transaction([]string{strings.Replace(string(raw), `"content":{`, `"content":{"n":1.5,`, 1)}, nil),
		"deep":                     transaction([]string{strings.Replace(string(raw), `"content":{`, `"content":{"n":`+deep(9000)+`,`, 1)}, nil),
		"very deep":                transaction([]string{deep(2_000_000)}, nil),
		"a list":                   []byte("[]"),
		"nothing":                  nil,
		"another origin":           []byte(`{"origin":"elsewhere","pdus":[]}`),
		"nonsense inside":          transaction([]string{"1", "null", `"x"`, "[]", "{}", `{"room_id":1}`, `{"room_id":"` + room + `"}`}, []string{"1", "null", `{"edu_type":1}`, `{"edu_type":"m.receipt","content":{"!x":{"m.read":1}}}`}),
	} {
		status, out := far.request("PUT", "/_matrix/federation/v1/send/all-"+strings.ReplaceAll(what, " ", "-"), body, nil)
		// What is deep is good JSON; the event is pruned, as its content is not what was signed.
		if status >= 500 || status == 200 && what != "deep" && strings.Contains(out.Get("pdus").Raw, ":{}") {
			t.Errorf("%s: %d %s", what, status, out)
		}
	}
	// One event that can't be read does not keep the others of its transaction out.
	beside := far.next(far.bob(), "beside numbers")
	number := strings.Replace(string(raw), `"content":{`, `"content":{"a":1.5,"n":90071992547409930,`, 1)
	if status, out := far.request("PUT", "/_matrix/federation/v1/send/numbers", transaction([]string{number, string(far.raw(beside))}, nil), nil); status != 200 || out.Get("pdus."+beside.ID).Raw != "{}" {
		t.Errorf("beside an event with numbers that canonical JSON doesn't have: %d %s", status, out)
	}
	// Headers that say who asks, or not.
	for what, auth := range map[string]func(string) string{
		"none":                 func(string) string { return "" },
		"another scheme":       func(string) string { return "Bearer x" },
		"no fields":            func(string) string { return "X-Matrix" },
		"only commas":          func(string) string { return "X-Matrix ,,,," },
		"half a quote":         func(string) string { return `X-Matrix origin="` },
		"this server":          func(s string) string { return strings.Replace(s, far.peer.name, name, 1) },
		"another destination":  func(s string) string { return strings.Replace(s, `destination="`+name, `destination="elsewhere`, 1) },
		"an unknown key":       func(s string) string { return strings.Replace(s, `key="ed25519:`, `key="ed25519:zzz`, 1) },
		"another algorithm":    func(s string) string { return strings.Replace(s, `key="ed25519:`, `key="rsa:`, 1) },
		"a forged signature":   func(s string) string { return strings.Replace(s, `sig="`, `sig="AAAA`, 1) },
		"an address inside":    func(s string) string { return strings.Replace(s, far.peer.name, "10.0.0.1:1", 1) },
		"a name that is none":  func(s string) string { return strings.Replace(s, far.peer.name, "a b/c", 1) },
		"very long":            func(s string) string { return s + strings.Repeat(",x=y", 50_000) },
		"a line that is split": func(s string) string { return strings.Replace(s, "origin", "o\trigin", 1) },
	} {
		status, out := far.request("PUT", "/_matrix/federation/v1/send/h", transaction([]string{string(raw)}, nil), auth)
		if status != 400 && status != 401 && status != 431 && status != 403 {
			t.Errorf("%s: %d %s", what, status, out)
		}
	}
	// Repeated, with something else inside: what was answered first counts.
	first, second := far.next(far.bob(), "first"), far.next(far.bob(), "second")
	for _, e := range []*event.Event{first, first, second} {
		if out := far.put("again", nil, far.raw(e)); len(out) != 0 {
			t.Errorf("a repeated transaction: %v", out)
		}
	}
	seen := func(e *event.Event) bool {
		return h.has(alice, room, e.ID)
	}
	h.eventually("the honest message", func() bool { return seen(first) })
	if seen(second) {
		t.Error("a transaction was taken twice")
	}
}

// TestHostileAnswers has a server answer without an end what it is asked. It is asked a bounded number of times, and
// another room hears it meanwhile.
func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	h, _, far := resident(t)
	alice := h.user("alice")
	good := h.room(alice, obj{"preset": "public_chat", "room_version": "12"})
	bad := h.room(alice, obj{"preset": "public_chat", "room_version": "12"})
	far.join(good, false)
	fine := *far
	far.join(bad, false)
	var asked, streamed atomic.Int64
	far.peer.answer = func(w http.ResponseWriter, r *http.Request) bool {
		switch at := r.URL.Path; {
		case strings.Contains(at, "/get_missing_events/"):
			// One more each time, whose previous event is one more again.
			n := asked.Add(1)
			e := far.build(event.Proto{Version: "12", RoomID: bad, Type: "m.room.message", Sender: far.bob(), Content: fmt.Appendf(nil, `{"n":%d}`, n),
				TS: n, Depth: max(1, 1000-n), Prev: []string{fmt.Sprintf("$endless%d", n)}, Auth: []string{far.state["m.room.power_levels|"].ID, far.tip.ID}})
			_, _ = fmt.Fprintf(w, `{"events":[%s]}`, far.raw(e))
		case strings.Contains(at, "/state_ids/"):
			// As many ids as fit.
			_, _ = io.WriteString(w, `{"auth_chain_ids":[],"pdu_ids":["$0"`)
			for n := range 300_000 {
				if _, err := fmt.Fprintf(w, `,"$%d"`, n); err != nil {
					return true
				}
			}
			_, _ = io.WriteString(w, `]}`)
		case strings.Contains(at, "/event_auth/"), strings.Contains(at, "/state/"):
			// Events without an end.
			_, _ = io.WriteString(w, `{"auth_chain":[`)
			e := far.raw(far.build(event.Proto{Version: "12", RoomID: bad, Type: "m.room.message", Sender: "@x:127.0.0.1:1", Content: []byte(`{}`), TS: 1, Depth: 1, Prev: []string{"$p"}}))
			for r.Context().Err() == nil {
				if _, err := fmt.Fprintf(w, "%s,", e); err != nil {
					return true
				}
				streamed.Add(int64(len(e)))
			}
		default:
			return false
		}
		return true
	}
	far.put("bad1", nil, far.raw(far.next(far.bob(), "behind a gap", "$unknown")))
	unknownAuth := far.next(far.bob(), "resting on what is not there")
	unknownAuth.PDU.AuthEvents = append(unknownAuth.PDU.AuthEvents, "$nothing")
	unknownAuth.PDU.Signatures, unknownAuth.PDU.Hashes = nil, nil
	if err := far.peer.signer.Sign(unknownAuth.PDU, "12"); err != nil {
		t.Fatal(err)
	}
	far.put("bad2", nil, far.raw(unknownAuth))
	began := time.Now()
	for i := range 5 {
		e := fine.next(fine.bob(), fmt.Sprint("fine ", i))
		fine.put(fmt.Sprint("good", i), nil, fine.raw(e))
		h.eventually("what another room says", func() bool {
			return h.has(alice, good, e.ID)
		})
	}
	t.Logf("another room was heard after %v, while the server was asked %d times and sent %d bytes", time.Since(began), asked.Load(), streamed.Load())
	h.say(alice, bad, "the room itself goes on too")
	if n := asked.Load(); n > 20 {
		t.Errorf("the server was asked %d times for what is missing", n)
	}
}

// TestManyExtremities has a server hang a great many events beside each other.
func TestManyExtremities(t *testing.T) {
	t.Parallel()
	h, _, far := resident(t)
	alice := h.user("alice")
	room := h.room(alice, obj{"preset": "public_chat", "room_version": "12"})
	far.join(room, false)
	n := 600
	if os.Getenv("LANDBRIDGE_LONG") != "" {
		n = 10_000
	}
	var last *event.Event
	for i := 0; i < n; {
		var pdus []jsontext.Value
		for range 50 {
			last = far.next(far.bob(), fmt.Sprint("beside ", i))
			pdus = append(pdus, far.raw(last))
			i++
		}
		for {
			_, err := far.Send(t.Context(), far.to, fmt.Sprint("many", i), fclient.Transaction{Origin: far.peer.name, TS: 1, PDUs: pdus, EDUs: []jsontext.Value{}})
			var e *fclient.Error
			if err == nil {
				break
			}
			if !errors.As(err, &e) || e.Status != 429 {
				t.Fatal(err)
			}
			far.peer.outside.backoff.Heard(t.Context(), far.to)
			time.Sleep(100 * time.Millisecond)
		}
	}
	h.eventually("the last of them", func() bool {
		return h.has(alice, room, last.ID)
	})
	began := time.Now()
	h.state(alice, room, "m.room.topic", "", obj{"topic": "still here"})
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("a change of state took %v", took)
	}
	r, err := h.store.RoomByID(t.Context(), room)
	if err != nil {
		t.Fatal(err)
	}
	row, err := h.store.LoadRoom(t.Context(), r.NID)
	if err != nil {
		t.Fatal(err)
	}
	if len(row.Extremities) > 64 {
		t.Errorf("the room has %d forward extremities", len(row.Extremities))
	}
}

// TestGiantAuthChain sends an event that rests on a chain of thousands: with all of the chain it is taken in, and where
// its beginning is missing it never is. Another room hears its server meanwhile.
func TestGiantAuthChain(t *testing.T) {
	t.Parallel()
	h, _, far := resident(t)
	alice := h.user("alice")
	good := h.room(alice, obj{"preset": "public_chat", "room_version": "12"})
	room := h.room(alice, obj{"preset": "public_chat", "room_version": "12"})
	far.join(good, false)
	fine := *far
	far.join(room, false)
	const long = 3000
	bob := far.bob()
	chain := func(first string) (list []jsontext.Value, last string) {
		last = first
		for n := range long {
			e := far.build(event.Proto{Version: "12", RoomID: room, Type: "m.room.member", Sender: bob, StateKey: &bob, Content: fmt.Appendf(nil, `{"membership":"join","displayname":"%s%d"}`, first[:5], n),
				TS: int64(n), Depth: far.depth, Prev: []string{far.tip.ID}, Auth: []string{far.state["m.room.power_levels|"].ID, far.state["m.room.join_rules|"].ID, last}})
			list, last = append(list, far.raw(e)), e.ID
		}
		return list, last
	}
	whole, tip := chain(far.tip.ID)
	torn, end := chain("$nothingthatisanywhere")
	far.peer.answer = func(w http.ResponseWriter, r *http.Request) bool {
		at := r.URL.Path
		if !strings.Contains(at, "/event_auth/") {
			if strings.Contains(at, "/v1/event/") {
				w.WriteHeader(http.StatusNotFound)
				return true
			}
			return false
		}
		list := whole
		if strings.HasSuffix(at, "/"+end) || strings.Contains(at, url.PathEscape(end)) {
			list = torn
		}
		_, _ = io.WriteString(w, `{"auth_chain":[`)
		for n, raw := range append(slices.Clone(torn), list...) { // more than was asked for
			if n > 0 {
				_, _ = io.WriteString(w, ",")
			}
			_, _ = w.Write(raw)
		}
		_, _ = io.WriteString(w, `]}`)
		return true
	}
	resting := func(on, body string) *event.Event {
		return far.build(event.Proto{Version: "12", RoomID: room, Type: "m.room.message", Sender: bob, Content: fmt.Appendf(nil, `{"body":%q}`, body),
			TS: 1, Depth: far.depth + 1, Prev: []string{far.tip.ID}, Auth: []string{far.state["m.room.power_levels|"].ID, on}})
	}
	bad, honest := resting(end, "on nothing"), resting(tip, "on a long chain")
	far.put("chain", nil, far.raw(bad), far.raw(honest))
	e := fine.next(fine.bob(), "elsewhere")
	fine.put("fine", nil, fine.raw(e))
	seen := func(room, id string) bool {
		return h.has(alice, room, id)
	}
	h.eventually("what another room says", func() bool { return seen(good, e.ID) })
	eventually(t, "what rests on a long chain", func() bool { return seen(room, honest.ID) })
	if seen(room, bad.ID) {
		t.Error("what rests on nothing is shown")
	}
	r, err := h.store.RoomByID(t.Context(), room)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.store.EventNID(t.Context(), end); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("what rests on nothing is kept in room %d: %v", r.NID, err)
	}
	h.say(alice, room, "the room goes on")
}
