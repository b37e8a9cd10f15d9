package keys

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"maunium.net/go/mautrix/crypto/canonicaljson"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

type fixture struct {
	*Keys
	t     testing.TB
	store *store.Store
	uri   string
	now   time.Time
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	f := &fixture{t: t, uri: filepath.Join(t.TempDir(), "test.db"), now: time.UnixMilli(1_700_000_000_000)}
	f.open()
	t.Cleanup(func() {
		if err := f.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func (f *fixture) open() {
	f.t.Helper()
	log := slog.New(slog.DiscardHandler)
	var err error
	if f.store, err = store.Open(f.t.Context(), store.Options{URI: f.uri, Log: log, Relaxed: true}); err != nil {
		f.t.Fatal(err)
	}
	if f.Keys, err = New(Config{Server: "x", Store: f.store, Log: log, Now: func() time.Time { return f.now }}); err != nil {
		f.t.Fatal(err)
	}
}

// device is a device with its signing key.
type device struct {
	Owner
	key ed25519.PrivateKey
}

// seedOf makes a signing key out of a name.
func seedOf(name string) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, name)
	return ed25519.NewKeyFromSeed(seed)
}

func encode64(b []byte) string { return base64.RawStdEncoding.EncodeToString(b) }

func pub(k ed25519.PrivateKey) string { return encode64(k.Public().(ed25519.PublicKey)) }

// device makes a user's device, with identity keys if so wished.
func (f *fixture) device(user, id string, withKeys bool) device {
	f.t.Helper()
	d := device{Owner: Owner{UserID: user, DeviceID: id}, key: seedOf(user + id)}
	err := f.store.Write(f.t.Context(), func(tx *store.Tx) (err error) {
		if d.UserNID, err = tx.NameUser(user); err != nil {
			return err
		}
		row, _, err := tx.EnsureDevice(store.Device{User: d.UserNID, ID: id, Name: id + "'s name"})
		d.DeviceNID = row.NID
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	if withKeys {
		if _, err := f.Upload(f.t.Context(), d.Owner, UploadRequest{DeviceKeys: raw(f.t, d.keys())}); err != nil {
			f.t.Fatal(err)
		}
	}
	return d
}

type object = map[string]any

// signBy adds a signature to an object.
func signBy(o object, user, keyID string, key ed25519.PrivateKey) object {
	c := maps.Clone(o)
	delete(c, "signatures")
	delete(c, "unsigned")
	payload, err := canonicaljson.Marshal(c)
	if err != nil {
		panic(err)
	}
	sigs := object{}
	if old, ok := o["signatures"].(object); ok {
		sigs = maps.Clone(old)
	}
	of := object{}
	if old, ok := sigs[user].(object); ok {
		of = maps.Clone(old)
	}
	of[keyID] = encode64(ed25519.Sign(key, payload))
	sigs[user] = of
	out := maps.Clone(o)
	out["signatures"] = sigs
	return out
}

func (d device) unsignedKeys() object {
	return object{"user_id": d.UserID, "device_id": d.DeviceID, "algorithms": []string{"m.olm.v1.curve25519-aes-sha2"},
		"keys": object{"ed25519:" + d.DeviceID: pub(d.key), "curve25519:" + d.DeviceID: encode64(make([]byte, 32))}}
}

func (d device) keys() object {
	return signBy(d.unsignedKeys(), d.UserID, "ed25519:"+d.DeviceID, d.key)
}

func raw(t testing.TB, v any) jsontext.Value {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func wantCode(t testing.TB, what string, err error, code string) {
	t.Helper()
	if code == "" && err == nil {
		return
	}
	if e, ok := mxerror.As(err); !ok || e.Code != code {
		t.Errorf("%s: %v, want %q", what, err, code)
	}
}

func (f *fixture) query(viewer device, users ...string) *QueryResponse {
	f.t.Helper()
	r := QueryRequest{DeviceKeys: map[string][]string{}}
	for _, u := range users {
		r.DeviceKeys[u] = nil
	}
	out, err := f.Query(f.t.Context(), viewer.Owner, r)
	if err != nil {
		f.t.Fatal(err)
	}
	return out
}

func TestUploadAndQuery(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	alice, bob := f.device("@alice:x", "ALICE", false), f.device("@bob:x", "BOB", true)
	before := f.store.Position()
	for i := range 2 { // the second time changes nothing
		keys := alice.keys()
		keys["unsigned"] = object{"device_display_name": "a lie"}
		r, err := f.Upload(ctx, alice.Owner, UploadRequest{DeviceKeys: raw(t, keys)})
		if err != nil || !maps.Equal(r.OneTimeKeyCounts, map[string]int{"signed_curve25519": 0}) {
			t.Errorf("%v, %v", r, err)
		}
		if got := f.store.Position(); got != before+1 {
			t.Errorf("upload %d: the log went from %d to %d", i, before, got)
		}
	}
	out := f.query(bob, "@alice:x", "@nobody:x", "@carol:elsewhere")
	want := alice.keys()
	want["unsigned"] = object{"device_display_name": "ALICE's name"}
	canonical, err := canonicaljson.Marshal(out.DeviceKeys["@alice:x"]["ALICE"])
	wanted, err2 := canonicaljson.Marshal(want)
	if err := errors.Join(err, err2); err != nil || string(canonical) != string(wanted) {
		t.Errorf("%s\nwant %s, %v", canonical, wanted, err)
	}
	if _, ok := out.DeviceKeys["@nobody:x"]; ok || len(out.Failures) != 1 || out.Failures["elsewhere"].Code == "" {
		t.Errorf("%+v", out)
	}
	one, err := f.Query(ctx, bob.Owner, QueryRequest{DeviceKeys: map[string][]string{"@alice:x": {"OTHER"}}})
	if err != nil || len(one.DeviceKeys["@alice:x"]) != 0 {
		t.Errorf("%+v, %v", one, err)
	}
	_, err = f.Query(ctx, bob.Owner, QueryRequest{})
	wantCode(t, "no question", err, "M_MISSING_PARAM")

	changed, err := f.Changed(ctx, bob.UserNID, before, f.store.Position(), func(user int64) bool { return user == alice.UserNID })
	none, err2 := f.Changed(ctx, bob.UserNID, before, f.store.Position(), func(user int64) bool { return false })
	if err := errors.Join(err, err2); err != nil || !slices.Equal(changed, []string{"@alice:x"}) || len(none) != 0 {
		t.Errorf("changed: %v, %v, %v", changed, none, err)
	}
	if err := f.store.Write(ctx, func(tx *store.Tx) error {
		d, err := tx.Device(alice.UserNID, "ALICE")
		return errors.Join(err, tx.DeleteDevice(d))
	}); err != nil {
		t.Fatal(err)
	}
	if out := f.query(bob, "@alice:x"); len(out.DeviceKeys["@alice:x"]) != 0 {
		t.Errorf("a deleted device: %+v", out)
	}
	_, err = f.Upload(ctx, alice.Owner, UploadRequest{DeviceKeys: raw(t, alice.keys())})
	wantCode(t, "keys of a deleted device", err, "M_NOT_FOUND")
}

func TestBadUploads(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	d := f.device("@alice:x", "D", false)
	before := f.store.Position()
	id := "ed25519:D"
	with := func(change func(o object)) jsontext.Value {
		o := d.unsignedKeys()
		o["keys"] = maps.Clone(o["keys"].(object))
		change(o)
		return raw(t, signBy(o, d.UserID, id, d.key))
	}
	tampered := d.keys()
	tampered["algorithms"] = []string{"x"}
	many := map[string]jsontext.Value{}
	for i := range maxOneTimeKeys + 1 {
		many[fmt.Sprintf("a:%d", i)] = jsontext.Value(`"k"`)
	}
	for what, test := range map[string]struct {
		r    UploadRequest
		code string
	}{
		"another user":     {UploadRequest{DeviceKeys: with(func(o object) { o["user_id"] = "@bob:x" })}, "M_INVALID_PARAM"},
		"another device":   {UploadRequest{DeviceKeys: with(func(o object) { o["device_id"] = "E" })}, "M_INVALID_PARAM"},
		"key of another":   {UploadRequest{DeviceKeys: with(func(o object) { o["keys"].(object)["ed25519:E"] = pub(d.key) })}, "M_INVALID_PARAM"},
		"short key":        {UploadRequest{DeviceKeys: with(func(o object) { o["keys"].(object)["curve25519:D"] = "AAAA" })}, "M_INVALID_PARAM"},
		"no base64":        {UploadRequest{DeviceKeys: with(func(o object) { o["keys"].(object)["curve25519:D"] = "%" })}, "M_INVALID_PARAM"},
		"no identity":      {UploadRequest{DeviceKeys: with(func(o object) { delete(o["keys"].(object), id) })}, "M_BAD_JSON"},
		"algorithms":       {UploadRequest{DeviceKeys: with(func(o object) { o["algorithms"] = "x" })}, "M_BAD_JSON"},
		"no algorithms":    {UploadRequest{DeviceKeys: with(func(o object) { delete(o, "algorithms") })}, "M_BAD_JSON"},
		"no keys":          {UploadRequest{DeviceKeys: with(func(o object) { o["keys"] = nil; delete(o, "keys") })}, "M_BAD_JSON"},
		"no user":          {UploadRequest{DeviceKeys: with(func(o object) { delete(o, "user_id") })}, "M_INVALID_PARAM"},
		"no device":        {UploadRequest{DeviceKeys: with(func(o object) { delete(o, "device_id") })}, "M_INVALID_PARAM"},
		"user is a number": {UploadRequest{DeviceKeys: with(func(o object) { o["user_id"] = 1 })}, "M_BAD_JSON"},
		"a long key":       {UploadRequest{DeviceKeys: with(func(o object) { o["keys"].(object)["curve25519:D"] = pub(d.key) + "AAAA" })}, "M_INVALID_PARAM"},
		"base64 for URLs":  {UploadRequest{DeviceKeys: with(func(o object) { o["keys"].(object)["curve25519:D"] = strings.Repeat("-_", 21) + "A" })}, "M_INVALID_PARAM"},
		"key is a number":  {UploadRequest{DeviceKeys: with(func(o object) { o["keys"].(object)["curve25519:D"] = 1 })}, "M_BAD_JSON"},
		"no kind of key":   {UploadRequest{DeviceKeys: with(func(o object) { o["keys"].(object)[":D"] = pub(d.key) })}, "M_INVALID_PARAM"},
		"no signatures":    {UploadRequest{DeviceKeys: raw(t, d.unsignedKeys())}, "M_BAD_JSON"},
		"signatures list":  {UploadRequest{DeviceKeys: sealed(t, d, []string{"x"})}, "M_BAD_JSON"},
		"signatures text":  {UploadRequest{DeviceKeys: sealed(t, d, object{d.UserID: "x"})}, "M_BAD_JSON"},
		"signature number": {UploadRequest{DeviceKeys: sealed(t, d, object{d.UserID: object{id: 1}})}, "M_BAD_JSON"},
		"signature short":  {UploadRequest{DeviceKeys: sealed(t, d, object{d.UserID: object{id: "AAAA"}})}, "M_INVALID_SIGNATURE"},
		"signature empty":  {UploadRequest{DeviceKeys: sealed(t, d, object{d.UserID: object{id: ""}})}, "M_INVALID_SIGNATURE"},
		"no base64 there":  {UploadRequest{DeviceKeys: sealed(t, d, object{d.UserID: object{id: strings.Repeat("%", 86)}})}, "M_INVALID_SIGNATURE"},
		"names repeat":     {UploadRequest{DeviceKeys: jsontext.Value(`{"user_id":"@alice:x","user_id":"@alice:x"}`)}, "M_BAD_JSON"},
		"one-time list":    {UploadRequest{OneTimeKeys: map[string]jsontext.Value{"a:b": jsontext.Value(`["k"]`)}}, "M_INVALID_PARAM"},
		"one-time sealed":  {UploadRequest{OneTimeKeys: map[string]jsontext.Value{"a:b": jsontext.Value(`{"key":"k","signatures":[]}`)}}, "M_INVALID_PARAM"},
		"one-time huge":    {UploadRequest{OneTimeKeys: map[string]jsontext.Value{"a:b": jsontext.Value(`"` + strings.Repeat("k", maxKey) + `"`)}}, "M_TOO_LARGE"},
		"no name of a key": {UploadRequest{OneTimeKeys: map[string]jsontext.Value{"a:": jsontext.Value(`"k"`)}}, "M_INVALID_PARAM"},
		"a float":          {UploadRequest{DeviceKeys: jsontext.Value(`{"x":1.5}`)}, "M_BAD_JSON"},
		"no object":        {UploadRequest{DeviceKeys: jsontext.Value(`[]`)}, "M_BAD_JSON"},
		"huge":             {UploadRequest{DeviceKeys: with(func(o object) { o["x"] = strings.Repeat("x", maxKey) })}, "M_TOO_LARGE"},
		"tampered with":    {UploadRequest{DeviceKeys: raw(t, tampered)}, "M_INVALID_SIGNATURE"},
		"signed by others": {UploadRequest{DeviceKeys: raw(t, signBy(d.unsignedKeys(), d.UserID, id, seedOf("eve")))}, "M_INVALID_SIGNATURE"},
		"key name":         {UploadRequest{OneTimeKeys: map[string]jsontext.Value{"nocolon": jsontext.Value(`"k"`)}}, "M_INVALID_PARAM"},
		"number as key":    {UploadRequest{OneTimeKeys: map[string]jsontext.Value{"a:b": jsontext.Value(`1`)}}, "M_INVALID_PARAM"},
		"object, no key":   {UploadRequest{OneTimeKeys: map[string]jsontext.Value{"a:b": jsontext.Value(`{}`)}}, "M_INVALID_PARAM"},
		"too many":         {UploadRequest{OneTimeKeys: many}, "M_INVALID_PARAM"},
		"two fallbacks":    {UploadRequest{FallbackKeys: map[string]jsontext.Value{"a:b": jsontext.Value(`"k"`), "a:c": jsontext.Value(`"k"`)}}, "M_INVALID_PARAM"},
	} {
		_, err := f.Upload(ctx, d.Owner, test.r)
		wantCode(t, what, err, test.code)
	}
	_, err := f.Upload(ctx, Owner{UserID: d.UserID, UserNID: d.UserNID}, UploadRequest{})
	wantCode(t, "no device", err, "M_INVALID_PARAM")
	if f.store.Position() != before || len(f.query(d, "@alice:x").DeviceKeys["@alice:x"]) != 0 {
		t.Error("something was stored nevertheless")
	}
}

// sealed are a device's keys with signatures of any form.
func sealed(t *testing.T, d device, signatures any) jsontext.Value {
	o := d.unsignedKeys()
	o["signatures"] = signatures
	return raw(t, o)
}

func otk(n int) map[string]jsontext.Value {
	keys := map[string]jsontext.Value{}
	for i := range n {
		keys[fmt.Sprintf("signed_curve25519:K%03d", i)] = jsontext.Value(fmt.Sprintf(`{"key": "k%03d", "signatures":{}}`, i))
	}
	return keys
}

func TestOneTimeKeys(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	d := f.device("@alice:x", "D", false)
	const n = 60
	upload := UploadRequest{OneTimeKeys: otk(n), UnstableFallbackKeys: map[string]jsontext.Value{"signed_curve25519:F": jsontext.Value(`{"key":"f","fallback":true}`)}}
	for range 2 { // a repeated request is none
		r, err := f.Upload(ctx, d.Owner, upload)
		if err != nil || r.OneTimeKeyCounts["signed_curve25519"] != n {
			t.Fatalf("%v, %v", r, err)
		}
	}
	_, err := f.Upload(ctx, d.Owner, UploadRequest{OneTimeKeys: map[string]jsontext.Value{"signed_curve25519:K001": jsontext.Value(`"other"`), "signed_curve25519:NEW": jsontext.Value(`"new"`)}})
	wantCode(t, "another key of the same name", err, "M_INVALID_PARAM")
	if r, err := f.Upload(ctx, d.Owner, UploadRequest{}); err != nil || r.OneTimeKeyCounts["signed_curve25519"] != n {
		t.Errorf("the refused request left something: %v, %v", r, err)
	}
	claim := func() string {
		r, err := f.Claim(ctx, ClaimRequest{OneTimeKeys: map[string]map[string]string{"@alice:x": {"D": "signed_curve25519", "E": "signed_curve25519"}, "@nobody:x": {"D": "x"}, "@b:y": {"D": "x"}}})
		if err != nil {
			t.Error(err)
			return ""
		}
		if len(r.Failures) != 1 || len(r.OneTimeKeys) > 1 || len(r.OneTimeKeys["@alice:x"]) > 1 {
			t.Errorf("%+v", r)
		}
		for name := range r.OneTimeKeys["@alice:x"]["D"] {
			return name
		}
		return ""
	}
	// In order, also over a restart.
	for i := range 4 {
		if got, want := claim(), fmt.Sprintf("signed_curve25519:K%03d", i); got != want {
			t.Errorf("claimed %s, want %s", got, want)
		}
		if i == 1 {
			if err := f.store.Close(); err != nil {
				t.Fatal(err)
			}
			f.open()
		}
	}
	// Each once, whoever asks at the same time.
	var mu sync.Mutex
	seen := map[string]int{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range (n - 4) / 8 {
				name := claim()
				mu.Lock()
				seen[name]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(seen) != n-4 || seen["signed_curve25519:F"] > 0 {
		t.Errorf("%d different keys of %d: %v", len(seen), n-4, seen)
	}
	// A device that did not hear of its upload repeats it: what was given out is not given out again.
	if r, err := f.Upload(ctx, d.Owner, upload); err != nil || r.OneTimeKeyCounts["signed_curve25519"] != 0 {
		t.Errorf("all keys once more: %v, %v", r, err)
	}
	counts, unused, err := f.Counts(ctx, d.UserNID, "D")
	if err != nil || counts["signed_curve25519"] != 0 || !slices.Equal(unused, []string{"signed_curve25519"}) {
		t.Errorf("%v, %v, %v", counts, unused, err)
	}
	for range 2 {
		if got := claim(); got != "signed_curve25519:F" {
			t.Errorf("with none left: %s", got)
		}
	}
	if _, unused, err := f.Counts(ctx, d.UserNID, "D"); err != nil || len(unused) != 0 {
		t.Errorf("%v, %v", unused, err)
	}
	_, err = f.Claim(ctx, ClaimRequest{})
	wantCode(t, "no question", err, "M_MISSING_PARAM")
	for i := range 2 {
		keys := map[string]jsontext.Value{}
		for j := range maxOneTimeKeys {
			keys[fmt.Sprintf("a:%d-%d", i, j)] = jsontext.Value(`"k"`)
		}
		if _, err := f.Upload(ctx, d.Owner, UploadRequest{OneTimeKeys: keys}); err != nil {
			t.Fatal(err)
		}
	}
	_, err = f.Upload(ctx, d.Owner, UploadRequest{OneTimeKeys: map[string]jsontext.Value{"a:more": jsontext.Value(`"k"`)}})
	wantCode(t, "too many altogether", err, "M_INVALID_PARAM")
}

func TestToDevice(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	alice := f.device("@alice:x", "A", false)
	b1, b2 := f.device("@bob:x", "B1", false), f.device("@bob:x", "B2", false)
	send := func(txn string, messages map[string]map[string]jsontext.Value) ([]string, error) {
		return f.SendToDevice(ctx, alice.Owner, "m.test", txn, ToDeviceRequest{messages})
	}
	inbox := func(d device, after int64) (contents []string, last int64) {
		t.Helper()
		all, err := f.store.ToDeviceAfter(ctx, d.device(), after, f.store.Position(), 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range all {
			contents, last = append(contents, m.Content), m.Pos
			if m.Sender != "@alice:x" || m.Type != "m.test" {
				t.Errorf("%+v", m)
			}
		}
		return contents, last
	}
	for range 2 { // with one transaction id it has its effect once
		unreached, err := send("t1", map[string]map[string]jsontext.Value{
			"@bob:x": {"*": jsontext.Value(`{"to": "all"}`), "B2": jsontext.Value(`{"n":1.5}`), "NONE": jsontext.Value(`{}`)}, "@nobody:x": {"*": jsontext.Value(`{}`)}, "@c:y": {"*": jsontext.Value(`{}`)}})
		if err != nil || !slices.Equal(unreached, []string{"y"}) {
			t.Errorf("%v, %v", unreached, err)
		}
	}
	if _, err := send("t2", map[string]map[string]jsontext.Value{"@bob:x": {"B1": jsontext.Value(`{"n":2}`)}}); err != nil {
		t.Fatal(err)
	}
	got, last := inbox(b1, 0)
	if !slices.Equal(got, []string{`{"to":"all"}`, `{"n":2}`}) {
		t.Errorf("B1 got %v", got)
	}
	if got, _ := inbox(b2, 0); !slices.Equal(got, []string{`{"n":1.5}`}) {
		t.Errorf("B2 got %v", got)
	}
	if err := f.store.Write(ctx, func(tx *store.Tx) error { return tx.DeleteToDevice(b1.device(), last-1) }); err != nil {
		t.Fatal(err)
	}
	if got, _ := inbox(b1, 0); !slices.Equal(got, []string{`{"n":2}`}) {
		t.Errorf("after the acknowledgement B1 has %v", got)
	}
	if got, _ := inbox(b2, 0); len(got) != 1 {
		t.Errorf("after another's acknowledgement B2 has %v", got)
	}
	// A day later the id is forgotten, with other old ones.
	f.now = f.now.Add(25 * time.Hour)
	if _, err := send("t1", map[string]map[string]jsontext.Value{"@bob:x": {"B2": jsontext.Value(`{"late":1}`)}}); err != nil {
		t.Fatal(err)
	}
	if got, _ := inbox(b2, 0); len(got) != 2 {
		t.Errorf("B2 has %v", got)
	}
	for what, test := range map[string]struct {
		messages map[string]map[string]jsontext.Value
		code     string
	}{
		"none":      {nil, "M_MISSING_PARAM"},
		"no object": {map[string]map[string]jsontext.Value{"@bob:x": {"B1": jsontext.Value(`1`)}}, "M_BAD_JSON"},
		"repeated":  {map[string]map[string]jsontext.Value{"@bob:x": {"B1": jsontext.Value(`{"a":1,"a":2}`)}}, "M_BAD_JSON"},
		"huge":      {map[string]map[string]jsontext.Value{"@bob:x": {"B1": jsontext.Value(`{"a":"` + strings.Repeat("x", maxToDevice) + `"}`)}}, "M_TOO_LARGE"},
	} {
		_, err := send(what, test.messages)
		wantCode(t, what, err, test.code)
	}
	_, err := send("", map[string]map[string]jsontext.Value{})
	wantCode(t, "no transaction id", err, "M_INVALID_PARAM")
}
