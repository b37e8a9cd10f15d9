package federation

import (
	"bytes"
	"fmt"
	"image"
	_ "image/jpeg"
	"image/png"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/integration/client"
)

// directory: aliases, and the list of public rooms.
func directory(t *testing.T, host, guest *server) {
	alice, bob := host.user(t), guest.user(t)
	local := fmt.Sprint("hall", txns.Add(1))
	room := alice.room(t, "11", m{"name": "The hall " + local, "topic": "a topic", "room_alias_name": local, "visibility": "public"})
	alias := "#" + local + ":" + host.name
	var found struct {
		Room    string   `json:"room_id"`
		Servers []string `json:"servers"`
	}
	ok(t, bob.Do(t.Context(), "GET", client.Path("directory", "room", alias), nil, nil, &found))
	if found.Room != room || len(found.Servers) == 0 {
		t.Errorf("%s is %+v, want %s", alias, found, room)
	}
	refused(t, bob.Do(t.Context(), "GET", client.Path("directory", "room", "#none"+alias[1:]), nil, nil, nil), "M_NOT_FOUND")
	var list struct {
		Chunk []struct {
			Room  string `json:"room_id"`
			Name  string `json:"name"`
			Topic string `json:"topic"`
			Alias string `json:"canonical_alias"`
			Count int    `json:"num_joined_members"`
		} `json:"chunk"`
	}
	ok(t, bob.Do(t.Context(), "POST", client.Path("publicRooms"), url.Values{"server": {host.name}}, m{"filter": m{"generic_search_term": local}}, &list))
	if len(list.Chunk) != 1 || list.Chunk[0].Room != room || list.Chunk[0].Topic != "a topic" || list.Chunk[0].Alias != alias || list.Chunk[0].Count != 1 {
		t.Errorf("the directory of %s has %+v", host.make, list)
	}
	ok(t, bob.Do(t.Context(), "GET", client.Path("publicRooms"), url.Values{"server": {host.name}, "limit": {"5"}}, nil, &list))
	if len(list.Chunk) == 0 {
		t.Error("GET /publicRooms finds nothing")
	}
	ok(t, bob.Join(t.Context(), alias))
	alice.finds(t, room, bob, "join")
}

// spaces: the hierarchy of a space on one server with a room on the other, joined or not.
func spaces(t *testing.T, host, guest *server) {
	alice, bob := host.user(t), guest.user(t)
	space := alice.room(t, "11", m{"name": "Space", "creation_content": m{"type": "m.space"}})
	open := alice.room(t, "12", m{"name": "Open", "topic": "all"})
	private := alice.room(t, "11", m{"name": "Private", "preset": "private_chat"})
	members := alice.room(t, "11", m{"name": "Members", "initial_state": []m{{"type": "m.room.join_rules", "content": m{
		"join_rule": "restricted", "allow": []m{{"type": "m.room_membership", "room_id": space}}}}}})
	bobs := bob.room(t, "11", m{"name": "Bob's"})
	for _, r := range []string{open, private, members} {
		alice.set(t, space, "m.space.child", r, m{"via": []string{host.name}})
	}
	alice.set(t, space, "m.space.child", bobs, m{"via": []string{guest.name}})
	names := func(p *someone, top string) string {
		var out struct {
			Rooms []struct {
				Name string `json:"name"`
			} `json:"rooms"`
		}
		ok(t, p.Do(t.Context(), "GET", "/_matrix/client/v1/rooms/"+url.PathEscape(top)+"/hierarchy", nil, nil, &out))
		var l []string
		for _, r := range out.Rooms {
			l = append(l, r.Name)
		}
		return strings.Join(l, ",")
	}
	has := func(p *someone, top string, want ...string) {
		t.Helper()
		eventually(t, fmt.Sprint("the space to have ", want), func() error {
			got := names(p, top)
			for _, w := range want {
				if !strings.Contains(got, w) {
					return fmt.Errorf("%s has %s, want %s", top, got, w)
				}
			}
			if strings.Contains(got, "Private") {
				return fmt.Errorf("%s has %s", top, got)
			}
			return nil
		})
	}
	// From outside, by a space of one's own that has the other as a child.
	own := bob.room(t, "11", m{"name": "Bob's space", "creation_content": m{"type": "m.space"}})
	bob.set(t, own, "m.space.child", space, m{"via": []string{host.name}})
	has(bob, own, "Bob's space", "Space", "Open")
	bob.joins(t, space, host)
	alice.finds(t, space, bob, "join")
	has(bob, space, "Space", "Open", "Members", "Bob's")
	if got := names(alice, space); !strings.Contains(got, "Bob's") {
		t.Errorf("the host finds %s", got)
	}
	bob.joins(t, members, host)
	alice.finds(t, members, bob, "join")
}

// profiles: asked for, and changed while in a room.
func profiles(t *testing.T, host, guest *server) {
	alice, bob := host.user(t), guest.user(t)
	name := func(n string) {
		t.Helper()
		ok(t, alice.Do(t.Context(), "PUT", client.Path("profile", alice.UserID, "displayname"), nil, m{"displayname": n}, nil))
	}
	name("Alice the first")
	ok(t, alice.Do(t.Context(), "PUT", client.Path("profile", alice.UserID, "avatar_url"), nil, m{"avatar_url": "mxc://" + host.name + "/face"}, nil))
	var p map[string]any
	ok(t, bob.Do(t.Context(), "GET", client.Path("profile", alice.UserID), nil, nil, &p))
	if p["displayname"] != "Alice the first" || p["avatar_url"] != "mxc://"+host.name+"/face" {
		t.Errorf("the profile is %v", p)
	}
	refused(t, bob.Do(t.Context(), "GET", client.Path("profile", "@nobody:"+host.name), nil, nil, nil), "M_NOT_FOUND")
	room := alice.room(t, "11", nil)
	bob.joins(t, room, host)
	bob.has(t, room, "m.room.member", alice.UserID, "displayname", "Alice the first")
	name("Alice the second")
	bob.has(t, room, "m.room.member", alice.UserID, "displayname", "Alice the second")
	ok(t, bob.Do(t.Context(), "PUT", client.Path("profile", bob.UserID, "displayname"), nil, m{"displayname": "Bob"}, nil))
	alice.has(t, room, "m.room.member", bob.UserID, "displayname", "Bob")
}

// files: media of either server, and thumbnails of it, by the endpoints with authentication.
func files(t *testing.T, host, guest *server) {
	alice, bob := host.user(t), guest.user(t)
	text := []byte(fmt.Sprintf("what is in the file, %d", rand.Uint64()))
	img := image.NewGray(image.Rect(0, 0, 200, 100))
	for i := range img.Pix {
		img.Pix[i] = byte(rand.Uint32())
	}
	var pic bytes.Buffer
	ok(t, png.Encode(&pic, img))
	for _, f := range []struct {
		name, typ string
		raw       []byte
	}{{"notes.txt", "text/plain", text}, {"pic.png", "image/png", pic.Bytes()}} {
		var up struct {
			URI string `json:"content_uri"`
		}
		req, err := alice.Request(t.Context(), "POST", "/_matrix/media/v3/upload", url.Values{"filename": {f.name}}, bytes.NewReader(f.raw))
		ok(t, err)
		req.Header.Set("Content-Type", f.typ)
		answer(t, req, &up)
		path := "/_matrix/client/v1/media/download/" + strings.TrimPrefix(up.URI, "mxc://")
		for _, p := range []*someone{alice, bob, bob} {
			req, err := p.Request(t.Context(), "GET", path, nil, nil)
			ok(t, err)
			res, err := http.DefaultClient.Do(req)
			ok(t, err)
			raw, err := io.ReadAll(res.Body)
			res.Body.Close()
			ok(t, err)
			if res.StatusCode != 200 || !bytes.Equal(raw, f.raw) || !strings.HasPrefix(res.Header.Get("Content-Type"), f.typ) ||
				!strings.Contains(res.Header.Get("Content-Disposition"), f.name) {
				t.Errorf("%s gets %s: %s %v, %d bytes", p.UserID, path, res.Status, res.Header, len(raw))
			}
		}
		if f.typ == "image/png" {
			req, err := bob.Request(t.Context(), "GET", strings.Replace(path, "download", "thumbnail", 1), url.Values{"width": {"32"}, "height": {"32"}, "method": {"scale"}}, nil)
			ok(t, err)
			res, err := http.DefaultClient.Do(req)
			ok(t, err)
			got, _, err := image.DecodeConfig(res.Body)
			res.Body.Close()
			if err != nil || res.StatusCode != 200 || got.Width > 200 {
				t.Errorf("the thumbnail: %s %+v %v", res.Status, got, err)
			}
		}
	}
	err := bob.Do(t.Context(), "GET", "/_matrix/client/v1/media/download/"+host.name+"/nothing", nil, nil, nil)
	refused(t, err, "M_NOT_FOUND")
}

// acls: a server that is shut out is not heard any more, and hears nothing.
func acls(t *testing.T, host, guest *server) {
	alice, bob := host.user(t), guest.user(t)
	room := alice.room(t, "11", nil)
	bob.joins(t, room, host)
	alice.finds(t, room, bob, "join")
	alice.set(t, room, "m.room.server_acl", "", m{"allow": []string{"*"}, "deny": []string{"127.0.0.1"}, "allow_ip_literals": true})
	// The list goes by names without ports, so that nobody is in the room for each other now. What is said is not exchanged.
	unheard := bob.say(t, room, "is anybody there?")
	other := alice.room(t, "11", nil)
	bob.joins(t, other, host)
	alice.finds(t, other, bob, "join")
	alice.sees(t, other, bob.say(t, other, "something later"))
	if _, err := alice.Event(t.Context(), room, unheard); err == nil {
		t.Error("what a server that is shut out says is heard")
	}
	// Nobody else comes in either; whether their own server lets them is its affair.
	carl := guest.user(t)
	_ = carl.join(t.Context(), room, host.name)
	alice.sees(t, other, bob.say(t, other, "something later still"))
	if c, err := alice.StateContent(t.Context(), room, "m.room.member", carl.UserID); err == nil {
		t.Errorf("somebody of a server that is shut out is in the room: %v", c)
	}
}

// answer makes a request whose answer is JSON.
func answer(t *testing.T, req *http.Request, out any) {
	t.Helper()
	res, err := http.DefaultClient.Do(req)
	ok(t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	ok(t, err)
	if res.StatusCode != 200 {
		t.Fatalf("%s: %s %s", req.URL, res.Status, raw)
	}
	ok(t, unmarshal(raw, out))
}
