package media

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// Access is by which endpoints media is asked for.
type Access struct {
	// Old are the endpoints without authentication, which know allow_remote.
	Old bool
	// Before, when set, hides media that came later.
	Before time.Time
}

// query reads what a request wants.
func (a Access) query(req *http.Request, origin, id string) (q Query, err error) {
	values := req.URL.Query()
	q = Query{Origin: origin, ID: id, Before: a.Before}
	if q.Patience, err = patienceOf(values); err != nil {
		return q, err
	}
	if !a.Old {
		return q, nil
	}
	// "allow_remote: Indicates to the server that it should not attempt to fetch the media if it
	// is deemed remote. ... Defaults to true if not provided."
	remote, err := boolean(values, "allow_remote", true)
	if err != nil {
		return q, err
	}
	q.LocalOnly = !remote
	// "allow_redirect: Indicates to the server that it may return a 307 or 308 redirect": it never
	// does.
	_, err = boolean(values, "allow_redirect", false)
	return q, err
}

func boolean(values url.Values, name string, absent bool) (bool, error) {
	switch v := values.Get(name); v {
	case "":
		return absent, nil
	case "true", "false":
		return v == "true", nil
	}
	return false, mxerror.InvalidParam("%s must be true or false.", name)
}

func patienceOf(values url.Values) (time.Duration, error) {
	v := values.Get("timeout_ms")
	if v == "" {
		return defaultWait, nil
	}
	ms, err := strconv.ParseInt(v, 10, 64)
	if err != nil || ms < 0 {
		return 0, mxerror.InvalidParam("timeout_ms must be a number of milliseconds.")
	}
	return time.Duration(min(ms, maxWait.Milliseconds())) * time.Millisecond, nil
}

// ServeDownload answers GET .../download/{origin}/{id} and, with a name that replaces the
// uploader's, .../download/{origin}/{id}/{filename}. It understands timeout_ms, ranges and
// conditions.
func (r *Repo) ServeDownload(w http.ResponseWriter, req *http.Request, a Access, origin, id, filename string) error {
	q, err := a.query(req, origin, id)
	if err != nil {
		return err
	}
	f, m, err := r.Open(req.Context(), q)
	if err != nil {
		return err
	}
	defer f.Close()
	name := m.Name
	if filename != "" {
		name = cleanName(filename)
	}
	setHeaders(w.Header(), m.Type, Disposition(m.Type, name), key(m.Hash))
	defer steadyWrites(w, m.Size)()
	http.ServeContent(w, req, "", time.UnixMilli(m.CreatedTS), f)
	return nil
}

// setHeaders sets what all answers with media have in common.
func setHeaders(h http.Header, contentType, disposition, etag string) {
	h.Set("Content-Type", contentType)
	h.Set("Content-Disposition", disposition)
	h.Set("Content-Security-Policy", contentSecurity)
	// "The server SHOULD additionally provide Cross-Origin-Resource-Policy: cross-origin".
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Robots-Tag", "noindex, nofollow, noarchive, noimageindex")
	// What an id stands for never changes, but others may not be allowed to see it.
	h.Set("Cache-Control", "private, max-age=86400, immutable")
	h.Set("ETag", `"`+etag+`"`)
}

// slowest is how slowly a client may take media, in bytes a second, after a minute's grace.
const slowest = 8 << 10

// steadyWrites bounds the time of an answer by its size, so that clients that never read don't
// hold files open. The function that it returns ends that.
func steadyWrites(w http.ResponseWriter, size int64) func() {
	c := http.NewResponseController(w)
	// Where there is no connection of its own (in the same process) there is no deadline either.
	if c.SetWriteDeadline(time.Now().Add(time.Minute+time.Duration(size/slowest)*time.Second)) != nil {
		return func() {}
	}
	return func() { _ = c.SetWriteDeadline(time.Time{}) }
}
