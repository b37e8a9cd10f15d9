package keys

import (
	"crypto/ed25519"
	"encoding/json/v2"
	"slices"
	"strings"
	"testing"

	"encoding/json/jsontext"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// identity is a user's set of cross-signing keys.
type identity struct {
	user                 string
	master, self, others ed25519.PrivateKey
}

func newIdentity(user, salt string) identity {
	return identity{user, seedOf("m" + salt + user), seedOf("s" + salt + user), seedOf("u" + salt + user)}
}

func crossObject(user, usage string, key ed25519.PrivateKey) object {
	return object{"user_id": user, "usage": []string{usage}, "keys": object{"ed25519:" + pub(key): pub(key)}}
}

func (i identity) masterKey() object { return crossObject(i.user, usageMaster, i.master) }

func (i identity) request(t testing.TB) CrossSigningRequest {
	t.Helper()
	by := func(o object) object { return signBy(o, i.user, "ed25519:"+pub(i.master), i.master) }
	return CrossSigningRequest{
		MasterKey:      raw(t, i.masterKey()),
		SelfSigningKey: raw(t, by(crossObject(i.user, usageSelfSigning, i.self))),
		UserSigningKey: raw(t, by(crossObject(i.user, usageUserSigning, i.others))),
	}
}

func TestCrossSigning(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	alice, bob := f.device("@alice:x", "A", true), f.device("@bob:x", "B", true)
	first, second := newIdentity("@alice:x", "1"), newIdentity("@alice:x", "2")
	needs := func(what string, r CrossSigningRequest, want bool) {
		t.Helper()
		if got, err := f.NeedsInteractive(ctx, alice.Owner, r); err != nil || got != want {
			t.Errorf("%s needs interactive authentication: %v, %v", what, got, err)
		}
	}
	needs("the first upload", first.request(t), false)
	before := f.store.Position()
	for range 2 {
		if err := f.UploadCrossSigning(ctx, alice.Owner, first.request(t)); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.store.Position(); got != before+1 {
		t.Errorf("the log went from %d to %d", before, got)
	}
	needs("the same", first.request(t), false)
	needs("another", second.request(t), true)
	needs("a known key alone", CrossSigningRequest{SelfSigningKey: first.request(t).SelfSigningKey}, false)
	needs("an unknown key alone", CrossSigningRequest{SelfSigningKey: second.request(t).SelfSigningKey}, true)
	mixed := first.request(t)
	mixed.SelfSigningKey = raw(t, signBy(crossObject("@alice:x", usageSelfSigning, second.self), "@alice:x", "ed25519:"+pub(first.master), first.master))
	needs("another self-signing key", mixed, true)

	own, others := f.query(alice, "@alice:x"), f.query(bob, "@alice:x")
	for what, test := range map[string]struct {
		keys map[string]jsontext.Value
		want bool
	}{
		"own master": {own.MasterKeys, true}, "own self-signing": {own.SelfSigningKeys, true}, "own user-signing": {own.UserSigningKeys, true},
		"master": {others.MasterKeys, true}, "self-signing": {others.SelfSigningKeys, true}, "user-signing": {others.UserSigningKeys, false},
	} {
		if _, ok := test.keys["@alice:x"]; ok != test.want {
			t.Errorf("%s key is shown: %v", what, ok)
		}
	}

	// A new master key ends what the old one vouched for.
	if err := f.UploadCrossSigning(ctx, alice.Owner, CrossSigningRequest{MasterKey: raw(t, second.masterKey())}); err != nil {
		t.Fatal(err)
	}
	if own := f.query(alice, "@alice:x"); len(own.SelfSigningKeys)+len(own.UserSigningKeys) != 0 || len(own.MasterKeys) != 1 {
		t.Errorf("after a new master key: %+v", own)
	}
}

func TestBadCrossSigning(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	alice := f.device("@alice:x", "A", true)
	i := newIdentity("@alice:x", "")
	f.device("@alice:x", pub(seedOf("devicekey")), false)
	good := i.request(t)
	cross := func(change func(o object)) CrossSigningRequest {
		o := i.masterKey()
		change(o)
		return CrossSigningRequest{MasterKey: raw(t, o)}
	}
	before := f.store.Position()
	for what, test := range map[string]struct {
		r    CrossSigningRequest
		code string
	}{
		"nothing":          {CrossSigningRequest{}, "M_MISSING_PARAM"},
		"no master":        {CrossSigningRequest{SelfSigningKey: good.SelfSigningKey}, "M_MISSING_PARAM"},
		"unsigned":         {CrossSigningRequest{MasterKey: good.MasterKey, SelfSigningKey: raw(t, crossObject("@alice:x", usageSelfSigning, i.self))}, "M_INVALID_SIGNATURE"},
		"another's master": {CrossSigningRequest{MasterKey: raw(t, newIdentity("@alice:x", "2").masterKey()), SelfSigningKey: good.SelfSigningKey}, "M_INVALID_SIGNATURE"},
		"another user":     {cross(func(o object) { o["user_id"] = "@bob:x" }), "M_INVALID_PARAM"},
		"wrong usage":      {cross(func(o object) { o["usage"] = []string{usageSelfSigning} }), "M_INVALID_PARAM"},
		"two keys": {cross(func(o object) {
			o["keys"] = object{"ed25519:" + pub(i.master): pub(i.master), "ed25519:" + pub(i.self): pub(i.self)}
		}), "M_INVALID_PARAM"},
		"misnamed":       {cross(func(o object) { o["keys"] = object{"ed25519:x": pub(i.master)} }), "M_INVALID_PARAM"},
		"no key":         {cross(func(o object) { o["keys"] = object{"ed25519:AAAA": "AAAA"} }), "M_INVALID_PARAM"},
		"keys is a list": {cross(func(o object) { o["keys"] = []string{} }), "M_BAD_JSON"},
		"no object":      {CrossSigningRequest{MasterKey: jsontext.Value(`"x"`)}, "M_BAD_JSON"},
		"no user":        {cross(func(o object) { delete(o, "user_id") }), "M_INVALID_PARAM"},
		"user a number":  {cross(func(o object) { o["user_id"] = 1 }), "M_BAD_JSON"},
		"no usage":       {cross(func(o object) { delete(o, "usage") }), "M_INVALID_PARAM"},
		"usage is text":  {cross(func(o object) { o["usage"] = "master" }), "M_BAD_JSON"},
		"no keys":        {cross(func(o object) { delete(o, "keys") }), "M_INVALID_PARAM"},
		"empty keys":     {cross(func(o object) { o["keys"] = object{} }), "M_INVALID_PARAM"},
		"another kind":   {cross(func(o object) { o["keys"] = object{"curve25519:" + pub(i.master): pub(i.master)} }), "M_INVALID_PARAM"},
		"key a number":   {cross(func(o object) { o["keys"] = object{"ed25519:" + pub(i.master): 1} }), "M_BAD_JSON"},
		"no base64":      {cross(func(o object) { o["keys"] = object{"ed25519:" + strings.Repeat("%", 43): strings.Repeat("%", 43)} }), "M_INVALID_PARAM"},
		"a list":         {CrossSigningRequest{MasterKey: jsontext.Value(`[]`)}, "M_BAD_JSON"},
		"huge":           {cross(func(o object) { o["x"] = strings.Repeat("x", maxKey) }), "M_TOO_LARGE"},
		"a bad base64": {CrossSigningRequest{MasterKey: good.MasterKey, SelfSigningKey: raw(t, func() object {
			o := crossObject("@alice:x", usageSelfSigning, i.self)
			o["signatures"] = object{"@alice:x": object{"ed25519:" + pub(i.master): "%%%"}}
			return o
		}())}, "M_INVALID_SIGNATURE"},
		"signed in another's name": {CrossSigningRequest{MasterKey: good.MasterKey,
			SelfSigningKey: raw(t, signBy(crossObject("@alice:x", usageSelfSigning, i.self), "@bob:x", "ed25519:"+pub(i.master), i.master))}, "M_INVALID_SIGNATURE"},
		"signed by itself": {CrossSigningRequest{MasterKey: good.MasterKey,
			UserSigningKey: raw(t, signBy(crossObject("@alice:x", usageUserSigning, i.others), "@alice:x", "ed25519:"+pub(i.others), i.others))}, "M_INVALID_SIGNATURE"},
		"id of a device": {CrossSigningRequest{MasterKey: raw(t, crossObject("@alice:x", usageMaster, seedOf("devicekey")))}, "M_FORBIDDEN"},
	} {
		wantCode(t, what, f.UploadCrossSigning(ctx, alice.Owner, test.r), test.code)
	}
	if f.store.Position() != before || len(f.query(alice, "@alice:x").MasterKeys) != 0 {
		t.Error("something was stored nevertheless")
	}
}

// signaturesOn are the signatures on a key, as a query shows it.
func signaturesOn(t *testing.T, key jsontext.Value, user string) []string {
	t.Helper()
	var o struct {
		Signatures map[string]map[string]string `json:"signatures"`
	}
	if err := json.Unmarshal(key, &o); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for id := range o.Signatures[user] {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func TestSignatures(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	alice, bob, eve := f.device("@alice:x", "A", true), f.device("@bob:x", "B", true), f.device("@eve:x", "E", true)
	a, b := newIdentity("@alice:x", ""), newIdentity("@bob:x", "")
	for d, i := range map[*device]identity{&alice: a, &bob: b} {
		if err := f.UploadCrossSigning(ctx, d.Owner, i.request(t)); err != nil {
			t.Fatal(err)
		}
	}
	self, others := "ed25519:"+pub(a.self), "ed25519:"+pub(a.others)
	upload := func(by device, user, id string, o object) *SignaturesResponse {
		t.Helper()
		r, err := f.UploadSignatures(ctx, by.Owner, SignaturesRequest{user: {id: raw(t, o)}})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	start := f.store.Position()
	for what, test := range map[string]struct {
		user, id string
		o        object
	}{
		"own device":     {"@alice:x", "A", signBy(alice.keys(), "@alice:x", self, a.self)},
		"own master":     {"@alice:x", pub(a.master), signBy(a.masterKey(), "@alice:x", "ed25519:A", alice.key)},
		"other's master": {"@bob:x", pub(b.master), signBy(b.masterKey(), "@alice:x", others, a.others)},
	} {
		if r := upload(alice, test.user, test.id, test.o); len(r.Failures) != 0 {
			t.Errorf("%s: %+v", what, r)
		}
	}
	out := f.query(alice, "@alice:x", "@bob:x")
	if got := signaturesOn(t, out.DeviceKeys["@alice:x"]["A"], "@alice:x"); !slices.Equal(got, []string{"ed25519:A", self}) {
		t.Errorf("own device: %v", got)
	}
	if got := signaturesOn(t, out.MasterKeys["@alice:x"], "@alice:x"); !slices.Equal(got, []string{"ed25519:A"}) {
		t.Errorf("own master: %v", got)
	}
	if got := signaturesOn(t, out.MasterKeys["@bob:x"], "@alice:x"); !slices.Equal(got, []string{others}) {
		t.Errorf("other's master: %v", got)
	}
	seen := f.query(eve, "@alice:x", "@bob:x")
	if got := signaturesOn(t, seen.DeviceKeys["@alice:x"]["A"], "@alice:x"); len(got) != 2 {
		t.Errorf("what others see of the device: %v", got)
	}
	if got := signaturesOn(t, seen.MasterKeys["@bob:x"], "@alice:x"); len(got) != 0 {
		t.Errorf("others see whom one has verified: %v", got)
	}
	everybody := func(int64) bool { return true }
	for d, want := range map[*device][]string{&alice: {"@alice:x", "@bob:x"}, &eve: {"@alice:x"}} {
		got, err := f.Changed(ctx, d.UserNID, start, f.store.Position(), everybody)
		if slices.Sort(got); err != nil || !slices.Equal(got, want) {
			t.Errorf("changed for %s: %v, %v", d.UserID, got, err)
		}
	}

	tampered := signBy(alice.keys(), "@alice:x", self, a.self)
	tampered["algorithms"] = []string{"other"}
	for what, test := range map[string]struct {
		by       device
		user, id string
		o        object
		code     string
	}{
		"wrong signature":            {alice, "@alice:x", "A", signBy(alice.keys(), "@alice:x", self, a.others), "M_INVALID_SIGNATURE"},
		"wrong key":                  {alice, "@alice:x", "A", signBy(alice.keys(), "@alice:x", others, a.others), "M_INVALID_SIGNATURE"},
		"another object":             {alice, "@alice:x", "A", tampered, "M_INVALID_PARAM"},
		"nothing new":                {alice, "@alice:x", "A", alice.keys(), "M_INVALID_SIGNATURE"},
		"no such device":             {alice, "@alice:x", "X", alice.keys(), "M_NOT_FOUND"},
		"no such user":               {alice, "@nobody:x", "X", alice.keys(), "M_NOT_FOUND"},
		"another's device":           {alice, "@bob:x", "B", signBy(bob.keys(), "@alice:x", others, a.others), "M_NOT_FOUND"},
		"another's self-signing":     {alice, "@bob:x", pub(b.self), signBy(crossObject("@bob:x", usageSelfSigning, b.self), "@alice:x", others, a.others), "M_NOT_FOUND"},
		"without cross-signing":      {eve, "@bob:x", pub(b.master), signBy(b.masterKey(), "@eve:x", "ed25519:E", eve.key), "M_INVALID_SIGNATURE"},
		"in another's name":          {eve, "@bob:x", pub(b.master), signBy(b.masterKey(), "@alice:x", others, a.others), "M_INVALID_SIGNATURE"},
		"own master by self-signing": {alice, "@alice:x", pub(a.master), signBy(a.masterKey(), "@alice:x", self, a.self), "M_INVALID_SIGNATURE"},
	} {
		r := upload(test.by, test.user, test.id, test.o)
		if got := r.Failures[test.user][test.id].Code; got != test.code {
			t.Errorf("%s: %q, want %s", what, got, test.code)
		}
	}
	if out := f.query(alice, "@alice:x"); len(signaturesOn(t, out.MasterKeys["@alice:x"], "@alice:x")) != 1 {
		t.Error("a refused signature is there")
	}

	// Signatures go with the key that they are on.
	renewed := alice
	renewed.key = seedOf("renewed")
	if _, err := f.Upload(ctx, alice.Owner, UploadRequest{DeviceKeys: raw(t, renewed.keys())}); err != nil {
		t.Fatal(err)
	}
	if got := signaturesOn(t, f.query(alice, "@alice:x").DeviceKeys["@alice:x"]["A"], "@alice:x"); !slices.Equal(got, []string{"ed25519:A"}) {
		t.Errorf("on the new keys: %v", got)
	}
	if err := f.UploadCrossSigning(ctx, bob.Owner, newIdentity("@bob:x", "new").request(t)); err != nil {
		t.Fatal(err)
	}
	if got := signaturesOn(t, f.query(alice, "@bob:x").MasterKeys["@bob:x"], "@alice:x"); len(got) != 0 {
		t.Errorf("on the new master key: %v", got)
	}
}

func FuzzUpload(f *testing.F) {
	d := device{Owner: Owner{UserID: "@a:x", DeviceID: "D"}, key: seedOf("x")}
	f.Add([]byte(raw(f, d.keys())))
	f.Add([]byte(raw(f, newIdentity("@a:x", "").masterKey())))
	f.Add([]byte(`{"signatures":{"a":{"b":1}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if d, err := (&Keys{}).checkDeviceKeys(data, d.Owner); err == nil {
			// What is accepted can be stored, read, and is still valid then.
			text, err := d.encode()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := (&Keys{}).checkDeviceKeys(jsontext.Value(text), Owner{UserID: "@a:x", DeviceID: "D"}); err != nil {
				t.Error(err)
			}
		} else if _, ok := mxerror.As(err); !ok {
			t.Errorf("an error without a public face: %v", err)
		}
		if k, err := parseCrossKey(data, usageMaster); err == nil {
			if _, err := decorate(k.encoded, signatures{"@b:x": {"c": "d"}}, ""); err != nil {
				t.Error(err)
			}
		}
		if _, err := readKeys("one_time_keys", map[string]jsontext.Value{"a:b": data}, 1); err != nil {
			if _, ok := mxerror.As(err); !ok {
				t.Errorf("an error without a public face: %v", err)
			}
		}
	})
}
