package web

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite" // driver "sqlite"

	"github.com/landbridge-im/landbridge/integration/client"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// A large server, and how long a page of it may take.
const (
	largeUsers   = 100_000
	largeRooms   = 10_000
	largePortals = 1_000
	largePage    = 300 * time.Millisecond
)

// pages are those of the console, with ROOM and USER in the place of one each.
var largePages = []string{"/console/", "/console/users", "/console/users?all=yes", "/console/users?q=u5", "/console/users?before=50000", "/console/users/show?id=USER", "/console/rooms", "/console/rooms?q=r9",
	"/console/rooms?before=5000", "/console/rooms/show?id=ROOM", "/console/bridges", "/console/bridges/show?id=irc", "/console/bridges/show?id=irc&q=7", "/console/bridges/show?id=irc&from=900", "/console/bridges/progress?id=irc",
	"/console/media", "/console/tokens", "/console/reports", "/console/federation", "/console/federation?all=yes", "/console/charts", "/console/charts?span=year", "/console/setup", "/console/setup/irc", "/console/setup/with/slack",
	"/console/migrate", "/console/claims?bridge=irc", "/console/log", "/console/audit", "/console/backups", "/console/docs", "/console/docs/configuration-reference", "/account", "/", "/read"}

// generate fills the databases of a server that is stopped with people and portals; rooms are those of the portals.
func generate(t *testing.T, s *testserver.Server, rooms []string) {
	t.Helper()
	ctx := t.Context()
	exec := func(file, query string, args ...any) {
		t.Helper()
		db, err := sql.Open("sqlite", "file:"+file)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.ExecContext(ctx, query, args...); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	const numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
	exec(s.Database(), "INSERT INTO user_name (nid, id) "+numbers+"SELECT 1000000 + i, '@u' || i || ':test' FROM n", largeUsers)
	exec(s.Database(), "INSERT INTO account (user_nid, password, kind, created_ts) "+numbers+"SELECT 1000000 + i, '', 'user', i FROM n", largeUsers)
	exec(s.Database(), "INSERT INTO profile (user_nid, field, value) "+numbers+`SELECT 1000000 + i, 'displayname', '"Number ' || i || '"' FROM n`, largeUsers)
	exec(s.Database(), "INSERT INTO sample (series, span, ts, value) "+numbers+"SELECT 'messages/irc to matrix ' || (i % 8), 60, ? - i / 8 * 60, i % 50 FROM n", 8*2880, time.Now().Unix()/60*60)
	exec(s.Database(), "INSERT INTO sample (series, span, ts, value) "+numbers+"SELECT 'memory/' || (i % 8), 3600, ? - i / 8 * 3600, i % 50 FROM n", 8*8700, time.Now().Unix()/3600*3600)
	files, err := filepath.Glob(filepath.Join(s.DataDir(), "bridges", "irc*"))
	if err != nil {
		t.Fatal(err)
	}
	var dbs []string
	for _, f := range files {
		err := filepath.WalkDir(f, func(path string, e os.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".db") {
				dbs = append(dbs, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(dbs) != 1 {
		t.Fatalf("the bridge's databases are %v", dbs)
	}
	for i := range largePortals {
		exec(dbs[0], `INSERT INTO portal (bridge_id, id, receiver, mxid, name, topic, avatar_id, avatar_hash, avatar_mxc, name_set, avatar_set, topic_set, in_space, room_type, metadata)
			VALUES ('irc', ?, '', ?, ?, '', '', '', '', true, true, true, true, '', '{}')`, fmt.Sprintf("demo/#gen%d", i), rooms[i], fmt.Sprintf("#gen%d", i))
	}
}

// visitor is somebody with a browser that loads pages and nothing else.
type visitor struct {
	http *http.Client
	url  string
}

func (v *visitor) get(t *testing.T, path string) (string, time.Duration) {
	t.Helper()
	begin := time.Now()
	res, err := v.http.Get(v.url + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	took := time.Since(begin)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %v %.300s", path, res.StatusCode, err, body)
	}
	return string(body), took
}

// TestLargeServer: with 100,000 people, 10,000 rooms with their state and 1,000 portals of a bridge, each page takes less than
// 300 ms. It takes some minutes, so it is run with LANDBRIDGE_LONG=1 alone; package web/console has a short version.
func TestLargeServer(t *testing.T) {
	if os.Getenv("LANDBRIDGE_LONG") == "" {
		t.Log("LANDBRIDGE_LONG=1 makes a large server")
		return
	}
	ctx := t.Context()
	s := testserver.New(t, testserver.Options{Dir: shortDir(t), StartTimeout: 5 * time.Minute, Extra: "bridges: [{id: irc, module: irc}]\n"})
	anna, err := (&client.Client{URL: s.URL()}).RegisterAdmin(ctx, "anna", testserver.SharedSecret)
	if err != nil {
		t.Fatal(err)
	}
	joinSoon(t, anna, "#irc_demo_#lobby:test")
	var makers []*client.Client
	for i := range 8 {
		c, err := (&client.Client{URL: s.URL()}).Register(ctx, fmt.Sprint("maker", i))
		if err != nil {
			t.Fatal(err)
		}
		makers = append(makers, c)
	}
	rooms := make([]string, largeRooms)
	var next atomic.Int64
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, c := range makers {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < largeRooms && ctx.Err() == nil; i = next.Add(1) - 1 {
				id, err := c.CreateRoom(ctx, map[string]any{"name": fmt.Sprint("Room ", i), "topic": "about something", "room_alias_name": fmt.Sprint("r", i), "preset": "public_chat", "visibility": "public"})
				if err != nil {
					cancel(err)
					return
				}
				rooms[i] = id
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	generate(t, s, rooms)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{&http.Client{Jar: jar, Timeout: time.Minute}, s.URL()}
	page, _ := v.get(t, "/console/")
	csrf := regexp.MustCompile(`name="csrf" value="([^"]+)"`).FindStringSubmatch(page)
	res, err := v.http.PostForm(s.URL()+"/account/sign-in", url.Values{"csrf": {csrf[1]}, "user": {"anna"}, "password": {client.Password}, "next": {"/console/"}})
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if page, _ := v.get(t, "/console/bridges/show?id=irc"); !strings.Contains(page, "#gen") {
		t.Fatalf("the portals are not there: %s", page)
	}
	for _, path := range largePages {
		path = strings.NewReplacer("ROOM", url.QueryEscape(rooms[5000]), "USER", url.QueryEscape("@maker1:test")).Replace(path)
		_, first := v.get(t, path)
		best := first
		for range 4 {
			_, took := v.get(t, path)
			best = min(best, took)
		}
		t.Logf("%-60.60s first %6.1f ms, best %6.1f ms", path, float64(first.Microseconds())/1000, float64(best.Microseconds())/1000)
		if best > largePage {
			t.Errorf("%s takes %v", path, best)
		}
	}
}
