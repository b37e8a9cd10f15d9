package irc

import (
	"fmt"
	"testing"

	"maunium.net/go/mautrix/bridgev2/networkid"
)

func TestArrivalsComeInGroups(t *testing.T) {
	t.Parallel()
	a := &arrivals{gone: make(map[networkid.UserID]bool)}
	const n = 2*arrivalGroup + 10
	for i := range n {
		a.list = append(a.list, member{nick: fmt.Sprint(i), ghost: networkid.UserID(fmt.Sprint("net.", i))})
	}
	var got []string
	for round := 0; len(a.list) > 0; round++ {
		group := a.next()
		if len(group) > arrivalGroup {
			t.Fatalf("%d people arrive at once", len(group))
		}
		for _, m := range group {
			got = append(got, m.nick)
		}
		if round == 0 {
			a.drop("net.0")                                         // is there already
			a.drop(networkid.UserID(fmt.Sprint("net.", n-1)))       // has left meanwhile
			a.drop("net.somebody who was never on the list at all") // nobody
		}
	}
	if len(got) != n-1 || got[0] != "0" || got[n-2] != fmt.Sprint(n-2) {
		t.Errorf("%d arrived, from %s to %s", len(got), got[0], got[len(got)-1])
	}
	a.drop("net.5") // nobody is awaited: nothing is kept
	if a.gone != nil {
		t.Error("the list of those who are gone grows for ever")
	}
}

func TestPeopleAreClaimedOnce(t *testing.T) {
	t.Parallel()
	p := newPeople()
	if known, ok := p.claim("net.a", "A"); known || !ok {
		t.Fatalf("claim = %v, %v", known, ok)
	}
	list := []member{{"A", "net.a"}, {"B", "net.b"}, {"C", "net.c"}}
	mine := p.claimNew(list)
	if len(mine) != 2 || mine[0].nick != "B" || mine[1].nick != "C" {
		t.Fatalf("claimed %v", mine)
	}
	arrived := make(chan string)
	go func() {
		p.await("net.a") // until the account is there
		name, _ := p.name("net.a")
		arrived <- name
	}()
	p.release("net.a", "A")
	if name := <-arrived; name != "A" {
		t.Errorf("who is being introduced was not waited for: %q", name)
	}
	if _, ok := p.claim("net.a", "Ay"); !ok {
		t.Error("a rename cannot be claimed")
	}
	p.await("net.a") // a rename is not waited for
	p.release("net.a", "A")
	waited := make(chan bool)
	go func() {
		known, ok := p.claim("net.b", "Bee") // waits for the release
		waited <- known && ok
	}()
	p.release("net.b", "B")
	if !<-waited {
		t.Error("a rename is not seen as one")
	}
	p.release("net.b", "Bee")
	if name, ok := p.name("net.b"); !ok || name != "Bee" {
		t.Errorf("name = %q, %v", name, ok)
	}
	p.release("net.c", "") // has failed
	if _, ok := p.name("net.c"); ok {
		t.Error("who could not be introduced counts as known")
	}
	if mine := p.claimNew(list); len(mine) != 1 || mine[0].nick != "C" {
		t.Errorf("claimed then %v", mine)
	}
}
