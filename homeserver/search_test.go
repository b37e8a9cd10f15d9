package homeserver

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// startSearch starts a server whose messages can be searched.
func startSearch(t testing.TB) *hs {
	t.Helper()
	h := start(t, func(o *Options) { o.Search = true })
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- h.search.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return h
}

type searchEvent struct {
	ID      string `json:"event_id"`
	Room    string `json:"room_id"`
	Type    string
	Sender  string
	Content struct{ Body, Name, Topic string }
}

type found struct {
	Count      *int
	Highlights []string
	Results    []struct {
		Rank    *float64
		Result  searchEvent
		Context *struct {
			Start, End string
			Before     []searchEvent `json:"events_before"`
			After      []searchEvent `json:"events_after"`
			Profile    map[string]struct {
				Name string `json:"displayname"`
			} `json:"profile_info"`
		}
	}
	State  map[string][]searchEvent
	Groups map[string]map[string]struct {
		Next    string `json:"next_batch"`
		Order   int
		Results []string
	}
	Next string `json:"next_batch"`
}

func (f found) bodies() []string {
	out := []string{}
	for _, r := range f.Results {
		out = append(out, r.Result.Content.Body+r.Result.Content.Name+r.Result.Content.Topic)
	}
	return out
}

// searchFor searches with room_events; token is that of a next page.
func (h *hs) searchFor(user, token string, q map[string]any) found {
	h.Helper()
	var out struct {
		Categories struct {
			Events *found `json:"room_events"`
		} `json:"search_categories"`
	}
	path := "/v3/search"
	if token != "" {
		path += "?next_batch=" + url.QueryEscape(token)
	}
	h.must(user, "POST", path, map[string]any{"search_categories": map[string]any{"room_events": q}}, &out)
	f := out.Categories.Events
	if f == nil || f.Count == nil || f.Highlights == nil || f.Results == nil {
		h.Fatalf("the answer lacks something: %+v", out)
	}
	return *f
}

func sorted(l []string) []string { slices.Sort(l); return l }

func TestSearchWords(t *testing.T) {
	t.Parallel()
	h := startSearch(t)
	alice := h.user("alice")
	room := h.room(alice, map[string]any{"name": "Kitchen", "topic": "Recipes of cakes"})
	for i, s := range []string{"the quick brown fox", "Über die Straße gelaufen", "東京都に住んでいます", "ผมชอบกินข้าว", "안녕하세요 여러분", "running a marathon", "Message 1", "Message 10", "happy 🎂 day", "quick and slow", "Ёлка стоит"} {
		h.text(alice, room, fmt.Sprint(i), s)
	}
	for _, tc := range []struct {
		term string
		want []string
	}{
		{"QUICK", []string{"quick and slow", "the quick brown fox"}},
		{"quick fox", []string{"the quick brown fox"}},
		{"fox quick", []string{"the quick brown fox"}},
		{`"brown fox"`, []string{"the quick brown fox"}},
		{`"fox brown"`, nil},
		{`"quick`, []string{"quick and slow", "the quick brown fox"}},
		{"uber STRASSE", []string{"Über die Straße gelaufen"}},
		{"東京", []string{"東京都に住んでいます"}},
		{"京都", []string{"東京都に住んでいます"}},
		{"京東", nil},
		{"都", []string{"東京都に住んでいます"}},
		{"す", []string{"東京都に住んでいます"}},
		{"ข้าว", []string{"ผมชอบกินข้าว"}},
		{"여러", []string{"안녕하세요 여러분"}},
		{"run", []string{"running a marathon"}},
		{`"run"`, nil},
		{"message 1", []string{"Message 1"}},
		{"🎂", []string{"happy 🎂 day"}},
		{"елка", []string{"Ёлка стоит"}},
		{"kitchen", []string{"Kitchen"}},
		{"recipes", []string{"Recipes of cakes"}},
		{"cake", []string{"Recipes of cakes"}},
		{"nothing", nil},
		{"AND OR NOT", nil},
		{"body:fox", nil},
		{"", nil},
		{"!?", nil},
		{`"`, nil},
	} {
		f := h.searchFor(alice, "", map[string]any{"search_term": tc.term})
		if got := sorted(f.bodies()); !slices.Equal(got, append([]string{}, tc.want...)) || *f.Count != len(tc.want) {
			t.Errorf("%q: got %q (%d), want %q", tc.term, got, *f.Count, tc.want)
		}
	}
	for key, want := range map[string]int{"content.body": 0, "content.name": 1, "content.topic": 0} {
		if f := h.searchFor(alice, "", map[string]any{"search_term": "kitchen", "keys": []string{key}}); *f.Count != want {
			t.Errorf("%s: %d", key, *f.Count)
		}
	}
	if f := h.searchFor(alice, "", map[string]any{"search_term": "run Mar"}); !slices.Equal(sorted(f.Highlights), []string{"Mar", "marathon", "run", "running"}) {
		t.Errorf("highlights %q", f.Highlights)
	}
}

func TestSearchChanges(t *testing.T) {
	t.Parallel()
	h := startSearch(t)
	alice, bob := h.user("alice"), h.user("bob")
	room := h.room(alice, map[string]any{"preset": "public_chat"})
	h.must(bob, "POST", "/v3/join/"+room, nil, nil)
	expect := func(what, term string, n int) {
		t.Helper()
		if f := h.searchFor(bob, "", map[string]any{"search_term": term}); len(f.Results) != n {
			t.Errorf("%s: %q finds %q", what, term, f.bodies())
		}
	}
	edit := func(user, id, target, body string) string {
		return h.text(user, room, id, map[string]any{"msgtype": "m.text", "body": "* " + body, "m.new_content": map[string]any{"msgtype": "m.text", "body": body},
			"m.relates_to": map[string]any{"rel_type": "m.replace", "event_id": target}})
	}
	redact := func(id, target string) {
		h.must(alice, "PUT", "/v3/rooms/"+room+"/redact/"+target+"/"+id, map[string]any{}, nil)
	}
	first := h.text(alice, room, "1", "apples")
	expect("sent", "apples", 1)
	one := edit(alice, "2", first, "pears")
	expect("edited", "apples", 0)
	expect("edited", "pears", 1)
	two := edit(alice, "3", first, "plums")
	expect("edited again", "pears", 0)
	expect("edited again", "plums", 1)
	edit(bob, "4", first, "stolen")
	expect("edited by somebody else", "stolen", 0)
	expect("edited by somebody else", "plums", 1)
	redact("5", two)
	expect("the edit was redacted", "plums", 0)
	expect("the edit was redacted", "pears", 1)
	redact("6", one)
	expect("both were redacted", "apples", 1)
	redact("7", first)
	expect("all was redacted", "apples", 0)
	h.text(alice, room, "8", map[string]any{"msgtype": "m.text", "body": "> <@alice:test> cherries\n> more\n\nanswer",
		"m.relates_to": map[string]any{"m.in_reply_to": map[string]any{"event_id": first}}})
	expect("a quote", "cherries", 0)
	expect("a quote", "answer", 1)
	h.must(alice, "PUT", "/v3/rooms/"+room+"/state/m.room.topic", map[string]any{"topic": "old", "m.topic": map[string]any{"m.text": []map[string]string{
		{"body": "<b>marked</b>", "mimetype": "text/html"}, {"body": "modern"}}}}, nil)
	expect("a topic", "modern", 1)
	expect("a topic", "marked", 0)
}

func TestSearchVisibility(t *testing.T) {
	t.Parallel()
	h := startSearch(t)
	alice, bob := h.user("alice"), h.user("bob")
	count := func(what string, n int) {
		t.Helper()
		if f := h.searchFor(bob, "", map[string]any{"search_term": "secret"}); len(f.Results) != n || *f.Count < n {
			t.Errorf("%s: got %q (%d), want %d", what, f.bodies(), *f.Count, n)
		}
	}
	joined := h.room(alice, map[string]any{"preset": "public_chat", "initial_state": []map[string]any{
		{"type": "m.room.history_visibility", "state_key": "", "content": map[string]string{"history_visibility": "joined"}}}})
	h.text(alice, joined, "1", "secret before")
	count("outside", 0)
	h.must(bob, "POST", "/v3/join/"+joined, nil, nil)
	count("joined, said before", 0)
	h.text(alice, joined, "2", "secret together")
	count("joined", 1)
	h.must(bob, "POST", "/v3/rooms/"+joined+"/leave", nil, nil)
	h.text(alice, joined, "3", "secret after")
	count("left", 1)
	h.must(bob, "POST", "/v3/rooms/"+joined+"/forget", nil, nil)
	count("forgotten", 0)
	shared := h.room(alice, map[string]any{"preset": "public_chat"})
	h.text(alice, shared, "4", "secret shared")
	count("shared, outside", 0)
	h.must(bob, "POST", "/v3/join/"+shared, nil, nil)
	count("shared, joined", 1)
	h.must(alice, "PUT", "/v3/rooms/"+shared+"/state/m.room.encryption", map[string]string{"algorithm": "m.megolm.v1.aes-sha2"}, nil)
	count("encrypted", 0)
}

func TestSearchPages(t *testing.T) {
	t.Parallel()
	h := startSearch(t)
	alice, bob := h.user("alice"), h.user("bob")
	rooms := []string{h.room(alice, map[string]any{"preset": "public_chat"}), h.room(alice, map[string]any{"preset": "public_chat"})}
	var all []string
	for i := range 23 {
		user := alice
		if i == 0 {
			for _, r := range rooms {
				h.must(bob, "POST", "/v3/join/"+r, nil, nil)
			}
		}
		if i%3 == 0 {
			user = bob
		}
		all = append(all, h.text(user, rooms[i%2], fmt.Sprint(i), fmt.Sprintf("Number %d", i)))
	}
	slices.Reverse(all)
	for _, order := range []string{"recent", "rank"} {
		var got []string
		token := ""
		for n := 0; n < 10; n++ {
			f := h.searchFor(alice, token, map[string]any{"search_term": "number", "order_by": order, "filter": map[string]any{"limit": 7}})
			if *f.Count != 23 {
				t.Errorf("%s: count %d", order, *f.Count)
			}
			for _, r := range f.Results {
				got = append(got, r.Result.ID)
				if r.Rank == nil {
					t.Error("without rank")
				}
			}
			if token = f.Next; token == "" {
				break
			}
			h.text(bob, rooms[0], fmt.Sprint(order, n), "Number of later")
		}
		if order == "rank" {
			slices.Sort(got)
			if want := sorted(slices.Clone(all)); !slices.Equal(got, want) {
				t.Errorf("rank: %d of %d", len(got), len(want))
			}
		} else if !slices.Equal(got, all) {
			t.Errorf("recent: got %d, want %d", len(got), len(all))
		}
		for _, id := range h.ids(alice, "later") {
			h.must(alice, "PUT", "/v3/rooms/"+rooms[0]+"/redact/"+id+"/r"+order+id, map[string]any{}, nil)
		}
	}
	t.Run("groups", func(t *testing.T) {
		f := h.searchFor(alice, "", map[string]any{"search_term": "number", "order_by": "recent", "filter": map[string]any{"limit": 8},
			"groupings": map[string]any{"group_by": []map[string]string{{"key": "room_id"}, {"key": "sender"}}}})
		if len(f.Groups["room_id"]) != 2 || len(f.Groups["sender"]) != 2 {
			t.Fatalf("%+v", f.Groups)
		}
		g := f.Groups["room_id"][rooms[1]]
		got := slices.Clone(g.Results)
		for token := g.Next; token != ""; {
			f := h.searchFor(alice, token, map[string]any{"search_term": "number", "order_by": "recent", "filter": map[string]any{"limit": 3}})
			for _, r := range f.Results {
				if r.Result.Room != rooms[1] {
					t.Error("an event of another group")
				}
				got = append(got, r.Result.ID)
			}
			token = f.Next
		}
		if len(got) != 11 {
			t.Errorf("%d events in the group", len(got))
		}
		got = nil
		for token := f.Groups["sender"]["@bob:test"].Next; token != ""; {
			f := h.searchFor(alice, token, map[string]any{"search_term": "number", "order_by": "recent"})
			for _, r := range f.Results {
				if r.Result.Sender != "@bob:test" {
					t.Error("an event of another group")
				}
				got = append(got, r.Result.ID)
			}
			token = f.Next
		}
		if len(got)+len(f.Groups["sender"]["@bob:test"].Results) != 8 {
			t.Errorf("%d more events of the sender", len(got))
		}
	})
	t.Run("filters", func(t *testing.T) {
		for name, tc := range map[string]struct {
			filter string
			want   int
		}{
			"room":       {`{"rooms":["` + rooms[0] + `"]}`, 12},
			"no rooms":   {`{"rooms":[]}`, 0},
			"other room": {`{"rooms":["!unknown:test"]}`, 0},
			"not room":   {`{"not_rooms":["` + rooms[0] + `"]}`, 11},
			"sender":     {`{"senders":["@bob:test"]}`, 8},
			"not sender": {`{"not_senders":["@bob:test"]}`, 15},
			"nobody":     {`{"senders":["@nobody:test"]}`, 0},
			"type":       {`{"types":["m.room.*"]}`, 23},
			"no type":    {`{"types":["m.room.name"]}`, 0},
			"url":        {`{"contains_url":true}`, 0},
			"no url":     {`{"contains_url":false}`, 23},
		} {
			var filter map[string]any
			if err := json.Unmarshal([]byte(tc.filter), &filter); err != nil {
				t.Fatal(err)
			}
			filter["limit"] = 50
			if f := h.searchFor(alice, "", map[string]any{"search_term": "number", "filter": filter}); len(f.Results) != tc.want || *f.Count != tc.want {
				t.Errorf("%s: %d, count %d, want %d", name, len(f.Results), *f.Count, tc.want)
			}
		}
	})
	t.Run("wrong", func(t *testing.T) {
		for _, body := range []string{`{}`, `{"search_categories":{"room_events":{}}}`, `{"search_categories":5}`,
			`{"search_categories":{"room_events":{"search_term":"a","order_by":"size"}}}`,
			`{"search_categories":{"room_events":{"search_term":"a","keys":["content.url"]}}}`,
			`{"search_categories":{"room_events":{"search_term":"a","keys":[]}}}`,
			`{"search_categories":{"room_events":{"search_term":"a","filter":{"rooms":["x"]}}}}`,
			`{"search_categories":{"room_events":{"search_term":"a","filter":{"limit":-1}}}}`,
			`{"search_categories":{"room_events":{"search_term":"a","groupings":{"group_by":[{"key":"day"}]}}}}`} {
			if got := h.call(alice, "POST", "/v3/search", json.RawMessage(body), nil); got != 400 {
				t.Errorf("%s: %d", body, got)
			}
		}
		for _, token := range []string{"x", "e30", "!!!"} {
			if got := h.call(alice, "POST", "/v3/search?next_batch="+token, json.RawMessage(`{"search_categories":{"room_events":{"search_term":"a"}}}`), nil); got != 400 {
				t.Errorf("token %s: %d", token, got)
			}
		}
		if got := h.call(alice, "POST", "/v3/search", json.RawMessage(`{"search_categories":{}}`), nil); got != 200 {
			t.Errorf("no category: %d", got)
		}
	})
}

// ids are the events that a word finds.
func (h *hs) ids(user, term string) (out []string) {
	for _, r := range h.searchFor(user, "", map[string]any{"search_term": term, "filter": map[string]any{"limit": 100}}).Results {
		out = append(out, r.Result.ID)
	}
	return out
}

func TestSearchContext(t *testing.T) {
	t.Parallel()
	h := startSearch(t)
	alice := h.user("alice")
	room := h.room(alice, map[string]any{"name": "Here"})
	h.must(alice, "PUT", "/v3/profile/@alice:test/displayname", map[string]string{"displayname": "Then"}, nil)
	for i := range 10 {
		h.text(alice, room, fmt.Sprint(i), []string{"a", "b", "c", "d", "needle", "f", "g", "h", "i", "j"}[i])
	}
	h.must(alice, "PUT", "/v3/profile/@alice:test/displayname", map[string]string{"displayname": "Now"}, nil)
	f := h.searchFor(alice, "", map[string]any{"search_term": "needle", "include_state": true,
		"event_context": map[string]any{"before_limit": 2, "after_limit": 3, "include_profile": true}})
	if len(f.Results) != 1 || f.Results[0].Context == nil {
		t.Fatalf("%+v", f)
	}
	c := f.Results[0].Context
	var bodies []string
	for _, e := range append(c.Before, c.After...) {
		bodies = append(bodies, e.Content.Body)
	}
	if got := strings.Join(bodies, ""); got != "dcfgh" {
		t.Errorf("context %s", got)
	}
	if c.Profile["@alice:test"].Name != "Then" {
		t.Errorf("profiles %v", c.Profile)
	}
	for dir, token := range map[string]string{"b": c.Start, "f": c.End} {
		var page struct{ Chunk []searchEvent }
		h.must(alice, "GET", "/v3/rooms/"+room+"/messages?limit=1&dir="+dir+"&from="+url.QueryEscape(token), nil, &page)
		if want := map[string]string{"b": "b", "f": "i"}[dir]; len(page.Chunk) != 1 || page.Chunk[0].Content.Body != want {
			t.Errorf("from the context %s: %v", dir, page.Chunk)
		}
	}
	if len(f.State[room]) < 5 {
		t.Errorf("state %v", f.State)
	}
	if f := h.searchFor(alice, "", map[string]any{"search_term": "needle", "event_context": map[string]any{}}); len(f.Results[0].Context.Before) != 5 || len(f.Results[0].Context.After) != 5 || f.State != nil {
		t.Errorf("by default %+v", f.Results[0].Context)
	}
	if f := h.searchFor(alice, "", map[string]any{"search_term": "needle"}); f.Results[0].Context != nil || f.Groups != nil {
		t.Error("what was not asked for")
	}
}

func TestSearchPredecessor(t *testing.T) {
	t.Parallel()
	h := startSearch(t)
	alice := h.user("alice")
	old := h.room(alice, map[string]any{})
	h.text(alice, old, "1", "signal one")
	next := h.room(alice, map[string]any{"creation_content": map[string]any{"predecessor": map[string]string{"room_id": old}}})
	h.text(alice, next, "2", "signal two")
	for room, want := range map[string]int{next: 2, old: 1} {
		f := h.searchFor(alice, "", map[string]any{"search_term": "signal", "filter": map[string]any{"rooms": []string{room}}})
		if len(f.Results) != want {
			t.Errorf("%q, want %d", f.bodies(), want)
		}
	}
}

func TestSearchSwitchedOff(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice := h.user("alice")
	if got := h.call(alice, "POST", "/v3/search", json.RawMessage(`{"search_categories":{"room_events":{"search_term":"a"}}}`), nil); got != 403 {
		t.Errorf("got %d", got)
	}
}
