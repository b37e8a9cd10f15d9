package joins

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/federation/fclient"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

func TestRace(t *testing.T) {
	t.Parallel()
	dead := errors.New("no answer")
	forbidden := &fclient.Error{Status: 403, Code: "M_FORBIDDEN", Message: "you are banned"}
	for _, tc := range []struct {
		name    string
		answers map[string]error
		servers []string
		// refuses are servers whose good answer turns out to be of no use.
		refuses map[string]error
		want    string
	}{
		{"one", nil, []string{"a"}, nil, ""},
		{"the last", map[string]error{"a": dead, "b": dead, "c": dead, "d": dead}, []string{"a", "b", "c", "d", "e"}, nil, ""},
		{"all dead", map[string]error{"a": dead, "b": dead}, []string{"a", "b"}, nil, "M_UNKNOWN"},
		{"what one said counts", map[string]error{"a": dead, "b": forbidden, "c": dead}, []string{"a", "b", "c"}, nil, "M_FORBIDDEN"},
		{"no use", nil, []string{"a", "b"}, map[string]error{"a": dead}, ""},
		{"no use at all", nil, []string{"a", "b"}, map[string]error{"a": dead, "b": forbidden}, "M_FORBIDDEN"},
		{"nobody", nil, nil, nil, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var used, most, now atomic.Int64
			ask := func(_ context.Context, server string) (string, error) {
				most.Store(max(most.Load(), now.Add(1)))
				defer now.Add(-1)
				return "from " + server, tc.answers[server]
			}
			use := func(server, v string) error {
				if v != "from "+server {
					t.Errorf("%s of %s", v, server)
				}
				if err := tc.refuses[server]; err != nil {
					return err
				}
				used.Add(1)
				return nil
			}
			err := public(race(t.Context(), tc.servers, ask, use, func(error) bool { return false }))
			if e, _ := mxerror.As(err); fmt.Sprint(err == nil) != fmt.Sprint(tc.want == "") || e != nil && e.Code != tc.want {
				t.Errorf("%v, want %q", err, tc.want)
			}
			if err == nil && tc.servers != nil && used.Load() != 1 {
				t.Errorf("%d answers were used", used.Load())
			}
			if most.Load() > atOnce {
				t.Errorf("%d were asked at once", most.Load())
			}
		})
	}
}
