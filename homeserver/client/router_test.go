package client

import (
	"fmt"
	"testing"
)

func TestRouter(t *testing.T) {
	t.Parallel()
	var r routeTable
	for _, p := range []string{"/versions", "/rooms/{roomId}/state", "/rooms/{roomId}/state/{type}", "/rooms/{roomId}/state/{type}/{key...}",
		"/rooms/{roomId}/send/{type}/{txn}", "/profile/{user}", "/profile/{user}/{field}", "/pushrules/"} {
		r.add("GET", p, &route{pattern: p})
	}
	for _, tc := range []struct{ path, pattern, params string }{
		{"/versions", "/versions", "[]"},
		{"/rooms/!a:b/state", "/rooms/{roomId}/state", "[!a:b]"},
		{"/rooms/!a:b/state/m.room.name", "/rooms/{roomId}/state/{type}", "[!a:b m.room.name]"},
		{"/rooms/!a:b/state/m.room.name/", "/rooms/{roomId}/state/{type}/{key...}", "[!a:b m.room.name ]"},
		{"/rooms/!a:b/state/m.x/a/b", "/rooms/{roomId}/state/{type}/{key...}", "[!a:b m.x a/b]"},
		{"/rooms/!a:b/state/m.x/a%2Fb", "/rooms/{roomId}/state/{type}/{key...}", "[!a:b m.x a/b]"},
		{"/rooms/%21a%2Fb%3Ac/send/m.x/t%20%25", "/rooms/{roomId}/send/{type}/{txn}", "[!a/b:c m.x t %]"},
		{"/profile/@a:b/displayname", "/profile/{user}/{field}", "[@a:b displayname]"},
		{"/nothing", "", ""},
		{"/rooms/x", "", ""},
		{"/rooms/x/send/y", "", ""},
		{"/rooms/%zz/state", "", ""},
		{"", "", ""},
		{"versions", "", ""},
	} {
		routes, params := r.find(tc.path)
		pattern := ""
		if routes != nil {
			pattern = routes["GET"].pattern
		}
		if pattern != tc.pattern || pattern != "" && fmt.Sprint(params) != tc.params {
			t.Errorf("%s: %q %q, want %q %s", tc.path, pattern, params, tc.pattern, tc.params)
		}
	}
}

func FuzzRouter(f *testing.F) {
	var r routeTable
	for _, p := range []string{"/a/{x}/b", "/a/{x}/c/{rest...}"} {
		r.add("GET", p, &route{pattern: p})
	}
	f.Add("/a/%2F/b")
	f.Add("/a//c/")
	f.Fuzz(func(t *testing.T, path string) { r.find(path) })
}
