package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"net/http"
	"strings"
	"time"
)

// mediaBytes is the size of the file that is sent up and down.
const mediaBytes = 1 << 30

// mediaConfig lets a file of that size in.
const mediaConfig = "media: {max_upload: 2GiB}\n"

// media measures a large file up and down, and thumbnails.
func media(ctx context.Context, b *bench) error {
	all, err := b.people(ctx, "media", 1, false)
	if err != nil {
		return err
	}
	token := all[0].Token
	defer b.profile(ctx, "media", b.PID())()
	var stored struct {
		URI string `json:"content_uri"`
	}
	up, err := b.transfer(ctx, http.MethodPost, "/_matrix/media/v3/upload", token, io.LimitReader(&pattern{}, mediaBytes), mediaBytes, func(r io.Reader) error {
		return json.NewDecoder(r).Decode(&stored)
	})
	if err != nil {
		return err
	}
	down, err := b.transfer(ctx, http.MethodGet, "/_matrix/client/v1/media/download/"+strings.TrimPrefix(stored.URI, "mxc://"), token, nil, 0, func(r io.Reader) error {
		n, err := io.Copy(io.Discard, r)
		if err == nil && n != mediaBytes {
			err = fmt.Errorf("%d of %d bytes came back", n, int64(mediaBytes))
		}
		return err
	})
	if err != nil {
		return err
	}
	peak, err := b.peak()
	if err != nil {
		return err
	}
	const mb = mediaBytes / 1e6
	b.report.add(result{Key: "media_up_mb_per_s", What: "upload of 1 GiB", Value: mb / up.Seconds(), Unit: "MB/s"})
	b.report.add(result{Key: "media_down_mb_per_s", What: "download of 1 GiB", Value: mb / down.Seconds(), Unit: "MB/s"})
	b.report.add(result{Key: "media_peak_mb", What: "memory at most meanwhile (RSS)", Value: peak / 1e6, Unit: "MB", Target: 150})
	return b.thumbnails(ctx, token)
}

// thumbnails measures a photo of 12 megapixels.
func (b *bench) thumbnails(ctx context.Context, token string) error {
	m := image.NewRGBA(image.Rect(0, 0, 4000, 3000))
	for y := range 3000 {
		for x := range 4000 {
			m.SetRGBA(x, y, color.RGBA{byte(x * y / 4000), byte(x / 16), byte(y / 16), 255})
		}
	}
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, m, nil); err != nil {
		return err
	}
	var stored struct {
		URI string `json:"content_uri"`
	}
	_, err := b.transfer(ctx, http.MethodPost, "/_matrix/media/v3/upload", token, &photo, int64(photo.Len()), func(r io.Reader) error {
		return json.NewDecoder(r).Decode(&stored)
	})
	if err != nil {
		return err
	}
	target := "/_matrix/client/v1/media/thumbnail/" + strings.TrimPrefix(stored.URI, "mxc://") + "?width=800&height=600"
	for _, x := range []result{{Key: "thumbnail_ms", What: "thumbnail of a photo of 12 megapixels"}, {Key: "thumbnail_again_ms", What: "the same once more"}} {
		took, err := b.transfer(ctx, http.MethodGet, target, token, nil, 0, func(r io.Reader) error {
			_, err := io.Copy(io.Discard, r)
			return err
		})
		if err != nil {
			return err
		}
		x.Value, x.Unit = ms(took), "ms"
		b.report.add(x)
	}
	return nil
}

// transfer makes a request and times it with its answer.
func (b *bench) transfer(ctx context.Context, method, target, token string, body io.Reader, size int64, read func(io.Reader) error) (time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, method, b.URL()+target, body)
	if err != nil {
		return 0, err
	}
	req.ContentLength = size
	req.Header.Set("Authorization", "Bearer "+token)
	began := time.Now()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s %s: %s", method, target, res.Status)
	}
	if err := read(res.Body); err != nil {
		return 0, fmt.Errorf("%s %s: %w", method, target, err)
	}
	return time.Since(began), nil
}

// pattern is bytes without end that are not all the same.
type pattern struct{ n byte }

func (p *pattern) Read(b []byte) (int, error) {
	for i := 0; i < len(b); i += 512 {
		b[i] = p.n
		p.n++
	}
	return len(b), nil
}
