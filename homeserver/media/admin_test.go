package media

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

func (f *fixture) found(origin, id string) bool {
	f.t.Helper()
	_, err := f.Find(f.t.Context(), Query{Origin: origin, ID: id})
	if err != nil {
		wantCode(f.t, id, err, "M_NOT_FOUND")
	}
	return err == nil
}

func (f *fixture) check(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func local(id string) store.MediaName { return store.MediaName{Origin: "x.org", ID: id} }

func TestQuota(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		quota   Quota
		sizes   []int
		refused int // the first of sizes that is refused
		later   bool
	}{
		"bytes":           {Quota{Bytes: 10}, []int{4, 6, 1}, 2, false},
		"one too large":   {Quota{Bytes: 10}, []int{11}, 0, false},
		"files":           {Quota{Files: 2}, []int{1, 0, 0}, 2, false},
		"bytes for a day": {Quota{Bytes: 10, Window: 24 * time.Hour}, []int{10, 1}, 1, true},
		"none":            {Quota{}, []int{1000, 1000}, 2, true},
		"files for a day": {Quota{Files: 1, Window: 24 * time.Hour}, []int{1, 1}, 1, true},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, func(c *Config) { c.Quota = test.quota })
			upload := func(by Uploader, size int) error {
				_, err := f.Upload(t.Context(), by, Meta{}, strings.NewReader(strings.Repeat("x", size)))
				return err
			}
			for i, size := range test.sizes {
				code := ""
				if i >= test.refused {
					code = "M_FORBIDDEN"
				}
				wantCode(t, fmt.Sprint("file ", i), upload(Uploader{User: 1}, size), code)
			}
			wantCode(t, "another user", upload(Uploader{User: 2}, 1), "")
			wantCode(t, "a service", upload(Uploader{User: 1, Unlimited: true}, 100), "")
			f.ahead = 25 * time.Hour
			code := "M_FORBIDDEN"
			if test.later {
				code = ""
			}
			wantCode(t, "a day later", upload(Uploader{User: 1}, max(1, test.sizes[0]-3)), code)
		})
	}
}

// TestQuotaOfReservations: a reserved id counts when its file comes.
func TestQuotaOfReservations(t *testing.T) {
	t.Parallel()
	f, ctx, by := newFixture(t, func(c *Config) { c.Quota.Files = 1 }), t.Context(), Uploader{User: 1}
	var ids []string
	for range 2 {
		id, _, err := f.Reserve(ctx, by)
		f.check(err)
		ids = append(ids, id)
	}
	f.check(f.Fill(ctx, by, "x.org", ids[0], Meta{}, strings.NewReader("1")))
	wantCode(t, "the second", f.Fill(ctx, by, "x.org", ids[1], Meta{}, strings.NewReader("2")), "M_FORBIDDEN")
	_, _, err := f.Reserve(ctx, by)
	wantCode(t, "a third", err, "M_FORBIDDEN")
	if u, err := f.Usage(ctx, 1); err != nil || u != (Tally{1, 1}) || len(f.files()) != 1 {
		t.Errorf("%+v, %v, %v", u, err, f.files())
	}
}

func TestQuarantine(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	bad, same, other := f.upload(Meta{}, "bad"), f.upload(Meta{}, "bad"), f.upload(Meta{}, "good")
	f.check(f.Quarantine(ctx, local(bad), true))
	if f.found("x.org", bad) || f.found("x.org", same) || !f.found("x.org", other) {
		t.Error("the wrong media is quarantined")
	}
	_, err := f.Upload(ctx, Uploader{User: 2}, Meta{}, strings.NewReader("bad"))
	wantCode(t, "the same content again", err, "M_FORBIDDEN")
	if got := len(f.files()); got != 2 {
		t.Errorf("%d files: the evidence must stay", got)
	}
	// It stays refused also when the media is deleted.
	f.check(f.Delete(ctx, local(same)))
	f.check(f.Quarantine(ctx, local(bad), false))
	if !f.found("x.org", bad) {
		t.Error("no longer quarantined, and not found")
	}
	f.check(f.Quarantine(ctx, local(bad), true))
	f.check(f.Delete(ctx, local(bad)))
	_, err = f.Upload(ctx, Uploader{User: 2}, Meta{}, strings.NewReader("bad"))
	wantCode(t, "after it was deleted", err, "M_FORBIDDEN")
	if got := f.files(); len(got) != 1 {
		t.Errorf("left: %v", got)
	}
	wantCode(t, "what is not there", f.Quarantine(ctx, local("none"), true), "M_NOT_FOUND")
	wantCode(t, "what is not there", f.Delete(ctx, local("none")), "M_NOT_FOUND")
	wantCode(t, "what is not there", f.Protect(ctx, local("none"), true), "M_NOT_FOUND")

	kept := f.upload(Meta{}, "kept")
	f.check(f.Protect(ctx, local(kept), true))
	if tally, err := f.QuarantineByUser(ctx, 1); err != nil || tally != (Tally{1, 4}) {
		t.Errorf("%+v, %v", tally, err)
	}
	if f.found("x.org", other) || !f.found("x.org", kept) {
		t.Error("of a user, the wrong media is quarantined")
	}
}

func TestListAndDeleteByUser(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	var ids []string
	for i := range 5 {
		f.ahead = time.Duration(i) * time.Minute
		ids = append(ids, f.upload(Meta{Name: fmt.Sprint(i)}, fmt.Sprint("file ", i)))
	}
	_, err := f.Upload(ctx, Uploader{User: 2}, Meta{}, strings.NewReader("file 0"))
	f.check(err)
	var got []string
	for last := (store.Media{}); ; {
		list, err := f.ListByUser(ctx, 1, last, 2)
		f.check(err)
		if len(list) == 0 {
			break
		}
		for _, m := range list {
			got = append(got, m.ID)
		}
		last = list[len(list)-1]
	}
	if !slices.Equal(got, ids) {
		t.Errorf("listed %v, want %v", got, ids)
	}
	f.check(f.Protect(ctx, local(ids[1]), true))
	if tally, err := f.DeleteByUser(ctx, 1, f.c.Now().Add(-time.Minute)); err != nil || tally != (Tally{2, 12}) {
		t.Errorf("%+v, %v", tally, err)
	}
	for i, id := range ids {
		if want := i == 1 || i > 2; f.found("x.org", id) != want {
			t.Errorf("file %d: %v", i, !want)
		}
	}
	// The other user has the bytes of file 0 too.
	if got := len(f.files()); got != 4 {
		t.Errorf("%v", f.files())
	}
}

func TestThumbnailsGoWithTheirMedia(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.upload(Meta{}, encode(t, "png", drawn(600, 600, 255)))
	get(t, f.thumbnailOf(id), "/?width=96&height=96")
	get(t, f.thumbnailOf(id), "/?width=900&height=900")
	if len(f.files()) != 3 {
		t.Fatalf("%v", f.files())
	}
	f.check(f.Delete(t.Context(), local(id)))
	if left := f.files(); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestThumbnailsAreBounded(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *Config) { c.ThumbnailBytes = 4000 })
	for i := range 6 {
		m := drawn(300, 300+i, 255)
		get(t, f.thumbnailOf(f.upload(Meta{}, encode(t, "png", m))), "/?width=96&height=96")
	}
	before := len(f.files())
	f.check(f.Tidy(t.Context()))
	var size int64
	thumbnails := 0
	for _, file := range f.files() {
		if info, err := os.Stat(f.c.Dir + "/" + file); err == nil && strings.HasPrefix(file, thumbnailDir) {
			thumbnails++
			size += info.Size()
		}
	}
	if before != 12 || size > 4000 || thumbnails == 0 {
		t.Errorf("%d files before, %d thumbnails of %d bytes after", before, thumbnails, size)
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	good, lost, broken := f.upload(Meta{}, "good"), f.upload(Meta{}, "lost"), f.upload(Meta{}, "broken")
	path := func(id string) string {
		m, err := f.Info(ctx, local(id))
		f.check(err)
		return disk{f.c.Dir}.path(key(m.Hash))
	}
	f.check(os.Remove(path(lost)))
	f.check(os.WriteFile(path(broken), []byte("brokem"), 0o600))
	orphan := strings.Repeat("ab", 32)
	f.check(os.MkdirAll(f.c.Dir+"/ab/ab", 0o700))
	f.check(os.WriteFile(f.c.Dir+"/ab/ab/"+orphan, []byte("?"), 0o600))
	f.check(os.WriteFile(f.c.Dir+"/README", []byte("somebody's"), 0o600))
	verify := func(remove bool) map[Fault]int {
		got := map[Fault]int{}
		if n, err := f.Verify(ctx, remove, func(_ string, fault Fault) { got[fault]++ }); err != nil || n != 3 {
			t.Errorf("%d files, %v", n, err)
		}
		return got
	}
	if got := verify(true); got[Missing] != 1 || got[Damaged] != 1 || got[Orphan] != 1 {
		t.Errorf("%v", got)
	}
	if got := verify(false); got[Missing] != 1 || got[Damaged] != 1 || got[Orphan] != 0 {
		t.Errorf("after the removal: %v", got)
	}
	if _, err := os.Stat(f.c.Dir + "/README"); err != nil {
		t.Errorf("what is not ours: %v", err)
	}
	// Uploading it again mends it.
	f.upload(Meta{}, "lost")
	f.upload(Meta{}, "broken")
	if got := verify(false); len(got) != 0 || !f.found("x.org", good) {
		t.Errorf("mended: %v", got)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := f.Verify(cancelled, false, func(string, Fault) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
}

func nameOf(origin, id string) store.MediaName { return store.MediaName{Origin: origin, ID: id} }
