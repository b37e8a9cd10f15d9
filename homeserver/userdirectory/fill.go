package userdirectory

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// filled is the mark in the store up to which account those from before the directory are in it,
// and filledAll that all are. Another way of taking names apart needs another mark.
const (
	filled    = "user_directory_1"
	filledAll = "all"
	fillBatch = 200
)

// Run takes in the accounts that are older than the directory. It goes on where it was left.
func (d *Directory) Run(ctx context.Context) error {
	if err := d.fill(ctx); err != nil && ctx.Err() == nil {
		// The rest of the server is well without, and the next start tries again.
		d.o.Log.ErrorContext(ctx, "some accounts are missing from the user directory", "err", err)
	}
	return nil
}

func (d *Directory) fill(ctx context.Context) error {
	mark, err := d.o.Store.Meta(ctx, filled)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("filling the user directory: %w", err)
	}
	if mark == filledAll {
		return nil
	}
	at, _ := strconv.ParseInt(mark, 10, 64) // 0 if there is no mark
	for {
		users, err := d.o.Store.AccountsAfter(ctx, at, fillBatch)
		if err != nil {
			return fmt.Errorf("filling the user directory: %w", err)
		}
		mark := filledAll
		if len(users) == fillBatch {
			at = users[len(users)-1]
			mark = strconv.FormatInt(at, 10)
		}
		err = d.o.Store.Write(ctx, func(t *store.Tx) error {
			for _, u := range users {
				if err := t.IndexPerson(u); err != nil {
					return err
				}
			}
			return t.SetMeta(filled, mark)
		})
		if err != nil {
			return fmt.Errorf("filling the user directory: %w", err)
		}
		if mark == filledAll {
			return nil
		}
	}
}
