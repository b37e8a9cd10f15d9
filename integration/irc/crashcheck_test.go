package irc_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to check the files

	"github.com/landbridge-im/landbridge/integration/bridgetest"
)

// check looks for what was lost, repeated or turned round.
func (r *crashRoom) check(ctx context.Context, t *testing.T, admin *bridgetest.Matrix, kills []time.Time, slowest time.Duration) {
	if r.bob != nil {
		r.settle(ctx, t)
	}
	history, err := admin.History(ctx, r.room)
	if err != nil {
		t.Fatal(err)
	}
	inRoom := texts(history)
	for _, s := range r.senders {
		sameOrder(t, "in the room, from "+s.m.UserID, s.acked, from(inRoom, s.m.UserID), true)
	}
	// A client that has followed all the time has seen the same.
	if len(inRoom) > 0 {
		final := inRoom[len(inRoom)-1]
		if _, _, err := r.reader.Await(ctx, 0, r.room, "the last message", message(final.text)); err != nil {
			t.Error(err)
		}
	}
	var synced []bridgetest.Event
	for _, e := range r.reader.Events.All(0) {
		if e.RoomID == r.room {
			synced = append(synced, e)
		}
	}
	sameOrder(t, "over /sync", plain(inRoom), plain(texts(synced)), true)
	if r.bob == nil {
		return
	}

	// From Matrix to IRC.
	var onIRC []spoken
	for _, l := range r.bob.Lines.All(0) {
		if l.Command != "PRIVMSG" || !strings.HasPrefix(l.Nick, "lbridge") {
			continue
		}
		_, text, _ := strings.Cut(l.Text(), "> ")
		onIRC = append(onIRC, spoken{text: text, who: "", at: l.At})
	}
	var acked []string // of all, in the order of the room
	all := map[string]bool{}
	for _, s := range r.senders {
		for _, text := range s.acked {
			all[text] = true
		}
	}
	for _, m := range inRoom {
		if all[m.text] {
			acked = append(acked, m.text)
		}
	}
	missing := sameOrder(t, "on IRC", acked, plain(onIRC), false)
	// What the operating system has is read by the witness to its end. A server drops
	// what it has not read of a connection that is reset, and one is reset on which
	// something came that the dead process has not read; then the sender is told.
	if len(missing) > 0 && !r.direct || len(missing) > len(kills) {
		t.Errorf("%d messages from Matrix never arrived on IRC: %v", len(missing), missing)
	}
	// Who is told, is told a moment after the messages that came later have gone.
	told := warnings(history)
	deadline := time.Now().Add(30 * time.Second)
	for slices.ContainsFunc(missing, func(text string) bool { return told[text] == "" }) && time.Now().Before(deadline) {
		time.Sleep(100 * time.Millisecond)
		if history, err = admin.History(ctx, r.room); err != nil {
			t.Fatal(err)
		}
		told = warnings(history)
	}
	for _, text := range missing {
		if said := told[text]; said == "" {
			t.Errorf("%s never arrived on IRC, and nobody was told", text)
		} else if !strings.Contains(said, "may not have been bridged") {
			t.Errorf("%s never arrived on IRC: %s", text, said)
		}
	}
	t.Logf("to IRC: %d acknowledged, %d arrived, missing %v; of %d the senders were told that they may be", len(acked), len(onIRC), missing, len(told))
	if r.direct {
		r.logReturns(t, kills)
		return
	}
	r.checkHeard(t, slowest, inRoom, synced, kills)
}

// warnings returns, by text, what the bridge has said in a room about messages that
// may not have arrived.
func warnings(history []bridgetest.Event) map[string]string {
	said := map[string]string{} // by event
	for _, e := range history {
		if e.Type == "m.room.message" && strings.HasPrefix(e.Sender, "@ircbot:") && strings.Contains(e.Body(), "bridged") {
			var content struct {
				RelatesTo struct {
					InReplyTo struct {
						EventID string `json:"event_id"`
					} `json:"m.in_reply_to"`
				} `json:"m.relates_to"`
			}
			if json.Unmarshal(e.Content, &content) == nil {
				said[content.RelatesTo.InReplyTo.EventID] = e.Body()
			}
		}
	}
	told := map[string]string{}
	for _, e := range history {
		if words, ok := said[e.ID]; ok {
			told[e.Body()] = words
		}
	}
	return told
}

// checkHeard looks for what the bridge heard on IRC and Matrix does not have. What
// it has acknowledged must be there. The rest can be lost: it was in its hands,
// not yet stored, or in a buffer of the operating system, of which a process that
// is killed never hears. That must not be longer than it took at most to
// acknowledge something.
func (r *crashRoom) checkHeard(t *testing.T, slowest time.Duration, inRoom []spoken, synced []bridgetest.Event, kills []time.Time) {
	t.Helper()
	r.witness.mu.Lock()
	defer r.witness.mu.Unlock()
	cameAt := map[string]time.Time{}
	for _, e := range synced {
		cameAt[e.Body()] = e.At
	}
	var took bridgetest.Latencies
	allowed := 2*slowest + 250*time.Millisecond
	for _, p := range r.people {
		var said []string
		for _, s := range p.said {
			said = append(said, s.text)
			if at, ok := cameAt[s.text]; ok {
				took = append(took, at.Sub(s.at))
			}
		}
		gone := map[string]bool{}
		for _, text := range sameOrder(t, "from "+p.p.Nick, said, from(inRoom, "@irc_"+r.name+"."+p.p.Nick+":test"), false) {
			gone[text] = true
		}
		var heard, acked, lost int
		var oldest time.Duration
		for _, h := range r.witness.heard {
			if h.nick != p.p.Nick {
				continue
			}
			heard++
			if h.acked {
				acked++
			}
			if !gone[h.text] {
				continue
			}
			lost++
			// The end of the connection; it can have been passed on a moment later.
			next, _ := slices.BinarySearchFunc(kills, h.since, time.Time.Compare)
			if h.acked || next == len(kills) {
				t.Errorf("the bridge acknowledged %s %v and lost it", h.text, h.at)
				continue
			}
			age := kills[next].Sub(h.at)
			oldest = max(oldest, age)
			if age > allowed {
				t.Errorf("%s was passed on %v before the crash and is lost; allowed are %v", h.text, age, allowed)
			}
		}
		t.Logf("from %s: %d said, %d heard by the bridge, %d acknowledged; %d of the others lost, passed on up to %v before a crash",
			p.p.Nick, len(said), heard, acked, lost, oldest.Round(time.Microsecond))
	}
	t.Logf("an acknowledgement took up to %v; from IRC to a reader, over all crashes: %v", r.witness.slow.Round(time.Microsecond), took)
	r.logReturns(t, kills)
}

// logReturns tells how long after a crash the bridge was in the channel again.
func (r *crashRoom) logReturns(t *testing.T, kills []time.Time) {
	var took bridgetest.Latencies
	for _, l := range r.bob.Lines.All(0) {
		if l.Command != "JOIN" || !strings.HasPrefix(l.Nick, "lbridge") {
			continue
		}
		if next, _ := slices.BinarySearchFunc(kills, l.At, time.Time.Compare); next > 0 {
			took = append(took, l.At.Sub(kills[next-1]))
		}
	}
	t.Logf("back in the channel after a crash, %d times: %v", len(took), took)
}

// settle waits until bob has read what the senders sent last, or for so long
// that it will not come.
func (r *crashRoom) settle(ctx context.Context, t *testing.T) {
	for _, s := range r.senders {
		if len(s.acked) == 0 {
			continue
		}
		text := s.acked[len(s.acked)-1]
		one, cancel := context.WithTimeout(ctx, patience)
		if _, _, err := r.bob.Await(one, 0, "", "PRIVMSG", "> "+text); err != nil {
			t.Errorf("%s never arrived on IRC", text)
		}
		cancel()
	}
	// What the bridge has acknowledged is stored, and may come into the room a moment later. What never
	// comes is found by the checks.
	last := map[string]string{}
	r.witness.mu.Lock()
	for _, h := range r.witness.heard {
		last[h.nick] = h.text
	}
	r.witness.mu.Unlock()
	for _, text := range last {
		one, cancel := context.WithTimeout(ctx, arrival)
		_, _, _ = r.reader.Await(one, 0, r.room, "the last line", message(text))
		cancel()
	}
}

// arrival is how long the last lines from IRC may take.
const arrival = 10 * time.Second

type spoken struct {
	who, text string
	at        time.Time
}

// texts are the messages among events that the test has sent.
func texts(events []bridgetest.Event) []spoken {
	var out []spoken
	for _, e := range events {
		if e.Type == "m.room.message" && strings.HasSuffix(e.Body(), ".") && strings.Contains(e.Body(), "-") && e.Field("msgtype") == "m.text" {
			out = append(out, spoken{who: e.Sender, text: e.Body()})
		}
	}
	return out
}

func from(list []spoken, who string) []string {
	var out []string
	for _, m := range list {
		if m.who == who {
			out = append(out, m.text)
		}
	}
	return out
}

func plain(list []spoken) []string {
	out := make([]string, len(list))
	for i, m := range list {
		out[i] = m.text
	}
	return out
}

// sameOrder checks that what is got is what is wanted, in order and nothing
// twice, and returns what is missing. With all, nothing may be.
func sameOrder(t *testing.T, where string, want, got []string, all bool) (missing []string) {
	t.Helper()
	place := make(map[string]int, len(want))
	for i, text := range want {
		place[text] = i
	}
	seen := map[string]int{}
	before := -1
	var twice, strange, turned []string
	for _, text := range got {
		at, ok := place[text]
		if !ok {
			strange = append(strange, text)
			continue
		}
		if seen[text]++; seen[text] > 1 {
			twice = append(twice, text)
			continue
		}
		if at < before {
			turned = append(turned, fmt.Sprintf("%s after %s", text, want[before]))
		}
		before = max(before, at)
	}
	for _, text := range want {
		if seen[text] == 0 {
			missing = append(missing, text)
		}
	}
	if len(twice)+len(strange)+len(turned) > 0 {
		t.Errorf("%s: twice %v, never sent %v, out of order %v", where, twice, strange, turned)
	}
	if all && len(missing) > 0 {
		t.Errorf("%s: %d of %d are missing: %v", where, len(missing), len(want), missing)
	}
	return missing
}

// checkFile checks that a SQLite file is whole.
func checkFile(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var result string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&result); err != nil || result != "ok" {
		t.Errorf("%s: %s, %v", path, result, err)
	}
	rows, err := db.Query("PRAGMA foreign_key_check")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		t.Errorf("%s: a foreign key points nowhere", path)
	}
	if err := rows.Err(); err != nil {
		t.Error(err)
	}
}
