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

// Uploader is who uploads.
type Uploader struct {
	User int64
	// Unlimited lifts quota and the bound of reservations: for application services that are not
	// rate-limited.
	Unlimited bool
}

// public gives an error a public face.
func public(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := mxerror.As(err); ok || errors.Is(err, context.Canceled) {
		return err
	}
	return mxerror.New(http.StatusInternalServerError, "M_UNKNOWN", "The server could not do that. Please try again.").Because(err)
}

func notFound() *mxerror.Error { return mxerror.NotFound("There is no such media here.") }

// Upload stores a file and returns its id. When it returns, file and id are durable.
func (r *Repo) Upload(ctx context.Context, by Uploader, m Meta, body io.Reader) (id string, err error) {
	if err := r.withinQuota(ctx, by, 0); err != nil {
		return "", err
	}
	file, err := r.receive(ctx, body)
	if err != nil {
		return "", err
	}
	defer file.discard()
	now := r.nowMS()
	row := store.Media{Origin: r.c.Server, ID: newID(), Hash: file.hash, Size: file.size, Type: cleanType(m.Type), Name: cleanName(m.Name),
		Owner: by.User, CreatedTS: now, AccessTS: now}
	return row.ID, r.keep(ctx, file, func(tx *store.Tx) error {
		if err := r.quotaAllows(tx, by, file.size); err != nil {
			return err
		}
		return tx.AddMedia(row)
	})
}

// Reserve allots an id whose file comes later, by Fill, until expires (milliseconds).
func (r *Repo) Reserve(ctx context.Context, by Uploader) (id string, expires int64, err error) {
	if err := r.withinQuota(ctx, by, 0); err != nil {
		return "", 0, err
	}
	now := r.nowMS()
	expires = now + r.c.ReservationLife.Milliseconds()
	id = newID()
	err = r.write(ctx, func(tx *store.Tx) error {
		n, err := tx.ReservedMedia(by.User, now)
		if err != nil {
			return err
		}
		// "the server should limit the number of concurrent pending media uploads a given user
		// can have ... with an errcode of M_LIMIT_EXCEEDED".
		if n >= int64(r.c.MaxReserved) && !by.Unlimited {
			return store.Refuse(mxerror.LimitExceeded(r.c.ReservationLife / 24))
		}
		return tx.AddMedia(store.Media{Origin: r.c.Server, ID: id, Type: defaultType, Owner: by.User, CreatedTS: now, AccessTS: now, ExpiresTS: expires})
	})
	return id, expires, err
}

// Fill stores the file of a reserved id.
func (r *Repo) Fill(ctx context.Context, by Uploader, origin, id string, m Meta, body io.Reader) error {
	// What is wrong already now is said before the whole file is received.
	if err := r.fillable(ctx, by.User, origin, id); err != nil {
		return err
	}
	if err := r.withinQuota(ctx, by, 0); err != nil {
		return err
	}
	file, err := r.receive(ctx, body)
	if err != nil {
		return err
	}
	defer file.discard()
	row := store.Media{Origin: origin, ID: id, Hash: file.hash, Size: file.size, Type: cleanType(m.Type), Name: cleanName(m.Name)}
	err = r.keep(ctx, file, func(tx *store.Tx) error {
		if err := r.quotaAllows(tx, by, file.size); err != nil {
			return err
		}
		filled, err := tx.FillMedia(row, r.nowMS())
		if err == nil && !filled {
			return store.Refuse(errNotReserved)
		}
		return err
	})
	if errors.Is(err, errNotReserved) {
		if err := r.fillable(ctx, by.User, origin, id); err != nil {
			return err
		}
		return notFound()
	}
	if err != nil {
		return err
	}
	r.wake(id)
	return nil
}

// errNotReserved is for an id that was filled or ran out while its file was received.
var errNotReserved = errors.New("the media id is not reserved")

// fillable tells, as an error, why a user can't give an id its file.
func (r *Repo) fillable(ctx context.Context, owner int64, origin, id string) error {
	if origin != r.c.Server || !validID(id) {
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

// validID tells whether an id may be one of media. Specification, "Security considerations":
// "allowing only alphanumeric (A-Za-z0-9), _ and - characters in the media-id segment".
func validID(id string) bool {
	if id == "" || len(id) > 255 {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// buffers are what files are copied with.
var buffers = sync.Pool{New: func() any { b := make([]byte, 128<<10); return &b }}

// received is a file that has come and is not kept yet.
type received struct {
	file *os.File
	hash []byte
	size int64
}

// discard closes the file, and removes it unless it has moved.
func (f *received) discard() {
	f.file.Close() // its bytes were flushed by whoever kept them
	os.Remove(f.file.Name())
}

// receive writes a body to a temporary file.
func (r *Repo) receive(ctx context.Context, body io.Reader) (_ *received, err error) {
	temp, err := os.CreateTemp(r.tempDir(), "upload")
	if err != nil {
		return nil, public(fmt.Errorf("making a temporary file: %w", err))
	}
	f := &received{file: temp}
	defer func() {
		if err != nil {
			f.discard()
		}
	}()
	hash := sha256.New()
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	src := &source{ctx: ctx, r: io.LimitReader(body, r.c.MaxUpload+1)}
	// The plain Writer keeps io.CopyBuffer from going behind our buffer's back.
	f.size, err = io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(temp, hash)}, src, *buf)
	switch {
	case src.err != nil:
		if _, ok := errors.AsType[*http.MaxBytesError](src.err); ok {
			return nil, r.tooLarge()
		}
		if errors.Is(src.err, os.ErrDeadlineExceeded) {
			return nil, mxerror.New(http.StatusRequestTimeout, "M_UNKNOWN", "The upload has come to a halt.").Because(src.err)
		}
		if e, ok := mxerror.As(src.err); ok {
			return nil, e
		}
		return nil, mxerror.New(http.StatusBadRequest, "M_UNKNOWN", "The upload broke off.").Because(src.err)
	case err != nil:
		return nil, public(fmt.Errorf("writing an upload: %w", err))
	case f.size > r.c.MaxUpload:
		return nil, r.tooLarge()
	}
	f.hash = hash.Sum(nil)
	return f, nil
}

// keep puts a file to the others and then makes it known by a write; if that fails, the file
// goes.
func (r *Repo) keep(ctx context.Context, f *received, known func(*store.Tx) error) error {
	err := r.put(ctx, f, known)
	if err != nil {
		// Also where the request has been given up.
		if err := r.removeUnused(context.WithoutCancel(ctx), f.hash); err != nil {
			r.c.Log.ErrorContext(ctx, "removing an upload that failed", "err", err)
		}
	}
	return err
}

func (r *Repo) put(ctx context.Context, f *received, known func(*store.Tx) error) error {
	defer r.changing.lock(key(f.hash))()
	// Early, to spare the work, and for certain below.
	if blocked, err := r.c.Store.BlockedMedia(ctx, f.hash); err != nil || blocked {
		return errors.Join(public(err), refuseBlocked(blocked))
	}
	if err := r.blobs.Put(ctx, key(f.hash), f.file, f.size); err != nil {
		return public(err)
	}
	return r.write(ctx, func(tx *store.Tx) error {
		blocked, err := tx.BlockedMedia(f.hash)
		if err != nil {
			return err
		}
		if err := refuseBlocked(blocked); err != nil {
			return store.Refuse(err)
		}
		return known(tx)
	})
}

// refuseBlocked: "403: The user does not have permission to upload the content".
func refuseBlocked(blocked bool) error {
	if !blocked {
		return nil
	}
	return mxerror.Forbidden("This content may not be uploaded here.")
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
