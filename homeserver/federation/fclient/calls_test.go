package fclient

import (
	"context"
	"encoding/json/jsontext"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// TestCalls makes each call once and looks at what arrives and at what is made of the answer.
func TestCalls(t *testing.T) {
	t.Parallel()
	const event, room, user = `{"type":"x"}`, "!r/oom:a b", "@u:us"
	events := func(each *[]string) Each {
		return func(s Section, raw jsontext.Value) error {
			*each = append(*each, fmt.Sprint(s, string(raw)))
			return nil
		}
	}
	for _, tc := range []struct {
		name, request, body, answer, want string
		call                              func(context.Context, *Client, string) (any, error)
	}{
		{"make_join", "GET /_matrix/federation/v1/make_join/%21r%2Foom:a%20b/@u:us?ver=11&ver=12", "", `{"room_version":"12","event":` + event + `}`, `{12 {"type":"x"}}`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				return c.MakeJoin(ctx, s, room, user, []string{"11", "12"})
			}},
		{"make_knock", "GET /_matrix/federation/v1/make_knock/%21r%2Foom:a%20b/@u:us?ver=7", "", `{"room_version":"7","event":` + event + `}`, `{7 {"type":"x"}}`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				return c.MakeKnock(ctx, s, room, user, []string{"7"})
			}},
		{"make_leave", "GET /_matrix/federation/v1/make_leave/%21r%2Foom:a%20b/@u:us", "", `{"event":` + event + `}`, `{1 {"type":"x"}}`,
			func(ctx context.Context, c *Client, s string) (any, error) { return c.MakeLeave(ctx, s, room, user) }},
		{"send_join", "PUT /_matrix/federation/v2/send_join/r/$e?omit_members=true", event,
			`{"x":{"y":[1]},"state":[{"a":1},{"a":2}],"members_omitted":true,"servers_in_room":["a","b"],"auth_chain":[{"a":3}],"event":{"z":1}}`,
			`{{"z":1} true [a b]} [0{"a":1} 0{"a":2} 1{"a":3}]`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				var got []string
				j, err := c.SendJoin(ctx, s, "r", "$e", jsontext.Value(event), true, events(&got))
				return fmt.Sprint(fmt.Sprintf("{%s %t %v}", j.Event, j.MembersOmitted, j.ServersInRoom), " ", got), err
			}},
		{"send_knock", "PUT /_matrix/federation/v1/send_knock/r/$e", event, `{"knock_room_state":[{"a":1}]}`, `[{"a":1}]`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				return c.SendKnock(ctx, s, "r", "$e", jsontext.Value(event))
			}},
		{"send_leave", "PUT /_matrix/federation/v2/send_leave/r/$e", event, `{}`, `<nil>`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				return nil, c.SendLeave(ctx, s, "r", "$e", jsontext.Value(event))
			}},
		{"invite", "PUT /_matrix/federation/v2/invite/r/$e", `{"event":{"type":"x"},"invite_room_state":[{}],"room_version":"12"}`, `{"event":{"s":1}}`, `{"s":1}`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				return c.SendInvite(ctx, s, "r", "$e", Invite{"12", jsontext.Value(event), []jsontext.Value{jsontext.Value("{}")}})
			}},
		{"invite v1", "PUT /_matrix/federation/v1/invite/r/$e", event, `[200,{"event":{"s":1}}]`, `{"s":1}`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				return c.SendInviteV1(ctx, s, "r", "$e", jsontext.Value(event))
			}},
		{"third-party invite", "PUT /_matrix/federation/v1/exchange_third_party_invite/r", event, `{}`, `<nil>`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				return nil, c.ExchangeThirdPartyInvite(ctx, s, "r", jsontext.Value(event))
			}},
		{"send", "PUT /_matrix/federation/v1/send/t1", `{"edus":[{"e":1}],"origin":"us","origin_server_ts":5,"pdus":[]}`, `{"pdus":{"$a":{},"$b":{"error":"bad"}}}`, `map[$b:bad]`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				return c.Send(ctx, s, "t1", Transaction{Origin: "us", TS: 5, EDUs: []jsontext.Value{jsontext.Value(`{"e":1}`)}})
			}},
		{"event", "GET /_matrix/federation/v1/event/$e", "", `{"origin":"a","origin_server_ts":1,"pdus":[{"a":1}]}`, `{"a":1}`,
			func(ctx context.Context, c *Client, s string) (any, error) { return c.Event(ctx, s, "$e") }},
		{"event_auth", "GET /_matrix/federation/v1/event_auth/r/$e", "", `{"auth_chain":[{"a":1}]}`, `[1{"a":1}]`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				var got []string
				err := c.EventAuth(ctx, s, "r", "$e", events(&got))
				return got, err
			}},
		{"state", "GET /_matrix/federation/v1/state/r?event_id=%24e", "", `{"auth_chain":[{"a":1}],"pdus":[{"a":2}]}`, `[1{"a":1} 0{"a":2}]`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				var got []string
				err := c.State(ctx, s, "r", "$e", events(&got))
				return got, err
			}},
		{"state_ids", "GET /_matrix/federation/v1/state_ids/r?event_id=%24e", "", `{"auth_chain_ids":["$1"],"pdu_ids":["$2","$3"]}`, `[[$2 $3] [$1]]`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				a, b, err := c.StateIDs(ctx, s, "r", "$e")
				return [][]string{a, b}, err
			}},
		{"backfill", "GET /_matrix/federation/v1/backfill/r?limit=2&v=%24a&v=%24b", "", `{"pdus":[{"a":1},{"a":2},{"a":3}]}`, `[{"a":1} {"a":2}]`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				return c.Backfill(ctx, s, "r", []string{"$a", "$b"}, 2)
			}},
		{"get_missing_events", "POST /_matrix/federation/v1/get_missing_events/r", `{"earliest_events":["$a"],"latest_events":["$b"],"limit":1,"min_depth":4}`, `{"events":[{"a":1},{"a":2}]}`, `[{"a":1}]`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				return c.MissingEvents(ctx, s, "r", Gap{[]string{"$a"}, []string{"$b"}, 1, 4})
			}},
		{"timestamp_to_event", "GET /_matrix/federation/v1/timestamp_to_event/r?dir=b&ts=77", "", `{"event_id":"$e","origin_server_ts":76}`, `$e 76`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				id, ts, err := c.TimestampToEvent(ctx, s, "r", 77, "b")
				return fmt.Sprint(id, " ", ts), err
			}},
		{"directory", "GET /_matrix/federation/v1/query/directory?room_alias=%23x%3Aa", "", `{"room_id":"!r","servers":["a"]}`, `{!r [a]}`,
			func(ctx context.Context, c *Client, s string) (any, error) { return c.Directory(ctx, s, "#x:a") }},
		{"profile", "GET /_matrix/federation/v1/query/profile?field=displayname&user_id=%40u%3Aus", "", `{"displayname":"U"}`, `map[displayname:"U"]`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				return c.Profile(ctx, s, user, "displayname")
			}},
		{"devices", "GET /_matrix/federation/v1/user/devices/@u:us", "", `{"user_id":"@u:us","stream_id":5,"devices":[{"device_id":"D","keys":{}}]}`, `{@u:us 5 [{D  {}}] null null}`,
			func(ctx context.Context, c *Client, s string) (any, error) { return c.UserDevices(ctx, s, user) }},
		{"keys/query", "POST /_matrix/federation/v1/user/keys/query", `{"device_keys":{"@u:us":[]}}`, `{"device_keys":{"@u:us":{"D":{}}}}`, `{map[@u:us:map[D:{}]] map[] map[]}`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				return c.QueryUserKeys(ctx, s, map[string][]string{user: nil})
			}},
		{"keys/claim", "POST /_matrix/federation/v1/user/keys/claim", `{"one_time_keys":{"@u:us":{"D":"signed_curve25519"}}}`, `{"one_time_keys":{"@u:us":{"D":{"k:1":{}}}}}`, `map[@u:us:map[D:map[k:1:{}]]]`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				return c.ClaimKeys(ctx, s, map[string]map[string]string{user: {"D": "signed_curve25519"}})
			}},
		{"hierarchy", "GET /_matrix/federation/v1/hierarchy/r?suggested_only=true", "", `{"room":{},"children":[{}],"inaccessible_children":["x"]}`, `{{} [{}] [x]}`,
			func(ctx context.Context, c *Client, s string) (any, error) { return c.Hierarchy(ctx, s, "r", true) }},
		{"publicRooms", "POST /_matrix/federation/v1/publicRooms", `{"filter":{"generic_search_term":"x"},"limit":3}`, `{"chunk":[{}],"next_batch":"n","total_room_count_estimate":9}`, `{[{}] n  9}`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				return c.PublicRooms(ctx, s, PublicRoomsQuery{Filter: jsontext.Value(`{"generic_search_term":"x"}`), Limit: 3})
			}},
		{"openid", "GET /_matrix/federation/v1/openid/userinfo?access_token=t%2B", "", `{"sub":"@u:us"}`, `@u:us`,
			func(ctx context.Context, c *Client, s string) (any, error) { return c.OpenIDUser(ctx, s, "t+") }},
		{"version", "GET /_matrix/federation/v1/version", "", `{"server":{"name":"N","version":"V"}}`, `N V`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				n, v, err := c.Version(ctx, s)
				return n + " " + v, err
			}},
		{"keys", "GET /_matrix/key/v2/server", "", `{"a":1}`, `{"a":1}`,
			func(ctx context.Context, c *Client, s string) (any, error) { return c.ServerKeys(ctx, s) }},
		{"notary", "POST /_matrix/key/v2/query", `{"a":1}`, `{"server_keys":[{"a":1}]}`, `[{"a":1}]`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				return c.QueryKeys(ctx, s, map[string]int{"a": 1})
			}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newRemote(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, tc.answer) })
			c, _, _ := newClient(t, r)
			got, err := tc.call(t.Context(), c, r.name)
			request, body := r.last()
			if err != nil || request != tc.request || body != tc.body || fmt.Sprint(got) != tc.want {
				t.Errorf("sent  %s %s\nwant  %s %s\ngot   %v, %v\nwant  %s", request, body, tc.request, tc.body, got, err, tc.want)
			}
			if r.proto != "HTTP/2.0" {
				t.Errorf("spoken was %s", r.proto)
			}
		})
	}
}

// TestReadsToTheEnd: who hangs up before an answer has ended breaks off what the other side is still writing.
func TestReadsToTheEnd(t *testing.T) {
	t.Parallel()
	for answer, ok := range map[string]bool{`{"pdu_ids":["$a"]}`: true, `{"pdu_ids":["$a"]}` + "\n": true, `{"pdu_ids":["$a"]}{}`: false, `{"pdu_ids":["$a"]`: false} {
		// The end comes by itself, after everything else.
		r := iotest.OneByteReader(strings.NewReader(answer))
		var got []string
		if err := (fields{"pdu_ids": texts(&got, 3)}).read(nil, r); (err == nil) != ok {
			t.Errorf("%s: %v", answer, err)
		}
		if !ok {
			continue
		}
		if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF || !slices.Equal(got, []string{"$a"}) {
			t.Errorf("%s: %d bytes are left (%v), read %q", answer, n, err, got)
		}
	}
}
