package media

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Remote fetches media of other servers.
type Remote interface {
	// Fetch writes a file to w and tells what its server says of it. When w fails, because the
	// file is too large say, it gives up and returns that error. An error with a public face is
	// passed on (404 for what is not there, 504 M_NOT_YET_UPLOADED); any other is answered with
	// 502. ctx bounds the whole time.
	Fetch(ctx context.Context, origin, id string, w io.Writer) (Meta, error)
}

const (
	// fetchTime is the longest time for one file of another server.
	fetchTime = 10 * time.Minute
	// missingTime is how long it is remembered that there was none.
	missingTime = 30 * time.Second
)

// missing is why a file of another server could not be had, until a time in milliseconds.
type missing struct {
	err   error
	until int64
}

// fetch brings a file of another server into the cache. Who asks for the same file shares the
// work, which therefore outlives the one that began it.
func (r *Repo) fetch(ctx context.Context, name store.MediaName) (store.Media, error) {
	if m, ok := r.missing.Get(name); ok && m.until > r.nowMS() {
		return store.Media{}, m.err
	}
	result := r.fetches.DoChan(name.Origin+"/"+name.ID, func() (any, error) {
		if !r.fetching.TryAcquire(1) {
			return nil, mxerror.LimitExceeded(2 * time.Second)
		}
		defer r.fetching.Release(1)
		ctx, done, err := r.shared.Begin(ctx)
		if err != nil {
			return nil, err
		}
		defer done()
		ctx, cancel := context.WithTimeout(ctx, fetchTime)
		defer cancel()
		m, err := r.fetchNow(ctx, name)
		if err != nil {
			err = r.remoteError(ctx, name, err)
			r.missing.Add(name, missing{err, r.nowMS() + missingTime.Milliseconds()})
			return nil, err
		}
		return m, nil
	})
	select {
	case res := <-result:
		if res.Err != nil {
			return store.Media{}, public(res.Err)
		}
		return res.Val.(store.Media), nil
	case <-ctx.Done():
		return store.Media{}, ctx.Err()
	}
}

func (r *Repo) fetchNow(ctx context.Context, name store.MediaName) (store.Media, error) {
	// Another one may have brought it since the caller looked.
	if m, err := r.c.Store.Media(ctx, name.Origin, name.ID); !errors.Is(err, store.ErrNotFound) {
		return m, public(err)
	}
	var meta Meta
	file, err := r.receiveFrom(ctx, func(ctx context.Context, w io.Writer) (err error) {
		meta, err = r.c.Remote.Fetch(ctx, name.Origin, name.ID, w)
		return err
	})
	if err != nil {
		return store.Media{}, err
	}
	defer file.discard()
	now := r.nowMS()
	m := store.Media{Origin: name.Origin, ID: name.ID, Hash: file.hash, Size: file.size, Type: cleanType(meta.Type), Name: cleanName(meta.Name),
		CreatedTS: now, AccessTS: now, Cached: true}
	if err := r.keep(ctx, file, func(tx *store.Tx) error { return tx.AddMedia(m) }); err != nil {
		return store.Media{}, err
	}
	r.trimSoon()
	return m, nil
}

// receiveFrom is receive for what is written, not read.
func (r *Repo) receiveFrom(ctx context.Context, write func(context.Context, io.Writer) error) (*received, error) {
	writing, cancel := context.WithCancel(ctx)
	pr, pw := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := write(writing, pw)
		pw.CloseWithError(err)
	}()
	f, err := r.receive(ctx, remoteBody{pr})
	// Whoever still writes is told that nobody reads.
	pr.CloseWithError(errNobodyReads)
	cancel()
	<-done
	return f, err
}

var errNobodyReads = errors.New("the file is too large, or could not be stored")

// remoteBody keeps the errors of another server apart from those of an upload.
type remoteBody struct{ io.Reader }

func (b remoteBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil && err != io.EOF {
		if _, ok := mxerror.As(err); !ok || errors.Is(err, os.ErrDeadlineExceeded) {
			err = unreachable(err)
		}
	}
	return n, err
}

func unreachable(err error) *mxerror.Error {
	return mxerror.New(http.StatusBadGateway, "M_UNKNOWN", "The media could not be fetched from its server.").Because(err)
}

// remoteError is what a client is told of a file of another server.
func (r *Repo) remoteError(ctx context.Context, name store.MediaName, err error) error {
	e, ok := mxerror.As(err)
	switch {
	case !ok, e.Status == http.StatusBadRequest, e.Status == http.StatusRequestTimeout:
		e = unreachable(err)
	case e.Code == "M_TOO_LARGE":
		// "Homeservers should not proxy or thumbnail large files or images from remote homeservers,
		// returning a HTTP 502 error with the M_TOO_LARGE code."
		return mxerror.New(http.StatusBadGateway, "M_TOO_LARGE", "The media is larger than the %d bytes that this server fetches.", r.c.MaxUpload)
	case e.Code == "M_FORBIDDEN":
		return notFound().Because(err) // the content is blocked here
	}
	if e.Status == http.StatusBadGateway {
		r.c.Log.InfoContext(ctx, "media of another server could not be fetched", "origin", name.Origin, "media", name.ID, "err", e.Cause)
		return mxerror.New(e.Status, e.Code, "%s", e.Message) // its cause has been logged
	}
	return e
}
