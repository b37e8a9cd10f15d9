package preview

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"golang.org/x/net/html/charset"

	"github.com/landbridge-im/landbridge/homeserver/media"
)

// maxRedirects is how often a page may send us elsewhere.
const maxRedirects = 5

// found is what a page said.
type found struct {
	properties map[string]any
	// media is the picture's local id, or "".
	media string
}

func (p *Previewer) newClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			// No proxy: it would connect in our dialer's place.
			DialContext:            p.c.Dial,
			TLSClientConfig:        &tls.Config{RootCAs: p.c.RootCAs},
			TLSHandshakeTimeout:    10 * time.Second,
			ResponseHeaderTimeout:  p.c.Timeout,
			MaxResponseHeaderBytes: 64 << 10,
			DisableKeepAlives:      true,
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return fmt.Errorf("more than %d redirects", maxRedirects)
			}
			if err := checkURL(req.URL); err != nil {
				return err
			}
			if !p.permits(req.URL) {
				return errDenied()
			}
			req.Header.Del("Referer")
			return nil
		},
	}
}

// get asks for a page or a picture. The caller closes the body.
func (p *Previewer) get(ctx context.Context, u *url.URL, accept string) (*http.Response, error) {
	if err := checkURL(u); err != nil {
		return nil, err
	}
	if !p.permits(u) {
		return nil, errDenied()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", accept)
	req.Header.Set("User-Agent", p.c.UserAgent)
	if p.c.Language != "" {
		req.Header.Set("Accept-Language", p.c.Language)
	}
	res, err := p.client.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		res.Body.Close()
		return nil, fmt.Errorf("the answer is %s", res.Status)
	}
	return res, nil
}

// read reads a page and what belongs to it.
func (p *Previewer) read(ctx context.Context, u *url.URL) (found, error) {
	res, err := p.get(ctx, u, "text/html, application/xhtml+xml, image/*;q=0.8, */*;q=0.1")
	if err != nil {
		return found{}, err
	}
	defer res.Body.Close()
	at := res.Request.URL // after redirects
	kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil {
		kind = ""
	}
	switch {
	case kind == "text/html" || kind == "application/xhtml+xml":
		return p.readPage(ctx, at, res)
	case strings.HasPrefix(kind, "image/"):
		f := found{properties: map[string]any{"og:url": at.String()}}
		if name := path.Base(at.Path); name != "/" && name != "." {
			f.properties["og:title"] = clean(name, maxTitle)
		}
		err := p.keepPicture(ctx, &f, kind, res.Body)
		return f, err
	}
	// "The OpenGraph data for the URL, which may be empty."
	return found{properties: map[string]any{}}, nil
}

func (p *Previewer) readPage(ctx context.Context, at *url.URL, res *http.Response) (found, error) {
	// The limit is on what comes out of the decompression.
	text, err := charset.NewReader(io.LimitReader(res.Body, p.c.MaxPage), res.Header.Get("Content-Type"))
	if errors.Is(err, io.EOF) {
		return found{properties: map[string]any{}}, nil
	}
	if err != nil {
		return found{}, err
	}
	// Some encodings make three bytes of one.
	pg, err := parsePage(io.LimitReader(text, 3*p.c.MaxPage), at)
	if err != nil {
		return found{}, err
	}
	if pg.oembed != nil && (pg.title() == "" || len(pg.pictures) == 0) {
		if err := p.readOEmbed(ctx, pg); err != nil {
			p.c.Log.DebugContext(ctx, "a page's oEmbed data could not be read", "err", err)
		}
	}
	f := found{properties: pg.openGraph()}
	for _, picture := range pg.candidates() {
		if err := p.readPicture(ctx, &f, picture); err != nil {
			p.c.Log.DebugContext(ctx, "a page's picture could not be read", "err", err)
			continue
		}
		break
	}
	return f, nil
}

// readPicture fetches a picture.
func (p *Previewer) readPicture(ctx context.Context, f *found, u *url.URL) error {
	res, err := p.get(ctx, u, "image/webp, image/png, image/jpeg, image/gif, image/*;q=0.5")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil || !strings.HasPrefix(kind, "image/") {
		return fmt.Errorf("the picture has the type %q", kind)
	}
	return p.keepPicture(ctx, f, kind, res.Body)
}

// errNoPicture is for what only claims to be a picture.
var errNoPicture = errors.New("not a picture that can be shown")

// keepPicture stores a picture and says so in the preview.
func (p *Previewer) keepPicture(ctx context.Context, f *found, kind string, body io.Reader) error {
	if kind == "image/svg+xml" {
		return errNoPicture // a document that may hold scripts
	}
	m, err := p.c.Pictures.Cache(ctx, media.Meta{Type: kind}, &bounded{body, p.c.MaxPicture})
	if err != nil {
		return err
	}
	width, height, actual, err := p.c.Pictures.Bounds(ctx, m)
	if err != nil {
		// What can't be measured is nothing to show; it is dropped as other cached media is.
		return errors.Join(errNoPicture, err)
	}
	f.media = m.ID
	f.properties["og:image"] = media.URI(m.Origin, m.ID)
	f.properties["og:image:type"] = actual
	f.properties["og:image:width"] = width
	f.properties["og:image:height"] = height
	f.properties["matrix:image:size"] = m.Size
	return nil
}

// bounded fails when there is more to read than allowed.
type bounded struct {
	r    io.Reader
	left int64
}

var errTooLarge = errors.New("larger than what is read")

func (b *bounded) Read(buf []byte) (int, error) {
	n, err := b.r.Read(buf)
	if b.left -= int64(n); b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}
