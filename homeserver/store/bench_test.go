package store

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// BenchmarkEvents measures acknowledged writes of an event of a usual size, with full
// durability, by a number of writers that each wait for the answer.
func BenchmarkEvents(b *testing.B) {
	for _, name := range []string{"sqlite", "postgres"} {
		for _, writers := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("%s/%d", name, writers), func(b *testing.B) {
				f := open(b, Options{URI: databases[name](b)})
				r := newTestRoom(f, "!r:x")
				proto, raw, _ := r.make(fmt.Sprintf("%0500d", 1), nil)
				var next atomic.Int64
				b.ReportAllocs()
				b.ResetTimer()
				done := make(chan error, writers)
				for range writers {
					go func() {
						for {
							n := next.Add(1)
							if n > int64(b.N) {
								done <- nil
								return
							}
							e := *proto
							e.NID, e.ID = f.NextEvent(), fmt.Sprintf("$%043d", n)
							if err := f.Write(context.Background(), func(tx *Tx) error {
								tx.SetRoom(Room{NID: r.name.NID, Depth: n, Extremities: []int64{e.NID}})
								return tx.AddEvent(&e, raw)
							}); err != nil {
								done <- err
								return
							}
						}
					}()
				}
				for range writers {
					if err := <-done; err != nil {
						b.Error(err)
					}
				}
				b.StopTimer()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
			})
		}
	}
}

func BenchmarkEventRead(b *testing.B) {
	for _, name := range []string{"sqlite", "postgres"} {
		b.Run(name, func(b *testing.B) {
			f := open(b, Options{URI: databases[name](b)})
			f.events = newEventCache(1)
			r := newTestRoom(f, "!r:x")
			var events []*event.Event
			for i := range 100 {
				events = append(events, r.add(fmt.Sprint(i), nil))
			}
			for i := 0; b.Loop(); i++ {
				if _, err := f.EventByID(context.Background(), events[i%len(events)].ID); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
