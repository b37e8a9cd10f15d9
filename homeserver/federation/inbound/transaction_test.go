package inbound

import (
	"fmt"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

func listOf(n int, one string) string {
	return "[" + strings.TrimSuffix(strings.Repeat(one+",", n), ",") + "]"
}

func TestParseTransaction(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		body, code string
		pdus, edus int
	}{
		{`{"pdus":[],"origin":"far","origin_server_ts":1}`, "", 0, 0},
		{`{"pdus":` + listOf(50, "{}") + `,"edus":` + listOf(100, `{"edu_type":"m.x","content":{}}`) + `}`, "", 50, 100},
		{`{"pdus":` + listOf(51, "{}") + `}`, "M_BAD_JSON", 0, 0},
		{`{"pdus":` + listOf(10000, "{}") + `}`, "M_BAD_JSON", 0, 0},
		{`{"pdus":[],"edus":` + listOf(101, "{}") + `}`, "M_BAD_JSON", 0, 0},
		{`{"pdus":[],"edus":[{},1,null,{"edu_type":1,"content":{}},{"edu_type":"m.x","content":[]},{"edu_type":"m.x","content":{}}]}`, "", 0, 1},
		{`{"pdus":[1,"x",null,{}]}`, "", 4, 0},
		{`{}`, "M_BAD_JSON", 0, 0},
		{`{"pdus":{}}`, "M_BAD_JSON", 0, 0},
		{`{"pdus":[]`, "M_NOT_JSON", 0, 0},
		{`{"pdus":[],"pdus":[]}`, "M_NOT_JSON", 0, 0},
		{`[]`, "M_BAD_JSON", 0, 0},
		{``, "M_NOT_JSON", 0, 0},
	} {
		got, err := parseTransaction([]byte(tc.body))
		name := fmt.Sprintf("%.60s", tc.body)
		if tc.code != "" {
			if !mxerror.Is(err, tc.code) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || len(got.PDUs) != tc.pdus || len(got.EDUs) != tc.edus {
			t.Errorf("%s: %d PDUs, %d EDUs, %v", name, len(got.PDUs), len(got.EDUs), err)
		}
	}
}

func FuzzParseTransaction(f *testing.F) {
	f.Add([]byte(`{"pdus":[{}],"edus":[{"edu_type":"m.typing","content":{}}],"origin":"far"}`))
	f.Add([]byte(`{"pdus":null}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := parseTransaction(raw)
		if err != nil {
			if _, ok := mxerror.As(err); !ok {
				t.Fatalf("not for the sender's eyes: %v", err)
			}
			return
		}
		if len(got.PDUs) > 50 || len(got.EDUs) > 100 {
			t.Fatal("beyond the limits")
		}
		for _, e := range got.EDUs {
			if e.Type == "" || e.Content.Kind() != '{' {
				t.Fatal("an EDU that makes no sense")
			}
		}
	})
}
