package discordfetch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/landbridge-im/landbridge/bridges/discord/api"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// Description is guild.json. Its parts are as the API gives them.
type Description struct {
	Format   string            `json:"format"`
	Fetched  time.Time         `json:"fetched"`
	Guild    json.RawMessage   `json:"guild"`
	Channels json.RawMessage   `json:"channels"`
	Threads  []json.RawMessage `json:"threads"`
	Members  []json.RawMessage `json:"members"`
	// MembersKnown is false if the bot may not list them.
	MembersKnown bool `json:"members_known"`
	// ThreadMembers are who is in private threads, by the thread's id.
	ThreadMembers map[string][]string `json:"thread_members"`
}

// ReadDescription reads guild.json; false if it is something else.
func ReadDescription(raw []byte) (*Description, bool) {
	d := &Description{}
	if json.Unmarshal(raw, d) != nil || d.Format != guildFileFormat {
		return nil, false
	}
	return d, true
}

// describe fetches all but the messages, writes guild.json, and gives the channels and threads that have messages.
func (f *fetcher) describe(ctx context.Context) ([]wire.Channel, error) {
	d := Description{Format: guildFileFormat, Fetched: time.Now().UTC(), MembersKnown: true, ThreadMembers: map[string][]string{}}
	root := "/guilds/" + f.o.Guild
	if err := f.get(ctx, root, "", &d.Guild); err != nil {
		if api.IsStatus(err, http.StatusUnauthorized) {
			return nil, errors.New("the token is not taken by Discord: it is wrong, or was reset (Developer Portal, Bot, Reset Token)")
		}
		if api.Refused(err) {
			return nil, fmt.Errorf("the bot does not see the server %s: is it invited there? (%w)", f.o.Guild, err)
		}
		return nil, fmt.Errorf("asking for the server: %w", err)
	}
	var self wire.User
	if err := f.get(ctx, "/users/@me", "", &self); err != nil {
		return nil, fmt.Errorf("asking who the bot is: %w", err)
	}
	f.self = self.ID
	if err := f.mayRead(ctx); err != nil {
		return nil, err
	}
	if err := wire.Decode(d.Guild, &f.guild); err != nil {
		return nil, fmt.Errorf("reading what the server is: %w", err)
	}
	f.report.Guild = f.guild.Name
	if err := f.get(ctx, root+"/channels", "", &d.Channels); err != nil {
		return nil, fmt.Errorf("listing the channels: %w", err)
	}
	if err := wire.Decode(d.Channels, &f.guild.Channels); err != nil {
		return nil, fmt.Errorf("reading the channels: %w", err)
	}
	var err error
	if d.Members, err = f.list(ctx); api.Refused(err) {
		d.MembersKnown = false
		f.problem("members could not be listed, so only who has written is known: turn on “Server Members Intent” (Developer Portal, Bot) and fetch again (%v)", err)
	} else if err != nil {
		return nil, fmt.Errorf("listing the members: %w", err)
	}
	f.report.Members = len(d.Members)
	threads, err := f.threads(ctx, &d)
	if err != nil {
		return nil, err
	}
	if err := f.write(guildFile, d); err != nil {
		return nil, err
	}
	if err := f.pictures(ctx, &d); err != nil {
		return nil, err
	}
	var list []wire.Channel
	for _, ch := range f.guild.Channels {
		if ch.HasMessages() {
			list = append(list, ch)
			f.report.Channels++
		}
	}
	slices.SortStableFunc(list, func(a, b wire.Channel) int { return cmp.Compare(a.Position, b.Position) })
	f.report.Threads = len(threads)
	return append(list, threads...), nil
}

// Flags of an application that may read what messages say. Discord, "Application Flags": GATEWAY_MESSAGE_CONTENT and
// GATEWAY_MESSAGE_CONTENT_LIMITED.
const contentFlags = 1<<18 | 1<<19

// mayRead makes sure that messages come with what they say: to others the API gives them empty, and says nothing of it.
func (f *fetcher) mayRead(ctx context.Context) error {
	var app struct {
		Flags *wire.Int `json:"flags"`
	}
	err := f.get(ctx, "/applications/@me", "", &app)
	switch {
	case err != nil && !api.Refused(err):
		return fmt.Errorf("asking what the bot may read: %w", err)
	case err != nil || app.Flags == nil:
		f.problem("whether the bot may read what messages say could not be found out: see to it that “Message Content Intent” is on (Developer Portal, Bot)")
	case *app.Flags&contentFlags == 0:
		return errors.New("the bot may not read what messages say, so all of them would be empty: turn on “Message Content Intent” (Developer Portal, Bot)")
	}
	return nil
}

// list lists everybody.
func (f *fetcher) list(ctx context.Context) (all []json.RawMessage, err error) {
	for after := wire.ID("0"); ; {
		var page []json.RawMessage
		path := fmt.Sprintf("/guilds/%s/members", f.o.Guild)
		if err := f.get(ctx, fmt.Sprintf("%s?limit=%d&after=%s", path, memberPage, after), path, &page); err != nil {
			return all, err
		}
		was := after
		for _, raw := range page {
			var m wire.Member
			if wire.Decode(raw, &m) != nil {
				continue
			}
			if m.User.ID != f.self { // the bot is no part of the community
				f.members[m.User.ID] = m
				all = append(all, raw)
			}
			if m.User.ID.After(after) {
				after = m.User.ID
			}
		}
		if len(page) < memberPage || after == was {
			return all, nil
		}
	}
}

// pictures fetches those of the server, its members and its emoji.
func (f *fetcher) pictures(ctx context.Context, d *Description) error {
	var w wanted
	if name, address := IconFile(f.o.Guild, f.guild.Icon); name != "" {
		w.note(name, address, "the server's picture")
	}
	var with struct {
		Emojis wire.List[wire.Emoji] `json:"emojis"`
	}
	if wire.Decode(d.Guild, &with) == nil {
		for _, e := range with.Emojis {
			if e.ID != "" {
				name, address := EmojiFile(e)
				w.note(name, address, "emoji :"+e.Name+":")
			}
		}
	}
	for _, m := range f.members {
		if name, address := AvatarFile(f.o.Guild, m.User, &m); name != "" {
			w.note(name, address, m.User.Username)
		}
	}
	f.files.fetchAll(ctx, &w)
	return ctx.Err()
}

// archives are the kinds of archived threads that a kind of channel can have.
var archives = map[wire.ChannelType][]string{
	wire.ChannelText: {"public", "private"}, wire.ChannelAnnouncement: {"public"}, wire.ChannelForum: {"public"}, wire.ChannelMedia: {"public"},
}

// threads lists those that are active and those that are archived.
func (f *fetcher) threads(ctx context.Context, d *Description) ([]wire.Channel, error) {
	known := map[wire.ID]bool{}
	var list []wire.Channel
	add := func(raws []json.RawMessage) (oldest time.Time) {
		for _, raw := range raws {
			var t wire.Channel
			if wire.Decode(raw, &t) != nil || t.ID == "" {
				continue
			}
			if at := t.Metadata.ArchivedAt.Time; oldest.IsZero() || at.Before(oldest) {
				oldest = at
			}
			if !known[t.ID] {
				known[t.ID] = true
				list = append(list, t)
				d.Threads = append(d.Threads, raw)
			}
		}
		return oldest
	}
	var answer struct {
		Threads []json.RawMessage `json:"threads"`
		More    bool              `json:"has_more"`
	}
	if err := f.get(ctx, "/guilds/"+f.o.Guild+"/threads/active", "", &answer); err != nil {
		if !api.Refused(err) {
			return nil, fmt.Errorf("listing the threads: %w", err)
		}
		f.problem("the active threads could not be listed: %v", err)
	}
	add(answer.Threads)
	for _, ch := range f.guild.Channels {
		for _, kind := range archives[ch.Type] {
			path := fmt.Sprintf("/channels/%s/threads/archived/%s", ch.ID, kind)
			for before := ""; ; {
				answer.Threads, answer.More = nil, false
				err := f.get(ctx, path+"?limit=100"+before, path, &answer)
				if api.Refused(err) {
					hint := "the bot needs “Read Message History”"
					if kind == "private" {
						hint = "the bot needs “Manage Threads” for it"
					}
					f.problem("#%s: archived %s threads could not be listed; %s (%v)", ch.Name, kind, hint, err)
					break
				}
				if err != nil {
					return nil, fmt.Errorf("listing the archived threads of #%s: %w", ch.Name, err)
				}
				oldest := add(answer.Threads)
				next := "&before=" + oldest.UTC().Format("2006-01-02T15:04:05.000000Z")
				if !answer.More || len(answer.Threads) == 0 || next == before {
					break
				}
				before = next
			}
		}
	}
	for _, t := range list {
		if t.Type != wire.ThreadPrivate {
			continue
		}
		var members []struct {
			User wire.ID `json:"user_id"`
		}
		err := f.get(ctx, "/channels/"+string(t.ID)+"/thread-members", "", &members)
		if err != nil && !api.Refused(err) {
			return nil, fmt.Errorf("asking who is in the thread %q: %w", t.Name, err)
		}
		if err != nil {
			f.problem("who is in the private thread %q could not be listed: only who has written in it will be (%v)", t.Name, err)
			continue
		}
		ids := []string{}
		for _, m := range members {
			if m.User != "" {
				ids = append(ids, string(m.User))
			}
		}
		d.ThreadMembers[string(t.ID)] = ids
	}
	slices.SortFunc(list, func(a, b wire.Channel) int { return cmp.Compare(a.ID.Uint(), b.ID.Uint()) })
	return list, nil
}
