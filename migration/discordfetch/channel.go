package discordfetch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"github.com/landbridge-im/landbridge/bridges/discord/api"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// channel fetches the messages of a channel or thread that are not there yet, part by part.
func (f *fetcher) channel(ctx context.Context, ch *wire.Channel) error {
	m := f.state.Channels[string(ch.ID)]
	if m == nil {
		m = &mark{Last: "0"}
		f.state.Channels[string(ch.ID)] = m
	}
	var part []*wire.Message
	for {
		page, err := f.page(ctx, ch, wire.ID(m.Last), part)
		if api.Refused(err) {
			f.problem("#%s (%s) could not be read: %v", ch.Name, ch.ID, err)
			return nil
		}
		if err != nil {
			return err
		}
		part = append(part, page...)
		more := len(page) == pageSize
		// A channel without messages is in the export, too.
		if len(part) >= PartSize || !more && (len(part) > 0 || m.Parts == 0) {
			if err := f.part(ctx, ch, m, part); err != nil {
				return err
			}
			part = nil
		}
		if !more {
			return nil
		}
	}
}

// page fetches the next messages, oldest first.
func (f *fetcher) page(ctx context.Context, ch *wire.Channel, last wire.ID, part []*wire.Message) ([]*wire.Message, error) {
	if len(part) > 0 {
		last = part[len(part)-1].ID
	}
	if ch.IsForum() {
		return nil, nil // its posts are threads
	}
	path := "/channels/" + string(ch.ID) + "/messages"
	var raws []json.RawMessage
	if err := f.get(ctx, fmt.Sprintf("%s?limit=%d&after=%s", path, pageSize, last), path, &raws); err != nil {
		return nil, err
	}
	var page []*wire.Message
	for _, raw := range raws {
		m := &wire.Message{}
		if wire.Decode(raw, m) != nil || m.ID == "" {
			f.problem("#%s: a message of Discord's answer can't be read", ch.Name)
			continue
		}
		if m.ID.After(last) {
			page = append(page, m)
			if !f.o.NoReactors {
				f.reactors(ctx, ch, m, raw)
			}
		}
	}
	slices.SortFunc(page, func(a, b *wire.Message) int { return cmp.Compare(a.ID.Uint(), b.ID.Uint()) })
	return page, ctx.Err()
}

// part writes a file of messages with what belongs to them, and notes that it is there.
func (f *fetcher) part(ctx context.Context, ch *wire.Channel, m *mark, list []*wire.Message) error {
	name := fmt.Sprintf("%s [part %d].json", ch.ID, m.Parts+1)
	out := document{Guild: f.aboutGuild(), Channel: f.aboutChannel(ch), Messages: make([]message, 0, len(list))}
	for _, msg := range list {
		converted, err := f.message(ctx, ch, msg)
		if err != nil {
			return err
		}
		out.Messages = append(out.Messages, converted)
	}
	out.Count = len(out.Messages)
	if err := f.write(name, out); err != nil {
		return err
	}
	m.Parts++
	if n := len(list); n > 0 {
		m.Last = string(list[n-1].ID)
	}
	f.report.Messages += int64(len(list))
	if err := f.save(); err != nil {
		return err
	}
	f.tell()
	return nil
}

// reaction is what the API says of one emoji below a message.
type reaction struct {
	Count wire.Int   `json:"count"`
	Emoji wire.Emoji `json:"emoji"`
	users []wire.User
}

// reactors fetches who has reacted to a message.
func (f *fetcher) reactors(ctx context.Context, ch *wire.Channel, m *wire.Message, raw json.RawMessage) {
	var with struct {
		Reactions wire.List[reaction] `json:"reactions"`
	}
	if wire.Decode(raw, &with) != nil {
		return
	}
	for i := range with.Reactions {
		r := &with.Reactions[i]
		name := r.Emoji.Name
		if r.Emoji.ID != "" {
			name += ":" + string(r.Emoji.ID)
		}
		bucket := "/channels/" + string(ch.ID) + "/reactions"
		path := fmt.Sprintf("/channels/%s/messages/%s/reactions/%s", ch.ID, m.ID, url.PathEscape(name))
		for after := ""; ; {
			var page wire.List[wire.User]
			if err := f.get(ctx, path+"?limit=100"+after, bucket, &page); err != nil {
				f.problem("#%s: who reacted to message %s could not be asked: %v", ch.Name, m.ID, err)
				break
			}
			r.users = append(r.users, page...)
			if len(page) < 100 {
				break
			}
			next := "&after=" + string(page[len(page)-1].ID)
			if next == after {
				break
			}
			after = next
		}
	}
	f.files.reactions(m.ID, with.Reactions)
}

// maxFile bounds a file; the largest that Discord takes have 500 MB.
const maxFile = 1 << 30

// files fetches files, each once.
type files struct {
	f       *fetcher
	pending map[wire.ID]wire.List[reaction] // of the messages of the part that is being made
}

// reactions keeps what is known of a message's reactions until it is written.
func (x *files) reactions(id wire.ID, list wire.List[reaction]) {
	if x.pending == nil {
		x.pending = map[wire.ID]wire.List[reaction]{}
	}
	x.pending[id] = list
}

// take gives what was kept.
func (x *files) take(id wire.ID) wire.List[reaction] {
	list := x.pending[id]
	delete(x.pending, id)
	return list
}

// fetch brings a file into the export, under a name of its own, and gives that name; or its address, if
// files are left out or it can't be had.
func (x *files) fetch(ctx context.Context, name, address, where string) string {
	if x.f.o.NoMedia || address == "" {
		return address
	}
	path := filepath.Join(x.f.o.Dir, filepath.FromSlash(name))
	if _, err := os.Stat(path); err == nil {
		return name
	}
	n, err := x.download(ctx, path, address)
	if err != nil {
		if ctx.Err() == nil {
			x.f.problem("%s: %s could not be fetched: %v", where, filepath.Base(name), err)
		}
		return address
	}
	x.f.report.Files++
	x.f.report.Bytes += n
	return name
}

func (x *files) download(ctx context.Context, path, address string) (n int64, err error) {
	target, err := x.f.allowed(address)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return 0, errors.New("its address is none")
	}
	res, err := x.f.o.HTTP.Do(req)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err // without the address, which has a signature in it
		}
		return 0, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("the answer is %s", res.Status)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return 0, err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".part-*")
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	n, err = tmp.ReadFrom(http.MaxBytesReader(nil, res.Body, maxFile))
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return n, err
	}
	return n, os.Rename(tmp.Name(), path)
}

// hosts are where Discord keeps files.
var hosts = map[string]bool{"cdn.discordapp.com": true, "media.discordapp.net": true}

// allowed gives the address to fetch from, with the configured host for Discord's; files of elsewhere are not fetched.
func (f *fetcher) allowed(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return "", errors.New("its address is none")
	}
	if base, err := url.Parse(f.o.CDN); err == nil && u.Host == base.Host {
		return address, nil
	}
	if !hosts[u.Host] {
		return "", errors.New("it is not at Discord")
	}
	if u.Host == "cdn.discordapp.com" {
		return f.o.CDN + u.RequestURI(), nil
	}
	return address, nil
}
