package exporter_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json/v2"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/export"
	"github.com/landbridge-im/landbridge/homeserver"
	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/exporter"
	"github.com/landbridge-im/landbridge/internal/inproc"
)

// server is a homeserver in the test's process.
type server struct {
	*testing.T
	hs *homeserver.Server
}

func open(t *testing.T) *server {
	t.Helper()
	dir := t.TempDir()
	hs, err := homeserver.Open(t.Context(), homeserver.Options{Name: "test", PublicURL: "http://test", Dir: dir, Database: filepath.Join(dir, "hs.db"), Media: homeserver.MediaOptions{Dir: filepath.Join(dir, "media"), MaxUpload: 1 << 20}, Settings: client.Settings{MaxBody: 1 << 20}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := hs.Close(); err != nil {
			t.Error(err)
		}
	})
	return &server{t, hs}
}

// person makes an account, and a client that is signed in.
func (s *server) person(name string) *mautrix.Client {
	s.Helper()
	if _, err := s.hs.Accounts().Register(s.Context(), accounts.Registration{Localpart: name, Password: "correct horse", Kind: "user"}); err != nil {
		s.Fatal(err)
	}
	c, err := mautrix.NewClient("http://test", "", "")
	if err != nil {
		s.Fatal(err)
	}
	c.Client = &http.Client{Transport: inproc.Transport(s.hs.Client())}
	_, err = c.Login(s.Context(), &mautrix.ReqLogin{Type: mautrix.AuthTypePassword, Identifier: mautrix.UserIdentifier{Type: "m.id.user", User: name},
		Password: "correct horse", StoreCredentials: true, InitialDeviceDisplayName: name + "'s phone"})
	if err != nil {
		s.Fatal(err)
	}
	if err := c.SetDisplayName(s.Context(), strings.ToUpper(name[:1])+name[1:]); err != nil {
		s.Fatal(err)
	}
	return c
}

// must is for calls that have to succeed.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func send(t *testing.T, c *mautrix.Client, room id.RoomID, content any) id.EventID {
	t.Helper()
	return must(c.SendMessageEvent(t.Context(), room, event.EventMessage, content))(t).EventID
}

// community is a server with a space, two rooms and a day's talk.
func community(t *testing.T) (s *server, anna *mautrix.Client, room id.RoomID, picture id.ContentURI) {
	s = open(t)
	anna, ben := s.person("anna"), s.person("ben")
	ctx := t.Context()
	room = must(anna.CreateRoom(ctx, &mautrix.ReqCreateRoom{Name: "Über & co", Topic: "all <b>", Preset: "public_chat", RoomAliasName: "talk"}))(t).RoomID
	space := must(anna.CreateRoom(ctx, &mautrix.ReqCreateRoom{Name: "Community", Preset: "public_chat", CreationContent: map[string]any{"type": "m.space"}}))(t).RoomID
	must(anna.SendStateEvent(ctx, space, event.StateSpaceChild, room.String(), map[string]any{"via": []string{"test"}}))(t)
	private := must(anna.CreateRoom(ctx, &mautrix.ReqCreateRoom{Name: "Private", Preset: "private_chat"}))(t).RoomID
	send(t, anna, private, map[string]any{"msgtype": "m.text", "body": "secret"})
	must(ben.JoinRoomByID(ctx, room))(t)

	picture = must(anna.UploadMedia(ctx, mautrix.ReqUploadMedia{ContentBytes: []byte("\x89PNG\r\n\x1a\nno more"), ContentType: "image/png", FileName: "cat.png"}))(t).ContentURI
	first := send(t, anna, room, map[string]any{"msgtype": "m.text", "body": "hello *all*", "format": "org.matrix.custom.html",
		"formatted_body": `hello <em>all</em><script>alert(1)</script><img src="` + picture.String() + `" alt="cat">`})
	must(ben.SendReaction(ctx, room, first, "👍"))(t)
	must(anna.SendReaction(ctx, room, first, "👍"))(t)
	send(t, ben, room, map[string]any{"msgtype": "m.text", "body": "> <@anna:test> hello\n\nan answer", "m.relates_to": map[string]any{"m.in_reply_to": map[string]any{"event_id": first}}})
	wrong := send(t, ben, room, map[string]any{"msgtype": "m.text", "body": "a mistke"})
	send(t, ben, room, map[string]any{"msgtype": "m.text", "body": "* a mistake", "m.new_content": map[string]any{"msgtype": "m.text", "body": "a mistake"},
		"m.relates_to": map[string]any{"rel_type": "m.replace", "event_id": wrong}})
	gone := send(t, ben, room, map[string]any{"msgtype": "m.text", "body": "regretted"})
	must(ben.RedactEvent(ctx, room, gone))(t)
	send(t, anna, room, map[string]any{"msgtype": "m.image", "body": "cat.png", "url": picture})
	send(t, anna, room, map[string]any{"msgtype": "m.file", "body": "far.txt", "url": "mxc://elsewhere/far"})
	return s, anna, room, picture
}

// check compares the files of an export with its checksums, and gives them.
func check(t *testing.T, files fs.FS) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(files, path)
		all[path] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	listed := 0
	for line := range strings.Lines(all["SHA256SUMS"]) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		have := sha256.Sum256([]byte(all[name]))
		if hex.EncodeToString(have[:]) != sum {
			t.Errorf("%s is not what its checksum says", name)
		}
		listed++
	}
	if listed != len(all)-1 {
		t.Errorf("%d files have checksums, of %d", listed, len(all)-1)
	}
	return all
}

func read[T any](t *testing.T, text string) (out T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return out
}

// TestCommunity: an export of everything, by the console's handler, into a folder.
func TestCommunity(t *testing.T) {
	t.Parallel()
	s, _, room, picture := community(t)
	src := &exporter.Console{Client: &http.Client{Transport: inproc.Transport(s.hs.Console())}}
	dir := filepath.Join(t.TempDir(), "out")
	about, err := export.Community(t.Context(), src, must(export.Folder(dir))(t), export.Options{Version: "1"})
	if err != nil {
		t.Fatal(err)
	}
	all := check(t, os.DirFS(dir))
	if about.Rooms != 3 || about.People != 2 || about.Files != 1 || about.Missing != 1 || about.Server != "test" {
		t.Errorf("about: %+v", about)
	}
	rooms := read[[]export.Room](t, all["rooms.json"])
	if len(rooms) != 3 || rooms[0].Name != "Community" || len(rooms[0].Children) != 1 || rooms[0].Children[0] != room.String() {
		t.Fatalf("rooms: %+v", rooms)
	}
	talk := rooms[2]
	if talk.Folder != "rooms/ber-co" || talk.Alias != "#talk:test" || talk.Messages != 6 || talk.Joined != 2 {
		t.Errorf("the room: %+v", talk)
	}
	if n := strings.Count(all[talk.Folder+"/events.jsonl"], "\n"); int64(n) != talk.Events {
		t.Errorf("%d lines, and %d events", n, talk.Events)
	}
	if strings.Contains(all[talk.Folder+"/events.jsonl"], "regretted") {
		t.Error("what was redacted is in the export")
	}
	members := read[[]map[string]any](t, all[talk.Folder+"/members.json"])
	if len(members) != 2 {
		t.Errorf("members: %v", members)
	}
	files := read[[]export.File](t, all["media.json"])
	var path string
	for _, f := range files {
		if f.URI == picture.String() {
			path = f.Path
		} else if f.Missing == "" {
			t.Errorf("a file of elsewhere: %+v", f)
		}
	}
	if !strings.HasPrefix(all[path], "\x89PNG") || !strings.HasSuffix(path, ".png") {
		t.Errorf("the picture is %q at %q", all[path], path)
	}
	page := all[talk.Folder+"/0001.html"]
	for _, want := range []string{"hello <em>all</em><img class=\"inline\" src=\"../../" + path, "an answer", "a mistake", "edited", "This message was removed.", "👍 2",
		"<blockquote><a href=\"0001.html#", `<img src="../../` + path, "far.txt (not here)", "Ben came in", "all &lt;b&gt;"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	for _, bad := range []string{"alert(1)", "mistke", "regretted", "&gt; &lt;@anna"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	if !strings.Contains(all["index.html"], `<a href="rooms/ber-co/0001.html">Über &amp; co</a>`) {
		t.Errorf("the first page: %s", all["index.html"])
	}
}

// TestChosen: only some rooms, in a zip file, without files.
func TestChosen(t *testing.T) {
	t.Parallel()
	s, _, _, _ := community(t)
	var b bytes.Buffer
	about, err := export.Community(t.Context(), s.hs.Exporter(), export.Zip(&b), export.Options{Public: true, NoMedia: true})
	if err != nil {
		t.Fatal(err)
	}
	z := must(zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len())))(t)
	all := check(t, z)
	if about.Rooms != 2 || about.Files != 0 || strings.Contains(fmt.Sprint(all), "secret") {
		t.Errorf("public rooms: %+v", about)
	}
	space := read[[]export.Room](t, all["rooms.json"])[0]
	about, err = export.Community(t.Context(), s.hs.Exporter(), export.Zip(&b), export.Options{Rooms: []string{space.ID}})
	if err != nil || about.Rooms != 2 {
		t.Errorf("a space with what is in it: %+v %v", about, err)
	}
	about, err = export.Community(t.Context(), s.hs.Exporter(), export.Zip(&b), export.Options{Rooms: []string{"#talk:test"}})
	if err != nil || about.Rooms != 1 {
		t.Errorf("a room by its alias: %+v %v", about, err)
	}
	if _, err := export.Community(t.Context(), s.hs.Exporter(), export.Zip(&b), export.Options{Rooms: []string{"#none:test"}}); !errors.Is(err, export.ErrNoRoom) {
		t.Errorf("a room that is not there: %v", err)
	}
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := export.Folder(full); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a folder with something in it: %v", err)
	}
	// An export that is cut off has no checksums.
	ctx, cancel := context.WithCancel(t.Context())
	dir := filepath.Join(t.TempDir(), "cut")
	_, err = export.Community(ctx, s.hs.Exporter(), must(export.Folder(dir))(t), export.Options{Progress: func(export.Progress) { cancel() }})
	if _, there := os.Stat(filepath.Join(dir, "SHA256SUMS")); err == nil || there == nil {
		t.Errorf("cut off: %v %v", err, there)
	}
}

// TestErased: of who has had everything erased no words are given away.
func TestErased(t *testing.T) {
	t.Parallel()
	s, _, _, _ := community(t)
	if err := s.hs.Deactivate(t.Context(), "@ben:test", true); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := export.Community(t.Context(), s.hs.Exporter(), export.Zip(&b), export.Options{}); err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprint(check(t, must(zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len())))(t)))
	if strings.Contains(all, "an answer") || strings.Contains(all, "mistake") || !strings.Contains(all, "cat.png") {
		t.Error("erased words are in the export, or others are not")
	}
}

// TestPersonalData: what is known of one person, and nothing of others.
func TestPersonalData(t *testing.T) {
	t.Parallel()
	s, anna, room, picture := community(t)
	if err := anna.SetAccountData(t.Context(), "org.example", map[string]any{"a": 1}); err != nil {
		t.Fatal(err)
	}
	if err := anna.SetRoomAccountData(t.Context(), room, "m.tag", map[string]any{"tags": map[string]any{"m.favourite": map[string]any{}}}); err != nil {
		t.Fatal(err)
	}
	src := &exporter.Console{Client: &http.Client{Transport: inproc.Transport(s.hs.Console())}}
	var b bytes.Buffer
	about, err := export.PersonalData(t.Context(), src, export.Zip(&b), "@anna:test", export.Options{})
	if err != nil {
		t.Fatal(err)
	}
	all := check(t, must(zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len())))(t))
	if about.Rooms != 3 || about.Files != 1 || about.What != "person" {
		t.Errorf("about: %+v", about)
	}
	p := read[export.Person](t, all["account.json"])
	if string(p.Profile["displayname"]) != `"Anna"` || p.Account == nil || len(p.Account.Devices) != 1 || p.Account.Devices[0].Name != "anna's phone" {
		t.Errorf("the account: %+v", p)
	}
	if data := all["account_data.json"]; !strings.Contains(data, "org.example") || !strings.Contains(data, room.String()) {
		t.Errorf("account data: %s", data)
	}
	if said := all["events/ber-co.jsonl"]; !strings.Contains(said, "hello *all*") || strings.Contains(said, "an answer") {
		t.Errorf("what anna said: %s", said)
	}
	if !strings.Contains(all["media.json"], picture.String()) || !strings.Contains(all["events/private.jsonl"], "secret") {
		t.Error("a file or a private room is missing")
	}
	if strings.Contains(fmt.Sprint(all), "correct horse") || strings.Contains(fmt.Sprint(all), "argon2") || strings.Contains(fmt.Sprint(all), anna.AccessToken) {
		t.Error("a secret is in the export")
	}
	if _, err := export.PersonalData(t.Context(), src, export.Zip(&b), "@nobody:test", export.Options{}); !errors.Is(err, export.ErrNobody) {
		t.Errorf("somebody who is not known: %v", err)
	}
}

// TestManyEvents: a room of several pages, in which things go on.
func TestManyEvents(t *testing.T) {
	t.Parallel()
	s := open(t)
	anna := s.person("anna")
	room := must(anna.CreateRoom(t.Context(), &mautrix.ReqCreateRoom{Name: "Long", Preset: "public_chat"}))(t).RoomID
	const n = 1100
	for i := range n {
		send(t, anna, room, map[string]any{"msgtype": "m.text", "body": fmt.Sprintf("number %d.", i)})
	}
	sink := &mapSink{fstest.MapFS{}}
	if _, err := export.Community(t.Context(), s.hs.Exporter(), sink, export.Options{}); err != nil {
		t.Fatal(err)
	}
	last := -1
	for page := 1; page <= 3; page++ {
		text := string(sink.files[fmt.Sprintf("rooms/long/%04d.html", page)].Data)
		for line := range strings.Lines(text) {
			var i int
			if _, err := fmt.Sscanf(line, "<div class=\"text\">number %d.", &i); err == nil {
				if i != last+1 {
					t.Fatalf("after %d comes %d", last, i)
				}
				last = i
			}
		}
		if got := strings.Contains(text, `rel="next"`); got != (page < 3) {
			t.Errorf("page %d has a next one: %v", page, got)
		}
		if got := strings.Contains(text, `rel="prev"`); got != (page > 1) {
			t.Errorf("page %d has one before it: %v", page, got)
		}
	}
	if last != n-1 {
		t.Errorf("the last message is %d", last)
	}
}
