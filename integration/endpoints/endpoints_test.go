package endpoints

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/mail/mailtest"
	"github.com/landbridge-im/landbridge/integration/client"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

func TestMain(m *testing.M) { os.Exit(testserver.Main(m)) }

// TestEndpoints calls every operation of the specification.
func TestEndpoints(t *testing.T) {
	t.Parallel()
	ops, err := loadSpec()
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t)
	known := map[string]bool{}
	byPath := map[string][]string{} // the methods of a path
	for _, op := range ops {
		known[op.ID] = true
		byPath[op.Path] = append(byPath[op.Path], op.Method)
	}
	for id := range missing {
		if !known[id] {
			t.Errorf("missing names %s, which the specification has not", id)
		}
	}
	for id := range scenarios() {
		if !known[id] {
			t.Errorf("there is a scenario for %s, which the specification has not", id)
		}
	}
	for _, op := range ops {
		t.Run(op.ID, func(t *testing.T) {
			t.Parallel()
			s := &stage{T: t, rig: r, op: op}
			make := scenarios()[op.ID]
			if why, is := missing[op.ID]; is {
				s.stillMissing(op, why)
				return
			}
			if make == nil {
				t.Fatal("there is no scenario for it: add one to a file scenarios_*_test.go")
			}
			c := make(s)
			s.checkTokens(op, c)
			s.checkMethods(op, c, byPath[op.Path])
			s.checkBodies(op, c)
			s.checkIDs(op, c)
			s.checkSuccess(op, c)
		})
	}
	t.Run("unknown paths", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{"/_matrix/client/v3/nonsense", "/_matrix/client/v3", "/_matrix/nonsense", "/_matrix/media/v3/nonsense",
			"/_matrix/client/v3/rooms/!a:test/nonsense", "/_matrix/client/v9/sync", "/_matrix/federation/v1/nonsense", "/_matrix/key/v9/server", "/nonsense"} {
			for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
				a := (&stage{T: t, rig: r}).send(method, path, nil, r.anon, nil, "")
				a.want(t, "unknown path "+path, 404, "M_UNRECOGNIZED")
			}
		}
	})
}

const serviceToken = "c0ffee0123456789abcdef-service-to-server"

// rig is the server that all operations are called on.
type rig struct {
	*testserver.Server
	anon    *client.Client
	service *client.Client
	admin   *client.Client
	n       *atomic.Int64
	// box is where the server's mail goes.
	box *mailtest.Server
	// web is where a page, the identity provider and the application service are.
	web string
}

func newRig(t *testing.T) *rig {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/page":
			io.WriteString(w, page)
			return
		case "/.well-known/openid-configuration":
			provider(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if strings.HasPrefix(r.URL.Path, "/_matrix/app/v1/thirdparty/") {
			thirdParty(w, r)
			return
		}
		io.WriteString(w, "{}")
	}))
	t.Cleanup(app.Close)
	var err error
	dir := t.TempDir()
	reg := filepath.Join(dir, "service.yaml")
	text := fmt.Sprintf(`id: endpoints
url: %s
as_token: %s
hs_token: c0ffee0123456789abcdef-server-to-service
sender_localpart: endpointsbot
rate_limited: false
protocols: [semaphore]
namespaces:
  users: [{regex: "@flag_.*:test", exclusive: true}]
  aliases: [{regex: "#flag_.*:test", exclusive: true}]
`, app.URL, serviceToken)
	if err := os.WriteFile(reg, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	box := mailtest.Start(t, mailtest.Options{Plain: true})
	s := testserver.New(t, testserver.Options{Dir: dir, Registrations: []string{reg}, Extra: fmt.Sprintf(configuration, box.Address(), app.URL)})
	r := &rig{Server: s, anon: &client.Client{URL: s.URL()}, service: &client.Client{URL: s.URL(), Token: serviceToken, UserID: s.UserID("endpointsbot")},
		n: &atomic.Int64{}, box: box, web: app.URL}
	r.admin, err = r.anon.RegisterAdmin(t.Context(), "admin", testserver.SharedSecret)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// call is how an operation succeeds.
type call struct {
	// as is who calls; nil means nobody in particular where no token is needed, else alice.
	as *client.Client
	// params are those of the path, where they are others than stage.param knows.
	params map[string]string
	query  url.Values
	// body is sent as JSON, or as it is if it is a []byte.
	body any
	// ctype is the type of a body that is no JSON.
	ctype string
	// status is that of success; 0 means 200.
	status int
	// check looks at the answer, beyond its schema; nil if there is nothing else to say.
	check func(*testing.T, []byte)
}

// scenario prepares the successful call of an operation.
type scenario func(*stage) call

// stage is where a scenario plays: it has people, a room and an event of its own, made when they
// are asked for.
type stage struct {
	*testing.T
	*rig
	op                     operation // which is called
	aliceClient, bobClient *client.Client
	roomID, eventID        string
	mxc                    [2]string
}

func (s *stage) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// user makes somebody new.
func (s *stage) user() *client.Client {
	s.Helper()
	c, err := s.anon.Register(s.Context(), fmt.Sprintf("user%d", s.n.Add(1)))
	s.ok(err)
	return c
}

// alice is who calls.
func (s *stage) alice() *client.Client {
	s.Helper()
	if s.aliceClient == nil {
		s.aliceClient = s.user()
	}
	return s.aliceClient
}

// bob is a member of the room, too.
func (s *stage) bob() *client.Client {
	s.Helper()
	if s.bobClient == nil {
		s.bobClient = s.user()
		s.ok(s.bobClient.Join(s.Context(), s.room()))
	}
	return s.bobClient
}

// room is a public room of alice's.
func (s *stage) room() string {
	s.Helper()
	if s.roomID == "" {
		var err error
		s.roomID, err = s.alice().CreateRoom(s.Context(), map[string]any{"preset": "public_chat", "name": "A room", "topic": "Talk"})
		s.ok(err)
	}
	return s.roomID
}

// event is a message in the room.
func (s *stage) event() string {
	s.Helper()
	if s.eventID == "" {
		var err error
		s.eventID, err = s.alice().Send(s.Context(), s.room(), "m.room.message", "first", client.Message("a first message"))
		s.ok(err)
	}
	return s.eventID
}

// picture uploads a small picture and gives its server and id.
func (s *stage) picture() (server, id string) {
	s.Helper()
	if s.mxc[0] == "" {
		a := s.send("POST", "/_matrix/media/v3/upload", url.Values{"filename": {"dot.png"}}, s.alice(), png, "image/png")
		var out struct {
			URI string `json:"content_uri"`
		}
		s.ok(json.Unmarshal(a.body, &out))
		u, err := url.Parse(out.URI)
		s.ok(err)
		s.mxc = [2]string{u.Host, strings.TrimPrefix(u.Path, "/")}
	}
	return s.mxc[0], s.mxc[1]
}

// param is what stands for a parameter of a path unless the scenario says something else.
func (s *stage) param(name string) string {
	switch name {
	case "userId":
		return s.alice().UserID
	case "deviceId":
		return s.alice().DeviceID
	case "roomId", "roomIdOrAlias":
		return s.room()
	case "eventId":
		return s.event()
	case "txnId":
		return fmt.Sprintf("txn%d", s.n.Add(1))
	case "eventType":
		return "m.room.message"
	case "type":
		return "org.example.data"
	case "serverName":
		server, _ := s.picture()
		return server
	case "mediaId":
		_, id := s.picture()
		return id
	}
	s.Fatalf("the scenario must say what {%s} is", name)
	return ""
}

var inPath = regexp.MustCompile(`\{(\w+)\}`)

// path fills a path in; over has what stands in for some parameters.
func (s *stage) path(op operation, c call, over map[string]string) string {
	s.Helper()
	return inPath.ReplaceAllStringFunc(op.Path, func(m string) string {
		name := m[1 : len(m)-1]
		if v, ok := over[name]; ok {
			return url.PathEscape(v)
		}
		if v, ok := c.params[name]; ok {
			return url.PathEscape(v)
		}
		return url.PathEscape(s.param(name))
	})
}

// caller is who makes the call.
func (s *stage) caller(op operation, c call) *client.Client {
	s.Helper()
	switch {
	case c.as != nil:
		return c.as
	case op.Token:
		return s.alice()
	}
	return s.anon
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

var quiet = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// send makes a request and checks what is true of every answer.
func (s *stage) send(method, path string, query url.Values, as *client.Client, body []byte, ctype string) answer {
	s.Helper()
	req, err := as.Request(s.Context(), method, path, query, bytes.NewReader(body))
	s.ok(err)
	if ctype != "" {
		req.Header.Set("Content-Type", ctype)
	}
	res, err := quiet.Do(req)
	s.ok(err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	s.ok(err)
	what := method + " " + path
	if res.Header.Get("Access-Control-Allow-Origin") != "*" && !strings.HasPrefix(path, "/_matrix/federation") && !strings.HasPrefix(path, "/_matrix/key") {
		s.Errorf("%s: %d without CORS", what, res.StatusCode)
	}
	if res.Header.Get("X-Request-Id") == "" {
		s.Errorf("%s: %d without the request's id", what, res.StatusCode)
	}
	if res.StatusCode >= 500 && res.StatusCode != 502 && res.StatusCode != 504 {
		s.Errorf("%s: %d %s", what, res.StatusCode, raw)
	}
	if res.StatusCode >= 400 && method != http.MethodHead {
		var e struct{ Errcode, Error string }
		// A 401 that asks for further stages has flows in place of an errcode.
		if err := json.Unmarshal(raw, &e); err != nil || (e.Errcode == "" || e.Error == "") && !bytes.Contains(raw, []byte(`"flows"`)) {
			s.Errorf("%s: %d without errcode and sentence: %s", what, res.StatusCode, raw)
		}
		if !strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
			s.Errorf("%s: an error of type %q", what, res.Header.Get("Content-Type"))
		}
	}
	return answer{res.StatusCode, res.Header, raw}
}

// code is the errcode of an answer.
func (a answer) code() string {
	var e struct{ Errcode string }
	_ = json.Unmarshal(a.body, &e) // what is no JSON has no errcode
	return e.Errcode
}

// want makes sure that a request was refused in one of the given ways.
func (a answer) want(t *testing.T, what string, status int, codes ...string) {
	t.Helper()
	if a.status != status || !slices.Contains(codes, a.code()) {
		t.Errorf("%s: got %d %s, want %d %s", what, a.status, a.body, status, strings.Join(codes, " or "))
	}
}

// encode is a body as it is sent.
func (s *stage) encode(body any) []byte {
	switch b := body.(type) {
	case nil:
		return nil
	case []byte:
		return b
	}
	raw, err := json.Marshal(body)
	s.ok(err)
	return raw
}

// do makes the call as it should be.
func (s *stage) do(op operation, c call) answer {
	s.Helper()
	return s.send(op.Method, s.path(op, c, nil), c.query, s.caller(op, c), s.encode(c.body), c.ctype)
}
