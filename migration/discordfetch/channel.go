package discordfetch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
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
	var part []said
	for last := wire.ID(m.Last); ; {
		page, more, err := f.page(ctx, ch, last)
		if api.Refused(err) {
			f.problem("#%s (%s) could not be read: %v", ch.Name, ch.ID, err)
			return nil
		}
		if err != nil {
			return err
		}
		if len(page) > 0 {
			last = page[len(page)-1].ID
			part = append(part, page...)
		}
		// A channel without messages is in the export, too.
		if len(part) >= f.o.PartSize || !more && (len(part) > 0 || m.Parts == 0) {
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

// said is a message with its reactions.
type said struct {
	*wire.Message
	reactions wire.List[reaction]
}

// page fetches the messages after one, oldest first, and tells whether there are more.
func (f *fetcher) page(ctx context.Context, ch *wire.Channel, last wire.ID) (page []said, more bool, err error) {
	if ch.IsForum() {
		return nil, false, nil // its posts are threads
	}
	path := "/channels/" + string(ch.ID) + "/messages"
	var raws []json.RawMessage
	if err := f.get(ctx, fmt.Sprintf("%s?limit=%d&after=%s", path, pageSize, last), path, &raws); err != nil {
		return nil, false, err
	}
	for _, raw := range raws {
		m := said{Message: &wire.Message{}}
		if wire.Decode(raw, m.Message) != nil || m.ID == "" {
			f.problem("#%s: a message of Discord's answer can't be read", ch.Name)
			continue
		}
		if !m.ID.After(last) {
			continue
		}
		var with struct {
			Reactions wire.List[reaction] `json:"reactions"`
		}
		if wire.Decode(raw, &with) == nil {
			m.reactions = with.Reactions
		}
		page = append(page, m)
	}
	slices.SortFunc(page, func(a, b said) int { return cmp.Compare(a.ID.Uint(), b.ID.Uint()) })
	if more = len(raws) >= pageSize; more && len(page) == 0 {
		return nil, false, errors.New("the answer has no message that can be read, so it can't be asked for the next ones")
	}
	if !f.o.NoReactors {
		for _, m := range page {
			if err := f.reactors(ctx, ch, m); err != nil {
				return nil, false, err
			}
		}
	}
	return page, more, nil
}

// part writes a file of messages with what belongs to them, and notes that it is there.
func (f *fetcher) part(ctx context.Context, ch *wire.Channel, m *mark, list []said) error {
	// If the file is there, of an attempt that ended before it was noted, it is written again.
	name := fmt.Sprintf("%s [part %d].json", ch.ID, m.Parts+1)
	out := document{Guild: f.aboutGuild(), Channel: f.aboutChannel(ch)}
	convert := func(get getter) {
		out.Messages = make([]message, 0, len(list))
		for _, msg := range list {
			out.Messages = append(out.Messages, f.message(ch, msg, get))
		}
	}
	// First only to learn which files there are, so that they can be fetched side by side.
	var wanted wanted
	convert(wanted.note)
	f.files.fetchAll(ctx, &wanted)
	if err := ctx.Err(); err != nil {
		return err
	}
	convert(f.files.place)
	out.Count = len(out.Messages)
	if err := f.write(name, out); err != nil {
		return err
	}
	m.Parts++
	if n := len(list); n > 0 {
		m.Last = string(list[n-1].ID)
	}
	if err := f.save(); err != nil {
		return err
	}
	f.at(func(*Progress) { f.report.Messages += int64(len(list)) })
	return nil
}

// reaction is what the API says of one emoji below a message.
type reaction struct {
	Count   wire.Int   `json:"count"`
	Emoji   wire.Emoji `json:"emoji"`
	Details struct {
		Normal wire.Int `json:"normal"`
		Burst  wire.Int `json:"burst"`
	} `json:"count_details"`
	users []wire.User
}

// reactors fetches who has reacted to a message. Discord, "Get Reactions": type is 0 for ordinary reactions and 1 for
// "burst" ones, each listed by itself.
func (f *fetcher) reactors(ctx context.Context, ch *wire.Channel, m said) error {
	bucket := "/channels/" + string(ch.ID) + "/reactions"
	for i := range m.reactions {
		r := &m.reactions[i]
		name := r.Emoji.Name
		if r.Emoji.ID != "" {
			name = cmp.Or(name, "_") + ":" + string(r.Emoji.ID)
		}
		path := fmt.Sprintf("/channels/%s/messages/%s/reactions/%s", ch.ID, m.ID, url.PathEscape(name))
		kinds := []string{"&type=0", "&type=1"}
		if r.Details.Burst == 0 {
			kinds = kinds[:1]
		}
		seen := map[wire.ID]bool{}
		for _, kind := range kinds {
			for after := wire.ID(""); ; {
				query := "?limit=100" + kind
				if after != "" {
					query += "&after=" + string(after)
				}
				var page wire.List[wire.User]
				err := f.get(ctx, path+query, bucket, &page)
				if err != nil && !api.Refused(err) {
					return fmt.Errorf("asking who reacted to message %s: %w", m.ID, err)
				}
				if err != nil {
					f.problem("#%s: who reacted to message %s could not be asked: %v", ch.Name, m.ID, err)
					break
				}
				was := after
				for _, u := range page {
					if u.ID != "" && !seen[u.ID] {
						seen[u.ID] = true
						r.users = append(r.users, u)
					}
					if u.ID.After(after) {
						after = u.ID
					}
				}
				if len(page) < pageSize || after == was {
					break
				}
			}
		}
	}
	return nil
}
