package console

import (
	"context"
	"encoding/json/v2"
	"fmt"

	"github.com/landbridge-im/landbridge/doctor"
	"github.com/landbridge-im/landbridge/internal/sentence"
)

// examineView is a page with what an examination finds. With a script it is shown as it comes; without, when
// all is there.
type examineView struct {
	Stream, Plain, Back string
	Found               []doctor.Finding
	Run                 bool
}

// examineBridge examines a bridge that is configured.
func (c *Console) examineBridge(v *visit) error {
	id := v.r.URL.Query().Get("id")
	return c.examine(v, say("Bridge %s", id), Path+"/bridges/show?id="+id, func(ctx context.Context, tell func(doctor.Finding)) error {
		return c.o.Backend.ExamineBridge(ctx, id, tell)
	})
}

// examineEntry examines one that is being set up.
func (c *Console) examineEntry(v *visit) error {
	entry, ok := c.examinees.get(c.o.Now(), v.r.URL.Query().Get("key"), v.who.User)
	if !ok {
		return problemf("That took too long; begin anew.")
	}
	return c.examine(v, say("What the doctor says"), Path+"/setup", func(ctx context.Context, tell func(doctor.Finding)) error {
		return c.o.Backend.ExamineEntry(ctx, entry, tell)
	})
}

func (c *Console) examine(v *visit, title sentence.Text, back string, do func(context.Context, func(doctor.Finding)) error) error {
	q := v.r.URL.Query()
	if q.Get("stream") == "yes" {
		return v.examineStream(do)
	}
	out := examineView{Stream: v.r.URL.Path + "?stream=yes&" + q.Encode(), Plain: v.r.URL.Path + "?run=yes&" + q.Encode(), Back: back, Run: q.Get("run") == "yes"}
	if out.Run {
		if err := do(v.ctx, func(f doctor.Finding) { out.Found = append(out.Found, f) }); err != nil {
			return problem{err}
		}
	}
	return v.show("/setup", title, "examine", out)
}

// found is a finding for a script, in the reader's language.
func (v *visit) found(f doctor.Finding) doctor.Finding {
	return doctor.Finding{Area: sentence.Data(v.say(f.Area)), Verdict: f.Verdict, Text: sentence.Data(v.say(f.Text)), Mend: sentence.Data(v.say(f.Mend))}
}

// examineStream sends findings as server-sent events; the last one is {"end": true}.
func (v *visit) examineStream(do func(context.Context, func(doctor.Finding)) error) error {
	out := v.stream()
	ctx, cancel := context.WithCancel(v.ctx)
	defer cancel()
	send := func(what any) {
		raw, err := json.Marshal(what)
		if err == nil {
			_, err = fmt.Fprintf(v.w, "data: %s\n\n", raw)
		}
		if err == nil {
			err = out.Flush()
		}
		if err != nil {
			cancel() // the browser is gone
		}
	}
	err := do(ctx, func(f doctor.Finding) { send(v.found(f)) })
	last := map[string]any{"end": true}
	if err != nil {
		last["error"] = v.say(sentence.Of(err))
	}
	send(last)
	return nil
}
