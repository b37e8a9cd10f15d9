package importer

import (
	"context"
	"errors"
	"net/http"

	"github.com/landbridge-im/landbridge/homeserver/importer/wire"
	"github.com/landbridge-im/landbridge/homeserver/media"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// HaveMedia tells which of some media ids are taken.
func (i *Importer) HaveMedia(ctx context.Context, q wire.HaveMedia) (out wire.MediaHad, err error) {
	out.Have = []string{}
	if len(q.IDs) > readMax {
		return out, mxerror.TooLarge("One request can ask for at most %d ids.", readMax)
	}
	for _, id := range q.IDs {
		_, err := i.o.Store.Media(ctx, i.o.Server, id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return out, err
		}
		out.Have = append(out.Have, id)
	}
	return out, nil
}

// putMedia is POST /import/media?id=...&owner=...&name=...: a file under an id that whoever imports
// has made of its name at the source.
func (i *Importer) putMedia(w http.ResponseWriter, r *http.Request) {
	out, err := i.addMedia(r)
	if err != nil {
		i.fail(w, err)
		return
	}
	i.answer(w, http.StatusOK, out)
}

func (i *Importer) addMedia(r *http.Request) (out wire.MediaMade, err error) {
	q := r.URL.Query()
	owner, err := i.o.Store.UserNID(r.Context(), q.Get("owner"))
	if err != nil {
		return out, mxerror.NotFound("There is no account %s to own the file.", q.Get("owner"))
	}
	out.URI = media.URI(i.o.Server, q.Get("id"))
	out.Fresh, err = i.o.Media.Adopt(r.Context(), q.Get("id"), owner, media.Meta{Type: r.Header.Get("Content-Type"), Name: q.Get("name")}, r.Body)
	return out, err
}
