package edge

import (
	"io"
	"net/http"
	"time"
)

// A request's body may come slowly, but not for ever: so many seconds at least, and then so many
// bytes a second on average.
const (
	bodyGrace = time.Minute
	bodyRate  = 1 << 10
)

// slowBody is a body whose sender must keep a pace. Clients that send a byte now and then, to keep
// connections busy, are cut off.
type slowBody struct {
	io.ReadCloser
	ctl   *http.ResponseController
	began time.Time
	n     int64
}

// limitBody sets the pace, if there is a connection to set it on.
func limitBody(w http.ResponseWriter, body io.ReadCloser) io.ReadCloser {
	if body == nil || body == http.NoBody {
		return body
	}
	return &slowBody{ReadCloser: body, ctl: http.NewResponseController(w)}
}

// Read implements io.Reader. It fails with os.ErrDeadlineExceeded if the sender is too slow.
func (b *slowBody) Read(p []byte) (int, error) {
	if b.began.IsZero() {
		b.began = time.Now()
	}
	_ = b.ctl.SetReadDeadline(b.began.Add(bodyGrace + time.Duration(b.n)*time.Second/bodyRate)) // within the process there is no connection
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	if err != nil {
		// Whether the client is still there is found out by reading on, for as long as it takes.
		_ = b.ctl.SetReadDeadline(time.Time{})
	}
	return n, err
}

// Close implements io.Closer.
func (b *slowBody) Close() error {
	_ = b.ctl.SetReadDeadline(time.Time{})
	return b.ReadCloser.Close()
}
