package stateres

import (
	"fmt"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/statetree"
)

// BenchmarkFork resolves a fork of a public room of 10,000 members: on each side half of them
// joined without the other side's knowing, and was renamed once.
func BenchmarkFork(b *testing.B) {
	for _, v := range []string{"11", "12"} {
		for _, n := range []int{100, 10000} {
			b.Run(fmt.Sprintf("version=%s/members=%d", v, n), func(b *testing.B) {
				fork(b, v, n, n)
			})
		}
	}
	// In a large room a small fork must cost what is forked.
	b.Run("version=12/members=10000/forked=10", func(b *testing.B) { fork(b, "12", 10000, 10) })
}

func fork(b *testing.B, version string, members, forked int) {
	g := (&graph{kit: newKit(b, "11")}).begin(b, version)
	join := func(root statetree.Ref, i int, name string, auth []int64) statetree.Ref {
		user := fmt.Sprintf("@user%d:server%d", i, i%100)
		p := proto{typ: "m.room.member", key: user, sender: user, content: fmt.Sprintf(`{"membership":"join","displayname":%q}`, name), ts: int64(len(g.events)), auth: auth}
		edit := g.forest.Edit(root)
		e := g.make(b, p)
		if err := edit.Put(b.Context(), e.Key, g.add(e, auth)); err != nil {
			b.Fatal(err)
		}
		root, packs := edit.Finish()
		g.store(packs)
		return root
	}
	base := g.after[len(g.after)-1]
	rest := g.selectAuth(b, proto{typ: "m.room.member", key: "@x:y", sender: "@x:y", content: joins}, func(key int64) int64 {
		nid, _, _ := g.forest.Get(b.Context(), base, key)
		return nid
	})
	for i := range members - forked {
		base = join(base, i, "before", rest)
	}
	left, right := base, base
	for i := members - forked; i < members; i++ {
		side := &left
		if i%2 == 0 {
			side = &right
		}
		*side = join(*side, i, "first", rest)
		*side = join(*side, i, "second", append([]int64{int64(len(g.events))}, rest...))
	}
	b.ReportAllocs()
	for b.Loop() {
		r := Resolver{Trees: g.forest, Source: g}
		res, err := r.Resolve(b.Context(), Fork{Version: g.version, Create: g.events[0], Roots: []statetree.Ref{left, right}})
		if err != nil || len(res.Changes) != forked/2 {
			b.Fatalf("%d changes, %v", len(res.Changes), err)
		}
	}
}
