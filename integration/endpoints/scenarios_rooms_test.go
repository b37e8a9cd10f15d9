package endpoints

import (
	"bytes"
	"fmt"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/client"
)

var roomScenarios = map[string]scenario{
	"createRoom": func(s *stage) call {
		return call{body: object{"name": "New", "topic": "Newer", "preset": "public_chat", "room_alias_name": fmt.Sprintf("new%d", s.n.Add(1)),
			"invite": []string{s.bob().UserID}, "initial_state": []object{{"type": "m.room.guest_access", "state_key": "", "content": object{"guest_access": "can_join"}}}}}
	},
	"getRoomState":     plain,
	"getMembersByRoom": plain,
	"getJoinedMembersByRoom": func(s *stage) call {
		// Who has neither name nor picture is shown with nulls, which the schema doesn't have but clients want.
		me := s.alice()
		room, err := me.CreateRoom(s.Context(), object{"preset": "private_chat"})
		s.ok(err)
		_, err = me.SetState(s.Context(), room, "m.room.member", me.UserID, object{"membership": "join", "displayname": "Alice", "avatar_url": "mxc://test/alice"})
		s.ok(err)
		return call{params: map[string]string{"roomId": room}}
	},
	"getJoinedRooms":      func(s *stage) call { s.room(); return call{} },
	"getRoomStateWithKey": state("m.room.name", nil),
	"setRoomStateWithKey": state("m.room.topic", object{"topic": "Another"}),
	"roomInitialSync":     func(s *stage) call { s.event(); return call{} },
	"getRoomSummary":      func(s *stage) call { return call{as: s.alice()} },
	"getSpaceHierarchy": func(s *stage) call {
		space, err := s.alice().CreateRoom(s.Context(), object{"preset": "public_chat", "name": "A space", "creation_content": object{"type": "m.space"}})
		s.ok(err)
		_, err = s.alice().SetState(s.Context(), space, "m.space.child", s.room(), object{"via": []string{"test"}})
		s.ok(err)
		return call{params: map[string]string{"roomId": space}, check: holds(s.room())}
	},
	"upgradeRoom": with(object{"new_version": "11"}),
	"reportRoom":  with(object{"reason": "noise"}),
}

// state is a call about a piece of state with an empty key.
func state(typ string, body any) scenario {
	return func(*stage) call {
		return call{params: map[string]string{"eventType": typ, "stateKey": ""}, body: body}
	}
}

var membershipScenarios = map[string]scenario{
	"joinRoomById": func(s *stage) call { return call{as: s.stranger(), body: object{}} },
	"joinRoom":     func(s *stage) call { return call{as: s.stranger(), body: object{"reason": "curious"}} },
	"inviteUser":   func(s *stage) call { return call{body: object{"user_id": s.user().UserID, "reason": "welcome"}} },
	"inviteBy3PID": func(*stage) call { // there is no identity server to ask
		return call{body: object{"medium": "email", "address": "ben@example.org", "id_server": "id.example.org", "id_access_token": "x"}, status: 403}
	},
	"leaveRoom": with(object{"reason": "enough"}),
	"kick":      aboutBob(object{"reason": "noise"}),
	"ban":       aboutBob(object{"reason": "noise"}),
	"forgetRoom": func(s *stage) call {
		s.ok(s.bob().Leave(s.Context(), s.room()))
		return call{as: s.bob(), body: object{}}
	},
	"unban": func(s *stage) call {
		s.ok(s.alice().Change(s.Context(), s.room(), "ban", s.bob().UserID))
		return call{body: object{"user_id": s.bob().UserID}}
	},
	"knockRoom": func(s *stage) call {
		room, err := s.alice().CreateRoom(s.Context(), object{"initial_state": []object{{"type": "m.room.join_rules", "state_key": "", "content": object{"join_rule": "knock"}}}})
		s.ok(err)
		return call{as: s.stranger(), params: map[string]string{"roomIdOrAlias": room}, body: object{"reason": "let me in"}}
	},
}

// stranger is somebody who is not in alice's room, which there is.
func (s *stage) stranger() *client.Client {
	s.room()
	return s.user()
}

// aboutBob is a call about bob.
func aboutBob(body object) scenario {
	return func(s *stage) call {
		out := object{"user_id": s.bob().UserID}
		for k, v := range body {
			out[k] = v
		}
		return call{body: out}
	}
}

var eventScenarios = map[string]scenario{
	"sendMessage":     with(object{"msgtype": "m.text", "body": "hello"}),
	"redactEvent":     with(object{"reason": "over"}),
	"getOneRoomEvent": plain,
	"getOneEvent":     plain,
	"getEventContext": plain,
	"getRoomEvents": func(s *stage) call {
		s.event()
		return call{query: url.Values{"dir": {"b"}, "limit": {"50"}, "filter": {`{"lazy_load_members":true}`}}}
	},
	"sync": func(s *stage) call {
		s.event()
		s.post(s.alice(), "POST", client.Path("rooms", s.room(), "receipt", "m.read", s.event()), object{}, nil)
		s.post(s.alice(), "PUT", client.Path("rooms", s.room(), "typing", s.alice().UserID), object{"typing": true, "timeout": 30000}, nil)
		s.post(s.alice(), "PUT", client.Path("user", s.alice().UserID, "account_data", "org.example.data"), object{"a": 1}, nil)
		invited := s.user()
		room, err := invited.CreateRoom(s.Context(), object{"preset": "private_chat", "invite": []string{s.alice().UserID}, "name": "Come in"})
		s.ok(err)
		left, err := invited.CreateRoom(s.Context(), object{"preset": "public_chat"})
		s.ok(err)
		s.ok(s.alice().Join(s.Context(), left))
		s.ok(s.alice().Leave(s.Context(), left))
		return call{query: url.Values{"filter": {`{"room":{"include_leave":true}}`}}, check: func(t *testing.T, raw []byte) {
			for _, id := range []string{s.room(), room, left} {
				if !bytes.Contains(raw, []byte(id)) {
					t.Errorf("%s is not there", id)
				}
			}
		}}
	},
	"getEvents": func(s *stage) call {
		s.room()
		// From here on, so that the caller's own presence, which is no room's event, is not among them.
		token, err := s.alice().Sync(s.Context(), client.SyncOptions{})
		s.ok(err)
		return call{query: url.Values{"timeout": {"0"}, "from": {token.Next}}, check: holds(s.event())}
	},
	"peekEvents":  func(s *stage) call { return call{query: url.Values{"timeout": {"0"}, "room_id": {s.room()}}} },
	"initialSync": func(s *stage) call { s.event(); return call{} },
	"getEventByTimestamp": func(s *stage) call {
		s.event()
		return call{query: url.Values{"dir": {"b"}, "ts": {strconv.FormatInt(time.Now().Add(time.Hour).UnixMilli(), 10)}}}
	},
	"getRelatingEvents":                        relations(nil),
	"getRelatingEventsWithRelType":             relations(map[string]string{"relType": "m.thread"}),
	"getRelatingEventsWithRelTypeAndEventType": relations(map[string]string{"relType": "m.thread", "eventType": "m.room.message"}),
	"getThreadRoots": func(s *stage) call {
		relations(nil)(s)
		return call{}
	},
	"reportEvent":   with(object{"reason": "noise"}),
	"postReceipt":   func(*stage) call { return call{params: map[string]string{"receiptType": "m.read"}, body: object{}} },
	"setReadMarker": func(s *stage) call { return call{body: object{"m.fully_read": s.event(), "m.read": s.event()}} },
	"setTyping":     with(object{"typing": true, "timeout": 1000}),
}

// holds is a check that the answer has something in it.
func holds(what string) func(*testing.T, []byte) {
	return func(t *testing.T, raw []byte) {
		t.Helper()
		if !bytes.Contains(raw, []byte(what)) {
			t.Errorf("%s is not there: %s", what, raw)
		}
	}
}

// relations is a call about an event that begins a thread.
func relations(params map[string]string) scenario {
	return func(s *stage) call {
		content := client.Message("more")
		content["m.relates_to"] = object{"rel_type": "m.thread", "event_id": s.event()}
		id, err := s.alice().Send(s.Context(), s.room(), "m.room.message", "more", content)
		s.ok(err)
		return call{params: params, check: holds(id)}
	}
}

var directoryScenarios = map[string]scenario{
	"setRoomAlias": func(s *stage) call {
		return call{params: map[string]string{"roomAlias": s.alias()}, body: object{"room_id": s.room()}}
	},
	"getRoomIdByAlias":             aliased,
	"deleteRoomAlias":              aliased,
	"getLocalAliases":              func(s *stage) call { aliased(s); return call{} },
	"getRoomVisibilityOnDirectory": plain,
	"setRoomVisibilityOnDirectory": with(object{"visibility": "public"}),
	"getPublicRooms":               listed(nil),
	"queryPublicRooms":             listed(object{"limit": 100, "filter": object{"generic_search_term": "room"}}),
}

func (s *stage) alias() string { return fmt.Sprintf("#alias%d:test", s.n.Add(1)) }

// aliased is a call about an alias that the room has.
func aliased(s *stage) call {
	alias := s.alias()
	s.post(s.alice(), "PUT", client.Path("directory", "room", alias), object{"room_id": s.room()}, nil)
	return call{params: map[string]string{"roomAlias": alias}}
}

// listed is a call to a directory that has a room.
func listed(body any) scenario {
	return func(s *stage) call {
		s.post(s.alice(), "PUT", client.Path("directory", "list", "room", s.room()), object{"visibility": "public"}, nil)
		return call{body: body}
	}
}
