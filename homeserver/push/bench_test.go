package push

import (
	"fmt"
	"strings"
	"testing"
)

func BenchmarkEvaluate(b *testing.B) {
	event := `{"content":{"msgtype":"m.text","body":"` + strings.Repeat("some words here ", 12) + `","m.mentions":{}}}`
	defaults := Compile(me, &Changes{})
	c := &Changes{}
	for i := range 100 {
		for k, body := range map[Kind]string{Room: `{"actions":[]}`, Content: fmt.Sprintf(`{"actions":["notify"],"pattern":"keyword%d"}`, i)} {
			if err := c.Put(k, rule(b, k, fmt.Sprint("!", i), body), "", ""); err != nil {
				b.Fatal(err)
			}
		}
	}
	rich := Compile(me, c)
	for _, bench := range []struct {
		name  string
		rules *Ruleset
		fresh bool
	}{{"defaults/first user", defaults, true}, {"defaults/next user", defaults, false}, {"100 keywords/next user", rich, false}} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			e := ev(b, event)
			for b.Loop() {
				if bench.fresh {
					e = NewEvent(e.e)
				}
				if a := bench.rules.Evaluate(e, RoomContext{Members: 1000}); !a.Notify {
					b.Fatal(a)
				}
			}
		})
	}
	b.Run("costly", func(b *testing.B) {
		c := &Changes{}
		for i := range 60 {
			if err := c.Put(Content, rule(b, Content, fmt.Sprint(i), `{"pattern":"`+strings.Repeat("a?", 2000)+`b","actions":[]}`), "", ""); err != nil {
				b.Fatal(err)
			}
		}
		rules, e := Compile(me, c), ev(b, `{"content":{"body":"`+strings.Repeat("a", 60000)+`"}}`)
		for b.Loop() {
			rules.Evaluate(e, RoomContext{})
		}
	})
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Compile(me, &Changes{})
	}
}

func BenchmarkRender(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Render(me, ""); err != nil {
			b.Fatal(err)
		}
	}
}
