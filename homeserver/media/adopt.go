package media

import (
	"context"
	"errors"
	"io"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Adopt stores a file under an id that the caller has chosen, beyond all quota. fresh is false, and
// nothing is stored, if the id is taken: a file can be sent again after an interruption.
func (r *Repo) Adopt(ctx context.Context, id string, owner int64, m Meta, body io.Reader) (fresh bool, err error) {
	if !validID(id) {
		return false, mxerror.InvalidParam("%q is not a media id.", id)
	}
	if _, err := r.c.Store.Media(ctx, r.c.Server, id); err == nil {
		return false, nil
	} else if !errors.Is(err, store.ErrNotFound) {
		return false, public(err)
	}
	file, err := r.receive(ctx, body)
	if err != nil {
		return false, err
	}
	defer file.discard()
	now := r.nowMS()
	row := store.Media{Origin: r.c.Server, ID: id, Hash: file.hash, Size: file.size, Type: cleanType(m.Type), Name: cleanName(m.Name),
		Owner: owner, CreatedTS: now, AccessTS: now}
	err = r.keep(ctx, file, func(tx *store.Tx) error {
		if _, err := tx.Media(r.c.Server, id); !errors.Is(err, store.ErrNotFound) {
			fresh = false
			return err
		}
		fresh = true
		return tx.AddMedia(row)
	})
	return fresh, err
}
