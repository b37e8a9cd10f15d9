package homeserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// fetch makes a request for a file.
func (h *hs) fetch(token, method, path, body string, header ...string) (r reply, content string) {
	h.Helper()
	r = h.ask(token, method, path, body, header...)
	return r, r.raw
}

// upload stores a file and returns the path of its address.
func (h *hs) upload(token, query, contentType, body string) (path string) {
	h.Helper()
	res, raw := h.fetch(token, "POST", "/media/v3/upload"+query, body, "Content-Type", contentType)
	var out struct {
		URI string `json:"content_uri"`
	}
	if err := json.Unmarshal([]byte(raw), &out); err != nil || res.status != http.StatusOK || !strings.HasPrefix(out.URI, "mxc://test/") {
		h.Fatalf("%d %s", res.status, raw)
	}
	return strings.TrimPrefix(out.URI, "mxc:/")
}

func square(side int) string {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, side, side))); err != nil {
		panic(err)
	}
	return b.String()
}

func TestMediaEndpoints(t *testing.T) {
	t.Parallel()
	h := start(t, func(o *Options) { o.Media.MaxUpload = 1000; o.Settings.OldMedia = true })
	alice, bob := h.user("alice"), h.user("bob")
	file := h.upload(alice, "?filename=name%3Bwith%3Bsemicolons", "text/plain;charset=utf-8", "hello, world")
	for _, path := range []string{"/client/v1/media/download", "/media/v3/download", "/media/r0/download", "/media/v1/download"} {
		res, body := h.fetch(bob, "GET", path+file, "")
		if res.status != 200 || body != "hello, world" || res.header.Get("Content-Type") != "text/plain;charset=utf-8" ||
			res.header.Get("Content-Disposition") != `inline; filename="name;with;semicolons"` || res.header.Get("Access-Control-Allow-Origin") != "*" ||
			res.header.Get("Content-Security-Policy") != "sandbox; default-src 'none'; script-src 'none'; plugin-types application/pdf; style-src 'unsafe-inline'; object-src 'self';" ||
			res.header.Get("Cross-Origin-Resource-Policy") != "cross-origin" || res.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %q %v", path, res.status, body, res.header)
		}
		res, body = h.fetch(bob, "GET", path+file+"/%E2%98%95.html", "")
		if res.status != 200 || res.header.Get("Content-Disposition") != `inline; filename*=utf-8''%E2%98%95.html` {
			t.Errorf("%s with a name: %d %q %v", path, res.status, body, res.header)
		}
		res, body = h.fetch(bob, "HEAD", path+file, "")
		if res.status != 200 || body != "" || res.header.Get("Content-Length") != "12" {
			t.Errorf("%s HEAD: %d %v", path, res.status, res.header)
		}
		etag, modified := res.header.Get("ETag"), res.header.Get("Last-Modified")
		for _, test := range []struct {
			header [2]string
			status int
			body   string
		}{
			{[2]string{"Range", "bytes=7-"}, 206, "world"}, {[2]string{"Range", "bytes=-5"}, 206, "world"}, {[2]string{"Range", "bytes=0-0"}, 206, "h"},
			{[2]string{"Range", "bytes=50-"}, 416, "invalid range: failed to overlap\n"}, {[2]string{"Range", "lines=1-"}, 416, "invalid range\n"},
			{[2]string{"If-None-Match", etag}, 304, ""}, {[2]string{"If-None-Match", `"x"`}, 200, "hello, world"},
			{[2]string{"If-Modified-Since", modified}, 304, ""}, {[2]string{"If-Match", `"x"`}, 412, ""},
			{[2]string{"Range", "bytes=-50"}, 206, "hello, world"}, {[2]string{"Range", "bytes=0-99"}, 206, "hello, world"}, {[2]string{"Range", "bytes=5-2"}, 416, "invalid range\n"},
			{[2]string{"If-None-Match", `"x", ` + etag}, 304, ""}, {[2]string{"If-None-Match", "*"}, 304, ""}, {[2]string{"If-Match", etag}, 200, "hello, world"},
			{[2]string{"If-Unmodified-Since", "Mon, 02 Jan 2006 15:04:05 GMT"}, 412, ""}, {[2]string{"If-Modified-Since", "Mon, 02 Jan 2006 15:04:05 GMT"}, 200, "hello, world"},
		} {
			res, body := h.fetch(bob, "GET", path+file, "", test.header[0], test.header[1])
			if res.status != test.status || body != test.body {
				t.Errorf("%s, %v: %d %q", path, test.header, res.status, body)
			}
		}
		for _, cond := range []string{etag, modified} {
			if res, body := h.fetch(bob, "GET", path+file, "", "Range", "bytes=7-", "If-Range", cond); res.status != 206 || body != "world" {
				t.Errorf("If-Range: %s: %d %q", cond, res.status, body)
			}
		}
		// The part of another file than the one that the client knows is of no use: it gets the whole.
		for _, cond := range []string{`"x"`, "W/" + etag, "Mon, 02 Jan 2006 15:04:05 GMT"} {
			if res, body := h.fetch(bob, "GET", path+file, "", "Range", "bytes=7-", "If-Range", cond); res.status != 200 || body != "hello, world" {
				t.Errorf("If-Range: %s: %d %q", cond, res.status, body)
			}
		}
		h.ranges(bob, path+file)
	}
	h.want(401, "M_MISSING_TOKEN", "", "GET", "/client/v1/media/download"+file, "")
	h.want(401, "M_UNKNOWN_TOKEN", "x", "GET", "/client/v1/media/thumbnail"+file+"?width=1&height=1", "")
	h.want(401, "M_MISSING_TOKEN", "", "GET", "/client/v1/media/config", "")
	h.want(401, "M_MISSING_TOKEN", "", "GET", "/client/v1/media/preview_url?url=http://x/", "")
	h.want(401, "M_MISSING_TOKEN", "", "POST", "/media/v3/upload", "x")
	h.want(401, "M_MISSING_TOKEN", "", "POST", "/media/v1/create", "")
	h.want(413, "M_TOO_LARGE", alice, "POST", "/media/v3/upload", strings.Repeat("x", 1001))
	h.want(404, "M_NOT_FOUND", alice, "GET", "/client/v1/media/download/test/..%2f..%2fhs.db", "")
	h.want(404, "M_NOT_FOUND", alice, "GET", "/client/v1/media/download/test/..%2f..%2fhs.db/x", "")
	h.want(404, "M_NOT_FOUND", alice, "GET", "/client/v1/media/download/elsewhere.org/abc", "")
	h.want(404, "M_NOT_FOUND", "", "GET", "/media/v3/download/elsewhere.org/abc?allow_remote=false", "")
	h.want(400, "M_INVALID_PARAM", "", "GET", "/media/v3/download"+file+"?allow_remote=maybe", "")
	h.want(400, "M_UNKNOWN", alice, "GET", "/client/v1/media/thumbnail"+file+"?width=10&height=10", "")
	h.want(400, "M_INVALID_PARAM", alice, "GET", "/client/v1/media/thumbnail"+file+"?width=ten&height=10", "")
	h.want(400, "M_MISSING_PARAM", alice, "GET", "/client/v1/media/thumbnail"+file+"?height=10", "")
	h.want(400, "M_MISSING_PARAM", alice, "GET", "/client/v1/media/preview_url", "")
	h.want(400, "M_INVALID_PARAM", alice, "GET", "/client/v1/media/preview_url?url=http://x/&ts=x", "")
	h.want(403, "M_FORBIDDEN", alice, "GET", "/client/v1/media/preview_url?url=http://x/", "")
	for _, path := range []string{"/client/v1/media/config", "/media/v3/config", "/media/r0/config"} {
		if res, body := h.fetch(alice, "GET", path, ""); res.status != 200 || body != `{"m.upload.size":1000}` {
			t.Errorf("%s: %d %s", path, res.status, body)
		}
	}

	// Asynchronously.
	var created struct {
		URI     string `json:"content_uri"`
		Expires int64  `json:"unused_expires_at"`
	}
	if _, raw := h.fetch(alice, "POST", "/media/v1/create", ""); json.Unmarshal([]byte(raw), &created) != nil || created.Expires <= time.Now().UnixMilli() {
		t.Fatalf("%s", raw)
	}
	later := strings.TrimPrefix(created.URI, "mxc:/")
	h.want(504, "M_NOT_YET_UPLOADED", alice, "GET", "/client/v1/media/download"+later+"?timeout_ms=0", "")
	h.want(504, "M_NOT_YET_UPLOADED", alice, "GET", "/client/v1/media/thumbnail"+later+"?timeout_ms=0&width=1&height=1", "")
	h.want(403, "M_FORBIDDEN", bob, "PUT", "/media/v3/upload"+later, "x")
	h.want(404, "M_NOT_FOUND", alice, "PUT", "/media/v3/upload"+later+"x", "x")
	h.want(413, "M_TOO_LARGE", alice, "PUT", "/media/v3/upload"+later, strings.Repeat("x", 1001))
	if res, raw := h.fetch(alice, "PUT", "/media/v3/upload"+later+"?filename=a.txt", "later", "Content-Type", "text/plain"); res.status != 200 || raw != "{}" {
		t.Errorf("%d %s", res.status, raw)
	}
	h.want(409, "M_CANNOT_OVERWRITE_MEDIA", alice, "PUT", "/media/v3/upload"+later, "again")
	if res, body := h.fetch(bob, "GET", "/client/v1/media/download"+later, ""); body != "later" || res.header.Get("Content-Disposition") != "inline; filename=a.txt" {
		t.Errorf("%s %v", body, res.header)
	}
}

// ranges asks for several parts of "hello, world" at once; so many that they are more than the file get the whole of it.
func (h *hs) ranges(token, path string) {
	h.Helper()
	res, body := h.fetch(token, "GET", path, "", "Range", "bytes=0-4, -5, 5-6")
	kind, params, err := mime.ParseMediaType(res.header.Get("Content-Type"))
	if res.status != 206 || kind != "multipart/byteranges" || err != nil {
		h.Fatalf("%s: %d %v %v", path, res.status, res.header, err)
	}
	var got []string
	parts := multipart.NewReader(strings.NewReader(body), params["boundary"])
	for {
		p, err := parts.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			h.Fatal(err)
		}
		raw, err := io.ReadAll(p)
		if err != nil {
			h.Fatal(err)
		}
		got = append(got, p.Header.Get("Content-Type")+" "+p.Header.Get("Content-Range")+" "+string(raw))
	}
	const kindOf = "text/plain;charset=utf-8 bytes "
	if want := []string{kindOf + "0-4/12 hello", kindOf + "7-11/12 world", kindOf + "5-6/12 , "}; !slices.Equal(got, want) {
		h.Errorf("%s: %q, want %q", path, got, want)
	}
	if res, body := h.fetch(token, "GET", path, "", "Range", "bytes=0-"+strings.Repeat(",0-", 100)); res.status != 200 || body != "hello, world" {
		h.Errorf("%s: a hundred times the whole: %d, %d bytes", path, res.status, len(body))
	}
}

func TestOldMediaIsFrozen(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice := h.user("alice")
	before := h.upload(alice, "", "image/png", square(40))
	settings := client.Settings{OldMedia: true, OldMediaUntil: time.Now().Add(time.Hour), MaxBody: 1 << 20, SyncTimeout: time.Minute}
	paths := []string{"/media/v3/download" + before, "/media/v3/download" + before + "/x.png", "/media/v3/thumbnail" + before + "?width=10&height=10"}
	for _, path := range paths {
		h.want(404, "M_NOT_FOUND", "", "GET", path, "")
	}
	h.Configure(settings)
	for _, path := range paths {
		if res, _ := h.fetch("", "GET", path, ""); res.status != 200 {
			t.Errorf("%s, from before: %d", path, res.status)
		}
	}
	settings.OldMediaUntil = time.Now().Add(-time.Hour)
	h.Configure(settings)
	for _, path := range paths {
		h.want(404, "M_NOT_FOUND", "", "GET", path, "")
	}
	if res, _ := h.fetch(alice, "GET", "/client/v1/media/download"+before, ""); res.status != 200 {
		t.Errorf("with a token: %d", res.status)
	}
}

func TestUploadRates(t *testing.T) {
	t.Parallel()
	slow := client.Rate{PerSecond: 0.001, Burst: 1}
	h := start(t, func(o *Options) { o.Settings.Uploads, o.Settings.Previews, o.Previews.Enabled = slow, slow, true })
	alice, bob := h.user("alice"), h.user("bob")
	h.upload(alice, "", "text/plain", "x")
	h.want(429, "M_LIMIT_EXCEEDED", alice, "POST", "/media/v3/upload", "x")
	h.want(429, "M_LIMIT_EXCEEDED", alice, "POST", "/media/v1/create", "")
	h.upload(bob, "", "text/plain", "x")
	const page = "/client/v1/media/preview_url?url=http://127.0.0.1:1111/"
	h.want(502, "M_UNKNOWN", alice, "GET", page, "")
	h.want(429, "M_LIMIT_EXCEEDED", alice, "GET", page, "")
}

func TestPreviewURL(t *testing.T) {
	t.Parallel()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/p.png" {
			w.Header().Set("Content-Type", "image/png")
			io.WriteString(w, square(90))
			return
		}
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, `<title>A page</title><meta property="og:image" content="p.png">`)
	}))
	defer site.Close()
	h := start(t, func(o *Options) {
		o.Previews.Enabled, o.Previews.Networks = true, []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	})
	alice := h.user("alice")
	for _, path := range []string{"/client/v1/media", "/media/v3"} {
		res, raw := h.fetch(alice, "GET", path+"/preview_url?url="+url.QueryEscape(site.URL), "")
		var got map[string]any
		if err := json.Unmarshal([]byte(raw), &got); err != nil || res.status != 200 || got["og:title"] != "A page" || got["og:image:width"] != 90.0 || got["matrix:image:size"] == nil {
			t.Fatalf("%d %s", res.status, raw)
		}
		file := strings.TrimPrefix(fmt.Sprint(got["og:image"]), "mxc:/")
		if res, body := h.fetch(alice, "GET", "/client/v1/media/download"+file, ""); res.status != 200 || body != square(90) {
			t.Errorf("its picture: %d", res.status)
		}
	}
}

// TestDeletionWithLastMention: a file goes with the last message that speaks of it, and no sooner.
func TestDeletionWithLastMention(t *testing.T) {
	t.Parallel()
	var ahead time.Duration
	began := time.Now()
	h := start(t, func(o *Options) {
		o.Media.DeleteRedacted = time.Hour
		o.Now = func() time.Time { return began.Add(ahead) }
	})
	alice := h.user("alice")
	room := h.room(alice, map[string]any{})
	txn := 0
	send := func(typ string, content map[string]any) string {
		t.Helper()
		txn++
		var out struct {
			ID string `json:"event_id"`
		}
		h.must(alice, "PUT", fmt.Sprintf("/v3/rooms/%s/send/%s/%d", room, typ, txn), content, &out)
		return out.ID
	}
	redact := func(id string) {
		t.Helper()
		txn++
		h.must(alice, "PUT", fmt.Sprintf("/v3/rooms/%s/redact/%s/%d", room, id, txn), map[string]any{}, nil)
	}
	there := func(file string) bool {
		t.Helper()
		res, _ := h.fetch(alice, "GET", "/client/v1/media/download"+file, "")
		if res.status != 200 && res.status != 404 {
			t.Errorf("%s: %d", file, res.status)
		}
		return res.status == 200
	}
	// Tidying twice with more than an hour between is what it takes.
	tidy := func() {
		t.Helper()
		for range 2 {
			if err := h.Media().Tidy(t.Context()); err != nil {
				t.Fatal(err)
			}
			ahead += 61 * time.Minute
		}
	}
	files := map[string]string{}
	uri := func(name string) string {
		if files[name] == "" {
			files[name] = h.upload(alice, "", "text/plain", name)
		}
		return "mxc:/" + files[name]
	}
	image := func(name string) map[string]any {
		return map[string]any{"msgtype": "m.image", "body": "x", "url": uri(name), "info": map[string]any{"thumbnail_url": uri(name + " thumbnail")}}
	}
	var gone []string
	gone = append(gone, send("m.room.message", image("sent once")))
	gone = append(gone, send("m.room.message", image("sent twice")))
	again := send("m.room.message", image("sent twice"))
	first := send("m.room.message", image("edited"))
	gone = append(gone, first)
	send("m.room.message", map[string]any{"msgtype": "m.text", "body": "x", "m.relates_to": map[string]any{"rel_type": "m.replace", "event_id": first}, "m.new_content": image("edited")})
	for _, name := range []string{"profile", "room avatar", "sticker pack", "account data", "protected", "emoji"} {
		gone = append(gone, send("m.room.message", image(name)))
	}
	h.must(alice, "PUT", "/v3/profile/@alice:test/avatar_url", map[string]any{"avatar_url": uri("profile")}, nil)
	h.must(alice, "PUT", "/v3/rooms/"+room+"/state/m.room.avatar/", map[string]any{"url": uri("room avatar")}, nil)
	h.must(alice, "PUT", "/v3/rooms/"+room+"/state/im.ponies.room_emotes/pack", map[string]any{"images": map[string]any{"a": map[string]any{"url": uri("sticker pack")}}}, nil)
	h.must(alice, "PUT", "/v3/user/@alice:test/account_data/im.ponies.user_emotes", map[string]any{"images": map[string]any{"a": map[string]any{"url": uri("account data")}}}, nil)
	send("m.room.message", map[string]any{"msgtype": "m.text", "body": ":a:", "format": "org.matrix.custom.html", "formatted_body": `<img data-mx-emoticon src="` + uri("emoji") + `">`})
	unsent := uri("never sent")
	name := strings.Split(strings.TrimPrefix(files["protected"], "/"), "/")
	if err := h.Media().Protect(t.Context(), store.MediaName{Origin: name[0], ID: name[1]}, true); err != nil {
		t.Fatal(err)
	}
	tidy()
	for name, file := range files {
		if !there(file) {
			t.Errorf("%s: gone before anything was redacted", name)
		}
	}
	for _, id := range gone {
		redact(id)
	}
	if err := h.Media().Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !there(files["sent once"]) {
		t.Error("gone at once")
	}
	tidy()
	for name, file := range files {
		want := true
		switch name {
		case "sent once", "sent once thumbnail", "profile thumbnail", "room avatar thumbnail", "sticker pack thumbnail", "account data thumbnail", "emoji thumbnail", "protected thumbnail":
			want = false
		}
		if there(file) != want {
			t.Errorf("%s: there: %v", name, !want)
		}
	}
	redact(again)
	tidy()
	if there(files["sent twice"]) || !there(strings.TrimPrefix(unsent, "mxc:/")) {
		t.Error("after the last redaction")
	}
}

func TestQuarantineByRoom(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice := h.user("alice")
	room := h.room(alice, map[string]any{})
	in, out := h.upload(alice, "", "text/plain", "in the room"), h.upload(alice, "", "text/plain", "elsewhere")
	h.must(alice, "PUT", "/v3/rooms/"+room+"/send/m.room.message/1", map[string]any{"msgtype": "m.file", "body": "x", "url": "mxc:/" + in}, nil)
	h.must(alice, "PUT", "/v3/rooms/"+room+"/send/m.room.message/2", map[string]any{"msgtype": "m.file", "body": "x", "url": "mxc://elsewhere.org/abc"}, nil)
	name, err := h.Store().RoomByID(t.Context(), room)
	if err != nil {
		t.Fatal(err)
	}
	if tally, err := h.Media().QuarantineByRoom(t.Context(), name.NID); err != nil || tally.Files != 1 || tally.Bytes != 11 {
		t.Errorf("%+v, %v", tally, err)
	}
	h.want(404, "M_NOT_FOUND", alice, "GET", "/client/v1/media/download"+in, "")
	h.want(404, "M_NOT_FOUND", alice, "GET", "/client/v1/media/thumbnail"+in+"?width=1&height=1", "")
	h.want(403, "M_FORBIDDEN", alice, "POST", "/media/v3/upload", "in the room")
	if res, _ := h.fetch(alice, "GET", "/client/v1/media/download"+out, ""); res.status != 200 {
		t.Errorf("elsewhere: %d", res.status)
	}
}
