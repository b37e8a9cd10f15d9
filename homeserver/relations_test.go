package homeserver

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

func TestRelationsEndpoint(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob := h.user("alice"), h.user("bob")
	room := h.room(alice, obj{"preset": "public_chat"})
	h.join(bob, room)
	root := h.say(alice, room, "root")
	base := "/v1/rooms/" + room + "/relations/" + esc(root)
	edit := h.send(alice, room, "m.room.message", relates("m.replace", root, obj{"m.new_content": obj{"body": "new"}}))
	reply := h.send(bob, room, "m.room.message", relates("m.thread", root, nil))
	secret := h.send(bob, room, "m.room.encrypted", relates("m.thread", root, obj{"ciphertext": "x"}))
	ref := h.send(bob, room, "org.example.vote", relates("m.reference", root, nil))
	deep := h.send(alice, room, "m.reaction", obj{"m.relates_to": obj{"rel_type": "m.annotation", "event_id": reply, "key": "x"}})
	h.say(alice, room, "unrelated")
	for _, tc := range []struct{ path, want string }{
		{"", strings.Join([]string{ref, secret, reply, edit}, " ")},
		{"?dir=f", strings.Join([]string{edit, reply, secret, ref}, " ")},
		{"/m.thread", secret + " " + reply},
		{"/m.thread/m.room.encrypted", secret},
		{"/m.annotation", ""},
		{"?recurse=true", strings.Join([]string{deep, ref, secret, reply, edit}, " ")},
		{"?recurse=true&dir=f", strings.Join([]string{edit, reply, secret, ref, deep}, " ")},
		{"/m.annotation?recurse=true", ""}, // the way there is not by annotations only
	} {
		out := h.ok(bob, "GET", base+tc.path, nil)
		if got := all(out.Get("chunk"), "event_id"); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.path, got, tc.want)
		}
		if depth := out.Get("recursion_depth"); strings.Contains(tc.path, "recurse") != depth.Exists() || depth.Exists() && depth.Int() != 3 {
			t.Errorf("%s: recursion depth %s", tc.path, depth.Raw)
		}
	}
	// Pages, both ways.
	for _, dir := range []string{"b", "f"} {
		var got []string
		from, pages := "", 0
		for {
			out := h.ok(bob, "GET", base+"?limit=3&dir="+dir+from, nil)
			got = append(got, all(out.Get("chunk"), "event_id"))
			if pages++; (pages > 1) != out.Get("prev_batch").Exists() {
				t.Errorf("page %d has prev_batch %s", pages, out.Get("prev_batch").Raw)
			}
			if !out.Get("next_batch").Exists() {
				break
			}
			from = "&from=" + out.Get("next_batch").Str
		}
		want := strings.Join([]string{ref, secret, reply, edit}, " ")
		if dir == "f" {
			want = strings.Join([]string{edit, reply, secret, ref}, " ")
		}
		if s := strings.Join(got, " "); s != want || pages != 2 {
			t.Errorf("paging %s: %s in %d pages, want %s", dir, s, pages, want)
		}
	}
	// Bundled also here, and gone when redacted.
	h.send(bob, room, "m.room.message", relates("m.replace", reply, obj{"m.new_content": obj{"body": "better"}}))
	out := h.ok(alice, "GET", base+"/m.thread", nil)
	if got := out.Get(`chunk.1.unsigned.m\.relations.m\.replace.content.m\.new_content.body`).Str; got != "better" {
		t.Errorf("no edit is bundled: %s", out.Raw)
	}
	h.redact(bob, room, secret)
	if got := all(h.ok(alice, "GET", base+"/m.thread", nil).Get("chunk"), "event_id"); got != reply {
		t.Errorf("after the redaction: %s", got)
	}
	h.refused(404, "M_NOT_FOUND", bob, "GET", "/v1/rooms/"+room+"/relations/$nothing", nil)
	h.refused(400, "M_INVALID_PARAM", bob, "GET", base+"?dir=x", nil)
	h.refused(400, "M_INVALID_PARAM", bob, "GET", base+"?from=x", nil)
	h.refused(400, "M_INVALID_PARAM", bob, "GET", base+"?limit=0", nil)
	h.refused(400, "M_INVALID_PARAM", bob, "GET", base+"?recurse=maybe", nil)
	h.refused(404, "M_NOT_FOUND", h.user("carol"), "GET", base, nil)
}

func TestBundledAggregations(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob, carol := h.user("alice"), h.user("bob"), h.user("carol")
	room := h.room(alice, obj{"preset": "public_chat"})
	h.join(bob, room)
	h.join(carol, room)
	root := h.say(alice, room, "root")
	h.send(bob, room, "m.room.message", relates("m.replace", root, obj{"m.new_content": obj{"body": "not bob's to edit"}}))
	h.send(alice, room, "m.other", relates("m.replace", root, obj{"m.new_content": obj{"body": "another type"}}))
	h.send(alice, room, "m.room.message", relates("m.replace", root, obj{"m.new_content": obj{"body": "first"}}))
	h.tick()
	second := h.send(alice, room, "m.room.message", relates("m.replace", root, obj{"m.new_content": obj{"body": "second"}}))
	h.send(alice, room, "m.room.message", relates("m.replace", root, nil)) // says nothing new
	ref := h.send(bob, room, "org.example.vote", relates("m.reference", root, nil))
	h.send(carol, room, "m.reaction", obj{"m.relates_to": obj{"rel_type": "m.annotation", "event_id": root, "key": "x"}})
	h.send(bob, room, "m.room.message", relates("m.thread", root, nil))
	last := h.send(carol, room, "m.room.message", relates("m.thread", root, nil))
	h.send(carol, room, "m.room.message", relates("m.replace", last, obj{"m.new_content": obj{"body": "carol again"}}))
	other := h.room(bob, obj{})
	h.send(bob, other, "m.room.message", relates("m.thread", root, nil)) // in another room: no matter
	h.send(bob, other, "org.example.vote", relates("m.reference", root, nil))

	check := func(who, token, where, path, at string, participated bool) {
		t.Helper()
		rel := h.ok(token, "GET", path, nil).Get(at + `.unsigned.m\.relations`)
		got := fmt.Sprint(rel.Get(`m\.replace.event_id`).Str == second, rel.Get(`m\.replace.content.m\.new_content.body`).Str,
			all(rel.Get(`m\.reference.chunk`), "event_id") == ref, rel.Get(`m\.thread.count`).Int(),
			rel.Get(`m\.thread.latest_event.event_id`).Str == last, rel.Get(`m\.thread.current_user_participated`).Bool(),
			rel.Get(`m\.thread.latest_event.unsigned.m\.relations.m\.replace.content.m\.new_content.body`).Str, rel.Get(`m\.annotation`).Exists())
		if want := fmt.Sprint(true, "second", true, 2, true, participated, "carol again", false); got != want {
			t.Errorf("%s, %s: %s, want %s: %s", who, where, got, want, rel.Raw)
		}
	}
	find := `chunk.#(event_id=="` + root + `")`
	check("alice", alice, "messages", "/v3/rooms/"+room+"/messages?dir=b&limit=50", find, true)
	check("carol", carol, "event", "/v3/rooms/"+room+"/event/"+esc(root), "@this", true)
	check("carol", carol, "context", "/v3/rooms/"+room+"/context/"+esc(root), "event", true)
	check("carol", carol, "context after", "/v3/rooms/"+room+"/context/"+esc(h.ok(alice, "GET", "/v3/rooms/"+room+"/messages?dir=f&limit=1", nil).Get("chunk.0.event_id").Str)+"?limit=60",
		`events_after.#(event_id=="`+root+`")`, true)
	check("bob", bob, "threads", "/v1/rooms/"+room+"/threads", "chunk.0", true)
	dave := h.user("dave")
	h.join(dave, room)
	check("dave", dave, "event", "/v3/rooms/"+room+"/event/"+esc(root), "@this", false)
	filter := url.QueryEscape(`{"room":{"timeline":{"limit":13}}}`)
	check("bob", bob, "sync", "/v3/sync?filter="+filter, `rooms.join.`+strings.ReplaceAll(room, ".", `\.`)+`.timeline.events.#(event_id=="`+root+`")`, true)

	// Somebody ignored does not count.
	h.ok(alice, "PUT", "/v3/user/@alice:test/account_data/m.ignored_user_list", obj{"ignored_users": obj{"@carol:test": obj{}}})
	rel := h.ok(alice, "GET", "/v3/rooms/"+room+"/event/"+esc(root), nil).Get(`unsigned.m\.relations.m\.thread`)
	if rel.Get("count").Int() != 1 || rel.Get("latest_event.sender").Str != "@bob:test" {
		t.Errorf("with carol ignored: %s", rel.Raw)
	}
	if strings.Contains(h.ok(alice, "GET", "/v3/rooms/"+room+"/messages?dir=b&limit=50", nil).Raw, `"sender":"@carol:test","type":"m.room.message"`) {
		t.Error("messages of somebody ignored")
	}
	// A redacted root keeps its thread, not its edits.
	h.redact(alice, room, root)
	rel = h.ok(bob, "GET", "/v3/rooms/"+room+"/event/"+esc(root), nil).Get(`unsigned.m\.relations`)
	if rel.Get(`m\.replace`).Exists() || !rel.Get(`m\.thread`).Exists() {
		t.Errorf("a redacted root: %s", rel.Raw)
	}
	// Who left sees the thread as it was then.
	h.ok(dave, "POST", "/v3/rooms/"+room+"/leave", nil)
	h.send(bob, room, "m.room.message", relates("m.thread", root, obj{"body": "behind dave's back"}))
	if out := h.ok(dave, "GET", "/v3/rooms/"+room+"/event/"+esc(root), nil); strings.Contains(out.Raw, "behind") || out.Get(`unsigned.m\.relations.m\.thread.count`).Int() != 2 {
		t.Errorf("dave sees %s", out.Raw)
	}
}

func TestThreads(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob := h.user("alice"), h.user("bob")
	room := h.room(alice, obj{"preset": "public_chat"})
	h.join(bob, room)
	path := "/v1/rooms/" + room + "/threads"
	one, two, three := h.say(alice, room, "1"), h.say(alice, room, "2"), h.say(bob, room, "3")
	h.send(alice, room, "m.room.message", relates("m.thread", one, nil))
	h.send(alice, room, "m.room.message", relates("m.thread", three, nil))
	last := h.send(bob, room, "m.room.message", relates("m.thread", two, nil))
	for _, tc := range []struct{ token, query, want string }{
		{alice, "", two + " " + three + " " + one},
		{bob, "?include=participated", two + " " + three},
		{bob, "?include=all", two + " " + three + " " + one},
	} {
		if got := all(h.ok(tc.token, "GET", path+tc.query, nil).Get("chunk"), "event_id"); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.query, got, tc.want)
		}
	}
	page := h.ok(alice, "GET", path+"?limit=2", nil)
	rest := h.ok(alice, "GET", path+"?limit=2&from="+page.Get("next_batch").Str, nil)
	if got := all(page.Get("chunk"), "event_id") + " " + all(rest.Get("chunk"), "event_id"); got != two+" "+three+" "+one || rest.Get("next_batch").Exists() {
		t.Errorf("in pages: %s", got)
	}
	// A new reply moves its thread up; when it is redacted the thread is where it was.
	again := h.send(bob, room, "m.room.message", relates("m.thread", one, nil))
	if got := all(h.ok(alice, "GET", path, nil).Get("chunk"), "event_id"); got != one+" "+two+" "+three {
		t.Errorf("after a reply: %s", got)
	}
	h.redact(bob, room, again)
	h.redact(bob, room, last)
	if got := all(h.ok(alice, "GET", path, nil).Get("chunk"), "event_id"); got != three+" "+one {
		t.Errorf("after redactions: %s", got)
	}
	// No threads on what belongs to another event; a reply without rel_type may be a root.
	child := h.send(alice, room, "m.room.message", relates("m.thread", one, nil))
	h.refused(400, "M_UNKNOWN", alice, "PUT", "/v3/rooms/"+room+"/send/m.room.message/nested", relates("m.thread", child, nil))
	reply := h.send(alice, room, "m.room.message", obj{"body": "re", "msgtype": "m.text", "m.relates_to": obj{"m.in_reply_to": obj{"event_id": one}}})
	h.send(alice, room, "m.room.message", relates("m.thread", reply, nil))
	// A root by somebody ignored comes redacted.
	h.ok(alice, "PUT", "/v3/user/@alice:test/account_data/m.ignored_user_list", obj{"ignored_users": obj{"@bob:test": obj{}}})
	if e := h.ok(alice, "GET", path, nil).Get(`chunk.#(event_id=="` + three + `")`); !e.Exists() || e.Get("content.body").Exists() {
		t.Errorf("an ignored root: %s", e.Raw)
	}
	h.refused(400, "M_INVALID_PARAM", alice, "GET", path+"?from=nonsense", nil)
	h.refused(400, "M_INVALID_PARAM", alice, "GET", path+"?include=some", nil)
	h.refused(403, "M_FORBIDDEN", h.user("carol"), "GET", path, nil)
}

// Threads stand where their newest reply is that the reader sees.
func TestThreadsOfIgnored(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob, eve := h.user("alice"), h.user("bob"), h.user("eve")
	room := h.room(alice, obj{"preset": "public_chat"})
	h.join(bob, room)
	h.join(eve, room)
	path := "/v1/rooms/" + room + "/threads?limit="
	var roots []string
	for _, name := range []string{"1", "2", "3", "4"} {
		roots = append(roots, h.say(alice, room, name))
	}
	one, two, three, four := roots[0], roots[1], roots[2], roots[3]
	reply := func(token, root string, n int) {
		for range n {
			h.send(token, room, "m.room.message", relates("m.thread", root, nil))
		}
	}
	reply(bob, one, 1)
	reply(bob, two, 1)
	reply(bob, three, 1)
	reply(eve, one, 250) // more than are looked at together
	reply(eve, four, 1)
	seen := func(token string, limit string) string {
		t.Helper()
		var got []string
		for from := ""; ; {
			out := h.ok(token, "GET", path+limit+from, nil)
			for _, e := range out.Get("chunk").Array() {
				got = append(got, e.Get("event_id").Str)
			}
			if from = "&from=" + out.Get("next_batch").Str; !out.Get("next_batch").Exists() {
				return strings.Join(got, " ")
			}
		}
	}
	for _, limit := range []string{"1", "2", "50"} {
		if got := seen(alice, limit); got != strings.Join([]string{four, one, three, two}, " ") {
			t.Errorf("pages of %s: %s", limit, got)
		}
	}
	h.ok(alice, "PUT", "/v3/user/@alice:test/account_data/m.ignored_user_list", obj{"ignored_users": obj{"@eve:test": obj{}}})
	for _, limit := range []string{"1", "2", "50"} {
		if got := seen(alice, limit); got != strings.Join([]string{three, two, one}, " ") {
			t.Errorf("pages of %s for who ignores eve: %s", limit, got)
		}
		if got := seen(bob, limit); got != strings.Join([]string{four, one, three, two}, " ") {
			t.Errorf("pages of %s for others: %s", limit, got)
		}
	}
}

func TestDuplicateAnnotation(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob := h.user("alice"), h.user("bob")
	room := h.room(alice, obj{"preset": "public_chat"})
	h.join(bob, room)
	root := h.say(alice, room, "root")
	like := func(key string) obj {
		return obj{"m.relates_to": obj{"rel_type": "m.annotation", "event_id": root, "key": key}}
	}
	first := h.ok(alice, "PUT", "/v3/rooms/"+room+"/send/m.reaction/one", like("+")).Get("event_id").Str
	if again := h.ok(alice, "PUT", "/v3/rooms/"+room+"/send/m.reaction/one", like("+")).Get("event_id").Str; again != first {
		t.Error("a retry made another reaction")
	}
	h.refused(400, "M_DUPLICATE_ANNOTATION", alice, "PUT", "/v3/rooms/"+room+"/send/m.reaction/two", like("+"))
	h.send(alice, room, "m.reaction", like("-"))
	h.send(alice, room, "m.other", like("+"))
	h.send(bob, room, "m.reaction", like("+"))
	h.redact(alice, room, first)
	h.send(alice, room, "m.reaction", like("+"))
}
