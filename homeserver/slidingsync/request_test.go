package slidingsync

import (
	"encoding/json/v2"
	"fmt"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

func TestRequired(t *testing.T) {
	t.Parallel()
	name, topic := store.StateKey{Type: "m.room.name"}, store.StateKey{Type: "m.room.topic"}
	own, other := store.StateKey{Type: member, Key: "@me:x"}, store.StateKey{Type: member, Key: "@you:x"}
	all := []store.StateKey{name, topic, own, other}
	for _, tc := range []struct {
		json string
		want []store.StateKey
		lazy bool
	}{
		{`[]`, nil, false},
		{`[["m.room.name",""]]`, []store.StateKey{name}, false},
		{`[["*","*"]]`, all, false},
		{`[["*",""]]`, []store.StateKey{name, topic}, false},
		{`[["m.room.member","*"]]`, []store.StateKey{own, other}, false},
		{`[["m.room.member","$ME"]]`, []store.StateKey{own}, false},
		{`[["*","*"],["m.room.member","$LAZY"]]`, []store.StateKey{name, topic}, true},
		{`[["m.room.member","$LAZY"],["m.room.member","@you:x"]]`, []store.StateKey{other}, true},
		{`{}`, nil, false},
		{`{"include":[{}]}`, all, false},
		{`{"include":[{}],"exclude":[{"type":"m.room.member"}]}`, []store.StateKey{name, topic}, false},
		{`{"include":[{}],"lazy_members":true}`, []store.StateKey{name, topic}, true},
		{`{"include":[{"state_key":"@you:x"}]}`, []store.StateKey{other}, false},
	} {
		var r Required
		if err := json.Unmarshal([]byte(tc.json), &r); err != nil {
			t.Errorf("%s: %v", tc.json, err)
			continue
		}
		var got []store.StateKey
		for _, k := range all {
			if r.want(k, "@me:x") {
				got = append(got, k)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(tc.want) || r.Lazy != tc.lazy {
			t.Errorf("%s wants %v, lazily %t", tc.json, got, r.Lazy)
		}
		n := &needs{userID: "@me:x", configs: []Required{r}}
		keys, whole := n.exact()
		for _, k := range keys {
			if !n.want(k) {
				t.Errorf("%s: %v is looked up and not wanted", tc.json, k)
			}
		}
		if whole && len(keys) < len(tc.want) {
			t.Errorf("%s: only %v would be looked up", tc.json, keys)
		}
	}
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"lists":{"l":{"ranges":[[0,9]],"timeline_limit":1,"required_state":[["*","*"]],"filters":{"room_types":[null,"m.space"]}}},"room_subscriptions":{"!a:x":{}}}`))
	f.Add([]byte(`{"lists":{"l":{"range":[0,9],"required_state":{"include":[{"type":"a"}]}}},"extensions":{"typing":{"enabled":true,"lists":["*"]}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var q Request
		if json.Unmarshal(raw, &q) != nil || q.check() != nil {
			return
		}
		q.key()
		for _, l := range q.Lists {
			for _, w := range l.windows() {
				if w[0] < 0 || w[1] < w[0] {
					t.Errorf("the window %v was let through", w)
				}
			}
			l.Filters.match(facts{})
			n := &needs{}
			n.add(l.Config)
			n.exact()
		}
	})
}

func TestConns(t *testing.T) {
	t.Parallel()
	c := newConns()
	k := connKey{1, "main"}
	n := c.open(k)
	var positions []string
	base := &snapshot{}
	for range 3 {
		next := &snapshot{}
		positions = append(positions, n.keep(base, next))
		base = next
	}
	for i, known := range []bool{false, true, true} {
		_, s, err := c.find(k, positions[i])
		if known != (err == nil) || known && s.seq != int64(i+1) {
			t.Errorf("position %d: %v", i, err)
		}
	}
	for _, bad := range []string{"", ".", "..", positions[2] + "x", "x" + "." + n.id + ".", positions[2] + ".1"} {
		if _, _, err := c.find(k, bad); !mxerror.Is(err, "M_UNKNOWN_POS") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, _, err := c.find(connKey{2, "main"}, positions[2]); !mxerror.Is(err, "M_UNKNOWN_POS") {
		t.Errorf("another device's: %v", err)
	}
	c.open(k)
	if _, _, err := c.find(k, positions[2]); !mxerror.Is(err, "M_UNKNOWN_POS") {
		t.Errorf("of a connection that was begun anew: %v", err)
	}
	for i := range int64(maxConns + 500) {
		c.open(connKey{i % 2000, fmt.Sprint(i)})
	}
	kept := 0
	for _, l := range c.devices {
		if kept += len(l); len(l) > maxDeviceConns {
			t.Errorf("%d connections of one device", len(l))
		}
	}
	if kept != c.byKey.Len() || kept > maxConns {
		t.Errorf("%d connections in all, %d by device", c.byKey.Len(), kept)
	}
}
