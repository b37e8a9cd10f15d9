package store

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

func TestMediaRefs(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		r := newTestRoom(f, "!r:x")
		a, b := MediaName{"x", "a_1"}, MediaName{"y.org:8448", "b-2"}
		referred := func(m MediaName) (ok bool) {
			f.t.Helper()
			f.write(func(tx *Tx) (err error) { ok, err = tx.MediaReferred(m); return err })
			return ok
		}
		due := func(now, before int64) (names []MediaName) {
			f.t.Helper()
			f.write(func(tx *Tx) (err error) { names, err = tx.UnreferredMedia(now, before, 10); return err })
			return names
		}
		one := r.add(`see <img src="mxc://x/a_1"> and mxc://y.org:8448/b-2, not mxc://x/ or mxc:/x/y`, nil)
		two := r.add("mxc://x/a_1/more mxc://x/a_1", nil)
		if got, err := f.MediaInRoom(ctx, r.name.NID, MediaName{}, 10); err != nil || !slices.Equal(got, []MediaName{a, b}) {
			t.Errorf("%v, %v", got, err)
		}
		if got, err := f.MediaInRoom(ctx, r.name.NID, a, 10); err != nil || !slices.Equal(got, []MediaName{b}) {
			t.Errorf("after the first: %v, %v", got, err)
		}
		if !referred(a) || !referred(b) || referred(MediaName{"x", "a"}) || referred(MediaName{"y.org", "b-2"}) {
			t.Error("the wrong media is referred to")
		}
		prune := func(id string) {
			f.t.Helper()
			e, err := f.EventByID(ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			p := e.Pruned(99)
			raw, err := p.JSON()
			if err != nil {
				t.Fatal(err)
			}
			f.write(func(tx *Tx) error { return tx.PruneEvent(p, raw) })
		}
		if got := due(100, 100); len(got) != 0 {
			t.Errorf("nothing was redacted, and %v", got)
		}
		prune(one.ID)
		if !referred(a) || referred(b) {
			t.Error("after one redaction")
		}
		if got := due(200, 199); len(got) != 0 {
			t.Errorf("not yet due: %v", got)
		}
		if got := due(300, 200); !slices.Equal(got, []MediaName{a, b}) {
			t.Errorf("due: %v", got)
		}
		prune(two.ID)
		if got := due(400, 300); !slices.Equal(got, []MediaName{b}) {
			t.Errorf("one was redacted anew: %v", got)
		}
		f.write(func(tx *Tx) error { return tx.DropUnreferred(b) })
		if got := due(500, 400); !slices.Equal(got, []MediaName{a}) || referred(a) {
			t.Errorf("all redacted: %v, %v", got, referred(a))
		}
		// Profiles and account data count, too.
		f.write(func(tx *Tx) error { return tx.SetProfile(1, Field{"avatar_url", `"mxc://x/a_1"`}) })
		f.write(func(tx *Tx) error {
			return tx.SetAccountData(1, AccountData{Type: "im.ponies.user_emotes", Content: `{"images":{"a":{"url":"mxc://y.org:8448/b-2"}}}`})
		})
		if !referred(a) || !referred(b) {
			t.Error("profile and account data are overlooked")
		}
		f.write(func(tx *Tx) error { return tx.SetProfile(1, Field{"avatar_url", ""}) })
		if referred(a) {
			t.Error("a profile that was changed still counts")
		}

		// Events from before the table are read later.
		three := r.add("mxc://x/three", nil)
		f.write(func(tx *Tx) error {
			return errors.Join(tx.exec("media_ref_delete", three.NID), tx.SetMeta(metaMediaRefs, "0"))
		})
		if referred(MediaName{"x", "three"}) {
			t.Fatal("the reference should be gone")
		}
		if done, err := f.ReadMediaRefs(ctx); !done || err != nil || !referred(MediaName{"x", "three"}) {
			t.Errorf("%v, %v", done, err)
		}
		if done, err := f.ReadMediaRefs(ctx); !done || err != nil {
			t.Errorf("again: %v, %v", done, err)
		}
	})
}

func TestMediaQuarantine(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		one := Media{Origin: "x", ID: "1", Hash: []byte("hash"), Type: "t", Size: 3, Owner: 1, CreatedTS: 5, AccessTS: 5}
		two := one
		two.ID, two.Cached, two.Owner, two.Protected = "2", true, 0, true
		f.write(func(tx *Tx) error { return errors.Join(tx.AddMedia(one), tx.AddMedia(two)) })
		if got, err := f.Media(ctx, "x", "2"); err != nil || !got.Cached || !got.Protected || got.Quarantined || got.Blocked || got.AccessTS != 5 {
			t.Errorf("%+v, %v", got, err)
		}
		set := func(m Media, q bool) {
			f.t.Helper()
			f.write(func(tx *Tx) error { return tx.QuarantineMedia(m, q, 7) })
		}
		blocked := func() bool {
			f.t.Helper()
			ok, err := f.BlockedMedia(ctx, []byte("hash"))
			if err != nil {
				t.Error(err)
			}
			return ok
		}
		set(one, true)
		set(one, true)
		set(two, true)
		if got, err := f.Media(ctx, "x", "1"); err != nil || !got.Quarantined || !got.Blocked || !blocked() {
			t.Errorf("%+v, %v", got, err)
		}
		set(one, false)
		if !blocked() {
			t.Error("the other one is still quarantined")
		}
		set(two, false)
		if got, err := f.Media(ctx, "x", "1"); err != nil || got.Quarantined || got.Blocked || blocked() {
			t.Errorf("%+v, %v", got, err)
		}
		if n, err := f.CachedMediaBytes(ctx); err != nil || n != 3 {
			t.Errorf("%d cached, %v", n, err)
		}
		if hashes, err := f.MediaHashes(ctx, nil, 10); err != nil || len(hashes) != 1 || !bytes.Equal(hashes[0], []byte("hash")) {
			t.Errorf("%q, %v", hashes, err)
		}
		if b, n, err := f.MediaUsage(ctx, 1, 0); err != nil || b != 3 || n != 1 {
			t.Errorf("%d bytes, %d files, %v", b, n, err)
		}
		if b, n, err := f.MediaUsage(ctx, 1, 6); err != nil || b != 0 || n != 0 {
			t.Errorf("later: %d bytes, %d files, %v", b, n, err)
		}
		f.write(func(tx *Tx) error { return tx.TouchMedia("x", "2", 50) })
		if list, err := f.OldestCachedMedia(ctx, 100, 10); err != nil || len(list) != 0 {
			t.Errorf("what is protected is to be dropped: %v, %v", list, err)
		}
		f.write(func(tx *Tx) error { return tx.ProtectMedia("x", "2", false) })
		for before, want := range map[int64]int{50: 0, 51: 1} {
			if list, err := f.OldestCachedMedia(ctx, before, 10); err != nil || len(list) != want {
				t.Errorf("before %d: %v, %v", before, list, err)
			}
		}
	})
}

func TestPreviews(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		for _, p := range []Preview{{"u", 10, 100, "one", "m"}, {"u", 20, 200, "two", ""}, {"u", 20, 200, "three", ""}, {"v", 5, 50, "", ""}} {
			f.write(func(tx *Tx) error { return tx.SetPreview(p) })
		}
		for ms, want := range map[int64]string{10: "one", 19: "one", 20: "three", 99: "three"} {
			if p, err := f.Preview(ctx, "u", ms); err != nil || p.JSON != want {
				t.Errorf("at %d: %+v, %v", ms, p, err)
			}
		}
		if _, err := f.Preview(ctx, "u", 9); !errors.Is(err, ErrNotFound) {
			t.Errorf("before the first: %v", err)
		}
		f.write(func(tx *Tx) error { return tx.DropExpiredPreviews(100) })
		if _, err := f.Preview(ctx, "u", 19); !errors.Is(err, ErrNotFound) {
			t.Errorf("what has run out: %v", err)
		}
	})
}

func FuzzMediaIn(f *testing.F) {
	f.Add([]byte(`{"url":"mxc://x.org/abc","b":"<img src=\"mxc:\/\/y/d\">"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, m := range mediaIn(raw) {
			if m.Origin == "" || m.ID == "" || len(m.Origin) > 255 || len(m.ID) > 255 {
				t.Errorf("%+v", m)
			}
		}
	})
}
