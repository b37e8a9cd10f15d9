package edge

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
)

// response is an answer on its way out: counted, and compressed where that pays.
type response struct {
	http.ResponseWriter
	edge    *Edge
	request *http.Request
	// status is 0 until the header has been decided upon.
	status int
	sent   int64 // bytes of the body, before compression
	// held is the beginning of an answer of unknown length, until it is clear whether it is worth
	// compressing.
	held    []byte
	holding bool
	zip     *gzip.Writer
	aborted bool
	ctl     *http.ResponseController
}

var _ http.Flusher = (*response)(nil)

// worthZipping is the size from which on compression pays: what is smaller fits into one packet.
const worthZipping = 1200

// WriteHeader implements http.ResponseWriter.
func (w *response) WriteHeader(status int) {
	if status < 200 { // something in advance, e.g. 103
		w.ResponseWriter.WriteHeader(status)
		return
	}
	if w.status != 0 {
		return
	}
	w.status = status
	if !w.compressible() {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	h := w.Header()
	h.Add("Vary", "Accept-Encoding")
	n, err := strconv.Atoi(h.Get("Content-Length"))
	switch {
	case !accepts(w.request.Header.Get("Accept-Encoding")), err == nil && n < worthZipping:
		w.ResponseWriter.WriteHeader(status)
	case err == nil:
		w.compress()
	default:
		w.holding = true
	}
}

// compressible tells whether the answer is of a kind that gets smaller.
func (w *response) compressible() bool {
	h := w.Header()
	if w.request.Method == http.MethodHead || w.status == http.StatusNoContent || w.status == http.StatusNotModified ||
		w.status == http.StatusPartialContent || h.Get("Content-Encoding") != "" {
		return false
	}
	typ, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return typ == "application/json"
}

// accepts tells whether a client takes gzip.
func accepts(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, q, _ := strings.Cut(strings.TrimSpace(part), ";")
		if name != "gzip" && name != "*" {
			continue
		}
		v, ok := strings.CutPrefix(strings.ReplaceAll(q, " ", ""), "q=")
		weight, err := strconv.ParseFloat(v, 64)
		return !ok || err == nil && weight > 0
	}
	return false
}

// compress sends the header and lets what follows be compressed.
func (w *response) compress() {
	h := w.Header()
	h.Set("Content-Encoding", "gzip")
	h.Del("Content-Length")
	h.Del("Accept-Ranges")
	if tag := h.Get("ETag"); strings.HasPrefix(tag, `"`) {
		h.Set("ETag", "W/"+tag)
	}
	w.ResponseWriter.WriteHeader(w.status)
	if z, ok := w.edge.zips.Get().(*gzip.Writer); ok {
		z.Reset(w.ResponseWriter)
		w.zip = z
		return
	}
	w.zip, _ = gzip.NewWriterLevel(w.ResponseWriter, gzip.BestSpeed) // the level is a valid one
}

// Write implements http.ResponseWriter.
func (w *response) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.sent += int64(len(p))
	w.extend()
	switch {
	case w.zip != nil:
		return w.zip.Write(p)
	case !w.holding:
		return w.ResponseWriter.Write(p)
	case len(w.held)+len(p) < worthZipping:
		w.held = append(w.held, p...)
		return len(p), nil
	}
	if err := w.release(true); err != nil {
		return 0, err
	}
	return w.zip.Write(p)
}

// release ends the holding back.
func (w *response) release(zip bool) error {
	w.holding = false
	if !zip {
		w.ResponseWriter.WriteHeader(w.status)
		_, err := w.ResponseWriter.Write(w.held)
		return err
	}
	w.compress()
	_, err := w.zip.Write(w.held)
	return err
}

// Flush implements http.Flusher: what has been written goes out now.
func (w *response) Flush() {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.extend()
	if w.holding && w.release(true) != nil {
		return // the connection is gone, as the next write will tell
	}
	if w.zip != nil && w.zip.Flush() != nil {
		return
	}
	_ = w.ctl.Flush() // likewise
}

// Unwrap lets http.ResponseController find the connection.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// end sends what is still held back.
func (w *response) end() {
	if w.aborted {
		return
	}
	if w.holding {
		h := w.Header()
		h.Set("Content-Length", strconv.Itoa(len(w.held)))
		_ = w.release(false) // the client may be gone; there is nobody to tell
	}
	if w.zip != nil {
		_ = w.zip.Close()
		w.zip.Reset(nil)
		w.edge.zips.Put(w.zip)
		w.zip = nil
	}
}

// writeTime is how long a client may take to accept a piece of an answer, which is at most as
// large as the buffers in between.
const writeTime = 2 * time.Minute

// limitWrites lifts the limit that the answer before left on the connection.
func (w *response) limitWrites() {
	w.ctl = http.NewResponseController(w.ResponseWriter)
	_ = w.ctl.SetWriteDeadline(time.Time{}) // within the process there is no connection
}

// extend gives the client time for another piece.
func (w *response) extend() { _ = w.ctl.SetWriteDeadline(time.Now().Add(writeTime)) }
