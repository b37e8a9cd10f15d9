package console

import (
	"runtime"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/internal/sentence"
)

// light is how something does: good, doubt or bad.
type light struct {
	State      string
	Name, Text sentence.Text
	Link       string
}

type homeView struct {
	Server, Version, Go string
	Up                  sentence.Text
	Lights              []light
	Totals              store.Totals
	Disk                []amount
	DiskAll             int64
	Audits              []store.Audit
}

type amount struct {
	Name  string
	Bytes int64
	Part  int // of a hundred
}

func (c *Console) home(v *visit) error {
	totals, err := c.totals.get(func() (store.Totals, error) { return c.o.Store.Totals(v.ctx) })
	if err != nil {
		return err
	}
	audits, err := c.o.Store.Audits(v.ctx, 0, 5)
	if err != nil {
		return err
	}
	out := homeView{Server: c.o.Server, Version: c.o.Version, Up: ago(c.o.Now().Sub(c.began)), Go: runtime.Version(), Totals: totals, Audits: audits}
	out.Lights = c.lights()
	if out.Disk, out.DiskAll, err = c.diskUse(); err != nil {
		return err
	}
	return v.show("/", say("Overview"), "home", out)
}

// diskUse tells what takes how much of the disk, most first.
func (c *Console) diskUse() (list []amount, all int64, err error) {
	use, err := c.disk.get(func() (map[string]int64, error) { return c.o.Backend.Disk(), nil })
	if err != nil {
		return nil, 0, err
	}
	for _, n := range use {
		all += n
	}
	for name, n := range use {
		list = append(list, amount{name, n, int(100 * n / max(all, 1))})
	}
	sortBy(list, func(a amount) int64 { return -a.Bytes })
	return list, all, nil
}

// lights tell at a glance whether something is wrong.
func (c *Console) lights() (out []light) {
	w := c.o.Store.WriterStats()
	db := light{"good", say("Database"), say("writes are taken at once"), Path + "/charts"}
	if w.Waiting > w.WaitingMax/10 {
		db.State, db.Text = "doubt", say("%s writes wait", number(int64(w.Waiting)))
	}
	out = append(out, db)
	for _, b := range c.o.Backend.Bridges() {
		l := light{"good", say("Bridge %s", b.ID), say("%s, running", b.Module), Path + "/bridges/show?id=" + b.ID}
		if b.State != "running" {
			l.State, l.Text = "bad", say(b.State)
		}
		for _, login := range b.Logins {
			if login.State != "CONNECTED" {
				l.State, l.Text = "bad", say("%s is %s", login.Name, say(lower(login.State)))
			}
		}
		out = append(out, l)
	}
	for _, s := range c.o.Backend.Services() {
		if s.Own {
			continue
		}
		l := light{"good", say("Service %s", s.ID), say("reachable"), Path + "/bridges"}
		if !s.Reachable {
			l.State, l.Text = "bad", say("not reachable since %s", ago(c.o.Now().Sub(s.Since)))
		} else if s.Behind > 1000 {
			l.State, l.Text = "doubt", say("%s entries behind", number(s.Behind))
		}
		out = append(out, l)
	}
	return append(out, c.backupLight())
}

func (c *Console) backupLight() light {
	l := light{"doubt", say("Backups"), say("there is none yet"), Path + "/backups"}
	list, err := c.o.Backend.Backups()
	if err != nil {
		l.State, l.Text = "bad", sentence.Of(err)
	} else if len(list) > 0 {
		age := c.o.Now().Sub(list[0].At)
		l.Text = say("the newest is %s old", ago(age))
		if age < 48*time.Hour {
			l.State = "good"
		}
	}
	return l
}
