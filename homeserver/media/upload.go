package media

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Meta is what an uploader says of a file.
type Meta struct {
	// Type is its MIME type; one that is missing or malformed becomes application/octet-stream.
	Type string
	// Name is its name, or "".
	Name string
}

// public gives an error a public face.
func public(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := mxerror.As(err); ok {
		return err
	}
	return mxerror.New(http.StatusInternalServerError, "M_UNKNOWN", "The server could not do that. Please try again.").Because(err)
}

func notFound() *mxerror.Error { return mxerror.NotFound("There is no such media here.") }

// Upload stores a file and returns its id. When it returns, file and id are durable.
func (r *Repo) Upload(ctx context.Context, owner int64, m Meta, body io.Reader) (id string, err error) {
	row, err := r.receive(ctx, m, body)
	if err != nil {
		return "", err
	}
	row.Origin, row.ID, row.Owner, row.CreatedTS = r.c.Server, newID(), owner, r.nowMS()
	return row.ID, r.write(ctx, func(tx *store.Tx) error { return tx.AddMedia(row) })
}

// Reserve allots an id whose file comes later, by Fill, until expires (milliseconds).
func (r *Repo) Reserve(ctx context.Context, owner int64) (id string, expires int64, err error) {
	now := r.nowMS()
	expires = now + r.c.ReservationLife.Milliseconds()
	id = newID()
	err = r.write(ctx, func(tx *store.Tx) error {
		n, err := tx.ReservedMedia(owner, now)
		if err != nil {
			return err
		}
		// "the server should limit the number of concurrent pending media uploads a given user
		// can have ... with an errcode of M_LIMIT_EXCEEDED".
		if n >= int64(r.c.MaxReserved) {
			return store.Refuse(mxerror.LimitExceeded(r.c.ReservationLife / 24))
		}
		return tx.AddMedia(store.Media{Origin: r.c.Server, ID: id, Type: defaultType, Owner: owner, CreatedTS: now, ExpiresTS: expires})
	})
	return id, expires, err
}

// Fill stores the file of a reserved id.
func (r *Repo) Fill(ctx context.Context, owner int64, origin, id string, m Meta, body io.Reader) error {
	// What is wrong already now is said before the whole file is received.
	if err := r.fillable(ctx, owner, origin, id); err != nil {
		return err
	}
	row, err := r.receive(ctx, m, body)
	if err != nil {
		return err
	}
	row.Origin, row.ID = origin, id
	filled := false
	err = r.write(ctx, func(tx *store.Tx) (err error) {
		filled, err = tx.FillMedia(row, r.nowMS())
		return err
	})
	if err != nil {
		return err
	}
	if !filled {
		if err := r.fillable(ctx, owner, origin, id); err != nil {
			return err
		}
		return notFound()
	}
	r.wake(id)
	return nil
}

// fillable tells, as an error, why a user can't give an id its file.
func (r *Repo) fillable(ctx context.Context, owner int64, origin, id string) error {
	if origin != r.c.Server {
		return notFound()
	}
	have, err := r.c.Store.Media(ctx, origin, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return notFound()
	case err != nil:
		return public(err)
	case have.Owner != owner:
		return mxerror.Forbidden("This media id was created by another user.")
	case have.ExpiresTS == 0:
		return mxerror.New(http.StatusConflict, "M_CANNOT_OVERWRITE_MEDIA", "This media has been uploaded already.")
	case have.ExpiresTS <= r.nowMS():
		return notFound()
	}
	return nil
}

// newID makes a media id.
func newID() string { return rand.Text() }

// buffers are what files are copied with.
var buffers = sync.Pool{New: func() any { b := make([]byte, 128<<10); return &b }}

// receive writes a file to the disk, durably, under its hash.
func (r *Repo) receive(ctx context.Context, m Meta, body io.Reader) (row store.Media, err error) {
	temp, err := os.CreateTemp(r.tempDir(), "upload")
	if err != nil {
		return row, public(fmt.Errorf("making a temporary file: %w", err))
	}
	defer func() {
		if err != nil {
			// Closing may be repeated; the upload's own error is the one to tell.
			temp.Close()
			os.Remove(temp.Name())
		}
	}()
	hash := sha256.New()
	buf := buffers.Get().(*[]byte)
	src := &source{ctx: ctx, r: io.LimitReader(body, r.c.MaxUpload+1)}
	// The plain Writer keeps io.CopyBuffer from going behind our buffer's back.
	size, err := io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(temp, hash)}, src, *buf)
	buffers.Put(buf)
	if src.err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](src.err); ok {
			return row, r.tooLarge()
		}
		return row, mxerror.New(http.StatusBadRequest, "M_UNKNOWN", "The upload broke off.").Because(src.err)
	}
	if err != nil {
		return row, public(fmt.Errorf("writing an upload: %w", err))
	}
	if size > r.c.MaxUpload {
		return row, r.tooLarge()
	}
	row = store.Media{Hash: hash.Sum(nil), Size: size, Type: cleanType(m.Type), Name: cleanName(m.Name)}
	if err := settle(temp, r.path(row.Hash)); err != nil {
		return row, public(err)
	}
	return row, nil
}

func (r *Repo) tooLarge() error {
	return mxerror.TooLarge("The file is larger than the %d bytes that this server accepts.", r.c.MaxUpload)
}

// source reads a body, and keeps its errors apart from those of the disk.
type source struct {
	ctx context.Context
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	if s.err = s.ctx.Err(); s.err != nil {
		return 0, s.err
	}
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// settle moves a temporary file to its place, durably.
func settle(temp *os.File, path string) error {
	if err := temp.Sync(); err != nil {
		return fmt.Errorf("flushing an upload: %w", err)
	}
	if err := temp.Close(); err != nil {
		return fmt.Errorf("closing an upload: %w", err)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making a media folder: %w", err)
	}
	// A file that is there already has the same content: its name says so. To replace it is as
	// good as to keep it, and mends one that a disk error has cut short.
	if err := os.Rename(temp.Name(), path); err != nil {
		return fmt.Errorf("storing an upload: %w", err)
	}
	// The names of file and folders have to reach the disk, too.
	for range 3 {
		if err := syncDir(dir); err != nil {
			return fmt.Errorf("flushing a media folder: %w", err)
		}
		dir = filepath.Dir(dir)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
