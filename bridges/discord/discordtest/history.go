package discordtest

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// epoch is the beginning of snowflakes, in milliseconds of Unix time.
const epoch = 1420070400000

// active are the threads that are not archived.
func (g *Guild) active() []*Channel {
	list := []*Channel{}
	for _, t := range g.Threads {
		if t.ThreadMetadata == nil || !t.ThreadMetadata.Archived {
			list = append(list, t)
		}
	}
	return list
}

// Archive archives a thread: the gateway tells of it no more when a session begins.
func (s *Server) Archive(t *Channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.ThreadMetadata.Archived, t.ThreadMetadata.ArchiveTimestamp = true, stamp(time.Now())
	s.dispatch(t.GuildID, "THREAD_UPDATE", *t)
}

// SayAt has somebody, who need not be a member, have said something in the past. Nobody is told of it.
func (s *Server) SayAt(ch *Channel, u *User, text string, at time.Time) *Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.newMessage(ch, u, text)
	// No two messages have the same id, also those of the same moment in two channels; id makes none with this bit.
	s.past++
	m.ID = strconv.FormatUint(uint64(at.UnixMilli()-epoch)<<22|1<<21+s.past, 10)
	m.Timestamp = stamp(at)
	list := append(s.messages[ch.ID], m)
	slices.SortFunc(list, func(a, b *Message) int { return compareIDs(a.ID, b.ID) })
	s.messages[ch.ID] = list
	ch.LastMessageID = &list[len(list)-1].ID
	return m
}

func compareIDs(a, b string) int {
	x, _ := strconv.ParseUint(a, 10, 64)
	y, _ := strconv.ParseUint(b, 10, 64)
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// getReactions is Discord's "Get Reactions".
func (s *Server) getReactions(r *request) (any, *failure) {
	m, f := s.message(r)
	if f != nil {
		return nil, f
	}
	n, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil || n < 1 || n > 100 {
		return nil, invalid("limit must be from 1 to 100")
	}
	list := []*User{}
	for _, have := range m.Reactions {
		name := have.Emoji.Name
		if have.Emoji.ID != nil {
			name += ":" + *have.Emoji.ID
		}
		if name != r.PathValue("emoji") {
			continue
		}
		after := r.URL.Query().Get("after")
		for _, id := range slices.SortedFunc(slices.Values(have.users), byID) {
			if u := s.users[id]; u != nil && len(list) < n && byID(id, after) > 0 {
				list = append(list, u)
			}
		}
		return list, nil
	}
	return nil, &failure{400, 10014, "Unknown Emoji"}
}

// byID orders ids, which are numbers.
func byID(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) }

// getArchived is "List Public Archived Threads": newest first, those archived before a time.
func (s *Server) getArchived(r *request) (any, *failure) {
	parent := s.channel(r.PathValue("channel"))
	if parent == nil {
		return nil, errUnknownChannel
	}
	if r.PathValue("kind") == "private" {
		return nil, errMissing
	}
	if !s.may(parent.ID, ReadHistory) {
		return nil, errMissing
	}
	before := r.URL.Query().Get("before")
	var list []*Channel
	for _, t := range s.guilds[parent.GuildID].Threads {
		if t.ParentID != nil && *t.ParentID == parent.ID && t.ThreadMetadata.Archived {
			at, err := time.Parse(time.RFC3339Nano, t.ThreadMetadata.ArchiveTimestamp)
			limit, berr := time.Parse(time.RFC3339Nano, before)
			if before != "" && berr != nil {
				return nil, invalid("before: %v", berr)
			}
			if err == nil && (before == "" || at.Before(limit)) {
				list = append(list, t)
			}
		}
	}
	slices.SortFunc(list, func(a, b *Channel) int {
		return -strings.Compare(a.ThreadMetadata.ArchiveTimestamp, b.ThreadMetadata.ArchiveTimestamp)
	})
	const most = 2 // few, so that a client has to ask again
	more := len(list) > most
	if more {
		list = list[:most]
	}
	return map[string]any{"threads": append([]*Channel{}, list...), "members": []any{}, "has_more": more}, nil
}

// DeleteByID deletes a message, as a moderator does.
func (s *Server) DeleteByID(channel, message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.messages[channel] {
		if m.ID == message {
			s.remove(m)
			return
		}
	}
}
