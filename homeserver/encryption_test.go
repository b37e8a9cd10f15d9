package homeserver

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"maunium.net/go/mautrix/crypto/canonicaljson"

	"github.com/landbridge-im/landbridge/registration"
)

func keySeed(name string) ed25519.PrivateKey {
	s := make([]byte, ed25519.SeedSize)
	copy(s, name)
	return ed25519.NewKeyFromSeed(s)
}

func publicOf(k ed25519.PrivateKey) string {
	return base64.RawStdEncoding.EncodeToString(k.Public().(ed25519.PublicKey))
}

// signObject signs an object.
func signObject(o obj, user, keyID string, k ed25519.PrivateKey) obj {
	payload, err := canonicaljson.Marshal(o)
	if err != nil {
		panic(err)
	}
	out := obj{"signatures": obj{user: obj{keyID: base64.RawStdEncoding.EncodeToString(ed25519.Sign(k, payload))}}}
	for name, v := range o {
		out[name] = v
	}
	return out
}

func deviceKeys(user, device string) obj {
	k := keySeed(user + device)
	return signObject(obj{"user_id": user, "device_id": device, "algorithms": []string{"m.megolm.v1.aes-sha2"},
		"keys": obj{"ed25519:" + device: publicOf(k), "curve25519:" + device: publicOf(keySeed("curve" + device))}}, user, "ed25519:"+device, k)
}

func oneTimeKey(user, device, value string) obj {
	return signObject(obj{"key": value}, user, "ed25519:"+device, keySeed(user+device))
}

// loginOn logs somebody in on a device.
func (h *hs) loginOn(name, device string) string {
	h.Helper()
	var out struct {
		Token string `json:"access_token"`
	}
	h.must("", "POST", "/v3/login", obj{"type": "m.login.password", "identifier": obj{"type": "m.id.user", "user": name},
		"password": "long enough", "device_id": device}, &out)
	return out.Token
}

func TestKeys(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.user("alice")
	bob := h.user("bob")
	alice := h.loginOn("alice", "PHONE")
	upload := func(body obj) (int, string, map[string]any) {
		return h.answer(alice, "POST", "/v3/keys/upload", body)
	}
	status, _, out := upload(obj{"device_keys": deviceKeys("@alice:test", "PHONE"),
		"one_time_keys": obj{"signed_curve25519:AAAAAQ": oneTimeKey("@alice:test", "PHONE", "one")},
		"fallback_keys": obj{"signed_curve25519:AAAAF": obj{"key": "last", "fallback": true}}})
	if status != 200 || !reflect.DeepEqual(out, obj{"one_time_key_counts": obj{"signed_curve25519": 1.0}}) {
		t.Fatalf("%d %v", status, out)
	}
	if status, _, _ := upload(obj{"one_time_keys": obj{"signed_curve25519:AAAAAQ": oneTimeKey("@alice:test", "PHONE", "one")}}); status != 200 {
		t.Errorf("the same key again: %d", status)
	}
	badSignature := deviceKeys("@alice:test", "PHONE")
	badSignature["signatures"] = obj{"@alice:test": obj{"ed25519:PHONE": base64.RawStdEncoding.EncodeToString(make([]byte, 64))}}
	for name, body := range map[string]obj{
		"another key of the same id": {"one_time_keys": obj{"signed_curve25519:AAAAAQ": obj{"key": "other", "signatures": obj{}}}},
		"another's device":           {"device_keys": deviceKeys("@bob:test", "PHONE")},
		"another device":             {"device_keys": deviceKeys("@alice:test", "TABLET")},
		"a wrong signature":          {"device_keys": badSignature},
		"no algorithm":               {"one_time_keys": obj{"AAAAAQ": "x"}},
		"no obj":                     {"one_time_keys": []string{}},
		"a number for a key":         {"one_time_keys": obj{"signed_curve25519:B": 7}},
	} {
		if status, code, _ := upload(body); status != 400 {
			t.Errorf("%s: %d %s", name, status, code)
		}
	}
	query := func(devices ...string) map[string]any {
		_, _, out := h.answer(bob, "POST", "/v3/keys/query", obj{"device_keys": obj{"@alice:test": devices, "@nobody:test": []string{}}})
		return out
	}
	out = query()
	if dig(out, "device_keys", "@alice:test", "PHONE", "keys", "ed25519:PHONE") == nil || dig(out, "device_keys", "@nobody:test") != nil {
		t.Errorf("%v", out)
	}
	if out = query("TABLET"); dig(out, "device_keys", "@alice:test", "PHONE") != nil {
		t.Errorf("a device that was not asked for: %v", out)
	}
	// Many claim at once: the key is given to one of them, and the fallback key to the others.
	var mu sync.Mutex
	var got []string
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			_, _, out := h.answer(bob, "POST", "/v3/keys/claim", obj{"one_time_keys": obj{"@alice:test": obj{"PHONE": "signed_curve25519", "NONE": "signed_curve25519"}}})
			keys, _ := dig(out, "one_time_keys", "@alice:test", "PHONE").(obj)
			mu.Lock()
			defer mu.Unlock()
			for id := range keys {
				got = append(got, id)
			}
		})
	}
	wg.Wait()
	slices.Sort(got)
	if want := []string{"signed_curve25519:AAAAAQ", "signed_curve25519:AAAAF", "signed_curve25519:AAAAF", "signed_curve25519:AAAAF", "signed_curve25519:AAAAF"}; !slices.Equal(got, want) {
		t.Errorf("claimed %v", got)
	}
	for path, body := range map[string]obj{"/v3/keys/query": {}, "/v3/keys/claim": {}, "/v3/sendToDevice/m.x/1": {}} {
		method := "POST"
		if strings.Contains(path, "sendTo") {
			method = "PUT"
		}
		if status, code, _ := h.answer(bob, method, path, body); status != 400 {
			t.Errorf("%s without what it needs: %d %s", path, status, code)
		}
	}
	// Messages to devices: once for a transaction id, in order.
	send := func(txn, body string) {
		h.must(bob, "PUT", "/v3/sendToDevice/m.test/"+txn, obj{"messages": obj{"@alice:test": obj{"PHONE": obj{"body": body}}}}, nil)
	}
	send("1", "a")
	send("1", "repeated")
	send("2", "b")
	var s struct {
		Next     string `json:"next_batch"`
		ToDevice struct {
			Events []struct {
				Sender, Type string
				Content      struct{ Body string }
			}
		} `json:"to_device"`
	}
	h.must(alice, "GET", "/v3/sync", nil, &s)
	if e := s.ToDevice.Events; len(e) != 2 || e[0].Content.Body != "a" || e[1].Content.Body != "b" || e[0].Sender != "@bob:test" || e[0].Type != "m.test" {
		t.Errorf("%+v", e)
	}
	h.must(alice, "POST", "/v3/logout", nil, nil)
	if out = query(); dig(out, "device_keys", "@alice:test", "PHONE") != nil {
		t.Errorf("keys of a device that was logged out: %v", out)
	}
	if status, code, _ := h.answer(bob, "GET", "/v3/keys/changes?from=x&to="+s.Next, nil); status != 400 {
		t.Errorf("a bad token: %d %s", status, code)
	}
}

func TestCrossSigningOverHTTP(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.user("alice")
	alice := h.loginOn("alice", "PHONE")
	key := func(usage, name string) obj {
		k := keySeed(name)
		return obj{"user_id": "@alice:test", "usage": []string{usage}, "keys": obj{"ed25519:" + publicOf(k): publicOf(k)}}
	}
	keys := func(master string) obj {
		m := keySeed(master)
		id := "ed25519:" + publicOf(m)
		return obj{"master_key": key("master", master), "self_signing_key": signObject(key("self_signing", master+"s"), "@alice:test", id, m),
			"user_signing_key": signObject(key("user_signing", master+"u"), "@alice:test", id, m)}
	}
	const upload = "/v3/keys/device_signing/upload"
	// The first keys, and the same ones again, need no password (MSC3967); other ones do.
	for range 2 {
		if status, _, out := h.answer(alice, "POST", upload, keys("one")); status != 200 {
			t.Fatalf("%d %v", status, out)
		}
	}
	status, _, out := h.answer(alice, "POST", upload, keys("two"))
	if status != 401 || dig(out, "flows") == nil {
		t.Fatalf("a new identity: %d %v", status, out)
	}
	with := keys("two")
	with["auth"] = obj{"type": "m.login.password", "session": out["session"], "identifier": obj{"type": "m.id.user", "user": "alice"}, "password": "long enough"}
	if status, _, out := h.answer(alice, "POST", upload, with); status != 200 {
		t.Fatalf("with the password: %d %v", status, out)
	}
	// Signatures: a good one is taken, others are listed as failures.
	h.must(alice, "POST", "/v3/keys/upload", obj{"device_keys": deviceKeys("@alice:test", "PHONE")}, nil)
	self := keySeed("twos")
	plain := deviceKeys("@alice:test", "PHONE")
	delete(plain, "signatures")
	good := signObject(plain, "@alice:test", "ed25519:"+publicOf(self), self)
	status, _, out = h.answer(alice, "POST", "/v3/keys/signatures/upload", obj{"@alice:test": obj{"PHONE": good, "OTHER": good}})
	if status != 200 || dig(out, "failures", "@alice:test", "OTHER", "errcode") == nil || dig(out, "failures", "@alice:test", "PHONE") != nil {
		t.Errorf("%d %v", status, out)
	}
	_, _, out = h.answer(alice, "POST", "/v3/keys/query", obj{"device_keys": obj{"@alice:test": []string{}}})
	sigs, _ := dig(out, "device_keys", "@alice:test", "PHONE", "signatures", "@alice:test").(obj)
	if len(sigs) != 2 || dig(out, "user_signing_keys", "@alice:test") == nil {
		t.Errorf("%v", out)
	}
}

func TestKeyBackup(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob := h.user("alice"), h.user("bob")
	do := func(method, path string, body any) (int, string, map[string]any) {
		return h.answer(alice, method, "/v3/room_keys"+path, body)
	}
	key := func(first, forwarded int, verified bool) obj {
		return obj{"first_message_index": first, "forwarded_count": forwarded, "is_verified": verified, "session_data": obj{"n": fmt.Sprint(first, forwarded, verified)}}
	}
	want := func(what string, status int, code string, fields obj) func(int, string, map[string]any) {
		t.Helper()
		return func(s int, c string, out map[string]any) {
			t.Helper()
			if s != status || c != code {
				t.Errorf("%s: %d %s %v", what, s, c, out)
			}
			for name, v := range fields {
				if !reflect.DeepEqual(out[name], v) {
					t.Errorf("%s: %s is %v, want %v", what, name, out[name], v)
				}
			}
		}
	}
	const algorithm = "m.megolm_backup.v1.curve25519-aes-sha2"
	info := obj{"algorithm": algorithm, "auth_data": obj{"public_key": "x"}}
	want("none yet", 404, "M_NOT_FOUND", nil)(do("GET", "/version", nil))
	want("keys without a backup", 404, "M_NOT_FOUND", nil)(do("PUT", "/keys?version=1", obj{"rooms": obj{}}))
	want("no algorithm", 400, "M_MISSING_PARAM", nil)(do("POST", "/version", obj{"auth_data": obj{}}))
	want("no auth data", 400, "M_MISSING_PARAM", nil)(do("POST", "/version", obj{"algorithm": algorithm}))
	want("the first", 200, "", obj{"version": "1"})(do("POST", "/version", info))
	want("its status", 200, "", obj{"version": "1", "count": 0.0, "etag": "0", "algorithm": algorithm, "auth_data": obj{"public_key": "x"}})(do("GET", "/version", nil))
	want("no keys", 200, "", obj{"rooms": obj{}})(do("GET", "/keys?version=1", nil))
	want("no keys of a room", 200, "", obj{"sessions": obj{}})(do("GET", "/keys/!a:x?version=1", nil))
	want("no key", 404, "M_NOT_FOUND", nil)(do("GET", "/keys/!a:x/s?version=1", nil))
	want("one key", 200, "", obj{"count": 1.0, "etag": "1"})(do("PUT", "/keys/!a:x/s?version=1", key(5, 1, false)))
	// Which of two keys is kept.
	for _, c := range []struct {
		name string
		key  obj
		etag string
	}{
		{"the same", key(5, 1, false), "1"}, {"a later one", key(6, 0, false), "1"}, {"forwarded more often", key(5, 2, false), "1"},
		{"forwarded less often", key(5, 0, false), "2"}, {"an earlier one", key(4, 9, false), "3"}, {"a verified one", key(9, 9, true), "4"}, {"an earlier one, not verified", key(0, 0, false), "4"},
	} {
		want(c.name, 200, "", obj{"count": 1.0, "etag": c.etag})(do("PUT", "/keys/!a:x/s?version=1", c.key))
	}
	want("the one that is left", 200, "", key2json(key(9, 9, true)))(do("GET", "/keys/!a:x/s?version=1", nil))
	want("a room", 200, "", obj{"count": 3.0, "etag": "5"})(do("PUT", "/keys/!a:x?version=1", obj{"sessions": obj{"t": key(0, 0, false), "u": key(0, 0, false)}}))
	want("all rooms", 200, "", obj{"count": 4.0, "etag": "6"})(do("PUT", "/keys?version=1", obj{"rooms": obj{"!b:x": obj{"sessions": obj{"s": key(1, 0, false)}}, "!a:x": obj{"sessions": obj{"t": key(0, 0, false)}}}}))
	_, _, out := do("GET", "/keys?version=1", nil)
	if a, b := dig(out, "rooms", "!a:x", "sessions").(obj), dig(out, "rooms", "!b:x", "sessions").(obj); len(a) != 3 || len(b) != 1 || !reflect.DeepEqual(b["s"], key2json(key(1, 0, false))) {
		t.Errorf("%v", out)
	}
	for name, body := range map[string]obj{
		"no index": {"forwarded_count": 0, "is_verified": true, "session_data": obj{}}, "no data": {"first_message_index": 0, "forwarded_count": 0, "is_verified": true},
		"an index of text": {"first_message_index": "0", "forwarded_count": 0, "is_verified": true, "session_data": obj{}}, "negative": key(-1, 0, true),
	} {
		if status, code, _ := do("PUT", "/keys/!a:x/bad?version=1", body); status != 400 {
			t.Errorf("%s: %d %s", name, status, code)
		}
	}
	want("no version", 400, "M_MISSING_PARAM", nil)(do("PUT", "/keys/!a:x/s", key(0, 0, true)))
	want("one deleted", 200, "", obj{"count": 3.0, "etag": "7"})(do("DELETE", "/keys/!a:x/s?version=1", nil))
	want("deleted again", 200, "", obj{"count": 3.0, "etag": "7"})(do("DELETE", "/keys/!a:x/s?version=1", nil))
	want("a room deleted", 200, "", obj{"count": 1.0, "etag": "8"})(do("DELETE", "/keys/!a:x?version=1", nil))
	want("new auth data", 200, "", nil)(do("PUT", "/version/1", obj{"algorithm": algorithm, "auth_data": obj{"public_key": "y"}, "version": "1"}))
	want("another algorithm", 400, "M_INVALID_PARAM", nil)(do("PUT", "/version/1", obj{"algorithm": "x", "auth_data": obj{}}))
	want("another version", 400, "M_INVALID_PARAM", nil)(do("PUT", "/version/1", obj{"algorithm": algorithm, "auth_data": obj{}, "version": "2"}))
	want("an unknown version", 404, "M_NOT_FOUND", nil)(do("PUT", "/version/9", info))
	want("the second", 200, "", obj{"version": "2"})(do("POST", "/version", info))
	want("keys for the old one", 403, "M_WRONG_ROOM_KEYS_VERSION", obj{"current_version": "2"})(do("PUT", "/keys/!a:x/s?version=1", key(0, 0, true)))
	want("the old one is there", 200, "", obj{"count": 1.0, "auth_data": obj{"public_key": "y"}})(do("GET", "/version/1", nil))
	want("another user's", 404, "M_NOT_FOUND", nil)(h.answer(bob, "GET", "/v3/room_keys/version/1", nil))
	want("the second deleted", 200, "", nil)(do("DELETE", "/version/2", nil))
	want("deleted again", 200, "", nil)(do("DELETE", "/version/2", nil))
	want("never there", 404, "M_NOT_FOUND", nil)(do("DELETE", "/version/7", nil))
	want("a deleted one", 404, "M_NOT_FOUND", nil)(do("GET", "/version/2", nil))
	want("keys of a deleted one", 404, "M_NOT_FOUND", nil)(do("GET", "/keys?version=2", nil))
	want("the first is current again", 200, "", obj{"version": "1"})(do("GET", "/version", nil))
	want("all deleted", 200, "", obj{"count": 0.0, "etag": "9"})(do("DELETE", "/keys?version=1", nil))
	want("numbers are not used again", 200, "", obj{"version": "3"})(do("POST", "/version", info))
	h.backupTogether(alice)
	// Counts under concurrency where several write the same: every session once.
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 10 {
				do("PUT", fmt.Sprintf("/keys/!r%d:x/s%d?version=3", i%3, j), key(i, 0, false))
			}
		})
	}
	wg.Wait()
	_, _, out = do("GET", "/version", nil)
	if out["count"] != 30.0 {
		t.Errorf("count after concurrent writes: %v", out)
	}
}

// key2json is an object as it comes back from JSON.
func key2json(o obj) obj {
	out := obj{}
	for k, v := range o {
		if n, ok := v.(int); ok {
			v = float64(n)
		}
		out[k] = v
	}
	return out
}

func TestDehydratedDevice(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.user("alice")
	bob := h.user("bob")
	alice := h.loginOn("alice", "PHONE")
	const url = "/unstable/org.matrix.msc3814.v1/dehydrated_device"
	put := func(id string) (int, string, map[string]any) {
		return h.answer(alice, "PUT", url, obj{"device_id": id, "device_data": obj{"algorithm": "m.dehydration.v2", "x": id}, "initial_device_display_name": "Asleep",
			"device_keys": deviceKeys("@alice:test", id), "one_time_keys": obj{"signed_curve25519:A": oneTimeKey("@alice:test", id, "k")}})
	}
	if status, code, _ := h.answer(alice, "GET", url, nil); status != 404 || code != "M_NOT_FOUND" {
		t.Errorf("none yet: %d %s", status, code)
	}
	if status, code, _ := h.answer(alice, "DELETE", url, nil); status != 404 || code != "M_NOT_FOUND" {
		t.Errorf("none to delete: %d %s", status, code)
	}
	if status, _, out := put("DRY1"); status != 200 || out["device_id"] != "DRY1" {
		t.Fatalf("%d %v", status, out)
	}
	if status, _, _ := put("PHONE"); status != 400 {
		t.Errorf("a living device became dehydrated: %d", status)
	}
	if _, _, out := h.answer(alice, "GET", url, nil); out["device_id"] != "DRY1" || dig(out, "device_data", "x") != "DRY1" {
		t.Errorf("%v", out)
	}
	for i := range 5 {
		h.must(bob, "PUT", fmt.Sprintf("/v3/sendToDevice/m.test/%d", i), obj{"messages": obj{"@alice:test": obj{"DRY1": obj{"n": i}}}}, nil)
	}
	var next any
	var got []any
	for page := 0; ; page++ {
		body := obj{"limit": 2}
		if next != nil {
			body["next_batch"] = next
		}
		status, _, out := h.answer(alice, "POST", url+"/DRY1/events", body)
		if status != 200 || page > 5 {
			t.Fatalf("%d %v", status, out)
		}
		events := out["events"].([]any)
		next = out["next_batch"]
		if len(events) == 0 {
			break
		}
		for _, e := range events {
			got = append(got, dig(e, "content", "n"))
		}
	}
	if !reflect.DeepEqual(got, []any{0.0, 1.0, 2.0, 3.0, 4.0}) {
		t.Errorf("messages: %v", got)
	}
	// As newer clients ask: the last page says that it is the last.
	got = nil
	for from, pages := "", 0; ; pages++ {
		status, _, out := h.answer(alice, "GET", url+"/DRY1/events?limit=2"+from, nil)
		for _, e := range out["events"].([]any) {
			got = append(got, dig(e, "content", "n"))
		}
		if out["next_batch"] == nil || status != 200 || pages > 5 {
			if status != 200 || pages != 2 {
				t.Errorf("page %d: %d %v", pages, status, out)
			}
			break
		}
		from = "&from=" + out["next_batch"].(string)
	}
	if !reflect.DeepEqual(got, []any{0.0, 1.0, 2.0, 3.0, 4.0}) {
		t.Errorf("messages by GET: %v", got)
	}
	for path, want := range map[string]int{"/DRY1/events?from=x": 400, "/DRY1/events?limit=x": 400, "/PHONE/events": 403} {
		if status, code, _ := h.answer(alice, "GET", url+path, nil); status != want {
			t.Errorf("%s: %d %s", path, status, code)
		}
	}
	if status, code, _ := h.answer(alice, "POST", url+"/PHONE/events", nil); status != 403 {
		t.Errorf("messages of another device: %d %s", status, code)
	}
	if status, _, _ := put("DRY2"); status != 200 {
		t.Fatal("no second one")
	}
	devices := func() (ids []string) {
		_, _, out := h.answer(bob, "POST", "/v3/keys/query", obj{"device_keys": obj{"@alice:test": []string{}}})
		all, _ := dig(out, "device_keys", "@alice:test").(obj)
		for id := range all {
			ids = append(ids, id)
		}
		return ids
	}
	if ids := devices(); !slices.Equal(ids, []string{"DRY2"}) {
		t.Errorf("the old one is still there: %v", ids)
	}
	if status, _, out := h.answer(alice, "DELETE", url, nil); status != 200 || out["device_id"] != "DRY2" || len(devices()) != 0 {
		t.Errorf("%d %v", status, out)
	}
	if status, code, _ := h.answer(alice, "PUT", url, obj{"device_id": "X", "device_data": obj{}}); status != 400 {
		t.Errorf("without keys: %d %s", status, code)
	}
}

// TestBatchSend: a bridge brings in history.
func TestBatchSend(t *testing.T) {
	t.Parallel()
	reg, err := registration.Parse("b.yaml", []byte(`{id: b, url: null, as_token: secret-token-of-the-bridge, hs_token: other-token-of-the-bridge, sender_localpart: bot,
  namespaces: {users: [{exclusive: true, regex: '@b_.*:test'}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	set, err := registration.NewSet("test", reg)
	if err != nil {
		t.Fatal(err)
	}
	h, _ := startRunning(t, t.TempDir(), func(o *Options) {
		o.Registrations = set
		o.Transport = func(*registration.Registration) http.RoundTripper { return nil }
	})
	const bot = "secret-token-of-the-bridge"
	alice := h.user("alice")
	h.must(bot, "POST", "/v3/register", obj{"type": "m.login.application_service", "username": "b_eve", "inhibit_login": true}, nil)
	room := h.room(bot, obj{"preset": "public_chat"})
	h.must(alice, "POST", "/v3/rooms/"+room+"/join", nil, nil)
	now := h.tell(alice, room, "now", nil)
	event := func(id, sender, body string, more obj) obj {
		content := obj{"msgtype": "m.text", "body": body}
		for k, v := range more {
			content[k] = v
		}
		return obj{"event_id": id, "sender": sender, "type": "m.room.message", "origin_server_ts": 1000, "content": content}
	}
	url := "/unstable/com.beeper.backfill/rooms/" + room + "/batch_send"
	status, _, out := h.answer(bot, "POST", url, obj{"events": []obj{
		event("$one", "@b_eve:test", "one", nil),
		event("$two", "@b_eve:test", "two", obj{"m.relates_to": obj{"m.in_reply_to": obj{"event_id": "$one"}}}),
	}})
	ids, _ := out["event_ids"].([]any)
	if status != 200 || len(ids) != 2 {
		t.Fatalf("%d %v", status, out)
	}
	_, _, out = h.answer(alice, "GET", "/v3/rooms/"+room+"/messages?dir=b&limit=50", nil)
	var found []any
	for _, e := range dig(out, "chunk").([]any) {
		if dig(e, "type") == "m.room.message" {
			found = append(found, dig(e, "event_id"))
		}
		if dig(e, "event_id") == ids[1] && dig(e, "content", "m.relates_to", "m.in_reply_to", "event_id") != ids[0] {
			t.Errorf("the reply points elsewhere: %v", e)
		}
	}
	if !reflect.DeepEqual(found, []any{now, ids[1], ids[0]}) {
		t.Errorf("%v, sent %v, imported %v", found, now, ids)
	}
	for name, c := range map[string]struct {
		token  string
		events []obj
		status int
	}{
		"not a bridge":      {alice, []obj{event("", "@alice:test", "x", nil)}, 403},
		"another's user":    {bot, []obj{event("", "@alice:test", "x", nil)}, 403},
		"state":             {bot, []obj{{"sender": "@b_eve:test", "type": "m.room.topic", "state_key": "", "origin_server_ts": 5, "content": obj{}}}, 400},
		"without a time":    {bot, []obj{{"sender": "@b_eve:test", "type": "m.room.message", "content": obj{}}}, 400},
		"content is no obj": {bot, []obj{{"sender": "@b_eve:test", "type": "m.room.message", "origin_server_ts": 5, "content": "x"}}, 400},
	} {
		if status, code, _ := h.answer(c.token, "POST", url, obj{"events": c.events}); status != c.status {
			t.Errorf("%s: %d %s", name, status, code)
		}
	}
}
