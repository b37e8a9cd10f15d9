package federation

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/landbridge-im/landbridge/integration/client"
	"github.com/landbridge-im/landbridge/integration/testserver"
	"github.com/landbridge-im/landbridge/internal/ports"
)

// TestFaults has people of three servers, whose clocks don't agree, speak and change the state of rooms that they
// share, while requests between the servers are lost, late, repeated, and while servers are cut off and killed; one
// that starts again has another clock. Of every other seed's servers one has its data in PostgreSQL. When all is well again the three have the same state and every event that anybody was told has been accepted.
//
// LANDBRIDGE_FAULTS_SEEDS says how many seeds to try after the fixed ones, and LANDBRIDGE_FAULTS_STEPS how many steps
// each person makes.
func TestFaults(t *testing.T) {
	t.Parallel()
	seeds, steps := []uint64{1, 2}, 60
	if s := os.Getenv("LANDBRIDGE_FAULTS_STEPS"); s != "" {
		var err error
		steps, err = strconv.Atoi(s)
		ok(t, err)
	}
	if s := os.Getenv("LANDBRIDGE_FAULTS_SEEDS"); s != "" {
		n, err := strconv.ParseUint(s, 10, 32)
		ok(t, err)
		for i := range n {
			seeds = append(seeds, 100+i)
		}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			if len(seeds) == 2 {
				t.Parallel()
			}
			storm(t, seed, steps)
		})
	}
}

// node is one of the servers.
type node struct {
	*server
	proc *testserver.Server
	// uri is its database if that is one of PostgreSQL.
	uri string
	// up is held for reading by whoever asks the server, and for writing while it is killed.
	up sync.RWMutex
	// root is in all rooms, always, and may do everything; people come and go.
	root   *someone
	people []*someone
	// said are the events that the server has accepted. It belongs to the node's goroutine.
	said []string
}

func storm(t *testing.T, seed uint64, steps int) {
	a, net := newAuthority(t), newNetwork(seed)
	net.calm = true
	var nodes []*node
	var everybody []*someone
	clocks := rand.New(rand.NewPCG(seed, 3))
	for i := range 3 {
		name := ports.Addr(t)
		extra := fmt.Sprintf("federation:\n  enabled: true\n  extra_ca: %q\n  allow_loopback: true\n", a.file())
		uri := ""
		if i == 0 && seed%2 == 0 {
			uri = pg.Database(t)
			extra += fmt.Sprintf("database:\n  uri: %q\n", uri)
		}
		n := &node{proc: testserver.New(t, testserver.Options{Name: name, Env: []string{skew(clocks)}, Extra: extra}), uri: uri}
		n.server = &server{make: "landbridge", name: name, url: n.proc.URL()}
		net.front(t, a, name, n.proc.URL)
		n.root = n.user(t)
		for range 2 {
			n.people = append(n.people, n.user(t))
		}
		everybody = append(everybody, n.people...)
		nodes = append(nodes, n)
	}
	var rooms []string
	for i, version := range []string{"12", "10"} {
		n := nodes[i]
		powers := m{}
		for _, other := range nodes {
			if version != "12" || other != n {
				powers[other.root.UserID] = 100
			}
		}
		for _, p := range everybody {
			powers[p.UserID] = 50
		}
		room := n.root.room(t, version, m{"power_level_content_override": m{"users": powers}})
		rooms = append(rooms, room)
		for _, other := range nodes {
			if other != n {
				other.root.joins(t, room, n.server)
			}
			for _, p := range other.people {
				p.joins(t, room, n.server)
			}
		}
	}
	// A join that crosses another one on its way is heard of with what follows it.
	settle(t, nodes, rooms)
	net.mu.Lock()
	net.calm = false
	net.mu.Unlock()

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var people sync.WaitGroup
	for i, n := range nodes {
		people.Go(func() { n.live(ctx, t, rand.New(rand.NewPCG(seed, uint64(i)+10)), rooms, everybody, steps) })
	}
	over := make(chan struct{})
	var trouble sync.WaitGroup
	trouble.Go(func() { disturb(ctx, t, rand.New(rand.NewPCG(seed, 2)), net, nodes, over) })
	people.Wait()
	close(over)
	trouble.Wait()
	t.Log("what went wrong: ", net.heal())
	settle(t, nodes, rooms)

	// What was accepted is held by all, whether it took effect or not.
	var said []string
	for _, n := range nodes {
		said = append(said, n.said...)
	}
	if len(said) < steps/2 {
		t.Errorf("only %d events were accepted", len(said))
	}
	for _, n := range nodes {
		n.holds(t, said)
	}
}

// skew sets a clock wrong by up to a quarter of an hour.
func skew(rnd *rand.Rand) string {
	return fmt.Sprintf("LANDBRIDGE_TESTING_CLOCK_OFFSET=%ds", rnd.IntN(1801)-900)
}

// live has the people of a server do things that they may or may not.
func (n *node) live(ctx context.Context, t *testing.T, rnd *rand.Rand, rooms []string, everybody []*someone, steps int) {
	for step := range steps {
		room := rooms[rnd.IntN(len(rooms))]
		who := n.people[rnd.IntN(len(n.people))]
		if rnd.IntN(4) == 0 {
			who = n.root
		}
		whom := everybody[rnd.IntN(len(everybody))]
		pause := time.Duration(rnd.IntN(120)) * time.Millisecond
		what := rnd.IntN(20)
		value := rnd.IntN(1000)
		n.up.RLock()
		id, err := n.do(ctx, who, whom, room, fmt.Sprint(n.name, step), what, value)
		n.up.RUnlock()
		var refusal *client.Error
		switch {
		case err == nil && id != "":
			n.said = append(n.said, id)
		case err == nil, ctx.Err() != nil, errors.As(err, &refusal) && refusal.Status < 500 || errors.As(err, &refusal) && refusal.Status == http.StatusBadGateway:
		default:
			t.Errorf("%s: %v", who.UserID, err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// do does one thing; the id is that of the event, if the answer has it.
func (n *node) do(ctx context.Context, who, whom *someone, room, txn string, what, value int) (id string, err error) {
	switch what {
	case 0, 1:
		return who.SetState(ctx, room, "m.room.topic", "", m{"topic": fmt.Sprint(value)})
	case 2:
		return who.SetState(ctx, room, "m.room.name", "", m{"name": fmt.Sprint(value)})
	case 3:
		levels, err := who.StateContent(ctx, room, "m.room.power_levels", "")
		if err != nil {
			return "", err
		}
		users, _ := levels["users"].(m)
		if users == nil {
			return "", nil
		}
		users[whom.UserID] = value % 60
		return who.SetState(ctx, room, "m.room.power_levels", "", levels)
	case 4:
		return "", who.Change(ctx, room, "kick", whom.UserID)
	case 5:
		return "", who.Change(ctx, room, "ban", whom.UserID)
	case 6, 7:
		return "", who.Change(ctx, room, "unban", whom.UserID)
	case 8:
		return "", who.Change(ctx, room, "invite", whom.UserID)
	case 9:
		if who == n.root {
			return "", nil
		}
		return "", who.Leave(ctx, room)
	case 10, 11, 12:
		return "", who.Join(ctx, room)
	case 13:
		rule := []string{"public", "invite", "public"}[value%3]
		return who.SetState(ctx, room, "m.room.join_rules", "", m{"join_rule": rule})
	default:
		return who.Send(ctx, room, "m.room.message", txn, client.Message(txn))
	}
}

// disturb cuts servers off from each other and kills them, until it is over.
func disturb(ctx context.Context, t *testing.T, rnd *rand.Rand, net *network, nodes []*node, over <-chan struct{}) {
	for {
		x := nodes[rnd.IntN(len(nodes))]
		y := nodes[rnd.IntN(len(nodes))]
		length := time.Duration(200+rnd.IntN(500)) * time.Millisecond
		kill := rnd.IntN(3) == 0
		wait := func(d time.Duration) bool {
			select {
			case <-time.After(d):
				return true
			case <-over:
			case <-ctx.Done():
			}
			return false
		}
		switch {
		case kill:
			x.up.Lock()
			if err := x.proc.Kill(); err != nil {
				t.Error(err)
			}
			wait(length)
			x.proc.SetEnv(skew(rnd))
			if err := x.proc.Start(ctx); err != nil {
				t.Error(err)
			}
			x.up.Unlock()
		case x != y:
			net.part(x.name, y.name, true)
			wait(length)
			net.part(x.name, y.name, false)
		}
		if !wait(length) {
			return
		}
	}
}

// settle waits until all agree. Servers that did not reach each other are reminded of one another by what their
// users look up.
func settle(t *testing.T, nodes []*node, rooms []string) {
	t.Helper()
	for _, x := range nodes {
		for _, y := range nodes {
			if x != y {
				eventually(t, "the servers to reach each other", func() error {
					return x.root.Do(t.Context(), "GET", client.Path("profile", y.root.UserID), nil, nil, nil)
				})
			}
		}
	}
	for _, room := range rooms {
		var last []string
		for _, n := range nodes {
			last = append(last, n.root.say(t, room, "is all well again?"))
		}
		for _, n := range nodes {
			for _, id := range last {
				n.root.sees(t, room, id)
			}
		}
		// What follows all of these merges whatever forks are left.
		for _, n := range nodes {
			id := n.root.say(t, room, "it is")
			for _, other := range nodes {
				other.root.sees(t, room, id)
			}
		}
		same(t, room, nodes[0].root, nodes[1].root, nodes[2].root)
	}
}

// holds waits until a server has events, and nothing waits to be taken in: what could not be while another server was
// away is tried again after a while.
func (n *node) holds(t *testing.T, ids []string) {
	t.Helper()
	driver, from := "sqlite", "file:"+n.proc.Database()+"?mode=ro&_pragma=busy_timeout(5000)"
	if n.uri != "" {
		driver, from = "postgres", n.uri
	}
	db, err := sql.Open(driver, from)
	ok(t, err)
	defer db.Close()
	list := func(query string) (out []string) {
		rows, err := db.QueryContext(t.Context(), query)
		ok(t, err)
		defer rows.Close()
		for rows.Next() {
			var id string
			ok(t, rows.Scan(&id))
			out = append(out, id)
		}
		ok(t, rows.Err())
		return out
	}
	check := func() error {
		have := map[string]bool{}
		for _, id := range list("SELECT id FROM event") {
			have[id] = true
		}
		var missing []string
		for _, id := range ids {
			if !have[id] {
				missing = append(missing, id)
			}
		}
		// What is known otherwise (it came with what follows it) goes when it is its turn.
		waiting := list("SELECT id FROM staged_pdu WHERE id NOT IN (SELECT id FROM event)")
		if len(missing)+len(waiting) > 0 {
			return fmt.Errorf("%s lacks %d of %d events: %v, and has %d that wait: %v", n.name, len(missing), len(ids), missing[:min(len(missing), 5)], len(waiting), waiting[:min(len(waiting), 5)])
		}
		return nil
	}
	for end := time.Now().Add(2 * patience); ; time.Sleep(100 * time.Millisecond) {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Error(err)
			return
		}
	}
}
