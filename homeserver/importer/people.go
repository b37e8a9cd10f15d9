package importer

import (
	"context"
	"encoding/json/v2"
	"errors"
	"maps"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/importer/wire"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// People makes accounts for people of elsewhere. Who has one keeps it, and gets what is missing in
// their profile.
func (i *Importer) People(ctx context.Context, q wire.People) (out wire.PeopleMade, err error) {
	if q.Service == "" {
		return out, mxerror.BadJSON("The accounts need an application service to belong to.")
	}
	if len(q.People) > wire.MaxPeople {
		return out, mxerror.TooLarge("One request can have at most %d people.", wire.MaxPeople)
	}
	// Side by side, so that they share commits.
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(peopleAtOnce)
	var made atomic.Int64
	for _, p := range q.People {
		g.Go(func() error {
			fresh, err := i.person(ctx, q.Service, p)
			if fresh {
				made.Add(1)
			}
			return err
		})
	}
	err = g.Wait()
	out.Fresh = int(made.Load())
	return out, err
}

// peopleAtOnce is how many accounts are made at once.
const peopleAtOnce = 32

func (i *Importer) person(ctx context.Context, service string, p wire.Person) (fresh bool, err error) {
	id, err := i.o.Accounts.UserID(p.Localpart, true)
	if err != nil {
		return false, err
	}
	nid, err := i.o.Store.UserNID(ctx, id)
	if err == nil {
		_, err = i.o.Store.Account(ctx, nid)
	}
	if errors.Is(err, store.ErrNotFound) {
		_, err = i.o.Accounts.Register(ctx, accounts.Registration{Localpart: p.Localpart, Kind: "service", Service: service})
		if fresh = err == nil; err == nil || mxerror.Is(err, "M_USER_IN_USE") {
			nid, err = i.o.Store.UserNID(ctx, id)
		}
	}
	if err != nil {
		return fresh, err
	}
	have, err := i.o.Store.Profile(ctx, nid)
	if err != nil {
		return fresh, err
	}
	known := map[string]bool{}
	for _, f := range have {
		known[f.Name] = true
	}
	var set []store.Field
	add := func(name, value string) error {
		if known[name] || value == "" {
			return nil
		}
		raw, err := json.Marshal(value)
		set = append(set, store.Field{Name: name, Value: string(raw)})
		return err
	}
	if err := add("displayname", p.Name); err != nil {
		return fresh, mxerror.BadJSON("The name of %s is not valid UTF-8.", id)
	}
	if err := add("avatar_url", p.Avatar); err != nil {
		return fresh, mxerror.BadJSON("The picture of %s is not valid UTF-8.", id)
	}
	for name, value := range p.Extra {
		if !known[name] {
			set = append(set, store.Field{Name: name, Value: string(value)})
		}
	}
	if len(set) == 0 {
		return fresh, nil
	}
	return fresh, i.o.Store.Write(ctx, func(t *store.Tx) error {
		for _, f := range set {
			if err := t.SetProfile(nid, f); err != nil {
				return err
			}
		}
		return nil
	})
}

// profiles are the names and pictures under which people join, as far as they have been asked for.
type profiles struct {
	i    *Importer
	ctx  context.Context
	seen map[string]map[string]string
}

// member is the content of a membership event of a user.
func (p *profiles) member(user, membership string) ([]byte, error) {
	fields, err := p.of(user)
	if err != nil {
		return nil, err
	}
	if membership == "leave" {
		fields = nil
	}
	return standing(fields, membership)
}

// gone is the content of a membership event of somebody who has left, with what they were called.
func (p *profiles) gone(user string) ([]byte, error) {
	fields, err := p.of(user)
	if err != nil {
		return nil, err
	}
	return standing(fields, "leave")
}

func standing(fields map[string]string, membership string) ([]byte, error) {
	out := map[string]string{"membership": membership}
	maps.Copy(out, fields)
	return json.Marshal(out, json.Deterministic(true))
}

// of is the profile of a user.
func (p *profiles) of(user string) (map[string]string, error) {
	fields, ok := p.seen[user]
	if !ok {
		fields = map[string]string{}
		if nid, err := p.i.o.Store.UserNID(p.ctx, user); err == nil {
			all, err := p.i.o.Store.Profile(p.ctx, nid)
			if err != nil {
				return nil, err
			}
			for _, f := range all {
				var s string
				if (f.Name == "displayname" || f.Name == "avatar_url") && json.Unmarshal([]byte(f.Value), &s) == nil {
					fields[f.Name] = s
				}
			}
		}
		p.seen[user] = fields
	}
	return fields, nil
}
