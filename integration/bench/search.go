package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/integration/client"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

const searchToken = "token-of-the-talk-to-the-server"

const searchRegistration = `id: talk
url: null
as_token: ` + searchToken + `
hs_token: token-of-the-server-to-the-talk
sender_localpart: talkbot
rate_limited: false
namespaces:
  users: [{regex: "@talk_.*", exclusive: true}]
`

// searchImport is how many events are brought in by one request.
const searchImport = 5000

// word is the nth word of a made-up language of syllables.
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

// search measures what the index costs the sends, and searches in many events.
func search(ctx context.Context, b *bench) error {
	bot := &client.Client{URL: b.URL(), Token: searchToken}
	room, err := bot.CreateRoom(ctx, map[string]any{"preset": "public_chat"})
	if err != nil {
		return err
	}
	zipf := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.1, 8, 100_000)
	path := "/_matrix/client/unstable/com.beeper.backfill" + strings.TrimPrefix(client.Path("rooms", room, "batch_send"), "/_matrix/client/v3")
	for at := 0; at < b.searched; at += searchImport {
		var events []map[string]any
		for i := at; i < min(at+searchImport, b.searched); i++ {
			var text []string
			for range 12 {
				text = append(text, word(zipf.Uint64()))
			}
			events = append(events, map[string]any{"event_id": fmt.Sprint("$made-up-", i), "sender": "@talkbot:" + b.Name(), "type": "m.room.message",
				"origin_server_ts": 1_600_000_000_000 + int64(i)*1000, "content": client.Message(strings.Join(text, " "))})
		}
		if err := bot.Do(ctx, "POST", path, nil, map[string]any{"events": events}, nil); err != nil {
			return err
		}
	}
	ask := func(term, order string) (time.Duration, error) {
		began := time.Now()
		err := bot.Do(ctx, "POST", client.Path("search"), nil, map[string]any{"search_categories": map[string]any{"room_events": map[string]any{
			"search_term": term, "order_by": order, "event_context": map[string]any{}}}}, nil)
		return time.Since(began), err
	}
	for began := time.Now(); ; {
		// The first search waits for the index, and gives up before all is in it.
		took, err := ask(word(90_000), "recent")
		if err != nil {
			return err
		}
		if took < 5*time.Second {
			b.report.add(result{Key: "search_index_s", What: fmt.Sprintf("until %d imported events can be found", b.searched), Value: time.Since(began).Seconds(), Unit: "s"})
			break
		}
	}
	for _, q := range []struct{ key, what, term, order string }{
		{"common_rank", "a common word, by rank", word(0), "rank"}, {"common_recent", "a common word, newest first", word(0), "recent"},
		{"two_rank", "two words, by rank", word(3) + " " + word(50), "rank"}, {"rare_rank", "a rare word", word(20_000), "rank"},
	} {
		var times []time.Duration
		for range 20 {
			took, err := ask(q.term, q.order)
			if err != nil {
				return err
			}
			times = append(times, took)
		}
		b.report.add(result{Key: "search_" + q.key + "_ms", What: fmt.Sprintf("search in %d events: %s, p50", b.searched, q.what), Value: ms(percentile(times, 50)), Unit: "ms"})
	}
	return b.indexCost(ctx)
}

// indexCost compares the sends of a server with the index and of one without, turn and turn about.
func (b *bench) indexCost(ctx context.Context) error {
	var rates [2]float64
	for range 2 {
		for i, on := range []bool{true, false} {
			rate, err := b.sendRate(ctx, on)
			if err != nil {
				return err
			}
			rates[i] += rate
		}
	}
	b.report.add(result{Key: "search_send_ratio", What: "sends with the search index, as a part of those without", Value: rates[0] / rates[1], Unit: "", Target: 0.9, AtLeast: true})
	return nil
}

// sendRate measures the sends of 64 senders on a fresh server with or without the index.
func (b *bench) sendRate(ctx context.Context, index bool) (rate float64, err error) {
	dir, err := os.MkdirTemp(b.dir, "search-")
	if err != nil {
		return 0, err
	}
	srv, err := testserver.Start(ctx, testserver.Options{Binary: b.binary, Dir: dir, Extra: fmt.Sprintf("search:\n  messages: %v\n", index)})
	if err != nil {
		return 0, err
	}
	defer func() {
		if e := srv.Stop(); err == nil {
			err = e
		}
	}()
	with := *b
	with.Server = srv
	all, err := with.people(ctx, "sender", 64, false)
	if err != nil {
		return 0, err
	}
	if _, err := with.send(ctx, all, time.Second, 1e9); err != nil { // warm up
		return 0, err
	}
	l, err := with.send(ctx, all, b.duration, 1e9)
	return float64(l.sent) / l.took.Seconds(), err
}
