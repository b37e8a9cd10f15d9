package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/integration/client"
)

// memberServers is over how many servers the members of a huge room are spread.
const memberServers = 20

// hosted is a room that a peer has: it answers what somebody asks who joins.
type hosted struct {
	p    *peer
	room string
	// state is the whole state, small that without memberships, and chain what small rests on besides.
	state, small, chain []stored
	// tip is the end of the room.
	tip  stored
	byID map[string][]byte
	// auth is what a join cites.
	auth []string
}

type stored struct {
	id  string
	raw []byte
}

// host makes a room with members; the first of the peers has it.
func (ps *peers) host(members int) (*hosted, error) {
	h := &hosted{p: ps.all[0], byID: map[string][]byte{}}
	creator, depth := h.p.user("creator"), int64(0)
	var prev []string
	add := func(by *peer, typ, sender string, key *string, content string, auth ...string) (stored, error) {
		depth++
		e, err := event.Build(event.Proto{Version: roomVersion, RoomID: h.room, Type: typ, Sender: sender, StateKey: key, Content: []byte(content),
			TS: 1_790_000_000_000 + depth, Depth: depth, Prev: prev, Auth: auth}, by.signer())
		if err != nil {
			return stored{}, err
		}
		raw, err := e.JSON()
		if err != nil {
			return stored{}, err
		}
		s := stored{e.ID, raw}
		prev, h.byID[s.id] = []string{s.id}, raw
		return s, nil
	}
	empty := ""
	create, err := add(h.p, "m.room.create", creator, &empty, fmt.Sprintf(`{"room_version":%q}`, roomVersion))
	if err != nil {
		return nil, err
	}
	h.room = "!" + create.id[1:]
	first, err := add(h.p, "m.room.member", creator, &creator, `{"membership":"join"}`)
	if err != nil {
		return nil, err
	}
	levels, err := add(h.p, "m.room.power_levels", creator, &empty, `{}`, first.id)
	if err != nil {
		return nil, err
	}
	h.small, h.chain = []stored{create, levels}, []stored{first}
	for _, x := range [][2]string{{"m.room.join_rules", `{"join_rule":"public"}`}, {"m.room.history_visibility", `{"history_visibility":"shared"}`},
		{"m.room.name", `{"name":"A huge room"}`}} {
		s, err := add(h.p, x[0], creator, &empty, x[1], first.id, levels.id)
		if err != nil {
			return nil, err
		}
		h.small = append(h.small, s)
	}
	h.auth = []string{levels.id, h.small[2].id}
	h.state = append([]stored{first}, h.small...)
	for i := 1; i < members; i++ {
		by := ps.all[i%len(ps.all)]
		user := by.user(fmt.Sprint("member", i))
		s, err := add(by, "m.room.member", user, &user, fmt.Sprintf(`{"displayname":"Member number %d","membership":"join"}`, i), h.auth...)
		if err != nil {
			return nil, err
		}
		h.state = append(h.state, s)
	}
	if h.tip, err = add(h.p, "m.room.message", creator, nil, message, first.id, levels.id); err != nil {
		return nil, err
	}
	h.p.hosted = h
	return h, nil
}

// serve answers what is asked of the room.
func (h *hosted) serve(w http.ResponseWriter, r *http.Request) bool {
	what, ok := strings.CutPrefix(r.URL.Path, "/_matrix/federation/")
	if !ok {
		return false
	}
	parts := strings.Split(what, "/")
	if len(parts) < 3 {
		return false
	}
	out := bufio.NewWriterSize(w, 64<<10)
	defer out.Flush()
	list := func(name string, events []stored, ids bool) {
		fmt.Fprintf(out, `,%q:[`, name)
		for i, s := range events {
			if i > 0 {
				_ = out.WriteByte(',') // what fails is seen at the other side
			}
			if ids {
				fmt.Fprintf(out, "%q", s.id)
			} else {
				_, _ = out.Write(s.raw)
			}
		}
		_ = out.WriteByte(']')
	}
	switch parts[1] {
	case "make_join":
		user := parts[3]
		raw, err := json.Marshal(map[string]any{"room_version": roomVersion, "event": map[string]any{"type": "m.room.member", "room_id": h.room, "sender": user,
			"state_key": user, "content": map[string]any{"membership": "join"}, "prev_events": []string{h.tip.id}, "auth_events": h.auth,
			"depth": len(h.byID) + 1, "origin_server_ts": time.Now().UnixMilli()}})
		if err != nil {
			return false
		}
		_, _ = out.Write(raw)
	case "send_join":
		var servers []string
		for _, p := range h.p.of.all {
			servers = append(servers, p.name)
		}
		names, err := json.Marshal(servers)
		if err != nil {
			return false
		}
		fmt.Fprintf(out, `{"origin":%q,"members_omitted":true,"servers_in_room":%s`, h.p.name, names)
		list("state", h.small, false)
		list("auth_chain", h.chain, false)
		_ = out.WriteByte('}')
	case "state_ids":
		_, _ = out.WriteString(`{"x":1`)
		list("pdu_ids", h.state, true)
		list("auth_chain_ids", nil, true)
		_ = out.WriteByte('}')
	case "state":
		_, _ = out.WriteString(`{"x":1`)
		list("pdus", h.state, false)
		list("auth_chain", nil, false)
		_ = out.WriteByte('}')
	case "event":
		raw, ok := h.byID[parts[2]]
		if !ok {
			return false
		}
		fmt.Fprintf(out, `{"origin":%q,"origin_server_ts":1,"pdus":[%s]}`, h.p.name, raw)
	default:
		return false
	}
	return true
}

// hugeJoin measures the join of a huge room of other servers: until it can be used, until all of its members are
// known, and what others notice of it.
func hugeJoin(ctx context.Context, b *bench) error {
	ps, err := b.newPeers(memberServers)
	if err != nil {
		return err
	}
	defer ps.close()
	h, err := ps.host(b.joined)
	if err != nil {
		return err
	}
	all, err := b.people(ctx, "hugejoin", 2, true)
	if err != nil {
		return err
	}
	user, other := all[0].Client, all[1]
	if err := b.resetPeak(); err != nil {
		return err
	}
	// Somebody else goes on talking in another room.
	talking, quiet := context.WithCancel(ctx)
	var longest time.Duration
	var failed error
	var wg sync.WaitGroup
	wg.Go(func() { longest, failed = b.talk(talking, other) })
	defer wg.Wait()
	defer quiet()
	stop := b.profile(ctx, "hugejoin", b.PID())
	defer stop()
	cpu, err := b.cpu()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := user.Do(ctx, "POST", client.Path("join", h.room), map[string][]string{"via": {h.p.name}}, map[string]any{}, nil); err != nil {
		return err
	}
	filter := `{"room":{"state":{"lazy_load_members":true},"timeline":{"limit":5}}}`
	var synced client.Sync
	if err := user.Do(ctx, "GET", client.Path("sync"), map[string][]string{"filter": {filter}}, nil, &synced); err != nil {
		return err
	}
	if _, there := synced.Rooms.Join[h.room]; !there {
		return fmt.Errorf("the room that was joined is not in the answer to a sync")
	}
	if _, err := user.Send(ctx, h.room, "m.room.message", "first", client.Message("hello")); err != nil {
		return err
	}
	usable := time.Since(began)
	for {
		err := user.Do(ctx, "GET", client.Path("rooms", h.room, "members"), map[string][]string{"membership": {"ban"}}, nil, nil)
		if err == nil {
			break
		}
		if time.Since(began) > 20*time.Minute {
			return fmt.Errorf("the room is not complete after %v: %w", time.Since(began), err)
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	complete := time.Since(began)
	peak, err := b.peak()
	if err != nil {
		return err
	}
	after, err := b.cpu()
	if err != nil {
		return err
	}
	quiet()
	wg.Wait()
	if failed != nil {
		return failed
	}
	var joined struct {
		Joined map[string]any `json:"joined"`
	}
	if err := user.Do(ctx, "GET", client.Path("rooms", h.room, "joined_members"), nil, nil, &joined); err != nil {
		return err
	}
	if len(joined.Joined) != b.joined+1 {
		return fmt.Errorf("%d members are joined and not %d", len(joined.Joined), b.joined+1)
	}
	what := fmt.Sprintf("join of a room of %d members", b.joined)
	b.report.add(result{Key: "hugejoin_usable_ms", What: what + ", until it is synced and written in", Value: ms(usable), Unit: "ms", Target: 3000})
	b.report.add(result{Key: "hugejoin_complete_s", What: what + ", until all members are known", Value: complete.Seconds(), Unit: "s"})
	b.report.add(result{Key: "hugejoin_cpu_s", What: what + ", CPU of the server", Value: (after - cpu).Seconds(), Unit: "s"})
	b.report.add(result{Key: "hugejoin_peak_mb", What: what + ", memory at most (RSS)", Value: peak / 1e6, Unit: "MB"})
	b.report.add(result{Key: "hugejoin_others_ms", What: "the longest that somebody's send in another room took meanwhile", Value: ms(longest), Unit: "ms", Target: 1000})
	return nil
}

// talk sends message after message until ctx ends, and gives the longest time that one took.
func (b *bench) talk(ctx context.Context, m member) (longest time.Duration, err error) {
	w, err := dial(ctx, b.URL())
	if err != nil {
		return 0, err
	}
	defer w.close()
	for n := 0; ; n++ {
		at := time.Now()
		if err := w.must("PUT", fmt.Sprint(m.target, "talk", n), m.Token, message); err != nil {
			if ctx.Err() != nil {
				return longest, nil
			}
			return 0, err
		}
		longest = max(longest, time.Since(at))
		if pause(ctx, 20*time.Millisecond) != nil {
			return longest, nil
		}
	}
}
