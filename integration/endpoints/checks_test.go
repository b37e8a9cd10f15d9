package endpoints

import (
	"net/http"
	"slices"
	"strings"
)

// stillMissing makes sure that what is said to be missing is.
func (s *stage) stillMissing(op operation, why string) {
	if why == "" {
		s.Error("missing must say why")
	}
	path := inPath.ReplaceAllString(op.Path, "x")
	a := s.send(op.Method, path, nil, s.anon, []byte("{}"), "")
	if a.code() != "M_UNRECOGNIZED" {
		s.Errorf("%s %s is there now (%d %s): remove it from missing, and see to its scenario", op.Method, path, a.status, a.body)
	}
}

// checkTokens makes sure that an operation wants a token if the specification says so, and only
// then.
func (s *stage) checkTokens(op operation, c call) {
	path, body := s.path(op, c, nil), s.encode(c.body)
	without := *s.caller(op, c)
	without.Token, without.AsUser = "", ""
	if !op.Token {
		// Whether it succeeds is seen below; with a body that is refused it has no effect here.
		body = []byte("{")
		a := s.send(op.Method, path, c.query, &without, body, c.ctype)
		if a.code() == "M_MISSING_TOKEN" {
			s.Errorf("without a token, which it doesn't need: %d %s", a.status, a.body)
		}
		return
	}
	s.send(op.Method, path, c.query, &without, body, c.ctype).want(s.T, "without a token", 401, "M_MISSING_TOKEN")
	without.Token = "no-such-token"
	s.send(op.Method, path, c.query, &without, body, c.ctype).want(s.T, "with an unknown token", 401, "M_UNKNOWN_TOKEN")
}

// checkMethods makes sure that other methods are refused, OPTIONS answers, and HEAD does where GET
// does. Specification, "Common error codes": "A 405 (Method Not Allowed) HTTP status code [...]
// when the endpoint is implemented, but the incorrect HTTP method is used."
func (s *stage) checkMethods(op operation, c call, have []string) {
	path := s.path(op, c, nil)
	for _, m := range []string{http.MethodPatch, http.MethodDelete, http.MethodPost, http.MethodPut, http.MethodGet} {
		if slices.Contains(have, m) || slices.Contains(further[m], op.Path) {
			continue
		}
		a := s.send(m, path, nil, s.anon, nil, "")
		a.want(s.T, m, 405, "M_UNRECOGNIZED")
		if allow := strings.Split(a.header.Get("Allow"), ", "); !slices.Contains(allow, op.Method) {
			s.Errorf("%s: Allow is %q", m, allow)
		}
	}
	a := s.send(http.MethodOptions, path, nil, s.anon, nil, "")
	if a.status != 200 && a.status != 204 || !strings.Contains(a.header.Get("Access-Control-Allow-Methods"), op.Method) ||
		!strings.Contains(a.header.Get("Access-Control-Allow-Headers"), "Authorization") {
		s.Errorf("OPTIONS: %d %v", a.status, a.header)
	}
}

// further are methods that are there beside those of the specification, by method.
var further = map[string][]string{
	"PATCH": {"/_matrix/client/v3/profile/{userId}"}, // MSC4133 in its first form
}

// checkBodies sends broken bodies.
func (s *stage) checkBodies(op operation, c call) {
	if !op.JSON {
		return
	}
	path, as := s.path(op, c, nil), s.caller(op, c)
	for _, tc := range []struct {
		body  string
		codes []string
	}{
		{`{"a":`, []string{"M_NOT_JSON"}},
		{`no json`, []string{"M_NOT_JSON"}},
		{"{\"a\":\"\xff\"}", []string{"M_NOT_JSON", "M_BAD_JSON"}},
		{`[]`, []string{"M_BAD_JSON"}},
		{`"text"`, []string{"M_BAD_JSON"}},
		{`null`, []string{"M_BAD_JSON"}},
	} {
		s.send(op.Method, path, c.query, as, []byte(tc.body), "application/json").want(s.T, "body "+tc.body, 400, tc.codes...)
	}
	huge := `{"a":"` + strings.Repeat("x", 5<<20) + `"}`
	s.send(op.Method, path, c.query, as, []byte(huge), "application/json").want(s.T, "an oversize body", 413, "M_TOO_LARGE")
}

// checkIDs sends identifiers that are none, or of nothing that is here.
func (s *stage) checkIDs(op operation, c call) {
	for _, m := range inPath.FindAllStringSubmatch(op.Path, -1) {
		var wrong []string
		switch m[1] {
		case "roomId":
			if strings.Contains(op.Path, "/room_keys/keys/") {
				continue // a backup's keys may be of any room, also of those that the server has not heard of
			}
			wrong = []string{"nonsense", "!unknown:test", "!" + strings.Repeat("x", 300) + ":test", ""}
		case "userId":
			wrong = []string{"nonsense", "@", "@" + strings.Repeat("x", 300) + ":test", ""}
		case "roomAlias", "roomIdOrAlias":
			wrong = []string{"nonsense", "#", "#" + strings.Repeat("x", 300) + ":test", ""}
		case "eventId":
			wrong = []string{"nonsense", "$unknown", ""}
		}
		for _, id := range wrong {
			if id == "" && strings.HasSuffix(op.Path, "/"+m[0]) {
				continue // is another path
			}
			if op.ID == "redactEvent" && m[1] == "eventId" {
				continue // redactions of unknown events are let through, for those that come later
			}
			a := s.send(op.Method, s.path(op, c, map[string]string{m[1]: id}), c.query, s.caller(op, c), s.encode(c.body), c.ctype)
			if a.status < 400 || a.status > 404 || a.status == 401 {
				s.Errorf("{%s} is %.20q: got %d %.300s", m[1], id, a.status, a.body)
			}
		}
	}
}

// checkSuccess makes the call as it should be and checks the answer with its schema.
func (s *stage) checkSuccess(op operation, c call) {
	want := c.status
	if want == 0 {
		want = 200
	}
	a := s.do(op, c)
	if a.status != want {
		s.Fatalf("got %d %s, want %d", a.status, a.body, want)
	}
	if err := op.answer(a.status, a.body); err != nil {
		s.Errorf("the answer is not what the specification says: %v\n%.2000s", err, a.body)
	}
	if a.status < 300 && op.Answers[200] != nil && !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
		s.Errorf("the answer is of type %q", a.header.Get("Content-Type"))
	}
	if c.check != nil {
		c.check(s.T, a.body)
	}
	if op.Method == http.MethodGet {
		if h := s.send(http.MethodHead, s.path(op, c, nil), c.query, s.caller(op, c), nil, ""); h.status != a.status || len(h.body) != 0 {
			s.Errorf("HEAD: %d and %d bytes", h.status, len(h.body))
		}
	}
}
