package homeserver

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

type people struct {
	Results []struct {
		ID     string  `json:"user_id"`
		Name   *string `json:"display_name"`
		Avatar *string `json:"avatar_url"`
	}
	Limited *bool
}

func (h *hs) find(token, term string) []string {
	h.Helper()
	var out people
	h.must(token, "POST", "/v3/user_directory/search", map[string]any{"search_term": term, "limit": 50}, &out)
	ids := []string{}
	for _, r := range out.Results {
		ids = append(ids, r.ID)
	}
	return ids
}

func TestUserDirectory(t *testing.T) {
	t.Parallel()
	h := start(t)
	searcher := h.user("searcher")
	name := func(token, user, name string) {
		h.must(token, "PUT", "/v3/profile/@"+user+":test/displayname", map[string]string{"displayname": name}, nil)
	}
	public := h.room(h.user("host"), map[string]any{"preset": "public_chat"})
	for user, display := range map[string]string{"zoe": "Zoë Müller", "taro": "東京 太郎", "ivan": "Иван Ёлкин", "al": "Al", "alice": "Alice Liddell", "malice": "Wonder", "anna-maria": "Łucja Straße"} {
		token := h.user(user)
		name(token, user, display)
		h.must(token, "POST", "/v3/join/"+public, nil, nil)
	}
	for _, tc := range []struct {
		term string
		want []string
	}{
		{"zoe", []string{"@zoe:test"}},
		{"MULLER", []string{"@zoe:test"}},
		{"mül", []string{"@zoe:test"}},
		{"zoë mul", []string{"@zoe:test"}},
		{"zoe nobody", nil},
		{"東京", []string{"@taro:test"}},
		{"京", []string{"@taro:test"}},
		{"太", []string{"@taro:test"}},
		{"елкин", []string{"@ivan:test"}},
		{"al", []string{"@al:test", "@alice:test"}},
		{"@alice:test", []string{"@alice:test"}},
		{"@ALICE:te", []string{"@alice:test"}},
		{"@alice:elsewhere", nil},
		{"lice", nil},
		{"lucja", []string{"@anna-maria:test"}},
		{"STRASSE", []string{"@anna-maria:test"}},
		{"anna-m", []string{"@anna-maria:test"}},
		{"maria", []string{"@anna-maria:test"}},
		{"", nil},
		{"!!!", nil},
	} {
		if got := h.find(searcher, tc.term); !slices.Equal(got, append([]string{}, tc.want...)) {
			t.Errorf("%q: got %v, want %v", tc.term, got, tc.want)
		}
	}
	t.Run("limit", func(t *testing.T) {
		for limit, limited := range map[int]bool{1: true, 2: false, 0: true} {
			var out people
			h.must(searcher, "POST", "/v3/user_directory/search", map[string]any{"search_term": "al", "limit": limit}, &out)
			if len(out.Results) != limit || out.Limited == nil || *out.Limited != limited {
				t.Errorf("limit %d: %d results, limited %v", limit, len(out.Results), out.Limited)
			}
		}
	})
	t.Run("wrong", func(t *testing.T) {
		for body, status := range map[string]int{`{}`: 400, `{"search_term":5}`: 400, `{"search_term":"a","limit":-1}`: 400, `{"search_term":"a","limit":"x"}`: 400} {
			if got := h.call(searcher, "POST", "/v3/user_directory/search", json.RawMessage(body), nil); got != status {
				t.Errorf("%s: %d", body, got)
			}
		}
	})
	t.Run("changes", func(t *testing.T) {
		token := h.user("changing")
		h.must(token, "POST", "/v3/join/"+public, nil, nil)
		name(token, "changing", "First")
		if got := h.find(searcher, "first"); len(got) != 1 {
			t.Error("the name is not found")
		}
		name(token, "changing", "Second")
		if got := h.find(searcher, "first"); len(got) != 0 {
			t.Error("the old name is still found")
		}
		if got := h.find(searcher, "second"); len(got) != 1 {
			t.Error("the new name is not found")
		}
		h.must(token, "POST", "/v3/account/deactivate", map[string]any{"auth": map[string]any{"type": "m.login.password", "password": "long enough",
			"identifier": map[string]string{"type": "m.id.user", "user": "changing"}}}, nil)
		if got := h.find(searcher, "changing"); len(got) != 0 {
			t.Error("somebody who is gone is found")
		}
	})
}

// TestUserDirectoryVisibility goes through who may be found by whom.
func TestUserDirectoryVisibility(t *testing.T) {
	t.Parallel()
	h := start(t)
	searcher, hermit := h.user("searcher"), h.user("hermit")
	expect := func(what string, seen bool) {
		t.Helper()
		if got := slices.Contains(h.find(searcher, "hermit"), "@hermit:test"); got != seen {
			t.Errorf("%s: found: %v", what, got)
		}
	}
	expect("in no room", false)
	private := h.room(hermit, map[string]any{"preset": "private_chat"})
	expect("in a room alone", false)
	if len(h.find(hermit, "hermit")) != 0 {
		t.Error("in a private room, one finds oneself")
	}
	state := func(room, typ, field, value string) {
		h.must(hermit, "PUT", "/v3/rooms/"+room+"/state/"+typ, map[string]string{field: value}, nil)
	}
	state(private, "m.room.join_rules", "join_rule", "public")
	expect("the room was made public", true)
	state(private, "m.room.join_rules", "join_rule", "invite")
	expect("the room was closed", false)
	state(private, "m.room.history_visibility", "history_visibility", "world_readable")
	expect("the world may read", true)
	state(private, "m.room.join_rules", "join_rule", "public")
	state(private, "m.room.join_rules", "join_rule", "invite")
	expect("the world may still read", true)
	state(private, "m.room.history_visibility", "history_visibility", "shared")
	expect("the world may read no more", false)
	h.must(hermit, "POST", "/v3/rooms/"+private+"/invite", map[string]string{"user_id": "@searcher:test"}, nil)
	expect("invited only", false)
	h.must(searcher, "POST", "/v3/rooms/"+private+"/join", nil, nil)
	expect("together in a room", true)
	h.must(searcher, "POST", "/v3/rooms/"+private+"/leave", nil, nil)
	expect("left", false)
	h.ShowAllUsers(true)
	expect("all are shown", true)
	h.ShowAllUsers(false)
	open := h.room(hermit, map[string]any{"preset": "public_chat"})
	expect("in a public room", true)
	h.must(hermit, "POST", "/v3/rooms/"+open+"/leave", nil, nil)
	expect("left the public room", false)
}

// TestUserDirectoryFill takes accounts in that are older than the directory.
func TestUserDirectoryFill(t *testing.T) {
	t.Parallel()
	h := start(t)
	searcher := h.user("searcher")
	err := h.Store().Write(t.Context(), func(tx *store.Tx) error {
		for i := range 450 {
			nid, err := tx.NameUser(fmt.Sprintf("@old%d:test", i))
			if err == nil {
				_, err = tx.AddAccount(store.Account{User: nid, Kind: "user"})
			}
			if err == nil {
				err = tx.Deactivate(nid, 0) // which takes them out of the directory, and no more at time 0
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	h.ShowAllUsers(true)
	if got := h.find(searcher, "old449"); len(got) != 0 {
		t.Fatalf("found before: %v", got)
	}
	if err := h.people.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"old0", "old249", "old449"} {
		if got := h.find(searcher, name); len(got) != 1 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// BenchmarkUserDirectory searches among 100,000 people, of whom all are in one public room, or who
// are nobody's to see.
func BenchmarkUserDirectory(b *testing.B) {
	h := start(b)
	token := h.user("searcher")
	room := h.room(h.user("host"), map[string]any{"preset": "public_chat"})
	r, err := h.Store().RoomByID(b.Context(), room)
	if err != nil {
		b.Fatal(err)
	}
	const people = 100_000
	for at := 0; at < people; at += 1000 {
		err := h.Store().Write(b.Context(), func(tx *store.Tx) error {
			for i := at; i < at+1000; i++ {
				nid, err := tx.NameUser(fmt.Sprintf("@person%d:test", i))
				if err == nil {
					_, err = tx.AddAccount(store.Account{User: nid, Kind: "user"})
				}
				if err == nil {
					err = tx.SetProfile(nid, store.Field{Name: "displayname", Value: fmt.Sprintf("%q", fmt.Sprintf("Name%d Family%d", i, i%1000))})
				}
				if err == nil && i%2 == 0 {
					err = tx.SetMembership(store.Membership{Room: r.NID, User: nid, Membership: "join"})
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	for _, bm := range []struct{ name, term string }{{"one", "name77776"}, {"family", "family778"}, {"everybody", "person"}, {"hidden", "family777"}, {"nobody", "nobody"}} {
		b.Run(bm.name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				n = len(h.find(token, bm.term))
			}
			b.ReportMetric(float64(n), "found")
		})
	}
}
