package push

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"fmt"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Type is the type of the account data that clients see a user's rules in. What is stored under
// it are the user's Changes.
const Type = "m.push_rules"

// Load reads a user's changes; none if there never was any.
func Load(ctx context.Context, s *store.Store, user int64) (*Changes, error) {
	d, err := s.AccountData(ctx, user, 0, Type)
	if errors.Is(err, store.ErrNotFound) {
		return &Changes{}, nil
	}
	if err != nil {
		return nil, err
	}
	return ParseChanges(d.Content)
}

// Update changes a user's rules. Of changes at the same time none is lost. change may be called
// more than once, each time on what there is then; its error leaves all as it was. Where nothing
// has changed, clients are told nothing.
func Update(ctx context.Context, s *store.Store, user int64, change func(*Changes) error) error {
	return s.Write(ctx, func(t *store.Tx) error {
		d, err := t.AccountData(user, 0, Type)
		if errors.Is(err, store.ErrNotFound) {
			d, err = store.AccountData{Type: Type, Content: "{}"}, nil
		}
		if err != nil {
			return err
		}
		c, err := ParseChanges(d.Content)
		if err != nil {
			return err
		}
		was := d.Content
		if err = change(c); err == nil {
			d.Content, err = c.encode()
		}
		if _, ok := mxerror.As(err); ok {
			return store.Refuse(err)
		}
		if err != nil || d.Content == was {
			return err
		}
		return t.SetAccountData(user, d)
	})
}

// Render makes the content of m.push_rules, as clients see it, out of what is stored of a user;
// stored is empty where nothing is.
func Render(user, stored string) (jsontext.Value, error) {
	c := &Changes{}
	if stored != "" {
		var err error
		if c, err = ParseChanges(stored); err != nil {
			return nil, err
		}
	}
	raw, err := json.Marshal(map[string]*Rules{"global": c.Rules(user)})
	if err != nil {
		return nil, fmt.Errorf("rendering push rules: %w", err)
	}
	return raw, nil
}
