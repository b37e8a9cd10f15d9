package media

import (
	"context"
	"io"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Cache stores a file that this server has found by itself and can find again, such as the picture
// of a URL preview. It returns the local media that it has become, which may be dropped when
// nobody asks for it any more. Errors of body are passed on.
func (r *Repo) Cache(ctx context.Context, m Meta, body io.Reader) (store.Media, error) {
	file, err := r.receive(ctx, body)
	if err != nil {
		return store.Media{}, err
	}
	defer file.discard()
	now := r.nowMS()
	row := store.Media{Origin: r.c.Server, ID: newID(), Hash: file.hash, Size: file.size, Type: cleanType(m.Type), Name: cleanName(m.Name),
		CreatedTS: now, AccessTS: now, Cached: true}
	if err := r.keep(ctx, file, func(tx *store.Tx) error { return tx.AddMedia(row) }); err != nil {
		return store.Media{}, err
	}
	r.trimSoon()
	return row, nil
}

// Bounds reads the size of a picture that is kept, as it is to be seen, and its MIME type.
func (r *Repo) Bounds(ctx context.Context, m store.Media) (width, height int, contentType string, err error) {
	f, err := r.file(ctx, m)
	if err != nil {
		return 0, 0, "", err
	}
	defer f.Close()
	p, err := inspect(f, r.c.MaxPixels)
	if err != nil {
		return 0, 0, "", err
	}
	if p.turn.sideways() {
		p.width, p.height = p.height, p.width
	}
	return p.width, p.height, "image/" + p.format, nil
}
