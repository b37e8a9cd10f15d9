package txnid_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/landbridge-im/landbridge/appservice/txnid"
)

type capture struct{ path string }

func (c *capture) RoundTrip(r *http.Request) (*http.Response, error) {
	c.path = r.URL.EscapedPath()
	return &http.Response{StatusCode: 200, Request: r, Body: http.NoBody}, nil
}

func TestTransport(t *testing.T) {
	t.Parallel()
	const room = "/_matrix/client/v3/rooms/%21a%2Fb:x"
	for _, tc := range []struct {
		name, method, path string
		with, changed      bool
	}{
		{"a message", "PUT", room + "/send/m.room.message/old", true, true},
		{"a type with a slash", "PUT", room + "/send/a%2Fb/old", true, true},
		{"without a name", "PUT", room + "/send/m.room.message/old", false, false},
		{"state", "PUT", room + "/state/m.room.topic/old", true, false},
		{"another method", "GET", room + "/send/m.room.message/old", true, false},
		{"a device", "PUT", "/_matrix/client/v3/sendToDevice/m.x/old", true, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			send := func(name string) string {
				ctx := context.Background()
				if tc.with {
					ctx = txnid.With(ctx, name)
				}
				r, err := http.NewRequestWithContext(ctx, tc.method, "http://hs"+tc.path+"?ts=1", nil)
				if err != nil {
					t.Fatal(err)
				}
				var c capture
				if _, err := txnid.Transport(&c).RoundTrip(r); err != nil {
					t.Fatal(err)
				}
				if r.URL.EscapedPath() != tc.path {
					t.Errorf("the caller's request was changed to %s", r.URL.EscapedPath())
				}
				return c.path
			}
			first, again, other := send("net/#chan/1"), send("net/#chan/1"), send("net/#chan/2")
			if first != again {
				t.Errorf("a repetition has another id: %s, %s", first, again)
			}
			if (first != tc.path) != tc.changed || (first != other) != tc.changed {
				t.Errorf("paths are %s and %s", first, other)
			}
		})
	}
}
