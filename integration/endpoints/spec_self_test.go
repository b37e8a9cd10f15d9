package endpoints

import "testing"

// TestSpec makes sure that the checks of the other tests are there at all.
func TestSpec(t *testing.T) {
	t.Parallel()
	ops, err := loadSpec()
	if err != nil {
		t.Fatal(err)
	}
	byID := map[string]operation{}
	tokens, bodies, schemas := 0, 0, 0
	for _, op := range ops {
		byID[op.ID] = op
		if op.Token {
			tokens++
		}
		if op.JSON {
			bodies++
		}
		if op.Answers[200] != nil {
			schemas++
		}
	}
	if len(ops) != 166 || tokens < 125 || bodies < 60 || schemas < 120 {
		t.Errorf("%d operations, of which %d need a token, %d have a body and %d an answer", len(ops), tokens, bodies, schemas)
	}
	for _, tc := range []struct {
		op, answer string
		ok         bool
	}{
		{"getTokenOwner", `{"user_id":"@a:b","device_id":"D"}`, true},
		{"getTokenOwner", `{"user_id":"a"}`, false},
		{"getTokenOwner", `{"device_id":"D"}`, false},
		{"getJoinedRooms", `{"joined_rooms":["!a:b"]}`, true},
		{"getJoinedRooms", `{"joined_rooms":"!a:b"}`, false},
		{"getOneRoomEvent", `{"type":"m.x","content":{},"event_id":"$a","room_id":"!a:b","sender":"@a:b","origin_server_ts":1}`, true},
		{"getOneRoomEvent", `{"type":"m.x","content":{},"event_id":"$a","room_id":"!a:b","sender":"@a:b"}`, false},
		{"search", `{"search_categories":{"room_events":{"count":"1"}}}`, false},
		{"getConfig", `{"m.upload.size":"1"}`, false},
	} {
		op := byID[tc.op]
		if err := op.answer(200, []byte(tc.answer)); (err == nil) != tc.ok {
			t.Errorf("%s: %s: %v", tc.op, tc.answer, err)
		}
	}
}
