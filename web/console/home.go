package console

import (
	"runtime"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// light is how something does: good, doubt or bad.
type light struct {
	State, Name, Text string
	Link              string
}

type homeView struct {
	Server, Version, Up, Go string
	Lights                  []light
	Totals                  store.Totals
	Disk                    []amount
	DiskAll                 int64
	Audits                  []store.Audit
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
	return v.show("/", "Overview", "home", out)
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
	db := light{"good", "Database", "writes are taken at once", Path + "/charts"}
	if w.Waiting > w.WaitingMax/10 {
		db.State, db.Text = "doubt", number(int64(w.Waiting))+" writes wait"
	}
	out = append(out, db)
	for _, b := range c.o.Backend.Bridges() {
		l := light{"good", "Bridge " + b.ID, b.Module + ", running", Path + "/bridges/show?id=" + b.ID}
		if b.State != "running" {
			l.State, l.Text = "bad", b.State
		}
		for _, login := range b.Logins {
			if login.State != "CONNECTED" {
				l.State, l.Text = "bad", login.Name+" is "+lower(login.State)
			}
		}
		out = append(out, l)
	}
	for _, s := range c.o.Backend.Services() {
		if s.Own {
			continue
		}
		l := light{"good", "Service " + s.ID, "reachable", Path + "/bridges"}
		if !s.Reachable {
			l.State, l.Text = "bad", "not reachable since "+ago(c.o.Now().Sub(s.Since))
		} else if s.Behind > 1000 {
			l.State, l.Text = "doubt", number(s.Behind)+" entries behind"
		}
		out = append(out, l)
	}
	return append(out, c.backupLight())
}

func (c *Console) backupLight() light {
	l := light{"doubt", "Backups", "there is none yet", Path + "/backups"}
	list, err := c.o.Backend.Backups()
	if err != nil {
		l.State, l.Text = "bad", err.Error()
	} else if len(list) > 0 {
		age := c.o.Now().Sub(list[0].At)
		l.Text = "the newest is " + ago(age) + " old"
		if age < 48*time.Hour {
			l.State = "good"
		}
	}
	return l
}
