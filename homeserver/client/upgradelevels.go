package client

import (
	"encoding/json/jsontext"
	"encoding/json/v2"
	"maps"
	"slices"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// levels are the power levels of the new room: those of the old one, in the form of the new
// version. Its creators have their power without being named, and may not be; creators of the old
// room who are none of the new one are named there where the version wants it.
func (u *roomUpgrade) levels() (jsontext.Value, error) {
	content := map[string]any{}
	was := gjson.ParseBytes(u.content("m.room.power_levels"))
	old := room.LevelsOf(u.content("m.room.power_levels"), u.old.Version)
	was.ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "users", "events", "notifications":
			// Texts for numbers, which older versions allow, are made numbers.
			content[k.Str] = room.LevelMap(v, u.old.Version)
		case "users_default", "events_default", "state_default", "ban", "kick", "redact", "invite", "historical":
			if n, ok := room.Level(v, u.old.Version); ok {
				content[k.Str] = n
			}
		default:
			content[k.Str] = jsontext.Value(v.Raw)
		}
		return true
	})
	users, _ := content["users"].(map[string]int64)
	users = maps.Clone(users)
	if users == nil {
		users = map[string]int64{}
	}
	events, _ := content["events"].(map[string]int64)
	if events == nil {
		events = map[string]int64{}
	}
	if u.version.PrivilegedRoomCreators() {
		delete(users, u.me)
		for _, id := range u.creators {
			delete(users, id)
		}
		// MSC4289: "The initial power levels event in the room MUST have the level required to
		// send m.room.tombstone events be higher than the level required to send state events."
		const tombstone = "m.room.tombstone"
		if have, ok := events[tombstone]; !ok || have <= old.Event("", true) || !u.old.Version.PrivilegedRoomCreators() {
			events[tombstone] = max(150, old.Event("", true)+1, have)
		}
	} else if create := u.state[store.StateKey{Type: "m.room.create"}]; create != nil {
		top := max(100, old.Highest())
		if u.old.Version.PrivilegedRoomCreators() {
			for _, id := range room.Creators(create) {
				users[id] = top
			}
		} else if !was.Exists() {
			users[string(create.Sender)] = 100
		}
	}
	content["users"], content["events"] = users, events
	return json.Marshal(content, json.Deterministic(true))
}

// enabling are levels with which the one who upgrades can fill the new room, who may have less
// power than some of its state asks for; where that power is there anyway they are the same.
func (u *roomUpgrade) enabling(levels jsontext.Value) (jsontext.Value, error) {
	if u.version.PrivilegedRoomCreators() {
		return levels, nil
	}
	p := room.LevelsOf(levels, u.version)
	need := max(p.Highest(), slices.Max(append(p.Levels(), 0)))
	if p.User(u.me) >= need {
		return levels, nil
	}
	var content map[string]any
	if err := json.Unmarshal(levels, &content); err != nil {
		return nil, err
	}
	users, _ := content["users"].(map[string]any)
	if users == nil {
		users = map[string]any{}
	}
	users[u.me] = need
	content["users"] = users
	return json.Marshal(content, json.Deterministic(true))
}
