package homeserver

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
)

// backupTogether has many change the current backup, version 3 and empty, at the same time: each change has an etag of its own
// and counts what it and those before it have put there. It is empty again afterwards.
func (h *hs) backupTogether(token string) {
	h.Helper()
	type update struct{ etag, count int }
	var mu sync.Mutex
	var got []update
	change := func(method, path string, body any) {
		status, code, out := h.answer(token, method, "/v3/room_keys/keys"+path+"?version=3", body)
		etag, _ := out["etag"].(string)
		n, err := strconv.Atoi(etag)
		count, ok := out["count"].(float64)
		if status != 200 || err != nil || !ok {
			h.Errorf("%s %s: %d %s %v", method, path, status, code, out)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		got = append(got, update{n, int(count)})
	}
	key := obj{"first_message_index": 0, "forwarded_count": 0, "is_verified": true, "session_data": obj{}}
	const writers, each = 6, 8
	all := func(do func(i, j int)) {
		h.Helper()
		got = nil
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() {
				for j := range each {
					do(i, j)
				}
			})
		}
		wg.Wait()
		slices.SortFunc(got, func(a, b update) int { return a.etag - b.etag })
	}
	check := func(what string, begin int, count func(n int) int) {
		h.Helper()
		if len(got) != writers*each {
			h.Errorf("%s: %d answers", what, len(got))
		}
		for n, u := range got {
			if u.etag != begin+n+1 || u.count != count(n) {
				h.Errorf("%s: change %d has etag %d and count %d, want %d and %d", what, n, u.etag, u.count, begin+n+1, count(n))
				return
			}
		}
	}
	// Each writer by another of the three endpoints.
	all(func(i, j int) {
		room, session := fmt.Sprintf("!r%d:x", i%2), fmt.Sprintf("s%d-%d", i, j)
		switch sessions := (obj{"sessions": obj{session: key}}); i % 3 {
		case 0:
			change("PUT", "/"+room+"/"+session, key)
		case 1:
			change("PUT", "/"+room, sessions)
		default:
			change("PUT", "", obj{"rooms": obj{room: sessions}})
		}
	})
	check("written", 0, func(n int) int { return n + 1 })
	all(func(i, j int) { change("DELETE", fmt.Sprintf("/!r%d:x/s%d-%d", i%2, i, j), nil) })
	check("deleted", writers*each, func(n int) int { return writers*each - n - 1 })
	// Written and deleted in turn: what is left in the end is nothing, and what was told of it too.
	all(func(i, j int) {
		path := fmt.Sprintf("/!r:x/s%d-%d", i, j)
		change("PUT", path, key)
		change("DELETE", path, nil)
	})
	if last := got[len(got)-1]; len(got) != 2*writers*each || last.count != 0 || last.etag != 4*writers*each {
		h.Errorf("%d changes, at last %+v", len(got), last)
	}
	for n, u := range got {
		if u.etag != 2*writers*each+n+1 {
			h.Errorf("change %d has etag %d", n, u.etag)
		}
	}
	if _, _, out := h.answer(token, "GET", "/v3/room_keys/version", nil); out["count"] != 0.0 || out["etag"] != strconv.Itoa(4*writers*each) {
		h.Errorf("in the end: %v", out)
	}
}
