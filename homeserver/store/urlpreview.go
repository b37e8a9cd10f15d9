package store

import "context"

// Preview is what a page said of itself at a time.
type Preview struct {
	URL string
	// TS is when it was read, and ExpiresTS until when that is good, in milliseconds.
	TS, ExpiresTS int64
	// JSON is the preview.
	JSON string
	// MediaID is the local media that JSON speaks of, or "".
	MediaID string
}

// Preview reads the newest preview of a page that is not younger than a time; ErrNotFound if
// there is none.
func (s *Store) Preview(ctx context.Context, url string, ms int64) (p Preview, err error) {
	return p, s.row(ctx, "url_preview_get", url, ms).Scan(&p.URL, &p.TS, &p.ExpiresTS, &p.JSON, &p.MediaID)
}

// SetPreview keeps a preview.
func (t *Tx) SetPreview(p Preview) error {
	return t.exec("url_preview_put", p.URL, p.TS, p.ExpiresTS, p.JSON, p.MediaID)
}

// DropExpiredPreviews forgets previews that are no longer good.
func (t *Tx) DropExpiredPreviews(nowMS int64) error { return t.exec("url_preview_expired_drop", nowMS) }
