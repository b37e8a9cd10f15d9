package appservicetest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"maunium.net/go/mautrix/id"
)

func (hs *Homeserver) routeRooms() {
	const base = "/_matrix/client/v3/rooms/{room}"
	hs.handle("POST /_matrix/client/v3/createRoom", hs.createRoom)

	inRoom := func(pattern string, f func(r *request, rm *room) (any, *failure)) {
		hs.handle(pattern, func(r *request) (any, *failure) {
			rm := hs.rooms[id.RoomID(r.PathValue("room"))]
			if rm == nil {
				return nil, notFound("no such room")
			}
			return f(r, rm)
		})
	}
	asMember := func(pattern string, f func(r *request, rm *room) (any, *failure)) {
		inRoom(pattern, func(r *request, rm *room) (any, *failure) {
			if rm.membership(r.user) != "join" {
				return nil, forbidden(fmt.Sprintf("%s is not in the room", r.user))
			}
			return f(r, rm)
		})
	}

	for _, path := range []string{base + "/state/{type}", base + "/state/{type}/{key...}"} {
		asMember("GET "+path, func(r *request, rm *room) (any, *failure) {
			e := rm.state[[2]string{r.PathValue("type"), r.PathValue("key")}]
			if e == nil {
				return nil, notFound("no such state")
			}
			if r.URL.Query().Get("format") == "event" {
				return e, nil
			}
			return e.Content, nil
		})
		inRoom("PUT "+path, func(r *request, rm *room) (any, *failure) {
			evtType, key := r.PathValue("type"), r.PathValue("key")
			if rm.membership(r.user) != "join" && !(evtType == "m.room.member" && rm.membership(r.user) == "invite") {
				return nil, forbidden(fmt.Sprintf("%s is not in the room", r.user))
			}
			return eventID(hs.append(rm, &Event{Type: evtType, StateKey: &key, Sender: r.user, Content: marshal(r.body), Timestamp: timestamp(r)})), nil
		})
	}
	asMember("GET "+base+"/state", func(r *request, rm *room) (any, *failure) {
		list := []*Event{}
		for _, e := range rm.state {
			list = append(list, e)
		}
		return list, nil
	})
	asMember("PUT "+base+"/send/{type}/{txn}", func(r *request, rm *room) (any, *failure) {
		key := string(r.user) + " " + string(rm.id) + " " + r.PathValue("txn")
		if sent, ok := hs.sent[key]; ok {
			return map[string]any{"event_id": sent}, nil
		}
		e := hs.append(rm, &Event{Type: r.PathValue("type"), Sender: r.user, Content: marshal(r.body), Timestamp: timestamp(r)})
		hs.sent[key] = e.ID
		return eventID(e), nil
	})
	asMember("PUT "+base+"/redact/{event}/{txn}", func(r *request, rm *room) (any, *failure) {
		return eventID(hs.append(rm, &Event{Type: "m.room.redaction", Sender: r.user, Redacts: id.EventID(r.PathValue("event")), Content: marshal(r.body)})), nil
	})
	asMember("GET "+base+"/event/{event}", func(r *request, rm *room) (any, *failure) {
		for _, e := range rm.events {
			if string(e.ID) == r.PathValue("event") {
				return e, nil
			}
		}
		return nil, notFound("no such event")
	})
	asMember("GET "+base+"/members", func(r *request, rm *room) (any, *failure) {
		list := []*Event{}
		for k, e := range rm.state {
			if k[0] == "m.room.member" {
				list = append(list, e)
			}
		}
		return map[string]any{"chunk": list}, nil
	})
	asMember("GET "+base+"/joined_members", func(r *request, rm *room) (any, *failure) {
		joined := map[id.UserID]any{}
		for _, u := range hs.members(rm, "join") {
			joined[u] = map[string]any{"display_name": hs.user(u).profile["displayname"]}
		}
		return map[string]any{"joined": joined}, nil
	})

	join := func(r *request, rm *room) (any, *failure) {
		if m := rm.membership(r.user); m != "invite" && m != "join" && rm.joinRule() != "public" {
			return nil, forbidden(fmt.Sprintf("%s is not invited", r.user))
		}
		if rm.membership(r.user) != "join" {
			hs.setMember(rm, r.user, r.user, "join", nil)
		}
		return map[string]any{"room_id": rm.id}, nil
	}
	inRoom("POST "+base+"/join", join)
	inRoom("POST /_matrix/client/v3/join/{room}", join)
	inRoom("POST "+base+"/leave", func(r *request, rm *room) (any, *failure) {
		hs.setMember(rm, r.user, r.user, "leave", nil)
		return empty{}, nil
	})
	for action, membership := range map[string]string{"invite": "invite", "kick": "leave", "ban": "ban", "unban": "leave"} {
		asMember("POST "+base+"/"+action, func(r *request, rm *room) (any, *failure) {
			target := id.UserID(r.str("user_id"))
			if action == "invite" && rm.membership(target) == "join" {
				return nil, forbidden(fmt.Sprintf("%s is already in the room", target))
			}
			hs.setMember(rm, r.user, target, membership, nil)
			return empty{}, nil
		})
	}
	for _, pattern := range []string{
		"PUT " + base + "/typing/{user}", "POST " + base + "/receipt/{type}/{event}", "POST " + base + "/read_markers",
	} {
		asMember(pattern, func(*request, *room) (any, *failure) { return empty{}, nil })
	}
	hs.handle("PUT /_matrix/client/v3/directory/room/{alias}", func(r *request) (any, *failure) {
		hs.aliases[r.PathValue("alias")] = id.RoomID(r.str("room_id"))
		return empty{}, nil
	})
	hs.handle("DELETE /_matrix/client/v3/directory/room/{alias}", func(r *request) (any, *failure) {
		delete(hs.aliases, r.PathValue("alias"))
		return empty{}, nil
	})
	hs.handle("GET /_matrix/client/v3/directory/room/{alias}", func(r *request) (any, *failure) {
		if roomID, ok := hs.aliases[r.PathValue("alias")]; ok {
			return map[string]any{"room_id": roomID, "servers": []string{hs.Domain}}, nil
		}
		return nil, notFound("no such alias")
	})
}

func eventID(e *Event) any { return map[string]any{"event_id": e.ID} }

func timestamp(r *request) int64 {
	ts, _ := strconv.ParseInt(r.URL.Query().Get("ts"), 10, 64)
	return ts
}

func (rm *room) membership(userID id.UserID) string {
	if e := rm.state[[2]string{"m.room.member", string(userID)}]; e != nil {
		return e.Get("membership")
	}
	return ""
}

func (rm *room) joinRule() string {
	if e := rm.state[[2]string{"m.room.join_rules", ""}]; e != nil {
		return e.Get("join_rule")
	}
	return "invite"
}

func (hs *Homeserver) createRoom(r *request) (any, *failure) {
	hs.next++
	rm := &room{id: id.RoomID(fmt.Sprintf("!room%d:%s", hs.next, hs.Domain)), state: map[[2]string]*Event{}}
	hs.rooms[rm.id] = rm
	state := func(evtType, key string, content any) {
		hs.append(rm, &Event{Type: evtType, StateKey: &key, Sender: r.user, Content: marshal(content)})
	}
	create := map[string]any{"room_version": "11"}
	var extra map[string]any
	_ = json.Unmarshal(r.body["creation_content"], &extra)
	for k, v := range extra {
		create[k] = v
	}
	state("m.room.create", "", create)
	hs.setMember(rm, r.user, r.user, "join", nil)
	levels := map[string]any{"users": map[id.UserID]int{r.user: 100}}
	if raw := r.body["power_level_content_override"]; len(raw) > 0 {
		state("m.room.power_levels", "", raw)
	} else {
		state("m.room.power_levels", "", levels)
	}
	rule := "invite"
	if r.str("preset") == "public_chat" {
		rule = "public"
	}
	state("m.room.join_rules", "", map[string]string{"join_rule": rule})
	var initial []Event
	if err := json.Unmarshal(r.body["initial_state"], &initial); err != nil && len(r.body["initial_state"]) > 0 {
		return nil, &failure{http.StatusBadRequest, "M_BAD_JSON", err.Error()}
	}
	for _, e := range initial {
		key := ""
		if e.StateKey != nil {
			key = *e.StateKey
		}
		state(e.Type, key, e.Content)
	}
	if name := r.str("name"); name != "" {
		state("m.room.name", "", map[string]string{"name": name})
	}
	if topic := r.str("topic"); topic != "" {
		state("m.room.topic", "", map[string]string{"topic": topic})
	}
	var invite, members []id.UserID
	_ = json.Unmarshal(r.body["invite"], &invite)
	_ = json.Unmarshal(r.body["com.beeper.initial_members"], &members)
	autojoin := hs.features["com.beeper.room_create_autojoin_invites"] && string(r.body["com.beeper.auto_join_invites"]) == "true"
	for _, u := range append(invite, members...) {
		hs.setMember(rm, r.user, u, "invite", nil)
		if autojoin {
			hs.setMember(rm, u, u, "join", nil)
		}
	}
	return map[string]any{"room_id": rm.id}, nil
}
