package console

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/internal/sentence"
	"github.com/landbridge-im/landbridge/migration/model"
	"github.com/landbridge-im/landbridge/migration/plan"
)

func kindOf(s string) model.Kind { return model.Kind(s) }

func readerOf(raw []byte) io.ReadSeeker { return bytes.NewReader(raw) }

func formNumber(f url.Values, name string) int64 {
	n, err := strconv.ParseInt(f.Get(name), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// Parts of a mapping, each with a form of its own.
const (
	partPeople   = "people"
	partChannels = "channels"
	partGeneral  = "general"
)

type editView struct {
	ID, Title, Part string
	Error           sentence.Text
	M               *plan.Mapping
	Admins          string
	People          []plan.Person
	Channels        []plan.Channel
	Search          string
	Total           int
	Next            string
	From            int
	Busy            bool
	// Changes is what the form changes, to be looked over, and Form what it has.
	Changes string
	Form    []formField
	Server  string
}

// formField is a hidden field.
type formField struct{ Key, Value string }

// migrationEdit shows a part of the mapping as a form, then what the form changes, and then writes it.
func (c *Console) migrationEdit(v *visit) error {
	q := v.r.URL.Query()
	f := v.r.PostForm
	if f != nil {
		q = f
	}
	m, err := c.o.Desk.Get(q.Get("id"))
	if err != nil {
		return problem{err}
	}
	old, _, err := c.o.Desk.Mapping(m.ID)
	if err != nil {
		return problem{err}
	}
	out := editView{ID: m.ID, Title: m.Title, Part: q.Get("part"), M: old, Search: strings.TrimSpace(q.Get("q")), From: int(formNumber(q, "from")), Busy: m.Busy(), Server: c.o.Server}
	if f == nil {
		return c.editPage(v, out)
	}
	next, _, err := c.o.Desk.Mapping(m.ID) // another copy
	if err != nil {
		return problem{err}
	}
	var text []byte
	if err = applyEdit(next, out.Part, f); err == nil {
		err = c.accountsThere(v.ctx, old, next)
	}
	if err == nil {
		if text, err = next.YAML(); err == nil {
			_, err = plan.Parse("mapping.yaml", text)
		}
	}
	if out.M = next; err != nil {
		out.Error = sentence.Of(err)
		return c.editPage(v, out)
	}
	changes, err := old.Changes(next)
	if err != nil {
		return err
	}
	back := migrationPage("edit", m.ID) + "&" + url.Values{"part": {out.Part}, "q": {out.Search}, "from": {strconv.Itoa(out.From)}}.Encode()
	switch {
	case changes == "":
		return v.done(back, say("Nothing is different."))
	case f.Get("step") != stepDone:
		out.Changes = changes
		for k := range f {
			if k != "csrf" && k != "step" {
				out.Form = append(out.Form, formField{k, f.Get(k)})
			}
		}
		slices.SortFunc(out.Form, func(a, b formField) int { return strings.Compare(a.Key, b.Key) })
		return v.show("/migrate", say("Look the changes over"), "migration-changes", out)
	}
	return v.act("change the mapping of", "migration "+m.ID+" ("+m.File+")", changes[:min(len(changes), 4000)], back, say("The mapping is written."), func() error {
		return c.o.Desk.SetMapping(m.ID, text)
	})
}

// applyEdit puts what a form says into a mapping.
func applyEdit(m *plan.Mapping, part string, f url.Values) error {
	switch part {
	case partPeople:
		for i := range m.People {
			p := &m.People[i]
			if f.Has("account." + p.ID) {
				p.Account, p.Without = strings.TrimSpace(f.Get("account."+p.ID)), f.Get("without."+p.ID) == "yes"
			}
		}
	case partChannels:
		for i := range m.Channels {
			ch := &m.Channels[i]
			if f.Has("audience." + ch.ID) {
				ch.Name, ch.Audience, ch.Alias = strings.TrimSpace(f.Get("name."+ch.ID)), f.Get("audience."+ch.ID), strings.TrimSpace(f.Get("alias."+ch.ID))
				ch.Without = f.Get("without."+ch.ID) == "yes"
			}
		}
	case partGeneral:
		m.Name, m.SpaceAudience, m.Files = strings.TrimSpace(f.Get("name")), f.Get("space_audience"), f.Get("fetch_files") == "yes"
		m.Admins = fields(f.Get("admins"))
		if m.Admins == nil {
			m.Admins = []string{}
		}
	default:
		return problemf("The mapping has no part %q.", part)
	}
	return nil
}

// accountsThere makes sure that the accounts that a mapping names anew are accounts here.
func (c *Console) accountsThere(ctx context.Context, old, next *plan.Mapping) error {
	was := map[string]bool{}
	for _, p := range old.People {
		was[p.Account] = true
	}
	for _, a := range old.Admins {
		was[a] = true
	}
	names := slices.Clone(next.Admins)
	for _, p := range next.People {
		names = append(names, p.Account)
	}
	for _, name := range names {
		if name == "" || was[name] {
			continue
		}
		nid, err := c.o.Store.UserNID(ctx, name)
		if err == nil {
			_, err = c.o.Store.Account(ctx, nid)
		}
		if errors.Is(err, store.ErrNotFound) {
			return problemf("There is no account %s on this server.", name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// editPage shows the form of a part.
func (c *Console) editPage(v *visit, out editView) error {
	titles := map[string]string{partPeople: "Who is who", partChannels: "Channels", partGeneral: "The space"}
	title, ok := titles[out.Part]
	if !ok {
		return problemf("The mapping has no part %q.", out.Part)
	}
	search := strings.ToLower(out.Search)
	has := func(fields ...string) bool {
		return search == "" || strings.Contains(strings.ToLower(strings.Join(fields, " ")), search)
	}
	switch out.Part {
	case partPeople:
		for _, p := range out.M.People {
			if has(p.ID, p.Username, p.Name, p.Account) {
				out.People = append(out.People, p)
			}
		}
		out.People = pageOf(&out, out.People)
	case partChannels:
		for _, ch := range out.M.Channels {
			if has(ch.ID, ch.Name, ch.Alias) {
				out.Channels = append(out.Channels, ch)
			}
		}
		out.Channels = pageOf(&out, out.Channels)
	}
	out.Admins = strings.Join(out.M.Admins, " ")
	return v.show("/migrate", say(title), "migration-"+out.Part, out)
}

// pageOf cuts the page out of a list that is to be shown.
func pageOf[T any](out *editView, list []T) []T {
	out.Total = len(list)
	from := min(out.From, len(list))
	to := min(from+pageSize, len(list))
	if to < len(list) {
		out.Next = migrationPage("edit", out.ID) + "&" + url.Values{"part": {out.Part}, "q": {out.Search}, "from": {strconv.Itoa(to)}}.Encode()
	}
	return list[from:to]
}
