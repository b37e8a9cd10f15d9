package run

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/importer/wire"
	"github.com/landbridge-im/landbridge/internal/lottie"
	"github.com/landbridge-im/landbridge/migration/model"
)

// uploads bring files in. Only the reader's goroutine uses them; put may be called by several at once.
type uploads struct {
	r            *Runner
	files, bytes atomic.Int64
	// have are the addresses of those that are known to be there, by their ids.
	have   map[string]string
	emojis map[string]string
	failed map[string]error
	// lost, if not nil, is why the run can't go on: a file that is there could not be given to the server, and the message
	// that has it must not be told without it.
	lost error
}

func newUploads(r *Runner) *uploads {
	return &uploads{r: r, have: map[string]string{}, emojis: map[string]string{}, failed: map[string]error{}}
}

// maxRemembered bounds what is remembered of files.
const maxRemembered = 100_000

// id makes a media id of a file's name at its source: the same in each run.
func (u *uploads) id(f *model.File) string {
	sum := sha256.Sum256([]byte(u.r.source.Key() + "\x00" + f.ID))
	return u.r.source.Network + "_" + hex.EncodeToString(sum[:16])
}

// uri is where the server has a file, by its own word, or else under the id that it was given.
func (u *uploads) uri(id, told string) string { return cmp.Or(told, "mxc://"+u.r.server+"/"+id) }

var (
	errNoFile = errors.New("it is neither in the export nor can it be fetched")
	errHost   = errors.New("files are not fetched from there")
	errPage   = errors.New("the answer is a page and not the file; the export's token has probably expired")
)

// bring brings a file in and returns its mxc URI; "" if that can't be, which is a problem.
func (u *uploads) bring(ctx context.Context, f *model.File, where string) string {
	uri, err := u.try(ctx, f)
	if err != nil && ctx.Err() == nil {
		u.r.problem(where, "%q could not be brought in: %v", f.Name, err)
	}
	return uri
}

func (u *uploads) try(ctx context.Context, f *model.File) (string, error) {
	id := u.id(f)
	if uri := u.have[id]; uri != "" {
		return uri, nil
	}
	if err := u.failed[id]; err != nil {
		return "", err
	}
	var uri string
	err := insist(ctx, func() error {
		had, err := u.r.o.Target.HaveMedia(ctx, wire.HaveMedia{IDs: []string{id}})
		if err == nil && len(had.Have) == 0 {
			uri, err = u.put(ctx, id, f)
			return err
		}
		uri = u.uri(id, had.URIs[id])
		return err
	})
	if errors.Is(err, ErrUnreachable) || ctx.Err() != nil {
		u.lost = cmp.Or(u.lost, err)
		return "", err
	}
	if u.note(id, uri, err); err != nil {
		return "", err
	}
	return uri, nil
}

// put gives a file to the server, and returns where it has it.
func (u *uploads) put(ctx context.Context, id string, f *model.File) (uri string, err error) {
	if u.r.limit > 0 && f.Size > u.r.limit {
		return "", fmt.Errorf("it has %d bytes, and the server takes at most %d", f.Size, u.r.limit)
	}
	var body io.ReadCloser
	switch {
	case f.Open != nil:
		body, err = f.Open()
	case f.URL != "" && u.r.o.HTTP != nil && u.r.o.Mapping.Files:
		body, err = u.fetch(ctx, f)
	default:
		err = errNoFile
	}
	if err != nil {
		return "", err
	}
	defer body.Close()
	if f.Lottie {
		if body, err = drawn(ctx, body); err != nil {
			return "", err
		}
	}
	n := &counting{Reader: body}
	made, err := u.r.o.Target.PutMedia(ctx, id, u.r.bot, f.Name, f.Type, n)
	if err != nil && n.err != nil {
		return "", fmt.Errorf("it could not be read: %w", n.err)
	}
	if err != nil {
		return "", err
	}
	if made.Fresh {
		u.files.Add(1)
		u.bytes.Add(n.n)
	}
	return u.uri(id, made.URI), nil
}

// drawn is the picture of an animation.
func drawn(ctx context.Context, body io.Reader) (io.ReadCloser, error) {
	raw, err := io.ReadAll(io.LimitReader(body, lottie.MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("it could not be read: %w", err)
	}
	p, err := lottie.Sticker(ctx, raw)
	if err != nil {
		return nil, fmt.Errorf("the animation cannot be drawn: %w", err)
	}
	return io.NopCloser(bytes.NewReader(p.Data)), nil
}

type counting struct {
	io.Reader
	n   int64
	err error // what reading has failed with
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

// hosts are where files of exports are.
var hosts = []string{"slack.com", "slack-files.com", "slack-edge.com", "slack-imgs.com", "gravatar.com", "wp.com", "discordapp.com", "discordapp.net", "discord.com"}

// fetchTries is how often a file is asked for.
const fetchTries = 3

// fetch asks for a file. What goes wrong is told without the address, which may hold a token.
func (u *uploads) fetch(ctx context.Context, f *model.File) (io.ReadCloser, error) {
	address, err := url.Parse(f.URL.Reveal())
	if err != nil || address.Host == "" {
		return nil, errors.New("its address is not valid")
	}
	allowed := u.r.o.FileHosts
	if allowed == nil {
		allowed = hosts
		if address.Scheme != "https" {
			return nil, errHost
		}
	}
	ok := false
	for _, h := range allowed {
		ok = ok || address.Hostname() == h || strings.HasSuffix(address.Hostname(), "."+h)
	}
	if !ok {
		return nil, errHost
	}
	for try := 1; ; try++ {
		body, again, err := u.get(ctx, address, f)
		if err == nil || !again || try == fetchTries {
			return body, err
		}
		select {
		case <-time.After(time.Duration(try) * time.Second):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (u *uploads) get(ctx context.Context, address *url.URL, f *model.File) (_ io.ReadCloser, again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, false, errors.New("its address is not valid")
	}
	res, err := u.r.o.HTTP.Do(req)
	if err != nil {
		var e *url.Error
		if errors.As(err, &e) {
			err = e.Err // without the address
		}
		return nil, ctx.Err() == nil, fmt.Errorf("it could not be fetched: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		res.Body.Close()
		return nil, res.StatusCode == 429 || res.StatusCode >= 500, fmt.Errorf("it could not be fetched: %s says %s", address.Hostname(), res.Status)
	}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") && !strings.Contains(f.Type, "html") {
		res.Body.Close()
		return nil, false, errPage
	}
	if u.r.limit > 0 && res.ContentLength > u.r.limit {
		res.Body.Close()
		return nil, false, fmt.Errorf("it has %d bytes, and the server takes at most %d", res.ContentLength, u.r.limit)
	}
	return res.Body, false, nil
}

// packSize is how many emoji a pack has, so that it fits into an event.
const packSize = 200

// packs are the community's emoji for people to go on with. MSC2545: "im.ponies.room_emotes", with "images" by their shortcodes.
func (r *Runner) packs() (out []fields) {
	uris := map[string]string{}
	for _, e := range r.o.Export.Emoji() {
		if uri := r.media.emojis[e.Name]; uri != "" {
			uris[cmp.Or(e.Shortcode, e.Name)] = uri
		}
	}
	for chunk := range slices.Chunk(slices.Sorted(maps.Keys(uris)), packSize) {
		images := fields{}
		for _, code := range chunk {
			images[clip(code, 100)] = fields{"url": uris[code]}
		}
		out = append(out, fields{"images": images, "pack": fields{"display_name": cmp.Or(r.o.Mapping.Name, r.source.Name)}})
	}
	return out
}

// emoji brings the custom emoji in, some side by side.
func (u *uploads) emoji(ctx context.Context) error {
	list := u.r.o.Export.Emoji()
	for i := range list {
		if i%aheadMessages == 0 {
			var next []*model.File
			for k := range list[i:min(len(list), i+aheadMessages)] {
				if e := &list[i+k]; e.Alias == "" {
					next = append(next, &e.File)
				}
			}
			u.bringAll(ctx, next)
		}
		if list[i].Alias != "" {
			continue
		}
		if uri := u.bring(ctx, &list[i].File, "emoji :"+list[i].Name+":"); uri != "" {
			u.emojis[list[i].Name] = uri
		}
		if err := cmp.Or(ctx.Err(), u.lost); err != nil {
			return err
		}
	}
	for range 5 { // another name of another name
		for _, e := range list {
			if uri := u.emojis[e.Alias]; uri != "" {
				u.emojis[e.Name] = uri
			}
		}
	}
	return nil
}
