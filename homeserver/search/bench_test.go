package search

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/federation/pdu"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

var benchEvents = flag.Int64("events", 100_000, "how many events the benchmark searches")

// talk is a store full of made-up talk: some words are in every other message, most in few.
type talk struct {
	n    int64
	zipf *rand.Zipf
}

// rooms is how many there are to talk in.
const rooms = 1000

func (f *talk) Position() int64 { return f.n }

func (f *talk) Entries(_ context.Context, after int64, limit int) (out []store.Entry, err error) {
	for pos := after + 1; pos <= f.n && len(out) < limit; pos++ {
		out = append(out, store.Entry{Pos: pos, Kind: store.KindEvent, Ref: pos})
	}
	return out, nil
}

func (f *talk) PastEvents(context.Context, int64, int) ([]int64, error) { return nil, nil }

func (f *talk) Event(_ context.Context, nid int64) (*event.Event, error) {
	var b strings.Builder
	for range 12 {
		b.WriteString(word(f.zipf.Uint64()))
		b.WriteByte(' ')
	}
	return &event.Event{NID: nid, Pos: nid, Room: nid % rooms, Author: nid % 500, ID: fmt.Sprint("$", nid), Version: "12",
		PDU: &pdu.PDU{Type: "m.room.message", Sender: id.UserID("@a:b"), Content: []byte(`{"body":"` + b.String() + `"}`)}}, nil
}

// word is the nth word of a language of syllables.
func word(n uint64) string {
	const consonants, vowels = "bdfgklmnprstvz", "aeiou"
	n = n*7919%100_003 + 1000
	var b strings.Builder
	for ; n > 0; n /= 70 {
		b.WriteByte(consonants[n%14])
		b.WriteByte(vowels[n/14%5])
	}
	return b.String()
}

func (f *talk) EventByID(context.Context, string) (*event.Event, error) {
	return nil, store.ErrNotFound
}

// BenchmarkSearch fills an index (-events 1000000 for a million) and searches it.
func BenchmarkSearch(b *testing.B) {
	f := &talk{n: *benchEvents, zipf: rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.1, 8, 100_000)}
	ix, err := Open(b.Context(), Options{Path: filepath.Join(b.TempDir(), "search.db"), Store: f, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer ix.Close()
	began := time.Now()
	for more := true; more; {
		if more, err = ix.step(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	info, err := os.Stat(ix.o.Path)
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("%d us and %d bytes an event", time.Since(began).Microseconds()/f.n, info.Size()/f.n)
	var all []int64
	for i := range int64(rooms) {
		all = append(all, i)
	}
	for _, bm := range []struct {
		name, term string
		rooms      []int64
	}{
		{"common in all rooms", word(0), all}, {"common in one room", word(0), all[:1]}, {"two words", word(3) + " " + word(50), all},
		{"rare", word(90_000), all}, {"beginning", word(40)[:3], all},
	} {
		q, _ := Ask(bm.term)
		for _, recent := range []bool{true, false} {
			b.Run(fmt.Sprintf("%s/recent=%v", bm.name, recent), func(b *testing.B) {
				n := 0
				for b.Loop() {
					hits, err := ix.Search(b.Context(), Query{Question: q, Body: true, Name: true, Topic: true, Rooms: bm.rooms, Recent: recent, Before: 1 << 62, UpTo: f.n, Limit: 11})
					if err != nil {
						b.Fatal(err)
					}
					n = len(hits)
				}
				b.ReportMetric(float64(n), "found")
			})
		}
		b.Run(bm.name+"/count", func(b *testing.B) {
			n := 0
			for b.Loop() {
				if n, err = ix.Count(b.Context(), Query{Question: q, Body: true, Name: true, Topic: true, Rooms: bm.rooms, Before: 1 << 62, UpTo: f.n}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n), "found")
		})
	}
}
